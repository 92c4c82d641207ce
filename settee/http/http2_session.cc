// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/internal/http2_session.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "settee/http/internal/characters.h"
#include "settee/http/internal/exchange.h"
#include "settee/http/internal/http2_memory.h"
#include "settee/http/internal/http2_rules.h"
#include "settee/http/internal/http2_wire.h"

namespace settee::inline v0::http {

namespace {

constexpr std::size_t kStreamRoom = 64 * 1024;  // of an answer's bytes that wait in its stream
constexpr double kResetsPerSecond = 50;
constexpr double kIdleFramesPerSecond = 100;
constexpr std::uint8_t kDrainPing[8] = {'d', 'r', 'a', 'i', 'n', 0, 0, 0};

std::optional<std::string> base64url_decoded(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    int value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = c - 'A';
    } else if (c >= 'a' && c <= 'z') {
      value = c - 'a' + 26;
    } else if (c >= '0' && c <= '9') {
      value = c - '0' + 52;
    } else if (c == '-' || c == '_') {
      value = c == '-' ? 62 : 63;
    } else {
      return std::nullopt;
    }
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xff);
    }
  }
  return out;
}

}  // namespace

std::optional<std::string> read_http2_settings(const Headers& headers) {
  std::size_t fields = 0;
  for (const Headers::Field field : headers) fields += same_name(field.name, "http2-settings");
  if (fields != 1) return std::nullopt;
  std::optional<std::string> settings = base64url_decoded(headers.get("http2-settings"));
  if (settings && settings->size() % 6 != 0) return std::nullopt;
  return settings;
}

struct Http2Session::Native {
  nghttp2_session* session = nullptr;
  ~Native() { nghttp2_session_del(session); }
};

// A request, and what of its answer has not been handed to nghttp2 yet.
class Http2Session::Stream final : public Carrier {
 public:
  Stream(Http2Session& session, std::int32_t id) : session_(session), id_(id) {}

  static void* operator new(std::size_t size) { return settee::detail::frame_allocate(size); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    settee::detail::frame_free(memory, size);
  }

  void send_head(const Response& response, std::optional<std::uint64_t> length, bool end) override;
  void send_body(Bytes bytes, bool end) override;
  void send_trailers(const Headers& trailers) override;
  bool has_room() const override {
    return out_.bytes.size() < kStreamRoom && !session_.connection().congested();
  }
  void want_body() override {}
  void body_taken(std::size_t size) override;
  void abort(const Error& why) override;
  void ended() override;

  void resume();
  /// Ends it: what has come of its request breaks the rules.
  void reset_malformed();

  Http2Session& session_;
  const std::int32_t id_;
  std::size_t place_ = 0;  // among the session's
  std::shared_ptr<Exchange> exchange_;
  Request request_;
  Http2Rules rules_;
  std::string cookie_;  // its crumbs
  Headers trailers_;    // of the request
  Http2Outflow out_;
  std::size_t header_bytes_ = 0;
  std::size_t fields_ = 0;
  std::size_t unconsumed_ = 0;  // of the body, on its way to a streaming handler
  std::size_t collected_ = 0;
  TimePoint moved_;     // when its answer last went on
  int refused_ = 0;     // the status that it is answered with
  bool reset_ = false;  // by us
  bool begun_ = false;
};

struct Http2Session::Glue {
  static Http2Session& self(void* user) { return *static_cast<Http2Session*>(user); }

