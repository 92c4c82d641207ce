// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/bolt/internal/server_session.h"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <mutex>

#include "settee/hessian/json.h"
#include "settee/rpc/bolt/internal/arguments.h"

namespace settee::inline v0::rpc::bolt {

namespace {

hessian::Dialect dialect_of(std::span<const std::uint8_t> content) {
  if (content.empty()) return Dialect::kSofa3;
  return hessian::detect_dialect(content[0]).value_or(Dialect::kSofa3);
}

constexpr std::size_t kLargestHeader = 32767;  // its length is a signed 16-bit number

// Whether the header of a response has room for it.
bool fits_header(const Baggage& baggage) {
  std::size_t size = 64;  // what else is there
  for (const auto& [key, value] : baggage) {
    size += 8 + kResponseBaggagePrefix.size() + key.size() + value.size();
  }
  return size <= kLargestHeader;
}

void append_baggage(Buffer& out, const Baggage& baggage) {
  for (const auto& [key, value] : baggage) {
    append_header_pair(out, fmt::format("{}{}", kResponseBaggagePrefix, key), value);
  }
}

// The status of a failed call's answer. Java answers with status 0 and an error header in every codec.
// A protobuf client of Node looks at the status only: it would take the text for a message and, as
// that fails, close the connection with all calls on it. Java's requests tell their call type, Node's
// do not.
Status failure_status(const Frame& request) {
  if (request.codec != static_cast<std::uint8_t>(Codec::kProtobuf)) return Status::kSuccess;
  HeaderReader header(request.header);
  for (std::string_view key, value; header.next(key, value);) {
    if (key == "type") return Status::kSuccess;
  }
  return Status::kServerException;
}

}  // namespace

/// One call that a handler works on. It lives in the frame of run() and is known to its session,
/// which tells it when the connection has gone.
class ServerCall final : public MethodFrame, public Next::Terminal {
 public:
  ServerCall(ServerSession& session, const Frame& frame, MethodEntry& method,
             ArgumentSource& source)
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
        failure_status_(failure_status(frame)),
        call_(Side::kServer, method.service->unique_name, method.name, session.peer_text()) {
    next_ = session.calls_;
    if (next_ != nullptr) next_->link_ = &next_;
    link_ = &session.calls_;
    session.calls_ = this;
    ++session.in_flight_;
    core_.stats.calls.add();
    core_.stats.in_flight.add();
    item_ = new ServerCallItem;
    item_->call.store(&call_, std::memory_order_relaxed);
    item_->retain();  // ours; the other is the Context's
  }

  ~ServerCall() {
    item_->call.store(nullptr, std::memory_order_release);
    item_->release();
    core_.stats.in_flight.subtract();
    method_.service->leave();
    if (session_ == nullptr) return;
    *link_ = next_;
    if (next_ != nullptr) next_->link_ = link_;
    --session_->in_flight_;
    if (session_->held_back_ && session_->in_flight_ * 4 <= core_.options.max_in_flight * 3) {
      session_->held_back_ = false;
      session_->connection_.resume_reading();
    }
  }

  /// The Context under which the handler runs.
  Context make_context(const Frame& frame, Baggage baggage) {
    if (frame.timeout_ms > 0 && !oneway_) {
      deadline_ = loop_.now() + std::chrono::milliseconds(frame.timeout_ms);
    }
    Context context = Context::begin(deadline_, &kServerCall, item_);
    if (!baggage.empty()) context = context.with(kRequestBaggage, std::move(baggage));
    return context;
  }

  void session_gone() noexcept {
    peer_ = session_->peer_text_;
    session_ = nullptr;
  }
  ServerCall* next() const noexcept { return next_; }
  Loop& loop() noexcept { return loop_; }

  // What run() awaits: the filters, and behind them the method.
  Task<void> serve() {
    if (core_.filters.empty()) return proceed();
    kept_source_ = source_->keep();  // a filter may suspend, and the bytes are gone then
    source_ = kept_source_.get();
    return Next(core_.filters, 0, call_, *this)();
  }
  Task<void> proceed() override { return method_.info->serve(method_.service->object, *this); }

