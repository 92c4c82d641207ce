// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/output.h"

#include <algorithm>
#include <utility>

namespace settee::inline v0::rpc::grpc {

Output::~Output() {
  if (block_ != nullptr) settee::detail::block_release(block_);
}

void Output::grow(std::size_t n) {
  constexpr std::size_t kFirst = 240;  // a small message and its frame
  settee::detail::Block* block =
      settee::detail::block_new(std::max({kFirst, 2 * capacity_, size_ + n}));
  std::uint8_t* data = settee::detail::block_data(block);
  if (size_ != 0) std::memcpy(data, data_, size_);
  if (block_ != nullptr) settee::detail::block_release(block_);
  block_ = block;
  data_ = data;
  capacity_ = settee::detail::block_capacity(block);
}

void Output::insert(std::size_t at, std::size_t n) {
  prepare(n);
  std::memmove(data_ + at + n, data_ + at, size_ - at);
  size_ += n;
}

Bytes Output::take() noexcept {
  if (block_ == nullptr) return {};
  capacity_ = 0;
  return Bytes::adopt(std::exchange(block_, nullptr), std::exchange(data_, nullptr),
                      std::exchange(size_, 0));
}

}  // namespace settee::inline v0::rpc::grpc
