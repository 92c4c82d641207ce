// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The addresses of a reference, and what happens to them in the course of time. The way of a call is in
// cluster_call.cc.

#include "settee/rpc/cluster/internal/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory_resource>
#include <unordered_map>
#include <unordered_set>

#include "settee/rpc/cluster/internal/regulator.h"
#include "settee/rpc/internal/this_host.h"

namespace settee::inline v0::rpc::cluster {

namespace {

constexpr std::size_t kFewest = 3;  // of so few a loss may be the truth

// Between the addresses that kElastic connects to in the background.
constexpr std::chrono::milliseconds kElasticPause{10};

// A provider begins with warmupWeight, and has its own weight warmupTime ms after its startTime.
Duration warm_in(const Provider& provider) {
  const std::int64_t time = provider.number("warmupTime", 0);
  if (time <= 0) return Duration::zero();
  const std::int64_t start = provider.number("startTime", 0);
  if (start <= 0) return Duration::zero();
  return std::chrono::milliseconds(start + time - milliseconds_now());
}
bool warms_up(const Provider& provider) { return warm_in(provider) > Duration::zero(); }

}  // namespace

std::string place_of(const Provider& provider) {
  std::string place = provider.protocol;
  place += "://";
  place += provider.endpoint.to_string();
  place += '/';
  place += provider.path;
  return place;
}

ClusterStats::ClusterStats(Stats& stats)
    : retries(stats.counter("settee.rpc.client.retries", "1", "Tries of calls after their first")),
      retries_refused(stats.counter("settee.rpc.client.retries_refused", "1",
                                    "Tries that were not made as the budget was used up")),
      no_provider(stats.counter("settee.rpc.client.no_provider", "1",
                                "Calls that found no address to go to")),
      kept(stats.counter("settee.rpc.client.providers_kept", "1",
                         "Providers kept although a registry no longer listed them")),
      ejected(stats.counter("settee.rpc.client.providers_ejected", "1",
                            "Times that outlier ejection took an address out")),
      breakers_opened(stats.counter("settee.rpc.client.breakers_opened", "1",
                                    "Times that a circuit breaker opened")) {}

Cluster::Cluster(Runtime& runtime, Transport& transport, ClusterOptions options)
    : runtime_(runtime),
      transport_(transport),
      options_(std::move(options)),
      stats_(runtime.stats()),
      regulated_(runtime.events().channel<ProviderRegulated>()),
      ejected_(runtime.events().channel<ProviderEjected>()),
      breaker_changed_(runtime.events().channel<BreakerChanged>()),
      addresses_changed_(runtime.events().channel<AddressesChanged>()),
      try_started_(runtime.events().channel<ClientTryStarted>()),
      try_ended_(runtime.events().channel<ClientTryEnded>()) {
  Result<std::shared_ptr<const Balancer>> made = make_balancer(options_.balancer, {}, counters_);
  if (!made) throw made.error();
  wants_key_ = (*made)->wants_key();
  balancer_ = options_.balancer;
  auto first = std::make_shared<List>();
  first->balancer = balancer_;
  first->plain = make_view(*first, {});
  list_ = std::move(first);
  per_loop_.resize(runtime.loops().size());
}

// The last to let go of a list may be a loop, whose calls shall not wait for the end of thousands of
// addresses.
std::shared_ptr<Cluster::List> Cluster::new_list() const {
  const std::span<Loop* const> loops = runtime_.loops();
  const auto end = [&pool = runtime_.pool(),
                    all = std::vector(loops.begin(), loops.end())](List* list) {
    constexpr std::size_t kFew = 100;
    // On a loop of the Runtime its pool is there as well.
    const bool here = std::find(all.begin(), all.end(), Loop::current()) != all.end();
    if (list->members.size() <= kFew || !here || !pool.submit([list] { delete list; })) {
      delete list;
    }
  };
  return {new List, end};
}

void Cluster::update(const Providers& all, std::vector<Dropped> dropped, std::string_view source,
                     std::size_t kept) {
  std::unique_lock building(building_);
  const std::shared_ptr<const List> old = list();
  // Both in one piece of memory: a list may have thousands.
  constexpr std::size_t kNode = 64;
  std::pmr::monotonic_buffer_resource memory((old->members.size() + all.size()) * kNode + 1);
  std::pmr::unordered_map<std::string_view, const std::shared_ptr<Member>*> known(&memory);
  known.reserve(old->members.size());
  for (const std::shared_ptr<Member>& member : old->members) {
    known.emplace(static_cast<const Peer&>(*member).place, &member);
  }
  const std::shared_ptr<List> next = new_list();
  next->balancer = balancer_;
  next->members.reserve(all.size());
  std::pmr::unordered_set<std::string_view> seen(&memory);
  seen.reserve(all.size());
  bool warming = false;
  std::size_t stayed = 0;
  for (const Provider& provider : all) {
    std::string where = place_of(provider);
    if (seen.contains(where)) continue;
    const auto found = known.find(where);
    if (found != known.end()) ++stayed;
    if (found != known.end() && (*found->second)->provider == provider) {
      next->members.push_back(*found->second);
      seen.insert(static_cast<const Peer&>(**found->second).place);
      continue;
    }
    auto peer = std::make_shared<Peer>(provider, std::move(where), clock_,
                                       transport_.address(provider.endpoint, options_.connections),
                                       options_.circuit_breaker.enabled);
    if (found != known.end()) peer->inherit(static_cast<const Peer&>(**found->second));
    warming = warming || warms_up(provider);
    seen.insert(peer->place);
    next->members.push_back(std::move(peer));
  }
  next->dropped = std::move(dropped);
  if (warming) warm_up(*next);
  make_views(*old, *next);
  AddressesChanged event;
  event.known = next->members.size();
  event.added = next->members.size() - stayed;
  event.removed = old->members.size() - stayed;
  event.kept = kept;
  std::vector<Waiting> woken;
  {
    const std::lock_guard lock(mutex_);
    list_ = next;
    version_.fetch_add(1, std::memory_order_release);
    woken.swap(waiting_);
  }
  building.unlock();
  for (const Waiting& waiting : woken) settee::detail::Parking::wake(waiting);
  if (warming || options_.fault_tolerance.regulation_effective ||
      options_.outlier_ejection.enabled) {
    keep_house();
  }
  if (options_.connect != ConnectWhen::kLazy) connect(*next);
  if (addresses_changed_.active()) {
    event.service = options_.service;
    event.source = source;
    addresses_changed_.publish(event);
  }
  if (old->members.empty()) return;
  // Loops that call nobody shall not keep what is gone connected.
  for (Loop* const loop : runtime_.loops()) {
    loop->post([weak = weak_from_this(), loop] {
      if (const auto self = weak.lock()) static_cast<void>(self->current(*loop));
    });
  }
}

void Cluster::balance_by(std::string_view balancer) {
  const std::lock_guard building(building_);
  if (balancer_ == balancer) return;
  wants_key_ = make_balancer(balancer, {}, counters_).value()->wants_key();
  balancer_ = balancer;
  const std::shared_ptr<const List> old = list();
  const std::shared_ptr<List> next = new_list();
  next->balancer = balancer_;
  next->members = old->members;
  next->dropped = old->dropped;
  make_views(*old, *next);
  const std::lock_guard lock(mutex_);
  list_ = next;
  // Before the first list of addresses, calls still wait for that.
  if (version_.load(std::memory_order_relaxed) != 0) {
    version_.fetch_add(1, std::memory_order_release);
  }
}

// What makes the dear ones dear is done here, on the thread that brings the news: the old list serves
// until then. So are the views that calls are likely to ask for.
void Cluster::make_views(const List& old, List& next) const {
  next.plain = make_view(next, {});
  {
    const std::lock_guard lock(old.mutex);
    for (const auto& [key, view] : old.views) next.views.emplace(key, nullptr);
  }
  for (auto& [key, view] : next.views) view = make_view(next, key);
}

void Cluster::update_from_registry(const Providers& all, std::vector<Dropped> dropped,
                                   std::string_view registry) {
  const std::shared_ptr<const List> old = list();
  const std::size_t before = old->members.size();
  // A registry that loses its data, or is cut off from the providers, must not take down what works.
  if (before < kFewest ? all.empty() && before > 0 : all.size() * 5 < before) {
    Providers both = all;
    std::unordered_set<std::string> listed;
    for (const Provider& provider : all) listed.insert(place_of(provider));
    for (const std::shared_ptr<Member>& member : old->members) {
      if (listed.contains(static_cast<const Peer&>(*member).place)) continue;
      both.push_back(member->provider);
    }
    const std::size_t kept = both.size() - all.size();
    stats_.kept.add(kept);
    runtime_.log(LogLevel::kWarning, "rpc",
                 fmt::format("{}: {} now lists {} of {} providers; the others are kept, and called "
                             "as long as they answer",
                             options_.service, registry, all.size(), before));
    update(both, std::move(dropped), registry, kept);
    return;
  }
  update(all, std::move(dropped), registry);
}

std::shared_ptr<const Cluster::List> Cluster::list() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

// What calls on this loop, which is the current one, use: renewed when there is another list.
Cluster::PerLoop& Cluster::current(const Loop& loop) const {
  PerLoop& here = per_loop_[loop.index()];
  if (const std::uint64_t version = version_.load(std::memory_order_acquire);
      version != here.version) {
    here.list = list();
    here.version = version;
    here.views.clear();
    const Members& members = here.list->members;
    std::erase_if(here.sticky, [&](const auto& kept) {
      return std::find(members.begin(), members.end(), kept.second) == members.end();
    });
  }
  return here;
}

std::shared_ptr<const Cluster::View> Cluster::make_view(const List& list,
                                                        std::string_view key) const {
  auto view = std::make_shared<View>();
  view->key = key;
  view->route = options_.route;
  view->members = list.members;
  // The routers' keys, each ended by a zero byte; without a key no router is asked.
  for (const std::shared_ptr<Router>& router : options_.routers) {
    if (key.empty()) break;
    const std::size_t end = key.find('\0');
    std::vector<const Provider*> candidates;
    for (const std::shared_ptr<Member>& member : view->members) {
      candidates.push_back(&member->provider);
    }
    std::vector<std::string> reasons;
    std::string failed;
    try {
      reasons = router->drop(key.substr(0, end), candidates);
    } catch (...) {
      failed = fmt::format("failed ({})", settee::detail::current_error().what());
    }
    key.remove_prefix(end + 1);
    view->route += fmt::format(">{}", router->name());
    if (failed.empty() && reasons.size() != candidates.size()) {
      failed = fmt::format("gave {} answers for {} addresses", reasons.size(), candidates.size());
    }
    if (!failed.empty()) {
      runtime_.log(LogLevel::kError, "rpc",
                   fmt::format("{}: router {} {}; it is left out", options_.service, router->name(),
                               failed));
      continue;
    }
    Members left;
    for (std::size_t i = 0; i < reasons.size(); ++i) {
      if (reasons[i].empty()) {
        left.push_back(view->members[i]);
      } else {
        view->dropped.push_back({candidates[i]->endpoint.to_string(), RouteStep::kRouter,
                                 fmt::format("{}: {}", router->name(), reasons[i])});
      }
    }
    view->members = std::move(left);
  }
  view->balancer = make_balancer(list.balancer, view->members, counters_).value();
  return view;
}

void Cluster::connect(const List& list) {
  std::vector<std::weak_ptr<Address>> rest;
  for (std::size_t i = 0; i < list.members.size(); ++i) {
    const auto& peer = static_cast<const Peer&>(*list.members[i]);
    if (options_.connect == ConnectWhen::kAll || i < options_.elastic_size) {
      peer.address->connect();
    } else if (peer.address->state() == AddressState::kIdle) {
      rest.push_back(peer.address);
    }
  }
  if (!rest.empty()) spawn(connect_rest(weak_from_this(), std::move(rest)));
}

// Under nobody's Context. Not when the Runtime stops: then there is nothing to do any more.
void Cluster::spawn(Task<void> task) {
  if (runtime_.stopped()) return;
  const ContextScope nobodys{Context()};
  try {
    runtime_.spawn(std::move(task));
  } catch (const Error&) {
    // Stopped meanwhile.
  }
}

Task<void> Cluster::connect_rest(std::weak_ptr<Cluster> cluster,
                                 std::vector<std::weak_ptr<Address>> rest) {
  for (const std::weak_ptr<Address>& one : rest) {
    co_await sleep_for(kElasticPause);
    if (cluster.expired()) co_return;
    if (const std::shared_ptr<Address> address = one.lock()) address->connect();
  }
}

// Once a second, as long as the cluster lives: what time changes.
void Cluster::keep_house() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(housekeeping_, true)) return;
  }
  spawn(house(weak_from_this()));
}

