// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/config_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "settee/rpc/provider.h"

namespace settee::inline v0::rpc {

namespace {

struct Known {
  std::string_view section;  // the struct's name behind "settee.rpc."; empty: any
  std::string_view key;
  std::string_view instead;  // what there is; empty: nothing corresponds
};

constexpr std::string_view kInCode = "the program says it in code";
constexpr std::string_view kNoProxy = "a described class is its own proxy";
constexpr std::string_view kShared =
    "connections are shared by all consumers: set it in the section client";
constexpr std::string_view kPerCall = "how a call is made says it (await, callback, oneway)";
constexpr std::string_view kRuntime = "loops belong to the Runtime: RuntimeOptions::threads";
constexpr std::string_view kPool =
    "blocking methods run on the Runtime's pool, or on that of providers.*.threadPool";
constexpr std::string_view kKey = "a service is known by interface, version and uniqueId";

// Of the same key, those of a section come before those for any.
constexpr auto kKnown = std::to_array<Known>({
    {"ApplicationConfig", "appId", ""},
    {"ApplicationConfig", "insId", ""},
    {"RegistryConfig", "connectTimeout", "set sessionTimeout (in Java three times connectTimeout)"},
    {"RegistryConfig", "heartbeatPeriod", "it follows from sessionTimeout"},
    {"RegistryConfig", "reconnectPeriod", "a lost registry is tried again at once and for ever"},
    {"RegistryConfig", "index", ""},
    {"RegistryConfig", "batch", ""},
    {"RegistryConfig", "batchSize", ""},
    {"ServerConfig", "contextPath", "Bolt has no paths"},
    {"ServerConfig", "ioThreads", kRuntime},
    {"ServerConfig", "threadPoolType", kPool},
    {"ServerConfig", "coreThreads", kPool},
    {"ServerConfig", "maxThreads", kPool},
    {"ServerConfig", "queues", kPool},
    {"ServerConfig", "queueType", kPool},
    {"ServerConfig", "aliveTime", kPool},
    {"ServerConfig", "preStartCore", kPool},
    {"ServerConfig", "telnet", ""},
    {"ServerConfig", "serialization", "a server answers in the codec of the request"},
    {"ServerConfig", "dispatcher", ""},
    {"ServerConfig", "parameters", ""},
    {"ServerConfig", "onConnect", kInCode},
    {"ServerConfig", "epoll", "epoll is always used"},
    {"ServerConfig", "daemon", ""},
    {"ServerConfig", "adaptivePort", "port: 0 takes a free one"},
    {"ServerConfig", "transport", ""},
    {"ServerConfig", "autoStart", "the program calls Server::start()"},
    {"ServerConfig", "keepAlive", "heartbeats tell a dead peer; see idleTimeout"},
    {"ProviderConfig", "server", "the program says which Server provides it"},
    {"ProviderConfig", "registry",
     "a server's services are published together: servers.*.registry"},
    {"ProviderConfig", "delay", "services are published when Server::start() has listened"},
    {"ProviderConfig", "include", "what is described is offered"},
    {"ProviderConfig", "exclude", "what is described is offered"},
    {"ProviderConfig", "priority", ""},
    {"ProviderConfig", "executor", kPool},
    {"ProviderConfig", "repeatedExportLimit", "a name can be provided once"},
    {"ProviderConfig", "serialization", "a server answers in the codec of the request"},
    {"ConsumerConfig", "protocol", "bolt is the only one"},
    {"ConsumerConfig", "generic", "use Client::refer_generic()"},
    {"ConsumerConfig", "invokeType", kPerCall},
    {"ConsumerConfig", "connectTimeout", kShared},
    {"ConsumerConfig", "heartbeatPeriod", kShared},
    {"ConsumerConfig", "reconnectPeriod", kShared},
    {"ConsumerConfig", "disconnectTimeout", "Client::stop() ends all calls at once"},
    {"ConsumerConfig", "addressHolder", ""},
    {"ConsumerConfig", "rejectedExecutionPolicy",
     "there is no pool of callbacks that could reject"},
    {"ConsumerConfig", "onConnect", kInCode},
    {"ConsumerConfig", "onAvailable", kInCode},
    {"ConsumerConfig", "repeatedReferLimit", "references to a service share all they have"},
    {"ConsumerConfig", "subscribe", "registries.*.subscribe"},
    {"ConsumerConfig", "register", "consumers are listed where a registry lists consumers"},
    {"ConsumerConfig", "mock", "set ReferOptions::mock"},
    {"ConsumerConfig", "mockMode", "set ReferOptions::mock"},
    {"ConsumerConfig", "parameters", ""},
    {"MethodConfig", "name", "the entry's own name is the method's"},
    {"MethodConfig", "dstParam", ""},
    {"MethodConfig", "parameters", ""},
    {"MethodConfig", "invokeType", kPerCall},
    {"FaultToleranceConfig", "leastCallCount", "SOFARPC does not use it either"},
    {"ProviderMethodConfig", "retries", "it stands with the consumers"},
    {"", "appName", "it stands in the section application"},
    {"", "proxy", kNoProxy},
    {"", "javassist", kNoProxy},
    {"", "bootstrap", ""},
    {"", "invokeType", kPerCall},
    {"", "onReturn", kPerCall},
    {"", "group", kKey},
    {"", "virtualInterfaceId", kKey},
    {"", "cache", ""},
    {"", "cacheRef", ""},
    {"", "validation", ""},
    {"", "compress", "bodies are not compressed"},
    {"", "mockRef", "set ReferOptions::mock"},
    {"", "filterRef", "RpcConfig::add_filter(), and its name under filter"},
    {"", "ref", kInCode},
    {"", "epoll", "epoll is always used"},
});

}  // namespace

std::string config_path(std::string_view path, std::string_view key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
  if (plain) return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
  std::string quoted;
  for (const char c : key) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return fmt::format("{}[\"{}\"]", path, quoted);
}

std::string about_unknown_key(std::string_view type_name, std::string_view key) {
  constexpr std::string_view kPrefix = "settee.rpc.";
  if (type_name.starts_with(kPrefix)) type_name.remove_prefix(kPrefix.size());
  const auto* const found = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& known) {
    return known.key == key && (known.section.empty() || known.section == type_name);
  });
  if (found == kKnown.end()) return {};
  return fmt::format("SOFARPC's {} has no meaning in Settee{}{}", key,
                     found->instead.empty() ? ", leave it out" : ": ", found->instead);
}

Result<std::string> direct_url(std::string_view text) {
  std::string url;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(",;"), text.size());
    std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (part.empty()) continue;
    Result<Provider> provider = Provider::parse(part);
    if (!provider) return provider.error();
    const auto wrong = [part](std::string_view why) {
      return Error(Code::kInvalidArgument, fmt::format("'{}' {}", part, why));
    };
    if (provider->protocol != "bolt") return wrong("does not speak bolt");
    if (!provider->attributes.empty()) {
      return wrong("has parameters; only registries tell weights and the like");
    }
    url += (url.empty() ? "bolt://" : ",") + provider->endpoint.to_string();
  }
  if (url.empty()) return Error(Code::kInvalidArgument, "expected bolt://host:port, got nothing");
  return url;
}

}  // namespace settee::inline v0::rpc
