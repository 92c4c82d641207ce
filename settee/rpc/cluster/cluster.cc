// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "settee/base/detail/parking.h"
#include "settee/rpc/internal/this_host.h"

namespace settee::inline v0::rpc::cluster {

namespace {

// How long an address that could not be reached is left alone while there are others. Its connection is
// tried again in the background meanwhile.
constexpr std::chrono::milliseconds kAvoidUnreachable{1'000};
// And one that refused as it was busy or about to leave.
constexpr std::chrono::milliseconds kAvoidBusy{100};

constexpr std::size_t kFewest = 3;      // of so few a loss may be the truth
constexpr std::size_t kMostTries = 16;  // of one call

// Whether the call cannot have begun.
bool never_began(Code code) {
  return code == Code::kConnectFailed || code == Code::kBusy || code == Code::kOverflow;
}

// Whether it may have run without our knowing.
bool may_have_run(Code code) { return code == Code::kConnectionClosed || code == Code::kTimeout; }

// Whether it speaks against the address: what the caller or the method did wrong does not.
bool is_fault(Code code) {
  return may_have_run(code) || code == Code::kBusy || code == Code::kConnectFailed ||
         code == Code::kPeerError || code == Code::kPeerEncode || code == Code::kProtocol;
}

// A provider begins with warmupWeight, and has its own weight warmupTime ms after its startTime.
Duration warm_in(const Provider& provider) {
  const std::int64_t time = provider.number("warmupTime", 0);
  const std::int64_t start = provider.number("startTime", 0);
  if (time <= 0 || start <= 0) return Duration::zero();
  return std::chrono::milliseconds(start + time - milliseconds_now());
}
bool warms_up(const Provider& provider) { return warm_in(provider) > Duration::zero(); }

// Where a provider stands; two cannot stand at the same place.
std::string place(const Provider& provider) {
  return fmt::format("{}://{}/{}", provider.protocol, provider.endpoint.to_string(), provider.path);
}

// xorshift64*, one for each thread: a choice of addresses needs no better.
std::uint64_t random_bits() noexcept {
  static constinit thread_local std::uint64_t state = 0;
  if (state == 0) {
    const auto now = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
    state = (now ^ reinterpret_cast<std::uintptr_t>(&state)) | 1;
  }
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1dULL;
}

}  // namespace

ClusterStats::ClusterStats(Stats& stats)
    : retries(stats.counter("settee.rpc.client.retries", "1", "Tries of calls after their first")),
      retries_refused(stats.counter("settee.rpc.client.retries_refused", "1",
                                    "Tries that were not made as the budget was used up")),
      no_provider(stats.counter("settee.rpc.client.no_provider", "1",
                                "Calls that found no address to go to")),
      kept(stats.counter("settee.rpc.client.providers_kept", "1",
                         "Providers kept although a registry no longer listed them")) {}

Cluster::Cluster(Runtime& runtime, Transport& transport, ClusterOptions options)
    : runtime_(runtime),
      transport_(transport),
      options_(std::move(options)),
      stats_(runtime.stats()),
      regulated_(runtime.events().channel<ProviderRegulated>()),
      list_(std::make_shared<List>()) {
  Result<std::shared_ptr<const Balancer>> made = make_balancer(options_.balancer, {}, counters_);
  if (!made) throw made.error();
  wants_key_ = (*made)->wants_key();
  for (std::size_t i = 0; i < runtime.loop_count(); ++i)
    per_loop_.emplace_back().loop = &runtime.loop(i);
  if (runtime.has_foreign_loop()) per_loop_.emplace_back().loop = &runtime.foreign_loop();
}

void Cluster::update(const Providers& all) {
  const std::shared_ptr<const List> old = list();
  std::map<std::string, std::shared_ptr<Member>> known;
  for (const std::shared_ptr<Member>& member : old->members) {
    known.emplace(place(member->provider), member);
  }
  auto next = std::make_shared<List>();
  next->members.reserve(all.size());
  std::set<std::string> seen;
  bool warming = false;
  for (const Provider& provider : all) {
    std::string where = place(provider);
    if (!seen.insert(where).second) continue;
    const auto found = known.find(where);
    if (found != known.end() && found->second->provider == provider) {
      next->members.push_back(found->second);
      continue;
    }
    auto peer = std::make_shared<Peer>(provider, clock_, transport_.address(provider.endpoint));
    if (found != known.end()) peer->latency_ns.store(found->second->latency_ns.load());
    warming = warming || warms_up(provider);
    next->members.push_back(std::move(peer));
  }
  if (warming) warm_up(*next);
  // What makes the dear ones dear is done here, on the thread that brings the news: the old list serves
  // until then.
  next->balancer = make_balancer(options_.balancer, next->members, counters_).value();
  std::vector<Waiting> woken;
  {
    const std::lock_guard lock(mutex_);
    list_ = std::move(next);
    version_.fetch_add(1, std::memory_order_release);
    woken.swap(waiting_);
  }
  for (const Waiting& waiting : woken) settee::detail::Parking::wake(waiting);
  if (warming || options_.fault_tolerance.regulation_effective) keep_house();
  if (old->members.empty()) return;
  // Loops that call nobody shall not keep what is gone connected.
  for (const PerLoop& one : per_loop_) {
    one.loop->post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) static_cast<void>(self->current());
    });
  }
}

