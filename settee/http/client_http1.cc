// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A client's side of an HTTP/1.1 connection: one call at a time.

#include <fmt/format.h>

#include "settee/http/internal/characters.h"
#include "settee/http/internal/client_core.h"
#include "settee/http/internal/http1_parser.h"
#include "settee/http/internal/http1_write.h"

namespace settee::inline v0::http {

namespace {

constexpr int kMostInterim = 16;  // answers of 1xx before the one that counts
constexpr std::size_t kReason = 1024;

bool belongs_to_connection(std::string_view name) {
  for (const std::string_view one : {"connection", "content-length", "transfer-encoding",
                                     "keep-alive", "upgrade", "proxy-connection", "host", "te"}) {
    if (same_name(name, one)) return true;
  }
  return false;
}

class Http1Client final : public ClientSession,
                          private Http1Reader,
                          private Timer,
                          private TurnHook {
 public:
  using ClientSession::ClientSession;

  void start() override { become_idle(); }
  bool may_take() const override { return call_ == nullptr && !leaving_; }
  std::size_t calls() const override { return call_ == nullptr ? 0 : 1; }
  void take(std::shared_ptr<ClientCall> call) override;
  void send_body(ClientCall& call, Bytes bytes, bool end) override;
  void send_trailers(ClientCall& call, const Headers& trailers) override;
  bool has_room(const ClientCall&) const override { return !connection_.congested(); }
  void body_taken(ClientCall&, std::size_t) override { hold_back_if_full(); }
  void abandon(ClientCall& call) override;
  void close(const Error& why) override {
    why_ = why;
    connection_.close(why);
  }

  Taken on_data(net::Connection& connection, std::span<const std::uint8_t> data) override;
  void on_close(net::Connection& connection, const Error& why) override;
  void on_drained(net::Connection&) override {
    if (const std::shared_ptr<ClientCall> held = call_) held->on_room();
  }

 private:
  void on_timer() override;
  void on_turn() override;
  void on_body(std::span<const std::uint8_t> data) override;
  bool on_head();
  void complete(bool more);
  void tell_end();
  void refuse(Code code, const std::string& what);
  void become_idle() { arm(loop(), loop().now() + options().idle_timeout); }
  void hold_back_if_full();

  std::shared_ptr<ClientCall> call_;
  std::optional<Http1ResponseParser> parser_;
  std::optional<Error> why_;  // it is closed for, by us
  // Answered in full; hears of it at the end of the turn.
  std::shared_ptr<ClientCall> answered_;
  Headers trailers_;  // of its answer
  int interim_ = 0;
  bool used_ = false;     // it has had a call
  bool heard_ = false;    // some of the answer
  bool chunked_ = false;  // the request's body
  bool leaving_ = false;
};

void Http1Client::take(std::shared_ptr<ClientCall> call) {
  disarm();
  call_ = std::move(call);
  const std::shared_ptr<ClientCall> held = call_;
  held->begun(*this);
  held->reused = std::exchange(used_, true);
  interim_ = 0;
  heard_ = false;
  const Request& request = held->request;
  Buffer& out = connection_.out();
  out.append(request.method);
  out.append(" ");
  out.append(request.target);
  out.append(" HTTP/1.1\r\n");
  append_field(out, "host", held->host());
  for (const Headers::Field field : request.headers) {
    if (!belongs_to_connection(field.name)) append_field(out, field.name, field.value);
  }
  if (held->codings) append_field(out, "accept-encoding", "gzip, deflate");
  const std::optional<std::uint64_t> size = request.body.size();
  chunked_ = !size;
  const bool has_body = !request.body.whole() || !request.body.bytes().empty();
  if (chunked_) {
    append_field(out, "transfer-encoding", "chunked");
  } else if (has_body || request.method == "POST" || request.method == "PUT" ||
             request.method == "PATCH") {
    append_field(out, "content-length", fmt::format_int(*size).c_str());
  }
  out.append("\r\n");
  if (request.body.whole()) {
    out.append(request.body.bytes());
    held->set_sent();
    connection_.cork();
  } else {
    connection_.cork();
    held->pump_body();
  }
}

void Http1Client::send_body(ClientCall&, Bytes bytes, bool end) {
  append_part(connection_.out(), std::move(bytes), chunked_, end);
  connection_.cork();
}

void Http1Client::send_trailers(ClientCall&, const Headers& trailers) {
  if (!chunked_) return;
  Buffer& out = connection_.out();
  out.append("0\r\n");
  for (const Headers::Field field : trailers) append_field(out, field.name, field.value);
  out.append("\r\n");
  connection_.cork();
}

// Whoever answers behind it could not be told apart.
void Http1Client::abandon(ClientCall& call) {
  if (answered_.get() == &call) {
    answered_.reset();  // nothing of it is left here, and the next call may be
    return;
  }
  call_.reset();
  close(Error(Code::kConnectionClosed, "the call on it was given up"));
}

net::Protocol::Taken Http1Client::on_data(net::Connection& connection,
                                          std::span<const std::uint8_t> data) {
  if (call_ == nullptr) {
    core().peer_log.warn(fmt::format("{}: {} sends {} bytes that nobody has asked for; closed",
                                     pool_->origin(), connection.peer().to_string(), data.size()));
    close(Error(Code::kProtocol, "bytes that nobody has asked for"));
    return {data.size()};
  }
  heard_ = true;
  std::size_t used = 0;
  while (used < data.size() && call_ != nullptr && !connection.closed()) {
    if (!parser_) {
      parser_.emplace(Http1Limits{options().max_header, options().max_fields, kReason},
                      static_cast<Http1Reader&>(*this), call_->head_only());
    }
    const Http1Step step = parser_->read(data.subspan(used), used);
    // What was read may have ended the call.
    if (connection.closed() || call_ == nullptr) break;
    if (step == Http1Step::kMore) return {used, data.size() - used + 1};
    if (step == Http1Step::kBad) {
      if (parser_->too_large()) {
        core().refused(ClientLimit::kHeader);
        refuse(Code::kLimit, fmt::format("{} (max_header, max_fields)", parser_->rule()));
      } else {
        core().refused(ClientLimit::kBadAnswer);
        refuse(Code::kProtocol, parser_->rule());
      }
      break;
    }
    if (step == Http1Step::kHead && !on_head()) break;
    if (step == Http1Step::kDone || (step == Http1Step::kHead && parser_ && !parser_->has_body())) {
      complete(used < data.size());
      break;
    }
    if (step == Http1Step::kBody) {
      hold_back_if_full();
      if (call_->buffered() >= options().window) return {used};
    }
  }
  return {connection.closed() ? data.size() : used};
}

// False: the answer goes no further.
bool Http1Client::on_head() {
  const int status = parser_->response().status;
  if (status == 101) {
    core().refused(ClientLimit::kBadAnswer);
    refuse(Code::kProtocol, "it switches protocols, which nobody has asked for");
    return false;
  }
  if (status < 200) {
    if (++interim_ > kMostInterim) {
      core().refused(ClientLimit::kBadAnswer);
      refuse(Code::kProtocol, fmt::format("more than {} answers of status 1xx", kMostInterim));
      return false;
    }
    parser_.reset();
    return true;
  }
  const std::shared_ptr<ClientCall> held = call_;
  const bool body = parser_->has_body();
  if (held->on_head(std::move(parser_->response()), parser_->length(), !body)) {
    return call_ == held && !connection_.closed();
  }
  close(Error(Code::kConnectionClosed, "the call on it was given up"));
  return false;
}

void Http1Client::on_body(std::span<const std::uint8_t> data) {
  const std::shared_ptr<ClientCall> held = call_;
  if (held == nullptr) return;
  if (!held->on_body(data)) close(Error(Code::kConnectionClosed, "the call on it was given up"));
}

void Http1Client::hold_back_if_full() {
  if (connection_.closed()) return;
  if (call_ != nullptr && call_->buffered() >= options().window) {
    connection_.pause_reading();
  } else {
    connection_.resume_reading();
  }
}

// `more`: something stands behind the answer, which can be no answer to what was not asked yet. There
// may be more still that was received with it, so nobody asks before this turn's end.
void Http1Client::complete(bool more) {
  const std::shared_ptr<ClientCall> held = std::move(call_);
  Headers trailers = std::move(parser_->trailers());
  leaving_ = more || !parser_->keep_alive() || !held->sent();
  parser_.reset();
  connection_.resume_reading();
  if (leaving_) {
    close(Error(Code::kConnectionClosed, "its last answer has come"));
    held->on_end(std::move(trailers));
    return;
  }
  become_idle();
  answered_ = held;
  trailers_ = std::move(trailers);
  loop().at_turn_end(*this);
}

void Http1Client::tell_end() {
  const std::shared_ptr<ClientCall> held = std::move(answered_);
  if (held) held->on_end(std::move(trailers_));
}

void Http1Client::on_turn() {
  tell_end();
  if (!connection_.closed()) pool_->dispatch();
}

void Http1Client::refuse(Code code, const std::string& what) {
  const Error why(code, fmt::format("the answer of {} cannot be used: {}",
                                    connection_.peer().to_string(), what));
  core().peer_log.warn(fmt::format("{}: {}", pool_->origin(), why.message()));
  close(why);
}

void Http1Client::on_close(net::Connection& connection, const Error& why) {
  disarm();
  unqueue();
  const std::shared_ptr<ClientPool> pool = pool_;
  leaving_ = true;
  tell_end();
  if (const std::shared_ptr<ClientCall> held = std::move(call_)) {
    if (!why_ && parser_ && connection.ended_by_peer() && parser_->read_end()) {
      held->on_end(std::move(parser_->trailers()));
    } else {
      const bool unheard = !why_ && held->reused && !heard_;
      held->on_failed(why_                ? *why_
                      : held->head_done() ? why.within("the answer is cut off")
                                          : why,
                      unheard ? ClientCall::Again::kIfIdempotent : ClientCall::Again::kNo);
    }
  }
  pool->closed(*this);
}

void Http1Client::on_timer() {
  core().stats.idle_closed.add();
  close(Error(Code::kConnectionClosed, "idle"));
}

}  // namespace

std::unique_ptr<ClientSession> make_http1_client(std::shared_ptr<ClientPool> pool,
                                                 net::Connection& connection) {
  return std::make_unique<Http1Client>(std::move(pool), connection);
}

}  // namespace settee::inline v0::http
