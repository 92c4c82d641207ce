// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A client's side of an HTTP/2 connection (RFC 9113). nghttp2 has framing, HPACK, flow control and the
// rules of streams; here are calls and limits.

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <new>

#include "settee/http/internal/allowance.h"
#include "settee/http/internal/client_core.h"
#include "settee/http/internal/http2_wire.h"

namespace settee::inline v0::http {

namespace {

constexpr std::size_t kStreamRoom = 64 * 1024;  // of a request's bytes that wait in its stream
constexpr double kIdleFramesPerSecond = 100;
constexpr int kMostInterim = 16;
// Of the connection, in streams' windows: bodies that nobody reads do not keep others from coming.
constexpr std::int64_t kConnectionWindows = 16;

class Http2Client final : public ClientSession, private Timer {
 public:
  Http2Client(std::shared_ptr<ClientPool> pool, net::Connection& connection)
      : ClientSession(std::move(pool), connection),
        idle_frames_(options().max_idle_frames, kIdleFramesPerSecond, loop().now()) {}
  ~Http2Client() override { nghttp2_session_del(session_); }

  void start() override;
  bool may_take() const override;
  std::size_t calls() const override { return streams_.size(); }
  void take(std::shared_ptr<ClientCall> call) override;
  void send_body(ClientCall& call, Bytes bytes, bool end) override;
  void send_trailers(ClientCall& call, const Headers& trailers) override;
  bool has_room(const ClientCall& call) const override;
  void body_taken(ClientCall& call, std::size_t size) override;
  void abandon(ClientCall& call) override;
  void close(const Error& why) override;

  Taken on_data(net::Connection& connection, std::span<const std::uint8_t> data) override;
  void on_close(net::Connection& connection, const Error& why) override;
  void on_drained(net::Connection&) override { pump_later(); }

 private:
  struct Glue;  // the callbacks of nghttp2
  struct Stream {
    std::shared_ptr<ClientCall> call;  // null: nobody waits for it any more
    Response head;
    Headers trailers;
    Http2Outflow out;  // of the request
    std::size_t header_bytes = 0;
    std::size_t fields = 0;
    std::size_t unconsumed = 0;  // of the answer, that its reader has not taken
    int interim = 0;
    bool reset_by_peer = false;
  };
  class Pump final : public TurnHook {
   public:
    explicit Pump(Http2Client& client) noexcept : client_(client) {}

   private:
    void on_turn() override { client_.pump(); }
    Http2Client& client_;
  };

  void on_timer() override;
  void pump();
  void pump_later() { loop().at_turn_end(pump_hook_); }
  void resume(ClientCall& call, Stream& stream);
  void reset(std::int32_t id, std::uint32_t code);
  void end_call(Stream& stream, Error error, ClientCall::Again again);
  void end_calls(const Error& why, bool lost);
  void stop_peer(ClientLimit limit, std::string rule);
  void head_read(std::int32_t id, Stream& stream, bool end);
  void answered(std::int32_t id, Stream& stream);
  void remove(std::int32_t id);
  Stream* find(std::int32_t id) const {
    return session_ == nullptr
               ? nullptr
               : static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, id));
  }
  std::string peer() const { return connection_.peer().to_string(); }

  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Stream>> gone_;  // closed within a callback
  Pump pump_hook_{*this};
  Allowance idle_frames_;
  std::size_t window_updates_ = 0;  // that may still come for the data sent
  std::size_t room_ = 0;            // for bodies, until it is looked at again
  std::optional<Error> stopped_by_;
  TimePoint asked_at_;     // the PING that is not answered
  bool watching_ = false;  // the timer is for a silent server, not for an idle connection
  bool used_ = false;      // it has had a call
  bool busy_ = false;      // nghttp2 is on the stack
  bool leaving_ = false;   // takes no calls any more
  bool closing_ = false;
  bool freed_ = false;  // it may take calls that wait
};

