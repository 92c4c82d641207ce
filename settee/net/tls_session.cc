// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/internal/tls_session.h"

#include <arpa/inet.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "settee/base/detail/peer_log.h"

namespace settee::inline v0::net {

namespace {

constexpr std::size_t kRecord = 16 * 1024;     // plain bytes of a TLS record, at most
constexpr std::size_t kWireMost = 256 * 1024;  // more is not encrypted before some has been sent
constexpr int kHandshakesPerTurn = 4;          // a signature may take a millisecond
constexpr std::uint8_t kHandshakeRecord = 0x16;
// TLS's fatal alert "unexpected message", for who does not speak TLS and may know it when it sees it.
constexpr std::array<std::uint8_t, 7> kNoTlsAlert{0x15, 3, 1, 0, 2, 2, 10};
// "Internal error": TLS has no alert that says that there is no room.
constexpr std::array<std::uint8_t, 7> kNoRoomAlert{0x15, 3, 1, 0, 2, 2, 80};
// Handshake messages of an open connection (tickets, changes of keys) are few; each has a price.
constexpr int kMessagesMost = 32;
constexpr std::size_t kNamesTold = 8;
constexpr std::size_t kNameTold = 256;

bool is_address(const std::string& host) {
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

std::string clock_text() {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::time(nullptr)));
}

// Of a certificate that nobody vouches for: it may hold what moves a terminal or breaks a log's lines.
std::string readable(std::string_view name) {
  const std::string text = settee::detail::printable(name.substr(0, kNameTold), kNameTold);
  return name.size() > kNameTold ? text + "..." : text;
}

struct TurnWork {
  const Loop* loop;
  std::uint64_t turn;
  int handshakes;
};
thread_local TurnWork turn_work{nullptr, 0, 0};

}  // namespace

TlsSession::TlsSession(Connection& connection, std::shared_ptr<TlsCore> core, std::string host)
    : connection_(connection),
      core_(std::move(core)),
      host_(core_->settings.server_name.empty() ? std::move(host) : core_->settings.server_name),
      stage_(core_->settings.server ? Stage::kDetecting : Stage::kHandshake) {}

TlsSession::~TlsSession() { leave_handshakes(); }

BioMethodPtr TlsSession::make_bio_method() {
  BioMethodPtr method(BIO_meth_new(BIO_TYPE_MEM, "settee"));
  BIO_meth_set_read(method.get(), on_read);
  BIO_meth_set_write(method.get(), on_write);
  BIO_meth_set_ctrl(method.get(), [](BIO*, int command, long, void*) -> long {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  });
  return method;
}

int TlsSession::on_read(BIO* bio, char* out, int size) {
  auto& session = *static_cast<TlsSession*>(BIO_get_data(bio));
  auto& input = session.input_;
  const std::size_t count = std::min(static_cast<std::size_t>(size), input.size());
  BIO_clear_retry_flags(bio);
  if (session.messages_ > kMessagesMost) return -1;  // ends SSL_read_ex(), which would go on and on
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(out, input.data(), count);
  input = input.subspan(count);
  return static_cast<int>(count);
}

int TlsSession::on_write(BIO* bio, const char* data, int size) {
  static_cast<TlsSession*>(BIO_get_data(bio))->wire_.append(data, static_cast<std::size_t>(size));
  return size;
}

void TlsSession::start() {
  ERR_clear_error();
  loaded_ = core_->loaded();
  ssl_.reset(SSL_new(loaded_->context.get()));
  BIO* const bio = ssl_ ? BIO_new(core_->bio.get()) : nullptr;
  if (bio == nullptr) throw Error(Code::kIo, what() + ": OpenSSL: " + openssl_error());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
}

void TlsSession::begin() {
  Loop& loop = connection_.loop();
  const TlsSettings& settings = core_->settings;
  // A peer that may speak plain text may also be silent: its protocol says for how long.
  if (!settings.plain_text_too) arm(loop, loop.now() + settings.handshake_timeout);
  if (settings.server) return;
  start();
  SSL_set_connect_state(ssl_.get());
  if (is_address(host_)) {
    check(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host_.c_str()),
          "the address to verify");
  } else if (!host_.empty()) {
    SSL_set_hostflags(ssl_.get(), kNameRules);
    check(SSL_set1_host(ssl_.get(), host_.c_str()), "the name to verify");
    check(static_cast<int>(SSL_set_tlsext_host_name(ssl_.get(), host_.c_str())),
          "the name to ask for (SNI; 255 bytes at most)");
  } else if (!settings.trust_anybody) {
    throw Error(Code::kInvalidArgument,
                what() + ": there is no name to verify: set TlsClientOptions::server_name");
  }
  if (const SessionPtr session = core_->session(what())) SSL_set_session(ssl_.get(), session.get());
  const int done = SSL_do_handshake(ssl_.get());  // the hello; it waits for the answer
  const int error = SSL_get_error(ssl_.get(), done);
  if (error != SSL_ERROR_WANT_READ) throw failure(error);
}

