// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A loop that somebody else's loop turns, and a service in a loaded module, of docs/guide.md.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <fstream>
#include <stdexcept>

#include "examples/guide/my_orders.h"

namespace shop {
namespace {

TEST(GuideLoopTest, DrivenFromOutside) {
  // [foreign]
  settee::Runtime runtime{{.foreign_loop = true}};  // and no threads
  settee::Loop& loop = runtime.foreign_loop();
  settee::rpc::Server server{runtime, {.host = "127.0.0.1", .port = 0}};
  server.provide<Orders>(std::make_shared<MyOrders>());
  server.start();
  settee::rpc::Client client{runtime};
  auto orders = client.refer<Orders>("bolt://" + server.address());

  bool answered = false;
  loop.enter();  // calls made between turns stand between these two,
  orders->note("hello").then([&](settee::Result<void> done) { answered = done.ok(); });
  loop.leave();
  loop.flush();  // and are written by this

  while (!answered) {  // this is your own loop: poll, epoll, libuv ...
    pollfd watched{loop.fd(), POLLIN, 0};
    poll(&watched, 1, loop.next_timeout());
    loop.turn(settee::Duration::zero());
  }
  // [/foreign]
  EXPECT_TRUE(answered);
}

bool mapped(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(name) != std::string::npos) return true;
  }
  return false;
}

TEST(GuideModuleTest, ComesAndGoes) {
  const std::string file = SETTEE_GUIDE_MODULE;
  settee::Runtime runtime{{.threads = 1}};
  settee::rpc::Server server{runtime, {.host = "127.0.0.1", .port = 0}};
  server.start();
  // [load]
  void* module = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) throw std::runtime_error(dlerror());
  auto* offer = reinterpret_cast<void (*)(settee::rpc::Server*)>(dlsym(module, "offer_greeter"));
  offer(&server);
  // ... it serves ...
  server.withdraw("com.acme.shop.Greeter:1.0");  // waits for its calls, releases its object
  dlclose(module);                               // and now it leaves the process
  // [/load]
  EXPECT_FALSE(mapped("guide_greeter.so"));
}

}  // namespace
}  // namespace shop
