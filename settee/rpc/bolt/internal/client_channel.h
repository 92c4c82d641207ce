// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Channel: a loop's connection to one address, and the calls that are on their way over it. It
// connects on demand and again after a loss, with growing pauses.

#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/base/stats.h"
#include "settee/net/connection.h"
#include "settee/net/listener.h"
#include "settee/rpc/bolt/frame.h"
#include "settee/rpc/bolt/internal/sofa_message.h"
#include "settee/rpc/client.h"
#include "settee/rpc/internal/binding.h"

namespace settee::inline v0::rpc::bolt {

class Channel;

struct ClientStats {
  explicit ClientStats(Stats& stats);
  Counter& calls;
  Counter& failures;
  Counter& timeouts;
  Counter& overflows;  // refused: the connection's limits
  Counter& connects;
  Counter& connect_failures;
  Counter& heartbeats;
  Counter& heartbeats_missed;
  Counter& bad_frames;
  Counter& late_answers;  // nobody waits for them any more
};

/// What all channels of one client share.
struct ChannelShared {
  ChannelShared(Runtime& runtime, const ClientOptions& options);
  Runtime& runtime;
  ClientOptions options;
  ClientStats stats;
  net::ConnectionStats net_stats;
  std::atomic<bool> stopped{false};
  std::atomic<std::uint32_t> connecting{0};
};

/// How the channels of all loops to one address are, together. Each tells of its own changes;
/// anybody reads, without a lock.
class AddressHealth {
 public:
  /// What a channel adds to it.
  enum class Part : std::uint8_t { kNone, kRetry, kDead, kAvailable };
  /// So many attempts of one channel in a row have failed: it is dead.
  static constexpr int kDeadAfter = 3;

  class Listener {
   public:
    /// The address has become available again; on some loop.
    virtual void reached() = 0;

   protected:
    ~Listener() = default;
  };
  explicit AddressHealth(std::weak_ptr<Listener> listener) : listener_(std::move(listener)) {}

  AddressState state() const noexcept;
  std::string trouble() const;
  void change(Part before, Part now);
  /// An attempt failed, or a connection was lost.
  void failed(const Error& why);

 private:
  static constexpr int kBits = 21;
  static constexpr std::uint64_t unit(Part part) noexcept {
    return part == Part::kNone ? 0 : std::uint64_t{1} << (kBits * (static_cast<int>(part) - 1));
  }
  static std::uint64_t count(std::uint64_t parts, Part part) noexcept {
    return parts >> (kBits * (static_cast<int>(part) - 1)) & ((std::uint64_t{1} << kBits) - 1);
  }

  // How many channels are in each Part, in one word, so that all of it is read at one time.
  std::atomic<std::uint64_t> parts_{0};
  const std::weak_ptr<Listener> listener_;
  mutable std::mutex mutex_;
  std::optional<Error> last_;  // since the address was last available
  TimePoint since_{};
  std::size_t failures_ = 0;
};

/// One call on its way: lives in the frame of the coroutine that makes it.
class PendingCall final : private Timer {
 public:
  struct Request {
    const RequestPrefix* prefix;
    Codec codec;
    const MethodInfo* method;                // for the argument types; null: a generic call
    std::span<const hessian::Value> values;  // of a generic call
    void* const* arguments;
    const TypeInfo* result_type;
    void* result;
    bool oneway;
    CallMeasures* measures;  // null: nobody wants them
    TimePoint now;           // when it is sent
    TimePoint deadline;
    std::string_view service;
    std::string_view name;
  };
  explicit PendingCall(const Request& request) noexcept : request_(request) {}
  ~PendingCall() override;

  class Awaiter : public settee::detail::NativeAwaiter {
   public:
    explicit Awaiter(PendingCall& call) noexcept : call_(&call) {}
    bool await_ready() const noexcept { return call_->ended_; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> self) noexcept {
      call_->promise_ = &self.promise();
    }
    void await_resume() const noexcept {}

   private:
    PendingCall* call_;
  };
  Awaiter answer() noexcept { return Awaiter(*this); }
  const std::optional<Error>& error() const noexcept { return error_; }
  const Baggage& response_baggage() const noexcept { return baggage_; }
  std::int32_t id() const noexcept { return id_; }

 private:
  friend class Channel;
  void on_timer() override;
  void read_answer(const Frame& frame, std::size_t frame_size, const std::string& address);
  void decode_answer(const Frame& frame, const std::string& address);
  void end(std::optional<Error> error) noexcept;

