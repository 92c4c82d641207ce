// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Plain HTTP and SOFARPC's convention on the port of a server:
//
//   /{service}/{method}   POST calls it, GET too with its arguments in the query, HEAD asks whether it
//                         is there. The service is interface, interface:unique_id or its unique name.
//   a method's own route  where no such method is: route("GET", "/quotes/{symbol}") of its description
//   /openapi.json         a description of all that
//   /favicon.ico          nothing, for browsers
//
// Who calls in SOFARPC's convention (is_sofa()) is answered as by its own server; all others get JSON,
// and Errors as problems.

#include <fmt/format.h>

#include <vector>

#include "settee/http/server.h"
#include "settee/rpc/rest/internal/calls.h"
#include "settee/rpc/rest/internal/openapi.h"
#include "settee/rpc/rest/internal/problem.h"
#include "settee/rpc/rest/internal/routes.h"

namespace settee::inline v0::rpc {
namespace rest {

namespace {

constexpr std::string_view kCallVerbs = "GET, HEAD, POST";

/// What is made of the services, for one loop; of the table of that version.
struct Made {
  std::uint64_t version = 0;
  std::shared_ptr<const RouteTable> routes;
  Bytes openapi;  // empty: not asked for yet
};

class Site {
 public:
  explicit Site(const std::shared_ptr<Server::Core>& core)
      : core_(core), made_(core->runtime.loops().size()) {}

  Task<http::Response> serve(http::Request&& request) {
    std::shared_ptr<Server::Core> core = core_.lock();
    if (core == nullptr) {
      return ready(problem(Error(Code::kStopped, "the server has been stopped")));
    }
    const std::string_view path = request.path();
    if (path == "/favicon.ico") return ready(http::Response(200));
    if (path == "/openapi.json") return ready(describe(*core, request));
    if (is_sofa(request.headers)) return serve_sofa(std::move(core), std::move(request));
    return serve_plain(std::move(core), std::move(request));
  }

 private:
  static Task<http::Response> ready(http::Response response) { co_return response; }

  Made& made(Server::Core& core) {
    const Loop& loop = *Loop::current();
    ServerLoop& own = core.of(loop);
    core.refresh(own);
    Made& made = made_[loop.index()];
    if (made.version != own.version || made.routes == nullptr) {
      made.routes = std::make_shared<const RouteTable>(*own.table);
      made.openapi = Bytes();
      made.version = own.version;
    }
    return made;
  }

  static http::Response not_allowed(const http::Request& request, std::string_view allow) {
    http::Response response = http::Response::problem(
        405, fmt::format("{} is none of {}", request.method.substr(0, 20), allow));
    response.headers.add("allow", allow);
    return response;
  }

  http::Response describe(Server::Core& core, const http::Request& request) {
    if (request.method != "GET" && request.method != "HEAD") {
      return not_allowed(request, "GET, HEAD");
    }
    if (const Result<void> known = authenticate(core, request, kDescriptions, "openapi"); !known) {
      return problem(known.error());
    }
    Made& mine = made(core);
    if (mine.openapi.empty()) {
      mine.openapi = Bytes(openapi(*core.of(*Loop::current()).table, core.options.app_name));
    }
    return http::Response(200, "application/json", http::Body(mine.openapi));
  }

