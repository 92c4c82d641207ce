// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "settee/rpc/cluster/internal/balancer.h"
#include "settee/rpc/internal/config_keys.h"
#include "settee/rpc/router.h"

namespace settee::inline v0::rpc {

namespace {

using std::chrono::milliseconds;

template <class Map>
std::string names_of(const Map& map) {
  std::string names;
  for (const auto& [name, value] : map) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : names;
}

// Finds what no single value tells.
class Checker {
 public:
  Checker(const RpcSettings& settings, const Origins& origins, std::string_view root)
      : settings_(settings), origins_(origins), root_(root) {}

  void run() {
    for (const auto& [name, registry] : settings_.registries)
      check(path("registries", name), registry);
    for (const auto& [name, server] : settings_.servers) {
      const std::string at = path("servers", name);
      if (server.protocol != "bolt") {
        problem(config_path(at, "protocol"),
                fmt::format("expected bolt, got \"{}\"", server.protocol));
      }
      registries(at, server.registry, &RegistryConfig::register_, "register");
      if (server.tls) tls_version(config_path(at, "tls"), server.tls->min_version);
    }
    for (const auto& [name, provider] : settings_.providers) {
      const std::string at = path("providers", name);
      pool(at, provider.thread_pool);
      for (const auto& [method_name, method] : provider.methods) {
        pool(config_path(config_path(at, "methods"), method_name), method.thread_pool);
      }
    }
    for (const auto& [name, consumer] : settings_.consumers) {
      check(path("consumers", name), consumer);
    }
    balancer(path("client", "loadBalancer"), settings_.client.load_balancer);
    if (settings_.client.tls) {
      tls_version(path("client", "tls"), settings_.client.tls->min_version);
    }
    if (settings_.fault_tolerance.time_window % std::chrono::seconds(1) != milliseconds(0)) {
      problem(path("faultTolerance", "timeWindow"), "expected whole seconds");
    }
  }

  /// Throws if anything was found.
  void finish() const {
    if (problems_.empty()) return;
    if (problems_.size() == 1) throw Error(Code::kConfig, problems_[0]);
    std::string text = fmt::format("{} problems in the configuration:", problems_.size());
    for (const std::string& problem : problems_) text += "\n  " + problem;
    throw Error(Code::kConfig, text);
  }

 private:
  std::string path(std::string_view section, std::string_view key) const {
    return config_path(config_path(root_, section), key);
  }

  void problem(const std::string& path, const std::string& text) {
    std::string_view origin = origins_.of(path);
    if (origin.empty()) {  // not a value but a section: by the first that stands in it
      for (const Origins::Entry& entry : origins_.entries()) {
        if (!entry.path.starts_with(path)) continue;
        if (origin.empty() || (origin == "default" && entry.origin != "default")) {
          origin = entry.origin;
        }
      }
    }
    problems_.push_back(fmt::format("{}: {}: {}", origin, path, text));
  }

  void check(const std::string& at, const RegistryConfig& registry) {
    if (registry.protocol == "zookeeper" || registry.protocol == "etcd") {
      if (registry.address.empty()) {
        problem(config_path(at, "address"),
                "expected host:port[,host:port...][/root], got nothing");
      }
      if (!registry.file.empty()) {
        problem(config_path(at, "file"), "only a registry of the protocol local is a file");
      }
    } else if (registry.protocol == "local") {
      const std::string& file = registry.file.empty() ? registry.address : registry.file;
      if (!file.starts_with('/') && !file.starts_with("file:///")) {
        problem(config_path(at, registry.address.empty() ? "file" : "address"),
                fmt::format("expected a path that begins with a slash, got \"{}\"", file));
      }
    } else {
      problem(config_path(at, "protocol"),
              fmt::format(
                  "expected zookeeper, etcd or local, got \"{}\"; there are no other registries",
                  registry.protocol));
    }
  }

