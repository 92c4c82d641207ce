// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes being written in one piece, so that a length can be put in front of what is there already;
// take() makes Bytes of them without a copy.
//
// Threads: belongs to one thread at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "settee/base/bytes.h"

namespace settee::inline v0::rpc::grpc {

class SETTEE_API Output {
 public:
  Output() noexcept = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();

  std::size_t size() const noexcept { return size_; }
  const std::uint8_t* data() const noexcept { return data_; }
  std::uint8_t* data() noexcept { return data_; }
  std::span<const std::uint8_t> span() const noexcept { return {data_, size_}; }

  /// Room for `n` bytes more; good until the next call.
  std::uint8_t* prepare(std::size_t n) {
    if (capacity_ - size_ < n) [[unlikely]]
      grow(n);
    return data_ + size_;
  }
  void commit(std::size_t n) noexcept { size_ += n; }
  void append(const void* data, std::size_t n) {
    std::uint8_t* room = prepare(n);
    if (n != 0) std::memcpy(room, data, n);
    size_ += n;
  }
  void append(std::string_view text) { append(text.data(), text.size()); }
  /// Moves what begins at `at` back by `n` bytes, whose content is then open.
  void insert(std::size_t at, std::size_t n);
  void truncate(std::size_t n) noexcept { size_ = n; }
  /// All of it; nothing is left.
  Bytes take() noexcept;

 private:
  void grow(std::size_t n);

  settee::detail::Block* block_ = nullptr;
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace settee::inline v0::rpc::grpc
