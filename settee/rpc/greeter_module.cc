// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A module for module_test.cc: a described service with a Task in it, offered from a shared object that
// is loaded and unloaded while its process runs.

#include <map>
#include <set>

#include "settee/rpc/rpc.h"

namespace greeter {

struct Greeting {
  std::string text;
  std::vector<std::string> guests;
  std::map<std::string, std::int32_t> seats;
};

struct TooLoud : settee::BusinessException<TooLoud> {
  std::int32_t decibel = 0;
};

struct Greeter {
  virtual ~Greeter() = default;
  virtual settee::Task<Greeting> greet(std::string name) = 0;
  virtual settee::Task<void> shout(std::string name) = 0;
};

}  // namespace greeter

SETTEE_STRUCT(greeter::Greeting, "com.acme.Greeting", text, guests, seats)
SETTEE_EXCEPTION(greeter::TooLoud, "com.acme.TooLoud", decibel)
SETTEE_SERVICE(greeter::Greeter, "com.acme.Greeter", (greet, name), (shout, name))

namespace {

struct MyGreeter final : greeter::Greeter {
  settee::Task<greeter::Greeting> greet(std::string name) override {
    co_await settee::sleep_for(std::chrono::milliseconds(1));
    greeter::Greeting greeting;
    greeting.text = "hello " + name;
    greeting.guests.push_back(name);
    greeting.seats[name] = 1;
    co_return greeting;
  }
  settee::Task<void> shout(std::string) override {
    greeter::TooLoud too_loud;
    too_loud.message = "sh!";
    too_loud.decibel = 120;
    throw too_loud;
    co_return;
  }
};

}  // namespace

extern "C" __attribute__((visibility("default"))) void greeter_provide(settee::rpc::Server* server) {
  server->provide<greeter::Greeter>(std::make_shared<MyGreeter>());
}

extern "C" __attribute__((visibility("default"))) bool greeter_call(settee::rpc::Client* client,
                                                                    const char* url) {
  auto greeter = client->refer<greeter::Greeter>(url);
  if (greeter->greet("ann").get().seats.at("ann") != 1) return false;
  try {
    greeter->shout("ann").get();
    return false;
  } catch (const settee::Error& error) {
    return error.as<greeter::TooLoud>()->decibel == 120;
  }
}