  void check(const std::string& at, const ConsumerConfig& consumer) {
    registries(at, consumer.registry, &RegistryConfig::subscribe, "subscribe");
    if (consumer.load_balancer) balancer(config_path(at, "loadBalancer"), *consumer.load_balancer);
    if (!consumer.direct_url.empty()) {
      Result<std::string> url = direct_url(consumer.direct_url);
      if (!url) problem(config_path(at, "directUrl"), url.error().message());
    }
    for (const auto& [name, method] : consumer.methods) {
      positive(config_path(config_path(config_path(at, "methods"), name), "timeout"),
               method.timeout);
    }
    positive(config_path(at, "timeout"), consumer.timeout);
  }

  void positive(const std::string& path, const std::optional<milliseconds>& timeout) {
    if (timeout == milliseconds(0)) problem(path, "expected a duration above 0, or -1");
  }

  void registries(const std::string& at, const std::vector<std::string>& names,
                  bool RegistryConfig::*used, std::string_view key) {
    for (const std::string& name : names) {
      const auto found = settings_.registries.find(name);
      if (found == settings_.registries.end()) {
        problem(config_path(at, "registry"), fmt::format("there is no registry '{}'; there are: {}",
                                                         name, names_of(settings_.registries)));
      } else if (!(found->second.*used)) {
        problem(config_path(at, "registry"),
                fmt::format("the registry '{}' has {}: false", name, key));
      }
    }
  }

  void tls_version(const std::string& at, const std::string& version) {
    if (version == "1.2" || version == "1.3") return;
    problem(config_path(at, "minVersion"), fmt::format("expected 1.2 or 1.3, got \"{}\"", version));
  }

  void pool(const std::string& at, const std::optional<ThreadPoolConfig>& pool) {
    if (!pool || pool->core_threads <= pool->max_threads) return;
    problem(config_path(config_path(at, "threadPool"), "coreThreads"),
            fmt::format("{} is more than maxThreads, {}", pool->core_threads, pool->max_threads));
  }

  void balancer(const std::string& path, const std::string& name) {
    const auto made = cluster::make_balancer(name, {}, std::make_shared<cluster::RoundCounters>());
    if (!made) problem(path, made.error().message());
  }

