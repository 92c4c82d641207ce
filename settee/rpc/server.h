// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Server: offers described services on one port. Bolt with Hessian (both dialects), protobuf and
// JSON bodies; a peer's first bytes tell which.
//
//   Server server{runtime, {.port = 12200}};
//   server.provide<Quotes>(std::make_shared<MyQuotes>());
//   server.start();                       // throws an Error that names address and cause
//   ...
//   server.stop();                        // withdraws, answers what it has begun, then closes
//
// A method runs on the loop of its caller's connection (SOFARPC's processInIOThread), unless it is
// described as blocking(): then on a thread of the pool, and when that is full the caller is told so
// (Bolt status 4, "busy").
//
// A call on its way in: it is dropped if its caller's time has passed; ServerOptions::authenticate
// sees it; the limits of its service and method let it pass, or answer "busy"; then the filters, then
// its arguments are decoded, then the method runs. Nothing of it is decoded before the filters but
// names and baggage.
//
// Threads: all members from any thread; the constructor, withdraw(), stop() and the destructor not on
// a loop's, and with registries provide() and start() neither, as they wait. Where the Runtime has but
// a loop that the program turns, they are called on the thread that turns it, and turn it meanwhile.

#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/base/service.h"
#include "settee/net/tls.h"
#include "settee/rpc/call.h"

namespace settee::inline v0::http {
struct ServerOptions;
}

