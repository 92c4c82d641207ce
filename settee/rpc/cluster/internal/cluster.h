// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Cluster: the addresses of one reference, and the way of a call to one of them: choose, try, and try
// another where that is safe.
//
// What is safe: a call that was never begun (no connection, the peer is busy or leaves) goes to another
// address, whatever else is configured. One that may have run (the connection ended, no answer in time)
// is tried again only if its method is idempotent or the caller asked for retries. A business exception
// and what the peer cannot read are answers, and never tried again. All tries share the call's deadline,
// and second tries the budget: a service that fails is not buried under retries.
//
// Threads: any.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "settee/base/detail/parking.h"
#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/rpc/cluster/internal/balancer.h"
#include "settee/rpc/cluster/internal/regulator.h"
#include "settee/rpc/events.h"
#include "settee/rpc/internal/binding.h"

namespace settee::inline v0::rpc::cluster {

struct ClusterOptions {
  std::string service;  ///< Unique name, for messages.
  std::string balancer = "auto";
  ClusterMode mode = ClusterMode::kFailover;
  int retries = 0;  ///< Beyond what is safe, as the caller asked.
  FaultTolerance fault_tolerance;
};

/// An address of the list, with its connections.
class Peer final : public Member {
 public:
  Peer(Provider p, std::shared_ptr<WeightClock> clock, std::shared_ptr<Address> a)
      : Member(std::move(p), std::move(clock)), address(std::move(a)) {}
  const std::shared_ptr<Address> address;
  /// Not chosen before this if there is another: it could not be reached, or said that it leaves.
  std::atomic<TimePoint::rep> avoid_until{0};
  /// Of the window that runs, for fault tolerance.
  std::atomic<std::int64_t> calls{0};
  std::atomic<std::int64_t> failures{0};
  int idle_windows = 0;                     // the housekeeper's
  std::atomic<int> tolerated{base_weight};  // the weight by fault tolerance
};

struct ClusterStats {
  explicit ClusterStats(Stats& stats);
  Counter& retries;
  Counter& retries_refused;  // the budget was used up
  Counter& no_provider;
  Counter& kept;  // providers kept although the registry no longer lists them
};

class Cluster : public std::enable_shared_from_this<Cluster> {
 public:
  Cluster(Runtime& runtime, Transport& transport, ClusterOptions options);

  /// The list has changed. Keeps what is known of addresses that stay.
  void update(const Providers& all);
  /// The same, from a registry: a list that has lost most of what it had is not believed at once.
  void update_from_registry(const Providers& all, std::string_view registry);

  /// Where the addresses come from, for the error when there are none.
  void describe(std::string source);

  /// A call by the reference's rules. `hash_key`: see Choice; empty if it is not wanted.
  Task<void> call(Target& target, Outgoing outgoing, std::string hash_key);
  bool wants_key() const noexcept { return wants_key_; }

  /// A try that did not bring an answer.
  struct Failure {
    std::shared_ptr<Peer> peer;
    Error error;
  };

 private:
  struct List {
    Members members;
    std::shared_ptr<const Balancer> balancer;
    Peer& peer(std::size_t index) const { return static_cast<Peer&>(*members[index]); }
  };

  const List& current() const;
  std::shared_ptr<const List> list() const;
  Task<void> known(TimePoint by);
  std::size_t choose(const List& list, Choice& choice, const std::vector<Failure>& failures) const;
  bool again(const Outgoing& outgoing, const Error& error, int& retries, bool& anywhere);
  static void note(Peer& peer, const Result<void>& ended, TimePoint began);
  void keep_house();
  static Task<void> house(std::weak_ptr<Cluster> cluster);
  void warm_up(const List& list);
  void tolerate_faults(const List& list);
  Error failed(const Outgoing& outgoing, const std::vector<Failure>& failures);
  std::string describe_source() const;

  Runtime& runtime_;
  Transport& transport_;
  const ClusterOptions options_;
  ClusterStats stats_;
  const EventChannel<ProviderRegulated> regulated_;
  const std::shared_ptr<RoundCounters> counters_ = std::make_shared<RoundCounters>();
  const std::shared_ptr<WeightClock> clock_ = std::make_shared<WeightClock>();
  bool wants_key_ = false;

  // Of retries, in thousandths: each call earns a part of one.
  std::atomic<std::int32_t> budget_{kFullBudget};
  static constexpr std::int32_t kFullBudget = 20'000;
  static constexpr std::int32_t kEarned = 200;

  bool housekeeping_ = false;  // under the mutex
  int seconds_ = 0;            // the housekeeper's, of the window

  mutable std::mutex mutex_;
  std::shared_ptr<const List> list_;  // replaced as a whole, under the mutex
  std::string source_;
  using Waiting = std::shared_ptr<settee::detail::Parking::State>;
  std::vector<Waiting> waiting_;  // for the first list
  std::atomic<std::uint64_t> version_{0};
  struct PerLoop {
    Loop* loop = nullptr;
    std::uint64_t version = UINT64_MAX;
    std::shared_ptr<const List> list;
  };
  mutable std::vector<PerLoop> per_loop_;  // each touched on its loop only
};

}  // namespace settee::inline v0::rpc::cluster