  static Stream* stream(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) {
    Http2Session& me = self(user);
    const TimePoint now = me.loop().now();
    bool idle = false;
    switch (frame->type) {
      case NGHTTP2_DATA:
        idle = frame->length == 0 && (frame->flags & NGHTTP2_FLAG_END_STREAM) == 0;
        break;
      case NGHTTP2_HEADERS: break;
      case NGHTTP2_CONTINUATION: idle = frame->length == 0; break;
      case NGHTTP2_WINDOW_UPDATE:
        // As many as the data that we send can be the reason of are free.
        if (me.window_updates_ > 0) {
          --me.window_updates_;
        } else {
          idle = true;
        }
        break;
      case NGHTTP2_RST_STREAM: break;  // has an allowance of its own
      default: idle = true;
    }
    if (idle && !me.idle_frames_.take(now)) {
      me.stop_peer(
          RefusedBy::kIdleFrames,
          fmt::format("too many frames that bring nothing (the last of type {})", frame->type));
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
  }

  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Http2Session& me = self(user);
    me.head_of_ = Glue::stream(session, frame->hd.stream_id);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    if (!me.may_begin()) {
      me.core().refused(RefusedBy::kStreams);
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    auto made = std::make_unique<Stream>(me, frame->hd.stream_id);
    made->request_.version = Version::kHttp2;
    made->request_.method.clear();
    made->request_.target.clear();
    made->request_.headers.reserve(16, 512);
    made->request_.peer = me.wire_.peer;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, made.get());
    me.head_of_ = made.get();
    me.keep(std::move(made));
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name_data,
                       std::size_t name_size, const std::uint8_t* value_data,
                       std::size_t value_size, std::uint8_t, void* user) {
    Http2Session& me = self(user);
    Stream* const stream = me.head_of_;
    if (stream == nullptr) return 0;
    const ServerOptions& options = me.core().options;
    const std::string_view name(reinterpret_cast<const char*>(name_data), name_size);
    const std::string_view value(reinterpret_cast<const char*>(value_data), value_size);
    stream->header_bytes_ += name.size() + value.size() + 32;  // as SETTINGS counts them
    if (stream->header_bytes_ > 4 * options.max_header) {
      me.stop_peer(RefusedBy::kHeader, "a header block of more than four times max_header");
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (!stream->rules_.field(name, value)) {
      stream->reset_malformed();
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // the rest of the block is passed over
    }
    if (stream->header_bytes_ > options.max_header || ++stream->fields_ > options.max_fields) {
      stream->refused_ = 431;
      return 0;
    }
    if (stream->begun_) {
      stream->trailers_.add_checked(name, value);
      return 0;
    }
    Request& request = stream->request_;
    if (name.starts_with(':')) {
      if (name == ":method") {
        request.method = value;
      } else if (name == ":path") {
        if (value.size() > options.max_target) {
          stream->refused_ = 414;
        } else {
          request.target = value;
        }
      } else if (name == ":authority") {
        request.headers.add_checked("host", value);
      }
    } else if (name == "host") {
      // Two of them must be the same, or somebody is to be misled.
      if (const auto host = request.headers.find("host")) {
        if (*host != value) stream->refused_ = 400;
      } else {
        request.headers.add_checked(name, value);
      }
    } else if (name == "cookie") {
      // Split by HTTP/2 for its table's sake; one line for everybody else (RFC 9113, 8.2.3).
      if (!stream->cookie_.empty()) stream->cookie_ += "; ";
      stream->cookie_ += value;
    } else {
      request.headers.add_checked(name, value);
    }
    return 0;
  }

  static int on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Http2Session& me = self(user);
    switch (frame->hd.type) {
      case NGHTTP2_SETTINGS: me.greeted_ = true; return 0;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && me.draining_ &&
            std::memcmp(frame->ping.opaque_data, kDrainPing, sizeof kDrainPing) == 0) {
          // What it sent before it knew is here: from now on nothing new.
          nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR,
                                nullptr, 0);
        }
        return 0;
      case NGHTTP2_RST_STREAM:
        if (me.resets_.take(me.loop().now())) return 0;
        me.stop_peer(RefusedBy::kResets, "too many streams reset by the peer");
        return NGHTTP2_ERR_CALLBACK_FAILURE;
      case NGHTTP2_HEADERS: {
        Stream* const stream = Glue::stream(session, frame->hd.stream_id);
        if (stream == nullptr) return 0;
        const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        const bool good =
            (stream->begun_ ? end : stream->rules_.head_end()) && (!end || stream->rules_.end());
        if (!good) {
          stream->reset_malformed();
        } else if (!stream->begun_) {
          me.begin(*stream, !end);
        } else {
          me.end_body(*stream);
        }
        return 0;
      }
      case NGHTTP2_DATA: {
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
        Stream* const stream = Glue::stream(session, frame->hd.stream_id);
        if (stream == nullptr || stream->reset_) return 0;
        if (stream->rules_.end()) {
          me.end_body(*stream);
        } else {
          stream->reset_malformed();
        }
        return 0;
      }
      default: return 0;
    }
  }

  static int on_data_chunk(nghttp2_session* session, std::uint8_t, std::int32_t id,
                           const std::uint8_t* data, std::size_t size, void* user) {
    Stream* const stream = Glue::stream(session, id);
    const bool good = stream != nullptr && !stream->reset_ && stream->rules_.data(size);
    if (stream != nullptr && !good) stream->reset_malformed();
    if (!good || !stream->exchange_) {
      nghttp2_session_consume(session, id, size);
      return 0;
    }
    self(user).take_body(*stream, {data, size});
    return 0;
  }

  static int on_frame_send(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Http2Session& me = self(user);
    if (frame->hd.type == NGHTTP2_DATA) me.window_updates_ += kWindowUpdatesPerData;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
      me.stop_peer(RefusedBy::kBadRequest,
                   fmt::format("HTTP/2: {} {}", nghttp2_http2_strerror(frame->goaway.error_code),
                               printable({reinterpret_cast<const char*>(frame->goaway.opaque_data),
                                          frame->goaway.opaque_data_len})));
    }
    const bool answered = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                          (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (answered && nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0) {
      // Nobody wants the rest of that request, and its stream counts (RFC 9113, 8.1).
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    // Made to reset a stream again and again, we work as for a peer that does it itself.
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        !me.resets_.take(me.loop().now())) {
      me.stop_peer(RefusedBy::kResets, "too many streams that had to be reset");
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
  }

  static int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t error,
                             void* user) {
    Http2Session& me = self(user);
    Stream* const closed = Glue::stream(session, id);
    if (closed == nullptr) return 0;
    Stream& stream = *closed;
    if (me.head_of_ == closed) me.head_of_ = nullptr;
    if (me.upgraded_ == closed) me.upgraded_ = nullptr;
    nghttp2_session_set_stream_user_data(session, id, nullptr);
    if (stream.unconsumed_ > 0) nghttp2_session_consume_connection(session, stream.unconsumed_);
    me.collected_ -= std::exchange(stream.collected_, 0);
    if (stream.exchange_ && !stream.exchange_->released()) {
      stream.exchange_->cut(
          Error(Code::kCancelled, fmt::format("the stream was reset by {} ({})", me.peer_text(),
                                              nghttp2_http2_strerror(error))));
    }
    me.let_go(stream);
    me.since_ = me.loop().now();
    return 0;
  }

  static ssize_t read_answer(nghttp2_session* session, std::int32_t id, std::uint8_t*,
                             std::size_t most, std::uint32_t* flags, nghttp2_data_source* source,
                             void*) {
    return static_cast<Stream*>(source->ptr)->out_.read(session, id, most, flags, false);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t size,
                       nghttp2_data_source* source, void* user) {
    Http2Session& me = self(user);
    // Else the answers of all streams would be out before anybody sees that there is no room.
    if (me.room_ == 0) return NGHTTP2_ERR_WOULDBLOCK;
    me.room_ -= std::min(me.room_, size);
    Stream& stream = *static_cast<Stream*>(source->ptr);
    stream.out_.write_frame(me.connection().out(), head, size);
    stream.moved_ = me.loop().now();
    return 0;
  }
};