Task<void> Cluster::house(std::weak_ptr<Cluster> cluster) {
  for (;;) {
    co_await sleep_for(std::chrono::seconds(1));
    const std::shared_ptr<Cluster> self = cluster.lock();
    if (!self) co_return;
    const std::shared_ptr<const List> list = self->list();
    if (self->options_.fault_tolerance.regulation_effective) self->tolerate_faults(*list);
    if (self->options_.outlier_ejection.enabled) self->let_in(*list);
    self->warm_up(*list);
  }
}

void Cluster::warm_up(const List& list) {
  for (const std::shared_ptr<Member>& member : list.members) {
    auto& peer = static_cast<Peer&>(*member);
    const std::int64_t cold = peer.provider.number("warmupWeight", peer.tolerated.load());
    peer.set_weight(warms_up(peer.provider) ? static_cast<int>(cold) : peer.tolerated.load());
  }
}

void Cluster::tolerate_faults(const List& list) {
  const FaultTolerance& options = options_.fault_tolerance;
  if (++seconds_ < options.time_window.count()) return;
  seconds_ = 0;
  std::vector<Measure> measures(list.members.size());
  for (std::size_t i = 0; i < measures.size(); ++i) {
    auto& peer = static_cast<Peer&>(*list.members[i]);
    Measure& measure = measures[i];
    measure.base_weight = peer.base_weight;
    measure.weight = peer.tolerated.load();
    measure.warming_up = warms_up(peer.provider);
    measure.calls = peer.calls.exchange(0, std::memory_order_relaxed);
    measure.failures = peer.failures.exchange(0, std::memory_order_relaxed);
    peer.idle_windows = measure.calls == 0 ? peer.idle_windows + 1 : 0;
    measure.idle_windows = peer.idle_windows;
  }
  for (const Decision& decision : regulate(options, measures)) {
    auto& peer = static_cast<Peer&>(*list.members[decision.index]);
    ProviderRegulated event;
    event.service = options_.service;
    event.address = peer.address->text();
    event.weight_before = peer.tolerated.load();
    event.weight = decision.weight;
    event.effective = options.degrade_effective;
    event.reason = decision.reason;
    if (options.degrade_effective) peer.tolerated.store(decision.weight);
    runtime_.log(LogLevel::kWarning, "rpc",
                 fmt::format("{} at {}: weight {} {} {}: {}", event.service, event.address,
                             event.weight_before, event.effective ? "is now" : "would now be",
                             event.weight, event.reason));
    if (regulated_.active()) regulated_.publish(event);
  }
}

