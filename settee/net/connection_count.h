// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ConnectionCount: how many connections a listener's owner has, in all and of each address, and whether
// one more may come.
//
// Threads: all members from any thread.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "settee/net/endpoint.h"

namespace settee::inline v0::net {

class SETTEE_API ConnectionCount {
 public:
  enum class Room {
    kYes,
    kNoneAtAll,
    kNoneForPeer,
  };

  /// At most `most` connections, of them `most_of_peer` of one address; 0: as many as there are. A peer
  /// is an IPv4 address, or the first half of an IPv6 address, as hosts have such a network for
  /// themselves. Those of Unix sockets are counted in all only.
  ConnectionCount(std::size_t most, std::size_t most_of_peer) noexcept
      : most_(most), most_of_peer_(most_of_peer) {}

  /// kYes: it has been counted, and leave() must follow. Else nothing has changed.
  Room enter(const SocketAddress& peer);
  void leave(const SocketAddress& peer) noexcept;
  std::size_t all() const noexcept { return all_.load(std::memory_order_acquire); }

 private:
  const std::size_t most_;
  const std::size_t most_of_peer_;
  std::atomic<std::size_t> all_{0};
  std::mutex mutex_;
  std::map<std::uint64_t, std::size_t> of_peer_;  // no hashes: peers choose their addresses
};

}  // namespace settee::inline v0::net
