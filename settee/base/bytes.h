// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes: an immutable run of bytes that is shared, not copied. Buffer: a growing chain of blocks,
// made to be written at its end, gathered by one writev and sliced into Bytes without a copy.
//
//   Buffer out;
//   out.append("head");
//   std::uint8_t* room = out.prepare(4);       // four bytes in one piece, to be filled in place
//   out.commit(4);
//   Bytes tail = out.slice(2, 6);              // shares the blocks
//
// Threads: a Bytes may be copied and read from any thread; a Buffer belongs to one thread at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/base/export.h"

struct iovec;

namespace settee::inline v0 {

namespace detail {

/// Storage of Bytes and Buffer: a count of owners, then the data.
struct Block;
SETTEE_API Block* block_new(std::size_t capacity);  ///< One owner; throws std::bad_alloc.
SETTEE_API void block_retain(Block* block) noexcept;
SETTEE_API void block_release(Block* block) noexcept;
SETTEE_API std::uint8_t* block_data(Block* block) noexcept;
SETTEE_API std::size_t block_capacity(const Block* block) noexcept;

}  // namespace detail

class Bytes {
 public:
  Bytes() noexcept = default;
  /// Copies.
  explicit Bytes(std::span<const std::uint8_t> data) : Bytes(data.data(), data.size()) {}
  explicit Bytes(std::string_view text) : Bytes(text.data(), text.size()) {}
  SETTEE_API Bytes(const void* data, std::size_t size);

  Bytes(const Bytes& other) noexcept
      : block_(other.block_), data_(other.data_), size_(other.size_) {
    if (block_ != nullptr) detail::block_retain(block_);
  }
  Bytes(Bytes&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Bytes() {
    if (block_ != nullptr) detail::block_release(block_);
  }

  const std::uint8_t* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const std::uint8_t* begin() const noexcept { return data_; }
  const std::uint8_t* end() const noexcept { return data_ + size_; }
  std::uint8_t operator[](std::size_t i) const noexcept { return data_[i]; }

  std::span<const std::uint8_t> span() const noexcept { return {data_, size_}; }
  std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(data_), size_};
  }
  /// A part of these bytes, sharing their storage. The range is cut to what is there.
  SETTEE_API Bytes slice(std::size_t offset, std::size_t size) const noexcept;

  friend bool operator==(const Bytes& a, const Bytes& b) noexcept { return a.view() == b.view(); }
  friend auto operator<=>(const Bytes& a, const Bytes& b) noexcept { return a.view() <=> b.view(); }

  /// Takes over one ownership of `block`. For Buffer and codecs.
  static Bytes adopt(detail::Block* block, const std::uint8_t* data, std::size_t size) noexcept {
    Bytes bytes;
    bytes.block_ = block;
    bytes.data_ = data;
    bytes.size_ = size;
    return bytes;
  }
  detail::Block* block() const noexcept { return block_; }

 private:
  detail::Block* block_ = nullptr;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

class Buffer {
 public:
  Buffer() noexcept = default;
  SETTEE_API Buffer(Buffer&& other) noexcept;
  SETTEE_API Buffer& operator=(Buffer&& other) noexcept;
  SETTEE_API ~Buffer();

  std::size_t size() const noexcept { return committed_ + static_cast<std::size_t>(cursor_ - mark_); }
  bool empty() const noexcept { return size() == 0; }

  /// Room for `n` more bytes in one piece. The pointer stays good until those bytes are consumed,
  /// so a length may be filled in later.
  std::uint8_t* prepare(std::size_t n) {
    if (static_cast<std::size_t>(limit_ - cursor_) < n) [[unlikely]] grow(n);
    return cursor_;
  }
  /// Makes the first `n` bytes of the prepared room part of the content.
  void commit(std::size_t n) noexcept { cursor_ += n; }

  void append(const void* data, std::size_t n) {
    if (static_cast<std::size_t>(limit_ - cursor_) >= n) [[likely]] {
      if (n != 0) std::memcpy(cursor_, data, n);
      cursor_ += n;
    } else {
      append_slow(data, n);
    }
  }
  void append(std::string_view text) { append(text.data(), text.size()); }
  void append_byte(std::uint8_t byte) {
    *prepare(1) = byte;
    commit(1);
  }
  /// Adds shared bytes without a copy (small ones are copied, which is cheaper).
  SETTEE_API void append(Bytes bytes);
  /// Moves the content of `other` to the end of this.
  SETTEE_API void append(Buffer&& other);

  /// Drops `n` bytes from the front.
  SETTEE_API void consume(std::size_t n) noexcept;
  SETTEE_API void clear() noexcept;
  /// Drops everything behind the first `n` bytes: what a failed encoding has begun.
  SETTEE_API void truncate(std::size_t n) noexcept;

  /// Fills at most `max` iovecs from the front; returns how many.
  SETTEE_API int gather(struct iovec* out, int max) const noexcept;
  /// Copies at most `n` bytes from `offset` to `out`; returns how many.
  SETTEE_API std::size_t copy_out(std::size_t offset, void* out, std::size_t n) const noexcept;
  /// A part of the content; shares storage when it lies in one block, else copies.
  SETTEE_API Bytes slice(std::size_t offset, std::size_t size) const;
  SETTEE_API Bytes bytes() const { return slice(0, size()); }
  SETTEE_API std::string to_string() const;

 private:
  struct Segment {
    detail::Block* block;
    const std::uint8_t* data;
    std::size_t size;
  };

  SETTEE_API void grow(std::size_t n);
  SETTEE_API void append_slow(const void* data, std::size_t n);
  void seal() noexcept;  // writes the open end's size into its segment

  std::vector<Segment> segments_;  // those before head_ are already consumed
  std::size_t head_ = 0;
  std::size_t committed_ = 0;  // bytes in segments, without those between mark_ and cursor_
  std::uint8_t* mark_ = nullptr;    // what the last segment's size already counts
  std::uint8_t* cursor_ = nullptr;  // the end of the content
  std::uint8_t* limit_ = nullptr;   // the end of the open block
};

}  // namespace settee::inline v0
