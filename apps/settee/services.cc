// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// settee services: what a registry lists.

#include <fmt/format.h>

#include <condition_variable>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>

#include "apps/settee/commands.h"
#include "apps/settee/text.h"
#include "settee/rpc/rpc.h"

namespace settee::cli {

namespace {

constexpr std::string_view kName = "services";

// The providers of an interface; nothing if the registry does not say them in time.
std::optional<rpc::Providers> providers_of(rpc::Registry& registry,
                                           const std::string& interface_name,
                                           std::chrono::milliseconds timeout) {
  struct {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<rpc::Providers> all;
  } heard;
  rpc::ServiceKey key;
  key.interface_name = interface_name;
  rpc::ConsumerInfo consumer;
  consumer.app_name = "settee-cli";
  const rpc::Registry::Watch watch =
      registry.watch(key, consumer, [&heard](const rpc::Providers& all) {
        const std::lock_guard lock(heard.mutex);
        heard.all = all;
        heard.changed.notify_all();
      });
  std::unique_lock lock(heard.mutex);
  heard.changed.wait_for(lock, timeout, [&heard] { return heard.all.has_value(); });
  return heard.all;
}

std::string service_of(const std::string& interface_name, const rpc::Provider& provider) {
  rpc::ServiceKey key;
  key.interface_name = interface_name;
  if (const std::string_view version = provider.attribute("version"); !version.empty()) {
    key.version = version;
  }
  key.unique_id = provider.attribute("uniqueId");
  return key.unique_name();
}

void print(const std::string& line) { std::puts(printable(line).c_str()); }

}  // namespace

int run(const ServicesCommand& command) {
  Runtime runtime(quiet());
  try {
    const std::shared_ptr<rpc::Registry> registry = rpc::open_registry(runtime, command.url);
    const std::vector<std::string> interfaces =
        runtime.run(with_timeout(command.timeout, registry->interfaces()));
    if (interfaces.empty()) print(fmt::format("{} lists no interface", registry->address()));
    for (const std::string& interface_name : interfaces) {
      const std::optional<rpc::Providers> all =
          providers_of(*registry, interface_name, command.timeout);
      if (!all) {
        complain(kName, fmt::format("{}: no answer about {}: {}", registry->address(),
                                    interface_name, registry->status()));
        return kUnreachable;
      }
      if (all->empty()) print(fmt::format("{}: no provider", interface_name));
      std::map<std::string, std::vector<const rpc::Provider*>> services;
      for (const rpc::Provider& provider : *all) {
        services[service_of(interface_name, provider)].push_back(&provider);
      }
      for (const auto& [service, providers] : services) {
        print(service);
        for (const rpc::Provider* provider : providers) {
          const std::string_view app = provider->attribute("appName");
          print(fmt::format(
              "  {:<32} weight {:<5}{}{}",
              fmt::format("{}://{}", provider->protocol, provider->endpoint.to_string()),
              provider->weight(), app.empty() ? "" : " of ", app));
        }
      }
    }
  } catch (const Error& error) {
    return complain(kName, error);
  }
  return kOk;
}

}  // namespace settee::cli