  Request request_;
  Channel* channel_ = nullptr;  // while it is in the channel's table
  std::int32_t id_ = 0;
  bool ended_ = false;
  settee::detail::PromiseBase* promise_ = nullptr;
  std::optional<Error> error_;
  Baggage baggage_;
};

class Channel final : public std::enable_shared_from_this<Channel> {
 public:
  Channel(std::shared_ptr<ChannelShared> shared, std::shared_ptr<AddressHealth> health, Loop& loop,
          net::Endpoint endpoint);
  ~Channel();

  const std::string& address() const noexcept { return address_; }
  bool ready() const noexcept { return connection_ != nullptr; }
  std::size_t in_flight() const noexcept { return in_flight_; }
  bool connecting() const noexcept { return connecting_; }
  /// Not connected, and before its time no attempt is made by a call.
  bool backing_off(TimePoint now) const noexcept { return last_error_ && now < next_attempt_; }
  /// Begins to connect if it is not connected; for good: it goes on until it is retired.
  void begin_connecting();
  /// No room for another call.
  bool full() const noexcept {
    return in_flight_ >= shared_->options.max_in_flight ||
           connection_->unsent() >= shared_->options.max_unsent;
  }

  /// Waits until the channel is connected. An Error when it cannot be, or `by` or the Context's
  /// cancellation comes first.
  Task<void> connected(TimePoint by);
  /// Waits until there is room for a call or the connection has gone. An Error when `by` or the
  /// Context's cancellation comes first.
  Task<void> room(TimePoint by);
  /// Writes the call; its answer comes later. Only when ready(). An Error: nothing has been sent.
  Result<void> send(PendingCall& call);
  /// Ends the call as cancelled, if it is still on its way.
  void cancel(std::int32_t id);
  void stop();
  /// No call is on its way over it, and none will be: it is closed when all has been sent.
  void retire();
  std::string describe_full() const;

 private:
  friend class PendingCall;
  class Protocol;
  class Waiter;
  class Beat;
  class Retry;

  settee::detail::Detached connect(std::shared_ptr<Channel> self);
  void on_connected(net::Socket socket);
  void on_ready();
  void on_failed(Error error);
  void back_off(const Error& error);
  void on_lost(const Error& why);
  net::Protocol::Taken on_data(std::span<const std::uint8_t> data);
  void on_beat();
  void on_response(const Frame& frame, std::size_t frame_size);
  void be(AddressHealth::Part part);
  void forget(PendingCall& call) noexcept;
  PendingCall* take(std::int32_t id) noexcept;
  void insert(PendingCall& call);
  void fail_all(const Error& why);
  void wake(std::optional<Error> error);
  void wake_for_room();
  void resume_later(PendingCall& call) noexcept;
  void run_finished();

  std::shared_ptr<ChannelShared> shared_;
  std::shared_ptr<AddressHealth> health_;
  AddressHealth::Part part_ = AddressHealth::Part::kNone;
  Loop& loop_;
  net::Endpoint endpoint_;
  std::string address_;

  std::shared_ptr<net::Connection> connection_;
  std::shared_ptr<net::Connection> securing_;  // TLS's handshake is not done: still connecting
  bool connecting_ = false;
  bool retired_ = false;
  bool heard_ = false;  // the connection has brought a byte
  bool asked_ = false;  // a call has been sent over it
  TimePoint connected_at_{};
  int failures_ = 0;  // in a row: attempts, and connections that never brought a byte
  TimePoint next_attempt_{};
  std::optional<Error> last_error_;
  std::unique_ptr<Retry> retry_;
  std::unique_ptr<Beat> beat_;
  bool beat_sent_ = false;
  TimePoint beat_at_{};
  int beat_misses_ = 0;

  std::vector<PendingCall*> slots_;  // by id, modulo the size
  std::size_t in_flight_ = 0;
  std::uint32_t next_id_ = 1;
  settee::detail::PromiseBase* finished_ = nullptr;  // to be resumed, in order
  settee::detail::PromiseBase** finished_end_ = &finished_;
  bool resuming_ = false;
  bool making_room_ = false;
  std::deque<Waiter*> waiters_;  // for a connection
  std::deque<Waiter*> room_waiters_;
};

}  // namespace settee::inline v0::rpc::bolt
