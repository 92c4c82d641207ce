// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// http::Client against servers that others wrote: Python's http.server (HTTP/1.0) and nghttpd (HTTP/2,
// with TLS and without), and hyper-h2.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "interop/tests/peer_process.h"
#include "interop/tests/registry_server.h"
#include "settee/http/client.h"

namespace {

using namespace std::chrono_literals;
using interop::Child;
using settee::Bytes;
using settee::Error;
using settee::Task;
using settee::http::Client;
using settee::http::ClientOptions;
using settee::http::Request;
using settee::http::Response;
using settee::http::SendOptions;

class HttpClientTest : public testing::Test {
 protected:
  HttpClientTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "http_client.XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
    folder_ = pattern;
    std::ofstream(folder_ + "/small") << "small";
    for (int i = 0; i < 300'000; ++i) large_ += std::to_string(i) + "\n";
    std::ofstream(folder_ + "/large") << large_;
  }
  ~HttpClientTest() override {
    child_.reset();
    std::filesystem::remove_all(folder_);
  }
  // Returns when the server answers under `scheme`.
  void serve(const std::string& scheme, std::vector<std::string> command,
             ClientOptions options = {}) {
    client_ = std::make_unique<Client>(runtime_, options);
    url_ = scheme + "://127.0.0.1:" + std::to_string(port_);
    child_.emplace(std::move(command));
    const auto end = std::chrono::steady_clock::now() + 30s;
    for (;;) {
      try {
        client_->send(url_ + "/small", Request()).get();
        return;
      } catch (const Error& error) {
        if (std::chrono::steady_clock::now() > end) {
          throw std::runtime_error(std::string(error.what()) + "\n" + child_->errors());
        }
        std::this_thread::sleep_for(10ms);
      }
    }
  }
  void check_files() {
    EXPECT_EQ(get("/small").body.text(), "small");
    EXPECT_EQ(get("/large").body.text(), large_);
    EXPECT_EQ(get("/none").status, 404);
    Request head;
    head.method = "HEAD";
    EXPECT_EQ(client_->send(url_ + "/large", std::move(head)).get().headers.get("content-length"),
              std::to_string(large_.size()));
    SendOptions streaming;
    streaming.streaming = true;
    Response streamed = client_->send(url_ + "/large", Request(), streaming).get();
    EXPECT_EQ(streamed.body.read(10'000'000).get().view(), large_);
    std::vector<Task<Response>> many;
    for (int i = 0; i < 100; ++i) many.push_back(client_->send(url_ + "/small", Request()));
    for (const Response& answer : runtime_.run(when_all(std::move(many)))) {
      EXPECT_EQ(answer.body.text(), "small");
    }
  }
  void check_trailers_and_upload() {
    EXPECT_EQ(get("/small").body.trailers().get("x-checked"), "yes");
    Request upload;
    upload.method = "POST";
    upload.body = large_;
    EXPECT_EQ(client_->send(url_ + "/up", std::move(upload)).get().body.text(), large_);
  }
  Response get(const std::string& path) { return client_->send(url_ + path, Request()).get(); }

  std::string folder_;
  std::string large_;
  const int port_ = interop::free_port();
  settee::Runtime runtime_;
  std::optional<Child> child_;
  std::unique_ptr<Client> client_;
  std::string url_;
};

TEST_F(HttpClientTest, PythonsServer) {
  serve("http", {"python3", "-m", "http.server", std::to_string(port_), "--bind", "127.0.0.1",
                 "--directory", folder_});
  check_files();
}

TEST_F(HttpClientTest, Nghttpd) {
  serve("h2c", {"nghttpd", "--no-tls", "--address=127.0.0.1", "--echo-upload", "-d", folder_,
                "--trailer=x-checked: yes", std::to_string(port_)});
  check_files();
  check_trailers_and_upload();
}

TEST_F(HttpClientTest, HyperH2WhichChecksWhatItGets) {
  // Debian's packages are for Debian's interpreter.
  const std::string python = "/usr/bin/python3";
  Child probe({python, "-c", "import h2"});
  if (probe.wait(60s) != 0) GTEST_SKIP() << "python3-h2 is not installed (./setup --peers)";
  serve("h2c",
        {python, SETTEE_SOURCE_DIR "/interop/tests/h2_server.py", std::to_string(port_), folder_});
  check_files();
  check_trailers_and_upload();
  client_.reset();
  child_->end_input();
  EXPECT_EQ(child_->wait(60s), 0) << child_->errors();
}

TEST_F(HttpClientTest, NghttpdWithTls) {
  const std::string key = folder_ + "/key.pem";
  const std::string certificate = folder_ + "/certificate.pem";
  Child openssl({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test",
                 "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate});
  ASSERT_EQ(openssl.wait(60s), 0) << openssl.errors();
  ClientOptions options;
  options.tls.emplace().ca = certificate;
  for (const char* scheme : {"https", "h2"}) {
    child_.reset();
    serve(
        scheme,
        {"nghttpd", "--address=127.0.0.1", "-d", folder_, std::to_string(port_), key, certificate},
        options);
    EXPECT_EQ(get("/small").version, settee::http::Version::kHttp2);
    check_files();
  }
}

}  // namespace
