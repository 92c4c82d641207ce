// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// RpcConfig: SOFARPC's configuration objects, from a YAML file, the environment and the program.
//
//   RpcConfig config = RpcConfig::load_file(runtime, "settee.yaml");
//   Server server{runtime, config.server("bolt")};
//   config.provide<Quotes>(server, std::make_shared<MyQuotes>());
//   server.start();
//   Client client{runtime, config.client()};
//   auto quotes = config.refer<Quotes>(client);
//
// The file, with SOFARPC's names of keys:
//
//   application: {appName: shop}
//   registries:
//     main: {protocol: zookeeper, address: "127.0.0.1:2181"}
//   servers:
//     bolt: {port: 12200, stopTimeout: 10s}
//   providers:
//     com.acme.Quotes: {weight: 50, timeout: 2s}
//   client: {timeout: 3s}                                # for all consumers
//   consumers:
//     com.acme.Quotes: {retries: 1, methods: {latest: {timeout: 50ms}}}
//
// What is said nearer to the call wins: the method, the consumer, what the provider has published,
// the client. A duration is 50ms, 3s, ... or, as in SOFARPC, a plain number of milliseconds.
//
// Only keys that have an effect are accepted. Those of SOFARPC that have none here are told apart
// from misspelt ones, and what stands in their place is named. Layers: what the program sets wins
// over the environment, that over the file, that over the defaults (settee/base/config.h); the
// variable of consumers["com.acme.Quotes"].timeout is SETTEE_RPC_CONSUMERS_COM_ACME_QUOTES_TIMEOUT.
//
// Errors: Code::kConfig, thrown, with file:line:column (or the variable) and the key. Those of one
// value are told together; those of several keys that do not fit each other, once all values fit.
// Threads: add_filter() and add_router() need the RpcConfig for themselves, the rest may run at once.
// Ownership: make it after the Runtime, so that its registries end before that.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/config.h"
#include "settee/base/reflect.h"
#include "settee/rpc/client.h"
#include "settee/rpc/dynamic_config.h"
#include "settee/rpc/registry.h"
#include "settee/rpc/server.h"

