// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Certificates for tests, made when a test runs, in a folder that goes with it.

#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>

namespace settee::net {

struct WantedCertificate {
  std::string name = "shop";                         // CN
  std::string names = "DNS:localhost,IP:127.0.0.1";  // subjectAltName; empty: none
  std::string ca = "ca";
  int from_day = -1;  // from today
  int to_day = 30;
  int to_second = 0;  // of that day, from now
  bool is_ca = false;
};

class TestCertificates {
 public:
  TestCertificates() {
    std::string pattern = (std::filesystem::temp_directory_path() / "settee-tls-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
    make_ca("ca");
  }
  ~TestCertificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    for (auto& [name, made] : made_) {
      X509_free(made.certificate);
      EVP_PKEY_free(made.key);
    }
  }
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  /// NAME.crt and NAME.key, signed by itself.
  void make_ca(const std::string& name) {
    WantedCertificate wanted;
    wanted.name = name;
    wanted.names = "";
    wanted.ca = name;
    wanted.is_ca = true;
    make(name, wanted);
  }
  /// FILE.crt and FILE.key; made anew if they are there.
  void make(const std::string& file, const WantedCertificate& wanted = {}) {
    EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    X509* const certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
    X509_time_adj_ex(X509_getm_notBefore(certificate), wanted.from_day, 0, nullptr);
    X509_time_adj_ex(X509_getm_notAfter(certificate), wanted.to_day, wanted.to_second, nullptr);
    X509_NAME* const subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wanted.name.c_str()), -1, -1,
                               0);
    X509_set_pubkey(certificate, key);
    const bool own = !made_.contains(wanted.ca) || wanted.ca == file;
    X509* const issuer = own ? certificate : made_.at(wanted.ca).certificate;
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const auto add = [&](int what, const std::string& value) {
      X509_EXTENSION* const made = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
      if (made == nullptr) throw std::runtime_error("extension " + value);
      X509_add_ext(certificate, made, -1);
      X509_EXTENSION_free(made);
    };
    add(NID_basic_constraints, wanted.is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    add(NID_subject_key_identifier, "hash");
    if (!wanted.names.empty()) add(NID_subject_alt_name, wanted.names);
    X509_sign(certificate, own ? key : made_.at(wanted.ca).key, EVP_sha256());

    write(path(file + ".crt"), [&](FILE* out) { PEM_write_X509(out, certificate); });
    write(path(file + ".key"), [&](FILE* out) {
      PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
    if (const auto old = made_.find(file); old != made_.end()) {
      X509_free(old->second.certificate);
      EVP_PKEY_free(old->second.key);
    }
    made_[file] = {certificate, key};
  }
  /// FILE.key, now with a password.
  void lock_key(const std::string& file, const char* password) {
    write(path(file + ".key"), [&](FILE* out) {
      PEM_write_PrivateKey(out, made_.at(file).key, EVP_aes_128_cbc(), nullptr, 0, nullptr,
                           const_cast<char*>(password));  // NOLINT: it is only read
    });
  }
  /// Of a file in the folder.
  std::string path(const std::string& file) const { return folder_ + "/" + file; }
  std::string text(const std::string& file) const {
    std::ifstream in(path(file));
    std::stringstream all;
    all << in.rdbuf();
    return all.str();
  }
  void write_text(const std::string& file, const std::string& text) const {
    std::ofstream(path(file), std::ios::trunc) << text;
  }

 private:
  struct Made {
    X509* certificate;
    EVP_PKEY* key;
  };
  template <class F>
  static void write(const std::string& path, F put) {
    // Beside it and then in its place, as tools that renew certificates do.
    const std::string beside = path + ".new";
    FILE* const out = std::fopen(beside.c_str(), "w");
    if (out == nullptr) throw std::runtime_error("cannot write " + beside);
    put(out);
    std::fclose(out);
    std::filesystem::rename(beside, path);
  }
  std::string folder_;
  std::map<std::string, Made> made_;
  int serial_ = 0;
};

}  // namespace settee::net