struct Http2Client::Glue {
  static Http2Client& self(void* user) { return *static_cast<Http2Client*>(user); }

  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) {
    Http2Client& me = self(user);
    bool idle = false;
    switch (frame->type) {
      case NGHTTP2_DATA:
        idle = frame->length == 0 && (frame->flags & NGHTTP2_FLAG_END_STREAM) == 0;
        break;
      case NGHTTP2_HEADERS:
      case NGHTTP2_RST_STREAM: break;  // one for each call
      case NGHTTP2_CONTINUATION: idle = frame->length == 0; break;
      case NGHTTP2_WINDOW_UPDATE:
        // As many as the data that we send can be the reason of are free.
        if (me.window_updates_ > 0) {
          --me.window_updates_;
        } else {
          idle = true;
        }
        break;
      default: idle = true;
    }
    if (idle && !me.idle_frames_.take(me.loop().now())) {
      me.stop_peer(ClientLimit::kIdleFrames,
                   fmt::format("too many frames that bring nothing, the last of type {} "
                               "(max_idle_frames)",
                               frame->type));
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name_data,
                       std::size_t name_size, const std::uint8_t* value_data,
                       std::size_t value_size, std::uint8_t, void* user) {
    Http2Client& me = self(user);
    Stream* const stream = me.find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const std::string_view name(reinterpret_cast<const char*>(name_data), name_size);
    const std::string_view value(reinterpret_cast<const char*>(value_data), value_size);
    stream->header_bytes += name.size() + value.size() + 32;  // as SETTINGS counts them
    ++stream->fields;
    const ClientOptions& options = me.options();
    if (stream->header_bytes > 4 * options.max_header) {
      me.stop_peer(ClientLimit::kHeader, "a header block of more than four times max_header");
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (stream->header_bytes > options.max_header || stream->fields > options.max_fields) return 0;
    if (stream->call && stream->call->head_done()) {
      stream->trailers.add_checked(name, value);
    } else if (name == ":status") {
      stream->head.status = 0;
      for (const char c : value) stream->head.status = stream->head.status * 10 + (c - '0');
    } else if (!name.starts_with(':')) {
      stream->head.headers.add_checked(name, value);
    }
    return 0;
  }

  static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Client& me = self(user);
    const std::int32_t id = frame->hd.stream_id;
    switch (frame->hd.type) {
      case NGHTTP2_SETTINGS: me.freed_ = true; return 0;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && me.watching_) {
          me.asked_at_ = TimePoint();
          me.arm(me.loop(), me.loop().now() + me.options().ping_after);
        }
        return 0;
      case NGHTTP2_GOAWAY:
        // Calls that it leaves out are closed by nghttp2, as refused.
        me.leaving_ = true;
        me.freed_ = true;
        return 0;
      case NGHTTP2_RST_STREAM:
        if (Stream* const stream = me.find(id)) stream->reset_by_peer = true;
        return 0;
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA: {
        Stream* const stream = me.find(id);
        if (stream == nullptr) return 0;
        const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (frame->hd.type == NGHTTP2_HEADERS) me.head_read(id, *stream, end);
        if (end) me.answered(id, *stream);
        return 0;
      }
      default: return 0;
    }
  }

  static int on_data_chunk(nghttp2_session* session, std::uint8_t, std::int32_t id,
                           const std::uint8_t* data, std::size_t size, void* user) {
    Http2Client& me = self(user);
    Stream* const stream = me.find(id);
    if (stream == nullptr || !stream->call) {
      nghttp2_session_consume(session, id, size);
      return 0;
    }
    // A reader that waits takes it at once, and gives credit for it.
    stream->unconsumed += size;
    const std::shared_ptr<ClientCall> held = stream->call;
    const std::optional<std::size_t> done = held->on_body({data, size});
    if (!done) {
      stream->call.reset();
      me.reset(id, NGHTTP2_CANCEL);
      me.body_taken(*held, stream->unconsumed);
    } else if (*done > 0) {
      me.body_taken(*held, *done);
    }
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
    Http2Client& me = self(user);
    const auto found = me.streams_.find(id);
    if (found == me.streams_.end()) return 0;
    Stream& stream = *found->second;
    if (stream.call) {
      const bool refused = error == NGHTTP2_REFUSED_STREAM;
      const char* const name = nghttp2_http2_strerror(error);
      Error why =
          refused && !stream.reset_by_peer
              ? Error(Code::kConnectionClosed,
                      fmt::format("{} takes no more calls on this connection (GOAWAY)", me.peer()))
          : stream.reset_by_peer
              ? Error(Code::kPeerError,
                      fmt::format("{} has reset the stream ({})", me.peer(), name))
              : Error(Code::kProtocol,
                      fmt::format("the answer of {} cannot be used: HTTP/2 {}", me.peer(), name));
      if (!stream.reset_by_peer && !refused) me.core().refused(ClientLimit::kBadAnswer);
      me.end_call(stream, why.with_detail(std::make_shared<StreamReset>(error)),
                  refused ? ClientCall::Again::kYes : ClientCall::Again::kNo);
    }
    me.remove(id);
    return 0;
  }

  static int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Client& me = self(user);
    if (frame->hd.type == NGHTTP2_DATA) me.window_updates_ += kWindowUpdatesPerData;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
      const std::string_view said(reinterpret_cast<const char*>(frame->goaway.opaque_data),
                                  frame->goaway.opaque_data_len);
      me.stop_peer(ClientLimit::kBadAnswer,
                   fmt::format("HTTP/2: {} {}", nghttp2_http2_strerror(frame->goaway.error_code),
                               printable(said)));
    }
    return 0;
  }

  static ssize_t read_request(nghttp2_session* session, std::int32_t id, std::uint8_t*,
                              std::size_t most, std::uint32_t* flags, nghttp2_data_source* source,
                              void*) {
    return static_cast<Stream*>(source->ptr)->out.read(session, id, most, flags, true);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t size,
                       nghttp2_data_source* source, void* user) {
    Http2Client& me = self(user);
    // Else the bodies of all calls would be out before anybody sees that there is no room.
    if (me.room_ == 0) return NGHTTP2_ERR_WOULDBLOCK;
    me.room_ -= std::min(me.room_, size);
    static_cast<Stream*>(source->ptr)->out.write_frame(me.connection_.out(), head, size);
    return 0;
  }
};

