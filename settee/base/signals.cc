// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/signals.h"

#include <semaphore.h>
#include <signal.h>
#include <time.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "settee/base/error.h"

namespace settee::inline v0 {

namespace {

struct Handled {
  int signal;
  struct sigaction before;
};

// What the handler may touch. A signal may be on its way into it on any thread, also while a
// SignalWait ends: nothing here is ever freed.
constexpr int kMost = 8;
std::atomic<bool> taken{false};
std::atomic<int> first{0};  // the signal that came
std::atomic<int> count{0};  // of `handled`
std::atomic<int> handled[kMost];
sem_t arrived;

// Async-signal-safe: atomics, sigaction() and sem_post().
void on_signal(int signal) {
  const int saved = errno;
  int none = 0;
  if (first.compare_exchange_strong(none, signal)) {
    struct sigaction fall_back {};
    fall_back.sa_handler = SIG_DFL;
    const int known = count.load();
    for (int i = 0; i < known; ++i) sigaction(handled[i].load(), &fall_back, nullptr);
    sem_post(&arrived);
  }
  errno = saved;
}

}  // namespace

struct SignalWait::Impl {
  std::vector<Handled> all;
};

SignalWait::SignalWait(std::initializer_list<int> signals) : impl_(std::make_unique<Impl>()) {
  if (signals.size() == 0 || signals.size() > kMost) {
    throw Error(Code::kInvalidArgument,
                fmt::format("SignalWait: {} signals; 1 to {} are possible", signals.size(), kMost));
  }
  if (taken.exchange(true)) {
    throw Error(Code::kMisuse, "SignalWait: there is one already in this process");
  }
  first = 0;
  count = 0;
  sem_init(&arrived, 0, 0);
  for (const int signal : signals) handled[count++] = signal;
  for (const int signal : signals) {
    struct sigaction ours {};
    ours.sa_handler = &on_signal;
    ours.sa_flags = SA_RESTART;
    Handled one{signal, {}};
    if (sigaction(signal, &ours, &one.before) != 0) {
      const int why = errno;
      for (const Handled& done : impl_->all) sigaction(done.signal, &done.before, nullptr);
      taken = false;
      throw Error(Code::kInvalidArgument, fmt::format("SignalWait: signal {} cannot be handled: {}",
                                                      signal, std::strerror(why)));
    }
    impl_->all.push_back(one);
  }
}

SignalWait::~SignalWait() {
  for (const Handled& one : impl_->all) sigaction(one.signal, &one.before, nullptr);
  taken = false;
}

int SignalWait::get() {
  for (;;) {
    if (const std::optional<int> signal = wait_for(std::chrono::hours(24))) return *signal;
  }
}

std::optional<int> SignalWait::wait_for(std::chrono::milliseconds time) {
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  const auto nanoseconds = until.tv_nsec + (time.count() % 1000) * 1'000'000;
  until.tv_sec += time.count() / 1000 + nanoseconds / 1'000'000'000;
  until.tv_nsec = nanoseconds % 1'000'000'000;
  while (sem_clockwait(&arrived, CLOCK_MONOTONIC, &until) != 0) {
    if (errno == ETIMEDOUT) return std::nullopt;
  }
  sem_post(&arrived);  // for who asks next: it has come once and for all
  return first.load();
}

}  // namespace settee::inline v0
