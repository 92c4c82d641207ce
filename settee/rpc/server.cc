// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "settee/net/detail/newcomer.h"
#include "settee/rpc/internal/local_call.h"
#include "settee/rpc/internal/server_core.h"

namespace settee::inline v0::rpc {

std::string unique_name(std::string_view interface_name, std::string_view version,
                        std::string_view unique_id) {
  std::string name;
  name.reserve(interface_name.size() + version.size() + unique_id.size() + 2);
  name.append(interface_name).append(1, ':').append(version);
  if (!unique_id.empty()) name.append(1, ':').append(unique_id);
  return name;
}

bool ServerOptions::speaks(std::string_view protocol) const noexcept {
  return protocols.empty() ||
         std::find(protocols.begin(), protocols.end(), protocol) != protocols.end();
}

namespace {

Counter& expired_at(Stats& stats, const char* stage) {
  return stats.counter("settee.rpc.server.expired", "1",
                       "Calls not begun or not answered, as the caller's time had passed",
                       {{"stage", stage}});
}

}  // namespace

ServerStats::ServerStats(Stats& stats)
    : calls(stats.counter("settee.rpc.server.calls", "1", "Calls begun")),
      failures(stats.counter("settee.rpc.server.failures", "1", "Calls that ended with an error")),
      expired_arrival(expired_at(stats, "arrival")),
      expired_queue(expired_at(stats, "queue")),
      expired_handled(expired_at(stats, "handled")),
      bad_frames(stats.counter("settee.rpc.server.bad_frames", "1",
                               "Connections closed as the peer broke a rule")),
      connections_refused(stats.counter("settee.rpc.server.connections_refused", "1",
                                        "Connections over max_connections, or over "
                                        "max_connections_per_peer")),
      held_back(stats.counter("settee.rpc.server.held_back", "1",
                              "Times that a connection was not read as max_in_flight calls ran")),
      idle_closed(stats.counter("settee.rpc.server.idle_closed", "1",
                                "Connections closed as they were idle")),
      cut_off(stats.counter("settee.rpc.server.cut_off", "1",
                            "Calls that still ran when the server's time to drain was over")),
      in_flight(stats.up_down_counter("settee.rpc.server.in_flight", "1", "Calls that run")) {
  refused[0] = nullptr;
  for (std::size_t i = 1; i < kRefusers; ++i) {
    const std::string limit(to_string(static_cast<RefusedBy>(i)));
    refused[i] = &stats.counter("settee.rpc.server.refused", "1", "Calls that a limit refused",
                                {{"limit", limit}});
  }
}

ServerEvents::ServerEvents(EventBus& bus)
    : received(bus.channel<ServerCallReceived>()),
      begun(bus.channel<ServerCallStarted>()),
      sent(bus.channel<ServerCallSent>()),
      ended(bus.channel<ServerCallEnded>()),
      refused(bus.channel<CallRefused>()),
      started(bus.channel<ServerStarted>()),
      stopped(bus.channel<ServerStopped>()) {}

RunningCalls::RunningCalls(ServerLoop& loop) noexcept : loop_(loop), next_(loop.calls) {
  if (next_ != nullptr) next_->link_ = &next_;
  link_ = &loop.calls;
  loop.calls = this;
}

RunningCalls::~RunningCalls() {
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
}

// Whoever is cancelled may end at once, and others with it: nobody is walked to through another.
void ServerLoop::cancel_calls() {
  std::vector<ServerCallItem*> items;
  const auto take = [&](RunningCall* first) {
    for (RunningCall* call = first; call != nullptr; call = call->next_) {
      call->item_->retain();
      items.push_back(call->item_);
    }
  };
  for (RunningCalls* list = calls; list != nullptr; list = list->next_) take(list->first_);
  take(orphans);
  for (const ServerCallItem* item : items) {
    item->cancel();
    item->release();
  }
}

namespace {

// Waits for a connection's first byte, which tells what it speaks. Idle peers that never say
// anything are closed like idle peers.
class Detector final : public net::detail::Newcomer {
 public:
  explicit Detector(const std::shared_ptr<Server::Core>& core) noexcept
      : Newcomer(core->options.idle_close, core->peer_log, core->stats.idle_closed), core_(core) {}

