// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/server.h"

#include <fmt/format.h>

#include <thread>

#include "settee/rpc/internal/local_call.h"
#include "settee/rpc/internal/server_core.h"

namespace settee::inline v0::rpc {

std::string unique_name(std::string_view interface_name, std::string_view version,
                        std::string_view unique_id) {
  std::string name = fmt::format("{}:{}", interface_name, version);
  if (!unique_id.empty()) name += fmt::format(":{}", unique_id);
  return name;
}

ServerStats::ServerStats(Stats& stats)
    : calls(stats.counter("settee.rpc.server.calls", "1", "Calls begun")),
      failures(stats.counter("settee.rpc.server.failures", "1", "Calls that ended with an error")),
      expired(stats.counter("settee.rpc.server.expired", "1",
                            "Calls not begun or not answered, as the caller's time had passed")),
      refused(stats.counter("settee.rpc.server.refused", "1", "Calls refused: the pool was full")),
      bad_frames(stats.counter("settee.rpc.server.bad_frames", "1",
                               "Connections closed as the peer broke a rule")),
      connections_refused(stats.counter("settee.rpc.server.connections_refused", "1",
                                        "Connections over max_connections")),
      held_back(stats.counter("settee.rpc.server.held_back", "1",
                              "Times that a connection was not read as max_in_flight calls ran")),
      idle_closed(stats.counter("settee.rpc.server.idle_closed", "1",
                                "Connections closed as they were idle")),
      cut_off(stats.counter("settee.rpc.server.cut_off", "1",
                            "Calls that still ran when the server's time to drain was over")),
      in_flight(stats.up_down_counter("settee.rpc.server.in_flight", "1", "Calls that run")) {}

namespace {

// Waits for a connection's first byte, which tells what it speaks. Idle peers that never say
// anything are closed like idle peers.
class Detector final : public net::Protocol, private Timer {
 public:
  explicit Detector(std::shared_ptr<Server::Core> core) : core_(std::move(core)) {}

  void on_begin(net::Connection& connection) override {
    connection_ = &connection;
    if (core_->options.idle_close.count() > 0) {
      arm(connection.loop(), connection.loop().now() + core_->options.idle_close);
    }
  }
  Taken on_data(net::Connection& connection, std::span<const std::uint8_t> data) override {
    for (const auto& binding : core_->bindings) {
      if (!binding->speaks(data[0])) continue;
      disarm();
      connection.switch_protocol(binding->serve(core_, connection));
      return {0};
    }
    core_->stats.bad_frames.add();
    const std::string message = fmt::format(
        "from {}: first byte 0x{:02x} is of no protocol that is spoken here (offset 0); "
        "connection closed",
        connection.peer().to_string(), data[0]);
    core_->log_bad_peer(message);
    connection.close(Error(Code::kProtocol, message));
    return {0};
  }
  void on_close(net::Connection& connection, const Error&) override {
    disarm();
    core_->forget(connection);
  }

