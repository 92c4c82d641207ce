// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ThreadPool: threads for work that blocks, with SOFARPC's rules: `core` threads are kept, more are
// made up to `max` when none is free, `queue` jobs may wait, and what comes then is refused at once.
//
// Threads: all members from any thread.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "settee/base/export.h"
#include "settee/base/loop.h"

namespace settee::inline v0 {

class Stats;

struct ThreadPoolOptions {
  std::size_t core = 20;
  std::size_t max = 200;
  std::size_t queue = 0;                       ///< Jobs that may wait for a thread.
  std::chrono::milliseconds keep_alive{60'000};  ///< How long a thread above `core` stays idle.
};

class SETTEE_API ThreadPool {
 public:
  ThreadPool(std::string name, const ThreadPoolOptions& options);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// False if the pool is full or stopped; then `job` will not run.
  [[nodiscard]] bool submit(Job& job);
  [[nodiscard]] bool submit(std::function<void()> work);
  /// Refuses new work, runs what was taken, and waits for it.
  void stop();

  const std::string& name() const noexcept;
  /// "pool 'rpc': 200 of 200 threads busy, 0 of 0 jobs queued".
  std::string describe() const;

  struct Figures {
    std::size_t threads, busy, queued;
    std::uint64_t done, refused;
  };
  Figures figures() const;
  /// From now on the figures stand in `stats` too, as settee.pool.* with the pool's name as tag
  /// `pool`; once, further calls do nothing. Pools of one name are added up.
  void show_in(Stats& stats);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace settee::inline v0
