// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The two dialects in which one path is called: plain HTTP with JSON, for people and browsers, and
// SOFARPC's own, for its consumers.
//
// Threads: on the loop of the request's connection, each first step in the turn in which what it is
// given was found.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "settee/http/message.h"
#include "settee/rpc/internal/http_call.h"
#include "settee/rpc/internal/link_data.h"
#include "settee/rpc/rest/internal/arguments.h"
#include "settee/rpc/rest/internal/call_path.h"

namespace settee::inline v0::rpc::rest {

/// As events name what a request came by: "http", "h2c" or "h2".
std::string_view protocol_of(const http::Request& request) noexcept;

/// Whether there is at least one of that name.
bool has_method(const ServiceEntry& service, std::string_view name) noexcept;

struct NamedMethods {
  MethodEntry* first = nullptr;
  std::size_t count = 0;
};
/// The methods of that name, if they can be called so; else the Error (kMethodNotFound) says why not.
Result<NamedMethods> find_plain(ServiceEntry& service, std::string_view name);

/// Adds the response's: rpc_resp_baggage.<key>. An Error (kEncode) names what no header can carry.
Result<void> add_baggage(http::Headers& headers, const Baggage& baggage);

/// A call of plain HTTP: its arguments as settee/rpc/rest/internal/arguments.h has them, its result as
/// JSON.
class PlainCodec final : public CallCodec {
 public:
  /// `texts` must outlive it.
  explicit PlainCodec(const ArgumentTexts& texts) : texts_(texts) {}
  Result<void> read(const MethodInfo& method, void* const* arguments) override;
  Result<void> write(const TypeInfo& type, const void* result) override;
  /// After write(): status 200 with the result, or 204 of a void method.
  Result<http::Response> answer(const Baggage& baggage);

 private:
  const ArgumentTexts& texts_;
  Buffer body_;
  bool has_result_ = false;
};

/// The method of that name in `service` that those arguments are meant for: the only one, or else the
/// only overload that they fit by name or number. Else an Error (kMethodNotFound, kDecode).
Result<MethodEntry*> find_overload(ServiceEntry& service, std::string_view name,
                                   const ArgumentTexts& texts);

/// Answers as SOFARPC's server does. Never ends with an Error.
Task<http::Response> serve_sofa(std::shared_ptr<Server::Core> core, http::Request request);

}  // namespace settee::inline v0::rpc::rest
