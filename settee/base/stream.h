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

namespace detail {

template <class T>
struct StreamState {
  using Waker = std::shared_ptr<Parking::State>;

  explicit StreamState(std::size_t n) : capacity(n == 0 ? 1 : n) {}

  const std::size_t capacity;
  std::mutex mutex;
  std::deque<T> queue;
  bool closed = false;       // no more values
  bool abandoned = false;    // nobody reads
  std::optional<Error> error;
  Waker reader;
  Waker writer;

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
  AsyncStream& operator=(AsyncStream&&) noexcept = default;
  ~AsyncStream() {
    if (!state_) return;
    typename detail::StreamState<T>::Waker writer;
    {
      const std::lock_guard lock(state_->mutex);
      state_->abandoned = true;
      writer = std::move(state_->writer);
    }
    detail::StreamState<T>::wake(writer);
  }

  /// The next value; nothing at the end. Ends with the writer's Error, or with kTimeout or kCancelled when
  /// the Context's deadline or cancellation comes first; then the stream may still be read on.
  Task<std::optional<T>> next() {
    const std::shared_ptr<detail::StreamState<T>> state = state_;
    for (;;) {
      detail::Parking parking;
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
          state->reader = parking.waker();
        }
      }
      if (value) {
        detail::StreamState<T>::wake(writer);
        co_return value;
      }
      const detail::Parking::Reason reason = co_await parking.wait();
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
  StreamSink& operator=(StreamSink&&) noexcept = default;
  ~StreamSink() {
    if (state_) end(Error(Code::kCancelled, "the stream's writer went away without closing it"));
  }

  /// Waits for room and adds a value. False: nobody reads any more. Ends with kTimeout or kCancelled when
  /// the Context's deadline or cancellation comes first; the value is lost then.
  Task<bool> write(T value) {
    const std::shared_ptr<detail::StreamState<T>> state = state_;
    for (;;) {
      detail::Parking parking;
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
          state->writer = parking.waker();
        }
      }
      if (written) {
        detail::StreamState<T>::wake(reader);
        co_return true;
      }
      const detail::Parking::Reason reason = co_await parking.wait();
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
  explicit StreamSink(std::shared_ptr<detail::StreamState<T>> state) : state_(std::move(state)) {}

  void end(std::optional<Error> error) {
    typename detail::StreamState<T>::Waker reader;
    {
      const std::lock_guard lock(state_->mutex);
      if (!state_->closed) {
        state_->closed = true;
        state_->error = std::move(error);
      }
      reader = std::move(state_->reader);
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

}  // namespace settee::inline v0
