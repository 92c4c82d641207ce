// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/server.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "settee/http/internal/characters.h"
#include "settee/http/internal/exchange.h"
#include "settee/http/internal/http1_session.h"
#include "settee/net/detail/newcomer.h"

namespace settee::inline v0::http {

Router::~Router() = default;

const char* to_string(RefusedBy by) noexcept {
  switch (by) {
    case RefusedBy::kBadRequest: return "bad_request";
    case RefusedBy::kConnections: return "max_connections";
    case RefusedBy::kConnectionsOfPeer: return "max_connections_per_peer";
    case RefusedBy::kHeader: return "max_header";
    case RefusedBy::kTarget: return "max_target";
    case RefusedBy::kBody: return "max_body";
    case RefusedBy::kEncoding: return "encoding";
    case RefusedBy::kToken: return "token";
    case RefusedBy::kOrigin: return "origin";
    case RefusedBy::kHeadTimeout: return "head_timeout";
    case RefusedBy::kBodyTimeout: return "body_timeout";
    case RefusedBy::kWriteTimeout: return "write_timeout";
    case RefusedBy::kStreams: return "max_streams";
    case RefusedBy::kResets: return "max_resets";
    case RefusedBy::kIdleFrames: return "max_idle_frames";
    case RefusedBy::kCount: break;
  }
  return "unknown";
}

ServerStats::ServerStats(Stats& stats)
    : requests(stats.counter("settee.http.server.requests", "1", "Requests begun")),
      failures(stats.counter("settee.http.server.failures", "1",
                             "Requests answered with a status of 500 or more, or broken off")),
      idle_closed(stats.counter("settee.http.server.idle_closed", "1",
                                "Connections closed as they were idle")),
      cut_off(stats.counter("settee.http.server.cut_off", "1",
                            "Requests that were not answered when the time to drain was over")),
      in_flight(stats.up_down_counter("settee.http.server.in_flight", "1",
                                      "Requests that are not answered yet")) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(RefusedBy::kCount); ++i) {
    const std::string limit(to_string(static_cast<RefusedBy>(i)));
    refused[i] = &stats.counter("settee.http.server.refused", "1",
                                "Requests, streams and connections that a limit or rule refused",
                                {{"limit", limit}});
  }
}

std::string_view ServerLoop::date() {
  if (const TimePoint now = loop->now();
      date_.empty() || now - date_made_ >= std::chrono::milliseconds(500)) {
    date_made_ = now;
    date_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(std::time(nullptr)));
  }
  return date_;
}

Session::Session(Link link) : wire_(std::move(link)) {
  core().of(loop()).sessions.insert(this);
  core().sessions_.fetch_add(1, std::memory_order_relaxed);
}

Session::~Session() = default;

Session::Link Session::hand_over() noexcept {
  handed_over_ = true;
  core().of(loop()).sessions.erase(this);
  core().sessions_.fetch_sub(1, std::memory_order_relaxed);
  // This one may be on the stack for a while yet, and looks at what it had.
  Link link{wire_.core, wire_.connection, std::move(wire_.closed), wire_.peer};
  return link;
}

void Session::connection_closed() {
  if (handed_over_) return;
  core().of(loop()).sessions.erase(this);
  core().sessions_.fetch_sub(1, std::memory_order_release);
  if (wire_.closed) wire_.closed(wire_.connection);
}

Error Session::refusal(RefusedBy by, std::string_view rule) {
  core().refused(by);
  const std::string message = fmt::format("from {}: {}; connection closed", peer_text(), rule);
  core().peer_log.warn(message);
  return Error(Code::kProtocol, message);
}

bool Session::close_if_stuck(TimePoint now) {
  net::Connection& connection = wire_.connection;
  if (connection.unsent() == 0) {
    stuck_since_ = TimePoint();
  } else if (stuck_since_ == TimePoint() || connection.last_write() > stuck_since_) {
    stuck_since_ = now;
  } else if (const auto most = core().options.write_timeout; now - stuck_since_ >= most) {
    connection.close(refusal(RefusedBy::kWriteTimeout,
                             fmt::format("it has taken nothing for {} ms", most.count())));
    return true;
  }
  return false;
}

