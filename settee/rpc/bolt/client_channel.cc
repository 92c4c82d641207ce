// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/bolt/internal/client_channel.h"

#include <fmt/format.h>

#include <algorithm>

#include "settee/base/detail/parking.h"
#include "settee/hessian/json.h"
#include "settee/rpc/bolt/internal/arguments.h"

namespace settee::inline v0::rpc::bolt {

ClientStats::ClientStats(Stats& stats)
    : calls(stats.counter("settee.rpc.client.calls", "1", "Calls sent")),
      failures(stats.counter("settee.rpc.client.failures", "1", "Calls that ended with an error")),
      timeouts(stats.counter("settee.rpc.client.timeouts", "1", "Calls not answered in time")),
      overflows(stats.counter("settee.rpc.client.overflows", "1",
                              "Calls refused or held back as their connection was full")),
      connects(stats.counter("settee.rpc.client.connects", "1", "Connections made")),
      connect_failures(stats.counter("settee.rpc.client.connect_failures", "1",
                                     "Attempts to connect that failed")),
      heartbeats(stats.counter("settee.rpc.client.heartbeats", "1", "Heartbeats sent")),
      heartbeats_missed(stats.counter("settee.rpc.client.heartbeats_missed", "1",
                                      "Heartbeats that were not answered in time")),
      bad_frames(stats.counter("settee.rpc.client.bad_frames", "1",
                               "Connections closed as the server broke a rule")),
      late_answers(stats.counter("settee.rpc.client.late_answers", "1",
                                 "Answers for which nobody waited any more")) {}

ChannelShared::ChannelShared(Runtime& r, const ClientOptions& o)
    : runtime(r),
      options(o),
      stats(r.stats()),
      net_stats(net::ConnectionStats::of(r.stats(), "client")) {}

AddressState AddressHealth::state() const noexcept {
  const std::uint64_t parts = parts_.load(std::memory_order_acquire);
  if (count(parts, Part::kAvailable) > 0) return AddressState::kAvailable;
  if (count(parts, Part::kDead) > 0) return AddressState::kDead;
  return parts == 0 ? AddressState::kIdle : AddressState::kRetry;
}

void AddressHealth::change(Part before, Part now) {
  const std::uint64_t parts =
      parts_.fetch_add(unit(now) - unit(before), std::memory_order_acq_rel) - unit(before);
  if (now != Part::kAvailable || count(parts, Part::kAvailable) > 0) return;
  {
    const std::lock_guard lock(mutex_);
    last_.reset();
    failures_ = 0;
  }
  // The others need not wait for their next attempt: it is there.
  if (parts == 0) return;
  if (const auto listener = listener_.lock()) listener->reached();
}

void AddressHealth::failed(const Error& why) {
  const std::lock_guard lock(mutex_);
  if (!last_) since_ = Clock::now();
  last_ = why;
  ++failures_;
}

std::string AddressHealth::trouble() const {
  if (state() == AddressState::kAvailable) return {};
  const std::lock_guard lock(mutex_);
  if (!last_) return {};
  const auto time =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since_).count();
  return fmt::format("{} (not available for {}.{} s; {} failure(s) since)", last_->what(),
                     time / 1000, time % 1000 / 100, failures_);
}

PendingCall::~PendingCall() {
  if (channel_ != nullptr) channel_->forget(*this);
}

void PendingCall::on_timer() {
  Channel& channel = *channel_;
  channel.forget(*this);
  channel.shared_->stats.timeouts.add();
  end(Error(Code::kTimeout, fmt::format("{}#{} at {}: no answer before the deadline",
                                        request_.service, request_.name, channel.address())));
  if (promise_ != nullptr) settee::detail::resume_now(*promise_);
}

void PendingCall::end(std::optional<Error> error) noexcept {
  disarm();
  ended_ = true;
  error_ = std::move(error);
}

