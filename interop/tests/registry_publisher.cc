// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A process that publishes a provider, to be killed or stopped by a test.
//
//   registry_publisher REGISTRY INTERFACE URL SESSION_MS
//
// Prints READY when it is published; takes it back and ends when standard input does.

#include <cstdio>
#include <exception>
#include <string>

#include "settee/rpc/registry.h"

int main(int argc, char** argv) {
  using namespace settee;
  if (argc != 5) {
    std::fprintf(stderr, "usage: registry_publisher REGISTRY INTERFACE URL SESSION_MS\n");
    return 2;
  }
  try {
    RuntimeOptions runtime_options;
    runtime_options.threads = 1;
    Runtime runtime(runtime_options);
    rpc::RegistryOptions options;
    options.session_timeout = std::chrono::milliseconds(std::stoi(argv[4]));
    const auto registry = rpc::open_registry(runtime, argv[1], options);
    rpc::ServiceKey key;
    key.interface_name = argv[2];
    registry->publish(key, rpc::Provider::parse(argv[3]).value()).get();
    std::printf("READY\n");
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    registry->stop();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "registry_publisher: %s\n", error.what());
    return 1;
  }
}
