// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Exchange: one request and its answer, whatever carries them. It finds the handler, collects the body
// or hands it on part by part, runs the handler and sends what that gives.
//
// All on the connection's loop; only handlers may be elsewhere meanwhile. The carrier lets it go with
// cut() or when it has been told ended().

#pragma once

#include "settee/http/internal/compression.h"
#include "settee/http/internal/inflow.h"
#include "settee/http/internal/server_core.h"

namespace settee::inline v0::http {

/// A stream of an HTTP/2 connection, or an HTTP/1.1 connection while it has this request.
class Carrier {
 public:
  /// `length` of the body if known. `end`: neither body nor trailers follow.
  virtual void send_head(const Response& response, std::optional<std::uint64_t> length,
                         bool end) = 0;
  virtual void send_body(Bytes bytes, bool end) = 0;
  /// Ends the answer.
  virtual void send_trailers(const Headers& trailers) = 0;
  /// False: on_room() comes when there is.
  virtual bool has_room() const = 0;
  /// The request's body is wanted: "100 Continue" for who waits for it.
  virtual void want_body() = 0;
  /// The handler has taken so much of the body.
  virtual void body_taken(std::size_t size) = 0;
  /// The answer that has been begun cannot be completed.
  virtual void abort(const Error& why) = 0;
  /// The answer is complete; the exchange may be let go.
  virtual void ended() = 0;

 protected:
  ~Carrier() = default;
};

class Exchange final : public std::enable_shared_from_this<Exchange>, private Inflow::Bringer {
 public:
  Exchange(std::shared_ptr<Server::Core> core, Loop& loop, Carrier& carrier);
  ~Exchange();

  /// The head is there. `length` of its body if told; `body`: there is one.
  void begin(Request request, bool body, std::optional<std::uint64_t> length);
  /// How many bytes are done with; for the others body_taken() comes when the handler takes them.
  std::size_t on_body(std::span<const std::uint8_t> data);
  void on_body_end(Headers trailers);
  void on_room();
  bool waits_for_room() const noexcept { return waiter_ != nullptr; }
  /// The carrier is gone, or has no use for the answer any more.
  void cut(const Error& why);
  /// Answers with this, unless an answer has begun; then it is aborted.
  void refuse(RefusedBy by, Response response);

  /// The same, counted by the caller; only while collecting().
  void answer_instead(Response response) { answer(std::move(response)); }

  /// It has been answered, or cut.
  bool released() const noexcept { return carrier_ == nullptr; }
  /// The body is collected: the peer is waited for.
  bool collecting() const noexcept { return phase_ == Phase::kCollecting; }
  TimePoint begun() const noexcept { return begun_; }
  /// Whether the body comes too slowly, or nothing of it though it is waited for. `could_not`: when the
  /// peer could not send any, for other reasons, last.
  bool body_late(TimePoint now, TimePoint could_not = TimePoint()) const noexcept;
  std::uint64_t received() const noexcept { return received_; }
  std::size_t buffered() const noexcept { return inflow_ ? inflow_->buffered : 0; }
  bool head_only() const noexcept { return head_only_; }
  void cancel() const noexcept;
  /// Whether the handler still runs, also after cut().
  bool running() const noexcept { return running_; }
  /// Among those of the loop whose handlers run.
  Exchange* next_running() const noexcept { return next_running_; }
  /// Called once when it no longer does, or when it is certain that none will.
  std::function<void()> on_handler_end;

 private:
  enum class Phase : std::uint8_t { kNew, kCollecting, kHandling, kAnswering, kEnded };
  class RoomAwaiter;
  class TurnOver final : public TurnHook {
   public:
    explicit TurnOver(Exchange& exchange) noexcept : exchange_(exchange) {}

   private:
    void on_turn() override { exchange_.on_room(); }
    Exchange& exchange_;
  };

  void taken(std::size_t size) override;
  void want_body() override;
  bool let_in();
  void start();
  settee::detail::Detached run(std::shared_ptr<Exchange> self);
  Task<void> send_parts(Body& body);
  Response problem_of(const Error& error);
  void compress(Response& response);
  void fail_answer(const Error& why);
  void tell_end();
  void answer(Response response);
  bool send(Response& response) noexcept;
  bool send_start(Response& response);
  void prepare(Response& response);
  void enlist() noexcept;
  void delist() noexcept;
  void handler_ended() noexcept;
  void drop_body() noexcept;
  void finish();
  void give_back();

  const std::shared_ptr<Server::Core> core_;
  Loop& loop_;
  Carrier* carrier_;
  Phase phase_ = Phase::kNew;
  bool head_only_ = false;
  bool running_ = false;
  bool told_ = false;  // somebody listens
  bool end_told_ = false;
  Coding accepted_ = Coding::kNone;  // of the answer
  Coding encoded_ = Coding::kNone;   // of the request
  Version version_ = Version::kHttp11;
  int status_ = 0;
  std::size_t max_body_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  std::optional<std::uint64_t> length_;  // of the answer
  TimePoint begun_;
  TimePoint body_moved_;  // when some of it last came
  std::chrono::milliseconds body_timeout_{0};
  Request request_;
  Buffer body_;
  std::string method_;  // only if somebody listens
  std::string target_;
  std::string origin_;  // of another site
  std::shared_ptr<const Peer> peer_;
  std::shared_ptr<const Handler> handler_;
  std::shared_ptr<Inflow> inflow_;
  CancelItem* cancel_ = nullptr;
  settee::detail::PromiseBase* waiter_ = nullptr;  // for room
  std::unique_ptr<Compressor> compressor_;
  TurnOver turn_hook_{*this};
  Exchange* next_running_ = nullptr;
  Exchange** to_this_ = nullptr;  // the pointer of the one before it, or of the loop
};

}  // namespace settee::inline v0::http