Duration Session::tick() const noexcept {
  const ServerOptions& options = wire_.core->options;
  const auto shortest = std::min(
      {options.head_timeout, options.body_timeout, options.write_timeout, options.idle_timeout});
  return std::clamp<Duration>(shortest / 4, std::chrono::milliseconds(10), std::chrono::seconds(1));
}

namespace {

ServerOptions checked(ServerOptions options) {
  const auto positive = [](auto value, std::string_view name) {
    if (value > decltype(value)(0)) return;
    throw Error(Code::kInvalidArgument,
                fmt::format("http::ServerOptions::{} is 0: nothing could be served", name));
  };
  positive(options.max_connections, "max_connections");
  positive(options.max_header, "max_header");
  positive(options.max_fields, "max_fields");
  positive(options.max_target, "max_target");
  positive(options.max_unsent, "max_unsent");
  positive(options.max_streams, "max_streams");
  positive(options.window, "window");
  positive(options.head_timeout, "head_timeout");
  positive(options.body_timeout, "body_timeout");
  positive(options.write_timeout, "write_timeout");
  positive(options.idle_timeout, "idle_timeout");
  const auto token = [](const std::string& text, std::string_view what) {
    if (is_token(text)) return;
    throw Error(Code::kInvalidArgument,
                fmt::format("http::CorsOptions::{}: \"{}\" is no token (RFC 9110, 5.6.2)", what,
                            printable(text)));
  };
  for (const std::string& method : options.cors.methods) token(method, "methods");
  for (const std::string& name : options.cors.headers) token(name, "headers");
  const auto& origins = options.cors.origins;
  if (options.cors.credentials && std::find(origins.begin(), origins.end(), "*") != origins.end()) {
    throw Error(Code::kInvalidArgument,
                "http::CorsOptions: credentials with the origin \"*\" would let every page act as "
                "its visitor; name the origins");
  }
  return options;
}

}  // namespace

Server::Core::Core(Runtime& r, std::shared_ptr<Router> given, ServerOptions given_options)
    : runtime(r),
      router(std::move(given)),
      options(checked(std::move(given_options))),
      stats(r.stats()),
      net_stats(net::ConnectionStats::of(r.stats(), "http")),
      ended(r.events().channel<RequestEnded>()),
      connections_(options.max_connections, options.max_connections_per_peer) {
  if (router == nullptr) {
    throw Error(Code::kInvalidArgument, "http::Server: it needs a Router, e.g. an Endpoints");
  }
  for (Loop* const loop : runtime.loops()) {
    loops_.push_back(std::make_unique<ServerLoop>());
    loops_.back()->loop = loop;
  }
}

ServerLoop& Server::Core::of(const Loop& loop) { return *loops_[loop.index()]; }

namespace {

// Pages and switches of a program are for those who run it: whoever else may reach them is to be asked
// who he is, or to be let in by a decision.
void check_exposure(const ServerOptions& options) {
  if (options.open_to_all || !options.token.empty()) return;
  if (options.tls) {
    const net::TlsServerOptions& tls = options.tls->options();
    if (!tls.client_ca.empty() && !tls.client_certificate_optional) return;
  }
  const net::Endpoint endpoint = net::Endpoint::at(options.host, options.port);
  const Result<std::vector<net::SocketAddress>> addresses = net::resolve_numeric(endpoint);
  if (!addresses) return;  // the listener says what is wrong with it
  if (std::all_of(addresses->begin(), addresses->end(),
                  [](const auto& one) { return one.local(); })) {
    return;
  }
  throw Error(Code::kInvalidArgument,
              fmt::format("http::Server::start() on {}: other machines reach this address, and "
                          "nobody is asked who they are. Set http::ServerOptions::token, or `tls` "
                          "with a client_ca (whose certificate is not optional), or the host "
                          "127.0.0.1; or open_to_all, if everybody may ask",
                          endpoint.to_string()));
}

}  // namespace