  // MethodFrame
  bool read_arguments(void* const* arguments) override {
    Result<void> read = source_->read(*method_.info, arguments);
    source_ = nullptr;
    if (read) return true;
    failed_ = true;
    core_.stats.failures.add();
    const std::string message =
        fmt::format("{}#{}: reading the arguments: {}", method_.service->unique_name, method_.name,
                    read.error().what());
    core_.log_bad_peer(fmt::format("from {}: {}", call_.peer(), message));
    if (session_ != nullptr && !oneway_) {
      session_->answer_status(as_frame(), Status::kServerDeserialize, message);
    }
    return false;
  }
  ThreadPool* pool() override {
    if (method_.service->options.pool) return method_.service->options.pool.get();
    return &core_.runtime.pool();
  }
  void refuse(const Error& error) override {
    failed_ = true;
    core_.stats.refused.add();
    core_.stats.failures.add();
    if (core_.runtime.logs(LogLevel::kDebug)) {
      core_.runtime.log(LogLevel::kDebug, "rpc",
                        fmt::format("{}#{} from {}: {}", method_.service->unique_name,
                                    method_.name, call_.peer(), error.what()));
    }
    if (session_ != nullptr && !oneway_) session_->answer_status(as_frame(), Status::kBusy, {});
  }
  bool begin() override {
    if (deadline_ == kNoDeadline) return true;
    // On the loop the turn's own clock serves: what began in this turn cannot have waited.
    if ((loop_.in_loop() ? loop_.now() : Clock::now()) < deadline_) return true;
    failed_ = true;
    core_.stats.expired.add();
    return false;
  }
  void write_result(const void* result) override {
    if (oneway_) return;
    if (loop_.in_loop()) {
      if (session_ != nullptr) send_result(session_->connection_.out(), result);
    } else {
      send_result(aside_, result);  // on a pool's thread: the loop sends it
    }
  }

  /// On the loop, when the method has ended.
  void finish(const Result<void>& ended) {
    if (!ended) core_.stats.failures.add();
    if (session_ == nullptr || oneway_ || failed_) return;
    net::Connection& connection = session_->connection_;
    if (late()) {
      core_.stats.expired.add();
      return;
    }
    if (!ended) {
      send_exception(connection.out(), ended.error());
    } else if (!aside_.empty()) {
      connection.out().append(std::move(aside_));
    }
    connection.cork();
  }

 private:
  Frame as_frame() const {
    Frame frame;
    frame.version = version_;
    frame.type = oneway_ ? FrameType::kOneway : FrameType::kRequest;
    frame.codec = static_cast<std::uint8_t>(codec_);
    frame.crc = crc_;
    frame.id = id_;
    return frame;
  }
  // Nobody waits any more; only what took long enough to suspend can be.
  bool late() const {
    return deadline_ != kNoDeadline && loop_.now() >= deadline_ && aside_.empty() && !written_;
  }

  void send_result(Buffer& out, const void* result) {
    OpenFrame frame = begin_response(out, as_frame(), codec_, Status::kSuccess, crc_);
    out.append(kResponseClass);
    const std::size_t header = out.size();
    if (!item_->response.empty()) append_baggage(out, item_->response);
    const std::size_t header_size = out.size() - header;
    begin_content(out, frame);
    Result<void> written = write_body(out, result);
    if (written && header_size > kLargestHeader) {
      written = Error(Code::kLimit, fmt::format("the response's baggage of {} bytes is over Bolt's "
                                                "{}",
                                                header_size, kLargestHeader));
    }
    if (written && !finish_frame(out, frame, static_cast<std::uint16_t>(kResponseClass.size()),
                                 static_cast<std::uint16_t>(header_size))) {
      written = Error(Code::kLimit, "the result is longer than a Bolt frame can be (2 GiB)");
    }
    if (!written) {
      out.truncate(frame.begin);
      core_.stats.failures.add();
      write_status(out, as_frame(), Status::kServerSerialize,
                   fmt::format("{}#{}: writing the result: {}", method_.service->unique_name,
                               method_.name, written.error().what()));
    }
    written_ = true;
  }

  Result<void> write_body(Buffer& out, const void* result) {
    const TypeInfo& type = *method_.info->result;
    const Baggage* baggage = item_->response.empty() ? nullptr : &item_->response;
    switch (codec_) {
      case Codec::kHessian:
        return format_.of(dialect_).write_success(out, type, result, baggage);
      case Codec::kProtobuf: return write_message(out, type, result);
      case Codec::kJson:
        if (type.kind == Kind::kVoid) {
          out.append("null");
          return {};
        }
        return json::write(out, type, result);
    }
    return Error(Code::kEncode, "unknown codec");
  }

