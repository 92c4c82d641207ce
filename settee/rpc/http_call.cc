// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/http_call.h"

#include <fmt/format.h>

#include "settee/rpc/internal/hosted_call.h"
#include "settee/rpc/internal/link_data.h"

namespace settee::inline v0::rpc {

namespace {

/// It lives in the frame of host().
class HttpCall final : public HostedCall {
 public:
  HttpCall(HostedWay& way, Loop& loop, TimePoint deadline, const HttpHeaders& headers,
           const http::Request& request, CallCodec& codec)
      : HostedCall(way, loop, loop.now(), deadline, &headers, request.peer->tls.get()),
        request_bytes_(request.body.whole() ? request.body.bytes().size() : 0),
        codec_(codec) {}

  Context context_from(const HttpCallOptions& options, const Context& caller) {
    Origin origin;
    origin.protocol = options.protocol;
    origin.invoke_type = "sync";
    origin.peer_app = options.peer_app;
    origin.baggage = options.baggage;
    origin.stop = caller.stop_token();
    origin.request_bytes = request_bytes_;
    return make_context(origin);
  }

  bool read_arguments(void* const* arguments) override {
    const TimePoint before = watched_ ? Clock::now() : TimePoint();
    Result<void> read = codec_.read(*way_.method, arguments);
    if (watched_) watched_->measures.decode = Clock::now() - before;
    if (read) return true;
    fail(Error(Code::kPeerDecode, fmt::format("{}#{}: reading the arguments: {}", way_.service,
                                              way_.method->wire_name, read.error().message()))
             .because(read.error()));
    return false;
  }
  ServerStreams* streams() override { return codec_.streams(); }
  void write_result(const void* result) override {
    answered_ = true;
    const TimePoint before = watched_ ? Clock::now() : TimePoint();
    Result<void> written = codec_.write(*way_.method->result, result);
    if (watched_) watched_->measures.encode = Clock::now() - before;
    if (written) return;
    fail(Error(Code::kPeerEncode, fmt::format("{}#{}: writing the result: {}", way_.service,
                                              way_.method->wire_name, written.error().message())));
  }

  /// On the loop, when all has ended: what its caller gets.
  Result<void> finish(const Result<void>& done, Baggage& response) {
    if (done && !answered_ && !failure_) fail(no_answer(call_));
    response = std::move(item_->response);
    conclude(done);
    if (failure_) return *failure_;
    if (loop_.now() < callers_deadline_) return done ? done : as_peers_error(done.error());
    constexpr std::string_view kWhy = "the caller's time had passed when the method ended";
    way_.server->expired(way_.server->stats.expired_handled, way_.service, way_.method->wire_name,
                         way_.peer, kWhy);
    return Error(Code::kTimeout, std::string(kWhy));
  }

 private:
  // What a method has met with elsewhere must not look as if this server had not begun the call: who
  // calls would try it again.
  static Error as_peers_error(const Error& error) {
    // Nor as if the caller had been refused here.
    if (error.detail<CallerRefused>() != nullptr) return Error(error.code(), error.message());
    switch (error.code()) {
      case Code::kUnknown:
      case Code::kCancelled:
      case Code::kInvalidArgument:
      case Code::kLimit:
      case Code::kTimeout:
      case Code::kBusiness:
      case Code::kPeerDecode:  // of a message in a stream
      case Code::kPeerEncode:
      case Code::kPeerError: return error;
      default: return Error(Code::kPeerError, error.what());
    }
  }

  const std::size_t request_bytes_;
  CallCodec& codec_;
};

std::string service_text(const MethodEntry& method) {
  return fmt::format("{}#{}", method.service->unique_name, method.name);
}

}  // namespace

void HttpHeaders::each(const std::function<bool(std::string_view, std::string_view)>& visit) const {
  for (const http::Headers::Field field : headers_) {
    if (!visit(field.name, field.value)) return;
  }
}

void HttpBinding::admit(const ServiceTable&, const ServiceEntry&) {}

ServiceEntry* find_service(Server::Core& core, std::string_view name) {
  ServerLoop& own = core.of(*Loop::current());
  core.refresh(own);
  // SOFARPC's servers know services by interface and unique id there, whatever their version.
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos) return own.table->find(unique_name(name, "1.0", ""));
  if (ServiceEntry* const found = own.table->find(name)) return found;
  return own.table->find(unique_name(name.substr(0, colon), "1.0", name.substr(colon + 1)));
}

Result<void> authenticate(Server::Core& core, const http::Request& request,
                          std::string_view service, std::string_view method) {
  if (!core.options.authenticate) return {};
  const HttpHeaders headers(request.headers);
  const Baggage baggage = baggage_of(request.headers, kRequestBaggagePrefix);
  const Call call(Side::kServer, service, method, request.peer->text, &headers, nullptr,
                  request.peer->tls.get());
  return authenticate(core, call, &baggage);
}

Task<void> host(std::shared_ptr<Server::Core> core, MethodEntry& method,
                const http::Request& request, HttpCallOptions options, CallCodec& codec,
                Baggage& response) {
  const Context caller = context();
  Loop& loop = *Loop::current();
  // Who stops a server forbids new calls first, and then looks at those that run.
  if (!method.service->enter()) {
    co_await fail(Error(Code::kServiceNotFound,
                        fmt::format("{}: the service has been withdrawn", service_text(method))));
  }
  if (core->draining.load()) {
    method.service->leave();
    core->last_turned_away.store(loop.now().time_since_epoch().count());
    core->refused(RefusedBy::kDrain, method.service->unique_name, method.name, request.peer->text,
                  [] { return "the server is about to stop"; });
    // "Busy" to Settee's clients, which then try another server.
    co_await fail(Error(Code::kBusy, "the server is about to stop")
                      .with_detail(std::make_shared<ServerDrains>()));
  }
  const HttpHeaders headers(request.headers);
  if (method.guarded) {
    const Call call(Side::kServer, method.service->unique_name, method.name, request.peer->text,
                    &headers, nullptr, request.peer->tls.get());
    const Result<void> in = let_in(*core, method, call, options.baggage, loop.now());
    if (!in) {
      method.service->leave();
      co_await fail(in.error());
    }
  }
  HostedWay way;
  way.runtime = &core->runtime;
  way.server = core.get();
  way.entry = &method;
  way.method = method.info;
  way.object = method.service->object;
  way.service = method.service->unique_name;
  way.peer = request.peer->text;
  way.label = method.label;
  way.filters = core->of(loop).table->chain(method);
  Result<void> ended;
  {
    HttpCall call(way, loop, options.deadline, headers, request, codec);
    const settee::detail::ContextSwitch inside(co_await settee::detail::this_promise(),
                                               call.context_from(options, caller));
    const Result<void> done = co_await as_result(call.serve());
    if (!loop.in_loop()) co_await resume_on(loop);
    ended = call.finish(done, response);
  }
  if (!ended) co_await fail(ended.error());
}

}  // namespace settee::inline v0::rpc
