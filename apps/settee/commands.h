// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The commands of the program `settee`, behind its command line (main.cc). Each returns the exit
// status.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/error.h"
#include "settee/base/runtime.h"
#include "settee/net/tls.h"

namespace settee::cli {

enum Exit : int {
  kOk = 0,
  kFailed = 1,       ///< The call, or one of them, failed; the bytes are no good frames.
  kUsage = 2,        ///< The command line, the url, the arguments or the file.
  kUnreachable = 3,  ///< No connection, or no answer in time.
};

/// Prints "settee COMMAND: text" on one line of standard error.
void complain(std::string_view command, std::string_view text);
/// The same for an Error, with what to do about it. Returns the exit status that stands for it.
int complain(std::string_view command, const Error& error);
/// The exit status that stands for `error`.
int exit_of(const Error& error);

/// One loop, and no warnings: they would say what the Error says as well.
RuntimeOptions quiet();

/// --tls and those that begin with it, of which any switches it on.
struct TlsFlags {
  bool on = false;
  std::string ca;
  std::string certificate;
  std::string key;
  std::string server_name;
  bool insecure = false;
};
/// Null if none was given. Throws an Error that names the file that cannot be used.
std::shared_ptr<net::TlsClientContext> make_tls(Runtime& runtime, const TlsFlags& flags);

struct CallCommand {
  std::string url;
  std::string method;
  std::string arguments;  ///< JSON, or "-" for standard input.
  std::vector<std::string> java_types;
  bool has_java_types = false;  ///< An empty list is one as well: a method without parameters.
  std::optional<std::chrono::milliseconds> timeout;
  std::vector<std::string> baggage;  ///< "key=value"
  std::vector<std::string> headers;  ///< "name: value"
  bool pretty = false;
  bool compact = false;
  bool types = false;
  bool verbose = false;
  TlsFlags tls;
};
int run(const CallCommand& command);

struct BenchCommand {
  std::string url;
  std::string method;
  int connections = 1;
  int outstanding = 1;
  int payload = 16;
  double duration = 2;
  double warmup = 0.3;
  double rate = 0;  ///< Calls per second by schedule; 0: closed loop.
  int server_pid = 0;
  std::chrono::milliseconds timeout{3000};
  bool json = false;
  TlsFlags tls;
};
int run(const BenchCommand& command);

struct DecodeCommand {
  std::string hex;
  bool has_hex = false;
  std::string file;  ///< "-" for standard input.
  std::optional<std::uint16_t> port;
  bool full = false;
};
int run(const DecodeCommand& command);

struct WhyCommand {
  std::string url;
  std::chrono::milliseconds timeout{3000};
  TlsFlags tls;
};
int run(const WhyCommand& command);

struct DescribeCommand {
  std::string url;  ///< A server's, over HTTP; with a service in its path.
  bool proto = false;
  std::chrono::milliseconds timeout{3000};
  TlsFlags tls;
};
int run(const DescribeCommand& command);

struct ServicesCommand {
  std::string url;  ///< A registry's.
  std::chrono::milliseconds timeout{3000};
};
int run(const ServicesCommand& command);

}  // namespace settee::cli
