// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The machinery under Task: promises, awaiters and the resume loop. Not for direct use, except
// PromiseBase and schedule(), by those who write awaitables of their own for Settee.
//
// Nothing here relies on tail calls: a coroutine that awaits another is left to resume_now(), the
// loop at the bottom of the stack, which resumes the other. So the depth of the stack does not
// depend on how many coroutines await one another, in any build.

#pragma once

#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "settee/base/context.h"
#include "settee/base/export.h"
#include "settee/base/result.h"

namespace settee::inline v0 {

template <class T>
class Task;
template <class T>
class AsResult;

namespace detail {

SETTEE_API void* frame_allocate(std::size_t size);
SETTEE_API void frame_free(void* frame, std::size_t size) noexcept;

/// Who waits for a call: this decides what a full connection does to it.
enum class CallMode : unsigned char {
  kAwait,     ///< A coroutine or a blocked thread: the call waits for room.
  kCallback,  ///< A callback or a future: the call fails at once.
  kOneway,    ///< Nobody: no answer is wanted, and the call fails at once.
};

/// Names a task; see Task<T>::promise_type.
struct CallTag {
  const char* name;
};

/// What a task needs as long as its frame is there, and others made.
struct Belongings {
  virtual ~Belongings() = default;
  std::unique_ptr<Belongings> next;  // ends after this
  static void* operator new(std::size_t size) { return frame_allocate(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { frame_free(memory, size); }
};

struct PromiseBase {
  const ContextNode* context = nullptr;  // borrowed from the awaiter or starter, which outlives us
  PromiseBase* continuation = nullptr;   // whom to resume at the end
  PromiseBase* next = nullptr;           // in the ready stack or a loop's list
  std::coroutine_handle<> handle;
  const char* name = nullptr;
  CallMode mode = CallMode::kAwait;  // how the task was started
  std::optional<Error> error;
  std::unique_ptr<Belongings> belongings;

  /// Those that it was given before may use them, and end first.
  void keep(std::unique_ptr<Belongings> more) noexcept {
    std::unique_ptr<Belongings>* last = &belongings;
    while (*last) last = &(*last)->next;
    *last = std::move(more);
  }

  static void* operator new(std::size_t size) { return frame_allocate(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { frame_free(frame, size); }
};

/// Resumes `promise` now, and after it all that becomes ready by it on this thread.
SETTEE_API void resume_now(PromiseBase& promise) noexcept;
/// Resumes `promise` as soon as the coroutine that runs on this thread suspends; now if none runs.
SETTEE_API void schedule(PromiseBase& promise) noexcept;
/// The exception being handled as an Error.
SETTEE_API Error current_error() noexcept;

inline void destroy(PromiseBase& promise) noexcept {
  // They end last: not with the promise, which goes before the coroutine's parameters.
  const std::unique_ptr<Belongings> last = std::move(promise.belongings);
  promise.handle.destroy();
}

struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) const noexcept {
    if (PromiseBase* next = self.promise().continuation) schedule(*next);
  }
  void await_resume() const noexcept {}
};

/// Gives a foreign awaitable a handle of its own, so that whoever resumes it brings the waiting
/// coroutine back through resume_now(), with its Context.
struct SETTEE_API Resumer {
  struct promise_type;
  std::coroutine_handle<promise_type> handle;
  static Resumer make(PromiseBase& waiter);
};

template <class Awaiter>
class ForeignAwaiter {
 public:
  explicit ForeignAwaiter(Awaiter&& awaiter) : awaiter_(std::forward<Awaiter>(awaiter)) {}
  bool await_ready() { return awaiter_.await_ready(); }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> self) {
    std::coroutine_handle<> proxy =
        std::coroutine_handle<>::from_address(Resumer::make(self.promise()).handle.address());
    using Result = decltype(awaiter_.await_suspend(proxy));
    std::coroutine_handle<> next;
    try {
      if constexpr (std::is_void_v<Result>) {
        awaiter_.await_suspend(proxy);
      } else if constexpr (std::is_same_v<Result, bool>) {
        if (!awaiter_.await_suspend(proxy)) {
          proxy.destroy();
          return false;
        }
      } else {
        next = awaiter_.await_suspend(proxy);
      }
    } catch (...) {
      proxy.destroy();
      throw;
    }
    // From here on this may be resumed, and gone: nothing of it is touched any more.
    if (next) next.resume();
    return true;
  }
  decltype(auto) await_resume() { return awaiter_.await_resume(); }

 private:
  Awaiter awaiter_;
};

/// Marks Settee's own awaiters: they resume the promise through schedule() or a loop. They are moved
/// once before they are used.
struct NativeAwaiter {};

struct ThisPromise : NativeAwaiter {
  PromiseBase* promise = nullptr;
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> self) noexcept {
    promise = &self.promise();
    return false;
  }
  PromiseBase& await_resume() const noexcept { return *promise; }
};
inline ThisPromise this_promise() noexcept { return {}; }

struct [[nodiscard]] Fail : NativeAwaiter {
  explicit Fail(Error e) noexcept : error(std::move(e)) {}
  Error error;
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) noexcept {
    PromiseBase& promise = self.promise();
    promise.error = std::move(error);
    // The frame stays suspended here; whoever holds the task destroys it as usual.
    if (promise.continuation != nullptr) schedule(*promise.continuation);
  }
  [[noreturn]] void await_resume() const noexcept { std::terminate(); }
};

/// Replaces the context of a running coroutine until the end of the scope.
class SETTEE_API ContextSwitch {
 public:
  ContextSwitch(PromiseBase& promise, Context context) noexcept;
  ~ContextSwitch();
  ContextSwitch(const ContextSwitch&) = delete;
  ContextSwitch& operator=(const ContextSwitch&) = delete;

