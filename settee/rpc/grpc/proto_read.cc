// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <string>

#include "settee/rpc/grpc/internal/proto_codec.h"
#include "settee/rpc/grpc/internal/proto_form.h"

namespace settee::inline v0::rpc::grpc {

namespace {

constexpr std::size_t kMostFields = 256;  // reflect.h describes up to 250 members
constexpr std::size_t kReserveBytes = 64 * 1024;
// A set or map keeps each element in a piece of memory of its own.
constexpr std::size_t kNodeSize = 48;

// [+-]digits, and of decimals also [.digits][e[+-]digits], as Java reads them.
bool is_number_text(std::string_view text, bool decimal) noexcept {
  const auto sign = [&] {
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
  };
  const auto digits = [&] {
    std::size_t n = 0;
    while (n < text.size() && text[n] >= '0' && text[n] <= '9') ++n;
    text.remove_prefix(n);
    return n;
  };
  sign();
  std::size_t count = digits();
  if (decimal && !text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    count += digits();
  }
  if (count == 0) return false;
  if (decimal && !text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    text.remove_prefix(1);
    sign();
    if (digits() == 0) return false;
  }
  return text.empty();
}

struct Range {
  std::int64_t min;
  std::int64_t max;
};
Range range_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::kInt8: return {INT8_MIN, INT8_MAX};
    case Kind::kInt16: return {INT16_MIN, INT16_MAX};
    case Kind::kInt32: return {INT32_MIN, INT32_MAX};
    case Kind::kChar16: return {0, UINT16_MAX};
    default: return {INT64_MIN, INT64_MAX};
  }
}

// Which fields of a message have come.
class Seen {
 public:
  // Whether it is the first time.
  bool first(std::size_t index) noexcept {
    std::uint64_t& word = words_[index / 64];
    const std::uint64_t bit = std::uint64_t{1} << (index % 64);
    const bool is_first = (word & bit) == 0;
    word |= bit;
    return is_first;
  }
  bool has(std::size_t index) const noexcept {
    return (words_[index / 64] >> (index % 64) & 1) != 0;
  }

 private:
  std::array<std::uint64_t, kMostFields / 64> words_{};
};

// Functions that return bool leave a failure behind when it is false.
class Decoder {
 public:
  Decoder(std::span<const std::uint8_t> all, const ProtoLimits& limits) noexcept
      : begin_(all.data()),
        depth_limit_(limits.depth),
        depth_left_(limits.depth),
        memory_limit_(limits.memory),
        memory_left_(limits.memory) {}

  // `again`: the object has fields of this message already, to which these are added.
  bool message(std::span<const std::uint8_t> bytes, const TypeInfo& type, void* out, bool again) {
    if (type.kind == Kind::kMessage) return proto_message(bytes, type, out);
    const auto member = [&](std::size_t i) {
      return Place{type.members[i].type, static_cast<char*>(out) + type.members[i].offset};
    };
    const auto name = [&](std::size_t i) { return type.members[i].name; };
    const auto index = [&](std::uint32_t number) { return index_of(type, number); };
    return fields(bytes, type.members.size(), index, member, name, again);
  }

  bool arguments(std::span<const std::uint8_t> bytes, std::span<const ParameterInfo> parameters,
                 void* const* places) {
    const auto parameter = [&](std::size_t i) { return Place{parameters[i].type, places[i]}; };
    const auto name = [&](std::size_t i) { return parameters[i].name; };
    return fields(bytes, parameters.size(), by_position, parameter, name, false);
  }

  bool value(std::span<const std::uint8_t> bytes, const TypeInfo& type, void* out) {
    const auto result = [&](std::size_t) { return Place{&type, out}; };
    const auto name = [](std::size_t) { return std::string_view("value"); };
    return fields(bytes, 1, by_position, result, name, false);
  }

