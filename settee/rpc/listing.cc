// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/listing.h"

#include <fmt/format.h>

namespace settee::inline v0::rpc {

namespace {

RouteStep step_of(const Provider& provider, const ServiceKey& key) {
  if (provider.protocol != key.protocol) return RouteStep::kProtocol;
  if (provider.attribute("uniqueId") != key.unique_id) return RouteStep::kUniqueId;
  return RouteStep::kVersion;
}

}  // namespace

Listing::Listing(ServiceKey key, const std::vector<std::shared_ptr<Registry>>& registries,
                 std::weak_ptr<cluster::Cluster> cluster)
    : key_(std::move(key)), cluster_(std::move(cluster)) {
  for (const std::shared_ptr<Registry>& registry : registries) {
    Part& part = parts_.emplace_back();
    part.registry = registry;
    part.address = registry->address();
  }
}

void Listing::set(std::size_t registry, const Providers& all) {
  const std::shared_ptr<cluster::Cluster> cluster = cluster_.lock();
  if (!cluster) return;
  const std::lock_guard in_order(updating_);
  Providers together;  // of several registries
  std::vector<Dropped> dropped;
  std::string address;
  {
    const std::lock_guard lock(mutex_);
    Part& part = parts_[registry];
    part.listed = all.size();
    part.providers.clear();
    part.providers.reserve(all.size());
    part.dropped.clear();
    for (const Provider& provider : all) {
      std::string reason = provider.why_not(key_);
      if (reason.empty()) {
        part.providers.push_back(provider);
      } else {
        part.dropped.push_back(
            {provider.endpoint.to_string(), step_of(provider, key_), std::move(reason)});
      }
    }
    address = part.address;
    bool all_answered = true;
    bool none = true;
    for (const Part& one : parts_) {
      all_answered = all_answered && one.listed;
      none = none && one.providers.empty();
      if (parts_.size() > 1) {
        together.insert(together.end(), one.providers.begin(), one.providers.end());
      }
      dropped.insert(dropped.end(), one.dropped.begin(), one.dropped.end());
    }
    // The first calls wait for what the others say.
    if (none && !all_answered) return;
  }
  // Only who holds updating_ changes the parts.
  cluster->update_from_registry(parts_.size() > 1 ? together : parts_[0].providers,
                                std::move(dropped), address);
}

std::string Listing::describe() const {
  struct Said {
    std::shared_ptr<Registry> registry;
    std::string address;
    std::optional<std::size_t> listed;
    std::size_t fitting;
  };
  std::vector<Said> all;
  {
    const std::lock_guard lock(mutex_);
    for (const Part& part : parts_) {
      all.push_back({part.registry.lock(), part.address, part.listed, part.providers.size()});
    }
  }
  std::string text;
  for (const Said& one : all) {
    if (!text.empty()) text += "; ";
    const std::string status = one.registry ? one.registry->status() : std::string("closed");
    if (one.listed) {
      text += fmt::format("{} ({}) lists {} provider(s) of {}, {} for {}", one.address, status,
                          *one.listed, key_.interface_name, one.fitting, key_.unique_name());
    } else {
      text += fmt::format("{} has not answered yet: {}", one.address, status);
    }
  }
  return text;
}

}  // namespace settee::inline v0::rpc
