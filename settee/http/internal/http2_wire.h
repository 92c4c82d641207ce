// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What both sides of HTTP/2 have between nghttp2 and a connection.
//
// Threads: the connection's loop.

#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <new>
#include <utility>

#include "settee/base/bytes.h"
#include "settee/http/internal/http2_fields.h"
#include "settee/http/message.h"
#include "settee/net/connection.h"

namespace settee::inline v0::http {

inline constexpr std::size_t kWindowUpdatesPerData = 10;
inline constexpr std::size_t kMostContinuations = 8;
// Handed to the connection before it is asked again whether it has room.
inline constexpr std::size_t kMostAtOnce = 256 * 1024;

/// A session's callbacks, which Glue has as static members, and options.
template <class Glue>
class Http2Setup {
 public:
  /// `acks`: of frames that bring nothing, waiting to be sent; a limit of its user is the smaller one,
  /// and is counted.
  explicit Http2Setup(std::size_t acks) {
    if (nghttp2_session_callbacks_new(&callbacks_) != 0) throw std::bad_alloc();
    if (nghttp2_option_new(&option_) != 0) {
      nghttp2_session_callbacks_del(callbacks_);
      throw std::bad_alloc();
    }
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks_, Glue::on_begin_frame);
    nghttp2_session_callbacks_set_on_header_callback(callbacks_, Glue::on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks_, Glue::on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks_, Glue::on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks_, Glue::on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks_, Glue::on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks_, Glue::send_data);
    nghttp2_option_set_no_auto_window_update(option_, 1);
    nghttp2_option_set_max_continuations(option_, kMostContinuations);
    nghttp2_option_set_max_outbound_ack(option_, acks);
  }
  ~Http2Setup() {
    nghttp2_option_del(option_);
    nghttp2_session_callbacks_del(callbacks_);
  }
  Http2Setup(const Http2Setup&) = delete;
  Http2Setup& operator=(const Http2Setup&) = delete;

  nghttp2_session_callbacks* callbacks() const noexcept { return callbacks_; }
  nghttp2_option* option() const noexcept { return option_; }

 private:
  nghttp2_session_callbacks* callbacks_ = nullptr;
  nghttp2_option* option_ = nullptr;
};

/// A body on its way out, as far as nghttp2 has not taken it.
struct Http2Outflow {
  Buffer bytes;
  Headers trailers;
  bool ended = false;     // no more comes
  bool deferred = false;  // nghttp2 is to be told when more does

  /// nghttp2's read callback: the bytes themselves go by write_frame().
  ssize_t read(nghttp2_session* session, std::int32_t id, std::size_t most, std::uint32_t* flags,
               bool request) {
    const std::size_t size = std::min(most, bytes.size());
    if (size == 0 && !ended) {
      deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size == bytes.size() && ended) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        FieldList fields(trailers);
        fields.add_all(trailers, request);
        nghttp2_submit_trailer(session, id, fields.data(), fields.size());
      }
    }
    return static_cast<ssize_t>(size);
  }
  void write_frame(Buffer& to, const std::uint8_t* head, std::size_t size) {
    to.append(head, 9);
    if (size == bytes.size()) {
      to.append(std::move(bytes));
    } else if (size > 0) {
      to.append(bytes.slice(0, size));
      bytes.consume(size);
    }
  }
};

/// What has been handed over: anything, and nghttp2's error if it could not go on.
struct Http2Said {
  bool anything = false;
  int error = 0;
};

/// Hands what nghttp2 has to say to the connection, while that has room or `urgent()`. `room` is what
/// the callbacks may write until it is asked again.
template <class Urgent>
Http2Said say_all(nghttp2_session* session, net::Connection& connection, std::size_t at_once,
                  std::size_t& room, Urgent urgent) {
  Http2Said said;
  for (;;) {
    if (connection.congested() && !urgent()) break;
    const std::uint8_t* bytes = nullptr;
    const std::size_t before = connection.out().size();
    room = at_once;
    const ssize_t size = nghttp2_session_mem_send(session, &bytes);
    if (size < 0) {
      said.error = static_cast<int>(size);
      break;
    }
    if (size > 0) connection.out().append(bytes, static_cast<std::size_t>(size));
    if (connection.out().size() == before) break;
    said.anything = true;
    if (connection.out().size() >= at_once) connection.cork();
    if (connection.closed()) break;
  }
  return said;
}

}  // namespace settee::inline v0::http
