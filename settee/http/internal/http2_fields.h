// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// FieldList: fields as nghttp2 takes them.

#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "settee/http/internal/characters.h"
#include "settee/http/message.h"

namespace settee::inline v0::http {

/// Fields as HTTP/2 wants them: names in lower case, none of those that belong to a connection. The
/// texts live as long as this.
class FieldList {
 public:
  explicit FieldList(const Headers& headers) {
    std::size_t bytes = 0;
    for (const Headers::Field field : headers) bytes += field.name.size();
    names_.reserve(bytes);
    fields_.reserve(headers.size() + 5);
  }
  void add(std::string_view name, std::string_view value) {
    fields_.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                       reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
                       name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  /// A request's but for Host, which is not among its fields.
  void add_all(const Headers& headers, bool request = false) {
    for (const Headers::Field field : headers) {
      const std::size_t at = names_.size();
      for (const char c : field.name) names_ += lower(c);
      const std::string_view name = std::string_view(names_).substr(at);
      if (name == "proxy-connection" || (request && !is_for_request(name, field.value))) continue;
      add(name, field.value);
    }
  }
  const nghttp2_nv* data() const noexcept { return fields_.data(); }
  std::size_t size() const noexcept { return fields_.size(); }

 private:
  static bool is_for_request(std::string_view name, std::string_view value) {
    for (const std::string_view one :
         {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "upgrade"}) {
      if (name == one) return false;
    }
    return name != "te" || value == "trailers";
  }

  std::byte room_[1024];  // enough for most
  std::pmr::monotonic_buffer_resource memory_{room_, sizeof room_};
  std::pmr::string names_{&memory_};  // never grows beyond what was reserved
  std::pmr::vector<nghttp2_nv> fields_{&memory_};
};

}  // namespace settee::inline v0::http