// A call has failed in a way that speaks against the address.
void Cluster::fault(Peer& peer, TimePoint now) {
  peer.failures.fetch_add(1, std::memory_order_relaxed);
  const OutlierEjection& options = options_.outlier_ejection;
  if (!options.enabled) return;
  const int failures = peer.failures_in_a_row.fetch_add(1, std::memory_order_relaxed) + 1;
  if (failures < options.consecutive_failures || peer.ejected.load()) return;
  const std::shared_ptr<const List> all = list();
  const std::lock_guard one_at_a_time(ejecting_);
  std::size_t out = 1;
  for (const std::shared_ptr<Member>& member : all->members) {
    if (static_cast<const Peer&>(*member).ejected.load()) ++out;
  }
  if (out * 100 > static_cast<std::size_t>(options.most_percent) * all->members.size()) return;
  if (peer.ejected.load()) return;
  const int times = peer.ejections.fetch_add(1) + 1;
  const auto time = std::min(options.base_time * times, options.most_time);
  peer.ejected_until.store((now + time).time_since_epoch().count());
  peer.ejected.store(true);
  peer.avoid(now + time);
  stats_.ejected.add();
  ProviderEjected event;
  event.service = options_.service;
  event.address = peer.address->text();
  event.time = time;
  event.reason = fmt::format("{} failures in a row", failures);
  runtime_.log(LogLevel::kWarning, "rpc",
               fmt::format("{} at {}: ejected for {} ms: {}", event.service, event.address,
                           time.count(), event.reason));
  if (ejected_.active()) ejected_.publish(event);
}

