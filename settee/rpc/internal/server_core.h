// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a Server is made of, for the protocols that serve its calls.

#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "settee/base/detail/peer_log.h"
#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/net/connection.h"
#include "settee/net/connection_count.h"
#include "settee/net/listener.h"
#include "settee/rpc/events.h"
#include "settee/rpc/internal/binding.h"
#include "settee/rpc/internal/call_limits.h"
#include "settee/rpc/internal/filter_set.h"
#include "settee/rpc/internal/publication.h"
#include "settee/rpc/internal/service_table.h"
#include "settee/rpc/server.h"

namespace settee::inline v0::rpc {

/// Under this key a handler's Context holds its ServerCallItem.
extern const char kServerCall;

struct ServerCallItem final : CancelItem {
  std::atomic<const Call*> call{nullptr};  // null when the call has ended
  mutable Baggage response;
};

/// A call that runs, in one list of its loop.
struct ServerLoop;

class RunningCall {
 public:
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;

 protected:
  RunningCall() = default;
  ~RunningCall() = default;
  void enlist(RunningCall*& first) noexcept {
    next_ = first;
    if (next_ != nullptr) next_->link_ = &next_;
    link_ = &first;
    first = this;
  }
  void delist() noexcept {
    *link_ = next_;
    if (next_ != nullptr) next_->link_ = link_;
  }
  ServerCallItem* item_ = nullptr;  // of which it is an owner

 private:
  friend struct ServerLoop;
  friend class RunningCalls;
  RunningCall* next_ = nullptr;
  RunningCall** link_ = nullptr;
};

/// The calls of one connection.
class RunningCalls {
 public:
  explicit RunningCalls(ServerLoop& loop) noexcept;
  ~RunningCalls();
  RunningCalls(const RunningCalls&) = delete;
  RunningCalls& operator=(const RunningCalls&) = delete;

  RunningCall*& first() noexcept { return first_; }
  /// Takes all out into the loop's list of those without a connection, and shows each.
  template <class See>
  void orphan(See see);

 private:
  friend struct ServerLoop;
  ServerLoop& loop_;
  RunningCall* first_ = nullptr;
  RunningCalls* next_ = nullptr;
  RunningCalls** link_ = nullptr;
};

/// What a server has of one loop; used on that loop only.
struct ServerLoop {
  Loop* loop = nullptr;
  std::shared_ptr<const ServiceTable> table;
  std::uint64_t version = 0;  // of the table
  std::unordered_set<std::shared_ptr<net::Connection>> connections;
  RunningCalls* calls = nullptr;   // of each connection
  RunningCall* orphans = nullptr;  // whose connections have gone

  /// Cancels the Contexts of all calls that run.
  void cancel_calls();
};

template <class See>
void RunningCalls::orphan(See see) {
  while (first_ != nullptr) {
    RunningCall* call = first_;
    call->delist();
    call->enlist(loop_.orphans);
    see(*call);
  }
}

struct ServerStats {
  explicit ServerStats(Stats& stats);
  Counter& calls;
  Counter& failures;  // ended with an Error of any kind
  // The caller's time had passed:
  Counter& expired_arrival;  // when its bytes were looked at
  Counter& expired_queue;    // when the method could begin
  Counter& expired_handled;  // when it ended
  std::array<Counter*, kRefusers> refused;
  Counter& bad_frames;  // broke a rule: connection closed
  Counter& connections_refused;
  Counter& held_back;  // a connection had max_in_flight calls: not read for a while
  Counter& idle_closed;
  Counter& cut_off;  // calls that ran when the time to drain was over
  UpDownCounter& in_flight;
};

struct ServerEvents {
  explicit ServerEvents(EventBus& bus);
  EventChannel<ServerCallReceived> received;
  EventChannel<ServerCallStarted> begun;
  EventChannel<ServerCallSent> sent;
  EventChannel<ServerCallEnded> ended;
  EventChannel<CallRefused> refused;
  EventChannel<ServerStarted> started;
  EventChannel<ServerStopped> stopped;

