// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Http2Session: a server's side of an HTTP/2 connection (RFC 9113). nghttp2 has framing, HPACK, flow
// control and the rules of streams; here are requests, limits and time.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/http/internal/server_core.h"
#include "settee/http/message.h"

namespace settee::inline v0::http {

/// What a client that knows HTTP/2 is spoken here begins with.
inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The settings in the one HTTP2-Settings field of a request that asks for an upgrade.
std::optional<std::string> read_http2_settings(const Headers& headers);

class Http2Session final : public Session, private Timer {
 public:
  /// Of a connection whose next bytes are the preface.
  explicit Http2Session(Link link);
  /// Upgraded by `first`, which is answered on stream 1.
  Http2Session(Link link, Request first, std::string settings);
  ~Http2Session() override;

  void on_begin(net::Connection& connection) override;
  Taken on_data(net::Connection& connection, std::span<const std::uint8_t> data) override;
  void on_close(net::Connection& connection, const Error& why) override;
  void on_drained(net::Connection& connection) override;
  void drain() override;
  void close(const Error& why) override;

 private:
  struct Glue;  // the callbacks of nghttp2
  class Stream;
  class Pump final : public TurnHook {
   public:
    explicit Pump(Http2Session& session) noexcept : session_(session) {}

   private:
    void on_turn() override { session_.pump(); }
    Http2Session& session_;
  };
  struct Native;  // nghttp2's session

  void on_timer() override;
  void pump();
  void pump_later() { loop().at_turn_end(pump_hook_); }
  /// Ends the connection: this peer does it harm. Within a callback; the rest follows it.
  void stop_peer(RefusedBy by, std::string rule);
  void leave_if_done();
  void keep(std::unique_ptr<Stream> stream);
  void let_go(Stream& stream);
  bool may_begin() const;
  void begin(Stream& stream, bool body);
  void take_body(Stream& stream, std::span<const std::uint8_t> data);
  void end_body(Stream& stream);
  void follow_heads(std::span<const std::uint8_t> data);
  void look_at_streams(TimePoint now);

  std::unique_ptr<Native> native_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Stream>> gone_;  // closed within a callback
  Stream* head_of_ = nullptr;                  // whose header block comes
  Stream* upgraded_ = nullptr;                 // not begun yet
  std::shared_ptr<std::size_t> handlers_;      // that run, also of streams that are gone
  std::optional<Request> first_;               // of an upgrade
  std::string settings_;
  Pump pump_hook_{*this};
  Allowance resets_;
  Allowance idle_frames_;
  std::size_t window_updates_ = 0;  // that may still come for the data sent
  std::size_t collected_ = 0;       // bytes of all bodies that are being collected
  TimePoint since_;                 // idle, or waiting for the preface
  TimePoint head_since_;            // of a header block that is not complete
  TimePoint held_up_;               // when no body could come, last
  std::size_t room_ = 0;            // for the bodies of answers, until it is looked at again
  std::size_t frame_left_ = kHttp2Preface.size();  // bytes until the next frame begins
  std::size_t frame_head_size_ = 0;
  std::uint8_t frame_head_[9] = {};
  bool head_ends_ = false;  // with this frame
  std::optional<RefusedBy> stopped_by_;
  std::string stopped_rule_;
  bool greeted_ = false;  // the peer's SETTINGS have come
  bool busy_ = false;     // nghttp2 is on the stack
  bool draining_ = false;
  bool leaving_ = false;
};

}  // namespace settee::inline v0::http
