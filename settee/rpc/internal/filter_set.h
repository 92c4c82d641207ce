// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// FilterSet: the filters of a server or a client, of which each method has its own chain.
//
// Threads: any.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/rpc/call.h"

namespace settee::inline v0::rpc {

using FilterChain = std::shared_ptr<const Next::Chain>;  // null: no filter

/// A call that has failed before it began.
Task<void> failed(Error error);
/// Where filters end that have called next() once more than they may.
Task<void> fail_second_next(const Call& call);
/// Of a call that its filters have ended though it has neither passed them all nor failed.
Error no_answer(const Call& call);

class FilterSet {
 public:
  /// An Error (kInvalidArgument) for a null filter or a name that is taken.
  void add(FilterUse use);
  /// False if there is none of that name. Calls on their way keep it.
  bool remove(std::string_view name);

  bool empty() const noexcept { return count_.load(std::memory_order_relaxed) == 0; }
  /// Grows with each change: chains made before it are old.
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

  /// Those of this set that are not named in `without` ("*": all), and `own`, for a method: in their
  /// order.
  FilterChain chain(std::span<const FilterUse> own, std::span<const std::string> without,
                    std::string_view method) const;

 private:
  mutable std::mutex mutex_;
  std::vector<FilterUse> all_;
  std::atomic<std::uint64_t> version_{1};
  std::atomic<std::size_t> count_{0};
};

}  // namespace settee::inline v0::rpc
