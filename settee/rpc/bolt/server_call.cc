// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/bolt/internal/server_call.h"

#include <fmt/format.h>

#include <utility>

#include "settee/hessian/json.h"

namespace settee::inline v0::rpc::bolt {

namespace {

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

// As events name it. Java says "sync", "callback", "future" or "oneway".
std::string_view invoke_type(const Frame& frame) {
  if (frame.type == FrameType::kOneway) return "oneway";
  HeaderReader header(frame.header);
  for (std::string_view key, value; header.next(key, value);) {
    if (key == "type" && (value == "callback" || value == "future")) return "callback";
  }
  return "sync";
}

std::size_t frame_size(const Frame& frame) {
  // Its fixed part is 22 bytes; from version 2 on two more.
  const std::size_t fixed = frame.version == Version::kV1 ? 22 : 24;
  return fixed + frame.class_name.size() + frame.header.size() + frame.content.size() +
         (frame.crc ? 4 : 0);
}

}  // namespace

// Java answers with status 0 and an error header in every codec. A protobuf client of Node looks at
// the status only: it would take the text for a message and, as that fails, close the connection with
// all calls on it. Java's requests tell their call type, Node's do not.
Status failure_status(const Frame& request) {
  HeaderReader header(request.header);
  for (std::string_view key, value; header.next(key, value);) {
    if (key == "type") return Status::kSuccess;
  }
  return Status::kServerException;
}

void FrameHeaders::each(
    const std::function<bool(std::string_view name, std::string_view value)>& visit) const {
  HeaderReader header(block_);
  for (std::string_view key, value; header.next(key, value);) {
    if (!visit(key, value)) return;
  }
}

void ServerCall::guard() {
  deadline_ = std::min(deadline_, method_.deadline(session_->connection_.last_read()));
  measured_from_ = method_.measured_from();
}

// A filter may suspend, and the bytes are gone then.
void ServerCall::keep(FilterChain filters) {
  if (!filters) return;
  kept_ = std::make_unique<Kept>();
  kept_->filters = std::move(filters);
  const std::span<const std::uint8_t> block = headers_.block();
  kept_->headers.assign(block.begin(), block.end());
  headers_ = FrameHeaders(kept_->headers);
  kept_->source = source_->keep();
  source_ = kept_->source.get();
}

Task<void> ServerCall::serve_filtered() { return Next(*kept_->filters, 0, call_, *this)(); }

Task<void> ServerCall::proceed() {
  if (source_ != nullptr) return method_.info->serve(method_.service->object, *this);
  return fail_second_next(call_);
}

bool ServerCall::read_arguments(void* const* arguments) {
  TimePoint before{};
  if (watched_) [[unlikely]]
    before = Clock::now();
  const Result<void> read = source_->read(*method_.info, arguments);
  if (watched_) [[unlikely]]
    watched_->measures.decode = Clock::now() - before;
  source_ = nullptr;
  headers_ = FrameHeaders();
  if (!read) [[unlikely]]
    refuse_arguments(read.error());
  return static_cast<bool>(read);
}

void ServerCall::refuse_arguments(const Error& error) {
  failed_ = true;
  core_.stats.failures.add();
  const std::string message = fmt::format("{}#{}: reading the arguments: {}",
                                          method_.service->unique_name, method_.name, error.what());
  core_.peer_log.warn(fmt::format("from {}: {}", call_.peer(), message));
  if (watched_) watched_->failed(Error(error.code(), message));
  if (session_ != nullptr && !oneway_) {
    session_->answer_status(as_frame(), Status::kServerDeserialize, message);
  }
}

ThreadPool* ServerCall::pool() {
  if (watched_) watched_->submitted();
  return method_.pool != nullptr ? method_.pool : &core_.runtime.pool();
}

void ServerCall::refuse(const Error& error) {
  failed_ = true;
  core_.stats.failures.add();
  core_.refused(RefusedBy::kPool, method_.service->unique_name, method_.name, call_.peer(),
                [&] { return std::string(error.what()); });
  if (watched_) watched_->failed(error);
  if (core_.runtime.logs(LogLevel::kDebug)) {
    core_.runtime.log(LogLevel::kDebug, "rpc",
                      fmt::format("{}#{} from {}: {}", method_.service->unique_name, method_.name,
                                  call_.peer(), error.what()));
  }
  if (session_ != nullptr && !oneway_) session_->answer_status(as_frame(), Status::kBusy, {});
}

bool ServerCall::begin() {
  if (deadline_ != kNoDeadline) {
    // On the loop the turn's own clock serves: what began in this turn cannot have waited.
    const TimePoint now = loop_.in_loop() ? loop_.now() : Clock::now();
    if (now >= deadline_) return too_late(now);
  }
  if (watched_) watched_->begun();
  return true;
}

// It has waited too long for the pool or a filter. Perhaps on the pool's thread, as which nothing is
// sent: finish() does it.
bool ServerCall::too_late(TimePoint now) {
  failed_ = true;
  if (now >= callers_deadline_) {
    constexpr std::string_view kWhy = "the caller's time had passed before the method could begin";
    core_.expired(core_.stats.expired_queue, method_.service->unique_name, method_.name,
                  call_.peer(), kWhy);
    if (watched_) watched_->failed(Error(Code::kTimeout, std::string(kWhy)));
    return false;
  }
  const auto why = [&] {
    return fmt::format(
        "{} ms had passed before the method could begin",
        std::chrono::duration_cast<std::chrono::milliseconds>(method_.timeout.load()).count());
  };
  core_.stats.failures.add();
  core_.refused(RefusedBy::kTimeout, method_.service->unique_name, method_.name, call_.peer(), why);
  if (watched_) watched_->failed(Error(Code::kTimeout, "timeout: " + why()));
  busy_ = true;
  return false;
}

void ServerCall::write_result(const void* result) {
  if (oneway_) return;
  if (!watched_) [[likely]]
    return put_result(result);
  const TimePoint before = Clock::now();
  put_result(result);
  watched_->measures.encode = Clock::now() - before;
}

void ServerCall::put_result(const void* result) {
  if (kept_ || !loop_.in_loop()) {
    // A filter may still fail the call; and what is on a pool's thread is sent by the loop.
    send_result(aside_, result);
  } else if (session_ != nullptr) {
    send_result(session_->connection_.out(), result);
  }
}

void ServerCall::finish_otherwise(const Result<void>& ended) {
  if (ended && kept_ && !written_ && !failed_ && !oneway_) {
    return finish_otherwise(no_answer(call_));
  }
  tells_time_ = CallLimits::slow(ended, loop_.now(), deadline_) || (ended && !failed_);
  if (!ended) core_.stats.failures.add();
  const bool answered = session_ != nullptr && !oneway_ && answer_otherwise(ended);
  if (!watched_) return;
  if (answered) watched_->sent();
  watched_->ended(ended);
}

// Nothing at all, busy, or the Error.
bool ServerCall::answer_otherwise(const Result<void>& ended) {
  if (failed_) {
    if (busy_) session_->answer_status(as_frame(), Status::kBusy, {});
    return false;
  }
  if (late()) {
    core_.expired(core_.stats.expired_handled, method_.service->unique_name, method_.name,
                  call_.peer(), "the caller's time had passed when the method ended");
    return false;
  }
  net::Connection& connection = session_->connection_;
  const bool by_us = ended.error().code() == Code::kCancelled && item_->cancelled();
  send_exception(connection.out(),
                 by_us ? ended.error().within("the server is being stopped") : ended.error());
  connection.cork();
  return true;
}

Frame ServerCall::as_frame() const {
  Frame frame;
  frame.version = version_;
  frame.type = oneway_ ? FrameType::kOneway : FrameType::kRequest;
  frame.codec = static_cast<std::uint8_t>(codec_);
  frame.crc = crc_;
  frame.id = id_;
  return frame;
}

void ServerCall::send_result(Buffer& out, const void* result) {
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
  if (watched_) watched_->measures.response_bytes = out.size() - frame.begin;
}

Result<void> ServerCall::write_body(Buffer& out, const void* result) {
  const TypeInfo& type = *method_.info->result;
  const Baggage* baggage = item_->response.empty() ? nullptr : &item_->response;
  switch (codec_) {
    case Codec::kHessian: return format_.of(dialect_).write_success(out, type, result, baggage);
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

void ServerCall::send_exception(Buffer& out, const Error& error) {
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
  if (watched_) watched_->measures.response_bytes = out.size() - frame.begin;
}

void ServerCall::write_status(Buffer& out, const Frame& request, Status status,
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

void ServerCall::watch(const Frame& frame, Context& context) {
  watched_ =
      std::make_unique<CallWatch>(core_, call_, "bolt", invoke_type(frame),
                                  std::string(call_.header("app")), frame_size(frame), context);
}

}  // namespace settee::inline v0::rpc::bolt
