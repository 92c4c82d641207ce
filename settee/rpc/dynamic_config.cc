// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/dynamic_config.h"

#include <fmt/format.h>

#include <limits>
#include <thread>

#include "settee/base/config.h"
#include "settee/rpc/cluster/internal/balancer.h"
#include "settee/rpc/internal/call_limits.h"
#include "settee/rpc/internal/dynamic_store.h"
#include "settee/rpc/internal/url.h"

namespace settee::inline v0::rpc {

namespace {

constexpr std::string_view kComponent = "rpc";
// What Java's managers take for "no value".
constexpr std::string_view kNoValue = "RPC_DEFAULT_DYNAMIC_VALUE";

std::string shown(const std::optional<std::string>& value) {
  return value ? fmt::format("\"{}\"", *value) : "nothing";
}

// Whether `value` is a T of which `judge` says nothing.
template <class T, class Judge>
std::string problem_as(const std::string& value, Judge judge) {
  T read{};
  std::string problem = detail::read_dynamic(type_of<T>(), value, &read);
  return problem.empty() ? judge(read) : problem;
}

std::string above_zero(std::chrono::milliseconds time) {
  return time.count() > 0 ? std::string() : "expected a duration above 0";
}

std::string at_least_zero(std::int32_t number) {
  return number >= 0 ? std::string() : "expected an integer of at least 0";
}

// As ProvideOptions may say it: 0 is "as the caller says".
std::string provider_timeout_problem(std::chrono::milliseconds time) {
  constexpr std::int32_t kLongest = std::numeric_limits<std::int32_t>::max();
  if (time.count() >= 0 && time.count() <= kLongest) return {};
  return fmt::format("expected a duration of 0 (none) to {} ms", kLongest);
}

std::string balancer_problem(const std::string& value) {
  const auto made = cluster::make_balancer(value, {}, std::make_shared<cluster::RoundCounters>());
  return made ? std::string() : std::string(made.error().message());
}

std::string problem_of_provider(std::string_view setting, bool of_service,
                                const std::string& value) {
  if (setting == "timeout") {
    return problem_as<std::chrono::milliseconds>(value, provider_timeout_problem);
  }
  if (setting == "concurrents") return problem_as<std::int32_t>(value, concurrents_problem);
  if (setting == "rate") return problem_as<double>(value, rate_problem);
  if (setting == "burst") return problem_as<double>(value, burst_problem);
  if (setting == "weight" && of_service) return problem_as<std::int32_t>(value, at_least_zero);
  return fmt::format("has no effect; the settings of a provider's {}",
                     of_service ? "service are timeout, concurrents, rate, burst and weight"
                                : "method are timeout, concurrents, rate and burst");
}

// Of SOFARPC's own keys, those that nothing here would follow are refused, as misspelt ones are.
std::string problem_of(std::string_view key, const std::string& value) {
  if (!key.starts_with("sofa.")) return {};
  const bool of_service = key.starts_with("sofa.consumer.service.");
  const bool of_method = key.starts_with("sofa.consumer.method.");
  const std::string_view setting = key.substr(key.rfind('.') + 1);
  if (key.starts_with("sofa.provider.service.")) return problem_of_provider(setting, true, value);
  if (key.starts_with("sofa.provider.method.")) return problem_of_provider(setting, false, value);
  if (!of_service && !of_method) {
    return "has no effect; those that have one begin with sofa.consumer.service., "
           "sofa.consumer.method., sofa.provider.service. and sofa.provider.method.";
  }
  if (setting == "timeout") return problem_as<std::chrono::milliseconds>(value, above_zero);
  if (setting == "retries") return problem_as<std::int32_t>(value, at_least_zero);
  if (setting == "loadBalancer" && of_service) return balancer_problem(value);
  return fmt::format("has no effect; the settings of a {}",
                     of_service ? "service are timeout, retries and loadBalancer"
                                : "method are timeout and retries");
}

}  // namespace

namespace detail {

std::string read_dynamic(const TypeInfo& type, std::string_view text, void* out) {
  constexpr std::string_view kKey = "value";
  constexpr std::string_view kPlace = "code: value: ";
  Config config;
  config.set(kKey, text);
  BindOptions options;
  options.plain_milliseconds = true;
  Origins origins;
  const Result<void> done = settee::detail::config_bind(config, kKey, type, out, origins, options);
  if (done) return {};
  std::string_view problem = done.error().message();
  if (problem.starts_with(kPlace)) problem.remove_prefix(kPlace.size());
  return std::string(problem);
}

}  // namespace detail

DynamicConfig::~DynamicConfig() = default;

class DynamicStore::Watcher {
 public:
  Watcher(Runtime& runtime, std::string key, Check check, Listener listener)
      : runtime_(runtime),
        key_(std::move(key)),
        check_(std::move(check)),
        listener_(std::move(listener)) {}

