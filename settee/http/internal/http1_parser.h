// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Read one HTTP/1.x request, or one response (RFC 9112), strictly: what two readers could take for
// different messages is refused. Beast's parser does the reading; the rules that it leaves to its users
// are here.

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

enum class Http1Step : std::uint8_t {
  kMore,  ///< It needs more than it was given.
  kHead,  ///< The head is complete, and can be asked for. Go on.
  kBody,  ///< Some of the body was read. Go on.
  kDone,  ///< The message is complete.
  kBad,   ///< See rule().
};

class SETTEE_API Http1Parser {
 public:
  Http1Parser(const Http1Limits& limits, Http1Reader& reader);
  ~Http1Parser();

  using Step = Http1Step;
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

class SETTEE_API Http1ResponseParser {
 public:
  /// `head`: of the answer to a HEAD request, which has no body. The limit of targets is one of reasons.
  Http1ResponseParser(const Http1Limits& limits, Http1Reader& reader, bool head);
  ~Http1ResponseParser();

  /// As Http1Parser.
  Http1Step read(std::span<const std::uint8_t> data, std::size_t& used);
  /// The connection has ended, as it should: true if that completes the body.
  bool read_end();

  /// Without its body.
  Response& response() noexcept;
  Headers& trailers() noexcept;
  bool has_body() const noexcept;
  std::optional<std::uint64_t> length() const noexcept;
  bool keep_alive() const noexcept;

  /// Of what is bad: a limit was passed.
  bool too_large() const noexcept;
  const std::string& rule() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace settee::inline v0::http
