// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A module with a service, for docs/guide.md. Compiled into a shared object of its own.

#include "examples/guide/shop.h"

// [module]
struct PoliteGreeter final : shop::Greeter {
  settee::Task<std::string> greet(std::string name) override { co_return "Good day, " + name; }
};

extern "C" __attribute__((visibility("default"))) void offer_greeter(settee::rpc::Server* server) {
  server->provide<shop::Greeter>(std::make_shared<PoliteGreeter>());
}
// [/module]
