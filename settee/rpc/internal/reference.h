// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ReferenceCore: what all references to one service with the same options share.
//
// Threads: any.

#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/event_bus.h"
#include "settee/rpc/client.h"
#include "settee/rpc/cluster/internal/cluster.h"
#include "settee/rpc/events.h"
#include "settee/rpc/internal/binding.h"
#include "settee/rpc/internal/client_core.h"
#include "settee/rpc/internal/filter_set.h"
#include "settee/rpc/internal/local_call.h"
#include "settee/rpc/internal/mock.h"
#include "settee/rpc/internal/refer_tuning.h"
#include "settee/rpc/registry.h"

namespace settee::inline v0::rpc {

/// CallOptions, as the calls that are made with them use them.
struct CallPlan {
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<int> retries;
  std::optional<net::Endpoint> target;

  CallPlan() = default;
  /// An Error (kInvalidArgument) for a target that is no address, or what no call could be made with.
  explicit CallPlan(const CallOptions& options);
  bool says_nothing() const noexcept { return !timeout && !retries && !target; }
};

class ReferenceCore {
 public:
  /// An Error (kInvalidArgument) for options that no call could be made with.
  ReferenceCore(std::shared_ptr<Client::Core> client, const ServiceInfo* service,
                std::string_view interface_name, ReferOptions options, bool from_registry);

  /// The addresses, once and for all.
  void set_addresses(const Providers& providers);
  /// The addresses are what these list, now and in future.
  void watch(const std::vector<std::shared_ptr<Registry>>& registries);
  /// Waits until an address is connected, as ReferOptions::check asks; an Error (kNoProvider) if none is
  /// in time.
  void check() const;

  const std::string& name() const noexcept { return name_; }
  std::vector<AddressStatus> addresses() const { return cluster_->addresses(); }

  /// A call. What `outgoing` points to, and `plan`, must live until the Task ends.
  Task<void> call(const Outgoing& outgoing, const CallPlan& plan) {
    if (direct_ && plan.says_nothing() && !observed() && client_->filters.empty()) {
      const cluster::Rules& rules = rules_of(outgoing).rules;
      if (!only_) return cluster_->call(*target_, outgoing, rules, nullptr);
      Outgoing there = outgoing;
      there.deadline = end_of(there, rules.timeout, client_->options.timeout);
      there.address = only_.get();
      return target_->call(there);
    }
    return whole(outgoing, plan);
  }

 private:
  /// What holds for calls of one method.
  struct MethodRules {
    std::string name;
    cluster::Rules rules;  // of calls that say nothing themselves
    std::size_t concurrents = 0;
    std::atomic<std::size_t> in_flight{0};
    bool own_timeout = false;  // said for the method
    bool own_retries = false;
    const ReferTuning::Slot* tuned = nullptr;  // none: of methods that nobody has named
  };
  struct PerLoop {
    std::uint64_t version = 0;
    std::vector<std::optional<FilterChain>> chains;                // of described methods
    std::map<std::string, FilterChain, std::less<>> named_chains;  // of others
  };
  class Place;
  struct Way;

  bool observed() const noexcept {
    return started_.active() || ended_.active() || try_started_.active() || try_ended_.active();
  }
  MethodRules& rules_of(const Outgoing& outgoing) noexcept;
  void tune(Way& way, const MethodRules& method, const CallPlan& plan);
  FilterChain chain_of(const Loop& loop, const Outgoing& outgoing);
  cluster::Observation facts_of(const Outgoing& outgoing) const;
  Error refuse(const Outgoing& outgoing, std::size_t most, std::string_view option);
  Task<void> whole(const Outgoing& outgoing, const CallPlan& plan);
  Task<void> elsewhere(Loop& loop, Outgoing outgoing, const CallPlan& plan);
  Task<void> told(Way& way);
  Task<void> routed(Way& way);
  Task<void> near_or_far(Way& way);

  const std::shared_ptr<Client::Core> client_;
  const ServiceInfo* const service_;
  const ReferOptions options_;
  const ServiceKey key_;
  const std::string name_;
  std::string address_;  // for filters and messages
  std::deque<MethodRules>
      methods_;  // of a described service, in its order; then those named in options
  MethodRules others_;
  std::atomic<std::size_t> in_flight_{0};
  const std::shared_ptr<Transport> transport_;
  const std::unique_ptr<Target> target_;
  const std::shared_ptr<cluster::Cluster> cluster_;
  std::unique_ptr<LocalTarget> local_;   // null: calls go over connections only
  std::unique_ptr<ReferTuning> tuning_;  // null: no dynamic configuration
  bool direct_ = false;                  // no step of this reference stands before the cluster's
  std::shared_ptr<Address> only_;        // then there is nothing for the cluster to decide either
  std::vector<std::shared_ptr<Registry>> registries_;
  std::vector<Registry::Watch> watches_;
  std::vector<PerLoop> per_loop_;  // each touched on its loop only

  const EventChannel<ClientCallStarted> started_;
  const EventChannel<ClientCallEnded> ended_;
  const EventChannel<ClientTryStarted> try_started_;
  const EventChannel<ClientTryEnded> try_ended_;
  const EventChannel<CallRefused> refused_;
};

}  // namespace settee::inline v0::rpc
