// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// SOFARPC's keys of dynamic configuration, as references and servers follow them.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "settee/rpc/dynamic_config.h"
#include "settee/rpc/provider.h"

namespace settee::inline v0::rpc {

/// Follows <scope>.<service>.<setting>, where <service> is the interface of `key` or its unique
/// name, which counts for more. `set` is called as listeners of a DynamicConfig are: one at a time.
template <class T>
void follow_key(DynamicConfig& config, std::vector<DynamicConfig::Watch>& watches,
                std::string_view scope, const ServiceKey& key, std::string_view setting,
                std::function<void(const std::optional<T>& value)> set) {
  struct Both {
    std::optional<T> of_interface;
    std::optional<T> of_unique_name;
  };
  const auto both = std::make_shared<Both>();
  const auto watch = [&](const std::string& name, std::optional<T> Both::*which) {
    watches.push_back(config.watch<T>(fmt::format("{}.{}.{}", scope, name, setting),
                                      [both, which, set](const std::optional<T>& value) {
                                        (*both).*which = value;
                                        set(both->of_unique_name ? both->of_unique_name
                                                                 : both->of_interface);
                                      }));
  };
  watch(key.interface_name, &Both::of_interface);
  watch(key.unique_name(), &Both::of_unique_name);
}

}  // namespace settee::inline v0::rpc
