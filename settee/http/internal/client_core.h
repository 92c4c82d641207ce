// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client's inside. A ClientCall goes to the ClientPool of its loop and origin, which gives it to a
// ClientSession, one connection, that has room for it, or makes another.
//
// Everything is on the loop of the call, its pool and its connections, but for what says otherwise.

#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "settee/base/detail/peer_log.h"
#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/http/client.h"
#include "settee/http/internal/inflow.h"
#include "settee/net/connection.h"
#include "settee/net/listener.h"

namespace settee::inline v0::http {

class ClientCall;
class ClientPool;

/// Which limit ended a call; the tag of settee.http.client.refused.
enum class ClientLimit : std::uint8_t {
  kHeader,
  kBody,
  kWaiting,
  kRedirects,
  kIdleFrames,
  kBadAnswer,
  kPing,
  kCount,
};
const char* to_string(ClientLimit limit) noexcept;

struct ClientStats {
  explicit ClientStats(Stats& stats);
  Counter& requests;
  Counter& failures;
  Counter& timeouts;
  Counter& retries;
  Counter& redirects;
  Counter& connects;
  Counter& connect_failures;
  Counter& idle_closed;
  UpDownCounter& in_flight;
  Counter* refused[static_cast<std::size_t>(ClientLimit::kCount)];
};

class Client::Core final : public std::enable_shared_from_this<Core> {
 public:
  Core(Runtime& runtime, ClientOptions options);
  void stop();
  void refused(ClientLimit limit) { stats.refused[static_cast<std::size_t>(limit)]->add(); }
  /// From any thread; reads files if it is the first time.
  Result<std::shared_ptr<const net::TlsClientContext>> tls();
  /// On the loop.
  std::shared_ptr<ClientPool> pool(Loop& loop, const Url& url);
  void forget(const ClientPool& pool);
  /// Client::send()
  Task<Response> send(Url url, Request request, SendOptions wanted);

  Runtime& runtime;
  const ClientOptions options;
  ClientStats stats;
  const net::ConnectionStats net_stats;
  settee::detail::PeerLog peer_log{runtime, "http"};
  std::atomic<bool> stopped{false};
  std::atomic<std::size_t> connecting{0};

 private:
  Task<Response> send_once(const Url& url, Request& request, const SendOptions& wanted,
                           TimePoint until);
  std::mutex tls_mutex_;
  std::shared_ptr<const net::TlsClientContext> tls_;
  using Pools = std::unordered_map<std::string, std::shared_ptr<ClientPool>>;
  std::vector<Pools> pools_;  // by Loop::index(), each on its loop
};

/// A connection. Owned by it.
class ClientSession : public net::Protocol {
 public:
  explicit ClientSession(std::shared_ptr<ClientPool> pool, net::Connection& connection);
  /// What it does first. The connection is ready to be written to.
  virtual void start() = 0;
  /// Whether it takes one more call.
  virtual bool may_take() const = 0;
  virtual std::size_t calls() const = 0;
  virtual void take(std::shared_ptr<ClientCall> call) = 0;
  virtual void send_body(ClientCall& call, Bytes bytes, bool end) = 0;
  /// Ends the request.
  virtual void send_trailers(ClientCall& call, const Headers& trailers) = 0;
  /// False: ClientCall::on_room() comes when there is.
  virtual bool has_room(const ClientCall& call) const = 0;
  /// Its reader has taken so much of the answer's body.
  virtual void body_taken(ClientCall& call, std::size_t size) = 0;
  /// Nobody waits for this call any more.
  virtual void abandon(ClientCall& call) = 0;
  /// Ends the connection and its calls.
  virtual void close(const Error& why) { connection_.close(why); }

  net::Connection& connection() const noexcept { return connection_; }

 protected:
  Client::Core& core() const noexcept;
  Loop& loop() const noexcept { return connection_.loop(); }
  const ClientOptions& options() const noexcept { return core().options; }
  const std::shared_ptr<ClientPool> pool_;
  net::Connection& connection_;
};

std::unique_ptr<ClientSession> make_http1_client(std::shared_ptr<ClientPool> pool,
                                                 net::Connection& connection);
std::unique_ptr<ClientSession> make_http2_client(std::shared_ptr<ClientPool> pool,
                                                 net::Connection& connection);

/// One try of a call: a request, and what comes of it.
class ClientCall final : public std::enable_shared_from_this<ClientCall>, private Inflow::Bringer {
 public:
  /// Whether another try is safe.
  enum class Again : std::uint8_t {
    kNo,
    kIfIdempotent,  ///< The server may have begun it.
    kYes,           ///< It has not.
  };

  ClientCall(std::shared_ptr<Client::Core> core, Loop& loop, const Url& url, Request request,
             bool streaming, std::size_t max_body);

  const Url url;
  Request request;
  /// Whether gzip and deflate are asked for, and unpacked.
  bool codings = false;
  std::string_view host() const noexcept;
  bool head_only() const noexcept { return request.method == "HEAD"; }

