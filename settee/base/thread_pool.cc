// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/thread_pool.h"

#include <pthread.h>

#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "settee/base/stats.h"

namespace settee::inline v0 {

namespace {

// What a Stats has been told of a pool.
class Shown {
 public:
  Shown(Stats& stats, const std::string& pool)
      : owner_(stats),
        threads_(owner_.up_down_counter("settee.pool.threads", "1", "Threads", {{"pool", pool}})),
        busy_(owner_.up_down_counter("settee.pool.busy", "1", "Threads that run a job",
                                     {{"pool", pool}})),
        queued_(owner_.up_down_counter("settee.pool.queued", "1", "Jobs that wait for a thread",
                                       {{"pool", pool}})),
        done_(owner_.counter("settee.pool.done", "1", "Jobs that have ended", {{"pool", pool}})),
        refused_(owner_.counter("settee.pool.refused", "1", "Jobs refused: the pool was full",
                                {{"pool", pool}})) {}
  ~Shown() { tell({0, 0, 0, told_.done, told_.refused}); }
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;

  void tell(const ThreadPool::Figures& now) {
    if (now.threads != told_.threads) threads_.add(change(now.threads, told_.threads));
    if (now.busy != told_.busy) busy_.add(change(now.busy, told_.busy));
    if (now.queued != told_.queued) queued_.add(change(now.queued, told_.queued));
    if (now.done > told_.done) done_.add(now.done - told_.done);
    if (now.refused > told_.refused) refused_.add(now.refused - told_.refused);
    told_ = now;
  }

 private:
  static std::int64_t change(std::size_t now, std::size_t before) {
    return static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before);
  }
  StatOwner owner_;
  UpDownCounter& threads_;
  UpDownCounter& busy_;
  UpDownCounter& queued_;
  Counter& done_;
  Counter& refused_;
  ThreadPool::Figures told_{};
};

}  // namespace

struct ThreadPool::Impl {
  std::string name;
  ThreadPoolOptions options;
  mutable std::mutex mutex;
  std::condition_variable work;
  std::condition_variable all_gone;
  Job* first = nullptr;
  Job** last = &first;
  std::size_t queued = 0;
  std::size_t threads = 0;
  std::size_t starting = 0;  // made, and not yet come for a job
  std::size_t idle = 0;      // waiting, though perhaps for a job that is in the queue already
  std::uint64_t done = 0;
  std::uint64_t refused = 0;
  bool stopping = false;
  std::list<std::thread> running;
  std::list<std::thread> ended;  // to be joined
  std::unique_ptr<Shown> shown;

  // Under the mutex.

  Figures figures() const noexcept { return {threads, threads - idle, queued, done, refused}; }
  void tell() const {
    if (shown) shown->tell(figures());
  }
  struct Telling {
    const Impl& pool;
    ~Telling() { pool.tell(); }
  };

  /// Jobs in the queue for which no thread is on its way.
  std::size_t waiting() const noexcept {
    const std::size_t on_their_way = idle + starting;
    return queued > on_their_way ? queued - on_their_way : 0;
  }
  void push(Job& job, Job*& next) {
    next = nullptr;
    *last = &job;
    last = &next;
    ++queued;
  }

  template <class Pop>
  void serve(std::list<std::thread>::iterator self, Pop pop) {
    std::unique_lock lock(mutex);
    --starting;
    for (;;) {
      if (Job* job = pop(*this)) {
        tell();
        lock.unlock();
        job->run();
        lock.lock();
        ++done;
        continue;
      }
      if (stopping) break;
      ++idle;
      tell();
      const bool woken =
          work.wait_for(lock, options.keep_alive, [&] { return queued > 0 || stopping; });
      --idle;
      if (!woken && threads > options.core) break;
    }
    // A thread cannot join itself: the next one that goes does it, or stop().
    std::list<std::thread> others;
    others.swap(ended);
    ended.splice(ended.end(), running, self);
    --threads;
    tell();
    if (threads == 0) all_gone.notify_all();
    lock.unlock();
    for (std::thread& other : others) other.join();
  }
};

ThreadPool::ThreadPool(std::string name, const ThreadPoolOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->name = std::move(name);
  impl_->options = options;
  if (options.max == 0 || options.core > options.max) {
    throw Error(Code::kInvalidArgument,
                fmt::format("pool '{}': core {} and max {} threads: max must be at least 1 and at "
                            "least core",
                            impl_->name, options.core, options.max));
  }
}

ThreadPool::~ThreadPool() { stop(); }

bool ThreadPool::submit(Job& job) {
  const std::lock_guard lock(impl_->mutex);
  const Impl::Telling telling{*impl_};
  if (impl_->stopping) {
    ++impl_->refused;
    return false;
  }
  // As java.util.concurrent does it: a free thread, a new one up to core, the queue, a new one up
  // to max. Jobs for which a thread is on its way are in the list, but do not count as waiting.
  const bool queue_full = impl_->waiting() >= impl_->options.queue;
  if (impl_->idle + impl_->starting > impl_->queued) {
    impl_->push(job, job.next_);
    impl_->work.notify_one();
    return true;
  }
  if (impl_->threads < impl_->options.core || impl_->threads == 0 ||
      (impl_->threads < impl_->options.max && queue_full)) {
    const auto made = impl_->running.emplace(impl_->running.end());
    try {
      *made = std::thread([impl = impl_.get(), made] {
        pthread_setname_np(pthread_self(), impl->name.substr(0, 15).c_str());
        impl->serve(made, [](Impl& pool) {
          Job* next = pool.first;
          if (next != nullptr) {
            pool.first = next->next_;
            if (pool.first == nullptr) pool.last = &pool.first;
            --pool.queued;
          }
          return next;
        });
      });
      ++impl_->threads;
      ++impl_->starting;
      impl_->push(job, job.next_);
      return true;
    } catch (const std::system_error&) {
      // The system has no thread for us: those that are there must do, if the queue has room.
      impl_->running.erase(made);
    }
  }
  if (impl_->threads == 0 || queue_full) {
    ++impl_->refused;
    return false;
  }
  impl_->push(job, job.next_);
  impl_->work.notify_one();
  return true;
}

void ThreadPool::show_in(Stats& stats) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->shown) return;
  impl_->shown = std::make_unique<Shown>(stats, impl_->name);
  impl_->tell();
}

bool ThreadPool::submit(std::function<void()> work) {
  struct Submitted final : Job {
    std::function<void()> work;
    void run() override {
      const std::unique_ptr<Submitted> self(this);
      work();
    }
  };
  auto job = std::make_unique<Submitted>();
  job->work = std::move(work);
  if (!submit(*job)) return false;
  static_cast<void>(job.release());
  return true;
}

void ThreadPool::stop() {
  std::unique_lock lock(impl_->mutex);
  impl_->stopping = true;
  impl_->work.notify_all();
  impl_->all_gone.wait(lock, [&] { return impl_->threads == 0; });
  std::list<std::thread> ended;
  ended.swap(impl_->ended);
  lock.unlock();
  for (std::thread& thread : ended) thread.join();
}

const std::string& ThreadPool::name() const noexcept { return impl_->name; }

ThreadPool::Figures ThreadPool::figures() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->figures();
}

std::string ThreadPool::describe() const {
  const Figures now = figures();
  return fmt::format("pool '{}': {} of {} threads busy, {} of {} jobs queued", impl_->name,
                     now.busy, impl_->options.max, now.queued, impl_->options.queue);
}

}  // namespace settee::inline v0
