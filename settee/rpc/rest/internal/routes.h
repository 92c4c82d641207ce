// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The HTTP routes of a server's services: which method of which service a verb and a path mean, for
// methods described with route("GET", "/quotes/{symbol}").
//
// A template is a path of segments, each a text or a parameter's name in braces, which stands for one
// segment of any text but none. Where several templates fit a path, texts go before variables, from
// the left. Segments are compared percent-decoded; a variable may hold an encoded slash.
//
// Threads: constant when made.

#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/base/export.h"

namespace settee::inline v0::rpc {
struct ServiceEntry;
struct ServiceTable;
}  // namespace settee::inline v0::rpc

namespace settee::inline v0::rpc::rest {

struct Route {
  std::string service;     ///< Unique name.
  std::size_t method = 0;  ///< Its place in ServiceEntry::methods.
  std::string method_name;
  std::string verb;
  std::string path;
  std::vector<std::string> variables;  ///< In the path's order.
};

struct RouteMatch {
  const Route* route = nullptr;  ///< Null: none for this verb.
  /// Names, which are the route's, and percent-decoded values.
  std::vector<std::pair<std::string_view, std::string>> variables;
  std::string
      allow;  ///< The verbs that the path has, when `route` is null: "GET, HEAD". Else empty.
};

class SETTEE_API RouteTable {
 public:
  /// Of all services in `services`.
  explicit RouteTable(const ServiceTable& services);
  RouteTable(const RouteTable&) = delete;
  RouteTable& operator=(const RouteTable&) = delete;

  /// Adds the service's routes. An Error (kInvalidArgument) names the one that cannot be, or both of
  /// two for the same paths; the table is then of no use.
  void add(const ServiceEntry& service);

  /// `path`: as sent, without the query. HEAD is found where GET is.
  RouteMatch find(std::string_view verb, std::string_view path) const;

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> texts;
    std::unique_ptr<Node> variable;
    std::vector<const Route*> routes;  // one for each verb
  };
  struct Search;

  void add(const ServiceEntry& service, std::size_t method);

  Node root_;
  std::vector<std::unique_ptr<const Route>> routes_;
};

}  // namespace settee::inline v0::rpc::rest
