// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/reader.h"

#include <bit>
#include <cmath>
#include <deque>

#include "settee/base/type_info.h"
#include "settee/hessian/internal/reader_inline.h"
#include "settee/hessian/internal/value_node.h"

namespace settee::inline v0::hessian {

using detail::load_big;
using detail::Op;

namespace {

std::string hex(std::uint8_t byte) {
  static constexpr char kHex[] = "0123456789abcdef";
  return {'0', 'x', kHex[byte >> 4], kHex[byte & 15]};
}

Token token_of(Op op) noexcept {
  switch (op) {
    case Op::kNull: return Token::kNull;
    case Op::kTrue:
    case Op::kFalse: return Token::kBool;
    case Op::kInt1:
    case Op::kInt2:
    case Op::kInt3:
    case Op::kInt5: return Token::kInt;
    case Op::kLong1:
    case Op::kLong2:
    case Op::kLong3:
    case Op::kLong5:
    case Op::kLong9: return Token::kLong;
    case Op::kDouble0:
    case Op::kDouble1:
    case Op::kDouble8:
    case Op::kDouble16:
    case Op::kDoubleFloat3:
    case Op::kDoubleMill4:
    case Op::kDouble64: return Token::kDouble;
    case Op::kDate64:
    case Op::kDateMinutes4: return Token::kDate;
    case Op::kStringShort:
    case Op::kStringMiddle4:
    case Op::kStringFinal:
    case Op::kStringChunk: return Token::kString;
    case Op::kBytesShort:
    case Op::kBytesMiddle4:
    case Op::kBytesFinal:
    case Op::kBytesChunk: return Token::kBytes;
    case Op::kList3:
    case Op::kListCompact3:
    case Op::kListTypedMarked4:
    case Op::kListTyped4:
    case Op::kListMarked4:
    case Op::kList4:
    case Op::kListTypedShort4:
    case Op::kListShort4: return Token::kList;
    case Op::kMap3:
    case Op::kMapTyped4:
    case Op::kMap4: return Token::kMap;
    case Op::kObject:
    case Op::kObjectShort4: return Token::kObject;
    case Op::kReference8:
    case Op::kReference16:
    case Op::kReference32:
    case Op::kReference4: return Token::kReference;
    case Op::kBad:
    case Op::kClass:
    case Op::kEndMark: break;
  }
  return Token::kFailed;
}

const char* describe(Token token) noexcept {
  switch (token) {
    case Token::kFailed: return "no value";
    case Token::kEnd: return "the end";
    case Token::kNull: return "null";
    case Token::kBool: return "a bool";
    case Token::kInt: return "an int";
    case Token::kLong: return "a long";
    case Token::kDouble: return "a double";
    case Token::kDate: return "a date";
    case Token::kString: return "a string";
    case Token::kBytes: return "binary";
    case Token::kList: return "a list";
    case Token::kMap: return "a map";
    case Token::kObject: return "an object";
    case Token::kReference: return "a reference";
  }
  return "no value";
}

}  // namespace

struct Reader::Failure {
  Code code;
  std::string message;
  std::string path;
  std::size_t offset;
};

struct Reader::Storage {
  std::deque<std::string> texts;  // a deque, so that views of them stay good
};

Reader::Reader(std::span<const std::uint8_t> data, Dialect dialect, const Limits& limits)
    : begin_(data.data()),
      cursor_(data.data()),
      end_(data.data() + data.size()),
      ops_(dialect == Dialect::kSofa3 ? detail::kOps3.data() : detail::kOps4.data()),
      bytes_left_(limits.bytes),
      nodes_left_(limits.nodes),
      depth_left_(limits.depth),
      dialect_(dialect),
      limits_(limits) {
  // Offsets are kept in 32 bits. No protocol here has frames of half that size.
  constexpr std::size_t kLargest = 0x7ffffffe;
  if (data.size() > kLargest) fail_limit("message size", kLargest);
}

Reader::Reader(std::span<const std::uint8_t> data, const ReaderState& before,
               const Limits& limits) noexcept
    : Reader(data, before.dialect_, limits) {
  cursor_ += before.head_.size();
  for (const Definition& definition : before.definitions_) definitions_.push_back(definition);
  for (const Field& field : before.fields_) fields_.push_back(field);
  for (const Name& type : before.types_) types_.push_back(type);
  for (const Referenced& reference : before.references_) references_.push_back(reference);
}

bool ReaderState::take(const Reader& reader) {
  const auto* const begin = reinterpret_cast<const char*>(reader.begin_);
  const std::size_t size = reader.offset();
  head_.assign(reader.begin_, reader.begin_ + size);
  dialect_ = reader.dialect_;
  // Names are views of the bytes: from now on of the copy.
  const auto own = [&](const char*& text) {
    if (text < begin || text >= begin + size) return false;
    text = reinterpret_cast<const char*>(head_.data()) + (text - begin);
    return true;
  };
  bool whole = reader.ok() && !reader.owns_nodes_ && !reader.owns_shapes_ && !reader.replaying_;
  definitions_.assign(reader.definitions_.begin(), reader.definitions_.end());
  for (Reader::Definition& definition : definitions_) {
    whole = whole && own(definition.name);
    definition.planned = nullptr;
    definition.shape = nullptr;
  }
  fields_.assign(reader.fields_.begin(), reader.fields_.end());
  for (Reader::Field& field : fields_) whole = whole && own(field.name);
  types_.assign(reader.types_.begin(), reader.types_.end());
  for (Reader::Name& type : types_) whole = whole && own(type.text);
  references_.assign(reader.references_.begin(), reader.references_.end());
  for (const Reader::Referenced& reference : references_) {
    whole = whole && !reference.active;
  }
  if (!whole) head_.clear();
  return whole;
}

Reader::~Reader() {
  if (owns_nodes_) {
    for (const Referenced& reference : references_) {
      if (reference.node != nullptr) detail::release_strong(reference.node);
    }
  }
  if (owns_shapes_) {
    for (const Definition& definition : definitions_) {
      if (definition.shape != nullptr) detail::release(definition.shape);
    }
  }
}

Error Reader::error() const { return make_error(true); }

Error Reader::make_error(bool with_offset) const {
  std::string text = "hessian: ";
  if (!failure_->path.empty()) text += failure_->path + ": ";
  text += failure_->message;
  if (with_offset) text += " at byte " + std::to_string(failure_->offset);
  return Error(failure_->code, std::move(text));
}

bool Reader::fail_at(const std::uint8_t* at, Code code, std::string message) {
  if (failure_ == nullptr) {
    failure_ = std::make_unique<Failure>();
    failure_->code = code;
    failure_->message = std::move(message);
    failure_->offset = static_cast<std::size_t>(at - begin_);
    cursor_ = end_;
  }
  return false;
}

void Reader::fail(Code code, std::string message) { fail_at(cursor_, code, std::move(message)); }

bool Reader::fail_end() { return fail_at(end_, Code::kDecode, "the input ends within a value"); }

bool Reader::fail_limit(const char* name, std::uint64_t value) {
  return fail_at(cursor_, Code::kLimit,
                 std::string("limit '") + name + "' of " + std::to_string(value) + " exceeded");
}

bool Reader::fail_kind(const char* wanted) {
  if (cursor_ == end_) return fail_end();
  const Token found = token_of(ops_[*cursor_]);
  std::string text = std::string("expected ") + wanted + ", found " + describe(found);
  if (found == Token::kFailed) text += " (code " + hex(*cursor_) + ")";
  return fail_at(cursor_, Code::kDecode, std::move(text));
}

void Reader::add_path(std::string_view step) {
  std::string path(step);
  if (const std::string& rest = failure_->path; !rest.empty()) {
    if (rest[0] != '[') path += '.';
    path += rest;
  }
  failure_->path = std::move(path);
}

Token Reader::peek() {
  if (!ok()) return Token::kFailed;
  if (at_end()) return Token::kEnd;
  const Op next = op();
  const Token token = token_of(next);
  if (token == Token::kFailed) fail_kind("a value");
  return token;
}

bool Reader::read_null() {
  if (op() != Op::kNull) return false;
  ++cursor_;
  return true;
}

bool Reader::read_bool(bool& value) {
  const Op next = op();
  if (next != Op::kTrue && next != Op::kFalse) return fail_kind("a bool");
  value = next == Op::kTrue;
  ++cursor_;
  return true;
}

bool Reader::read_integer(std::int64_t& value, std::int64_t min, std::int64_t max,
                          const char* wanted) {
  const std::uint8_t* start = cursor_;
  Number number;
  if (!read_number(number, wanted)) return false;
  if (number.floating) {
    // The bounds are exact doubles; 2^63 itself does not fit.
    if (!(number.real >= -0x1p63 && number.real < 0x1p63) ||
        std::trunc(number.real) != number.real) {
      return fail_at(start, Code::kDecode, std::to_string(number.real) + " is not " + wanted);
    }
    number.integer = static_cast<std::int64_t>(number.real);
  }
  if (number.integer < min || number.integer > max) {
    return fail_at(start, Code::kDecode,
                   std::to_string(number.integer) + " does not fit " + wanted);
  }
  value = number.integer;
  return true;
}

bool Reader::read_int(std::int32_t& value) {
  std::int64_t wide;
  op();
  if (!read_integer(wide, INT32_MIN, INT32_MAX, "an int")) return false;
  value = static_cast<std::int32_t>(wide);
  return true;
}

bool Reader::read_long(std::int64_t& value) {
  op();
  return read_integer(value, INT64_MIN, INT64_MAX, "a long");
}

bool Reader::read_double(double& value) {
  Number number;
  op();
  if (!read_number(number, "a double")) return false;
  value = number.floating ? number.real : static_cast<double>(number.integer);
  return true;
}

bool Reader::read_date(Date& value) {
  const Op next = op();
  if (next == Op::kDate64) {
    if (!need(9)) return false;
    value = Date(Date::duration(static_cast<std::int64_t>(load_big<std::uint64_t>(cursor_ + 1))));
    cursor_ += 9;
    return true;
  }
  if (next == Op::kDateMinutes4) {
    if (!need(5)) return false;
    const auto minutes = static_cast<std::int32_t>(load_big<std::uint32_t>(cursor_ + 1));
    value = Date(Date::duration(std::int64_t{minutes} * 60000));
    cursor_ += 5;
    return true;
  }
  return fail_kind("a date");
}

// The head of one piece of a text or binary.
bool Reader::read_piece(Op op, std::size_t& size, bool& final) {
  final = true;
  switch (op) {
    case Op::kStringShort:
      size = *cursor_;
      cursor_ += 1;
      return true;
    case Op::kBytesShort:
      size = *cursor_ & 0x0f;
      cursor_ += 1;
      return true;
    case Op::kStringMiddle4:
    case Op::kBytesMiddle4:
      if (!need(2)) return false;
      size = load_big<std::uint16_t>(cursor_) & 0x3ff;
      cursor_ += 2;
      return true;
    default:
      if (!need(3)) return false;
      size = load_big<std::uint16_t>(cursor_ + 1);
      final = op == Op::kStringFinal || op == Op::kBytesFinal;
      cursor_ += 3;
      return true;
  }
}

// Finds the end of so many characters without moving on.
bool Reader::scan_units(std::size_t units, const std::uint8_t*& end, bool& plain) {
  if (left() < units) return fail_end();
  if (detail::is_ascii(cursor_, units)) {
    end = cursor_ + units;
    plain = true;
    return true;
  }
  const detail::WireScan scan = detail::scan_wire(cursor_, end_, units);
  if (scan.end == nullptr) {
    if (scan.bad == nullptr) return fail_end();
    return fail_at(scan.bad, Code::kDecode, "malformed character " + hex(*scan.bad) + " in a text");
  }
  end = scan.end;
  plain = scan.plain;
  return true;
}

bool Reader::read_text(std::string& text) {
  std::uint16_t high = 0;
  bool final = false;
  bool first = true;
  do {
    if (cursor_ == end_) return fail_end();
    const Op next = ops_[*cursor_];
    if (token_of(next) != Token::kString) return fail_kind("the next piece of a string");
    std::size_t units;
    const std::uint8_t* end;
    bool plain;
    if (!read_piece(next, units, final) || !scan_units(units, end, plain)) return false;
    const auto size = static_cast<std::size_t>(end - cursor_);
    if (!charge_bytes(size)) return false;
    if (first) text.clear();
    first = false;
    if (plain && high == 0) {
      text.append(reinterpret_cast<const char*>(cursor_), size);
    } else {
      detail::append_utf8(cursor_, end, text, high);
    }
    cursor_ = end;
  } while (!final);
  detail::finish_utf8(text, high);
  return true;
}

bool Reader::read_string(std::string& value) {
  if (token_of(op()) != Token::kString) return fail_kind("a string");
  return read_text(value);
}

bool Reader::keep_text(std::string_view& view, std::string text) {
  if (storage_ == nullptr) storage_ = std::make_unique<Storage>();
  view = storage_->texts.emplace_back(std::move(text));
  return true;
}

bool Reader::read_string(std::string_view& value) {
  const Op next = op();
  if (next == Op::kNull) {
    value = {};
    return read_null();
  }
  if (token_of(next) != Token::kString) return fail_kind("a string");
  return view_text(value);
}

// The text here, in the input if it can be taken as it is, else in storage_.
bool Reader::view_text(std::string_view& value) {
  const Op next = ops_[*cursor_];
  if (next != Op::kStringChunk) {
    const std::uint8_t* start = cursor_;
    std::size_t units;
    bool final;
    const std::uint8_t* end;
    bool plain;
    if (!read_piece(next, units, final) || !scan_units(units, end, plain)) return false;
    if (plain) {
      value = {reinterpret_cast<const char*>(cursor_), static_cast<std::size_t>(end - cursor_)};
      cursor_ = end;
      return true;
    }
    cursor_ = start;
  }
  std::string text;
  return read_text(text) && keep_text(value, std::move(text));
}

bool Reader::read_bytes(Bytes& value) {
  if (token_of(op()) != Token::kBytes) return fail_kind("binary");
  const std::uint8_t* start = cursor_;
  if (!skip_bytes()) return false;
  // All the heads are known to be good now; together they say how much there is.
  const std::uint8_t* behind = cursor_;
  std::size_t total = 0;
  std::size_t size;
  bool final = false;
  for (cursor_ = start; !final; cursor_ += size) {
    read_piece(ops_[*cursor_], size, final);
    total += size;
  }
  cursor_ = behind;
  if (!charge_bytes(total)) return false;
  if (total == 0) {
    value = Bytes();
    return true;
  }
  settee::detail::Block* block = settee::detail::block_new(total);
  std::uint8_t* to = settee::detail::block_data(block);
  value = Bytes::adopt(block, to, total);
  final = false;
  for (cursor_ = start; !final; cursor_ += size) {
    read_piece(ops_[*cursor_], size, final);
    if (size != 0) std::memcpy(to, cursor_, size);
    to += size;
  }
  return true;
}

bool Reader::skip_bytes() {
  bool final = false;
  while (!final) {
    if (cursor_ == end_) return fail_end();
    const Op next = ops_[*cursor_];
    if (token_of(next) != Token::kBytes) return fail_kind("the next piece of a binary");
    std::size_t size;
    if (!read_piece(next, size, final) || !need(size)) return false;
    cursor_ += size;
  }
  return true;
}

bool Reader::skip_text() {
  bool final = false;
  while (!final) {
    if (cursor_ == end_) return fail_end();
    const Op next = ops_[*cursor_];
    if (token_of(next) != Token::kString) return fail_kind("the next piece of a string");
    std::size_t units;
    const std::uint8_t* end;
    bool plain;
    if (!read_piece(next, units, final) || !scan_units(units, end, plain)) return false;
    cursor_ = end;
  }
  return true;
}

bool Reader::read_reference(std::uint32_t& value) {
  const std::uint8_t* start = cursor_;
  std::uint32_t number = 0;
  switch (op()) {
    case Op::kReference8:
      if (!need(2)) return false;
      number = cursor_[1];
      cursor_ += 2;
      break;
    case Op::kReference16:
      if (!need(3)) return false;
      number = load_big<std::uint16_t>(cursor_ + 1);
      cursor_ += 3;
      break;
    case Op::kReference32:
      if (!need(5)) return false;
      number = load_big<std::uint32_t>(cursor_ + 1);
      cursor_ += 5;
      break;
    case Op::kReference4: {
      ++cursor_;
      std::int64_t wide;
      if (!read_integer(wide, 0, INT32_MAX, "the number of a reference")) return false;
      number = static_cast<std::uint32_t>(wide);
      break;
    }
    default: return fail_kind("a reference");
  }
  if (number >= references_.size()) {
    return fail_at(start, Code::kDecode,
                   "reference " + std::to_string(number) +
                       " to a value that has not come, there are " +
                       std::to_string(references_.size()));
  }
  value = number;
  return true;
}

bool Reader::check_count(std::uint64_t count, const char* what) {
  if (count > limits_.elements) return fail_limit("elements", limits_.elements);
  if (count > left()) {
    return fail_at(cursor_, Code::kDecode,
                   std::to_string(count) + " " + what + " announced, " + std::to_string(left()) +
                       " bytes left");
  }
  return true;
}

bool Reader::read_long_count(std::uint32_t& count, std::uint32_t limit, const char* what) {
  std::int64_t wide;
  if (!read_integer(wide, 0, limit, what)) return false;
  count = static_cast<std::uint32_t>(wide);
  return true;
}

bool Reader::note_type(std::string_view type) {
  if (replaying_) return true;
  if (types_.size() >= limits_.type_names) return fail_limit("type_names", limits_.type_names);
  types_.push_back({type.data(), static_cast<std::uint32_t>(type.size())});
  return true;
}

bool Reader::read_type_number(std::string_view& type) {
  const std::uint8_t* start = cursor_;
  std::uint32_t number;
  if (!read_count(number, INT32_MAX, "the number of a type name")) return false;
  if (number >= types_.size()) {
    return fail_at(start, Code::kDecode,
                   "type name " + std::to_string(number) + " has not come, there are " +
                       std::to_string(types_.size()));
  }
  type = {types_[number].text, types_[number].size};
  return true;
}

// So many characters, raw, as a name that stays.
bool Reader::read_type_name(std::size_t units, std::string_view& type) {
  if (units <= left() && (units < 32 ? detail::is_short_ascii(cursor_, units, left())
                                     : detail::is_ascii(cursor_, units))) [[likely]] {
    type = {reinterpret_cast<const char*>(cursor_), units};
    cursor_ += units;
    return true;
  }
  const std::uint8_t* end;
  bool plain;
  if (!scan_units(units, end, plain)) return false;
  if (plain) {
    type = {reinterpret_cast<const char*>(cursor_), static_cast<std::size_t>(end - cursor_)};
    cursor_ = end;
    return true;
  }
  std::string text;
  std::uint16_t high = 0;
  detail::append_utf8(cursor_, end, text, high);
  detail::finish_utf8(text, high);
  cursor_ = end;
  return charge_bytes(text.size()) && keep_text(type, std::move(text));
}

// A text of the stream's own: the name of a field or of a class or type.
inline bool Reader::read_name(std::string_view& name, const char* what) {
  if (cursor_ == end_) return fail_end();
  const Op next = ops_[*cursor_];
  if (next == Op::kStringShort) [[likely]] {
    const std::size_t size = *cursor_;
    if (size < left() && detail::is_short_ascii(cursor_ + 1, size, left() - 1)) [[likely]] {
      name = {reinterpret_cast<const char*>(cursor_ + 1), size};
      cursor_ += 1 + size;
      return true;
    }
  }
  if (token_of(next) != Token::kString) return fail_kind(what);
  return view_text(name);
}

bool Reader::read_type4(std::string_view& type) {
  if (cursor_ == end_) return fail_end();
  if (token_of(ops_[*cursor_]) != Token::kString) return read_type_number(type);
  return read_name(type, "the name of a type") && note_type(type);
}

// Whether 'T', a number and a length come: the old form of a type reference. A list that begins with
// true and a number cannot be mistaken for it, because no value begins like a length.
bool Reader::old_type_follows() const noexcept {
  if (left() < 2 || *cursor_ != 'T') return false;
  std::size_t size = 0;
  switch (ops_[cursor_[1]]) {
    case Op::kInt1: size = 1; break;
    case Op::kInt2: size = 2; break;
    case Op::kInt3: size = 3; break;
    case Op::kInt5: size = 5; break;
    default: return false;
  }
  return left() > 1 + size && (cursor_[1 + size] == 'n' || cursor_[1 + size] == 'l');
}

bool Reader::begin_list(Container& list) {
  const Op next = op();
  if (token_of(next) != Token::kList) return fail_kind("a list");
  const std::uint8_t* start = cursor_;
  if (!enter(start, list.reference)) return false;
  list.type = list.field = {};
  list.count = Container::kUnknown;
  list.index = 0;
  list.definition = kNoDefinition;
  list.marked = false;
  std::uint32_t count = 0;
  ++cursor_;
  switch (next) {
    case Op::kList3: {
      list.marked = true;
      if (left() >= 3 && *cursor_ == 't') {
        const std::size_t units = load_big<std::uint16_t>(cursor_ + 1);
        cursor_ += 3;
        if (!read_type_name(units, list.type) || !note_type(list.type)) return false;
      } else if (left() >= 1 && *cursor_ == 'u') {
        ++cursor_;
        if (!read_type_number(list.type)) return false;
      } else if (old_type_follows()) {
        ++cursor_;
        if (!read_type_number(list.type)) return false;
      }
      if (cursor_ == end_) return fail_end();
      if (*cursor_ == 'n') {
        if (!need(2)) return false;
        list.count = cursor_[1];
        cursor_ += 2;
        return check_elements(list.count);
      }
      if (*cursor_ == 'l') {
        if (!need(5)) return false;
        list.count = load_big<std::uint32_t>(cursor_ + 1);
        cursor_ += 5;
        return check_elements(list.count);
      }
      return true;
    }
    case Op::kListCompact3:
      if (!read_type_number(list.type) || !read_count(count, INT32_MAX, "the length of a list")) {
        return false;
      }
      break;
    case Op::kListTypedMarked4: list.marked = true; return read_type4(list.type);
    case Op::kListMarked4: list.marked = true; return true;
    case Op::kListTyped4:
      if (!read_type4(list.type) || !read_count(count, INT32_MAX, "the length of a list")) {
        return false;
      }
      break;
    case Op::kList4:
      if (!read_count(count, INT32_MAX, "the length of a list")) return false;
      break;
    case Op::kListTypedShort4:
      count = *start & 7;
      if (!read_type4(list.type)) return false;
      break;
    default: count = *start & 7; break;
  }
  list.count = count;
  return check_elements(count);
}

bool Reader::begin_map(Container& map) {
  const Op next = op();
  if (token_of(next) != Token::kMap) return fail_kind("a map");
  if (!enter(cursor_, map.reference)) return false;
  map.type = map.field = {};
  map.count = Container::kUnknown;
  map.index = 0;
  map.definition = kNoDefinition;
  map.marked = true;
  ++cursor_;
  if (next == Op::kMapTyped4) return read_type4(map.type);
  if (next == Op::kMap3) {
    if (left() >= 3 && *cursor_ == 't') {
      const std::size_t units = load_big<std::uint16_t>(cursor_ + 1);
      cursor_ += 3;
      return read_type_name(units, map.type) && note_type(map.type);
    }
    if (left() >= 1 && *cursor_ == 'u') {
      ++cursor_;
      return read_type_number(map.type);
    }
  }
  return true;
}

bool Reader::read_definition(const TypeInfo* expected) {
  ++cursor_;
  std::string_view name;
  if (dialect_ == Dialect::kSofa3) {
    std::uint32_t size;
    if (!read_count(size, INT32_MAX, "the length of a class name") || !read_type_name(size, name)) {
      return false;
    }
  } else if (!read_name(name, "the name of a class")) {
    return false;
  }
  std::uint32_t fields;
  if (!read_count(fields, INT32_MAX, "the number of fields") || !check_count(fields, "fields") ||
      !charge_bytes(std::uint64_t{fields} * sizeof(Field))) {
    return false;
  }
  if (replaying_) {
    // Its number is known, and so are its fields.
    std::string_view field;
    for (std::uint32_t i = 0; i < fields; ++i) {
      if (!read_name(field, "the name of a field")) return false;
    }
    return true;
  }
  if (definitions_.size() >= limits_.class_definitions) {
    return fail_limit("class_definitions", limits_.class_definitions);
  }
  definitions_.push_back({name.data(), static_cast<std::uint32_t>(name.size()), fields,
                          fields_.size(), nullptr, nullptr});
  Field* field = fields_.extend(fields);
  // As long as the fields are the expected struct's members in their order, one comparison per name
  // both reads it and finds the member.
  std::uint32_t i = 0;
  if (expected != nullptr && expected->members.size() >= fields) {
    const std::uint8_t* at = cursor_;
    for (; i < fields; ++i) {
      const std::string_view name = expected->members[i].name;
      const auto size = static_cast<std::uint32_t>(name.size());
      if (at == end_ || *at != size || size > 31 || static_cast<std::size_t>(end_ - at) <= size ||
          !detail::same_name(reinterpret_cast<const char*>(at + 1), size, name.data(), size)) {
        break;
      }
      field[i] = {reinterpret_cast<const char*>(at + 1), size, i};
      at += 1 + size;
    }
    cursor_ = at;
    if (i == fields) definitions_.back().planned = expected;
  }
  for (; i < fields; ++i) {
    std::string_view text;
    if (!read_name(text, "the name of a field")) return false;
    field[i] = {text.data(), static_cast<std::uint32_t>(text.size()), 0};
  }
  return true;
}

bool Reader::read_class_number(std::uint32_t& number) {
  const std::uint8_t* start = cursor_;
  if (ops_[*cursor_] == Op::kObjectShort4) {
    number = *cursor_ & 0x0f;
    ++cursor_;
  } else {
    ++cursor_;
    if (!read_count(number, INT32_MAX, "the number of a class")) return false;
  }
  if (number >= definitions_.size()) {
    return fail_at(start, Code::kDecode,
                   "class definition " + std::to_string(number) + " has not come, there are " +
                       std::to_string(definitions_.size()));
  }
  return true;
}

bool Reader::begin_object(Container& object) {
  const Op next = op();
  if (next != Op::kObject && next != Op::kObjectShort4) return fail_kind("an object");
  const std::uint8_t* start = cursor_;
  if (!read_class_number(object.definition) || !enter(start, object.reference)) {
    return false;
  }
  const Definition& definition = definitions_[object.definition];
  object.type = name_of(definition);
  object.field = {};
  object.count = definition.fields;
  object.index = 0;
  object.marked = false;
  if (object.count > left()) return fail_end();
  return charge_nodes(object.count);
}

bool Reader::next(Container& container) { return step(container); }

bool Reader::skip() {
  const Op next = op();
  switch (token_of(next)) {
    case Token::kNull:
    case Token::kBool: ++cursor_; return true;
    case Token::kInt:
    case Token::kLong:
    case Token::kDouble: {
      Number number;
      return read_number(number, "a number");
    }
    case Token::kDate: {
      Date date;
      return read_date(date);
    }
    case Token::kString: {
      const std::size_t size = *cursor_;
      if (size < 0x20 && size < left() && detail::is_short_ascii(cursor_ + 1, size, left() - 1))
          [[likely]] {
        cursor_ += 1 + size;
        return true;
      }
      return skip_text();
    }
    case Token::kBytes: return skip_bytes();
    case Token::kReference: {
      std::uint32_t number;
      return read_reference(number);
    }
    case Token::kList: {
      Container list;
      if (!begin_list(list)) return false;
      while (step(list)) {
        if (!skip()) return false;
      }
      return ok();
    }
    case Token::kMap: {
      Container map;
      if (!begin_map(map)) return false;
      while (step(map)) {
        if (!skip() || !skip()) return false;
      }
      return ok();
    }
    case Token::kObject: {
      Container object;
      if (!begin_object(object)) return false;
      while (step(object)) {
        if (!skip()) return false;
      }
      return ok();
    }
    default: return fail_kind("a value");
  }
}

}  // namespace settee::inline v0::hessian
