// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Certificates for tests, made when a test runs, in a folder that goes with it.

#pragma once

#include <memory>
#include <string>

namespace settee::inline v0::net {

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
  TestCertificates();
  ~TestCertificates();
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  /// NAME.crt and NAME.key, signed by itself.
  void make_ca(const std::string& name);
  /// FILE.crt and FILE.key; made anew if they are there.
  void make(const std::string& file, const WantedCertificate& wanted = {});
  /// FILE.key, now with a password.
  void lock_key(const std::string& file, const char* password);
  /// Of a file in the folder.
  std::string path(const std::string& file) const { return folder_ + "/" + file; }
  std::string text(const std::string& file) const;
  void write_text(const std::string& file, const std::string& text) const;

 private:
  struct Store;
  std::string folder_;
  const std::unique_ptr<Store> store_;
};

}  // namespace settee::inline v0::net
