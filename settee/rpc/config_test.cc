// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "settee/rpc/router.h"

namespace configured {

struct Quotes {
  virtual ~Quotes() = default;
  virtual settee::Task<std::string> latest(std::string symbol) = 0;
};

}  // namespace configured

SETTEE_SERVICE(configured::Quotes, "com.acme.Quotes", (latest, symbol))

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using configured::Quotes;

class MyQuotes : public Quotes {
 public:
  Task<std::string> latest(std::string symbol) override { co_return symbol + " 105.50"; }
};

class Passing : public Filter {
 public:
  Task<void> apply(Call&, Next next) override {
    ++calls;
    return next();
  }
  std::atomic<int> calls{0};
};

class RpcConfigTest : public testing::Test {
 protected:
  RpcConfigTest() {
    char folder[] = "/tmp/settee_rpc_config_XXXXXX";
    folder_ = mkdtemp(folder);
  }
  ~RpcConfigTest() override { std::filesystem::remove_all(folder_); }

  RpcConfig parsed(std::string_view text) {
    return RpcConfig(runtime_, Config::parse(text, "settee.yaml").value());
  }
  std::string error(std::string_view text) {
    try {
      parsed(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kConfig);
      return error.message();
    }
    return "no error";
  }
  template <class F>
  static std::string error_of(F work) {
    try {
      work();
    } catch (const Error& error) {
      return error.message();
    }
    return "no error";
  }

  std::string folder_;
  Runtime runtime_{{.threads = 1}};
};

