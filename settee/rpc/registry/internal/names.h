// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// How SOFARPC's registries write what they list: names of nodes and lines, urls of providers and
// consumers. The formats are those of Java SOFARPC's ZookeeperRegistry and LocalRegistry.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/rpc/registry.h"

namespace settee::inline v0::rpc::registry {

/// As java.net.URLEncoder does with UTF-8: a space is '+', letters, digits and ".-*_" stay.
SETTEE_API std::string url_encode(std::string_view text);
/// The reverse. Takes what encodeURIComponent writes as well. An Error (kDecode) for a '%' without
/// two hexadecimal digits.
SETTEE_API Result<std::string> url_decode(std::string_view text);

/// How the local file calls a service: "interface:version[:unique_id]@DEFAULT" for bolt, with the
/// protocol's name in place of DEFAULT for others.
SETTEE_API std::string data_id(const ServiceKey& key);
/// The reverse; nothing if it has no such form. "interface:@DEFAULT" has an empty version.
SETTEE_API std::optional<ServiceKey> parse_data_id(std::string_view text);

/// `provider` with the attributes that readers of a registry look for and only we know: what `key`
/// says, weight, language, pid, startTime, rpcVer. What it says of itself stays. An Error
/// (kInvalidArgument) if nobody could connect to its address, or it contradicts `key`.
SETTEE_API Result<Provider> announced(const ServiceKey& key, Provider provider);
/// The url under which a registry lists an announced provider, "version" first as in Java.
SETTEE_API std::string listed_url(const Provider& provider);
/// The same for a consumer; `host` is the address of this machine, `id` tells the process's own
/// apart.
SETTEE_API std::string consumer_url(const ServiceKey& key, const ConsumerInfo& consumer,
                                    std::string_view host, std::string_view id);

/// A provider as read, with the attributes under the names that Provider::why_not() knows: what
/// some writers call "default.version" is its version.
SETTEE_API Provider normalised(Provider provider);
/// Whether its writer, or an operator, has switched it off by an attribute: enabled=false,
/// disabled=true, or a category that is not that of providers.
SETTEE_API bool switched_off(const Provider& provider);
/// Whether both stand at the same address. Two processes cannot, so one of them is the past.
SETTEE_API bool same_address(const Provider& a, const Provider& b);

/// A provider and when it was registered, in any rising number.
struct Entry {
  Provider provider;
  std::int64_t registered = 0;
};
/// The providers in their order; of several entries for the same (Provider::same_as) the latest:
/// the others are what a killed process has left behind.
SETTEE_API Providers latest(const std::vector<Entry>& entries);

/// How long something has lasted, for a person: "300 ms", "12 s", "5 min", "3 h", "8 days".
SETTEE_API std::string in_words(std::chrono::milliseconds time);

/// "zookeeper://host:port,host:port/root", taken apart; etcd's are alike.
struct RegistryAddress {
  std::vector<net::Endpoint> servers;
  std::string root;  ///< With slashes at both ends, at least "/".

  /// An Error (kInvalidArgument) says what is wrong with it.
  SETTEE_API static Result<RegistryAddress> parse(std::string_view url, std::string_view scheme,
                                                  std::uint16_t default_port);
  /// "host:port,host:port", as ZooKeeper's client takes it.
  SETTEE_API std::string hosts() const;
};

/// Of a server without one.
inline constexpr std::uint16_t kZookeeperPort = 2181;

}  // namespace settee::inline v0::rpc::registry
