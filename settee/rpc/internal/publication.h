// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Publication: what a server has made known of its services in registries.
//
// Threads: any; publish() and the withdrawals not a loop's, as they wait for the registries.

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "settee/base/event_bus.h"
#include "settee/base/runtime.h"
#include "settee/base/task.h"
#include "settee/rpc/events.h"
#include "settee/rpc/internal/provide_tuning.h"
#include "settee/rpc/registry.h"
#include "settee/rpc/server.h"

namespace settee::inline v0::rpc {

class Publication {
 public:
  Publication(Runtime& runtime, const ServerOptions& options);

  /// How consumers reach the server that listens at `port`.
  void set_port(std::uint16_t port);
  /// In all registries. An Error names the service and the registry that did not take it in time; it is
  /// kStopped after withdraw_all().
  void publish(const ServiceKey& key, const ProvideOptions& provide, const Told& told,
               const std::shared_ptr<void>& owner);
  /// What consumers are told of it is something else now: it is published so, on a loop, while `owner`
  /// holds this. Does not wait; what a registry does not take in time is logged, and it goes on
  /// trying.
  void renew(std::string_view unique_name, const Told& told, std::shared_ptr<void> owner);
  /// From now on nothing is renewed; what is on its way ends soon, see renewing().
  void end_renewals();
  bool renewing() const;
  /// False if it is not published.
  bool withdraw(std::string_view unique_name);
  /// All, for good; what a registry refuses is logged. True if there was anything.
  bool withdraw_all();

 private:
  struct Entry {
    ServiceKey key;
    Provider provider;
    Told told;
  };
  void withdraw(const Entry& entry);
  void not_withdrawn(const Entry& entry, const Registry& registry, const Error& error) const;
  void begin_renewals(std::shared_ptr<void> owner);
  /// Publishes what is out of date, until nothing is. `running` counts it and holds this.
  Task<void> renew_all(std::shared_ptr<void> running);
  std::optional<Entry> next_to_renew();
  Task<void> renew_one(Entry entry);
  std::optional<Entry> published(std::string_view unique_name) const;

  Runtime& runtime_;
  const ServerOptions& options_;
  const EventChannel<ProviderPublished> published_event_;
  const EventChannel<ProviderWithdrawn> withdrawn_event_;
  CancelSource life_{Context()};  // of renewals
  mutable std::mutex mutex_;
  bool closed_ = false;
  bool no_renewals_ = false;
  bool renewing_ = false;                            // a task will look at `wanted_` once more
  std::size_t renewals_ = 0;                         // tasks that are there
  std::map<std::string, Told, std::less<>> wanted_;  // by unique name: what was to be told last
  Provider self_;
  std::map<std::string, Entry, std::less<>> published_;  // by unique name
};

}  // namespace settee::inline v0::rpc
