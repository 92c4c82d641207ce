// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// For tests: an HTTP/2 peer that makes its frames by hand, good ones and bad ones.

#pragma once

#include <nghttp2/nghttp2.h>

#include <map>

#include "settee/http/http_test_peer.h"

namespace wire {

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

/// A header field that no table is used for.
inline std::string literal(std::string_view name, std::string_view value) {
  const auto text = [](std::string_view part) {
    std::string out;
    if (part.size() < 127) {
      out += static_cast<char>(part.size());
    } else {
      out += '\x7f';
      std::size_t rest = part.size() - 127;
      for (; rest >= 128; rest /= 128) out += static_cast<char>(rest % 128 + 128);
      out += static_cast<char>(rest);
    }
    return out + std::string(part);
  };
  return std::string(1, '\0') + text(name) + text(value);
}

inline std::string request_head(std::string_view method, std::string_view path) {
  return literal(":method", method) + literal(":scheme", "http") + literal(":path", path) +
         literal(":authority", "a");
}

struct Frame {
  int type = -1;
  int flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
};

inline constexpr int kEndStream = 1;
inline constexpr int kEndHeaders = 4;

class Http2Peer {
 public:
  explicit Http2Peer(std::uint16_t port, bool greet = true, int receive_buffer = 0)
      : peer_(port, receive_buffer) {
    nghttp2_hd_inflate_new(&inflater_);
    if (greet) {
      EXPECT_TRUE(peer_.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
      EXPECT_TRUE(send(NGHTTP2_SETTINGS, 0, 0, settings_));
    }
  }
  ~Http2Peer() { nghttp2_hd_inflate_del(inflater_); }
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  static std::string frame(int type, int flags, std::uint32_t stream, std::string_view payload) {
    return big_endian(payload.size(), 3) + big_endian(static_cast<unsigned>(type), 1) +
           big_endian(static_cast<unsigned>(flags), 1) + big_endian(stream, 4) +
           std::string(payload);
  }
  bool send(int type, int flags, std::uint32_t stream, std::string_view payload) {
    return peer_.send(frame(type, flags, stream, payload));
  }
  bool send_raw(std::string_view bytes) { return peer_.send(bytes); }
  bool ask(std::uint32_t stream, std::string_view path) {
    return send(NGHTTP2_HEADERS, kEndStream | kEndHeaders, stream, request_head("GET", path));
  }
  bool begin(std::uint32_t stream, std::string_view path, std::string_view more = {}) {
    return send(NGHTTP2_HEADERS, kEndHeaders, stream,
                request_head("POST", path) + std::string(more));
  }
  bool set(int id, std::uint32_t value) {
    return send(NGHTTP2_SETTINGS, 0, 0,
                big_endian(static_cast<unsigned>(id), 2) + big_endian(value, 4));
  }
  bool open_window(std::uint32_t stream, std::uint32_t by) {
    return send(NGHTTP2_WINDOW_UPDATE, 0, stream, big_endian(by, 4));
  }

  /// The next frame of this type; its type is -1 when there is none. What others say is kept.
  Frame next(int type) {
    for (;;) {
      const Frame frame = next();
      if (frame.type == type || frame.type == -1) return frame;
    }
  }
  /// The answer on a stream. Opens no windows.
  Answer answer(std::uint32_t stream) {
    while (!open_[stream].ended) {
      if (next().type == -1) return {};
    }
    return open_[stream].answer;
  }
  /// What has come of it so far.
  const Answer& so_far(std::uint32_t stream) { return open_[stream].answer; }
  /// Waits until the server takes more on this stream, or (0) on all of them.
  bool window_opens(std::uint32_t stream) {
    while (windows_[stream] == 0) {
      if (next().type == -1) return false;
    }
    return true;
  }
  /// The error code that the server leaves with; -1 if it closes without a word.
  int goaway() {
    const Frame frame = next(NGHTTP2_GOAWAY);
    if (frame.type == -1) return -1;
    last_stream = number(frame.payload);
    return static_cast<int>(number(std::string_view(frame.payload).substr(4)));
  }
  bool closed() { return peer_.closed(); }
  Peer& peer() { return peer_; }

  std::uint32_t last_stream = 0;  // of the last GOAWAY

 private:
  Frame next() {
    Frame frame = read();
    Open& of = open_[frame.stream];
    if (frame.type == NGHTTP2_HEADERS) read_head(of, frame.payload);
    if (frame.type == NGHTTP2_DATA) of.answer.body += frame.payload;
    if (frame.type == NGHTTP2_WINDOW_UPDATE) windows_[frame.stream] += number(frame.payload);
    // One behind the whole answer only says that the rest of the request is not wanted.
    if (frame.type == NGHTTP2_RST_STREAM && !of.ended) {
      of.ended = true;
      of.answer.status = -static_cast<int>(number(frame.payload));
    }
    if (frame.type == NGHTTP2_HEADERS || frame.type == NGHTTP2_DATA) {
      if ((frame.flags & kEndStream) != 0) of.ended = true;
    }
    return frame;
  }
  Frame read() {
    std::string& in = peer_.in();
    while (in.size() < 9) {
      if (!peer_.more()) return {};
    }
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(in[i] & 0xff); };
    const std::size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
    while (in.size() < 9 + size) {
      if (!peer_.more()) return {};
    }
    Frame frame;
    frame.type = static_cast<int>(byte(3));
    frame.flags = static_cast<int>(byte(4));
    frame.stream = byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8);
    frame.payload = in.substr(9, size);
    in.erase(0, 9 + size);
    return frame;
  }

  struct Open {
    Answer answer;
    bool ended = false;
  };
  static std::uint32_t number(std::string_view bytes) {
    std::uint32_t value = 0;
    for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  void read_head(Open& open, std::string_view block) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    std::string& text = open.answer.status == 0 ? open.answer.head : open.answer.trailers;
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      ASSERT_GE(used, 0);
      at += used;
      left -= static_cast<std::size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        const std::string name(reinterpret_cast<char*>(field.name), field.namelen);
        const std::string value(reinterpret_cast<char*>(field.value), field.valuelen);
        if (name == ":status") open.answer.status = std::stoi(value);
        text += name + ": " + value + "\r\n";
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
  }

  Peer peer_;
  std::string settings_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::map<std::uint32_t, Open> open_;
  std::map<std::uint32_t, std::uint64_t> windows_;
};

}  // namespace wire
