// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <fmt/format.h>

#include <bit>
#include <memory>
#include <string>

#include "settee/rpc/grpc/internal/proto_codec.h"
#include "settee/rpc/grpc/internal/proto_form.h"

namespace settee::inline v0::rpc::grpc {

namespace {

// Functions that return bool leave a failure behind when it is false.
class Encoder {
 public:
  Encoder(Output& out, const ProtoLimits& limits) noexcept
      : out_(out), start_(out.size()), depth_limit_(limits.depth), depth_left_(limits.depth) {}

  bool message(const TypeInfo& type, const void* at) {
    if (type.kind == Kind::kMessage) return proto_message(type, at);
    if (depth_left_ == 0) [[unlikely]] {
      return fail(Code::kLimit, fmt::format("limit 'depth' of {} exceeded", depth_limit_));
    }
    --depth_left_;
    for (const MemberInfo& member : type.members) {
      if (!field(member.number, *member.type, static_cast<const char*>(at) + member.offset, false))
          [[unlikely]] {
        return in(member.name);
      }
    }
    ++depth_left_;
    return true;
  }

  // `always`: also what is zero or empty, as its presence says something.
  bool field(std::uint32_t number, const TypeInfo& type, const void* at, bool always) {
    switch (type.kind) {
      case Kind::kOptional:
      case Kind::kPointer: {
        const void* value = type.get(at);
        return value == nullptr || field(number, *type.element, value, true);
      }
      case Kind::kList:
      case Kind::kArray: return list(number, type, at);
      case Kind::kSet: return set(number, type, at);
      case Kind::kMap: return map(number, type, at);
      default: return singular(number, type, at, always);
    }
  }

  __attribute__((noinline, cold)) bool in(std::string_view step) {
    std::string path(step);
    if (!failure_->path.empty() && failure_->path[0] != '[') path += '.';
    failure_->path = path + failure_->path;
    return false;
  }

  Result<void> end(bool done, std::string_view what) {
    // The length in front of a message has four bytes, and readers take signed ones.
    if (done && out_.size() - start_ > 0x7fffffff) {
      done = fail(Code::kLimit, "a message has at most 2 GiB");
    }
    if (done) [[likely]]
      return {};
    out_.truncate(start_);
    return Error(failure_->code, fmt::format("protobuf: cannot write {}{}{}: {}", what,
                                             failure_->path.empty() ? "" : " at ", failure_->path,
                                             failure_->message));
  }

 private:
  struct Failure {
    Code code;
    std::string message;
    std::string path;
  };

  class SetVisitor final : public ElementVisitor {
   public:
    SetVisitor(Encoder& encoder, std::uint32_t number, const TypeInfo& element, bool packed)
        : encoder_(encoder), number_(number), element_(element), packed_(packed) {}
    bool visit(const void*, const void* value) override {
      ok_ = packed_ ? encoder_.scalar(element_, value) : encoder_.element(number_, element_, value);
      if (!ok_) [[unlikely]]
        return encoder_.in("[...]");
      return true;
    }
    bool ok() const noexcept { return ok_; }

   private:
    Encoder& encoder_;
    std::uint32_t number_;
    const TypeInfo& element_;
    bool packed_;
    bool ok_ = true;
  };

  class MapVisitor final : public ElementVisitor {
   public:
    MapVisitor(Encoder& encoder, std::uint32_t number, const TypeInfo& type)
        : encoder_(encoder), number_(number), type_(type) {}
    bool visit(const void* key, const void* value) override {
      Output& out = encoder_.out_;
      put_tag(out, number_, Wire::kLength);
      const std::size_t begin = begin_length(out);
      ok_ =
          encoder_.singular(1, *type_.key, key, true) && encoder_.element(2, *type_.element, value);
      if (!ok_) [[unlikely]] {
        return encoder_.in(
            type_.key->kind == Kind::kString
                ? fmt::format("[\"{}\"]", static_cast<const std::string*>(key)->substr(0, 64))
                : "[...]");
      }
      end_length(out, begin);
      return true;
    }
    bool ok() const noexcept { return ok_; }

