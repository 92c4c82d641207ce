// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/runtime.h"

#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <typeindex>
#include <vector>

#include "settee/base/detail/parking.h"
#include "settee/base/event_bus.h"
#include "settee/base/internal/thread_state.h"
#include "settee/base/stats.h"

namespace settee::inline v0 {

namespace {

// One logger for each Runtime, and none in spdlog's global registry.
class StderrLog {
 public:
  StderrLog() : logger_("settee", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.set_level(spdlog::level::debug);
    logger_.set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
    logger_.flush_on(spdlog::level::debug);
  }
  void operator()(LogLevel level, std::string_view component, std::string_view message) {
    static constexpr spdlog::level::level_enum kLevels[] = {
        spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
    logger_.log(kLevels[static_cast<int>(level)], "[{}] {}", component, message);
  }

 private:
  spdlog::logger logger_;
};

}  // namespace

struct Runtime::Impl {
  struct LoopThread {
    Loop loop;
    std::string name;
    std::thread thread;
    // The watchdog's.
    std::uint64_t seen_turn = 0;
    TimePoint seen_at = Clock::now();
    bool stalled = false;
  };

  explicit Impl(RuntimeOptions o)
      : options(std::move(o)), pool(options.name + "-pool", options.pool) {
    pool.show_in(stats);
  }

  RuntimeOptions options;
  Stats stats;
  EventBus events{&stats};
  std::vector<std::unique_ptr<LoopThread>> loops;
  std::unique_ptr<Loop> foreign;
  std::vector<Loop*> all;  // of both, by their index
  ThreadPool pool;
  std::mutex names_mutex;
  std::set<std::string, std::less<>> names;
  std::mutex parts_mutex;
  std::map<std::type_index, std::shared_ptr<void>> parts;
  Counter& stalls =
      stats.counter("settee.loop.stalls", "1",
                    "Times that one turn of a loop took longer than RuntimeOptions::stall");
  std::jthread watchdog;  // ended before the loops
  std::atomic<std::size_t> next_loop{0};
  CancelSource cancel{Context()};

  std::mutex mutex;
  std::condition_variable all_ended;
  std::size_t spawned = 0;
  std::atomic<bool> stopped{false};
  std::mutex stopping;
  std::atomic<bool> joined{false};