void Http2Client::start() {
  const Http2Setup<Glue> setup(options().max_idle_frames + 1'000);
  const int made = nghttp2_session_client_new2(&session_, setup.callbacks(), this, setup.option());
  if (made != 0) throw std::bad_alloc();
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options().window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(options().max_header)},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  const std::int64_t all = std::min<std::int64_t>(kConnectionWindows * options().window, INT32_MAX);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(std::max<std::int64_t>(
                                            all, NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE)));
  arm(loop(), loop().now() + options().idle_timeout);
  pump_later();
}

bool Http2Client::may_take() const {
  if (leaving_ || session_ == nullptr || connection_.closed()) return false;
  const std::uint32_t theirs =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return streams_.size() < std::min(theirs, options().max_streams) &&
         nghttp2_session_check_request_allowed(session_) != 0;
}

void Http2Client::take(std::shared_ptr<ClientCall> call) {
  if (!watching_) {
    disarm();
    watching_ = options().ping_after.count() > 0;
    if (watching_) arm(loop(), loop().now() + options().ping_after);
  }
  call->begun(*this);
  call->reused = std::exchange(used_, true);
  const Request& request = call->request;
  FieldList fields(request.headers);
  fields.add(":method", request.method);
  fields.add(":scheme", call->url.secure() ? "https" : "http");
  fields.add(":authority", call->host());
  fields.add(":path", request.target);
  fields.add_all(request.headers, true);
  if (call->codings) fields.add("accept-encoding", "gzip, deflate");
  const bool empty = request.body.whole() && request.body.bytes().empty();
  const std::optional<std::uint64_t> size = request.body.size();
  const fmt::format_int length(size.value_or(0));
  if (size && !empty) fields.add("content-length", {length.data(), length.size()});
  auto made = std::make_unique<Stream>();
  made->call = call;
  made->head.version = Version::kHttp2;
  nghttp2_data_provider body{};
  body.source.ptr = made.get();
  body.read_callback = Glue::read_request;
  if (request.body.whole()) {
    made->out.bytes.append(request.body.bytes());
    made->out.ended = true;
    call->set_sent();
  }
  const bool end = empty && request.body.trailers().empty();
  if (empty) made->out.trailers = request.body.trailers();
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                                 end ? nullptr : &body, made.get());
  if (id < 0) {
    pump_later();  // which minds the idle timer
    call->on_failed(Error(Code::kConnectionClosed,
                          fmt::format("the request could not be sent: {}", nghttp2_strerror(id))),
                    ClientCall::Again::kYes);
    return;
  }
  call->stream = id;
  const bool whole = request.body.whole();
  streams_.emplace(id, std::move(made));
  pump_later();
  if (!whole) call->pump_body();
}

void Http2Client::send_body(ClientCall& call, Bytes bytes, bool end) {
  const auto found = streams_.find(call.stream);
  if (found == streams_.end()) return;
  found->second->out.bytes.append(std::move(bytes));
  found->second->out.ended = end;
  resume(call, *found->second);
}

void Http2Client::send_trailers(ClientCall& call, const Headers& trailers) {
  const auto found = streams_.find(call.stream);
  if (found == streams_.end()) return;
  found->second->out.trailers = trailers;
  found->second->out.ended = true;
  resume(call, *found->second);
}

void Http2Client::resume(ClientCall& call, Stream& stream) {
  if (std::exchange(stream.out.deferred, false)) nghttp2_session_resume_data(session_, call.stream);
  pump_later();
}

