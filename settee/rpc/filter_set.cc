// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/filter_set.h"

#include <fmt/format.h>

#include <algorithm>

namespace settee::inline v0::rpc {

Task<void> failed(Error error) { co_await fail(std::move(error)); }

Task<void> fail_second_next(const Call& call) {
  return failed(Error(Code::kMisuse, fmt::format("{}#{}: a filter has called next() twice",
                                                 call.service(), call.method())));
}

Error no_answer(const Call& call) {
  return Error(Code::kMisuse,
               fmt::format("{}#{}: a filter has ended the call without an answer: it "
                           "has neither let it pass nor failed it",
                           call.service(), call.method()));
}

void FilterSet::add(FilterUse use) {
  if (!use.filter) {
    throw Error(Code::kInvalidArgument, fmt::format("add_filter('{}'): it is null", use.name));
  }
  const std::lock_guard lock(mutex_);
  const auto same = [&](const FilterUse& other) { return other.name == use.name; };
  if (!use.name.empty() && std::any_of(all_.begin(), all_.end(), same)) {
    throw Error(Code::kInvalidArgument,
                fmt::format("add_filter('{}'): there is one of that name", use.name));
  }
  all_.push_back(std::move(use));
  count_.store(all_.size(), std::memory_order_relaxed);
  version_.fetch_add(1, std::memory_order_release);
}

bool FilterSet::remove(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (name.empty()) return false;
  if (std::erase_if(all_, [&](const FilterUse& use) { return use.name == name; }) == 0) {
    return false;
  }
  count_.store(all_.size(), std::memory_order_relaxed);
  version_.fetch_add(1, std::memory_order_release);
  return true;
}

FilterChain FilterSet::chain(std::span<const FilterUse> own, std::span<const std::string> without,
                             std::string_view method) const {
  const auto left_out = [&](const FilterUse& use) {
    return std::any_of(without.begin(), without.end(), [&](const std::string& name) {
      return name == "*" || (!name.empty() && name == use.name);
    });
  };
  const auto fits = [&](const FilterUse& use) {
    return use.methods.empty() ||
           std::find(use.methods.begin(), use.methods.end(), method) != use.methods.end();
  };
  std::vector<FilterUse> used;
  {
    const std::lock_guard lock(mutex_);
    for (const FilterUse& use : all_) {
      if (fits(use) && !left_out(use)) used.push_back(use);
    }
  }
  for (const FilterUse& use : own) {
    if (fits(use)) used.push_back(use);
  }
  if (used.empty()) return nullptr;
  std::stable_sort(used.begin(), used.end(),
                   [](const FilterUse& a, const FilterUse& b) { return a.order < b.order; });
  auto chain = std::make_shared<Next::Chain>();
  for (FilterUse& use : used) chain->push_back(std::move(use.filter));
  return chain;
}

}  // namespace settee::inline v0::rpc