namespace {

Code code_of(Status status) {
  switch (status) {
    case Status::kBusy: return Code::kBusy;
    case Status::kTimeout: return Code::kTimeout;
    case Status::kServerSerialize: return Code::kPeerEncode;
    case Status::kServerDeserialize: return Code::kPeerDecode;
    default: return Code::kPeerError;
  }
}

std::string_view words(Status status) {
  switch (status) {
    case Status::kBusy: return "its thread pool is full, it did not begin the call";
    case Status::kServerException: return "it failed";
    case Status::kServerSerialize: return "it could not write its answer";
    case Status::kServerDeserialize: return "it could not read the request";
    case Status::kNoProcessor: return "it has no processor for requests";
    case Status::kTimeout: return "it reports a timeout";
    default: return "it reports an error";
  }
}

}  // namespace

void PendingCall::read_answer(const Frame& frame, std::size_t frame_size,
                              const std::string& address) {
  CallMeasures* const measures = request_.measures;
  if (measures == nullptr) {
    decode_answer(frame, address);
    return;
  }
  const TimePoint begun = Clock::now();
  decode_answer(frame, address);
  measures->response_bytes = frame_size;
  measures->decode = Clock::now() - begun;
}

void PendingCall::decode_answer(const Frame& frame, const std::string& address) {
  const auto named = [&](const Error& error) {
    // A business exception is the method's own words; all else says where it happened.
    if (error.code() == Code::kBusiness) return error;
    return error.within(fmt::format("{}#{} at {}", request_.service, request_.name, address));
  };
  bool header_error = false;
  HeaderReader header(frame.header);
  for (std::string_view key, value; header.next(key, value);) {
    if (key == kResponseErrorKey) {
      header_error = value == "true";
    } else if (key.starts_with(kResponseBaggagePrefix)) {
      baggage_.insert_or_assign(std::string(key.substr(kResponseBaggagePrefix.size())),
                                std::string(value));
    }
  }
  if (frame.status != Status::kSuccess) {
    std::string text(words(frame.status));
    const std::string said = frame.codec == static_cast<std::uint8_t>(Codec::kHessian)
                                 ? read_failure_text(frame.content)
                                 : std::string(reinterpret_cast<const char*>(frame.content.data()),
                                               std::min<std::size_t>(frame.content.size(), 1000));
    if (!said.empty()) text += ": " + said;
    end(named(Error(code_of(frame.status),
                    fmt::format("status {}: {}", static_cast<int>(frame.status), text))));
    return;
  }
  std::optional<Error> error;
  switch (frame.codec) {
    case static_cast<std::uint8_t>(Codec::kHessian): {
      ResponseValue value = read_response(frame.content, request_.result_type, request_.result,
                                          header_error, hessian::Limits());
      error = std::move(value.error);
      for (auto& [key, text] : value.baggage) baggage_.insert_or_assign(key, std::move(text));
      break;
    }
    case static_cast<std::uint8_t>(Codec::kProtobuf):
    case static_cast<std::uint8_t>(Codec::kJson): {
      const std::string_view text(reinterpret_cast<const char*>(frame.content.data()),
                                  frame.content.size());
      const bool json = frame.codec == static_cast<std::uint8_t>(Codec::kJson);
      if (header_error) {
        Result<std::string> words =
            json ? json::from_json<std::string>(text) : Result<std::string>(std::string(text));
        error = Error(Code::kPeerError, words.value_or(std::string(text)));
      } else if (request_.result_type != nullptr && request_.result_type->kind != Kind::kVoid) {
        Result<void> read =
            json ? json::read(text, *request_.result_type, request_.result)
                 : read_message(frame.content, *request_.result_type, request_.result);
        if (!read) error = read.error().within("reading the result");
      }
      break;
    }
    default:
      error =
          Error(Code::kDecode, fmt::format("the answer has codec {}, which this client does not "
                                           "read",
                                           frame.codec));
  }
  if (error) error = named(*error);
  end(std::move(error));
}

/// A coroutine that waits for the channel to wake it, a time or its cancellation.
class Channel::Waiter final {
 public:
  using Reason = settee::detail::Parking::Reason;

