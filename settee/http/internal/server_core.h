// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What all connections of a Server share, and what each of its loops has of it.

#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <unordered_set>

#include "settee/base/detail/peer_log.h"
#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/http/internal/allowance.h"
#include "settee/http/server.h"
#include "settee/net/connection_count.h"
#include "settee/net/listener.h"

namespace settee::inline v0::http {

/// Which limit or rule refused something; the tag of settee.http.server.refused.
enum class RefusedBy : std::uint8_t {
  kBadRequest,
  kConnections,
  kConnectionsOfPeer,
  kHeader,
  kTarget,
  kBody,
  kEncoding,
  kToken,
  kOrigin,
  kHeadTimeout,
  kBodyTimeout,
  kWriteTimeout,
  kStreams,
  kResets,
  kIdleFrames,
  kCount,
};
const char* to_string(RefusedBy by) noexcept;

struct ServerStats {
  explicit ServerStats(Stats& stats);
  Counter& requests;
  Counter& failures;
  Counter& idle_closed;
  Counter& cut_off;
  UpDownCounter& in_flight;
  Counter* refused[static_cast<std::size_t>(RefusedBy::kCount)];
};

class Exchange;

/// A connection's protocol. Loop's thread only.
class Session : public net::Protocol {
 public:
  struct Link {
    std::shared_ptr<Server::Core> core;
    net::Connection& connection;
    std::function<void(net::Connection&)> closed;
    std::shared_ptr<const Peer> peer;
  };

  explicit Session(Link link);
  ~Session() override;
  /// Ends what is idle and takes on no more than what is on its way.
  virtual void drain() = 0;
  /// Ends the connection when what there is has been sent, or in a second.
  virtual void close(const Error& why) = 0;
  net::Connection& connection() const noexcept { return wire_.connection; }

 protected:
  Server::Core& core() const noexcept { return *wire_.core; }
  Loop& loop() const noexcept { return wire_.connection.loop(); }
  const std::string& peer_text() const noexcept { return wire_.peer->text; }
  /// For the session that takes over.
  Link hand_over() noexcept;
  void connection_closed();
  /// Closes the connection because of its peer: counted and logged.
  Error refusal(RefusedBy by, std::string_view rule);
  /// True: the connection is closed, as its peer has taken nothing for write_timeout.
  bool close_if_stuck(TimePoint now);
  /// How often timeouts are looked at.
  Duration tick() const noexcept;

  Link wire_;

 private:
  bool handed_over_ = false;
  TimePoint stuck_since_;  // of bytes that the peer does not take
};

/// What a loop has of a server.
struct ServerLoop {
  Loop* loop = nullptr;
  std::unordered_set<std::shared_ptr<net::Connection>> connections;  // accepted by the server
  std::unordered_set<Session*> sessions;                             // those and handed over ones
  Exchange* running = nullptr;                                       // the first whose handler runs

  /// The text of a Date header, of this second.
  std::string_view date();

 private:
  std::string date_;
  TimePoint date_made_;
};

class Server::Core final : public std::enable_shared_from_this<Core> {
 public:
  Core(Runtime& runtime, std::shared_ptr<Router> router, ServerOptions options);

  void start();
  void drain();
  void stop(TimePoint began, TimePoint by);
  ServerLoop& of(const Loop& loop);
  std::unique_ptr<net::Protocol> protocol(net::Connection& connection,
                                          std::function<void(net::Connection&)> closed);

  void refused(RefusedBy by) { stats.refused[static_cast<std::size_t>(by)]->add(); }
  void log(LogLevel level, std::string_view message) const { runtime.log(level, "http", message); }

  std::uint16_t port() const;
  std::string address() const;

  Runtime& runtime;
  const std::shared_ptr<Router> router;
  const ServerOptions options;
  ServerStats stats;
  const net::ConnectionStats net_stats;
  const EventChannel<RequestEnded> ended;
  settee::detail::PeerLog peer_log{runtime, "http"};
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> running{0};     // handlers
  std::atomic<std::size_t> unanswered{0};  // requests whose peer still waits

 private:
  class Securing;
  void accept(Loop& loop, net::Socket socket);
  std::unique_ptr<net::Protocol> own_protocol(net::Connection& connection);
  void forget(net::Connection& connection);
  void shut_down(TimePoint began, TimePoint by);
  void on_each_session(const std::function<void(Session&)>& act);

  enum class State { kNew, kStarted, kStopping, kStopped };

  std::vector<std::unique_ptr<ServerLoop>> loops_;
  net::ConnectionCount connections_;
  std::atomic<std::size_t> sessions_{0};
  friend class Session;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kNew;
  std::unique_ptr<net::Listener> listener_;
};

}  // namespace settee::inline v0::http
