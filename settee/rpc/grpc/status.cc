// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/status.h"

#include <algorithm>
#include <charconv>

#include "settee/base/detail/base64.h"
#include "settee/hessian/json.h"
#include "settee/rpc/grpc/internal/wire.h"
#include "settee/rpc/internal/hosted_call.h"

namespace settee::inline v0::rpc::grpc {

namespace {

// Clients take 8 KiB of metadata or more; a trailer must not be what an answer fails for. So much a
// message may take when it is encoded, and the details before they are base64, which makes 3 KiB.
constexpr std::size_t kLongestMessage = 2048;
constexpr std::size_t kLongestDetails = 3 * 1024 / 4 * 3;
// Of details that do not fit otherwise.
constexpr std::size_t kShortMessage = 512;
constexpr std::size_t kLongestClass = 512;

// "PeerError" → "PEER_ERROR", as ErrorInfo wants its reasons
std::string reason_of(Code code) {
  std::string reason;
  for (const char* at = to_string(code); *at != '\0'; ++at) {
    const bool is_upper = *at >= 'A' && *at <= 'Z';
    if (is_upper && !reason.empty()) reason += '_';
    reason += is_upper ? *at : static_cast<char>(*at - ('a' - 'A'));
  }
  return reason;
}

void put_entry(Output& out, std::uint32_t number, std::string_view key, std::string_view value) {
  put_tag(out, number, Wire::kLength);
  const std::size_t begin = begin_length(out);
  put_text(out, 1, key);
  put_text(out, 2, value);
  end_length(out, begin);
}

std::string details_of(const Error& error, Status status, std::string_view message,
                       bool with_value) {
  Output info;
  put_text(info, 1, reason_of(error.code()));
  put_text(info, 2, "settee");
  put_entry(info, 3, "code", std::to_string(static_cast<int>(error.code())));
  const ExceptionValue* const exception = error.exception();
  if (exception != nullptr && exception->class_name().size() <= kLongestClass) {
    put_entry(info, 3, "exception", exception->class_name());
    if (with_value && exception->object() != nullptr) {
      const Result<std::string> value = json::to_json(*exception->type(), exception->object());
      if (value && value->size() <= kLongestDetails) put_entry(info, 3, "value", *value);
    }
  }
  Output out;
  put_number(out, 1, static_cast<std::uint64_t>(status));
  put_text(out, 2, message);
  put_tag(out, 3, Wire::kLength);
  const std::size_t any = begin_length(out);
  put_text(out, 1, "type.googleapis.com/google.rpc.ErrorInfo");
  put_text(out, 2, info.take().view());
  end_length(out, any);
  return std::string(out.take().view());
}

bool stays_as_it_is(char c) noexcept { return c >= ' ' && c <= '~' && c != '%'; }

// At most so many bytes when percent-encoded, and no character of UTF-8 cut through.
std::string_view shortened(std::string_view text, std::size_t longest = kLongestMessage) noexcept {
  std::size_t encoded = 0;
  std::size_t size = 0;
  while (size < text.size()) {
    encoded += stays_as_it_is(text[size]) ? 1 : 3;
    if (encoded > longest) break;
    ++size;
  }
  if (size == text.size()) return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

// The value counts for more than the message, which is in grpc-message too.
std::string fitting_details(const Error& error, Status status) {
  std::string details = details_of(error, status, shortened(error.message()), true);
  if (details.size() <= kLongestDetails) return details;
  const std::string_view message = shortened(error.message(), kShortMessage);
  details = details_of(error, status, message, true);
  if (details.size() <= kLongestDetails) return details;
  return details_of(error, status, message, false);
}

}  // namespace

Status status_of(const Error& error) noexcept {
  if (error.detail<CallerRefused>() != nullptr) return Status::kUnauthenticated;
  if (error.detail<ServerDrains>() != nullptr) return Status::kUnavailable;
  switch (error.code()) {
    case Code::kCancelled: return Status::kCancelled;
    case Code::kUnknown:
    case Code::kBusiness:
    case Code::kPeerError: return Status::kUnknown;
    case Code::kInvalidArgument:
    case Code::kPeerDecode: return Status::kInvalidArgument;
    case Code::kTimeout: return Status::kDeadlineExceeded;
    case Code::kBusy:
    case Code::kLimit:
    case Code::kOverflow: return Status::kResourceExhausted;
    case Code::kServiceNotFound:
    case Code::kMethodNotFound: return Status::kUnimplemented;
    case Code::kStopped:
    case Code::kConnectFailed:
    case Code::kConnectionClosed:
    case Code::kNoProvider: return Status::kUnavailable;
    case Code::kMisuse:
    case Code::kConfig:
    case Code::kEncode:
    case Code::kDecode:
    case Code::kIo:
    case Code::kPeerEncode:
    case Code::kProtocol: return Status::kInternal;
  }
  return Status::kUnknown;
}

Code code_of(Status status) noexcept {
  switch (status) {
    case Status::kCancelled: return Code::kCancelled;
    case Status::kInvalidArgument: return Code::kPeerDecode;
    case Status::kDeadlineExceeded: return Code::kTimeout;
    case Status::kNotFound:
    case Status::kUnimplemented: return Code::kMethodNotFound;
    case Status::kResourceExhausted: return Code::kBusy;
    case Status::kUnavailable: return Code::kConnectionClosed;
    default: return Code::kPeerError;
  }
}

void add_status(http::Headers& trailers, Status status, std::string_view message) {
  char text[4];
  const auto end = std::to_chars(text, text + sizeof text, static_cast<int>(status)).ptr;
  trailers.add_checked("grpc-status", {text, static_cast<std::size_t>(end - text)});
  if (!message.empty()) trailers.add_checked("grpc-message", percent_encoded(shortened(message)));
}

void add_status(http::Headers& trailers, const Error& error) {
  const Status status = status_of(error);
  add_status(trailers, status, error.message());
  trailers.add_checked("grpc-status-details-bin", base64(fitting_details(error, status)));
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    if (stays_as_it_is(c)) {
      result += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    result += '%';
    result += kDigits[byte >> 4];
    result += kDigits[byte & 15];
  }
  return result;
}

std::string base64(std::string_view bytes) {
  std::string text = settee::detail::to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view text) noexcept {
  using namespace std::chrono_literals;
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  std::int64_t number = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto [behind, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || behind != end || number < 0 || text[0] == '-') return std::nullopt;
  switch (*end) {
    case 'H': return std::min<std::int64_t>(number, 366 * 24) * 1h;
    case 'M': return number * 1min;
    case 'S': return number * 1s;
    case 'm': return number * 1ms;
    case 'u': return number * 1us;
    case 'n': return number * 1ns;
    default: return std::nullopt;
  }
}

}  // namespace settee::inline v0::rpc::grpc
