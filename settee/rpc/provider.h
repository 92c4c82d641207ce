// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ServiceKey: which service. Provider: one address that offers it, as a url in a registry or in a
// list of direct addresses says:
//
//   bolt://10.0.0.1:12200?weight=50&appName=shop
//
// The attributes are SOFARPC's: weight, rpcVer, serialization, timeout, appName, uniqueId,
// startTime, warmupTime, warmupWeight and what else a provider says of itself.
//
// Threads: plain values.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/export.h"
#include "settee/base/result.h"
#include "settee/net/endpoint.h"
#include "settee/rpc/attributes.h"

namespace settee::inline v0::rpc {

struct ServiceKey {
  std::string interface_name;
  std::string version = "1.0";
  std::string unique_id = {};
  std::string protocol = "bolt";

  /// interface:version[:unique_id]
  SETTEE_API std::string unique_name() const;
  friend auto operator<=>(const ServiceKey&, const ServiceKey&) = default;
};

struct Provider {
  using Attributes = rpc::Attributes;

  std::string protocol = "bolt";
  net::Endpoint endpoint;
  std::string path;  ///< Without the first slash.
  Attributes attributes;

  /// "[protocol://]host[:port][/path][?key=value&...]", with "[v6]" or "unix:/path" for the host.
  /// The protocol is bolt without one; the port then is 12200, and 80 for other protocols, as in
  /// SOFARPC (which takes 80 for bolt too). Path, keys and values may be percent-encoded; a '%'
  /// without two hex digits is itself, as Java's urls are not encoded. A key without '=' has an
  /// empty value; of one that is there twice the last counts. An Error (kInvalidArgument) names the
  /// url and what is wrong with it.
  SETTEE_API static Result<Provider> parse(std::string_view url);
  /// The url, which parse() reads back. What a url gives special meaning is percent-encoded in path
  /// and attributes, and so are ',' and ';', which separate the urls of a list.
  SETTEE_API std::string to_string() const;

  /// Empty if there is none.
  SETTEE_API std::string_view attribute(std::string_view name) const noexcept;
  /// The attribute as a number; `otherwise` if there is none, or it is none.
  SETTEE_API std::int64_t number(std::string_view name, std::int64_t otherwise) const noexcept;
  /// Attribute weight, 100 without one, never below 0.
  SETTEE_API int weight() const noexcept;

  /// Why it does not serve calls of `key`: another protocol, uniqueId or version (which counts if it
  /// says one). Empty: it does.
  SETTEE_API std::string why_not(const ServiceKey& key) const;

  /// The same provider, whatever its weight: protocol, address, path, uniqueId, version,
  /// serialization and rpcVer agree. (One server offers an interface under several uniqueIds at the
  /// same address.)
  SETTEE_API bool same_as(const Provider& other) const noexcept;
  friend bool operator==(const Provider&, const Provider&) = default;
};

/// All of a service, as somebody knows them at a time.
using Providers = std::vector<Provider>;

}  // namespace settee::inline v0::rpc