  explicit Waiter(std::deque<Waiter*>& list) : list_(list) { list_.push_back(this); }
  ~Waiter() { leave(); }
  auto woken(TimePoint by) noexcept { return parking_.wait(by); }
  const std::optional<Error>& error() const noexcept { return error_; }

  /// This may be gone when it returns.
  void wake(std::optional<Error> error) {
    leave();
    error_ = std::move(error);
    parking_.wake();
  }
  /// What ended the wait, if it was not wake(). `doing` is what was waited for.
  static std::optional<Error> ended(Reason reason, std::string_view doing) {
    switch (reason) {
      case Reason::kWoken: return std::nullopt;
      case Reason::kCancelled:
        return Error(Code::kCancelled, fmt::format("cancelled by the caller while {}", doing));
      default: return Error(Code::kTimeout, fmt::format("the deadline came while {}", doing));
    }
  }

 private:
  void leave() noexcept {
    if (std::exchange(left_, true)) return;
    list_.erase(std::find(list_.begin(), list_.end(), this));
  }
  std::deque<Waiter*>& list_;
  bool left_ = false;
  settee::detail::Parking parking_;
  std::optional<Error> error_;
};

class Channel::Beat final : public Timer {
 public:
  explicit Beat(Channel& channel) noexcept : channel_(channel) {}

 private:
  void on_timer() override { channel_.on_beat(); }
  Channel& channel_;
};

class Channel::Retry final : public Timer {
 public:
  explicit Retry(Channel& channel) noexcept : channel_(channel) {}

 private:
  void on_timer() override { channel_.begin_connecting(); }
  Channel& channel_;
};

class Channel::Protocol final : public net::Protocol {
 public:
  explicit Protocol(std::shared_ptr<Channel> channel) noexcept : channel_(std::move(channel)) {}
  Taken on_data(net::Connection&, std::span<const std::uint8_t> data) override {
    return channel_->on_data(data);
  }
  void on_secured(net::Connection&) override {
    channel_->connecting_ = false;
    channel_->connection_ = std::move(channel_->securing_);
    channel_->on_ready();
  }
  void on_close(net::Connection&, const Error& why) override { channel_->on_lost(why); }
  void on_drained(net::Connection&) override { channel_->wake_for_room(); }

 private:
  std::shared_ptr<Channel> channel_;
};

Channel::Channel(std::shared_ptr<ChannelShared> shared, std::shared_ptr<AddressHealth> health,
                 Loop& loop, net::Endpoint endpoint)
    : shared_(std::move(shared)),
      health_(std::move(health)),
      loop_(loop),
      endpoint_(std::move(endpoint)),
      address_(endpoint_.to_string()),
      retry_(std::make_unique<Retry>(*this)),
      beat_(std::make_unique<Beat>(*this)),
      slots_(64) {}

Channel::~Channel() { be(AddressHealth::Part::kNone); }

void Channel::be(AddressHealth::Part part) {
  const AddressHealth::Part before = std::exchange(part_, part);
  if (before != part) health_->change(before, part);
}

void Channel::begin_connecting() {
  if (connecting_ || connection_ != nullptr || shared_->stopped.load() || retired_) return;
  connecting_ = true;
  if (part_ == AddressHealth::Part::kNone) be(AddressHealth::Part::kRetry);
  retry_->disarm();
  shared_->connecting.fetch_add(1);
  connect(shared_from_this()).start(Context());
}

settee::detail::Detached Channel::connect(std::shared_ptr<Channel> self) {
  std::optional<Error> error;
  net::Socket socket;
  {
    Result<std::vector<net::SocketAddress>> addresses =
        co_await as_result(net::resolve(shared_->runtime.pool(), endpoint_));
    if (!addresses) {
      error = addresses.error();
    } else {
      for (const net::SocketAddress& address : *addresses) {
        Result<net::Socket> made =
            co_await as_result(net::connect(address, shared_->options.connect_timeout));
        if (made) {
          socket = *std::move(made);
          error.reset();
          break;
        }
        error = made.error();
      }
    }
  }
  connecting_ = false;
  if (shared_->stopped.load() || retired_) {
    wake(Error(Code::kStopped, "the client has been stopped"));
  } else if (error) {
    on_failed(*std::move(error));
  } else {
    on_connected(std::move(socket));
  }
  const std::shared_ptr<ChannelShared> shared = shared_;
  self.reset();
  shared->connecting.fetch_sub(1);
}