void Http2Session::Stream::send_head(const Response& response, std::optional<std::uint64_t> length,
                                     bool end) {
  FieldList fields(response.headers);
  const fmt::format_int status(response.status);
  const fmt::format_int size(length.value_or(0));
  fields.add(":status", {status.data(), status.size()});
  fields.add_all(response.headers);
  if (!response.headers.find("date")) {
    fields.add("date", session_.core().of(session_.loop()).date());
  }
  if (length) fields.add("content-length", {size.data(), size.size()});
  nghttp2_data_provider body{};
  body.source.ptr = this;
  body.read_callback = Glue::read_answer;
  moved_ = session_.loop().now();
  nghttp2_submit_response(session_.native_->session, id_, fields.data(), fields.size(),
                          end ? nullptr : &body);
  session_.pump_later();
}

void Http2Session::Stream::send_body(Bytes bytes, bool end) {
  out_.bytes.append(std::move(bytes));
  out_.ended = end;
  resume();
}

void Http2Session::Stream::send_trailers(const Headers& trailers) {
  out_.trailers = trailers;
  out_.ended = true;
  resume();
}

void Http2Session::Stream::resume() {
  if (std::exchange(out_.deferred, false)) {
    moved_ = session_.loop().now();
    nghttp2_session_resume_data(session_.native_->session, id_);
  }
  session_.pump_later();
}

