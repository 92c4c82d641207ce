// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Loop: one thread's event loop: sockets, timers, and jobs from other threads. A turn is: wait for
// events, handle them, run jobs, timers and coroutines, and then, once, what was left to the turn's
// end, which is where connections write all that the turn brought in one system call.
//
// A Runtime gives each of its loops a thread. A loop without one is driven by its owner's own loop:
//
//   poll_in_my_loop(loop.fd(), loop.next_timeout());    // then, when readable or timed out:
//   loop.turn(Duration::zero());
//   ... and after calls made between turns: loop.flush();
//
// What a loop runs (jobs, timers, hooks, watchers) must not throw: nobody is there to catch it.
//
// Threads: post() and stop() may be called from any thread; all else belongs to the thread that
// turns the loop.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "settee/base/context.h"
#include "settee/base/export.h"

namespace settee::inline v0 {

class Loop;
class Runtime;

/// Gets events of a file descriptor.
class SETTEE_API Watcher {
 public:
  /// `events` is epoll's mask. The watch is edge-triggered.
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~Watcher() = default;
};

/// A point in time on one loop. Its destructor disarms it.
class SETTEE_API Timer {
 public:
  Timer() noexcept = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() { disarm(); }

  /// (Re)arms it; fires at or up to a millisecond after `when`, never before.
  void arm(Loop& loop, TimePoint when);
  void disarm() noexcept;
  bool armed() const noexcept { return loop_ != nullptr; }

 protected:
  virtual void on_timer() = 0;

 private:
  friend class TimerWheel;
  friend class Loop;
  Loop* loop_ = nullptr;
  Timer* next_ = nullptr;
  Timer** link_ = nullptr;  // what points at us
  std::uint64_t tick_ = 0;
  std::uint8_t level_ = 0;
  std::uint8_t slot_ = 0;
};

/// Work handed to a loop from another thread. The loop never frees it.
class SETTEE_API Job {
 public:
  virtual void run() = 0;

 protected:
  ~Job() = default;

 private:
  friend class Loop;
  friend class ThreadPool;
  Job* next_ = nullptr;
};

/// Something to do once at the end of a turn, or in the next turn.
class SETTEE_API TurnHook {
 public:
  TurnHook() noexcept = default;
  TurnHook(const TurnHook&) = delete;
  TurnHook& operator=(const TurnHook&) = delete;
  virtual ~TurnHook();

  bool queued() const noexcept { return link_ != nullptr; }
  void unqueue() noexcept;

 protected:
  virtual void on_turn() = 0;

 private:
  friend class Loop;
  TurnHook* next_ = nullptr;
  TurnHook** link_ = nullptr;
};

class SETTEE_API Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// The loop that this thread turns, or null.
  static Loop* current() noexcept;
  /// True on the thread that turns this loop; for a foreign-driven one: during turn() and flush(),
  /// and between enter() and leave().
  bool in_loop() const noexcept { return current() == this; }
  /// Its place among Runtime::loops().
  std::size_t index() const noexcept { return index_; }

  // From any thread.
  void post(Job& job) noexcept;
  void post(std::function<void()> work);
  void stop() noexcept;

  // On the loop's thread.

  /// The time at which this turn began; one clock read serves all.
  TimePoint now() const noexcept { return now_; }
  void watch(int fd, std::uint32_t events, Watcher& watcher);
  void rewatch(int fd, std::uint32_t events, Watcher& watcher);
  /// Events that this turn has already fetched may still come: give the watcher to delete_later().
  void unwatch(int fd) noexcept;
  /// Runs `hook` once at this turn's end, after events, jobs, timers and coroutines.
  void at_turn_end(TurnHook& hook) noexcept;
  /// Runs `hook` once in the next turn, which then does not wait.
  void next_turn(TurnHook& hook) noexcept;
  /// Deletes `garbage` when nothing of this turn is on the stack any more.
  void delete_later(std::shared_ptr<void> garbage);
  /// Room for one read, shared by all who read on this loop; its content lasts until the next read.
  std::span<std::uint8_t> scratch();

  // Driving.

  /// Turns until stop().
  void run();
  /// One turn that waits at most `max_wait` for something to happen. An Error (kMisuse) within a turn.
  void turn(Duration max_wait);
  /// Runs what waits for the turn's end; for calls made on the loop's thread between turns. Does nothing
  /// within a turn.
  void flush();
  /// How long a turn may be put off; negative: until fd() is readable. Milliseconds.
  int next_timeout() const noexcept;
  /// Readable when there is something to do.
  int fd() const noexcept { return epoll_; }
  /// Makes this thread the loop's for the calls until leave(); turn() does so by itself.
  void enter() noexcept;
  void leave() noexcept;

  /// Turns made and system calls to wait, for tests and pages.
  std::uint64_t turns() const noexcept { return turns_.load(std::memory_order_relaxed); }

  // For the watchdog, which looks on from another thread.

  /// Says what this thread does now: a text that outlives the loop (see Runtime::intern()), or null.
  void working_on(const char* what) noexcept { working_on_.store(what, std::memory_order_release); }
  const char* working_on() const noexcept { return working_on_.load(std::memory_order_acquire); }
  /// Between turns, and while a turn waits for something to happen.
  bool waiting() const noexcept;

 private:
  friend class Runtime;
  friend class Timer;
  struct Impl;

  bool run_jobs();
  void run_turn_end();

  int epoll_ = -1;
  int wake_ = -1;
  TimePoint now_;
  const Runtime* runtime_ = nullptr;  // whose it is
  std::size_t index_ = 0;
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<const char*> working_on_{nullptr};
  std::unique_ptr<Impl> impl_;
};

}  // namespace settee::inline v0