bool Http2Client::has_room(const ClientCall& call) const {
  const auto found = streams_.find(call.stream);
  return found == streams_.end() ||
         (found->second->out.bytes.size() < kStreamRoom && !connection_.congested());
}

void Http2Client::body_taken(ClientCall& call, std::size_t size) {
  const auto found = streams_.find(call.stream);
  if (found == streams_.end()) return;
  size = std::min(size, found->second->unconsumed);
  if (size == 0 || closing_) return;
  found->second->unconsumed -= size;
  nghttp2_session_consume(session_, call.stream, size);
  pump_later();
}

void Http2Client::reset(std::int32_t id, std::uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
  pump_later();
}

void Http2Client::abandon(ClientCall& call) {
  const auto found = streams_.find(call.stream);
  if (found == streams_.end()) return;
  found->second->call.reset();
  // Not a word since it was taken: the server, or the way to it, may be gone, and TCP would not tell
  // for minutes. Others try another connection.
  if (call.timed_out() && connection_.last_read() <= call.begun_at) leaving_ = true;
  if (!connection_.closed() && !closing_) reset(call.stream, NGHTTP2_CANCEL);
}

void Http2Client::end_call(Stream& stream, Error error, ClientCall::Again again) {
  const std::shared_ptr<ClientCall> held = std::move(stream.call);
  if (held) held->on_failed(std::move(error), again);
}

void Http2Client::remove(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  nghttp2_session_set_stream_user_data(session_, id, nullptr);
  if (found->second->unconsumed > 0) {
    nghttp2_session_consume_connection(session_, found->second->unconsumed);
  }
  gone_.push_back(std::move(found->second));
  streams_.erase(found);
  freed_ = true;
}

void Http2Client::head_read(std::int32_t id, Stream& stream, bool end) {
  if (!stream.call) return;
  const std::shared_ptr<ClientCall> held = stream.call;
  if (stream.header_bytes > options().max_header || stream.fields > options().max_fields) {
    core().refused(ClientLimit::kHeader);
    end_call(stream,
             Error(Code::kLimit,
                   fmt::format("the answer of {} has more than {} bytes or {} fields in its header "
                               "(max_header, max_fields)",
                               peer(), options().max_header, options().max_fields)),
             ClientCall::Again::kNo);
    reset(id, NGHTTP2_CANCEL);
    return;
  }
  stream.header_bytes = stream.fields = 0;  // trailers have as much again
  if (held->head_done()) return;
  if (stream.head.status < 200) {
    if (++stream.interim <= kMostInterim) {
      stream.head.headers.clear();
      return;
    }
    core().refused(ClientLimit::kBadAnswer);
    end_call(stream,
             Error(Code::kProtocol, fmt::format("{} answers with status 1xx more than {} times",
                                                peer(), kMostInterim)),
             ClientCall::Again::kNo);
    reset(id, NGHTTP2_CANCEL);
    return;
  }
  std::optional<std::uint64_t> length;
  if (const auto told = stream.head.headers.find("content-length")) {
    std::uint64_t value = 0;  // nghttp2 has looked at its form, and compares it with what comes
    for (const char c : *told) value = value * 10 + static_cast<std::uint64_t>(c - '0');
    length = value;
  }
  if (!held->on_head(std::move(stream.head), length, end)) {
    stream.call.reset();
    reset(id, NGHTTP2_CANCEL);
  }
}

// All of the answer is there.
void Http2Client::answered(std::int32_t id, Stream& stream) {
  if (!stream.call) return;
  const std::shared_ptr<ClientCall> held = std::move(stream.call);
  // Nobody wants the rest of that request, and its stream counts.
  if (nghttp2_session_get_stream_local_close(session_, id) == 0) reset(id, NGHTTP2_CANCEL);
  held->on_end(std::move(stream.trailers));
}

void Http2Client::stop_peer(ClientLimit limit, std::string rule) {
  if (stopped_by_) return;
  core().refused(limit);
  stopped_by_ = Error(limit == ClientLimit::kBadAnswer ? Code::kProtocol : Code::kLimit,
                      fmt::format("the connection with {} was closed: {}", peer(), rule));
  core().peer_log.warn(fmt::format("{}: {}", pool_->origin(), stopped_by_->message()));
}

net::Protocol::Taken Http2Client::on_data(net::Connection&, std::span<const std::uint8_t> data) {
  busy_ = true;
  const ssize_t taken = nghttp2_session_mem_recv(session_, data.data(), data.size());
  busy_ = false;
  if (taken < 0 && !stopped_by_) {
    stop_peer(ClientLimit::kBadAnswer,
              fmt::format("HTTP/2: {}", nghttp2_strerror(static_cast<int>(taken))));
    nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR);
  } else if (stopped_by_) {
    // Whatever nghttp2 still had to say is of no interest to this peer.
    nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  }
  pump();
  return {data.size()};
}

