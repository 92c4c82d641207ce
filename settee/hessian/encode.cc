// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "settee/hessian/codec.h"
#include "settee/hessian/internal/big_integer.h"
#include "settee/hessian/internal/put.h"
#include "settee/hessian/internal/value_node.h"

namespace settee::inline v0::hessian {

using detail::load;
using detail::ValueAccess;

namespace {

constexpr std::string_view kBigDecimalClass = "java.math.BigDecimal";
constexpr std::string_view kBigIntegerClass = "java.math.BigInteger";
constexpr std::size_t kLongestTypeName = 0xffff;

// The fields of BigInteger as Java's serialisation sees them; all but signum and mag are caches that
// Java works out anew when they are 0.
constexpr std::array<std::string_view, 6> kBigIntegerFields = {"signum",
                                                               "bitCountPlusOne",
                                                               "bitLengthPlusOne",
                                                               "lowestSetBitPlusTwo",
                                                               "firstNonzeroIntNumPlusTwo",
                                                               "mag"};
constexpr std::array<std::string_view, 1> kValueField = {"value"};
constexpr std::array<std::string_view, 1> kNameField = {"name"};

// Whether values of this type take a reference number, so that they can be named again.
bool is_referenceable(Kind kind) noexcept {
  switch (kind) {
    case Kind::kStruct:
    case Kind::kList:
    case Kind::kArray:
    case Kind::kSet:
    case Kind::kMap: return true;
    default: return false;
  }
}

// The tag of an array of these elements, behind "[".
std::string_view element_tag(const TypeInfo& element) noexcept {
  switch (element.kind) {
    case Kind::kBool: return "boolean";
    case Kind::kInt8: return "byte";
    case Kind::kInt16: return "short";
    case Kind::kInt32: return "int";
    case Kind::kInt64:
    case Kind::kDuration: return "long";
    case Kind::kFloat: return "float";
    case Kind::kDouble: return "double";
    case Kind::kString: return "string";
    case Kind::kBytes: return "[byte";
    case Kind::kDate: return "date";
    case Kind::kDecimal: return kBigDecimalClass;
    case Kind::kBigInteger: return kBigIntegerClass;
    case Kind::kEnum:
    case Kind::kStruct: return element.name;
    case Kind::kList: return "java.util.List";
    case Kind::kSet: return "java.util.Set";
    case Kind::kMap: return "java.util.Map";
    case Kind::kOptional: {
      const std::string_view boxed = settee::detail::boxed_name(element.element->kind);
      return boxed.empty() ? element_tag(*element.element) : boxed;
    }
    case Kind::kPointer: return element_tag(*element.element);
    default: return "object";
  }
}

}  // namespace

class Encoder {
 public:
  explicit Encoder(Writer& writer) noexcept : writer_(writer), out_(writer.out_) {}

  Result<void> run(const TypeInfo& type, const void* value) {
    bool done = false;
    if (type.kind == Kind::kStruct) {
      // Pointers below may lead back here.
      done = identified(value, &type, [&] { return structure(type, value); });
    } else {
      done = encode(type, value);
    }
    if (!writer_.identities_.empty()) writer_.forget_identities();
    if (done) [[likely]]
      return {};
    std::string text = "hessian: cannot write ";
    text += type.name.empty() ? java_name(type) : std::string(type.name);
    if (!failure_->path.empty() && failure_->path[0] != '[') text += '.';
    text += failure_->path + ": " + failure_->message;
    return Error(failure_->code, std::move(text));
  }

 private:
  struct Failure {
    Code code;
    std::string message;
    std::string path;
  };

  class ListVisitor final : public ElementVisitor {
   public:
    ListVisitor(Encoder& encoder, const TypeInfo& element) : encoder_(encoder), element_(element) {}
    bool visit(const void*, const void* value) override {
      if (encoder_.encode(element_, value)) [[likely]] {
        ++index_;
        return true;
      }
      ok_ = encoder_.in_item(index_);
      return false;
    }
    bool ok() const noexcept { return ok_; }

