// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Reader: Hessian values from bytes in one piece, one call per value. Most programs want decode() of
// codec.h, which drives it from a type's description.
//
//   Reader reader(bytes.span());
//   Container object;
//   std::string_view method;
//   if (reader.begin_object(object)) {
//     while (reader.next(object)) {
//       if (object.field == "methodName") reader.read_string(method);
//       else reader.skip();
//     }
//   }
//   if (!reader.ok()) return reader.error();
//
// The first failure sticks: from then on every read returns false, peek() returns kFailed, and
// error() tells what was wrong and at which offset. A read that meets another kind of value fails.
// Numbers convert where nothing is lost: an int opcode may be read as a long, 2.0 as an int.
//
// All values of one Reader form one stream, as those of one Writer do. Views stay good as long as
// the Reader and its bytes.
//
// Threads: a Reader belongs to one thread.
// Format: Hessian 2.0 and its SOFA 3.x draft, format.md in this folder.

#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/bytes.h"
#include "settee/base/error.h"
#include "settee/base/result.h"
#include "settee/base/values.h"
#include "settee/hessian/detail/table.h"
#include "settee/hessian/dialect.h"

namespace settee::inline v0 {
struct TypeInfo;
}

namespace settee::inline v0::hessian {

namespace detail {
struct Node;
struct Shape;
enum class Op : std::uint8_t;
}  // namespace detail

/// What kind of value comes next.
enum class Token : std::uint8_t {
  kFailed,  ///< An earlier read failed, or this is no value; see Reader::error().
  kEnd,     ///< The bytes end here.
  kNull,
  kBool,
  kInt,
  kLong,
  kDouble,
  kDate,
  kString,
  kBytes,
  kList,
  kMap,
  kObject,
  kReference,
};

/// A list, map or object that is being read: filled by Reader::begin_...(), stepped by next().
struct Container {
  /// The class of an object; the type of a list or map, empty if none was given.
  std::string_view type;
  /// Of objects: the name of the field whose value comes next.
  std::string_view field;
  /// Elements, fields or entries in all; kUnknown when only a mark ends them.
  std::size_t count = kUnknown;
  /// Elements, fields or entries that next() has announced.
  std::size_t index = 0;
  /// Its number for references.
  std::uint32_t reference = 0;

  static constexpr std::size_t kUnknown = static_cast<std::size_t>(-1);

  // For Reader:
  std::uint32_t definition = 0;  // of an object's class
  bool marked = false;           // a mark ends it
};

class ReaderState;

class SETTEE_API Reader {
 public:
  /// Reads `data`, which must stay as it is while the Reader is used.
  explicit Reader(std::span<const std::uint8_t> data, Dialect dialect = Dialect::kSofa3,
                  const Limits& limits = Limits());
  /// Reads `data` from behind its beginning, which is the same as that of `before`; see ReaderState.
  /// `before` must live as long as the Reader.
  Reader(std::span<const std::uint8_t> data, const ReaderState& before,
         const Limits& limits = Limits()) noexcept;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader();

  Dialect dialect() const noexcept { return dialect_; }
  /// Bytes read so far.
  std::size_t offset() const noexcept { return static_cast<std::size_t>(cursor_ - begin_); }
  /// Everything has been read; also true after a failure.
  bool at_end() const noexcept { return cursor_ == end_; }
  bool ok() const noexcept { return failure_ == nullptr; }
  /// The first failure, of code kDecode or kLimit. Only when !ok().
  Error error() const;
  Result<void> status() const { return ok() ? Result<void>() : Result<void>(error()); }
  /// Records a failure of the caller's own, e.g. a rule of the message that was broken.
  void fail(Code code, std::string message);

  /// Looks at the next value. Class definitions before it are read.
  Token peek();
  /// Reads over the next value.
  bool skip();

  bool read_null();
  bool read_bool(bool& value);
  bool read_int(std::int32_t& value);
  bool read_long(std::int64_t& value);
  bool read_double(double& value);
  bool read_date(Date& value);
  /// As UTF-8. Unpaired surrogates become U+FFFD.
  bool read_string(std::string& value);
  /// Without a copy where the bytes already are UTF-8. Null is read as an empty text.
  bool read_string(std::string_view& value);
  bool read_bytes(Bytes& value);
  /// The number of an earlier list, map or object.
  bool read_reference(std::uint32_t& value);

  bool begin_list(Container& list);
  bool begin_map(Container& map);
  bool begin_object(Container& object);
  /// Steps to the next element, field or entry (then a key and a value must be read). False at the
  /// end, which this reads over, and after a failure.
  bool next(Container& container);

 private:
  friend class Decoder;
  friend class ReaderState;