// Without it the handshake would verify less than was asked for.
void TlsSession::check(int result, const char* step) {
  if (result == 1) return;
  throw Error(Code::kInvalidArgument,
              fmt::format("{}: OpenSSL does not take {}: {}", what(), step, openssl_error()));
}

Result<TlsSession::Speaks> TlsSession::detect(std::uint8_t first) {
  const TlsSettings& settings = core_->settings;
  if (first != kHandshakeRecord) {
    if (settings.plain_text_too) return Speaks::kPlainText;
    core_->stats.plain_refused.add();
    disarm();
    wire_.append(kNoTlsAlert.data(), kNoTlsAlert.size());
    return Error(Code::kProtocol,
                 fmt::format("{}: the peer sent plain text (first byte 0x{:02x}), and only TLS is "
                             "spoken here: give the client TLS, or set plain_text_too",
                             what(), first));
  }
  if (core_->handshaking.fetch_add(1) >= settings.max_handshakes) {
    core_->handshaking.fetch_sub(1);
    core_->stats.handshakes_refused.add();
    disarm();
    wire_.append(kNoRoomAlert.data(), kNoRoomAlert.size());
    return Error(Code::kLimit,
                 fmt::format("{}: refused, as {} handshakes are under way (max_handshakes)", what(),
                             settings.max_handshakes));
  }
  counted_ = true;
  stage_ = Stage::kHandshake;
  Loop& loop = connection_.loop();
  if (!armed()) arm(loop, loop.now() + settings.handshake_timeout);
  start();
  SSL_set_accept_state(ssl_.get());
  return Speaks::kTls;
}

bool TlsSession::may_go_on() const noexcept {
  if (stage_ == Stage::kOpen) return true;
  const Loop& loop = connection_.loop();
  const std::uint64_t turn = loop.turns();
  if (turn_work.loop != &loop || turn_work.turn != turn) turn_work = {&loop, turn, 0};
  return turn_work.handshakes++ < kHandshakesPerTurn;
}

void TlsSession::feed(std::span<const std::uint8_t> cipher) noexcept {
  input_ = cipher;
  if (stage_ == Stage::kHandshake) handshake_bytes_ += cipher.size();
}

Result<bool> TlsSession::handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) {
    stage_ = Stage::kOpen;
    stop();
    core_->stats.handshakes.add();
    note_info();
    if (info_->resumed) core_->stats.resumed.add();
    return true;
  }
  const int error = SSL_get_error(ssl_.get(), done);
  if (error == SSL_ERROR_WANT_READ) {
    if (handshake_bytes_ <= core_->settings.max_handshake_bytes) return false;
    core_->stats.failures.add();
    failed_ = true;
    return Error(core_->settings.server ? Code::kLimit : Code::kConnectFailed,
                 fmt::format("{}: the handshake is not done after {} bytes "
                             "(max_handshake_bytes)",
                             what(), handshake_bytes_));
  }
  core_->stats.failures.add();
  if (!core_->settings.server) core_->drop_session(what());
  return failure(error);
}

Result<std::size_t> TlsSession::read(std::span<std::uint8_t> room) {
  if (broken_) return *broken_;
  std::size_t used = 0;
  ERR_clear_error();
  while (used < room.size()) {
    std::size_t got = 0;
    if (SSL_read_ex(ssl_.get(), room.data() + used, room.size() - used, &got) == 1) {
      used += got;
      // Once in a turn: whoever sends a byte between its messages is not let off for it.
      if (const std::uint64_t turn = connection_.loop().turns(); data_turn_ != turn) {
        data_turn_ = turn;
        messages_ = 0;
      }
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), 0);
    if (error == SSL_ERROR_WANT_READ) break;
    input_ = {};
    if (error == SSL_ERROR_ZERO_RETURN) {
      ended_ = true;
      break;
    }
    broken_ = failure(error);
    if (used == 0) return *broken_;
    break;  // what came before it was good
  }
  return used;
}