 private:
  void on_timer() override {
    core_->stats.idle_closed.add();
    connection_->close(Error(Code::kConnectionClosed, "the peer said nothing"));
  }
  std::shared_ptr<Server::Core> core_;
  net::Connection* connection_ = nullptr;
};

}  // namespace

namespace {

ServerOptions checked(ServerOptions options) {
  const auto at_least_one = [](std::size_t value, std::string_view name) {
    if (value > 0) return;
    throw Error(Code::kInvalidArgument,
                fmt::format("ServerOptions::{} is 0: nothing could be served; at least 1", name));
  };
  at_least_one(options.max_connections, "max_connections");
  at_least_one(options.max_in_flight, "max_in_flight");
  at_least_one(options.max_frame, "max_frame");
  at_least_one(options.max_unsent, "max_unsent");
  at_least_one(options.hessian_depth, "hessian_depth");
  at_least_one(options.hessian_nodes, "hessian_nodes");
  return options;
}

}  // namespace

Server::Core::Core(Runtime& r, ServerOptions o)
    : runtime(r),
      options(checked(std::move(o))),
      stats(r.stats()),
      net_stats(net::ConnectionStats::of(r.stats(), "server")) {
  bindings.push_back(make_bolt_binding(options));
  runtime.on_each_loop([this](Loop& loop) {
    const std::lock_guard lock(mutex_);
    loops_.push_back({&loop, {}});
  });
}

std::shared_ptr<const ServiceTable> Server::Core::table(std::uint64_t* version) const {
  const std::lock_guard lock(mutex_);
  if (version != nullptr) *version = table_version.load(std::memory_order_relaxed);
  return table_;
}

void Server::Core::provide(const ServiceInfo& service, std::shared_ptr<void> owner, void* object,
                           ProvideOptions provide_options) {
  if (object == nullptr) {
    throw Error(Code::kInvalidArgument,
                fmt::format("provide {}: the object is null", service.interface_name));
  }
  auto entry = std::make_shared<ServiceEntry>();
  entry->key.interface_name = service.interface_name;
  entry->key.version = provide_options.version;
  entry->key.unique_id = provide_options.unique_id;
  entry->unique_name = entry->key.unique_name();
  entry->owner = std::move(owner);
  entry->object = object;
  entry->options = std::move(provide_options);
  for (const MethodInfo& method : service.methods) {
    MethodEntry& made = entry->methods.emplace_back();
    made.service = entry.get();
    made.info = &method;
    made.name = method.wire_name;
    made.label = runtime.intern(fmt::format("{}#{}", entry->unique_name, made.name));
    for (const ParameterInfo& parameter : method.parameters) {
      made.signatures.push_back(java_name(*parameter.type));
    }
  }
  {
    const std::lock_guard lock(mutex_);
    auto next = std::make_shared<ServiceTable>(*table_);
    if (!next->services.emplace(entry->unique_name, entry).second) {
      throw Error(Code::kMisuse,
                  fmt::format("provide {}: this server offers it already; a second one "
                              "needs another version or unique_id",
                              entry->unique_name));
    }
    table_ = std::move(next);
    table_version.fetch_add(1, std::memory_order_release);
    if (state_ != State::kStarted) return;
  }
  runtime.part<LocalServices>()->changed(*this);
  publication.publish(entry->key, entry->options);  // what came before start() is published there
}

bool Server::Core::withdraw(std::string_view name) {
  // First from where consumers look; those who have not heard of it yet are told so by the server.
  publication.withdraw(name);
  std::shared_ptr<ServiceEntry> entry;
  {
    const std::lock_guard lock(mutex_);
    auto next = std::make_shared<ServiceTable>(*table_);
    const auto found = next->services.find(name);
    if (found == next->services.end()) return false;
    entry = found->second;
    next->services.erase(found);
    table_ = std::move(next);
    table_version.fetch_add(1, std::memory_order_release);
  }
  runtime.part<LocalServices>()->changed(*this);
  entry->withdraw();
  entry->wait_until_quiet();
  entry->owner.reset();
  entry->object = nullptr;
  return true;
}

void Server::Core::start() {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kStarted) throw Error(Code::kMisuse, "Server::start(): already started");
    if (state_ == State::kStopped) {
      throw Error(Code::kMisuse, "Server::start(): it has been stopped; make a new one");
    }
  }
  net::ListenerOptions listen;
  if (options.host.starts_with("unix:")) {
    Result<net::Endpoint> endpoint = net::Endpoint::parse(options.host);
    listen.endpoint = endpoint.value();
  } else {
    listen.endpoint.host = options.host;
    listen.endpoint.port = options.port;
  }
  auto made = std::make_unique<net::Listener>(
      runtime, listen, [weak = weak_from_this()](Loop& loop, net::Socket socket) {
        if (const auto self = weak.lock()) self->accept(loop, std::move(socket));
      });
  const std::uint16_t port = made->address().port();
  std::shared_ptr<const ServiceTable> services;
  {
    const std::lock_guard lock(mutex_);
    listener = std::move(made);
    state_ = State::kStarted;
    services = table_;
  }
  // Only now that it can be called.
  runtime.part<LocalServices>()->add(shared_from_this());
  publication.set_port(port);
  try {
    for (const auto& [name, entry] : services->services) {
      publication.publish(entry->key, entry->options);
    }
  } catch (...) {
    stop();
    throw;
  }
}

Server::Core::PerLoop& Server::Core::of(Loop& loop) {
  for (PerLoop& per_loop : loops_) {
    if (per_loop.loop == &loop) return per_loop;
  }
  return loops_.front();
}

void Server::Core::accept(Loop& loop, net::Socket socket) {
  if (connections_.fetch_add(1, std::memory_order_relaxed) >= options.max_connections) {
    connections_.fetch_sub(1, std::memory_order_relaxed);
    stats.connections_refused.add();
    log_bad_peer(fmt::format("connection of {} refused: max_connections is {}",
                             socket.peer().to_string(), options.max_connections));
    return;
  }
  net::ConnectionOptions connection_options;
  connection_options.high_mark = options.max_unsent;
  connection_options.low_mark = options.max_unsent / 4;
  const net::SocketAddress peer = socket.peer();
  auto connection = std::make_shared<net::Connection>(loop, socket.release(), peer,
                                                      connection_options, net_stats);
  of(loop).connections.insert(connection);
  try {
    connection->begin(std::make_unique<Detector>(shared_from_this()));
  } catch (const Error& error) {
    runtime.log(LogLevel::kError, "rpc",
                fmt::format("connection of {} dropped: {}", peer.to_string(), error.what()));
    forget(*connection);
  }
}

void Server::Core::forget(net::Connection& connection) {
  auto& set = of(connection.loop()).connections;
  const auto found = set.find(connection.shared_from_this());
  if (found == set.end()) return;
  set.erase(found);
  connections_.fetch_sub(1, std::memory_order_relaxed);
}

