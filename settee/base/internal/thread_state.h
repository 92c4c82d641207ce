// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a thread knows: its loop, its current context, and the coroutines about to be resumed.

#pragma once

namespace settee::inline v0 {

class Loop;

namespace detail {

struct ContextNode;
struct PromiseBase;
class Signal;

struct ThreadState {
  const ContextNode* context = nullptr;
  PromiseBase* ready = nullptr;  // a stack; see resume_now()
  bool running = false;          // a resume_now() is below us on this thread's stack
  Loop* loop = nullptr;
  Signal* ended = nullptr;       // a list of those to be given; see Signal::set()
};

// Has no destructor, so that a thread's end runs nothing and pins nothing.
extern thread_local constinit ThreadState thread_state;

}  // namespace detail
}  // namespace settee::inline v0
