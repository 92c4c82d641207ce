// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The urls by which services are named:
//
//   bolt://host:port[,host:port...][/interface[:version[:uniqueId]]][?key=value&...]
//   http://, https://, h2c://, h2://, grpc://, grpcs:// in the same form
//   zookeeper://host:port[,host:port...][/root][/interface[:version[:uniqueId]]][?key=value&...]
//   etcd://... (the same)
//   file:///path[#interface[:version[:uniqueId]]][?key=value&...]
//
// In a zookeeper or etcd url the last part of the path is the interface if it has a dot or a colon.

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "settee/net/endpoint.h"

namespace settee::inline v0::rpc {

/// Why a registry's or a dynamic configuration's url cannot be opened.
inline constexpr std::string_view kNoZookeeper =
    "this Settee was built without ZooKeeper's C client; install it (Debian: libzookeeper-mt-dev) "
    "and configure and build again";
inline constexpr std::string_view kUnknownKind =
    "unknown kind; expected zookeeper://host:port[,host:port...][/root] or file:///path";

struct ServiceUrl {
  std::string protocol = "bolt";         ///< Of the endpoints.
  std::vector<net::Endpoint> endpoints;  ///< At least one, if there is no registry.
  std::string registry;                  ///< Its url, or empty.
  std::string interface_name;            ///< Empty if the url has no path.
  std::string version;
  std::string unique_id;
  std::map<std::string, std::string, std::less<>> parameters;

  static Result<ServiceUrl> parse(std::string_view url);
};

}  // namespace settee::inline v0::rpc
