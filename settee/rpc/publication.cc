// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/publication.h"

#include <fmt/format.h>

#include "settee/rpc/internal/this_host.h"

namespace settee::inline v0::rpc {

namespace {

Error closed(const ServiceKey& key) {
  return Error(Code::kStopped,
               fmt::format("publishing {}: the server has been stopped", key.unique_name()));
}

}  // namespace

Publication::Publication(Runtime& runtime, const ServerOptions& options)
    : runtime_(runtime),
      options_(options),
      published_event_(runtime.events().channel<ProviderPublished>()),
      withdrawn_event_(runtime.events().channel<ProviderWithdrawn>()) {}

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
  if (options_.registries.empty() || !provide.register_it) return;
  Entry entry;
  entry.key = key;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw closed(key);
    entry.provider = self_;
  }
  // The registry adds what the key says and what is the same for all of this process.
  Provider::Attributes& attributes = entry.provider.attributes;
  attributes["serialization"] = "hessian2";
  attributes["weight"] = std::to_string(provide.weight);
  attributes["appName"] = options_.app_name;
  attributes["timeout"] = std::to_string(provide.timeout.count());
  attributes["dynamic"] = provide.dynamic ? "true" : "false";
  if (provide.warmup_time.count() > 0) {
    attributes["warmupTime"] = std::to_string(provide.warmup_time.count());
    attributes["warmupWeight"] = std::to_string(provide.warmup_weight);
  }
  for (const auto& [name, value] : provide.attributes) attributes[name] = value;
  for (const std::shared_ptr<Registry>& registry : options_.registries) {
    try {
      const ContextScope scope(context().with_timeout(options_.register_timeout));
      registry->publish(entry.key, entry.provider).get();
    } catch (...) {
      const Error error = settee::detail::current_error();
      withdraw(entry);
      throw error.within(
          fmt::format("publishing {} in {}", key.unique_name(), registry->address()));
    }
  }
  std::unique_lock lock(mutex_);
  if (closed_) {
    lock.unlock();
    withdraw(entry);
    throw closed(key);
  }
  const std::string url = entry.provider.to_string();
  published_[key.unique_name()] = std::move(entry);
  lock.unlock();
  if (!published_event_.active()) return;
  for (const std::shared_ptr<Registry>& registry : options_.registries) {
    published_event_.publish({key.unique_name(), registry->address(), url});
  }
}

// Not under the caller's Context: it is withdrawn also, and above all, when that has been cancelled.
void Publication::withdraw(const Entry& entry) {
  for (const std::shared_ptr<Registry>& registry : options_.registries) {
    try {
      const ContextScope scope(Context().with_timeout(options_.register_timeout));
      registry->withdraw(entry.key, entry.provider).get();
      if (withdrawn_event_.active()) {
        withdrawn_event_.publish({entry.key.unique_name(), registry->address()});
      }
    } catch (...) {
      runtime_.log(LogLevel::kWarning, "rpc",
                   fmt::format("withdrawing {} from {}: {}; consumers may call it until the "
                               "registry misses it",
                               entry.key.unique_name(), registry->address(),
                               settee::detail::current_error().what()));
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
    closed_ = true;
    all.swap(published_);
  }
  for (const auto& [name, entry] : all) withdraw(entry);
  return !all.empty();
}

}  // namespace settee::inline v0::rpc
