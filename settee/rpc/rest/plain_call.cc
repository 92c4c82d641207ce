// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls of plain HTTP: arguments as settee/rpc/rest/internal/arguments.h has them, the result as JSON.

#include <fmt/format.h>

#include <algorithm>

#include "settee/hessian/json.h"
#include "settee/rpc/rest/internal/calls.h"

namespace settee::inline v0::rpc::rest {

namespace {

// Values in a body by which an overload is chosen, before the caller is known to anybody.
constexpr std::uint32_t kMostToChoose = 100'000;

// The names in a query, decoded as far as they can be.
std::vector<std::string> query_names(std::string_view query) {
  std::vector<std::string> names;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    names.push_back(
        http::percent_decode(pair.substr(0, pair.find('=')), true).value_or(std::string()));
  }
  return names;
}

bool may_be_missing(const TypeInfo& type) noexcept {
  return type.kind == Kind::kOptional || type.kind == Kind::kPointer || type.kind == Kind::kAny;
}

// Whether arguments of these names could be all of the method's.
bool fits_names(const MethodInfo& method, const std::vector<std::string>& names) {
  const auto has = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::size_t known = 0;
  for (const ParameterInfo& parameter : method.parameters) {
    if (has(parameter.name)) {
      known += static_cast<std::size_t>(std::count(names.begin(), names.end(), parameter.name));
    } else if (!may_be_missing(*parameter.type)) {
      return false;
    }
  }
  return known == names.size();
}

std::string signature(const MethodEntry& method) {
  std::string text = method.name + "(";
  for (const ParameterInfo& parameter : method.info->parameters) {
    if (text.back() != '(') text += ", ";
    text += fmt::format("{} {}", java_name(*parameter.type), parameter.name);
  }
  return text + ")";
}

// What tells overloads apart in a request.
struct Given {
  std::vector<std::string> names;
  std::size_t count = 0;
  bool by_name = false;
};

Result<Given> look_at(const ArgumentTexts& texts) {
  Result<Given> given = Given();
  if (!texts.has_body || !texts.query.empty()) {
    given->names = query_names(texts.query);
    given->count = given->names.size();
    given->by_name = true;
    if (!texts.has_body) return given;
  }
  if (texts.body.empty()) return given;
  json::Limits limits;
  limits.nodes = kMostToChoose;
  limits.elements = kMostToChoose;
  const Result<hessian::Value> body = json::parse_value(texts.body, limits);
  if (!body) return body.error().within("body, of a method that has overloads");
  if (body->type() == hessian::Value::Type::kMap) {
    given->by_name = true;
    for (const hessian::Value::Entry& entry : body->entries()) {
      if (const auto text = entry.key.as_string()) given->names.emplace_back(*text);
    }
    given->count = given->names.size();
  } else {
    given->count = body->type() == hessian::Value::Type::kList ? body->size() : 1;
  }
  return given;
}

}  // namespace

std::string_view protocol_of(const http::Request& request) noexcept {
  if (request.version != http::Version::kHttp2) return "http";
  return request.peer->tls ? "h2" : "h2c";
}

bool has_method(const ServiceEntry& service, std::string_view name) noexcept {
  return std::any_of(service.methods.begin(), service.methods.end(),
                     [&](const MethodEntry& method) { return method.name == name; });
}

Result<NamedMethods> find_plain(ServiceEntry& service, std::string_view name) {
  NamedMethods named;
  for (MethodEntry& method : service.methods) {
    if (method.name != name) continue;
    if (method.streams) {
      return Error(Code::kMethodNotFound,
                   fmt::format("{}#{} streams, which plain HTTP does not carry: call it by gRPC",
                               service.unique_name, name));
    }
    if (named.count++ == 0) named.first = &method;
  }
  if (named.count > 0) return named;
  return Error(Code::kMethodNotFound,
               fmt::format("{} has no method '{}'", service.unique_name, name.substr(0, 200)));
}

Result<void> add_baggage(http::Headers& headers, const Baggage& baggage) {
  for (const auto& [key, value] : baggage) {
    try {
      headers.add(fmt::format("{}{}", kResponseBaggagePrefix, key), value);
    } catch (const Error& error) {
      return Error(Code::kEncode, "the response's baggage cannot be sent").because(error);
    }
  }
  return {};
}

Result<MethodEntry*> find_overload(ServiceEntry& service, std::string_view name,
                                   const ArgumentTexts& texts) {
  const Result<NamedMethods> named = find_plain(service, name);
  if (!named) return named.error();
  if (named->count == 1) return named->first;
  const Visit visit(service);
  if (!visit) {
    return Error(Code::kServiceNotFound,
                 fmt::format("{}: the service has been withdrawn", service.unique_name));
  }
  const Result<Given> given = look_at(texts);
  if (!given) return given.error();
  std::vector<MethodEntry*> fitting;
  for (MethodEntry& method : service.methods) {
    if (method.name != name) continue;
    const bool fits = given->by_name ? fits_names(*method.info, given->names)
                                     : method.info->parameters.size() == given->count;
    if (fits) fitting.push_back(&method);
  }
  if (fitting.size() == 1) return fitting.front();
  std::string all;
  for (const MethodEntry& method : service.methods) {
    if (method.name == name) all += (all.empty() ? "" : "; ") + signature(method);
  }
  return Error(Code::kDecode,
               fmt::format("the arguments fit {} of the {} overloads of {}#{}; name all of one's "
                           "parameters: {}",
                           fitting.empty() ? "none" : "several", named->count, service.unique_name,
                           name, all));
}

Result<void> PlainCodec::read(const MethodInfo& method, void* const* arguments) {
  return read_arguments(texts_, method.parameters, arguments);
}

Result<void> PlainCodec::write(const TypeInfo& type, const void* result) {
  has_result_ = type.kind != Kind::kVoid;
  return has_result_ ? json::write(body_, type, result) : Result<void>();
}

Result<http::Response> PlainCodec::answer(const Baggage& baggage) {
  Result<http::Response> response =
      has_result_ ? http::Response(200, "application/json", http::Body(body_.bytes()))
                  : http::Response(204);
  const Result<void> added = add_baggage(response->headers, baggage);
  return added ? std::move(response) : added.error();
}

}  // namespace settee::inline v0::rpc::rest
