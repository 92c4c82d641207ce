// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the connections of a TLS context share: OpenSSL's context made of its files, made anew when
// they change, sessions to resume, and counters.
//
// Threads: any.

#pragma once

#include <openssl/ssl.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/base/stats.h"
#include "settee/net/tls.h"

namespace settee::inline v0::net {

template <auto kFree>
struct FreeWith {
  template <class T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};
using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using BioMethodPtr = std::unique_ptr<BIO_METHOD, FreeWith<BIO_meth_free>>;

/// A certificate with what leads to its CA, and its key.
struct TlsIdentity {
  X509Ptr certificate;
  std::vector<X509Ptr> chain;
  KeyPtr key;
};

/// Of one reading of the files. Constant; connections share it.
struct TlsLoaded {
  std::vector<TlsIdentity> identities;  // the first is in `context`
  std::vector<unsigned char> alpn;      // as on the wire
  SslContextPtr context;                // its callbacks point to this object
};

struct TlsStats {
  TlsStats(Stats& stats, const char* role);
  Counter& handshakes;
  Counter& failures;
  Counter& resumed;
  Counter& reloads;
  Counter& reload_failures;
  Counter& plain_refused;
  Counter& handshakes_refused;  // over max_handshakes
};

/// The options of either side.
struct TlsSettings {
  explicit TlsSettings(const TlsServerOptions& options);
  explicit TlsSettings(const TlsClientOptions& options);

  bool server;
  std::vector<TlsKeyPair> pairs;  // a client's: one or none
  std::string ca;  // of the peers; empty: a server asks for none, a client the system
  bool certificate_optional = false;
  bool trust_anybody = false;
  bool plain_text_too = false;
  std::string server_name = {};
  TlsVersion min_version;
  std::vector<std::string> alpn;
  std::chrono::milliseconds handshake_timeout;
  std::size_t max_handshake_bytes;
  std::size_t max_handshakes = 0;  // 0: any number
  std::chrono::milliseconds scan_period;
};

class TlsCore {
 public:
  /// Reads the files; throws an Error (kConfig).
  TlsCore(Runtime& runtime, TlsSettings settings);

  const TlsSettings settings;
  TlsStats stats;
  const BioMethodPtr bio;                   // TlsSession's
  std::atomic<std::size_t> handshaking{0};  // a server's

  std::shared_ptr<const TlsLoaded> loaded() const;
  Result<void> reload();
  /// How the files are now, to be compared.
  std::string signature() const;
  std::string loaded_signature() const;
  /// The files of loaded_signature() could not be used.
  bool reload_failed() const;

  /// A client's sessions, by what they were verified for.
  SessionPtr session(const std::string& name);
  /// Unless the files it was `made_with` have been replaced.
  void keep_session(const std::string& name, SessionPtr session, const TlsLoaded* made_with);
  void drop_session(const std::string& name);

 private:
  static constexpr std::size_t kMostSessions = 1024;

  Result<std::shared_ptr<const TlsLoaded>> load() const;
  void warn_of_expired(const TlsLoaded& loaded, std::size_t index) const;

  Runtime& runtime_;
  mutable std::mutex mutex_;
  std::mutex reloading_;
  std::shared_ptr<const TlsLoaded> loaded_;
  std::string signature_;  // of the files of the last attempt
  bool reload_failed_ = false;
  std::map<std::string, SessionPtr> sessions_;
};

/// Reloads when the files have changed and stand still.
class TlsWatch {
 public:
  explicit TlsWatch(TlsCore& core);

 private:
  void run(const std::stop_token& stopping);
  TlsCore& core_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

/// What a certificate says.
TlsCertificate describe(const X509& certificate);
/// "CN=shop,O=Acme"
std::string name_text(const X509_NAME* name);
/// "2027-01-31 12:00:00 UTC"
std::string time_text(const ASN1_TIME* time);
/// OpenSSL's words for what went wrong on this thread, which it then forgets.
std::string openssl_error();

}  // namespace settee::inline v0::net
