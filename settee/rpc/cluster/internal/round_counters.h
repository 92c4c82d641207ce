// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// RoundCounters: how often each method of a reference was called, for the round robins. Lives
// longer than the balancers, so that a change of addresses does not begin the rounds anew.
//
// Threads: any; next() takes no lock.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "settee/base/export.h"

namespace settee::inline v0::rpc::cluster {

class SETTEE_API RoundCounters {
 public:
  /// So many methods have a counter of their own; more (names that a generic caller makes up) share
  /// one.
  static constexpr std::size_t kMaxMethods = 1024;

  RoundCounters() = default;
  ~RoundCounters();
  RoundCounters(const RoundCounters&) = delete;
  RoundCounters& operator=(const RoundCounters&) = delete;

  /// 0, 1, 2, ... for each method.
  std::uint64_t next(std::string_view method) noexcept;

 private:
  // Nodes are only ever added, at the head, so walking needs no protection.
  struct Node {
    Node(std::size_t h, std::string_view m, Node* n) : hash(h), method(m), next(n) {}
    const std::size_t hash;
    const std::string method;
    Node* next;
    alignas(64) std::atomic<std::uint64_t> count{0};
  };
  static constexpr std::size_t kBuckets = 256;

  std::atomic<std::uint64_t>& counter(std::string_view method) noexcept;

  std::array<std::atomic<Node*>, kBuckets> heads_{};
  std::atomic<std::size_t> size_{0};
  alignas(64) std::atomic<std::uint64_t> others_{0};
};

SETTEE_API std::shared_ptr<RoundCounters> make_round_counters();

}  // namespace settee::inline v0::rpc::cluster
