// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/thread_pool.h"

#include <pthread.h>

#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include <fmt/format.h>

namespace settee::inline v0 {

struct ThreadPool::Impl {
  std::string name;
  ThreadPoolOptions options;
  mutable std::mutex mutex;
  std::condition_variable work;
  std::condition_variable idle_gone;
  Job* first = nullptr;
  Job** last = &first;
  std::size_t queued = 0;
  std::size_t threads = 0;
  std::size_t idle = 0;  // waiting, and not yet promised a job
  std::uint64_t done = 0;
  std::uint64_t refused = 0;
  bool stopping = false;

  // Under the mutex.
  void push(Job& job, Job*& next) {
    next = nullptr;
    *last = &job;
    last = &next;
    ++queued;
  }

  template <class Pop>
  void serve(Pop pop) {
    std::unique_lock lock(mutex);
    for (;;) {
      if (Job* job = pop(*this)) {
        lock.unlock();
        job->run();
        lock.lock();
        ++done;
        continue;
      }
      if (stopping) break;
      ++idle;
      const bool woken = work.wait_for(lock, options.keep_alive, [&] {
        return queued > 0 || stopping;
      });
      --idle;
      if (!woken && threads > options.core) break;
    }
    if (--threads == 0) idle_gone.notify_all();
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
  if (impl_->stopping) {
    ++impl_->refused;
    return false;
  }
  // As java.util.concurrent does it: a free thread, a new one up to core, the queue, a new one up
  // to max. Jobs promised to idle threads are in the list, but do not count as waiting.
  const std::size_t waiting = impl_->queued > impl_->idle ? impl_->queued - impl_->idle : 0;
  if (impl_->idle > impl_->queued) {
    impl_->push(job, job.next_);
    impl_->work.notify_one();
    return true;
  }
  if (impl_->threads < impl_->options.core ||
      (impl_->threads < impl_->options.max && waiting >= impl_->options.queue)) {
    ++impl_->threads;
    impl_->push(job, job.next_);
    try {
      std::thread([impl = impl_.get()] {
        pthread_setname_np(pthread_self(), impl->name.substr(0, 15).c_str());
        impl->serve([](Impl& pool) {
          Job* next = pool.first;
          if (next != nullptr) {
            pool.first = next->next_;
            if (pool.first == nullptr) pool.last = &pool.first;
            --pool.queued;
          }
          return next;
        });
      }).detach();
    } catch (const std::system_error&) {
      --impl_->threads;
      if (impl_->threads == 0) {
        impl_->first = nullptr;
        impl_->last = &impl_->first;
        impl_->queued = 0;
        ++impl_->refused;
        return false;
      }
    }
    return true;
  }
  if (waiting >= impl_->options.queue) {
    ++impl_->refused;
    return false;
  }
  impl_->push(job, job.next_);
  impl_->work.notify_one();
  return true;
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
  impl_->idle_gone.wait(lock, [&] { return impl_->threads == 0; });
}

const std::string& ThreadPool::name() const noexcept { return impl_->name; }

ThreadPool::Figures ThreadPool::figures() const {
  const std::lock_guard lock(impl_->mutex);
  return {impl_->threads, impl_->threads - impl_->idle, impl_->queued, impl_->done,
          impl_->refused};
}

std::string ThreadPool::describe() const {
  const Figures now = figures();
  return fmt::format("pool '{}': {} of {} threads busy, {} of {} jobs queued", impl_->name,
                     now.busy, impl_->options.max, now.queued, impl_->options.queue);
}

}  // namespace settee::inline v0
