// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/http2_test_peer.h"

#include <nghttp2/nghttp2.h>

namespace wire {

Http2Peer::Http2Peer(std::uint16_t port, bool greet, int receive_buffer)
    : peer_(port, receive_buffer) {
  nghttp2_hd_inflate_new(&inflater_);
  if (greet) {
    EXPECT_TRUE(peer_.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    EXPECT_TRUE(send(NGHTTP2_SETTINGS, 0, 0, settings_));
  }
}

Http2Peer::~Http2Peer() { nghttp2_hd_inflate_del(inflater_); }

bool Http2Peer::ask(std::uint32_t stream, std::string_view path) {
  return send(NGHTTP2_HEADERS, kEndStream | kEndHeaders, stream, request_head("GET", path));
}

bool Http2Peer::begin(std::uint32_t stream, std::string_view path, std::string_view more) {
  return send(NGHTTP2_HEADERS, kEndHeaders, stream, request_head("POST", path) + std::string(more));
}

bool Http2Peer::send_data(std::uint32_t stream, std::string_view bytes, bool end) {
  return send(NGHTTP2_DATA, end ? kEndStream : 0, stream, bytes);
}

bool Http2Peer::set(int id, std::uint32_t value) {
  return send(NGHTTP2_SETTINGS, 0, 0,
              big_endian(static_cast<unsigned>(id), 2) + big_endian(value, 4));
}

bool Http2Peer::open_window(std::uint32_t stream, std::uint32_t by) {
  return send(NGHTTP2_WINDOW_UPDATE, 0, stream, big_endian(by, 4));
}

int Http2Peer::goaway() {
  const Frame frame = next(NGHTTP2_GOAWAY);
  if (frame.type == -1) return -1;
  last_stream = number(frame.payload);
  return static_cast<int>(number(std::string_view(frame.payload).substr(4)));
}

Frame Http2Peer::next() {
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

Frame Http2Peer::read() {
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

void Http2Peer::read_head(Open& open, std::string_view block) {
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

}  // namespace wire
