// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Http1Session: a server's side of an HTTP/1.x connection, up to the point where its peer turns out to
// speak HTTP/2. It has one request at a time; those that come meanwhile wait in `backlog_`.

#pragma once

#include <memory>
#include <optional>

#include "settee/http/internal/exchange.h"
#include "settee/http/internal/http1_parser.h"

namespace settee::inline v0::http {

class Http1Session final : public Session, private Carrier, private Http1Reader, private Timer {
 public:
  explicit Http1Session(Link link);
  ~Http1Session() override;

  Taken on_data(net::Connection& connection, std::span<const std::uint8_t> data) override;
  void on_close(net::Connection& connection, const Error& why) override;
  void on_drained(net::Connection& connection) override;
  void drain() override;
  void close(const Error& why) override;

 private:
  class Resume final : public TurnHook {
   public:
    explicit Resume(Http1Session& session) noexcept : session_(session) {}

   private:
    void on_turn() override { session_.go_on(); }
    Http1Session& session_;
  };

  void send_head(const Response& response, std::optional<std::uint64_t> length, bool end) override;
  void send_body(Bytes bytes, bool end) override;
  void send_trailers(const Headers& trailers) override;
  bool has_room() const override { return !connection().congested(); }
  void want_body() override;
  void body_taken(std::size_t size) override;
  void abort(const Error& why) override;
  void ended() override;
  void on_body(std::span<const std::uint8_t> data) override;
  void on_timer() override;

  /// How many bytes are done with.
  std::size_t feed(std::span<const std::uint8_t> data);
  void go_on();
  void begin_exchange();
  void request_read();
  void settle();
  bool over_window() const;
  bool may_skip() const;
  void refuse(int status, const std::string& rule);
  bool upgrade_to_http2(const Request& request);
  void say_goodbye();
  void finish_sending();
  void hold_back(bool hold);

  const Http1Limits limits_;
  std::optional<Http1Parser> parser_;  // of the request that is being read
  std::shared_ptr<Exchange> exchange_;
  std::vector<std::uint8_t> backlog_;  // what came while a request was answered
  Resume resume_{*this};
  TimePoint since_;  // when the current state began: idle, or a head on its way
  const bool late_;  // handed over when the server had been stopped
  std::size_t discarded_ = 0;
  bool upgraded_ = false;
  bool direct_ = false;      // what is fed comes straight from the connection
  bool skipping_ = false;    // the rest of a request that has been answered
  bool stray_line_ = false;  // one is forgiven before each request
  bool first_ = true;        // nothing has been read yet
  bool greeting_ = false;    // but what the preface of HTTP/2 could begin with
  bool feeding_ = false;
  bool head_sent_ = false;
  bool answered_ = false;  // exchange_ has been
  bool keep_alive_ = true;
  bool chunked_ = false;  // the answer
  bool expects_continue_ = false;
  bool held_back_ = false;
  bool leaving_ = false;  // what comes is not read any more
  Version version_ = Version::kHttp11;
};

}  // namespace settee::inline v0::http
