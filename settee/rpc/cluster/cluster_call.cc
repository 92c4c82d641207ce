// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The way of a call: route, choose, try, and try another where that is safe.

#include <fmt/format.h>

#include <algorithm>

#include "settee/rpc/cluster/internal/cluster.h"

namespace settee::inline v0::rpc::cluster {

namespace {

// How long an address that could not be reached is left alone while there are others. Its connection is
// tried again in the background meanwhile.
constexpr std::chrono::milliseconds kAvoidUnreachable{1'000};
// And one that refused as it was busy or about to leave.
constexpr std::chrono::milliseconds kAvoidBusy{100};

constexpr std::size_t kMostTries = 16;  // of one call
constexpr std::size_t kMostViews = 64;  // kept for different keys of routers
constexpr std::size_t kMostNamed = 10;  // addresses in a message; the detail has all

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

// Whether it says nothing of the address, as the caller gave up.
bool is_ours(Code code) {
  return code == Code::kCancelled || code == Code::kStopped || code == Code::kOverflow ||
         code == Code::kEncode || code == Code::kInvalidArgument;
}

RouteStep step_of(Code code) {
  if (code == Code::kBusy) return RouteStep::kBusy;
  if (code == Code::kTimeout) return RouteStep::kTimeout;
  if (code == Code::kConnectFailed) return RouteStep::kConnect;
  return RouteStep::kLost;
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

bool tried(const std::vector<Cluster::Failure>& failures, const Member& member) {
  return std::any_of(failures.begin(), failures.end(),
                     [&](const auto& failure) { return failure.peer.get() == &member; });
}

}  // namespace

// One try of a call, as far as it is counted and told.
class Cluster::Try {
 public:
  Try(Cluster& cluster, Peer& peer, Outgoing& outgoing, Observation* seen, Breaker::Ticket ticket)
      : cluster_(cluster),
        peer_(peer),
        method_(outgoing.name),
        seen_(seen),
        ticket_(ticket),
        began_(outgoing.now) {
    peer_.in_flight.fetch_add(1, std::memory_order_relaxed);
    if (seen_ != nullptr) begin(outgoing);
  }
  ~Try() {
    if (ended_) return;
    // The call was given up: that says nothing of the address.
    peer_.in_flight.fetch_sub(1, std::memory_order_relaxed);
    if (ticket_ == 0) return;
    std::optional<Breaker::Change> change;
    peer_.breaker(method_).note(cluster_.options_.circuit_breaker, Clock::now(), ticket_,
                                Breaker::Outcome::kNeither, change);
  }
  Try(const Try&) = delete;
  Try& operator=(const Try&) = delete;

  void end(const Result<void>& ended) {
    ended_ = true;
    peer_.in_flight.fetch_sub(1, std::memory_order_relaxed);
    cluster_.note(peer_, method_, ticket_, ended, began_);
    if (seen_ == nullptr) return;
    if (!cluster_.try_ended_.active()) return;
    ClientTryEnded event;
    event.call = seen_->facts.borrowed();
    event.number = number_;
    event.address = peer_.address->text();
    if (!ended) event.error = ended.error();
    event.took = Clock::now() - began_;
    event.measures = seen_->measures;
    cluster_.try_ended_.publish(event);
  }

 private:
  void begin(Outgoing& outgoing) {
    number_ = ++seen_->tries;
    seen_->address = peer_.address->text();
    seen_->measures = {};
    outgoing.measures = &seen_->measures;
    if (!cluster_.try_started_.active()) return;
    if (outgoing.headers != nullptr) headers_ = *outgoing.headers;
    ClientTryStarted event;
    event.call = seen_->facts.borrowed();
    event.number = number_;
    event.address = peer_.address->text();
    event.headers = &headers_;
    cluster_.try_started_.publish(event);
    if (!headers_.empty()) outgoing.headers = &headers_;
  }

  Cluster& cluster_;
  Peer& peer_;
  const std::string_view method_;
  Observation* const seen_;
  const Breaker::Ticket ticket_;
  const TimePoint began_;
  bool ended_ = false;
  int number_ = 0;
  Baggage headers_;
};

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

std::string Cluster::route_key(const Outgoing& outgoing) const {
  RoutedCall call;
  call.service = options_.service;
  call.method = outgoing.name;
  call.baggage = context().get(kRequestBaggage);
  std::string all;
  for (const std::shared_ptr<Router>& router : options_.routers) {
    std::string key = router->key(call);
    std::replace(key.begin(), key.end(), '\0', '?');
    all.append(key).push_back('\0');
  }
  return all;
}

// The addresses for this call, when there are routers.
Task<std::shared_ptr<const Cluster::View>> Cluster::view(const Outgoing& outgoing) {
  const std::string key = route_key(outgoing);
  const Loop& loop = *Loop::current();
  PerLoop& here = current(loop);
  if (const auto found = here.views.find(key); found != here.views.end()) co_return found->second;
  const std::shared_ptr<const List> list = here.list;
  std::shared_ptr<const View> made;
  {
    const std::lock_guard lock(list->mutex);
    if (const auto found = list->views.find(key); found != list->views.end()) made = found->second;
  }
  if (!made) {
    if (is_dear(list->balancer)) {
      // The loop's other calls do not wait for it.
      Task<std::shared_ptr<const View>> work =
          run_on(runtime_.pool(), [this, list, key] { return make_view(*list, key); });
      made = co_await std::move(work);
    } else {
      made = make_view(*list, key);
    }
    const std::lock_guard lock(list->mutex);
    if (list->views.size() < kMostViews) list->views.emplace(key, made);
  }
  PerLoop& now = current(loop);
  if (now.list == list && now.views.size() < kMostViews) now.views.emplace(key, made);
  co_return made;
}

// By the balancer; kNone if nobody is left.
std::size_t Cluster::draw(const View& view, Choice& choice, std::string_view method,
                          const std::vector<Failure>& failures) const {
  const std::size_t count = view.members.size();
  if (count == 0) return Balancer::kNone;
  const TimePoint now = Loop::current()->now();
  const bool breakers = options_.circuit_breaker.enabled;
  const auto possible = [&](std::size_t index) {
    Peer& peer = view.peer(index);
    return !tried(failures, peer) &&
           (!breakers || peer.breaker(method).would_admit(options_.circuit_breaker, now));
  };
  const auto good = [&](std::size_t index) {
    return !view.peer(index).avoided(now) && possible(index);
  };
  for (int attempt = 0; attempt < 3; ++attempt) {
    const std::size_t index = view.balancer->choose(choice);
    if (good(index)) return index;
    choice.random = random_bits();
    ++choice.attempt;
  }
  // Most are out: whoever is left, and if nobody is, whoever may be called at all.
  const std::size_t from = choice.random % count;
  for (std::size_t i = 0; i < count; ++i) {
    if (const std::size_t index = (from + i) % count; good(index)) return index;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (const std::size_t index = (from + i) % count; possible(index)) return index;
  }
  return Balancer::kNone;
}

// Null: nobody is left.
std::shared_ptr<Peer> Cluster::choose(PerLoop& here, const View& view, const Outgoing& outgoing,
                                      const Rules& rules, const std::vector<Failure>& failures,
                                      bool anywhere) const {
  if (options_.sticky && failures.empty()) {
    const auto found = here.sticky.find(view.key);
    if (found != here.sticky.end()) {
      const std::shared_ptr<Peer>& before = found->second;
      const TimePoint now = Loop::current()->now();
      if (!before->avoided(now) &&
          (!options_.circuit_breaker.enabled ||
           before->breaker(outgoing.name).would_admit(options_.circuit_breaker, now)) &&
          std::find(view.members.begin(), view.members.end(), before) != view.members.end()) {
        return before;
      }
    }
  }
  Choice choice;
  choice.method = outgoing.name;
  choice.random = random_bits();
  choice.hash_key = rules.hash_key;
  std::size_t index = draw(view, choice, outgoing.name, failures);
  if (index == Balancer::kNone && anywhere) index = draw(view, choice, outgoing.name, {});
  if (index == Balancer::kNone) return nullptr;
  auto peer = std::static_pointer_cast<Peer>(view.members[index]);
  if (options_.sticky && (here.sticky.size() < kMostViews || here.sticky.contains(view.key))) {
    here.sticky[view.key] = peer;
  }
  return peer;
}

// The peer that the call named, known or not.
std::shared_ptr<Peer> Cluster::peer_at(const net::Endpoint& endpoint) const {
  const std::shared_ptr<const List> all = list();
  for (const std::shared_ptr<Member>& member : all->members) {
    if (member->provider.endpoint == endpoint) return std::static_pointer_cast<Peer>(member);
  }
  Provider provider;
  provider.endpoint = endpoint;
  std::string place = place_of(provider);
  return std::make_shared<Peer>(std::move(provider), std::move(place), clock_,
                                transport_.address(endpoint, options_.connections),
                                options_.circuit_breaker.enabled);
}

// Whether a call that failed like this is tried at another address, or, as the caller asked for it, at
// one that was tried before if there is no other.
bool Cluster::again(const Rules& rules, const Error& error, int& retries, bool& anywhere) {
  anywhere = false;
  if (options_.mode != ClusterMode::kFailover || rules.target != nullptr) return false;
  if (error.code() == Code::kConnectFailed) return true;  // costs nobody anything
  if (may_have_run(error.code())) {
    anywhere = retries > 0;
    if (anywhere) --retries;
    if (!anywhere && !rules.idempotent) return false;
  } else if (!never_began(error.code())) {
    return false;
  }
  if (budget_.fetch_sub(1'000, std::memory_order_relaxed) >= 1'000) return true;
  budget_.fetch_add(1'000, std::memory_order_relaxed);
  stats_.retries_refused.add();
  return false;
}

void Cluster::tell(const Peer& peer, std::string_view method,
                   const std::optional<Breaker::Change>& change) {
  if (!change) return;
  static constexpr const char* kStates[] = {"closed", "open", "half open"};
  BreakerChanged event;
  event.service = options_.service;
  event.method = method;
  event.address = peer.address->text();
  event.before = change->before;
  event.state = change->state;
  event.reason = change->reason;
  if (event.state == BreakerState::kOpen) stats_.breakers_opened.add();
  runtime_.log(
      LogLevel::kWarning, "rpc",
      fmt::format("{}#{} at {}: its circuit breaker is {}: {}", event.service, event.method,
                  event.address, kStates[static_cast<std::size_t>(event.state)], event.reason));
  if (breaker_changed_.active()) breaker_changed_.publish(event);
}

void Cluster::note(Peer& peer, std::string_view method, Breaker::Ticket ticket,
                   const Result<void>& ended, TimePoint began) {
  if (options_.fault_tolerance.regulation_effective) {
    peer.calls.fetch_add(1, std::memory_order_relaxed);
  }
  const bool answered = ended || ended.error().code() == Code::kBusiness;
  // For an answer the time at which its turn began will do.
  const TimePoint now = answered && ticket == 0 ? Loop::current()->now() : Clock::now();
  const bool faulty = !answered && is_fault(ended.error().code());
  if (answered) {
    const std::int64_t took =
        std::max<std::int64_t>(std::chrono::nanoseconds(now - began).count(), 1);
    const std::int64_t mean = peer.latency_ns.load(std::memory_order_relaxed);
    peer.latency_ns.store(mean == 0 ? took : mean + (took - mean) / 8, std::memory_order_relaxed);
    if (options_.outlier_ejection.enabled) peer.failures_in_a_row.store(0);
  } else if (faulty) {
    fault(peer, now);
  }
  if (ticket != 0) {
    const auto slow = options_.circuit_breaker.slow_call;
    Breaker::Outcome outcome = Breaker::Outcome::kSuccess;
    if (faulty || (slow.count() > 0 && now - began > slow)) {
      outcome = Breaker::Outcome::kFailure;
    } else if (!answered && is_ours(ended.error().code())) {
      outcome = Breaker::Outcome::kNeither;
    }
    std::optional<Breaker::Change> change;
    peer.breaker(method).note(options_.circuit_breaker, now, ticket, outcome, change);
    tell(peer, method, change);
  }
  if (answered) return;
  const Code code = ended.error().code();
  if (code == Code::kBusy) peer.avoid(now + kAvoidBusy);
  if (code == Code::kConnectFailed) peer.avoid_unreached(now + kAvoidUnreachable);
}

// The tries of one call, one after the other.
class Cluster::Attempts final : public Tries, public settee::detail::Belongings {
 public:
  Attempts(Cluster& cluster, const Outgoing& call, const Rules& rules, Observation* seen)
      : cluster_(cluster),
        rules_(rules),
        seen_(seen),
        headers_(call.headers),
        by_(end_of(call, rules.timeout, cluster.options_.timeout)),
        retries_(rules.retries) {}

  TimePoint by() const noexcept { return by_; }

  /// An address of `view`, or the one that the call names, with `call` made ready for it. Null: `ended`
  /// has the Error.
  Address* choose(const View& view, Outgoing& call, TimePoint deadline, Result<void>& ended) {
    if (failures_.empty()) earn();
    if (seen_ != nullptr) seen_->route = view.route;
    Breaker::Ticket ticket = 0;
    if (!find(view, call, deadline, ticket)) {
      ended = cluster_.failed(call, view, failures_);
      return nullptr;
    }
    if (by_ <= call.now) {
      ended = Error(Code::kTimeout,
                    fmt::format("{}#{}: its time was over before {} was called",
                                cluster_.options_.service, call.name, peer_->address->text()));
      return nullptr;
    }
    call.deadline = by_;
    if (rules_.try_timeout.count() > 0) {
      call.deadline = std::min(by_, call.now + rules_.try_timeout);
    }
    call.headers = headers_;
    if (!failures_.empty()) cluster_.stats_.retries.add();
    try_.emplace(cluster_, *peer_, call, seen_, ticket);
    return peer_->address.get();
  }

  /// The try has ended. True: there shall be another.
  bool end(const View& view, Outgoing& call, Result<void>& ended) {
    try_->end(ended);
    try_.reset();
    if (ended) return false;
    failures_.push_back({std::move(peer_), ended.error()});
    call.now = Clock::now();
    const bool once = call.streams != nullptr && call.streams->begun;
    if (!once && failures_.size() < kMostTries &&
        cluster_.again(rules_, ended.error(), retries_, anywhere_) && call.now < by_) {
      return true;
    }
    ended = cluster_.failed(call, view, failures_);
    return false;
  }

  Address* next(Outgoing& call, TimePoint deadline, Result<void>& ended) override {
    if (try_ && ended) [[likely]] {
      try_->end(ended);
      try_.reset();
      return nullptr;
    }
    const std::shared_ptr<const View>& plain = cluster_.current(*Loop::current()).list->plain;
    if (!try_ && !cluster_.options_.circuit_breaker.enabled) {
      return choose(*plain, call, deadline, ended);
    }
    const std::shared_ptr<const View> view = plain;  // kept: those who are told may call, too
    if (try_ && !end(*view, call, ended)) return nullptr;
    return choose(*view, call, deadline, ended);
  }

 private:
  void earn() {
    std::atomic<std::int32_t>& budget = cluster_.budget_;
    if (std::int32_t now = budget.load(std::memory_order_relaxed); now < kFullBudget) {
      // One that is in the way of another's change earns nothing.
      budget.compare_exchange_weak(now, now + kEarned, std::memory_order_relaxed);
    }
  }

  bool find(const View& view, Outgoing& call, TimePoint deadline, Breaker::Ticket& ticket) {
    const ClusterOptions& options = cluster_.options_;
    for (std::size_t refused = 0; refused < kMostTries; ++refused) {
      if (rules_.target != nullptr) {
        peer_ = cluster_.peer_at(*rules_.target);
      } else {
        PerLoop& here = cluster_.current(*Loop::current());
        peer_ = cluster_.choose(here, view, call, rules_, failures_, anywhere_);
      }
      if (!peer_) return false;
      if (!rules_.timeout && call.streams == nullptr && failures_.empty() &&
          peer_->timeout.count() > 0) {
        by_ = call.began + peer_->timeout;
      }
      by_ = std::min(by_, deadline);
      if (!options.circuit_breaker.enabled || by_ <= call.now) return true;
      std::optional<Breaker::Change> change;
      ticket = peer_->breaker(call.name).admit(options.circuit_breaker, call.now, change);
      cluster_.tell(*peer_, call.name, change);
      if (ticket != 0) return true;
      if (rules_.target != nullptr) break;
      // Somebody else took the last trial.
    }
    peer_.reset();
    return false;
  }

  Cluster& cluster_;
  const Rules& rules_;
  Observation* const seen_;
  const Baggage* const headers_;  // of the call; each try may have more
  TimePoint by_;
  int retries_;
  bool anywhere_ = false;
  std::shared_ptr<Peer> peer_;
  std::optional<Try> try_;
  std::vector<Failure> failures_;
};

// What need not wait first goes in the Task of the transport: a frame less for each call.
Task<void> Cluster::call(Target& target, const Outgoing& outgoing, const Rules& rules,
                         Observation* seen) {
  if (rules.target == nullptr &&
      (version_.load(std::memory_order_acquire) == 0 || !options_.routers.empty() ||
       options_.mode == ClusterMode::kBroadcast)) {
    return call_later(target, outgoing, rules, seen);
  }
  auto attempts = std::make_unique<Attempts>(*this, outgoing, rules, seen);
  Outgoing call = outgoing;
  call.tries = attempts.get();
  Task<void> task = target.call(call);
  task.promise()->keep(std::move(attempts));
  return task;
}

// One that has to wait first, for the first addresses or for what routers say; and one to all.
Task<void> Cluster::call_later(Target& target, Outgoing outgoing, const Rules& rules,
                               Observation* seen) {
  const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
  const TimePoint deadline = Context::share(self.context).deadline();
  Loop& loop = runtime_.loop();
  if (!loop.in_loop()) co_await resume_on(loop);
  Attempts attempts(*this, outgoing, rules, seen);
  const TimePoint by = std::min(attempts.by(), deadline);
  if (version_.load(std::memory_order_acquire) == 0) {
    TimePoint wait = by;
    if (options_.address_wait.count() > 0) {
      wait = std::min(wait, outgoing.began + options_.address_wait);
    }
    co_await known(wait);
  }
  for (;;) {
    std::shared_ptr<const View> routed = current(loop).list->plain;
    if (!options_.routers.empty()) {
      Task<std::shared_ptr<const View>> routing = view(outgoing);
      routed = co_await std::move(routing);
    }
    outgoing.now = Clock::now();
    Result<void> ended;
    if (options_.mode == ClusterMode::kBroadcast) {
      if (seen != nullptr) seen->route = routed->route;
      Task<void> all = broadcast(target, outgoing, std::move(routed), by, seen);
      ended = co_await as_result(std::move(all));
    } else if (outgoing.address = attempts.choose(*routed, outgoing, deadline, ended);
               outgoing.address != nullptr) {
      Task<void> work = target.call(outgoing);
      ended = co_await as_result(std::move(work));
      if (attempts.end(*routed, outgoing, ended)) continue;
    }
    if (!ended) co_await fail(ended.error());
    co_return;
  }
}

namespace {

// Where the result of a call goes that nobody looks at.
class Scratch {
 public:
  explicit Scratch(const TypeInfo* type) : type_(type) {
    if (type_ == nullptr || type_->size == 0) return;
    place_ = std::make_unique<std::max_align_t[]>(type_->size / sizeof(std::max_align_t) + 1);
    type_->construct(place_.get());
  }
  Scratch(Scratch&& other) noexcept
      : type_(std::exchange(other.type_, nullptr)), place_(std::move(other.place_)) {}
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() {
    if (place_) type_->destroy(place_.get());
  }
  void* get() noexcept { return place_.get(); }

 private:
  const TypeInfo* type_;
  std::unique_ptr<std::max_align_t[]> place_;
};

// A try that always ends well, for when_all(): the first error shall not cancel the others.
Task<std::optional<Error>> outcome_of(Task<void> work) {
  Result<void> ended = co_await as_result(std::move(work));
  std::optional<Error> error;
  if (!ended) error = ended.error();
  co_return error;
}

}  // namespace

Task<void> Cluster::broadcast(Target& target, Outgoing outgoing, std::shared_ptr<const View> view,
                              TimePoint by, Observation* seen) {
  if (view->members.empty()) {
    Error error = failed(outgoing, *view, {});
    co_await fail(std::move(error));
  }
  if (outgoing.streams != nullptr) {
    co_await fail(Error(Code::kMisuse,
                        fmt::format("{}#{}: a streaming call goes to one address, and broadcast "
                                    "means all of them",
                                    options_.service, outgoing.name)));
  }
  outgoing.deadline = by;
  const TypeInfo* type =
      outgoing.method != nullptr ? outgoing.method->result : &type_of<hessian::Value>();
  if (type->kind == Kind::kVoid) type = nullptr;
  const std::size_t count = view->members.size();
  std::vector<Scratch> results;
  std::vector<std::unique_ptr<Observation>> observations;
  std::vector<std::unique_ptr<Try>> tries;
  std::vector<Task<std::optional<Error>>> work;
  results.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Outgoing one = outgoing;
    if (i > 0) one.result = results.emplace_back(type).get();
    Observation* own = seen;
    if (seen != nullptr && i > 0) {  // each has measures of its own
      own = observations.emplace_back(std::make_unique<Observation>()).get();
      own->facts = seen->facts.borrowed();
      own->tries = static_cast<int>(i);
    }
    Peer& peer = view->peer(i);
    tries.push_back(std::make_unique<Try>(*this, peer, one, own, 0));
    one.address = peer.address.get();
    work.push_back(outcome_of(target.call(one)));
  }
  std::vector<std::optional<Error>> errors = co_await when_all(std::move(work));
  if (seen != nullptr) seen->tries = static_cast<int>(count);
  std::vector<Failure> failures;
  for (std::size_t i = 0; i < count; ++i) {
    const Result<void> ended = errors[i] ? Result<void>(*errors[i]) : Result<void>();
    tries[i]->end(ended);
    if (errors[i]) {
      failures.push_back({std::static_pointer_cast<Peer>(view->members[i]), *errors[i]});
    }
  }
  if (failures.empty()) co_return;
  Error error = broadcast_failed(outgoing, *view, failures);
  co_await fail(std::move(error));
}

std::shared_ptr<const NoProvider> Cluster::why(const View& view, std::string_view method,
                                               const std::vector<Failure>& failures) const {
  std::vector<Dropped> dropped = list()->dropped;
  dropped.insert(dropped.end(), view.dropped.begin(), view.dropped.end());
  for (std::size_t i = 0; i < view.members.size(); ++i) {
    Peer& peer = view.peer(i);
    if (tried(failures, peer) || !options_.circuit_breaker.enabled) continue;
    std::string reason = peer.breaker(method).describe(Clock::now());
    if (reason.empty()) continue;
    dropped.push_back({peer.address->text(), RouteStep::kBreaker, std::move(reason)});
  }
  for (const Failure& failure : failures) {
    const Error* cause = failure.error.cause();
    dropped.push_back({failure.peer->address->text(), step_of(failure.error.code()),
                       cause != nullptr ? cause->message() : failure.error.message()});
  }
  return std::make_shared<const NoProvider>(options_.service, source(), std::move(dropped));
}

namespace {

// The error that says most: an exception of the method, then that the method may have run.
const Error& telling(const std::vector<Cluster::Failure>& failures) {
  const Error* found = &failures.back().error;
  for (const Cluster::Failure& failure : failures) {
    if (failure.error.code() == Code::kBusiness) return failure.error;
    if (may_have_run(failure.error.code()) && !may_have_run(found->code())) found = &failure.error;
  }
  return *found;
}

}  // namespace

Error Cluster::broadcast_failed(const Outgoing& outgoing, const View& view,
                                const std::vector<Failure>& failures) {
  if (failures.size() == view.members.size()) return failed(outgoing, view, failures);
  std::string all;
  for (const Failure& failure : failures) {
    all += fmt::format("{}{}: {}", all.empty() ? "" : "; ", failure.peer->address->text(),
                       failure.error.message());
  }
  const std::string what =
      fmt::format("{}#{}: broadcast: {} of {} addresses failed: {}", options_.service,
                  outgoing.name, failures.size(), view.members.size(), all);
  const Error& first = telling(failures);
  if (first.code() == Code::kBusiness) return first.within(what);
  // Others have run the method: this call has begun.
  const Code code = never_began(first.code()) ? Code::kPeerError : first.code();
  return Error(code, what).because(first);
}

// What the caller is told: what became of each address.
Error Cluster::failed(const Outgoing& outgoing, const View& view,
                      const std::vector<Failure>& failures) {
  const std::string what = fmt::format("{}#{}", options_.service, outgoing.name);
  bool none_reached = true;
  for (const Failure& failure : failures) {
    none_reached = none_reached && failure.error.code() == Code::kConnectFailed;
  }
  if (failures.size() == 1) {
    // The only one there was: its own error says it all.
    if (!none_reached) return failures[0].error;
    return failures[0].error.with_detail(why(view, outgoing.name, failures));
  }
  if (failures.empty()) {
    stats_.no_provider.add();
    const std::shared_ptr<const NoProvider> detail = why(view, outgoing.name, failures);
    std::string message = fmt::format("{}: no provider to call: {}", what, detail->source);
    std::size_t named = 0;
    for (const Dropped& one : detail->dropped) {
      if (++named > kMostNamed) break;
      message += fmt::format("; {} ({}): {}", one.address, to_string(one.step), one.reason);
    }
    if (named > kMostNamed) {
      message += fmt::format("; and {} more", detail->dropped.size() - kMostNamed);
    }
    return Error(Code::kNoProvider, message).with_detail(detail);
  }
  std::string tries;
  for (const Failure& failure : failures) {
    const Error* cause = failure.error.cause();
    tries += fmt::format("{}{}: {}", tries.empty() ? "" : "; ", failure.peer->address->text(),
                         cause != nullptr ? cause->message() : failure.error.message());
  }
  if (none_reached) stats_.no_provider.add();
  Error error(none_reached ? Code::kNoProvider : telling(failures).code(),
              fmt::format("{}: {} addresses were tried: {}", what, failures.size(), tries));
  if (!none_reached) return error;
  return error.with_detail(why(view, outgoing.name, failures));
}

Error Cluster::no_provider(std::string_view what) const {
  const std::shared_ptr<const List> all = list();
  std::vector<Dropped> dropped = all->dropped;
  for (const std::shared_ptr<Member>& member : all->members) {
    const auto& peer = static_cast<const Peer&>(*member);
    std::string reason = peer.address->trouble();
    if (!reason.empty()) dropped.push_back({peer.address->text(), RouteStep::kConnect, reason});
  }
  auto detail = std::make_shared<const NoProvider>(options_.service, source(), std::move(dropped));
  std::string message = fmt::format("{}: {}", what, detail->source);
  for (const Dropped& one : detail->dropped) {
    message += fmt::format("; {} ({}): {}", one.address, to_string(one.step), one.reason);
  }
  return Error(Code::kNoProvider, std::move(message)).with_detail(std::move(detail));
}

}  // namespace settee::inline v0::rpc::cluster
