// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Registry: where providers make themselves known and consumers find them.
//
//   std::shared_ptr<Registry> registry = open_registry(runtime, "zookeeper://127.0.0.1:2181");
//   registry->publish(key, provider).get();
//   Registry::Watch watch = registry->watch(key, consumer, [](const Providers& all) { ... });
//
// A registry that cannot be reached is tried again and again, and what was published or watched is
// made good when it is back: publish() waits for it until its Context's deadline, watch() at once
// gives what is remembered, if anything is.
//
// Threads: all members from any thread; publish() and withdraw() on any loop or awaited by get().
// Ownership: make registries after the Runtime, so that they end before it.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/rpc/provider.h"

namespace settee::inline v0::rpc {

/// What a consumer says of itself in a registry that lists consumers.
struct ConsumerInfo {
  std::string app_name;
  std::chrono::milliseconds timeout{3'000};
  bool generic = false;
};

struct RegistryOptions {
  /// ZooKeeper, etcd: so long after the last sign of a process its providers vanish. ZooKeeper's
  /// server has limits of its own (by default 2 and 20 of its ticks), etcd's takes whole seconds.
  std::chrono::milliseconds session_timeout{20'000};
  std::chrono::milliseconds scan_period{2'000};  ///< Local file: how often it is looked at.
  /// A directory of this machine, made if it is not there (mode 0700), in which the last known
  /// providers are kept, a file for each registry and interface; processes may share it. Who begins
  /// a watch is told what the file says when the registry does not answer within a second, or at
  /// once when it is known to be away; what the registry answers then replaces it. An empty list is
  /// not kept. A log line says that it was used and how old it was, or why a file was not believed.
  /// Empty: nothing is kept. (SOFARPC's preferLocalFile.)
  std::string backup_directory = {};
  /// ZooKeeper: SOFARPC's parameters scheme and addAuth, "digest" and "user:password". Nodes are then
  /// made for that user alone, who may read and change them. Never logged. Empty: nobody in
  /// particular, and nodes that all may read and change. etcd: a user of its own and his password; the
  /// scheme is "password", and what he may do is the server's affair.
  std::string auth_scheme = {};
  std::string auth = {};
};

class SETTEE_API Registry {
 public:
  using Listener = std::function<void(const Providers& all)>;

  virtual ~Registry();

  /// "zookeeper://127.0.0.1:2181", "etcd://127.0.0.1:2379", "file:///run/services"
  virtual const std::string& address() const noexcept = 0;
  /// How it is, for a person: "connected", or what is tried, for how long, and why it fails:
  /// "connection lost 12 s ago, connecting to 127.0.0.1:2181 for 12 s: Connection refused". What
  /// else is in the way stands behind "connected; ".
  virtual std::string status() const = 0;

  /// Makes `provider` known as one of `key`, until withdraw() or the registry object ends. Once
  /// more with the same protocol, address and path replaces what was there. What readers look for
  /// and `provider` does not say is added: interface, uniqueId, version, protocol, weight,
  /// language, pid, startTime, rpcVer. With attribute dynamic=false it is registered as offline,
  /// for an operator to switch on.
  ///
  /// An Error of code kTimeout or kCancelled says what was in the way; the registry goes on trying
  /// until withdraw(). Any other Error is final: kInvalidArgument for an address that nobody can
  /// connect to, kIo, kPeerError for what the registry refuses, kStopped.
  virtual Task<void> publish(ServiceKey key, Provider provider) = 0;
  /// Takes away what publish() of this object has made known, and nothing else.
  virtual Task<void> withdraw(ServiceKey key, Provider provider) = 0;

  /// Ends when it is destroyed, which waits for a call of its listener that runs: then none runs,
  /// and none will. A listener may destroy its own.
  using Watch = std::shared_ptr<void>;
  /// Calls `listener` with all providers of the interface that the registry lists, now and after each
  /// change; one call at a time, on the registry's only thread: it must not block, for that
  /// thread also keeps the session or lease, and with that all that was published would go. Those of
  /// other versions, uniqueIds and protocols are among them and say so in their attributes, so that
  /// whoever asks can tell why they do not serve (Provider::why_not). While the registry cannot be
  /// reached nothing is called: what was told last holds. Nothing is filtered but what
  /// cannot be read (logged), what is registered as offline, and all but the latest of several
  /// entries for the same provider (Provider::same_as): the others are what a killed process has
  /// left behind.
  virtual Watch watch(ServiceKey key, ConsumerInfo consumer, Listener listener) = 0;

  /// The interfaces of which the registry lists a provider, or has listed one, by name. An Error as
  /// publish() ends with one.
  virtual Task<std::vector<std::string>> interfaces() = 0;

  /// Withdraws all that was published here and closes, as the destructor does: it waits a few
  /// seconds at most for a registry that does not answer. Not on a loop's thread (Error kMisuse).
  virtual void stop() = 0;

 protected:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
};

/// `url`: zookeeper://host:port[,host:port...][/root], etcd://host:port[,host:port...][/root] (without
/// TLS) or file:///path. Throws an Error (kInvalidArgument) that says what is wrong with it. Does not
/// wait for a connection.
SETTEE_API std::shared_ptr<Registry> open_registry(Runtime& runtime, std::string_view url,
                                                   RegistryOptions options = {});

}  // namespace settee::inline v0::rpc
