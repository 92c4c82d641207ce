// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What tests of registries have in common: a Runtime whose messages can be read, and a listener
// that keeps what it was told.

#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/rpc/registry.h"

namespace settee::rpc::registry_test {

/// Settee's own messages.
class Log {
 public:
  RuntimeOptions options() {
    RuntimeOptions options;
    options.threads = 1;
    options.log = [lines = lines_](LogLevel level, std::string_view, std::string_view message) {
      const std::lock_guard held(lines->mutex);
      lines->all.emplace_back(level, message);
    };
    return options;
  }
  /// How many messages of at least `level` contain `text`.
  int count(std::string_view text, LogLevel level = LogLevel::kDebug) const {
    const std::lock_guard held(lines_->mutex);
    int found = 0;
    for (const auto& [of, message] : lines_->all) {
      if (of >= level && message.find(text) != std::string::npos) ++found;
    }
    return found;
  }
  void clear() {
    const std::lock_guard held(lines_->mutex);
    lines_->all.clear();
  }
  std::string text() const {
    const std::lock_guard held(lines_->mutex);
    std::string all;
    for (const auto& [of, message] : lines_->all) all += message + "\n";
    return all;
  }

 private:
  struct Lines {
    std::mutex mutex;
    std::vector<std::pair<LogLevel, std::string>> all;
  };
  std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();
};

/// A listener's memory.
class Heard {
 public:
  Registry::Listener listener() {
    return [state = state_](const Providers& all) {
      const std::lock_guard held(state->mutex);
      state->lists.push_back(all);
      state->changed.notify_all();
    };
  }
  using Wanted = std::function<bool(const Providers& all)>;
  /// Waits until the last list fits.
  bool wait(const Wanted& wanted, std::chrono::milliseconds most = std::chrono::seconds(30)) const {
    std::unique_lock held(state_->mutex);
    return state_->changed.wait_for(
        held, most, [&] { return !state_->lists.empty() && wanted(state_->lists.back()); });
  }
  /// Waits until the last list has just these addresses, "host:port", in any order.
  bool wait_for(std::vector<std::string> addresses,
                std::chrono::milliseconds most = std::chrono::seconds(30)) const {
    std::sort(addresses.begin(), addresses.end());
    return wait([&](const Providers& all) { return addresses_of(all) == addresses; }, most);
  }
  /// The same for those that serve `key`.
  bool wait_for(const ServiceKey& key, std::vector<std::string> addresses,
                std::chrono::milliseconds most = std::chrono::seconds(30)) const {
    std::sort(addresses.begin(), addresses.end());
    return wait([&](const Providers& all) { return addresses_of(serving(all, key)) == addresses; },
                most);
  }
  static Providers serving(const Providers& all, const ServiceKey& key) {
    Providers some;
    for (const Provider& one : all) {
      if (one.why_not(key).empty()) some.push_back(one);
    }
    return some;
  }
  static std::vector<std::string> addresses_of(const Providers& all) {
    std::vector<std::string> addresses;
    for (const Provider& one : all) addresses.push_back(one.endpoint.to_string());
    std::sort(addresses.begin(), addresses.end());
    return addresses;
  }
  Providers last() const {
    const std::lock_guard held(state_->mutex);
    return state_->lists.empty() ? Providers() : state_->lists.back();
  }
  std::size_t calls() const {
    const std::lock_guard held(state_->mutex);
    return state_->lists.size();
  }
  /// Whether any list so far was such.
  bool ever(const Wanted& wanted) const {
    const std::lock_guard held(state_->mutex);
    return std::any_of(state_->lists.begin(), state_->lists.end(), wanted);
  }

 private:
  struct State {
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::vector<Providers> lists;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

template <class F>
bool eventually(F condition, std::chrono::milliseconds most = std::chrono::seconds(30)) {
  const auto end = std::chrono::steady_clock::now() + most;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

inline ServiceKey service(std::string interface_name, std::string unique_id = {}) {
  ServiceKey key;
  key.interface_name = std::move(interface_name);
  key.unique_id = std::move(unique_id);
  return key;
}
inline Provider provider(std::string_view url) { return Provider::parse(url).value(); }

}  // namespace settee::rpc::registry_test
