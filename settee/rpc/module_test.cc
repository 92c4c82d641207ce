// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A module with a described service and Tasks leaves the process when it is unloaded: no unique symbol,
// thread_local or cache of ours keeps it in memory.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <fstream>

#include "settee/rpc/rpc.h"

namespace settee::rpc {
namespace {

bool mapped(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(name) != std::string::npos) return true;
  }
  return false;
}

TEST(ModuleTest, ServiceLeavesTheProcessMapWithItsModule) {
  const std::string file = "greeter_module.so";
  Runtime runtime{{.threads = 2}};
  Server server{runtime, {.host = "127.0.0.1", .port = 0}};
  server.start();
  Client client{runtime};
  const std::string url = "bolt://127.0.0.1:" + std::to_string(server.port());
  for (int round = 0; round < 3; ++round) {
    ASSERT_FALSE(mapped(file));
    void* module = dlopen((std::string(SETTEE_TEST_MODULE_DIR) + "/" + file).c_str(),
                          RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(module, nullptr) << dlerror();
    EXPECT_TRUE(mapped(file));
    reinterpret_cast<void (*)(Server*)>(dlsym(module, "greeter_provide"))(&server);

    // Called from outside the module, by generic values, and from inside by the described class.
    auto generic = client.refer_generic(url + "/com.acme.Greeter");
    std::vector<hessian::Value> arguments{"ann"};
    const hessian::Value greeting = generic.call("greet", {}, std::move(arguments)).get();
    EXPECT_EQ(greeting["text"].as_string().value(), "hello ann");
    using Call = bool (*)(Client*, const char*);
    EXPECT_TRUE(reinterpret_cast<Call>(dlsym(module, "greeter_call"))(&client, url.c_str()));

    EXPECT_TRUE(server.withdraw("com.acme.Greeter:1.0"));
    ASSERT_EQ(dlclose(module), 0);
    EXPECT_FALSE(mapped(file)) << "something pins the module";

    // And the server goes on: what it kept of the service must not be touched.
    std::vector<hessian::Value> again{"bob"};
    EXPECT_THROW(generic.call("greet", {}, std::move(again)).get(), Error);
  }
}

}  // namespace
}  // namespace settee::rpc
