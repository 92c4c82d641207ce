// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/streaming.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "settee/base/stream.h"
#include "settee/http/server.h"
#include "settee/rpc/grpc/internal/message_source.h"
#include "settee/rpc/grpc/internal/proto_codec.h"
#include "settee/rpc/grpc/internal/status.h"
#include "settee/rpc/internal/http_call.h"

namespace settee::inline v0::rpc::grpc {

namespace {

class StreamingCodec final : public CallCodec, public ServerStreams {
 public:
  StreamingCodec(MessageSource& requests, StreamSink<Bytes>& responses, const MethodInfo& method,
                 bool gzip)
      : requests_(requests), responses_(responses), method_(method), gzip_(gzip) {}

  Bytes request;                  // the only one, of a method that takes no stream
  std::optional<Bytes> response;  // the same of one that gives none

  Result<void> read(const MethodInfo& method, void* const* arguments) override {
    if (method.request_stream != nullptr) return {};
    return read_arguments(request.span(), method.parameters, arguments);
  }
  Result<void> write(const TypeInfo& type, const void* result) override {
    if (method_.response_stream != nullptr) return {};
    Result<Bytes> made = frame(type, result);
    if (!made) return made.error();
    response = std::move(*made);
    return {};
  }
  ServerStreams* streams() override { return this; }

  Task<bool> next_message(void* message) override {
    Task<std::optional<Bytes>> next = requests_.next();
    const Result<std::optional<Bytes>> bytes = co_await as_result(std::move(next));
    if (!bytes) co_return bytes.error();
    if (!*bytes) co_return false;
    const Result<void> read = read_result((*bytes)->span(), *method_.request_stream, message);
    if (!read) co_return Error(Code::kPeerDecode, read.error().message());
    co_return true;
  }
  Task<bool> send_message(const void* message) override {
    Result<Bytes> made = frame(*method_.response_stream, message);
    if (!made) co_return Error(Code::kPeerEncode, made.error().message());
    Task<bool> written = responses_.write(std::move(*made));
    co_return co_await std::move(written);
  }

 private:
  Result<Bytes> frame(const TypeInfo& type, const void* message) const {
    return make_message(gzip_, [&](Output& out) { return write_result(out, type, message); });
  }

  MessageSource& requests_;
  StreamSink<Bytes>& responses_;
  const MethodInfo& method_;
  const bool gzip_;
};

/// One call; the answer's body and the method hold it.
class StreamingCall {
 public:
  StreamingCall(std::shared_ptr<Server::Core> core, http::Request request)
      : core_(std::move(core)),
        request_(std::move(request)),
        metadata_(request_.headers),
        path_(parse_path(request_.path()).value_or(CallPath())) {}
  StreamingCall(const StreamingCall&) = delete;
  StreamingCall& operator=(const StreamingCall&) = delete;

  bool gzip() const noexcept { return metadata_.answers_gzip(); }
  /// Of the ended call.
  http::Headers take_trailers() {
    if (ended_) return std::move(trailers_);
    http::Headers trailers;
    add_status(trailers, Error(Code::kUnknown, "the call has no end"));
    return trailers;
  }

  /// Ends with the call.
  Task<void> run(StreamSink<Bytes>& responses) {
    Baggage baggage;
    Task<void> call = make_call(responses, baggage);
    const Result<void> done = co_await as_result(std::move(call));
    Result<http::Headers> trailers = done ? ok_trailers(baggage) : done.error();
    if (trailers) {
      trailers_ = *std::move(trailers);
    } else {
      add_status(trailers_, trailers.error());
      // The Error matters more than baggage that cannot be sent.
      static_cast<void>(add_baggage(trailers_, baggage));
    }
    ended_ = true;
  }

