// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "interop/tests/registry_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace interop {

int free_port() {
  static int next = static_cast<int>(getpid() % 9'000);
  for (int attempt = 0; attempt < 5'000; ++attempt) {
    const int port = 20'000 + next++ % 10'000;
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const int bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::close(fd);
    if (bound == 0) return port;
  }
  throw std::runtime_error("no free port for a registry's server");
}

}  // namespace interop
