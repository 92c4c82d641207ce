// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Client: sends HTTP/1.1 and HTTP/2 requests over connections that it keeps.
//
//   Client client{runtime};
//   Response answer = co_await client.send("http://127.0.0.1:8080/hello", Request());
//
//   http://host[:80]    HTTP/1.1
//   https://host[:443]  TLS; HTTP/2 if the server wants it (ALPN), else HTTP/1.1
//   h2c://host[:80]     HTTP/2 without TLS, by prior knowledge
//   h2://host[:443]     HTTP/2 with TLS; an Error if the server does not speak it
//
// Each loop of the Runtime has connections of its own: a call stays on the loop that it is made on. An
// HTTP/1.1 connection has one call at a time, an HTTP/2 connection many. With TLS the server's
// certificate is verified, and that it is for the URL's host (settee/net/tls.h).
//
// A call is sent again, at most twice, if it is certain that no server has begun it (HTTP/2: refused,
// or left out of a GOAWAY), and, if its method is idempotent, when a connection that was kept has
// ended before any byte of the answer. Never when its body has been begun and is not whole.
//
// Errors of send() name method, URL and step: kInvalidArgument, kConnectFailed (nothing was sent),
// kConnectionClosed, kTimeout, kCancelled, kLimit, kProtocol (the answer is not HTTP), kDecode (its
// coding), kPeerError (its stream was reset, with a StreamReset), kOverflow (too many calls wait),
// kStopped. Any status is an answer, no Error.
//
// Threads: all members from any thread; stop() and the destructor not on a loop's.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "settee/base/runtime.h"
#include "settee/http/message.h"
#include "settee/net/endpoint.h"
#include "settee/net/tls.h"

namespace settee::inline v0::http {

/// An absolute URL, taken apart once.
struct Url {
  enum class Scheme : std::uint8_t { kHttp, kHttps, kH2c, kH2 };
  Scheme scheme = Scheme::kHttp;
  net::Endpoint endpoint;  ///< host and port; the default port is put in.
  std::string authority;   ///< host[:port] as written, without a user: the Host field.
  std::string target;      ///< "/path?query" as written, without a fragment; may be empty.

  /// An Error (kInvalidArgument) says what is wrong with it. Users and passwords are refused.
  SETTEE_API static Result<Url> parse(std::string_view text);
  bool secure() const noexcept { return scheme == Scheme::kHttps || scheme == Scheme::kH2; }
  /// "https://host:443"
  SETTEE_API std::string origin() const;
};

/// The detail of an Error: the server has reset the call's HTTP/2 stream.
struct SETTEE_API StreamReset final : ErrorDetail {
  explicit StreamReset(std::uint32_t error_code) noexcept : code(error_code) {}
  ~StreamReset() override;
  std::uint32_t code;  ///< RFC 9113, section 7
};

/// Each limit ends the call that it refuses with an Error (kLimit unless it is a time), and is counted.
struct ClientOptions {
  /// For https:// and h2://; its `alpn` is the client's own affair. None: whom the system trusts, read
  /// when it is first needed.
  std::optional<net::TlsClientOptions> tls = {};
  /// Asks for gzip or deflate when a body is wanted whole and the request has no Accept-Encoding of its
  /// own, and unpacks it.
  bool decompress = true;
  /// Followed; 0: a redirect is an answer like others. So is one that wants a streamed body again.
  std::size_t max_redirects = 0;

  std::size_t max_connections = 8;     ///< To one origin, on each loop.
  std::size_t max_waiting = 1'024;     ///< Calls that wait for one of them; kOverflow.
  std::uint32_t max_streams = 100;     ///< Calls on an HTTP/2 connection, or what its server says.
  std::size_t max_header = 64 * 1024;  ///< Bytes of all fields of an answer, or of its trailers.
  std::size_t max_fields = 200;        ///< The same.
  std::size_t max_body = 64 * 1024 * 1024;  ///< Of a whole body, unpacked too.
  std::size_t max_unsent = 1024 * 1024;     ///< Bytes that a server does not take; bodies wait.
  std::uint32_t window = 256 * 1024;  ///< Bytes of a streamed body that come before they are read.
  std::size_t max_idle_frames = 1'000;  ///< HTTP/2 frames that bring nothing, then 100 a second.
  std::chrono::milliseconds connect_timeout{3'000};  ///< To each address; TLS has its own.
  std::chrono::milliseconds idle_timeout{30'000};  ///< A connection is kept so long without calls.
  /// An HTTP/2 server that says nothing for so long while calls run is asked whether it is there (PING),
  /// and has ping_timeout to say so. 0: never. Servers of gRPC refuse to be asked more often than every
  /// five minutes unless they are told otherwise.
  std::chrono::milliseconds ping_after{300'000};
  std::chrono::milliseconds ping_timeout{20'000};
  /// For all of send(): kTimeout. The Context's deadline may be earlier. 0: none.
  std::chrono::milliseconds timeout{30'000};
};

struct SendOptions {
  /// send() ends when the head of the answer is there; the body is pulled from the Response, as it
  /// was sent (not unpacked). The server is read no faster than that. Letting go of the body before
  /// its end resets an HTTP/2 stream, and closes an HTTP/1.1 connection. Reading it is under the
  /// reader's Context; a request's body that is still being sent, under that of send().
  bool streaming = false;
  std::size_t max_body = 0;              ///< 0: the client's.
  std::chrono::milliseconds timeout{0};  ///< 0: the client's. A negative one: none.
};

class SETTEE_API Client {
 public:
  /// An Error (kInvalidArgument) for options that let nothing pass, kConfig for TLS's files.
  explicit Client(Runtime& runtime, ClientOptions options = {});
  /// stop()
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends `request` to the URL's origin: the URL's target if it has one, else the request's. Its
  /// version and peer are of no account. Host is the URL's, unless the request has one. Fields that
  /// belong to a connection (Connection, Content-Length, Transfer-Encoding, ...) are made here.
  /// The answer's trailers are its body's.
  Task<Response> send(Url url, Request request, SendOptions options = {});
  Task<Response> send(std::string_view url, Request request, SendOptions options = {});

  /// Ends all calls (kStopped) and connections.
  void stop();

  class Core;  // internal

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace settee::inline v0::http
