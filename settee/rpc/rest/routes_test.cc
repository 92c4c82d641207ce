// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/rest/internal/routes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/base/service.h"
#include "settee/rpc/internal/service_table.h"

namespace rest_routes {

using settee::Task;

struct Catalog {
  virtual ~Catalog() = default;
  virtual Task<std::string> all() = 0;
  virtual Task<std::string> one(std::string id) = 0;
  virtual Task<std::string> top() = 0;
  virtual Task<void> put(std::string id, std::string text) = 0;
  virtual Task<std::string> part(std::string id, std::int32_t number) = 0;
  virtual Task<std::string> under(std::string what) = 0;
};
struct Rival {
  virtual ~Rival() = default;
  virtual Task<std::string> get(std::string key) = 0;
};

}  // namespace rest_routes

SETTEE_SERVICE(rest_routes::Catalog, "com.acme.Catalog", (all).route("GET", "/"),
               (one, id).route("GET", "/items/{id}"), (top).route("GET", "/items/top"),
               (put, id, text).route("PUT", "/items/{id}"),
               (part, id, number).route("GET", "/items/{id}/parts/{number}"),
               (under, what).route("GET", "/items/top/{what}"))
SETTEE_SERVICE(rest_routes::Rival, "com.acme.Rival", (get, key).route("GET", "/items/{key}"))

namespace rest_routes {
namespace {

using settee::rpc::rest::RouteMatch;
using settee::rpc::rest::RouteTable;

class Routes : public testing::Test {
 protected:
  template <class Service>
  std::shared_ptr<settee::rpc::ServiceEntry> entry() {
    return entry(settee::service_of<Service>());
  }
  std::shared_ptr<settee::rpc::ServiceEntry> entry(const settee::ServiceInfo& info) {
    return settee::rpc::make_entry(runtime_, info, nullptr, this, {}, false, false);
  }
  RouteTable catalog() {
    settee::rpc::ServiceTable services;
    const auto made = entry<Catalog>();
    services.services.emplace(made->unique_name, made);
    return RouteTable(services);
  }

  settee::Runtime runtime_{{.threads = 1}};
};

// "method a=b c=d", or "- allow"
std::string found(const RouteTable& table, std::string_view verb, std::string_view path) {
  const RouteMatch match = table.find(verb, path);
  if (match.route == nullptr) return "- " + match.allow;
  std::string text = match.route->method_name;
  for (const auto& [name, value] : match.variables) text += " " + std::string(name) + "=" + value;
  return text;
}

TEST_F(Routes, AreFoundByVerbAndPath) {
  const RouteTable table = catalog();
  EXPECT_EQ(found(table, "GET", "/"), "all");
  EXPECT_EQ(found(table, "GET", "/items/7"), "one id=7");
  EXPECT_EQ(found(table, "HEAD", "/items/7"), "one id=7");
  EXPECT_EQ(found(table, "PUT", "/items/7"), "put id=7");
  EXPECT_EQ(found(table, "GET", "/items/7/parts/3"), "part id=7 number=3");
}

TEST_F(Routes, TextsGoBeforeVariables) {
  const RouteTable table = catalog();
  EXPECT_EQ(found(table, "GET", "/items/top"), "top");
  EXPECT_EQ(found(table, "GET", "/items/top/sellers"), "under what=sellers");
  // Only the variable's branch goes on like that, or has the verb.
  EXPECT_EQ(found(table, "GET", "/items/top/parts/3"), "part id=top number=3");
  EXPECT_EQ(found(table, "PUT", "/items/top"), "put id=top");
}

TEST_F(Routes, OtherVerbsAreToldWhichThereAre) {
  const RouteTable table = catalog();
  EXPECT_EQ(found(table, "DELETE", "/items/7"), "- GET, HEAD, PUT");
  EXPECT_EQ(found(table, "POST", "/"), "- GET, HEAD");
  EXPECT_EQ(found(table, "get", "/"), "- GET, HEAD");
}

TEST_F(Routes, WhatFitsNoTemplateIsNotFound) {
  const RouteTable table = catalog();
  for (const char* path : {"", "*", "/items", "/items/", "/items//parts/3", "/items/7/", "//",
                           "/items/7/parts/3/4", "/Items/7", "/items/%zz", "/items/%00"}) {
    EXPECT_EQ(found(table, "GET", path), "- ") << path;
  }
  EXPECT_EQ(found(table, "GET", "/" + std::string(8000, '/')), "- ");
}

TEST_F(Routes, SegmentsAreDecodedAfterTheyAreSplit) {
  const RouteTable table = catalog();
  EXPECT_EQ(found(table, "GET", "/%69tems/a%2Fb%20c+d"), "one id=a/b c+d");
  EXPECT_EQ(found(table, "GET", "/items/.."), "one id=..");
  EXPECT_EQ(found(table, "GET", "/items/%2e%2e%2f"), "one id=../");
}

TEST_F(Routes, TwoForTheSamePathsAreRefusedByName) {
  RouteTable table = catalog();
  try {
    table.add(*entry<Rival>());
    FAIL() << "no error";
  } catch (const settee::Error& error) {
    EXPECT_EQ(error.code(), settee::Code::kInvalidArgument);
    EXPECT_EQ(error.message(),
              "com.acme.Rival:1.0#get: route GET /items/{key}: com.acme.Catalog:1.0#one has the "
              "route GET /items/{id} for the same paths");
  }
}

TEST_F(Routes, WhatCannotBeIsRefused) {
  struct Case {
    const char* verb;
    const char* path;
    const char* why;
  };
  const Case cases[] = {
      {"FETCH", "/x", "the verb is none of GET, POST, PUT, PATCH, DELETE"},
      {"GET", "x", "the path does not begin with a slash"},
      {"GET", "/openapi.json", "the path is the server's own"},
      {"GET", "/x/{name}", "the method has no parameter 'name'"},
      {"GET", "/x/{list}", "the parameter 'list' is a java.util.List, which no path can have"},
      {"GET", "/x/{id}/{id}", "'id' stands there twice"},
      {"GET", "/x/a{id}", "the segment 'a{id}' is neither a text nor a parameter in braces"},
      {"GET", "/x//y", "the segment '' is neither a text nor a parameter in braces"},
      {"GET", "/x/", "the segment '' is neither a text nor a parameter in braces"},
      {"GET", "/x/..", "the segment '..' is neither a text nor a parameter in braces"},
      {"GET", "/x?y", "the segment 'x?y' is neither a text nor a parameter in braces"},
  };
  static const settee::ParameterInfo parameters[] = {
      {"id", &settee::type_of<std::string>()},
      {"list", &settee::type_of<std::vector<std::string>>()}};
  for (const Case& one : cases) {
    settee::MethodInfo method;
    method.wire_name = "method";
    method.parameters = parameters;
    method.result = &settee::type_of<void>();
    method.route_verb = one.verb;
    method.route_path = one.path;
    const settee::ServiceInfo service{"com.acme.Wrong", {&method, 1}};
    const auto made = entry(service);
    RouteTable table{settee::rpc::ServiceTable()};
    try {
      table.add(*made);
      ADD_FAILURE() << one.path << ": no error";
    } catch (const settee::Error& error) {
      EXPECT_EQ(error.message(), std::string("com.acme.Wrong:1.0#method: route ") + one.verb + " " +
                                     one.path + ": " + one.why);
    }
  }
}

}  // namespace
}  // namespace rest_routes
