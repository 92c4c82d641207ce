// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// EventBus: the parts of one Runtime tell each other what happened without knowing each other. An
// event is any type; its publisher pays one relaxed load while nobody listens.
//
//   struct CallEnded { std::string_view service; std::chrono::nanoseconds time; };
//
//   const EventChannel<CallEnded> ended = bus.channel<CallEnded>();         // publisher, once
//   if (ended.active()) ended.publish({service, elapsed});                  // publisher, each time
//
//   Subscription listening = bus.subscribe<CallEnded>([](const CallEnded& event) { ... });
//
// A plain subscriber runs on the publisher's thread, in the order of subscription, and several
// publishers may call it at once. With an EventQueue the event is copied and delivered later, one
// at a time, wherever the queue's executor runs it; when the queue is full the event is dropped
// and counted.
//
// Threads: everything here may be used from any thread at any time, also inside a callback.
// Unsubscribing waits for callbacks of that subscription that run on other threads: when it returns
// none runs and none will, and its function has been destroyed, so that a module can be unloaded.
// Inside its own callback it waits only for the other threads, and the function is destroyed when
// the callback returns. As with std::stop_callback, do not unsubscribe while you hold a lock that
// the callback takes, and do not let two callbacks end each other's subscriptions.
// Errors: what a subscriber throws is counted and goes no further.
// Ownership: events are told apart by the name of their type, so that a reloaded module finds its
// channels again. A channel may be used as long as its bus lives; a Subscription may outlive it.

#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "settee/base/export.h"

namespace settee::inline v0 {

class EventBus;
class Stats;

namespace detail {

struct EventBusState;
struct EventSubscriber;

struct EventChannelCore {
  std::atomic<bool> active{false};
};

/// How a queue keeps events of a type it does not know.
struct EventCopier {
  void* (*copy)(const void* event) = nullptr;
  void (*destroy)(void* event) noexcept = nullptr;
};

SETTEE_API void event_publish(EventChannelCore& channel, const void* event) noexcept;

}  // namespace detail

/// Where the events of type E are published: a pointer, to be copied freely.
template <class E>
class EventChannel {
 public:
  /// Whether anybody listens.
  bool active() const noexcept { return core_->active.load(std::memory_order_relaxed); }
  /// Shows the event to all who listen. Does not throw.
  void publish(const E& event) const noexcept {
    detail::event_publish(*core_, std::addressof(event));
  }

 private:
  friend class EventBus;
  explicit EventChannel(detail::EventChannelCore& core) noexcept : core_(&core) {}
  detail::EventChannelCore* core_;
};

/// For subscribers that must not run on the publisher's thread.
struct EventQueue {
  using Executor = std::function<void(std::function<void()>)>;

  /// Must run every job that it is given, some time and anywhere; a job delivers at most 64 events
  /// and then asks for the next. It may be called on any publisher's thread, and what it throws
  /// counts as a failure: the events wait until the next one is published.
  Executor executor;
  /// How many events may wait; those that come on top are dropped.
  std::size_t capacity;

  explicit EventQueue(Executor run, std::size_t max_waiting = 1024)
      : executor(std::move(run)), capacity(max_waiting) {}
};

/// One subscriber's membership; ends it when destroyed.
class SETTEE_API Subscription {
 public:
  Subscription() noexcept = default;
  Subscription(Subscription&& other) noexcept = default;
  Subscription& operator=(Subscription&& other) noexcept;
  ~Subscription();

  /// See the head of this file. Does nothing the second time. Events that wait in a queue are
  /// dropped without being counted.
  void unsubscribe() noexcept;
  explicit operator bool() const noexcept { return subscriber_ != nullptr; }

  /// How often the callback, the copying of an event or the executor threw; 0 once unsubscribed.
  std::uint64_t failures() const noexcept;
  /// How many events the full queue refused; 0 once unsubscribed.
  std::uint64_t dropped() const noexcept;

 private:
  friend class EventBus;
  std::shared_ptr<detail::EventBusState> bus_;
  std::shared_ptr<detail::EventSubscriber> subscriber_;
};

class SETTEE_API EventBus {
 public:
  /// With `stats`, failures and dropped events are counted there as well, as
  /// "settee.events.subscriber_failures" and "settee.events.dropped".
  explicit EventBus(Stats* stats = nullptr);
  /// Nobody may be publishing any more.
  ~EventBus();
  EventBus(const EventBus&) = delete;
  EventBus& operator=(const EventBus&) = delete;

  template <class E>
  EventChannel<E> channel() {
    return EventChannel<E>(core(typeid(E)));
  }

  /// `callback` is called with `const E&`; it must be copyable and safe to be called from several
  /// threads at once. Only events published after this returns are sure to be seen.
  template <class E, class F>
  requires std::invocable<F&, const E&>
  [[nodiscard]] Subscription subscribe(F callback) {
    return add(typeid(E), erase<E>(std::move(callback)), nullptr, {});
  }

  /// As above, through a queue; calls of `callback` never overlap.
  template <class E, class F>
  requires std::invocable<F&, const E&>
  [[nodiscard]] Subscription subscribe(F callback, EventQueue queue) {
    static_assert(std::is_copy_constructible_v<E>, "an event that is queued must be copyable");
    return add(typeid(E), erase<E>(std::move(callback)), &queue,
               {[](const void* event) -> void* { return new E(*static_cast<const E*>(event)); },
                [](void* event) noexcept { delete static_cast<E*>(event); }});
  }

  /// Totals over all subscriptions, also those that have ended.
  std::uint64_t failures() const noexcept;
  std::uint64_t dropped() const noexcept;

 private:
  template <class E, class F>
  static std::function<void(const void*)> erase(F callback) {
    return [callback = std::move(callback)](const void* event) mutable {
      callback(*static_cast<const E*>(event));
    };
  }
  detail::EventChannelCore& core(const std::type_info& type);
  Subscription add(const std::type_info& type, std::function<void(const void*)> callback,
                   EventQueue* queue, detail::EventCopier copier);

  std::shared_ptr<detail::EventBusState> state_;
};

}  // namespace settee::inline v0
