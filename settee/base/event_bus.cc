// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// How publishing stays cheap and unsubscribing exact:
//
// A channel's subscribers are an immutable list that is replaced on every change. A publisher notes
// in its thread's lane of the bus the epoch in which it began; a list that has been replaced is
// freed once no publisher is left that began before. Nobody waits for that.
//
// A subscriber has a lane per thread as well, which counts the calls of its callback on that
// thread. Unsubscribing sets `closed` and then waits until the lanes of the other threads are zero;
// a call raises its lane and then looks at `closed`. Both orders are sequentially consistent, so
// one of the two sees the other.

#include "settee/base/event_bus.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "settee/base/internal/thread_slot.h"
#include "settee/base/stats.h"

namespace settee::inline v0 {

namespace detail {

namespace {

constexpr int kDeliveriesPerJob = 64;

template <class T>
struct alignas(64) Lane {
  std::atomic<T> value{0};
};

// What went wrong on one bus, ever.
struct Totals {
  explicit Totals(Stats* stats) {
    if (stats == nullptr) return;
    owner.emplace(*stats);
    failure_cell = &owner->counter("settee.events.subscriber_failures", "1",
                                   "Exceptions thrown by subscribers of events");
    dropped_cell = &owner->counter("settee.events.dropped", "1",
                                   "Events that the full queue of a subscriber refused");
  }
  void failure() noexcept {
    failures.fetch_add(1, std::memory_order_relaxed);
    if (failure_cell != nullptr) failure_cell->add();
  }
  void drop() noexcept {
    dropped.fetch_add(1, std::memory_order_relaxed);
    if (dropped_cell != nullptr) dropped_cell->add();
  }

  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> dropped{0};
  std::optional<StatOwner> owner;
  Counter* failure_cell = nullptr;
  Counter* dropped_cell = nullptr;
};

struct Channel;

// A call of a subscriber's functions, on the stack of the thread that makes it.
struct CallFrame {
  EventSubscriber* subscriber;
  CallFrame* outer;
  bool finish = false;  // the subscription ended within this call
};

// A job that delivers the events of a queue, on the stack of its thread.
struct DrainFrame {
  const EventSubscriber* subscriber;
  DrainFrame* outer;
  bool again = false;
};

// An outermost publish() on a bus.
struct PublishFrame {
  const EventBusState* bus;
  PublishFrame* outer;
};

// Plain pointers without destructors.
thread_local constinit CallFrame* calls = nullptr;
thread_local constinit DrainFrame* drains = nullptr;
thread_local constinit PublishFrame* publishes = nullptr;

}  // namespace

struct EventSubscriber : std::enable_shared_from_this<EventSubscriber> {
  ~EventSubscriber() { finish(); }

  // Only inside an Entered that is open(), or by the thread that ends the subscription.
  std::function<void(const void*)> callback;
  EventQueue::Executor executor;
  EventCopier copier;

  Channel* channel = nullptr;
  std::shared_ptr<Totals> totals;
  std::size_t capacity = 0;
  bool queued = false;

  std::atomic<bool> closed{false};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> dropped{0};
  std::array<Lane<std::uint32_t>, kThreadSlots + 1> running;

  std::mutex mutex;
  std::deque<void*> waiting;  // under the mutex
  bool scheduled = false;     // under the mutex: a job has been given to the executor, or runs

  void failed() noexcept {
    failures.fetch_add(1, std::memory_order_relaxed);
    totals->failure();
  }
  void drop() noexcept {
    dropped.fetch_add(1, std::memory_order_relaxed);
    totals->drop();
  }

  void deliver(const void* event) noexcept {
    try {
      callback(event);
    } catch (...) {
      failed();
    }
  }

  void take(const void* event) noexcept;
  void drain() noexcept;
  void schedule() noexcept;

  void wait_for_others(std::uint32_t own_calls) const noexcept;