  struct Name {
    const char* text;
    std::uint32_t size;
  };
  struct Definition {
    const char* name;
    std::uint32_t name_size;
    std::uint32_t fields;        // how many
    std::uint32_t first_field;   // in fields_
    const TypeInfo* planned;     // the struct whose members Field::member names, or null
    const detail::Shape* shape;  // for generic values, made on demand and owned
  };
  struct Field {
    const char* name;
    std::uint32_t size;
    std::uint32_t member;
  };
  struct Referenced {
    std::uint32_t start;
    bool active;         // being read, perhaps again
    detail::Node* node;  // the generic value made of it, owned; or null
  };
  struct Failure;
  struct Storage;

  static std::string_view name_of(const Definition& d) noexcept { return {d.name, d.name_size}; }
  static std::string_view name_of(const Field& f) noexcept { return {f.name, f.size}; }
  static constexpr std::uint32_t kNoDefinition = 0xffffffff;

  // Cold: each records the failure and returns false.
  bool fail_at(const std::uint8_t* at, Code code, std::string message);
  bool fail_end();
  bool fail_limit(const char* name, std::uint64_t value);
  bool fail_kind(const char* wanted);
  void add_path(std::string_view step);
  Error make_error(bool with_offset) const;

  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - cursor_); }
  bool need(std::size_t n);
  // The code of the next value. Definitions before it are read; `expected` is the struct that they are
  // likely to be of.
  detail::Op op(const TypeInfo* expected = nullptr);
  bool step(Container& container);
  bool charge_nodes(std::uint64_t n);
  bool charge_bytes(std::uint64_t n);

  struct Number;
  bool read_number(Number& number, const char* wanted);
  bool read_integer(std::int64_t& value, std::int64_t min, std::int64_t max, const char* wanted);
  bool read_count(std::uint32_t& count, std::uint32_t limit, const char* what);
  bool read_long_count(std::uint32_t& count, std::uint32_t limit, const char* what);
  bool check_count(std::uint64_t count, const char* what);
  bool check_elements(std::uint64_t count);
  bool read_definition(const TypeInfo* expected);
  bool read_class_number(std::uint32_t& number);
  bool read_type_number(std::string_view& type);
  bool read_type_name(std::size_t units, std::string_view& type);
  bool read_type4(std::string_view& type);
  bool note_type(std::string_view type);
  bool old_type_follows() const noexcept;
  bool scan_units(std::size_t units, const std::uint8_t*& end, bool& plain);
  bool read_piece(detail::Op op, std::size_t& size, bool& final);
  bool read_text(std::string& text);
  bool view_text(std::string_view& value);
  bool read_name(std::string_view& name, const char* what);
  bool skip_text();
  bool skip_bytes();
  bool keep_text(std::string_view& view, std::string text);
  bool enter(const std::uint8_t* start, std::uint32_t& reference);
  void leave(std::uint32_t reference) noexcept;

  const std::uint8_t* begin_;
  const std::uint8_t* cursor_;
  const std::uint8_t* end_;
  const detail::Op* ops_;
  std::uint64_t bytes_left_;
  std::uint32_t nodes_left_;
  std::uint32_t depth_left_;
  Dialect dialect_;
  bool replaying_ = false;  // reading again what a reference names: nothing is numbered
  bool owns_nodes_ = false;
  bool owns_shapes_ = false;
  std::uint32_t replay_next_ = 0;  // the number of the next container met while replaying
  Limits limits_;
  std::unique_ptr<Failure> failure_;
  std::unique_ptr<Storage> storage_;  // names that are not in the input as UTF-8
  detail::Table<Definition, 8> definitions_;
  detail::Table<Field, 48> fields_;
  detail::Table<Name, 8> types_;
  detail::Table<Referenced, 32> references_;
};

/// What a Reader knew when it had read the beginning of a message. Requests of one method often begin
/// with the very same bytes: the next one that does can be read on from there.
///
///   if (state.fits(data)) Reader reader(data, state);      // stands behind the beginning
///
/// Threads: constant once taken.
class SETTEE_API ReaderState {
 public:
  /// Of nothing: fits no data.
  ReaderState() noexcept = default;
  ReaderState(const ReaderState&) = delete;
  ReaderState& operator=(const ReaderState&) = delete;

  /// Remembers what `reader` has read so far, with a copy of the bytes. False, and then it fits no data,
  /// when that cannot be continued: generic values were made of it, or names in it were not plain.
  bool take(const Reader& reader);
  /// Does `data` begin with the remembered bytes?
  bool fits(std::span<const std::uint8_t> data) const noexcept {
    return !head_.empty() && data.size() >= head_.size() &&
           std::memcmp(data.data(), head_.data(), head_.size()) == 0;
  }

 private:
  friend class Reader;
  std::vector<std::uint8_t> head_;
  std::vector<Reader::Definition> definitions_;
  std::vector<Reader::Field> fields_;
  std::vector<Reader::Name> types_;
  std::vector<Reader::Referenced> references_;
  Dialect dialect_ = Dialect::kSofa3;
};

}  // namespace settee::inline v0::hessian
