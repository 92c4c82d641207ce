// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The parts of Reader that the codec inlines.

#pragma once

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

inline bool Reader::need(std::size_t n) {
  return left() >= n ? true : fail_end();
}

inline detail::Op Reader::op() {
  // 'O' or 'C' begins a class definition, which stands before the value that needs it.
  while (cursor_ != end_) {
    const detail::Op op = ops_[*cursor_];
    if (op != detail::Op::kClass) [[likely]] return op;
    if (!read_definition()) return detail::Op::kBad;
  }
  fail_end();
  return detail::Op::kBad;
}

inline bool Reader::charge_node() {
  if (nodes_left_ == 0) [[unlikely]] return fail_limit("nodes", limits_.nodes);
  --nodes_left_;
  return true;
}

inline bool Reader::charge_bytes(std::uint64_t n) {
  if (bytes_left_ < n) [[unlikely]] return fail_limit("bytes", limits_.bytes);
  bytes_left_ -= n;
  return true;
}

inline bool Reader::enter(const std::uint8_t* start, std::uint32_t& reference) {
  if (depth_left_ == 0) [[unlikely]] return fail_limit("depth", limits_.depth);
  if (replaying_) [[unlikely]] {
    // The same lists, maps and objects come in the same order as the first time.
    reference = replay_next_++;
    if (reference >= references_.size()) {
      return fail_at(start, Code::kDecode, "a referenced value reads differently again");
    }
    references_[reference].active = 1;
  } else {
    reference = references_.size();
    if (reference >= limits_.references) [[unlikely]] {
      return fail_limit("references", limits_.references);
    }
    references_.push_back({static_cast<std::uint32_t>(start - begin_), 0, 1, nullptr});
  }
  --depth_left_;
  return true;
}

inline void Reader::leave(std::uint32_t reference) noexcept {
  Referenced& mine = references_[reference];
  mine.active = 0;
  if (mine.end == 0) mine.end = static_cast<std::uint32_t>(offset()) & 0x7fffffff;
  ++depth_left_;
}

}  // namespace settee::inline v0::hessian
