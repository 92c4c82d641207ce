// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tests of a C++ client against other servers share: one server of each kind for the whole
// program, and a client of it for each test.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "interop/tests/peer_process.h"
#include "interop/tests/type_service.h"
#include "settee/base/error_test.h"
#include "settee/base/stats.h"

namespace interop {

using namespace std::chrono_literals;

/// Who serves. kNodeHessian2 is Node with its "4.0", which is standard Hessian 2.0.
enum class Server { kJava, kNode, kNodeHessian2, kCpp };

inline Peer peer_of(Server server) {
  return server == Server::kJava ? Peer::kJava : server == Server::kCpp ? Peer::kCpp : Peer::kNode;
}

/// Servers close connections that are silent for so long; only the tests of silence come near it.
inline constexpr std::chrono::milliseconds kIdleClose{2'500};

/// The server of that kind; started when first asked for, ended with the program.
PeerServer& shared_server(Server server);

class ServerTest : public testing::TestWithParam<Server> {
 protected:
  ServerTest() : client_(runtime_, client_options()), url_(shared_server(GetParam()).url()) {}

  static settee::rpc::ClientOptions client_options() {
    settee::rpc::ClientOptions options;
    options.app_name = "settee-interop";
    options.timeout = 20s;
    if (GetParam() == Server::kNodeHessian2) {
      options.dialect = settee::hessian::Dialect::kHessian2;
    }
    return options;
  }
  static bool java() { return GetParam() == Server::kJava; }
  static bool node() { return peer_of(GetParam()) == Peer::kNode; }
  static bool cpp() { return GetParam() == Server::kCpp; }

  settee::rpc::Reference<TypeService> types() { return client_.refer<TypeService>(url_); }
  settee::rpc::GenericReference generic() {
    return client_.refer_generic(url_ + "/com.settee.interop.TypeService:1.0");
  }
  std::int64_t counted(const char* name) { return counted(runtime_, name); }
  static std::int64_t counted(settee::Runtime& runtime, const char* name) {
    const auto found = runtime.stats().find(name);
    return found ? found->value : 0;
  }

  // One loop, hence one connection.
  settee::Runtime runtime_{{.threads = 1}};
  settee::rpc::Client client_;
  const std::string url_;
};

inline std::string name_of(const testing::TestParamInfo<Server>&) { return "it"; }

// The first part of a test's name is the server's, so that a filter can choose by it.
#define INTEROP_INSTANTIATE_HESSIAN3(suite)                                       \
  INSTANTIATE_TEST_SUITE_P(Java, suite, testing::Values(Server::kJava), name_of); \
  INSTANTIATE_TEST_SUITE_P(Node, suite, testing::Values(Server::kNode), name_of); \
  INSTANTIATE_TEST_SUITE_P(Cpp, suite, testing::Values(Server::kCpp), name_of)
#define INTEROP_INSTANTIATE(suite)     \
  INTEROP_INSTANTIATE_HESSIAN3(suite); \
  INSTANTIATE_TEST_SUITE_P(NodeHessian2, suite, testing::Values(Server::kNodeHessian2), name_of)

}  // namespace interop
