// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "settee/base/internal/thread_state.h"
#include "settee/base/internal/timer_wheel.h"

namespace settee::inline v0 {

using detail::thread_state;

void TimerWheel::insert(Timer& timer, std::uint64_t tick) noexcept {
  // A tick that has passed is due with the next advance.
  timer.tick_ = tick = std::max(tick, tick_ + 1);
  constexpr std::uint64_t kSpan = std::uint64_t{1} << (kBits * kLevels);
  const std::uint64_t at = std::min(tick, tick_ | (kSpan - 1));
  const int level = at == tick_ ? 0 : (std::bit_width(at ^ tick_) - 1) / kBits;
  const auto slot = static_cast<std::size_t>((at >> (kBits * level)) & 63);
  Level& here = levels_[static_cast<std::size_t>(level)];
  timer.level_ = static_cast<std::uint8_t>(level);
  timer.slot_ = static_cast<std::uint8_t>(slot);
  timer.next_ = here.slots[slot];
  timer.link_ = &here.slots[slot];
  if (timer.next_ != nullptr) timer.next_->link_ = &timer.next_;
  here.slots[slot] = &timer;
  here.occupied |= std::uint64_t{1} << slot;
}

void TimerWheel::remove(Timer& timer) noexcept {
  *timer.link_ = timer.next_;
  if (timer.next_ != nullptr) timer.next_->link_ = timer.link_;
  timer.next_ = nullptr;
  timer.link_ = nullptr;
  Level& level = levels_[timer.level_];
  if (level.slots[timer.slot_] == nullptr) level.occupied &= ~(std::uint64_t{1} << timer.slot_);
}

bool TimerWheel::find(Due& due) const noexcept {
  // A lower level's slots all come before a higher level's.
  for (int level = 0; level < kLevels; ++level) {
    const std::uint64_t occupied = levels_[static_cast<std::size_t>(level)].occupied;
    if (occupied == 0) continue;
    const int shift = kBits * level;
    due.level = level;
    due.slot = std::countr_zero(occupied);
    const std::uint64_t span = std::uint64_t{1} << (shift + kBits);
    due.tick = (tick_ & ~(span - 1)) + (static_cast<std::uint64_t>(due.slot) << shift);
    return true;
  }
  return false;
}

std::uint64_t TimerWheel::next() const noexcept {
  Due due;
  return find(due) ? std::max(due.tick, tick_) : UINT64_MAX;
}

struct Loop::Impl {
  TimePoint start = Clock::now();
  TimerWheel wheel;
  TurnHook* end_hooks = nullptr;
  TurnHook* next_hooks = nullptr;
  std::vector<std::shared_ptr<void>> garbage;
  std::vector<epoll_event> events = std::vector<epoll_event>(256);
  std::unique_ptr<std::uint8_t[]> scratch;
  int nested = 0;
  bool turning = false;
  Loop* outer = nullptr;

  alignas(64) std::atomic<Job*> inbox{nullptr};
  std::atomic<bool> asleep{true};
  std::atomic<bool> stopping{false};

  static void queue(TurnHook*& list, TurnHook& hook) noexcept;
  static void run(TurnHook*& list);

  std::uint64_t tick_of(TimePoint when) const {
    if (when <= start) return 0;
    // Rounded up, so that a timer never fires early.
    const auto span = when - start + std::chrono::milliseconds(1) - Duration(1);
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(span).count());
  }
};

void Timer::arm(Loop& loop, TimePoint when) {
  disarm();
  loop_ = &loop;
  // Far beyond any deadline means never.
  constexpr auto kFar = std::chrono::hours(24 * 365);
  loop.impl_->wheel.insert(*this, loop.impl_->tick_of(std::min(when, loop.now_ + kFar)));
}

void Timer::disarm() noexcept {
  if (loop_ == nullptr) return;
  loop_->impl_->wheel.remove(*this);
  loop_ = nullptr;
}

TurnHook::~TurnHook() { unqueue(); }

