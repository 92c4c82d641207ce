// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// TlsSession: the TLS of one connection, between what its socket carries and what its protocol sees.
// It touches no socket: Connection gives it what has been read, and sends wire().
//
// Threads: the connection's loop.

#pragma once

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <span>
#include <string>

#include "settee/base/bytes.h"
#include "settee/base/loop.h"
#include "settee/net/connection.h"
#include "settee/net/internal/tls_core.h"

namespace settee::inline v0::net {

/// How names are looked for in certificates: as RFC 6125 has it, so not in the subject (CN).
constexpr unsigned kNameRules =
    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;

class TlsSession final : private Timer {
 public:
  /// `host` is the name or address that a client asked for.
  TlsSession(Connection& connection, std::shared_ptr<TlsCore> core, std::string host);
  ~TlsSession() override;

  /// The connection has begun: a client says hello, in wire().
  void begin();
  /// A server has not heard what the peer speaks.
  bool detecting() const noexcept { return stage_ == Stage::kDetecting; }
  /// The handshake is done, and what the peer says may come.
  bool open() const noexcept { return stage_ == Stage::kOpen; }
  /// The peer has said that no more comes.
  bool ended() const noexcept { return ended_; }
  /// Why nothing more can be read, and nothing sent.
  const std::optional<Error>& broken() const noexcept { return broken_; }

  enum class Speaks { kTls, kPlainText };
  /// Looks at the peer's first byte. An Error: it may not speak that here; wire() has what to tell it.
  Result<Speaks> detect(std::uint8_t first);
  /// False: this turn of the loop has made enough handshakes, go on in the next.
  bool may_go_on() const noexcept;

  /// `cipher` has been read from the socket; it must stay until read() has returned 0.
  void feed(std::span<const std::uint8_t> cipher) noexcept;
  /// Goes on with the handshake. True: it is done. After an Error wire() has what to tell the peer.
  Result<bool> handshake();
  /// Decrypts into `room` as much as there is; 0 when all that was fed is used up. An Error: the peer
  /// broke a rule, or refused us.
  Result<std::size_t> read(std::span<std::uint8_t> room);

  /// What is to be written to the socket.
  Buffer& wire() noexcept { return wire_; }
  /// Encrypts of `plain` what may be sent next. True: there is something to write.
  bool wrap(Buffer& plain);
  /// Why it cannot encrypt any more.
  const std::optional<Error>& write_error() const noexcept { return write_error_; }
  /// The last wrap() can go on only when the rest of a message that the peer has begun was fed.
  bool write_waits() const noexcept { return write_waits_; }
  /// The connection ends: its time and its place are given back.
  void stop() noexcept;
  /// All has been sent: says so to the peer.
  void farewell();

  const std::shared_ptr<const TlsInfo>& info() const noexcept { return info_; }
  /// "TLS with 10.0.0.7:12200 (shop.acme.com)"
  std::string what() const;
  /// The socket has ended before its time. Says what that means.
  Error cut_off();

  /// OpenSSL has made a session that may be resumed.
  void keep(SessionPtr session);
  /// Of the peer's certificates `store` looks at the one that is no good.
  void note_refused(X509_STORE_CTX* store);
  /// A handshake message has come, or an alert goes out.
  void note_message() noexcept {
    if (stage_ == Stage::kOpen) ++messages_;
  }
  static BioMethodPtr make_bio_method();

 private:
  enum class Stage { kDetecting, kHandshake, kOpen };

  static int on_read(BIO* bio, char* out, int size);
  static int on_write(BIO* bio, const char* data, int size);

  void on_timer() override;
  void start();
  void leave_handshakes() noexcept;
  void note_info();
  void check(int result, const char* step);
  Error failure(int error);
  std::string reason(unsigned long code) const;
  std::string refused_certificate() const;

  Connection& connection_;
  const std::shared_ptr<TlsCore> core_;
  const std::string host_;
  std::shared_ptr<const TlsLoaded> loaded_;  // before ssl_, which uses it
  SslPtr ssl_;
  Stage stage_;
  bool counted_ = false;  // among the core's handshakes
  bool ended_ = false;
  bool failed_ = false;
  bool write_waits_ = false;
  int messages_ = 0;  // since a turn that brought data
  std::uint64_t data_turn_ = 0;
  std::optional<Error> write_error_;
  std::optional<Error> broken_;  // to be told when all before it has been read
  std::span<const std::uint8_t> input_;
  std::size_t handshake_bytes_ = 0;
  Buffer wire_;
  X509Ptr refused_;
  std::shared_ptr<const TlsInfo> info_;
};

}  // namespace settee::inline v0::net