void Server::Core::start() {
  check_exposure(options);
  const std::lock_guard lock(mutex_);
  if (state_ != State::kNew) {
    throw Error(Code::kMisuse, "http::Server::start(): it has been started or stopped already");
  }
  net::ListenerOptions listen;
  listen.endpoint = net::Endpoint::at(options.host, options.port);
  listener_ = std::make_unique<net::Listener>(
      runtime, listen, [weak = weak_from_this()](Loop& loop, net::Socket socket) {
        if (const auto self = weak.lock()) self->accept(loop, std::move(socket));
      });
  state_ = State::kStarted;
}

std::uint16_t Server::Core::port() const {
  const std::lock_guard lock(mutex_);
  return listener_ ? listener_->address().port() : 0;
}

std::string Server::Core::address() const {
  const std::lock_guard lock(mutex_);
  return listener_ ? listener_->address().to_string() : std::string();
}

// The protocol of a connection until it is known with whom: TLS's handshake, which has a time of its
// own, has ended, or the first byte was plain text and may be.
class Server::Core::Securing final : public net::detail::Newcomer {
 public:
  explicit Securing(const std::shared_ptr<Core>& core) noexcept
      : Newcomer(core->options.idle_timeout, core->peer_log, core->stats.idle_closed),
        core_(core) {}
  void on_secured(net::Connection& connection) override {
    known();
    connection.switch_protocol(core_->own_protocol(connection));
  }
  Taken on_data(net::Connection& connection, std::span<const std::uint8_t>) override {
    on_secured(connection);
    return {0};
  }

 private:
  void gone(net::Connection& connection) override { core_->forget(connection); }
  const std::shared_ptr<Core> core_;
};

std::unique_ptr<net::Protocol> Server::Core::own_protocol(net::Connection& connection) {
  return protocol(connection,
                  [self = shared_from_this()](net::Connection& closed) { self->forget(closed); });
}

void Server::Core::accept(Loop& loop, net::Socket socket) {
  if (const auto room = connections_.enter(socket.peer());
      room != net::ConnectionCount::Room::kYes) {
    const bool of_peer = room == net::ConnectionCount::Room::kNoneForPeer;
    const RefusedBy by = of_peer ? RefusedBy::kConnectionsOfPeer : RefusedBy::kConnections;
    refused(by);
    peer_log.warn(
        fmt::format("connection of {} refused: {} is {}", socket.peer().to_string(), to_string(by),
                    of_peer ? options.max_connections_per_peer : options.max_connections));
    return;
  }
  net::ConnectionOptions connection_options;
  connection_options.high_mark = options.max_unsent;
  connection_options.low_mark = options.max_unsent / 4;
  const net::SocketAddress peer = socket.peer();
  const int fd = socket.release();
  auto connection =
      std::make_shared<net::Connection>(loop, fd, peer, connection_options, net_stats);
  of(loop).connections.insert(connection);
  if (options.tls) connection->accept_tls(*options.tls);
  try {
    if (options.tls) {
      connection->begin(std::make_unique<Securing>(shared_from_this()));
    } else {
      connection->begin(own_protocol(*connection));
    }
  } catch (const Error& error) {
    log(LogLevel::kError,
        fmt::format("connection of {} dropped: {}", peer.to_string(), error.what()));
    forget(*connection);
  }
}

void Server::Core::forget(net::Connection& connection) {
  auto& set = of(connection.loop()).connections;
  const auto found = set.find(connection.shared_from_this());
  if (found == set.end()) return;
  set.erase(found);
  connections_.leave(connection.peer());
}

std::unique_ptr<net::Protocol> Server::Core::protocol(
    net::Connection& connection, std::function<void(net::Connection&)> closed) {
  auto peer = std::make_shared<Peer>();
  peer->address = connection.peer();
  peer->text = connection.peer().to_string();
  peer->tls = connection.tls();
  return std::make_unique<Http1Session>(
      Session::Link{shared_from_this(), connection, std::move(closed), std::move(peer)});
}

namespace {
// What is cancelled has so long to end.
constexpr Duration kToEnd = std::chrono::milliseconds(500);
}  // namespace

