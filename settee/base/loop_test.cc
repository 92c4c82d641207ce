// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace settee {
namespace {

using namespace std::chrono_literals;

// A socket pair that is closed in the end; `near` is watched, `far` is written to.
struct Pair {
  int near = -1;
  int far = -1;
  Pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    near = fds[0];
    far = fds[1];
  }
  ~Pair() {
    close(near);
    close(far);
  }
  void poke() const { EXPECT_EQ(write(far, "x", 1), 1); }
};

struct OnEvents final : Watcher {
  std::function<void(std::uint32_t)> act;
  explicit OnEvents(std::function<void(std::uint32_t)> a) : act(std::move(a)) {}
  void on_events(std::uint32_t events) override { act(events); }
};
struct OnTimer final : Timer {
  std::function<void()> act;
  explicit OnTimer(std::function<void()> a) : act(std::move(a)) {}
  ~OnTimer() override { disarm(); }
  void on_timer() override { act(); }
};
struct OnTurn final : TurnHook {
  std::function<void()> act;
  explicit OnTurn(std::function<void()> a) : act(std::move(a)) {}
  ~OnTurn() override { unqueue(); }
  void on_turn() override { act(); }
};

bool readable(int fd, int timeout_ms = 0) {
  pollfd watched{fd, POLLIN, 0};
  return poll(&watched, 1, timeout_ms) == 1;
}

// A loop with a thread of its own.
struct Running {
  Loop loop;
  std::thread thread{[this] { loop.run(); }};
  ~Running() {
    if (!thread.joinable()) return;
    loop.stop();
    thread.join();
  }
};

TEST(LoopTest, RunsWhatManyThreadsPostOnceAndInEachThreadsOrder) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 20000;
  Running running;
  std::array<int, kThreads> next{};
  std::atomic<int> done{0};
  std::atomic<bool> disorder{false};
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        running.loop.post([&, t, i] {
          if (next[static_cast<std::size_t>(t)]++ != i || !running.loop.in_loop()) disorder = true;
          done.fetch_add(1);
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  for (int i = 0; i < 1000 && done < kThreads * kPosts; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(done, kThreads * kPosts);
  EXPECT_FALSE(disorder);
}

// A wake that is lost leaves a job lying until something else comes: with one job on the way at a
// time, that is a hang.
TEST(LoopTest, NoWakeIsLost) {
  Running running;
  std::atomic<int> seen{0};
  for (int i = 1; i <= 20000; ++i) {
    running.loop.post([&seen, i] { seen.store(i); });
    const TimePoint begin = Clock::now();
    while (seen.load() != i) {
      if (i % 3 == 0) std::this_thread::yield();
      ASSERT_LT(Clock::now() - begin, 20s) << "job " << i << " was not run";
    }
  }
}

TEST(LoopTest, ABurstOfPostsIsOneWakeAndOneTurn) {
  Loop loop;
  loop.turn(Duration::zero());
  EXPECT_FALSE(readable(loop.fd()));
  int ran = 0;
  std::thread([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&] { ++ran; });
  }).join();
  EXPECT_TRUE(readable(loop.fd()));
  const std::uint64_t before = loop.turns();
  loop.turn(Duration::zero());
  EXPECT_EQ(ran, 1000);
  EXPECT_EQ(loop.turns(), before + 1);
  EXPECT_FALSE(readable(loop.fd()));
  EXPECT_EQ(loop.next_timeout(), -1);
}

