// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// TLS 1.2 and 1.3 for connections. A TlsServerContext has the certificates that a server shows, a
// TlsClientContext knows whom a client trusts:
//
//   net::TlsServerOptions options;
//   options.certificate = "/etc/shop/tls.crt";  // PEM: the server's own, then those up to its CA
//   options.key = "/etc/shop/tls.key";
//   auto tls = std::make_shared<net::TlsServerContext>(runtime, options);  // Errors name the file
//   connection->accept_tls(*tls);               // before begin(); rpc::ServerOptions::tls does it
//
// A client verifies the server's certificate up to a CA that it trusts, and that it is for the name or
// IP address that was asked for (among its alternative names; the subject is none). There is no
// renegotiation, no compression and no early data (0-RTT); of TLS 1.2 there is ECDHE with AES-GCM or
// ChaCha20. Sessions are resumed until the peer's certificate expires.
//
// Files are read when the context is made, by reload(), and by themselves when they have changed and
// then stood still for scan_period. New files that cannot be used leave the old ones in place, with a log
// line that names file and reason, and are tried again after 30 scans. Connections that stand keep what
// they began with.
//
// Threads: contexts may be used from any thread. Ownership: make them after the Runtime; connections
// share what they need, so a context may end before them.

#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "settee/base/result.h"

namespace settee::inline v0 {
class Runtime;
}

namespace settee::inline v0::net {

enum class TlsVersion { k1_2, k1_3 };

/// Two PEM files.
struct TlsKeyPair {
  std::string certificate;  ///< The own certificate first, then those up to its CA.
  std::string key;          ///< Without a password.
};

struct TlsServerOptions {
  std::string certificate = {};  ///< As TlsKeyPair::certificate. For clients that name no other.
  std::string key = {};
  /// More of them, for clients that ask for a name (SNI) that these have and the first has not.
  std::vector<TlsKeyPair> more_certificates = {};
  /// A PEM file or a folder of such (.pem, .crt, .cer): clients must have a certificate that leads to one
  /// of these CAs. Empty: clients are asked for none.
  std::string client_ca = {};
  bool client_certificate_optional = false;  ///< Clients without a certificate are served too.
  /// Peers whose first byte is not TLS's are served in plain text. Otherwise they are refused. Not
  /// together with a client_ca that is not optional, which plain text would go round.
  bool plain_text_too = false;
  TlsVersion min_version = TlsVersion::k1_2;
  /// Protocols (ALPN), the most wanted first. A client that offers only others is refused; one that
  /// offers none is not. Empty: whatever a client offers is passed over.
  std::vector<std::string> alpn = {"h2", "http/1.1"};
  std::chrono::milliseconds handshake_timeout{10'000};  ///< From the beginning of the connection.
  std::size_t max_handshake_bytes = 64 * 1024;          ///< From one client before it is let in.
  std::size_t max_handshakes = 1'024;  ///< Under way at once; more are closed. Of all loops.
  std::chrono::milliseconds scan_period{2'000};  ///< For changed files. 0: only by reload().
};

struct TlsClientOptions {
  /// A PEM file or a folder of such: whom the client trusts. Empty: whom the system trusts; what is
  /// changed there is seen only by reload().
  std::string ca = {};
  std::string certificate = {};  ///< What the client shows if it is asked (mutual TLS).
  std::string key = {};
  /// The name that servers must have a certificate for, and are asked for (SNI), in place of the host
  /// that is connected to.
  std::string server_name = {};
  /// For tests: anybody may be the server, and read and change what is sent.
  bool insecure_trust_anybody = false;
  TlsVersion min_version = TlsVersion::k1_2;
  std::vector<std::string> alpn = {};  ///< Protocols to offer, the most wanted first.
  std::chrono::milliseconds handshake_timeout{10'000};
  std::size_t max_handshake_bytes = 64 * 1024;   ///< From one server before it is trusted.
  std::chrono::milliseconds scan_period{2'000};  ///< For changed files. 0: only by reload().
};

/// What a certificate says of its owner.
struct TlsCertificate {
  std::string subject;  ///< As in RFC 2253: "CN=shop,O=Acme"
  std::string issuer;
  std::string serial;  ///< Hexadecimal.
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> uris;  ///< E.g. "spiffe://acme.com/shop"
  std::string sha256;             ///< Of the whole certificate, hexadecimal.
  std::chrono::system_clock::time_point not_after{};
};

/// What a handshake has agreed on. Constant.
struct TlsInfo {
  std::string version;      ///< "TLSv1.3"
  std::string cipher;       ///< OpenSSL's name.
  std::string alpn;         ///< Empty: no protocol was agreed on.
  std::string server_name;  ///< What the client asked for (SNI); may be empty.
  bool resumed = false;     ///< An earlier session went on; its certificates hold.
  bool verified = false;    ///< `peer` leads to a CA that is trusted.
  std::optional<TlsCertificate> peer;
};

class TlsCore;
class TlsWatch;

/// What a server shows its clients and asks of them. The constructor throws an Error (kConfig) that
/// names the file or the option.
class SETTEE_API TlsServerContext {
 public:
  TlsServerContext(Runtime& runtime, TlsServerOptions options);
  ~TlsServerContext();
  TlsServerContext(const TlsServerContext&) = delete;
  TlsServerContext& operator=(const TlsServerContext&) = delete;
  /// Reads the files now. An Error: they cannot be used, and what was there before still holds. One
  /// whose certificate has expired is not taken either, unless it takes the place of an expired one.
  Result<void> reload();
  const TlsServerOptions& options() const noexcept { return options_; }

 private:
  friend class Connection;
  const TlsServerOptions options_;
  std::shared_ptr<TlsCore> core_;
  std::unique_ptr<TlsWatch> watch_;
};

/// Whom a client trusts and what it shows. As TlsServerContext.
class SETTEE_API TlsClientContext {
 public:
  TlsClientContext(Runtime& runtime, TlsClientOptions options);
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;
  Result<void> reload();
  const TlsClientOptions& options() const noexcept { return options_; }

 private:
  friend class Connection;
  const TlsClientOptions options_;
  std::shared_ptr<TlsCore> core_;
  std::unique_ptr<TlsWatch> watch_;
};

}  // namespace settee::inline v0::net
