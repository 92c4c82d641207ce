// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The parts of Reader that the codec inlines.

#pragma once

#include <bit>

#include "settee/hessian/internal/text.h"
#include "settee/hessian/internal/wire.h"
#include "settee/hessian/reader.h"

namespace settee::inline v0::hessian {

/// A number as it was written.
struct Reader::Number {
  bool floating;
  std::int64_t integer;  // when not floating
  double real;           // when floating
};

inline bool Reader::need(std::size_t n) { return left() >= n ? true : fail_end(); }

inline detail::Op Reader::op(const TypeInfo* expected) {
  // 'O' or 'C' begins a class definition, which stands before the value that needs it.
  while (cursor_ != end_) {
    const detail::Op op = ops_[*cursor_];
    if (op != detail::Op::kClass) [[likely]]
      return op;
    if (!read_definition(expected)) return detail::Op::kBad;
  }
  fail_end();
  return detail::Op::kBad;
}

// Containers pay for the values in them. One that stands alone costs its bytes anyway.
inline bool Reader::charge_nodes(std::uint64_t n) {
  if (nodes_left_ < n) [[unlikely]]
    return fail_limit("nodes", limits_.nodes);
  nodes_left_ -= static_cast<std::uint32_t>(n);
  return true;
}

// A count can at most be the number of bytes that follow.
inline bool Reader::check_elements(std::uint64_t count) {
  if (count > limits_.elements || count > left()) [[unlikely]] {
    return check_count(count, "elements");
  }
  return charge_nodes(count);
}

inline bool Reader::charge_bytes(std::uint64_t n) {
  if (bytes_left_ < n) [[unlikely]]
    return fail_limit("bytes", limits_.bytes);
  bytes_left_ -= n;
  return true;
}

inline bool Reader::enter(const std::uint8_t* start, std::uint32_t& reference) {
  if (depth_left_ == 0) [[unlikely]]
    return fail_limit("depth", limits_.depth);
  if (replaying_) [[unlikely]] {
    // The same lists, maps and objects come in the same order as the first time.
    reference = replay_next_++;
    if (reference >= references_.size()) {
      return fail_at(start, Code::kDecode, "a referenced value reads differently again");
    }
    references_[reference].active = true;
  } else {
    reference = references_.size();
    if (reference >= limits_.references) [[unlikely]] {
      return fail_limit("references", limits_.references);
    }
    references_.push_back({static_cast<std::uint32_t>(start - begin_), true, nullptr});
  }
  --depth_left_;
  return true;
}

inline void Reader::leave(std::uint32_t reference) noexcept {
  references_[reference].active = false;
  ++depth_left_;
}

// A number of the format's own, e.g. of a class; mostly small.
inline bool Reader::read_count(std::uint32_t& count, std::uint32_t limit, const char* what) {
  if (cursor_ != end_ && *cursor_ >= 0x90 && *cursor_ <= 0xbf) [[likely]] {
    count = static_cast<std::uint32_t>(*cursor_++ - 0x90);
    return true;
  }
  return read_long_count(count, limit, what);
}

// The number right here. Unlike op(), reads no class definition before it, so that the numbers within
// a definition do not lead into another one.
inline bool Reader::read_number(Number& number, const char* wanted) {
  if (cursor_ == end_) return fail_end();
  const detail::Op next = ops_[*cursor_];
  const std::uint8_t* at = cursor_;
  number.floating = false;
  switch (next) {
    case detail::Op::kInt1:
      number.integer = *at - 0x90;
      cursor_ += 1;
      return true;
    case detail::Op::kInt2:
      if (!need(2)) return false;
      number.integer = ((at[0] - 0xc8) << 8) + at[1];
      cursor_ += 2;
      return true;
    case detail::Op::kInt3:
      if (!need(3)) return false;
      number.integer = ((at[0] - 0xd4) << 16) + detail::load_big<std::uint16_t>(at + 1);
      cursor_ += 3;
      return true;
    case detail::Op::kLong1:
      number.integer = *at - 0xe0;
      cursor_ += 1;
      return true;
    case detail::Op::kLong2:
      if (!need(2)) return false;
      number.integer = ((at[0] - 0xf8) << 8) + at[1];
      cursor_ += 2;
      return true;
    case detail::Op::kLong3:
      if (!need(3)) return false;
      number.integer = ((at[0] - 0x3c) << 16) + detail::load_big<std::uint16_t>(at + 1);
      cursor_ += 3;
      return true;
    case detail::Op::kInt5:
    case detail::Op::kLong5:
      if (!need(5)) return false;
      number.integer = static_cast<std::int32_t>(detail::load_big<std::uint32_t>(at + 1));
      cursor_ += 5;
      return true;
    case detail::Op::kLong9:
      if (!need(9)) return false;
      number.integer = static_cast<std::int64_t>(detail::load_big<std::uint64_t>(at + 1));
      cursor_ += 9;
      return true;
    default: break;
  }
  number.floating = true;
  switch (next) {
    case detail::Op::kDouble0:
    case detail::Op::kDouble1:
      number.real = next == detail::Op::kDouble0 ? 0.0 : 1.0;
      cursor_ += 1;
      return true;
    case detail::Op::kDouble8:
      if (!need(2)) return false;
      number.real = static_cast<std::int8_t>(at[1]);
      cursor_ += 2;
      return true;
    case detail::Op::kDouble16:
      if (!need(3)) return false;
      number.real = static_cast<std::int16_t>(detail::load_big<std::uint16_t>(at + 1));
      cursor_ += 3;
      return true;
    case detail::Op::kDoubleFloat3:
      if (!need(5)) return false;
      number.real =
          static_cast<double>(std::bit_cast<float>(detail::load_big<std::uint32_t>(at + 1)));
      cursor_ += 5;
      return true;
    case detail::Op::kDoubleMill4:
      if (!need(5)) return false;
      number.real = 0.001 * static_cast<std::int32_t>(detail::load_big<std::uint32_t>(at + 1));
      cursor_ += 5;
      return true;
    case detail::Op::kDouble64:
      if (!need(9)) return false;
      number.real = std::bit_cast<double>(detail::load_big<std::uint64_t>(at + 1));
      cursor_ += 9;
      return true;
    default: return fail_kind(wanted);
  }
}

// Reader::next(), for loops that inline it.
inline bool Reader::step(Container& container) {
  if (failure_ != nullptr) [[unlikely]]
    return false;
  if (container.index == container.count) {
    if (container.marked) {
      if (cursor_ == end_) [[unlikely]]
        return fail_end();
      if (ops_[*cursor_] != detail::Op::kEndMark) [[unlikely]]
        return fail_kind("the end of a list");
      ++cursor_;
    }
    leave(container.reference);
    return false;
  }
  if (container.count == Container::kUnknown) {
    if (cursor_ == end_) [[unlikely]]
      return fail_end();
    if (ops_[*cursor_] == detail::Op::kEndMark) {
      ++cursor_;
      leave(container.reference);
      return false;
    }
    if (container.index >= limits_.elements) [[unlikely]] {
      return fail_limit("elements", limits_.elements);
    }
    if (!charge_nodes(2)) return false;  // a map's key and value; a list's element and its end
  } else if (container.definition != kNoDefinition) {
    const Definition& definition = definitions_[container.definition];
    container.field = name_of(fields_[definition.first_field + container.index]);
  }
  ++container.index;
  return true;
}

}  // namespace settee::inline v0::hessian
