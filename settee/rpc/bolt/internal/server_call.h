// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ServerCall: one call of a Bolt client that a handler works on.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "settee/rpc/bolt/internal/arguments.h"
#include "settee/rpc/bolt/internal/server_session.h"
#include "settee/rpc/internal/call_watch.h"

namespace settee::inline v0::rpc::bolt {

/// The header block of a request, where it lies.
class FrameHeaders final : public ReceivedHeaders {
 public:
  FrameHeaders() = default;
  explicit FrameHeaders(std::span<const std::uint8_t> block) noexcept : block_(block) {}
  void each(const std::function<bool(std::string_view name, std::string_view value)>& visit)
      const override;
  std::span<const std::uint8_t> block() const noexcept { return block_; }

 private:
  std::span<const std::uint8_t> block_;
};

/// The status of a failed call's answer, for a request in protobuf.
Status failure_status(const Frame& request);

/// It lives in the frame of run_call() and is known to its session, which tells it when the connection
/// has gone.
class ServerCall final : public MethodFrame, public Next::Terminal, public RunningCall {
 public:
  ServerCall(ServerSession& session, const Frame& frame, MethodEntry& method,
             ArgumentSource& source);
  ~ServerCall();

  /// The Context under which the handler runs.
  Context make_context(const Frame& frame, Baggage baggage);
  void session_gone() noexcept {
    peer_ = session_->peer_;
    session_ = nullptr;
  }
  Loop& loop() noexcept { return loop_; }

  /// What run_call() awaits: the filters, and behind them the method.
  Task<void> serve() {
    if (!kept_) [[likely]]
      return method_.info->serve(method_.service->object, *this);
    return serve_filtered();
  }
  Task<void> proceed() override;
  /// On the loop, when the method has ended.
  void finish(const Result<void>& ended);

  // MethodFrame
  bool read_arguments(void* const* arguments) override;
  ThreadPool* pool() override;
  void refuse(const Error& error) override;
  bool begin() override;
  void write_result(const void* result) override;

  /// A bolt-level failure; always Hessian, whatever codec the request had, and without a CRC.
  static void write_status(Buffer& out, const Frame& request, Status status,
                           std::string_view message);

 private:
  /// What is kept of a call only while there are filters.
  struct Kept {
    FilterChain filters;
    std::vector<std::uint8_t> headers;
    std::unique_ptr<ArgumentSource> source;
  };

  Frame as_frame() const;
  Task<void> serve_filtered();
  [[gnu::cold]] void refuse_arguments(const Error& error);
  bool too_late(TimePoint now);
  [[gnu::noinline]] void finish_otherwise(const Result<void>& ended);
  bool answer_otherwise(const Result<void>& ended);
  [[gnu::noinline]] void keep(FilterChain filters);
  [[gnu::noinline]] void guard();
  // Nobody waits any more; only what took long enough to suspend can be.
  bool late() const {
    return callers_deadline_ != kNoDeadline && loop_.now() >= callers_deadline_ && aside_.empty() &&
           !written_;
  }
  void send_result(Buffer& out, const void* result);
  Result<void> write_body(Buffer& out, const void* result);
  void send_exception(Buffer& out, const Error& error);

  void put_result(const void* result);
  [[gnu::cold]] void watch(const Frame& frame, Context& context);

  ServerSession* session_;  // null when the connection has gone
  Server::Core& core_;
  const ServerFormat& format_;
  Loop& loop_;
  MethodEntry& method_;
  ArgumentSource* source_;  // null when the arguments have been read
  Dialect dialect_;
  std::int32_t id_;
  Version version_;
  Codec codec_;
  bool crc_;
  bool oneway_;
  Status failure_status_;
  bool failed_ = false;  // answered otherwise, or not to be answered
  bool busy_ = false;    // answered so when it ends
  bool written_ = false;
  bool tells_time_ = false;  // how long it took says how long such calls take
  TimePoint callers_deadline_ = kNoDeadline;
  TimePoint deadline_ = kNoDeadline;  // the earlier of that and the service's own
  FrameHeaders headers_;              // until the method begins
  Call call_;
  std::shared_ptr<const SessionPeer> peer_;  // what call_ names, when the session has gone
  Buffer aside_;
  TimePoint measured_from_{};           // of a method with a limit that measures
  std::unique_ptr<CallWatch> watched_;  // null: nobody listens
  std::unique_ptr<Kept> kept_;
};

// Here, as run_call() is the only one that calls these.

[[gnu::always_inline]] inline ServerCall::ServerCall(ServerSession& session, const Frame& frame,
                                                     MethodEntry& method, ArgumentSource& source)
    : session_(&session),
      core_(*session.core_),
      format_(*session.format_),
      loop_(session.connection_.loop()),
      method_(method),
      source_(&source),
      dialect_(source.dialect()),
      id_(frame.id),
      version_(frame.version),
      codec_(static_cast<Codec>(frame.codec)),
      crc_(frame.crc),
      oneway_(frame.type == FrameType::kOneway),
      failure_status_(frame.codec == static_cast<std::uint8_t>(Codec::kProtobuf)
                          ? failure_status(frame)
                          : Status::kSuccess),
      headers_(frame.header),
      call_(Side::kServer, method.service->unique_name, method.name, session.peer_text(), &headers_,
            nullptr, session.peer().tls.get()) {
  enlist(session.calls_.first());
  ++session.in_flight_;
  core_.stats.calls.add();
  core_.stats.in_flight.add();
  item_ = new ServerCallItem;
  item_->call.store(&call_, std::memory_order_relaxed);
  item_->retain();  // ours; the other is the Context's
  if (session.filtered_) [[unlikely]]
    keep(session.own_loop_.table->chain(method));
}

[[gnu::always_inline]] inline ServerCall::~ServerCall() {
  item_->call.store(nullptr, std::memory_order_release);
  item_->release();
  core_.stats.in_flight.subtract();
  if (method_.guarded) [[unlikely]]
    method_.leave_limits(measured_from_, tells_time_);
  method_.service->leave();
  delist();
  if (session_ == nullptr) return;
  --session_->in_flight_;
  if (session_->held_back_ && session_->in_flight_ * 4 <= core_.options.max_in_flight * 3) {
    session_->held_back_ = false;
    session_->connection_.resume_reading();
  }
}

[[gnu::always_inline]] inline Context ServerCall::make_context(const Frame& frame,
                                                               Baggage baggage) {
  if (frame.timeout_ms > 0 && !oneway_) {
    // From when its bytes came: they may have waited for other calls since.
    callers_deadline_ =
        session_->connection_.last_read() + std::chrono::milliseconds(frame.timeout_ms);
    deadline_ = callers_deadline_;
  }
  if (method_.guarded) [[unlikely]]
    guard();
  Context context = Context::begin(deadline_, &kServerCall, item_);
  if (!baggage.empty()) context = context.with(kRequestBaggage, std::move(baggage));
  if (session_->watched_) [[unlikely]]
    watch(frame, context);
  return context;
}

[[gnu::always_inline]] inline void ServerCall::finish(const Result<void>& ended) {
  if (session_ == nullptr || oneway_ || failed_ || late() || !ended || !written_) [[unlikely]]
    return finish_otherwise(ended);
  tells_time_ = true;
  net::Connection& connection = session_->connection_;
  if (!aside_.empty()) connection.out().append(std::move(aside_));
  connection.cork();
  if (watched_) [[unlikely]] {
    watched_->sent();
    watched_->ended(ended);
  }
}

}  // namespace settee::inline v0::rpc::bolt
