// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "settee/base/internal/thread_slot.h"

namespace settee::inline v0::detail {

thread_local constinit unsigned thread_slot_index = kUnknownSlot;

namespace {

constexpr unsigned kWord = 64;
constinit std::array<std::atomic<std::uint64_t>, kThreadSlots / kWord> taken{};

// Gives the slot back when the thread ends. Thread-local destructors that run later find
// kSharedSlot.
struct SlotReturn {
  unsigned slot = kSharedSlot;
  ~SlotReturn() {
    thread_slot_index = kSharedSlot;
    if (slot == kSharedSlot) return;
    taken[slot / kWord].fetch_and(~(std::uint64_t{1} << slot % kWord), std::memory_order_release);
  }
};

thread_local SlotReturn slot_return;

unsigned find_slot() noexcept {
  for (unsigned word = 0; word < taken.size(); ++word) {
    std::uint64_t bits = taken[word].load(std::memory_order_relaxed);
    while (bits != ~std::uint64_t{0}) {
      const auto bit = static_cast<unsigned>(std::countr_one(bits));
      if (taken[word].compare_exchange_weak(bits, bits | std::uint64_t{1} << bit,
                                            std::memory_order_acquire, std::memory_order_relaxed)) {
        return word * kWord + bit;
      }
    }
  }
  return kSharedSlot;
}

}  // namespace

unsigned claim_thread_slot() noexcept {
  if (thread_slot_index != kUnknownSlot) return thread_slot_index;
  const unsigned slot = find_slot();
  slot_return.slot = slot;
  thread_slot_index = slot;
  return slot;
}

}  // namespace settee::inline v0::detail
