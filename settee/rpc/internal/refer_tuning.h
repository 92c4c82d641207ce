// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ReferTuning: what dynamic configuration says of one reference now. A call reads two numbers, each
// with one relaxed load; what changes them runs on the source's thread.
//
//   tuning_ = std::make_unique<ReferTuning>(*options.dynamic_config, key, methods);
//   timeout = tuning_->method(outgoing.name).timeout()   // before the call's own options
//   timeout = tuning_->service().timeout()               // behind the method's, before the reference's
//
// Threads: all members from any thread.

#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/service.h"
#include "settee/rpc/dynamic_config.h"
#include "settee/rpc/provider.h"

namespace settee::inline v0::rpc {

class ReferTuning {
 public:
  /// Of a method or a service.
  class Slot {
   public:
    std::optional<std::chrono::milliseconds> timeout() const noexcept {
      const std::int64_t ms = timeout_.load(std::memory_order_relaxed);
      return ms < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(ms));
    }
    std::optional<int> retries() const noexcept {
      const int retries = retries_.load(std::memory_order_relaxed);
      return retries < 0 ? std::nullopt : std::optional(retries);
    }

   private:
    friend class ReferTuning;
    std::atomic<std::int64_t> timeout_{-1};
    std::atomic<int> retries_{-1};
  };
  using BalancerListener = std::function<void(const std::optional<std::string>& name)>;

  /// `service`: null for generic calls. `balancer` is called with the name of the load balancer,
  /// none: as configured; first within this constructor, if there is one.
  SETTEE_API ReferTuning(std::shared_ptr<DynamicConfig> config, const ServiceKey& key,
                         const ServiceInfo* service, BalancerListener balancer);

  const Slot& service() const noexcept { return service_; }
  /// Of a described service's method.
  const Slot& method(const ServiceInfo& service, const MethodInfo& method) const noexcept {
    return described_[static_cast<std::size_t>(&method - service.methods.data())]->slot;
  }
  /// Of one that generic calls name. Takes a lock, and watches it from now on.
  SETTEE_API const Slot& method(std::string_view name);

 private:
  struct Named {
    Slot slot;
  };
  void follow(Slot& slot, std::string_view level, std::string_view method);

  const std::shared_ptr<DynamicConfig> config_;
  const ServiceKey key_;
  Slot service_;
  std::vector<Named*> described_;  // by the method's place
  std::mutex mutex_;               // guards all below
  // A program could ask for any number of names: those beyond this are not followed.
  static constexpr std::size_t kMostNamed = 1'000;
  std::map<std::string, Named, std::less<>> named_;
  const Slot none_;
  std::vector<DynamicConfig::Watch> watches_;  // end first
};

}  // namespace settee::inline v0::rpc
