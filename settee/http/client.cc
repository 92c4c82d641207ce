// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/client.h"

#include <fmt/format.h>

#include <algorithm>

#include "settee/http/internal/characters.h"
#include "settee/http/internal/client_core.h"
#include "settee/http/internal/compression.h"

namespace settee::inline v0::http {

namespace {

constexpr int kMostTries = 3;

struct SchemeName {
  std::string_view text;
  Url::Scheme scheme;
  std::uint16_t port;
};
constexpr SchemeName kSchemes[] = {{"http", Url::Scheme::kHttp, 80},
                                   {"https", Url::Scheme::kHttps, 443},
                                   {"h2c", Url::Scheme::kH2c, 80},
                                   {"h2", Url::Scheme::kH2, 443}};

const SchemeName& name_of(Url::Scheme scheme) { return kSchemes[static_cast<std::size_t>(scheme)]; }

// Of a target: what could end the line that it stands in, or be taken for another, is refused.
bool is_target(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return is_control(c) || c == ' ' || c == '#'; });
}

bool is_idempotent(std::string_view method) {
  for (const std::string_view one : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}) {
    if (method == one) return true;
  }
  return false;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string called(const Request& request, const Url& url) {
  return fmt::format("{} {}{}", request.method, url.origin(),
                     std::string_view(request.target).substr(0, request.target.find('?')));
}

}  // namespace

StreamReset::~StreamReset() = default;

Result<Url> Url::parse(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return Error(Code::kInvalidArgument, fmt::format("URL '{}': {}", printable(text), why));
  };
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return wrong("it does not begin with a scheme and ://");
  Url url;
  const SchemeName* known = nullptr;
  for (const SchemeName& one : kSchemes) {
    if (same_name(one.text, text.substr(0, colon))) known = &one;
  }
  if (known == nullptr) return wrong("its scheme is none of http, https, h2c and h2");
  url.scheme = known->scheme;
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  url.authority = rest.substr(0, end);
  if (url.authority.find('@') != std::string::npos) {
    return Error(Code::kInvalidArgument,
                 "a URL has a user before its host: send an Authorization header instead");
  }
  if (url.authority.empty() || !is_host(url.authority) || !is_target(url.authority)) {
    return wrong("what stands behind :// is not host:port");
  }
  Result<net::Endpoint> endpoint = net::Endpoint::parse(url.authority, known->port);
  if (!endpoint) return wrong(endpoint.error().message());
  if (endpoint->unix_path || endpoint->host.empty() || endpoint->port == 0) {
    return wrong("what stands behind :// is not host:port");
  }
  url.endpoint = *std::move(endpoint);
  url.target = rest.substr(end);
  if (url.target.starts_with('?')) url.target.insert(0, "/");
  if (!is_target(url.target)) return wrong("its path has a blank or a control character");
  return url;
}

std::string Url::origin() const {
  return fmt::format("{}://{}", name_of(scheme).text, endpoint.to_string());
}

const char* to_string(ClientLimit limit) noexcept {
  switch (limit) {
    case ClientLimit::kHeader: return "max_header";
    case ClientLimit::kBody: return "max_body";
    case ClientLimit::kWaiting: return "max_waiting";
    case ClientLimit::kRedirects: return "max_redirects";
    case ClientLimit::kIdleFrames: return "max_idle_frames";
    case ClientLimit::kBadAnswer: return "bad_answer";
    case ClientLimit::kPing: return "ping_timeout";
    case ClientLimit::kCount: break;
  }
  return "";
}