  Result<void> end(bool done, std::string_view what) {
    if (done) [[likely]]
      return {};
    return Error(failure_->code, fmt::format("protobuf: cannot read {}{}{}: {} (byte {})", what,
                                             failure_->path.empty() ? "" : " at ", failure_->path,
                                             failure_->message, failure_->offset));
  }

 private:
  struct Place {
    const TypeInfo* type;
    void* at;
  };
  struct Failure {
    Code code;
    std::string message;
    std::size_t offset;
    std::string path;
  };

  class Filler final : public ElementFiller {
   public:
    Filler(Decoder& decoder, const TypeInfo& type) : decoder_(decoder), type_(type) {}
    Result<void> fill_key(void* key) override {
      if (!has_key) {
        decoder_.set_zero(*type_.key, key);
        return {};
      }
      if (decoder_.singular(key_field, *type_.key, key, false)) return {};
      return stopped();
    }
    Result<void> fill_value(void* value) override {
      if (!has_value) {
        decoder_.set_zero(*type_.element, value);
        return {};
      }
      if (decoder_.element(value_field, *type_.element, value)) return {};
      return stopped();
    }
    WireField key_field;
    WireField value_field;
    bool has_key = false;
    bool has_value = false;

   private:
    // The decoder has the failure.
    static Error stopped() { return Error(Code::kDecode, "protobuf: stopped"); }
    Decoder& decoder_;
    const TypeInfo& type_;
  };

  static std::size_t by_position(std::uint32_t number) noexcept { return number - std::size_t{1}; }
  static std::size_t index_of(const TypeInfo& type, std::uint32_t number) noexcept {
    if (type.by_number.empty()) [[likely]]
      return by_position(number);
    const auto below = [&](std::uint8_t index, std::uint32_t wanted) {
      return type.members[index].number < wanted;
    };
    const auto end = type.by_number.end();
    const auto found = std::lower_bound(type.by_number.begin(), end, number, below);
    const bool known = found != end && type.members[*found].number == number;
    return known ? *found : type.members.size();
  }

  // `to_index` of a number that is not known is at least `count`.
  template <class Index, class At, class Name>
  bool fields(std::span<const std::uint8_t> bytes, std::size_t count, Index&& to_index, At&& place,
              Name&& name, bool again) {
    if (depth_left_ == 0) [[unlikely]]
      return fail_limit("depth", depth_limit_, bytes);
    --depth_left_;
    Seen seen;
    WireReader reader(bytes);
    WireField field;
    while (reader.next(field)) {
      const std::size_t index = to_index(field.number);
      if (index >= count) continue;
      const Place to = place(index);
      const bool first = seen.first(index) && !again;
      here_ = bytes.data() + reader.offset();
      if (!one(field, *to.type, to.at, first)) [[unlikely]]
        return in(name(index));
    }
    if (!reader.rule().empty()) [[unlikely]] {
      here_ = bytes.data() + reader.offset();
      return fail(Code::kDecode, std::string(reader.rule()));
    }
    if (!again) {
      for (std::size_t i = 0; i < count; ++i) {
        if (seen.has(i)) continue;
        const Place missing = place(i);
        set_zero(*missing.type, missing.at);
      }
    }
    ++depth_left_;
    return true;
  }

  // A field's content, which goes to the object at `out`.
  bool one(const WireField& field, const TypeInfo& type, void* out, bool first) {
    switch (type.kind) {
      case Kind::kOptional:
      case Kind::kPointer: {
        const bool held = !first && type.get(out) != nullptr;
        if (!held && !charge(type.element->size)) return false;
        void* value = held ? const_cast<void*>(type.get(out)) : type.emplace(out);
        return one(field, *type.element, value, !held);
      }
      case Kind::kList:
      case Kind::kArray: return list(field, type, out, first);
      case Kind::kSet: return set(field, type, out, first);
      case Kind::kMap: return map(field, type, out, first);
      default: return singular(field, type, out, !first);
    }
  }