void Cluster::update_from_registry(const Providers& all, std::string_view registry) {
  const std::shared_ptr<const List> old = list();
  const std::size_t before = old->members.size();
  // A registry that loses its data, or is cut off from the providers, must not take down what works.
  if (before < kFewest ? all.empty() && before > 0 : all.size() * 5 < before) {
    Providers both = all;
    std::set<std::string> listed;
    for (const Provider& provider : all) listed.insert(place(provider));
    for (const std::shared_ptr<Member>& member : old->members) {
      if (listed.contains(place(member->provider))) continue;
      both.push_back(member->provider);
      stats_.kept.add();
    }
    runtime_.log(LogLevel::kWarning, "rpc",
                 fmt::format("{}: {} now lists {} of {} providers; the others are kept, and called "
                             "as long as they answer",
                             options_.service, registry, all.size(), before));
    update(both);
    return;
  }
  update(all);
}

std::shared_ptr<const Cluster::List> Cluster::list() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

// The list that calls on this loop use: a copy of it here, renewed when there is another.
const Cluster::List& Cluster::current() const {
  PerLoop& here = *std::find_if(per_loop_.begin(), per_loop_.end(),
                                [](const PerLoop& one) { return one.loop == Loop::current(); });
  if (const std::uint64_t version = version_.load(std::memory_order_acquire);
      version != here.version) {
    here.list = list();
    here.version = version;
  }
  return *here.list;
}

// Waits for the first list, which a registry brings.
Task<void> Cluster::known(TimePoint by) {
  settee::detail::Parking parking;
  {
    const std::lock_guard lock(mutex_);
    if (version_.load() != 0) co_return;
    waiting_.push_back(parking.waker());
  }
  using Reason = settee::detail::Parking::Reason;
  const Reason reason = co_await parking.wait(by);
  if (reason != Reason::kWoken) {
    const std::lock_guard lock(mutex_);
    std::erase(waiting_, parking.waker());
  }
  if (reason != Reason::kWoken && reason != Reason::kTime) {
    co_await fail(settee::detail::Parking::error(
        reason, fmt::format("waiting for the first providers of {}", options_.service)));
  }
}

namespace {

bool tried(const std::vector<Cluster::Failure>& failures, const Member& member) {
  return std::any_of(failures.begin(), failures.end(),
                     [&](const auto& failure) { return failure.peer.get() == &member; });
}

}  // namespace

std::size_t Cluster::choose(const List& list, Choice& choice,
                            const std::vector<Failure>& failures) const {
  const std::size_t count = list.members.size();
  if (count == 0) return Balancer::kNone;
  const TimePoint::rep now = Loop::current()->now().time_since_epoch().count();
  const auto good = [&](std::size_t index) {
    const Peer& peer = list.peer(index);
    return peer.avoid_until.load(std::memory_order_relaxed) <= now && !tried(failures, peer);
  };
  for (int draw = 0; draw < 3; ++draw) {
    const std::size_t index = list.balancer->choose(choice);
    if (good(index)) return index;
    choice.random = random_bits();
    ++choice.attempt;
  }
  // Most are out: whoever is left, and if nobody is, whoever has not been tried.
  const std::size_t from = choice.random % count;
  for (std::size_t i = 0; i < count; ++i) {
    if (const std::size_t index = (from + i) % count; good(index)) return index;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (const std::size_t index = (from + i) % count; !tried(failures, list.peer(index))) {
      return index;
    }
  }
  return Balancer::kNone;
}

