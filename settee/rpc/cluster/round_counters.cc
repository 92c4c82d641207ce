// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/round_counters.h"

#include <functional>
#include <new>

namespace settee::inline v0::rpc::cluster {

RoundCounters::~RoundCounters() {
  for (std::atomic<Node*>& head : heads_) {
    for (Node* node = head.load(std::memory_order_relaxed); node != nullptr;) {
      const std::unique_ptr<Node> gone(node);
      node = gone->next;
    }
  }
}

std::uint64_t RoundCounters::next(std::string_view method) noexcept {
  return counter(method).fetch_add(1, std::memory_order_relaxed);
}

std::atomic<std::uint64_t>& RoundCounters::counter(std::string_view method) noexcept {
  const std::size_t hash = std::hash<std::string_view>()(method);
  std::atomic<Node*>& head = heads_[hash % kBuckets];
  const auto find = [&](Node* from, const Node* until) -> Node* {
    for (; from != until; from = from->next) {
      if (from->hash == hash && from->method == method) return from;
    }
    return nullptr;
  };
  Node* first = head.load(std::memory_order_acquire);
  if (Node* node = find(first, nullptr)) return node->count;
  if (size_.load(std::memory_order_relaxed) >= kMaxMethods) return others_;
  try {
    auto made = std::make_unique<Node>(hash, method, first);
    for (;;) {
      if (head.compare_exchange_weak(made->next, made.get(), std::memory_order_acq_rel)) {
        size_.fetch_add(1, std::memory_order_relaxed);
        return made.release()->count;
      }
      // Somebody was quicker, perhaps with this method.
      if (Node* node = find(made->next, first)) return node->count;
      first = made->next;
    }
  } catch (const std::bad_alloc&) {
    return others_;
  }
}

std::shared_ptr<RoundCounters> make_round_counters() { return std::make_shared<RoundCounters>(); }

}  // namespace settee::inline v0::rpc::cluster
