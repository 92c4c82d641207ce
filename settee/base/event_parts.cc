// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/event_parts.h"

#include <algorithm>

namespace settee::inline v0 {

EventText::EventText(const EventText& other) {
  if (other.text_.empty()) return;
  owned_ = std::make_unique<char[]>(other.text_.size());
  std::copy(other.text_.begin(), other.text_.end(), owned_.get());
  text_ = std::string_view(owned_.get(), other.text_.size());
}

}  // namespace settee::inline v0