void Http2Session::Stream::body_taken(std::size_t size) {
  size = std::min(size, unconsumed_);
  if (size == 0) return;
  unconsumed_ -= size;
  nghttp2_session_consume(session_.native_->session, id_, size);
  session_.pump_later();
}

void Http2Session::Stream::ended() {
  session_.collected_ -= std::exchange(collected_, 0);
  body_taken(unconsumed_);
}

void Http2Session::Stream::abort(const Error&) {
  if (std::exchange(reset_, true)) return;
  nghttp2_submit_rst_stream(session_.native_->session, NGHTTP2_FLAG_NONE, id_,
                            NGHTTP2_INTERNAL_ERROR);
  session_.pump_later();
}

void Http2Session::Stream::reset_malformed() {
  if (std::exchange(reset_, true)) return;
  nghttp2_submit_rst_stream(session_.native_->session, NGHTTP2_FLAG_NONE, id_,
                            NGHTTP2_PROTOCOL_ERROR);
}

Http2Session::Http2Session(Link link)
    : Session(std::move(link)),
      native_(std::make_unique<Native>()),
      handlers_(std::make_shared<std::size_t>(0)),
      resets_(core().options.max_resets, kResetsPerSecond, loop().now()),
      idle_frames_(core().options.max_idle_frames, kIdleFramesPerSecond, loop().now()),
      since_(loop().now()) {}

Http2Session::Http2Session(Link link, Request first, std::string settings)
    : Http2Session(std::move(link)) {
  first_ = std::move(first);
  settings_ = std::move(settings);
}

Http2Session::~Http2Session() {
  for (const auto& stream : streams_) {
    if (stream->exchange_) stream->exchange_->cut(Error(Code::kStopped, "the loop has ended"));
  }
}

void Http2Session::on_begin(net::Connection&) {
  const Http2Setup<Glue> setup(core().options.max_idle_frames + 1'000);
  nghttp2_session_callbacks_set_on_begin_headers_callback(setup.callbacks(),
                                                          Glue::on_begin_headers);
  // Ours is the smaller one, and is counted.
  nghttp2_option_set_stream_reset_rate_limit(setup.option(), core().options.max_resets + 1'000,
                                             static_cast<std::uint64_t>(kResetsPerSecond) + 50);
  nghttp2_option_set_no_http_messaging(setup.option(), 1);  // Http2Rules do it
  const int made = nghttp2_session_server_new3(&native_->session, setup.callbacks(), this,
                                               setup.option(), Http2Memory::functions());
  if (made != 0) throw std::bad_alloc();
  nghttp2_session* const session = native_->session;
  const ServerOptions& options = core().options;
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.max_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(options.max_header)},
  };
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  // One slow body does not keep the others from coming.
  const std::int64_t all = std::min<std::int64_t>(std::int64_t{4} * options.window, INT32_MAX);
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(std::max<std::int64_t>(
                                            all, NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE)));
  arm(loop(), loop().now() + tick());
  if (first_) {
    auto stream = std::make_unique<Stream>(*this, 1);
    stream->request_ = *std::exchange(first_, std::nullopt);
    stream->request_.version = Version::kHttp2;
    const int upgraded = nghttp2_session_upgrade2(
        session, reinterpret_cast<const std::uint8_t*>(settings_.data()), settings_.size(),
        stream->request_.method == "HEAD" ? 1 : 0, stream.get());
    if (upgraded != 0) {
      connection().close(refusal(RefusedBy::kBadRequest, "its HTTP2-Settings cannot be used"));
      return;
    }
    upgraded_ = stream.get();
    keep(std::move(stream));
  }
  if (core().draining.load(std::memory_order_relaxed)) drain();
  pump();
}

