// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/service_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace settee::inline v0::rpc {

namespace {

// As long as a Bolt request or a Java consumer can say.
constexpr std::chrono::milliseconds kLongest{std::numeric_limits<std::int32_t>::max()};
// Seconds; in nanoseconds it leaves room for the clock's own value.
constexpr double kLongestPause = 1e9;
constexpr std::size_t kMostAtOnce = 1'000'000'000;

// Throws an Error about options of `name` that could not be meant.
void check(const std::string& name, const ProvideOptions& options, const ServiceInfo& service) {
  const auto fail = [&](const std::string& what) {
    throw Error(Code::kInvalidArgument, fmt::format("provide {}: {}", name, what));
  };
  const auto check_time = [&](std::string_view of, std::chrono::milliseconds time) {
    if (time.count() < 0) fail(fmt::format("{} is negative", of));
    if (time > kLongest) {
      fail(fmt::format("{} is {} ms; at most {}", of, time.count(), kLongest.count()));
    }
  };
  const auto check_rate = [&](std::string_view of, double rate, double burst) {
    if (const std::string problem = rate_problem(rate); !problem.empty()) {
      fail(fmt::format("{}rate is {}; {}", of, rate, problem));
    }
    if (const std::string problem = burst_problem(burst); !problem.empty()) {
      fail(fmt::format("{}burst is {}; {}", of, burst, problem));
    }
    if (burst > 0 && rate == 0) fail(fmt::format("{}burst without a rate", of));
    if (burst > rate * kLongestPause) {
      fail(fmt::format("{}burst is {}, which a rate of {} saves up in more than {:g} s", of, burst,
                       rate, kLongestPause));
    }
  };
  check_rate("", options.rate, options.burst);
  check_time("timeout", options.timeout);
  check_time("warmup_time", options.warmup_time);
  const AdaptiveLimit& adaptive = options.adaptive;
  if (adaptive.max > 0) {
    if (adaptive.min == 0 || adaptive.min > adaptive.max) {
      fail(fmt::format("adaptive: min is {} and max {}; min is at least 1 and at most max",
                       adaptive.min, adaptive.max));
    }
    if (adaptive.max > kMostAtOnce) {
      fail(fmt::format("adaptive: max is {}; at most {}", adaptive.max, kMostAtOnce));
    }
    check_time("adaptive: window", adaptive.window);
    check_time("adaptive: probe", adaptive.probe);
    if (!(adaptive.buffer >= 0) || adaptive.window.count() <= 0 || adaptive.probe.count() <= 0) {
      fail("adaptive: buffer is negative, or window or probe is no time");
    }
  }
  for (const auto& [method_name, method] : options.methods) {
    const auto same = [&wanted = method_name](const MethodInfo& info) {
      return info.wire_name == wanted;
    };
    if (std::none_of(service.methods.begin(), service.methods.end(), same)) {
      std::string known;
      for (const MethodInfo& info : service.methods) {
        known += fmt::format("{}{}", known.empty() ? "" : ", ", info.wire_name);
      }
      fail(fmt::format("methods: there is none named '{}'; there are {}", method_name, known));
    }
    check_rate(fmt::format("method {}: ", method_name), method.rate, method.burst);
    check_time(fmt::format("method {}: timeout", method_name), method.timeout);
  }
}

}  // namespace

RefusedBy MethodEntry::enter_limits(TimePoint now, CallLimits*& by) const noexcept {
  by = limits.get();
  RefusedBy refused = by == nullptr ? RefusedBy::kNobody : by->enter(now);
  if (refused != RefusedBy::kNobody) return refused;
  by = service->limits.get();
  refused = by == nullptr ? RefusedBy::kNobody : by->enter(now);
  if (refused != RefusedBy::kNobody && limits) limits->cancel();
  return refused;
}

TimePoint MethodEntry::measured_from() const noexcept {
  // Only a service's limit can be adaptive.
  return service->limits && service->limits->measures() ? Clock::now() : TimePoint();
}

void MethodEntry::leave_limits(TimePoint measured_from, bool tells_time) const noexcept {
  const bool measured = measured_from != TimePoint();
  const TimePoint now = measured ? Clock::now() : TimePoint();
  const Duration took = measured ? now - measured_from : Duration();
  if (limits) limits->leave(now, took, tells_time);
  if (service->limits) service->limits->leave(now, took, tells_time);
}

