// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Backup: what a registry listed last, kept on disk, for a process that starts while the registry
// cannot be reached. A file for each interface, in the form of a local registry file (lines.h) with
// a head and an end of its own:
//
//   # Settee: last known providers, form 1
//   # registry zookeeper://127.0.0.1:2181
//   # interface com.acme.Quotes
//   # written 1795400000000
//   com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.1:12200?...\t
//   # end 1
//
// A file that is not just so is not believed: who connects to an address from a damaged list may
// reach anybody.
//
// Threads: the keeper's; files are written on a thread of the Backup's own, for a disk may hang.

#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "settee/base/runtime.h"
#include "settee/rpc/provider.h"

namespace settee::inline v0::rpc::registry {

class SETTEE_API Backup {
 public:
  /// `say` is for a person, and called from both threads.
  using Say = std::function<void(LogLevel level, const std::string& message)>;
  Backup(std::string directory, std::string registry, Say say);
  /// Waits until what was kept is written.
  ~Backup();
  Backup(const Backup&) = delete;
  Backup& operator=(const Backup&) = delete;

  /// What is listed now. An empty list leaves the file as it is: the addresses are the last that
  /// were known. The latest of several that come while one is written counts.
  void keep(const std::string& interface_name, const Providers& all);

  struct Memory {
    Providers providers;
    std::chrono::system_clock::time_point written;
    std::string path;
  };
  /// What was kept last, by this process or an earlier one. Nothing, and a message, if it cannot be
  /// read; nothing if there is none.
  std::optional<Memory> load(const std::string& interface_name);

  /// Of a registry's interface.
  std::string path_of(const std::string& interface_name) const;

 private:
  void run();
  void write(const std::string& interface_name, const Providers& all);
  std::string text_of(const std::string& interface_name, const Providers& all) const;
  std::string head_of(const std::string& interface_name) const;
  /// Once for each kind of failure, until one of that kind succeeds.
  void complain(const std::string& kind, const std::string& message);
  void well(const std::string& kind);

  const std::string directory_;
  const std::string registry_;
  const Say say_;
  std::map<std::string, Providers> kept_;  // the keeper's thread
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Providers> pending_;
  std::set<std::string> said_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace settee::inline v0::rpc::registry
