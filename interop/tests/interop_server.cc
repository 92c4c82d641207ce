// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The C++ peer: serves the interop contract on 127.0.0.1, with the command line and the output of the
// Java and Node peers (interop/README.md). Ends with status 0 when standard input reaches its end, on
// SIGTERM and on SIGINT.
//
//   interop_server [--port N] [--threads N] [--idle-close-ms N] [--busy]

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "interop/tests/type_service.h"

namespace {

[[noreturn]] void usage() {
  std::fprintf(
      stderr,
      "usage: interop_server [--port N] [--threads N] [--idle-close-ms N] [--busy]\n"
      "  --port N           0, the default, picks a free one\n"
      "  --threads N        loops (default 1)\n"
      "  --idle-close-ms N  close a connection without traffic after so long\n"
      "  --busy             one thread for blocking calls, no queue; only sleep() is offered\n");
  std::exit(2);
}

int number(const char* text, int most) {
  int value = 0;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc() || stop != end || value < 0 || value > most) usage();
  return value;
}

// Returns when standard input has ended or one of `signals` has come.
void wait_for_the_end(const sigset_t& signals) {
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {signal_fd, POLLIN, 0}};
  for (;;) {
    if (poll(watched, 2, -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (watched[1].revents != 0) break;
    char ignored[256];
    if (watched[0].revents != 0 && read(STDIN_FILENO, ignored, sizeof ignored) <= 0) break;
  }
  close(signal_fd);
}

}  // namespace

int main(int argc, char** argv) {
  settee::rpc::ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  options.app_name = "settee-cpp-peer";
  settee::RuntimeOptions runtime_options;
  runtime_options.threads = 1;
  bool busy = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--busy") {
      busy = true;
      runtime_options.pool.core = 1;
      runtime_options.pool.max = 1;
      continue;
    }
    if (i + 1 == argc) usage();
    const char* const value = argv[++i];
    if (flag == "--port") {
      options.port = static_cast<std::uint16_t>(number(value, 65535));
    } else if (flag == "--threads") {
      runtime_options.threads = static_cast<std::size_t>(number(value, 64));
    } else if (flag == "--idle-close-ms") {
      options.idle_close = std::chrono::milliseconds(number(value, 1 << 30));
    } else {
      usage();
    }
  }
  // Blocked before any thread is made, so that only the signalfd sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  try {
    settee::Runtime runtime{runtime_options};
    settee::rpc::Server server{runtime, options};
    if (busy) {
      server.provide<interop::BlockingTypeService>(interop::make_blocking_type_service());
    } else {
      interop::provide_contract(server);
    }
    server.start();
    std::printf("READY port=%d\n", server.port());
    std::fflush(stdout);
    wait_for_the_end(signals);
  } catch (const settee::Error& error) {
    std::fprintf(stderr, "interop_server: %s\n", error.what());
    return 1;
  }
}
