// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "interop/tests/registry_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace interop {

namespace {

bool can_bind(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const int bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::close(fd);
  return bound == 0;
}

}  // namespace

// A port that is free now may be another test's choice too until its server listens: who has chosen it
// holds a lock on its file. The files stay; the locks end with their process.
int free_port() {
  static int next = static_cast<int>(getpid() % 10'000);
  const std::string folder = std::filesystem::temp_directory_path() / "settee-test-ports";
  std::filesystem::create_directories(folder);
  for (int attempt = 0; attempt < 5'000; ++attempt) {
    const int port = 20'000 + next++ % 10'000;
    const std::string path = folder + "/" + std::to_string(port);
    const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) throw std::runtime_error("open " + path + ": " + std::strerror(errno));
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0 && can_bind(port)) return port;
    ::close(lock);
  }
  throw std::runtime_error("no free port for a registry's server");
}

}  // namespace interop