   private:
    Encoder& encoder_;
    const TypeInfo& element_;
    std::size_t index_ = 0;
    bool ok_ = true;
  };

  class MapVisitor final : public ElementVisitor {
   public:
    MapVisitor(Encoder& encoder, const TypeInfo& key, const TypeInfo& value)
        : encoder_(encoder), key_(key), value_(value) {}
    bool visit(const void* key, const void* value) override {
      if (encoder_.encode(key_, key) && encoder_.encode(value_, value)) [[likely]]
        return true;
      ok_ = encoder_.in_entry(key_, key);
      return false;
    }
    bool ok() const noexcept { return ok_; }

   private:
    Encoder& encoder_;
    const TypeInfo& key_;
    const TypeInfo& value_;
    bool ok_ = true;
  };

  // Cold: each returns false.
  __attribute__((noinline, cold)) bool fail(Code code, std::string message) {
    failure_ = std::make_unique<Failure>(Failure{code, std::move(message), {}});
    return false;
  }
  __attribute__((noinline, cold)) bool fail_depth() {
    return fail(Code::kLimit,
                "limit 'depth' of " + std::to_string(writer_.depth_limit_) + " exceeded");
  }
  __attribute__((noinline, cold)) bool in(std::string_view step) {
    std::string path(step);
    if (!failure_->path.empty() && failure_->path[0] != '[') path += '.';
    failure_->path = path + failure_->path;
    return false;
  }
  __attribute__((noinline, cold)) bool in_item(std::size_t i) {
    return in("[" + std::to_string(i) + "]");
  }
  __attribute__((noinline, cold)) bool in_entry(const TypeInfo& type, const void* key) {
    if (type.kind == Kind::kString) {
      return in("[\"" + static_cast<const std::string*>(key)->substr(0, 64) + "\"]");
    }
    return in("[...]");
  }

  void put_text(std::string_view text) {
    if (!detail::put_short_text(out_, text)) writer_.write_text(text);
  }

  // Writes a reference if the object has been written already, else notes it and calls `write`.
  template <class F>
  bool identified(const void* address, const void* type, F&& write) {
    if (!writer_.identities_.empty()) {
      if (const std::uint32_t known = writer_.find_identity(address, type);
          known != Writer::kNone) {
        writer_.write_reference(known);
        return true;
      }
    }
    writer_.note_identity(address, type, writer_.references_);
    return write();
  }

  std::uint32_t class_number(const TypeInfo& type, std::string_view name,
                             std::span<const std::string_view> fields) {
    if (const std::uint32_t known = writer_.find_class(type); known != Writer::kNone) return known;
    const std::uint32_t number = writer_.define_class(name, fields);
    writer_.known_classes_.push_back({&type, nullptr, number});
    return number;
  }

