// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/refer_tuning.h"

#include <fmt/format.h>

namespace settee::inline v0::rpc {

using std::chrono::milliseconds;

ReferTuning::ReferTuning(std::shared_ptr<DynamicConfig> config, const ServiceKey& key,
                         const ServiceInfo* service, BalancerListener balancer)
    : config_(std::move(config)), key_(key) {
  follow(service_, "service", {});
  if (balancer) follow<std::string>("service", "loadBalancer", std::move(balancer));
  if (service == nullptr) return;
  for (const MethodInfo& method : service->methods) {
    const auto [place, fresh] = named_.try_emplace(std::string(method.wire_name));
    if (fresh) follow(place->second.slot, "method", method.wire_name);
    described_.push_back(&place->second);
  }
}

const ReferTuning::Slot& ReferTuning::method(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = named_.find(name); found != named_.end()) return found->second.slot;
  if (named_.size() >= kMostNamed) return none_;
  Slot& slot = named_[std::string(name)].slot;
  follow(slot, "method", name);
  return slot;
}

void ReferTuning::follow(Slot& slot, std::string_view level, std::string_view method) {
  const std::string before = method.empty() ? std::string() : fmt::format("{}.", method);
  follow<milliseconds>(
      level, before + "timeout", [&slot](const std::optional<milliseconds>& value) {
        slot.timeout_.store(value ? value->count() : -1, std::memory_order_relaxed);
      });
  follow<std::int32_t>(level, before + "retries",
                       [&slot](const std::optional<std::int32_t>& value) {
                         slot.retries_.store(value.value_or(-1), std::memory_order_relaxed);
                       });
}

template <class T>
void ReferTuning::follow(std::string_view level, std::string_view suffix,
                         std::function<void(const std::optional<T>&)> set) {
  struct Both {
    std::optional<T> of_interface;
    std::optional<T> of_unique_name;
  };
  // Listeners run one at a time.
  const auto both = std::make_shared<Both>();
  const auto watch = [&](const std::string& name, std::optional<T> Both::*which) {
    watches_.push_back(config_->watch<T>(fmt::format("sofa.consumer.{}.{}.{}", level, name, suffix),
                                         [both, which, set](const std::optional<T>& value) {
                                           (*both).*which = value;
                                           set(both->of_unique_name ? both->of_unique_name
                                                                    : both->of_interface);
                                         }));
  };
  watch(key_.interface_name, &Both::of_interface);
  watch(key_.unique_name(), &Both::of_unique_name);
}

}  // namespace settee::inline v0::rpc