  void send_exception(Buffer& out, const Error& error) {
    // The exception matters more than baggage that has no room.
    const Baggage* baggage = item_->response.empty() ? nullptr : &item_->response;
    if (baggage != nullptr && !fits_header(*baggage)) baggage = nullptr;
    OpenFrame frame = begin_response(out, as_frame(), codec_, failure_status_, crc_);
    out.append(kResponseClass);
    const std::size_t header = out.size();
    append_header_pair(out, kResponseErrorKey, "true");
    if (baggage != nullptr) append_baggage(out, *baggage);
    const std::size_t header_size = out.size() - header;
    begin_content(out, frame);
    if (codec_ == Codec::kHessian) {
      format_.of(dialect_).write_exception(out, error, baggage);
    } else {
      // Protobuf has the text, JSON a JSON string of it.
      const std::string text = error.exception() != nullptr ? error.message() : error.what();
      if (codec_ == Codec::kJson) {
        static_cast<void>(json::write(out, type_of<std::string>(), &text));
      } else {
        out.append(text);
      }
    }
    finish_frame(out, frame, static_cast<std::uint16_t>(kResponseClass.size()),
                 static_cast<std::uint16_t>(header_size));
  }

 public:
  /// A bolt-level failure; always Hessian, whatever codec the request had, and without a CRC.
  static void write_status(Buffer& out, const Frame& request, Status status,
                           std::string_view message) {
    OpenFrame frame = begin_response(out, request, Codec::kHessian, status, false);
    if (status == Status::kBusy) {
      begin_content(out, frame);
      finish_frame(out, frame, 0, 0);
      return;
    }
    out.append(kExceptionClass);
    begin_content(out, frame);
    write_server_exception(out, message, Dialect::kSofa3);
    finish_frame(out, frame, static_cast<std::uint16_t>(kExceptionClass.size()), 0);
  }

 private:
  ServerSession* session_;  // null when the connection has gone
  Server::Core& core_;
  const ServerFormat& format_;
  Loop& loop_;
  MethodEntry& method_;
  ArgumentSource* source_;  // null when the arguments have been read
  std::unique_ptr<ArgumentSource> kept_source_;
  Dialect dialect_;
  std::int32_t id_;
  Version version_;
  Codec codec_;
  bool crc_;
  bool oneway_;
  Status failure_status_;
  bool failed_ = false;   // answered otherwise, or not to be answered
  bool written_ = false;
  TimePoint deadline_ = kNoDeadline;
  Call call_;
  std::shared_ptr<const std::string> peer_;  // what call_ names, when the session has gone
  ServerCallItem* item_;
  Buffer aside_;
  ServerCall* next_ = nullptr;
  ServerCall** link_ = nullptr;
};

ServerSession::ServerSession(std::shared_ptr<Server::Core> core,
                             std::shared_ptr<const ServerFormat> format, HeadCache& heads,
                             net::Connection& connection)
    : core_(std::move(core)),
      format_(std::move(format)),
      heads_(heads),
      connection_(connection) {
  if (core_->options.idle_close.count() > 0) {
    arm(connection.loop(), connection.loop().now() + core_->options.idle_close);
  }
}

ServerSession::~ServerSession() {
  for (ServerCall* call = calls_; call != nullptr; call = call->next()) call->session_gone();
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
    connection_.close(Error(Code::kConnectionClosed,
                            fmt::format("connection of {}: idle for {} ms", peer_text(),
                                        core_->options.idle_close.count())));
  }
}

const std::string& ServerSession::peer_text() {
  if (!peer_text_) {
    peer_text_ = std::make_shared<const std::string>(connection_.peer().to_string());
  }
  return *peer_text_;
}

