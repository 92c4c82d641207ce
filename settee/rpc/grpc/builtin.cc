// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/builtin.h"

#include <fmt/format.h>

#include <utility>

#include "settee/base/runtime.h"
#include "settee/rpc/grpc/internal/message_source.h"
#include "settee/rpc/grpc/internal/status.h"
#include "settee/rpc/grpc/internal/wire.h"
#include "settee/rpc/internal/http_call.h"

namespace settee::inline v0::rpc::grpc {

namespace {

constexpr std::size_t kLargestRequest = 64 * 1024;
// Nothing tells of services that come and go, so Watch looks.
constexpr std::chrono::milliseconds kWatchEvery{500};
constexpr std::chrono::minutes kReflectionSilence{1};

MessageOptions options_for(const CallMetadata& metadata) {
  MessageOptions options;
  options.max_message = kLargestRequest;
  options.gzip = metadata.gzip();
  return options;
}

Result<void> let_in(Server::Core& core, const http::Request& request) {
  const CallPath path = parse_path(request.path()).value_or(CallPath());
  return authenticate(core, request, path.service, path.method);
}

Error stopped() { return Error(Code::kStopped, "the server has stopped"); }

// ---- health ----

enum class Health : std::uint8_t { kUnknown = 0, kServing = 1, kNotServing = 2, kNoService = 3 };

Health health_of(Server::Core& core, std::string_view service) {
  if (!service.empty() && find_service(core, service) == nullptr) return Health::kNoService;
  return core.draining.load() ? Health::kNotServing : Health::kServing;
}

Bytes health_frame(Health health) {
  Output out;
  const std::size_t begin = begin_message(out);
  put_number(out, 1, static_cast<std::uint64_t>(health));
  end_message(out, begin, false);
  return out.take();
}

Result<std::string> asked_service(const http::Request& request, const CallMetadata& metadata) {
  if (const Result<void> known = metadata.check_encoding(); !known) return known.error();
  const Result<Bytes> message = only_message(request.body.bytes(), options_for(metadata));
  if (!message) return Error(Code::kPeerDecode, message.error().message());
  std::string service;
  WireReader reader(message->span());
  for (WireField field; reader.next(field);) {
    if (field.number == 1 && field.wire == Wire::kLength) service = field.text();
  }
  if (reader.rule().empty()) return service;
  return Error(Code::kPeerDecode, fmt::format("HealthCheckRequest: {}", reader.rule()));
}

http::Response check(Server::Core& core, const http::Request& request) {
  const CallMetadata metadata(request.headers);
  if (const Result<void> in = let_in(core, request); !in) {
    return failed_response(in.error());
  }
  const Result<std::string> service = asked_service(request, metadata);
  if (!service) return failed_response(service.error());
  const Health health = health_of(core, *service);
  http::Response response = begin_response(false);
  if (health == Health::kNoService) {
    add_status(response.headers, Status::kNotFound,
               fmt::format("service {} is not offered here", service->substr(0, 200)));
    return response;
  }
  response.body = http::Body(health_frame(health));
  response.body.set_trailers(ok_trailers());
  return response;
}

class HealthWatch final : public http::BodySource {
 public:
  HealthWatch(std::weak_ptr<Server::Core> core, std::string service)
      : core_(std::move(core)), service_(std::move(service)) {}

  Task<std::optional<Bytes>> next() override {
    for (;;) {
      if (last_ == Health::kNotServing) co_return std::optional<Bytes>();
      {
        const std::shared_ptr<Server::Core> core = core_.lock();
        if (core == nullptr) co_return std::optional<Bytes>();
        const Health now = health_of(*core, service_);
        if (now != last_) {
          last_ = now;
          co_return std::optional<Bytes>(health_frame(now));
        }
      }
      co_await sleep_for(kWatchEvery);
    }
  }
  http::Headers trailers() override {
    http::Headers trailers;
    add_status(trailers, Status::kUnavailable, "the server is about to stop");
    return trailers;
  }

