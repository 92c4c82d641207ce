// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Decoding into described types and generic values. One class in four files: decode.cc has the
// usual forms of values, decode_other.cc whatever else a type can be read from, decode_variant.cc
// the choice of a variant's alternative, decode_value.cc generic values. What is declared inline
// here is defined in the one file that uses it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "settee/hessian/codec.h"
#include "settee/hessian/internal/reader_inline.h"
#include "settee/hessian/internal/value_node.h"

namespace settee::inline v0::hessian {

namespace detail {

// Space is reserved for at most this many bytes of elements at once; beyond, containers grow as
// elements really come.
inline constexpr std::size_t kReserveBytes = 64 * 1024;

inline bool is_string(Op op) noexcept { return op >= Op::kStringShort && op <= Op::kStringChunk; }
inline bool is_bytes(Op op) noexcept { return op >= Op::kBytesShort && op <= Op::kBytesChunk; }
inline bool is_integer(Op op) noexcept { return op >= Op::kInt1 && op <= Op::kLong9; }
inline bool is_long(Op op) noexcept { return op >= Op::kLong1 && op <= Op::kLong9; }
inline bool is_double(Op op) noexcept { return op >= Op::kDouble0 && op <= Op::kDouble64; }
inline bool is_number(Op op) noexcept { return op >= Op::kInt1 && op <= Op::kDouble64; }
inline bool is_date(Op op) noexcept { return op == Op::kDate64 || op == Op::kDateMinutes4; }
inline bool is_list(Op op) noexcept { return op >= Op::kList3 && op <= Op::kListShort4; }
inline bool is_map(Op op) noexcept { return op >= Op::kMap3 && op <= Op::kMap4; }
inline bool is_object(Op op) noexcept { return op == Op::kObject || op == Op::kObjectShort4; }
inline bool is_reference(Op op) noexcept { return op >= Op::kReference8 && op <= Op::kReference4; }

/// What the integers of a kind can be.
struct Range {
  std::int64_t min;
  std::int64_t max;
};
inline Range range_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::kInt8: return {INT8_MIN, INT8_MAX};
    case Kind::kInt16: return {INT16_MIN, INT16_MAX};
    case Kind::kInt32: return {INT32_MIN, INT32_MAX};
    default: return {INT64_MIN, INT64_MAX};
  }
}

/// "an int", for "expected an int, found ...".
const char* wanted(const TypeInfo& type) noexcept;

}  // namespace detail

/// Reads one value and what is within it. Functions that return bool leave a failure in the Reader.
class Decoder {
 public:
  explicit Decoder(Reader& reader) noexcept : r_(reader) {}

  Result<void> run(const TypeInfo& type, void* value, DecodeOptions options, bool with_offset);

 private:
  class Filler;
  class FieldFiller;

  // Stops a container; the reader knows what went wrong.
  __attribute__((noinline, cold)) static Result<void> stop() { return Error(Code::kDecode, ""); }
  __attribute__((noinline, cold)) bool in(std::string_view step) {
    r_.add_path(step);
    return false;
  }
  __attribute__((noinline, cold)) bool in_item(std::size_t i) {
    return in("[" + std::to_string(i) + "]");
  }

  // Reads again what a reference names, by calling `read` there.
  template <class F>
  bool with_target(F&& read);

  // ---- decode.cc: described types ----

  bool decode(const TypeInfo& type, void* out);
  inline bool element(const TypeInfo& type, void* out);
  inline bool string(const TypeInfo& type, std::string& out);
  // Left to itself the compiler inlines string() without this, in more places and slower.
  __attribute__((always_inline)) static inline void assign(std::string& out, const char* text,
                                                           std::size_t size);
  bool long_string(const TypeInfo& type, std::string& out);
  inline bool number(const TypeInfo& type, void* out);
  bool any_number(const TypeInfo& type, void* out);
  inline void plan(std::uint32_t number, const TypeInfo& type);
  inline bool structure(const TypeInfo& type, void* out);
  inline bool list(const TypeInfo& type, void* out);
  inline bool endless_list(const TypeInfo& type, void* out, Container& list);
  inline bool set(const TypeInfo& type, void* out);
  inline bool map(const TypeInfo& type, void* out);
  bool in_entry(const std::uint8_t* start);

  // ---- decode_other.cc: described types from unusual forms ----

  // Whatever is not the usual form of a value of this type.
  bool other(const TypeInfo& type, void* out);
  template <class F>
  bool each_field(F&& use);
  bool unwrap(const TypeInfo& type, void* out, std::string_view name, std::string_view or_name);
  inline bool character(void* out);
  inline bool characters(const TypeInfo& type, void* out);
  bool read_units(std::u16string& units);
  bool decimal(std::string& text, detail::Op op);
  bool whole_number(std::string& text, detail::Op op);
  bool big_integer_object(std::string& text);
  bool magnitude(std::vector<std::uint32_t>& words);
  inline bool enum_object(const TypeInfo& type, void* out);
  bool enumerator(const TypeInfo& type, void* out, std::string_view name,
                  const std::uint8_t* start);
  inline bool structure_of_map(const TypeInfo& type, void* out);
  inline bool map_of_object(const TypeInfo& type, void* out);
  inline bool replay(const TypeInfo& type, void* out);

  // ---- decode_variant.cc ----

  struct Sight;
  inline bool look(Sight& sight);
  static void empty_variant(const TypeInfo& type, void* out);
  bool variant(const TypeInfo& type, void* out);
  bool fits(const TypeInfo& type, const Sight& sight, bool exact, const TypeInfo& variant);

  // ---- decode_value.cc: generic values ----

  bool any(Value& out);
  inline bool long_text(std::string_view& text);
  template <class N>
  N& adopt(std::unique_ptr<N> made, std::uint32_t reference, Value& out);
  inline const detail::ShapePointer& type_shape(std::string_view type);
  inline bool list_value(Value& out);
  inline bool map_value(Value& out);
  inline detail::ShapePointer shape_of(std::uint32_t number);
  inline bool object_value(Value& out);
  inline bool referenced_value(Value& out);

  Reader& r_;
  std::string scratch_;
  detail::ShapePointer last_type_;
};

template <class F>
bool Decoder::with_target(F&& read) {
  const std::uint8_t* start = r_.cursor_;
  std::uint32_t number;
  if (!r_.read_reference(number)) return false;
  const Reader::Referenced target = r_.references_[number];
  if (target.active) {
    return r_.fail_at(start, Code::kDecode,
                      "cyclic reference into a typed value; use a member of type hessian::Value");
  }
  if (r_.depth_left_ == 0) return r_.fail_limit("depth", r_.limits_.depth);
  if (!r_.charge_nodes(1)) return false;
  --r_.depth_left_;
  const std::uint8_t* behind = r_.cursor_;
  const bool was_replaying = r_.replaying_;
  const std::uint32_t was_next = r_.replay_next_;
  r_.cursor_ = r_.begin_ + target.start;
  r_.replaying_ = true;
  r_.replay_next_ = number;
  const bool done = read();
  r_.replaying_ = was_replaying;
  r_.replay_next_ = was_next;
  ++r_.depth_left_;
  if (!done) return false;
  r_.cursor_ = behind;
  return true;
}

}  // namespace settee::inline v0::hessian
