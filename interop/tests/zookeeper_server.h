// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A real ZooKeeper server (Debian's libzookeeper-java) as a child process of a test, on a free port
// of the loopback, with a data folder of its own.
//
//   ZookeeperServer server;
//   server.kill();       // kill -9; the data stay
//   server.start();      // on the same port, with the same data
//
// Errors are thrown as std::runtime_error, with the end of the server's messages.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "interop/tests/peer_process.h"
#include "interop/tests/registry_server.h"

namespace interop {

class ZookeeperServer final : public RegistryServer {
 public:
  /// Returns when it serves, unless told not to start it yet.
  explicit ZookeeperServer(bool started = true);
  ~ZookeeperServer() override;
  ZookeeperServer(const ZookeeperServer&) = delete;
  ZookeeperServer& operator=(const ZookeeperServer&) = delete;

  int port() const { return port_; }
  /// "127.0.0.1:2181"
  std::string address() const override { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const override { return "zookeeper://" + address(); }
  std::unique_ptr<RegistryClient> client() const override;
  std::string online() const override { return "\1"; }
  std::string offline() const override { return std::string(1, '\0'); }

  void start() override;
  void kill() override;
  void lose_data() override;
  void suspend() override;
  void resume() override;
  /// One of its four-letter commands.
  std::string ask(const std::string& word) const;

 private:
  std::string folder_;
  int port_ = 0;
  std::optional<Child> child_;
};

class ZookeeperClient final : public RegistryClient {
 public:
  explicit ZookeeperClient(const std::string& address);
  ~ZookeeperClient() override;
  ZookeeperClient(const ZookeeperClient&) = delete;
  ZookeeperClient& operator=(const ZookeeperClient&) = delete;

  std::optional<Node> get(const std::string& path) const override;
  std::vector<std::string> children(const std::string& path) const override;
  void create(const std::string& path, const std::string& data,
              bool ephemeral = false) const override;
  void set(const std::string& path, const std::string& data) const override;
  void remove(const std::string& path) const override;

 private:
  void* handle_ = nullptr;
};

}  // namespace interop
