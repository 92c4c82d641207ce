// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a stream of frames: found in one piece as in two, and within the limits.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "settee/rpc/bolt/frame.h"

namespace {

using namespace settee::rpc::bolt;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_frame(const Frame& frame, const FrameStep& step, const FrameLimits& limits) {
  require(step.size >= 20);
  require(frame.class_name.size() <= limits.class_name);
  require(frame.header.size() <= limits.header);
  require(frame.content.size() <= limits.content);
  std::size_t bytes = 0;
  HeaderReader header(frame.header);
  for (std::string_view key, value; header.next(key, value);)
    bytes += 8 + key.size() + value.size();
  require(bytes <= frame.header.size());
  // What has been read can be written, and reads as the same again.
  settee::Buffer out;
  if (frame.command == Command::kHeartbeat) {
    append_heartbeat_ack(out, frame);
  } else {
    Frame request = frame;
    request.command = Command::kRequest;
    OpenFrame open =
        begin_response(out, request, static_cast<Codec>(frame.codec), frame.status, frame.crc);
    out.append(frame.class_name);
    out.append(frame.header.data(), frame.header.size());
    begin_content(out, open);
    out.append(frame.content.data(), frame.content.size());
    require(finish_frame(out, open, static_cast<std::uint16_t>(frame.class_name.size()),
                         static_cast<std::uint16_t>(frame.header.size())));
  }
  const settee::Bytes written = out.bytes();
  Frame again;
  const FrameStep read = read_frame(written.span(), limits, again);
  require(read.kind == FrameStep::kFrame && read.size == written.size());
  require(again.id == frame.id && again.version == frame.version);
  if (frame.command != Command::kHeartbeat) {
    require(again.class_name == frame.class_name && again.crc == frame.crc);
    require(again.content.size() == frame.content.size());
    require(frame.content.empty() ||
            std::memcmp(again.content.data(), frame.content.data(), frame.content.size()) == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FrameLimits limits;
  if (size > 0 && data[size - 1] % 2 == 1) limits.content = 64;
  std::span<const std::uint8_t> rest(data, size);
  for (;;) {
    Frame frame;
    const FrameStep step = read_frame(rest, limits, frame);
    if (step.kind == FrameStep::kBad) {
      require(!step.rule.empty() && step.offset < rest.size());
      break;
    }
    if (step.kind == FrameStep::kMore) {
      require(step.size > rest.size());
      break;
    }
    require(step.size <= rest.size());
    check_frame(frame, step, limits);
    // Any shorter piece of it only wants more. An exact copy, so that a look beyond is seen.
    const std::size_t cut = rest.size() > 7 ? rest[7] % step.size : 0;
    const std::unique_ptr<std::uint8_t[]> part(new std::uint8_t[cut]);
    if (cut > 0) std::memcpy(part.get(), rest.data(), cut);
    Frame none;
    const FrameStep shorter = read_frame({part.get(), cut}, limits, none);
    require(shorter.kind == FrameStep::kMore && shorter.size > cut && shorter.size <= step.size);
    rest = rest.subspan(step.size);
  }
  HeaderReader header({data, size});
  for (std::string_view key, value; header.next(key, value);) {
    require(key.data() >= reinterpret_cast<const char*>(data));
    require(value.data() + value.size() <= reinterpret_cast<const char*>(data) + size);
  }
  return 0;
}
