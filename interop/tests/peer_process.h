// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The foreign peers as child processes of a test.
//
//   PeerServer server(Peer::kJava, {"--busy"});              // serves when this returns
//   PeerClient client(Peer::kNode, server_port, {"--bolt2"});
//   const ClientReport report = client.finish();
//
// No child outlives its test: the destructor kills it, its standard input ends with the test's process
// (upon which the servers end), and the kernel kills it when the thread that started it ends, even if
// that crashes. So children are started from the main thread.
//
// Errors are thrown as std::runtime_error, with the end of the child's standard error.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace interop {

enum class Peer { kJava, kNode, kCpp };
const char* to_string(Peer peer);

/// Where ctest has built the peers of "java" or "node". Says what to do if they are not there.
std::string built(const char* peer);
/// The path of a program of ours, which is beside the test's.
std::string own_program(const char* name);

/// One process with pipes at its standard input and output.
class Child {
 public:
  explicit Child(const std::vector<std::string>& command);
  ~Child();
  Child(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// The next line of standard output; nothing when it has ended.
  std::optional<std::string> read_line(std::chrono::milliseconds within);
  void end_input();
  void kill(int signal);
  /// Its exit status, or 128 + signal. Kills it when the time is over.
  int wait(std::chrono::milliseconds within);
  /// The end of its standard error.
  std::string errors() const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  int errors_ = -1;
  std::string received_;
};

class PeerServer {
 public:
  /// Port 0: one that is free. Returns when it serves.
  PeerServer(Peer peer, std::vector<std::string> options, int port = 0);
  int port() const { return port_; }
  std::string url() const { return "bolt://127.0.0.1:" + std::to_string(port_); }
  /// Asks it to end, and returns its status.
  int stop();
  /// kill -9
  void crash();

 private:
  Child child_;
  int port_ = 0;
};

/// What a client program has printed.
struct ClientReport {
  std::vector<std::string> ok;
  std::map<std::string, std::string> failed;   // case → reason
  std::map<std::string, std::string> skipped;  // case → reason
  std::vector<std::string> info;
  std::string done;
  int status = -1;
  std::string errors;
};

class PeerClient {
 public:
  PeerClient(Peer peer, int port, std::vector<std::string> options);
  /// Reads until a line begins with `prefix`.
  void wait_for(const std::string& prefix);
  ClientReport finish();

 private:
  bool read(std::string* line);
  Child child_;
  ClientReport report_;
};

}  // namespace interop
