// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The memory of coroutine frames, contexts and blocks: per thread, per size class, bounded. A piece
// freed on another thread goes to that thread's lists. In sanitizer builds this is plain malloc, so
// that a use after free is seen.

#pragma once

#include <cstddef>

#include "settee/base/export.h"

namespace settee::inline v0::detail {

/// The largest size that is kept for reuse; larger ones go to the allocator.
inline constexpr std::size_t kLargestPooled = 16384;

SETTEE_API void* pool_allocate(std::size_t size);
SETTEE_API void pool_free(void* memory, std::size_t size) noexcept;

}  // namespace settee::inline v0::detail
