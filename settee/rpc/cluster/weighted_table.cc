// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/weighted_table.h"

#include <algorithm>

namespace settee::inline v0::rpc::cluster {
namespace {

std::vector<const Member*> pointers(const Members& members) {
  std::vector<const Member*> all;
  all.reserve(members.size());
  for (const std::shared_ptr<Member>& member : members) all.push_back(member.get());
  return all;
}

}  // namespace

WeightedTable::WeightedTable(const Members& members)
    : members_(pointers(members)),
      watch_(members),
      slots_(std::make_unique<std::atomic<std::uint64_t>[]>(members.size())),
      shares_(members.size()),
      stacks_(members.size()) {
  if (!empty()) has_weight();
}

void WeightedTable::compute() noexcept {
  const std::size_t size = members_.size();
  const auto put = [this](std::size_t column, std::uint64_t own, std::size_t other) {
    slots_[column].store(own << 32 | other, std::memory_order_relaxed);
  };
  std::uint64_t total = 0;
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < size; ++i) {
    shares_[i] = static_cast<std::uint64_t>(members_[i]->weight());
    total += shares_[i];
    highest = std::max(highest, shares_[i]);
  }
  has_weight_.store(total > 0, std::memory_order_relaxed);
  if (total == highest * size) {  // all alike
    for (std::size_t i = 0; i < size; ++i) put(i, 0, i);
    return;
  }
  // In units of 1/size of a weight, a column holds `total`. All is in whole numbers, so that
  // nothing is left over in the end, and who weighs 0 has a share of exactly 0.
  std::size_t poor = 0;     // stacks_[0, poor): they do not fill their column
  std::size_t rich = size;  // stacks_[rich, size)
  for (std::size_t i = 0; i < size; ++i) {
    shares_[i] *= size;
    stacks_[shares_[i] < total ? poor++ : --rich] = static_cast<std::uint32_t>(i);
  }
  const double scale = 4294967296.0 / static_cast<double>(total);
  while (poor > 0 && rich < size) {
    const std::uint32_t taker = stacks_[--poor];
    const std::uint32_t giver = stacks_[rich];
    const double own = static_cast<double>(shares_[taker]) * scale;
    put(taker, static_cast<std::uint64_t>(std::min(own, 4294967295.0)), giver);
    shares_[giver] -= total - shares_[taker];
    if (shares_[giver] < total) {
      ++rich;
      stacks_[poor++] = giver;
    }
  }
  while (poor > 0) {
    --poor;
    put(stacks_[poor], 0, stacks_[poor]);
  }
  for (; rich < size; ++rich) put(stacks_[rich], 0, stacks_[rich]);
}

}  // namespace settee::inline v0::rpc::cluster
