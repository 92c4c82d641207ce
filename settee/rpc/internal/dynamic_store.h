// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// DynamicStore: what every source of dynamic configuration has in common. A source brings all that
// it has; the store checks each value, keeps those that pass, and tells who watches.

#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "settee/base/event_bus.h"
#include "settee/rpc/dynamic_config.h"

namespace settee::inline v0::rpc {

class DynamicStore : public DynamicConfig {
 public:
  DynamicStore(Runtime& runtime, std::string address);

  const std::string& address() const noexcept override { return address_; }
  std::string status() const override;
  std::optional<std::string> value(std::string_view key) const override;
  std::map<std::string, std::string> values() const override;
  Watch watch_text(std::string key, Check check, Listener listener) override;

 protected:
  struct Offer {
    std::string value;
    std::string source;  ///< Where it stands.
  };
  using Offers = std::map<std::string, Offer, std::less<>>;
  /// All that the source has now.
  void take(const Offers& all);
  /// What is in the way of the source; empty: nothing. Logged if it is new.
  void trouble(const std::string& text);
  /// The source has something that cannot be read: trouble, and told to those who listen to events.
  void unreadable(const std::string& source, const std::string& reason);

  void log(LogLevel level, const std::string& message) const;

  Runtime& runtime() const noexcept { return runtime_; }

 private:
  class Watcher;
  std::string problem(const std::string& key, const std::string& value,
                      const std::vector<std::shared_ptr<Watcher>>& watchers) const;
  void refuse(const std::string& key, const Offer& offer, const std::string& reason);
  std::vector<std::shared_ptr<Watcher>> watchers_of(std::string_view key) const;

  Runtime& runtime_;
  const std::string address_;
  const EventChannel<ConfigChanged> changed_;
  // Held while listeners are told, so that each sees the values in their order. A listener may watch.
  std::recursive_mutex telling_;
  std::map<std::string, std::string> refused_;  // under telling_: what was last refused of a key
  mutable std::mutex mutex_;                    // guards all below
  std::map<std::string, std::string, std::less<>> values_;
  std::multimap<std::string, std::weak_ptr<Watcher>, std::less<>> watchers_;
  std::string trouble_;
};

/// The sources. See open_dynamic_config().
std::shared_ptr<DynamicConfig> open_dynamic_file(Runtime& runtime, std::string_view url,
                                                 const DynamicConfigOptions& options);
std::shared_ptr<DynamicConfig> open_dynamic_zookeeper(Runtime& runtime, std::string_view url,
                                                      std::string_view app,
                                                      const DynamicConfigOptions& options);

}  // namespace settee::inline v0::rpc
