// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "settee/base/context.h"
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
// An eventfd, readable when a signal has come. (poll() is also where the thread sanitizer lets a signal
// through.)
std::atomic<int> arrived{-1};

// Async-signal-safe: atomics, sigaction() and write().
void on_signal(int signal) {
  const int saved = errno;
  int none = 0;
  if (first.compare_exchange_strong(none, signal)) {
    struct sigaction fall_back {};
    fall_back.sa_handler = SIG_DFL;
    const int known = count.load();
    for (int i = 0; i < known; ++i) sigaction(handled[i].load(), &fall_back, nullptr);
    const std::uint64_t one = 1;
    static_cast<void>(!write(arrived.load(), &one, sizeof one));
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
  if (arrived.load() < 0) {
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
      const int why = errno;
      taken = false;
      throw Error(Code::kIo, fmt::format("SignalWait: eventfd: {}", std::strerror(why)));
    }
    arrived = fd;
  }
  std::uint64_t earlier = 0;  // of a SignalWait before this
  static_cast<void>(!read(arrived.load(), &earlier, sizeof earlier));
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
  const TimePoint now = Clock::now();
  const auto most_time = std::chrono::floor<std::chrono::milliseconds>(TimePoint::max() - now);
  const TimePoint until = now + std::clamp(time, std::chrono::milliseconds(0), most_time);
  pollfd waited{arrived.load(), POLLIN, 0};  // it is never read: it has come once and for all
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0 && first.load() == 0) return std::nullopt;
    const std::int64_t most = std::clamp<std::int64_t>(left.count(), 0, 60'000);
    if (poll(&waited, 1, static_cast<int>(most)) > 0) break;
  }
  return first.load();
}

}  // namespace settee::inline v0
