// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A user's program against the installed Settee. It runs what each installed component is for, and
// prints one line per component that worked.

#include <cstdio>
#include <string>

#include "settee/base/result.h"
#include "settee/base/task.h"

namespace {

settee::Task<int> twice(int value) { co_return 2 * value; }

settee::Task<int> six() {
  const int two = co_await twice(1);
  const int four = co_await twice(two);
  co_return two + four;
}

bool try_base() { return six().get() == 6; }

}  // namespace

int main() {
  if (!try_base()) {
    std::fprintf(stderr, "consumer: base does not work\n");
    return 1;
  }
  std::puts("consumer: base works");
  return 0;
}
