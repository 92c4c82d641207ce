// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a stream needs comes from the pools that coroutine frames have: with many streams at once
// malloc's own cache of seven pieces of a size is soon empty.

#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

#include "settee/base/detail/promise.h"

namespace settee::inline v0::http {

/// For std::allocate_shared.
template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() noexcept = default;
  template <class Other>
  PoolAllocator(const PoolAllocator<Other>&) noexcept {}  // NOLINT: allocators convert
  T* allocate(std::size_t n) {
    return static_cast<T*>(settee::detail::frame_allocate(n * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t n) noexcept {
    settee::detail::frame_free(memory, n * sizeof(T));
  }
  friend bool operator==(const PoolAllocator&, const PoolAllocator&) noexcept { return true; }
};

/// nghttp2's allocator. Its free() is told no size, so that stands in front of each piece.
struct Http2Memory {
  static nghttp2_mem* functions() noexcept {
    static constinit nghttp2_mem functions{nullptr, take, give, zeroed, moved};
    return &functions;
  }

 private:
  static constexpr std::size_t kHead = alignof(std::max_align_t);

  static void* take(std::size_t size, void*) noexcept {
    try {
      auto* const memory = static_cast<std::byte*>(settee::detail::frame_allocate(kHead + size));
      std::memcpy(memory, &size, sizeof size);
      return memory + kHead;
    } catch (const std::bad_alloc&) {
      return nullptr;  // as malloc says it
    }
  }
  static std::size_t size_of(void* piece) noexcept {
    std::size_t size = 0;
    std::memcpy(&size, static_cast<std::byte*>(piece) - kHead, sizeof size);
    return size;
  }
  static void give(void* piece, void*) noexcept {
    if (piece == nullptr) return;
    settee::detail::frame_free(static_cast<std::byte*>(piece) - kHead, kHead + size_of(piece));
  }
  static void* zeroed(std::size_t count, std::size_t size, void*) noexcept {
    if (size != 0 && count > PTRDIFF_MAX / size) return nullptr;
    void* const piece = take(count * size, nullptr);
    if (piece != nullptr) std::memset(piece, 0, count * size);
    return piece;
  }
  static void* moved(void* piece, std::size_t size, void*) noexcept {
    void* const larger = take(size, nullptr);
    if (larger == nullptr || piece == nullptr) return larger;
    std::memcpy(larger, piece, std::min(size, size_of(piece)));
    give(piece, nullptr);
    return larger;
  }
};

}  // namespace settee::inline v0::http
