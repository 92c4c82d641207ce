// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/publication.h"

#include <fmt/format.h>

#include "settee/rpc/internal/this_host.h"

namespace settee::inline v0::rpc {

void Publication::set_port(std::uint16_t port) {
  const std::lock_guard lock(mutex_);
  self_.attributes["startTime"] = std::to_string(milliseconds_now());
  if (options_.host.starts_with("unix:")) {
    self_.endpoint = net::Endpoint::parse(options_.host).value();
    return;
  }
  self_.endpoint.port = options_.public_port != 0 ? options_.public_port : port;
  if (!options_.public_host.empty()) {
    self_.endpoint.host = options_.public_host;
  } else if (options_.host == "0.0.0.0" || options_.host == "::") {
    self_.endpoint.host = own_address();
  } else {
    self_.endpoint.host = options_.host;
  }
}

void Publication::publish(const ServiceKey& key, const ProvideOptions& provide) {
  if (options_.registries.empty()) return;
  Entry entry;
  entry.key = key;
  {
    const std::lock_guard lock(mutex_);
    entry.provider = self_;
  }
  // The registry adds what the key says and what is the same for all of this process.
  Provider::Attributes& attributes = entry.provider.attributes;
  attributes["serialization"] = "hessian2";
  attributes["weight"] = std::to_string(provide.weight);
  attributes["appName"] = options_.app_name;
  attributes["timeout"] = "0";
  attributes["dynamic"] = "true";
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
