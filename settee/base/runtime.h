// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Runtime: owns all that runs: loops with their threads, pools, statistics, the event bus and where
// Settee's own messages go. An application makes one (tests make many) and everything else is made
// from it. Nothing in Settee is global.
//
//   Runtime runtime{{.threads = 2}};
//   runtime.run(my_task());              // on a loop; blocks this thread
//   runtime.spawn(background());         // on a loop; its error is logged
//
// Stopping: make Server and Client after the Runtime, so that they end before it. stop() (or the
// destructor) cancels spawned tasks, waits for them, ends the pools and then the loops.
//
// Threads: all members from any thread, but stop() not from a loop or pool of its own.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>

#include "settee/base/export.h"
#include "settee/base/loop.h"
#include "settee/base/task.h"
#include "settee/base/thread_pool.h"

namespace settee::inline v0 {

class EventBus;
class Stats;

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct RuntimeOptions {
  /// Loops with a thread each; 0: one for each CPU.
  std::size_t threads = 0;
  /// One loop more that has no thread: the owner turns it. Runtime::foreign_loop().
  bool foreign_loop = false;
  /// Prefix of thread names, at most 10 characters.
  std::string name = "settee";
  /// The pool of methods declared blocking.
  ThreadPoolOptions pool = {};
  /// Gets Settee's own messages; the default writes them to standard error.
  std::function<void(LogLevel, std::string_view component, std::string_view message)> log = {};
  /// Messages below this are not made.
  LogLevel log_level = LogLevel::kInfo;
  /// A loop's thread that is so long in one turn is reported with the handler that keeps it (log, and
  /// the counter settee.loop.stalls): all other calls on that loop wait. 0: never.
  std::chrono::milliseconds stall{500};
};

class SETTEE_API Runtime {
 public:
  Runtime();
  explicit Runtime(RuntimeOptions options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// The current thread's loop if it is one of ours, else one of them in turn.
  Loop& loop();
  Loop& loop(std::size_t index);
  std::size_t loop_count() const noexcept;
  /// All of them by Loop::index(): those with a thread, then the foreign one, if there is one.
  std::span<Loop* const> loops() const noexcept;
  /// The loop that the owner turns; an Error (kMisuse) if the options did not ask for one.
  Loop& foreign_loop();
  bool has_foreign_loop() const noexcept;

  /// Runs `work` once on each loop's thread and waits until all have. Not on a loop.
  void on_each_loop(const std::function<void(Loop&)>& work);

  /// Waits on a plain thread. If the only loop is the foreign one, this thread turns it meanwhile.
  void pause(Duration time);

  /// The same text, kept until the Runtime ends; equal texts are kept once. See Loop::working_on().
  const char* intern(std::string_view text);

  ThreadPool& pool() noexcept;
  Stats& stats() noexcept;
  EventBus& events() noexcept;

  /// The one P of this Runtime, made (with the Runtime as its argument, if it takes one) when it is
  /// first asked for: what components keep for the whole Runtime. It lives on while somebody has it.
  /// Not for types of modules that are unloaded. Threads: any; making a P must not ask for parts.
  template <class P>
  std::shared_ptr<P> part() {
    return std::static_pointer_cast<P>(
        part(typeid(P), [](Runtime& runtime) -> std::shared_ptr<void> {
          if constexpr (std::is_constructible_v<P, Runtime&>) {
            return std::make_shared<P>(runtime);
          } else {
            return std::make_shared<P>();
          }
        }));
  }

  void log(LogLevel level, std::string_view component, std::string_view message) const;
  bool logs(LogLevel level) const noexcept;

  /// Runs the task on a loop and blocks this thread until it ends; throws its Error.
  template <class T>
  T run(Task<T> task) {
    return begin_on_loop(std::move(task)).get();
  }
  /// Runs the task on a loop under the current Context, ended by stop(). An Error is logged.
  void spawn(Task<void> task);

  void stop();
  bool stopped() const noexcept;

 private:
  template <class T>
  Task<T> begin_on_loop(Task<T> task);
  std::shared_ptr<void> part(const std::type_info& type, std::shared_ptr<void> (*make)(Runtime&));
  void adopt(Loop& loop);
  Loop* own_loop() const noexcept;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

namespace detail {

/// Suspends here, resumes on the loop; at once if this is its thread already.
class SETTEE_API ResumeOnLoop : public NativeAwaiter, public Job {
 public:
  explicit ResumeOnLoop(Loop& loop) noexcept : loop_(loop) {}
  bool await_ready() const noexcept { return loop_.in_loop(); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) noexcept {
    promise_ = &self.promise();
    loop_.post(*this);
  }
  void await_resume() const noexcept {}
  void run() override { resume_now(*promise_); }

 private:
  Loop& loop_;
  PromiseBase* promise_ = nullptr;
};

class SETTEE_API ResumeOnPool : public NativeAwaiter, public Job {
 public:
  explicit ResumeOnPool(ThreadPool& pool) noexcept : pool_(pool) {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> self) {
    promise_ = &self.promise();
    if (pool_.submit(*this)) return true;  // may be resumed already: touch nothing
    refused_ = true;
    return false;
  }
  Result<void> await_resume() const;
  void run() override { resume_now(*promise_); }

 private:
  ThreadPool& pool_;
  PromiseBase* promise_ = nullptr;
  bool refused_ = false;
};

}  // namespace detail

/// `co_await resume_on(loop)`: the coroutine goes on on that loop's thread.
inline detail::ResumeOnLoop resume_on(Loop& loop) noexcept { return detail::ResumeOnLoop(loop); }

/// `Result<void> r = co_await resume_on(pool)`: goes on on a thread of the pool, or here with an
/// Error of code kBusy.
inline detail::ResumeOnPool resume_on(ThreadPool& pool) noexcept {
  return detail::ResumeOnPool(pool);
}

/// `co_await sleep_for(10ms)`, on a loop's thread. Ends early with an Error at the Context's deadline
/// (kTimeout) or cancellation (kCancelled).
SETTEE_API Task<void> sleep_until(TimePoint when);
inline Task<void> sleep_for(Duration duration) { return sleep_until(Clock::now() + duration); }

/// Runs `work()` on the pool and comes back to this loop with what it returned.
template <class F, class R = std::invoke_result_t<F>>
Task<R> run_on(ThreadPool& pool, F work) {
  Loop* const loop = Loop::current();
  if (Result<void> hop = co_await resume_on(pool); !hop) co_await fail(hop.error());
  std::optional<Error> error;
  if constexpr (std::is_void_v<R>) {
    try {
      work();
    } catch (...) {
      error = detail::current_error();
    }
    if (loop != nullptr) co_await resume_on(*loop);
    if (error) co_await fail(*std::move(error));
  } else {
    std::optional<R> result;
    try {
      result.emplace(work());
    } catch (...) {
      error = detail::current_error();
    }
    if (loop != nullptr) co_await resume_on(*loop);
    if (error) co_await fail(*std::move(error));
    co_return *std::move(result);
  }
}

template <class T>
Task<T> Runtime::begin_on_loop(Task<T> task) {
  co_await resume_on(loop());
  if constexpr (std::is_void_v<T>) {
    co_await std::move(task);
  } else {
    co_return co_await std::move(task);
  }
}

}  // namespace settee::inline v0
