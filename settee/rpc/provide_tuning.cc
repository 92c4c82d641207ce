// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/provide_tuning.h"

#include <fmt/format.h>

#include "settee/rpc/internal/dynamic_keys.h"
#include "settee/rpc/internal/service_table.h"

namespace settee::inline v0::rpc {

using std::chrono::milliseconds;

ProvideTuning::ProvideTuning(std::shared_ptr<DynamicConfig> config, ServiceEntry& entry,
                             std::function<void(const Told& told)> changed)
    : config_(std::move(config)),
      entry_(entry),
      changed_(std::move(changed)),
      methods_(entry.methods.size()),
      told_{entry.options.weight, entry.options.timeout} {
  follow(service_, "service", {});
  follow_key<std::int32_t>(*config_, watches_, "sofa.provider.service", entry_.key, "weight",
                           [this](const std::optional<std::int32_t>& value) {
                             weight_ = value;
                             apply();
                           });
  for (std::size_t i = 0; i < methods_.size(); ++i) {
    follow(methods_[i], "method", entry_.methods[i].name);
  }
}

ProvideTuning::~ProvideTuning() = default;

Told ProvideTuning::told() const {
  const std::lock_guard lock(mutex_);
  return told_;
}

void ProvideTuning::follow(Level& level, std::string_view scope, std::string_view method) {
  const auto one = [&]<class T>(std::string_view setting, std::optional<T> Level::*which) {
    follow_key<T>(*config_, watches_, fmt::format("sofa.provider.{}", scope), entry_.key,
                  method.empty() ? std::string(setting) : fmt::format("{}.{}", method, setting),
                  [this, &level, which](const std::optional<T>& value) {
                    level.*which = value;
                    apply();
                  });
  };
  one("timeout", &Level::timeout);
  one("concurrents", &Level::concurrents);
  one("rate", &Level::rate);
  one("burst", &Level::burst);
}

void ProvideTuning::apply() {
  const TimePoint now = Clock::now();
  const auto limit = [now](CallLimits& limits, const Level& level, const auto& options) {
    const std::size_t concurrents =
        level.concurrents ? static_cast<std::size_t>(*level.concurrents) : options.concurrents;
    limits.set(concurrents, level.rate.value_or(options.rate), level.burst.value_or(options.burst),
               now);
  };
  const ProvideOptions& options = entry_.options;
  limit(*entry_.limits, service_, options);
  const milliseconds of_service = service_.timeout.value_or(options.timeout);
  for (std::size_t i = 0; i < methods_.size(); ++i) {
    MethodEntry& method = entry_.methods[i];
    const auto own = options.methods.find(method.name);
    const ProvideMethod said = own == options.methods.end() ? ProvideMethod() : own->second;
    limit(*method.limits, methods_[i], said);
    const milliseconds timeout =
        methods_[i].timeout.value_or(said.timeout.count() > 0 ? said.timeout : of_service);
    method.timeout.store(timeout, std::memory_order_relaxed);
  }
  const Told told{weight_.value_or(options.weight), of_service};
  {
    const std::lock_guard lock(mutex_);
    if (told == told_) return;
    told_ = told;
  }
  if (live_.load()) changed_(told);
}

}  // namespace settee::inline v0::rpc
