// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tests of registries against real servers have in common.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "interop/tests/registry_server.h"
#include "settee/rpc/client.h"
#include "settee/rpc/registry/registry_test_log.h"

namespace interop::registry_test {

using namespace std::chrono_literals;
using settee::Code;
using settee::Error;
using settee::LogLevel;
using settee::Runtime;
using settee::rpc::Client;
using settee::rpc::Provider;
using settee::rpc::Providers;
using settee::rpc::Registry;
using settee::rpc::RegistryOptions;
using settee::rpc::ServiceKey;
using settee::rpc::registry_test::eventually;
using settee::rpc::registry_test::Heard;
using settee::rpc::registry_test::Log;
using settee::rpc::registry_test::provider;
using settee::rpc::registry_test::service;

inline constexpr char kProviders[] = "/sofa-rpc/com.acme.Quotes/providers";
inline constexpr char kConsumers[] = "/sofa-rpc/com.acme.Quotes/consumers";
inline constexpr char kTypeService[] = "com.settee.interop.TypeService";

/// Registries of one server, which the derived test has, and what they log.
class RegistryFixture : public testing::Test {
 protected:
  virtual std::string url() const = 0;
  std::shared_ptr<Registry> open(std::chrono::milliseconds session = 10s,
                                 const std::string& root = {}) {
    RegistryOptions options;
    options.session_timeout = session;
    return settee::rpc::open_registry(runtime_, url() + root, options);
  }

  Log log_;
  Runtime runtime_{log_.options()};
  const ServiceKey quotes_ = service("com.acme.Quotes");
};

}  // namespace interop::registry_test
