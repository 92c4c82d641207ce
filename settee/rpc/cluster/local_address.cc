// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/local_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

namespace settee::inline v0::rpc::cluster {
namespace {

using Address = std::array<unsigned char, 16>;

constexpr Address kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr Address kLoopback6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::size_t kMappedSize = 12;

Address mapped(const in_addr& v4) {
  Address address = kMappedPrefix;
  std::memcpy(address.data() + kMappedSize, &v4, sizeof v4);
  return address;
}

Address copied(const in6_addr& v6) {
  Address address;
  std::memcpy(address.data(), &v6, sizeof v6);
  return address;
}

std::optional<Address> numeric(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return mapped(v4);
  in6_addr v6{};
  // Behind the '%' stands the interface, which does not change whose address it is.
  if (inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &v6) == 1) return copied(v6);
  return std::nullopt;
}

bool is_loopback(const Address& address) {
  if (address == kLoopback6) return true;
  return std::equal(address.begin(), address.begin() + kMappedSize, kMappedPrefix.begin()) &&
         address[kMappedSize] == 127;
}

}  // namespace

LocalAddresses::LocalAddresses() {
  ifaddrs* found = nullptr;
  // Without a list there are still the loopback addresses.
  if (getifaddrs(&found) != 0) return;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> keep(found, freeifaddrs);
  for (const ifaddrs* item = found; item != nullptr; item = item->ifa_next) {
    if (item->ifa_addr == nullptr) continue;
    if (item->ifa_addr->sa_family == AF_INET) {
      own_.push_back(mapped(reinterpret_cast<const sockaddr_in*>(item->ifa_addr)->sin_addr));
    } else if (item->ifa_addr->sa_family == AF_INET6) {
      own_.push_back(copied(reinterpret_cast<const sockaddr_in6*>(item->ifa_addr)->sin6_addr));
    }
  }
  std::sort(own_.begin(), own_.end());
}

bool LocalAddresses::contains(const net::Endpoint& endpoint) const {
  if (endpoint.unix_path || endpoint.host == "localhost") return true;
  const std::optional<Address> address = numeric(endpoint.host);
  return address &&
         (is_loopback(*address) || std::binary_search(own_.begin(), own_.end(), *address));
}

}  // namespace settee::inline v0::rpc::cluster
