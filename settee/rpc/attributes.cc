// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/attributes.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

namespace settee::inline v0::rpc {

struct Attributes::Shared {
  std::atomic<std::uint32_t> uses{1};
  std::vector<value_type> all;  // sorted
};

namespace {

bool before(const Attributes::value_type& one, std::string_view name) { return one.first < name; }

}  // namespace

Attributes::Attributes(std::initializer_list<value_type> all) {
  reserve(all.size());
  for (const auto& [name, value] : all) try_emplace(name, value);
}

Attributes::Attributes(const Attributes& other) noexcept : shared_(other.shared_) {
  if (shared_ != nullptr) shared_->uses.fetch_add(1, std::memory_order_relaxed);
}

Attributes& Attributes::operator=(const Attributes& other) noexcept {
  if (shared_ == other.shared_) return *this;
  release();
  shared_ = other.shared_;
  if (shared_ != nullptr) shared_->uses.fetch_add(1, std::memory_order_relaxed);
  return *this;
}

void Attributes::release() noexcept {
  if (shared_ != nullptr && shared_->uses.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete shared_;
  }
}

// What may be changed, as nobody else sees it.
Attributes::Shared& Attributes::own() {
  if (shared_ == nullptr) {
    shared_ = new Shared;
  } else if (shared_->uses.load(std::memory_order_acquire) != 1) {
    auto* const mine = new Shared;
    mine->all = shared_->all;
    release();
    shared_ = mine;
  }
  return *shared_;
}

Attributes::const_iterator Attributes::begin() const noexcept {
  return shared_ == nullptr ? nullptr : shared_->all.data();
}

Attributes::const_iterator Attributes::end() const noexcept {
  return shared_ == nullptr ? nullptr : shared_->all.data() + shared_->all.size();
}

Attributes::const_iterator Attributes::find(std::string_view name) const noexcept {
  const const_iterator found = std::lower_bound(begin(), end(), name, before);
  return found != end() && found->first == name ? found : end();
}

void Attributes::reserve(std::size_t size) {
  if (size != 0) own().all.reserve(size);
}

std::string& Attributes::operator[](std::string_view name) {
  std::vector<value_type>& all = own().all;
  // Registries mostly have them in order.
  const auto at = all.empty() || all.back().first < name
                      ? all.end()
                      : std::lower_bound(all.begin(), all.end(), name, before);
  if (at != all.end() && at->first == name) return at->second;
  return all.emplace(at, name, std::string())->second;
}

bool Attributes::try_emplace(std::string_view name, std::string value) {
  if (contains(name)) return false;
  (*this)[name] = std::move(value);
  return true;
}

std::size_t Attributes::erase(std::string_view name) {
  if (!contains(name)) return 0;
  std::vector<value_type>& all = own().all;
  all.erase(std::lower_bound(all.begin(), all.end(), name, before));
  return 1;
}

bool operator==(const Attributes& a, const Attributes& b) noexcept {
  return a.shared_ == b.shared_ || std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace settee::inline v0::rpc