  const RpcSettings& settings_;
  const Origins& origins_;
  const std::string root_;
  std::vector<std::string> problems_;
};

ClusterMode mode_of(ClusterKind kind) {
  switch (kind) {
    case ClusterKind::failover: return ClusterMode::kFailover;
    case ClusterKind::failfast: return ClusterMode::kFailfast;
    case ClusterKind::broadcast: return ClusterMode::kBroadcast;
  }
  return ClusterMode::kFailover;
}

Serialization serialization_of(SerializationName name) {
  return name == SerializationName::json ? Serialization::kJson : Serialization::kHessian;
}

// SOFARPC's -1 stands for nothing.
std::optional<milliseconds> given(const std::optional<milliseconds>& value) {
  return value && value->count() >= 0 ? value : std::nullopt;
}

std::string registry_url(const RegistryConfig& config) {
  const std::string& place = config.file.empty() ? config.address : config.file;
  if (place.find("://") != std::string::npos) return place;
  return fmt::format("{}://{}", config.protocol == "local" ? "file" : config.protocol, place);
}

void copy_fields(const FaultToleranceConfig& from, FaultTolerance& to) {
  to.time_window = std::chrono::duration_cast<std::chrono::seconds>(from.time_window);
  to.least_window_count = from.least_window_count;
  to.least_window_exception_rate_multiple = from.least_window_exception_rate_multiple;
  to.regulation_effective = from.regulation_effective;
  to.degrade_effective = from.degrade_effective;
  to.weight_degrade_rate = from.weight_degrade_rate;
  to.degrade_least_weight = from.degrade_least_weight;
  to.weight_recover_rate = from.weight_recover_rate;
  to.degrade_max_ip_count = from.degrade_max_ip_count;
}

net::TlsVersion tls_version(const std::string& name) {
  return name == "1.3" ? net::TlsVersion::k1_3 : net::TlsVersion::k1_2;
}

net::TlsServerOptions tls_options(const ServerTlsConfig& config) {
  net::TlsServerOptions options;
  options.certificate = config.certificate;
  options.key = config.key;
  for (const TlsPairConfig& pair : config.more_certificates) {
    options.more_certificates.push_back({pair.certificate, pair.key});
  }
  options.client_ca = config.client_ca;
  options.client_certificate_optional = config.client_certificate_optional;
  options.plain_text_too = config.plain_text_too;
  options.min_version = tls_version(config.min_version);
  options.handshake_timeout = config.handshake_timeout;
  options.max_handshakes = static_cast<std::size_t>(config.max_handshakes);
  options.scan_period = config.scan_period;
  return options;
}

net::TlsClientOptions tls_options(const ClientTlsConfig& config) {
  net::TlsClientOptions options;
  options.ca = config.ca;
  options.certificate = config.certificate;
  options.key = config.key;
  options.server_name = config.server_name;
  options.insecure_trust_anybody = config.insecure_trust_anybody;
  options.min_version = tls_version(config.min_version);
  options.handshake_timeout = config.handshake_timeout;
  options.scan_period = config.scan_period;
  return options;
}

// The context of the section `at`, which its Errors name.
template <class Context, class Section>
std::shared_ptr<Context> make_tls(Runtime& runtime, const std::optional<Section>& section,
                                  const std::string& at) {
  if (!section) return nullptr;
  try {
    return std::make_shared<Context>(runtime, tls_options(*section));
  } catch (const Error& error) {
    throw error.within(at);
  }
}

Config loaded(const std::string& path) {
  Result<Config> config = Config::load_file(path);
  if (!config) throw config.error();
  config->use_environment("SETTEE_RPC_");
  return *std::move(config);
}

}  // namespace

struct RpcConfig::State {
  State(Runtime& r, const Config& config, std::string_view root, RpcSettings defaults)
      : runtime(r), path(root) {
    BindOptions options;
    options.plain_milliseconds = true;
    options.unknown_key = &about_unknown_key;
    Result<Configured<RpcSettings>> bound =
        bind_with_origins<RpcSettings>(config, path, std::move(defaults), options);
    if (!bound) throw bound.error();
    settings = std::move(bound->value);
    origins = std::move(bound->origins);
    Checker checker(settings, origins, path);
    checker.run();
    checker.finish();
  }

  template <class Entry>
  const Entry& entry(std::string_view section, const std::map<std::string, Entry>& entries,
                     std::string_view name) const {
    const auto found = entries.find(std::string(name));
    if (found != entries.end()) return found->second;
    throw Error(Code::kConfig,
                fmt::format("the configuration has no {}; there are: {}",
                            config_path(config_path(path, section), name), names_of(entries)));
  }

  // "-name" leaves a filter of the server's or client's out; others were made known by their names.
  template <class Options>
  void take_filters(std::string_view section, std::string_view name,
                    const std::vector<std::string>& named, Options& options) const {
    for (const std::string& one : named) {
      if (one.starts_with('-') || one.starts_with('!')) {
        const std::string without = one.substr(1);
        options.without_filters.push_back(without == "default" ? "*" : without);
        continue;
      }
      const auto found = std::find_if(filters.begin(), filters.end(),
                                      [&](const FilterUse& use) { return use.name == one; });
      if (found == filters.end()) throw nobody("filter", "add_filter", section, name, one);
      options.filters.push_back(*found);
    }
  }
  Error nobody(std::string_view what, std::string_view how, std::string_view section,
               std::string_view name, std::string_view wanted) const {
    const std::string at = config_path(config_path(config_path(path, section), name), what);
    return Error(Code::kConfig,
                 fmt::format("{}: {}: there is no {} '{}'; RpcConfig::{}() makes one known",
                             origins.of(at), at, what, wanted, how));
  }

  std::vector<std::string> used(const std::vector<std::string>& named,
                                bool RegistryConfig::*use) const {
    if (!named.empty()) return named;
    std::vector<std::string> all;
    for (const auto& [name, registry] : settings.registries) {
      if (registry.*use) all.push_back(name);
    }
    return all;
  }

