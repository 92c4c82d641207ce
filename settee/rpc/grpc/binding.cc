// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// gRPC on the HTTP port of a server: finds the method that a request names, and makes its call.

#include <fmt/format.h>

#include <atomic>
#include <utility>

#include "settee/rpc/grpc/internal/builtin.h"
#include "settee/rpc/grpc/internal/framing.h"
#include "settee/rpc/grpc/internal/grpc_call.h"
#include "settee/rpc/grpc/internal/proto_codec.h"
#include "settee/rpc/grpc/internal/streaming.h"
#include "settee/rpc/grpc/internal/triple.h"
#include "settee/rpc/grpc/proto.h"
#include "settee/rpc/internal/http_call.h"

namespace settee::inline v0::rpc {
namespace grpc {

namespace {

// A stream may be silent for long; who is dead is found by TCP, or by the call's deadline.
constexpr std::chrono::hours kSilence{24};

/// Of one message each way.
class UnaryCodec final : public CallCodec {
 public:
  UnaryCodec(const Server::Core& core, const CallMetadata& metadata, const Bytes& body)
      : body_(body), answers_gzip_(metadata.answers_gzip()) {
    options_.gzip = metadata.gzip();
    options_.max_message = core.options.max_frame;
    limits_.depth = core.options.hessian_depth;
    limits_.nodes = core.options.hessian_nodes;
  }

  std::optional<TripleRequest> triple;  // it is SOFARPC's generic one
  Output out;                           // the response's frame
  std::optional<Error> broken;          // why there is no message

  /// Which may be packed: for a call that has not been let in only where its message names the method.
  Result<void> unpack() {
    Result<Bytes> message = only_message(body_, options_);
    if (message) {
      message_ = std::move(*message);
      return {};
    }
    const bool limit = message.error().code() == Code::kLimit;
    broken = limit ? message.error() : Error(Code::kPeerDecode, message.error().message());
    return *broken;
  }
  std::span<const std::uint8_t> message() const noexcept { return message_->span(); }
  bool gzip() const noexcept { return answers_gzip_; }

  Result<void> read(const MethodInfo& method, void* const* arguments) override {
    if (triple) return read_arguments(*triple, method.parameters, arguments, limits_);
    if (!message_) {
      if (Result<void> done = unpack(); !done) return done;
    }
    return read_arguments(message(), method.parameters, arguments);
  }
  Result<void> write(const TypeInfo& type, const void* result) override {
    const std::size_t begin = begin_message(out);
    Result<void> written = triple ? write_triple_response(out, *triple, type, result)
                                  : write_result(out, type, result);
    if (written) end_message(out, begin, answers_gzip_);
    return written;
  }

 private:
  const Bytes& body_;
  const bool answers_gzip_;
  MessageOptions options_;
  hessian::Limits limits_;
  std::optional<Bytes> message_;
};

Task<http::Response> unary(std::shared_ptr<Server::Core> core, http::Request request) {
  if (core == nullptr) {
    co_return failed_response(Error(Code::kStopped, "the server has stopped"));
  }
  const CallMetadata metadata(request.headers);
  const std::optional<CallPath> path = parse_path(request.path());
  if (!path) co_return failed_response(Error(Code::kMethodNotFound, "the path names no method"));
  if (const Result<void> known = metadata.check_encoding(); !known) {
    co_return failed_response(known.error());
  }
  const Result<TimePoint> deadline = metadata.deadline(Loop::current()->now());
  if (!deadline) co_return failed_response(deadline.error());

  UnaryCodec codec(*core, metadata, request.body.bytes());
  if (metadata.sofa) {
    if (const Result<void> done = codec.unpack(); !done) co_return failed_response(done.error());
    codec.triple = triple_request(codec.message());
  }

  Result<MethodEntry*> method =
      find_called(*core, *path, metadata, codec.triple ? &codec.triple->types : nullptr);
  if (codec.triple && !codec.triple->hessian()) {
    if (method && matches(**method, path->method, codec.triple->types)) {
      co_return failed_response(
          Error(Code::kPeerDecode, fmt::format("triple: serialization {} is not known here, only "
                                               "hessian2",
                                               codec.triple->serialize_type.substr(0, 32))));
    }
    codec.triple.reset();
    method = find_called(*core, *path, metadata);
  }
  if (!method) co_return failed_response(method.error());

  HttpCallOptions call;
  call.protocol = "grpc";
  call.peer_app = metadata.app;
  call.deadline = *deadline;
  call.baggage = &metadata.baggage;
  Baggage baggage;
  Task<void> hosted = host(core, **method, request, call, codec, baggage);
  const Result<void> done = co_await as_result(std::move(hosted));
  if (!done) {
    http::Response response = failed_response(codec.broken.value_or(done.error()));
    // The Error matters more than baggage that cannot be sent.
    static_cast<void>(add_baggage(response.headers, baggage));
    co_return response;
  }
  Result<http::Headers> trailers = ok_trailers(baggage);
  if (!trailers) co_return failed_response(trailers.error());
  http::Response response = begin_response(codec.gzip());
  response.body = http::Body(codec.out.take());
  response.body.set_trailers(*std::move(trailers));
  co_return response;
}

class Binding final : public HttpBinding {
 public:
  explicit Binding(const std::shared_ptr<Server::Core>& core) : core_(core), builtin_(core) {
    http::HandlerOptions whole;
    whole.max_body = core->options.max_frame + kPrefixSize;
    unary_ = handler(core, whole, unary);
    http::HandlerOptions parts;
    parts.streaming = true;
    parts.body_timeout = kSilence;
    streaming_ = handler(core, parts, serve_streaming);
  }

