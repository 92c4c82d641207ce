// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/bolt/internal/server_session.h"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <mutex>

#include "settee/rpc/bolt/internal/server_call.h"

namespace settee::inline v0::rpc::bolt {

namespace {

hessian::Dialect dialect_of(std::span<const std::uint8_t> content) {
  if (content.empty()) return Dialect::kSofa3;
  return hessian::detect_dialect(content[0]).value_or(Dialect::kSofa3);
}

}  // namespace

ServerSession::ServerSession(std::shared_ptr<Server::Core> core,
                             std::shared_ptr<const ServerFormat> format, HeadCache& heads,
                             net::Connection& connection)
    : core_(std::move(core)),
      format_(std::move(format)),
      heads_(heads),
      connection_(connection),
      own_loop_(core_->of(connection.loop())),
      calls_(own_loop_) {
  if (core_->options.idle_close.count() > 0) {
    arm(connection.loop(), connection.loop().now() + core_->options.idle_close);
  }
}

ServerSession::~ServerSession() { let_calls_go(); }

void ServerSession::let_calls_go() noexcept {
  calls_.orphan([](RunningCall& call) { static_cast<ServerCall&>(call).session_gone(); });
}

void ServerSession::on_timer() {
  const TimePoint last = std::max(connection_.last_read(), connection_.last_write());
  const TimePoint due = last + core_->options.idle_close;
  Loop& loop = connection_.loop();
  if (in_flight_ > 0) {
    arm(loop, loop.now() + core_->options.idle_close);
  } else if (due > loop.now()) {
    arm(loop, due);
  } else {
    core_->stats.idle_closed.add();
    connection_.close(
        Error(Code::kConnectionClosed, fmt::format("connection of {}: idle for {} ms", peer_text(),
                                                   core_->options.idle_close.count())));
  }
}

const SessionPeer& ServerSession::peer() {
  if (!peer_) {
    peer_ = std::make_shared<const SessionPeer>(
        SessionPeer{connection_.peer().to_string(), connection_.tls()});
  }
  return *peer_;
}

net::Protocol::Taken ServerSession::on_data(net::Connection& connection,
                                            std::span<const std::uint8_t> data) {
  FrameLimits limits;
  limits.content = core_->options.max_frame;
  std::size_t used = 0;
  std::size_t frames = 0;
  look_at_clock(connection.loop().now());
  watched_ = core_->events.calls();
  // A peer that does not read its answers gets no more of them made: the rest comes again when it has.
  while (!held_back_ && !connection.congested()) {
    Frame frame;
    const FrameStep step = read_frame(data.subspan(used), limits, frame);
    if (step.kind == FrameStep::kMore) return {used, step.size};
    if (step.kind == FrameStep::kBad) {
      refuse_frame(step);
      return {used};
    }
    // The turn's clock stands still while its calls run: now and then a look at the real one.
    if ((++frames & 7) == 0) look_at_clock(Clock::now());
    // What has waited is perhaps not wanted any more; that is seen before it is decoded.
    if (frame.timeout_ms > waited_ms_ || !drop_expired(frame)) [[likely]]
      handle(frame);
    if (connection.closed()) return {used};
    used += step.size;
    if (in_flight_ >= core_->options.max_in_flight) {
      held_back_ = true;
      core_->stats.held_back.add();
      connection.pause_reading();
    }
  }
  return {used};
}

void ServerSession::refuse_frame(const FrameStep& step) {
  core_->stats.bad_frames.add();
  const std::string message = fmt::format("from {}: {} (offset {} of the frame); connection closed",
                                          peer_text(), step.rule, step.offset);
  core_->peer_log.warn(message);
  // What came before the bad frame was good, and is answered. Not kProtocol, which on_close() logs.
  connection_.close_when_sent(Error(Code::kDecode, message),
                              connection_.loop().now() + std::chrono::seconds(1));
}

void ServerSession::on_close(net::Connection& connection, const Error& why) {
  // The peer broke a rule of TLS.
  if (why.code() == Code::kProtocol) core_->peer_log.warn(why.message());
  let_calls_go();
  in_flight_ = 0;
  disarm();
  core_->forget(connection);
}

void ServerSession::handle(const Frame& frame) {
  if (frame.command == Command::kHeartbeat) {
    if (frame.type == FrameType::kRequest) {
      append_heartbeat_ack(connection_.out(), frame);
      connection_.cork();
    }
    return;
  }
  if (frame.command == Command::kRequest) handle_request(frame);
  // A response: this side has asked nothing. A late or stray one does no harm.
}

void ServerSession::answer_status(const Frame& frame, Status status, std::string_view message) {
  if (frame.type == FrameType::kOneway) return;
  ServerCall::write_status(connection_.out(), frame, status, message);
  connection_.cork();
}

void ServerSession::answer_failure(const Frame& frame, std::string_view message) {
  core_->stats.failures.add();
  if (frame.type == FrameType::kOneway) return;
  Buffer& out = connection_.out();
  OpenFrame open = begin_response(out, frame, Codec::kHessian, Status::kSuccess, frame.crc);
  out.append(kResponseClass);
  const std::size_t header = out.size();
  append_header_pair(out, kResponseErrorKey, "true");
  const std::size_t header_size = out.size() - header;
  begin_content(out, open);
  format_->of(dialect_of(frame.content)).write_failure(out, message);
  finish_frame(out, open, static_cast<std::uint16_t>(kResponseClass.size()),
               static_cast<std::uint16_t>(header_size));
  connection_.cork();
}

void ServerSession::take_table() {
  core_->refresh(own_loop_);
  if (own_loop_.version == table_version_) return;
  table_version_ = own_loop_.version;
  filtered_ = !own_loop_.table->chains.empty();
  last_service_ = nullptr;
  last_method_ = nullptr;
}

void ServerSession::refuse_header(const Frame& frame) {
  core_->stats.failures.add();
  constexpr std::string_view kMessage = "the header block of a request ends within a key or value";
  core_->peer_log.warn(fmt::format("from {}: {}", peer_text(), kMessage));
  answer_status(frame, Status::kServerDeserialize, kMessage);
}

ServiceEntry* ServerSession::find_service(std::string_view name) {
  refresh_table();
  if (last_service_ != nullptr && last_service_->unique_name == name) return last_service_;
  last_method_ = nullptr;
  return last_service_ = own_loop_.table->find(name);
}

namespace {

// Of a call that is not decoded, as its header says.
struct CalledNames {
  std::string_view service;
  std::string_view method;
};

CalledNames names_of(const Frame& frame) {
  CalledNames names;
  HeaderReader header(frame.header);
  for (std::string_view key, value; header.next(key, value);) {
    if (key == kServiceKey || (key == kTargetServiceKey && names.service.empty())) {
      names.service = value;
    }
    if (key == kMethodKey) names.method = value;
  }
  return names;
}

}  // namespace

void ServerSession::turn_away(const Frame& frame) {
  core_->last_turned_away.store(connection_.loop().now().time_since_epoch().count());
  const CalledNames names = names_of(frame);
  core_->refused(RefusedBy::kDrain, names.service, names.method, peer_text(),
                 [] { return "the server is about to stop"; });
  answer_status(frame, Status::kBusy, {});
}

void ServerSession::look_at_clock(TimePoint now) {
  now_ = now;
  const Duration waited = now - connection_.last_read();
  waited_ms_ =
      std::chrono::duration_cast<std::chrono::duration<std::int32_t, std::milli>>(waited).count();
}

// Who has stopped waiting gets no answer.
bool ServerSession::drop_expired(const Frame& frame) {
  if (frame.command != Command::kRequest || frame.type != FrameType::kRequest ||
      frame.timeout_ms <= 0) {
    return false;
  }
  const CalledNames names = names_of(frame);
  core_->expired(core_->stats.expired_arrival, names.service, names.method, peer_text(),
                 "the caller's time had passed before its call was looked at");
  return true;
}

void ServerSession::handle_request(const Frame& frame) {
  if (core_->draining.load(std::memory_order_acquire)) [[unlikely]]
    return turn_away(frame);
  if (frame.class_name != kRequestClass) {
    core_->stats.failures.add();
    answer_status(frame, Status::kServerException,
                  fmt::format("No user processor found for request: {}", frame.class_name));
    return;
  }
  if (frame.content.empty() && frame.codec == static_cast<std::uint8_t>(Codec::kHessian)) {
    core_->stats.failures.add();
    answer_status(frame, Status::kServerDeserialize, "Content of request is null");
    return;
  }
  switch (frame.codec) {
    case static_cast<std::uint8_t>(Codec::kHessian): handle_hessian(frame); break;
    case static_cast<std::uint8_t>(Codec::kProtobuf):
    case static_cast<std::uint8_t>(Codec::kJson): handle_plain(frame); break;
    default:
      core_->stats.failures.add();
      answer_status(frame, Status::kServerDeserialize,
                    fmt::format("Serializer Not Found,type:[{}]: this server reads 1 (hessian2), "
                                "11 (protobuf) and 12 (json)",
                                frame.codec));
  }
}

std::size_t HeadCache::place(const Frame& frame) noexcept {
  // The method's name is near the header's end, and tells requests apart together with the lengths.
  std::size_t hash = frame.header.size();
  const std::size_t tail = std::min<std::size_t>(frame.header.size(), 8);
  for (const std::uint8_t byte : frame.header.last(tail)) hash = hash * 31 + byte;
  return hash % kEntries;
}

const HeadCache::Entry* HeadCache::find(const Frame& frame,
                                        std::uint64_t table_version) const noexcept {
  Slot& slot = slots_[place(frame)];
  const Entry* entry = slot.entry.get();
  if (entry == nullptr || entry->table_version != table_version ||
      entry->header.size() != frame.header.size() ||
      std::memcmp(entry->header.data(), frame.header.data(), frame.header.size()) != 0 ||
      !entry->state.fits(frame.content)) {
    return nullptr;
  }
  slot.misses = 0;
  return entry;
}

void HeadCache::keep(const Frame& frame, std::uint64_t table_version, MethodEntry& method,
                     const hessian::Reader& reader) {
  if (frame.header.size() + reader.offset() > kLargest) return;
  Slot& slot = slots_[place(frame)];
  ++slot.misses;
  if ((slot.misses & (slot.misses - 1)) != 0) return;  // at 1, 2, 4, 8, ...
  auto entry = std::make_unique<Entry>();
  if (!entry->state.take(reader)) return;
  entry->table_version = table_version;
  entry->method = &method;
  entry->header.assign(frame.header.begin(), frame.header.end());
  slot.entry = std::move(entry);
}

void ServerSession::handle_hessian(const Frame& frame) {
  refresh_table();
  if (const HeadCache::Entry* entry = heads_.find(frame, table_version_)) {
    HessianArguments source(frame.content, entry->state, format_->limits);
    begin(frame, *entry->method, source, {});
    return;
  }
  // The header's service wins, as in Java.
  std::string_view service_in_header;
  HeaderReader header(frame.header);
  RequestHead head;
  head.with_properties = true;
  for (std::string_view key, value; header.next(key, value);) {
    if (key == kServiceKey && service_in_header.empty()) service_in_header = value;
    // Who says that has put all properties there; sofa-rpc-node puts none.
    if (key == kMethodKey) head.with_properties = false;
  }
  if (header.broken()) {
    refuse_header(frame);
    return;
  }
  HessianArguments source(frame.content, dialect_of(frame.content), format_->limits);
  if (!read_request_head(source.reader(), head)) {
    core_->stats.failures.add();
    const std::string message =
        fmt::format("reading the request: {}", source.reader().error().what());
    core_->peer_log.warn(fmt::format("from {}: {}", peer_text(), message));
    answer_status(frame, Status::kServerDeserialize, message);
    return;
  }
  const std::string_view service_name =
      service_in_header.empty() ? head.service : service_in_header;
  ServiceEntry* service = find_service(service_name);
  if (service == nullptr) {
    answer_failure(frame, service_missing(service_name));
    return;
  }
  const std::span<const std::string_view> signatures = head.signatures();
  if (last_method_ == nullptr || !matches(*last_method_, head.method, signatures)) {
    last_method_ = find_method(*service, head.method, signatures);
  }
  // Filters find headers in one place, wherever they have come.
  Bytes block;
  Frame full = frame;
  if (!head.properties.empty()) {
    Buffer pairs;
    pairs.append(frame.header.data(), frame.header.size());
    for (const auto& [key, value] : head.properties) append_header_pair(pairs, key, value);
    block = pairs.bytes();
    full.header = block.span();
  }
  if (last_method_ == nullptr) {
    if ((head.method == "$invoke" || head.method == "$genericInvoke") && signatures.size() >= 3) {
      handle_generic(full, *service, source.reader());
      return;
    }
    answer_failure(frame, method_missing(head.method, service_name));
    return;
  }
  if (head.baggage.empty() && head.properties.empty()) {
    heads_.keep(frame, table_version_, *last_method_, source.reader());
  }
  begin(full, *last_method_, source, std::move(head.baggage));
}

// GenericService's own methods, for clients that do not rewrite the call: (String method,
// String[] types, Object[] arguments).
void ServerSession::handle_generic(const Frame& frame, ServiceEntry& service,
                                   hessian::Reader& reader) {
  Result<std::string> name = hessian::decode<std::string>(reader);
  Result<std::vector<std::string>> types = name ? hessian::decode<std::vector<std::string>>(reader)
                                                : Result<std::vector<std::string>>(name.error());
  Result<hessian::Value> arguments =
      types ? hessian::decode<hessian::Value>(reader) : Result<hessian::Value>(types.error());
  if (!arguments) {
    core_->stats.failures.add();
    core_->peer_log.warn(
        fmt::format("from {}: reading a generic call: {}", peer_text(), arguments.error().what()));
    answer_status(frame, Status::kServerDeserialize,
                  fmt::format("reading a generic call: {}", arguments.error().what()));
    return;
  }
  const std::vector<std::string_view> signatures(types->begin(), types->end());
  MethodEntry* method = find_method(service, *name, signatures);
  if (method == nullptr || arguments->size() != signatures.size()) {
    answer_failure(frame, method_missing(*name, service.unique_name));
    return;
  }
  ValueArguments source(*std::move(arguments), reader.dialect());
  begin(frame, *method, source, {});
}

void ServerSession::handle_plain(const Frame& frame) {
  std::string_view service_name;
  std::string_view target_service;
  std::string_view method_name;
  Baggage baggage;
  HeaderReader header(frame.header);
  for (std::string_view key, value; header.next(key, value);) {
    if (key == kServiceKey) service_name = value;
    if (key == kTargetServiceKey) target_service = value;
    if (key == kMethodKey) method_name = value;
    if (key.starts_with(kRequestBaggagePrefix)) {
      baggage.insert_or_assign(std::string(key.substr(kRequestBaggagePrefix.size())), std::string(value));
    }
  }
  if (header.broken()) {
    refuse_header(frame);
    return;
  }
  if (service_name.empty()) service_name = target_service;
  ServiceEntry* service = find_service(service_name);
  if (service == nullptr) {
    answer_status(frame, Status::kServerDeserialize, service_missing(service_name));
    return;
  }
  MethodEntry* method = find_method(*service, method_name);
  if (method == nullptr) {
    answer_status(frame, Status::kServerDeserialize, method_missing(method_name, service_name));
    return;
  }
  if (frame.codec == static_cast<std::uint8_t>(Codec::kProtobuf)) {
    MessageArguments source(frame.content);
    begin(frame, *method, source, std::move(baggage));
  } else {
    JsonArguments source(frame.content);
    begin(frame, *method, source, std::move(baggage));
  }
}

// The references are good until the coroutine first suspends; ServerCall keeps nothing behind them
// but the source, which is read or made its own before that.
settee::detail::Detached run_call(ServerSession& session, const Frame& frame, MethodEntry& method,
                                  ArgumentSource& source, Baggage baggage,
                                  [[maybe_unused]] std::shared_ptr<Server::Core> core,
                                  [[maybe_unused]] std::shared_ptr<const ServerFormat> format) {
  ServerCall call(session, frame, method, source);
  const settee::detail::ContextSwitch inside(co_await settee::detail::this_promise(),
                                             call.make_context(frame, std::move(baggage)));
  const Result<void> ended = co_await as_result(call.serve());
  if (!call.loop().in_loop()) co_await resume_on(call.loop());
  call.finish(ended);
}

bool ServerSession::let_in(const Frame& frame, MethodEntry& method, const Baggage& baggage) {
  if (core_->options.authenticate && !authenticated(frame, method, baggage)) return false;
  CallLimits* limits = nullptr;
  const RefusedBy by = method.enter_limits(now_, limits);
  if (by == RefusedBy::kNobody) return true;
  core_->stats.failures.add();
  core_->refused(by, method.service->unique_name, method.name, peer_text(),
                 [&] { return limits->describe(by); });
  if (const std::uint64_t refusals = limits->to_log(by, now_); refusals > 0) {
    core_->runtime.log(
        LogLevel::kWarning, "rpc",
        fmt::format("{}#{}: {} call(s) refused as busy: {}{}", method.service->unique_name,
                    method.name, refusals, limits->describe(by),
                    limits == method.limits.get() ? " for the method" : " for the service"));
  }
  answer_status(frame, Status::kBusy, {});
  return false;
}

bool ServerSession::authenticated(const Frame& frame, MethodEntry& method, const Baggage& baggage) {
  const FrameHeaders headers(frame.header);
  const Call call(Side::kServer, method.service->unique_name, method.name, peer_text(), &headers,
                  nullptr, peer().tls.get());
  const Result<void> passed = core_->authenticate(call, &baggage);
  if (passed) return true;
  const std::string message = fmt::format("{}#{}: authentication: {}", method.service->unique_name,
                                          method.name, passed.error().message());
  core_->peer_log.warn(fmt::format("from {}: {}", peer_text(), message));
  // Not "busy", which would be tried elsewhere. Java and Settee read the text of a failed call; who
  // looks at the status only is told by it.
  if (frame.codec == static_cast<std::uint8_t>(Codec::kHessian)) {
    answer_failure(frame, message);
  } else {
    core_->stats.failures.add();
    answer_status(frame, Status::kServerException, message);
  }
  return false;
}

void ServerSession::begin(const Frame& frame, MethodEntry& method, ArgumentSource& source,
                          Baggage baggage) {
  if (!method.service->enter()) {
    answer_failure(frame, service_missing(method.service->unique_name));
    return;
  }
  if (method.guarded && !let_in(frame, method, baggage)) [[unlikely]] {
    method.service->leave();
    return;
  }
  Loop& loop = connection_.loop();
  loop.working_on(method.label);
  run_call(*this, frame, method, source, std::move(baggage), core_, format_).start(Context());
  loop.working_on(nullptr);
}

namespace {

class Binding final : public ServerBinding {
 public:
  explicit Binding(const ServerOptions& options) : format_(std::make_shared<ServerFormat>()) {
    format_->limits.depth = options.hessian_depth;
    format_->limits.nodes = options.hessian_nodes;
  }
  bool speaks(std::uint8_t first_byte) const noexcept override {
    return first_byte == 1 || first_byte == 2;
  }
  std::unique_ptr<net::Protocol> serve(std::shared_ptr<Server::Core> core,
                                       net::Connection& connection) override {
    return std::make_unique<ServerSession>(std::move(core), format_, heads_of(connection.loop()),
                                           connection);
  }

 private:
  HeadCache& heads_of(Loop& loop) {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<HeadCache>& heads = heads_[&loop];
    if (!heads) heads = std::make_unique<HeadCache>();
    return *heads;
  }

  std::shared_ptr<ServerFormat> format_;
  std::mutex mutex_;
  std::map<Loop*, std::unique_ptr<HeadCache>> heads_;  // each used on its loop only
};

}  // namespace
}  // namespace settee::inline v0::rpc::bolt

namespace settee::inline v0::rpc {

std::unique_ptr<ServerBinding> make_bolt_binding(const ServerOptions& options) {
  return std::make_unique<bolt::Binding>(options);
}

}  // namespace settee::inline v0::rpc
