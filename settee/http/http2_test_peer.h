// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// For tests: an HTTP/2 peer that makes its frames by hand, good ones and bad ones.

#pragma once

#include <map>

#include "settee/http/http_test_peer.h"

struct nghttp2_hd_inflater;

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
  explicit Http2Peer(std::uint16_t port, bool greet = true, int receive_buffer = 0);
  ~Http2Peer();
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
  bool ask(std::uint32_t stream, std::string_view path);
  bool begin(std::uint32_t stream, std::string_view path, std::string_view more = {});
  bool send_data(std::uint32_t stream, std::string_view bytes, bool end);
  bool set(int id, std::uint32_t value);
  bool open_window(std::uint32_t stream, std::uint32_t by);

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
  int goaway();
  bool closed() { return peer_.closed(); }
  Peer& peer() { return peer_; }

  std::uint32_t last_stream = 0;  // of the last GOAWAY

 private:
  Frame next();
  Frame read();

  struct Open {
    Answer answer;
    bool ended = false;
  };
  static std::uint32_t number(std::string_view bytes) {
    std::uint32_t value = 0;
    for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  void read_head(Open& open, std::string_view block);

  Peer peer_;
  std::string settings_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::map<std::uint32_t, Open> open_;
  std::map<std::uint32_t, std::uint64_t> windows_;
};

}  // namespace wire
