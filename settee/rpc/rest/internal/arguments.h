// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A method's arguments from what a plain HTTP request has: variables of a route's path, the query, and
// a body of JSON.
//
//   - Each variable is the parameter of its name.
//   - Query values are the parameters of their names. If the query has no such name, but as many values
//     as the method has parameters, they are the arguments in that order, as for SOFARPC's server
//     (not on routes, and not beside a body). Names of which only some are parameters are an Error,
//     and so is one that stands there twice, unless its parameter is a list, set or array.
//   - The body has the parameters that are then left, as json::read_arguments() reads them.
//
// Values in path and query are of simple types: numbers, truth values, texts, enums, dates, Base64, and
// in the query lists of those, one value each. Missing is an argument that may be null, or in a query a
// list; another missing one is an Error.
//
// Errors: kDecode with the parameter and the JSON path within it; kLimit.

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "settee/base/service.h"

namespace settee::inline v0::rpc::rest {

struct ArgumentTexts {
  /// Names and values, percent-decoded.
  std::span<const std::pair<std::string_view, std::string>> variables = {};
  std::string_view query = {};  ///< As sent.
  std::string_view body = {};
  bool has_body = false;     ///< The request's method has one: POST, PUT, PATCH.
  bool by_position = false;  ///< Query values may be the arguments in their order.
};

/// Whether values of this type may stand in a path, or one of them in a query.
SETTEE_API bool is_simple(const TypeInfo& type) noexcept;
/// What a list, set or array of simple values has; null for other types.
SETTEE_API const TypeInfo* repeated(const TypeInfo& type) noexcept;

/// Reads the arguments into the objects of the parameters' types at `places`.
SETTEE_API Result<void> read_arguments(const ArgumentTexts& texts,
                                       std::span<const ParameterInfo> parameters,
                                       void* const* places);

}  // namespace settee::inline v0::rpc::rest