   private:
    Encoder& encoder_;
    std::uint32_t number_;
    const TypeInfo& type_;
    bool ok_ = true;
  };

  __attribute__((noinline, cold)) bool fail(Code code, std::string message) {
    failure_ = std::make_unique<Failure>(Failure{code, std::move(message), {}});
    return false;
  }

  // An element of a container, or a map's value.
  bool element(std::uint32_t number, const TypeInfo& type, const void* at) {
    const TypeInfo* inner = &type;
    while (is_nullable(inner->kind)) {
      at = inner->get(at);
      if (at == nullptr) return fail(Code::kEncode, "an element of protobuf cannot be null");
      inner = inner->element;
    }
    if (is_repeated(inner->kind)) [[unlikely]] {
      return fail(Code::kEncode, "a container within a container has no form in protobuf");
    }
    return singular(number, *inner, at, true);
  }

  bool singular(std::uint32_t number, const TypeInfo& type, const void* at, bool always) {
    switch (wire_of(type.kind)) {
      case Wire::kVarint: {
        std::uint64_t value = 0;
        if (!varint(type, at, value)) [[unlikely]]
          return false;
        if (value != 0 || always) put_number(out_, number, value);
        return true;
      }
      case Wire::kFixed32:
      case Wire::kFixed64: {
        // Minus zero is not the zero that is left out.
        const bool is_double = type.kind == Kind::kDouble;
        const bool zero = is_double ? load<std::uint64_t>(at) == 0 : load<std::uint32_t>(at) == 0;
        if (zero && !always) return true;
        put_tag(out_, number, wire_of(type.kind));
        return scalar(type, at);
      }
      default: return delimited(number, type, at, always);
    }
  }

  bool delimited(std::uint32_t number, const TypeInfo& type, const void* at, bool always) {
    switch (type.kind) {
      case Kind::kString: return text(number, *static_cast<const std::string*>(at), always);
      case Kind::kDecimal:
      case Kind::kBigInteger: {
        const std::string& digits = digits_of(type, at);
        return text(number, digits, always);
      }
      case Kind::kBytes: {
        const std::string_view bytes = static_cast<const Bytes*>(at)->view();
        if (!bytes.empty() || always) put_text(out_, number, bytes);
        return true;
      }
      case Kind::kStruct:
      case Kind::kMessage: {
        put_tag(out_, number, Wire::kLength);
        const std::size_t begin = begin_length(out_);
        if (!message(type, at)) [[unlikely]]
          return false;
        end_length(out_, begin);
        return true;
      }
      default:
        return fail(Code::kEncode, fmt::format("{} has no form in protobuf", formless(type.kind)));
    }
  }

  bool text(std::uint32_t number, const std::string& text, bool always) {
    if (!is_utf8(text)) [[unlikely]] {
      return fail(Code::kEncode, "the text is not UTF-8; use Bytes for what is no text");
    }
    if (!text.empty() || always) put_text(out_, number, text);
    return true;
  }

  bool proto_message(const TypeInfo& type, const void* at) {
    const std::size_t size = type.message_size(at);
    if (size > 0x7fffffff) return fail(Code::kLimit, "a message has at most 2 GiB");
    if (!type.message_write(at, out_.prepare(size), size)) {
      return fail(Code::kEncode, "the .proto message lacks a required field");
    }
    out_.commit(size);
    return true;
  }

  bool varint(const TypeInfo& type, const void* at, std::uint64_t& value) {
    const auto sign_extended = [&](std::int64_t number) {
      value = static_cast<std::uint64_t>(number);
      return true;
    };
    switch (type.kind) {
      case Kind::kBool: return sign_extended(load<bool>(at) ? 1 : 0);
      case Kind::kInt8: return sign_extended(load<std::int8_t>(at));
      case Kind::kInt16: return sign_extended(load<std::int16_t>(at));
      case Kind::kInt32: return sign_extended(load<std::int32_t>(at));
      case Kind::kChar16: return sign_extended(load<char16_t>(at));
      case Kind::kEnum: return sign_extended(type.enum_get(at)) && listed(type, at);
      default: return sign_extended(load<std::int64_t>(at));
    }
  }

