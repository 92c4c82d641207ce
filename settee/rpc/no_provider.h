// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// NoProvider: why a call found no address to go to: every address that was seen, and the step that
// dropped it. The detail of each Error of code kNoProvider that a reference's call ends with; the
// error's message says the same in one line.
//
//   if (const auto* why = error.detail<rpc::NoProvider>()) std::cerr << why->table();
//
// Threads: a constant value.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "settee/base/error.h"
#include "settee/base/export.h"

namespace settee::inline v0::rpc {

/// The steps at which an address is dropped, in their order.
enum class RouteStep : std::uint8_t {
  kProtocol,  ///< It speaks another protocol than the reference.
  kUniqueId,  ///< It is published under another uniqueId,
  kVersion,   ///< or another version.
  kRouter,    ///< A router dropped it; the reason begins with the router's name.
  kBreaker,   ///< Its circuit breaker is open.
  kConnect,   ///< No connection could be made.
  kBusy,      ///< It was called and said that it is busy or leaves.
  kTimeout,   ///< It was called and did not answer in time.
  kLost,      ///< It was called and the connection ended.
};
/// "protocol", "uniqueId", "version", ... Never null.
SETTEE_API const char* to_string(RouteStep step) noexcept;

/// An address that the call did not go to, or did not come back from.
struct Dropped {
  std::string address;
  RouteStep step{};
  std::string reason;
};

class SETTEE_API NoProvider final : public ErrorDetail {
 public:
  NoProvider(std::string service_name, std::string where, std::vector<Dropped> all)
      : service(std::move(service_name)), source(std::move(where)), dropped(std::move(all)) {}
  ~NoProvider() override;

  const std::string service;           ///< Unique name.
  const std::string source;            ///< Where addresses come from, and what is known of it.
  const std::vector<Dropped> dropped;  ///< Empty: no address was ever seen.

  /// One line for the service and one for each address, each ended by a line feed.
  std::string table() const;
};

}  // namespace settee::inline v0::rpc
