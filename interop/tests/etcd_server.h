// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A real etcd (Debian's etcd-server) as a child process of a test, on free ports of the loopback, with a
// data folder of its own.

#pragma once

#include "interop/tests/peer_process.h"
#include "interop/tests/registry_server.h"

namespace interop {

class EtcdServer final : public RegistryServer {
 public:
  /// Returns when it serves, unless told not to start it yet.
  explicit EtcdServer(bool started = true);
  ~EtcdServer() override;
  EtcdServer(const EtcdServer&) = delete;
  EtcdServer& operator=(const EtcdServer&) = delete;

  std::string address() const override { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const override { return "etcd://" + address(); }
  std::unique_ptr<RegistryClient> client() const override;
  std::string online() const override { return "1"; }
  std::string offline() const override { return "0"; }

  void start() override;
  void kill() override;
  void lose_data() override;
  void suspend() override;
  void resume() override;
  /// What its gateway answers to a POST; empty if nothing.
  std::string post(const std::string& path, const std::string& json) const;

 private:
  std::string folder_;
  int port_ = 0;
  int peer_port_ = 0;
  std::optional<Child> child_;
};

}  // namespace interop
