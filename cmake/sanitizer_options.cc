// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Defaults of the sanitizer run times, linked into every program of a sanitizer build. The usual
// variables (ASAN_OPTIONS and so on) still override them.

#define SETTEE_SANITIZER_HOOK extern "C" __attribute__((visibility("default"), used)) const char*

SETTEE_SANITIZER_HOOK __asan_default_options() {
  return "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:"
         "detect_leaks=1:abort_on_error=0";
}

SETTEE_SANITIZER_HOOK __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }

SETTEE_SANITIZER_HOOK __tsan_default_options() {
  return "halt_on_error=1:second_deadlock_stack=1:history_size=4";
}

// A std::exception_ptr is counted inside libstdc++, which is not instrumented: when two threads share
// one, as the ends of a std::future do, the thread sanitizer does not see that the last owner waits
// for the others.
SETTEE_SANITIZER_HOOK __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}