TEST_F(RpcConfigTest, WithoutAWordThereAreSofarpcsDefaults) {
  const RpcConfig config = parsed("servers: {bolt: {}}\nproviders: {P: {}}\nconsumers: {C: {}}\n");
  const ServerOptions server = config.server("bolt");
  EXPECT_EQ(server.host, "0.0.0.0");
  EXPECT_EQ(server.port, 12200);
  EXPECT_EQ(server.max_connections, 100'000u);
  EXPECT_EQ(server.drain, 10s);
  EXPECT_TRUE(server.registries.empty());
  EXPECT_EQ(config.provide("P").weight, 100);
  EXPECT_TRUE(config.provide("P").attributes.empty());
  const ClientOptions client = config.client();
  EXPECT_EQ(client.timeout, 3s);
  EXPECT_EQ(client.connect_timeout, 1s);
  EXPECT_EQ(client.reconnect_most, 10s);
  EXPECT_EQ(client.balancer, "auto");
  EXPECT_EQ(client.cluster, ClusterMode::kFailover);
  EXPECT_EQ(client.retries, 0);
  EXPECT_FALSE(client.fault_tolerance.regulation_effective);
  EXPECT_EQ(client.fault_tolerance.time_window, 10s);
  const ReferOptions refer = config.refer("C");
  EXPECT_FALSE(refer.timeout || refer.retries || refer.balancer || refer.cluster);
  EXPECT_FALSE(refer.address_wait || refer.in_process || refer.serialization);
  EXPECT_EQ(refer.connect, ConnectWhen::kAll);
  EXPECT_EQ(refer.connections, 1);
  EXPECT_FALSE(refer.sticky || refer.check);
}

// A struct of which this changes no field is one whose keys do nothing.
TEST_F(RpcConfigTest, EveryKeyOfServersReachesItsOption) {
  const RpcConfig config = parsed(R"(
application: {appName: shop}
registries:
  main: {protocol: local, file: /tmp/settee_nowhere/main, timeout: 4s}
  spare: {protocol: local, address: "file:///tmp/settee_nowhere/spare", timeout: 9s}
  read: {protocol: local, file: /tmp/settee_nowhere/read, register: false}
servers:
  bolt:
    protocol: bolt
    host: 127.0.0.1
    port: 12201
    virtualHost: 10.0.0.9
    virtualPort: 80
    accepts: 7
    payload: 1MiB
    stopTimeout: 20000
    leave: 2s
    idleTimeout: 1m
    maxInFlight: 5
  one: {registry: [spare]}
)");
  const ServerOptions options = config.server("bolt");
  EXPECT_EQ(options.app_name, "shop");
  EXPECT_EQ(options.host, "127.0.0.1");
  EXPECT_EQ(options.port, 12201);
  EXPECT_EQ(options.public_host, "10.0.0.9");
  EXPECT_EQ(options.public_port, 80);
  EXPECT_EQ(options.max_connections, 7u);
  EXPECT_EQ(options.max_frame, 1024u * 1024);
  EXPECT_EQ(options.drain, 20s) << "a plain number is one of milliseconds";
  EXPECT_EQ(options.leave, 2s);
  EXPECT_EQ(options.idle_close, 60s);
  EXPECT_EQ(options.max_in_flight, 5u);
  EXPECT_EQ(options.registries, (std::vector{config.registry("main"), config.registry("spare")}));
  EXPECT_EQ(options.register_timeout, 9s);
  EXPECT_EQ(config.registry("main")->address(), "file:///tmp/settee_nowhere/main");
  EXPECT_EQ(config.server("one").registries, std::vector{config.registry("spare")});
}

TEST_F(RpcConfigTest, EveryKeyOfProvidersReachesItsOption) {
  RpcConfig config = parsed(R"(
providers:
  quotes:
    interfaceId: com.acme.Quotes
    uniqueId: blue
    version: "2.0"
    register: false
    dynamic: false
    weight: 50
    warmupTime: 60000
    warmupWeight: 5
    timeout: 2s
    concurrents: 9
    rate: 100.5
    burst: 3
    adaptiveLimit: {max: 64, min: 2, buffer: 0.5, window: 200ms, probe: 5s}
    threadPool: {coreThreads: 1, maxThreads: 2, queues: 3, aliveTime: 4s}
    filter: [audit, -trace, "-*"]
    parameters: {zone: a}
    methods:
      latest: {timeout: 50, concurrents: 1, rate: 2, burst: 4, threadPool: {maxThreads: 10}}
  any: {concurrents: -1}
)");
  config.add_filter({std::make_shared<Passing>(), "audit", 5});
  const ProvideOptions options = config.provide("quotes");
  EXPECT_EQ(options.unique_id, "blue");
  EXPECT_EQ(options.version, "2.0");
  EXPECT_FALSE(options.register_it);
  EXPECT_FALSE(options.dynamic);
  EXPECT_EQ(options.weight, 50);
  EXPECT_EQ(options.warmup_time, 60s);
  EXPECT_EQ(options.warmup_weight, 5);
  EXPECT_EQ(options.timeout, 2s);
  EXPECT_EQ(options.concurrents, 9u);
  EXPECT_EQ(options.rate, 100.5);
  EXPECT_EQ(options.burst, 3);
  EXPECT_EQ(options.adaptive.max, 64u);
  EXPECT_EQ(options.adaptive.min, 2u);
  EXPECT_EQ(options.adaptive.buffer, 0.5);
  EXPECT_EQ(options.adaptive.window, 200ms);
  EXPECT_EQ(options.adaptive.probe, 5s);
  EXPECT_EQ(options.attributes, (std::map<std::string, std::string>{{"zone", "a"}}));
  ASSERT_EQ(options.filters.size(), 1u);
  EXPECT_EQ(options.filters[0].order, 5);
  EXPECT_EQ(options.without_filters, (std::vector<std::string>{"trace", "*"}));
  const ProvideMethod& method = options.methods.at("latest");
  EXPECT_EQ(method.timeout, 50ms);
  EXPECT_EQ(method.concurrents, 1u);
  EXPECT_EQ(method.rate, 2);
  EXPECT_EQ(method.burst, 4);
  ASSERT_TRUE(options.pool && method.pool);
  EXPECT_EQ(options.pool->describe(), "pool 'quotes': 0 of 2 threads busy, 0 of 3 jobs queued");
  EXPECT_EQ(method.pool->name(), "quotes#latest");
  EXPECT_EQ(config.provide("quotes").pool, options.pool);
  EXPECT_EQ(config.provide("any").concurrents, 0u);
  EXPECT_EQ(config.provide("any").pool, nullptr);
}

TEST_F(RpcConfigTest, EveryKeyOfClientReachesItsOption) {
  const ClientOptions options = parsed(R"(
application: {appName: shop}
client:
  timeout: 5000
  retries: 2
  loadBalancer: roundRobin
  cluster: failfast
  serialization: json
  inJVM: true
  connectTimeout: 300ms
  reconnectPeriod: 50ms
  heartbeatPeriod: 30000
  payload: 2MiB
faultTolerance:
  timeWindow: 20s
  leastWindowCount: 11
  leastWindowExceptionRateMultiple: 3.0
  regulationEffective: true
  degradeEffective: true
  weightDegradeRate: 0.1
  degradeLeastWeight: 4
  weightRecoverRate: 3
  degradeMaxIpCount: 1
outlierEjection: {enabled: true, consecutiveFailures: 6, baseTime: 1s, mostTime: 2s, mostPercent: 7}
circuitBreaker:
  {enabled: true, window: 1s, leastCalls: 2, failureRate: 0.3, slowCall: 4s, openTime: 5ms,
   trialCalls: 6}
)")
                                    .client();
  EXPECT_EQ(options.app_name, "shop");
  EXPECT_EQ(options.timeout, 5s);
  EXPECT_EQ(options.retries, 2);
  EXPECT_EQ(options.balancer, "roundRobin");
  EXPECT_EQ(options.cluster, ClusterMode::kFailfast);
  EXPECT_EQ(options.serialization, Serialization::kJson);
  EXPECT_TRUE(options.in_process);
  EXPECT_EQ(options.connect_timeout, 300ms);
  EXPECT_EQ(options.reconnect_most, 50ms);
  EXPECT_EQ(options.reconnect_first, 50ms) << "the first pause is not longer than the longest";
  EXPECT_EQ(options.heartbeat, 30s);
  EXPECT_EQ(options.max_frame, 2u * 1024 * 1024);
  const FaultTolerance& faults = options.fault_tolerance;
  EXPECT_EQ(faults.time_window, 20s);
  EXPECT_EQ(faults.least_window_count, 11);
  EXPECT_EQ(faults.least_window_exception_rate_multiple, 3.0);
  EXPECT_TRUE(faults.regulation_effective);
  EXPECT_TRUE(faults.degrade_effective);
  EXPECT_EQ(faults.weight_degrade_rate, 0.1);
  EXPECT_EQ(faults.degrade_least_weight, 4);
  EXPECT_EQ(faults.weight_recover_rate, 3.0);
  EXPECT_EQ(faults.degrade_max_ip_count, 1);
  const OutlierEjection& ejection = options.outlier_ejection;
  EXPECT_TRUE(ejection.enabled);
  EXPECT_EQ(ejection.consecutive_failures, 6);
  EXPECT_EQ(ejection.base_time, 1s);
  EXPECT_EQ(ejection.most_time, 2s);
  EXPECT_EQ(ejection.most_percent, 7);
  const CircuitBreaker& breaker = options.circuit_breaker;
  EXPECT_TRUE(breaker.enabled);
  EXPECT_EQ(breaker.window, 1s);
  EXPECT_EQ(breaker.least_calls, 2);
  EXPECT_EQ(breaker.failure_rate, 0.3);
  EXPECT_EQ(breaker.slow_call, 4s);
  EXPECT_EQ(breaker.open_time, 5ms);
  EXPECT_EQ(breaker.trial_calls, 6);
}

TEST_F(RpcConfigTest, EveryKeyOfConsumersReachesItsOption) {
  RpcConfig config = parsed(R"(
consumers:
  com.acme.Quotes:
    uniqueId: blue
    version: "2.0"
    timeout: 700
    retries: 1
    loadBalancer: p2c
    cluster: broadcast
    serialization: hessian2
    connectionHolder: elastic
    connectionNum: 3
    elasticSize: 2
    sticky: true
    check: true
    inJVM: false
    addressWait: 40ms
    concurrents: 9
    filter: [audit, "!trace", -default]
    router: [mine]
    methods: {latest: {timeout: 50ms, retries: 2, concurrents: 4, tryTimeout: 20ms, idempotent: true}}
    tryTimeout: 300ms
    targetApp: desk
  lazy: {lazy: true, connectionHolder: elastic}
  minus: {timeout: -1, addressWait: -1, methods: {latest: {timeout: -1}}}
)");
  config.add_filter({std::make_shared<Passing>(), "audit"});
  const std::shared_ptr<Router> router = tag_router();
  config.add_router("mine", router);
  const ReferOptions options = config.refer("com.acme.Quotes");
  EXPECT_EQ(options.unique_id, "blue");
  EXPECT_EQ(options.version, "2.0");
  EXPECT_EQ(options.timeout, 700ms);
  EXPECT_EQ(options.retries, 1);
  EXPECT_EQ(options.balancer, "p2c");
  EXPECT_EQ(options.cluster, ClusterMode::kBroadcast);
  EXPECT_EQ(options.serialization, Serialization::kHessian);
  EXPECT_EQ(options.connect, ConnectWhen::kElastic);
  EXPECT_EQ(options.connections, 3);
  EXPECT_EQ(options.elastic_size, 2u);
  EXPECT_TRUE(options.sticky);
  EXPECT_TRUE(options.check);
  EXPECT_EQ(options.in_process, false);
  EXPECT_EQ(options.address_wait, 40ms);
  EXPECT_EQ(options.concurrents, 9u);
  ASSERT_EQ(options.filters.size(), 1u);
  EXPECT_EQ(options.without_filters, (std::vector<std::string>{"trace", "*"}));
  EXPECT_EQ(options.routers, std::vector{router});
  EXPECT_EQ(options.try_timeout, 300ms);
  EXPECT_EQ(options.target_app, "desk");
  const ReferMethod& method = options.methods.at("latest");
  EXPECT_EQ(method.timeout, 50ms);
  EXPECT_EQ(method.retries, 2);
  EXPECT_EQ(method.concurrents, 4u);
  EXPECT_EQ(method.try_timeout, 20ms);
  EXPECT_EQ(method.idempotent, true);

  EXPECT_EQ(config.refer("lazy").connect, ConnectWhen::kLazy);
  const ReferOptions minus = config.refer("minus");
  EXPECT_FALSE(minus.timeout || minus.address_wait || minus.methods.at("latest").timeout);
}

TEST_F(RpcConfigTest, WhatIsConfiguredIsCalled) {
  const std::string registry = folder_ + "/services";
  const std::string file = folder_ + "/settee.yaml";
  std::ofstream(file) << "application: {appName: shop}\n"
                         "registries: {main: {protocol: local, file: "
                      << registry
                      << ", scanPeriod: 20ms}}\n"
                         "servers: {bolt: {host: 127.0.0.1, port: 0, leave: 0}}\n"
                         "providers: {com.acme.Quotes: {uniqueId: blue, filter: [audit]}}\n"
                         "consumers:\n"
                         "  com.acme.Quotes: {uniqueId: blue, registry: [main]}\n"
                         "  green: {interfaceId: com.acme.Quotes, uniqueId: green,\n"
                         "          directUrl: \"bolt://127.0.0.1:1;bolt://127.0.0.1:2\"}\n";
  RpcConfig config = RpcConfig::load_file(runtime_, file);
  const auto audit = std::make_shared<Passing>();
  config.add_filter({audit, "audit"});
  Server server(runtime_, config.server("bolt"));
  config.provide<Quotes>(server, std::make_shared<MyQuotes>());
  server.start();
  Client client(runtime_, config.client());
  const auto quotes = config.refer<Quotes>(client);
  EXPECT_EQ(quotes->latest("ACME").get(), "ACME 105.50");
  std::ifstream written(registry);
  const std::string lines{std::istreambuf_iterator<char>(written), {}};
  EXPECT_NE(lines.find("com.acme.Quotes:1.0:blue@DEFAULT"), std::string::npos) << lines;
  EXPECT_NE(lines.find("appName=shop"), std::string::npos) << lines;

  const std::string nobody =
      error_of([&] { config.refer<Quotes>(client, "green")->latest("ACME").get(); });
  EXPECT_NE(nobody.find("127.0.0.1:2"), std::string::npos) << nobody;
}

TEST_F(RpcConfigTest, AKeyOfSofarpcWithoutMeaningIsToldApartFromAMisspeltOne) {
  EXPECT_EQ(error("servers: {bolt: {epoll: true}}"),
            "settee.yaml:1:18: servers.bolt.epoll: SOFARPC's epoll has no meaning in Settee: epoll "
            "is always used");
  EXPECT_EQ(error("consumers:\n  com.acme.Quotes:\n    proxy: javassist\n    timout: 3s\n"),
            "2 problems in the configuration:\n"
            "  settee.yaml:3:5: consumers[\"com.acme.Quotes\"].proxy: SOFARPC's proxy has no "
            "meaning in Settee: a described class is its own proxy\n"
            "  settee.yaml:4:5: consumers[\"com.acme.Quotes\"].timout: unknown key; did you mean "
            "timeout?");
  EXPECT_NE(error("consumers: {a: {connectTimeout: 1s}}").find("set it in the section client"),
            std::string::npos);
  EXPECT_NE(error("registries: {a: {batch: true}}").find("Settee, leave it out"),
            std::string::npos);
}

TEST_F(RpcConfigTest, ValuesThatCannotBeAreToldWithTheirPlace) {
  EXPECT_EQ(error("client: {timeout: soon}"),
            "settee.yaml:1:19: client.timeout: expected a duration such as 50ms, 3s or 2m of at "
            "least 1ms, got \"soon\"");
  EXPECT_NE(error("servers: {bolt: {port: 70000}}").find("settee.yaml:1:24: servers.bolt.port"),
            std::string::npos);
  EXPECT_NE(error("client: {loadBalancer: best}")
                .find("settee.yaml:1:24: client.loadBalancer: there is no load balancer 'best'"),
            std::string::npos);
  EXPECT_NE(error("client: {cluster: failsafe}").find("failover, failfast, broadcast"),
            std::string::npos);
  EXPECT_EQ(
      error("registries: {a: {protocol: nacos, address: \"h:1\"}}"),
      "settee.yaml:1:28: registries.a.protocol: expected zookeeper, etcd or local, got \"nacos\"; "
      "there are no other registries");
  EXPECT_EQ(error("faultTolerance: {timeWindow: 10}"),
            "settee.yaml:1:30: faultTolerance.timeWindow: expected a duration such as 50ms, 3s or "
            "2m from 1s to 1d, got 10ms");
}

TEST_F(RpcConfigTest, TheUserOfARegistryIsShownNowhere) {
  const RpcConfig config = parsed(
      "registries: {main: {address: \"127.0.0.1:1\", parameters: {scheme: digest, addAuth: "
      "\"shop:hush\"}}}\n");
  EXPECT_EQ(config.settings().registries.at("main").parameters.add_auth, "shop:hush");
  EXPECT_EQ(config.origins().dump().find("hush"), std::string::npos);
  EXPECT_NE(config.origins().dump().find("scheme = \"digest\""), std::string::npos);
}

TEST_F(RpcConfigTest, EntriesThatDoNotFitEachOtherAreToldTogether) {
  EXPECT_EQ(error("registries:\n"
                  "  main: {address: \"127.0.0.1:2181\", subscribe: false}\n"
                  "servers: {bolt: {registry: [mian]}}\n"
                  "providers: {p: {threadPool: {coreThreads: 9, maxThreads: 2}}}\n"
                  "consumers:\n"
                  "  a: {registry: [main]}\n"
                  "  b: {directUrl: \"tr://127.0.0.1:1\"}\n"),
            "4 problems in the configuration:\n"
            "  settee.yaml:3:28: servers.bolt.registry: there is no registry 'mian'; there are: "
            "main\n"
            "  settee.yaml:4:43: providers.p.threadPool.coreThreads: 9 is more than maxThreads, 2\n"
            "  settee.yaml:6:17: consumers.a.registry: the registry 'main' has subscribe: false\n"
            "  settee.yaml:7:18: consumers.b.directUrl: 'tr://127.0.0.1:1' does not speak bolt");
}

TEST_F(RpcConfigTest, NamesThatNobodyKnowsAreToldWhenTheyAreUsed) {
  RpcConfig config = parsed(
      "providers: {p: {filter: [audit]}}\nconsumers: {c: {router: [mine]}, q: {interfaceId: x}}\n");
  EXPECT_EQ(error_of([&] { config.provide("p"); }),
            "settee.yaml:1:25: providers.p.filter: there is no filter 'audit'; "
            "RpcConfig::add_filter() makes one known");
  EXPECT_NE(error_of([&] { config.refer("c"); }).find("there is no router 'mine'"),
            std::string::npos);
  EXPECT_EQ(error_of([&] { config.server("bolt"); }),
            "the configuration has no servers.bolt; there are: none");
  Client client(runtime_, config.client());
  EXPECT_EQ(error_of([&] { config.refer<Quotes>(client); }),
            "the configuration has no consumers[\"com.acme.Quotes\"]; there are: c, q");
  EXPECT_EQ(error_of([&] { config.refer<Quotes>(client, "q"); }),
            "consumers.q is for the interface x, but the described class is com.acme.Quotes");
}

TEST_F(RpcConfigTest, TheEnvironmentWinsOverTheFileAndTheProgramOverBoth) {
  Config layers = Config::parse("servers: {bolt: {port: 1, accepts: 2, leave: 3s}}", "f").value();
  const std::vector<std::string> variables = {"SETTEE_RPC_SERVERS_BOLT_PORT=11",
                                              "SETTEE_RPC_SERVERS_BOLT_ACCEPTS=12"};
  layers.use_environment("SETTEE_RPC_", variables);
  layers.set("servers.bolt.accepts", 22);
  const RpcConfig config(runtime_, layers);
  const ServerOptions options = config.server("bolt");
  EXPECT_EQ(options.port, 11);
  EXPECT_EQ(options.max_connections, 22u);
  EXPECT_EQ(options.leave, 3s);
  EXPECT_EQ(config.origins().of("servers.bolt.port"), "environment SETTEE_RPC_SERVERS_BOLT_PORT");
  EXPECT_EQ(config.origins().of("servers.bolt.accepts"), "code");
}

TEST_F(RpcConfigTest, SettingsFilledInCodeAreCheckedAsAFileIs) {
  RpcSettings settings;
  settings.client.timeout = 250ms;
  settings.servers["bolt"].port = 70'000;
  EXPECT_NE(error_of([&] {
              RpcConfig(runtime_, settings);
            }).find("servers.bolt.port: expected an integer from 0 to 65535, got 70000"),
            std::string::npos);
  settings.servers["bolt"].port = 7;
  const RpcConfig config(runtime_, settings);
  EXPECT_EQ(config.client().timeout, 250ms);
  EXPECT_EQ(config.server("bolt").port, 7);
}

}  // namespace
}  // namespace settee::rpc