  bool listed(const TypeInfo& type, const void* at) {
    const std::int64_t value = type.enum_get(at);
    if (value == 0) return true;  // at least <NAME>_UNSPECIFIED
    for (const EnumeratorInfo& known : type.enumerators) {
      if (known.value == value) return true;
    }
    return fail(Code::kEncode,
                fmt::format("{} is no enumerator of {}; SETTEE_ENUM lists them", value, type.name));
  }

  // Without a tag, as packed fields have them.
  bool scalar(const TypeInfo& type, const void* at) {
    if (type.kind == Kind::kDouble) {
      put_fixed(out_, load<std::uint64_t>(at));
      return true;
    }
    if (type.kind == Kind::kFloat) {
      put_fixed(out_, load<std::uint32_t>(at));
      return true;
    }
    std::uint64_t value = 0;
    if (!varint(type, at, value)) return false;
    put_varint(out_, value);
    return true;
  }

  bool list(std::uint32_t number, const TypeInfo& type, const void* at) {
    const std::size_t count = type.count(at);
    if (count == 0) return true;
    const TypeInfo& element_type = *type.element;
    const bool packed = wire_of(element_type.kind) != Wire::kLength;
    std::size_t begin = 0;
    if (packed) {
      put_tag(out_, number, Wire::kLength);
      begin = begin_length(out_);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const void* value = type.at(at, i);
      if (packed ? !scalar(element_type, value) : !element(number, element_type, value))
          [[unlikely]] {
        return in(fmt::format("[{}]", i));
      }
    }
    if (packed) end_length(out_, begin);
    return true;
  }

  bool set(std::uint32_t number, const TypeInfo& type, const void* at) {
    if (type.count(at) == 0) return true;
    const bool packed = wire_of(type.element->kind) != Wire::kLength;
    std::size_t begin = 0;
    if (packed) {
      put_tag(out_, number, Wire::kLength);
      begin = begin_length(out_);
    }
    SetVisitor visitor(*this, number, *type.element, packed);
    type.for_each(at, visitor);
    if (!visitor.ok()) [[unlikely]]
      return false;
    if (packed) end_length(out_, begin);
    return true;
  }

  bool map(std::uint32_t number, const TypeInfo& type, const void* at) {
    if (!is_map_key(type.key->kind)) [[unlikely]] {
      return fail(Code::kEncode, "protobuf's maps have no such keys");
    }
    MapVisitor visitor(*this, number, type);
    type.for_each(at, visitor);
    return visitor.ok();
  }

  Output& out_;
  std::size_t start_;
  std::uint32_t depth_limit_;
  std::uint32_t depth_left_;
  std::unique_ptr<Failure> failure_;
};

}  // namespace

Result<void> write_arguments(Output& out, std::span<const ParameterInfo> parameters,
                             const void* const* arguments, const ProtoLimits& limits) {
  Encoder encoder(out, limits);
  if (parameters.size() == 1 && is_message(*parameters[0].type)) {
    return encoder.end(encoder.message(*parameters[0].type, arguments[0]), parameters[0].name);
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!encoder.field(static_cast<std::uint32_t>(i + 1), *parameters[i].type, arguments[i],
                       false)) {
      encoder.in(parameters[i].name);
      return encoder.end(false, "the arguments");
    }
  }
  return encoder.end(true, {});
}

Result<void> write_result(Output& out, const TypeInfo& type, const void* result,
                          const ProtoLimits& limits) {
  if (type.kind == Kind::kVoid) return {};
  Encoder encoder(out, limits);
  const bool done =
      is_message(type) ? encoder.message(type, result) : encoder.field(1, type, result, false);
  return encoder.end(done, "the message");
}

}  // namespace settee::inline v0::rpc::grpc
