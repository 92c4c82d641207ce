// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The frames of the floor: u32 length of what follows, u32 id, payload; host byte order.
#pragma once

#include <string>
#include <string_view>

#include "bench/common.h"

namespace bench {

class FloorProtocol {
 public:
  explicit FloorProtocol(int payload) : request_(kHead + static_cast<std::size_t>(payload), 'x') {
    const auto length = static_cast<std::uint32_t>(request_.size() - sizeof(std::uint32_t));
    std::memcpy(request_.data(), &length, sizeof length);
  }

  std::size_t frame_size(const char* data, std::size_t size) const {
    std::uint32_t length = 0;
    if (size < sizeof length) return 0;
    std::memcpy(&length, data, sizeof length);
    return sizeof length + length;
  }

  bool answer(std::string_view frame, std::string& out) const {
    out.append(frame);
    return true;
  }

  void call(std::string& out, std::uint32_t id) const {
    const std::size_t begin = out.size();
    out.append(request_);
    std::memcpy(out.data() + begin + sizeof id, &id, sizeof id);
  }

  const char* check(std::string_view frame, std::uint32_t& id) const {
    if (frame.size() != request_.size()) return "its length is not that of the request";
    std::memcpy(&id, frame.data() + sizeof id, sizeof id);
    return nullptr;
  }

 private:
  static constexpr std::size_t kHead = 2 * sizeof(std::uint32_t);
  std::string request_;
};

}  // namespace bench
