// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Table: a growing array of plain values whose first N need neither heap nor initialisation. The
// reader and the writer keep what a stream numbers in these.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace settee::inline v0::hessian::detail {

template <class T, std::uint32_t N>
class Table {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_default_constructible_v<T>);

 public:
  Table() noexcept {}
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  std::uint32_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  T& back() noexcept { return data_[size_ - 1]; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }

  void push_back(T value) {
    if (size_ == capacity_) [[unlikely]]
      grow();
    data_[size_++] = value;
  }
  void append(const T* values, std::uint32_t n) { std::memcpy(extend(n), values, n * sizeof(T)); }
  /// Adds `n` values that the caller fills in.
  T* extend(std::uint32_t n) {
    while (capacity_ - size_ < n) [[unlikely]] grow();
    T* first = data_ + size_;
    size_ += n;
    return first;
  }
  /// Drops all behind the first `n`.
  void shrink(std::uint32_t n) noexcept { size_ = n; }

 private:
  __attribute__((noinline)) void grow() {
    if (data_ == inline_) heap_.assign(inline_, inline_ + N);
    heap_.resize(std::size_t{capacity_} * 2);
    data_ = heap_.data();
    capacity_ *= 2;
  }

  T* data_ = inline_;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = N;
  std::vector<T> heap_;
  T inline_[N];
};

}  // namespace settee::inline v0::hessian::detail