ClientStats::ClientStats(Stats& stats)
    : requests(stats.counter("settee.http.client.requests", "1", "Requests begun")),
      failures(stats.counter("settee.http.client.failures", "1", "Requests that got no answer")),
      timeouts(stats.counter("settee.http.client.timeouts", "1", "Requests that took too long")),
      retries(stats.counter("settee.http.client.retries", "1", "Requests that were sent again")),
      redirects(stats.counter("settee.http.client.redirects", "1", "Redirects followed")),
      connects(stats.counter("settee.http.client.connects", "1", "Connections made")),
      connect_failures(stats.counter("settee.http.client.connect_failures", "1",
                                     "Attempts to connect that failed")),
      idle_closed(stats.counter("settee.http.client.idle_closed", "1",
                                "Connections closed as they were idle")),
      in_flight(stats.up_down_counter("settee.http.client.in_flight", "1",
                                      "Requests that have not got all of their answer")) {
  for (std::size_t i = 0; i < std::size(refused); ++i) {
    refused[i] = &stats.counter("settee.http.client.refused", "1",
                                "Answers, calls and connections that a limit has ended",
                                {{"limit", to_string(static_cast<ClientLimit>(i))}});
  }
}

Client::Core::Core(Runtime& r, ClientOptions o)
    : runtime(r),
      options(std::move(o)),
      stats(r.stats()),
      net_stats(net::ConnectionStats::of(r.stats(), "http_client")),
      pools_(r.loops().size()) {
  const auto need = [](bool fine, const char* what) {
    if (!fine) {
      throw Error(Code::kInvalidArgument, fmt::format("http::ClientOptions::{}: it lets no call "
                                                      "pass",
                                                      what));
    }
  };
  need(options.max_connections > 0, "max_connections is 0");
  need(options.max_waiting > 0, "max_waiting is 0");
  need(options.max_streams > 0, "max_streams is 0");
  need(options.max_header > 0, "max_header is 0");
  need(options.max_fields > 0, "max_fields is 0");
  need(options.max_unsent > 0, "max_unsent is 0");
  need(options.window > 0 && options.window <= INT32_MAX, "window is not 1 to 2^31-1");
  need(options.connect_timeout.count() > 0, "connect_timeout is not above 0");
  need(options.idle_timeout.count() > 0, "idle_timeout is not above 0");
  need(options.ping_after.count() >= 0, "ping_after is below 0");
  need(options.ping_timeout.count() > 0, "ping_timeout is not above 0");
  need(options.timeout.count() >= 0, "timeout is below 0");
  if (options.tls) tls().value();
}

Result<std::shared_ptr<const net::TlsClientContext>> Client::Core::tls() {
  const std::lock_guard lock(tls_mutex_);
  if (tls_) return tls_;
  net::TlsClientOptions wanted = options.tls.value_or(net::TlsClientOptions());
  wanted.alpn = {"h2", "http/1.1"};
  try {
    tls_ = std::make_shared<net::TlsClientContext>(runtime, std::move(wanted));
  } catch (const Error& error) {
    return error;
  }
  return tls_;
}

std::shared_ptr<ClientPool> Client::Core::pool(Loop& loop, const Url& url) {
  std::shared_ptr<ClientPool>& pool = pools_[loop.index()][url.origin()];
  if (!pool) pool = std::make_shared<ClientPool>(shared_from_this(), loop, url);
  return pool;
}

void Client::Core::forget(const ClientPool& pool) {
  Pools& pools = pools_[pool.loop().index()];
  const auto found = pools.find(pool.origin());
  if (found != pools.end() && found->second.get() == &pool) pools.erase(found);
}

void Client::Core::stop() {
  if (Loop::current() != nullptr) {
    throw Error(Code::kMisuse, "http::Client::stop() on a loop's thread would wait for itself");
  }
  if (stopped.exchange(true)) return;
  runtime.on_each_loop([this](Loop& loop) {
    const Pools pools = std::exchange(pools_[loop.index()], {});
    for (const auto& [origin, pool] : pools) {
      pool->stop(Error(Code::kStopped, "the client has been stopped"));
    }
  });
  // An attempt to connect ends by itself within its timeout.
  while (connecting.load() != 0 && !runtime.stopped()) {
    runtime.pause(std::chrono::milliseconds(1));
  }
}

