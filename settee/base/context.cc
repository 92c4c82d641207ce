// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/context.h"

#include <algorithm>
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
    node->span = parent->span;
    if (node->span != nullptr) node->span->retain();
  }
  return node;
}

}  // namespace

ContextItem::~ContextItem() = default;

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
  return node_ != nullptr && node_->stop.stop_requested();
}

std::stop_token Context::stop_token() const noexcept {
  return node_ == nullptr ? std::stop_token() : node_->stop;
}

Context Context::with_stop_token(std::stop_token token) const {
  ContextNode* node = extend(node_);
  node->stop = std::move(token);
  return adopt(node);
}

ContextItem* Context::span() const noexcept { return node_ == nullptr ? nullptr : node_->span; }

Context Context::with_span(ContextItem* span) const {
  ContextNode* node = extend(node_);
  if (node->span != nullptr) node->span->release();
  node->span = span;
  return adopt(node);
}

Context Context::begin(TimePoint deadline, const void* key, ContextItem* item) {
  ContextNode* node = extend(nullptr);
  node->deadline = deadline;
  node->key = key;
  node->item = item;
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
  if (node_->stop.stop_requested()) {
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

void CancelSource::cancel() noexcept {
  std::stop_source(source_).request_stop();
}

void CancelSource::Forward::operator()() noexcept {
  std::stop_source(source).request_stop();
}

}  // namespace settee::inline v0