void Channel::on_connected(net::Socket socket) {
  net::ConnectionOptions options;
  // Calls are held back by max_unsent; reading never stops for it, or two full ends would wait for
  // one another.
  options.high_mark = std::max<std::size_t>(shared_->options.max_unsent, 1) - 1;
  options.low_mark = shared_->options.max_unsent / 2;
  options.read_when_congested = true;
  const net::SocketAddress peer = socket.peer();
  auto connection =
      std::make_shared<net::Connection>(loop_, socket.release(), peer, options, shared_->net_stats);
  const bool secures = shared_->options.tls != nullptr;
  try {
    if (secures) {
      connection->start_tls(*shared_->options.tls, endpoint_.unix_path ? "" : endpoint_.host);
    }
    (secures ? securing_ : connection_) = connection;
    connecting_ = secures;
    connection->begin(std::make_unique<Protocol>(shared_from_this()));
  } catch (const Error& error) {
    connection_.reset();
    securing_.reset();
    connecting_ = false;
    on_failed(error.within(fmt::format("connect to {}", address_)));
    return;
  }
  if (!secures) on_ready();
}

void Channel::on_ready() {
  shared_->stats.connects.add();
  last_error_.reset();
  heard_ = false;
  asked_ = false;
  connected_at_ = loop_.now();
  beat_sent_ = false;
  beat_misses_ = 0;
  if (shared_->options.heartbeat.count() > 0) {
    beat_->arm(loop_, loop_.now() + shared_->options.heartbeat);
  }
  be(AddressHealth::Part::kAvailable);
  wake(std::nullopt);
}

void Channel::on_failed(Error error) {
  shared_->stats.connect_failures.add();
  back_off(error);
  wake(std::move(error));
}

void Channel::back_off(const Error& error) {
  const ClientOptions& options = shared_->options;
  auto pause = options.reconnect_first;
  for (int i = 0; i < std::min(failures_, 30) && pause < options.reconnect_most; ++i) pause *= 2;
  pause = std::min(pause, options.reconnect_most);
  if (failures_++ == 0) {
    shared_->runtime.log(
        LogLevel::kWarning, "rpc",
        fmt::format("{}; trying again with pauses of {} to {} ms", error.message(),
                    options.reconnect_first.count(), options.reconnect_most.count()));
  }
  next_attempt_ = Clock::now() + pause;
  retry_->arm(loop_, next_attempt_);
  last_error_ = error;
  health_->failed(error);
  be(failures_ >= AddressHealth::kDeadAfter ? AddressHealth::Part::kDead
                                            : AddressHealth::Part::kRetry);
}

// A connection over which nothing was asked, and nothing came, was good if it stood for longer.
constexpr Duration kSoon = std::chrono::seconds(1);

void Channel::on_lost(const Error& why) {
  if (std::exchange(securing_, nullptr)) {
    connecting_ = false;
    if (shared_->stopped.load() || retired_) {
      be(AddressHealth::Part::kNone);
      wake(why);
    } else {
      on_failed(why.within(fmt::format("connect to {}", address_)));
    }
    return;
  }
  connection_.reset();
  beat_->disarm();
  // Before anybody hears of it, and calls again.
  if (shared_->stopped.load() || retired_) {
    be(AddressHealth::Part::kNone);  // no more attempts
  } else if (!heard_ && (asked_ || loop_.now() - connected_at_ < kSoon)) {
    // It takes connections and gives nothing: as good as one that refuses them.
    back_off(Error(Code::kConnectFailed,
                   fmt::format("connect to {}: it ended the connection without a word", address_))
                 .because(why));
  } else {
    shared_->runtime.log(LogLevel::kInfo, "rpc",
                         fmt::format("lost {}: {}", address_, why.message()));
    // Made anew at once, by whoever calls, or by itself shortly.
    failures_ = 0;
    health_->failed(why);
    be(AddressHealth::Part::kRetry);
    next_attempt_ = Clock::now();
    retry_->arm(loop_, next_attempt_ + shared_->options.reconnect_first);
  }
  fail_all(Error(Code::kConnectionClosed,
                 fmt::format("the connection to {} ended before the answer came", address_))
               .because(why));
  wake_for_room();
}

