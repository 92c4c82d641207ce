// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What peers have written, in messages and logs.

#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

#include "settee/base/context.h"
#include "settee/base/export.h"

namespace settee::inline v0 {
class Runtime;
}

namespace settee::inline v0::detail {

/// One line of bounded length for the eyes of an operator, that cannot look like several.
SETTEE_API std::string printable(std::string_view text, std::size_t most);

/// Warnings about peers that did something wrong: at most 20 lines a second, and then how many more.
/// Threads: any.
class SETTEE_API PeerLog {
 public:
  /// `component` must outlive this.
  PeerLog(const Runtime& runtime, std::string_view component) noexcept
      : runtime_(runtime), component_(component) {}
  void warn(std::string_view message);

 private:
  const Runtime& runtime_;
  const std::string_view component_;
  std::mutex mutex_;
  TimePoint second_{};
  int count_ = 0;
};

}  // namespace settee::inline v0::detail
