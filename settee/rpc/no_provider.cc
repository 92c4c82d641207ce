// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/no_provider.h"

#include <fmt/format.h>

namespace settee::inline v0::rpc {

NoProvider::~NoProvider() = default;

const char* to_string(RouteStep step) noexcept {
  switch (step) {
    case RouteStep::kProtocol: return "protocol";
    case RouteStep::kUniqueId: return "uniqueId";
    case RouteStep::kVersion: return "version";
    case RouteStep::kRouter: return "router";
    case RouteStep::kBreaker: return "breaker";
    case RouteStep::kConnect: return "connect";
    case RouteStep::kBusy: return "busy";
    case RouteStep::kTimeout: return "timeout";
    case RouteStep::kLost: return "lost";
  }
  return "unknown";
}

std::string NoProvider::table() const {
  std::string text = fmt::format("{}: {}\n", service, source);
  for (const Dropped& one : dropped) {
    text += fmt::format("  {:<24} {:<9} {}\n", one.address, to_string(one.step), one.reason);
  }
  return text;
}

}  // namespace settee::inline v0::rpc