 private:
  PromiseBase& promise_;
  Context context_;
  const ContextNode* previous_;
};

template <class T, bool kThrow>
struct TaskAwaiter;

struct CoroutineBase : PromiseBase {
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { error = current_error(); }

  template <class A>
  requires std::is_base_of_v<NativeAwaiter, std::remove_cvref_t<A>> std::remove_cvref_t<A>
  await_transform(A&& awaiter) {
    // By value, as g++ 12 would copy it from a reference anyway.
    return std::forward<A>(awaiter);
  }
  template <class A>
  auto await_transform(A&& awaitable) {
    if constexpr (requires { std::forward<A>(awaitable).operator co_await(); }) {
      return own_or_foreign(std::forward<A>(awaitable).operator co_await());
    } else if constexpr (requires { operator co_await(std::forward<A>(awaitable)); }) {
      return own_or_foreign(operator co_await(std::forward<A>(awaitable)));
    } else {
      return ForeignAwaiter<A>(std::forward<A>(awaitable));
    }
  }

 private:
  template <class A>
  static auto own_or_foreign(A awaiter) {
    if constexpr (std::is_base_of_v<NativeAwaiter, A>) {
      return awaiter;
    } else {
      return ForeignAwaiter<A>(std::move(awaiter));
    }
  }
};

template <class T>
struct ValuePromise : CoroutineBase {
  std::optional<T> value;

  template <class U>
  void return_value(U&& result) {
    if constexpr (std::is_same_v<std::remove_cvref_t<U>, Error>) {
      error = std::forward<U>(result);
    } else if constexpr (std::is_same_v<std::remove_cvref_t<U>, Result<T>>) {
      if (result) {
        value.emplace(*std::forward<U>(result));
      } else {
        error = result.error();
      }
    } else {
      value.emplace(std::forward<U>(result));
    }
  }
  void return_value(T&& result) { value.emplace(std::move(result)); }

  T take() {
    if (error) [[unlikely]]
      throw *error;
    return std::move(*value);
  }
  Result<T> take_result() {
    if (error) [[unlikely]]
      return std::move(*error);
    return std::move(*value);
  }
};

template <>
struct ValuePromise<void> : CoroutineBase {
  void return_void() const noexcept {}
  void take() {
    if (error) [[unlikely]]
      throw *error;
  }
  Result<void> take_result() {
    if (error) [[unlikely]]
      return std::move(*error);
    return {};
  }
};

template <class T, bool kThrow>
struct TaskAwaiter : NativeAwaiter {
  typename Task<T>::promise_type* promise;

  explicit TaskAwaiter(typename Task<T>::promise_type* p) noexcept : promise(p) {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) noexcept {
    promise->continuation = &self.promise();
    promise->context = self.promise().context;
    schedule(*promise);
  }
  auto await_resume() {
    if constexpr (kThrow) {
      return promise->take();
    } else {
      return promise->take_result();
    }
  }
};

/// A coroutine that nobody waits for; its frame goes when it ends.
struct Detached {
  struct promise_type : CoroutineBase {
    Context owned;  // keeps `context` alive
    Detached get_return_object() noexcept {
      handle = std::coroutine_handle<promise_type>::from_promise(*this);
      return {this};
    }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
  promise_type* promise;

  /// Runs it now under `context`.
  void start(Context context) && {
    promise->context = context.node();
    promise->owned = std::move(context);
    resume_now(*promise);
  }
};

/// Blocks a thread until set; at most one waiter. Set from within a coroutine, which has ended when the
/// waiter goes on: that may unload the module whose code it was.
class SETTEE_API Signal {
 public:
  void set() noexcept;
  void wait() noexcept;
  /// Those that were set on this thread, now that what set them has returned.
  static void give() noexcept;

 private:
  void give_now() noexcept;
  Signal* next_ = nullptr;
  std::atomic<int> set_{0};
};

/// Throws an Error if this thread is a loop's and must not block.
SETTEE_API void check_may_block(const char* task_name);

}  // namespace detail
}  // namespace settee::inline v0
