// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ProvideTuning: what dynamic configuration says of one provided service now, beside its
// ProvideOptions. Calls read the limits and times of their ServiceEntry, as ever; what changes those
// runs on the source's thread.
//
// Threads: all members from any thread.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/rpc/dynamic_config.h"

namespace settee::inline v0::rpc {

struct ServiceEntry;

/// What registries tell consumers of a service, of that which may change.
struct Told {
  int weight = 0;
  std::chrono::milliseconds timeout{};
  friend bool operator==(const Told&, const Told&) = default;
};

class ProvideTuning {
 public:
  /// `entry` must have limits everywhere, and stay. `changed` is called with what consumers are to be
  /// told now, after go_live().
  ProvideTuning(std::shared_ptr<DynamicConfig> config, ServiceEntry& entry,
                std::function<void(const Told& told)> changed);
  /// Waits for a listener that runs.
  ~ProvideTuning();

  void go_live() noexcept { live_.store(true); }
  Told told() const;

 private:
  /// Of the service or a method: what is set, in place of what the options say.
  struct Level {
    std::optional<std::chrono::milliseconds> timeout;
    std::optional<std::int32_t> concurrents;
    std::optional<double> rate;
    std::optional<double> burst;
  };
  void follow(Level& level, std::string_view scope, std::string_view method);
  void apply();

  const std::shared_ptr<DynamicConfig> config_;
  ServiceEntry& entry_;
  const std::function<void(const Told& told)> changed_;
  std::atomic<bool> live_{false};
  // Of the listeners, which run one at a time.
  Level service_;
  std::deque<Level> methods_;  // by the method's place
  std::optional<std::int32_t> weight_;
  mutable std::mutex mutex_;
  Told told_;                                  // under the mutex
  std::vector<DynamicConfig::Watch> watches_;  // end first
};

}  // namespace settee::inline v0::rpc