 private:
  Task<void> make_call(StreamSink<Bytes>& responses, Baggage& baggage) {
    const Result<void> known = metadata_.check_encoding();
    if (!known) co_await fail(known.error());
    const Result<TimePoint> deadline = metadata_.deadline(Loop::current()->now());
    if (!deadline) co_await fail(deadline.error());
    MessageOptions options;
    options.gzip = metadata_.gzip();
    options.max_message = core_->options.max_frame;
    MessageSource requests(std::move(request_.body), options);

    Result<MethodEntry*> method = find_called(*core_, path_, metadata_);
    if (!method) co_await fail(method.error());
    Bytes first;
    if (!(*method)->takes_stream) {
      // It has not been let in yet, so it has no more time than the body of any other request.
      const TimePoint until = Loop::current()->now() + ordinary_body_timeout();
      Task<Bytes> only =
          with_context(context().with_deadline(std::min(*deadline, until)), only_request(requests));
      Result<Bytes> request = co_await as_result(std::move(only));
      if (!request) co_await fail(request.error());
      first = std::move(*request);
      method = find_called(*core_, path_, metadata_);  // it may have gone meanwhile
      if (!method) co_await fail(method.error());
    }

    StreamingCodec codec(requests, responses, *(*method)->info, metadata_.answers_gzip());
    codec.request = std::move(first);
    HttpCallOptions call;
    call.protocol = "grpc";
    call.peer_app = metadata_.app;
    call.deadline = *deadline;
    call.baggage = &metadata_.baggage;
    Task<void> hosted = host(core_, **method, request_, call, codec, baggage);
    const Result<void> done = co_await as_result(std::move(hosted));
    if (!done) co_await fail(done.error());
    if (!codec.response) co_return;
    Task<bool> written = responses.write(std::move(*codec.response));
    co_await std::move(written);
  }

  std::chrono::milliseconds ordinary_body_timeout() const {
    const auto& http = core_->options.http;
    return http ? http->body_timeout : http::ServerOptions().body_timeout;
  }

  // Of a method that takes one message: no other may follow.
  static Task<Bytes> only_request(MessageSource& requests) {
    Task<std::optional<Bytes>> next = requests.next();
    Result<std::optional<Bytes>> first = co_await as_result(std::move(next));
    if (!first) co_return first.error();
    if (!*first) co_return Error(Code::kPeerDecode, "grpc: the request has no message");
    Task<std::optional<Bytes>> after = requests.next();
    const Result<std::optional<Bytes>> second = co_await as_result(std::move(after));
    if (!second) co_return second.error();
    if (*second) {
      co_return Error(Code::kPeerDecode, "grpc: the request has several messages, expected one");
    }
    co_return std::move(**first);
  }

  const std::shared_ptr<Server::Core> core_;
  http::Request request_;
  const CallMetadata metadata_;  // points into the request
  const CallPath path_;          // the same
  http::Headers trailers_;
  bool ended_ = false;
};

class StreamingBody final : public http::BodySource {
 public:
  StreamingBody(std::shared_ptr<StreamingCall> call, AsyncStream<Bytes> responses)
      : call_(std::move(call)), responses_(std::move(responses)) {}
  Task<std::optional<Bytes>> next() override { return responses_.next(); }
  http::Headers trailers() override { return call_->take_trailers(); }

 private:
  std::shared_ptr<StreamingCall> call_;
  AsyncStream<Bytes> responses_;
};

}  // namespace

Result<MethodEntry*> find_called(Server::Core& core, const CallPath& path,
                                 const CallMetadata& metadata,
                                 const std::vector<std::string_view>* signatures) {
  std::string_view name = path.service;
  std::string with_id;
  if (!metadata.unique_id.empty() && name.find(':') == std::string_view::npos) {
    with_id = fmt::format("{}:{}", name, metadata.unique_id);
    name = with_id;
  }
  ServiceEntry* const service = find_service(core, name);
  if (service == nullptr) {
    return Error(Code::kServiceNotFound,
                 fmt::format("service {} is not offered here", name.substr(0, 300)));
  }
  MethodEntry* const method = signatures != nullptr
                                  ? find_method(*service, path.method, *signatures)
                                  : find_method(*service, path.method);
  if (method != nullptr) return method;
  return Error(Code::kMethodNotFound,
               fmt::format("{} has no method {}, or several of that name", service->unique_name,
                           path.method.substr(0, 200)));
}

Task<http::Response> serve_streaming(std::shared_ptr<Server::Core> core, http::Request request) {
  if (core == nullptr) {
    co_return failed_response(Error(Code::kStopped, "the server has stopped"));
  }
  auto call = std::make_shared<StreamingCall>(std::move(core), std::move(request));
  AsyncStream<Bytes> responses = produce_stream<Bytes>(
      [call](StreamSink<Bytes>& sink) { return call->run(sink); }, kMessagesAhead);
  http::Response response = begin_response(call->gzip());
  response.body = http::Body(std::make_unique<StreamingBody>(call, std::move(responses)));
  co_return response;
}

}  // namespace settee::inline v0::rpc::grpc
