// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// AsyncStream<T>: a sequence of values that arrive over time, read by one coroutine; StreamSink<T>: the
// end into which another one writes. The writer waits while `capacity` values are unread.
//
//   auto [sink, stream] = make_stream<Quote>(16);
//   runtime.spawn(produce(std::move(sink)));           // co_await sink.write(quote); ... sink.close();
//   while (std::optional<Quote> quote = co_await stream.next()) show(*quote);
//
// Ownership: the ends share a queue. When the sink goes without close(), the reader gets an Error
// (kCancelled); when the stream goes, write() returns false.
// Threads: each end belongs to one coroutine at a time; the two may be on different threads.

#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "settee/base/detail/parking.h"
#include "settee/base/task.h"

namespace settee::inline v0 {

template <class T>
class StreamSink;

namespace detail {

template <class T>
void cancel_with_reader(StreamSink<T>& sink, std::shared_ptr<CancelSource> source);

template <class T>
struct StreamState {
  using Waker = std::shared_ptr<Parking::State>;

  explicit StreamState(std::size_t n) : capacity(n == 0 ? 1 : n) {}

  const std::size_t capacity;
  std::mutex mutex;
  std::deque<T> queue;
  bool closed = false;     // no more values
  bool abandoned = false;  // nobody reads
  std::optional<Error> error;
  Waker reader;
  Waker writer;
  std::shared_ptr<CancelSource> source;  // of what fills it, if that is to end when nobody reads

  // Outside of the mutex.
  static void wake(const Waker& waker) noexcept {
    if (waker) Parking::wake(waker);
  }
};

}  // namespace detail

template <class T>
class AsyncStream {
 public:
  AsyncStream(AsyncStream&&) noexcept = default;
  AsyncStream& operator=(AsyncStream&& other) noexcept {
    AsyncStream taken(std::move(other));  // what this one had goes with it
    std::swap(state_, taken.state_);
    return *this;
  }
  ~AsyncStream() {
    if (!state_) return;
    typename detail::StreamState<T>::Waker writer;
    std::shared_ptr<CancelSource> source;
    {
      const std::lock_guard lock(state_->mutex);
      state_->abandoned = true;
      writer = std::move(state_->writer);
      source = std::move(state_->source);
    }
    detail::StreamState<T>::wake(writer);
    if (source) source->cancel();
  }

  /// The next value; nothing at the end. Ends with the writer's Error, or with kTimeout or kCancelled when
  /// the Context's deadline or cancellation comes first; then the stream may still be read on.
  Task<std::optional<T>> next() {
    const std::shared_ptr<detail::StreamState<T>> state = state_;
    for (;;) {
      std::optional<detail::Parking> parking;
      typename detail::StreamState<T>::Waker writer;
      std::optional<T> value;
      {
        const std::lock_guard lock(state->mutex);
        if (!state->queue.empty()) {
          value.emplace(std::move(state->queue.front()));
          state->queue.pop_front();
          writer = std::move(state->writer);
        } else if (state->error) {
          co_return *state->error;
        } else if (state->closed) {
          co_return std::optional<T>();
        } else {
          state->reader = parking.emplace().waker();
        }
      }
      if (value) {
        detail::StreamState<T>::wake(writer);
        co_return value;
      }
      const detail::Parking::Reason reason = co_await parking->wait();
      if (reason != detail::Parking::Reason::kWoken) {
        co_return detail::Parking::error(reason, "AsyncStream::next");
      }
    }
  }

 private:
  template <class U>
  friend auto make_stream(std::size_t capacity);
  explicit AsyncStream(std::shared_ptr<detail::StreamState<T>> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::StreamState<T>> state_;
};

template <class T>
class StreamSink {
 public:
  StreamSink(StreamSink&&) noexcept = default;
  StreamSink& operator=(StreamSink&& other) noexcept {
    StreamSink taken(std::move(other));
    std::swap(state_, taken.state_);
    return *this;
  }
  ~StreamSink() {
    if (state_) end(Error(Code::kCancelled, "the stream's writer went away without closing it"));
  }

