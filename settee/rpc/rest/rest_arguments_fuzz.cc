// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a plain HTTP request: its path is split and looked for among routes, and its query and
// body are read as the arguments of methods with parameters of every kind. What is refused is told in
// few words, and what came by one way comes by the other with the same values.
//
// The input: a line with the target, and the body.

#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "settee/base/reflect.h"
#include "settee/hessian/json.h"
#include "settee/http/message.h"
#include "settee/rpc/internal/service_table.h"
#include "settee/rpc/rest/internal/arguments.h"
#include "settee/rpc/rest/internal/call_path.h"
#include "settee/rpc/rest/internal/routes.h"

namespace rest_fuzz {

enum class Side { BUY, SELL };
struct Order {
  std::string symbol;
  std::int64_t cents = 0;
  std::map<std::string, std::vector<double>> more;
};

struct Shop {
  virtual ~Shop() = default;
  virtual settee::Task<void> simple(bool yes, std::int8_t small, char16_t letter, Side side,
                                    settee::Date since, double price) = 0;
  virtual settee::Task<void> many(std::vector<std::int32_t> ids, std::set<std::string> tags,
                                  std::optional<std::string> name) = 0;
  virtual settee::Task<void> place(Order order) = 0;
  virtual settee::Task<void> change(std::string id, Order order, bool dry) = 0;
};

}  // namespace rest_fuzz

SETTEE_ENUM(rest_fuzz::Side, "com.acme.Side", BUY, SELL)
SETTEE_STRUCT(rest_fuzz::Order, "com.acme.Order", symbol, cents, more)
SETTEE_SERVICE(rest_fuzz::Shop, "com.acme.Shop",
               (simple, yes, small, letter, side, since, price).route("GET", "/simple/{side}"),
               (many, ids, tags, name).route("GET", "/many"),
               (place, order).route("POST", "/orders"),
               (change, id, order, dry).route("PUT", "/orders/{id}"))

namespace {

using namespace settee::rpc;

void require(bool condition) {
  if (!condition) std::abort();
}

const rest::RouteTable& routes() {
  static settee::Runtime runtime{{.threads = 1}};
  static int object = 0;
  static const rest::RouteTable table = [] {
    ServiceTable services;
    const auto entry = make_entry(runtime, settee::service_of<rest_fuzz::Shop>(), nullptr, &object,
                                  {}, false, false);
    services.services.emplace(entry->unique_name, entry);
    return rest::RouteTable(services);
  }();
  return table;
}

// Reads into `arguments`; whether it could.
template <class... T>
bool read(std::size_t method, const rest::ArgumentTexts& texts, std::tuple<T...>& arguments) {
  void* places[sizeof...(T)];
  std::apply(
      [&places](auto&... argument) {
        std::size_t i = 0;
        ((places[i++] = &argument), ...);
      },
      arguments);
  const auto parameters = settee::service_of<rest_fuzz::Shop>().methods[method].parameters;
  const settee::Result<void> done = rest::read_arguments(texts, parameters, places);
  if (!done) {
    require(done.error().code() == settee::Code::kDecode ||
            done.error().code() == settee::Code::kLimit);
    require(done.error().message().size() < 2000);
    return false;
  }
  // As JSON it is read again, and is then the same.
  settee::Buffer out;
  const void* values[sizeof...(T)];
  for (std::size_t i = 0; i < sizeof...(T); ++i) values[i] = places[i];
  if (!settee::json::write_arguments(out, parameters, values)) return true;
  const std::string text = out.to_string();
  std::tuple<T...> again;
  std::apply(
      [&places](auto&... argument) {
        std::size_t i = 0;
        ((places[i++] = &argument), ...);
      },
      again);
  rest::ArgumentTexts as_body;
  as_body.body = text;
  as_body.has_body = true;
  require(static_cast<bool>(rest::read_arguments(as_body, parameters, places)));
  settee::Buffer same;
  for (std::size_t i = 0; i < sizeof...(T); ++i) values[i] = places[i];
  require(static_cast<bool>(settee::json::write_arguments(same, parameters, values)));
  require(same.to_string() == text);
  return true;
}

void read_all(const rest::ArgumentTexts& texts) {
  std::tuple<bool, std::int8_t, char16_t, rest_fuzz::Side, settee::Date, double> simple;
  read(0, texts, simple);
  std::tuple<std::vector<std::int32_t>, std::set<std::string>, std::optional<std::string>> many;
  read(1, texts, many);
  std::tuple<rest_fuzz::Order> place;
  read(2, texts, place);
  std::tuple<std::string, rest_fuzz::Order, bool> change;
  read(3, texts, change);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(input.find('\n'), input.size());
  settee::http::Request request;
  request.target = std::string(input.substr(0, line));
  const std::string_view body = input.substr(std::min(line + 1, input.size()));

  if (const auto path = rest::CallPath::parse(request.path())) {
    require(!path->service().empty() && !path->method().empty());
    require(path->service().find('\0') == path->service().npos ||
            request.target.find('\0') != std::string::npos);
  }
  for (const std::string_view verb : {"GET", "HEAD", "POST", "PUT", "DELETE"}) {
    const rest::RouteMatch match = routes().find(verb, request.path());
    require(match.route == nullptr || match.allow.empty());
    rest::ArgumentTexts texts;
    texts.variables = match.variables;
    texts.query = request.query();
    texts.body = body;
    texts.has_body = verb == "POST" || verb == "PUT";
    texts.by_position = match.route == nullptr;
    read_all(texts);
  }
  return 0;
}
