// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Three servers of one service, for tests of what a client makes of several addresses.

#pragma once

#include <gtest/gtest.h>

#include "settee/base/stats.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {

struct Shop {
  virtual ~Shop() = default;
  virtual Task<std::string> ask(std::string text) = 0;    // idempotent
  virtual Task<std::string> order(std::string text) = 0;  // not
  virtual Task<void> refuse() = 0;
};

}  // namespace settee::rpc

SETTEE_SERVICE(settee::rpc::Shop, "com.acme.Shop", (ask, text).idempotent(), (order, text),
               (refuse).idempotent())

namespace settee::rpc {

class MyShop final : public Shop {
 public:
  explicit MyShop(std::string name) : name_(std::move(name)) {}
  Task<std::string> ask(std::string) override {
    ++calls;
    if (pause.count() > 0) co_await sleep_for(pause);
    co_return name_;
  }
  Task<std::string> order(std::string) override {
    ++calls;
    if (pause.count() > 0) co_await sleep_for(pause);
    co_return name_;
  }
  Task<void> refuse() override {
    ++calls;
    wire::NoSuchItem none;
    none.message = "never";
    throw none;
    co_return;
  }
  std::atomic<int> calls{0};
  std::chrono::milliseconds pause{0};

 private:
  const std::string name_;
};

// Servers a, b and c; one may be stopped, and a fourth address is nobody's.
class ClusterTest : public testing::Test {
 protected:
  ClusterTest() {
    RuntimeOptions options;
    options.threads = 2;
    options.log = log_.keep();
    runtime_ = std::make_unique<Runtime>(std::move(options));
    for (const char* name : {"a", "b", "c"}) {
      One& one = servers_.emplace_back();
      one.shop = std::make_shared<MyShop>(name);
      start(one, 0);
    }
    ClientOptions client_options;
    client_options.reconnect_first = std::chrono::milliseconds(20);
    client_options.reconnect_most = std::chrono::milliseconds(50);
    client_ = std::make_unique<Client>(*runtime_, client_options);
  }
  struct One {
    std::shared_ptr<MyShop> shop;
    std::unique_ptr<Server> server;
    std::string address;
  };
  void start(One& one, std::uint16_t port) {
    ServerOptions options;
    options.host = "127.0.0.1";
    options.port = port;
    options.drain = std::chrono::milliseconds(50);
    one.server = std::make_unique<Server>(*runtime_, options);
    one.server->provide<Shop>(one.shop);
    one.server->start();
    one.address = one.server->address();
  }
  // One that was stopped, where it was.
  void start_again(One& one) { start(one, one.server->port()); }
  std::string url(const std::string& more = {}) const {
    std::string list;
    for (const One& one : servers_) list += (list.empty() ? "" : ",") + one.address;
    return "bolt://" + list + more;
  }
  std::int64_t stat(std::string_view name) const {
    const std::optional<StatValue> found = runtime_->stats().find(name, {});
    return found ? found->value : -1;
  }
  static std::optional<Error> error_of(Task<std::string> call) {
    try {
      std::move(call).get();
      return std::nullopt;
    } catch (const Error& error) {
      return error;
    }
  }
  int calls() const {
    int all = 0;
    for (const One& one : servers_) all += one.shop->calls;
    return all;
  }
  // Takes each call and ends its connection. Not without a word: that would be as good as refusing it.
  static void break_calls(wire::FakeServer& server, const std::atomic<bool>& enough) {
    while (!enough) {
      wire::Wire peer = server.accept(std::chrono::milliseconds(20));
      if (!peer.open() || !peer.send(wire::heartbeat(1))) continue;
      // A call, not the answer to the heartbeat.
      std::optional<wire::Received> got;
      do {
        got = peer.receive(std::chrono::milliseconds(enough ? 1 : 500));
      } while (got && got->frame.command != rpc::bolt::Command::kRequest);
      peer.reset();
    }
  }
  // Nobody listens there.
  static std::string nobody() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(fd);
    return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }

  wire::LogLines log_;
  std::unique_ptr<Runtime> runtime_;
  std::vector<One> servers_;
  std::unique_ptr<Client> client_;
};

}  // namespace settee::rpc
