// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Reads one HTTP/1.x request (RFC 9112), strictly: what two readers could take for different requests
// is refused. Beast's parser does the reading; the rules that it leaves to its users are here.

#pragma once

#include <memory>

#include "settee/http/message.h"

namespace settee::inline v0::http {

struct Http1Limits {
  std::size_t header;
  std::size_t fields;
  std::size_t target;
};

/// Hears what is read.
class Http1Reader {
 public:
  /// A part of the body, valid during the call.
  virtual void on_body(std::span<const std::uint8_t> data) = 0;

 protected:
  ~Http1Reader() = default;
};

class SETTEE_API Http1Parser {
 public:
  Http1Parser(const Http1Limits& limits, Http1Reader& reader);
  ~Http1Parser();

  enum class Step : std::uint8_t {
    kMore,  ///< It needs more than it was given.
    kHead,  ///< The head is complete; request() has it. Go on.
    kBody,  ///< Some of the body was read. Go on.
    kDone,  ///< The request is complete.
    kBad,   ///< See status() and rule().
  };
  /// Reads on; adds to `used` how many bytes of `data` are done with.
  Step read(std::span<const std::uint8_t> data, std::size_t& used);

  Request& request() noexcept;
  Headers& trailers() noexcept;
  bool has_body() const noexcept;
  std::optional<std::uint64_t> length() const noexcept;
  bool keep_alive() const noexcept;
  /// Whether the head has begun.
  bool begun() const noexcept;

  int status() const noexcept;
  const std::string& rule() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace settee::inline v0::http
