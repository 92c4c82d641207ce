// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Serves com.settee.bench.Echo:1.0 until SIGINT or SIGTERM:
//
//   echo_server --port 12200 --threads 1 --registry zookeeper://127.0.0.1:2181
//
// With --tls CERT KEY (PEM files) it speaks TLS too, on the same port; with --client-ca CA only TLS, and
// only with clients whose certificate leads to one of those CAs.
// With --registry (also file:///path) it publishes itself there. A signal ends it gracefully: it
// withdraws, serves until consumers have heard of it, answers what runs, and exits with 0.

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include "examples/echo_server/echo.h"
#include "settee/base/signals.h"

namespace {

struct EchoService final : bench::Echo {
  settee::Task<std::string> echo(std::string text) override { co_return std::move(text); }
  settee::Task<settee::Bytes> echoBytes(settee::Bytes bytes) override {
    co_return std::move(bytes);
  }
  settee::Task<bench::User> echoUser(bench::User user) override { co_return std::move(user); }
  settee::Task<std::string> fail(std::string message) override {
    bench::EchoException exception;
    exception.message = std::move(message);
    throw exception;
    co_return "";
  }
  settee::Task<std::string> slowEcho(std::string text) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    co_return std::move(text);
  }
};

[[noreturn]] void usage() {
  std::fprintf(stderr,
               "usage: echo_server [--port N] [--threads N] [--pool N] [--host ADDRESS] "
               "[--registry URL] [--tls CERT KEY [--client-ca CA]]\n");
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  int port = 12200;
  int threads = 1;
  int pool = 20;
  std::string host = "127.0.0.1";
  std::string registry;
  settee::net::TlsServerOptions tls;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (i + (flag == "--tls" ? 2 : 1) >= argc) usage();
    if (flag == "--port") {
      port = std::atoi(argv[i + 1]);
    } else if (flag == "--threads") {
      threads = std::atoi(argv[i + 1]);
    } else if (flag == "--pool") {
      pool = std::atoi(argv[i + 1]);
    } else if (flag == "--host") {
      host = argv[i + 1];
    } else if (flag == "--registry") {
      registry = argv[i + 1];
    } else if (flag == "--tls") {
      tls.certificate = argv[i + 1];
      tls.key = argv[i + 2];
      ++i;
    } else if (flag == "--client-ca") {
      tls.client_ca = argv[i + 1];
    } else {
      usage();
    }
  }
  try {
    settee::SignalWait signals{SIGTERM, SIGINT};
    settee::Runtime runtime{{.threads = static_cast<std::size_t>(threads),
                             .pool = {.core = static_cast<std::size_t>(pool),
                                      .max = static_cast<std::size_t>(pool),
                                      .queue = 1000}}};
    settee::rpc::ServerOptions options;
    options.host = host;
    options.port = static_cast<std::uint16_t>(port);
    options.app_name = "echo";
    if (!registry.empty()) options.registries = {settee::rpc::open_registry(runtime, registry)};
    if (!tls.certificate.empty() || !tls.key.empty() || !tls.client_ca.empty()) {
      tls.plain_text_too = tls.client_ca.empty();
      options.tls = std::make_shared<settee::net::TlsServerContext>(runtime, tls);
    }
    settee::rpc::Server server{runtime, options};
    server.provide<bench::Echo>(std::make_shared<EchoService>());
    server.start();
    std::printf("READY port=%d\n", server.port());
    std::fflush(stdout);
    signals.get();
    server.stop();  // a second signal kills
  } catch (const settee::Error& error) {
    std::fprintf(stderr, "echo_server: %s\n", error.what());
    return 1;
  }
}
