// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <chrono>

#include "settee/base/context.h"

namespace settee::inline v0::http {

/// So many at once, and then `rate` a second.
class Allowance {
 public:
  Allowance(std::size_t burst, double rate, TimePoint now) noexcept
      : burst_(static_cast<double>(burst)), rate_(rate), left_(burst_), seen_(now) {}
  bool take(TimePoint now) noexcept {
    left_ = std::min(burst_, left_ + rate_ * std::chrono::duration<double>(now - seen_).count());
    seen_ = now;
    left_ -= 1;
    return left_ >= 0;
  }

 private:
  double burst_;
  double rate_;
  double left_;
  TimePoint seen_;
};

}  // namespace settee::inline v0::http