  /// Whether anybody listens to what becomes of calls.
  bool calls() const noexcept {
    return received.active() || begun.active() || sent.active() || ended.active();
  }
};

class Server::Core : public std::enable_shared_from_this<Server::Core> {
 public:
  Core(Runtime& runtime, ServerOptions options);

  Runtime& runtime;
  const ServerOptions options;
  ServerStats stats;
  const ServerEvents events;
  const net::ConnectionStats net_stats;
  settee::detail::PeerLog peer_log{runtime, "rpc"};
  std::vector<std::unique_ptr<ServerBinding>> bindings;
  std::atomic<std::uint64_t> call_numbers{0};  // of calls of which events tell
  std::atomic<bool> draining{false};
  std::atomic<TimePoint::rep> last_turned_away{0};  // when a call was, while draining

  /// The newest table.
  std::shared_ptr<const ServiceTable> table() const;
  /// What this server has of `loop`. Its table may be an old one, or none: see refresh().
  ServerLoop& of(const Loop& loop);
  bool is_newest(const ServerLoop& loop) const noexcept {
    return loop.version == table_version_.load(std::memory_order_acquire);
  }
  void refresh(ServerLoop& loop) {
    if (!is_newest(loop)) take_table(loop);
  }

  void provide(const ServiceInfo& service, std::shared_ptr<void> owner, void* object,
               ProvideOptions options);
  bool withdraw(std::string_view name);
  bool take_back(std::string_view name);  // the same, from wherever
  void add_filter(FilterUse filter);
  bool remove_filter(std::string_view name);
  void start();
  void stop();
  /// 0 and empty before start().
  std::uint16_t port() const;
  std::string address() const;

  /// Asks ServerOptions::authenticate, under a Context with the caller's baggage. A refusal is counted by
  /// its reason and told; an exception is one.
  Result<void> authenticate(const Call& call, const Baggage* baggage);
  /// Counts a call that was not let in, and tells of it. `reason` is made when somebody listens.
  void refused(RefusedBy by, std::string_view service, std::string_view method,
               std::string_view peer, const std::function<std::string()>& reason);
  /// The same for one whose caller's time has passed.
  void expired(Counter& stage, std::string_view service, std::string_view method,
               std::string_view peer, std::string_view reason);
  void forget(net::Connection& connection);

 private:
  void tell_refused(std::string_view limit, std::string_view service, std::string_view method,
                    std::string_view peer, std::string_view reason);
  enum class State { kNew, kStarting, kStarted, kStopping, kStopped };

  void take_table(ServerLoop& loop);
  void add_chains(ServiceTable& table, const ServiceEntry& entry) const;
  void set_table(std::shared_ptr<ServiceTable> table);  // under the mutex
  void remake_chains();
  void let_go_of_old_tables();
  void publish(const ServiceEntry& entry);
  void end_tuning();
  void open_bindings();
  void admit(const ServiceTable& table, const ServiceEntry& entry) const;
  void listen();
  void shut_down();
  void ended(State state);
  std::size_t running() const;
  void cancel_calls();
  void accept(Loop& loop, net::Socket socket);

  std::unique_ptr<net::Listener> listener_;
  Publication publication_{runtime, options};
  FilterSet filters_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;              // the state
  std::atomic<std::uint64_t> table_version_{1};  // grows with each change of the table
  std::shared_ptr<const ServiceTable> table_ = std::make_shared<ServiceTable>();
  std::vector<std::unique_ptr<ServerLoop>> loops_;
  net::ConnectionCount connections_;
  State state_ = State::kNew;
  bool begun_ = false;      // the bindings have
  bool opened_ = false;     // and have admitted what is provided
  bool published_ = false;  // what is provided now is published at once
  bool stop_wanted_ = false;
  std::shared_ptr<CancelSource> starting_;
};

}  // namespace settee::inline v0::rpc