  bool singular(const WireField& field, const TypeInfo& type, void* out, bool again) {
    const Wire wire = wire_of(type.kind);
    if (field.wire != wire) [[unlikely]]
      return wrong_wire(field, wire);
    if (wire != Wire::kLength) return scalar(field.value, type, out);
    switch (type.kind) {
      case Kind::kString: {
        if (!is_utf8(field.text())) [[unlikely]]
          return fail(Code::kDecode, "the text is not UTF-8");
        if (!charge(field.bytes.size())) return false;
        *static_cast<std::string*>(out) = field.text();
        return true;
      }
      case Kind::kDecimal: return digits(field, static_cast<Decimal*>(out)->text, true);
      case Kind::kBigInteger: return digits(field, static_cast<BigInteger*>(out)->text, false);
      case Kind::kBytes:
        if (!charge(field.bytes.size())) return false;
        *static_cast<Bytes*>(out) = Bytes(field.bytes);
        return true;
      case Kind::kStruct:
      case Kind::kMessage: return message(field.bytes, type, out, again);
      default:
        return fail(Code::kDecode, fmt::format("{} has no form in protobuf", formless(type.kind)));
    }
  }

  bool digits(const WireField& field, std::string& out, bool decimal) {
    // An empty text is what proto3 makes of a member that nobody has set.
    if (!field.bytes.empty() && !is_number_text(field.text(), decimal)) {
      return fail(Code::kDecode,
                  fmt::format("expected a {} number as text", decimal ? "decimal" : "whole"));
    }
    if (!charge(field.bytes.size())) return false;
    out = field.bytes.empty() ? "0" : field.text();
    return true;
  }

  bool proto_message(std::span<const std::uint8_t> bytes, const TypeInfo& type, void* out) {
    if (!charge(bytes.size())) return false;
    if (type.message_read(out, bytes.data(), bytes.size())) return true;
    here_ = bytes.data();
    return fail(Code::kDecode, "the bytes are not of this .proto message");
  }

  bool scalar(std::uint64_t value, const TypeInfo& type, void* out) {
    const auto number = static_cast<std::int64_t>(value);
    switch (type.kind) {
      case Kind::kBool: store<bool>(out, value != 0); return true;
      case Kind::kFloat: store(out, static_cast<std::uint32_t>(value)); return true;
      case Kind::kDouble: store(out, value); return true;
      case Kind::kInt64:
      case Kind::kDate:
      case Kind::kDuration: store(out, number); return true;
      case Kind::kEnum: return enumerator(number, type, out);
      default: break;
    }
    const Range range = range_of(type.kind);
    if (number < range.min || number > range.max) [[unlikely]] {
      return fail(Code::kDecode,
                  fmt::format("{} is not in {} to {}", number, range.min, range.max));
    }
    switch (type.kind) {
      case Kind::kInt8: store(out, static_cast<std::int8_t>(number)); return true;
      case Kind::kInt16: store(out, static_cast<std::int16_t>(number)); return true;
      case Kind::kInt32: store(out, static_cast<std::int32_t>(number)); return true;
      default: store(out, static_cast<char16_t>(number)); return true;
    }
  }

  bool enumerator(std::int64_t number, const TypeInfo& type, void* out) {
    for (const EnumeratorInfo& known : type.enumerators) {
      if (known.value == number) {
        type.enum_set(out, number);
        return true;
      }
    }
    if (number == 0) return true;  // <NAME>_UNSPECIFIED
    return fail(Code::kDecode, fmt::format("{} is no enumerator of {}", number, type.name));
  }