  Taken on_data(net::Connection& connection, std::span<const std::uint8_t> data) override {
    for (const auto& binding : core_->bindings) {
      if (!binding->speaks(data[0])) continue;
      known();
      connection.switch_protocol(binding->serve(core_, connection));
      return {0};
    }
    core_->stats.bad_frames.add();
    constexpr std::uint8_t kTlsHandshake = 0x16;
    connection.close(Error(
        Code::kProtocol,
        fmt::format("from {}: first byte 0x{:02x} is of no protocol that is spoken here (offset "
                    "0){}; connection closed",
                    connection.peer().to_string(), data[0],
                    data[0] == kTlsHandshake && !core_->options.tls
                        ? ": it is TLS, which needs ServerOptions::tls"
                        : "")));
    return {0};
  }

 private:
  void gone(net::Connection& connection) override { core_->forget(connection); }
  const std::shared_ptr<Server::Core> core_;
};

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
  const auto at_most = [](std::chrono::milliseconds time, std::string_view name) {
    constexpr std::chrono::milliseconds kLongest{std::numeric_limits<std::int32_t>::max()};
    if (time <= kLongest) return;
    throw Error(Code::kInvalidArgument, fmt::format("ServerOptions::{} is {} ms; at most {}", name,
                                                    time.count(), kLongest.count()));
  };
  at_most(options.idle_close, "idle_close");
  at_most(options.drain, "drain");
  at_most(options.register_timeout, "register_timeout");
  at_most(options.leave, "leave");
  for (const std::string& protocol : options.protocols) {
    if (protocol == "bolt" || protocol == "http" || protocol == "grpc") continue;
    throw Error(
        Code::kInvalidArgument,
        fmt::format("ServerOptions::protocols: '{}' is none of bolt, http and grpc", protocol));
  }
  return options;
}

}  // namespace

Server::Core::Core(Runtime& r, ServerOptions o)
    : runtime(r),
      options(checked(std::move(o))),
      stats(r.stats()),
      events(r.events()),
      net_stats(net::ConnectionStats::of(r.stats(), "server")),
      connections_(options.max_connections, options.max_connections_per_peer) {
  if (options.speaks("bolt")) bindings.push_back(make_bolt_binding(options));
  if (options.speaks("http") || options.speaks("grpc")) {
    bindings.push_back(make_http_serving(runtime, options));
  }
  loops_.resize(runtime.loops().size());
  runtime.on_each_loop([this](Loop& loop) {
    std::unique_ptr<ServerLoop>& made = loops_[loop.index()];
    made = std::make_unique<ServerLoop>();
    made->loop = &loop;
  });
}

void Server::Core::take_table(ServerLoop& loop) {
  std::shared_ptr<const ServiceTable> old;  // ends without the lock: filters end with it
  const std::lock_guard lock(mutex_);
  old = std::exchange(loop.table, table_);
  loop.version = table_version_.load(std::memory_order_relaxed);
}

void Server::Core::set_table(std::shared_ptr<ServiceTable> table) {
  table_ = std::move(table);
  table_version_.fetch_add(1, std::memory_order_release);
}

void Server::Core::add_chains(ServiceTable& table, const ServiceEntry& entry) const {
  for (const MethodEntry& method : entry.methods) {
    table.chains.erase(&method);
    FilterChain chain =
        filters_.chain(entry.options.filters, entry.options.without_filters, method.name);
    if (chain) table.chains.emplace(&method, std::move(chain));
  }
}

void Server::Core::remake_chains() {
  std::shared_ptr<const ServiceTable> old;
  const std::lock_guard lock(mutex_);
  auto next = std::make_shared<ServiceTable>();
  next->services = table_->services;
  for (const auto& [name, entry] : next->services) add_chains(*next, *entry);
  old = table_;
  set_table(std::move(next));
}