void Cluster::let_in(const List& list) {
  const TimePoint now = Clock::now();
  for (const std::shared_ptr<Member>& member : list.members) {
    auto& peer = static_cast<Peer&>(*member);
    const TimePoint until{Duration(peer.ejected_until.load())};
    if (peer.ejected.load() && now >= until) {
      peer.failures_in_a_row.store(0);
      peer.ejected.store(false);
      ProviderEjected event;
      event.service = options_.service;
      event.address = peer.address->text();
      event.reason = "its time is over";
      runtime_.log(LogLevel::kWarning, "rpc",
                   fmt::format("{} at {}: no longer ejected", event.service, event.address));
      if (ejected_.active()) ejected_.publish(event);
    } else if (peer.ejections.load() > 0 && !peer.ejected.load() &&
               now - until > options_.outlier_ejection.base_time) {
      // It has done well for as long: next time begins with less.
      peer.ejections.fetch_sub(1);
      peer.ejected_until.store(now.time_since_epoch().count());
    }
  }
}

void Cluster::describe(std::function<std::string()> source) {
  const std::lock_guard lock(mutex_);
  source_ = std::move(source);
}

std::string Cluster::source() const {
  std::function<std::string()> said;
  {
    const std::lock_guard lock(mutex_);
    said = source_;
  }
  return said ? said() : std::string("no address is known");
}

