// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/framing.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <new>
#include <utility>

namespace settee::inline v0::rpc::grpc {

namespace {

constexpr int kGzipWindow = 15 + 16;
// Shorter messages do not become smaller.
constexpr std::size_t kWorthPacking = 256;

struct Prefix {
  std::uint8_t flag;
  std::size_t size;
};

Prefix prefix_of(const std::uint8_t* at) noexcept {
  return {at[0], std::size_t{at[1]} << 24 | std::size_t{at[2]} << 16 | std::size_t{at[3]} << 8 |
                     std::size_t{at[4]}};
}

Result<void> check(const Prefix& prefix, const MessageOptions& options) {
  if (prefix.flag > 1) {
    return Error(Code::kDecode,
                 fmt::format("grpc: a message begins with byte {:#04x}; it must be 0 (plain) or 1 "
                             "(compressed)",
                             prefix.flag));
  }
  if (prefix.flag == 1 && !options.gzip) {
    return Error(Code::kDecode,
                 "grpc: a message is marked as compressed, and no grpc-encoding says how");
  }
  if (prefix.size > options.max_message) {
    return Error(Code::kLimit, fmt::format("grpc: limit 'max_frame' of {} bytes exceeded: a "
                                           "message announces {}",
                                           options.max_message, prefix.size));
  }
  return {};
}

Result<Bytes> unpack(const Bytes& packed, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) throw std::bad_alloc();
  struct End {
    z_stream& stream;
    ~End() { inflateEnd(&stream); }
  } const at_end{stream};
  stream.next_in = const_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  Output out;
  for (;;) {
    constexpr std::size_t kPiece = 16 * 1024;
    stream.next_out = out.prepare(kPiece);
    stream.avail_out = kPiece;
    const int step = inflate(&stream, Z_NO_FLUSH);
    out.commit(kPiece - stream.avail_out);
    if (out.size() > limit) {
      return Error(Code::kLimit,
                   fmt::format("grpc: limit 'max_frame' of {} bytes exceeded: a compressed "
                               "message of {} bytes is larger",
                               limit, packed.size()));
    }
    if (step == Z_STREAM_END) break;
    if (step != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) {
      return Error(
          Code::kDecode,
          fmt::format("grpc: a compressed message is not gzip: {} at byte {}",
                      stream.msg != nullptr ? stream.msg : "it is cut off", stream.total_in));
    }
  }
  if (stream.avail_in != 0) {
    return Error(Code::kDecode, fmt::format("grpc: a compressed message ends {} bytes too early",
                                            stream.avail_in));
  }
  return out.take();
}

Result<Bytes> content(const Prefix& prefix, Bytes message, const MessageOptions& options) {
  if (prefix.flag == 0) return message;
  return unpack(message, options.max_message);
}

}  // namespace

void MessageReader::add(Bytes part) {
  if (whole_.empty() && waiting_.empty()) {
    whole_ = std::move(part);
    return;
  }
  waiting_.append(std::exchange(whole_, Bytes()));
  waiting_.append(std::move(part));
}

Result<std::optional<Bytes>> MessageReader::next() {
  const std::size_t size = whole_.size() + waiting_.size();
  if (bad_ || size < kPrefixSize) return std::optional<Bytes>();
  std::uint8_t head[kPrefixSize];
  if (whole_.empty()) {
    waiting_.copy_out(0, head, kPrefixSize);
  } else {
    std::copy_n(whole_.data(), kPrefixSize, head);
  }
  const Prefix prefix = prefix_of(head);
  if (Result<void> checked = check(prefix, options_); !checked) {
    bad_ = true;
    return checked.error();
  }
  if (size - kPrefixSize < prefix.size) return std::optional<Bytes>();
  Bytes message;
  if (whole_.empty()) {
    message = waiting_.slice(kPrefixSize, prefix.size);
    waiting_.consume(kPrefixSize + prefix.size);
  } else {
    message = whole_.slice(kPrefixSize, prefix.size);
    whole_ = whole_.slice(kPrefixSize + prefix.size, whole_.size());
  }
  Result<Bytes> unpacked = content(prefix, std::move(message), options_);
  if (!unpacked) {
    bad_ = true;
    return unpacked.error();
  }
  return std::optional<Bytes>(std::move(*unpacked));
}

Result<void> MessageReader::finish() const {
  const std::size_t size = whole_.size() + waiting_.size();
  if (bad_ || size == 0) return {};
  return Error(Code::kDecode,
               fmt::format("grpc: the body ends within a message, of which {} bytes came", size));
}

Result<Bytes> only_message(const Bytes& body, const MessageOptions& options) {
  if (body.size() < kPrefixSize) {
    return Error(Code::kDecode,
                 fmt::format("grpc: the body of {} bytes has no message", body.size()));
  }
  const Prefix prefix = prefix_of(body.data());
  if (Result<void> checked = check(prefix, options); !checked) return checked.error();
  if (body.size() - kPrefixSize != prefix.size) {
    return Error(
        Code::kDecode,
        fmt::format("grpc: a message of {} bytes is announced and {} came; a unary call has one "
                    "message",
                    prefix.size, body.size() - kPrefixSize));
  }
  return content(prefix, body.slice(kPrefixSize, prefix.size), options);
}

std::size_t begin_message(Output& out) {
  out.prepare(kPrefixSize);
  out.commit(kPrefixSize);
  return out.size();
}

void end_message(Output& out, std::size_t begin, bool gzip) {
  std::size_t size = out.size() - begin;
  std::uint8_t flag = 0;
  if (gzip && size >= kWorthPacking) {
    z_stream stream{};
    if (deflateInit2(&stream, 5, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
    Output packed;
    stream.next_in = out.data() + begin;
    stream.avail_in = static_cast<uInt>(size);
    // Room for less than the message: what does not fit would not be worth it.
    stream.next_out = packed.prepare(size);
    stream.avail_out = static_cast<uInt>(size - 1);
    const int step = deflate(&stream, Z_FINISH);
    if (step == Z_STREAM_END) {
      const std::size_t smaller = size - 1 - stream.avail_out;
      std::copy_n(packed.data(), smaller, out.data() + begin);
      out.truncate(begin + smaller);
      size = smaller;
      flag = 1;
    }
    deflateEnd(&stream);
  }
  std::uint8_t* prefix = out.data() + begin - kPrefixSize;
  prefix[0] = flag;
  for (int i = 0; i < 4; ++i) prefix[1 + i] = static_cast<std::uint8_t>(size >> (24 - 8 * i));
}

}  // namespace settee::inline v0::rpc::grpc
