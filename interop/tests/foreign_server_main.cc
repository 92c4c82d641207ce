// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <map>

#include "interop/tests/foreign_server.h"

namespace interop {
namespace {

std::map<Server, std::unique_ptr<PeerServer>> servers;

class StopServers : public testing::Environment {
 public:
  void TearDown() override {
    for (const auto& [kind, server] : servers) {
      EXPECT_EQ(server->stop(), 0) << to_string(peer_of(kind)) << " server";
    }
    servers.clear();
  }
};

}  // namespace

PeerServer& shared_server(Server server) {
  std::unique_ptr<PeerServer>& running = servers[server];
  if (!running) {
    std::vector<std::string> options{"--idle-close-ms", std::to_string(kIdleClose.count())};
    if (server == Server::kNodeHessian2) options.insert(options.end(), {"--hessian", "4.0"});
    running = std::make_unique<PeerServer>(peer_of(server), options);
  }
  return *running;
}

}  // namespace interop

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::AddGlobalTestEnvironment(new interop::StopServers);
  const int status = RUN_ALL_TESTS();
  if (testing::UnitTest::GetInstance()->test_to_run_count() == 0) {
    std::fprintf(stderr, "no test has this name\n");
    return 1;
  }
  return status;
}
