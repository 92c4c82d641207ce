// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls that do not leave the process. LocalServices knows what the started servers of a Runtime
// provide; LocalTarget is a service as a reference calls it there:
//
//   if (local->there() && co_await local->call(outgoing)) co_return;   // else over a connection
//
// Such a call is a call like any other: it counts for withdraw() and stop(), passes the server's
// filters (peer "local"), has the deadline, cancellation and baggage of its caller and a Context of
// its own, and its errors are those that the caller of a remote server would get. Arguments and
// results are copies. It stays on the caller's loop, unless the method blocks.
//
// Threads: any, but call() of a LocalTarget goes on on a loop.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/rpc/internal/binding.h"
#include "settee/rpc/internal/service_table.h"

namespace settee::inline v0::rpc {

/// A service, and the server that provides it. Who keeps one beyond a call keeps it weakly: the
/// provider's object belongs to the server.
struct LocalService {
  std::shared_ptr<Server::Core> server;
  std::shared_ptr<ServiceEntry> entry;
};

/// The one of a Runtime: Runtime::part<LocalServices>().
class LocalServices {
 public:
  /// The server has been started.
  void add(std::shared_ptr<Server::Core> server);
  /// It begins no call any more (Server::Core::draining is set). Does nothing if it is not there.
  void remove(const Server::Core& server);
  /// A server's table has changed. Does nothing if the server is not there.
  void changed(const Server::Core& server);

  /// Grows with each change.
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  /// Of several servers the one that was started first. Null: nobody provides it.
  std::shared_ptr<const LocalService> find(std::string_view unique_name);

 private:
  using Found = std::unordered_map<std::string, std::shared_ptr<const LocalService>, TextHash,
                                   std::equal_to<>>;
  Found next_version();  // what was found before, to be released without the lock

  std::atomic<std::uint64_t> version_{1};
  std::mutex mutex_;
  std::vector<std::shared_ptr<Server::Core>> servers_;
  Found found_;
};

class SETTEE_API LocalTarget {
 public:
  /// `service`: what the caller's methods are described by; null: they are called by name.
  LocalTarget(Runtime& runtime, const ServiceInfo* service, std::string unique_name);
  ~LocalTarget();

  /// Whether it is provided in this process now. Two loads while nothing has changed.
  bool there() {
    const std::uint64_t version = services_->version();
    const std::uint64_t known = known_.load(std::memory_order_acquire);
    return known >> 1 == version ? (known & 1) != 0 : look(version);
  }
  /// Makes the call. False: the service is not provided any more, and nothing was begun.
  Task<bool> call(Outgoing outgoing);

 private:
  struct Slot;
  bool look(std::uint64_t version);
  void refresh(Slot& slot);

  Runtime& runtime_;
  const std::shared_ptr<LocalServices> services_;
  const ServiceInfo* const service_;
  const std::string name_;
  std::vector<std::vector<std::string>> signatures_;  // of the methods of service_
  std::atomic<std::uint64_t> known_{0};               // version, and whether it was there
  std::unique_ptr<Slot[]> slots_;  // for each loop, used there only
};

}  // namespace settee::inline v0::rpc