// A loop takes a new table with its next call; what only an old one holds is not to wait for that.
void Server::Core::let_go_of_old_tables() {
  const auto let_go = [this](Loop& loop) { refresh(of(loop)); };
  if (Loop::current() == nullptr) {
    runtime.on_each_loop(let_go);
    return;
  }
  for (const std::unique_ptr<ServerLoop>& loop : loops_) {
    loop->loop->post([self = shared_from_this(), own = loop.get()] { self->refresh(*own); });
  }
}

void Server::Core::add_filter(FilterUse filter) {
  filters_.add(std::move(filter));
  remake_chains();
}

bool Server::Core::remove_filter(std::string_view name) {
  if (!filters_.remove(name)) return false;
  remake_chains();
  let_go_of_old_tables();
  return true;
}

void Server::Core::provide(const ServiceInfo& service, std::shared_ptr<void> owner, void* object,
                           ProvideOptions provide_options) {
  const std::shared_ptr<ServiceEntry> entry =
      make_entry(runtime, service, std::move(owner), object, std::move(provide_options),
                 options.authenticate != nullptr, options.dynamic_config != nullptr);
  if (options.dynamic_config) {
    entry->tuning = std::make_unique<ProvideTuning>(
        options.dynamic_config, *entry, [this, name = entry->unique_name](const Told& told) {
          publication_.renew(name, told, shared_from_this());
        });
  }
  {
    const std::lock_guard lock(mutex_);
    if (stop_wanted_) {
      throw Error(Code::kStopped,
                  fmt::format("provide {}: the server has been stopped", entry->unique_name));
    }
    auto next = std::make_shared<ServiceTable>(*table_);
    if (!next->services.emplace(entry->unique_name, entry).second) {
      throw Error(Code::kMisuse,
                  fmt::format("provide {}: this server offers it already; a second one "
                              "needs another version or unique_id",
                              entry->unique_name));
    }
    if (opened_) admit(*table_, *entry);
    add_chains(*next, *entry);
    set_table(std::move(next));
    if (entry->tuning) entry->tuning->go_live();
    if (!published_) return;  // start() does it
  }
  runtime.part<LocalServices>()->changed(*this);
  try {
    publish(*entry);
  } catch (...) {
    take_back(entry->unique_name);
    throw;
  }
  // Who withdrew it in between found it in no registry.
  bool withdrawn = false;
  {
    const std::lock_guard lock(mutex_);
    withdrawn = table_->find(entry->unique_name) != entry.get();
  }
  if (withdrawn) publication_.withdraw(entry->unique_name);
}

void Server::Core::publish(const ServiceEntry& entry) {
  Told told{entry.options.weight, entry.options.timeout};
  {
    const std::lock_guard lock(mutex_);
    if (entry.tuning) told = entry.tuning->told();
  }
  publication_.publish(entry.key, entry.options, told, shared_from_this());
}

// What a listener may be in the midst of is waited for, so not under the mutex.
void Server::Core::end_tuning() {
  std::vector<std::unique_ptr<ProvideTuning>> ended;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, entry] : table_->services) ended.push_back(std::move(entry->tuning));
  }
  publication_.end_renewals();
  while (publication_.renewing()) runtime.pause(std::chrono::milliseconds(1));
}

bool Server::Core::withdraw(std::string_view name) {
  if (Loop::current() != nullptr) {
    throw Error(
        Code::kMisuse,
        fmt::format("Server::withdraw(\"{}\") on a loop's thread would wait for itself", name));
  }
  return take_back(name);
}

