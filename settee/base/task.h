// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Task<T>: a lazy coroutine that gives a T or an Error. The ways of calling one:
//
//   Quote q = co_await quotes->latest("ACME");                      // throws Error
//   Result<Quote> r = co_await as_result(quotes->latest("ACME"));   // does not throw
//   Quote q = quotes->latest("ACME").get();                         // blocks this thread
//   std::future<Quote> f = as_future(quotes->latest("ACME"));
//   quotes->latest("ACME").then([](Result<Quote> r) { ... });
//   oneway(quotes->notify("ACME"));                                 // no answer wanted
//
// Nothing runs before one of these. A Task runs under the Context of whoever starts or awaits it.
// A coroutine ends with co_return, by throwing an Error or a BusinessException, or by
// `co_await fail(error)`, which costs no throw. Any other exception becomes an Error of code
// kUnknown with the exception's type and text.
//
// Do not write an aggregate temporary inside a co_await expression (`co_await f({.x = 1})`,
// `co_await f(T{...})`): g++ 12 copies it bitwise and destroys it twice. Name the value first.
//
// Threads: a Task belongs to one thread at a time. After `co_await` of something that a loop
// completes, the coroutine goes on on that loop's thread.

#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "settee/base/context.h"
#include "settee/base/detail/promise.h"
#include "settee/base/result.h"

namespace settee::inline v0 {

template <class T = void>
class [[nodiscard]] Task {
 public:
  using value_type = T;
  struct promise_type;

  Task(Task&& other) noexcept : promise_(std::exchange(other.promise_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(promise_, other.promise_);
    return *this;
  }
  ~Task() {
    if (promise_ != nullptr) detail::destroy(*promise_);
  }

  /// Runs the task and blocks this thread until it ends. Throws its Error. On a loop's thread
  /// nothing is run and the Error (kMisuse) says so: a loop must not wait for itself.
  T get() &&;

  /// Runs the task; `callback(Result<T>)` is called once, on the thread where the task ends. It must not
  /// throw: nobody is there to catch it.
  template <class F>
  void then(F callback) &&;

  auto operator co_await() && noexcept { return detail::TaskAwaiter<T, true>{promise_}; }

  /// For the Task machinery.
  promise_type* promise() const noexcept { return promise_; }

 private:
  explicit Task(promise_type* promise) noexcept : promise_(promise) {}
  promise_type* promise_;
};

template <class T>
struct Task<T>::promise_type : detail::ValuePromise<T> {
  promise_type() noexcept = default;
  /// A coroutine whose first parameter is a CallTag lends the task its name and call mode.
  template <class... Args>
  explicit promise_type(const detail::CallTag& tag, const Args&...) noexcept {
    this->name = tag.name;
  }
  Task get_return_object() noexcept {
    this->handle = std::coroutine_handle<promise_type>::from_promise(*this);
    return Task(this);
  }
};

/// Awaiting it gives a Result<T> in place of a T or a throw.
template <class T>
class [[nodiscard]] AsResult {
 public:
  explicit AsResult(Task<T> task) noexcept : task_(std::move(task)) {}
  auto operator co_await() && noexcept { return detail::TaskAwaiter<T, false>{task_.promise()}; }

 private:
  Task<T> task_;
};

template <class T>
AsResult<T> as_result(Task<T> task) noexcept {
  return AsResult<T>(std::move(task));
}

/// `co_await fail(error)` ends the running Task with `error`.
inline detail::Fail fail(Error error) { return detail::Fail{std::move(error)}; }

/// Runs the task and forgets it. A call of a Settee proxy is sent as a oneway request: no answer
/// will come. Returns the Error if it failed before this function returned.
template <class T>
Result<void> oneway(Task<T> task);

template <class T>
std::future<T> as_future(Task<T> task);

/// Runs the task under `context` in place of its awaiter's.
template <class T>
Task<T> with_context(Context context, Task<T> task) {
  const detail::ContextSwitch inside(co_await detail::this_promise(), std::move(context));
  if constexpr (std::is_void_v<T>) {
    co_await std::move(task);
  } else {
    co_return co_await std::move(task);
  }
}

/// Runs the task under a deadline of now + timeout (or its awaiter's, if earlier). Whatever it awaits
/// gives up at that time with an Error of code kTimeout.
template <class T>
Task<T> with_timeout(Duration timeout, Task<T> task) {
  return with_context(context().with_timeout(timeout), std::move(task));
}

/// Runs all tasks at once and waits until each has ended. The first Error cancels the others (by
/// their Context) and is thrown when they have ended.
template <class T>
Task<std::vector<T>> when_all(std::vector<Task<T>> tasks);
Task<void> when_all(std::vector<Task<void>> tasks);
template <class... T>
  requires(!std::is_void_v<T> && ...)
Task<std::tuple<T...>> when_all(Task<T>... tasks);

}  // namespace settee::inline v0

#include "settee/base/detail/task_inl.h"
