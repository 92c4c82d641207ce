// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Router: says which of the known addresses a call may go to, before one of them is chosen. Routers
// of a reference are asked one after the other; who drops an address says why, and that is what the
// caller is told if none is left.
//
//   ReferOptions options;
//   options.routers.push_back(tag_router());                       // by the call's baggage "tag"
//   options.routers.push_back(rule_router({canary}));
//
// What a router answers is kept for all calls with the same key, until the addresses change: a
// call pays for a router's key() only.
//
// Threads: all members of a Router may be called by several threads at once.

#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/export.h"
#include "settee/rpc/call.h"
#include "settee/rpc/provider.h"

namespace settee::inline v0::rpc {

/// What a router knows of a call.
struct RoutedCall {
  std::string_view service;
  std::string_view method;
  const Baggage* baggage = nullptr;  ///< Of the request; null if there is none.

  /// Empty if there is none.
  std::string_view entry(std::string_view name) const;
};

class SETTEE_API Router {
 public:
  virtual ~Router();
  /// In messages, and in the record of a call's way.
  virtual std::string_view name() const noexcept = 0;
  /// What this router goes by for the call, e.g. a tag. Few different ones: more than 64 of a
  /// reference are worked out anew for each call.
  virtual std::string key(const RoutedCall& call) const;
  /// For each of `candidates`, in their order: empty, or why calls of that key do not go there.
  virtual std::vector<std::string> drop(std::string_view key,
                                        std::span<const Provider* const> candidates) const = 0;
};

/// Calls whose baggage has the entry `name` go to providers whose attribute `name` is the same, and
/// others to providers without it. With `strict` false, calls for whose tag there is no provider go
/// to those without the attribute.
SETTEE_API std::shared_ptr<Router> tag_router(std::string name = "tag", bool strict = false);

/// Which calls, and where they go. The first rule that fits a call decides.
struct RouteRule {
  struct Destination {
    Provider::Attributes attributes =
        {};            ///< All of these, with these values. Empty: any provider.
    int weight = 100;  ///< The share of calls, among the rule's destinations.
  };
  std::string name = {};                  ///< In messages.
  std::vector<std::string> methods = {};  ///< Empty: all.
  Baggage baggage = {};                   ///< Entries that the call must have.
  std::vector<Destination> to = {};
  bool strict = true;  ///< False: where no provider fits the destination, any will do.
};
/// Throws an Error (kInvalidArgument) that names the rule without a destination, or with weights that
/// are below 0 or all 0.
SETTEE_API std::shared_ptr<Router> rule_router(std::vector<RouteRule> rules);

}  // namespace settee::inline v0::rpc
