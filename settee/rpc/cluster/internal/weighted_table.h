// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// WeightedTable: draws a member by weight in constant time; WeightWatch: notices that weights
// changed.
//
// The weights change at run time, rarely in comparison with calls. So what is drawn from is
// computed beforehand, and again by the first call that sees the WeightClock changed, while others
// go on with what is there. It is computed in place, in atomics each of which is good on its own:
// who draws meanwhile gets a valid member by the old weights or the new ones. Neither side waits,
// and nothing is reclaimed.
//
// Threads: draw() from any thread.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "settee/rpc/cluster/internal/balancer.h"

namespace settee::inline v0::rpc::cluster {

/// Runs a computation from weights again when they have changed.
class WeightWatch {
 public:
  explicit WeightWatch(const Members& members)
      : clock_(members.empty() ? nullptr : members.front()->clock()) {}

  /// Calls compute() if weights have changed since the last time, unless somebody is just at it.
  template <class Compute>
  void follow(Compute&& compute) noexcept {
    if (seen_.load(std::memory_order_acquire) != clock_->changes()) [[unlikely]] {
      if (busy_.exchange(true, std::memory_order_acquire)) return;
      // Read before the weights: who changes one meanwhile makes this necessary again.
      const std::uint64_t changes = clock_->changes();
      compute();
      seen_.store(changes, std::memory_order_release);
      busy_.store(false, std::memory_order_release);
    }
  }

 private:
  const std::shared_ptr<WeightClock> clock_;
  std::atomic<std::uint64_t> seen_{std::numeric_limits<std::uint64_t>::max()};
  std::atomic<bool> busy_{false};
};

/// Walker's alias method with Vose's way of making the table.
class WeightedTable {
 public:
  explicit WeightedTable(const Members& members);

  bool empty() const noexcept { return members_.empty(); }
  /// An index in the members, which must not be empty, from 64 random bits: by weight, or all alike
  /// if all weigh nothing.
  std::size_t draw(std::uint64_t random) noexcept {
    watch_.follow([this] { compute(); });
    const std::uint64_t column = ((random >> 32) * members_.size()) >> 32;
    const std::uint64_t slot = slots_[column].load(std::memory_order_relaxed);
    return static_cast<std::uint32_t>(random) < slot >> 32 ? column : slot & 0xffff'ffff;
  }
  /// Whether any weighs more than nothing.
  bool has_weight() noexcept {
    watch_.follow([this] { compute(); });
    return has_weight_.load(std::memory_order_relaxed);
  }

 private:
  void compute() noexcept;

  const std::vector<const Member*> members_;  // kept by the balancer
  WeightWatch watch_;
  // Each column of the table: its own share in the high half, and in the low one who has the rest
  // of it.
  const std::unique_ptr<std::atomic<std::uint64_t>[]> slots_;
  std::atomic<bool> has_weight_{false};
  // Of compute(), allocated beforehand, as that must not fail.
  std::vector<std::uint64_t> shares_;
  std::vector<std::uint32_t> stacks_;
};

}  // namespace settee::inline v0::rpc::cluster