namespace {

// What can be wrong with a request, whoever it is sent to.
Result<void> check(const Request& request) {
  const auto wrong = [](std::string text) {
    return Error(Code::kInvalidArgument, std::move(text));
  };
  if (!is_token(request.method)) return wrong("the method is not a token (RFC 9110, 9.1)");
  if (request.method == "CONNECT") return wrong("CONNECT: this client knows no proxies");
  const bool star = request.target == "*" && request.method == "OPTIONS";
  if ((!request.target.starts_with('/') && !star) || !is_target(request.target)) {
    return wrong(fmt::format("the target '{}' is not a path", printable(request.target)));
  }
  if (const auto host = request.headers.find("host"); host && (host->empty() || !is_host(*host))) {
    return wrong(fmt::format("the Host field '{}' is not host:port", printable(*host)));
  }
  return {};
}

}  // namespace

Task<Response> Client::Core::send_once(const Url& url, Request& request, const SendOptions& wanted,
                                       TimePoint until) {
  const bool unpacks = options.decompress && !wanted.streaming && request.method != "HEAD" &&
                       !request.headers.find("accept-encoding") && !request.headers.find("range");
  std::optional<Error> first;
  for (int tries = 1;; ++tries) {
    Loop& here = *Loop::current();
    const auto call = std::make_shared<ClientCall>(
        shared_from_this(), here, url, std::move(request), wanted.streaming,
        wanted.max_body != 0 ? wanted.max_body : options.max_body);
    call->codings = unpacks;
    // Whatever ends this coroutine ends the call.
    struct Guard {
      ClientCall& call;
      bool streamed = false;
      ~Guard() {
        if (!streamed) call.give_up(Error(Code::kCancelled, "nobody waits for the answer"));
      }
    } guard{*call};
    pool(here, url)->submit(call);
    const Result<void> answered = co_await as_result(call->wait(until));
    if (answered) {
      guard.streamed = true;
      request = call->give_back();
      co_return call->take_response();
    }
    const bool again =
        call->again() == ClientCall::Again::kYes ||
        (call->again() == ClientCall::Again::kIfIdempotent && is_idempotent(call->request.method));
    if (!again || !call->replayable() || tries == kMostTries || stopped.load()) {
      request = call->give_back();
      if (tries > 1) {
        co_return answered.error()
            .within(fmt::format("tried {} times, at last", tries))
            .because(*first);
      }
      co_return answered.error();
    }
    request = call->give_back();
    if (!first) first = answered.error();
    stats.retries.add();
  }
}

namespace {

// Where a redirect leads to, seen from where it was met (RFC 3986, 5.2, but for dots in paths, which
// the server understands as well).
Result<Url> redirected(const Url& from, std::string_view target, std::string_view location) {
  location = trim(location.substr(0, location.find('#')));
  if (location.empty()) return Error(Code::kProtocol, "the Location of the redirect is empty");
  const std::string_view scheme = name_of(from.scheme).text;
  if (location.starts_with("//")) return Url::parse(fmt::format("{}:{}", scheme, location));
  const std::size_t colon = location.find("://");
  if (colon != std::string_view::npos && colon < location.find_first_of("/?")) {
    Result<Url> to = Url::parse(location);
    if (!to) return to;
    // A server that is spoken HTTP/2 to calls itself http or https.
    if (to->scheme == Url::Scheme::kHttp && from.scheme == Url::Scheme::kH2c) {
      to->scheme = Url::Scheme::kH2c;
    }
    if (to->scheme == Url::Scheme::kHttps && from.scheme == Url::Scheme::kH2) {
      to->scheme = Url::Scheme::kH2;
    }
    if (from.secure() && !to->secure()) {
      return Error(Code::kProtocol,
                   fmt::format("a redirect from TLS to {}, which is not", to->origin()));
    }
    if (to->target.empty()) to->target = "/";
    return to;
  }
  Url to = from;
  const std::string_view path = target.substr(0, target.find('?'));
  if (location.starts_with('/')) {
    to.target = location;
  } else if (location.starts_with('?')) {
    to.target = fmt::format("{}{}", path, location);
  } else {
    to.target = fmt::format("{}{}", path.substr(0, path.rfind('/') + 1), location);
  }
  if (!is_target(to.target))
    return Error(Code::kProtocol, "the Location of the redirect is no URL");
  return to;
}

bool becomes_get(const Request& request, int status) {
  return (status == 303 && request.method != "HEAD") ||
         ((status == 301 || status == 302) && request.method == "POST");
}

// What goes on to where a redirect leads.
void follow(Request& request, int status, bool elsewhere) {
  if (becomes_get(request, status)) {
    request.method = "GET";
    request.body = Body();
    request.headers.remove("content-type");
    request.headers.remove("content-encoding");
  }
  if (elsewhere) {
    for (const char* name : {"authorization", "cookie", "host", "proxy-authorization"}) {
      request.headers.remove(name);
    }
  }
}

}  // namespace

