// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// SignalWait: ends a program gracefully on a signal.
//
//   SignalWait signals{SIGTERM, SIGINT};
//   Runtime runtime; Server server{runtime}; ...
//   server.start();
//   signals.get();    // blocks until one of them comes
//   server.stop();    // a second signal meanwhile kills the process at once
//
// Making one is how a program opts in: Settee itself installs no handlers. While it lives it handles
// these signals for the whole process, whatever was done with them before; it changes no thread's
// signal mask. The first signal is kept for get() and gives all of them their default action, so that
// the next one ends the process as if there were no SignalWait. The destructor puts back what was
// there before.
//
// Threads: one SignalWait in a process at a time (Error kMisuse); get() and wait_for() from any thread
// but a loop's, which they would block.

#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>

#include "settee/base/export.h"

namespace settee::inline v0 {

class SETTEE_API SignalWait {
 public:
  /// An Error: kMisuse if there is another one, kInvalidArgument for what is no signal or cannot be
  /// handled (SIGKILL, SIGSTOP).
  explicit SignalWait(std::initializer_list<int> signals);
  ~SignalWait();
  SignalWait(const SignalWait&) = delete;
  SignalWait& operator=(const SignalWait&) = delete;

  /// Blocks until one of the signals has come, and tells which. At once if it has already.
  int get();
  /// The same for at most `time`; none: it has not come.
  std::optional<int> wait_for(std::chrono::milliseconds time);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace settee::inline v0
