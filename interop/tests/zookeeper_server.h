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

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "interop/tests/peer_process.h"

namespace interop {

class ZookeeperServer {
 public:
  /// Returns when it serves, unless told not to start it yet.
  explicit ZookeeperServer(bool started = true);
  ~ZookeeperServer();
  ZookeeperServer(const ZookeeperServer&) = delete;
  ZookeeperServer& operator=(const ZookeeperServer&) = delete;

  int port() const { return port_; }
  /// "127.0.0.1:2181"
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return "zookeeper://" + address(); }

  void start();
  /// kill -9
  void kill();
  /// What it has kept is gone, with all sessions. Only while it does not run.
  void lose_data();
  /// It hangs: its connections stay, and say nothing.
  void suspend();
  void resume();
  /// One of its four-letter commands.
  std::string ask(const std::string& word) const;

 private:
  std::string folder_;
  int port_ = 0;
  std::optional<Child> child_;
};

/// A plain client of the server, to see and change what is there as it is.
class ZookeeperClient {
 public:
  explicit ZookeeperClient(const std::string& address);
  ~ZookeeperClient();
  ZookeeperClient(const ZookeeperClient&) = delete;
  ZookeeperClient& operator=(const ZookeeperClient&) = delete;

  struct Node {
    std::string data;
    std::int64_t owner = 0;
    std::int64_t created = 0;
  };
  /// Nothing if there is none.
  std::optional<Node> get(const std::string& path) const;
  /// Empty if there is no such node.
  std::vector<std::string> children(const std::string& path) const;
  /// With its parents.
  void create(const std::string& path, const std::string& data, bool ephemeral = false) const;
  void set(const std::string& path, const std::string& data) const;
  void remove(const std::string& path) const;

 private:
  void* handle_ = nullptr;
};

}  // namespace interop
