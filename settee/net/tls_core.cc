// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/internal/tls_core.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "settee/net/internal/tls_session.h"

namespace settee::inline v0::net {

namespace {

constexpr std::size_t kLargestFile = 4 * 1024 * 1024;
constexpr int kScansBeforeRetry = 30;  // of files that could not be used and have not changed

Error in_file(const std::string& path, const std::string& what) {
  return Error(Code::kConfig, fmt::format("TLS: file '{}': {}", path, what));
}

Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::array<char, 16384> part;
  while (file.read(part.data(), part.size()), file.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > kLargestFile) return in_file(path, "more than 4 MiB");
  }
  if (file.bad() || (text.empty() && errno != 0)) return in_file(path, std::strerror(errno));
  return text;
}

// Never asks on the terminal, as OpenSSL does by itself.
int no_password(char*, int, int, void*) { return 0; }

BioPtr over(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<std::vector<X509Ptr>> read_certificates(const std::string& path) {
  Result<std::string> text = read_file(path);
  if (!text) return text.error();
  const BioPtr file = over(*text);
  std::vector<X509Ptr> all;
  for (;;) {
    X509Ptr one(PEM_read_bio_X509(file.get(), nullptr, no_password, nullptr));
    if (!one) break;
    all.push_back(std::move(one));
  }
  const unsigned long ended = ERR_peek_last_error();
  if (ERR_GET_LIB(ended) != ERR_LIB_PEM || ERR_GET_REASON(ended) != PEM_R_NO_START_LINE) {
    return in_file(
        path, fmt::format("certificate {} cannot be read: {}", all.size() + 1, openssl_error()));
  }
  ERR_clear_error();
  if (all.empty()) return in_file(path, "has no certificate (-----BEGIN CERTIFICATE-----)");
  return all;
}

Result<KeyPtr> read_key(const std::string& path) {
  Result<std::string> text = read_file(path);
  if (!text) return text.error();
  KeyPtr key(PEM_read_bio_PrivateKey(over(*text).get(), nullptr, no_password, nullptr));
  const bool locked = text->find("ENCRYPTED") != std::string::npos;
  OPENSSL_cleanse(text->data(), text->size());
  if (key) return key;
  const std::string why = openssl_error();
  return in_file(path, locked
                           ? "the key has a password; Settee takes keys without one, in files that "
                             "only the program's user may read"
                           : "has no private key that can be read: " + why);
}

Result<TlsIdentity> read_identity(const TlsKeyPair& pair) {
  Result<std::vector<X509Ptr>> certificates = read_certificates(pair.certificate);
  if (!certificates) return certificates.error();
  Result<KeyPtr> key = read_key(pair.key);
  if (!key) return key.error();
  TlsIdentity identity;
  identity.certificate = std::move(certificates->front());
  certificates->erase(certificates->begin());
  identity.chain = *std::move(certificates);
  identity.key = *std::move(key);
  if (X509_check_private_key(identity.certificate.get(), identity.key.get()) != 1) {
    ERR_clear_error();
    return in_file(
        pair.key,
        fmt::format("is not the key of the first certificate in '{}' ({})", pair.certificate,
                    name_text(X509_get_subject_name(identity.certificate.get()))));
  }
  return identity;
}

// The file, or those of the folder.
Result<std::vector<std::string>> files_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return in_file(path, std::strerror(errno));
  if (!S_ISDIR(status.st_mode)) return std::vector<std::string>{path};
  const std::unique_ptr<DIR, FreeWith<closedir>> folder(::opendir(path.c_str()));
  if (!folder) return in_file(path, std::strerror(errno));
  std::vector<std::string> files;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name.ends_with(".pem") || name.ends_with(".crt") || name.ends_with(".cer")) {
      files.push_back(path + "/" + name);
    }
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) return in_file(path, "the folder has no file that ends in .pem, .crt or .cer");
  return files;
}

// Those whom peers' certificates may lead to; a server also names them to its clients.
Result<void> trust(SSL_CTX* context, const std::string& path, bool server) {
  Result<std::vector<std::string>> files = files_of(path);
  if (!files) return files.error();
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const std::string& file : *files) {
    Result<std::vector<X509Ptr>> all = read_certificates(file);
    if (!all) return all.error();
    for (const X509Ptr& one : *all) {
      if (X509_STORE_add_cert(store, one.get()) != 1) return in_file(file, openssl_error());
      if (server && SSL_CTX_add_client_CA(context, one.get()) != 1) {
        return in_file(file, openssl_error());
      }
    }
  }
  return {};
}

