// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What HTTP carries: a Request and a Response, each with Headers and a Body. They are the same for
// HTTP/1.1 and HTTP/2, for servers and for clients.
//
//   Task<Response> hello(Request request) {
//     co_return Response(200, "text/plain", "hello " + std::string(request.path()));
//   }
//
// A body is whole, which is the usual case and costs nothing extra, or a sequence of parts that its
// receiver pulls one after the other: so a slow receiver slows the sender. Trailers may follow it.
//
// Threads: plain values, each used by one thread at a time.

#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/base/bytes.h"
#include "settee/base/stream.h"
#include "settee/base/task.h"
#include "settee/net/endpoint.h"

namespace settee::inline v0::net {
struct TlsInfo;
}

namespace settee::inline v0::http {

enum class Version : std::uint8_t { kHttp10, kHttp11, kHttp2 };
/// "HTTP/1.1". Never null.
SETTEE_API const char* to_string(Version version) noexcept;

/// Header fields in their order. Names are compared without regard to case, and are sent as they are
/// given (HTTP/2 sends them in lower case).
class SETTEE_API Headers {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };
  class Iterator {
   public:
    Field operator*() const noexcept { return headers_->at(index_); }
    Iterator& operator++() noexcept {
      ++index_;
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) noexcept {
      return a.index_ == b.index_;
    }

   private:
    friend class Headers;
    Iterator(const Headers& headers, std::size_t index) noexcept
        : headers_(&headers), index_(index) {}
    const Headers* headers_;
    std::size_t index_;
  };

  /// Adds a field behind the others. An Error (kInvalidArgument) for a name that is no token or a value
  /// with CR, LF or NUL: what an attacker would use to forge another header or answer.
  void add(std::string_view name, std::string_view value);
  /// Replaces all fields of this name.
  void set(std::string_view name, std::string_view value);
  /// How many there were.
  std::size_t remove(std::string_view name) noexcept;
  void clear() noexcept;

  /// The first value of this name, valid until the next change; nothing if there is none.
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// The same; empty if there is none.
  std::string_view get(std::string_view name) const noexcept {
    return find(name).value_or(std::string_view());
  }
  /// Whether the comma-separated list that all fields of this name form has `token`, without regard to
  /// case: has("connection", "close").
  bool has(std::string_view name, std::string_view token) const noexcept;

  std::size_t size() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }
  Field at(std::size_t index) const noexcept {
    const Entry& entry = entries_[index];
    const char* const name = text_.data() + entry.at;
    return {{name, entry.name_size}, {name + entry.name_size, entry.value_size}};
  }
  Iterator begin() const noexcept { return {*this, 0}; }
  Iterator end() const noexcept { return {*this, entries_.size()}; }

  /// For parsers that have checked the field, and know about how much there will be.
  void add_checked(std::string_view name, std::string_view value);
  void reserve(std::size_t fields, std::size_t bytes);

 private:
  struct Entry {
    std::uint32_t at;
    std::uint32_t name_size;
    std::uint32_t value_size;
  };
  std::string text_;  // names and values, end to end
  std::vector<Entry> entries_;
};

/// Whether two names (or other ASCII texts) are the same but for case.
SETTEE_API bool same_name(std::string_view a, std::string_view b) noexcept;

/// Gives the parts of a body as they are pulled.
class SETTEE_API BodySource {
 public:
  virtual ~BodySource();
  /// The next part; nothing at the end. An Error ends the body before its time, and its receiver is
  /// told so. One call at a time.
  virtual Task<std::optional<Bytes>> next() = 0;
  /// What follows the last part; asked for when next() has given nothing.
  virtual Headers trailers();
  /// Bytes of all parts together, if they are known beforehand.
  virtual std::optional<std::uint64_t> size() const;
};

class SETTEE_API Body {
 public:
  Body() noexcept = default;
  Body(Bytes bytes) noexcept : bytes_(std::move(bytes)) {}           // NOLINT: it is one
  Body(std::string_view text) : bytes_(text) {}                      // NOLINT: it is one
  Body(const std::string& text) : bytes_(std::string_view(text)) {}  // NOLINT: it is one
  Body(const char* text) : bytes_(std::string_view(text)) {}         // NOLINT: it is one
  template <std::derived_from<BodySource> Source>
  Body(std::unique_ptr<Source> source) noexcept
      : source_(std::move(source)) {}  // NOLINT: it is one
  /// The stream's values as parts.
  Body(AsyncStream<Bytes> parts);  // NOLINT: it is one

  /// All of it is here, in bytes().
  bool whole() const noexcept { return source_ == nullptr; }
  /// Empty unless whole().
  const Bytes& bytes() const noexcept { return bytes_; }
  std::string_view text() const noexcept { return bytes_.view(); }
  /// Bytes in all, if known.
  std::optional<std::uint64_t> size() const;

  /// The next part (of a whole body: all of it, once); nothing at the end.
  Task<std::optional<Bytes>> next();
  /// All of it, or what is left; an Error (kLimit) beyond `limit` bytes.
  Task<Bytes> read(std::size_t limit);
  /// Good at the end of the body.
  const Headers& trailers() const noexcept { return trailers_; }
  void set_trailers(Headers trailers) { trailers_ = std::move(trailers); }

 private:
  Bytes bytes_;
  std::unique_ptr<BodySource> source_;
  Headers trailers_;
};

/// Who sent a request.
struct Peer {
  net::SocketAddress address;
  std::string text;                          ///< address.to_string()
  std::shared_ptr<const net::TlsInfo> tls;  ///< Null: plain text. See settee/net/tls.h.
};

class SETTEE_API Request {
 public:
  Version version = Version::kHttp11;
  std::string method = "GET";
  /// As sent: "/path?query", or "*" with OPTIONS.
  std::string target = "/";
  Headers headers = {};  ///< With "host", also for HTTP/2 if its peer names one.
  Body body = {};
  std::shared_ptr<const Peer> peer = {};  ///< Set in a server.

  /// The target up to its '?', still percent-encoded.
  std::string_view path() const noexcept;
  /// What is behind the '?', still percent-encoded.
  std::string_view query() const noexcept;
  /// The first value of a name in the query, decoded; nothing without one, or if its encoding is bad.
  std::optional<std::string> parameter(std::string_view name) const;
};

class SETTEE_API Response {
 public:
  Response() noexcept = default;
  explicit Response(int status_code) noexcept : status(status_code) {}
  Response(int status_code, std::string_view content_type, Body content);
  /// RFC 9457, application/problem+json: status, its title, what went wrong.
  static Response problem(int status, std::string_view detail);
  /// The same of an Error, with its code; the status follows from that.
  static Response problem(const Error& error);

  int status = 200;
  Headers headers = {};
  Body body = {};
  Version version = Version::kHttp11;  ///< Of what a client has received.
};

/// "Not Found"; empty for a status that has no name.
SETTEE_API std::string_view reason_of(int status) noexcept;

/// %41 becomes A; nothing if an escape is broken or stands for NUL. `plus`: + is a blank, as in queries.
SETTEE_API std::optional<std::string> percent_decode(std::string_view text, bool plus = false);

}  // namespace settee::inline v0::http
