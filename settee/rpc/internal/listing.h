// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Listing: the providers that several registries list for one reference, together.
//
// Threads: any.

#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "settee/rpc/cluster/internal/cluster.h"
#include "settee/rpc/registry.h"

namespace settee::inline v0::rpc {

class Listing {
 public:
  Listing(ServiceKey key, const std::vector<std::shared_ptr<Registry>>& registries,
          std::weak_ptr<cluster::Cluster> cluster);

  /// What the registry of that number lists now.
  void set(std::size_t registry, const Providers& all);
  /// What each registry has said so far, for a person.
  std::string describe() const;

 private:
  struct Part {
    std::weak_ptr<Registry> registry;
    std::string address;
    std::optional<std::size_t> listed;  // none: it has not answered yet
    Providers providers;                // that serve the key
    std::vector<Dropped> dropped;       // the others
  };
  const ServiceKey key_;
  const std::weak_ptr<cluster::Cluster> cluster_;
  std::mutex updating_;  // held while the cluster is told, which may call user code
  mutable std::mutex mutex_;
  std::vector<Part> parts_;
};

}  // namespace settee::inline v0::rpc