void Http2Session::keep(std::unique_ptr<Stream> stream) {
  stream->place_ = streams_.size();
  streams_.push_back(std::move(stream));
}

// Within a callback: who called may still use it.
void Http2Session::let_go(Stream& stream) {
  std::unique_ptr<Stream>& place = streams_[stream.place_];
  gone_.push_back(std::move(place));
  if (&place != &streams_.back()) {
    place = std::move(streams_.back());
    place->place_ = stream.place_;
  }
  streams_.pop_back();
}

bool Http2Session::may_begin() const { return *handlers_ < core().options.max_streams; }

// The head of a request is complete.
void Http2Session::begin(Stream& stream, bool body) {
  stream.begun_ = true;
  stream.header_bytes_ = stream.fields_ = 0;  // trailers have as much again
  since_ = loop().now();
  Request& request = stream.request_;
  if (!stream.cookie_.empty()) {
    request.headers.add_checked("cookie", std::exchange(stream.cookie_, {}));
  }
  // The rules look at the path only if the scheme is http or https.
  const bool path =
      request.target.starts_with('/') || (request.target == "*" && request.method == "OPTIONS");
  if (request.method == "CONNECT") {
    stream.refused_ = 501;
  } else if (stream.refused_ == 0 && !(path && is_host(request.headers.get("host")))) {
    stream.refused_ = 400;
  }
  if (stream.refused_ != 0) {
    const int status = stream.refused_;
    core().refused(status == 431   ? RefusedBy::kHeader
                   : status == 414 ? RefusedBy::kTarget
                                   : RefusedBy::kBadRequest);
    const Response response = Response::problem(status, "this request is not taken");
    const bool head = request.method == "HEAD";
    stream.send_head(response, response.body.size(), head);
    if (!head) stream.send_body(response.body.bytes(), true);
    return;
  }
  stream.exchange_ =
      std::allocate_shared<Exchange>(PoolAllocator<Exchange>(), wire_.core, loop(), stream);
  const std::shared_ptr<Exchange> held = stream.exchange_;
  ++*handlers_;
  held->on_handler_end = [handlers = handlers_] { --*handlers; };
  held->begin(std::move(request), body, stream.rules_.length());
}

void Http2Session::take_body(Stream& stream, std::span<const std::uint8_t> data) {
  const std::shared_ptr<Exchange> held = stream.exchange_;
  // A reader that waits takes it at once, and gives credit for it.
  stream.unconsumed_ += data.size();
  stream.body_taken(held->on_body(data));
  if (held->collecting()) {
    stream.collected_ += data.size();
    collected_ += data.size();
    if (collected_ > 2 * core().options.max_body) {
      held->refuse(RefusedBy::kBody,
                   Response::problem(503, "too many large bodies come on this connection"));
    }
  } else {
    collected_ -= std::exchange(stream.collected_, 0);
  }
}

void Http2Session::end_body(Stream& stream) {
  collected_ -= std::exchange(stream.collected_, 0);
  if (!stream.exchange_) return;
  const std::shared_ptr<Exchange> held = stream.exchange_;
  if (stream.refused_ != 0) {
    held->refuse(RefusedBy::kHeader,
                 Response::problem(stream.refused_, "its trailers are too large"));
    return;
  }
  held->on_body_end(std::move(stream.trailers_));
}