  bool list(const WireField& field, const TypeInfo& type, void* out, bool first) {
    if (first) type.clear(out);
    const TypeInfo& element_type = *type.element;
    const Wire wire = wire_of(element_type.kind);
    if (wire == Wire::kLength || field.wire != Wire::kLength) {
      if (!charge(element_type.size)) return false;
      if (element(field, element_type, type.append(out))) return true;
      return in(fmt::format("[{}]", type.count(out) - 1));
    }
    if (wire != Wire::kVarint) {
      const std::size_t width = wire == Wire::kFixed64 ? 8 : 4;
      const std::size_t count = field.bytes.size() / width;
      if (count > memory_left_ / element_type.size) {
        return fail_limit("memory", memory_limit_, field.bytes);
      }
      // Only once: a reserve for each of many small fields would move all elements each time.
      if (type.count(out) == 0) type.reserve(out, std::min(count, kReserveBytes / width));
    }
    return packed(field, wire, [&](std::uint64_t value) {
      if (!charge(element_type.size)) return false;
      if (scalar(value, element_type, type.append(out))) [[likely]]
        return true;
      return in(fmt::format("[{}]", type.count(out) - 1));
    });
  }

  bool set(const WireField& field, const TypeInfo& type, void* out, bool first) {
    if (first) type.clear(out);
    const Wire wire = wire_of(type.element->kind);
    const auto insert = [&](const WireField& value) {
      if (!charge(kNodeSize + type.element->size)) return false;
      Filler filler(*this, type);
      filler.value_field = value;
      filler.has_value = true;
      return type.insert(out, filler).ok();
    };
    if (wire == Wire::kLength || field.wire != Wire::kLength) return insert(field);
    return packed(field, wire, [&](std::uint64_t value) {
      WireField one;
      one.wire = wire;
      one.value = value;
      return insert(one);
    });
  }

  template <class Use>
  bool packed(const WireField& field, Wire wire, Use&& use) {
    WireReader reader(field.bytes);
    if (wire == Wire::kVarint) {
      for (std::uint64_t value = 0; reader.next_varint(value);) {
        if (!use(value)) return false;
      }
      if (reader.rule().empty()) return true;
      return fail(Code::kDecode, std::string(reader.rule()));
    }
    const std::size_t width = wire == Wire::kFixed64 ? 8 : 4;
    if (field.bytes.size() % width != 0) {
      return fail(Code::kDecode, fmt::format("packed numbers of {} bytes have {} bytes in all",
                                             width, field.bytes.size()));
    }
    for (std::size_t at = 0; at < field.bytes.size(); at += width) {
      std::uint64_t value = 0;
      for (std::size_t i = 0; i < width; ++i) {
        value |= std::uint64_t{field.bytes[at + i]} << (8 * i);
      }
      if (!use(value)) return false;
    }
    return true;
  }

  bool map(const WireField& field, const TypeInfo& type, void* out, bool first) {
    if (first) type.clear(out);
    if (field.wire != Wire::kLength) return wrong_wire(field, Wire::kLength);
    if (!is_map_key(type.key->kind)) {
      return fail(Code::kDecode, "protobuf's maps have no such keys");
    }
    if (!charge(kNodeSize + type.key->size + type.element->size)) return false;
    Filler filler(*this, type);
    WireReader reader(field.bytes);
    WireField part;
    while (reader.next(part)) {
      if (part.number == 1) {
        filler.key_field = part;
        filler.has_key = true;
      } else if (part.number == 2) {
        filler.value_field = part;
        filler.has_value = true;
      }
    }
    if (!reader.rule().empty()) return fail(Code::kDecode, std::string(reader.rule()));
    if (type.insert(out, filler)) [[likely]]
      return true;
    return in(type.key->kind == Kind::kString && filler.has_key
                  ? fmt::format("[\"{}\"]", filler.key_field.text().substr(0, 64))
                  : "[...]");
  }

  bool element(const WireField& field, const TypeInfo& type, void* out) {
    const TypeInfo* inner = &type;
    while (is_nullable(inner->kind)) {
      if (!charge(inner->element->size)) return false;
      out = inner->emplace(out);
      inner = inner->element;
    }
    if (is_repeated(inner->kind)) {
      return fail(Code::kDecode, "a container within a container has no form in protobuf");
    }
    return singular(field, *inner, out, false);
  }

