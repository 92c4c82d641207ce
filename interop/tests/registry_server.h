// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A registry's real server as a child process of a test, and a plain client of it, whatever it is: what
// the tests that all registries share need. Children of a path are what stands between it, a slash and
// the next one.
//
// Errors are thrown as std::runtime_error, with the end of the server's messages.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace interop {

/// To see and change what is there as it is.
class RegistryClient {
 public:
  virtual ~RegistryClient() = default;
  struct Node {
    std::string data;
    std::int64_t owner = 0;  ///< The session or lease that it goes with; 0: it stays.
    std::int64_t created = 0;
  };
  /// Nothing if there is none.
  virtual std::optional<Node> get(const std::string& path) const = 0;
  /// Empty if there is no such node.
  virtual std::vector<std::string> children(const std::string& path) const = 0;
  /// With its parents.
  virtual void create(const std::string& path, const std::string& data,
                      bool ephemeral = false) const = 0;
  virtual void set(const std::string& path, const std::string& data) const = 0;
  virtual void remove(const std::string& path) const = 0;
};

class RegistryServer {
 public:
  virtual ~RegistryServer() = default;
  /// "127.0.0.1:2181"
  virtual std::string address() const = 0;
  virtual std::string url() const = 0;
  virtual std::unique_ptr<RegistryClient> client() const = 0;
  /// The data of a provider's node, and of one that is offline.
  virtual std::string online() const = 0;
  virtual std::string offline() const = 0;

  virtual void start() = 0;
  /// kill -9
  virtual void kill() = 0;
  /// What it has kept is gone, with all sessions. Only while it does not run.
  virtual void lose_data() = 0;
  /// It hangs: its connections stay, and say nothing.
  virtual void suspend() = 0;
  virtual void resume() = 0;
};

/// A port that no other process takes by this function until this one ends. It is below the range
/// from which the kernel takes ports for outgoing connections: so it is still free when a server that
/// had it is started again.
int free_port();

}  // namespace interop