Task<Response> Client::Core::send(Url url, Request request, SendOptions wanted) {
  const TimePoint now = Clock::now();
  const std::chrono::milliseconds most =
      wanted.timeout.count() == 0 ? options.timeout : wanted.timeout;
  const TimePoint until = most.count() > 0 ? now + most : kNoDeadline;
  stats.requests.add();
  if (!url.target.empty()) request.target = url.target;
  Loop& loop = runtime.loop();
  if (!loop.in_loop()) co_await resume_on(loop);
  std::optional<Error> error;
  for (std::size_t redirects = 0;; ++redirects) {
    if (Result<void> may = settee::context().check("not sent"); !may) error = may.error();
    if (stopped.load()) error = Error(Code::kStopped, "the client has been stopped");
    if (Result<void> fine = check(request); !error && !fine) error = fine.error();
    if (error) break;
    const bool whole = request.body.whole();
    Result<Response> answer = co_await as_result(send_once(url, request, wanted, until));
    if (!answer) {
      error = answer.error();
      break;
    }
    const auto location = answer->headers.find("location");
    if (options.max_redirects == 0 || !is_redirect(answer->status) || !location ||
        (!whole && !becomes_get(request, answer->status))) {
      co_return answer;  // a body that came part by part is gone
    }
    if (redirects == options.max_redirects) {
      refused(ClientLimit::kRedirects);
      error = Error(Code::kLimit, fmt::format("more than {} redirects (max_redirects), the last to "
                                              "{}",
                                              options.max_redirects, printable(*location)));
      break;
    }
    Result<Url> next = redirected(url, request.target, *location);
    if (!next) {
      error = next.error();
      break;
    }
    stats.redirects.add();
    follow(request, answer->status, next->origin() != url.origin());
    url = *std::move(next);
    request.target = url.target;
  }
  stats.failures.add();
  co_return error->within(called(request, url));
}

Client::Client(Runtime& runtime, ClientOptions options)
    : core_(std::make_shared<Core>(runtime, std::move(options))) {}
Client::~Client() { stop(); }
void Client::stop() { core_->stop(); }

namespace {

// The URL's text need not outlive the call that makes the Task.
Task<Response> send_to(std::shared_ptr<Client::Core> core, Result<Url> url, Request request,
                       SendOptions options) {
  if (!url) co_return url.error();
  Task<Response> sent = core->send(*std::move(url), std::move(request), options);
  co_return co_await as_result(std::move(sent));
}

}  // namespace

Task<Response> Client::send(Url url, Request request, SendOptions options) {
  return send_to(core_, std::move(url), std::move(request), options);
}

Task<Response> Client::send(std::string_view url, Request request, SendOptions options) {
  return send_to(core_, Url::parse(url), std::move(request), options);
}

}  // namespace settee::inline v0::http
