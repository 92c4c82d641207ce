// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/connection_count.h"

#include <netinet/in.h>

#include <cstring>
#include <optional>

namespace settee::inline v0::net {

namespace {

// Of IPv4: as the network 0:ffff::/32, which nobody has, so that both fit into one map.
constexpr std::uint64_t kIpv4 = 0x0000'ffff'0000'0000;

std::optional<std::uint64_t> who(const SocketAddress& peer) {
  const auto of_ipv4 = [](const void* bytes) {
    std::uint32_t address = 0;
    std::memcpy(&address, bytes, sizeof address);
    return kIpv4 | address;
  };
  if (peer.family() == AF_INET) {
    return of_ipv4(&reinterpret_cast<const sockaddr_in*>(peer.get())->sin_addr);
  }
  if (peer.family() != AF_INET6) return std::nullopt;
  const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(peer.get())->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) return of_ipv4(&address.s6_addr[12]);
  std::uint64_t network = 0;
  std::memcpy(&network, address.s6_addr, sizeof network);
  return network;
}

}  // namespace

ConnectionCount::Room ConnectionCount::enter(const SocketAddress& peer) {
  if (all_.fetch_add(1, std::memory_order_relaxed) >= most_) {
    all_.fetch_sub(1, std::memory_order_release);
    return Room::kNoneAtAll;
  }
  if (most_of_peer_ == 0) return Room::kYes;
  const std::optional<std::uint64_t> key = who(peer);
  if (!key) return Room::kYes;
  const std::lock_guard lock(mutex_);
  std::size_t& count = of_peer_[*key];
  if (count >= most_of_peer_) {
    all_.fetch_sub(1, std::memory_order_release);
    return Room::kNoneForPeer;
  }
  ++count;
  return Room::kYes;
}

void ConnectionCount::leave(const SocketAddress& peer) noexcept {
  if (const auto key = most_of_peer_ == 0 ? std::nullopt : who(peer)) {
    const std::lock_guard lock(mutex_);
    const auto found = of_peer_.find(*key);
    if (found != of_peer_.end() && --found->second == 0) of_peer_.erase(found);
  }
  all_.fetch_sub(1, std::memory_order_release);
}

}  // namespace settee::inline v0::net
