// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/link_data.h"

#include "settee/http/message.h"

namespace settee::inline v0::rpc {

Baggage baggage_of(const http::Headers& headers, std::string_view prefix) {
  Baggage baggage;
  for (const http::Headers::Field field : headers) {
    if (field.name.size() <= prefix.size() ||
        !http::same_name(field.name.substr(0, prefix.size()), prefix)) {
      continue;
    }
    baggage.insert_or_assign(std::string(field.name.substr(prefix.size())),
                             std::string(field.value));
  }
  return baggage;
}

}  // namespace settee::inline v0::rpc
