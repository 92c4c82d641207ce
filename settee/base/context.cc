// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/context.h"

#include <algorithm>
#include <memory>
#include <new>

#include "settee/base/internal/pool.h"
#include "settee/base/internal/thread_state.h"

namespace settee::inline v0 {

namespace detail {

thread_local constinit ThreadState thread_state;

// Each node repeats the fixed slots, so that reading them never walks; typed values are found by
// walking the parents.
struct ContextNode {
  mutable std::atomic<std::uint32_t> owners{1};
  const ContextNode* parent = nullptr;
  TimePoint deadline = kNoDeadline;
  std::stop_token stop;
  ContextItem* span = nullptr;
  const void* key = nullptr;
  ContextItem* item = nullptr;
  const CancelItem* cancel = nullptr;  // the root's item, unless `stop` is in its place
};

void* item_allocate(std::size_t size) { return pool_allocate(size); }
void item_free(void* item, std::size_t size) noexcept { pool_free(item, size); }

void context_retain(const ContextNode* node) noexcept {
  node->owners.fetch_add(1, std::memory_order_relaxed);
}

void context_release(const ContextNode* node) noexcept {
  while (node != nullptr && (node->owners.load(std::memory_order_acquire) == 1 ||
                             node->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)) {
    const ContextNode* parent = node->parent;
    if (node->span != nullptr) node->span->release();
    if (node->item != nullptr) node->item->release();
    auto* memory = const_cast<ContextNode*>(node);
    memory->~ContextNode();
    pool_free(memory, sizeof(ContextNode));
    node = parent;
  }
}

}  // namespace detail

using detail::ContextNode;
using detail::thread_state;

namespace {

ContextNode* extend(const ContextNode* parent) {
  auto* node = new (detail::pool_allocate(sizeof(ContextNode))) ContextNode();
  if (parent != nullptr) {
    detail::context_retain(parent);
    node->parent = parent;
    node->deadline = parent->deadline;
    node->stop = parent->stop;
    node->cancel = parent->cancel;
    node->span = parent->span;
    if (node->span != nullptr) node->span->retain();
  }
  return node;
}

}  // namespace

ContextItem::~ContextItem() = default;

namespace {

// Stands for a source that has been asked to stop.
std::stop_source* const kCancelled = reinterpret_cast<std::stop_source*>(1);

}  // namespace

void CancelItem::drop(std::stop_source* source) noexcept {
  if (source != kCancelled) delete source;
}

void CancelItem::cancel() const noexcept {
  std::stop_source* source = nullptr;
  if (source_.compare_exchange_strong(source, kCancelled, std::memory_order_acq_rel) ||
      source == kCancelled) {
    return;
  }
  // What is cancelled may end the life of this: a copy lasts until all have been told.
  std::stop_source(*source).request_stop();
}

bool CancelItem::cancelled() const noexcept {
  const std::stop_source* source = source_.load(std::memory_order_acquire);
  return source != nullptr && (source == kCancelled || source->stop_requested());
}

std::stop_token CancelItem::stop_token() const {
  std::stop_source* source = source_.load(std::memory_order_acquire);
  if (source == nullptr) {
    auto made = std::make_unique<std::stop_source>();
    if (source_.compare_exchange_strong(source, made.get(), std::memory_order_acq_rel)) {
      return made.release()->get_token();
    }
  }
  if (source != kCancelled) return source->get_token();
  std::stop_source stopped;
  stopped.request_stop();
  return stopped.get_token();
}

TimePoint Context::deadline() const noexcept {
  return node_ == nullptr ? kNoDeadline : node_->deadline;
}

Context Context::with_deadline(TimePoint deadline) const {
  if (deadline >= this->deadline()) return *this;
  ContextNode* node = extend(node_);
  node->deadline = deadline;
  return adopt(node);
}

bool Context::cancelled() const noexcept {
  if (node_ == nullptr) return false;
  return node_->cancel != nullptr ? node_->cancel->cancelled() : node_->stop.stop_requested();
}

std::stop_token Context::stop_token() const noexcept {
  if (node_ == nullptr) return {};
  return node_->cancel != nullptr ? node_->cancel->stop_token() : node_->stop;
}

Context Context::with_stop_token(std::stop_token token) const {
  ContextNode* node = extend(node_);
  node->stop = std::move(token);
  node->cancel = nullptr;
  return adopt(node);
}

ContextItem* Context::span() const noexcept { return node_ == nullptr ? nullptr : node_->span; }

Context Context::with_span(ContextItem* span) const {
  ContextNode* node = extend(node_);
  if (node->span != nullptr) node->span->release();
  node->span = span;
  return adopt(node);
}

namespace {

ContextNode* begin_node(TimePoint deadline, const void* key, ContextItem* item) {
  ContextNode* node = extend(nullptr);
  node->deadline = deadline;
  node->key = key;
  node->item = item;
  return node;
}

}  // namespace

Context Context::begin(TimePoint deadline, const void* key, ContextItem* item) {
  return adopt(begin_node(deadline, key, item));
}

Context Context::begin(TimePoint deadline, const void* key, CancelItem* item) {
  ContextNode* node = begin_node(deadline, key, item);
  node->cancel = item;
  return adopt(node);
}

Context Context::with_item(const void* key, ContextItem* item) const {
  ContextNode* node = extend(node_);
  node->key = key;
  node->item = item;
  return adopt(node);
}

const ContextItem* Context::item(const void* key) const noexcept {
  for (const ContextNode* node = node_; node != nullptr; node = node->parent) {
    if (node->key == key) return node->item;
  }
  return nullptr;
}

Result<void> Context::check(std::string_view what) const {
  if (node_ == nullptr) return {};
  if (cancelled()) {
    return Error(Code::kCancelled, std::string(what) + ": cancelled by the caller");
  }
  if (node_->deadline != kNoDeadline && node_->deadline <= Clock::now()) {
    return Error(Code::kTimeout, std::string(what) + ": the deadline has passed");
  }
  return {};
}

Context context() noexcept { return Context::share(thread_state.context); }

ContextScope::ContextScope(Context context) noexcept
    : context_(std::move(context)),
      previous_(std::exchange(thread_state.context, context_.node())) {}

ContextScope::~ContextScope() { thread_state.context = previous_; }

CancelSource::CancelSource(const Context& parent)
    : forward_(parent.stop_token(), Forward{source_}),
      context_(parent.with_stop_token(source_.get_token())) {}

CancelSource::~CancelSource() = default;

// What is cancelled may end the life of the source: a copy lasts until all have been told.

void CancelSource::cancel() noexcept { std::stop_source(source_).request_stop(); }

void CancelSource::Forward::operator()() noexcept { std::stop_source(source).request_stop(); }

}  // namespace settee::inline v0
