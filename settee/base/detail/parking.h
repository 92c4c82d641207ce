// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Parking: where a coroutine waits for something that any thread may bring, for a time, for its
// Context's deadline or its cancellation, whichever is first. It resumes on the loop on which it
// began to wait, or, if that was no loop's thread, on the thread that wakes it.

#pragma once

#include <memory>

#include "settee/base/context.h"
#include "settee/base/detail/promise.h"

namespace settee::inline v0::detail {

class SETTEE_API Parking {
 public:
  enum class Reason : unsigned char {
    kWoken,      ///< wake() was called
    kTime,       ///< the time came
    kDeadline,   ///< the Context's deadline came first
    kCancelled,  ///< the Context was cancelled
    kNoLoop,     ///< there is a time or deadline to watch, and no loop to do it
  };

  Parking();
  ~Parking();
  Parking(const Parking&) = delete;
  Parking& operator=(const Parking&) = delete;

  class SETTEE_API Awaiter : public NativeAwaiter {
   public:
    Awaiter(Parking& parking, TimePoint until) noexcept : parking_(&parking), until_(until) {}
    bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> self) {
      return parking_->begin(self.promise(), until_);
    }
    Reason await_resume() const noexcept { return parking_->reason(); }

   private:
    Parking* parking_;
    TimePoint until_;
  };
  /// Once for each Parking.
  Awaiter wait(TimePoint until = kNoDeadline) noexcept { return {*this, until}; }

  /// Ends the wait; before it has begun it then ends at once. From any thread, also when the Parking
  /// itself may be gone: then by a copy of waker().
  void wake() noexcept;

  class State;
  /// Keeps what wake(state) needs.
  const std::shared_ptr<State>& waker() const noexcept { return state_; }
  static void wake(const std::shared_ptr<State>& state) noexcept;

  /// The Error of a wait that `what` did, for a reason other than kWoken and kTime.
  static Error error(Reason reason, std::string_view what);

 private:
  bool begin(PromiseBase& promise, TimePoint until);
  Reason reason() const noexcept;
  std::shared_ptr<State> state_;
};

}  // namespace settee::inline v0::detail
