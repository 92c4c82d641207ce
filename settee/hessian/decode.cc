// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The usual forms of described types, of which most messages are made, and the functions of codec.h
// that read.

#include <bit>
#include <cmath>
#include <memory>
#include <string>

#include "settee/hessian/codec.h"
#include "settee/hessian/internal/decoder.h"

namespace settee::inline v0::hessian {

using detail::is_bytes;
using detail::is_date;
using detail::is_list;
using detail::is_map;
using detail::is_number;
using detail::is_object;
using detail::is_string;
using detail::kReserveBytes;
using detail::load_big;
using detail::Op;
using detail::Range;
using detail::range_of;
using detail::store;
using detail::wanted;

namespace {

bool is_scalar(Kind kind) noexcept {
  switch (kind) {
    case Kind::kBool:
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kDuration:
    case Kind::kChar16:
    case Kind::kFloat:
    case Kind::kDouble: return true;
    default: return false;
  }
}

constexpr std::uint32_t kUnknownField = 0xffffffff;

}  // namespace

const char* detail::wanted(const TypeInfo& type) noexcept {
  switch (type.kind) {
    case Kind::kVoid: return "nothing";
    case Kind::kBool: return "a bool";
    case Kind::kInt8: return "a byte";
    case Kind::kInt16: return "a short";
    case Kind::kInt32: return "an int";
    case Kind::kInt64: return "a long";
    case Kind::kDuration: return "a number of milliseconds";
    case Kind::kChar16: return "a character";
    case Kind::kFloat: return "a float";
    case Kind::kDouble: return "a double";
    case Kind::kString: return "a string";
    case Kind::kBytes: return "binary";
    case Kind::kDate: return "a date";
    case Kind::kDecimal: return "a decimal number";
    case Kind::kBigInteger: return "a big integer";
    case Kind::kEnum: return "an enum constant";
    case Kind::kStruct: return "an object or map";
    case Kind::kList:
    case Kind::kArray:
    case Kind::kSet: return "a list";
    case Kind::kMap: return "a map or object";
    case Kind::kOptional:
    case Kind::kPointer: return wanted(*type.element);
    case Kind::kVariant: return "one of a variant's types";
    case Kind::kAny: return "a value";
    case Kind::kMessage: return "a protobuf message";
  }
  return "a value";
}

// Fills the elements of sets and maps.
class Decoder::Filler final : public ElementFiller {
 public:
  Filler(Decoder& decoder, const TypeInfo* key, const TypeInfo& value)
      : decoder_(decoder), key_(key), value_(value) {}
  Result<void> fill_key(void* key) override {
    if (decoder_.element(*key_, key)) [[likely]]
      return {};
    return stop();
  }
  Result<void> fill_value(void* value) override {
    if (decoder_.element(value_, value)) [[likely]]
      return {};
    return stop();
  }

