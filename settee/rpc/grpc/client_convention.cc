// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A client's calls as gRPC has them. Source of the format: PROTOCOL-HTTP2.md of gRPC.

#include <fmt/format.h>

#include <algorithm>

#include "settee/base/detail/base64.h"
#include "settee/rpc/grpc/internal/framing.h"
#include "settee/rpc/grpc/internal/grpc_call.h"
#include "settee/rpc/grpc/internal/message_source.h"
#include "settee/rpc/grpc/internal/proto_codec.h"
#include "settee/rpc/grpc/internal/status.h"
#include "settee/rpc/internal/http_transport.h"
#include "settee/rpc/internal/link_data.h"

namespace settee::inline v0::rpc {
namespace grpc {

namespace {

// At most eight digits, and not less than there is: the caller's own clock ends the call.
std::string timeout_text(Duration left) {
  const auto ms =
      std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(left).count());
  if (ms < 100'000'000) return fmt::format("{}m", ms);
  return fmt::format("{}S", std::min<std::int64_t>(ms / 1000 + 1, 99'999'999));
}

// The caller's messages, which are asked of him when there is a connection: until then the call may go
// elsewhere.
class SentMessages final : public http::BodySource {
 public:
  SentMessages(AsyncStream<Bytes> messages, settee::detail::Parking& wanted)
      : messages_(std::move(messages)), wanted_(wanted.waker()) {}
  Task<std::optional<Bytes>> next() override {
    if (const auto first = std::exchange(wanted_, nullptr)) settee::detail::Parking::wake(first);
    return messages_.next();
  }

 private:
  AsyncStream<Bytes> messages_;
  std::shared_ptr<settee::detail::Parking::State> wanted_;
};

class GrpcConvention final : public HttpConvention {
 public:
  GrpcConvention(const TargetOptions& target, const ClientOptions& options)
      : target_(target.name), app_(options.app_name) {
    message_options_.max_message = options.max_frame;
    if (target.service != nullptr) return;
    throw Error(
        Code::kInvalidArgument,
        fmt::format("{}: calls by name have no form in gRPC, whose messages follow from the "
                    "methods' description; use http:// or bolt://",
                    target_));
  }

  Result<http::Request> request(const HttpOutgoing& out) const override {
    http::Request request = head(out);
    Result<Bytes> only = make_message(false, [&](Output& body) {
      return write_arguments(body, out.call.method->parameters, out.call.arguments);
    });
    if (!only) return only.error().within("writing the request");
    request.body = http::Body(*std::move(only));
    return request;
  }

  Result<void> answer(http::Response& answer, const HttpOutgoing& out,
                      Baggage& response) const override {
    const http::Headers& trailers = answer.body.trailers();
    read_baggage(answer.headers, response);
    read_baggage(trailers, response);
    if (answer.status != 200) return no_grpc(answer.status);
    if (const Result<void> ended = ending_of(answer.headers, trailers); !ended)
      return ended.error();
    const TypeInfo& type = *out.call.method->result;
    if (out.call.mode == settee::detail::CallMode::kOneway) return {};
    const Result<Bytes> message = only_message(answer.body.bytes(), options_for(answer));
    if (!message) return message.error().within("reading the result");
    const Result<void> read = read_result(message->span(), type, out.call.result);
    if (!read) return read.error().within("reading the result");
    return {};
  }

  Task<void> stream(http::Client& client, const http::Url& to, const HttpOutgoing& out,
                    Baggage& response) const override {
    if (out.call.method->request_stream == nullptr) {
      Result<http::Request> only = request(out);
      if (!only) co_await fail(only.error());
      Task<void> exchange = receive(client, to, *std::move(only), out, response);
      co_await std::move(exchange);
      co_return;
    }
    Loop& loop = *Loop::current();
    http::Request many = head(out);
    auto ends = make_stream<Bytes>(kMessagesAhead);
    settee::detail::Parking wanted;
    many.body = http::Body(std::make_unique<SentMessages>(std::move(ends.second), wanted));
    settee::detail::Beside sending(send_messages(wanted, out.call, std::move(ends.first)));
    Task<void> exchange = receive(client, to, std::move(many), out, response);
    const Result<void> done = co_await as_result(std::move(exchange));
    if (!loop.in_loop()) co_await resume_on(loop);
    co_await sending.stop();
    if (!done) co_await fail(done.error());
  }

 private:
  http::Request head(const HttpOutgoing& out) const {
    const Outgoing& call = out.call;
    http::Request request;
    request.method = "POST";
    // interface[:unique_id]; the version that all have is not said.
    std::string_view service = out.service;
    const std::size_t version = service.find(":1.0");
    if (version != std::string_view::npos && version + 4 == service.size()) {
      service = service.substr(0, version);
    }
    request.target = fmt::format("/{}/{}", service, call.name);
    http::Headers& headers = request.headers;
    headers.add("content-type", "application/grpc");
    headers.add("te", "trailers");
    headers.add("grpc-accept-encoding", "identity,gzip");
    if (out.left != Duration::max()) headers.add("grpc-timeout", timeout_text(out.left));
    if (!app_.empty()) headers.add("app", app_);
    if (out.headers != nullptr) {
      for (const auto& [name, value] : *out.headers) headers.add(name, value);
    }
    if (out.baggage != nullptr) {
      for (const auto& [key, value] : *out.baggage) {
        headers.add(fmt::format("{}{}", kRequestBaggagePrefix, key), value);
      }
    }
    return request;
  }

