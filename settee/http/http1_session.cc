// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/internal/http1_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "settee/http/internal/characters.h"
#include "settee/http/internal/http1_write.h"
#include "settee/http/internal/http2_session.h"

namespace settee::inline v0::http {

namespace {

constexpr std::size_t kMostBacklog = 64 * 1024;
// What a peer sends though its answer says that it need not is read and forgotten for a while: to
// close before it has stopped could cost it the answer.
constexpr std::size_t kMostDiscarded = 1024 * 1024;
constexpr std::size_t kMostSkipped = 64 * 1024;
constexpr Duration kLinger = std::chrono::milliseconds(500);

}  // namespace

Http1Session::Http1Session(Link link)
    : Session(std::move(link)),
      limits_{core().options.max_header, core().options.max_fields, core().options.max_target},
      since_(loop().now()),
      late_(core().draining.load()) {
  arm(loop(), late_ ? loop().now() : loop().now() + tick());
}

Http1Session::~Http1Session() {
  if (exchange_) exchange_->cut(Error(Code::kStopped, "the loop has ended"));
}

net::Protocol::Taken Http1Session::on_data(net::Connection& connection,
                                           std::span<const std::uint8_t> data) {
  if (late_) {
    connection.close(Error(Code::kStopped, "the server has been stopped"));
    return {data.size()};
  }
  if (leaving_) {
    discarded_ += data.size();
    if (discarded_ > kMostDiscarded) {
      connection.close(Error(Code::kConnectionClosed, "the peer goes on after its last answer"));
    }
    return {data.size()};
  }
  if (first_) {
    const std::size_t part = std::min(data.size(), kHttp2Preface.size());
    if (std::memcmp(data.data(), kHttp2Preface.data(), part) == 0) {
      if (part < kHttp2Preface.size()) {
        // Each byte can tell that it is none, and what else begins like it may be shorter.
        if (!std::exchange(greeting_, true)) since_ = loop().now();
        return {0, part + 1};
      }
      disarm();
      connection.switch_protocol(std::make_unique<Http2Session>(hand_over()));
      return {0};
    }
    first_ = greeting_ = false;
  }
  if (!backlog_.empty() || (exchange_ && !parser_)) {
    backlog_.insert(backlog_.end(), data.begin(), data.end());
    if (backlog_.size() > kMostBacklog) hold_back(true);
    if (!exchange_ || parser_) go_on();
    return {data.size()};
  }
  direct_ = true;
  const std::size_t used = feed(data);
  direct_ = false;
  const std::span<const std::uint8_t> rest = data.subspan(used);
  if (rest.empty() || connection.closed() || upgraded_) return {used};
  if (leaving_) return {data.size()};
  if (connection.congested() && !exchange_) return {used};  // comes again
  if (exchange_ && (!parser_ || held_back_)) {
    backlog_.assign(rest.begin(), rest.end());
    return {data.size()};
  }
  return {used, rest.size() + 1};
}

// With what has waited.
void Http1Session::go_on() {
  if (leaving_ || connection().closed() || backlog_.empty()) return;
  std::vector<std::uint8_t> data = std::exchange(backlog_, {});
  const std::size_t used = feed(data);
  if (leaving_ || connection().closed()) return;
  data.erase(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(used));
  backlog_ = std::move(data);
  if (backlog_.size() <= kMostBacklog / 2 && !(exchange_ && over_window())) hold_back(false);
}

std::size_t Http1Session::feed(std::span<const std::uint8_t> data) {
  feeding_ = true;
  std::size_t used = 0;
  while (used < data.size() && !leaving_ && !connection().closed()) {
    if (!parser_) {
      if (exchange_ || connection().congested()) break;
      // Some old clients end a body with a line end that it does not have.
      if (data[used] == '\r' && data.size() - used >= 2 && data[used + 1] == '\n' && !stray_line_) {
        stray_line_ = true;
        used += 2;
        continue;
      }
      parser_.emplace(limits_, static_cast<Http1Reader&>(*this));
      since_ = loop().now();
    }
    const Http1Parser::Step step = parser_->read(data.subspan(used), used);
    if (step == Http1Parser::Step::kMore) break;
    if (step == Http1Parser::Step::kBad) {
      refuse(parser_->status(), parser_->rule());
      break;
    }
    if (step == Http1Parser::Step::kHead) {
      if (upgrade_to_http2(parser_->request())) return used;
      begin_exchange();
      if (parser_ && !parser_->has_body()) request_read();
    } else if (step == Http1Parser::Step::kDone) {
      request_read();
    } else if (exchange_ && over_window()) {
      hold_back(true);
      break;
    }
    settle();
  }
  feeding_ = false;
  return used;
}

void Http1Session::begin_exchange() {
  Request& request = parser_->request();
  version_ = request.version;
  keep_alive_ = parser_->keep_alive() && !core().draining.load(std::memory_order_relaxed);
  request.peer = wire_.peer;
  answered_ = false;
  head_sent_ = false;
  const std::string_view expect = request.headers.get("expect");
  expects_continue_ = version_ == Version::kHttp11 && same_name(expect, "100-continue");
  if (!expect.empty() && !expects_continue_ && version_ == Version::kHttp11) {
    refuse(417, "an Expect other than 100-continue");
    return;
  }
  if (request.method == "CONNECT") {
    refuse(501, "CONNECT: this server is no proxy");
    return;
  }
  exchange_ = std::make_shared<Exchange>(wire_.core, loop(), static_cast<Carrier&>(*this));
  const std::shared_ptr<Exchange> held = exchange_;
  held->begin(std::move(request), parser_->has_body(), parser_->length());
}

// All of the request is there.
void Http1Session::request_read() {
  if (exchange_) {
    const std::shared_ptr<Exchange> held = exchange_;
    held->on_body_end(std::move(parser_->trailers()));
  }
  parser_.reset();
  stray_line_ = false;
  skipping_ = false;
  since_ = loop().now();
}

// Whether what is left of a request is so little that it costs less than another connection. Who waits
// for "100 Continue" may send none of it, or all.
bool Http1Session::may_skip() const {
  const auto length = parser_->length();
  return length && *length <= kMostSkipped && !expects_continue_;
}

// After something has ended: the next request, or the end.
void Http1Session::settle() {
  if (!answered_ || !exchange_) return;
  if (parser_) {
    // Answered before it was read.
    exchange_.reset();
    since_ = loop().now();
    skipping_ = keep_alive_ && may_skip();
    if (!skipping_) say_goodbye();
    return;
  }
  exchange_.reset();
  since_ = loop().now();
  if (!keep_alive_) finish_sending();
}

void Http1Session::on_body(std::span<const std::uint8_t> data) {
  if (!exchange_) return;
  const std::shared_ptr<Exchange> held = exchange_;
  held->on_body(data);
}

void Http1Session::want_body() {
  if (head_sent_ || !std::exchange(expects_continue_, false)) return;
  connection().out().append("HTTP/1.1 100 Continue\r\n\r\n");
  connection().cork();
}

bool Http1Session::over_window() const { return exchange_->buffered() >= core().options.window; }

void Http1Session::body_taken(std::size_t) {
  if (!held_back_ || !exchange_ || over_window()) return;
  hold_back(false);
  if (!backlog_.empty()) loop().next_turn(resume_);
}

void Http1Session::hold_back(bool hold) {
  if (std::exchange(held_back_, hold) == hold) return;
  if (hold) {
    connection().pause_reading();
  } else {
    connection().resume_reading();
  }
}

void Http1Session::ended() {
  answered_ = true;
  if (feeding_) return;  // who feeds goes on with it
  settle();
  if (!backlog_.empty()) {
    loop().next_turn(resume_);
  } else {
    hold_back(false);
  }
}

void Http1Session::abort(const Error& why) {
  if (!connection().closed()) connection().close(why);
}

// Answers what cannot be understood, and nothing after it.
void Http1Session::refuse(int status, const std::string& rule) {
  const RefusedBy by = status == 431   ? RefusedBy::kHeader
                       : status == 414 ? RefusedBy::kTarget
                       : status == 408 ? RefusedBy::kHeadTimeout
                                       : RefusedBy::kBadRequest;
  const Error why = refusal(by, rule);
  if (skipping_) {
    connection().close(why);  // it has had its answer
    return;
  }
  if (exchange_) {
    const std::shared_ptr<Exchange> held = std::move(exchange_);
    keep_alive_ = false;
    // A chunk that cannot be read, say. A collected request can still be answered.
    if (held->collecting()) {
      exchange_ = held;
      held->answer_instead(Response::problem(status, rule));
      exchange_.reset();
    } else {
      held->cut(why);
      connection().close(why);
      return;
    }
  } else {
    keep_alive_ = false;
    const Response response = Response::problem(status, rule);
    const bool head_only = parser_ && parser_->request().method == "HEAD";
    send_head(response, response.body.size(), head_only);
    if (!head_only) send_body(response.body.bytes(), true);
  }
  say_goodbye();
}

// What has been said is sent, and what comes is forgotten until the peer closes.
void Http1Session::say_goodbye() {
  if (connection().closed()) return;
  leaving_ = true;
  exchange_.reset();
  parser_.reset();
  backlog_.clear();
  hold_back(false);
  since_ = loop().now();
  arm(loop(), since_ + kLinger);
}

void Http1Session::finish_sending() {
  leaving_ = true;
  if (backlog_.empty()) {
    // The peer takes as long as write_timeout lets it.
    connection().close_when_sent(
        Error(Code::kConnectionClosed, "its last request has been answered"), kNoDeadline);
  } else {
    say_goodbye();
  }
}

void Http1Session::close(const Error& why) {
  connection().close_when_sent(why, loop().now() + std::chrono::seconds(1));
}

void Http1Session::drain() {
  keep_alive_ = false;
  if (!exchange_ && !parser_) finish_sending();
}

void Http1Session::on_drained(net::Connection&) {
  if (exchange_) {
    const std::shared_ptr<Exchange> held = exchange_;
    held->on_room();
  } else {
    go_on();
  }
}

void Http1Session::on_close(net::Connection&, const Error& why) {
  disarm();
  resume_.unqueue();
  if (exchange_) {
    const std::shared_ptr<Exchange> held = std::move(exchange_);
    held->cut(why);
  }
  connection_closed();
}

void Http1Session::on_timer() {
  const ServerOptions& options = core().options;
  const TimePoint now = loop().now();
  arm(loop(), now + tick());
  net::Connection& conn = connection();
  if (late_) {
    conn.close(Error(Code::kStopped, "the server has been stopped"));
    return;
  }
  if (close_if_stuck(now)) return;
  if (leaving_) {
    if (now - since_ >= kLinger && conn.unsent() == 0) {
      conn.close(Error(Code::kConnectionClosed, "its last request has been answered"));
    }
  } else if ((parser_ || greeting_) && !exchange_) {
    if (now - since_ >= options.head_timeout) {
      refuse(408, fmt::format("the head did not come within {} ms", options.head_timeout.count()));
    }
  } else if (exchange_) {
    // Of who does not take its answers no more is read: write_timeout is for that.
    if (parser_ && !conn.congested() && exchange_->body_late(now)) {
      const std::shared_ptr<Exchange> held = exchange_;
      keep_alive_ = false;
      held->refuse(RefusedBy::kBodyTimeout, Response::problem(408, "the body comes too slowly"));
    }
  } else if (now - since_ >= options.idle_timeout && conn.unsent() == 0) {
    core().stats.idle_closed.add();
    conn.close(
        Error(Code::kConnectionClosed, fmt::format("connection of {}: idle for {} ms", peer_text(),
                                                   options.idle_timeout.count())));
  }
}

namespace {

void append_status_line(Buffer& out, int status) {
  if (status == 200) {
    out.append("HTTP/1.1 200 OK\r\n");
  } else {
    out.append(fmt::format("HTTP/1.1 {} {}\r\n", status, reason_of(status)));
  }
}

}  // namespace

void Http1Session::send_head(const Response& response, std::optional<std::uint64_t> length,
                             bool end) {
  // A streaming handler that answers before it reads wants the body all the same.
  if (response.status < 300 && exchange_ && exchange_->running()) want_body();
  head_sent_ = true;
  chunked_ = false;  // what refuses has no exchange of its own
  Buffer& out = connection().out();
  append_status_line(out, response.status);
  bool dated = false;
  for (const Headers::Field field : response.headers) {
    if (field.name.size() == 4 && same_name(field.name, "date")) dated = true;
    append_field(out, field.name, field.value);
  }
  if (!dated) append_field(out, "date", core().of(loop()).date());
  const bool bodyless = response.status == 204 || response.status == 304;
  if (length) {
    append_field(out, "content-length", fmt::format_int(*length).c_str());
  } else if (!bodyless && version_ == Version::kHttp11) {
    append_field(out, "transfer-encoding", "chunked");
    chunked_ = !end;
  } else if (!bodyless) {
    keep_alive_ = false;
  }
  if (parser_ && parser_->has_body() && !(exchange_ && exchange_->running()) && !may_skip()) {
    keep_alive_ = false;
  }
  if (!keep_alive_) {
    append_field(out, "connection", "close");
  } else if (version_ == Version::kHttp10) {
    append_field(out, "connection", "keep-alive");
  }
  out.append("\r\n");
  connection().cork();
}

void Http1Session::send_body(Bytes bytes, bool end) {
  append_part(connection().out(), std::move(bytes), chunked_, end);
  connection().cork();
}

void Http1Session::send_trailers(const Headers& trailers) {
  if (chunked_) {
    Buffer& out = connection().out();
    out.append("0\r\n");
    for (const Headers::Field field : trailers) append_field(out, field.name, field.value);
    out.append("\r\n");
  }
  connection().cork();
}

bool Http1Session::upgrade_to_http2(const Request& request) {
  const Headers& headers = request.headers;
  // One with a body is answered as it came: the peer may ask again with its next.
  if (!direct_ || !headers.has("upgrade", "h2c") || !headers.has("connection", "upgrade") ||
      !headers.has("connection", "http2-settings") || parser_->has_body() ||
      request.version != Version::kHttp11 || core().draining.load(std::memory_order_relaxed)) {
    return false;
  }
  const std::optional<std::string> settings = read_http2_settings(headers);
  if (!settings) return false;
  connection().out().append(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n");
  disarm();
  upgraded_ = true;
  Request first = std::move(parser_->request());
  first.peer = wire_.peer;
  for (const char* name : {"connection", "upgrade", "http2-settings"}) first.headers.remove(name);
  connection().switch_protocol(
      std::make_unique<Http2Session>(hand_over(), std::move(first), *settings));
  return true;
}

}  // namespace settee::inline v0::http