Task<void> Channel::connected(TimePoint by) {
  while (!ready()) {
    if (shared_->stopped.load())
      co_await fail(Error(Code::kStopped, "the client has been stopped"));
    if (!connecting_) {
      const TimePoint now = Clock::now();
      if (last_error_ && now < next_attempt_) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(next_attempt_ - now).count();
        co_await fail(
            Error(Code::kConnectFailed,
                  fmt::format("{} cannot be reached since {} attempt(s); next one in {} ms",
                              address_, failures_, left))
                .because(*last_error_));
      }
      begin_connecting();
      if (ready()) break;
      if (!connecting_ && last_error_) co_await fail(*last_error_);
    }
    Waiter waiter(waiters_);
    const Waiter::Reason reason = co_await waiter.woken(by);
    if (std::optional<Error> ended = Waiter::ended(reason, "connecting to " + address_)) {
      co_await fail(*std::move(ended));
    }
    if (waiter.error()) co_await fail(*waiter.error());
  }
}

Task<void> Channel::room(TimePoint by) {
  Waiter waiter(room_waiters_);
  const Waiter::Reason reason = co_await waiter.woken(by);
  if (reason == Waiter::Reason::kWoken) co_return;
  co_await fail(*Waiter::ended(reason, "waiting for room: " + describe_full()));
}

std::string Channel::describe_full() const {
  return fmt::format(
      "the connection to {} has {} calls in flight (limit {}) and {} unsent bytes "
      "(limit {})",
      address_, in_flight_, shared_->options.max_in_flight, connection_ ? connection_->unsent() : 0,
      shared_->options.max_unsent);
}

void Channel::insert(PendingCall& call) {
  if ((in_flight_ + 1) * 2 > slots_.size()) {
    std::vector<PendingCall*> old(slots_.size() * 2);
    old.swap(slots_);
    for (PendingCall* pending : old) {
      if (pending != nullptr) {
        slots_[static_cast<std::uint32_t>(pending->id_) & (slots_.size() - 1)] = pending;
      }
    }
  }
  // Ids rise, so a slot is taken only by a call that is still on its way since a whole round.
  while (slots_[next_id_ & (slots_.size() - 1)] != nullptr) ++next_id_;
  call.id_ = static_cast<std::int32_t>(next_id_);
  slots_[next_id_ & (slots_.size() - 1)] = &call;
  ++next_id_;
  ++in_flight_;
  call.channel_ = this;
}

void Channel::forget(PendingCall& call) noexcept {
  slots_[static_cast<std::uint32_t>(call.id_) & (slots_.size() - 1)] = nullptr;
  call.channel_ = nullptr;
  --in_flight_;
  if (!room_waiters_.empty()) wake_for_room();
}

PendingCall* Channel::take(std::int32_t id) noexcept {
  PendingCall* call = slots_[static_cast<std::uint32_t>(id) & (slots_.size() - 1)];
  if (call == nullptr || call->id_ != id) return nullptr;
  slots_[static_cast<std::uint32_t>(id) & (slots_.size() - 1)] = nullptr;
  call->channel_ = nullptr;
  --in_flight_;
  return call;
}

