// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/bolt/frame.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include <sys/uio.h>

#include "settee/rpc/bolt/internal/big_endian.h"

namespace settee::inline v0::rpc::bolt {

namespace {

FrameStep more(std::size_t size) { return {FrameStep::kMore, size}; }

FrameStep bad(std::string rule, std::size_t offset) {
  return {FrameStep::kBad, 0, std::move(rule), offset};
}

bool known_status(std::int16_t status) {
  return (status >= 0 && status <= 9) || (status >= 0x10 && status <= 0x12);
}

}  // namespace

FrameStep read_frame(std::span<const std::uint8_t> data, const FrameLimits& limits, Frame& frame) {
  const std::size_t have = data.size();
  if (have == 0) return more(1);
  const std::uint8_t* const at = data.data();
  // Version 2 has two bytes more: the protocol version behind the first, the switch behind the codec.
  std::size_t shift = 0;
  if (at[0] == 1) {
    frame.version = Version::kV1;
  } else if (at[0] == 2) {
    if (have < 2) return more(2);
    if (at[1] != 1 && at[1] != 2) {
      return bad(fmt::format("protocol version {} is not 1 or 2", at[1]), 1);
    }
    frame.version = at[1] == 1 ? Version::kV2 : Version::kV2_2;
    shift = 1;
  } else {
    return bad(fmt::format("first byte 0x{:02x} is not a Bolt protocol code (1 or 2)", at[0]), 0);
  }
  if (have < 4 + shift) return more(4 + shift);
  const std::uint8_t type = at[1 + shift];
  if (type > 2) return bad(fmt::format("frame type {} is not 0, 1 or 2", type), 1 + shift);
  const std::uint16_t command = get16(at + 2 + shift);
  if (command > 2) return bad(fmt::format("command code {} is unknown", command), 2 + shift);
  const bool response = type == 0;
  if (command == 1 && response) return bad("a request command in a response frame", 2 + shift);
  if (command == 2 && !response) return bad("a response command in a request frame", 2 + shift);
  frame.type = static_cast<FrameType>(type);
  frame.command = static_cast<Command>(command);

  const std::size_t fixed = (response ? 20 : 22) + 2 * shift;
  if (have < fixed) return more(fixed);
  frame.id = static_cast<std::int32_t>(get32(at + 5 + shift));
  frame.codec = at[9 + shift];
  bool crc = false;
  if (shift != 0) {
    const std::uint8_t flags = at[11];
    if (flags > 1) return bad(fmt::format("switch byte 0x{:02x} has unknown bits", flags), 11);
    crc = flags == 1 && frame.version == Version::kV2_2;
  }
  frame.crc = crc;
  std::size_t next = 10 + 2 * shift;
  if (response) {
    const auto status = static_cast<std::int16_t>(get16(at + next));
    if (!known_status(status)) {
      return bad(fmt::format("response status 0x{:x} is unknown", status), next);
    }
    frame.status = static_cast<Status>(status);
    frame.timeout_ms = 0;
    next += 2;
  } else {
    frame.status = Status::kSuccess;
    frame.timeout_ms = static_cast<std::int32_t>(get32(at + next));
    next += 4;
  }
  // All three lengths are signed in the format.
  const auto class_length = static_cast<std::int16_t>(get16(at + next));
  const auto header_length = static_cast<std::int16_t>(get16(at + next + 2));
  const auto content_length = static_cast<std::int32_t>(get32(at + next + 4));
  const auto check = [](std::string_view name, std::int64_t length, std::uint32_t limit,
                        std::size_t where) -> std::optional<FrameStep> {
    if (length < 0) return bad(fmt::format("{} length {} is negative", name, length), where);
    if (length > limit) {
      return bad(fmt::format("{} length {} is over the limit of {}", name, length, limit), where);
    }
    return std::nullopt;
  };
  if (auto wrong = check("class name", class_length, limits.class_name, next)) return *wrong;
  if (auto wrong = check("header", header_length, limits.header, next + 2)) return *wrong;
  if (auto wrong = check("content", content_length, limits.content, next + 4)) return *wrong;

  const auto class_size = static_cast<std::size_t>(class_length);
  const auto header_size = static_cast<std::size_t>(header_length);
  const auto content_size = static_cast<std::size_t>(content_length);
  const std::size_t body = fixed + class_size + header_size + content_size;
  const std::size_t whole = body + (crc ? 4 : 0);
  if (have < whole) return more(whole);
  if (crc) {
    const std::uint32_t sent = get32(at + body);
    const auto real = static_cast<std::uint32_t>(crc32(0, at, static_cast<uInt>(body)));
    if (sent != real) {
      return bad(fmt::format("CRC 0x{:08x} does not match the frame's 0x{:08x}", sent, real), body);
    }
  }
  frame.class_name = {reinterpret_cast<const char*>(at + fixed), class_size};
  frame.header = data.subspan(fixed + class_size, header_size);
  frame.content = data.subspan(fixed + class_size + header_size, content_size);
  return {FrameStep::kFrame, whole};
}

OpenFrame begin_request(Buffer& out, FrameType type, Codec codec, std::int32_t id,
                        std::int32_t timeout_ms) {
  OpenFrame frame;
  frame.begin = out.size();
  std::uint8_t* at = out.prepare(22);
  at[0] = 1;
  at[1] = static_cast<std::uint8_t>(type);
  put16(at + 2, static_cast<std::uint16_t>(Command::kRequest));
  at[4] = 1;
  put32(at + 5, static_cast<std::uint32_t>(id));
  at[9] = static_cast<std::uint8_t>(codec);
  put32(at + 10, static_cast<std::uint32_t>(timeout_ms));
  frame.lengths = at + 14;
  std::memset(frame.lengths, 0, 8);
  out.commit(22);
  return frame;
}

OpenFrame begin_response(Buffer& out, const Frame& request, Codec codec, Status status, bool crc) {
  OpenFrame frame;
  frame.begin = out.size();
  frame.crc = crc && request.version == Version::kV2_2;
  const std::size_t shift = request.version == Version::kV1 ? 0 : 1;
  const std::size_t fixed = 20 + 2 * shift;
  std::uint8_t* at = out.prepare(fixed);
  at[0] = shift == 0 ? 1 : 2;
  if (shift != 0) at[1] = request.version == Version::kV2 ? 1 : 2;
  at[1 + shift] = static_cast<std::uint8_t>(FrameType::kResponse);
  put16(at + 2 + shift, static_cast<std::uint16_t>(request.command == Command::kHeartbeat
                                                       ? Command::kHeartbeat
                                                       : Command::kResponse));
  at[4 + shift] = 1;
  put32(at + 5 + shift, static_cast<std::uint32_t>(request.id));
  at[9 + shift] = static_cast<std::uint8_t>(codec);
  if (shift != 0) at[11] = frame.crc ? 1 : 0;
  put16(at + 10 + 2 * shift, static_cast<std::uint16_t>(status));
  frame.lengths = at + 12 + 2 * shift;
  std::memset(frame.lengths, 0, 8);
  out.commit(fixed);
  return frame;
}

bool finish_frame(Buffer& out, const OpenFrame& frame, std::uint16_t class_length,
                  std::uint16_t header_length) {
  const std::size_t content = out.size() - frame.content;
  if (content > INT32_MAX) return false;
  put16(frame.lengths, class_length);
  put16(frame.lengths + 2, header_length);
  put32(frame.lengths + 4, static_cast<std::uint32_t>(content));
  if (frame.crc) {
    const Bytes all = out.slice(frame.begin, out.size() - frame.begin);
    const auto sum = static_cast<std::uint32_t>(
        crc32_z(0, all.data(), all.size()));
    put32(out.prepare(4), sum);
    out.commit(4);
  }
  return true;
}

void append_heartbeat(Buffer& out, std::int32_t id) {
  std::uint8_t* at = out.prepare(22);
  std::memset(at, 0, 22);
  at[0] = 1;
  at[1] = static_cast<std::uint8_t>(FrameType::kRequest);
  at[4] = 1;
  put32(at + 5, static_cast<std::uint32_t>(id));
  at[9] = static_cast<std::uint8_t>(Codec::kHessian);
  put32(at + 10, 0xffffffff);
  out.commit(22);
}

void append_heartbeat_ack(Buffer& out, const Frame& heartbeat) {
  OpenFrame frame = begin_response(out, heartbeat, Codec::kHessian, Status::kSuccess, false);
  begin_content(out, frame);
  finish_frame(out, frame, 0, 0);
}

bool HeaderReader::text(std::string_view& out, bool& null) noexcept {
  if (end_ - cursor_ < 4) return broken_ = true, false;
  const auto length = static_cast<std::int32_t>(get32(cursor_));
  cursor_ += 4;
  null = length == -1;
  if (null) return true;
  if (length < 0 || length > end_ - cursor_) return broken_ = true, false;
  out = {reinterpret_cast<const char*>(cursor_), static_cast<std::size_t>(length)};
  cursor_ += length;
  return true;
}

bool HeaderReader::next(std::string_view& key, std::string_view& value) noexcept {
  while (cursor_ != end_ && !broken_) {
    bool null_key = false;
    bool null_value = false;
    if (!text(key, null_key) || !text(value, null_value)) return false;
    if (!null_key && !null_value) return true;
  }
  return false;
}

void append_header_pair(Buffer& out, std::string_view key, std::string_view value) {
  std::uint8_t* at = out.prepare(8 + key.size() + value.size());
  put32(at, static_cast<std::uint32_t>(key.size()));
  std::memcpy(at + 4, key.data(), key.size());
  at += 4 + key.size();
  put32(at, static_cast<std::uint32_t>(value.size()));
  if (!value.empty()) std::memcpy(at + 4, value.data(), value.size());
  out.commit(8 + key.size() + value.size());
}

}  // namespace settee::inline v0::rpc::bolt
