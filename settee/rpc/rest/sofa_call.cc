// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// SOFARPC's convention for HTTP/1.1 and HTTP/2. Source: docs/protocols/http.md, as its server 5.13.2
// behaves: what the framework refuses has a status of its own, what the method has thrown is 200 with
// sofa_head_response_error, and both are told as text. The body of a request is that of Bolt.

#include <fmt/format.h>

#include <memory>

#include "settee/hessian/json.h"
#include "settee/rpc/bolt/internal/arguments.h"  // settee-check: allow floors
#include "settee/rpc/internal/hosted_call.h"
#include "settee/rpc/rest/internal/calls.h"

namespace settee::inline v0::rpc::rest {

namespace {

using bolt::Dialect;

/// Of a GET: values by position, as SOFARPC has it, or by name.
class QueryArguments final : public bolt::ArgumentSource {
 public:
  explicit QueryArguments(std::string_view query) {
    texts_.query = query;
    texts_.by_position = true;
  }
  Result<void> read(const MethodInfo& method, void* const* places) override {
    return read_arguments(texts_, method.parameters, places);
  }
  std::unique_ptr<bolt::ArgumentSource> keep() override {
    return std::make_unique<QueryArguments>(texts_.query);
  }

 private:
  ArgumentTexts texts_;
};

const bolt::ResponseFormat& format_of(Dialect dialect) {
  static const bolt::ResponseFormat sofa3(Dialect::kSofa3);
  static const bolt::ResponseFormat hessian2(Dialect::kHessian2);
  return dialect == Dialect::kSofa3 ? sofa3 : hessian2;
}

// As String.valueOf() has it, for what JSON has alike.
Result<void> write_text(Buffer& out, const TypeInfo& type, const void* value) {
  if (type.kind == Kind::kString) {
    out.append(*static_cast<const std::string*>(value));
    return {};
  }
  if (type.kind == Kind::kOptional && type.get(value) != nullptr) {
    return write_text(out, *type.element, type.get(value));
  }
  return json::write(out, type, value);
}

class SofaCodec final : public CallCodec {
 public:
  SofaCodec(std::optional<Serializer> serializer, bolt::ArgumentSource& source)
      : serializer_(serializer), source_(source) {}

  Result<void> read(const MethodInfo& method, void* const* arguments) override {
    return source_.read(method, arguments);
  }
  Result<void> write(const TypeInfo& type, const void* result) override {
    if (!serializer_)
      return type.kind == Kind::kVoid ? Result<void>() : write_text(body_, type, result);
    switch (*serializer_) {
      case Serializer::kHessian: {
        const auto* call = static_cast<const ServerCallItem*>(context().item(&kServerCall));
        const Baggage* baggage = call == nullptr ? nullptr : &call->response;
        return format_of(source_.dialect()).write_success(body_, type, result, baggage);
      }
      case Serializer::kProtobuf: return bolt::write_message(body_, type, result);
      case Serializer::kJson:
        if (type.kind != Kind::kVoid) return json::write(body_, type, result);
        body_.append("null");
        return {};
    }
    return Error(Code::kEncode, "unknown serializer");
  }
  const Buffer& body() const noexcept { return body_; }

 private:
  std::optional<Serializer> serializer_;
  bolt::ArgumentSource& source_;
  Buffer body_;
};

/// Makes the answers of one request.
class Answers {
 public:
  Answers(const http::Request& request, std::optional<Serializer> serializer)
      : request_(request), serializer_(serializer) {}

  http::Response error(int status, std::string_view text) const {
    http::Response response(status, "text/plain; charset=UTF-8", http::Body(text));
    if (serializer_) response.headers.add("sofa_head_serialize_type", to_string(*serializer_));
    response.headers.add("sofa_head_response_error", "true");
    return response;
  }
  http::Response unreadable(std::string_view why) const {
    return error(400, fmt::format("Failed to parse the request for uri {} from {}, caused by: {}",
                                  std::string_view(request_.target).substr(0, 500),
                                  request_.peer->text, why));
  }
  http::Response failure(const Error& failed) const {
    switch (failed.code()) {
      case Code::kServiceNotFound:
      case Code::kMethodNotFound: return error(404, failed.message());
      case Code::kBusy: return error(503, failed.message());
      case Code::kPeerDecode:
        return error(500, fmt::format("Server deserialize error, {}", failed.message()));
      case Code::kPeerEncode:
      case Code::kTimeout:
      case Code::kStopped:
      case Code::kCancelled: return error(500, failed.what());
      default: break;
    }
    if (failed.detail<CallerRefused>() != nullptr) return error(500, failed.message());
    if (const ExceptionValue* exception = failed.exception()) {
      return error(200, fmt::format("{}: {}", exception->class_name(), failed.message()));
    }
    return error(200, failed.what());
  }
  http::Response success(const Buffer& body) const {
    http::Response response(200);
    if (serializer_) {
      response.headers.add("sofa_head_serialize_type", to_string(*serializer_));
    } else {
      response.headers.add("content-type", "text/plain; charset=UTF-8");
    }
    response.body = http::Body(body.bytes());
    return response;
  }