  std::shared_ptr<Registry> registry(const std::string& name) {
    const RegistryConfig& config = entry("registries", settings.registries, name);
    const std::lock_guard lock(mutex);
    std::shared_ptr<Registry>& opened = registries[name];
    if (!opened) {
      RegistryOptions options;
      options.session_timeout = config.session_timeout;
      options.scan_period = config.scan_period;
      options.backup_directory = config.backup_directory;
      options.auth_scheme = config.parameters.scheme;
      options.auth = config.parameters.add_auth;
      try {
        opened = open_registry(runtime, registry_url(config), options);
      } catch (const Error& error) {
        throw error.within(config_path(config_path(path, "registries"), name));
      }
    }
    return opened;
  }

  std::shared_ptr<DynamicConfig> dynamic_config() {
    const ConfigCenterConfig& config = settings.config_center;
    if (config.address.empty()) return nullptr;
    const std::lock_guard lock(mutex);
    if (!dynamic) {
      DynamicConfigOptions options;
      options.session_timeout = config.session_timeout;
      options.scan_period = config.scan_period;
      options.auth_scheme = config.parameters.scheme;
      options.auth = config.parameters.add_auth;
      try {
        dynamic =
            open_dynamic_config(runtime, config.address, settings.application.app_name, options);
      } catch (const Error& error) {
        throw error.within(config_path(path, "configCenter"));
      }
    }
    return dynamic;
  }

  // One for each entry, however often it is provided.
  std::shared_ptr<ThreadPool> pool(const std::string& name,
                                   const std::optional<ThreadPoolConfig>& config) {
    if (!config) return nullptr;
    const std::lock_guard lock(mutex);
    std::shared_ptr<ThreadPool>& made = pools[name];
    if (!made) {
      ThreadPoolOptions options;
      options.core = static_cast<std::size_t>(config->core_threads);
      options.max = static_cast<std::size_t>(config->max_threads);
      options.queue = static_cast<std::size_t>(config->queues);
      options.keep_alive = config->alive_time;
      made = std::make_shared<ThreadPool>(name, options);
    }
    return made;
  }