void Server::Core::stop(TimePoint began, TimePoint by) {
  {
    std::unique_lock lock(mutex_);
    if (state_ == State::kStopped) return;
    if (Loop::current() != nullptr) {
      throw Error(Code::kMisuse, "http::Server::stop() on a loop's thread would wait for itself");
    }
    if (state_ == State::kStopping) {
      changed_.wait(lock, [&] { return state_ == State::kStopped; });
    }
    if (state_ == State::kStopped) return;
    state_ = State::kStopping;
  }
  shut_down(began, by);
  const std::lock_guard lock(mutex_);
  state_ = State::kStopped;
  changed_.notify_all();
}

void Server::Core::on_each_session(const std::function<void(Session&)>& act) {
  runtime.on_each_loop([&](Loop& loop) {
    const std::unordered_set<Session*> all = of(loop).sessions;
    for (Session* session : all) {
      if (of(loop).sessions.contains(session)) act(*session);
    }
  });
}

void Server::Core::drain() {
  draining.store(true);
  on_each_session([](Session& session) { session.drain(); });
}

void Server::Core::shut_down(TimePoint began, TimePoint by) {
  if (listener_) listener_->stop();
  drain();
  const auto busy = [this] { return running.load() > 0 || unanswered.load() > 0; };
  while (busy() && Clock::now() < by) runtime.pause(std::chrono::milliseconds(2));
  if (busy()) {
    const std::size_t left = std::max(running.load(), unanswered.load());
    stats.cut_off.add(left);
    log(LogLevel::kWarning,
        fmt::format("server {}: stopped with {} request(s) not answered after {} ms of drain; they "
                    "are cancelled",
                    listener_ ? address() : "without an own port", left,
                    std::chrono::ceil<std::chrono::milliseconds>(std::max(by - began, Duration()))
                        .count()));
    runtime.on_each_loop([this](Loop& loop) {
      std::vector<std::shared_ptr<Exchange>> held;  // who is cancelled may end at once
      for (Exchange* one = of(loop).running; one != nullptr; one = one->next_running()) {
        held.push_back(one->shared_from_this());
      }
      for (const auto& exchange : held) exchange->cancel();
    });
    const TimePoint ended_by = Clock::now() + kToEnd;
    while (running.load() > 0 && Clock::now() < ended_by)
      runtime.pause(std::chrono::milliseconds(2));
  }
  on_each_session([](Session& session) {
    session.close(Error(Code::kStopped, "the server has been stopped"));
  });
  runtime.on_each_loop([this](Loop& loop) {
    const std::unordered_set<std::shared_ptr<net::Connection>> all = of(loop).connections;
    for (const auto& connection : all) {
      if (connection->closed() || dynamic_cast<Securing*>(&connection->protocol()) == nullptr)
        continue;
      connection->close(Error(Code::kStopped, "the server has been stopped"));
    }
  });
  // Answers that a slow peer has not taken yet have their second.
  const TimePoint sent_by = Clock::now() + std::chrono::milliseconds(1500);
  while (sessions_.load(std::memory_order_acquire) > 0 && Clock::now() < sent_by) {
    runtime.pause(std::chrono::milliseconds(1));
  }
}

Server::Server(Runtime& runtime, std::shared_ptr<Router> router, ServerOptions options)
    : core_(std::make_shared<Core>(runtime, std::move(router), std::move(options))) {}

Server::~Server() { stop(); }

void Server::start() { core_->start(); }
void Server::drain() { core_->drain(); }
void Server::stop() {
  const TimePoint now = Clock::now();
  core_->stop(now, now + core_->options.drain);
}
void Server::stop(TimePoint by) { core_->stop(Clock::now(), by); }
std::uint16_t Server::port() const noexcept { return core_->port(); }
std::string Server::address() const { return core_->address(); }

bool Server::speaks(std::uint8_t first_byte) noexcept {
  return is_token(static_cast<char>(first_byte));
}

std::unique_ptr<net::Protocol> Server::protocol(net::Connection& connection,
                                                std::function<void(net::Connection&)> closed) {
  return core_->protocol(connection, std::move(closed));
}

}  // namespace settee::inline v0::http