  // Destroys what belongs to the subscriber. Nothing of it may run any more.
  void finish() noexcept {
    std::deque<void*> events;
    {
      const std::lock_guard lock(mutex);
      events.swap(waiting);
    }
    for (void* event : events) copier.destroy(event);
    // Moved out first: destroying the callback may destroy the Subscription.
    std::exchange(callback, nullptr) = nullptr;
    std::exchange(executor, nullptr) = nullptr;
  }
};

namespace {

// Keeps an unsubscribe() on another thread waiting.
class Entered {
 public:
  explicit Entered(EventSubscriber& subscriber) noexcept
      : slot_(thread_slot()), frame_{&subscriber, calls} {
    calls = &frame_;
    auto& lane = subscriber.running[slot_].value;
    if (slot_ != kSharedSlot) [[likely]] {
      lane.exchange(lane.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
    } else {
      lane.fetch_add(1, std::memory_order_seq_cst);
    }
    open_ = !subscriber.closed.load(std::memory_order_seq_cst);
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;
  ~Entered() {
    EventSubscriber& subscriber = *frame_.subscriber;
    calls = frame_.outer;
    auto& lane = subscriber.running[slot_].value;
    if (slot_ != kSharedSlot) [[likely]] {
      lane.store(lane.load(std::memory_order_relaxed) - 1, std::memory_order_release);
    } else {
      lane.fetch_sub(1, std::memory_order_release);
    }
    if (frame_.finish) subscriber.finish();
  }

  // Whether the subscription still holds.
  bool open() const noexcept { return open_; }

 private:
  unsigned slot_;
  CallFrame frame_;
  bool open_;
};

}  // namespace

void EventSubscriber::take(const void* event) noexcept {
  {
    const std::lock_guard lock(mutex);
    if (waiting.size() >= capacity) {
      drop();
      return;
    }
  }
  void* copy = nullptr;
  bool start = false;
  try {
    copy = copier.copy(event);
    const std::lock_guard lock(mutex);
    if (waiting.size() < capacity) {
      waiting.push_back(copy);
      copy = nullptr;
      start = !std::exchange(scheduled, true);
    } else {
      drop();
    }
  } catch (...) {
    failed();
  }
  if (copy != nullptr) copier.destroy(copy);
  if (start) schedule();
}

// Gives the executor a job. If it throws, the next event tries again.
void EventSubscriber::schedule() noexcept {
  try {
    executor([self = shared_from_this()] { self->drain(); });
  } catch (...) {
    failed();
    const std::lock_guard lock(mutex);
    scheduled = false;
  }
}

void EventSubscriber::drain() noexcept {
  // An executor may run the job at once, within the job that asked for it: then that one goes on.
  for (DrainFrame* frame = drains; frame != nullptr; frame = frame->outer) {
    if (frame->subscriber == this) {
      frame->again = true;
      return;
    }
  }
  const auto self = shared_from_this();  // whatever the executor does with the job
  DrainFrame frame{this, drains};
  drains = &frame;
  do {
    frame.again = false;
    bool more = true;
    for (int i = 0; i < kDeliveriesPerJob && more; ++i) {
      const Entered entered(*this);
      void* event = nullptr;
      {
        const std::lock_guard lock(mutex);
        if (entered.open() && !waiting.empty()) {
          event = waiting.front();
          waiting.pop_front();
        } else {
          scheduled = false;
          more = false;
        }
      }
      if (event == nullptr) break;
      deliver(event);
      copier.destroy(event);
    }
    if (!more) break;
    const Entered entered(*this);
    if (entered.open()) schedule();
  } while (frame.again);
  drains = frame.outer;
}

void EventSubscriber::wait_for_others(std::uint32_t own_calls) const noexcept {
  const unsigned own = thread_slot();
  for (unsigned slot = 0; slot <= kSharedSlot; ++slot) {
    if (slot == own && own != kSharedSlot) continue;
    const std::uint32_t allowed = slot == own ? own_calls : 0;
    for (int tries = 0; running[slot].value.load(std::memory_order_seq_cst) != allowed; ++tries) {
      if (tries < 100) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }
}

namespace {

using List = std::vector<std::shared_ptr<EventSubscriber>>;

struct Channel : EventChannelCore {
  EventBusState* bus = nullptr;
  std::atomic<const List*> list{nullptr};
};

}  // namespace

struct EventBusState {
  explicit EventBusState(Stats* stats) : totals(std::make_shared<Totals>(stats)) {}
  ~EventBusState() {
    for (auto& [name, channel] : channels) delete channel->list.load(std::memory_order_relaxed);
  }

  struct Retired {
    std::unique_ptr<const List> list;
    std::uint64_t epoch;
  };

  Channel& channel(const std::type_info& type);
  void replace(Channel& channel, std::unique_ptr<const List> list);
  std::vector<Retired> reclaim();

  std::mutex mutex;
  // The key is a copy: the name in the type_info leaves with the module that defines the type.
  std::map<std::string, std::unique_ptr<Channel>, std::less<>> channels;
  std::vector<Retired> retired;

  std::atomic<std::uint64_t> epoch{1};
  std::array<Lane<std::uint64_t>, kThreadSlots> publishing;  // epoch of the start, or 0
  Lane<std::uint64_t> publishing_shared;                     // how many

  const std::shared_ptr<Totals> totals;
};

Channel& EventBusState::channel(const std::type_info& type) {
  std::string name = type.name();
  if (name.find("_GLOBAL__N_") != std::string::npos) {
    // Types of unnamed namespaces share their names; they are the same only at the same address.
    name += "@" + std::to_string(reinterpret_cast<std::uintptr_t>(&type));
  }
  const std::lock_guard lock(mutex);
  std::unique_ptr<Channel>& found = channels[std::move(name)];
  if (found == nullptr) {
    found = std::make_unique<Channel>();
    found->bus = this;
  }
  return *found;
}

// Under the mutex.
void EventBusState::replace(Channel& channel, std::unique_ptr<const List> list) {
  retired.emplace_back();  // before anything changes, as it may throw
  channel.active.store(list != nullptr, std::memory_order_relaxed);
  retired.back().list.reset(channel.list.exchange(list.release(), std::memory_order_seq_cst));
  retired.back().epoch = epoch.fetch_add(1, std::memory_order_seq_cst);
}

// Under the mutex. Returns the lists that nobody can see any more, to be destroyed without it.
std::vector<EventBusState::Retired> EventBusState::reclaim() {
  std::uint64_t oldest =
      publishing_shared.value.load(std::memory_order_seq_cst) == 0 ? UINT64_MAX : 0;
  for (const auto& lane : publishing) {
    const std::uint64_t started = lane.value.load(std::memory_order_seq_cst);
    if (started != 0) oldest = std::min(oldest, started);
  }
  std::vector<Retired> unseen;
  for (Retired& old : retired) {
    if (old.epoch < oldest) unseen.push_back(std::move(old));
  }
  std::erase_if(retired, [](const Retired& old) { return old.list == nullptr; });
  return unseen;
}

void event_publish(EventChannelCore& core, const void* event) noexcept {
  Channel& channel = static_cast<Channel&>(core);
  if (!channel.active.load(std::memory_order_relaxed)) return;
  EventBusState& bus = *channel.bus;

  // A publish() inside a callback is covered by the one around it.
  PublishFrame* outer = publishes;
  while (outer != nullptr && outer->bus != &bus) outer = outer->outer;
  const unsigned slot = thread_slot();
  PublishFrame frame{&bus, publishes};
  if (outer == nullptr) {
    publishes = &frame;
    if (slot != kSharedSlot) [[likely]] {
      bus.publishing[slot].value.exchange(bus.epoch.load(std::memory_order_seq_cst),
                                          std::memory_order_seq_cst);
    } else {
      bus.publishing_shared.value.fetch_add(1, std::memory_order_seq_cst);
    }
  }

  if (const List* list = channel.list.load(std::memory_order_seq_cst); list != nullptr) {
    for (const auto& subscriber : *list) {
      const Entered entered(*subscriber);
      if (!entered.open()) continue;
      if (subscriber->queued) {
        subscriber->take(event);
      } else {
        subscriber->deliver(event);
      }
    }
  }

  if (outer == nullptr) {
    publishes = frame.outer;
    if (slot != kSharedSlot) [[likely]] {
      bus.publishing[slot].value.store(0, std::memory_order_release);
    } else {
      bus.publishing_shared.value.fetch_sub(1, std::memory_order_release);
    }
  }
}

}  // namespace detail

using detail::CallFrame;
using detail::EventBusState;
using detail::EventSubscriber;
using detail::List;

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  if (this != &other) {
    unsubscribe();
    bus_ = std::move(other.bus_);
    subscriber_ = std::move(other.subscriber_);
  }
  return *this;
}

Subscription::~Subscription() { unsubscribe(); }

void Subscription::unsubscribe() noexcept {
  const auto bus = std::move(bus_);
  const auto subscriber = std::move(subscriber_);
  if (subscriber == nullptr) return;
  subscriber->closed.store(true, std::memory_order_seq_cst);
  std::vector<EventBusState::Retired> unseen;
  {
    const std::lock_guard lock(bus->mutex);
    detail::Channel& channel = *subscriber->channel;
    const List* old = channel.list.load(std::memory_order_relaxed);
    std::unique_ptr<List> rest;
    for (const auto& other : *old) {
      if (other == subscriber) continue;
      if (rest == nullptr) rest = std::make_unique<List>();
      rest->push_back(other);
    }
    bus->replace(channel, std::move(rest));
    unseen = bus->reclaim();
  }

  std::uint32_t own_calls = 0;
  CallFrame* outermost = nullptr;
  for (CallFrame* frame = detail::calls; frame != nullptr; frame = frame->outer) {
    if (frame->subscriber != subscriber.get()) continue;
    ++own_calls;
    outermost = frame;
  }
  subscriber->wait_for_others(own_calls);
  if (outermost != nullptr) {
    outermost->finish = true;
  } else {
    subscriber->finish();
  }
}

std::uint64_t Subscription::failures() const noexcept {
  return subscriber_ == nullptr ? 0 : subscriber_->failures.load(std::memory_order_relaxed);
}

std::uint64_t Subscription::dropped() const noexcept {
  return subscriber_ == nullptr ? 0 : subscriber_->dropped.load(std::memory_order_relaxed);
}

EventBus::EventBus(Stats* stats) : state_(std::make_shared<EventBusState>(stats)) {}
EventBus::~EventBus() = default;

detail::EventChannelCore& EventBus::core(const std::type_info& type) {
  return state_->channel(type);
}

Subscription EventBus::add(const std::type_info& type, std::function<void(const void*)> callback,
                           EventQueue* queue, detail::EventCopier copier) {
  auto subscriber = std::make_shared<EventSubscriber>();
  subscriber->callback = std::move(callback);
  subscriber->copier = copier;
  subscriber->totals = state_->totals;
  subscriber->channel = &state_->channel(type);
  if (queue != nullptr) {
    subscriber->queued = true;
    subscriber->executor = std::move(queue->executor);
    subscriber->capacity = queue->capacity;
  }
  std::vector<EventBusState::Retired> unseen;
  {
    const std::lock_guard lock(state_->mutex);
    const List* old = subscriber->channel->list.load(std::memory_order_relaxed);
    auto list = old == nullptr ? std::make_unique<List>() : std::make_unique<List>(*old);
    list->push_back(subscriber);
    state_->replace(*subscriber->channel, std::move(list));
    unseen = state_->reclaim();
  }
  Subscription subscription;
  subscription.bus_ = state_;
  subscription.subscriber_ = std::move(subscriber);
  return subscription;
}

std::uint64_t EventBus::failures() const noexcept {
  return state_->totals->failures.load(std::memory_order_relaxed);
}

std::uint64_t EventBus::dropped() const noexcept {
  return state_->totals->dropped.load(std::memory_order_relaxed);
}

}  // namespace settee::inline v0