namespace settee::inline v0::rpc {

/// application:
struct ApplicationConfig {
  std::string app_name;  ///< appName
};

/// parameters: of a registry, and of the configCenter
struct ZookeeperParameters {
  std::string scheme;    ///< "digest"
  std::string add_auth;  ///< addAuth: "user:password". Shown nowhere.
};

/// registries: by a name of your own
struct RegistryConfig {
  std::string protocol = "zookeeper";  ///< Or "local".
  std::string address;                 ///< host:port[,host:port...][/root], or a whole url.
  std::string file;                    ///< Of protocol local: the file, in place of an address.
  bool register_ = true;               ///< register: servers publish their services in it.
  bool subscribe = true;               ///< Consumers find providers in it.
  std::chrono::milliseconds timeout{10'000};          ///< For registering a service.
  std::chrono::milliseconds session_timeout{20'000};  ///< sessionTimeout: RegistryOptions.
  std::chrono::milliseconds scan_period{2'000};       ///< scanPeriod: of a local file.
  std::string backup_directory;                       ///< backupDirectory: RegistryOptions.
  ZookeeperParameters parameters;
};

/// moreCertificates: of a server's tls
struct TlsPairConfig {
  std::string certificate;
  std::string key;
};
/// servers.*.tls: net::TlsServerOptions, which tells of each. Settee's own.
struct ServerTlsConfig {
  std::string certificate;
  std::string key;
  std::vector<TlsPairConfig> more_certificates;         ///< moreCertificates
  std::string client_ca;                                ///< clientCa
  bool client_certificate_optional = false;             ///< clientCertificateOptional
  bool plain_text_too = false;                          ///< plainTextToo
  std::string min_version = "1.2";                      ///< minVersion: 1.2 or 1.3
  std::chrono::milliseconds handshake_timeout{10'000};  ///< handshakeTimeout
  std::int64_t max_handshakes = 1'024;                  ///< maxHandshakes
  std::chrono::milliseconds scan_period{2'000};         ///< scanPeriod
};
/// client.tls: net::TlsClientOptions, which tells of each. Settee's own.
struct ClientTlsConfig {
  std::string ca;
  std::string certificate;
  std::string key;
  std::string server_name;                              ///< serverName
  bool insecure_trust_anybody = false;                  ///< insecureTrustAnybody
  std::string min_version = "1.2";                      ///< minVersion: 1.2 or 1.3
  std::chrono::milliseconds handshake_timeout{10'000};  ///< handshakeTimeout
  std::chrono::milliseconds scan_period{2'000};         ///< scanPeriod
};

/// servers: by a name of your own
struct ServerConfig {
  std::string protocol = "bolt";
  std::string host = "0.0.0.0";
  std::int32_t port = 12200;
  std::string virtual_host;                        ///< virtualHost: what consumers are told.
  std::int32_t virtual_port = 0;                   ///< virtualPort
  std::int64_t accepts = 100'000;                  ///< Connections.
  std::int64_t payload = 64LL * 1024 * 1024;       ///< Bytes of a request's content.
  std::chrono::milliseconds stop_timeout{10'000};  ///< stopTimeout: for calls that run.
  std::vector<std::string> registry;  ///< Where its services are published; empty: in all.
  // Settee's own.
  std::chrono::milliseconds leave{1'000};          ///< ServerOptions::leave
  std::chrono::milliseconds idle_timeout{90'000};  ///< idleTimeout: ServerOptions::idle_close
  std::int64_t max_in_flight = 4'096;              ///< maxInFlight: calls of one connection.
  std::optional<ServerTlsConfig> tls;              ///< Null: plain text.
};

/// threadPool: for blocking methods, with the defaults of SOFARPC's UserThreadPool.
struct ThreadPoolConfig {
  std::int64_t core_threads = 10;                 ///< coreThreads
  std::int64_t max_threads = 100;                 ///< maxThreads
  std::int64_t queues = 0;                        ///< Calls that may wait for a thread.
  std::chrono::milliseconds alive_time{300'000};  ///< aliveTime: of threads above the core.
};
/// adaptiveLimit: settee::rpc::AdaptiveLimit, of which the fields have the same names.
struct AdaptiveLimitConfig {
  std::int64_t max = 0;
  std::int64_t min = 4;
  double buffer = 0.25;
  std::chrono::milliseconds window{100};
  std::chrono::milliseconds probe{10'000};
};

/// methods: of a provider, by their names on the wire. 0: nothing of its own.
struct ProviderMethodConfig {
  std::chrono::milliseconds timeout{0};
  std::int64_t concurrents = 0;
  // Settee's own.
  double rate = 0;
  double burst = 0;
  std::optional<ThreadPoolConfig> thread_pool;  ///< threadPool
};

/// providers: by the interface's name, or a name of your own
struct ProviderConfig {
  std::string interface_id;  ///< interfaceId: if the entry has another name.
  std::string unique_id;     ///< uniqueId
  std::string version = "1.0";
  bool register_ = true;  ///< register: false: no registry hears of it.
  bool dynamic = true;    ///< False: published as offline, for an operator to switch on.
  std::int32_t weight = 100;
  std::chrono::milliseconds warmup_time{0};  ///< warmupTime: so long after its start
  std::int32_t warmup_weight = 0;            ///< warmupWeight holds.
  std::chrono::milliseconds timeout{0};      ///< Also for consumers without one. 0: none.
  std::int64_t concurrents = 0;              ///< Calls at once. 0, -1: any number.
  std::vector<std::string> filter;  ///< See RpcConfig::add_filter(). "-name", "-*": without those.
  std::map<std::string, std::string> parameters;  ///< Published.
  std::map<std::string, ProviderMethodConfig> methods;
  // Settee's own.
  double rate = 0;                              ///< Calls begun per second. 0: any number.
  double burst = 0;                             ///< ProvideOptions::burst
  AdaptiveLimitConfig adaptive_limit;           ///< adaptiveLimit
  std::optional<ThreadPoolConfig> thread_pool;  ///< threadPool; null: the Runtime's.
};

/// methods: of a consumer, by their names on the wire
struct MethodConfig {
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<std::int32_t> retries;
  std::int64_t concurrents = 0;
  // Settee's own.
  std::optional<std::chrono::milliseconds> try_timeout;  ///< tryTimeout
  std::optional<bool> idempotent;
};

enum class ClusterKind : std::uint8_t { failover, failfast, broadcast };
enum class ConnectionHolder : std::uint8_t { all, elastic };
enum class SerializationName : std::uint8_t { hessian2, json };

/// consumers: by the interface's name, or a name of your own
struct ConsumerConfig {
  std::string interface_id;  ///< interfaceId: if the entry has another name.
  std::string unique_id;     ///< uniqueId
  std::string version = "1.0";
  std::string direct_url;             ///< directUrl: bolt://host:port[,...]; no registry is asked.
  std::vector<std::string> registry;  ///< Where providers are looked for; empty: in all.
  std::optional<std::chrono::milliseconds> timeout;  ///< -1: as without it.
  std::optional<std::int32_t> retries;
  std::optional<std::string> load_balancer;  ///< loadBalancer: see ReferOptions::balancer.
  std::optional<ClusterKind> cluster;
  std::optional<SerializationName> serialization;
  bool lazy = false;  ///< Connections are made by calls, not when an address becomes known.
  ConnectionHolder connection_holder = ConnectionHolder::all;  ///< connectionHolder
  std::int32_t connection_num = 1;                             ///< connectionNum: to an address.
  bool sticky = false;
  bool check = false;                                     ///< ReferOptions::check
  std::optional<bool> in_jvm;                             ///< inJVM: ReferOptions::in_process
  std::optional<std::chrono::milliseconds> address_wait;  ///< addressWait. -1: as without it.
  std::int64_t concurrents = 0;
  std::vector<std::string> filter;  ///< As of providers.
  std::vector<std::string> router;  ///< See RpcConfig::add_router(); "tag" is tag_router().
  std::map<std::string, MethodConfig> methods;
  // Settee's own.
  std::optional<std::chrono::milliseconds> try_timeout;  ///< tryTimeout
  std::int64_t elastic_size = 5;                         ///< elasticSize
  std::string target_app;                                ///< targetApp: the provider's name.
};

/// client: SOFARPC's global settings of consumers, and what all of them share.
struct ClientConfig {
  std::chrono::milliseconds timeout{3'000};
  std::int32_t retries = 0;
  std::string load_balancer = "auto";  ///< loadBalancer
  ClusterKind cluster = ClusterKind::failover;
  SerializationName serialization = SerializationName::hessian2;
  bool in_jvm = false;                                 ///< inJVM
  std::chrono::milliseconds connect_timeout{1'000};    ///< connectTimeout
  std::chrono::milliseconds reconnect_period{10'000};  ///< reconnectPeriod: the longest pause.
  std::chrono::milliseconds heartbeat_period{15'000};  ///< heartbeatPeriod: that of Java's Bolt.
  std::int64_t payload = 64LL * 1024 * 1024;           ///< Bytes of a response's content.
  // Settee's own.
  std::optional<ClientTlsConfig> tls;  ///< Null: plain text.
};

/// faultTolerance: see settee/rpc/fault_tolerance.h, of which the fields have the same names.
struct FaultToleranceConfig {
  std::chrono::milliseconds time_window{10'000};
  std::int64_t least_window_count = 10;
  double least_window_exception_rate_multiple = 6.0;
  bool regulation_effective = false;
  bool degrade_effective = false;
  double weight_degrade_rate = 0.05;
  std::int32_t degrade_least_weight = 1;
  double weight_recover_rate = 2.0;
  std::int32_t degrade_max_ip_count = 2;
};
/// configCenter: where dynamic configuration comes from, see settee/rpc/dynamic_config.h.
struct ConfigCenterConfig {
  std::string address;  ///< zookeeper://host:port[/root] or file:///path. Empty: nowhere.
  std::chrono::milliseconds session_timeout{20'000};  ///< sessionTimeout
  std::chrono::milliseconds scan_period{2'000};       ///< scanPeriod
  ZookeeperParameters parameters;
};

/// The whole. In code: fill it and give it to RpcConfig.
struct RpcSettings {
  ApplicationConfig application;
  std::map<std::string, RegistryConfig> registries;
  std::map<std::string, ServerConfig> servers;
  std::map<std::string, ProviderConfig> providers;
  std::map<std::string, ConsumerConfig> consumers;
  ClientConfig client;
  ConfigCenterConfig config_center;      ///< configCenter
  FaultToleranceConfig fault_tolerance;  ///< faultTolerance
  OutlierEjection outlier_ejection;      ///< outlierEjection
  CircuitBreaker circuit_breaker;        ///< circuitBreaker
};

class SETTEE_API RpcConfig {
 public:
  /// The file, over it the variables that begin with SETTEE_RPC_. All its keys must be known.
  static RpcConfig load_file(Runtime& runtime, const std::string& path);
  /// The section `path` ("": the whole) of what the program has put together.
  RpcConfig(Runtime& runtime, const Config& config, std::string_view path = {});
  /// Without a file.
  RpcConfig(Runtime& runtime, RpcSettings settings);
  RpcConfig(RpcConfig&&) noexcept;
  RpcConfig& operator=(RpcConfig&&) noexcept;
  ~RpcConfig();

  const RpcSettings& settings() const noexcept;
  /// Where each value came from.
  const Origins& origins() const noexcept;

  /// What `filter:` and `router:` name: for those entries only, unlike Server::add_filter() and
  /// Client::add_filter(). Before what refers to them. An Error (kInvalidArgument) for a filter
  /// without a name.
  void add_filter(FilterUse filter);
  void add_router(std::string name, std::shared_ptr<Router> router);

  /// An entry that is not there is an Error that names those that are. Values that the file does
  /// not speak of (pools, mocks, ...) may be added to what these return.
  ServerOptions server(std::string_view name) const;
  ProvideOptions provide(std::string_view name) const;
  ClientOptions client() const;
  ReferOptions refer(std::string_view name) const;
  /// Opened when it is first asked for, one for each name.
  std::shared_ptr<Registry> registry(std::string_view name) const;
  /// The same for the configCenter; null if there is none. client() and server() have it already.
  std::shared_ptr<DynamicConfig> dynamic_config() const;

  /// What the entry `name` says ("": that of the service's own name), done.
  template <class Service>
  Reference<Service> refer(Client& client, std::string_view name = {}) const {
    const Source source = source_of(service_of<Service>().interface_name, name);
    if (!source.url.empty()) return client.refer<Service>(source.url, source.options);
    return client.refer<Service>(source.registries, source.options);
  }
  template <class Service>
  void provide(Server& server, std::shared_ptr<Service> object, std::string_view name = {}) const {
    server.provide<Service>(std::move(object),
                            provide_options(service_of<Service>().interface_name, name));
  }

 private:
  struct Source {
    std::string url;
    std::vector<std::shared_ptr<Registry>> registries;
    ReferOptions options;
  };
  Source source_of(std::string_view interface_name, std::string_view name) const;
  ProvideOptions provide_options(std::string_view interface_name, std::string_view name) const;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace settee::inline v0::rpc

SETTEE_STRUCT(settee::rpc::ApplicationConfig, "settee.rpc.ApplicationConfig", (app_name, "appName"))
SETTEE_STRUCT(settee::rpc::ZookeeperParameters, "settee.rpc.ZookeeperParameters", scheme,
              (add_auth, "addAuth"))
SETTEE_STRUCT(settee::rpc::RegistryConfig, "settee.rpc.RegistryConfig", protocol, address, file,
              (register_, "register"), subscribe, timeout, (session_timeout, "sessionTimeout"),
              (scan_period, "scanPeriod"), (backup_directory, "backupDirectory"), parameters)
SETTEE_LIMITS(settee::rpc::RegistryConfig, (timeout, 1ms, 1h), (session_timeout, 100ms, 1h),
              (scan_period, 1ms, 1h))
SETTEE_STRUCT(settee::rpc::TlsPairConfig, "settee.rpc.TlsPairConfig", certificate, key)
SETTEE_STRUCT(settee::rpc::ServerTlsConfig, "settee.rpc.ServerTlsConfig", certificate, key,
              (more_certificates, "moreCertificates"), (client_ca, "clientCa"),
              (client_certificate_optional, "clientCertificateOptional"),
              (plain_text_too, "plainTextToo"), (min_version, "minVersion"),
              (handshake_timeout, "handshakeTimeout"), (max_handshakes, "maxHandshakes"),
              (scan_period, "scanPeriod"))
SETTEE_LIMITS(settee::rpc::ServerTlsConfig, (handshake_timeout, 1ms, 1h),
              (max_handshakes, 1, settee::kNoLimit), (scan_period, 0ms, 24h))
SETTEE_STRUCT(settee::rpc::ClientTlsConfig, "settee.rpc.ClientTlsConfig", ca, certificate, key,
              (server_name, "serverName"), (insecure_trust_anybody, "insecureTrustAnybody"),
              (min_version, "minVersion"), (handshake_timeout, "handshakeTimeout"),
              (scan_period, "scanPeriod"))
SETTEE_LIMITS(settee::rpc::ClientTlsConfig, (handshake_timeout, 1ms, 1h), (scan_period, 0ms, 24h))
SETTEE_STRUCT(settee::rpc::ServerConfig, "settee.rpc.ServerConfig", protocol, host, port,
              (virtual_host, "virtualHost"), (virtual_port, "virtualPort"), accepts, payload,
              (stop_timeout, "stopTimeout"), registry, leave, (idle_timeout, "idleTimeout"),
              (max_in_flight, "maxInFlight"), tls)
SETTEE_LIMITS(settee::rpc::ServerConfig, (port, 0, 65535), (virtual_port, 0, 65535),
              (accepts, 1, settee::kNoLimit), (payload, 1024, 4294967295), (stop_timeout, 0ms, 24h),
              (leave, 0ms, 24h), (idle_timeout, 0ms, settee::kNoLimit),
              (max_in_flight, 1, settee::kNoLimit))
SETTEE_STRUCT(settee::rpc::ThreadPoolConfig, "settee.rpc.ThreadPoolConfig",
              (core_threads, "coreThreads"), (max_threads, "maxThreads"), queues,
              (alive_time, "aliveTime"))
SETTEE_LIMITS(settee::rpc::ThreadPoolConfig, (core_threads, 0, 100000), (max_threads, 1, 100000),
              (queues, 0, settee::kNoLimit), (alive_time, 0ms, 24h))
SETTEE_STRUCT(settee::rpc::AdaptiveLimitConfig, "settee.rpc.AdaptiveLimitConfig", max, min, buffer,
              window, probe)
SETTEE_LIMITS(settee::rpc::AdaptiveLimitConfig, (max, 0, settee::kNoLimit),
              (min, 1, settee::kNoLimit), (buffer, 0.0, settee::kNoLimit), (window, 1ms, 1h),
              (probe, 1ms, 24h))
SETTEE_STRUCT(settee::rpc::ProviderMethodConfig, "settee.rpc.ProviderMethodConfig", timeout,
              concurrents, rate, burst, (thread_pool, "threadPool"))
SETTEE_LIMITS(settee::rpc::ProviderMethodConfig, (timeout, 0ms, settee::kNoLimit),
              (concurrents, 0, settee::kNoLimit), (rate, 0.0, settee::kNoLimit),
              (burst, 0.0, settee::kNoLimit))
SETTEE_STRUCT(settee::rpc::ProviderConfig, "settee.rpc.ProviderConfig",
              (interface_id, "interfaceId"), (unique_id, "uniqueId"), version,
              (register_, "register"), dynamic, weight, (warmup_time, "warmupTime"),
              (warmup_weight, "warmupWeight"), timeout, concurrents, filter, parameters, methods,
              rate, burst, (adaptive_limit, "adaptiveLimit"), (thread_pool, "threadPool"))
SETTEE_LIMITS(settee::rpc::ProviderConfig, (version, 1, 100), (weight, 0, 1000000),
              (warmup_time, 0ms, settee::kNoLimit), (warmup_weight, 0, 1000000),
              (timeout, 0ms, settee::kNoLimit), (concurrents, -1, settee::kNoLimit),
              (rate, 0.0, settee::kNoLimit), (burst, 0.0, settee::kNoLimit))
SETTEE_STRUCT(settee::rpc::MethodConfig, "settee.rpc.MethodConfig", timeout, retries, concurrents,
              (try_timeout, "tryTimeout"), idempotent)
SETTEE_LIMITS(settee::rpc::MethodConfig, (timeout, -1ms, settee::kNoLimit), (retries, 0, 1000),
              (concurrents, 0, settee::kNoLimit), (try_timeout, 1ms, settee::kNoLimit))
SETTEE_ENUM(settee::rpc::ClusterKind, "settee.rpc.ClusterKind", failover, failfast, broadcast)
SETTEE_ENUM(settee::rpc::ConnectionHolder, "settee.rpc.ConnectionHolder", all, elastic)
SETTEE_ENUM(settee::rpc::SerializationName, "settee.rpc.SerializationName", hessian2, json)
SETTEE_STRUCT(settee::rpc::ConsumerConfig, "settee.rpc.ConsumerConfig",
              (interface_id, "interfaceId"), (unique_id, "uniqueId"), version,
              (direct_url, "directUrl"), registry, timeout, retries,
              (load_balancer, "loadBalancer"), cluster, serialization, lazy,
              (connection_holder, "connectionHolder"), (connection_num, "connectionNum"), sticky,
              check, (in_jvm, "inJVM"), (address_wait, "addressWait"), concurrents, filter, router,
              methods, (try_timeout, "tryTimeout"), (elastic_size, "elasticSize"),
              (target_app, "targetApp"))
SETTEE_LIMITS(settee::rpc::ConsumerConfig, (version, 1, 100), (timeout, -1ms, settee::kNoLimit),
              (retries, 0, 1000), (connection_num, 1, 1000), (address_wait, -1ms, settee::kNoLimit),
              (concurrents, 0, settee::kNoLimit), (try_timeout, 1ms, settee::kNoLimit),
              (elastic_size, 1, settee::kNoLimit))
SETTEE_STRUCT(settee::rpc::ClientConfig, "settee.rpc.ClientConfig", timeout, retries,
              (load_balancer, "loadBalancer"), cluster, serialization, (in_jvm, "inJVM"),
              (connect_timeout, "connectTimeout"), (reconnect_period, "reconnectPeriod"),
              (heartbeat_period, "heartbeatPeriod"), payload, tls)
SETTEE_LIMITS(settee::rpc::ClientConfig, (timeout, 1ms, settee::kNoLimit), (retries, 0, 1000),
              (connect_timeout, 1ms, 1h), (reconnect_period, 1ms, 24h),
              (heartbeat_period, 0ms, 24h), (payload, 1024, 4294967295))
SETTEE_STRUCT(settee::rpc::FaultToleranceConfig, "settee.rpc.FaultToleranceConfig",
              (time_window, "timeWindow"), (least_window_count, "leastWindowCount"),
              (least_window_exception_rate_multiple, "leastWindowExceptionRateMultiple"),
              (regulation_effective, "regulationEffective"),
              (degrade_effective, "degradeEffective"), (weight_degrade_rate, "weightDegradeRate"),
              (degrade_least_weight, "degradeLeastWeight"),
              (weight_recover_rate, "weightRecoverRate"),
              (degrade_max_ip_count, "degradeMaxIpCount"))
SETTEE_LIMITS(settee::rpc::FaultToleranceConfig, (time_window, 1s, 24h),
              (least_window_count, 1, settee::kNoLimit),
              (least_window_exception_rate_multiple, 1.0, settee::kNoLimit),
              (weight_degrade_rate, 0.0, 1.0), (degrade_least_weight, 0, 1000000),
              (weight_recover_rate, 1.0, settee::kNoLimit), (degrade_max_ip_count, 0, 1000000))
SETTEE_STRUCT(settee::rpc::OutlierEjection, "settee.rpc.OutlierEjection", enabled,
              (consecutive_failures, "consecutiveFailures"), (base_time, "baseTime"),
              (most_time, "mostTime"), (most_percent, "mostPercent"))
SETTEE_LIMITS(settee::rpc::OutlierEjection, (consecutive_failures, 1, settee::kNoLimit),
              (base_time, 1ms, 24h), (most_time, 1ms, 24h), (most_percent, 0, 100))
SETTEE_STRUCT(settee::rpc::CircuitBreaker, "settee.rpc.CircuitBreaker", enabled, window,
              (least_calls, "leastCalls"), (failure_rate, "failureRate"), (slow_call, "slowCall"),
              (open_time, "openTime"), (trial_calls, "trialCalls"))
SETTEE_LIMITS(settee::rpc::CircuitBreaker, (window, 1ms, 24h), (least_calls, 1, settee::kNoLimit),
              (failure_rate, 0.0, 1.0), (slow_call, 0ms, 24h), (open_time, 1ms, 24h),
              (trial_calls, 1, settee::kNoLimit))
SETTEE_STRUCT(settee::rpc::ConfigCenterConfig, "settee.rpc.ConfigCenterConfig", address,
              (session_timeout, "sessionTimeout"), (scan_period, "scanPeriod"), parameters)
SETTEE_LIMITS(settee::rpc::ConfigCenterConfig, (session_timeout, 100ms, 1h), (scan_period, 1ms, 1h))
SETTEE_STRUCT(settee::rpc::RpcSettings, "settee.rpc.RpcSettings", application, registries, servers,
              providers, consumers, client, (config_center, "configCenter"),
              (fault_tolerance, "faultTolerance"), (outlier_ejection, "outlierEjection"),
              (circuit_breaker, "circuitBreaker"))
