// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Client: calls described services. A Reference is an object of the described class whose methods go
// over the wire; see settee/base/task.h for the ways of calling.
//
//   Client client{runtime};
//   auto quotes = client.refer<Quotes>("bolt://127.0.0.1:12200");
//   Quote q = co_await quotes->latest("ACME");
//   Quote r = co_await quotes.with(CallOptions().timeout(50ms))->latest("ACME");
//
// A loop has one connection to an address, made by the first call and shared by all references; a
// call made on a loop's thread stays on it. When a connection breaks, its calls end with an Error
// (kConnectionClosed), and it is made anew with growing pauses.
//
// Threads: Client, Reference and GenericReference may be used from any thread.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/base/service.h"
#include "settee/hessian/dialect.h"
#include "settee/hessian/value.h"
#include "settee/net/tls.h"
#include "settee/rpc/fault_tolerance.h"
#include "settee/rpc/refer_options.h"

namespace settee::inline v0::rpc {

class DynamicConfig;
class Registry;

struct ClientOptions {
  std::string app_name = {};
  std::chrono::milliseconds timeout{3'000};  ///< Of a call, unless its Context ends earlier.
  std::chrono::milliseconds connect_timeout{1'000};
  std::chrono::milliseconds reconnect_first{100};  ///< Pause after a failed attempt; then doubled,
  std::chrono::milliseconds reconnect_most{10'000};  ///< up to this.
  std::chrono::milliseconds heartbeat{15'000};       ///< After so long without a byte in. 0: never.
  std::chrono::milliseconds heartbeat_timeout{3'000};
  int heartbeat_misses = 3;  ///< Then the connection is closed.
  /// HTTP/2 and gRPC: as http::ClientOptions::ping_after; for the answer there is the time of all
  /// heartbeat_misses.
  std::chrono::milliseconds http_heartbeat{300'000};
  std::size_t max_in_flight = 8'192;           ///< Calls on one connection; more wait.
  std::size_t max_unsent = 4 * 1024 * 1024;    ///< Bytes the peer does not take; calls wait.
  std::uint32_t max_frame = 64 * 1024 * 1024;  ///< Content bytes of one response.
  std::string balancer = "auto";               ///< This and what follows: see ReferOptions.
  ClusterMode cluster = ClusterMode::kFailover;
  int retries = 0;
  bool in_process = false;
  FaultTolerance fault_tolerance = {};
  OutlierEjection outlier_ejection = {};
  CircuitBreaker circuit_breaker = {};
  /// Changes timeouts, retries and balancers while references live: settee/rpc/dynamic_config.h.
  std::shared_ptr<DynamicConfig> dynamic_config = nullptr;
  /// Speaks TLS with all servers. Null: plain text.
  std::shared_ptr<net::TlsClientContext> tls = nullptr;
  Serialization serialization = Serialization::kHessian;
  hessian::Dialect dialect = hessian::Dialect::kSofa3;
};

/// How a reference's address is, for people and pages.
struct AddressStatus {
  std::string url;
  std::string state;    ///< "idle", "available", "retry", "dead"
  std::string dropped;  ///< Why no call goes there now; empty: one may.
  int weight = 0;       ///< Now.
  int in_flight = 0;
  std::chrono::nanoseconds latency{};  ///< Mean, of the latest answers. 0: none yet.
};

class ReferenceCore;

namespace detail {
SETTEE_API Invoker* make_invoker(const std::shared_ptr<ReferenceCore>& core, CallOptions options);
SETTEE_API std::vector<AddressStatus> addresses_of(const ReferenceCore& core);
}  // namespace detail

template <class Service>
class Reference {
 public:
  Service* operator->() const noexcept { return proxy_.get(); }
  Service& operator*() const noexcept { return *proxy_; }
  /// The same with other options.
  Reference with(CallOptions options) const { return Reference(core_, std::move(options)); }
  /// All addresses that are known, those that no call goes to among them.
  std::vector<AddressStatus> addresses() const { return detail::addresses_of(*core_); }

 private:
  friend class Client;
  explicit Reference(std::shared_ptr<ReferenceCore> core, CallOptions options = {})
      : core_(std::move(core)),
        proxy_(make_proxy<Service>(detail::make_invoker(core_, std::move(options)))) {}
  std::shared_ptr<ReferenceCore> core_;
  std::shared_ptr<Service> proxy_;
};

/// Calls by name, without a description (Java's GenericService).
class SETTEE_API GenericReference {
 public:
  /// `types` are Java signatures ("int", "java.lang.String", "[I"), one for each argument; if empty they
  /// are taken from the values.
  Task<hessian::Value> call(std::string method, std::vector<std::string> types,
                            std::vector<hessian::Value> arguments) const;
  GenericReference with(CallOptions options) const;
  std::vector<AddressStatus> addresses() const { return detail::addresses_of(*core_); }

 private:
  friend class Client;
  GenericReference(std::shared_ptr<ReferenceCore> core, CallOptions options)
      : core_(std::move(core)), options_(std::move(options)) {}
  std::shared_ptr<ReferenceCore> core_;
  CallOptions options_;
};

class SETTEE_API Client {
 public:
  explicit Client(Runtime& runtime, ClientOptions options = {});
  /// stop()
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// A reference to the service at `url`: bolt://host:port[,host:port...], with optional ?timeout=ms&
  /// uniqueId=&version=&serialization=hessian2|json&loadBalancer=&retries=, or a registry's:
  /// zookeeper://host:port[/root] and file:///path. Does not connect yet. Throws an Error (kInvalidArgument) for a bad url.
  template <class Service>
  Reference<Service> refer(std::string_view url, ReferOptions options = {}) {
    return Reference<Service>(make_core(url, &service_of<Service>(), std::move(options)));
  }
  /// The same for the providers that `registries` list, now and in future. The first call waits for what
  /// they say.
  template <class Service>
  Reference<Service> refer(std::vector<std::shared_ptr<Registry>> registries,
                           ReferOptions options = {}) {
    return Reference<Service>(
        make_core(std::move(registries), &service_of<Service>(), {}, std::move(options)));
  }
  /// The same for a service that is described at run time: an Invoker for its methods, for make_proxy()
  /// or to be used as it is; the caller owns one count of it. `service` and its methods must outlive
  /// the Invoker. An empty interface_name means the interface named in the url.
  Invoker* refer_erased(std::string_view url, const ServiceInfo& service,
                        ReferOptions options = {});
  /// The same for the interface named in the url: bolt://host:port/interface[:version[:uniqueId]],
  /// zookeeper://host:port[/root]/interface..., file:///path#interface...
  GenericReference refer_generic(std::string_view url, ReferOptions options = {});

  /// For all references, those that are there too. See FilterUse. An Error (kInvalidArgument) for a
  /// name that is taken.
  void add_filter(FilterUse filter);
  /// False if there is none. Calls on their way still go through it.
  bool remove_filter(std::string_view name);
  /// Ends all calls with an Error (kStopped) and closes the connections. Not on a loop's thread.
  void stop();

  class Core;

 private:
  std::shared_ptr<ReferenceCore> make_core(std::string_view url, const ServiceInfo* service,
                                           ReferOptions options);
  std::shared_ptr<ReferenceCore> make_core(std::vector<std::shared_ptr<Registry>> registries,
                                           const ServiceInfo* service,
                                           std::string_view interface_name, ReferOptions options);
  std::shared_ptr<Core> core_;
};

}  // namespace settee::inline v0::rpc
