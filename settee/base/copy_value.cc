// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/detail/copy_value.h"

#include <cstring>
#include <unordered_set>

namespace settee::inline v0::detail {

namespace {

bool knows(const TypeInfo& type, std::unordered_set<const TypeInfo*>& seen) {
  if (type.kind == Kind::kAny) return false;
  if (!seen.insert(&type).second) return true;  // asked already
  if (type.element != nullptr && !knows(*type.element, seen)) return false;
  if (type.key != nullptr && !knows(*type.key, seen)) return false;
  for (const MemberInfo& member : type.members) {
    if (!knows(*member.type, seen)) return false;
  }
  for (const TypeInfo* alternative : type.alternatives) {
    if (!knows(*alternative, seen)) return false;
  }
  return true;
}

constexpr int kDeepest = 256;

template <class T>
Result<void> assign(void* to, const void* from) {
  *static_cast<T*>(to) = *static_cast<const T*>(from);
  return {};
}

Result<void> copy(const TypeInfo& type, void* to, const void* from, int depth);

// The elements of a set or map, one after the other, into another.
class Elements final : public ElementVisitor, public ElementFiller {
 public:
  Elements(const TypeInfo& type, void* to, int depth) : type_(type), to_(to), depth_(depth) {}

  bool visit(const void* key, const void* value) override {
    key_ = key;
    value_ = value;
    done_ = type_.insert(to_, *this);
    return static_cast<bool>(done_);
  }
  Result<void> fill_key(void* key) override { return copy(*type_.key, key, key_, depth_); }
  Result<void> fill_value(void* value) override {
    return copy(*type_.element, value, value_, depth_);
  }
  Result<void> done() { return std::move(done_); }

 private:
  const TypeInfo& type_;
  void* const to_;
  const int depth_;
  const void* key_ = nullptr;
  const void* value_ = nullptr;
  Result<void> done_;
};

Result<void> copy_list(const TypeInfo& type, void* to, const void* from, int depth) {
  type.clear(to);
  const std::size_t count = type.count(from);
  type.reserve(to, count);
  for (std::size_t i = 0; i < count; ++i) {
    Result<void> done = copy(*type.element, type.append(to), type.at(from, i), depth);
    if (!done) return done;
  }
  return {};
}

Result<void> copy_message(const TypeInfo& type, void* to, const void* from) {
  std::string bytes(type.message_size(from), '\0');
  if (!type.message_write(from, bytes.data(), bytes.size()) ||
      !type.message_read(to, bytes.data(), bytes.size())) {
    return Error(Code::kEncode,
                 "the protobuf message cannot be written; a required field may be "
                 "missing");
  }
  return {};
}

Result<void> copy(const TypeInfo& type, void* to, const void* from, int depth) {
  if (depth > kDeepest) {
    return Error(Code::kLimit, "values are nested deeper than 256");
  }
  switch (type.kind) {
    case Kind::kVoid: return {};
    case Kind::kBool:
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kChar16:
    case Kind::kFloat:
    case Kind::kDouble:
    case Kind::kEnum: std::memcpy(to, from, type.size); return {};
    case Kind::kString: return assign<std::string>(to, from);
    case Kind::kBytes: return assign<Bytes>(to, from);
    case Kind::kDate: return assign<Date>(to, from);
    case Kind::kDuration: return assign<std::chrono::milliseconds>(to, from);
    case Kind::kDecimal: return assign<Decimal>(to, from);
    case Kind::kBigInteger: return assign<BigInteger>(to, from);
    case Kind::kStruct:
      for (const MemberInfo& member : type.members) {
        Result<void> done = copy(*member.type, static_cast<std::uint8_t*>(to) + member.offset,
                                 static_cast<const std::uint8_t*>(from) + member.offset, depth + 1);
        if (!done) return done;
      }
      return {};
    case Kind::kOptional:
    case Kind::kPointer: {
      const void* value = type.get(from);
      if (value != nullptr) return copy(*type.element, type.emplace(to), value, depth + 1);
      type.reset(to);
      return {};
    }
    case Kind::kList:
    case Kind::kArray: return copy_list(type, to, from, depth + 1);
    case Kind::kSet:
    case Kind::kMap: {
      type.clear(to);
      Elements elements(type, to, depth + 1);
      type.for_each(from, elements);
      return elements.done();
    }
    case Kind::kVariant: {
      const std::size_t index = type.index(from);
      if (index >= type.alternatives.size()) {
        return Error(Code::kEncode, "a variant has no value");
      }
      return copy(*type.alternatives[index], type.emplace_alternative(to, index),
                  type.alternative(from), depth + 1);
    }
    case Kind::kMessage: return copy_message(type, to, from);
    case Kind::kAny: break;
  }
  return Error(Code::kMisuse, "copy_value(): hessian::Value is not copied here");
}

}  // namespace

bool can_copy(const TypeInfo& type) {
  std::unordered_set<const TypeInfo*> seen;
  return knows(type, seen);
}

Result<void> copy_value(const TypeInfo& type, void* to, const void* from) {
  return copy(type, to, from, 0);
}

}  // namespace settee::inline v0::detail
