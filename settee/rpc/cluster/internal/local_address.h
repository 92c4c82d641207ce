// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// LocalAddresses: which endpoints are on this host.
//
// Threads: constant.

#pragma once

#include <array>
#include <string>
#include <vector>

#include "settee/net/endpoint.h"

namespace settee::inline v0::rpc::cluster {

class LocalAddresses {
 public:
  /// Those that the interfaces have now.
  LocalAddresses();

  /// An address of an interface or a loopback one, "localhost", or a socket in the file system. No
  /// other names: looking them up takes time.
  bool contains(const net::Endpoint& endpoint) const;

 private:
  using Address = std::array<unsigned char, 16>;  // IPv4 ones mapped into IPv6
  std::vector<Address> own_;                      // sorted
};

}  // namespace settee::inline v0::rpc::cluster
