// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The services of a server. A table is constant; offering or taking back a service makes a new one.
// Whoever holds an old table may still find a withdrawn service in it, and enter() then fails.

#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "settee/base/service.h"
#include "settee/rpc/internal/call_limits.h"
#include "settee/rpc/internal/filter_set.h"
#include "settee/rpc/internal/provide_tuning.h"
#include "settee/rpc/provider.h"
#include "settee/rpc/server.h"

namespace settee::inline v0::rpc {

struct ServiceEntry;

struct MethodEntry {
  ServiceEntry* service;
  const MethodInfo* info;  // the description's; not to be touched without enter()
  std::string name;
  const char* label = nullptr;  // of the service and the method, for the watchdog
  std::vector<std::string> signatures;
  ThreadPool* pool = nullptr;          // for a blocking method; null: the Runtime's
  std::atomic<Duration> timeout{};     // 0: none; dynamic configuration changes it
  std::unique_ptr<CallLimits> limits;  // its own; the service's are beside it
  bool guarded = false;                // something is checked before a call is let in
  bool streams = false;                // as the description says
  bool takes_stream = false;           // the same, of the request

  /// Of a call that came at `arrived`, by the service's own options; kNoDeadline: they set none.
  TimePoint deadline(TimePoint arrived) const noexcept {
    const Duration own = timeout.load(std::memory_order_relaxed);
    return own.count() > 0 ? arrived + own : kNoDeadline;
  }
  /// Its own limits and the service's. kNobody: the call is in, and leave_limits() is owed; else `by` is
  /// the one that refused it.
  RefusedBy enter_limits(TimePoint now, CallLimits*& by) const noexcept;
  /// For a call that has been let in: when that was, if a limit measures how long calls take.
  TimePoint measured_from() const noexcept;
  /// It has ended. `tells_time`: how long it took says how long such calls take.
  void leave_limits(TimePoint measured_from, bool tells_time) const noexcept;
};

struct ServiceEntry {
  std::string unique_name;
  ServiceKey key;
  ProvideOptions options;
  std::shared_ptr<void> owner;
  void* object = nullptr;
  std::deque<MethodEntry> methods;  // stay where they are
  std::unique_ptr<CallLimits> limits;
  std::unique_ptr<ProvideTuning> tuning;  // null: nothing changes the options; the server's mutex

  /// Begins a call; false if the service has been withdrawn.
  /// Sequentially consistent, as running() is: who enters and then sees no server that drains has
  /// been seen by the one who let it drain and then looked for calls.
  bool enter() noexcept {
    if ((state_.fetch_add(1) & kWithdrawn) == 0) return true;
    leave();
    return false;
  }
  /// The last call of a withdrawn service may find this gone as soon as it has counted itself out: the
  /// wake needs no more than the address.
  void leave() noexcept {
    if (state_.fetch_sub(1, std::memory_order_acq_rel) == (kWithdrawn | 1)) state_.notify_all();
  }
  /// No call begins any more.
  void withdraw() noexcept { state_.fetch_or(kWithdrawn, std::memory_order_acq_rel); }
  std::uint32_t running() const noexcept { return state_.load() & ~kWithdrawn; }
  /// After withdraw().
  void wait_until_quiet() const noexcept {
    for (;;) {
      const std::uint32_t now = state_.load(std::memory_order_acquire);
      if ((now & ~kWithdrawn) == 0) return;
      state_.wait(now);
    }
  }

 private:
  static constexpr std::uint32_t kWithdrawn = std::uint32_t{1} << 31;
  std::atomic<std::uint32_t> state_{0};  // calls that run, and whether it is withdrawn
};

/// Keeps a service that is not being called from being unloaded while its description is looked at.
class Visit {
 public:
  Visit() = default;
  explicit Visit(ServiceEntry& entry) noexcept : entry_(entry.enter() ? &entry : nullptr) {}
  Visit(Visit&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  Visit& operator=(Visit&& other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~Visit() {
    if (entry_ != nullptr) entry_->leave();
  }
  /// False: the service has been withdrawn.
  explicit operator bool() const noexcept { return entry_ != nullptr; }

 private:
  ServiceEntry* entry_ = nullptr;
};

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};

struct ServiceTable {
  std::unordered_map<std::string, std::shared_ptr<ServiceEntry>, TextHash, std::equal_to<>>
      services;
  std::unordered_map<const MethodEntry*, FilterChain> chains;  // of methods with filters

  ServiceEntry* find(std::string_view unique_name) const {
    const auto found = services.find(unique_name);
    return found == services.end() ? nullptr : found->second.get();
  }
  /// Null: no filters.
  FilterChain chain(const MethodEntry& method) const {
    if (chains.empty()) return nullptr;
    const auto found = chains.find(&method);
    return found == chains.end() ? nullptr : found->second;
  }
};

/// An Error (kInvalidArgument) names the option that cannot be. `changeable`: limits may come while
/// calls run, which are counted from the first on for that.
SETTEE_API std::shared_ptr<ServiceEntry> make_entry(Runtime& runtime, const ServiceInfo& service,
                                                    std::shared_ptr<void> owner, void* object,
                                                    ProvideOptions options, bool authenticated,
                                                    bool changeable);

/// True if `method` has exactly this name and these parameter types.
bool matches(const MethodEntry& method, std::string_view name,
             std::span<const std::string_view> signatures) noexcept;
/// The method of that signature; else, since Node and generic callers guess their signatures, the one
/// of that name and number of parameters whose types are nearest. Null: none, or two are as near.
MethodEntry* find_method(ServiceEntry& service, std::string_view name,
                         std::span<const std::string_view> signatures) noexcept;
/// For codecs that carry no types: the only method of that name, else null.
MethodEntry* find_method(ServiceEntry& service, std::string_view name) noexcept;

}  // namespace settee::inline v0::rpc
