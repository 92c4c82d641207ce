// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#include "settee/rpc/internal/publication.h"

namespace settee::inline v0::rpc {

namespace {

// Of SOFARPC 5.14.3, whose attributes and dialect these are.
constexpr std::string_view kRpcVersion = "51403";

// The first address of this machine that others may reach; 127.0.0.1 if there is none.
std::string own_address() {
  std::string found = "127.0.0.1";
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return found;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    if ((one->ifa_flags & IFF_UP) == 0 || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    char text[INET_ADDRSTRLEN];
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if (inet_ntop(AF_INET, &address->sin_addr, text, sizeof text) == nullptr) continue;
    found = text;
    break;
  }
  freeifaddrs(all);
  return found;
}

std::string milliseconds_since_epoch() {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count());
}

}  // namespace

void Publication::set_port(std::uint16_t port) {
  const std::lock_guard lock(mutex_);
  if (options_.host.starts_with("unix:")) {
    self_.endpoint = net::Endpoint::parse(options_.host).value();
    self_.attributes["startTime"] = milliseconds_since_epoch();
    return;
  }
  self_.endpoint.port = options_.public_port != 0 ? options_.public_port : port;
  self_.endpoint.host = !options_.public_host.empty()                         ? options_.public_host
                        : options_.host == "0.0.0.0" || options_.host == "::" ? own_address()
                                                                              : options_.host;
  self_.attributes["startTime"] = milliseconds_since_epoch();
}

void Publication::publish(const ServiceKey& key, const ProvideOptions& provide) {
  if (options_.registries.empty()) return;
  Entry entry;
  entry.key = key;
  {
    const std::lock_guard lock(mutex_);
    entry.provider = self_;
  }
  Provider::Attributes& attributes = entry.provider.attributes;
  attributes["interface"] = key.interface_name;
  attributes["uniqueId"] = key.unique_id;
  attributes["protocol"] = key.protocol;
  attributes["serialization"] = "hessian2";
  attributes["weight"] = std::to_string(provide.weight);
  attributes["appName"] = options_.app_name;
  attributes["timeout"] = "0";
  attributes["dynamic"] = "true";
  attributes["rpcVer"] = kRpcVersion;
  attributes["language"] = "cpp";
  attributes["pid"] = std::to_string(getpid());
  for (const auto& [name, value] : provide.attributes) attributes[name] = value;
  const ContextScope scope(context().with_timeout(options_.register_timeout));
  for (const std::shared_ptr<Registry>& registry : options_.registries) {
    try {
      registry->publish(entry.key, entry.provider).get();
    } catch (const Error& error) {
      withdraw(entry);
      throw error.within(
          fmt::format("publishing {} in {}", key.unique_name(), registry->address()));
    }
  }
  const std::lock_guard lock(mutex_);
  published_[key.unique_name()] = std::move(entry);
}

void Publication::withdraw(const Entry& entry) {
  const ContextScope scope(context().with_timeout(options_.register_timeout));
  for (const std::shared_ptr<Registry>& registry : options_.registries) {
    try {
      registry->withdraw(entry.key, entry.provider).get();
    } catch (const Error& error) {
      runtime_.log(LogLevel::kWarning, "rpc",
                   fmt::format("withdrawing {} from {}: {}; consumers may call it until the "
                               "registry misses it",
                               entry.key.unique_name(), registry->address(), error.what()));
    }
  }
}

bool Publication::withdraw(std::string_view unique_name) {
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    const auto found = published_.find(unique_name);
    if (found == published_.end()) return false;
    entry = std::move(found->second);
    published_.erase(found);
  }
  withdraw(entry);
  return true;
}

bool Publication::withdraw_all() {
  std::map<std::string, Entry, std::less<>> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(published_);
  }
  for (const auto& [name, entry] : all) withdraw(entry);
  return !all.empty();
}

}  // namespace settee::inline v0::rpc