  bool encode(const TypeInfo& type, const void* at) {
    switch (type.kind) {
      case Kind::kVoid: detail::put_byte(out_, 'N'); return true;
      case Kind::kBool: detail::put_byte(out_, load<bool>(at) ? 'T' : 'F'); return true;
      case Kind::kInt8: detail::put_int(out_, load<std::int8_t>(at)); return true;
      case Kind::kInt16: detail::put_int(out_, load<std::int16_t>(at)); return true;
      case Kind::kInt32: detail::put_int(out_, load<std::int32_t>(at)); return true;
      case Kind::kInt64:
      case Kind::kDuration:
        detail::put_long(out_, load<std::int64_t>(at), writer_.dialect_);
        return true;
      case Kind::kChar16: writer_.write_char(load<char16_t>(at)); return true;
      case Kind::kFloat:
        detail::put_double(out_, static_cast<double>(load<float>(at)), writer_.dialect_);
        return true;
      case Kind::kDouble: detail::put_double(out_, load<double>(at), writer_.dialect_); return true;
      case Kind::kString: put_text(*static_cast<const std::string*>(at)); return true;
      case Kind::kBytes: writer_.write_bytes(static_cast<const Bytes*>(at)->span()); return true;
      case Kind::kDate:
        detail::put_date(out_, static_cast<const Date*>(at)->time_since_epoch().count(),
                         writer_.dialect_);
        return true;
      case Kind::kDecimal: return decimal(type, static_cast<const Decimal*>(at)->text);
      case Kind::kBigInteger: return big_integer(type, static_cast<const BigInteger*>(at)->text);
      case Kind::kEnum: return enumerator(type, at);
      case Kind::kStruct: return structure(type, at);
      case Kind::kOptional:
        if (const void* value = type.get(at); value != nullptr) return encode(*type.element, value);
        detail::put_byte(out_, 'N');
        return true;
      case Kind::kPointer: return pointer(type, at);
      case Kind::kList: return list(type, at, {});
      case Kind::kArray: return array(type, at);
      case Kind::kSet: return set(type, at);
      case Kind::kMap: return map(type, at);
      case Kind::kVariant: return encode(*type.alternatives[type.index(at)], type.alternative(at));
      case Kind::kAny: return any(*static_cast<const Value*>(at));
      case Kind::kMessage:
        return fail(Code::kEncode, "a protobuf message does not travel in Hessian");
    }
    return fail(Code::kEncode, "a type of unknown kind");
  }

  bool structure(const TypeInfo& type, const void* at) {
    if (depth_ == writer_.depth_limit_) [[unlikely]]
      return fail_depth();
    ++depth_;
    const std::uint32_t known = writer_.find_class(type);
    writer_.begin_object(known != Writer::kNone ? known : writer_.define_class(type));
    for (const MemberInfo& member : type.members) {
      if (!encode(*member.type, static_cast<const char*>(at) + member.offset)) [[unlikely]] {
        return in(member.name);
      }
    }
    --depth_;
    return true;
  }

  bool pointer(const TypeInfo& type, const void* at) {
    const void* value = type.get(at);
    if (value == nullptr) {
      detail::put_byte(out_, 'N');
      return true;
    }
    const TypeInfo& element = *type.element;
    if (!is_referenceable(element.kind)) return encode(element, value);
    return identified(value, &element, [&] { return encode(element, value); });
  }

  bool list(const TypeInfo& type, const void* at, std::string_view tag) {
    if (depth_ == writer_.depth_limit_) [[unlikely]]
      return fail_depth();
    ++depth_;
    const std::size_t count = type.count(at);
    const TypeInfo& element = *type.element;
    const ListEnd end = tag.empty() ? begin_untyped(count) : writer_.begin_list(tag, count);
    if (element.kind == Kind::kString) {
      for (std::size_t i = 0; i < count; ++i) {
        put_text(*static_cast<const std::string*>(type.at(at, i)));
      }
    } else {
      for (std::size_t i = 0; i < count; ++i) {
        if (!encode(element, type.at(at, i))) [[unlikely]]
          return in_item(i);
      }
    }
    writer_.end_list(end);
    --depth_;
    return true;
  }

  // writer_.begin_list() for the most usual of lists.
  ListEnd begin_untyped(std::size_t count) {
    if (writer_.dialect_ != Dialect::kSofa3 || count > 255) return writer_.begin_list({}, count);
    ++writer_.references_;
    std::uint8_t* head = out_.prepare(3);
    head[0] = 'V';
    head[1] = 'n';
    head[2] = static_cast<std::uint8_t>(count);
    out_.commit(3);
    return ListEnd::kMark;
  }

  bool array(const TypeInfo& type, const void* at) {
    if (type.element->kind == Kind::kString) return list(type, at, "[string");
    if (type.element->kind == Kind::kChar16) return characters(type, at);
    std::string tag = "[";
    const TypeInfo* element = type.element;
    for (; element->kind == Kind::kArray; element = element->element) tag += '[';
    tag += element_tag(*element);
    return list(type, at, tag);
  }

