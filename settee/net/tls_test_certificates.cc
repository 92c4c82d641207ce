// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/tls_test_certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace settee::inline v0::net {

namespace {

struct Made {
  X509* certificate;
  EVP_PKEY* key;
};

template <class F>
void write(const std::string& path, F put) {
  // Beside it and then in its place, as tools that renew certificates do.
  const std::string beside = path + ".new";
  FILE* const out = std::fopen(beside.c_str(), "w");
  if (out == nullptr) throw std::runtime_error("cannot write " + beside);
  put(out);
  std::fclose(out);
  std::filesystem::rename(beside, path);
}

}  // namespace

struct TestCertificates::Store {
  std::map<std::string, Made> of_file;
  int serial = 0;
};

TestCertificates::TestCertificates() : store_(std::make_unique<Store>()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "settee-tls-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  folder_ = pattern;
  make_ca("ca");
}

TestCertificates::~TestCertificates() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  for (auto& [name, made] : store_->of_file) {
    X509_free(made.certificate);
    EVP_PKEY_free(made.key);
  }
}

void TestCertificates::make_ca(const std::string& name) {
  WantedCertificate wanted;
  wanted.name = name;
  wanted.names = "";
  wanted.ca = name;
  wanted.is_ca = true;
  make(name, wanted);
}

void TestCertificates::make(const std::string& file, const WantedCertificate& wanted) {
  auto& [of_file, serial] = *store_;
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_time_adj_ex(X509_getm_notBefore(certificate), wanted.from_day, 0, nullptr);
  X509_time_adj_ex(X509_getm_notAfter(certificate), wanted.to_day, wanted.to_second, nullptr);
  X509_NAME* const subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wanted.name.c_str()), -1, -1,
                             0);
  X509_set_pubkey(certificate, key);
  const bool own = !of_file.contains(wanted.ca) || wanted.ca == file;
  X509* const issuer = own ? certificate : of_file.at(wanted.ca).certificate;
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
  X509_sign(certificate, own ? key : of_file.at(wanted.ca).key, EVP_sha256());

  write(path(file + ".crt"), [&](FILE* out) { PEM_write_X509(out, certificate); });
  write(path(file + ".key"),
        [&](FILE* out) { PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr); });
  if (const auto old = of_file.find(file); old != of_file.end()) {
    X509_free(old->second.certificate);
    EVP_PKEY_free(old->second.key);
  }
  of_file[file] = {certificate, key};
}

void TestCertificates::lock_key(const std::string& file, const char* password) {
  write(path(file + ".key"), [&](FILE* out) {
    PEM_write_PrivateKey(out, store_->of_file.at(file).key, EVP_aes_128_cbc(), nullptr, 0, nullptr,
                         const_cast<char*>(password));  // NOLINT: it is only read
  });
}

std::string TestCertificates::text(const std::string& file) const {
  std::ifstream in(path(file));
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

void TestCertificates::write_text(const std::string& file, const std::string& text) const {
  std::ofstream(path(file), std::ios::trunc) << text;
}

}  // namespace settee::inline v0::net
