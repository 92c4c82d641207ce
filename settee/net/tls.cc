// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/tls.h"

#include "settee/net/internal/tls_core.h"

namespace settee::inline v0::net {

namespace {

void need(bool good, const char* what) {
  if (!good) throw Error(Code::kConfig, what);
}

template <class Options>
Options checked(Options options) {
  need(options.handshake_timeout.count() > 0, "TLS: handshake_timeout is not above 0");
  need(options.max_handshake_bytes >= 1024, "TLS: max_handshake_bytes is below 1024");
  need(options.scan_period.count() >= 0, "TLS: scan_period is below 0");
  for (const std::string& name : options.alpn) {
    need(!name.empty() && name.size() < 256,
         "TLS: the name of a protocol (alpn) has 1 to 255 bytes");
  }
  return options;
}

TlsServerOptions checked_server(TlsServerOptions options) {
  need(!options.certificate.empty() && !options.key.empty(),
       "TLS: a server needs a certificate and its key: set TlsServerOptions::certificate and key");
  need(!options.client_certificate_optional || !options.client_ca.empty(),
       "TLS: client_certificate_optional needs client_ca, which says whose certificates are good");
  need(!options.plain_text_too || options.client_ca.empty() || options.client_certificate_optional,
       "TLS: plain_text_too serves whoever speaks plain text, so that client_ca keeps nobody out: "
       "unset plain_text_too, or set client_certificate_optional too");
  need(options.max_handshakes > 0, "TLS: max_handshakes is 0: nobody could be let in; at least 1");
  return checked(std::move(options));
}

TlsClientOptions checked_client(TlsClientOptions options) {
  need(options.certificate.empty() == options.key.empty(),
       "TLS: a client's certificate and key go together: set both or none of them");
  need(options.ca.empty() || !options.insecure_trust_anybody,
       "TLS: insecure_trust_anybody makes `ca` useless: set one of them");
  return checked(std::move(options));
}

std::unique_ptr<TlsWatch> watch(TlsCore& core) {
  return core.settings.scan_period.count() > 0 ? std::make_unique<TlsWatch>(core) : nullptr;
}

}  // namespace

TlsServerContext::TlsServerContext(Runtime& runtime, TlsServerOptions options)
    : options_(checked_server(std::move(options))),
      core_(std::make_shared<TlsCore>(runtime, TlsSettings(options_))),
      watch_(watch(*core_)) {}
TlsServerContext::~TlsServerContext() = default;
Result<void> TlsServerContext::reload() { return core_->reload(); }

TlsClientContext::TlsClientContext(Runtime& runtime, TlsClientOptions options)
    : options_(checked_client(std::move(options))),
      core_(std::make_shared<TlsCore>(runtime, TlsSettings(options_))),
      watch_(watch(*core_)) {}
TlsClientContext::~TlsClientContext() = default;
Result<void> TlsClientContext::reload() { return core_->reload(); }

}  // namespace settee::inline v0::net
