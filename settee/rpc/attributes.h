// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Attributes: names and values, in the order of the names, used as a std::map of strings is. Copies
// share what they hold until one of them is changed, so that lists of ten thousand providers can be
// handed on.
//
//   Attributes attributes{{"weight", "50"}};
//   attributes["appName"] = "shop";
//   for (const auto& [name, value] : attributes) ...
//
// Threads: a plain value; copies of it are apart, whatever they share.

#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "settee/base/export.h"

namespace settee::inline v0::rpc {

class SETTEE_API Attributes {
 public:
  using value_type = std::pair<std::string, std::string>;
  using const_iterator = const value_type*;

  Attributes() noexcept = default;
  /// Of a name that is there twice the first counts.
  Attributes(std::initializer_list<value_type> all);
  Attributes(const Attributes& other) noexcept;
  Attributes(Attributes&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  Attributes& operator=(const Attributes& other) noexcept;
  Attributes& operator=(Attributes&& other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~Attributes() { release(); }

  const_iterator begin() const noexcept;
  const_iterator end() const noexcept;
  std::size_t size() const noexcept { return static_cast<std::size_t>(end() - begin()); }
  bool empty() const noexcept { return begin() == end(); }
  const_iterator find(std::string_view name) const noexcept;
  bool contains(std::string_view name) const noexcept { return find(name) != end(); }

  void reserve(std::size_t size);
  /// Made empty if there is none. Valid until the next change or copy.
  std::string& operator[](std::string_view name);
  void insert_or_assign(std::string_view name, std::string value) {
    (*this)[name] = std::move(value);
  }
  /// False, and nothing is done, if there is one of that name.
  bool try_emplace(std::string_view name, std::string value);
  /// How many there were: 0 or 1.
  std::size_t erase(std::string_view name);

  SETTEE_API friend bool operator==(const Attributes& a, const Attributes& b) noexcept;

 private:
  struct Shared;
  Shared& own();
  void release() noexcept;
  Shared* shared_ = nullptr;
};

}  // namespace settee::inline v0::rpc
