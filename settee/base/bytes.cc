// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/bytes.h"

#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "settee/base/internal/pool.h"

namespace settee::inline v0 {

namespace detail {

struct Block {
  std::atomic<std::uint32_t> owners;
  std::size_t capacity;
};

Block* block_new(std::size_t capacity) {
  void* memory = pool_allocate(sizeof(Block) + capacity);
  return new (memory) Block{{1}, capacity};
}

void block_retain(Block* block) noexcept {
  block->owners.fetch_add(1, std::memory_order_relaxed);
}

void block_release(Block* block) noexcept {
  // A single owner needs no locked instruction: nobody else can add one.
  if (block->owners.load(std::memory_order_acquire) != 1 &&
      block->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  const std::size_t size = sizeof(Block) + block->capacity;
  block->~Block();
  pool_free(block, size);
}

static bool block_shared(const Block* block) noexcept {
  return block->owners.load(std::memory_order_acquire) != 1;
}

std::uint8_t* block_data(Block* block) noexcept {
  return reinterpret_cast<std::uint8_t*>(block + 1);
}

std::size_t block_capacity(const Block* block) noexcept { return block->capacity; }

}  // namespace detail

using detail::block_capacity;
using detail::block_data;
using detail::block_new;
using detail::block_release;
using detail::block_retain;
using detail::block_shared;

namespace {

// A block and its head fill one of the pool's largest class.
constexpr std::size_t kBlockSize = detail::kLargestPooled - sizeof(detail::Block);
constexpr std::size_t kFirstBlockSize = 2048 - sizeof(detail::Block);
constexpr std::size_t kShareFrom = 2048;  // below this a copy costs less than a segment

}  // namespace

Bytes::Bytes(const void* data, std::size_t size) {
  if (size == 0) return;
  block_ = block_new(size);
  std::memcpy(block_data(block_), data, size);
  data_ = block_data(block_);
  size_ = size;
}

Bytes Bytes::slice(std::size_t offset, std::size_t size) const noexcept {
  offset = std::min(offset, size_);
  size = std::min(size, size_ - offset);
  if (size == 0) return {};
  block_retain(block_);
  return adopt(block_, data_ + offset, size);
}

Buffer::Buffer(Buffer&& other) noexcept
    : segments_(std::move(other.segments_)),
      head_(std::exchange(other.head_, 0)),
      committed_(std::exchange(other.committed_, 0)),
      mark_(std::exchange(other.mark_, nullptr)),
      cursor_(std::exchange(other.cursor_, nullptr)),
      limit_(std::exchange(other.limit_, nullptr)) {
  other.segments_.clear();
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    clear();
    segments_.swap(other.segments_);
    std::swap(head_, other.head_);
    std::swap(committed_, other.committed_);
    std::swap(mark_, other.mark_);
    std::swap(cursor_, other.cursor_);
    std::swap(limit_, other.limit_);
  }
  return *this;
}

Buffer::~Buffer() { clear(); }

void Buffer::seal() noexcept {
  if (cursor_ == mark_) return;
  const auto written = static_cast<std::size_t>(cursor_ - mark_);
  segments_.back().size += written;
  committed_ += written;
  mark_ = cursor_;
}

void Buffer::grow(std::size_t n) {
  seal();
  // An empty buffer begins small, so that an answer on an idle connection stays small.
  const std::size_t capacity =
      std::max(n, segments_.empty() && n <= kFirstBlockSize ? kFirstBlockSize : kBlockSize);
  detail::Block* block = block_new(capacity);
  std::uint8_t* data = block_data(block);
  if (!segments_.empty() && segments_.back().size == 0) {
    block_release(segments_.back().block);
    segments_.back() = {block, data, 0};
  } else {
    segments_.push_back({block, data, 0});
  }
  mark_ = cursor_ = data;
  limit_ = data + capacity;
}

void Buffer::append_slow(const void* data, std::size_t n) {
  const auto* from = static_cast<const std::uint8_t*>(data);
  while (n > 0) {
    if (cursor_ == limit_) grow(std::min(n, kBlockSize));
    const std::size_t part = std::min(n, static_cast<std::size_t>(limit_ - cursor_));
    std::memcpy(cursor_, from, part);
    cursor_ += part;
    from += part;
    n -= part;
  }
}

void Buffer::append(Bytes bytes) {
  if (bytes.size() < kShareFrom) {
    append(bytes.data(), bytes.size());
    return;
  }
  seal();
  block_retain(bytes.block());
  segments_.push_back({bytes.block(), bytes.data(), bytes.size()});
  committed_ += bytes.size();
  mark_ = cursor_ = limit_ = nullptr;
}

void Buffer::append(Buffer&& other) {
  other.seal();
  if (other.committed_ < kShareFrom) {
    for (std::size_t i = other.head_; i < other.segments_.size(); ++i) {
      append(other.segments_[i].data, other.segments_[i].size);
    }
    other.clear();
    return;
  }
  seal();
  segments_.insert(segments_.end(), other.segments_.begin() + static_cast<std::ptrdiff_t>(other.head_),
                   other.segments_.end());
  committed_ += other.committed_;
  mark_ = other.mark_;
  cursor_ = other.cursor_;
  limit_ = other.limit_;
  other.segments_.clear();
  other.head_ = other.committed_ = 0;
  other.mark_ = other.cursor_ = other.limit_ = nullptr;
}

void Buffer::consume(std::size_t n) noexcept {
  if (n == 0) return;  // room may have been prepared
  seal();
  if (n >= committed_) {
    clear();
    return;
  }
  committed_ -= n;
  while (n > 0) {
    Segment& front = segments_[head_];
    if (front.size > n) {
      front.data += n;
      front.size -= n;
      break;
    }
    n -= front.size;
    block_release(front.block);
    ++head_;
  }
  if (head_ > 32 && head_ * 2 > segments_.size()) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void Buffer::clear() noexcept {
  for (std::size_t i = head_; i < segments_.size(); ++i) block_release(segments_[i].block);
  segments_.clear();
  head_ = committed_ = 0;
  mark_ = cursor_ = limit_ = nullptr;
}

void Buffer::truncate(std::size_t n) noexcept {
  seal();
  if (n >= committed_) return;
  if (n == 0) {
    clear();
    return;
  }
  std::size_t excess = committed_ - n;
  committed_ = n;
  bool open = cursor_ != nullptr;
  while (excess > 0) {
    Segment& last = segments_.back();
    if (last.size > excess) {
      last.size -= excess;
      if (!open) return;
      if (block_shared(last.block)) {
        mark_ = cursor_ = limit_ = nullptr;  // a slice may show what would be written over
      } else {
        mark_ = cursor_ = cursor_ - excess;
      }
      return;
    }
    excess -= last.size;
    block_release(last.block);
    segments_.pop_back();
    if (open) mark_ = cursor_ = limit_ = nullptr;
    open = false;
  }
}

int Buffer::gather(struct iovec* out, int max) const noexcept {
  const auto open = static_cast<std::size_t>(cursor_ - mark_);
  int count = 0;
  for (std::size_t i = head_; i < segments_.size() && count < max; ++i) {
    std::size_t size = segments_[i].size;
    if (i + 1 == segments_.size()) size += open;
    if (size == 0) continue;
    out[count++] = {const_cast<std::uint8_t*>(segments_[i].data), size};
  }
  return count;
}

std::size_t Buffer::copy_out(std::size_t offset, void* out, std::size_t n) const noexcept {
  const auto open = static_cast<std::size_t>(cursor_ - mark_);
  auto* to = static_cast<std::uint8_t*>(out);
  std::size_t copied = 0;
  for (std::size_t i = head_; i < segments_.size() && copied < n; ++i) {
    std::size_t size = segments_[i].size;
    if (i + 1 == segments_.size()) size += open;
    if (offset >= size) {
      offset -= size;
      continue;
    }
    const std::size_t part = std::min(size - offset, n - copied);
    std::memcpy(to + copied, segments_[i].data + offset, part);
    copied += part;
    offset = 0;
  }
  return copied;
}

Bytes Buffer::slice(std::size_t offset, std::size_t size) const {
  const std::size_t whole = this->size();
  offset = std::min(offset, whole);
  size = std::min(size, whole - offset);
  if (size == 0) return {};
  const auto open = static_cast<std::size_t>(cursor_ - mark_);
  std::size_t skip = offset;
  for (std::size_t i = head_; i < segments_.size(); ++i) {
    std::size_t have = segments_[i].size;
    if (i + 1 == segments_.size()) have += open;
    if (skip >= have) {
      skip -= have;
      continue;
    }
    if (have - skip < size) break;
    block_retain(segments_[i].block);
    return Bytes::adopt(segments_[i].block, segments_[i].data + skip, size);
  }
  detail::Block* block = block_new(size);
  copy_out(offset, block_data(block), size);
  return Bytes::adopt(block, block_data(block), size);
}

std::string Buffer::to_string() const {
  std::string text(size(), '\0');
  copy_out(0, text.data(), text.size());
  return text;
}

}  // namespace settee::inline v0