  // char[] is a string of its units, whatever they are.
  bool characters(const TypeInfo& type, const void* at) {
    const std::size_t count = type.count(at);
    std::string wire;
    std::size_t done = 0;
    do {
      const std::size_t n = std::min(count - done, detail::kChunk);
      wire.clear();
      for (std::size_t i = 0; i < n; ++i) {
        const auto unit = load<char16_t>(type.at(at, done + i));
        if (unit < 0x80) {
          wire += static_cast<char>(unit);
        } else if (unit < 0x800) {
          wire += static_cast<char>(0xc0 | unit >> 6);
          wire += static_cast<char>(0x80 | (unit & 0x3f));
        } else {
          wire += static_cast<char>(0xe0 | unit >> 12);
          wire += static_cast<char>(0x80 | (unit >> 6 & 0x3f));
          wire += static_cast<char>(0x80 | (unit & 0x3f));
        }
      }
      done += n;
      writer_.write_text_head(n, done == count);
      out_.append(wire);
    } while (done < count);
    return true;
  }

  bool set(const TypeInfo& type, const void* at) {
    if (depth_ == writer_.depth_limit_) [[unlikely]]
      return fail_depth();
    ++depth_;
    const ListEnd end = writer_.begin_list("java.util.HashSet", type.count(at));
    ListVisitor visitor(*this, *type.element);
    type.for_each(at, visitor);
    if (!visitor.ok()) [[unlikely]]
      return false;
    writer_.end_list(end);
    --depth_;
    return true;
  }

  bool map(const TypeInfo& type, const void* at) {
    if (depth_ == writer_.depth_limit_) [[unlikely]]
      return fail_depth();
    ++depth_;
    writer_.begin_map();
    MapVisitor visitor(*this, *type.key, *type.element);
    type.for_each(at, visitor);
    if (!visitor.ok()) [[unlikely]]
      return false;
    writer_.end_map();
    --depth_;
    return true;
  }

  bool enumerator(const TypeInfo& type, const void* at) {
    const std::int64_t value = type.enum_get(at);
    for (const EnumeratorInfo& known : type.enumerators) {
      if (known.value == value) {
        writer_.begin_object(class_number(type, type.name, kNameField));
        put_text(known.name);
        return true;
      }
    }
    return fail(Code::kEncode, std::to_string(value) + " is no enumerator of " +
                                   std::string(type.name) + "; SETTEE_ENUM lists them");
  }

  bool decimal(const TypeInfo& type, std::string_view text) {
    if (!detail::is_decimal_text(text)) [[unlikely]] {
      return fail(Code::kEncode,
                  "\"" + std::string(text.substr(0, 64)) + "\" is no decimal number");
    }
    writer_.begin_object(class_number(type, kBigDecimalClass, kValueField));
    put_text(text);
    return true;
  }

  bool big_integer(const TypeInfo& type, std::string_view text) {
    if (!detail::is_integer_text(text)) [[unlikely]] {
      return fail(Code::kEncode, "\"" + std::string(text.substr(0, 64)) + "\" is no whole number");
    }
    const bool negative = text[0] == '-';
    if (negative || text[0] == '+') text.remove_prefix(1);
    const std::vector<std::uint32_t> words = detail::to_magnitude(text);
    writer_.begin_object(class_number(type, kBigIntegerClass, kBigIntegerFields));
    writer_.write_int(words.empty() ? 0 : negative ? -1 : 1);
    for (int i = 0; i < 4; ++i) writer_.write_int(0);
    const ListEnd end = writer_.begin_list("[int", words.size());
    for (const std::uint32_t word : words) writer_.write_int(static_cast<std::int32_t>(word));
    writer_.end_list(end);
    return true;
  }