bool Server::Core::take_back(std::string_view name) {
  std::unique_ptr<ProvideTuning> tuning;  // ends without the mutex, and before all else
  {
    const std::lock_guard lock(mutex_);
    if (ServiceEntry* const found = table_->find(name)) tuning = std::move(found->tuning);
  }
  tuning.reset();
  // First from where consumers look; those who have not heard of it yet are told so by the server.
  publication_.withdraw(name);
  std::shared_ptr<ServiceEntry> entry;
  {
    const std::lock_guard lock(mutex_);
    auto next = std::make_shared<ServiceTable>(*table_);
    const auto found = next->services.find(name);
    if (found == next->services.end()) return false;
    entry = found->second;
    for (const MethodEntry& method : entry->methods) next->chains.erase(&method);
    next->services.erase(found);
    set_table(std::move(next));
  }
  runtime.part<LocalServices>()->changed(*this);
  entry->withdraw();
  if (runtime.loop_count() > 0) {
    entry->wait_until_quiet();
  } else {
    while (entry->running() > 0)
      runtime.pause(std::chrono::milliseconds(2));  // its calls need this thread
  }
  entry->owner.reset();
  entry->object = nullptr;
  let_go_of_old_tables();
  return true;
}

void Server::Core::admit(const ServiceTable& table, const ServiceEntry& entry) const {
  for (const auto& binding : bindings) binding->admit(table, entry);
}

// start() may be tried again when this has thrown. Each service is looked at beside those before it.
void Server::Core::open_bindings() {
  const std::lock_guard lock(mutex_);
  if (opened_) return;
  if (!std::exchange(begun_, true)) {
    for (const auto& binding : bindings) binding->begin(shared_from_this());
  }
  ServiceTable before;
  for (const auto& [name, entry] : table_->services) {
    admit(before, *entry);
    before.services.emplace(name, entry);
  }
  opened_ = true;
}

void Server::Core::listen() {
  net::ListenerOptions listen;
  listen.endpoint = net::Endpoint::at(options.host, options.port);
  auto made = std::make_unique<net::Listener>(
      runtime, listen, [weak = weak_from_this()](Loop& loop, net::Socket socket) {
        if (const auto self = weak.lock()) self->accept(loop, std::move(socket));
      });
  publication_.set_port(made->address().port());
  const std::lock_guard lock(mutex_);
  listener_ = std::move(made);
}

void Server::Core::start() {
  std::shared_ptr<CancelSource> starting;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kStopping || state_ == State::kStopped) {
      throw Error(Code::kMisuse, "Server::start(): it has been stopped; make a new one");
    }
    if (state_ != State::kNew) throw Error(Code::kMisuse, "Server::start(): already started");
    state_ = State::kStarting;
    starting = starting_ = std::make_shared<CancelSource>();
  }
  try {
    open_bindings();
    listen();
  } catch (...) {
    ended(State::kNew);  // e.g. another process has the port: it may be tried again
    throw;
  }
  std::shared_ptr<const ServiceTable> services;
  {
    const std::lock_guard lock(mutex_);
    published_ = true;
    services = table_;
  }
  // Only now that it can be called.
  runtime.part<LocalServices>()->add(shared_from_this());
  std::optional<Error> failed;
  try {
    const ContextScope scope(starting->context());
    for (const auto& [name, entry] : services->services) {
      publish(*entry);
      if (starting->context().cancelled()) break;
    }
  } catch (...) {
    failed = settee::detail::current_error();
  }
  bool stop_wanted = false;
  {
    const std::lock_guard lock(mutex_);
    stop_wanted = stop_wanted_;
    if (failed || stop_wanted) {
      stop_wanted_ = true;
      state_ = State::kStopping;
    }
  }
  if (stop_wanted || failed) {
    shut_down();
    if (!stop_wanted) throw *failed;
    throw Error(Code::kStopped, "Server::start(): stop() was called meanwhile");
  }
  ended(State::kStarted);
  if (events.started.active()) events.started.publish({address()});
}

// Of starting or stopping.
void Server::Core::ended(State state) {
  const std::lock_guard lock(mutex_);
  // stop() has come after all: it waits for this, and goes on from here.
  state_ = stop_wanted_ && state == State::kNew ? State::kStopped : state;
  changed_.notify_all();
}

