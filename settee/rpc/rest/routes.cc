// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/rest/internal/routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "settee/http/message.h"
#include "settee/rpc/internal/service_table.h"
#include "settee/rpc/rest/internal/arguments.h"

namespace settee::inline v0::rpc::rest {

namespace {

std::string_view trim_slash(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  return path;
}

// The segment in front, and what is behind its slash; nothing behind the last one.
std::pair<std::string_view, std::optional<std::string_view>> split(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {path, std::nullopt};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

[[noreturn]] void fail(const MethodEntry& method, const std::string& what) {
  throw Error(Code::kInvalidArgument,
              fmt::format("{}#{}: route {} {}: {}", method.service->unique_name, method.name,
                          method.info->route_verb, method.info->route_path, what));
}

bool is_text(std::string_view segment) {
  return !segment.empty() && segment != "." && segment != ".." &&
         segment.find_first_of("{}?#%\\ \t\r\n") == std::string_view::npos;
}

// Whether the segment is a variable; its name is then put into `name`.
bool is_variable(std::string_view segment, std::string_view& name) {
  if (segment.size() < 3 || segment.front() != '{' || segment.back() != '}') return false;
  name = segment.substr(1, segment.size() - 2);
  return name.find_first_of("{}") == std::string_view::npos;
}

void check_variable(const MethodEntry& method, const Route& route, std::string_view name) {
  const auto parameters = method.info->parameters;
  const auto parameter =
      std::find_if(parameters.begin(), parameters.end(),
                   [name](const ParameterInfo& candidate) { return candidate.name == name; });
  if (parameter == parameters.end()) {
    fail(method, fmt::format("the method has no parameter '{}'", name));
  }
  if (!is_simple(*parameter->type)) {
    fail(method, fmt::format("the parameter '{}' is a {}, which no path can have", name,
                             java_name(*parameter->type)));
  }
  if (std::find(route.variables.begin(), route.variables.end(), name) != route.variables.end()) {
    fail(method, fmt::format("'{}' stands there twice", name));
  }
}

}  // namespace

RouteTable::RouteTable(const ServiceTable& services) {
  for (const auto& [name, service] : services.services) {
    if (const Visit visit(*service); visit) add(*service);
  }
}

void RouteTable::add(const ServiceEntry& service) {
  for (std::size_t i = 0; i < service.methods.size(); ++i) {
    if (!service.methods[i].info->route_path.empty()) add(service, i);
  }
}

void RouteTable::add(const ServiceEntry& service, std::size_t index) {
  const MethodEntry& method = service.methods[index];
  auto route = std::make_unique<Route>();
  route->service = service.unique_name;
  route->method = index;
  route->method_name = method.name;
  route->verb = method.info->route_verb;
  route->path = method.info->route_path;
  if (method.info->streaming()) fail(method, "the method streams, which only gRPC carries");
  static constexpr std::string_view kVerbs[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
  if (std::find(std::begin(kVerbs), std::end(kVerbs), route->verb) == std::end(kVerbs)) {
    fail(method, "the verb is none of GET, POST, PUT, PATCH, DELETE");
  }
  if (!route->path.starts_with('/')) fail(method, "the path does not begin with a slash");
  for (const std::string_view own : {"/openapi.json", "/favicon.ico"}) {
    if (route->path == own) fail(method, "the path is the server's own");
  }
  Node* node = &root_;
  std::optional<std::string_view> rest = trim_slash(route->path);
  if (rest->empty()) rest.reset();
  while (rest) {
    std::string_view segment;
    std::tie(segment, rest) = split(*rest);
    std::string_view name;
    std::unique_ptr<Node>* child = nullptr;
    if (is_variable(segment, name)) {
      check_variable(method, *route, name);
      route->variables.emplace_back(name);
      child = &node->variable;
    } else if (is_text(segment)) {
      child = &node->texts[std::string(segment)];
    } else {
      fail(method,
           fmt::format("the segment '{}' is neither a text nor a parameter in braces", segment));
    }
    if (!*child) *child = std::make_unique<Node>();
    node = child->get();
  }
  for (const Route* const other : node->routes) {
    if (other->verb != route->verb) continue;
    fail(method, fmt::format("{}#{} has the route {} {} for the same paths", other->service,
                             other->method_name, other->verb, other->path));
  }
  node->routes.push_back(route.get());
  routes_.push_back(std::move(route));
}

struct RouteTable::Search {
  std::string_view verb;
  std::vector<std::string> values;
  const Route* found = nullptr;
  std::vector<std::string_view> verbs;  // that paths on the way have

  // The nodes under `node` for the rest of a path; true: the route is found.
  bool in(const Node& node, std::optional<std::string_view> rest) {
    if (!rest) return at(node);
    const auto [segment, behind] = split(*rest);
    std::optional<std::string> text;
    if (segment.find('%') == std::string_view::npos) {
      text.emplace(segment);
    } else {
      text = http::percent_decode(segment);
    }
    if (!text) return false;
    if (const auto child = node.texts.find(*text); child != node.texts.end()) {
      if (in(*child->second, behind)) return true;
    }
    if (!node.variable || text->empty()) return false;
    values.push_back(*std::move(text));
    if (in(*node.variable, behind)) return true;
    values.pop_back();
    return false;
  }

  bool at(const Node& node) {
    for (const Route* const route : node.routes) {
      verbs.push_back(route->verb);
      if (route->verb == "GET") verbs.push_back("HEAD");
      if (route->verb != verb && !(verb == "HEAD" && route->verb == "GET")) continue;
      found = route;
      return true;
    }
    return false;
  }
};

RouteMatch RouteTable::find(std::string_view verb, std::string_view path) const {
  RouteMatch match;
  if (!path.starts_with('/')) return match;
  Search search;
  search.verb = verb;
  std::optional<std::string_view> rest = trim_slash(path);
  if (rest->empty()) rest.reset();
  if (search.in(root_, rest)) {
    match.route = search.found;
    for (std::size_t i = 0; i < search.values.size(); ++i) {
      match.variables.emplace_back(search.found->variables[i], std::move(search.values[i]));
    }
    return match;
  }
  std::sort(search.verbs.begin(), search.verbs.end());
  const auto end = std::unique(search.verbs.begin(), search.verbs.end());
  for (auto it = search.verbs.begin(); it != end; ++it) {
    match.allow += fmt::format("{}{}", match.allow.empty() ? "" : ", ", *it);
  }
  return match;
}

}  // namespace settee::inline v0::rpc::rest