 private:
  std::weak_ptr<Server::Core> core_;
  std::string service_;
  Health last_ = Health::kUnknown;
};

http::Response watch(const std::shared_ptr<Server::Core>& core, const http::Request& request) {
  const CallMetadata metadata(request.headers);
  if (const Result<void> in = let_in(*core, request); !in) {
    return failed_response(in.error());
  }
  Result<std::string> service = asked_service(request, metadata);
  if (!service) return failed_response(service.error());
  http::Response response = begin_response(false);
  response.body = http::Body(std::make_unique<HealthWatch>(core, std::move(*service)));
  return response;
}

// ---- reflection ----

class ReflectionStream final : public http::BodySource {
 public:
  ReflectionStream(std::weak_ptr<Server::Core> core, http::Body body, const MessageOptions& options)
      : core_(std::move(core)), requests_(std::move(body), options) {}

  Task<std::optional<Bytes>> next() override {
    Task<std::optional<Bytes>> next = requests_.next();
    const Result<std::optional<Bytes>> request = co_await as_result(std::move(next));
    const std::shared_ptr<Server::Core> core = core_.lock();
    if (!request || core == nullptr) {
      add_status(trailers_, request ? stopped() : request.error());
      co_return std::optional<Bytes>();
    }
    if (!*request) {
      trailers_ = ok_trailers();
      co_return std::optional<Bytes>();
    }
    Output out;
    const std::size_t begin = begin_message(out);
    out.append(reflect(*core, **request).view());
    end_message(out, begin, false);
    co_return std::optional<Bytes>(out.take());
  }
  http::Headers trailers() override { return trailers_; }

 private:
  std::weak_ptr<Server::Core> core_;
  MessageSource requests_;
  http::Headers trailers_;
};

http::Response reflection(const std::shared_ptr<Server::Core>& core, http::Request request) {
  const CallMetadata metadata(request.headers);
  if (const Result<void> in = let_in(*core, request); !in) {
    return failed_response(in.error());
  }
  if (const Result<void> known = metadata.check_encoding(); !known) {
    return failed_response(known.error());
  }
  http::Response response = begin_response(false);
  response.body = http::Body(
      std::make_unique<ReflectionStream>(core, std::move(request.body), options_for(metadata)));
  return response;
}

template <class Run>
std::shared_ptr<const http::Handler> handler(const std::weak_ptr<Server::Core>& core,
                                             http::HandlerOptions options, Run run) {
  return std::make_shared<const http::Handler>(
      [core, run](http::Request request) -> Task<http::Response> {
        const std::shared_ptr<Server::Core> held = core.lock();
        if (held == nullptr) co_return failed_response(stopped());
        co_return run(held, std::move(request));
      },
      options);
}

}  // namespace

Builtin::Builtin(const std::weak_ptr<Server::Core>& core) {
  using Held = std::shared_ptr<Server::Core>;
  http::HandlerOptions small;
  small.max_body = kLargestRequest;
  check_ = handler(core, small, [](const Held& held, const http::Request& request) {
    return check(*held, request);
  });
  watch_ = handler(core, small, [](const Held& held, const http::Request& request) {
    return watch(held, request);
  });
  http::HandlerOptions streaming;
  streaming.streaming = true;
  streaming.body_timeout = kReflectionSilence;
  reflect_ = handler(core, streaming, [](const Held& held, http::Request request) {
    return reflection(held, std::move(request));
  });
}

std::shared_ptr<const http::Handler> Builtin::find(const CallPath& path) const {
  if (path.service == "grpc.health.v1.Health") {
    if (path.method == "Check") return check_;
    if (path.method == "Watch") return watch_;
  }
  if ((path.service == "grpc.reflection.v1.ServerReflection" ||
       path.service == "grpc.reflection.v1alpha.ServerReflection") &&
      path.method == "ServerReflectionInfo") {
    return reflect_;
  }
  return nullptr;
}

}  // namespace settee::inline v0::rpc::grpc
