// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Publication: what a server has made known of its services in registries.
//
// Threads: any, but not a loop's: it waits for the registries.

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "settee/base/event_bus.h"
#include "settee/base/runtime.h"
#include "settee/rpc/events.h"
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
  void publish(const ServiceKey& key, const ProvideOptions& provide);
  /// False if it is not published.
  bool withdraw(std::string_view unique_name);
  /// All, for good; what a registry refuses is logged. True if there was anything.
  bool withdraw_all();

 private:
  struct Entry {
    ServiceKey key;
    Provider provider;
  };
  void withdraw(const Entry& entry);

  Runtime& runtime_;
  const ServerOptions& options_;
  const EventChannel<ProviderPublished> published_event_;
  const EventChannel<ProviderWithdrawn> withdrawn_event_;
  std::mutex mutex_;
  bool closed_ = false;
  Provider self_;
  std::map<std::string, Entry, std::less<>> published_;  // by unique name
};

}  // namespace settee::inline v0::rpc
