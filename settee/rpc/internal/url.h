// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The urls by which services are named: bolt://host:port[/interface[:version[:uniqueId]]][?key=value&...]

#pragma once

#include <map>
#include <string>
#include <string_view>

#include "settee/net/endpoint.h"

namespace settee::inline v0::rpc {

struct ServiceUrl {
  net::Endpoint endpoint;
  std::string interface_name;  ///< Empty if the url has no path.
  std::string version;
  std::string unique_id;
  std::map<std::string, std::string, std::less<>> parameters;

  static Result<ServiceUrl> parse(std::string_view url);
};

}  // namespace settee::inline v0::rpc
