// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Definitions for task.h.

#pragma once

#include "settee/base/task.h"

namespace settee::inline v0 {
namespace detail {

template <class T, class F>
Detached run_then(Task<T> task, F callback) {
  Result<T> result = co_await as_result(std::move(task));
  std::move(callback)(std::move(result));
}

template <class T, class F>
void start(Task<T> task, F callback) {
  run_then(std::move(task), std::move(callback)).start(context());
}

}  // namespace detail

template <class T>
T Task<T>::get() && {
  detail::check_may_block(promise_->name);
  std::optional<Result<T>> result;
  detail::Signal done;
  detail::start(std::move(*this), [&](Result<T> r) {
    result.emplace(std::move(r));
    done.set();
  });
  done.wait();
  return std::move(*result).value();
}

template <class T>
template <class F>
void Task<T>::then(F callback) && {
  promise_->mode = detail::CallMode::kCallback;
  detail::start(std::move(*this), std::move(callback));
}

template <class T>
Result<void> oneway(Task<T> task) {
  struct State {
    std::atomic<int> owners{2};
    std::optional<Error> error;
    void drop() {
      if (owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }
  };
  task.promise()->mode = detail::CallMode::kOneway;
  auto* state = new State;
  detail::start(std::move(task), [state](Result<T> result) {
    if (!result) state->error = result.error();
    state->drop();
  });
  Result<void> early;
  if (state->owners.load(std::memory_order_acquire) == 1 && state->error) early = *state->error;
  state->drop();
  return early;
}

template <class T>
std::future<T> as_future(Task<T> task) {
  std::promise<T> promise;
  std::future<T> future = promise.get_future();
  task.promise()->mode = detail::CallMode::kCallback;
  detail::start(std::move(task), [promise = std::move(promise)](Result<T> result) mutable {
    if (!result) {
      promise.set_exception(std::make_exception_ptr(result.error()));
    } else if constexpr (std::is_void_v<T>) {
      promise.set_value();
    } else {
      promise.set_value(*std::move(result));
    }
  });
  return future;
}

namespace detail {

/// Waits until a number of detached parts have ended.
class SETTEE_API Join {
 public:
  // Apart from Join, as g++ 12 copies an awaiter that is awaited by reference.
  struct Awaiter : NativeAwaiter {
    Join* join;
    explicit Awaiter(Join* j) noexcept : join(j) {}
    bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> self) const noexcept {
      join->waiter_ = &self.promise();
      return join->left_.fetch_sub(1, std::memory_order_acq_rel) != 1;
    }
    void await_resume() const noexcept {}
  };

  explicit Join(std::size_t parts) noexcept : left_(parts + 1) {}
  Awaiter done() noexcept { return Awaiter(this); }
  /// Called by each part as its last act.
  void part_done() noexcept {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) schedule(*waiter_);
  }
  /// Keeps the first error and cancels the other parts.
  void part_failed(const Error& error) noexcept;
  void cancel() noexcept { cancel_.cancel(); }
  const Context& context() const noexcept { return cancel_.context(); }
  const std::optional<Error>& error() const noexcept { return error_; }

 private:
  std::atomic<std::size_t> left_;
  PromiseBase* waiter_ = nullptr;
  CancelSource cancel_;
  std::atomic<bool> failed_{false};
  std::optional<Error> error_;
};

template <class T, class Out>
Detached run_part(Join& join, Task<T> task, Out& out) {
  {
    Result<T> result = co_await as_result(std::move(task));
    if (!result) {
      join.part_failed(result.error());
    } else if constexpr (!std::is_void_v<T>) {
      out.emplace(*std::move(result));
    }
  }
  join.part_done();
}

/// Runs a task beside the coroutine that makes this one, which must await stop() before it goes. The
/// task begins at once; stop() cancels its Context and waits until it has ended.
class Beside {
 public:
  explicit Beside(Task<void> task) {
    run_part(join_, std::move(task), nothing_).start(join_.context());
  }
  Join::Awaiter stop() noexcept {
    join_.cancel();
    return join_.done();
  }
  /// The task's own, when it has ended.
  const std::optional<Error>& error() const noexcept { return join_.error(); }

 private:
  Join join_{1};
  int nothing_ = 0;
};

}  // namespace detail

template <class T>
Task<std::vector<T>> when_all(std::vector<Task<T>> tasks) {
  std::vector<std::optional<T>> parts(tasks.size());
  detail::Join join(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    detail::run_part(join, std::move(tasks[i]), parts[i]).start(join.context());
  }
  co_await join.done();
  if (join.error()) co_await fail(*join.error());
  std::vector<T> values;
  values.reserve(parts.size());
  for (std::optional<T>& part : parts) values.push_back(std::move(*part));
  co_return values;
}

inline Task<void> when_all(std::vector<Task<void>> tasks) {
  detail::Join join(tasks.size());
  int nothing = 0;
  for (Task<void>& task : tasks) {
    detail::run_part(join, std::move(task), nothing).start(join.context());
  }
  co_await join.done();
  if (join.error()) co_await fail(*join.error());
}

template <class... T>
  requires(!std::is_void_v<T> && ...)
Task<std::tuple<T...>> when_all(Task<T>... tasks) {
  std::tuple<std::optional<T>...> parts;
  detail::Join join(sizeof...(T));
  std::apply(
      [&](auto&... part) {
        (detail::run_part(join, std::move(tasks), part).start(join.context()), ...);
      },
      parts);
  co_await join.done();
  if (join.error()) co_await fail(*join.error());
  co_return std::apply(
      [](auto&... part) { return std::tuple<T...>(std::move(*part)...); }, parts);
}

}  // namespace settee::inline v0