Result<void> Channel::send(PendingCall& call) {
  const PendingCall::Request& request = call.request_;
  const TimePoint begun = request.measures == nullptr ? TimePoint() : Clock::now();
  insert(call);
  asked_ = true;
  std::int32_t timeout = -1;
  if (!request.oneway) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(request.deadline - request.now).count();
    timeout = static_cast<std::int32_t>(std::clamp<std::int64_t>(left, 1, INT32_MAX));
  }
  Buffer& out = connection_->out();
  const RequestPrefix& prefix = *request.prefix;
  OpenFrame frame = begin_request(out, request.oneway ? FrameType::kOneway : FrameType::kRequest,
                                  request.codec, call.id_, timeout);
  out.append(prefix.frame);
  frame.content = frame.begin + 22 + prefix.content_offset;
  Result<void> written = write_arguments(out, request.codec, prefix.state, request.method,
                                         request.arguments, request.values);
  if (written && !finish_frame(out, frame, prefix.class_size, prefix.header_size)) {
    written = Error(Code::kLimit, "the arguments are longer than a Bolt frame can be (2 GiB)");
  }
  if (!written) {
    out.truncate(frame.begin);
    forget(call);
    return written.error().within(
        fmt::format("{}#{}: writing the request", request.service, request.name));
  }
  if (request.measures != nullptr) {
    request.measures->request_bytes = out.size() - frame.begin;
    request.measures->encode = Clock::now() - begun;
  }
  shared_->stats.calls.add();
  connection_->cork();
  // The write may have found the connection broken, and have ended the call with it.
  if (call.ended_) return {};
  if (request.oneway) {
    take(call.id_);
    call.ended_ = true;
  } else {
    call.arm(loop_, request.deadline);
  }
  return {};
}

void Channel::cancel(std::int32_t id) {
  PendingCall* call = take(id);
  if (call == nullptr) return;
  call->end(
      Error(Code::kCancelled, fmt::format("{}#{} at {}: cancelled by the caller",
                                          call->request_.service, call->request_.name, address_)));
  if (!room_waiters_.empty()) wake_for_room();
  if (call->promise_ != nullptr) settee::detail::resume_now(*call->promise_);
}

net::Protocol::Taken Channel::on_data(std::span<const std::uint8_t> data) {
  const std::shared_ptr<Channel> self = shared_from_this();
  FrameLimits limits;
  limits.content = shared_->options.max_frame;
  std::size_t used = 0;
  std::size_t wanted = 1;
  constexpr std::uint8_t kTlsAlert = 0x15;
  if (!heard_ && data[0] == kTlsAlert && !shared_->options.tls) {
    connection_->close(Error(Code::kConnectFailed,
                             fmt::format("{} speaks TLS, and was sent plain text: set "
                                         "ClientOptions::tls",
                                         address_)));
    return {0};
  }
  if (!std::exchange(heard_, true)) failures_ = 0;
  // What runs in between may end the connection, and make another.
  const net::Connection* const ours = connection_.get();
  while (ours != nullptr && connection_.get() == ours) {
    Frame frame;
    const FrameStep step = read_frame(data.subspan(used), limits, frame);
    if (step.kind == FrameStep::kMore) {
      wanted = step.size;
      break;
    }
    if (step.kind == FrameStep::kBad) {
      const std::string message =
          fmt::format("from {}: {} (offset {} of the frame); connection closed", address_,
                      step.rule, step.offset);
      shared_->runtime.log(LogLevel::kWarning, "rpc", message);
      shared_->stats.bad_frames.add();
      run_finished();
      if (connection_.get() == ours) connection_->close(Error(Code::kProtocol, message));
      return {used};
    }
    used += step.size;
    if (frame.command == Command::kResponse) {
      on_response(frame, step.size);
    } else if (frame.type == FrameType::kRequest) {
      if (connection_->congested()) continue;  // it asks, and does not read: no answer piles up
      if (frame.command == Command::kHeartbeat) {
        append_heartbeat_ack(connection_->out(), frame);
      } else {
        // Bolt lets servers call their clients; this one offers nothing.
        OpenFrame open =
            begin_response(connection_->out(), frame, Codec::kHessian, Status::kNoProcessor, false);
        begin_content(connection_->out(), open);
        finish_frame(connection_->out(), open, 0, 0);
      }
      connection_->cork();
    }
  }
  run_finished();
  return {used, wanted};
}

