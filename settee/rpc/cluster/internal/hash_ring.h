// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// HashRing: consistent hash as SOFARPC has it (ConsistentHashLoadBalancer of sofa-rpc-all 5.13), so
// that callers in Java and here send the same key to the same provider.
//
// A provider has points on a ring of 2^32: for i = 0, 1, ... the four little-endian words of
// MD5(host + port + i, as text without anything between). A key goes to the first provider at or
// behind the first word of its own MD5. Where two providers have the same point, it is the later
// one's in the list.
//
// Threads: constant.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "settee/rpc/cluster/internal/balancer.h"

namespace settee::inline v0::rpc::cluster {

class HashRing {
 public:
  /// Of more, all providers' are thinned out alike, and choices are no longer Java's. That is
  /// 32,768 providers, or with weightConsistentHash 1,310 of weight 100.
  static constexpr std::size_t kMaxPoints = std::size_t{1} << 22;

  /// Whether libcrypto has MD5, which it may have been told not to have.
  static bool available() noexcept;

  /// With `by_weight` 32 points for each unit of weight (as that is now), else 128. If nobody
  /// weighs anything, all have 128.
  HashRing(const Members& members, bool by_weight);

  /// The index in members of whom the key goes to, which must not be empty; or of the one that is
  /// `skip` providers further.
  std::size_t find(std::string_view key, std::uint32_t skip) const noexcept;

 private:
  void add(const Provider& provider, std::size_t index, std::uint64_t digests);

  std::size_t members_;
  // Point in the high half, index of the member in the low one; in order.
  std::vector<std::uint64_t> ring_;
  // Where points with these first bits begin, which makes a search of two steps instead of twenty.
  std::vector<std::uint32_t> begins_;
  unsigned shift_ = 32;
};

}  // namespace settee::inline v0::rpc::cluster
