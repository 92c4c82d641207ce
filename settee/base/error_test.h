// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// For tests: the Error with which a task ends. A task that gives a result instead fails the test.

#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "settee/base/runtime.h"
#include "settee/base/task.h"

namespace settee {

template <class F>
Error error_when(F act) {
  try {
    act();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no Error came";
  return Error(Code::kUnknown, "no Error came");
}

/// Waits for it on this thread.
template <class T>
Error error_of(Task<T> task) {
  return error_when([&] { static_cast<void>(std::move(task).get()); });
}
/// Runs it on a loop.
template <class T>
Error error_of(Runtime& runtime, Task<T> task) {
  return error_when([&] { static_cast<void>(runtime.run(std::move(task))); });
}

}  // namespace settee