std::uint16_t Server::Core::port() const {
  const std::lock_guard lock(mutex_);
  return listener_ ? listener_->address().port() : 0;
}

std::string Server::Core::address() const {
  const std::lock_guard lock(mutex_);
  return listener_ ? listener_->address().to_string() : std::string();
}

std::shared_ptr<const ServiceTable> Server::Core::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

ServerLoop& Server::Core::of(const Loop& loop) { return *loops_[loop.index()]; }

void Server::Core::accept(Loop& loop, net::Socket socket) {
  if (const auto room = connections_.enter(socket.peer());
      room != net::ConnectionCount::Room::kYes) {
    stats.connections_refused.add();
    const bool of_peer = room == net::ConnectionCount::Room::kNoneForPeer;
    peer_log.warn(
        fmt::format("connection of {} refused: {} is {}", socket.peer().to_string(),
                    of_peer ? "max_connections_per_peer" : "max_connections",
                    of_peer ? options.max_connections_per_peer : options.max_connections));
    return;
  }
  net::ConnectionOptions connection_options;
  connection_options.high_mark = options.max_unsent;
  connection_options.low_mark = options.max_unsent / 4;
  const net::SocketAddress peer = socket.peer();
  auto connection = std::make_shared<net::Connection>(loop, socket.release(), peer,
                                                      connection_options, net_stats);
  of(loop).connections.insert(connection);
  if (options.tls) connection->accept_tls(*options.tls);
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
  connections_.leave(connection.peer());
}

// Without a call for so long, a peer that was told to go elsewhere has gone.
constexpr Duration kQuiet = std::chrono::milliseconds(50);
// What is cancelled has so long to end.
constexpr Duration kToEnd = std::chrono::milliseconds(500);

void Server::Core::stop() {
  if (Loop::current() != nullptr) {
    throw Error(Code::kMisuse, "Server::stop() on a loop's thread would wait for itself");
  }
  std::shared_ptr<CancelSource> starting;
  {
    const std::lock_guard lock(mutex_);
    stop_wanted_ = true;
    if (state_ == State::kNew) state_ = State::kStopped;
    if (state_ == State::kStarting) starting = starting_;
  }
  end_tuning();
  if (starting) starting->cancel();  // start() then ends, and stops what it has begun
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return state_ == State::kStarted || state_ == State::kStopped; });
    if (state_ == State::kStopped) return;
    state_ = State::kStopping;
  }
  shut_down();
}

std::size_t Server::Core::running() const {
  const std::shared_ptr<const ServiceTable> services = table();
  std::size_t running = 0;
  for (const auto& [name, entry] : services->services) running += entry->running();
  return running;
}

void Server::Core::cancel_calls() {
  runtime.on_each_loop([this](Loop& loop) { of(loop).cancel_calls(); });
}