  // From the caller to the connection, when that asks for the first.
  static Task<void> send_messages(settee::detail::Parking& wanted, const Outgoing& call,
                                  StreamSink<Bytes> sink) {
    using Reason = settee::detail::Parking::Reason;
    if (co_await wanted.wait() != Reason::kWoken) co_return;
    for (;;) {
      Result<const void*> next = co_await as_result(call.streams->ends.next_message());
      if (!next) {
        sink.close(next.error());
        co_return;
      }
      if (*next == nullptr) break;
      call.streams->begun = true;
      Result<Bytes> made = make_message(false, [&](Output& out) {
        return write_result(out, *call.method->request_stream, *next);
      });
      if (!made) {
        sink.close(made.error().within("writing a message of the request"));
        co_return;
      }
      Result<bool> taken = co_await as_result(sink.write(*std::move(made)));
      if (!taken || !*taken) co_return;
    }
    sink.close();
  }

  Task<void> receive(http::Client& client, const http::Url& to, http::Request request,
                     const HttpOutgoing& out, Baggage& response) const {
    http::SendOptions send;
    send.streaming = true;
    Task<http::Response> sending = client.send(to, std::move(request), send);
    Result<http::Response> answer = co_await as_result(std::move(sending));
    if (!answer) co_await fail(answer.error());
    read_baggage(answer->headers, response);
    if (answer->status != 200) co_await fail(no_grpc(answer->status));
    MessageSource messages(std::move(answer->body), options_for(*answer));
    std::optional<Bytes> only;
    for (;;) {
      Task<std::optional<Bytes>> next = messages.next();
      Result<std::optional<Bytes>> message = co_await as_result(std::move(next));
      if (!message) co_await fail(message.error().within("reading the response"));
      if (!*message) break;
      if (out.call.method->response_stream == nullptr) {
        if (only)
          co_await fail(Error(Code::kPeerDecode, "reading the result: it has a second message"));
        only = **std::move(message);
        continue;
      }
      out.call.streams->begun = true;
      const Result<void> read = read_result((*message)->span(), *out.call.method->response_stream,
                                            out.call.streams->ends.room());
      if (!read) co_await fail(read.error().within("reading a message of the response"));
      Task<bool> giving = out.call.streams->ends.give_message();
      const Result<bool> wanted = co_await as_result(std::move(giving));
      if (!wanted) co_await fail(wanted.error());
      if (!*wanted) co_await fail(Error(Code::kCancelled, "nobody reads the response any more"));
    }
    const http::Headers& trailers = messages.trailers();
    read_baggage(trailers, response);
    const Result<void> ended = ending_of(answer->headers, trailers);
    if (!ended) co_await fail(ended.error());
    if (out.call.method->response_stream != nullptr) co_return;
    if (!only) co_await fail(Error(Code::kPeerDecode, "reading the result: it has no message"));
    const Result<void> read = read_result(only->span(), *out.call.method->result, out.call.result);
    if (!read) co_await fail(read.error().within("reading the result"));
  }

  // An answer without a message has its status in the head.
  static Result<void> ending_of(const http::Headers& head, const http::Headers& trailers) {
    return read_status(trailers.find("grpc-status") ? trailers : head);
  }
  static Error no_grpc(int status) {
    return Error(Code::kPeerError,
                 fmt::format("HTTP status {}, which no gRPC server said", status));
  }
  MessageOptions options_for(const http::Response& answer) const {
    MessageOptions options = message_options_;
    options.gzip = answer.headers.get("grpc-encoding") == "gzip";
    return options;
  }
  static void read_baggage(const http::Headers& from, Baggage& baggage) {
    for (const http::Headers::Field field : from) {
      if (!field.name.starts_with(kResponseBaggagePrefix)) continue;
      std::string_view key = field.name.substr(kResponseBaggagePrefix.size());
      if (!key.ends_with("-bin")) {
        baggage.insert_or_assign(std::string(key), std::string(field.value));
      } else if (const auto bytes = settee::detail::from_base64(field.value)) {
        key.remove_suffix(4);
        baggage.insert_or_assign(std::string(key), *bytes);
      }
    }
  }

  const std::string target_;
  const std::string app_;
  MessageOptions message_options_;
};

}  // namespace
}  // namespace grpc

std::unique_ptr<HttpConvention> make_grpc_convention(const TargetOptions& target,
                                                     const ClientOptions& options) {
  return std::make_unique<grpc::GrpcConvention>(target, options);
}

}  // namespace settee::inline v0::rpc
