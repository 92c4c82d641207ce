// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/hosted_call.h"

#include <fmt/format.h>

#include <utility>

namespace settee::inline v0::rpc {

void HostedCall::CancelCall::operator()() const {
  const ServerCallItem* const cancelled = item;  // this may go meanwhile
  cancelled->retain();
  cancelled->cancel();
  cancelled->release();
}

HostedCall::HostedCall(HostedWay& way, Loop& loop, TimePoint came, TimePoint callers_deadline,
                       const ReceivedHeaders* headers, const net::TlsInfo* tls)
    : way_(way),
      loop_(loop),
      callers_deadline_(callers_deadline),
      deadline_(callers_deadline),
      call_(Side::kServer, way.service, way.method->wire_name, way.peer, headers, nullptr, tls) {
  item_ = new ServerCallItem;
  item_->call.store(&call_, std::memory_order_relaxed);
  item_->retain();  // ours; the other is the Context's
  if (way_.server == nullptr) return;
  way_.server->stats.calls.add();
  way_.server->stats.in_flight.add();
  enlist(way_.server->of(loop).orphans);  // when the server ends it is cancelled
  if (!way_.entry->guarded) return;
  deadline_ = std::min(deadline_, way_.entry->deadline(came));
  measured_from_ = way_.entry->measured_from();
}

HostedCall::~HostedCall() {
  on_cancel_.reset();
  item_->call.store(nullptr, std::memory_order_release);
  item_->release();
  if (way_.server == nullptr) return;
  delist();
  way_.server->stats.in_flight.subtract();
  if (way_.entry->guarded) way_.entry->leave_limits(measured_from_, tells_time_);
  way_.entry->service->leave();
}

Context HostedCall::make_context(const Origin& origin) {
  Context context = Context::begin(deadline_, &kServerCall, item_);
  if (origin.span != nullptr) {
    origin.span->retain();
    context = context.with_span(origin.span);
  }
  if (origin.baggage != nullptr && !origin.baggage->empty()) {
    context = context.with(kRequestBaggage, *origin.baggage);
  }
  if (way_.server != nullptr && way_.server->events.calls()) {
    watched_ =
        std::make_unique<CallWatch>(*way_.server, call_, origin.protocol, origin.invoke_type,
                                    std::string(origin.peer_app), origin.request_bytes, context);
  }
  if (origin.stop.stop_possible()) on_cancel_.emplace(origin.stop, CancelCall{item_});
  return context;
}

Task<void> HostedCall::proceed() {
  if (std::exchange(proceeded_, true)) return fail_second_next(call_);
  // A filter may have gone to another thread.
  if (loop_.in_loop()) return way_.method->serve(way_.object, *this);
  return on_loop();
}

Task<void> HostedCall::on_loop() {
  co_await resume_on(loop_);
  Task<void> served = way_.method->serve(way_.object, *this);
  co_await std::move(served);
}

ThreadPool* HostedCall::pool() {
  if (watched_) watched_->submitted();
  if (way_.entry != nullptr && way_.entry->pool != nullptr) return way_.entry->pool;
  return &way_.runtime->pool();
}

void HostedCall::refuse(const Error& error) {
  if (way_.server != nullptr) {
    way_.server->refused(RefusedBy::kPool, way_.service, way_.method->wire_name, way_.peer,
                         [&] { return std::string(error.what()); });
  }
  fail(Error(Code::kBusy, "the pool is full, the call was not begun").because(error));
}

bool HostedCall::begin() {
  const TimePoint now = deadline_ == kNoDeadline ? TimePoint::min()
                        : loop_.in_loop()        ? loop_.now()
                                                 : Clock::now();
  if (now < deadline_) {
    if (watched_) watched_->begun();
    return true;
  }
  if (now >= callers_deadline_) {
    constexpr std::string_view kWhy = "the deadline came before the method began";
    if (way_.server != nullptr) {
      way_.server->expired(way_.server->stats.expired_queue, way_.service, way_.method->wire_name,
                           way_.peer, kWhy);
    }
    failure_ = Error(Code::kTimeout, std::string(kWhy));
    return false;
  }
  const std::string why = fmt::format(
      "{} ms had passed before the method could begin",
      std::chrono::duration_cast<std::chrono::milliseconds>(way_.entry->timeout.load()).count());
  way_.server->refused(RefusedBy::kTimeout, way_.service, way_.method->wire_name, way_.peer,
                       [&] { return why; });
  fail(Error(Code::kBusy, "timeout: " + why));
  return false;
}

void HostedCall::fail(Error error) {
  if (way_.server != nullptr) way_.server->stats.failures.add();
  failure_ = std::move(error);
}

void HostedCall::conclude(const Result<void>& done) {
  tells_time_ = CallLimits::slow(done, loop_.now(), deadline_) || (done && !failure_);
  if (!done && way_.server != nullptr) way_.server->stats.failures.add();
  if (!watched_) return;
  if (failure_) watched_->failed(*failure_);
  watched_->ended(done);
}

Result<void> authenticate(Server::Core& server, const Call& call, const Baggage* baggage) {
  if (!server.options.authenticate) return {};
  const Result<void> passed = server.authenticate(call, baggage);
  if (passed) return {};
  return Error(Code::kPeerError, fmt::format("{}#{} at {}: authentication: {}", call.service(),
                                             call.method(), call.peer(), passed.error().message()))
      .with_detail(std::make_shared<CallerRefused>());
}

Result<void> let_in(Server::Core& server, MethodEntry& method, const Call& call,
                    const Baggage* baggage, TimePoint now) {
  const auto where = [&] { return fmt::format("{}#{}", method.service->unique_name, method.name); };
  if (Result<void> known = authenticate(server, call, baggage); !known) {
    server.stats.failures.add();
    return known;
  }
  CallLimits* limits = nullptr;
  const RefusedBy by = method.enter_limits(now, limits);
  if (by == RefusedBy::kNobody) return {};
  server.stats.failures.add();
  server.refused(by, method.service->unique_name, method.name, call.peer(),
                 [&] { return limits->describe(by); });
  if (const std::uint64_t refusals = limits->to_log(by, now); refusals > 0) {
    server.runtime.log(
        LogLevel::kWarning, "rpc",
        fmt::format("{}: {} call(s) refused as busy: {}{}", where(), refusals, limits->describe(by),
                    limits == method.limits.get() ? " for the method" : " for the service"));
  }
  return Error(Code::kBusy, fmt::format("{} at {}: the call was not begun: {}", where(),
                                        call.peer(), limits->describe(by)));
}

}  // namespace settee::inline v0::rpc