void Server::Core::shut_down() {
  // Whatever is thrown: others wait for it.
  struct Ended {
    Core& core;
    ~Ended() { core.ended(State::kStopped); }
  } const at_the_end{*this};
  end_tuning();
  // New calls are served until consumers can have heard that they are to go elsewhere.
  if (publication_.withdraw_all()) runtime.pause(options.leave);
  listener_->stop();
  draining.store(true);
  for (const auto& binding : bindings) binding->drain();
  // A loop that has not seen it yet has a call between that look and running(): it is past both now.
  runtime.on_each_loop([](Loop&) {});
  runtime.part<LocalServices>()->remove(*this);
  // What runs is answered; what comes now is told to go elsewhere.
  const TimePoint by = Clock::now() + options.drain;
  while (running() > 0 && Clock::now() < by) runtime.pause(std::chrono::milliseconds(2));
  // Who was told to go elsewhere may have another call on its way here: it is told so too.
  const auto quiet_since = [&] {
    return Clock::now() - TimePoint(Duration(last_turned_away.load()));
  };
  while (last_turned_away.load() != 0 && quiet_since() < kQuiet && Clock::now() < by) {
    runtime.pause(std::chrono::milliseconds(5));
  }
  const std::size_t left = running();
  if (left > 0) {
    stats.cut_off.add(left);
    runtime.log(LogLevel::kWarning, "rpc",
                fmt::format("server {}: stopped with {} call(s) still running after {} ms of "
                            "drain; they are cancelled",
                            address(), left, options.drain.count()));
    cancel_calls();
    const TimePoint ended_by = Clock::now() + kToEnd;
    while (running() > 0 && Clock::now() < ended_by) runtime.pause(std::chrono::milliseconds(2));
  }
  // What has been answered may still be on its way through a peer's window.
  for (const auto& binding : bindings) binding->stop(by);
  runtime.on_each_loop([&](Loop& loop) {
    ServerLoop& own = of(loop);
    const std::vector<std::shared_ptr<net::Connection>> all(own.connections.begin(),
                                                            own.connections.end());
    for (const auto& connection : all) {
      connection->close_when_sent(Error(Code::kStopped, "the server has been stopped"),
                                  loop.now() + std::chrono::seconds(1));
    }
  });
  // Answers that a slow peer has not taken yet have their second.
  const TimePoint sent_by = Clock::now() + std::chrono::milliseconds(1500);
  while (connections_.all() > 0 && Clock::now() < sent_by) {
    runtime.pause(std::chrono::milliseconds(1));
  }
  if (events.stopped.active()) events.stopped.publish({address(), left});
}

Result<void> Server::Core::authenticate(const Call& call, const Baggage* baggage) {
  Context context;
  if (baggage != nullptr && !baggage->empty()) context = context.with(kRequestBaggage, *baggage);
  Result<void> passed;
  {
    const ContextScope scope(std::move(context));
    try {
      passed = options.authenticate(call);
    } catch (...) {
      passed = settee::detail::current_error();
    }
  }
  if (!passed) {
    refused(RefusedBy::kAuthentication, call.service(), call.method(), call.peer(),
            [&] { return passed.error().message(); });
  }
  return passed;
}

void Server::Core::refused(RefusedBy by, std::string_view service, std::string_view method,
                           std::string_view peer, const std::function<std::string()>& reason) {
  stats.refused[static_cast<std::size_t>(by)]->add();
  if (events.refused.active()) tell_refused(to_string(by), service, method, peer, reason());
}

void Server::Core::expired(Counter& stage, std::string_view service, std::string_view method,
                           std::string_view peer, std::string_view reason) {
  stage.add();
  if (events.refused.active()) tell_refused("deadline", service, method, peer, reason);
}

void Server::Core::tell_refused(std::string_view limit, std::string_view service,
                                std::string_view method, std::string_view peer,
                                std::string_view reason) {
  CallRefused event;
  event.side = Side::kServer;
  event.service = service;
  event.method = method;
  event.peer = peer;
  event.limit = limit;
  event.reason = reason;
  events.refused.publish(event);
}

Server::Server(Runtime& runtime, ServerOptions options)
    : core_(std::make_shared<Core>(runtime, std::move(options))) {}

Server::~Server() { core_->stop(); }

void Server::provide_erased(const ServiceInfo& service, std::shared_ptr<void> owner, void* object,
                            ProvideOptions options) {
  core_->provide(service, std::move(owner), object, std::move(options));
}

bool Server::withdraw(std::string_view unique_name) { return core_->withdraw(unique_name); }

void Server::add_filter(FilterUse filter) { core_->add_filter(std::move(filter)); }
bool Server::remove_filter(std::string_view name) { return core_->remove_filter(name); }

void Server::start() { core_->start(); }
void Server::stop() { core_->stop(); }

std::uint16_t Server::port() const noexcept { return core_->port(); }
std::string Server::address() const { return core_->address(); }

const ServerOptions& Server::options() const noexcept { return core_->options; }

}  // namespace settee::inline v0::rpc
