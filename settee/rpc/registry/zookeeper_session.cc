// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/registry/internal/zookeeper_session.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace settee::inline v0::rpc::registry::zookeeper {

namespace {

constexpr std::chrono::milliseconds kProbeTime{300};

}  // namespace

std::string text_of(int rc) {
  switch (rc) {
    case ZNOAUTH: return "not permitted (the node's ACL)";
    case ZNOCHILDRENFOREPHEMERALS: return "a parent node is ephemeral and cannot have children";
    default: return fmt::format("{} ({})", zerror(rc), rc);
  }
}

bool is_final(int rc) {
  return rc == ZNOAUTH || rc == ZINVALIDACL || rc == ZBADARGUMENTS || rc == ZMARSHALLINGERROR ||
         rc == ZNOCHILDRENFOREPHEMERALS || rc == ZUNIMPLEMENTED || rc == ZNOTREADONLY;
}

bool is_connection(int rc) {
  return rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT || rc == ZINVALIDSTATE ||
         rc == ZSESSIONEXPIRED || rc == ZCLOSING || rc == ZSESSIONMOVED || rc == ZAUTHFAILED;
}

std::string probe(const net::Endpoint& server) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &hints, &found);
  if (failed != 0) return fmt::format("cannot be resolved: {}", gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::string why = "has no address";
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const int fd = ::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return std::strerror(errno);
    int error = ::connect(fd, one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      pollfd waiting{fd, POLLOUT, 0};
      const int ready = ::poll(&waiting, 1, static_cast<int>(kProbeTime.count()));
      socklen_t size = sizeof error;
      if (ready <= 0) {
        error = ETIMEDOUT;
      } else if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
      }
    }
    ::close(fd);
    if (error == 0) {
      return "accepts connections but gives no session (is it ZooKeeper, and has it a quorum?)";
    }
    why = error == ETIMEDOUT ? "does not answer" : std::strerror(error);
  }
  return why;
}

void discard(const char*) {}

}  // namespace settee::inline v0::rpc::registry::zookeeper
