// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Cluster: the addresses of one reference, and the way of a call to one of them: route, choose, try,
// and try another where that is safe.
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
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "settee/base/detail/parking.h"
#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/rpc/cluster/internal/balancer.h"
#include "settee/rpc/cluster/internal/peer.h"
#include "settee/rpc/events.h"
#include "settee/rpc/internal/binding.h"
#include "settee/rpc/no_provider.h"
#include "settee/rpc/router.h"

namespace settee::inline v0::rpc::cluster {

struct ClusterOptions {
  std::string service;  ///< Unique name, for messages.
  std::string balancer = "auto";
  ClusterMode mode = ClusterMode::kFailover;
  std::chrono::milliseconds timeout{3'000};  ///< Of calls for which nobody says another.
  std::chrono::milliseconds address_wait{
      0};  ///< For the first list. 0: as long as the call has time.
  bool sticky = false;
  ConnectWhen connect = ConnectWhen::kLazy;
  int connections = 1;
  std::size_t elastic_size = 5;
  std::string route = "DIRECT";  ///< The record of a call's way begins with it.
  std::vector<std::shared_ptr<Router>> routers;
  FaultTolerance fault_tolerance;
  OutlierEjection outlier_ejection;
  CircuitBreaker circuit_breaker;
};

/// How one call is to be made.
struct Rules {
  std::optional<std::chrono::milliseconds>
      timeout;                               ///< None: what the provider says, or the options.
  std::chrono::milliseconds try_timeout{0};  ///< 0: none.
  int retries = 0;                           ///< Beyond what is safe, as the caller asked.
  bool idempotent = false;
  const net::Endpoint* target = nullptr;  ///< It may go there only.
  std::string_view hash_key;              ///< See Choice; only if wants_key().
};

/// What listeners are told of a call; null if there are none.
struct Observation {
  CallFacts facts;
  CallMeasures measures;
  std::string address;
  std::string route;
  int tries = 0;
};

struct ClusterStats {
  explicit ClusterStats(Stats& stats);
  Counter& retries;
  Counter& retries_refused;  // the budget was used up
  Counter& no_provider;
  Counter& kept;  // providers kept although the registry no longer lists them
  Counter& ejected;
  Counter& breakers_opened;
};

class Cluster : public std::enable_shared_from_this<Cluster> {
 public:
  Cluster(Runtime& runtime, Transport& transport, ClusterOptions options);

  /// The list has changed: those that may be called, and those that may not and why. Keeps what is
  /// known of addresses that stay. `source`: for those who are told.
  void update(const Providers& all, std::vector<Dropped> dropped, std::string_view source,
              std::size_t kept = 0);
  /// The same, from a registry: a list that has lost most of what it had is not believed at once.
  void update_from_registry(const Providers& all, std::vector<Dropped> dropped,
                            std::string_view registry);

  /// Chooses by this load balancer from now on. The name must be one.
  void balance_by(std::string_view balancer);

  /// Where the addresses come from and how that is, for the error when there are none.
  void describe(std::function<std::string()> source);

  /// A call by the reference's rules. All that is passed and pointed to must live until the Task ends.
  Task<void> call(Target& target, const Outgoing& outgoing, const Rules& rules, Observation* seen);
  bool wants_key() const noexcept { return wants_key_.load(std::memory_order_relaxed); }

  std::vector<AddressStatus> addresses() const;
  /// All addresses that may be called.
  std::vector<std::shared_ptr<Address>> reachable() const;
  /// The error of a call that finds no address; `what` names it.
  Error no_provider(std::string_view what) const;

  /// A try that did not bring an answer.
  struct Failure {
    std::shared_ptr<Peer> peer;
    Error error;
  };

 private:
  /// The addresses to which calls of one key of the routers may go.
  struct View {
    Members members;
    std::shared_ptr<const Balancer> balancer;
    std::vector<Dropped> dropped;  // by routers
    std::string key;               // of the routers
    std::string route;
    Peer& peer(std::size_t index) const { return static_cast<Peer&>(*members[index]); }
  };
  using Views = std::unordered_map<std::string, std::shared_ptr<const View>>;
  struct List {
    std::string balancer;
    Members members;
    std::vector<Dropped> dropped;       // before routers
    std::shared_ptr<const View> plain;  // without routers
    mutable std::mutex mutex;
    mutable Views views;  // by key, under the mutex
  };
  struct PerLoop {
    std::uint64_t version = UINT64_MAX;
    std::shared_ptr<const List> list;
    Views views;
    std::unordered_map<std::string, std::shared_ptr<Peer>> sticky;  // by the views' keys
  };
  class Try;
  class Attempts;