 private:
  const http::Request& request_;
  std::optional<Serializer> serializer_;
};

Task<http::Response> call(std::shared_ptr<Server::Core> core, MethodEntry& method,
                          const http::Request& request, std::optional<Serializer> serializer,
                          bolt::ArgumentSource& source, const Baggage& baggage) {
  SofaCodec codec(serializer, source);
  HttpCallOptions options;
  options.protocol = protocol_of(request);
  options.peer_app = request.headers.get("app");
  options.baggage = &baggage;
  Baggage response_baggage;
  Task<void> hosted = host(std::move(core), method, request, options, codec, response_baggage);
  const Result<void> done = co_await as_result(std::move(hosted));
  const Answers answers(request, serializer);
  if (!done) co_return answers.failure(done.error());
  http::Response response = answers.success(codec.body());
  // In Hessian it is in the body too, which is where Java's consumers look for it.
  const Result<void> added = add_baggage(response.headers, response_baggage);
  if (!added && serializer != Serializer::kHessian) co_return answers.failure(added.error());
  co_return response;
}

Task<http::Response> call_hessian(std::shared_ptr<Server::Core> core, ServiceEntry& service,
                                  std::string_view name, const http::Request& request) {
  const Answers answers(request, Serializer::kHessian);
  hessian::Limits limits;
  limits.depth = core->options.hessian_depth;
  limits.nodes = core->options.hessian_nodes;
  const std::span<const std::uint8_t> body = request.body.bytes().span();
  const Dialect dialect =
      body.empty() ? Dialect::kSofa3 : hessian::detect_dialect(body[0]).value_or(Dialect::kSofa3);
  bolt::HessianArguments source(body, dialect, limits);
  bolt::RequestHead head;
  if (!bolt::read_request_head(source.reader(), head)) {
    core->stats.failures.add();
    co_return answers.error(500, fmt::format("Server deserialize error, reading the request: {}",
                                             source.reader().error().message()));
  }
  // The path names the method; the body tells overloads apart.
  MethodEntry* const method = find_method(service, name, head.signatures());
  if (method == nullptr || method->streams)
    co_return answers.error(404, bolt::method_missing(name, service.unique_name));
  if (head.baggage.empty()) head.baggage = baggage_of(request.headers, kRequestBaggagePrefix);
  Task<http::Response> answer =
      call(std::move(core), *method, request, Serializer::kHessian, source, head.baggage);
  co_return co_await std::move(answer);
}

}  // namespace

Task<http::Response> serve_sofa(std::shared_ptr<Server::Core> core, http::Request request) {
  const bool get = request.method == "GET" && request.version != http::Version::kHttp2;
  const std::optional<Serializer> serializer = get ? std::nullopt : serializer_of(request.headers);
  const Answers answers(request, serializer);
  if (request.method != "POST" && request.method != "HEAD" && !get) {
    co_return answers.error(400, request.version == http::Version::kHttp2
                                     ? "Only support POST/HEAD"
                                     : "Only support GET/POST/HEAD");
  }
  const std::optional<CallPath> path = CallPath::parse(request.path());
  if (!path) {
    co_return answers.unreadable(
        "The correct URI format is: http://ip:port/serviceName/methodName");
  }
  ServiceEntry* const service = find_service(*core, path->service());
  if (request.method == "HEAD") {
    if (service == nullptr || !find_plain(*service, path->method())) co_return http::Response(404);
    const Result<void> known = authenticate(*core, request, service->unique_name, path->method());
    co_return known ? http::Response(200) : answers.failure(known.error());
  }
  if (!get && !serializer) {
    co_return answers.unreadable(fmt::format(
        "Unsupported serialize type '{}'; this server reads hessian2, json and protobuf",
        request.headers.get("sofa_head_serialize_type").substr(0, 100)));
  }
  if (service == nullptr) {
    co_return answers.error(404, bolt::service_missing(path->service().substr(0, 500)));
  }
  if (serializer == Serializer::kHessian) {
    Task<http::Response> answer = call_hessian(core, *service, path->method(), request);
    co_return co_await std::move(answer);
  }
  MethodEntry* const method = find_method(*service, path->method());
  if (method == nullptr || method->streams) {
    co_return answers.error(
        404, bolt::method_missing(path->method().substr(0, 500), service->unique_name));
  }
  const std::span<const std::uint8_t> body = request.body.bytes().span();
  std::unique_ptr<bolt::ArgumentSource> source;
  if (get) {
    source = std::make_unique<QueryArguments>(request.query());
  } else if (serializer == Serializer::kJson) {
    source = std::make_unique<bolt::JsonArguments>(body);
  } else {
    source = std::make_unique<bolt::MessageArguments>(body);
  }
  const Baggage baggage = baggage_of(request.headers, kRequestBaggagePrefix);
  Task<http::Response> answer = call(core, *method, request, serializer, *source, baggage);
  co_return co_await std::move(answer);
}

}  // namespace settee::inline v0::rpc::rest