  Task<http::Response> serve_plain(std::shared_ptr<Server::Core> core, http::Request request) {
    const std::string_view path = request.path();
    const bool head = request.method == "HEAD";
    ArgumentTexts texts;
    texts.query = request.query();
    texts.body = request.body.text();
    texts.has_body =
        request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    const std::optional<CallPath> call = CallPath::parse(path);
    const bool two = call && !call->longer();
    ServiceEntry* const service = two ? find_service(*core, call->service()) : nullptr;
    const bool known = service != nullptr && has_method(*service, call->method());

    RouteMatch match;
    MethodEntry* method = nullptr;
    if (known) {
      if (request.method != "POST" && request.method != "GET" && !head) {
        co_return not_allowed(request, kCallVerbs);
      }
      if (head) {
        const Result<NamedMethods> there = find_plain(*service, call->method());
        co_return there ? told(*core, request, *service, call->method()) : problem(there.error());
      }
      if (request.method == "GET" && is_foreign_page(*core, request)) {
        co_return http::Response::problem(
            403,
            "pages of other origins may not call methods by GET; CorsOptions::origins names "
            "those that may");
      }
      texts.by_position = true;
      const Result<MethodEntry*> chosen = find_overload(*service, call->method(), texts);
      if (!chosen) co_return problem(chosen.error());
      method = *chosen;
    } else {
      match = made(*core).routes->find(request.method, path);
      if (match.route == nullptr) co_return nothing_there(request, match, call, service);
      method = &core->of(*Loop::current())
                    .table->find(match.route->service)
                    ->methods[match.route->method];
      if (head) co_return told(*core, request, *method->service, method->name);
      texts.variables = match.variables;
    }
    if (texts.has_body && !texts.body.empty() && !may_be_json(request.headers)) {
      co_return http::Response::problem(
          415, fmt::format("the content type {} is not JSON; send application/json",
                           request.headers.get("content-type").substr(0, 100)));
    }
    PlainCodec codec(texts);
    const Baggage baggage = baggage_of(request.headers, kRequestBaggagePrefix);
    HttpCallOptions options;
    options.protocol = protocol_of(request);
    options.peer_app = request.headers.get("app");
    options.baggage = &baggage;
    Baggage response_baggage;
    Task<void> hosted = host(core, *method, request, options, codec, response_baggage);
    const Result<void> done = co_await as_result(std::move(hosted));
    if (!done) co_return problem(done.error());
    Result<http::Response> answer = codec.answer(response_baggage);
    co_return answer ? *std::move(answer) : problem(answer.error());
  }

  // A page's link or image can send a GET. That of a method's own route is declared to be safe.
  static bool is_foreign_page(const Server::Core& core, const http::Request& request) {
    static const http::CorsOptions kNone;
    const std::shared_ptr<const http::ServerOptions>& given = core.options.http;
    return http::is_foreign_page(request, given ? given->cors : kNone);
  }

  // Of HEAD: the method is there, if it is to be known to who asks.
  static http::Response told(Server::Core& core, const http::Request& request,
                             const ServiceEntry& service, std::string_view method) {
    const Result<void> known = authenticate(core, request, service.unique_name, method);
    return known ? http::Response(200) : problem(known.error());
  }

  static http::Response nothing_there(const http::Request& request, const RouteMatch& match,
                                      const std::optional<CallPath>& call,
                                      const ServiceEntry* service) {
    if (!match.allow.empty()) return not_allowed(request, match.allow);
    if (service != nullptr) {
      return problem(Error(Code::kMethodNotFound,
                           fmt::format("{} has no method '{}'; /openapi.json lists all",
                                       service->unique_name, call->method().substr(0, 200))));
    }
    if (call && !call->longer()) {
      return problem(
          Error(Code::kServiceNotFound,
                fmt::format("there is no service '{}' here, and no route {}; "
                            "/openapi.json lists all",
                            call->service().substr(0, 200), request.path().substr(0, 400))));
    }
    return http::Response::problem(
        404, fmt::format("there is nothing at {}; methods are at /service/method, and "
                         "/openapi.json lists all",
                         request.path().substr(0, 400)));
  }

  const std::weak_ptr<Server::Core> core_;
  std::vector<Made> made_;  // by the loop's number; each used on its loop only
};

class Binding final : public HttpBinding {
 public:
  explicit Binding(const std::shared_ptr<Server::Core>& core)
      : handler_(std::make_shared<const http::Handler>(
            [site = std::make_shared<Site>(core)](http::Request&& request) {
              return site->serve(std::move(request));
            })) {}

  std::shared_ptr<const http::Handler> find(const http::Request&, http::Response&) override {
    return handler_;
  }
  void admit(const ServiceTable& table, const ServiceEntry& entry) override {
    RouteTable routes(table);
    routes.add(entry);
  }

 private:
  const std::shared_ptr<const http::Handler> handler_;
};

}  // namespace
}  // namespace rest

std::unique_ptr<HttpBinding> make_rest_binding(const std::shared_ptr<Server::Core>& core) {
  return std::make_unique<rest::Binding>(core);
}

}  // namespace settee::inline v0::rpc