bool TlsSession::wrap(Buffer& plain) {
  if (stage_ != Stage::kOpen || failed_) return !wire_.empty();
  ERR_clear_error();
  write_waits_ = false;
  std::array<std::uint8_t, kRecord> gathered;
  while (!plain.empty() && wire_.size() < kWireMost) {
    iovec part{};
    plain.gather(&part, 1);
    const void* data = part.iov_base;
    std::size_t size = std::min(part.iov_len, kWireMost);
    if (size >= kRecord) {
      size -= size % kRecord;
    } else if (size < plain.size()) {
      // Small pieces share a record: each costs a header and a tag.
      size = plain.copy_out(0, gathered.data(), gathered.size());
      data = gathered.data();
    }
    std::size_t sent = 0;
    if (SSL_write_ex(ssl_.get(), data, size, &sent) != 1) {
      const int error = SSL_get_error(ssl_.get(), 0);
      write_waits_ = error == SSL_ERROR_WANT_READ;
      if (!write_waits_) write_error_ = failure(error);
      break;
    }
    plain.consume(sent);
  }
  return !wire_.empty();
}

void TlsSession::stop() noexcept {
  disarm();
  leave_handshakes();
}

void TlsSession::farewell() {
  if (stage_ != Stage::kOpen || failed_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

void TlsSession::on_timer() {
  core_->stats.failures.add();
  connection_.close(Error(
      core_->settings.server ? Code::kTimeout : Code::kConnectFailed,
      fmt::format("{}: the handshake was not done within {} ms (handshake_timeout){}", what(),
                  core_->settings.handshake_timeout.count(),
                  handshake_bytes_ == 0 ? "; the peer said nothing: does it speak TLS?" : "")));
}

void TlsSession::leave_handshakes() noexcept {
  if (std::exchange(counted_, false)) core_->handshaking.fetch_sub(1);
}

void TlsSession::note_info() {
  auto made = std::make_shared<TlsInfo>();
  SSL* const ssl = ssl_.get();
  made->version = SSL_get_version(ssl);
  made->cipher = SSL_get_cipher_name(ssl);
  made->resumed = SSL_session_reused(ssl) == 1;
  const unsigned char* alpn = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &size);
  if (size > 0) made->alpn.assign(reinterpret_cast<const char*>(alpn), size);
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) {
    made->server_name = name;
  }
  const SessionPtr session(SSL_get1_session(ssl));
  if (const X509* peer = session ? SSL_SESSION_get0_peer(session.get()) : nullptr) {
    made->peer = describe(*peer);
    made->verified = !core_->settings.trust_anybody && SSL_get_verify_result(ssl) == X509_V_OK;
  }
  info_ = std::move(made);
}

void TlsSession::keep(SessionPtr session) {
  core_->keep_session(what(), std::move(session), loaded_.get());
}

std::string TlsSession::what() const {
  const std::string peer = connection_.peer().to_string();
  return host_.empty() ? "TLS with " + peer : fmt::format("TLS with {} ({})", peer, host_);
}

Error TlsSession::cut_off() {
  if (stage_ == Stage::kOpen) {
    return Error(Code::kConnectionClosed,
                 what() +
                     ": the peer ended the connection without TLS's farewell (close_notify): the "
                     "end of what it sent may be missing");
  }
  core_->stats.failures.add();
  if (!core_->settings.server) {
    return Error(Code::kConnectFailed,
                 what() +
                     ": the peer ended the connection during the handshake, as one does that "
                     "speaks only plain text, or has no room for another connection");
  }
  return Error(Code::kConnectionClosed,
               what() + ": the peer ended the connection before the handshake was done");
}

// `error` is SSL_get_error()'s.
Error TlsSession::failure(int error) {
  const unsigned long code = error == SSL_ERROR_SSL ? ERR_get_error() : 0;
  const bool handshaking = stage_ != Stage::kOpen;
  failed_ = true;
  stop();
  std::string why = code == 0 ? "OpenSSL does not say why" : reason(code);
  if (error == SSL_ERROR_ZERO_RETURN) why = "the peer gave up the handshake (close_notify)";
  if (messages_ > kMessagesMost) {
    why = fmt::format(
        "the peer sent more than {} handshake messages (changes of keys, tickets) "
        "at once after the handshake, as an attack does",
        kMessagesMost);
  }
  ERR_clear_error();
  Code kind = Code::kProtocol;
  if (!core_->settings.server) kind = handshaking ? Code::kConnectFailed : Code::kConnectionClosed;
  return Error(kind, fmt::format("{}: {}", what(), why));
}

void TlsSession::note_refused(X509_STORE_CTX* store) {
  X509* const one = X509_STORE_CTX_get_current_cert(store);
  if (one == nullptr) return;
  X509_up_ref(one);
  refused_.reset(one);
}