// What of the bytes are header blocks: nghttp2 does not tell of the end of one that it passes over.
void Http2Session::follow_heads(std::span<const std::uint8_t> data) {
  while (!data.empty()) {
    if (frame_left_ > 0) {
      const std::size_t part = std::min(frame_left_, data.size());
      frame_left_ -= part;
      data = data.subspan(part);
    } else {
      const std::size_t part = std::min(sizeof frame_head_ - frame_head_size_, data.size());
      std::memcpy(frame_head_ + frame_head_size_, data.data(), part);
      frame_head_size_ += part;
      data = data.subspan(part);
      if (frame_head_size_ < sizeof frame_head_) continue;
      frame_head_size_ = 0;
      frame_left_ = std::size_t{frame_head_[0]} << 16 | frame_head_[1] << 8 | frame_head_[2];
      const bool head = frame_head_[3] == NGHTTP2_HEADERS || frame_head_[3] == NGHTTP2_CONTINUATION;
      head_ends_ = head && (frame_head_[4] & NGHTTP2_FLAG_END_HEADERS) != 0;
      if (head && head_since_ == TimePoint()) head_since_ = loop().now();
    }
    if (frame_left_ == 0 && std::exchange(head_ends_, false)) head_since_ = TimePoint();
  }
}

net::Protocol::Taken Http2Session::on_data(net::Connection& connection,
                                           std::span<const std::uint8_t> data) {
  follow_heads(data);
  busy_ = true;
  const ssize_t taken = nghttp2_session_mem_recv(native_->session, data.data(), data.size());
  // An upgraded request is answered when its peer has said that it is ready: curl, for one, has little
  // room for what comes right behind the 101.
  if (greeted_ && upgraded_ != nullptr) begin(*std::exchange(upgraded_, nullptr), false);
  busy_ = false;
  gone_.clear();
  if (stopped_by_) {
    // Whatever nghttp2 still had to say is of no interest to this peer.
    nghttp2_session_terminate_session(native_->session, NGHTTP2_ENHANCE_YOUR_CALM);
  } else if (taken < 0) {
    stopped_by_ = RefusedBy::kBadRequest;
    stopped_rule_ = fmt::format("HTTP/2: {}", nghttp2_strerror(static_cast<int>(taken)));
    // The preface was none, or a flood: nghttp2 has not said so itself.
    nghttp2_session_terminate_session(native_->session, NGHTTP2_PROTOCOL_ERROR);
  }
  pump();
  if (connection.closed()) return {data.size()};
  return {data.size()};
}

// Hands all that nghttp2 has to say to the connection.
void Http2Session::pump() {
  if (busy_ || connection().closed() || native_->session == nullptr) return;
  pump_hook_.unqueue();
  busy_ = true;
  const std::size_t at_once = std::min(kMostAtOnce, core().options.max_unsent);
  const Http2Said said = say_all(native_->session, connection(), at_once, room_,
                                 [this] { return stopped_by_.has_value(); });
  if (said.error != 0) {
    stop_peer(RefusedBy::kBadRequest, fmt::format("HTTP/2: {}", nghttp2_strerror(said.error)));
  }
  busy_ = false;
  gone_.clear();
  if (connection().closed()) return;
  if (said.anything) connection().cork();
  if (connection().closed()) return;
  if (stopped_by_) {
    leaving_ = true;
    const Error why = refusal(*std::exchange(stopped_by_, std::nullopt), stopped_rule_);
    close(why);
    return;
  }
  // Answers that waited for room go on; what they give comes in the next round.
  std::vector<std::shared_ptr<Exchange>> roomy;
  for (const auto& stream : streams_) {
    if (stream->exchange_ && stream->exchange_->waits_for_room() && stream->has_room()) {
      roomy.push_back(stream->exchange_);
    }
  }
  for (const auto& exchange : roomy) exchange->on_room();
  leave_if_done();
}

