// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/url.h"

#include <fmt/format.h>

namespace settee::inline v0::rpc {

Result<ServiceUrl> ServiceUrl::parse(std::string_view url) {
  const auto wrong = [url](std::string_view why) {
    return Error(Code::kInvalidArgument,
                 fmt::format("url '{}': {}; expected bolt://host:port[/interface[:version"
                             "[:uniqueId]]][?key=value]",
                             url, why));
  };
  ServiceUrl parsed;
  std::string_view rest = url;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    if (rest.substr(0, scheme) != "bolt") {
      return wrong(fmt::format("the protocol '{}' is not spoken", rest.substr(0, scheme)));
    }
    rest.remove_prefix(scheme + 3);
  }
  std::string_view query;
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  std::string_view path;
  if (!rest.starts_with("unix:")) {
    if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
      path = rest.substr(slash + 1);
      rest = rest.substr(0, slash);
    }
  }
  Result<net::Endpoint> endpoint = net::Endpoint::parse(rest, 12200);
  if (!endpoint) return wrong(endpoint.error().message());
  parsed.endpoint = *std::move(endpoint);
  if (!path.empty()) {
    const std::size_t first = path.find(':');
    parsed.interface_name = path.substr(0, first);
    if (parsed.interface_name.empty()) return wrong("no interface in the path");
    if (first != std::string_view::npos) {
      path.remove_prefix(first + 1);
      const std::size_t second = path.find(':');
      parsed.version = path.substr(0, second);
      if (second != std::string_view::npos) parsed.unique_id = path.substr(second + 1);
    }
  }
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return wrong(fmt::format("'{}' is no key=value", pair));
    parsed.parameters.emplace(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return parsed;
}

}  // namespace settee::inline v0::rpc
