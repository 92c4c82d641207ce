// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// gzip and deflate (which is zlib's format, RFC 9110 8.4.1.2) of bodies.

#pragma once

#include <memory>
#include <string_view>

#include "settee/base/bytes.h"
#include "settee/base/result.h"

namespace settee::inline v0::http {

enum class Coding : std::uint8_t { kNone, kGzip, kDeflate, kUnknown };

/// "gzip"
const char* to_string(Coding coding) noexcept;
/// Of a Content-Encoding.
Coding coding_of(std::string_view content_encoding) noexcept;
/// The one that an Accept-Encoding likes best; gzip if it likes both alike.
Coding accepted_coding(std::string_view accept_encoding) noexcept;
/// Whether it is worth the time for bodies of this Content-Type.
bool compressible(std::string_view content_type) noexcept;

/// Compresses a body part by part.
class Compressor {
 public:
  explicit Compressor(Coding coding);
  ~Compressor();
  /// What comes out for this part, so that the peer can read all of it.
  Bytes add(const Bytes& part, bool last);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// An Error (kDecode) for what is not of this coding, kLimit beyond `limit` bytes.
Result<Bytes> decompress(Coding coding, const Bytes& body, std::size_t limit);

}  // namespace settee::inline v0::http