  std::string problem(const std::string& value) const {
    try {
      return check_ ? check_(value) : std::string();
    } catch (...) {
      return fmt::format("its check threw: {}", settee::detail::current_error().what());
    }
  }
  void tell(const std::optional<std::string>& value) {
    Listener ended;  // destroyed without the lock: it may own anything
    const std::lock_guard held(running_);
    if (ended_) return;
    teller_ = std::this_thread::get_id();
    try {
      listener_(value);
    } catch (...) {
      runtime_.log(LogLevel::kError, kComponent,
                   fmt::format("the listener of the dynamic value {} threw: {}", key_,
                               settee::detail::current_error().what()));
    }
    teller_ = std::thread::id();
    if (ended_) ended = std::move(listener_);
  }
  void end() {
    if (teller_ == std::this_thread::get_id()) {  // within the listener: tell() holds the lock
      ended_ = true;
      return;
    }
    Listener ended;
    const std::lock_guard held(running_);
    ended_ = true;
    ended = std::move(listener_);
  }

 private:
  Runtime& runtime_;
  const std::string key_;
  const Check check_;
  std::mutex running_;  // held while the listener runs
  std::atomic<std::thread::id> teller_{};
  bool ended_ = false;
  Listener listener_;
};

DynamicStore::DynamicStore(Runtime& runtime, std::string address)
    : runtime_(runtime),
      address_(std::move(address)),
      changed_(runtime.events().channel<ConfigChanged>()) {}

std::string DynamicStore::status() const {
  const std::lock_guard lock(mutex_);
  return fmt::format("{} value(s) in force{}{}", values_.size(), trouble_.empty() ? "" : "; ",
                     trouble_);
}

std::optional<std::string> DynamicStore::value(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto found = values_.find(key);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

std::map<std::string, std::string> DynamicStore::values() const {
  const std::lock_guard lock(mutex_);
  return {values_.begin(), values_.end()};
}

DynamicConfig::Watch DynamicStore::watch_text(std::string key, Check check, Listener listener) {
  const std::lock_guard telling(telling_);
  const auto watcher =
      std::make_shared<Watcher>(runtime_, key, std::move(check), std::move(listener));
  std::optional<std::string> now;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(watchers_, [](const auto& one) { return one.second.expired(); });
    watchers_.emplace(key, watcher);
    if (const auto found = values_.find(key); found != values_.end()) now = found->second;
  }
  if (now) {
    if (const std::string reason = watcher->problem(*now); reason.empty()) {
      watcher->tell(now);
    } else {
      // Nobody had asked for it as this before.
      refuse(key, {*now, address_}, reason);
    }
  }
  // The Watch is what the user holds of it: when that goes, nobody calls it any more.
  return Watch(watcher.get(), [watcher](void*) { watcher->end(); });
}

std::vector<std::shared_ptr<DynamicStore::Watcher>> DynamicStore::watchers_of(
    std::string_view key) const {
  std::vector<std::shared_ptr<Watcher>> found;
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = watchers_.equal_range(key);
  for (auto it = begin; it != end; ++it) {
    if (std::shared_ptr<Watcher> watcher = it->second.lock()) found.push_back(std::move(watcher));
  }
  return found;
}

std::string DynamicStore::problem(const std::string& key, const std::string& value,
                                  const std::vector<std::shared_ptr<Watcher>>& watchers) const {
  if (std::string reason = problem_of(key, value); !reason.empty()) return reason;
  for (const std::shared_ptr<Watcher>& watcher : watchers) {
    if (std::string reason = watcher->problem(value); !reason.empty()) return reason;
  }
  return {};
}

void DynamicStore::refuse(const std::string& key, const Offer& offer, const std::string& reason) {
  if (const auto before = refused_.find(key);
      before != refused_.end() && before->second == offer.value) {
    return;
  }
  refused_[key] = offer.value;
  const std::optional<std::string> before = value(key);
  log(LogLevel::kWarning,
      fmt::format("{}: {}: {}; {} stays in force", offer.source, key, reason, shown(before)));
  if (changed_.active()) {
    changed_.publish({key, before, offer.value, offer.source, false, reason});
  }
}

void DynamicStore::take(const Offers& all) {
  const std::lock_guard telling(telling_);
  std::map<std::string, Offer> changed;
  std::set<std::string> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, value] : values_) gone.insert(key);
    for (const auto& [key, offer] : all) {
      if (offer.value == kNoValue) continue;
      gone.erase(key);
      const auto found = values_.find(key);
      if (found == values_.end() || found->second != offer.value) {
        changed.emplace(key, offer);
      } else {
        refused_.erase(key);
      }
    }
  }
  const auto apply = [this](const std::string& key, const std::optional<std::string>& value,
                            const std::string& source,
                            const std::vector<std::shared_ptr<Watcher>>& watchers) {
    std::optional<std::string> before;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = values_.find(key); found != values_.end()) before = found->second;
      if (value) {
        values_[key] = *value;
      } else {
        values_.erase(key);
      }
    }
    refused_.erase(key);
    log(LogLevel::kInfo,
        fmt::format("{}: {} is now {}, it was {}", source, key, shown(value), shown(before)));
    for (const std::shared_ptr<Watcher>& watcher : watchers) watcher->tell(value);
    if (changed_.active()) changed_.publish({key, before, value, source, true, {}});
  };
  for (const std::string& key : gone) apply(key, std::nullopt, address_, watchers_of(key));
  for (const auto& [key, offer] : changed) {
    const std::vector<std::shared_ptr<Watcher>> watchers = watchers_of(key);
    const std::string reason = problem(key, offer.value, watchers);
    if (reason.empty()) {
      apply(key, offer.value, offer.source, watchers);
    } else {
      refuse(key, offer, reason);
    }
  }
  std::erase_if(refused_, [&](const auto& one) { return !all.contains(one.first); });
}

