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

namespace {

void tell(Provider::Attributes& attributes, const Told& told) {
  attributes["weight"] = std::to_string(told.weight);
  attributes["timeout"] = std::to_string(told.timeout.count());
}

}  // namespace

void Publication::publish(const ServiceKey& key, const ProvideOptions& provide, const Told& told,
                          const std::shared_ptr<void>& owner) {
  if (options_.registries.empty() || !provide.register_it) return;
  Entry entry;
  entry.key = key;
  entry.told = told;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw closed(key);
    entry.provider = self_;
  }
  // The registry adds what the key says and what is the same for all of this process.
  Provider::Attributes& attributes = entry.provider.attributes;
  attributes["serialization"] = "hessian2";
  attributes["appName"] = options_.app_name;
  tell(attributes, told);
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
  const std::string name = key.unique_name();
  published_[name] = std::move(entry);
  const auto wanted = wanted_.find(name);
  const bool stale = wanted != wanted_.end() && wanted->second != told;
  lock.unlock();
  if (stale) begin_renewals(owner);
  if (!published_event_.active()) return;
  for (const std::shared_ptr<Registry>& registry : options_.registries) {
    published_event_.publish({key.unique_name(), registry->address(), url});
  }
}

void Publication::renew(std::string_view unique_name, const Told& told,
                        std::shared_ptr<void> owner) {
  {
    const std::lock_guard lock(mutex_);
    wanted_.insert_or_assign(std::string(unique_name), told);
  }
  begin_renewals(std::move(owner));
}

void Publication::begin_renewals(std::shared_ptr<void> owner) {
  {
    const std::lock_guard lock(mutex_);
    if (no_renewals_ || renewing_) return;
    renewing_ = true;
    ++renewals_;
  }
  std::shared_ptr<void> running(this, [this, owner = std::move(owner)](void*) {
    const std::lock_guard lock(mutex_);
    --renewals_;
  });
  runtime_.spawn(renew_all(std::move(running)));
}

void Publication::end_renewals() {
  {
    const std::lock_guard lock(mutex_);
    no_renewals_ = true;
  }
  life_.cancel();
}

bool Publication::renewing() const {
  const std::lock_guard lock(mutex_);
  return renewals_ > 0;
}

// A service that is just being published is not among them: whoever publishes it looks again.
std::optional<Publication::Entry> Publication::next_to_renew() {
  const std::lock_guard lock(mutex_);
  for (auto& [name, entry] : published_) {
    const auto wanted = wanted_.find(name);
    if (no_renewals_ || wanted == wanted_.end() || wanted->second == entry.told) continue;
    entry.told = wanted->second;
    tell(entry.provider.attributes, entry.told);
    return entry;
  }
  renewing_ = false;
  return std::nullopt;
}

Task<void> Publication::renew_all(std::shared_ptr<void> /*running*/) {
  for (;;) {
    std::optional<Entry> entry = next_to_renew();
    if (!entry) co_return;
    const std::string name = entry->key.unique_name();
    Task<void> renewed = renew_one(*std::move(entry));
    const Result<void> done = co_await as_result(std::move(renewed));
    if (done) continue;
    runtime_.log(LogLevel::kWarning, "rpc",
                 fmt::format("publishing {} anew: {}", name, done.error().what()));
  }
}

Task<void> Publication::renew_one(Entry entry) {
  const std::string name = entry.key.unique_name();
  for (;;) {
    for (const std::shared_ptr<Registry>& registry : options_.registries) {
      const Context context = life_.context().with_timeout(options_.register_timeout);
      Task<void> publish = with_context(context, registry->publish(entry.key, entry.provider));
      const Result<void> done = co_await as_result(std::move(publish));
      if (!done && !life_.context().cancelled()) {
        runtime_.log(LogLevel::kWarning, "rpc",
                     fmt::format("publishing {} anew in {}, with weight {} and timeout {} ms: {}",
                                 name, registry->address(), entry.told.weight,
                                 entry.told.timeout.count(), done.error().what()));
      }
      if (done && published_event_.active()) {
        published_event_.publish({name, registry->address(), entry.provider.to_string()});
      }
    }
    // Perhaps it was withdrawn, or is another one, before this had reached the registries.
    std::optional<Entry> now = published(name);
    if (!now) {
      for (const std::shared_ptr<Registry>& registry : options_.registries) {
        const Context context = Context().with_timeout(options_.register_timeout);
        Task<void> withdraw = with_context(context, registry->withdraw(entry.key, entry.provider));
        const Result<void> done = co_await as_result(std::move(withdraw));
        if (!done) not_withdrawn(entry, *registry, done.error());
      }
      // And perhaps it came back meanwhile: to a registry it is the same provider.
      now = published(name);
      if (!now) co_return;
    } else if (now->provider == entry.provider) {
      co_return;
    }
    entry = *std::move(now);
  }
}

std::optional<Publication::Entry> Publication::published(std::string_view unique_name) const {
  const std::lock_guard lock(mutex_);
  const auto found = published_.find(unique_name);
  if (found == published_.end()) return std::nullopt;
  return found->second;
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
      not_withdrawn(entry, *registry, settee::detail::current_error());
    }
  }
}

void Publication::not_withdrawn(const Entry& entry, const Registry& registry,
                                const Error& error) const {
  runtime_.log(LogLevel::kWarning, "rpc",
               fmt::format("withdrawing {} from {}: {}; consumers may call it until the registry "
                           "misses it",
                           entry.key.unique_name(), registry.address(), error.what()));
}

bool Publication::withdraw(std::string_view unique_name) {
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    if (const auto wanted = wanted_.find(unique_name); wanted != wanted_.end()) {
      wanted_.erase(wanted);
    }
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