// Without a call for so long, a peer that was told to go elsewhere has gone.
constexpr Duration kQuiet = std::chrono::milliseconds(50);

void Server::Core::stop() {
  if (Loop::current() != nullptr) {
    throw Error(Code::kMisuse, "Server::stop() on a loop's thread would wait for itself");
  }
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kStopped) return;
    const bool running = state_ == State::kStarted;
    state_ = State::kStopped;
    if (!running) return;
  }
  // New calls are served until consumers can have heard that they are to go elsewhere.
  if (publication.withdraw_all()) pause(options.leave);
  listener->stop();
  draining.store(true);
  runtime.part<LocalServices>()->remove(*this);
  // What runs is answered; what comes now is told to go elsewhere.
  const TimePoint by = Clock::now() + options.drain;
  const std::shared_ptr<const ServiceTable> services = table();
  const auto busy = [&] {
    std::size_t running = 0;
    for (const auto& [name, entry] : services->services) running += entry->running();
    return running;
  };
  while (busy() > 0 && Clock::now() < by) pause(std::chrono::milliseconds(2));
  // Who was told to go elsewhere may have another call on its way here: it is told so too.
  const auto quiet_since = [&] {
    return Clock::now() - TimePoint(Duration(last_turned_away.load()));
  };
  while (last_turned_away.load() != 0 && quiet_since() < kQuiet && Clock::now() < by) {
    pause(std::chrono::milliseconds(5));
  }
  if (const std::size_t left = busy(); left > 0) {
    stats.cut_off.add(left);
    runtime.log(LogLevel::kWarning, "rpc",
                fmt::format("server {}: stopped with {} call(s) still running after {} ms of drain",
                            listener->address().to_string(), left, options.drain.count()));
  }
  runtime.on_each_loop([&](Loop& loop) {
    PerLoop& per_loop = of(loop);
    const std::vector<std::shared_ptr<net::Connection>> all(per_loop.connections.begin(),
                                                            per_loop.connections.end());
    for (const auto& connection : all) {
      connection->close_when_sent(Error(Code::kStopped, "the server has been stopped"),
                                  per_loop.loop->now() + std::chrono::seconds(1));
    }
  });
  // Answers that a slow peer has not taken yet have their second.
  const TimePoint sent_by = Clock::now() + std::chrono::milliseconds(1500);
  while (connections_.load(std::memory_order_acquire) > 0 && Clock::now() < sent_by) {
    pause(std::chrono::milliseconds(1));
  }
}

// Of this thread. If the only loop is one that it turns, that goes on.
void Server::Core::pause(Duration time) {
  if (runtime.loop_count() > 0) {
    std::this_thread::sleep_for(time);
    return;
  }
  const TimePoint until = Clock::now() + time;
  do {
    runtime.foreign_loop().turn(std::chrono::milliseconds(5));
  } while (Clock::now() < until);
}

namespace {

// What a peer has written is for the eyes of an operator: one line, of bounded length, that cannot look
// like several.
std::string one_line(std::string_view text) {
  constexpr std::size_t kMost = 600;
  std::string line;
  for (const char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  if (text.size() > kMost) line += fmt::format("... ({} bytes more)", text.size() - kMost);
  return line;
}

}  // namespace

void Server::Core::log_bad_peer(std::string_view message) {
  int suppressed = 0;
  {
    const std::lock_guard lock(mutex_);
    const TimePoint now = Clock::now();
    if (now - log_second_ > std::chrono::seconds(1)) {
      suppressed = std::max(0, log_count_ - 20);
      log_second_ = now;
      log_count_ = 0;
    }
    if (++log_count_ > 20) return;
  }
  if (suppressed > 0) {
    runtime.log(LogLevel::kWarning, "rpc", fmt::format("{} more such lines left out", suppressed));
  }
  runtime.log(LogLevel::kWarning, "rpc", one_line(message));
}

Server::Server(Runtime& runtime, ServerOptions options)
    : core_(std::make_shared<Core>(runtime, std::move(options))) {}

Server::~Server() { core_->stop(); }

void Server::provide_erased(const ServiceInfo& service, std::shared_ptr<void> owner, void* object,
                            ProvideOptions options) {
  core_->provide(service, std::move(owner), object, std::move(options));
}

bool Server::withdraw(std::string_view unique_name) { return core_->withdraw(unique_name); }

void Server::add_filter(FilterUse filter) { core_->filters.push_back(std::move(filter.filter)); }
bool Server::remove_filter(std::string_view) { return false; }

void Server::start() { core_->start(); }
void Server::stop() { core_->stop(); }

std::uint16_t Server::port() const noexcept {
  return core_->listener ? core_->listener->address().port() : 0;
}

std::string Server::address() const {
  return core_->listener ? core_->listener->address().to_string() : std::string();
}

const ServerOptions& Server::options() const noexcept { return core_->options; }

}  // namespace settee::inline v0::rpc