  void warn(std::string_view message) const {
    if (options.log_level > LogLevel::kWarning) return;
    options.log(LogLevel::kWarning, "runtime", message);
  }
  void watch(const std::stop_token& stopping);
  void look_at(LoopThread& own, TimePoint now);
  void join() {
    if (watchdog.joinable()) {
      watchdog.request_stop();
      watchdog.join();
    }
    for (const auto& own : loops) own->loop.stop();
    for (const auto& own : loops) {
      if (own->thread.joinable()) own->thread.join();
    }
    joined.store(true);
  }
};

void Runtime::Impl::watch(const std::stop_token& stopping) {
  std::mutex sleeping;
  std::condition_variable_any stopped_early;
  const auto pause = std::max(options.stall / 4, std::chrono::milliseconds(1));
  std::unique_lock lock(sleeping);
  while (!stopping.stop_requested()) {
    stopped_early.wait_for(lock, stopping, pause, [] { return false; });
    const TimePoint now = Clock::now();
    for (const auto& own : loops) look_at(*own, now);
  }
}

void Runtime::Impl::look_at(LoopThread& own, TimePoint now) {
  const std::uint64_t turn = own.loop.turns();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - own.seen_at).count();
  if (turn != own.seen_turn || own.loop.waiting()) {
    if (std::exchange(own.stalled, false)) {
      warn(fmt::format("loop {} goes on, after {} ms in one turn", own.name, ms));
    }
    own.seen_turn = turn;
    own.seen_at = now;
    return;
  }
  if (own.stalled || ms < options.stall.count()) return;
  own.stalled = true;
  stalls.add();
  const char* what = own.loop.working_on();
  warn(what != nullptr
           ? fmt::format("loop {} has been held for {} ms by {}: all other calls on it wait. "
                         "Describe a method that blocks as blocking(), or move long work to "
                         "a pool (co_await resume_on(pool))",
                         own.name, ms, what)
           : fmt::format("loop {} has been held for {} ms by a callback or by work that was "
                         "resumed: all calls on it wait. A stack trace of thread '{}' shows "
                         "what it does (gdb -p {})",
                         own.name, ms, own.name, getpid()));
}

Runtime::Runtime() : Runtime(RuntimeOptions()) {}

Runtime::Runtime(RuntimeOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  Impl& impl = *impl_;
  if (!impl.options.log) {
    impl.options.log = [log = std::make_shared<StderrLog>()](
                           LogLevel level, std::string_view component, std::string_view message) {
      (*log)(level, component, message);
    };
  }
  std::size_t count = impl.options.threads;
  if (count == 0 && !impl.options.foreign_loop) {
    count = std::max(1u, std::thread::hardware_concurrency());
  }
  const std::string prefix = impl.options.name.substr(0, 10);
  try {
    for (std::size_t i = 0; i < count; ++i) {
      auto& made = impl.loops.emplace_back(std::make_unique<Impl::LoopThread>());
      adopt(made->loop);
      made->name = fmt::format("{}-{}", prefix, i);
      made->thread = std::thread([&own = *made] {
        pthread_setname_np(pthread_self(), own.name.c_str());
        own.loop.run();
      });
    }
    if (impl.options.foreign_loop) {
      impl.foreign = std::make_unique<Loop>();
      adopt(*impl.foreign);
    }
    if (count > 0 && impl.options.stall.count() > 0) {
      impl.watchdog =
          std::jthread([&impl, name = prefix + "-dog"](const std::stop_token& stopping) {
            pthread_setname_np(pthread_self(), name.c_str());
            impl.watch(stopping);
          });
    }
  } catch (const std::system_error& error) {
    impl.join();
    throw Error(Code::kIo, fmt::format("making thread {} of {} for loops: {}; see ulimit -u",
                                       impl.loops.size(), count, error.what()));
  } catch (...) {
    impl.join();  // those that run already
    throw;
  }
}

Runtime::~Runtime() { stop(); }

void Runtime::adopt(Loop& loop) {
  loop.runtime_ = this;
  loop.index_ = impl_->all.size();
  impl_->all.push_back(&loop);
}

// One of ours that this thread turns; null on other threads.
Loop* Runtime::own_loop() const noexcept {
  Loop* const here = Loop::current();
  return here != nullptr && here->runtime_ == this ? here : nullptr;
}

Loop& Runtime::loop() {
  if (Loop* own = own_loop()) return *own;
  Impl& impl = *impl_;
  if (impl.loops.empty()) return *impl.foreign;
  return impl.loops[impl.next_loop.fetch_add(1, std::memory_order_relaxed) % impl.loops.size()]
      ->loop;
}

Loop& Runtime::loop(std::size_t index) { return impl_->loops.at(index)->loop; }

std::size_t Runtime::loop_count() const noexcept { return impl_->loops.size(); }

std::span<Loop* const> Runtime::loops() const noexcept { return impl_->all; }

Loop& Runtime::foreign_loop() {
  if (!impl_->foreign) {
    throw Error(Code::kMisuse,
                "this Runtime has no foreign loop: set RuntimeOptions::foreign_loop");
  }
  return *impl_->foreign;
}

bool Runtime::has_foreign_loop() const noexcept { return impl_->foreign != nullptr; }

void Runtime::pause(Duration time) {
  if (loop_count() > 0) {
    std::this_thread::sleep_for(time);
    return;
  }
  const TimePoint until = Clock::now() + time;
  do {
    foreign_loop().turn(std::chrono::milliseconds(5));
  } while (Clock::now() < until);
}

void Runtime::on_each_loop(const std::function<void(Loop&)>& work) {
  Impl& impl = *impl_;
  if (const Loop* own = own_loop(); own != nullptr && own != impl.foreign.get()) {
    throw Error(Code::kMisuse,
                "Runtime::on_each_loop() on a loop's thread would wait for itself (making a Server "
                "or Client, or stopping one, does that): do it on a plain thread");
  }
  const auto here = [&work](Loop& loop) {  // nobody else turns it
    loop.enter();
    work(loop);
    loop.leave();
  };
  if (impl.foreign) here(*impl.foreign);
  if (impl.joined) {
    for (const auto& own : impl.loops) here(own->loop);
    return;
  }
  std::mutex mutex;
  std::condition_variable done;
  std::size_t left = impl.loops.size();
  std::exception_ptr thrown;
  for (const auto& own : impl.loops) {
    own->loop.post([&, &loop = own->loop] {
      std::exception_ptr caught;
      try {
        work(loop);
      } catch (...) {
        caught = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      if (caught && !thrown) thrown = std::move(caught);
      if (--left == 0) done.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  done.wait(lock, [&] { return left == 0; });
  if (thrown) std::rethrow_exception(thrown);
}

const char* Runtime::intern(std::string_view text) {
  Impl& impl = *impl_;
  const std::lock_guard lock(impl.names_mutex);
  auto found = impl.names.find(text);
  if (found == impl.names.end()) found = impl.names.emplace(text).first;
  return found->c_str();
}

std::shared_ptr<void> Runtime::part(const std::type_info& type,
                                    std::shared_ptr<void> (*make)(Runtime&)) {
  const std::lock_guard lock(impl_->parts_mutex);
  std::shared_ptr<void>& part = impl_->parts[std::type_index(type)];
  if (!part) part = make(*this);
  return part;
}

ThreadPool& Runtime::pool() noexcept { return impl_->pool; }
Stats& Runtime::stats() noexcept { return impl_->stats; }
EventBus& Runtime::events() noexcept { return impl_->events; }

void Runtime::log(LogLevel level, std::string_view component, std::string_view message) const {
  if (logs(level)) impl_->options.log(level, component, message);
}

bool Runtime::logs(LogLevel level) const noexcept { return level >= impl_->options.log_level; }

namespace {

// Stops when one of two others does.
class EitherStop {
 public:
  EitherStop(std::stop_token a, std::stop_token b)
      : a_(std::move(a), Forward{source_}), b_(std::move(b), Forward{source_}) {}
  std::stop_token token() const noexcept { return source_.get_token(); }

 private:
  struct Forward {
    std::stop_source source;
    void operator()() noexcept { std::stop_source(source).request_stop(); }
  };
  std::stop_source source_;
  std::stop_callback<Forward> a_;
  std::stop_callback<Forward> b_;
};

}  // namespace

void Runtime::spawn(Task<void> task) {
  Impl& impl = *impl_;
  {
    const std::lock_guard lock(impl.mutex);
    if (impl.stopped.load(std::memory_order_relaxed)) {
      throw Error(Code::kStopped, "spawn: the Runtime has been stopped");
    }
    ++impl.spawned;
  }
  // The caller's values and deadline, ended by stop() as well as by the caller's own cancellation.
  const Context caller = context();
  const std::stop_token callers = caller.stop_token();
  std::stop_token token = impl.cancel.context().stop_token();
  std::shared_ptr<EitherStop> either;
  if (callers.stop_possible() && callers != token) {
    either = std::make_shared<EitherStop>(callers, std::move(token));
    token = either->token();
  }
  const ContextScope scope(caller.with_stop_token(std::move(token)));
  begin_on_loop(std::move(task)).then([this, either](Result<void> result) {
    if (!result && result.error().code() != Code::kCancelled) {
      log(LogLevel::kError, "runtime",
          std::string("a spawned task ended: ") + result.error().what());
    }
    // Notified under the lock: stop() may destroy all this as soon as it can take it.
    const std::lock_guard lock(impl_->mutex);
    if (--impl_->spawned == 0) impl_->all_ended.notify_all();
  });
}

void Runtime::stop() {
  Impl& impl = *impl_;
  if (own_loop() != nullptr) {
    throw Error(Code::kMisuse, "Runtime::stop() on one of its own loops would wait for itself");
  }
  const std::lock_guard one_at_a_time(impl.stopping);
  if (impl.joined) return;
  {
    const std::lock_guard lock(impl.mutex);
    impl.stopped.store(true);
  }
  impl.cancel.cancel();
  {
    std::unique_lock lock(impl.mutex);
    while (impl.spawned > 0) {
      if (impl.foreign) {  // nobody else turns it now
        lock.unlock();
        impl.foreign->turn(std::chrono::milliseconds(1));
        lock.lock();
        continue;
      }
      if (!impl.all_ended.wait_for(lock, std::chrono::seconds(5),
                                   [&] { return impl.spawned == 0; })) {
        log(LogLevel::kWarning, "runtime",
            fmt::format("stop() waits for {} spawned task(s) that ignore their cancellation",
                        impl.spawned));
      }
    }
  }
  impl.pool.stop();
  impl.join();
}

bool Runtime::stopped() const noexcept { return impl_->stopped.load(std::memory_order_acquire); }

namespace detail {

Result<void> ResumeOnPool::await_resume() const {
  if (!refused_) return {};
  return Error(Code::kBusy, pool_.describe() + ": refused");
}

}  // namespace detail

Task<void> sleep_until(TimePoint when) {
  using Reason = detail::Parking::Reason;
  detail::Parking parking;
  const Reason reason = co_await parking.wait(when);
  if (reason != Reason::kTime) co_await fail(detail::Parking::error(reason, "sleep"));
}

}  // namespace settee::inline v0