 private:
  Decoder& decoder_;
  const TypeInfo* key_;
  const TypeInfo& value_;
};

Result<void> Decoder::run(const TypeInfo& type, void* value, DecodeOptions options,
                          bool with_offset) {
  if (!r_.ok()) return r_.make_error(with_offset);
  bool done = true;
  if (options.null_scalar_is_error && is_scalar(type.kind) && r_.op() == Op::kNull) {
    done = r_.fail_at(r_.cursor_, Code::kDecode,
                      "null, where Java has a primitive " + java_name(type));
  }
  if (done && decode(type, value)) [[likely]]
    return {};
  if (!type.name.empty()) r_.add_path(type.name);
  return r_.make_error(with_offset);
}

bool Decoder::decode(const TypeInfo& type, void* out) {
  switch (type.kind) {
    case Kind::kBool:
      if (r_.cursor_ != r_.end_ && (*r_.cursor_ == 'T' || *r_.cursor_ == 'F')) [[likely]] {
        store(out, *r_.cursor_++ == 'T');
        return true;
      }
      return other(type, out);
    case Kind::kInt32:
      if (r_.cursor_ != r_.end_ && (*r_.cursor_ & 0xc0) == 0x80) [[likely]] {
        store(out, static_cast<std::int32_t>(*r_.cursor_++ - 0x90));
        return true;
      }
      return number(type, out);
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt64:
    case Kind::kDuration:
    case Kind::kFloat:
    case Kind::kDouble: return number(type, out);
    case Kind::kString: return string(type, *static_cast<std::string*>(out));
    case Kind::kDate:
      if (const Op op = r_.op(); is_date(op)) [[likely]] {
        Date date;
        if (!r_.read_date(date)) return false;
        store(out, date);
        return true;
      }
      return other(type, out);
    case Kind::kBytes:
      if (is_bytes(r_.op())) return r_.read_bytes(*static_cast<Bytes*>(out));
      return other(type, out);
    case Kind::kStruct:
      if (const Op op = r_.op(&type); is_object(op)) [[likely]]
        return structure(type, out);
      return other(type, out);
    case Kind::kList:
    case Kind::kArray:
      if (is_list(r_.op())) [[likely]]
        return list(type, out);
      return other(type, out);
    case Kind::kSet:
      if (is_list(r_.op())) [[likely]]
        return set(type, out);
      return other(type, out);
    case Kind::kMap:
      if (is_map(r_.op())) [[likely]]
        return map(type, out);
      return other(type, out);
    case Kind::kOptional:
    case Kind::kPointer:
      if (r_.op() == Op::kNull) {
        ++r_.cursor_;
        type.reset(out);
        return true;
      }
      if (!r_.ok() || !r_.charge_bytes(type.element->size)) return false;
      return decode(*type.element, type.emplace(out));
    case Kind::kAny: return any(*static_cast<Value*>(out));
    case Kind::kVoid: return r_.skip();
    case Kind::kMessage:
      return r_.fail_at(r_.cursor_, Code::kDecode, "a protobuf message does not travel in Hessian");
    case Kind::kChar16:
    case Kind::kDecimal:
    case Kind::kBigInteger:
    case Kind::kEnum:
    case Kind::kVariant: return other(type, out);
  }
  return other(type, out);
}

bool Decoder::string(const TypeInfo& type, std::string& out) {
  const std::uint8_t* at = r_.cursor_;
  const std::size_t left = r_.left();
  if (left > 32) [[likely]] {
    const std::size_t size = *at++;
    if (size < 32 && detail::is_short_ascii(at, size, left - 1) && size <= r_.bytes_left_)
        [[likely]] {
      r_.bytes_left_ -= size;
      r_.cursor_ = at + size;
      assign(out, reinterpret_cast<const char*>(at), size);
      return true;
    }
  } else if (left != 0 && *at < left && *at < 32 && detail::is_ascii(at + 1, *at) &&
             *at <= r_.bytes_left_) {
    // The same where the input ends.
    r_.bytes_left_ -= *at;
    r_.cursor_ = at + 1 + *at;
    out.assign(reinterpret_cast<const char*>(at + 1), *at);
    return true;
  }
  return long_string(type, out);
}

// decode() with the most usual of elements first.
bool Decoder::element(const TypeInfo& type, void* out) {
  return type.kind == Kind::kString ? string(type, *static_cast<std::string*>(out))
                                    : decode(type, out);
}

// out.assign() for texts of at most 31 bytes, with 31 readable ones; out is mostly new.
void Decoder::assign(std::string& out, const char* text, std::size_t size) {
  constexpr std::size_t kInPlace = 15;  // what a string holds without the heap
  if (size <= kInPlace) {
    // A copy of constant length is two moves instead of a call, and cannot throw.
    std::destroy_at(&out);
    std::construct_at(&out, text, kInPlace);
    out.resize(size);
  } else if (size <= out.capacity()) {
    out.assign(text, size);
  } else {
    out = std::string(text, size);
  }
}

__attribute__((noinline)) bool Decoder::long_string(const TypeInfo& type, std::string& out) {
  if (is_string(r_.op())) return r_.read_string(out);
  return other(type, &out);
}

bool Decoder::number(const TypeInfo& type, void* out) {
  const std::uint8_t* start = r_.cursor_;
  if (r_.left() >= 9) [[likely]] {
    // The usual forms, without the checks that the shorter end of the input needs.
    const Op op = r_.ops_[*start];
    if (type.kind == Kind::kInt32 || type.kind == Kind::kInt64) {
      std::int64_t value = 0;
      std::size_t size = 0;
      switch (op) {
        case Op::kInt1:
          value = *start - 0x90;
          size = 1;
          break;
        case Op::kInt2:
          value = ((start[0] - 0xc8) << 8) + start[1];
          size = 2;
          break;
        case Op::kInt3:
          value = ((start[0] - 0xd4) << 16) + load_big<std::uint16_t>(start + 1);
          size = 3;
          break;
        case Op::kLong1:
          value = *start - 0xe0;
          size = 1;
          break;
        case Op::kLong2:
          value = ((start[0] - 0xf8) << 8) + start[1];
          size = 2;
          break;
        case Op::kLong3:
          value = ((start[0] - 0x3c) << 16) + load_big<std::uint16_t>(start + 1);
          size = 3;
          break;
        case Op::kInt5:
        case Op::kLong5:
          value = static_cast<std::int32_t>(load_big<std::uint32_t>(start + 1));
          size = 5;
          break;
        case Op::kLong9:
          value = static_cast<std::int64_t>(load_big<std::uint64_t>(start + 1));
          size = type.kind == Kind::kInt64 ? 9 : 0;
          break;
        default: break;
      }
      if (size != 0) [[likely]] {
        r_.cursor_ = start + size;
        if (type.kind == Kind::kInt64) {
          store(out, value);
        } else {
          store(out, static_cast<std::int32_t>(value));
        }
        return true;
      }
    } else if (op == Op::kDouble64 && type.kind == Kind::kDouble) {
      store(out, std::bit_cast<double>(load_big<std::uint64_t>(start + 1)));
      r_.cursor_ = start + 9;
      return true;
    } else if (op == Op::kDoubleFloat3 && type.kind == Kind::kFloat) {
      store(out, std::bit_cast<float>(load_big<std::uint32_t>(start + 1)));
      r_.cursor_ = start + 5;
      return true;
    }
  }
  return any_number(type, out);
}

__attribute__((noinline)) bool Decoder::any_number(const TypeInfo& type, void* out) {
  if (!is_number(r_.op())) return other(type, out);
  const std::uint8_t* start = r_.cursor_;
  if (type.kind == Kind::kDouble || type.kind == Kind::kFloat) {
    Reader::Number number;
    if (!r_.read_number(number, "a double")) return false;
    const double real = number.floating ? number.real : static_cast<double>(number.integer);
    if (type.kind == Kind::kDouble) {
      store(out, real);
      return true;
    }
    const auto narrow = static_cast<float>(real);
    if (std::isinf(narrow) && !std::isinf(real)) {
      return r_.fail_at(start, Code::kDecode, std::to_string(real) + " does not fit a float");
    }
    store(out, narrow);
    return true;
  }
  const Range range = range_of(type.kind);
  std::int64_t value;
  if (!r_.read_integer(value, range.min, range.max, wanted(type))) return false;
  switch (type.kind) {
    case Kind::kInt8: store(out, static_cast<std::int8_t>(value)); break;
    case Kind::kInt16: store(out, static_cast<std::int16_t>(value)); break;
    case Kind::kInt32: store(out, static_cast<std::int32_t>(value)); break;
    default: store(out, value); break;
  }
  return true;
}

// Finds the members that a class definition's fields go to. Mostly both have the same order.
void Decoder::plan(std::uint32_t number, const TypeInfo& type) {
  Reader::Definition& definition = r_.definitions_[number];
  definition.planned = &type;
  const auto members = type.members;
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < definition.fields; ++i) {
    Reader::Field& field = r_.fields_[definition.first_field + i];
    field.member = kUnknownField;
    for (std::size_t tried = 0; tried < members.size(); ++tried) {
      if (next >= members.size()) next = 0;
      const std::string_view name = members[next].name;
      if (detail::same_name(field.name, field.size, name.data(), name.size())) {
        field.member = static_cast<std::uint32_t>(next++);
        break;
      }
      ++next;
    }
  }
}