TEST(LoopTest, ABurstOnABusyLoopCostsFewTurns) {
  Running running;
  std::atomic<bool> busy{false};
  std::atomic<bool> go_on{false};
  std::atomic<int> ran{0};
  running.loop.post([&] {
    busy = true;
    while (!go_on) std::this_thread::yield();
  });
  while (!busy) std::this_thread::yield();
  const std::uint64_t before = running.loop.turns();
  for (int i = 0; i < 5000; ++i) running.loop.post([&] { ++ran; });
  go_on = true;
  for (int i = 0; i < 1000 && ran < 5000; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(ran, 5000);
  EXPECT_LE(running.loop.turns() - before, 3u);
}

TEST(LoopTest, AJobThatPostsAJobDoesNotStarveTheRest) {
  Loop loop;
  int first = 0;
  int second = 0;
  loop.post([&] {
    ++first;
    loop.post([&] { ++second; });
  });
  loop.turn(Duration::zero());
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  EXPECT_EQ(loop.next_timeout(), 0);  // whoever drives it knows that it must not wait
  loop.turn(10s);                     // and does not
  EXPECT_EQ(second, 1);
  EXPECT_EQ(loop.next_timeout(), -1);
}

TEST(LoopTest, OrderWithinATurn) {
  Loop loop;
  const Pair pair;
  std::string order;
  OnEvents watcher([&](std::uint32_t) { order += "event "; });
  OnTimer timer([&] { order += "timer "; });
  OnTurn at_end([&] { order += "end "; });
  OnTurn next([&] { order += "next "; });
  std::shared_ptr<void> garbage(nullptr, [&](void*) { order += "garbage"; });
  loop.enter();
  loop.watch(pair.near, EPOLLIN, watcher);
  loop.next_turn(next);
  loop.at_turn_end(at_end);
  loop.delete_later(std::move(garbage));
  timer.arm(loop, Clock::now());
  loop.leave();
  loop.post([&] { order += "job "; });
  pair.poke();
  std::this_thread::sleep_for(5ms);  // the timer is due
  loop.turn(10s);
  EXPECT_EQ(order, "event job timer next end garbage");
}

TEST(LoopTest, ATurnHookRunsOnce) {
  Loop loop;
  int runs = 0;
  OnTurn hook([&] { ++runs; });
  loop.at_turn_end(hook);
  loop.at_turn_end(hook);
  EXPECT_TRUE(hook.queued());
  EXPECT_EQ(loop.next_timeout(), 0);
  loop.turn(10s);
  EXPECT_EQ(runs, 1);
  EXPECT_FALSE(hook.queued());
  loop.turn(Duration::zero());
  EXPECT_EQ(runs, 1);
  loop.at_turn_end(hook);
  hook.unqueue();
  loop.turn(Duration::zero());
  EXPECT_EQ(runs, 1);
}

TEST(LoopTest, NextTurnIsNotThisOne) {
  Loop loop;
  int runs = 0;
  OnTurn hook([&] {
    if (++runs < 3) loop.next_turn(hook);
  });
  loop.next_turn(hook);
  for (int turn = 1; turn <= 3; ++turn) {
    EXPECT_EQ(loop.next_timeout(), 0);
    loop.turn(10s);
    EXPECT_EQ(runs, turn);
  }
  EXPECT_EQ(loop.next_timeout(), -1);
}

TEST(LoopTest, HooksMayQueueUnqueueAndDestroyOneAnother) {
  Loop loop;
  std::string order;
  auto doomed = std::make_unique<OnTurn>([&] { order += "never "; });
  OnTurn taken_back([&] { order += "never "; });
  OnTurn late([&] { order += "late "; });
  OnTurn killer([&] {
    order += "killer ";
    doomed.reset();
    taken_back.unqueue();
    loop.at_turn_end(late);
  });
  // The list is a stack: the killer runs first.
  loop.at_turn_end(*doomed);
  loop.at_turn_end(taken_back);
  loop.at_turn_end(killer);
  loop.turn(Duration::zero());
  EXPECT_EQ(order, "killer late ");
}

TEST(LoopTest, AHookThatQueuesItselfForEverLeavesRoomForOthers) {
  Loop loop;
  int runs = 0;
  OnTurn greedy([&] {
    ++runs;
    loop.at_turn_end(greedy);
  });
  loop.at_turn_end(greedy);
  loop.turn(Duration::zero());
  EXPECT_GE(runs, 1);
  EXPECT_LE(runs, 100);
  EXPECT_EQ(loop.next_timeout(), 0);
}

TEST(LoopTest, TimersFireInTimeAndNeverEarly) {
  Loop loop;
  struct Seen {
    TimePoint wanted;
    TimePoint real;
  };
  std::vector<Seen> seen;
  std::vector<std::unique_ptr<OnTimer>> timers;
  const TimePoint begin = Clock::now();
  for (const auto after : {0us, 1us, 999us, 1000us, 1001us, 7777us, 20000us, 64000us, 70123us}) {
    const TimePoint when = begin + after;
    timers.push_back(
        std::make_unique<OnTimer>([&seen, when] { seen.push_back({when, Clock::now()}); }));
    timers.back()->arm(loop, when);
  }
  while (seen.size() < timers.size() && Clock::now() < begin + 10s) loop.turn(10s);
  ASSERT_EQ(seen.size(), timers.size());
  for (const Seen& one : seen) EXPECT_GE(one.real, one.wanted);
}

TEST(LoopTest, ATimerMayArmDisarmAndDestroy) {
  Loop loop;
  int rearmed = 0;
  bool other = false;
  OnTimer again([&] {
    if (++rearmed < 3) again.arm(loop, loop.now());
  });
  auto self = std::make_unique<OnTimer>([] {});
  bool self_ran = false;
  self->act = [&] {
    self_ran = true;
    const std::unique_ptr<OnTimer> end = std::move(self);  // destroys what runs
  };
  OnTimer victim([&] { other = true; });
  OnTimer killer([&] { victim.disarm(); });
  const TimePoint now = Clock::now();
  again.arm(loop, now);
  self->arm(loop, now);
  killer.arm(loop, now + 2ms);
  victim.arm(loop, now + 30ms);
  EXPECT_TRUE(victim.armed());
  const TimePoint until = now + 60ms;
  while (Clock::now() < until) loop.turn(5ms);
  EXPECT_EQ(rearmed, 3);
  EXPECT_TRUE(self_ran);
  EXPECT_FALSE(other);
  EXPECT_FALSE(victim.armed());
}

TEST(LoopTest, ArmingAnewReplacesTheOldTime) {
  Loop loop;
  int fired = 0;
  OnTimer timer([&] { ++fired; });
  timer.arm(loop, Clock::now() + 1ms);
  timer.arm(loop, Clock::now() + 1h);
  std::this_thread::sleep_for(5ms);
  loop.turn(Duration::zero());
  EXPECT_EQ(fired, 0);
  timer.arm(loop, Clock::now() - 1h);  // the past: at once
  loop.turn(1s);
  EXPECT_EQ(fired, 1);
}

TEST(LoopTest, NextTimeoutTellsWhenToTurn) {
  Loop loop;
  EXPECT_EQ(loop.next_timeout(), -1);
  OnTimer timer([] {});
  timer.arm(loop, Clock::now() + 50ms);
  EXPECT_GE(loop.next_timeout(), 1);
  EXPECT_LE(loop.next_timeout(), 52);
  timer.arm(loop, TimePoint::max());  // never, in effect
  EXPECT_GT(loop.next_timeout(), 0);
  EXPECT_LE(loop.next_timeout(), 60'000);
  timer.disarm();
  EXPECT_EQ(loop.next_timeout(), -1);
  timer.arm(loop, Clock::now() - 1s);
  std::this_thread::sleep_for(2ms);
  EXPECT_EQ(loop.next_timeout(), 0);
}

TEST(LoopTest, TurnWaitsNoLongerThanItIsTold) {
  Loop loop;
  OnTimer far([] {});
  far.arm(loop, Clock::now() + 1h);
  const TimePoint begin = Clock::now();
  loop.turn(20ms);
  EXPECT_GE(Clock::now() - begin, 15ms);
  loop.turn(Duration::zero());
  EXPECT_LT(Clock::now() - begin, 10s);
}

TEST(LoopTest, DrivenByAForeignLoopThroughItsDescriptor) {
  Loop loop;
  const Pair pair;
  int events = 0;
  int timers = 0;
  std::atomic<int> jobs{0};
  OnEvents watcher([&](std::uint32_t) {
    char byte;
    while (read(pair.near, &byte, 1) == 1) ++events;
  });
  OnTimer timer([&] {
    if (++timers < 5) timer.arm(loop, loop.now() + 3ms);
  });
  loop.watch(pair.near, EPOLLIN, watcher);
  timer.arm(loop, Clock::now() + 3ms);
  std::thread other([&] {
    for (int i = 0; i < 50; ++i) {
      pair.poke();
      loop.post([&] { ++jobs; });
      std::this_thread::sleep_for(200us);
    }
  });
  const TimePoint until = Clock::now() + 20s;
  while ((events < 50 || jobs < 50 || timers < 5) && Clock::now() < until) {
    pollfd watched{loop.fd(), POLLIN, 0};
    // An owner waits exactly as it is told to, so nothing but fd() and next_timeout() may be needed.
    poll(&watched, 1, loop.next_timeout());
    loop.turn(Duration::zero());
  }
  other.join();
  EXPECT_EQ(events, 50);
  EXPECT_EQ(jobs, 50);
  EXPECT_EQ(timers, 5);
}

TEST(LoopTest, FlushRunsTheTurnsEndBetweenTurns) {
  Loop loop;
  int runs = 0;
  bool deleted = false;
  OnTurn hook([&] {
    ++runs;
    EXPECT_TRUE(loop.in_loop());
  });
  loop.enter();
  loop.at_turn_end(hook);
  loop.delete_later(std::shared_ptr<void>(nullptr, [&](void*) { deleted = true; }));
  loop.leave();
  loop.flush();
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(deleted);
  EXPECT_EQ(loop.next_timeout(), -1);
}

// Code that runs in a turn and calls flush(), as it may not know where it runs, must not delete what
// is still on the stack below it.
TEST(LoopTest, FlushWithinATurnIsLeftToTheTurnsEnd) {
  Loop loop;
  bool deleted = false;
  bool deleted_during_job = false;
  loop.post([&] {
    loop.delete_later(std::shared_ptr<void>(nullptr, [&](void*) { deleted = true; }));
    loop.flush();
    deleted_during_job = deleted;
  });
  loop.turn(Duration::zero());
  EXPECT_FALSE(deleted_during_job);
  EXPECT_TRUE(deleted);
}

TEST(LoopTest, ATurnWithinATurnIsRefused) {
  Loop loop;
  Code code{};
  loop.post([&] {
    try {
      loop.turn(Duration::zero());
    } catch (const Error& error) {
      code = error.code();
    }
  });
  loop.turn(Duration::zero());
  EXPECT_EQ(code, Code::kMisuse);
  bool ran = false;
  loop.post([&] { ran = true; });
  loop.turn(Duration::zero());  // and the loop goes on as before
  EXPECT_TRUE(ran);
}

TEST(LoopTest, StopEndsRunAfterWhatWasPostedBefore) {
  Running running;
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) running.loop.post([&] { ++ran; });
  running.loop.stop();
  running.thread.join();
  EXPECT_EQ(ran, 100);
}

TEST(LoopTest, StopBeforeRunIsNotLost) {
  Loop loop;
  bool ran = false;
  loop.stop();
  loop.post([&] { ran = true; });
  loop.run();
  EXPECT_TRUE(ran);
}

TEST(LoopTest, StopFromOneOfItsJobs) {
  Running running;
  running.loop.post([&] { running.loop.stop(); });
  running.thread.join();
}

TEST(LoopTest, DestructorRunsWhatIsStillPosted) {
  int ran = 0;
  {
    Loop loop;
    loop.post([&] {
      ++ran;
      // Whatever a last job posts is not lost (nor leaked) either.
      loop.post([&] {
        ++ran;
        loop.post([&] { ++ran; });
      });
    });
  }
  EXPECT_EQ(ran, 3);
}

TEST(LoopTest, GarbageMayMakeMoreGarbage) {
  Loop loop;
  int deleted = 0;
  std::function<void(int)> make = [&](int depth) {
    loop.delete_later(std::shared_ptr<void>(nullptr, [&, depth](void*) {
      ++deleted;
      if (depth > 0) {
        for (int i = 0; i < 3; ++i) make(depth - 1);
      }
    }));
  };
  loop.post([&] { make(4); });
  loop.turn(Duration::zero());
  loop.turn(Duration::zero());
  EXPECT_EQ(deleted, 1 + 3 + 9 + 27 + 81);
}

TEST(LoopTest, EdgesComeAgainAfterRewatch) {
  Loop loop;
  const Pair pair;
  int events = 0;
  OnEvents watcher([&](std::uint32_t) { ++events; });
  loop.watch(pair.near, EPOLLIN, watcher);
  pair.poke();
  loop.turn(Duration::zero());
  loop.turn(Duration::zero());
  EXPECT_EQ(events, 1);  // edge-triggered: no news, no event
  loop.rewatch(pair.near, EPOLLIN, watcher);
  loop.turn(Duration::zero());
  EXPECT_EQ(events, 2);
  loop.unwatch(pair.near);
  pair.poke();
  loop.turn(Duration::zero());
  EXPECT_EQ(events, 2);
}

TEST(LoopTest, AWatcherMayGoWhileItsEventIsInTheSameTurn) {
  Loop loop;
  const Pair a;
  const Pair b;
  int events = 0;
  std::shared_ptr<OnEvents> one;
  std::shared_ptr<OnEvents> two;
  const auto end_both = [&](std::uint32_t) {
    ++events;
    if (!one) return;
    loop.unwatch(a.near);
    loop.unwatch(b.near);
    loop.delete_later(std::move(one));
    loop.delete_later(std::move(two));
  };
  one = std::make_shared<OnEvents>(end_both);
  two = std::make_shared<OnEvents>(end_both);
  loop.watch(a.near, EPOLLIN, *one);
  loop.watch(b.near, EPOLLIN, *two);
  a.poke();
  b.poke();
  loop.turn(Duration::zero());
  EXPECT_EQ(events, 2);  // the second event was already fetched
  a.poke();
  loop.turn(Duration::zero());
  EXPECT_EQ(events, 2);
}

TEST(LoopTest, WatchingWhatCannotBeWatchedIsAnError) {
  Loop loop;
  OnEvents watcher([](std::uint32_t) {});
  try {
    loop.watch(-1, EPOLLIN, watcher);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kIo);
  }
  EXPECT_THROW(loop.rewatch(-1, EPOLLIN, watcher), Error);
  loop.unwatch(-1);
}

TEST(LoopTest, CurrentIsTheLoopThatThisThreadTurns) {
  EXPECT_EQ(Loop::current(), nullptr);
  Loop outer;
  Loop inner;
  outer.enter();
  EXPECT_EQ(Loop::current(), &outer);
  outer.enter();
  inner.post([&] { EXPECT_EQ(Loop::current(), &inner); });
  inner.turn(Duration::zero());
  EXPECT_EQ(Loop::current(), &outer);
  outer.leave();
  EXPECT_EQ(Loop::current(), &outer);
  outer.leave();
  EXPECT_EQ(Loop::current(), nullptr);
}

TEST(LoopTest, NoDescriptorsLeftIsAnErrorThatSaysSo) {
#if defined(SETTEE_SANITIZE_UNDEFINED)
  GTEST_SKIP() << "this sanitizer needs a pipe for each type that it checks";
#endif
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  const int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(lowest);
  // Room for one of the two descriptors: what has been opened must be closed again.
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(lowest) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  std::string what;
  try {
    Loop loop;
  } catch (const Error& error) {
    what = error.what();
  }
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_NE(what.find("ulimit"), std::string::npos) << what;
  const int again = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(again, lowest);
  close(again);
}

}  // namespace
}  // namespace settee