void TurnHook::unqueue() noexcept {
  if (link_ == nullptr) return;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  next_ = nullptr;
  link_ = nullptr;
}

Loop::Loop() : now_(Clock::now()), impl_(std::make_unique<Impl>()) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // Edge-triggered, so that the counter never needs to be read.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  if (epoll_ < 0 || wake_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
    const int saved = errno;
    if (epoll_ >= 0) close(epoll_);
    if (wake_ >= 0) close(wake_);
    throw Error(Code::kIo, std::string("making an event loop (epoll, eventfd): ") +
                               std::strerror(saved) + "; see ulimit -n");
  }
}

Loop::~Loop() {
  enter();
  // The last jobs may post others: none is lost, unless they go on for ever.
  for (int round = 0; round < 1000 && run_jobs(); ++round) run_turn_end();
  run_turn_end();
  leave();
  close(wake_);
  close(epoll_);
}

Loop* Loop::current() noexcept { return thread_state.loop; }

void Loop::enter() noexcept {
  if (impl_->nested++ == 0) impl_->outer = std::exchange(thread_state.loop, this);
}

void Loop::leave() noexcept {
  if (--impl_->nested == 0) thread_state.loop = impl_->outer;
}

void Loop::post(Job& job) noexcept {
  Job* head = impl_->inbox.load(std::memory_order_relaxed);
  do {
    job.next_ = head;
  } while (!impl_->inbox.compare_exchange_weak(head, &job, std::memory_order_seq_cst,
                                               std::memory_order_relaxed));
  // One wake for a burst: only who finds the loop asleep rings.
  if (impl_->asleep.load(std::memory_order_seq_cst) &&
      impl_->asleep.exchange(false, std::memory_order_seq_cst)) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
  }
}

void Loop::post(std::function<void()> work) {
  struct Posted final : Job {
    std::function<void()> work;
    void run() noexcept override {
      const std::unique_ptr<Posted> self(this);
      work();
    }
  };
  auto job = std::make_unique<Posted>();
  job->work = std::move(work);
  post(*job.release());
}

void Loop::stop() noexcept {
  impl_->stopping.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
}

void Loop::watch(int fd, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.ptr = &watcher;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    throw Error(Code::kIo, std::string("epoll_ctl add: ") + std::strerror(errno));
  }
}

void Loop::rewatch(int fd, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.ptr = &watcher;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0) {
    throw Error(Code::kIo, std::string("epoll_ctl mod: ") + std::strerror(errno));
  }
}

