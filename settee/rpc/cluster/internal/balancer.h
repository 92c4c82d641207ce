// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Balancer: chooses one of several addresses for a call.
//
// A Balancer is made for one constant list; every change of addresses makes a new one, off the
// loops if that is dear (the ring of consistent hash), while the old one serves. What must outlive
// the list, the round counters and the members, is shared by all balancers of one reference.
//
// Threads: choose() from any thread at any time.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/base/export.h"
#include "settee/base/result.h"
#include "settee/rpc/cluster/internal/round_counters.h"
#include "settee/rpc/provider.h"

namespace settee::inline v0::rpc::cluster {

/// Counts the changes of weights among the members of one reference, so that a balancer sees with
/// one load whether what it has computed from them still holds. Threads: any.
class WeightClock {
 public:
  void tick() noexcept { changes_.fetch_add(1, std::memory_order_release); }
  std::uint64_t changes() const noexcept { return changes_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t> changes_{0};
};

/// What is known of an address beyond its registration; lives as long as the address is listed,
/// whatever else of the list changes. Threads: any.
class Member {
 public:
  /// `clock` is the same for all members of one list.
  Member(Provider p, std::shared_ptr<WeightClock> clock)
      : provider(std::move(p)),
        base_weight(provider.weight()),
        weight_(base_weight),
        clock_(std::move(clock)) {}

  const Provider provider;
  const int base_weight;

  /// What it weighs now: base_weight, less while it warms up or fault tolerance has degraded it.
  int weight() const noexcept { return weight_.load(std::memory_order_relaxed); }
  /// Below 0 counts as 0. Each change makes the balancers compute anew, in the time of some ten
  /// nanoseconds for each member, at the next choose().
  void set_weight(int weight) noexcept {
    if (weight < 0) weight = 0;
    if (weight_.exchange(weight, std::memory_order_relaxed) != weight) clock_->tick();
  }
  const std::shared_ptr<WeightClock>& clock() const noexcept { return clock_; }

  /// Calls on their way.
  std::atomic<std::int32_t> in_flight{0};
  /// Mean time of its answers in ns, exponentially weighted (EWMA); 0 before the first.
  std::atomic<std::int64_t> latency_ns{0};

 private:
  std::atomic<int> weight_;
  const std::shared_ptr<WeightClock> clock_;
};

using Members = std::vector<std::shared_ptr<Member>>;

/// For each call.
struct Choice {
  std::string_view method = {};
  std::uint64_t random = 0;        ///< 64 random bits, fresh for each call.
  std::string_view hash_key = {};  ///< Text of the first argument, for consistent hash.
  /// How many choices for this call were of no use. Consistent hash then goes to the next on its
  /// ring, which is whom the key falls to when the one before is no longer listed; the others draw
  /// again.
  std::uint32_t attempt = 0;
};

class SETTEE_API Balancer {
 public:
  static constexpr std::size_t kNone = SIZE_MAX;
  virtual ~Balancer();
  /// The index in the list it was made for; kNone only if the list is empty.
  virtual std::size_t choose(const Choice& choice) const noexcept = 0;
  /// Whether Choice::hash_key is looked at.
  virtual bool wants_key() const noexcept { return false; }

 protected:
  Balancer() = default;
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;
};

/// A balancer of that name over `members`:
///
///   auto, random          by weight
///   localPref             by weight among those on this host, if there are any
///   roundRobin            one after the other, for each method on its own
///   weightRoundRobin      in rounds, the k-th of which has those that weigh k or more
///   consistentHash        by Choice::hash_key; the same as in SOFARPC
///   weightConsistentHash  the same with a share by weight (that of the time when this is called)
///   leastActive           the fewest calls on their way; by weight if several have as few
///   p2c                   of two drawn by weight the one with less latency x (calls on their way
///                         + 1); new ones are tried
///
/// Whoever weighs 0 is left out, unless all do, by all but roundRobin and consistentHash.
/// `counters` is shared by all balancers of one reference, so that a change of addresses does not
/// begin the rounds anew.
///
/// Errors (kInvalidArgument): no such name, and the message lists those there are; a libcrypto
/// without MD5. Neither depends on `members`: a name that was good once remains so.
SETTEE_API Result<std::shared_ptr<const Balancer>> make_balancer(
    std::string_view name, Members members, std::shared_ptr<RoundCounters> counters);
/// Whether making it takes so long that it is done on a pool.
SETTEE_API bool is_dear(std::string_view balancer_name) noexcept;

}  // namespace settee::inline v0::rpc::cluster
