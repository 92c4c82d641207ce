// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A small number for each thread, so that per-thread data can lie in plain arrays. The first
// kThreadSlots threads that ask own a number until they end; the others share kSharedSlot. A number
// that changes hands does so with release and acquire: what its last owner wrote is seen by the next.

#pragma once

namespace settee::inline v0::detail {

inline constexpr unsigned kThreadSlots = 128;
inline constexpr unsigned kSharedSlot = kThreadSlots;
inline constexpr unsigned kUnknownSlot = kThreadSlots + 1;  ///< the thread has not asked yet
inline constexpr unsigned kSlotIndexes = kThreadSlots + 2;  ///< array size for any of the above

extern thread_local constinit unsigned thread_slot_index;

/// Claims a slot for this thread if it has not asked before; the thread's slot or kSharedSlot.
unsigned claim_thread_slot() noexcept;

inline unsigned thread_slot() noexcept {
  const unsigned slot = thread_slot_index;
  return slot != kUnknownSlot ? slot : claim_thread_slot();
}

}  // namespace settee::inline v0::detail
