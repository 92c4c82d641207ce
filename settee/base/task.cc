// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/task.h"

#include <cxxabi.h>

#include <cstdlib>

#include "settee/base/internal/pool.h"
#include "settee/base/internal/thread_state.h"
#include "settee/base/reflect.h"

namespace settee::inline v0::detail {

void* frame_allocate(std::size_t size) { return pool_allocate(size); }
void frame_free(void* frame, std::size_t size) noexcept { pool_free(frame, size); }

void resume_now(PromiseBase& promise) noexcept {
  ThreadState& here = thread_state;
  const ThreadState saved = here;
  here.ready = nullptr;
  here.running = true;
  PromiseBase* next = &promise;
  do {
    here.context = next->context;
    next->handle.resume();
    if (here.ended != nullptr) Signal::give();
    next = here.ready;
    if (next != nullptr) here.ready = next->next;
  } while (next != nullptr);
  here.context = saved.context;
  here.ready = saved.ready;
  here.running = saved.running;
}

void schedule(PromiseBase& promise) noexcept {
  ThreadState& here = thread_state;
  if (!here.running) {
    resume_now(promise);
    return;
  }
  promise.next = here.ready;
  here.ready = &promise;
}

namespace {

std::string current_type_name() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "an exception of a foreign language";
  int status = 0;
  char* name = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::string text = name != nullptr ? name : type->name();
  std::free(name);
  return text;
}

}  // namespace

Error current_error() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const Exception& exception) {
    return exception.to_error();
  } catch (const std::exception& exception) {
    return Error(Code::kUnknown, current_type_name() + ": " + exception.what());
  } catch (...) {
    return Error(Code::kUnknown, current_type_name());
  }
}

struct Resumer::promise_type : PromiseBase {
  PromiseBase* waiter;
  explicit promise_type(PromiseBase& w) noexcept : waiter(&w) {}
  Resumer get_return_object() noexcept {
    return {std::coroutine_handle<promise_type>::from_promise(*this)};
  }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  std::suspend_never final_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}
  void unhandled_exception() const noexcept { std::terminate(); }
};

Resumer Resumer::make(PromiseBase& waiter) {
  resume_now(waiter);
  co_return;
}

ContextSwitch::ContextSwitch(PromiseBase& promise, Context context) noexcept
    : promise_(promise),
      context_(std::move(context)),
      previous_(std::exchange(promise.context, context_.node())) {
  thread_state.context = promise_.context;
}

ContextSwitch::~ContextSwitch() {
  if (thread_state.context == promise_.context) thread_state.context = previous_;
  promise_.context = previous_;
}

void Signal::set() noexcept {
  next_ = thread_state.ended;
  thread_state.ended = this;
}

void Signal::give() noexcept {
  while (Signal* signal = thread_state.ended) {
    thread_state.ended = signal->next_;
    signal->give_now();
  }
}

void Signal::give_now() noexcept {
  // The waiter may return and end this object's life after the store: notify uses only the address.
  // Not a plain release: libstdc++ looks for waiters before it wakes them, and that look must not
  // come before the store.
  set_.store(1, std::memory_order_seq_cst);
  set_.notify_one();
}

void Signal::wait() noexcept {
  give();  // it may have been set on this very thread
  set_.wait(0, std::memory_order_acquire);
}

void check_may_block(const char* task_name) {
  if (thread_state.loop == nullptr) return;
  throw Error(Code::kMisuse, std::string("get() of ") +
                                 (task_name != nullptr ? task_name : "a task") +
                                 " on a loop's thread would stop the loop for ever: co_await it, or "
                                 "declare the method that does so blocking()");
}

void Join::part_failed(const Error& error) noexcept {
  if (failed_.exchange(true)) return;
  error_ = error;
  cancel_.cancel();
}

}  // namespace settee::inline v0::detail
