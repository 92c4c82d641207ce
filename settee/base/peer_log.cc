// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/detail/peer_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "settee/base/runtime.h"

namespace settee::inline v0::detail {

std::string printable(std::string_view text, std::size_t most) {
  std::string line;
  for (const char c : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  if (text.size() > most) line += fmt::format("... ({} bytes more)", text.size() - most);
  return line;
}

void PeerLog::warn(std::string_view message) {
  constexpr int kLines = 20;
  constexpr std::size_t kMost = 600;
  int suppressed = 0;
  {
    const std::lock_guard lock(mutex_);
    const TimePoint now = Clock::now();
    if (now - second_ > std::chrono::seconds(1)) {
      suppressed = std::max(0, count_ - kLines);
      second_ = now;
      count_ = 0;
    }
    if (++count_ > kLines) return;
  }
  if (suppressed > 0) {
    runtime_.log(LogLevel::kWarning, component_,
                 fmt::format("{} more such lines left out", suppressed));
  }
  runtime_.log(LogLevel::kWarning, component_, printable(message, kMost));
}

}  // namespace settee::inline v0::detail