void Loop::unwatch(int fd) noexcept {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

// Once, however often it is asked for.
void Loop::Impl::queue(TurnHook*& list, TurnHook& hook) noexcept {
  if (hook.link_ != nullptr) return;
  hook.next_ = list;
  hook.link_ = &list;
  if (hook.next_ != nullptr) hook.next_->link_ = &hook.next_;
  list = &hook;
}

// Runs those that are in the list now; what they queue waits for the next time.
void Loop::Impl::run(TurnHook*& list) {
  TurnHook* hooks = std::exchange(list, nullptr);
  if (hooks != nullptr) hooks->link_ = &hooks;
  while (hooks != nullptr) {
    TurnHook& hook = *hooks;
    hook.unqueue();
    hook.on_turn();
  }
}

void Loop::at_turn_end(TurnHook& hook) noexcept { Impl::queue(impl_->end_hooks, hook); }

void Loop::next_turn(TurnHook& hook) noexcept { Impl::queue(impl_->next_hooks, hook); }

bool Loop::waiting() const noexcept { return impl_->asleep.load(std::memory_order_relaxed); }

void Loop::delete_later(std::shared_ptr<void> garbage) {
  impl_->garbage.push_back(std::move(garbage));
}

std::span<std::uint8_t> Loop::scratch() {
  constexpr std::size_t kSize = 64 * 1024;
  if (!impl_->scratch) impl_->scratch = std::make_unique_for_overwrite<std::uint8_t[]>(kSize);
  return {impl_->scratch.get(), kSize};
}

bool Loop::run_jobs() {
  Job* jobs = impl_->inbox.exchange(nullptr, std::memory_order_acquire);
  if (jobs == nullptr) return false;
  Job* first = nullptr;  // the inbox is a stack: turn it round
  while (jobs != nullptr) {
    Job* next = jobs->next_;
    jobs->next_ = first;
    first = jobs;
    jobs = next;
  }
  while (first != nullptr) {
    Job* job = first;
    first = first->next_;  // before run(), which may free the job
    job->run();
  }
  return true;
}

void Loop::run_turn_end() {
  // A hook may queue others (an answer that cannot be written ends a call, which makes another),
  // within reason: the rest comes in the next turn.
  for (int round = 0; round < 16 && impl_->end_hooks != nullptr; ++round) {
    Impl::run(impl_->end_hooks);
  }
  // Its destructors may leave more of it.
  std::vector<std::shared_ptr<void>>& garbage = impl_->garbage;
  while (!garbage.empty()) {
    std::vector<std::shared_ptr<void>> dying;
    dying.swap(garbage);
    dying.clear();
    if (garbage.empty()) garbage.swap(dying);  // keeps its room
  }
}

int Loop::next_timeout() const noexcept {
  if (impl_->next_hooks != nullptr || impl_->end_hooks != nullptr ||
      impl_->inbox.load(std::memory_order_seq_cst) != nullptr) {
    return 0;
  }
  const std::uint64_t next = impl_->wheel.next();
  if (next == UINT64_MAX) return -1;
  const TimePoint when = impl_->start + std::chrono::milliseconds(next);
  // For a time far off the turn's own clock is good enough, and costs nothing.
  const TimePoint now = when - now_ > std::chrono::seconds(1) ? now_ : Clock::now();
  if (when <= now) return 0;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(when - now).count();
  return static_cast<int>(std::min<std::int64_t>(wait, 60'000));
}

void Loop::turn(Duration max_wait) {
  Impl& impl = *impl_;
  if (impl.turning) {
    throw Error(Code::kMisuse,
                "Loop::turn() within a turn of the same loop: what runs on a loop must not drive it "
                "(nor stop a server, client or Runtime whose only loop it is)");
  }
  enter();
  impl.turning = true;
  int timeout = -1;
  if (max_wait == Duration::zero()) {
    timeout = 0;
  } else if (max_wait != Duration::max()) {
    timeout = static_cast<int>(std::min<std::int64_t>(
        std::chrono::ceil<std::chrono::milliseconds>(max_wait).count(), 3'600'000));
  }
  impl.asleep.store(true, std::memory_order_seq_cst);
  const int own = next_timeout();
  if (own >= 0 && (timeout < 0 || own < timeout)) timeout = own;

  const int count = epoll_wait(epoll_, impl.events.data(), static_cast<int>(impl.events.size()),
                               timeout);
  impl.asleep.store(false, std::memory_order_seq_cst);
  turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  now_ = Clock::now();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = impl.events[static_cast<std::size_t>(i)];
    if (event.data.ptr != nullptr) static_cast<Watcher*>(event.data.ptr)->on_events(event.events);
  }
  run_jobs();
  if (impl.wheel.next() != UINT64_MAX) {
    const auto now_tick = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now_ - impl.start).count());
    impl.wheel.advance(now_tick, [](Timer& timer) {
      timer.loop_ = nullptr;
      timer.on_timer();
    });
  }
  Impl::run(impl.next_hooks);
  run_turn_end();
  impl.asleep.store(true, std::memory_order_seq_cst);
  impl.turning = false;
  leave();
}

void Loop::flush() {
  if (impl_->turning) return;  // the turn's end is near, and what it deletes may be below us
  enter();
  now_ = Clock::now();
  run_turn_end();
  leave();
}

void Loop::run() {
  enter();
  while (!impl_->stopping.load(std::memory_order_acquire)) turn(Duration::max());
  // What was posted before stop() still runs.
  run_jobs();
  run_turn_end();
  leave();
}

}  // namespace settee::inline v0