void Channel::on_response(const Frame& frame, std::size_t frame_size) {
  PendingCall* call = take(frame.id);
  if (call == nullptr) {
    shared_->stats.late_answers.add();
    return;
  }
  call->read_answer(frame, frame_size, address_);
  resume_later(*call);
}

// Whoever awaits the call is resumed by run_finished(), in the order of the answers.
void Channel::resume_later(PendingCall& call) noexcept {
  if (call.promise_ == nullptr) return;
  call.promise_->next = nullptr;
  *finished_end_ = call.promise_;
  finished_end_ = &call.promise_->next;
}

// Resumes those who have their answer, after all of a read have been decoded: what they do may end the
// connection that the answers came from.
void Channel::run_finished() {
  if (resuming_) return;
  resuming_ = true;
  while (finished_ != nullptr) {
    settee::detail::PromiseBase& promise = *finished_;
    finished_ = promise.next;
    if (finished_ == nullptr) finished_end_ = &finished_;
    settee::detail::resume_now(promise);
  }
  resuming_ = false;
  if (!room_waiters_.empty()) wake_for_room();
}

void Channel::fail_all(const Error& why) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    PendingCall* call = slots_[i];
    if (call == nullptr) continue;
    take(call->id_);
    call->end(why.within(fmt::format("{}#{}", call->request_.service, call->request_.name)));
    resume_later(*call);
  }
  run_finished();
}

void Channel::wake(std::optional<Error> error) {
  // Those who begin to wait meanwhile wait for the next event.
  std::size_t count = waiters_.size();
  while (count-- > 0 && !waiters_.empty()) waiters_.front()->wake(error);
}

void Channel::wake_for_room() {
  // Who is woken may give its room back at once, which comes here again: one loop is enough.
  if (making_room_) return;
  making_room_ = true;
  while (!room_waiters_.empty() && (connection_ == nullptr || !full())) {
    room_waiters_.front()->wake(std::nullopt);
  }
  making_room_ = false;
}

void Channel::on_beat() {
  if (connection_ == nullptr) return;
  const ClientOptions& options = shared_->options;
  const TimePoint now = loop_.now();
  const TimePoint heard = connection_->last_read();
  if (beat_sent_ && heard >= beat_at_) {
    beat_sent_ = false;
    beat_misses_ = 0;
  }
  if (beat_sent_) {
    shared_->stats.heartbeats_missed.add();
    ++beat_misses_;
  }
  if (beat_sent_ && beat_misses_ >= options.heartbeat_misses) {
    connection_->close(
        Error(Code::kConnectionClosed,
              fmt::format("{} left {} heartbeats unanswered", address_, beat_misses_)));
    return;
  }
  if (beat_sent_ || now - heard >= options.heartbeat) {
    shared_->stats.heartbeats.add();
    // Not in the table of calls: any byte that comes is answer enough.
    append_heartbeat(connection_->out(), static_cast<std::int32_t>(next_id_++));
    connection_->cork();
    beat_sent_ = true;
    beat_at_ = now;
    beat_->arm(loop_, now + options.heartbeat_timeout);
  } else {
    beat_->arm(loop_, heard + options.heartbeat);
  }
}

void Channel::retire() {
  retry_->disarm();
  beat_->disarm();
  retired_ = true;
  if (securing_ != nullptr) {
    const auto connection = securing_;
    connection->close(Error(Code::kStopped, fmt::format("{} is no longer called", address_)));
    return;
  }
  if (connection_ == nullptr) {
    be(AddressHealth::Part::kNone);
    return;
  }
  connection_->close_when_sent(
      Error(Code::kStopped, fmt::format("{} is no longer called", address_)),
      loop_.now() + std::chrono::seconds(1));
}

void Channel::stop() {
  const std::shared_ptr<Channel> self = shared_from_this();
  retry_->disarm();
  beat_->disarm();
  const Error stopped(Code::kStopped, "the client has been stopped");
  if (connection_ == nullptr) be(AddressHealth::Part::kNone);
  fail_all(stopped);
  wake(stopped);
  if (const auto connection = securing_ ? securing_ : connection_) connection->close(stopped);
}

}  // namespace settee::inline v0::rpc::bolt
