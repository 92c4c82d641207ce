// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/refer_tuning.h"

#include <fmt/format.h>

#include "settee/rpc/internal/dynamic_keys.h"

namespace settee::inline v0::rpc {

using std::chrono::milliseconds;

ReferTuning::ReferTuning(std::shared_ptr<DynamicConfig> config, const ServiceKey& key,
                         const ServiceInfo* service, BalancerListener balancer)
    : config_(std::move(config)), key_(key) {
  follow(service_, "service", {});
  if (balancer) {
    follow_key<std::string>(*config_, watches_, "sofa.consumer.service", key_, "loadBalancer",
                            std::move(balancer));
  }
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
  const std::string scope = fmt::format("sofa.consumer.{}", level);
  const std::string before = method.empty() ? std::string() : fmt::format("{}.", method);
  follow_key<milliseconds>(*config_, watches_, scope, key_, before + "timeout",
                           [&slot](const std::optional<milliseconds>& value) {
                             slot.timeout_.store(value ? value->count() : -1,
                                                 std::memory_order_relaxed);
                           });
  follow_key<std::int32_t>(*config_, watches_, scope, key_, before + "retries",
                           [&slot](const std::optional<std::int32_t>& value) {
                             slot.retries_.store(value.value_or(-1), std::memory_order_relaxed);
                           });
}

}  // namespace settee::inline v0::rpc