bool Decoder::structure(const TypeInfo& type, void* out) {
  const std::uint8_t* start = r_.cursor_;
  std::uint32_t number = 0;
  std::uint32_t reference = 0;
  if (!r_.read_class_number(number) || !r_.enter(start, reference)) return false;
  const std::uint32_t count = r_.definitions_[number].fields;
  if (count > r_.left()) [[unlikely]]
    return r_.fail_end();
  if (!r_.charge_nodes(count)) return false;
  const std::uint32_t first = r_.definitions_[number].first_field;
  const MemberInfo* members = type.members.data();
  for (std::uint32_t i = 0; i < count; ++i) {
    // An object within this one may have used the definition for another type.
    if (r_.definitions_[number].planned != &type) plan(number, type);
    const Reader::Field& field = r_.fields_[first + i];
    if (field.member == kUnknownField) {
      if (!r_.skip()) [[unlikely]]
        return in(Reader::name_of(r_.fields_[first + i]));
      continue;
    }
    const MemberInfo& member = members[field.member];
    void* to = static_cast<char*>(out) + member.offset;
    if (!element(*member.type, to)) [[unlikely]]
      return in(member.name);
  }
  r_.leave(reference);
  return true;
}

bool Decoder::list(const TypeInfo& type, void* out) {
  Container list;
  if (!r_.begin_list(list)) return false;
  const TypeInfo& element = *type.element;
  type.clear(out);
  if (list.count == Container::kUnknown) return endless_list(type, out, list);
  if (!r_.charge_bytes(list.count * element.size)) return false;
  std::size_t room = list.count;
  if (room * element.size > kReserveBytes) room = kReserveBytes / element.size;
  type.reserve(out, room);
  for (std::size_t i = 0; i < list.count; ++i) {
    if (!this->element(element, type.append(out))) [[unlikely]]
      return in_item(i);
  }
  list.index = list.count;
  r_.step(list);
  return r_.ok();
}