std::vector<AddressStatus> Cluster::addresses() const {
  static constexpr const char* kStates[] = {"idle", "available", "retry", "dead"};
  const std::shared_ptr<const List> all = list();
  std::vector<AddressStatus> statuses;
  for (const std::shared_ptr<Member>& member : all->members) {
    const auto& peer = static_cast<const Peer&>(*member);
    AddressStatus& status = statuses.emplace_back();
    status.url = peer.provider.to_string();
    status.state = kStates[static_cast<std::size_t>(peer.address->state())];
    status.dropped = peer.address->trouble();
    if (peer.ejected.load()) status.dropped = "ejected: failures in a row";
    status.weight = peer.weight();
    status.in_flight = peer.in_flight.load(std::memory_order_relaxed);
    status.latency = std::chrono::nanoseconds(peer.latency_ns.load(std::memory_order_relaxed));
  }
  for (const Dropped& one : all->dropped) {
    AddressStatus& status = statuses.emplace_back();
    status.url = one.address;
    status.state = "idle";
    status.dropped = fmt::format("{}: {}", to_string(one.step), one.reason);
  }
  return statuses;
}

std::vector<std::shared_ptr<Address>> Cluster::reachable() const {
  std::vector<std::shared_ptr<Address>> addresses;
  const std::shared_ptr<const List> all = list();
  for (const std::shared_ptr<Member>& member : all->members) {
    addresses.push_back(static_cast<const Peer&>(*member).address);
  }
  return addresses;
}

}  // namespace settee::inline v0::rpc::cluster
