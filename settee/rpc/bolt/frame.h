// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Frames of SOFARPC's Bolt protocol: finding them in a stream of bytes, checking them, and writing
// their fixed parts. Source of the format: docs/protocols/bolt.md.
//
//   FrameStep step = read_frame(data, limits, frame);
//   if (step.kind == FrameStep::kFrame) handle(frame), data = data.subspan(step.size);
//
// Everything is checked as soon as it is there: a bad length is refused with the 22nd byte, before
// anything is kept for it.
//
// Threads: plain functions and values.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "settee/base/bytes.h"
#include "settee/base/export.h"

namespace settee::inline v0::rpc::bolt {

/// A connection's protocol: the first byte, and for 0x02 the second one.
enum class Version : std::uint8_t {
  kV1,    ///< 0x01
  kV2,    ///< 0x02 0x01
  kV2_2,  ///< 0x02 0x02: may have a CRC
};

enum class FrameType : std::uint8_t { kResponse = 0, kRequest = 1, kOneway = 2 };
enum class Command : std::uint16_t { kHeartbeat = 0, kRequest = 1, kResponse = 2 };

enum class Codec : std::uint8_t { kHessian = 1, kProtobuf = 11, kJson = 12 };

enum class Status : std::int16_t {
  kSuccess = 0x00,
  kError = 0x01,
  kServerException = 0x02,
  kUnknown = 0x03,
  kBusy = 0x04,
  kErrorComm = 0x05,
  kNoProcessor = 0x06,
  kTimeout = 0x07,
  kClientSendError = 0x08,
  kCodecException = 0x09,
  kConnectionClosed = 0x10,
  kServerSerialize = 0x11,
  kServerDeserialize = 0x12,
};

struct Frame {
  Version version = Version::kV1;
  FrameType type = FrameType::kRequest;
  Command command = Command::kRequest;
  std::uint8_t codec = 1;
  bool crc = false;              ///< Its last four bytes are a CRC (already checked).
  std::int32_t id = 0;
  std::int32_t timeout_ms = 0;   ///< Requests: the caller's timeout; not positive: none.
  Status status = Status::kSuccess;  ///< Responses.
  std::string_view class_name;
  std::span<const std::uint8_t> header;   ///< See HeaderReader.
  std::span<const std::uint8_t> content;
};

/// What of a stream is refused. Lengths are those of one frame.
struct FrameLimits {
  std::uint32_t class_name = 1024;
  std::uint32_t header = 32767;  ///< The format has no more.
  std::uint32_t content = 64 * 1024 * 1024;
};

struct FrameStep {
  enum Kind : std::uint8_t { kFrame, kMore, kBad } kind;
  std::size_t size = 0;    ///< kFrame: bytes of the frame. kMore: bytes needed before the next try.
  std::string rule = {};   ///< kBad: what was broken, e.g. "content length -5 is negative".
  std::size_t offset = 0;  ///< kBad: where in the frame.
};

/// The frame at the beginning of `data`. Its views point into `data`.
SETTEE_API FrameStep read_frame(std::span<const std::uint8_t> data, const FrameLimits& limits,
                                Frame& frame);

/// Fixed parts in front of class name, header and content; finish_frame() fills in what is known only
/// then. `begin_...` returns where the frame begins within `out`.
struct OpenFrame {
  std::uint8_t* lengths = nullptr;  // classLen, in the fixed part
  std::size_t begin = 0;
  std::size_t content = 0;
  bool crc = false;
};
SETTEE_API OpenFrame begin_request(Buffer& out, FrameType type, Codec codec, std::int32_t id,
                                   std::int32_t timeout_ms);
SETTEE_API OpenFrame begin_response(Buffer& out, const Frame& request, Codec codec, Status status,
                                    bool crc);
/// To be called when class name and header have been appended: the content comes next.
inline void begin_content(const Buffer& out, OpenFrame& frame) { frame.content = out.size(); }
/// Ends the frame. False if its content is longer than a frame can hold (2 GiB - 1).
SETTEE_API bool finish_frame(Buffer& out, const OpenFrame& frame, std::uint16_t class_length,
                             std::uint16_t header_length);

SETTEE_API void append_heartbeat(Buffer& out, std::int32_t id);
SETTEE_API void append_heartbeat_ack(Buffer& out, const Frame& heartbeat);

inline constexpr std::string_view kRequestClass =
    "com.alipay.sofa.rpc.core.request.SofaRequest";
inline constexpr std::string_view kResponseClass =
    "com.alipay.sofa.rpc.core.response.SofaResponse";
inline constexpr std::string_view kExceptionClass =
    "com.alipay.remoting.rpc.exception.RpcServerException";

/// Reads a header block: pairs of texts, each with a 32-bit length in front.
class SETTEE_API HeaderReader {
 public:
  explicit HeaderReader(std::span<const std::uint8_t> block) noexcept
      : cursor_(block.data()), end_(block.data() + block.size()) {}
  /// The next pair whose key and value are not null; false at the end or when the block is broken.
  bool next(std::string_view& key, std::string_view& value) noexcept;
  bool broken() const noexcept { return broken_; }

 private:
  bool text(std::string_view& out, bool& null) noexcept;
  const std::uint8_t* cursor_;
  const std::uint8_t* end_;
  bool broken_ = false;
};

SETTEE_API void append_header_pair(Buffer& out, std::string_view key, std::string_view value);

}  // namespace settee::inline v0::rpc::bolt
