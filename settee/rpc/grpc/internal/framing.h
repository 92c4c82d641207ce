// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// gRPC's messages in a body: each a byte that says whether it is compressed, its length in four bytes,
// most significant first, and its content. Source of the format: PROTOCOL-HTTP2.md of gRPC,
// "Length-Prefixed-Message".
//
//   MessageReader reader(options);
//   reader.add(part);                        // of a body, as it comes
//   Result<std::optional<Bytes>> message = reader.next();
//
// Threads: each object belongs to one thread at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "settee/base/bytes.h"
#include "settee/base/export.h"
#include "settee/base/result.h"
#include "settee/rpc/grpc/internal/output.h"

namespace settee::inline v0::rpc::grpc {

inline constexpr std::size_t kPrefixSize = 5;

struct MessageOptions {
  std::size_t max_message = 16 * 1024 * 1024;  ///< Bytes of a message, unpacked: max_frame.
  bool gzip = false;  ///< The peer has named gzip as its messages' encoding.
};

/// Finds the messages in a body that comes in parts.
class SETTEE_API MessageReader {
 public:
  explicit MessageReader(MessageOptions options) noexcept : options_(options) {}

  /// Another part of the body, behind those before it.
  void add(Bytes part);
  /// The next message, unpacked; nothing until more has been added. An Error (kDecode, kLimit) ends it.
  Result<std::optional<Bytes>> next();
  /// At the body's end: an Error (kDecode) if it has cut off a message.
  Result<void> finish() const;

 private:
  MessageOptions options_;
  Bytes whole_;     // what is left of a part that came when nothing waited: messages share it
  Buffer waiting_;  // a message in several parts
  bool bad_ = false;
};

/// The only message of a whole body. An Error (kDecode, kLimit) for none or several.
SETTEE_API Result<Bytes> only_message(const Bytes& body, const MessageOptions& options);

/// Room for a message's prefix: where the message begins, for end_message().
SETTEE_API std::size_t begin_message(Output& out);
/// Fills the prefix in; with `gzip` packs the message, if that makes it smaller.
SETTEE_API void end_message(Output& out, std::size_t begin, bool gzip);
/// A message with its prefix; `write`, a function of an Output& that returns Result<void>, puts its
/// content at the end of that.
template <class Write>
Result<Bytes> make_message(bool gzip, Write&& write) {
  Output out;
  const std::size_t begin = begin_message(out);
  if (const Result<void> done = write(out); !done) return done.error();
  end_message(out, begin, gzip);
  return out.take();
}

}  // namespace settee::inline v0::rpc::grpc
