// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// LD_PRELOAD=bench_malloc_count.so MALLOC_COUNT_FILE=<file> program ...
// Counts heap allocations: every call of malloc, calloc, realloc and the aligned forms (operator
// new comes to these). The count is the first 8 bytes (native order) of <file>, which is mapped, so
// another process can read it at any time while the program runs: no signal disturbs it, and
// nothing is lost at exit. glibc only: the real allocator is reached through its __libc_ names, as
// dlsym may itself allocate.

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

using Counter = std::atomic<uint64_t>;
static_assert(Counter::is_always_lock_free && sizeof(Counter) == sizeof(uint64_t));

constinit Counter before_mapping = 0;
constinit std::atomic<Counter*> counter = &before_mapping;

void count() { counter.load(std::memory_order_relaxed)->fetch_add(1, std::memory_order_relaxed); }

__attribute__((constructor)) void map_file() {
  const char* path = getenv("MALLOC_COUNT_FILE");
  if (path == nullptr) return;
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  void* page = MAP_FAILED;
  if (fd >= 0 && ftruncate(fd, sizeof(Counter)) == 0) {
    page = mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  if (page == MAP_FAILED) {
    perror("bench_malloc_count: MALLOC_COUNT_FILE");
    _exit(2);
  }
  close(fd);
  auto* mapped = static_cast<Counter*>(page);
  mapped->fetch_add(before_mapping.load());
  counter.store(mapped);
}

void* aligned(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) void* malloc(size_t size) {
  count();
  return __libc_malloc(size);
}

__attribute__((visibility("default"))) void* calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}

__attribute__((visibility("default"))) void* realloc(void* block, size_t size) {
  count();
  return __libc_realloc(block, size);
}

__attribute__((visibility("default"))) void* memalign(size_t alignment, size_t size) {
  return aligned(alignment, size);
}

__attribute__((visibility("default"))) void* aligned_alloc(size_t alignment, size_t size) {
  return aligned(alignment, size);
}

__attribute__((visibility("default"))) int posix_memalign(void** block, size_t alignment,
                                                          size_t size) {
  void* got = aligned(alignment, size);
  if (got == nullptr) return ENOMEM;
  *block = got;
  return 0;
}
}