net::Protocol::Taken ServerSession::on_data(net::Connection& connection,
                                            std::span<const std::uint8_t> data) {
  FrameLimits limits;
  limits.content = core_->options.max_frame;
  std::size_t used = 0;
  // A peer that does not read its answers gets no more of them made: the rest comes again when it has.
  while (!held_back_ && !connection.congested()) {
    Frame frame;
    const FrameStep step = read_frame(data.subspan(used), limits, frame);
    if (step.kind == FrameStep::kMore) return {used, step.size};
    if (step.kind == FrameStep::kBad) {
      refuse_frame(step);
      return {used};
    }
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
  const std::string message =
      fmt::format("from {}: {} (offset {} of the frame); connection closed", peer_text(), step.rule,
                  step.offset);
  core_->log_bad_peer(message);
  // What came before the bad frame was good, and is answered.
  connection_.close_when_sent(Error(Code::kProtocol, message),
                              connection_.loop().now() + std::chrono::seconds(1));
}

void ServerSession::on_close(net::Connection& connection, const Error&) {
  for (ServerCall* call = calls_; call != nullptr; call = call->next()) call->session_gone();
  calls_ = nullptr;
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

void ServerSession::refresh_table() {
  if (core_->table_version.load(std::memory_order_acquire) == table_version_) return;
  table_ = core_->table(&table_version_);
  last_service_ = nullptr;
  last_method_ = nullptr;
}

void ServerSession::refuse_header(const Frame& frame) {
  core_->stats.failures.add();
  constexpr std::string_view kMessage = "the header block of a request ends within a key or value";
  core_->log_bad_peer(fmt::format("from {}: {}", peer_text(), kMessage));
  answer_status(frame, Status::kServerDeserialize, kMessage);
}

ServiceEntry* ServerSession::find_service(std::string_view name) {
  refresh_table();
  if (last_service_ != nullptr && last_service_->unique_name == name) return last_service_;
  last_method_ = nullptr;
  return last_service_ = table_->find(name);
}

void ServerSession::handle_request(const Frame& frame) {
  if (core_->draining.load(std::memory_order_acquire)) {
    core_->last_turned_away.store(connection_.loop().now().time_since_epoch().count());
    answer_status(frame, Status::kBusy, {});
    return;
  }
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

namespace {

std::string service_missing(std::string_view service) {
  return fmt::format("RPC-020100010: RPC cannot find service: [{}] ", service);
}
std::string method_missing(std::string_view method, std::string_view service) {
  return fmt::format("RPC-020100011: Cannot find invoke method: [{}], service: [{}] ", method,
                     service);
}

}  // namespace

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
  HessianArguments source(frame.content, dialect_of(frame.content), format_->limits);
  RequestHead head;
  if (!read_request_head(source.reader(), head)) {
    core_->stats.failures.add();
    const std::string message =
        fmt::format("reading the request: {}", source.reader().error().what());
    core_->log_bad_peer(fmt::format("from {}: {}", peer_text(), message));
    answer_status(frame, Status::kServerDeserialize, message);
    return;
  }
  // The header's service wins, as in Java.
  std::string_view service_name = head.service;
  HeaderReader header(frame.header);
  bool in_header = false;
  for (std::string_view key, value; header.next(key, value);) {
    if (key == kServiceKey && !std::exchange(in_header, true)) service_name = value;
  }
  if (header.broken()) {
    refuse_header(frame);
    return;
  }
  ServiceEntry* service = find_service(service_name);
  if (service == nullptr) {
    answer_failure(frame, service_missing(service_name));
    return;
  }
  const std::span<const std::string_view> signatures = head.signatures();
  if (last_method_ == nullptr || !matches(*last_method_, head.method, signatures)) {
    last_method_ = find_method(*service, head.method, signatures);
  }
  if (last_method_ == nullptr) {
    if ((head.method == "$invoke" || head.method == "$genericInvoke") && signatures.size() >= 3) {
      handle_generic(frame, *service, source.reader());
      return;
    }
    answer_failure(frame, method_missing(head.method, service_name));
    return;
  }
  if (head.baggage.empty()) heads_.keep(frame, table_version_, *last_method_, source.reader());
  begin(frame, *last_method_, source, std::move(head.baggage));
}

// GenericService's own methods, for clients that do not rewrite the call: (String method,
// String[] types, Object[] arguments).
void ServerSession::handle_generic(const Frame& frame, ServiceEntry& service,
                                   hessian::Reader& reader) {
  Result<std::string> name = hessian::decode<std::string>(reader);
  Result<std::vector<std::string>> types =
      name ? hessian::decode<std::vector<std::string>>(reader)
           : Result<std::vector<std::string>>(name.error());
  Result<hessian::Value> arguments =
      types ? hessian::decode<hessian::Value>(reader) : Result<hessian::Value>(types.error());
  if (!arguments) {
    core_->stats.failures.add();
    core_->log_bad_peer(fmt::format("from {}: reading a generic call: {}", peer_text(),
                                    arguments.error().what()));
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
  constexpr std::string_view kBaggagePrefix = "rpc_req_baggage.";
  for (std::string_view key, value; header.next(key, value);) {
    if (key == kServiceKey) service_name = value;
    if (key == kTargetServiceKey) target_service = value;
    if (key == kMethodKey) method_name = value;
    if (key.starts_with(kBaggagePrefix)) {
      baggage.insert_or_assign(std::string(key.substr(kBaggagePrefix.size())), std::string(value));
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

void ServerSession::begin(const Frame& frame, MethodEntry& method, ArgumentSource& source,
                          Baggage baggage) {
  if (!method.service->enter()) {
    answer_failure(frame, service_missing(method.service->unique_name));
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