  Runtime& runtime;
  const std::string path;
  RpcSettings settings;
  Origins origins;
  std::vector<FilterUse> filters;
  std::map<std::string, std::shared_ptr<Router>, std::less<>> routers;
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Registry>> registries;
  std::map<std::string, std::shared_ptr<ThreadPool>> pools;
  std::shared_ptr<DynamicConfig> dynamic;
};

RpcConfig RpcConfig::load_file(Runtime& runtime, const std::string& path) {
  const Config file = loaded(path);
  RpcConfig config(runtime, file);
  if (Result<void> all = file.check_unused(); !all) throw all.error();
  return config;
}

RpcConfig::RpcConfig(Runtime& runtime, const Config& config, std::string_view path)
    : state_(std::make_unique<State>(runtime, config, path, RpcSettings())) {}
RpcConfig::RpcConfig(Runtime& runtime, RpcSettings settings)
    : state_(std::make_unique<State>(runtime, Config(), "", std::move(settings))) {}
RpcConfig::RpcConfig(RpcConfig&&) noexcept = default;
RpcConfig& RpcConfig::operator=(RpcConfig&&) noexcept = default;
RpcConfig::~RpcConfig() = default;

const RpcSettings& RpcConfig::settings() const noexcept { return state_->settings; }
const Origins& RpcConfig::origins() const noexcept { return state_->origins; }

void RpcConfig::add_filter(FilterUse filter) {
  if (filter.name.empty() || filter.filter == nullptr) {
    throw Error(Code::kInvalidArgument,
                "RpcConfig::add_filter(): a filter and its name are needed");
  }
  state_->filters.push_back(std::move(filter));
}

void RpcConfig::add_router(std::string name, std::shared_ptr<Router> router) {
  if (name.empty() || router == nullptr) {
    throw Error(Code::kInvalidArgument,
                "RpcConfig::add_router(): a router and its name are needed");
  }
  state_->routers[std::move(name)] = std::move(router);
}

std::shared_ptr<Registry> RpcConfig::registry(std::string_view name) const {
  return state_->registry(std::string(name));
}

std::shared_ptr<DynamicConfig> RpcConfig::dynamic_config() const {
  return state_->dynamic_config();
}

ServerOptions RpcConfig::server(std::string_view name) const {
  const ServerConfig& config = state_->entry("servers", state_->settings.servers, name);
  ServerOptions options;
  options.host = config.host;
  options.port = static_cast<std::uint16_t>(config.port);
  options.app_name = state_->settings.application.app_name;
  options.max_connections = static_cast<std::size_t>(config.accepts);
  options.max_in_flight = static_cast<std::size_t>(config.max_in_flight);
  options.max_frame = static_cast<std::uint32_t>(config.payload);
  options.idle_close = config.idle_timeout;
  options.drain = config.stop_timeout;
  options.leave = config.leave;
  options.public_host = config.virtual_host;
  options.public_port = static_cast<std::uint16_t>(config.virtual_port);
  options.tls = make_tls<net::TlsServerContext>(
      state_->runtime, config.tls,
      config_path(config_path(config_path(state_->path, "servers"), name), "tls"));
  const std::vector<std::string> used = state_->used(config.registry, &RegistryConfig::register_);
  if (!used.empty()) options.register_timeout = milliseconds(0);
  for (const std::string& registry : used) {
    options.register_timeout =
        std::max(options.register_timeout, state_->settings.registries.at(registry).timeout);
    options.registries.push_back(state_->registry(registry));
  }
  options.dynamic_config = state_->dynamic_config();
  return options;
}

ProvideOptions RpcConfig::provide(std::string_view name) const {
  const ProviderConfig& config = state_->entry("providers", state_->settings.providers, name);
  ProvideOptions options;
  options.version = config.version;
  options.unique_id = config.unique_id;
  options.register_it = config.register_;
  options.dynamic = config.dynamic;
  options.weight = config.weight;
  options.warmup_time = config.warmup_time;
  options.warmup_weight = config.warmup_weight;
  options.timeout = config.timeout;
  options.concurrents = static_cast<std::size_t>(std::max<std::int64_t>(config.concurrents, 0));
  options.rate = config.rate;
  options.burst = config.burst;
  options.adaptive.max = static_cast<std::size_t>(config.adaptive_limit.max);
  options.adaptive.min = static_cast<std::size_t>(config.adaptive_limit.min);
  options.adaptive.buffer = config.adaptive_limit.buffer;
  options.adaptive.window = config.adaptive_limit.window;
  options.adaptive.probe = config.adaptive_limit.probe;
  options.pool = state_->pool(std::string(name), config.thread_pool);
  for (const auto& [method_name, from] : config.methods) {
    ProvideMethod& method = options.methods[method_name];
    method.timeout = from.timeout;
    method.concurrents = static_cast<std::size_t>(from.concurrents);
    method.rate = from.rate;
    method.burst = from.burst;
    method.pool = state_->pool(fmt::format("{}#{}", name, method_name), from.thread_pool);
  }
  options.attributes = config.parameters;
  state_->take_filters("providers", name, config.filter, options);
  return options;
}

ClientOptions RpcConfig::client() const {
  const RpcSettings& settings = state_->settings;
  const ClientConfig& config = settings.client;
  ClientOptions options;
  options.app_name = settings.application.app_name;
  options.timeout = config.timeout;
  options.retries = config.retries;
  options.balancer = config.load_balancer;
  options.cluster = mode_of(config.cluster);
  options.serialization = serialization_of(config.serialization);
  options.in_process = config.in_jvm;
  options.connect_timeout = config.connect_timeout;
  options.reconnect_most = config.reconnect_period;
  options.reconnect_first = std::min(options.reconnect_first, config.reconnect_period);
  options.heartbeat = config.heartbeat_period;
  options.max_frame = static_cast<std::uint32_t>(config.payload);
  options.dynamic_config = state_->dynamic_config();
  options.tls = make_tls<net::TlsClientContext>(
      state_->runtime, config.tls, config_path(config_path(state_->path, "client"), "tls"));
  copy_fields(settings.fault_tolerance, options.fault_tolerance);
  options.outlier_ejection = settings.outlier_ejection;
  options.circuit_breaker = settings.circuit_breaker;
  return options;
}

ReferOptions RpcConfig::refer(std::string_view name) const {
  const ConsumerConfig& config = state_->entry("consumers", state_->settings.consumers, name);
  ReferOptions options;
  options.version = config.version;
  options.unique_id = config.unique_id;
  options.target_app = config.target_app;
  options.timeout = given(config.timeout);
  options.try_timeout = config.try_timeout;
  options.retries = config.retries;
  options.balancer = config.load_balancer;
  if (config.cluster) options.cluster = mode_of(*config.cluster);
  if (config.serialization) options.serialization = serialization_of(*config.serialization);
  if (config.lazy) {
    options.connect = ConnectWhen::kLazy;
  } else {
    options.connect = config.connection_holder == ConnectionHolder::elastic ? ConnectWhen::kElastic
                                                                            : ConnectWhen::kAll;
  }
  options.connections = config.connection_num;
  options.elastic_size = static_cast<std::size_t>(config.elastic_size);
  options.sticky = config.sticky;
  options.check = config.check;
  options.in_process = config.in_jvm;
  options.address_wait = given(config.address_wait);
  options.concurrents = static_cast<std::size_t>(config.concurrents);
  for (const auto& [method_name, from] : config.methods) {
    ReferMethod& method = options.methods[method_name];
    method.timeout = given(from.timeout);
    method.try_timeout = from.try_timeout;
    method.retries = from.retries;
    method.idempotent = from.idempotent;
    method.concurrents = static_cast<std::size_t>(from.concurrents);
  }
  state_->take_filters("consumers", name, config.filter, options);
  for (const std::string& one : config.router) {
    if (const auto found = state_->routers.find(one); found != state_->routers.end()) {
      options.routers.push_back(found->second);
    } else if (one == "tag") {
      options.routers.push_back(tag_router());
    } else {
      throw state_->nobody("router", "add_router", "consumers", name, one);
    }
  }
  return options;
}

namespace {

// An entry of another name says which interface it is for.
void check_interface(const std::string& at, std::string_view name, std::string_view said,
                     std::string_view interface_name) {
  const std::string_view meant = said.empty() ? name : said;
  if (meant == interface_name) return;
  throw Error(
      Code::kConfig,
      fmt::format("{} is for the interface {}, but the described class is {}{}", at, meant,
                  interface_name,
                  said.empty() ? "; interfaceId says so where the entry's name does not" : ""));
}

}  // namespace

RpcConfig::Source RpcConfig::source_of(std::string_view interface_name,
                                       std::string_view name) const {
  if (name.empty()) name = interface_name;
  const ConsumerConfig& config = state_->entry("consumers", state_->settings.consumers, name);
  const std::string at = config_path(config_path(state_->path, "consumers"), name);
  check_interface(at, name, config.interface_id, interface_name);
  Source source;
  source.options = refer(name);
  if (!config.direct_url.empty()) {
    source.url = direct_url(config.direct_url).value();
    return source;
  }
  for (const std::string& one : state_->used(config.registry, &RegistryConfig::subscribe)) {
    source.registries.push_back(state_->registry(one));
  }
  if (source.registries.empty()) {
    throw Error(Code::kConfig,
                fmt::format("{}: nothing says where its providers are: give it a directUrl, or a "
                            "registry to 'registries'",
                            at));
  }
  return source;
}

ProvideOptions RpcConfig::provide_options(std::string_view interface_name,
                                          std::string_view name) const {
  if (name.empty()) name = interface_name;
  const ProviderConfig& config = state_->entry("providers", state_->settings.providers, name);
  check_interface(config_path(config_path(state_->path, "providers"), name), name,
                  config.interface_id, interface_name);
  return provide(name);
}

}  // namespace settee::inline v0::rpc