  bool any(const Value& value) {
    switch (value.type()) {
      case Value::Type::kNull: detail::put_byte(out_, 'N'); return true;
      case Value::Type::kBool:
        detail::put_byte(out_, ValueAccess::scalar<bool>(value) ? 'T' : 'F');
        return true;
      case Value::Type::kInt:
        detail::put_int(out_, ValueAccess::scalar<std::int32_t>(value));
        return true;
      case Value::Type::kLong:
        detail::put_long(out_, ValueAccess::scalar<std::int64_t>(value), writer_.dialect_);
        return true;
      case Value::Type::kDouble:
        detail::put_double(out_, ValueAccess::scalar<double>(value), writer_.dialect_);
        return true;
      case Value::Type::kDate:
        detail::put_date(out_, ValueAccess::scalar<std::int64_t>(value), writer_.dialect_);
        return true;
      case Value::Type::kString: put_text(ValueAccess::text(value)); return true;
      case Value::Type::kBytes:
        writer_.write_bytes(
            static_cast<const detail::BytesNode*>(ValueAccess::node(value))->bytes.span());
        return true;
      case Value::Type::kList:
      case Value::Type::kMap:
      case Value::Type::kObject: break;
    }
    const detail::Node* node = ValueAccess::node(value);
    if (!node->shared() && !writer_.keep_identities_) return container(*node);
    return identified(node, nullptr, [&] { return container(*node); });
  }

  bool container(const detail::Node& node) {
    if (depth_ == writer_.depth_limit_) [[unlikely]]
      return fail_depth();
    ++depth_;
    if (node.type == Value::Type::kList) {
      const auto& list = static_cast<const detail::ListNode&>(node);
      if (list.shape.name().size() > kLongestTypeName) return fail_name(list.shape.name());
      const ListEnd end = writer_.begin_list(list.shape.name(), list.items.size());
      for (std::size_t i = 0; i < list.items.size(); ++i) {
        if (!any(list.items[i])) [[unlikely]]
          return in_item(i);
      }
      writer_.end_list(end);
    } else if (node.type == Value::Type::kMap) {
      const auto& map = static_cast<const detail::MapNode&>(node);
      if (map.shape.name().size() > kLongestTypeName) return fail_name(map.shape.name());
      writer_.begin_map(map.shape.name());
      for (const Value::Entry& entry : map.entries) {
        if (!any(entry.key) || !any(entry.value)) [[unlikely]] {
          return in("[" + entry.key.to_string(64) + "]");
        }
      }
      writer_.end_map();
    } else {
      const auto& object = static_cast<const detail::ObjectNode&>(node);
      writer_.begin_object(writer_.class_of(*object.shape.get()));
      for (std::size_t i = 0; i < object.fields.size(); ++i) {
        if (!any(object.fields[i])) [[unlikely]]
          return in(object.shape->fields[i]);
      }
    }
    --depth_;
    return true;
  }

  bool fail_name(std::string_view name) {
    return fail(Code::kEncode, "a type name of " + std::to_string(name.size()) +
                                   " bytes; at most " + std::to_string(kLongestTypeName) +
                                   " can be written");
  }

  Writer& writer_;
  Buffer& out_;
  std::uint32_t depth_ = 0;
  std::unique_ptr<Failure> failure_;
};

Result<void> encode(Writer& writer, const TypeInfo& type, const void* value) {
  return Encoder(writer).run(type, value);
}

void encode_exception(Writer& writer, std::string_view class_name, std::string_view message) {
  static constexpr std::array<std::string_view, 1> kFields = {"detailMessage"};
  writer.begin_object(writer.define_class(class_name, kFields));
  writer.write_string(message);
}

Result<Bytes> to_bytes(const TypeInfo& type, const void* value, Dialect dialect) {
  Buffer out;
  Writer writer(out, dialect);
  if (Result<void> written = encode(writer, type, value); !written) return written.error();
  return out.bytes();
}

}  // namespace settee::inline v0::hessian
