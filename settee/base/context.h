// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Context: what travels with a piece of work: its deadline, its cancellation, the active trace span
// and typed values such as baggage. It is immutable; each with_... makes a new one that begins with
// this one's content.
//
//   Context work = context().with_timeout(50ms);
//   inline constexpr ContextKey<std::string> kTenant{"tenant"};
//   ContextScope scope(work.with(kTenant, "acme"));   // for code in a plain thread
//   *context().get(kTenant) == "acme";
//
// Inside a Task the context is that of whoever started or awaited it; nothing needs to be passed.
//
// Threads: a Context is a shared pointer to constant data: copy and read it from any thread. The
// current context belongs to the thread; the Task machinery sets it at each resume.

#pragma once

#include <atomic>
#include <chrono>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "settee/base/error.h"
#include "settee/base/export.h"
#include "settee/base/result.h"

namespace settee::inline v0 {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

/// The deadline of work that has none.
inline constexpr TimePoint kNoDeadline = TimePoint::max();

namespace detail {
SETTEE_API void* item_allocate(std::size_t size);
SETTEE_API void item_free(void* item, std::size_t size) noexcept;
}  // namespace detail

/// Something a Context can own; counted, deleted with the last Context that holds it.
class SETTEE_API ContextItem {
 public:
  ContextItem() noexcept = default;
  ContextItem(const ContextItem&) = delete;
  ContextItem& operator=(const ContextItem&) = delete;
  virtual ~ContextItem();

  static void* operator new(std::size_t size) { return detail::item_allocate(size); }
  static void operator delete(void* item, std::size_t size) noexcept {
    detail::item_free(item, size);
  }

  void retain() const noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  void release() const noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  mutable std::atomic<std::uint32_t> owners_{1};
};

/// The item that a server begins a Context with: by it the work under that Context, and under all made
/// from it, can be cancelled. Costs nothing until somebody asks for a stop token or cancels.
/// Threads: all members from any thread.
class SETTEE_API CancelItem : public ContextItem {
 public:
  ~CancelItem() override {
    if (std::stop_source* source = source_.load(std::memory_order_acquire)) drop(source);
  }
  void cancel() const noexcept;
  bool cancelled() const noexcept;
  std::stop_token stop_token() const;

 private:
  static void drop(std::stop_source* source) noexcept;
  // Null: nobody has asked so far. Or kCancelled: it was cancelled before anybody did.
  mutable std::atomic<std::stop_source*> source_{nullptr};
};

/// Names a typed value of a Context. Its identity is its address: define it once, with
/// `inline constexpr` in a program or as an exported constant of a library.
template <class T>
struct ContextKey {
  const char* name;
  constexpr explicit ContextKey(const char* key_name) : name(key_name) {}
  ContextKey(const ContextKey&) = delete;
};

namespace detail {
struct ContextNode;
SETTEE_API void context_retain(const ContextNode* node) noexcept;
SETTEE_API void context_release(const ContextNode* node) noexcept;

template <class T>
class ContextValue final : public ContextItem {
 public:
  explicit ContextValue(T v) : value(std::move(v)) {}
  T value;
};
}  // namespace detail

class SETTEE_API Context {
 public:
  /// The empty context: no deadline, never cancelled, no values.
  Context() noexcept = default;
  Context(const Context& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) detail::context_retain(node_);
  }
  Context(Context&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Context& operator=(Context other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Context() {
    if (node_ != nullptr) detail::context_release(node_);
  }

  TimePoint deadline() const noexcept;
  bool expired(TimePoint now = Clock::now()) const noexcept { return deadline() <= now; }
  /// The earlier of `deadline` and this context's own holds.
  Context with_deadline(TimePoint deadline) const;
  Context with_timeout(Duration timeout) const { return with_deadline(Clock::now() + timeout); }

  /// Requested to stop? Work looks at it, or registers a std::stop_callback on stop_token().
  bool cancelled() const noexcept;
  std::stop_token stop_token() const noexcept;
  /// `token` replaces this context's own; make it with CancelSource to keep both.
  Context with_stop_token(std::stop_token token) const;

  /// The active span, owned by the tracer; null without one. Opaque to everybody else.
  ContextItem* span() const noexcept;
  /// Takes over the caller's ownership of `span`.
  Context with_span(ContextItem* span) const;

  template <class T>
  Context with(const ContextKey<T>& key, std::type_identity_t<T> value) const {
    return with_item(&key, new detail::ContextValue<T>(std::move(value)));
  }
  /// The value, valid as long as a Context that holds it; null if there is none.
  template <class T>
  const T* get(const ContextKey<T>& key) const noexcept {
    const ContextItem* found = item(&key);
    return found == nullptr ? nullptr
                            : &static_cast<const detail::ContextValue<T>*>(found)->value;
  }

  /// The error that work under this context should end with now, if any (cancelled or expired).
  /// `what` names the work in its message.
  Result<void> check(std::string_view what) const;

  /// A new root with a deadline and one value, in one step. For servers, where work begins. Takes
  /// over the ownership of `item`.
  static Context begin(TimePoint deadline, const void* key, ContextItem* item);
  /// The same; `item` can cancel it.
  static Context begin(TimePoint deadline, const void* key, CancelItem* item);

  /// The item under a key, by the key's address; see get().
  const ContextItem* item(const void* key) const noexcept;

  /// For the Task machinery.
  static Context adopt(const detail::ContextNode* node) noexcept {
    Context context;
    context.node_ = node;
    return context;
  }
  static Context share(const detail::ContextNode* node) noexcept {
    if (node != nullptr) detail::context_retain(node);
    return adopt(node);
  }
  const detail::ContextNode* node() const noexcept { return node_; }
  const detail::ContextNode* release() noexcept { return std::exchange(node_, nullptr); }

 private:
  Context with_item(const void* key, ContextItem* item) const;
  const detail::ContextNode* node_ = nullptr;
};

/// The context of the code that runs now on this thread.
SETTEE_API Context context() noexcept;

/// Makes `context` the current one of a plain thread until the scope ends. Not for use across a
/// co_await: there, the Task carries its context.
class SETTEE_API ContextScope {
 public:
  explicit ContextScope(Context context) noexcept;
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;
  ~ContextScope();

 private:
  Context context_;
  const detail::ContextNode* previous_;
};

/// Cancels work: what runs under `source.context()` is asked to stop by `cancel()`, or when the
/// context it was made from is cancelled. Threads: all members from any thread.
class SETTEE_API CancelSource {
 public:
  explicit CancelSource(const Context& parent = settee::context());
  ~CancelSource();
  CancelSource(const CancelSource&) = delete;
  CancelSource& operator=(const CancelSource&) = delete;

  const Context& context() const noexcept { return context_; }
  void cancel() noexcept;

 private:
  struct Forward {
    std::stop_source source;
    void operator()() noexcept;
  };
  std::stop_source source_;
  std::stop_callback<Forward> forward_;
  Context context_;
};

}  // namespace settee::inline v0