std::string TlsSession::refused_certificate() const {
  const long result = SSL_get_verify_result(ssl_.get());
  const char* const words = X509_verify_cert_error_string(result);
  if (!refused_) return fmt::format("the peer's certificate is refused: {}", words);
  const TlsCertificate certificate = describe(*refused_);
  std::string names;
  std::size_t count = 0;
  for (const auto* list : {&certificate.dns_names, &certificate.ip_addresses}) {
    for (const std::string& name : *list) {
      if (++count <= kNamesTold) names += (names.empty() ? "" : ", ") + readable(name);
    }
  }
  if (count > kNamesTold) names += fmt::format(" and {} more", count - kNamesTold);
  const TlsSettings& settings = core_->settings;
  const std::string subject = fmt::format("the peer's certificate ({})", certificate.subject);
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} has expired, on {}; this machine's clock says {}", subject,
                         time_text(X509_get0_notAfter(refused_.get())), clock_text());
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} is good only from {} on; this machine's clock says {}", subject,
                         time_text(X509_get0_notBefore(refused_.get())), clock_text());
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format(
          "{} is for {}, not for '{}': connect by a name that it has, or set "
          "server_name",
          subject, names.empty() ? "no name" : names, host_);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return fmt::format("{} was issued by an unknown CA: '{}' is not among {} ({})", subject,
                         certificate.issuer,
                         settings.ca.empty() ? "those that the system trusts"
                                             : fmt::format("those in '{}'", settings.ca),
                         words);
    default: return fmt::format("{} is refused: {}", subject, words);
  }
}

std::string TlsSession::reason(unsigned long code) const {
  const bool server = core_->settings.server;
  const char* const lowest = core_->settings.min_version == TlsVersion::k1_3 ? "1.3" : "1.2";
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    switch (ERR_GET_REASON(code)) {
      case SSL_R_CERTIFICATE_VERIFY_FAILED: return refused_certificate();
      case SSL_R_WRONG_VERSION_NUMBER:
      case SSL_R_HTTP_REQUEST:
      case SSL_R_PACKET_LENGTH_TOO_LONG:
        if (stage_ == Stage::kOpen) break;
        return "what the peer sent is not TLS: it speaks plain text, or another protocol";
      case SSL_R_UNSUPPORTED_PROTOCOL:
      case SSL_R_VERSION_TOO_LOW:
        return fmt::format("no common version: the peer speaks only TLS older than {}", lowest);
      case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return fmt::format("no common version: the peer refuses TLS {}{}", lowest,
                           lowest[2] == '2' ? " and 1.3" : ", and nothing older is allowed here");
      case SSL_R_NO_SHARED_CIPHER:
      case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
        return "there is no cipher that both sides allow for the certificate's key";
      case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "the peer finds nothing that both sides allow (handshake_failure)"
               ", or, in TLS 1.2, wants a certificate of ours";
      case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return fmt::format(
            "the peer sent no certificate, and one is wanted that '{}' has signed: give "
            "the client a certificate and key",
            core_->settings.ca);
      case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "the peer wants a certificate of ours: set TlsClientOptions::certificate and key";
      case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return fmt::format("the peer does not know the CA of our certificate{}",
                           core_->settings.pairs.empty()
                               ? ""
                               : fmt::format(" ('{}')", core_->settings.pairs[0].certificate));
      case SSL_R_TLSV1_ALERT_INTERNAL_ERROR:
        return "the peer could not go on (internal_error): its log says why; a Settee server says "
               "so when it makes as many handshakes as it may (max_handshakes)";
      case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "the peer says that our certificate has expired";
      case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        return "the peer says that our certificate is revoked";
      case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
      case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        return fmt::format("the peer refuses our certificate{}",
                           server ? ": perhaps it is for another name" : "");
      case SSL_R_NO_APPLICATION_PROTOCOL:
      case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        return "there is no application protocol (ALPN) that both sides offer";
      case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
      case SSL_R_SSLV3_ALERT_BAD_RECORD_MAC: return "a record was changed on its way";
      case SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE:
        return server ? "the peer did not understand us (unexpected_message)"
                      : "the peer does not speak TLS here, or was sent what it did not expect";
      default: break;
    }
  }
  const char* const words = ERR_reason_error_string(code);
  return fmt::format("{}{}", server ? "the handshake or a record is wrong: " : "",
                     words != nullptr ? words : fmt::format("error {:#x}", code).c_str());
}

}  // namespace settee::inline v0::net
