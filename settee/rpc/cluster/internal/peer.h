// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Peer: an address of a reference's list, with its connections and what calls have shown of it.
//
// Threads: any.

#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "settee/rpc/cluster/internal/balancer.h"
#include "settee/rpc/cluster/internal/breaker.h"
#include "settee/rpc/internal/binding.h"

namespace settee::inline v0::rpc::cluster {

/// Where a provider stands; two cannot stand at the same place.
std::string place_of(const Provider& provider);

class Peer final : public Member {
 public:
  /// `breakers`: breaker() will be asked for.
  Peer(Provider p, std::string where, std::shared_ptr<WeightClock> clock,
       std::shared_ptr<Address> a, bool breakers)
      : Member(std::move(p), std::move(clock)),
        place(std::move(where)),
        address(std::move(a)),
        timeout(provider.number("timeout", 0)),
        breakers_(breakers ? std::make_shared<Breakers>() : nullptr) {}

  const std::string place;
  const std::shared_ptr<Address> address;
  const std::chrono::milliseconds timeout;  ///< As published; 0: none.

  /// Not chosen before `until` if there is another: it said that it leaves, or is ejected.
  void avoid(TimePoint until) noexcept { extend(avoid_until_, until); }
  /// The same, as it could not be reached; the next connection ends that.
  void avoid_unreached(TimePoint until) noexcept { extend(unreached_until_, until); }
  bool avoided(TimePoint now) const noexcept {
    const TimePoint::rep ticks = now.time_since_epoch().count();
    if (avoid_until_.load(std::memory_order_relaxed) > ticks) return true;
    return unreached_until_.load(std::memory_order_relaxed) > ticks &&
           address->state() != AddressState::kAvailable;
  }

  /// Of the window that runs, for fault tolerance.
  std::atomic<std::int64_t> calls{0};
  std::atomic<std::int64_t> failures{0};
  int idle_windows = 0;                     // the housekeeper's
  std::atomic<int> tolerated{base_weight};  // the weight by fault tolerance

  /// For outlier ejection.
  std::atomic<int> failures_in_a_row{0};
  std::atomic<bool> ejected{false};
  std::atomic<int> ejections{0};
  std::atomic<TimePoint::rep> ejected_until{0};

  /// What calls have shown of the address under its earlier attributes, if the process is the same.
  void inherit(const Peer& before) {
    latency_ns.store(before.latency_ns.load());
    if (provider.attribute("startTime") != before.provider.attribute("startTime")) return;
    avoid_until_.store(before.avoid_until_.load());
    unreached_until_.store(before.unreached_until_.load());
    failures_in_a_row.store(before.failures_in_a_row.load());
    ejected_until.store(before.ejected_until.load());
    ejections.store(before.ejections.load());
    ejected.store(before.ejected.load());
    breakers_ = before.breakers_;
  }

  /// Of a method; made when it is first asked for, and then there as long as this.
  Breaker& breaker(std::string_view method) {
    Breakers& all = *breakers_;
    const std::lock_guard lock(all.mutex);
    const auto found = all.by_method.find(method);
    if (found != all.by_method.end()) return found->second;
    // Names that a program makes up share one.
    return all.by_method[all.by_method.size() < kMostMethods ? std::string(method) : std::string()];
  }

 private:
  static constexpr std::size_t kMostMethods = 1'000;
  static void extend(std::atomic<TimePoint::rep>& end, TimePoint until) noexcept {
    TimePoint::rep now = end.load(std::memory_order_relaxed);
    const TimePoint::rep then = until.time_since_epoch().count();
    while (now < then && !end.compare_exchange_weak(now, then)) {
    }
  }
  struct Breakers {
    std::mutex mutex;
    std::map<std::string, Breaker, std::less<>> by_method;
  };
  std::atomic<TimePoint::rep> avoid_until_{0};
  std::atomic<TimePoint::rep> unreached_until_{0};
  std::shared_ptr<Breakers> breakers_;
};

}  // namespace settee::inline v0::rpc::cluster