// What leads from the identity's certificate to its CA; owned by the identity.
auto chain_of(const TlsIdentity& identity) {
  const auto free = [](STACK_OF(X509) * chain) { sk_X509_free(chain); };
  std::unique_ptr<STACK_OF(X509), decltype(free)> chain(sk_X509_new_null());
  for (const X509Ptr& one : identity.chain) sk_X509_push(chain.get(), one.get());
  return chain;
}

// Of the certificates that are for the name the client asks for, the first; else the very first.
int choose_certificate(SSL* ssl, void* argument) {
  const auto& loaded = *static_cast<const TlsLoaded*>(argument);
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return 1;
  for (std::size_t i = 0; i < loaded.identities.size(); ++i) {
    const TlsIdentity& identity = loaded.identities[i];
    if (X509_check_host(identity.certificate.get(), name, 0, kNameRules, nullptr) != 1) continue;
    if (i == 0) return 1;
    SSL_certs_clear(ssl);
    return SSL_use_cert_and_key(ssl, identity.certificate.get(), identity.key.get(),
                                chain_of(identity).get(), 1);
  }
  return 1;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                    unsigned int in_size, void* argument) {
  const auto& ours = static_cast<const TlsLoaded*>(argument)->alpn;
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, size, ours.data(), static_cast<unsigned>(ours.size()), in,
                            in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int new_session(SSL* ssl, SSL_SESSION* session) {
  auto* const owner = static_cast<TlsSession*>(SSL_get_app_data(ssl));
  owner->keep(SessionPtr(session));
  return 1;  // it is ours now
}

int note_refused(int good, X509_STORE_CTX* store) {
  if (good == 1) return 1;
  auto* const ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  static_cast<TlsSession*>(SSL_get_app_data(ssl))->note_refused(store);
  return 0;
}

// What counts against a flood of them while the connection is open; see TlsSession::note_message().
void note_message(int sent, int, int type, const void*, std::size_t, SSL* ssl, void*) {
  if (type != (sent == 1 ? SSL3_RT_ALERT : SSL3_RT_HANDSHAKE)) return;
  static_cast<TlsSession*>(SSL_get_app_data(ssl))->note_message();
}

bool expired(const X509* certificate) {
  return X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

// A session that goes on verifies nothing again, and TLS 1.3 gives a new ticket for each that is used:
// without this look at the clock a client could outlive its certificate for ever.
bool outlived(const SSL_SESSION* session) {
  const X509* const peer = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(session));  // NOLINT
  return peer != nullptr && expired(peer);
}

SSL_TICKET_RETURN take_ticket(SSL*, SSL_SESSION* session, const unsigned char*, std::size_t,
                              SSL_TICKET_STATUS status, void*) {
  const bool good = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
  if (!good || outlived(session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

}  // namespace

std::string openssl_error() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    const char* const reason = ERR_reason_error_string(code);
    if (text.empty()) text = reason != nullptr ? reason : fmt::format("error {:#x}", code);
  }
  return text.empty() ? "OpenSSL does not say why" : text;
}

std::string name_text(const X509_NAME* name) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string time_text(const ASN1_TIME* time) {
  std::tm utc{};
  if (ASN1_TIME_to_tm(time, &utc) != 1) return "(no time)";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

namespace {

std::string hexadecimal(std::span<const unsigned char> bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string string_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

void add_names(const X509& certificate, TlsCertificate& to) {
  auto* const names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  if (names == nullptr) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    switch (name->type) {
      case GEN_DNS: to.dns_names.push_back(string_of(name->d.dNSName)); break;
      case GEN_URI: to.uris.push_back(string_of(name->d.uniformResourceIdentifier)); break;
      case GEN_IPADD: {
        const std::string bytes = string_of(name->d.iPAddress);
        std::array<char, INET6_ADDRSTRLEN> text{};
        const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
        if (bytes.size() != 4 && bytes.size() != 16) break;
        ::inet_ntop(family, bytes.data(), text.data(), text.size());
        to.ip_addresses.emplace_back(text.data());
        break;
      }
      default: break;
    }
  }
  GENERAL_NAMES_free(names);
}

}  // namespace

TlsCertificate describe(const X509& certificate) {
  TlsCertificate made;
  made.subject = name_text(X509_get_subject_name(&certificate));
  made.issuer = name_text(X509_get_issuer_name(&certificate));
  made.serial = hexadecimal(
      {ASN1_STRING_get0_data(X509_get0_serialNumber(&certificate)),
       static_cast<std::size_t>(ASN1_STRING_length(X509_get0_serialNumber(&certificate)))});
  add_names(certificate, made);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  X509_digest(&certificate, EVP_sha256(), digest.data(), &size);
  made.sha256 = hexadecimal({digest.data(), size});
  std::tm utc{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &utc) == 1) {
    made.not_after = std::chrono::system_clock::from_time_t(::timegm(&utc));
  }
  return made;
}

TlsStats::TlsStats(Stats& stats, const char* role)
    : handshakes(stats.counter("settee.net.tls.handshakes", "1", "TLS handshakes that succeeded",
                               {{"role", role}})),
      failures(stats.counter("settee.net.tls.failures", "1",
                             "TLS handshakes that failed, or were not made in time",
                             {{"role", role}})),
      resumed(stats.counter("settee.net.tls.resumed", "1",
                            "TLS handshakes that went on with an earlier session",
                            {{"role", role}})),
      reloads(stats.counter("settee.net.tls.reloads", "1",
                            "Times that changed certificates were taken", {{"role", role}})),
      reload_failures(stats.counter("settee.net.tls.reload_failures", "1",
                                    "Times that changed certificates could not be used",
                                    {{"role", role}})),
      plain_refused(stats.counter("settee.net.tls.plain_refused", "1",
                                  "Connections closed as the peer did not speak TLS",
                                  {{"role", role}})),
      handshakes_refused(stats.counter("settee.net.tls.handshakes_refused", "1",
                                       "Connections closed as max_handshakes were under way",
                                       {{"role", role}})) {}

TlsSettings::TlsSettings(const TlsServerOptions& options)
    : server(true),
      pairs{{options.certificate, options.key}},
      ca(options.client_ca),
      certificate_optional(options.client_certificate_optional),
      plain_text_too(options.plain_text_too),
      min_version(options.min_version),
      alpn(options.alpn),
      handshake_timeout(options.handshake_timeout),
      max_handshake_bytes(options.max_handshake_bytes),
      max_handshakes(options.max_handshakes),
      scan_period(options.scan_period) {
  pairs.insert(pairs.end(), options.more_certificates.begin(), options.more_certificates.end());
}

TlsSettings::TlsSettings(const TlsClientOptions& options)
    : server(false),
      ca(options.ca),
      trust_anybody(options.insecure_trust_anybody),
      server_name(options.server_name),
      min_version(options.min_version),
      alpn(options.alpn),
      handshake_timeout(options.handshake_timeout),
      max_handshake_bytes(options.max_handshake_bytes),
      scan_period(options.scan_period) {
  if (!options.certificate.empty()) pairs.push_back({options.certificate, options.key});
}

TlsCore::TlsCore(Runtime& runtime, TlsSettings given)
    : settings(std::move(given)),
      stats(runtime.stats(), settings.server ? "server" : "client"),
      bio(TlsSession::make_bio_method()),
      runtime_(runtime) {
  signature_ = signature();
  Result<std::shared_ptr<const TlsLoaded>> made = load();
  if (!made) throw made.error();
  loaded_ = *std::move(made);
  for (std::size_t i = 0; i < loaded_->identities.size(); ++i) {
    if (expired(loaded_->identities[i].certificate.get())) warn_of_expired(*loaded_, i);
  }
  if (settings.trust_anybody) {
    runtime.log(LogLevel::kWarning, "net",
                "TLS: insecure_trust_anybody is set: whoever answers is taken for the server");
  }
}

void TlsCore::warn_of_expired(const TlsLoaded& loaded, std::size_t index) const {
  const X509* const own = loaded.identities[index].certificate.get();
  runtime_.log(LogLevel::kWarning, "net",
               fmt::format("TLS: the certificate in '{}' ({}) expired on {}: peers will refuse it",
                           settings.pairs[index].certificate, name_text(X509_get_subject_name(own)),
                           time_text(X509_get0_notAfter(own))));
}

Result<std::shared_ptr<const TlsLoaded>> TlsCore::load() const {
  ERR_clear_error();
  auto made = std::make_shared<TlsLoaded>();
  made->context.reset(SSL_CTX_new(settings.server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* const context = made->context.get();
  if (context == nullptr) return Error(Code::kConfig, "TLS: OpenSSL: " + openssl_error());
  SSL_CTX_set_min_proto_version(
      context, settings.min_version == TlsVersion::k1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(context, 0);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_max_early_data(context, 0);
  // Of TLS 1.2 only what TLS 1.3 has too: keys that are forgotten (forward secrecy), no CBC.
  if (SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
    return Error(Code::kConfig, "TLS: OpenSSL has no cipher for TLS 1.2: " + openssl_error());
  }
  // Idle connections keep no buffers. A write that waits is tried again from wherever it then is.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_msg_callback(context, note_message);

  for (const TlsKeyPair& pair : settings.pairs) {
    Result<TlsIdentity> identity = read_identity(pair);
    if (!identity) return identity.error();
    made->identities.push_back(*std::move(identity));
  }
  if (!made->identities.empty()) {
    const TlsIdentity& own = made->identities[0];
    if (SSL_CTX_use_cert_and_key(context, own.certificate.get(), own.key.get(), chain_of(own).get(),
                                 1) != 1) {
      return in_file(settings.pairs[0].certificate, openssl_error());
    }
  }
  if (!settings.ca.empty()) {
    Result<void> trusted = trust(context, settings.ca, settings.server);
    if (!trusted) return trusted.error();
  } else if (!settings.server && SSL_CTX_set_default_verify_paths(context) != 1) {
    return Error(Code::kConfig, "TLS: reading the system's CAs: " + openssl_error());
  }
  for (const std::string& name : settings.alpn) {
    made->alpn.push_back(static_cast<unsigned char>(name.size()));
    made->alpn.insert(made->alpn.end(), name.begin(), name.end());
  }

  if (settings.server) {
    if (!settings.ca.empty()) {
      SSL_CTX_set_verify(
          context,
          SSL_VERIFY_PEER | (settings.certificate_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
          note_refused);
    }
    if (made->identities.size() > 1) {
      SSL_CTX_set_cert_cb(context, choose_certificate, made.get());
    }
    if (!made->alpn.empty()) SSL_CTX_set_alpn_select_cb(context, choose_protocol, made.get());
    // Sessions go on by tickets, of which the keys end with this context: a client whose CA is no
    // longer trusted after a reload cannot come back with one.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_ticket_cb(context, nullptr, take_ticket, nullptr);
    constexpr std::array<unsigned char, 6> kName{'s', 'e', 't', 't', 'e', 'e'};
    SSL_CTX_set_session_id_context(context, kName.data(), kName.size());
  } else {
    SSL_CTX_set_verify(context, settings.trust_anybody ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       note_refused);
    if (!made->alpn.empty()) {
      SSL_CTX_set_alpn_protos(context, made->alpn.data(), static_cast<unsigned>(made->alpn.size()));
    }
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, new_session);
  }
  return std::shared_ptr<const TlsLoaded>(std::move(made));
}

std::shared_ptr<const TlsLoaded> TlsCore::loaded() const {
  const std::lock_guard lock(mutex_);
  return loaded_;
}

std::string TlsCore::signature() const {
  std::vector<std::string> files;
  for (const TlsKeyPair& pair : settings.pairs) {
    files.push_back(pair.certificate);
    files.push_back(pair.key);
  }
  if (!settings.ca.empty()) {
    Result<std::vector<std::string>> all = files_of(settings.ca);
    if (all) files.insert(files.end(), all->begin(), all->end());
  }
  std::string text;
  for (const std::string& file : files) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) status = {};
    // The last is moved by a change of owner or mode too: the file may be readable now.
    text += fmt::format("{} {} {} {} {}.{} {}.{}\n", file, status.st_dev, status.st_ino,
                        status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                        status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
  }
  return text;
}

std::string TlsCore::loaded_signature() const {
  const std::lock_guard lock(mutex_);
  return signature_;
}

bool TlsCore::reload_failed() const {
  const std::lock_guard lock(mutex_);
  return reload_failed_;
}

Result<void> TlsCore::reload() {
  const std::lock_guard one_at_a_time(reloading_);
  std::string now =
      signature();  // before the files: what changes while they are read is seen later
  Result<std::shared_ptr<const TlsLoaded>> made = load();
  const std::shared_ptr<const TlsLoaded> in_use = loaded();
  for (std::size_t i = 0; made && i < settings.pairs.size(); ++i) {
    const X509* const own = (*made)->identities[i].certificate.get();
    if (!expired(own)) continue;
    // One that nobody renews must not keep the others from being renewed.
    if (expired(in_use->identities[i].certificate.get())) {
      warn_of_expired(**made, i);
    } else {
      made = in_file(settings.pairs[i].certificate,
                     "the certificate expired on " + time_text(X509_get0_notAfter(own)));
    }
  }
  std::shared_ptr<const TlsLoaded> old;  // ends without the lock
  std::map<std::string, SessionPtr> old_sessions;
  {
    const std::lock_guard lock(mutex_);
    signature_ = std::move(now);
    reload_failed_ = !made;
    if (made) {
      old = std::exchange(loaded_, *made);
      old_sessions.swap(sessions_);  // those whom they were made with may be trusted no longer
    }
  }
  if (!made) {
    stats.reload_failures.add();
    runtime_.log(LogLevel::kError, "net",
                 fmt::format("{}; what was read before stays in use", made.error().message()));
    return made.error();
  }
  stats.reloads.add();
  runtime_.log(
      LogLevel::kInfo, "net",
      (*made)->identities.empty()
          ? fmt::format("TLS: '{}' read anew", settings.ca)
          : fmt::format("TLS: '{}' read anew: {}, good until {}", settings.pairs[0].certificate,
                        name_text(X509_get_subject_name((*made)->identities[0].certificate.get())),
                        time_text(X509_get0_notAfter((*made)->identities[0].certificate.get()))));
  return {};
}

SessionPtr TlsCore::session(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(name);
  if (found == sessions_.end()) return nullptr;
  if (outlived(found->second.get())) {
    sessions_.erase(found);
    return nullptr;
  }
  // TLS 1.3 wants each to be used once.
  if (SSL_SESSION_get_protocol_version(found->second.get()) >= TLS1_3_VERSION) {
    SessionPtr taken = std::move(found->second);
    sessions_.erase(found);
    return taken;
  }
  SSL_SESSION_up_ref(found->second.get());
  return SessionPtr(found->second.get());
}

void TlsCore::keep_session(const std::string& name, SessionPtr session,
                           const TlsLoaded* made_with) {
  const std::lock_guard lock(mutex_);
  if (made_with != loaded_.get()) return;
  if (sessions_.size() >= kMostSessions && !sessions_.contains(name)) {
    sessions_.erase(sessions_.begin());
  }
  sessions_[name] = std::move(session);
}

void TlsCore::drop_session(const std::string& name) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(name);
}

TlsWatch::TlsWatch(TlsCore& core)
    : core_(core), thread_([this](const std::stop_token& stopping) {
        pthread_setname_np(pthread_self(), "settee-tls");
        run(stopping);
      }) {}

void TlsWatch::run(const std::stop_token& stopping) {
  std::string before = core_.loaded_signature();
  int since_failure = 0;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, stopping, core_.settings.scan_period, [] { return false; }) &&
         !stopping.stop_requested()) {
    std::string now = core_.signature();
    // A certificate is often written before its key: they are read when nothing changes any more.
    const bool changed = now != core_.loaded_signature();
    // What failed may have been no fault of the files, such as too many of them open.
    const bool again = core_.reload_failed() && ++since_failure >= kScansBeforeRetry;
    if ((changed || again) && now == before) {
      (void)core_.reload();
      since_failure = 0;
    }
    before = std::move(now);
  }
}

}  // namespace settee::inline v0::net
