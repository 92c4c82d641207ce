// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A registry in memory, for tests.

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "settee/rpc/registry.h"
#include "settee/rpc/registry/internal/names.h"

namespace settee::rpc {

class MemoryRegistry final : public Registry {
 public:
  const std::string& address() const noexcept override { return address_; }
  std::string status() const override { return "connected"; }
  Task<void> publish(ServiceKey key, Provider provider) override {
    {
      const std::lock_guard lock(mutex_);
      if (refuses) co_await fail(Error(Code::kIo, "the registry is full"));
      log.push_back("publish " + key.unique_name());
      // As the interface asks of every registry.
      lists_[key.unique_name()].push_back(registry::announced(key, std::move(provider)).value());
    }
    push(key.unique_name());
    co_return;
  }
  Task<void> withdraw(ServiceKey key, Provider provider) override {
    {
      const std::lock_guard lock(mutex_);
      log.push_back("withdraw " + key.unique_name());
      std::erase_if(lists_[key.unique_name()],
                    [&](const Provider& one) { return registry::same_address(one, provider); });
    }
    push(key.unique_name());
    co_return;
  }
  Watch watch(ServiceKey key, ConsumerInfo, Listener listener) override {
    auto made = std::make_shared<Watching>(key.unique_name(), std::move(listener));
    {
      const std::lock_guard lock(mutex_);
      watching_.push_back(made);
    }
    if (!silent) push(key.unique_name());
    return made;
  }
  Task<std::vector<std::string>> interfaces() override {
    std::vector<std::string> names;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [name, all] : lists_) names.push_back(name.substr(0, name.find(':')));
    }
    co_return names;
  }
  void stop() override {}

  void set(const std::string& name, Providers all) {
    {
      const std::lock_guard lock(mutex_);
      lists_[name] = std::move(all);
    }
    push(name);
  }
  Providers list(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return lists_[name];
  }
  void push(const std::string& name) {
    const std::lock_guard one_at_a_time(pushing_);
    std::vector<std::shared_ptr<Watching>> told;
    Providers all;
    {
      const std::lock_guard lock(mutex_);
      all = lists_[name];
      for (const auto& weak : watching_) {
        if (auto one = weak.lock(); one && one->name == name) told.push_back(std::move(one));
      }
    }
    for (const auto& one : told) one->listener(all);
  }

  bool silent = false;  // says nothing until push()
  bool refuses = false;
  std::vector<std::string> log;

 private:
  struct Watching {
    Watching(std::string n, Listener l) : name(std::move(n)), listener(std::move(l)) {}
    std::string name;
    Listener listener;
  };
  const std::string address_ = "memory://here";
  std::mutex pushing_;
  std::mutex mutex_;
  std::map<std::string, Providers> lists_;
  std::vector<std::weak_ptr<Watching>> watching_;
};

}  // namespace settee::rpc