  /// Waits for room and adds a value. False: nobody reads any more. Ends with kTimeout or kCancelled when
  /// the Context's deadline or cancellation comes first; the value is lost then.
  Task<bool> write(T value) {
    const std::shared_ptr<detail::StreamState<T>> state = state_;
    for (;;) {
      std::optional<detail::Parking> parking;
      typename detail::StreamState<T>::Waker reader;
      bool written = false;
      {
        const std::lock_guard lock(state->mutex);
        if (state->abandoned) co_return false;
        if (state->queue.size() < state->capacity) {
          state->queue.push_back(std::move(value));
          reader = std::move(state->reader);
          written = true;
        } else {
          state->writer = parking.emplace().waker();
        }
      }
      if (written) {
        detail::StreamState<T>::wake(reader);
        co_return true;
      }
      const detail::Parking::Reason reason = co_await parking->wait();
      if (reason != detail::Parking::Reason::kWoken) {
        co_return detail::Parking::error(reason, "StreamSink::write");
      }
    }
  }
  /// Ends the stream: the reader gets what is left, then nothing.
  void close() { end(std::nullopt); }
  /// Ends the stream: the reader gets what is left, then the Error.
  void close(Error error) { end(std::move(error)); }

 private:
  template <class U>
  friend auto make_stream(std::size_t capacity);
  template <class U>
  friend void detail::cancel_with_reader(StreamSink<U>& sink, std::shared_ptr<CancelSource> source);
  explicit StreamSink(std::shared_ptr<detail::StreamState<T>> state) : state_(std::move(state)) {}

  void end(std::optional<Error> error) {
    typename detail::StreamState<T>::Waker reader;
    std::shared_ptr<CancelSource> source;
    {
      const std::lock_guard lock(state_->mutex);
      if (!state_->closed) {
        state_->closed = true;
        state_->error = std::move(error);
      }
      reader = std::move(state_->reader);
      source = std::move(state_->source);
    }
    detail::StreamState<T>::wake(reader);
  }
  std::shared_ptr<detail::StreamState<T>> state_;
};

/// The two ends of a new stream, as a pair {sink, stream}.
template <class T>
auto make_stream(std::size_t capacity = 16) {
  auto state = std::make_shared<detail::StreamState<T>>(capacity);
  return std::pair<StreamSink<T>, AsyncStream<T>>(StreamSink<T>(state), AsyncStream<T>(state));
}

namespace detail {

// Cancels `source` when nobody reads the stream any more, also while nothing is written.
template <class T>
void cancel_with_reader(StreamSink<T>& sink, std::shared_ptr<CancelSource> source) {
  {
    const std::lock_guard lock(sink.state_->mutex);
    if (!sink.state_->abandoned) {
      sink.state_->source = std::move(source);
      return;
    }
  }
  source->cancel();
}

// A coroutine, as `produce` may be none and throw before it has a Task.
template <class T, class F>
Task<void> call_producer(F& produce, StreamSink<T>& sink) {
  co_await produce(sink);
}

template <class T, class F>
Detached run_producer(StreamSink<T> sink, F produce) {
  Result<void> done = co_await as_result(call_producer(produce, sink));
  if (done) {
    sink.close();
  } else {
    sink.close(done.error());
  }
}

}  // namespace detail

/// A stream that `produce` fills: a function of a StreamSink<T>& that returns Task<void>. It begins at
/// once, on this thread, and is cancelled when nobody reads any more; the stream ends when it ends,
/// with its Error if it fails. What `produce` holds lives as long as it runs.
///
///   return produce_stream<int>([](StreamSink<int>& sink) -> Task<void> { co_await sink.write(1); });
template <class T, class F>
AsyncStream<T> produce_stream(F produce, std::size_t capacity = 16) {
  auto ends = make_stream<T>(capacity);
  auto source = std::make_shared<CancelSource>();
  const Context context = source->context();
  detail::cancel_with_reader(ends.first, std::move(source));
  detail::run_producer<T, F>(std::move(ends.first), std::move(produce)).start(context);
  return std::move(ends.second);
}

}  // namespace settee::inline v0
