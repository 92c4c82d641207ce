// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a Server is made of, for the protocols that serve its calls.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "settee/base/stats.h"
#include "settee/net/connection.h"
#include "settee/net/listener.h"
#include "settee/rpc/internal/binding.h"
#include "settee/rpc/internal/publication.h"
#include "settee/rpc/internal/service_table.h"
#include "settee/rpc/server.h"

namespace settee::inline v0::rpc {

/// Under this key a handler's Context holds its ServerCallItem.
extern const char kServerCall;

struct ServerCallItem final : ContextItem {
  std::atomic<const Call*> call{nullptr};  // null when the call has ended
  mutable Baggage response;
};

struct ServerStats {
  explicit ServerStats(Stats& stats);
  Counter& calls;
  Counter& failures;     // ended with an Error of any kind
  Counter& expired;      // the caller's time had passed: not begun, or not answered
  Counter& refused;      // the pool was full
  Counter& bad_frames;   // broke a rule: connection closed
  Counter& connections_refused;
  Counter& held_back;    // a connection had max_in_flight calls: not read for a while
  Counter& idle_closed;
  Counter& cut_off;      // calls that ran when the time to drain was over
  UpDownCounter& in_flight;
};

class Server::Core : public std::enable_shared_from_this<Server::Core> {
 public:
  Core(Runtime& runtime, ServerOptions options);

  Runtime& runtime;
  const ServerOptions options;
  ServerStats stats;
  const net::ConnectionStats net_stats;
  std::vector<std::unique_ptr<ServerBinding>> bindings;
  Next::Chain filters;
  std::atomic<bool> draining{false};
  std::atomic<TimePoint::rep> last_turned_away{0};  // when a call was, while draining

  // Grows with each change of the table; who has cached one compares.
  std::atomic<std::uint64_t> table_version{1};
  /// The table, and of which version it is.
  std::shared_ptr<const ServiceTable> table(std::uint64_t* version = nullptr) const;

  void provide(const ServiceInfo& service, std::shared_ptr<void> owner, void* object,
               ProvideOptions options);
  bool withdraw(std::string_view name);
  void start();
  void stop();
  /// One line about a peer that broke a rule; a flood of them is summed up.
  void log_bad_peer(std::string_view message);

  std::unique_ptr<net::Listener> listener;
  Publication publication{runtime, options};

 private:
  struct PerLoop {
    Loop* loop;
    std::unordered_set<std::shared_ptr<net::Connection>> connections;
  };
  void accept(Loop& loop, net::Socket socket);
  void pause(Duration time);
  PerLoop& of(Loop& loop);

 public:
  void forget(net::Connection& connection);

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const ServiceTable> table_ = std::make_shared<ServiceTable>();
  std::vector<PerLoop> loops_;
  std::atomic<std::size_t> connections_{0};
  enum class State { kNew, kStarted, kStopped } state_ = State::kNew;
  TimePoint log_second_{};
  int log_count_ = 0;
};

}  // namespace settee::inline v0::rpc
