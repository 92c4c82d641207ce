// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Listener: accepts connections on one endpoint and deals them out to loops in turn. connect(): the
// other side. Both give a connected non-blocking socket with its peer's address.
//
// Threads: see each.

#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/net/endpoint.h"

namespace settee::inline v0::net {

/// A connected socket that nobody owns yet.
class SETTEE_API Socket {
 public:
  Socket() noexcept = default;
  Socket(int fd, SocketAddress peer) noexcept : fd_(fd), peer_(peer) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), peer_(other.peer_) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(peer_, other.peer_);
    return *this;
  }
  ~Socket();
  int fd() const noexcept { return fd_; }
  /// Gives up ownership.
  int release() noexcept { return std::exchange(fd_, -1); }
  const SocketAddress& peer() const noexcept { return peer_; }

 private:
  int fd_ = -1;
  SocketAddress peer_;
};

struct ListenerOptions {
  Endpoint endpoint;
  int backlog = 1024;
};

class SETTEE_API Listener {
 public:
  /// Called on `loop`'s thread for each accepted connection.
  using Accepted = std::function<void(Loop& loop, Socket socket)>;

  /// Binds and listens; throws an Error (kIo) that names the address and the cause. From any thread.
  Listener(Runtime& runtime, const ListenerOptions& options, Accepted accepted);
  /// Not on a loop's thread.
  ~Listener();
  /// Where it listens; the real port if 0 was asked for.
  const SocketAddress& address() const noexcept;
  /// Accepts no more; returns when no call of `accepted` is running. Not on a loop's thread.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Connects to `address` on the current loop's thread; Errors: kConnectFailed, kTimeout, kCancelled.
SETTEE_API Task<Socket> connect(SocketAddress address, Duration timeout);

}  // namespace settee::inline v0::net
