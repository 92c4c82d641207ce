// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/url.h"

#include <fmt/format.h>

#include "settee/rpc/internal/http_transport.h"

namespace settee::inline v0::rpc {

namespace {

constexpr std::string_view kForms =
    "bolt://host:port[,host:port...][/interface[:version[:uniqueId]]][?key=value] (or http, https, "
    "h2c, h2, grpc, grpcs in its place), "
    "zookeeper://host:port[/root][/interface...], etcd://host:port[/root][/interface...] "
    "or file:///path[#interface...]";

// What stands behind the last `mark`, which is taken off.
std::string_view take_behind(std::string_view& text, std::size_t mark) {
  if (mark == std::string_view::npos) return {};
  const std::string_view behind = text.substr(mark + 1);
  text = text.substr(0, mark);
  return behind;
}

// interface[:version[:uniqueId]]
bool read_service(std::string_view text, ServiceUrl& url) {
  const std::size_t first = text.find(':');
  url.interface_name = text.substr(0, first);
  if (first == std::string_view::npos) return !url.interface_name.empty();
  text.remove_prefix(first + 1);
  const std::size_t second = text.find(':');
  url.version = text.substr(0, second);
  if (second != std::string_view::npos) url.unique_id = text.substr(second + 1);
  return !url.interface_name.empty();
}

}  // namespace

Result<ServiceUrl> ServiceUrl::parse(std::string_view url) {
  const auto wrong = [url](std::string_view why) {
    return Error(Code::kInvalidArgument,
                 fmt::format("url '{}': {}; expected {}", url, why, kForms));
  };
  ServiceUrl parsed;
  std::string_view rest = url;
  std::string_view scheme = "bolt";
  if (const std::size_t end = rest.find("://"); end != std::string_view::npos) {
    scheme = rest.substr(0, end);
    rest.remove_prefix(end + 3);
  }
  std::string_view query = take_behind(rest, rest.find('?'));
  std::string_view service;
  if (scheme == "bolt" || goes_over_http(scheme)) {
    parsed.protocol = scheme;
    const std::uint16_t usual = scheme == "http" ? 80 : scheme == "https" ? 443 : 12200;
    if (!rest.starts_with("unix:")) {
      const std::size_t slash = rest.find('/');
      service = take_behind(rest, slash);
    }
    for (bool more = true; more;) {
      const std::size_t comma = rest.find(',');
      Result<net::Endpoint> endpoint = net::Endpoint::parse(rest.substr(0, comma), usual);
      if (!endpoint) return wrong(endpoint.error().message());
      parsed.endpoints.push_back(*std::move(endpoint));
      more = comma != std::string_view::npos;
      if (more) rest.remove_prefix(comma + 1);
    }
  } else if (scheme == "zookeeper" || scheme == "etcd") {
    if (const std::size_t slash = rest.rfind('/');
        slash != std::string_view::npos &&
        rest.find_first_of(".:", slash) != std::string_view::npos) {
      service = take_behind(rest, slash);
    }
    if (rest.empty()) return wrong("no server is named");
    parsed.registry = fmt::format("{}://{}", scheme, rest);
  } else if (scheme == "file") {
    service = take_behind(rest, rest.find('#'));
    if (rest.empty()) return wrong("no file is named");
    parsed.registry = fmt::format("file://{}", rest);
  } else {
    return wrong(fmt::format("the protocol '{}' is not spoken", scheme));
  }
  if (!service.empty() && !read_service(service, parsed)) return wrong("no interface in the path");
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