// Whether a call that failed like this is tried at another address, or, as the caller asked for it, at
// one that was tried before if there is no other.
bool Cluster::again(const Outgoing& outgoing, const Error& error, int& retries, bool& anywhere) {
  anywhere = false;
  if (options_.mode != ClusterMode::kFailover) return false;
  if (error.code() == Code::kConnectFailed) return true;  // costs nobody anything
  if (may_have_run(error.code())) {
    anywhere = retries > 0;
    if (anywhere) --retries;
    const bool idempotent = outgoing.method != nullptr && outgoing.method->idempotent;
    if (!anywhere && !idempotent) return false;
  } else if (!never_began(error.code())) {
    return false;
  }
  if (budget_.fetch_sub(1'000, std::memory_order_relaxed) >= 1'000) return true;
  budget_.fetch_add(1'000, std::memory_order_relaxed);
  stats_.retries_refused.add();
  return false;
}

void Cluster::note(Peer& peer, const Result<void>& ended, TimePoint began) {
  const TimePoint now = Clock::now();
  peer.calls.fetch_add(1, std::memory_order_relaxed);
  if (ended || ended.error().code() == Code::kBusiness) {
    const auto took = std::chrono::nanoseconds(now - began).count();
    const std::int64_t mean = peer.latency_ns.load(std::memory_order_relaxed);
    peer.latency_ns.store(mean == 0 ? std::max<std::int64_t>(took, 1) : mean + (took - mean) / 8,
                          std::memory_order_relaxed);
    return;
  }
  const Code code = ended.error().code();
  if (is_fault(code)) peer.failures.fetch_add(1, std::memory_order_relaxed);
  if (code != Code::kConnectFailed && code != Code::kBusy) return;
  const Duration pause = code == Code::kBusy ? kAvoidBusy : kAvoidUnreachable;
  peer.avoid_until.store((now + pause).time_since_epoch().count(), std::memory_order_relaxed);
}

Task<void> Cluster::call(Target& target, Outgoing outgoing, std::string hash_key) {
  const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
  const TimePoint by =
      std::min(Context::share(self.context).deadline(), Clock::now() + outgoing.timeout);
  Loop& loop = runtime_.loop();
  if (!loop.in_loop()) co_await resume_on(loop);
  if (version_.load(std::memory_order_acquire) == 0) co_await known(by);
  if (const std::int32_t budget = budget_.load(std::memory_order_relaxed); budget < kFullBudget) {
    budget_.store(budget + kEarned, std::memory_order_relaxed);
  }
  std::vector<Failure> failures;
  int retries = options_.retries;
  bool anywhere = false;
  for (;;) {
    std::shared_ptr<Peer> peer;
    {
      const List& list = current();
      Choice choice;
      choice.method = outgoing.name;
      choice.random = random_bits();
      choice.hash_key = hash_key;
      std::size_t index = choose(list, choice, failures);
      if (index == Balancer::kNone && anywhere) index = list.balancer->choose(choice);
      if (index == Balancer::kNone) {
        Error error = failed(outgoing, failures);
        co_await fail(std::move(error));
      }
      peer = std::static_pointer_cast<Peer>(list.members[index]);
    }
    const TimePoint began = Clock::now();
    outgoing.timeout = std::chrono::ceil<std::chrono::milliseconds>(by - began);
    if (!failures.empty()) stats_.retries.add();
    peer->in_flight.fetch_add(1, std::memory_order_relaxed);
    Task<void> attempt = target.call(peer->address, outgoing);
    Result<void> ended = co_await as_result(std::move(attempt));
    peer->in_flight.fetch_sub(1, std::memory_order_relaxed);
    note(*peer, ended, began);
    if (ended) co_return;
    failures.push_back({std::move(peer), ended.error()});
    if (failures.size() >= kMostTries || !again(outgoing, ended.error(), retries, anywhere) ||
        Clock::now() >= by) {
      Error error = failed(outgoing, failures);
      co_await fail(std::move(error));
    }
  }
}

// Once a second, as long as the cluster lives: weights that time changes.
void Cluster::keep_house() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(housekeeping_, true)) return;
  }
  if (runtime_.stopped()) return;
  const ContextScope nobodys{Context()};
  try {
    runtime_.spawn(house(weak_from_this()));
  } catch (const Error&) {
    // Stopped meanwhile: there is no house to keep.
  }
}

Task<void> Cluster::house(std::weak_ptr<Cluster> cluster) {
  for (;;) {
    co_await sleep_for(std::chrono::seconds(1));
    const std::shared_ptr<Cluster> self = cluster.lock();
    if (!self) co_return;
    const std::shared_ptr<const List> list = self->list();
    if (self->options_.fault_tolerance.regulation_effective) self->tolerate_faults(*list);
    self->warm_up(*list);
  }
}

void Cluster::warm_up(const List& list) {
  for (std::size_t i = 0; i < list.members.size(); ++i) {
    Peer& peer = list.peer(i);
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
    Peer& peer = list.peer(i);
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
    Peer& peer = list.peer(decision.index);
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

// What the caller is told: what became of each try.
Error Cluster::failed(const Outgoing& outgoing, const std::vector<Failure>& failures) {
  const std::string what = fmt::format("{}#{}", options_.service, outgoing.name);
  if (failures.empty()) {
    stats_.no_provider.add();
    return Error(Code::kNoProvider, fmt::format("{}: {}", what, describe_source()));
  }
  const Error& last = failures.back().error;
  if (failures.size() == 1) return last;
  bool none_reached = true;
  std::string tries;
  for (const Failure& failure : failures) {
    none_reached = none_reached && failure.error.code() == Code::kConnectFailed;
    const Error* cause = failure.error.cause();
    tries += fmt::format("{}{}: {}", tries.empty() ? "" : "; ", failure.peer->address->text(),
                         cause != nullptr ? cause->message() : failure.error.message());
  }
  if (none_reached) stats_.no_provider.add();
  return Error(none_reached ? Code::kNoProvider : last.code(),
               fmt::format("{}: {} addresses were tried: {}", what, failures.size(), tries));
}

std::string Cluster::describe_source() const {
  const std::lock_guard lock(mutex_);
  if (source_.empty()) return "no address is known";
  return fmt::format("no address is known: {}", source_);
}

void Cluster::describe(std::string source) {
  const std::lock_guard lock(mutex_);
  source_ = std::move(source);
}

}  // namespace settee::inline v0::rpc::cluster