// Hands all that nghttp2 has to say to the connection.
void Http2Client::pump() {
  if (busy_ || closing_ || connection_.closed() || session_ == nullptr) return;
  pump_hook_.unqueue();
  busy_ = true;
  const std::size_t at_once = std::min(kMostAtOnce, options().max_unsent);
  const Http2Said said =
      say_all(session_, connection_, at_once, room_, [this] { return stopped_by_.has_value(); });
  if (said.error != 0) {
    stop_peer(ClientLimit::kBadAnswer, fmt::format("HTTP/2: {}", nghttp2_strerror(said.error)));
  }
  busy_ = false;
  gone_.clear();
  if (connection_.closed()) return;
  if (said.anything) connection_.cork();
  if (connection_.closed()) return;
  if (stopped_by_) {
    leaving_ = true;
    close(*stopped_by_);
    return;
  }
  // Bodies that waited for room go on; what they give comes in the next round.
  std::vector<std::shared_ptr<ClientCall>> roomy;
  for (const auto& [id, stream] : streams_) {
    if (stream->call && has_room(*stream->call)) roomy.push_back(stream->call);
  }
  for (const auto& call : roomy) call->on_room();
  if (connection_.closed()) return;
  if (streams_.empty()) {
    if (leaving_) {
      close(Error(Code::kConnectionClosed, "the server takes no more calls on this connection"));
      return;
    }
    if (std::exchange(watching_, false) || !armed()) {
      asked_at_ = TimePoint();
      arm(loop(), loop().now() + options().idle_timeout);
    }
  }
  if (std::exchange(freed_, false)) pool_->dispatch();
}

void Http2Client::close(const Error& why) {
  if (connection_.closed() || closing_) return;
  leaving_ = true;
  if (busy_) {
    // nghttp2 is on the stack; pump() goes on with it.
    if (!stopped_by_) stopped_by_ = why;
    return;
  }
  closing_ = true;
  nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  for (;;) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) break;
    connection_.out().append(bytes, static_cast<std::size_t>(size));
  }
  gone_.clear();
  end_calls(why, false);
  if (connection_.closed()) return;
  if (core().stopped.load(std::memory_order_relaxed)) {
    connection_.close(why);
  } else {
    connection_.close_when_sent(why, loop().now() + std::chrono::seconds(1));
  }
}

void Http2Client::end_calls(const Error& why, bool lost) {
  std::vector<std::shared_ptr<ClientCall>> calls;
  for (auto& [id, stream] : streams_) {
    if (stream->call) calls.push_back(std::move(stream->call));
  }
  for (const auto& call : calls) {
    const bool unheard = lost && call->reused && !call->head_done();
    call->on_failed(why, unheard ? ClientCall::Again::kIfIdempotent : ClientCall::Again::kNo);
  }
}

void Http2Client::on_close(net::Connection&, const Error& why) {
  disarm();
  pump_hook_.unqueue();
  leaving_ = true;
  const std::shared_ptr<ClientPool> pool = pool_;
  end_calls(why, true);
  pool->closed(*this);
}

void Http2Client::on_timer() {
  if (!watching_) {
    if (!streams_.empty()) return;
    core().stats.idle_closed.add();
    close(Error(Code::kConnectionClosed, "idle"));
    return;
  }
  const TimePoint now = loop().now();
  const TimePoint heard = connection_.last_read();
  if (asked_at_ == TimePoint() || heard > asked_at_) {
    asked_at_ = TimePoint();
    if (const TimePoint due = heard + options().ping_after; due > now) {
      arm(loop(), due);
      return;
    }
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    asked_at_ = now;
    arm(loop(), now + options().ping_timeout);
    pump();
    return;
  }
  core().refused(ClientLimit::kPing);
  const Error gone(
      Code::kConnectionClosed,
      fmt::format("the connection with {} was closed: it has said nothing for {} ms, "
                  "nor answered a PING within {} ms (ping_after, ping_timeout)",
                  peer(), std::chrono::ceil<std::chrono::milliseconds>(now - heard).count(),
                  options().ping_timeout.count()));
  core().peer_log.warn(fmt::format("{}: {}", pool_->origin(), gone.message()));
  connection_.close(gone);
}

}  // namespace

std::unique_ptr<ClientSession> make_http2_client(std::shared_ptr<ClientPool> pool,
                                                 net::Connection& connection) {
  return std::make_unique<Http2Client>(std::move(pool), connection);
}

}  // namespace settee::inline v0::http
