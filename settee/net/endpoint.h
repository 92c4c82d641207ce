// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Endpoint: where a socket listens or connects to: "127.0.0.1:12200", "[::1]:12200", "host:12200" or
// "unix:/run/app.sock".
//
// Threads: a plain value.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/result.h"
#include "settee/base/task.h"
#include "settee/base/thread_pool.h"

struct sockaddr;

namespace settee::inline v0::net {

struct Endpoint {
  std::string host;  ///< Name or address, without brackets; the path if unix_path.
  std::uint16_t port = 0;
  bool unix_path = false;

  /// "host:port", "host" (then default_port), "[v6]:port" or "unix:/path".
  SETTEE_API static Result<Endpoint> parse(std::string_view text, std::uint16_t default_port = 0);
  /// What options of servers say: `host` may be "unix:/path", and else stands as it is.
  SETTEE_API static Endpoint at(const std::string& host, std::uint16_t port);
  SETTEE_API std::string to_string() const;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// A resolved socket address.
class SETTEE_API SocketAddress {
 public:
  SocketAddress() noexcept = default;
  SocketAddress(const sockaddr* address, std::uint32_t size) noexcept;
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(storage_); }
  std::uint32_t size() const noexcept { return size_; }
  int family() const noexcept;
  std::uint16_t port() const noexcept;
  /// Only this machine reaches it: loopback, or a Unix socket.
  bool local() const noexcept;
  /// "127.0.0.1:12200", "[::1]:12200", "unix:/path"
  std::string to_string() const;

 private:
  alignas(8) unsigned char storage_[112] = {};  // sockaddr_un is the largest: 110
  std::uint32_t size_ = 0;
};

/// The addresses of an endpoint, at once if it is numeric or a path; nothing if it is a name that
/// must be looked up.
SETTEE_API Result<std::vector<SocketAddress>> resolve_numeric(const Endpoint& endpoint);
/// The addresses of an endpoint; names are looked up on `pool`, as that blocks.
SETTEE_API Task<std::vector<SocketAddress>> resolve(ThreadPool& pool, Endpoint endpoint);

}  // namespace settee::inline v0::net