  std::shared_ptr<List> new_list() const;
  PerLoop& current(const Loop& loop) const;
  std::shared_ptr<const List> list() const;
  Task<void> known(TimePoint by);
  Task<void> call_later(Target& target, Outgoing outgoing, const Rules& rules, Observation* seen);
  std::string route_key(const Outgoing& outgoing) const;
  Task<std::shared_ptr<const View>> view(const Outgoing& outgoing);
  void make_views(const List& old, List& next) const;
  std::shared_ptr<const View> make_view(const List& list, std::string_view key) const;
  std::shared_ptr<Peer> choose(PerLoop& here, const View& view, const Outgoing& outgoing,
                               const Rules& rules, const std::vector<Failure>& failures,
                               bool anywhere) const;
  std::size_t draw(const View& view, Choice& choice, std::string_view method,
                   const std::vector<Failure>& failures) const;
  std::shared_ptr<Peer> peer_at(const net::Endpoint& endpoint) const;
  Task<void> broadcast(Target& target, Outgoing outgoing, std::shared_ptr<const View> view,
                       TimePoint by, Observation* seen);
  bool again(const Rules& rules, const Error& error, int& retries, bool& anywhere);
  void note(Peer& peer, std::string_view method, Breaker::Ticket ticket, const Result<void>& ended,
            TimePoint began);
  void fault(Peer& peer, TimePoint now);
  void tell(const Peer& peer, std::string_view method,
            const std::optional<Breaker::Change>& change);
  void connect(const List& list);
  void spawn(Task<void> task);
  void keep_house();
  static Task<void> house(std::weak_ptr<Cluster> cluster);
  static Task<void> connect_rest(std::weak_ptr<Cluster> cluster,
                                 std::vector<std::weak_ptr<Address>> rest);
  void warm_up(const List& list);
  void tolerate_faults(const List& list);
  void let_in(const List& list);
  Error broadcast_failed(const Outgoing& outgoing, const View& view,
                         const std::vector<Failure>& failures);
  Error failed(const Outgoing& outgoing, const View& view, const std::vector<Failure>& failures);
  std::shared_ptr<const NoProvider> why(const View& view, std::string_view method,
                                        const std::vector<Failure>& failures) const;
  std::string source() const;

  Runtime& runtime_;
  Transport& transport_;
  const ClusterOptions options_;
  ClusterStats stats_;
  const EventChannel<ProviderRegulated> regulated_;
  const EventChannel<ProviderEjected> ejected_;
  const EventChannel<BreakerChanged> breaker_changed_;
  const EventChannel<AddressesChanged> addresses_changed_;
  const EventChannel<ClientTryStarted> try_started_;
  const EventChannel<ClientTryEnded> try_ended_;
  const std::shared_ptr<RoundCounters> counters_ = std::make_shared<RoundCounters>();
  const std::shared_ptr<WeightClock> clock_ = std::make_shared<WeightClock>();
  std::atomic<bool> wants_key_{false};
  std::mutex building_;   // held while a new list is made: one follows the other
  std::string balancer_;  // under building_

  // Of retries, in thousandths: each call earns a part of one.
  std::atomic<std::int32_t> budget_{kFullBudget};
  static constexpr std::int32_t kFullBudget = 20'000;
  static constexpr std::int32_t kEarned = 200;

  bool housekeeping_ = false;  // under the mutex
  int seconds_ = 0;            // the housekeeper's, of the window

  std::mutex ejecting_;
  mutable std::mutex mutex_;
  std::shared_ptr<const List> list_;  // replaced as a whole, under the mutex
  std::function<std::string()> source_;
  using Waiting = std::shared_ptr<settee::detail::Parking::State>;
  std::vector<Waiting> waiting_;  // for the first list
  std::atomic<std::uint64_t> version_{0};
  mutable std::vector<PerLoop> per_loop_;  // each touched on its loop only
};

}  // namespace settee::inline v0::rpc::cluster