void Http2Session::leave_if_done() {
  if (leaving_ || connection().closed()) return;
  const bool over = nghttp2_session_want_read(native_->session) == 0 &&
                    nghttp2_session_want_write(native_->session) == 0;
  if (!over) return;
  leaving_ = true;
  // The peer takes as long as write_timeout lets it.
  connection().close_when_sent(Error(Code::kConnectionClosed, "HTTP/2: nothing more to say"),
                               kNoDeadline);
}

void Http2Session::stop_peer(RefusedBy by, std::string rule) {
  if (stopped_by_) return;
  stopped_by_ = by;
  stopped_rule_ = std::move(rule);
}

void Http2Session::drain() {
  if (std::exchange(draining_, true) || native_->session == nullptr) return;
  if (streams_.empty()) {
    nghttp2_session_terminate_session(native_->session, NGHTTP2_NO_ERROR);
  } else {
    // What the peer sends before it hears of it is still served; its answer to the PING ends that.
    nghttp2_submit_shutdown_notice(native_->session);
    nghttp2_submit_ping(native_->session, NGHTTP2_FLAG_NONE, kDrainPing);
  }
  pump();
}

void Http2Session::close(const Error& why) {
  if (connection().closed()) return;
  if (!leaving_) {
    leaving_ = true;
    nghttp2_session_terminate_session(native_->session, NGHTTP2_NO_ERROR);
    pump();
    if (connection().closed()) return;
  }
  connection().close_when_sent(why, loop().now() + std::chrono::seconds(1));
}

void Http2Session::on_drained(net::Connection&) { pump_later(); }

void Http2Session::on_close(net::Connection&, const Error& why) {
  disarm();
  pump_hook_.unqueue();
  std::vector<std::shared_ptr<Exchange>> held;
  for (const auto& stream : streams_) {
    if (stream->exchange_) held.push_back(stream->exchange_);
  }
  for (const auto& exchange : held) exchange->cut(why);
  connection_closed();
}

void Http2Session::on_timer() {
  const ServerOptions& options = core().options;
  const TimePoint now = loop().now();
  arm(loop(), now + tick());
  if (close_if_stuck(now)) return;
  const bool greeting_late = !greeted_ && now - since_ >= options.head_timeout;
  const bool head_late = head_since_ != TimePoint() && now - head_since_ >= options.head_timeout;
  if (greeting_late || head_late) {
    stop_peer(RefusedBy::kHeadTimeout,
              fmt::format("{} did not come within {} ms", head_late ? "a header" : "SETTINGS",
                          options.head_timeout.count()));
    nghttp2_session_terminate_session(native_->session, NGHTTP2_ENHANCE_YOUR_CALM);
  } else if (streams_.empty() && now - since_ >= options.idle_timeout && !leaving_) {
    core().stats.idle_closed.add();
    nghttp2_session_terminate_session(native_->session, NGHTTP2_NO_ERROR);
  } else {
    look_at_streams(now);
  }
  pump();
}

// Bodies that come too slowly, and answers that their peer does not take.
void Http2Session::look_at_streams(TimePoint now) {
  const ServerOptions& options = core().options;
  std::vector<std::shared_ptr<Exchange>> slow;
  // No body comes while those that nobody reads have all of the connection's window, or while it is not
  // read itself.
  if (connection().congested() || nghttp2_session_get_local_window_size(native_->session) <= 0) {
    held_up_ = now;
  }
  for (const auto& stream : streams_) {
    if (!stream->exchange_) continue;
    if (stream->exchange_->body_late(now, held_up_)) slow.push_back(stream->exchange_);
  }
  for (const auto& exchange : slow) {
    exchange->refuse(RefusedBy::kBodyTimeout, Response::problem(408, "the body comes too slowly"));
  }
  for (const auto& stream : streams_) {
    if (stream->out_.bytes.empty() || now - stream->moved_ < options.write_timeout ||
        stream->reset_) {
      continue;
    }
    core().refused(RefusedBy::kWriteTimeout);
    stream->reset_ = true;
    nghttp2_submit_rst_stream(native_->session, NGHTTP2_FLAG_NONE, stream->id_, NGHTTP2_CANCEL);
  }
}

}  // namespace settee::inline v0::http
