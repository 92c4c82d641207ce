// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/detail/parking.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>

#include "settee/base/loop.h"

namespace settee::inline v0::detail {

class Parking::State final : public Timer,
                             public Job,
                             public std::enable_shared_from_this<Parking::State> {
 public:
  // False: it need not wait, reason() says why.
  bool begin(PromiseBase& promise, TimePoint until) {
    const Context context = Context::share(promise.context);
    loop_ = Loop::current();
    promise_ = &promise;
    const std::stop_token stop = context.stop_token();
    const TimePoint first = std::min(until, context.deadline());
    time_reason_ = context.deadline() < until ? Reason::kDeadline : Reason::kTime;
    if (stop.stop_requested()) {
      reason_ = Reason::kCancelled;
      return false;
    }
    if (first != kNoDeadline) {
      if (first <= Clock::now()) {
        reason_ = time_reason_;
        return false;
      }
      if (loop_ == nullptr) {
        reason_ = Reason::kNoLoop;
        return false;
      }
      arm(*loop_, first);
    }
    if (stop.stop_possible()) {
      cancel_.emplace(stop, std::function<void()>([weak = weak_from_this()] {
                        if (const auto self = weak.lock()) self->end(Reason::kCancelled);
                      }));
    }
    // A wake that came before, or between, ends it here.
    int phase = kIdle;
    if (phase_.compare_exchange_strong(phase, kWaiting, std::memory_order_acq_rel)) return true;
    reason_ = static_cast<Reason>(phase - kEnded);
    settle();
    return false;
  }

  void end(Reason reason) noexcept {
    int phase = phase_.load(std::memory_order_acquire);
    do {
      if (phase >= kEnded) return;
    } while (!phase_.compare_exchange_weak(phase, kEnded + static_cast<int>(reason),
                                           std::memory_order_acq_rel));
    if (phase == kIdle) return;
    // It waits, and only we have ended the wait: all members are ours until it is resumed.
    reason_ = reason;
    self_ = shared_from_this();
    if (loop_ == nullptr || loop_->in_loop()) {
      run();
    } else {
      loop_->post(*this);
    }
  }

  // The waiter is gone: whatever comes later finds nobody.
  void abandon() noexcept {
    phase_.store(kEnded, std::memory_order_release);
    promise_ = nullptr;
    settle();
  }
  Reason reason() const noexcept { return reason_; }

 private:
  static constexpr int kIdle = 0;
  static constexpr int kWaiting = 1;
  static constexpr int kEnded = 2;  // and above: plus the reason

  void run() override {
    const std::shared_ptr<State> self = std::move(self_);
    settle();
    if (promise_ != nullptr) resume_now(*promise_);
  }
  void on_timer() override { end(time_reason_); }
  void settle() noexcept {
    disarm();
    cancel_.reset();
  }

  std::atomic<int> phase_{kIdle};
  Reason reason_ = Reason::kWoken;
  Reason time_reason_ = Reason::kTime;
  Loop* loop_ = nullptr;
  PromiseBase* promise_ = nullptr;
  std::shared_ptr<State> self_;  // while it is posted
  std::optional<std::stop_callback<std::function<void()>>> cancel_;
};

Parking::Parking() : state_(std::make_shared<State>()) {}
Parking::~Parking() { state_->abandon(); }

void Parking::wake() noexcept { state_->end(Reason::kWoken); }
void Parking::wake(const std::shared_ptr<State>& state) noexcept { state->end(Reason::kWoken); }

bool Parking::begin(PromiseBase& promise, TimePoint until) {
  return state_->begin(promise, until);
}

Parking::Reason Parking::reason() const noexcept { return state_->reason(); }

Error Parking::error(Reason reason, std::string_view what) {
  const std::string name(what);
  switch (reason) {
    case Reason::kDeadline: return Error(Code::kTimeout, name + ": the deadline came first");
    case Reason::kCancelled: return Error(Code::kCancelled, name + ": cancelled by the caller");
    default:
      return Error(Code::kMisuse,
                   name + ": not on a loop; run the task with Runtime::run() or Runtime::spawn()");
  }
}

}  // namespace settee::inline v0::detail