namespace settee::inline v0::rpc {

class DynamicConfig;
class Registry;

/// Each limit refuses with an Error or by closing the connection, and is counted.
struct ServerOptions {
  std::string host = "0.0.0.0";           ///< Numeric address, or unix:/path.
  std::uint16_t port = 12200;             ///< 0: a free one, see port().
  std::string app_name = {};              ///< Shown to peers and in messages.
  std::size_t max_connections = 100'000;  ///< More are closed at once.
  /// The same, of one address (of IPv6: its /64). 0: any number, as behind a balancer all have its own.
  std::size_t max_connections_per_peer = 0;
  std::size_t max_in_flight = 4'096;  ///< Calls of one connection; then it is not read until fewer.
  std::uint32_t max_frame = 64 * 1024 * 1024;  ///< Content bytes of one request.
  std::size_t max_unsent = 4 * 1024 * 1024;    ///< Bytes a peer does not take; then it is not read.
  std::chrono::milliseconds idle_close{
      90'000};                               ///< No byte either way for so long: closed. 0: never.
  std::chrono::milliseconds drain{10'000};   ///< stop() waits so long for calls that run.
  std::uint32_t hessian_depth = 256;         ///< Values within values in a request.
  std::uint32_t hessian_nodes = 10'000'000;  ///< Values in a request.

  /// Where start() publishes the services, when the server can be called, and stop() withdraws them.
  std::vector<std::shared_ptr<Registry>> registries = {};
  std::string public_host =
      {};  ///< What consumers are told; empty: host, or this machine's address.
  std::uint16_t public_port = 0;                       ///< The same; 0: port().
  std::chrono::milliseconds register_timeout{10'000};  ///< For each service and registry.
  /// How long stop() serves on after it has withdrawn the services: consumers hear of it meanwhile.
  std::chrono::milliseconds leave{1'000};

  /// Speaks TLS with its peers, and plain text too if the context says so. Null: plain text only.
  std::shared_ptr<net::TlsServerContext> tls = nullptr;

  /// What the port speaks: "bolt", "http" (JSON and SOFARPC's convention), "grpc". Empty: all of them.
  std::vector<std::string> protocols = {};
  bool speaks(std::string_view protocol) const noexcept;
  /// Limits, origins and token of HTTP requests; its address and `drain` count for nothing here. Null:
  /// the defaults, with max_frame as max_body.
  std::shared_ptr<const http::ServerOptions> http = nullptr;

  /// Sees the peer (Call::tls() too), headers and, in the current Context, baggage of each call first.
  /// Who asks for descriptions calls the service "settee.Descriptions". The caller gets the Error that
  /// it returns, which is logged with the peer. It runs on several loops at once: it must not block.
  /// What has to wait for somebody is a Filter.
  std::function<Result<void>(const Call& call)> authenticate = {};

  /// Changes timeouts, limits and weights of services while they are offered:
  /// settee/rpc/dynamic_config.h.
  std::shared_ptr<DynamicConfig> dynamic_config = nullptr;
};

/// How many calls of a service run at once, found by measuring: so many that they do not wait for
/// each other much. Each window compares the mean time of its calls with the least that was seen
/// lately, and narrows the limit as the time grows; while calls are quick it widens. Every now and
/// then half of the limit holds for one window, to see how quick calls are now. It is for services
/// whose methods suspend or block: those that run through on a loop never wait for each other there.
struct AdaptiveLimit {
  std::size_t max = 0;   ///< Calls at once, at most. 0: no adaptive limit.
  std::size_t min = 4;   ///< It never goes below.
  double buffer = 0.25;  ///< Calls may take so much longer than the least, as a share of it.
  std::chrono::milliseconds window{100};
  std::chrono::milliseconds probe{10'000};  ///< Half of the limit holds once in so long.
};

/// Of one method, beside what holds for its service. 0 or null: nothing of its own.
struct ProvideMethod {
  std::size_t concurrents = 0;
  double rate = 0;
  double burst = 0;
  std::shared_ptr<ThreadPool> pool = nullptr;  ///< In place of the service's.
  std::chrono::milliseconds timeout{0};        ///< In place of the service's.
};

/// What a limit refuses is answered "busy" (Bolt status 4), which clients may try elsewhere; counted
/// in settee.rpc.server.refused by the limit's name, logged, and told as CallRefused.
struct ProvideOptions {
  std::string version = "1.0";
  std::string unique_id = {};
  /// Where blocking methods of this service run; null: the Runtime's pool.
  std::shared_ptr<ThreadPool> pool = nullptr;
  int weight = 100;                               ///< Of this address, for consumers.
  std::vector<FilterUse> filters = {};            ///< Beside the server's.
  std::vector<std::string> without_filters = {};  ///< Names of the server's; "*": none.
  std::size_t concurrents = 0;  ///< Calls at once, over all connections. 0: any number.
  double rate = 0;              ///< Calls begun per second. 0: any number.
  double burst = 0;  ///< So many at once after a pause. 0: a tenth of `rate`, at least 1.
  AdaptiveLimit adaptive = {};
  /// Methods have so long from their call's arrival: then their Context's deadline passes, and those
  /// that have not begun do not. Consumers are told, and take it for theirs without one of their own.
  /// 0: as the caller says.
  std::chrono::milliseconds timeout{0};
  std::map<std::string, ProvideMethod> methods = {};  ///< By their names on the wire.

  bool register_it = true;  ///< False: no registry hears of it.
  bool dynamic = true;      ///< False: registered as offline, for an operator to switch on.
  /// For so long after its start consumers use warmup_weight in place of weight. 0: no warm-up.
  std::chrono::milliseconds warmup_time{0};
  int warmup_weight = 0;
  std::map<std::string, std::string> attributes = {};  ///< More of them, for the registries.
};

/// interface:version[:unique_id]
SETTEE_API std::string unique_name(std::string_view interface_name, std::string_view version,
                                   std::string_view unique_id);

class SETTEE_API Server {
 public:
  explicit Server(Runtime& runtime, ServerOptions options = {});
  /// stop()
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Offers `object` as the described service Service. Before or after start(). An Error (kMisuse) if
  /// the unique name is taken, kInvalidArgument for options that name no method or let nothing pass,
  /// kStopped after stop(); when a registry does not take it the service is not offered either.
  template <class Service>
  void provide(std::shared_ptr<Service> object, ProvideOptions options = {}) {
    Service* const address = object.get();
    provide_erased(service_of<Service>(), std::move(object), address, std::move(options));
  }
  /// Takes a service back and waits until no call of it runs; false if there is none. Not on a loop's
  /// thread. The object is released before this returns.
  bool withdraw(std::string_view unique_name);
  /// For calls of all services that begin from now on. See FilterUse. An Error (kInvalidArgument) for a
  /// name that is taken.
  void add_filter(FilterUse filter);
  template <std::derived_from<Filter> F>
  void add_filter(std::shared_ptr<F> filter) {
    add_filter(FilterUse(std::move(filter)));
  }
  /// False if there is none. Calls on their way still go through it; off a loop's thread nothing else
  /// holds it when this returns.
  bool remove_filter(std::string_view name);

  /// Listens, then publishes. Once. An Error says what failed, and the server is then stopped; kStopped
  /// if stop() came from another thread meanwhile.
  void start();
  /// Withdraws the services, serves on for `leave`, refuses what comes then ("busy"), waits `drain` for
  /// calls that run, cancels the Context of those that still do, and closes. Whoever calls it while it
  /// runs waits for its end; after the first time it does nothing.
  void stop();

  /// The port it listens on; 0 before start().
  std::uint16_t port() const noexcept;
  /// host:port
  std::string address() const;
  const ServerOptions& options() const noexcept;

  class Core;

 private:
  void provide_erased(const ServiceInfo& service, std::shared_ptr<void> owner, void* object,
                      ProvideOptions options);
  std::shared_ptr<Core> core_;
};

}  // namespace settee::inline v0::rpc
