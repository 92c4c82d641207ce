// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Server: answers HTTP/1.1 and HTTP/2 requests, on a port of its own or on connections that another
// owner of a port hands over. HTTP/2 is recognised by its preface (prior knowledge), or asked for
// with "Upgrade: h2c".
//
//   auto table = std::make_shared<Endpoints>();
//   table->add("GET", "/hello", hello);
//   Server server{runtime, table, options};
//   server.start();                       // throws an Error that names address and cause
//   ...
//   server.stop();                        // answers what it has begun, then closes
//
// Requests of one HTTP/1.1 connection are answered one after the other, in order; a peer that closes
// its side while a handler runs is taken to have gone.
//
// Threads: all members from any thread; drain(), stop() and the destructor not on a loop's.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/event_parts.h"
#include "settee/base/runtime.h"
#include "settee/http/handler.h"
#include "settee/net/connection.h"
#include "settee/net/tls.h"

namespace settee::inline v0::http {

/// Published when a request has been answered, or when its peer has gone.
struct RequestEnded {
  EventText method;
  EventText target;
  EventText peer;
  Version version = Version::kHttp11;
  int status = 0;               ///< 0: not answered.
  std::uint64_t bytes_in = 0;   ///< Of the request's body, as sent.
  std::uint64_t bytes_out = 0;  ///< Of the answer's body, as sent.
  std::chrono::nanoseconds time{
      0};  ///< From the head's arrival to the last byte handed to the system.
};

/// Whether pages of other origins may read what this server answers. Off without origins.
struct CorsOptions {
  std::vector<std::string> origins = {};  ///< "https://acme.com"; "*": all.
  std::vector<std::string> methods = {"GET", "HEAD", "POST"};
  std::vector<std::string> headers = {};  ///< That a request may have; "*": whatever it asks for.
  bool credentials = false;               ///< Not together with the origin "*".
  std::chrono::seconds max_age{600};      ///< Browsers need not ask again for so long.
};

/// Whether a browser sends the request for a page of another origin than the server's, by
/// Sec-Fetch-Site or, where that is missing, by Origin and Host; and `cors` does not name that origin.
/// A Server refuses such requests with 403, except GET, HEAD and OPTIONS: a handler whose GET does more
/// than to read has to ask. Programs other than browsers send none of these headers.
SETTEE_API bool is_foreign_page(const Request& request, const CorsOptions& cors) noexcept;

/// Each limit refuses with an answer, or by closing stream or connection, and is counted.
struct ServerOptions {
  std::string host = "127.0.0.1";  ///< Numeric address, or unix:/path.
  std::uint16_t port = 8080;       ///< 0: a free one, see port().
  /// If not empty, requests without "Authorization: Bearer <token>" are answered 401.
  std::string token = {};
  /// Speaks TLS on its own port, and plain text too if the context says so. Null: plain text only.
  std::shared_ptr<net::TlsServerContext> tls = nullptr;
  /// Whoever reaches the port may ask. Otherwise start() refuses an address that other machines reach,
  /// unless there is a token, or `tls` wants certificates (its client_ca).
  bool open_to_all = false;
  bool compress = true;  ///< Texts of a kilobyte or more, if the client accepts gzip or deflate.
  CorsOptions cors = {};

  std::size_t max_connections = 10'000;  ///< More are closed at once.
  /// The same, of one address (of IPv6: its /64). 0: any number, as behind a balancer all have its own.
  std::size_t max_connections_per_peer = 0;
  std::size_t max_header = 64 * 1024;       ///< Bytes of all header fields; 431.
  std::size_t max_fields = 100;             ///< Header fields; 431.
  std::size_t max_target = 8 * 1024;        ///< Bytes of path and query; 414.
  std::size_t max_body = 16 * 1024 * 1024;  ///< Of a whole body, decompressed too; 413.
  std::size_t max_unsent = 1024 * 1024;     ///< Bytes that a peer does not take; it is not read.
  std::uint32_t max_streams = 128;          ///< Requests of an HTTP/2 connection at once.
  std::uint32_t window = 256 * 1024;        ///< Bytes of a body that come before they are wanted.
  std::size_t max_resets = 200;             ///< Streams reset by either side, then 50 a second.
  std::size_t max_idle_frames = 1'000;      ///< Frames that bring nothing, then 100 a second.
  std::chrono::milliseconds head_timeout{10'000};  ///< For all of a head.
  /// In which some of a body must come that is waited for; 408, or a streaming handler is cancelled. A
  /// whole body has so long in all, and a second for each 240 bytes.
  std::chrono::milliseconds body_timeout{10'000};
  std::chrono::milliseconds write_timeout{30'000};  ///< In which a peer takes nothing.
  std::chrono::milliseconds idle_timeout{60'000};   ///< Between requests.
  std::chrono::milliseconds timeout{0};     ///< Of handlers; their Context's deadline. 0: none.
  std::chrono::milliseconds drain{10'000};  ///< stop() waits so long for handlers.
};

class SETTEE_API Server {
 public:
  /// An Error (kInvalidArgument) for options that let nothing pass or contradict each other.
  Server(Runtime& runtime, std::shared_ptr<Router> router, ServerOptions options = {});
  /// stop()
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens. An Error (kIo) names the address and the cause, kMisuse if it is not the first time,
  /// kInvalidArgument for an address that options keep it from (`open_to_all`).
  void start();
  /// Tells HTTP/2 peers that it takes no more (GOAWAY), closes what is idle, and lets HTTP/1.1 peers go
  /// with their next answer. Not on a loop's thread.
  void drain();
  /// Accepts no more, tells HTTP/2 peers so (GOAWAY), waits `drain` for handlers that run, cancels the
  /// Context of those that still do, and closes all connections, also those that were handed over.
  void stop();
  /// The same, with handlers until `by`.
  void stop(TimePoint by);

  /// The port it listens on; 0 before start().
  std::uint16_t port() const noexcept;
  /// host:port
  std::string address() const;

  /// What first bytes may be of HTTP; for owners of a port that others speak on too.
  static bool speaks(std::uint8_t first_byte) noexcept;
  /// Speaks HTTP on a connection that somebody else has accepted, as its first protocol or behind
  /// another that took nothing (Connection::switch_protocol). `closed` is called once when the
  /// connection ends. max_connections does not count it. On the connection's loop.
  std::unique_ptr<net::Protocol> protocol(net::Connection& connection,
                                          std::function<void(net::Connection&)> closed);

  class Core;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace settee::inline v0::http