  // What a field is that did not come.
  void set_zero(const TypeInfo& type, void* out) {
    switch (type.kind) {
      case Kind::kBool: store(out, false); return;
      case Kind::kInt8: store<std::int8_t>(out, 0); return;
      case Kind::kInt16:
      case Kind::kChar16: store<std::int16_t>(out, 0); return;
      case Kind::kInt32:
      case Kind::kFloat: store<std::int32_t>(out, 0); return;
      case Kind::kInt64:
      case Kind::kDate:
      case Kind::kDuration:
      case Kind::kDouble: store<std::int64_t>(out, 0); return;
      case Kind::kString: static_cast<std::string*>(out)->clear(); return;
      case Kind::kBytes: *static_cast<Bytes*>(out) = Bytes(); return;
      case Kind::kDecimal: static_cast<Decimal*>(out)->text = "0"; return;
      case Kind::kBigInteger: static_cast<BigInteger*>(out)->text = "0"; return;
      case Kind::kEnum:
        for (const EnumeratorInfo& known : type.enumerators) {
          if (known.value == 0) type.enum_set(out, 0);
        }
        return;
      case Kind::kOptional:
      case Kind::kPointer: type.reset(out); return;
      case Kind::kList:
      case Kind::kArray:
      case Kind::kSet:
      case Kind::kMap: type.clear(out); return;
      default: return;
    }
  }

  bool charge(std::uint64_t bytes) {
    if (bytes > memory_left_) [[unlikely]]
      return fail_limit("memory", memory_limit_, {});
    memory_left_ -= bytes;
    return true;
  }

  __attribute__((noinline, cold)) bool fail(Code code, std::string message) {
    failure_ = std::make_unique<Failure>(
        Failure{code,
                std::move(message),
                here_ == nullptr ? 0 : static_cast<std::size_t>(here_ - begin_),
                {}});
    return false;
  }
  __attribute__((noinline, cold)) bool fail_limit(std::string_view limit, std::uint64_t value,
                                                  std::span<const std::uint8_t> at) {
    if (!at.empty()) here_ = at.data();
    return fail(Code::kLimit, fmt::format("limit '{}' of {} exceeded", limit, value));
  }
  __attribute__((noinline, cold)) bool wrong_wire(const WireField& field, Wire wanted) {
    return fail(Code::kDecode,
                fmt::format("field {} has wire type {}, expected {}; is it another .proto?",
                            field.number, static_cast<int>(field.wire), static_cast<int>(wanted)));
  }
  __attribute__((noinline, cold)) bool in(std::string_view step) {
    std::string path(step);
    if (!failure_->path.empty() && failure_->path[0] != '[') path += '.';
    failure_->path = path + failure_->path;
    return false;
  }

  const std::uint8_t* begin_;
  const std::uint8_t* here_ = nullptr;  // behind the field that is being read
  std::uint32_t depth_limit_;
  std::uint32_t depth_left_;
  std::uint64_t memory_limit_;
  std::uint64_t memory_left_;
  std::unique_ptr<Failure> failure_;
};

}  // namespace

Result<void> read_arguments(std::span<const std::uint8_t> message,
                            std::span<const ParameterInfo> parameters, void* const* arguments,
                            const ProtoLimits& limits) {
  Decoder decoder(message, limits);
  if (parameters.size() == 1 && is_message(*parameters[0].type)) {
    const TypeInfo& type = *parameters[0].type;
    return decoder.end(decoder.message(message, type, arguments[0], false), parameters[0].name);
  }
  return decoder.end(decoder.arguments(message, parameters, arguments), "the arguments");
}

Result<void> read_result(std::span<const std::uint8_t> message, const TypeInfo& type, void* result,
                         const ProtoLimits& limits) {
  if (type.kind == Kind::kVoid) return {};
  Decoder decoder(message, limits);
  return decoder.end(is_message(type) ? decoder.message(message, type, result, false)
                                      : decoder.value(message, type, result),
                     "the message");
}

}  // namespace settee::inline v0::rpc::grpc
