// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/internal/pool.h"

#include <array>
#include <bit>
#include <cstdint>
#include <new>
#include <utility>

namespace settee::inline v0::detail {

#if defined(SETTEE_SANITIZE)

void* pool_allocate(std::size_t size) { return ::operator new(size); }
// clang declares no sized operator delete unless asked to.
void pool_free(void* memory, std::size_t) noexcept { ::operator delete(memory); }

#else

namespace {

struct Piece {
  Piece* next;
};

// Steps of 64 bytes to 1 KiB, then powers of two: coroutine frames are small, blocks large.
constexpr std::size_t kStep = 64;
constexpr std::size_t kSmall = 1024 / kStep;
constexpr std::size_t kClasses = kSmall + 4;
constexpr std::size_t kKeptBytes = 512 * 1024;  // per class and thread

constexpr std::size_t class_of(std::size_t size) noexcept {
  if (size <= 1024) return (size + kStep - 1) / kStep - 1;
  return kSmall + static_cast<std::size_t>(std::bit_width(size - 1)) - 11;
}

constexpr std::size_t size_of(std::size_t index) noexcept {
  if (index < kSmall) return (index + 1) * kStep;
  return std::size_t{2048} << (index - kSmall);
}

static_assert(class_of(1) == 0 && class_of(64) == 0 && class_of(65) == 1);
static_assert(class_of(1024) == kSmall - 1 && class_of(1025) == kSmall);
static_assert(class_of(kLargestPooled) == kClasses - 1 && size_of(kClasses - 1) == kLargestPooled);

struct Pool {
  std::array<Piece*, kClasses> free{};
  std::array<std::uint32_t, kClasses> count{};
  bool closed = false;

  ~Pool() {
    closed = true;  // pieces freed by later thread_local destructors go to the allocator
    for (Piece*& list : free) {
      while (list != nullptr) ::operator delete(std::exchange(list, list->next));
    }
  }
};

thread_local Pool pool;

}  // namespace

void* pool_allocate(std::size_t size) {
  if (size > kLargestPooled) return ::operator new(size);
  const std::size_t index = class_of(size);
  Pool& here = pool;
  if (Piece* piece = here.free[index]; piece != nullptr) [[likely]] {
    here.free[index] = piece->next;
    --here.count[index];
    return piece;
  }
  return ::operator new(size_of(index));
}

void pool_free(void* memory, std::size_t size) noexcept {
  if (size > kLargestPooled) {
    ::operator delete(memory);
    return;
  }
  const std::size_t index = class_of(size);
  Pool& here = pool;
  if (here.closed || here.count[index] * size_of(index) >= kKeptBytes) {
    ::operator delete(memory);
    return;
  }
  auto* piece = static_cast<Piece*>(memory);
  piece->next = here.free[index];
  here.free[index] = piece;
  ++here.count[index];
}

#endif

}  // namespace settee::inline v0::detail