bool Decoder::endless_list(const TypeInfo& type, void* out, Container& list) {
  while (r_.step(list)) {
    if (!r_.charge_bytes(type.element->size)) return false;
    if (!decode(*type.element, type.append(out))) [[unlikely]]
      return in_item(list.index - 1);
  }
  return r_.ok();
}

bool Decoder::set(const TypeInfo& type, void* out) {
  Container list;
  if (!r_.begin_list(list)) return false;
  type.clear(out);
  Filler filler(*this, nullptr, *type.element);
  while (r_.step(list)) {
    if (!r_.charge_bytes(type.element->size)) return false;
    if (!type.insert(out, filler)) [[unlikely]]
      return in_item(list.index - 1);
  }
  return r_.ok();
}

bool Decoder::map(const TypeInfo& type, void* out) {
  Container map;
  if (!r_.begin_map(map)) return false;
  type.clear(out);
  Filler filler(*this, type.key, *type.element);
  const std::uint64_t entry_size = std::uint64_t{type.key->size} + type.element->size;
  while (r_.step(map)) {
    const std::uint8_t* start = r_.cursor_;
    if (!r_.charge_bytes(entry_size)) return false;
    if (!type.insert(out, filler)) [[unlikely]]
      return in_entry(start);
  }
  return r_.ok();
}

// Names the entry that begins at `start` in the path of a failure.
__attribute__((noinline, cold)) bool Decoder::in_entry(const std::uint8_t* start) {
  Reader probe({start, static_cast<std::size_t>(r_.end_ - start)}, r_.dialect_);
  std::string_view key;
  if (is_string(probe.op()) && probe.read_string(key)) {
    return in("[\"" + std::string(key.substr(0, 64)) + "\"]");
  }
  return in("[...]");
}

Result<void> decode(Reader& reader, const TypeInfo& type, void* value, DecodeOptions options) {
  return Decoder(reader).run(type, value, options, true);
}

Result<void> from_bytes(std::span<const std::uint8_t> bytes, const TypeInfo& type, void* value,
                        Dialect dialect, const Limits& limits) {
  Reader reader(bytes, dialect, limits);
  if (Result<void> done = decode(reader, type, value); !done) return done;
  if (!reader.at_end()) {
    reader.fail(Code::kDecode, std::to_string(bytes.size() - reader.offset()) +
                                   " bytes are left behind the value");
    return reader.error();
  }
  return {};
}

// Through bytes, so that the rules are the same by construction.
Result<void> convert(const Value& value, const TypeInfo& type, void* out) {
  if (type.kind == Kind::kAny) {
    *static_cast<Value*>(out) = value;
    return {};
  }
  Result<Bytes> bytes = to_bytes(type_of<Value>(), &value);
  if (!bytes) return bytes.error();
  Reader reader(bytes->span());
  return Decoder(reader).run(type, out, DecodeOptions(), false);
}

Result<Value> to_value(const TypeInfo& type, const void* value) {
  if (type.kind == Kind::kAny) return *static_cast<const Value*>(value);
  Result<Bytes> bytes = to_bytes(type, value);
  if (!bytes) return bytes.error();
  return from_bytes<Value>(bytes->span());
}

}  // namespace settee::inline v0::hessian