std::shared_ptr<ServiceEntry> make_entry(Runtime& runtime, const ServiceInfo& service,
                                         std::shared_ptr<void> owner, void* object,
                                         ProvideOptions options, bool authenticated,
                                         bool changeable) {
  if (object == nullptr) {
    throw Error(Code::kInvalidArgument,
                fmt::format("provide {}: the object is null", service.interface_name));
  }
  auto entry = std::make_shared<ServiceEntry>();
  entry->key.interface_name = service.interface_name;
  entry->key.version = options.version;
  entry->key.unique_id = options.unique_id;
  entry->unique_name = entry->key.unique_name();
  check(entry->unique_name, options, service);
  entry->owner = std::move(owner);
  entry->object = object;
  entry->options = std::move(options);
  const ProvideOptions& of_service = entry->options;
  if (of_service.pool) of_service.pool->show_in(runtime.stats());
  if (changeable || of_service.concurrents > 0 || of_service.rate > 0 ||
      of_service.adaptive.max > 0) {
    entry->limits = std::make_unique<CallLimits>(of_service.concurrents, of_service.rate,
                                                 of_service.burst, of_service.adaptive);
  }
  for (const MethodInfo& method : service.methods) {
    MethodEntry& made = entry->methods.emplace_back();
    made.service = entry.get();
    made.info = &method;
    made.name = method.wire_name;
    made.streams = method.streaming();
    made.takes_stream = method.request_stream != nullptr;
    made.label = runtime.intern(fmt::format("{}#{}", entry->unique_name, made.name));
    for (const ParameterInfo& parameter : method.parameters) {
      made.signatures.push_back(java_name(*parameter.type));
    }
    made.pool = of_service.pool.get();
    std::chrono::milliseconds timeout = of_service.timeout;
    ProvideMethod of_method;
    if (const auto own = of_service.methods.find(made.name); own != of_service.methods.end()) {
      of_method = own->second;
      if (of_method.pool) {
        of_method.pool->show_in(runtime.stats());
        made.pool = of_method.pool.get();
      }
      if (of_method.timeout.count() > 0) timeout = of_method.timeout;
    }
    if (changeable || of_method.concurrents > 0 || of_method.rate > 0) {
      made.limits = std::make_unique<CallLimits>(of_method.concurrents, of_method.rate,
                                                 of_method.burst, AdaptiveLimit());
    }
    made.timeout = timeout;
    made.guarded = authenticated || entry->limits || made.limits || timeout.count() > 0;
  }
  return entry;
}

bool matches(const MethodEntry& method, std::string_view name,
             std::span<const std::string_view> signatures) noexcept {
  return method.name == name && std::equal(method.signatures.begin(), method.signatures.end(),
                                           signatures.begin(), signatures.end());
}

namespace {

enum class Family { kNumber, kText, kTruth, kList, kMap, kOther };

Family family(std::string_view type) {
  for (const std::string_view number :
       {"int", "long", "short", "byte", "double", "float", "java.lang.Integer", "java.lang.Long",
        "java.lang.Short", "java.lang.Byte", "java.lang.Double", "java.lang.Float",
        "java.math.BigDecimal", "java.math.BigInteger"}) {
    if (type == number) return Family::kNumber;
  }
  for (const std::string_view text : {"java.lang.String", "char", "java.lang.Character"}) {
    if (type == text) return Family::kText;
  }
  if (type == "boolean" || type == "java.lang.Boolean") return Family::kTruth;
  if (type.starts_with('[') || type == "java.util.List" || type == "java.util.Set" ||
      type.starts_with("java.util.ArrayList") || type == "java.util.Collection" ||
      type == "java.util.LinkedList" || type == "java.util.HashSet") {
    return Family::kList;
  }
  if (type == "java.util.Map" || type == "java.util.HashMap" || type == "java.util.LinkedHashMap") {
    return Family::kMap;
  }
  return Family::kOther;
}

// How far a caller's idea of a parameter's type is from the real one; 0: the same.
int distance(std::string_view wanted, std::string_view given) {
  if (wanted == given) return 0;
  if (given == "null" || given.empty()) return 2;
  if (wanted == "java.lang.Object") return 3;
  const Family a = family(wanted);
  const Family b = family(given);
  if (a == b) return a == Family::kOther ? 4 : 1;
  // Beans come as maps from callers that know no class, enums as text.
  if (a == Family::kOther && (b == Family::kMap || b == Family::kText)) return 3;
  return 10;
}

}  // namespace

MethodEntry* find_method(ServiceEntry& service, std::string_view name,
                         std::span<const std::string_view> signatures) noexcept {
  MethodEntry* best = nullptr;
  int best_distance = 0;
  bool tie = false;
  for (MethodEntry& method : service.methods) {
    if (method.name != name || method.signatures.size() != signatures.size()) continue;
    int sum = 0;
    for (std::size_t i = 0; i < signatures.size(); ++i) {
      sum += distance(method.signatures[i], signatures[i]);
    }
    if (sum == 0) return &method;
    if (best == nullptr || sum < best_distance) {
      best = &method;
      best_distance = sum;
      tie = false;
    } else if (sum == best_distance) {
      tie = true;
    }
  }
  return tie ? nullptr : best;
}

MethodEntry* find_method(ServiceEntry& service, std::string_view name) noexcept {
  MethodEntry* found = nullptr;
  for (MethodEntry& method : service.methods) {
    if (method.name != name) continue;
    if (found != nullptr) return nullptr;
    found = &method;
  }
  return found;
}

}  // namespace settee::inline v0::rpc
