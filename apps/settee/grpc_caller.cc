// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "apps/settee/grpc_caller.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "apps/settee/call_output.h"
#include "settee/base/context.h"

namespace settee::cli {

namespace {

// A byte that says whether the message is compressed, and four of its size.
constexpr std::size_t kPrefix = 5;
constexpr std::size_t kLargestMessage = 64 * 1024 * 1024;

// The first whole message in `bytes`, without its prefix; nothing while more must come.
Result<std::optional<std::string>> take_message(std::string& bytes) {
  std::optional<std::string> message;
  if (bytes.size() < kPrefix) return message;
  if (bytes[0] != 0) {
    return Error(Code::kProtocol, "the server's message is compressed, which it was not asked for");
  }
  std::size_t size = 0;
  for (std::size_t i = 1; i < kPrefix; ++i) size = size << 8 | static_cast<unsigned char>(bytes[i]);
  if (size > kLargestMessage) {
    return Error(Code::kLimit, fmt::format("the server's message has {} bytes, and {} are the most",
                                           size, kLargestMessage));
  }
  if (bytes.size() < kPrefix + size) return message;
  message = bytes.substr(kPrefix, size);
  bytes.erase(0, kPrefix + size);
  return message;
}

Result<GrpcStatus> read_status(const http::Headers& trailers) {
  GrpcStatus status;
  const std::string_view number = trailers.get("grpc-status");
  const char* const end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, status.number);
  if (number.empty() || error != std::errc() || stop != end || status.number < 0) {
    return Error(Code::kProtocol,
                 fmt::format("the answer ends with grpc-status '{}', which is no number", number));
  }
  const std::string_view message = trailers.get("grpc-message");
  status.message = http::percent_decode(message).value_or(std::string(message));
  // JSON's bytes are Base64, with padding and without, as this field's.
  google::protobuf::BytesValue details;
  const auto read = google::protobuf::util::JsonStringToMessage(
      fmt::format("\"{}\"", trailers.get("grpc-status-details-bin")), &details);
  if (read.ok()) status.details = details.value();
  return status;
}

// "grpc-timeout" has eight digits at most.
void add_deadline(http::Headers& headers) {
  if (context().deadline() == kNoDeadline) return;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(context().deadline() - Clock::now());
  headers.add("grpc-timeout",
              fmt::format("{}m", std::clamp<std::int64_t>(left.count(), 1, 99'999'999)));
}

}  // namespace

std::string GrpcStatus::text() const {
  static constexpr std::array kNames = {"OK",
                                        "CANCELLED",
                                        "UNKNOWN",
                                        "INVALID_ARGUMENT",
                                        "DEADLINE_EXCEEDED",
                                        "NOT_FOUND",
                                        "ALREADY_EXISTS",
                                        "PERMISSION_DENIED",
                                        "RESOURCE_EXHAUSTED",
                                        "FAILED_PRECONDITION",
                                        "ABORTED",
                                        "OUT_OF_RANGE",
                                        "UNIMPLEMENTED",
                                        "INTERNAL",
                                        "UNAVAILABLE",
                                        "DATA_LOSS",
                                        "UNAUTHENTICATED"};
  const auto index = static_cast<std::size_t>(number);
  return fmt::format("{} ({}): {}", index < kNames.size() ? kNames[index] : "status", number,
                     message.empty() ? "the server gave no message" : message);
}

void add_grpc_message(std::string& body, std::string_view message) {
  body += '\0';
  for (int shift = 24; shift >= 0; shift -= 8) body += static_cast<char>(message.size() >> shift);
  body += message;
}

GrpcCaller::GrpcCaller(http::Client& client, http::Url server, const http::Headers& fields)
    : client_(client), server_(std::move(server)), fields_(fields) {}

Task<GrpcStatus> GrpcCaller::call(std::string path, std::string body, Show show) {
  http::Request request;
  request.method = "POST";
  request.target = std::move(path);
  request.headers = fields_;
  request.headers.add("content-type", "application/grpc");
  request.headers.add("te", "trailers");
  request.headers.add("app", "settee-cli");
  add_deadline(request.headers);
  request.body = http::Body(body);
  http::SendOptions options;
  options.streaming = true;
  options.timeout = std::chrono::milliseconds(-1);
  Task<http::Response> sending = client_.send(server_, std::move(request), options);
  http::Response answer = co_await std::move(sending);
  if (answer.status != 200 || !answer.headers.get("content-type").starts_with("application/grpc")) {
    Error error(Code::kPeerError,
                fmt::format("HTTP status {} and content-type '{}', which is no answer of gRPC: is "
                            "this the port of a gRPC server?",
                            answer.status, answer.headers.get("content-type")));
    co_await fail(std::move(error));
  }
  std::string bytes;
  for (;;) {
    Task<std::optional<Bytes>> reading = answer.body.next();
    const std::optional<Bytes> part = co_await std::move(reading);
    if (!part) break;
    bytes += part->view();
    for (;;) {
      const Result<std::optional<std::string>> message = take_message(bytes);
      if (!message) co_await fail(message.error());
      if (!*message) break;
      show(**message);
    }
  }
  // A server that has nothing to give says its status at once.
  trailers_ = answer.headers.find("grpc-status") ? answer.headers : answer.body.trailers();
  Result<GrpcStatus> status = read_status(trailers_);
  if (!status) co_await fail(status.error());
  if (status->ok() && !bytes.empty()) {
    Error error(Code::kProtocol, "the answer ends within a message");
    co_await fail(std::move(error));
  }
  co_return *std::move(status);
}

}  // namespace settee::cli