void DynamicStore::trouble(const std::string& text) {
  {
    const std::lock_guard lock(mutex_);
    if (trouble_ == text) return;
    trouble_ = text;
  }
  if (!text.empty()) log(LogLevel::kWarning, text);
}

void DynamicStore::unreadable(const std::string& source, const std::string& reason) {
  trouble(fmt::format("{}; what was in force stays so", reason));
  if (changed_.active()) changed_.publish({{}, {}, {}, source, false, reason});
}

void DynamicStore::log(LogLevel level, const std::string& message) const {
  runtime_.log(level, kComponent, fmt::format("dynamic configuration: {}", message));
}

std::shared_ptr<DynamicConfig> open_dynamic_config(Runtime& runtime, std::string_view url,
                                                   std::string_view app,
                                                   DynamicConfigOptions options) {
  const auto wrong = [url](std::string_view why) {
    return Error(Code::kInvalidArgument, fmt::format("dynamic configuration '{}': {}", url, why));
  };
  if (options.scan_period.count() <= 0) {
    throw wrong("DynamicConfigOptions::scan_period is not above 0");
  }
  if (options.session_timeout.count() <= 0) {
    throw wrong("DynamicConfigOptions::session_timeout is not above 0");
  }
  const std::string_view scheme = url.substr(0, url.find("://"));
  if (scheme == "file") return open_dynamic_file(runtime, url, options);
  if (scheme == "zookeeper") {
#ifdef SETTEE_HAVE_ZOOKEEPER
    if (app.empty() || app.find('/') != std::string_view::npos) {
      throw wrong(
          fmt::format("'{}' is no name of an application; ZooKeeper keeps the values under "
                      "sofa-rpc/config/<app>",
                      app));
    }
    return open_dynamic_zookeeper(runtime, url, app, options);
#else
    throw wrong(kNoZookeeper);
#endif
  }
  throw wrong(kUnknownKind);
}

}  // namespace settee::inline v0::rpc
