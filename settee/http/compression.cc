// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/internal/compression.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <new>

#include "settee/http/internal/characters.h"
#include "settee/http/message.h"

namespace settee::inline v0::http {

namespace {

// The one window size that both forms are read with; 16 more means gzip.
int window_bits(Coding coding) { return coding == Coding::kGzip ? MAX_WBITS + 16 : MAX_WBITS; }

// q=0.5 as 500; without one 1000; what cannot be read is taken for 0.
int quality(std::string_view parameters) {
  const std::size_t at = parameters.find("q=");
  if (at == std::string_view::npos) return 1000;
  const std::string_view value = trim(parameters.substr(at + 2));
  if (value.starts_with('1')) return 1000;
  if (!value.starts_with("0.")) return 0;
  int thousandths = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const char c = i + 2 < value.size() ? value[i + 2] : '0';
    if (c < '0' || c > '9') return 0;
    thousandths = thousandths * 10 + (c - '0');
  }
  return thousandths;
}

}  // namespace

const char* to_string(Coding coding) noexcept {
  switch (coding) {
    case Coding::kNone: return "identity";
    case Coding::kGzip: return "gzip";
    case Coding::kDeflate: return "deflate";
    case Coding::kUnknown: return "unknown";
  }
  return "unknown";
}

Coding coding_of(std::string_view name) noexcept {
  name = trim(name);
  if (name.empty() || same_name(name, "identity")) return Coding::kNone;
  if (same_name(name, "gzip") || same_name(name, "x-gzip")) return Coding::kGzip;
  if (same_name(name, "deflate")) return Coding::kDeflate;
  return Coding::kUnknown;
}

Coding accepted_coding(std::string_view accept) noexcept {
  int gzip = -1;
  int deflate = -1;
  int any = 0;
  while (!accept.empty()) {
    const std::size_t comma = std::min(accept.find(','), accept.size());
    const std::string_view item = accept.substr(0, comma);
    accept.remove_prefix(std::min(comma + 1, accept.size()));
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view name = trim(item.substr(0, semicolon));
    const int q = quality(item.substr(semicolon));
    if (name == "*") any = q;
    if (coding_of(name) == Coding::kGzip) gzip = q;
    if (coding_of(name) == Coding::kDeflate) deflate = q;
  }
  if (gzip < 0) gzip = any;
  if (deflate < 0) deflate = any;
  if (gzip <= 0 && deflate <= 0) return Coding::kNone;
  return gzip >= deflate ? Coding::kGzip : Coding::kDeflate;
}

bool compressible(std::string_view type) noexcept {
  type = trim(type.substr(0, type.find(';')));
  return type.starts_with("text/") || type.ends_with("+json") || type.ends_with("+xml") ||
         type == "application/json" || type == "application/javascript" ||
         type == "application/xml" || type == "application/yaml";
}

struct Compressor::Impl {
  z_stream stream{};
};

Compressor::Compressor(Coding coding) : impl_(std::make_unique<Impl>()) {
  // Level 5: nearly as small as 6 in half of its time, for texts.
  if (deflateInit2(&impl_->stream, 5, Z_DEFLATED, window_bits(coding), 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::bad_alloc();
  }
}

Compressor::~Compressor() { deflateEnd(&impl_->stream); }

Bytes Compressor::add(const Bytes& part, bool last) {
  z_stream& stream = impl_->stream;
  stream.next_in = const_cast<Bytef*>(part.data());
  stream.avail_in = static_cast<uInt>(part.size());
  Buffer out;
  do {
    constexpr uInt kPiece = 16 * 1024;
    stream.next_out = out.prepare(kPiece);
    stream.avail_out = kPiece;
    deflate(&stream, last ? Z_FINISH : Z_SYNC_FLUSH);
    out.commit(kPiece - stream.avail_out);
  } while (stream.avail_out == 0);
  return out.bytes();
}

Result<Bytes> decompress(Coding coding, const Bytes& body, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, window_bits(coding)) != Z_OK) throw std::bad_alloc();
  struct End {
    z_stream& stream;
    ~End() { inflateEnd(&stream); }
  } const at_end{stream};
  stream.next_in = const_cast<Bytef*>(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  Buffer out;
  int step = Z_OK;
  while (step != Z_STREAM_END) {
    constexpr uInt kPiece = 16 * 1024;
    stream.next_out = out.prepare(kPiece);
    stream.avail_out = kPiece;
    step = inflate(&stream, Z_NO_FLUSH);
    out.commit(kPiece - stream.avail_out);
    if (out.size() > limit) {
      return Error(Code::kLimit, fmt::format("the {} body is larger than {} bytes when unpacked",
                                             to_string(coding), limit));
    }
    if (step == Z_STREAM_END) break;
    if (step != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) {
      return Error(
          Code::kDecode,
          fmt::format("the body is not {}: {} at byte {}", to_string(coding),
                      stream.msg != nullptr ? stream.msg : "it is cut off", stream.total_in));
    }
  }
  if (stream.avail_in != 0) {
    return Error(Code::kDecode, fmt::format("the {} body ends {} bytes before its end",
                                            to_string(coding), stream.avail_in));
  }
  return out.bytes();
}

}  // namespace settee::inline v0::http