  /// Ends when there is an answer (its head, if it is streamed), or an Error.
  Task<void> wait(TimePoint until);
  /// Good after wait().
  Response take_response();
  /// The request, unless its body is still being sent.
  Request give_back();
  Again again() const noexcept { return again_; }
  /// The body of the request is as it was.
  bool replayable() const noexcept { return request.body.whole() && !pumped_; }
  void give_up(const Error& why);

  // From pool and session.
  void queued(std::shared_ptr<ClientPool> pool) noexcept {
    where_ = Where::kQueued;
    pool_ = std::move(pool);
  }
  bool done() const noexcept { return where_ == Where::kDone; }
  void begun(ClientSession& session);
  /// Its head is sent; now its body, part by part, unless it is whole.
  void pump_body();
  /// All of the request has been sent.
  bool sent() const noexcept { return sent_; }
  void set_sent() noexcept { sent_ = true; }
  /// The final head. False: there is a limit that it does not keep; on_failed() has been called.
  bool on_head(Response head, std::optional<std::uint64_t> length, bool end);
  bool head_done() const noexcept { return head_done_; }
  bool timed_out() const noexcept { return error_ && error_->code() == Code::kTimeout; }
  /// How much of it is done with; for the rest ClientSession::body_taken() comes. Nothing: as on_head().
  std::optional<std::size_t> on_body(std::span<const std::uint8_t> data);
  void on_end(Headers trailers);
  void on_failed(Error error, Again again);
  void on_room();
  std::size_t buffered() const noexcept { return inflow_ ? inflow_->buffered : 0; }

  std::int32_t stream = 0;  ///< HTTP/2's number.
  bool reused = false;      ///< The connection has had calls before this.
  TimePoint begun_at;       ///< When a session took it.

 private:
  enum class Where : std::uint8_t { kNew, kQueued, kBegun, kDone };
  class TurnOver final : public TurnHook {
   public:
    explicit TurnOver(ClientCall& call) noexcept : call_(call) {}

   private:
    void on_turn() override { call_.on_room(); }
    ClientCall& call_;
  };

  void want_body() override {}
  void taken(std::size_t size) override;
  void leave();
  void wake();
  Result<void> unpack();
  settee::detail::Detached pump(std::shared_ptr<ClientCall> self);
  std::string step() const;

  const std::shared_ptr<Client::Core> core_;
  Loop& loop_;
  const Context context_;  // of send()
  const bool streaming_;
  const std::size_t max_body_;
  Where where_ = Where::kNew;
  bool pumped_ = false;
  bool sent_ = false;
  bool head_done_ = false;
  std::shared_ptr<ClientPool> pool_;
  ClientSession* session_ = nullptr;
  Response response_;
  std::optional<std::uint64_t> length_;  // of its body
  std::uint64_t received_ = 0;
  Buffer body_;
  std::shared_ptr<Inflow> inflow_;  // of a streamed answer
  std::optional<Error> error_;
  Again again_ = Again::kNo;
  std::optional<CancelSource> pump_cancel_;
  std::shared_ptr<settee::detail::Parking::State> waiter_;  // for the answer
  std::shared_ptr<settee::detail::Parking::State> room_;    // of the pump
  TurnOver turn_hook_{*this};
};

/// A loop's connections to one origin.
class ClientPool final : public std::enable_shared_from_this<ClientPool> {
 public:
  ClientPool(std::shared_ptr<Client::Core> core, Loop& loop, const Url& url);

  const std::string& origin() const noexcept { return origin_; }
  Client::Core& core() const noexcept { return *core_; }
  Loop& loop() const noexcept { return loop_; }

  void submit(std::shared_ptr<ClientCall> call);
  /// It waits here no more.
  void withdraw(const ClientCall& call);
  /// What waiting calls wait for, for a person.
  std::string waits_for() const;
  /// A session takes calls that it did not take before.
  void dispatch();
  /// Its connection has ended.
  void closed(ClientSession& session);
  void stop(const Error& why);

 private:
  friend class Securing;
  struct Held {
    std::shared_ptr<net::Connection> connection;
    ClientSession* session;  // null: TLS's handshake is under way
  };
  ClientSession* choose() const;
  void connect_more();
  settee::detail::Detached connect(std::shared_ptr<ClientPool> self);
  void begin(net::Socket socket, std::shared_ptr<const net::TlsClientContext> tls);
  void ready(ClientSession& session, bool http2);
  void secured(net::Connection& connection);
  void lost_handshake(net::Connection& connection, const Error& why);
  void failed(const Error& why);
  void forget_if_idle();

  const std::shared_ptr<Client::Core> core_;
  Loop& loop_;
  const Url url_;
  const std::string origin_;
  std::vector<Held> held_;
  std::deque<std::shared_ptr<ClientCall>> waiting_;
  std::size_t connecting_ = 0;
  std::size_t securing_ = 0;           // of those, in held_ already
  bool known_ = false;                 // which version the server speaks
  bool many_ = false;                  // calls on a connection: it is HTTP/2
  std::optional<Error> last_failure_;  // to connect, since it last succeeded
};

}  // namespace settee::inline v0::http