  std::shared_ptr<const http::Handler> find(const http::Request& head,
                                            http::Response& otherwise) override {
    const std::string_view type = head.headers.get("content-type");
    if (!type.starts_with("application/grpc")) return proto_of(head, otherwise);
    if (head.version != http::Version::kHttp2) {
      otherwise = http::Response::problem(505, "gRPC needs HTTP/2");
    } else if (!is_grpc(type)) {
      otherwise = http::Response::problem(
          415, "of gRPC's forms only application/grpc and application/grpc+proto are known");
    } else if (head.method != "POST") {
      otherwise = http::Response::problem(405, "gRPC calls are POST requests");
      otherwise.headers.add("allow", "POST");
    } else if (const std::optional<CallPath> path = parse_path(head.path()); !path) {
      otherwise = failed_response(Error(
          Code::kMethodNotFound, "the path must be /service/method, e.g. /com.acme.Quotes/latest"));
    } else if (path->service.starts_with("grpc.")) {
      return own(*path, otherwise);
    } else {
      return streams(*path, head) ? streaming_ : unary_;
    }
    return nullptr;
  }
  void admit(const ServiceTable&, const ServiceEntry& entry) override {
    for (const MethodEntry& method : entry.methods) {
      if (method.streams) has_streams_.store(true, std::memory_order_relaxed);
    }
  }

 private:
  using Serve = Task<http::Response> (*)(std::shared_ptr<Server::Core>, http::Request);
  static std::shared_ptr<const http::Handler> handler(const std::shared_ptr<Server::Core>& core,
                                                      http::HandlerOptions options, Serve serve) {
    return std::make_shared<const http::Handler>(
        [held = std::weak_ptr<Server::Core>(core), serve](http::Request request) {
          return serve(held.lock(), std::move(request));
        },
        options);
  }

  // "GET /com.acme.Quotes.proto": what its clients are made from.
  std::shared_ptr<const http::Handler> proto_of(const http::Request& head,
                                                http::Response& otherwise) {
    constexpr std::string_view kEnding = ".proto";
    std::string_view name = head.path();
    if (!name.ends_with(kEnding) || name.find('/', 1) != std::string_view::npos) return nullptr;
    if (head.method != "GET" && head.method != "HEAD") return nullptr;
    name.remove_suffix(kEnding.size());
    name.remove_prefix(1);
    const std::shared_ptr<Server::Core> core = core_.lock();
    ServiceEntry* const service = core == nullptr ? nullptr : find_service(*core, name);
    if (service == nullptr) return nullptr;
    const Result<void> known = authenticate(*core, head, kDescriptions, "proto");
    if (!known) {
      otherwise = http::Response::problem(401, known.error().message());
      otherwise.headers.add("www-authenticate", "Settee");
      return nullptr;
    }
    const Visit visit(*service);
    if (!visit) return nullptr;
    std::vector<MethodInfo> methods;
    for (const MethodEntry& method : service->methods) methods.push_back(*method.info);
    const ServiceInfo info{service->key.interface_name, methods};
    otherwise = http::Response(200, "text/plain; charset=utf-8", proto_text(info));
    return nullptr;
  }

  // Whether the method is a streaming one. What does not exist is not: it is answered all the same.
  bool streams(const CallPath& path, const http::Request& head) {
    if (!has_streams_.load(std::memory_order_relaxed)) return false;
    const std::shared_ptr<Server::Core> core = core_.lock();
    if (core == nullptr) return false;
    const Result<MethodEntry*> method = find_called(*core, path, CallMetadata(head.headers));
    return method && (*method)->streams;
  }

  // gRPC's services, unless somebody provides them himself.
  std::shared_ptr<const http::Handler> own(const CallPath& path, http::Response& otherwise) {
    const std::shared_ptr<Server::Core> core = core_.lock();
    if (core != nullptr && find_service(*core, path.service) != nullptr) return unary_;
    if (auto handler = builtin_.find(path)) return handler;
    otherwise =
        failed_response(Error(Code::kMethodNotFound,
                              fmt::format("{}/{} is not offered here", path.service, path.method)));
    return nullptr;
  }

  std::weak_ptr<Server::Core> core_;  // which owns this
  Builtin builtin_;
  std::shared_ptr<const http::Handler> unary_;
  std::shared_ptr<const http::Handler> streaming_;
  std::atomic<bool> has_streams_{false};
};

}  // namespace
}  // namespace grpc

std::unique_ptr<HttpBinding> make_grpc_binding(const std::shared_ptr<Server::Core>& core) {
  return std::make_unique<grpc::Binding>(core);
}

}  // namespace settee::inline v0::rpc
