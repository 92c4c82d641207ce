// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The arguments of a method from JSON: read_arguments() and parse_arguments().

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/service.h"
#include "settee/hessian/internal/json_document.h"
#include "settee/hessian/internal/json_reader.h"
#include "settee/hessian/json.h"

namespace settee::inline v0::json {

using detail::Document;
using detail::is_blank;
using detail::is_nullable;
using detail::kClassKey;
using detail::may_be;
using detail::Reader;
using detail::Step;
using detail::Token;
using hessian::Value;

namespace {

Error argument_error(Reader& reader, const ParameterInfo& parameter) {
  const Error error = reader.take_error();
  if (parameter.name.empty()) return error;
  return error.within("argument " + std::string(parameter.name));
}

std::string names_of(std::span<const ParameterInfo> parameters) {
  std::string names;
  for (const ParameterInfo& parameter : parameters) {
    if (!names.empty()) names += ", ";
    names += parameter.name;
  }
  return names;
}

std::string count_of(std::size_t n) { return fmt::format("{} argument{}", n, n == 1 ? "" : "s"); }

Result<void> read_positions(Reader& reader, const Document& document,
                            std::span<const ParameterInfo> parameters, void* const* places) {
  if (document[0].size != parameters.size()) {
    reader.expected(fmt::format("{} ({})", count_of(parameters.size()), names_of(parameters)), 0,
                    nullptr);
    return reader.take_error();
  }
  std::uint32_t at = 1;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Step step{nullptr, {}, i};
    if (!reader.read_top(*parameters[i].type, places[i], at, &step)) {
      return argument_error(reader, parameters[i]);
    }
    at = document[at].next;
  }
  return {};
}

Result<void> read_names(Reader& reader, const Document& document,
                        std::span<const ParameterInfo> parameters, void* const* places,
                        bool reject_unknown) {
  std::vector<std::uint32_t> found(parameters.size(), 0);
  std::uint32_t name = 1;
  for (std::uint32_t i = 0; i < document[0].size; ++i) {
    std::string room;
    const std::string_view key = reader.text(name, room);
    const auto parameter =
        std::find_if(parameters.begin(), parameters.end(),
                     [key](const ParameterInfo& candidate) { return candidate.name == key; });
    if (parameter != parameters.end()) {
      found[static_cast<std::size_t>(parameter - parameters.begin())] = name + 1;
    } else if (reject_unknown && key != kClassKey) {
      reader.expected(fmt::format("the name of an argument ({})", names_of(parameters)), name,
                      nullptr);
      return reader.take_error();
    }
    name = document[name + 1].next;
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Step step{nullptr, parameters[i].name};
    if (found[i] == 0) {
      if (is_nullable(*parameters[i].type)) continue;
      reader.expected(fmt::format("the argument {} in the object", parameters[i].name), 0, nullptr);
      return reader.take_error();
    }
    if (!reader.read_top(*parameters[i].type, places[i], found[i], &step)) {
      return argument_error(reader, parameters[i]);
    }
  }
  return {};
}

Result<void> read_only_argument(Reader& reader, const Document& document,
                                std::span<const ParameterInfo> parameters, void* const* places,
                                bool reject_unknown) {
  const TypeInfo& type = *parameters[0].type;
  const Token token = document[0].token;
  const bool itself = may_be(type, token);
  if (token == Token::kObject && !itself) {
    return read_names(reader, document, parameters, places, reject_unknown);
  }
  if (token == Token::kArray) {
    if (!itself) return read_positions(reader, document, parameters, places);
    // An array for a list may stand for itself or hold the list.
    if (reader.try_top(type, places[0], 0, nullptr)) return {};
    const Step step{nullptr, {}, 0};
    if (!reader.exceeded() && document[0].size == 1 && document[1].token == Token::kArray &&
        reader.try_top(type, places[0], 1, &step)) {
      return {};
    }
    if (reader.exceeded()) return argument_error(reader, parameters[0]);
  }
  if (reader.read_top(type, places[0], 0, nullptr)) return {};
  return argument_error(reader, parameters[0]);
}

}  // namespace

Result<void> read_arguments(std::string_view text, std::span<const ParameterInfo> parameters,
                            void* const* places, const ReadOptions& options) {
  if (is_blank(text)) {
    if (parameters.empty()) return {};
    return Error(Code::kDecode, fmt::format("json: expected {} ({}), the text is empty",
                                            count_of(parameters.size()), names_of(parameters)));
  }
  Document document;
  if (Result<void> parsed = document.parse(text, options.limits); !parsed) return parsed;
  Reader reader(document, options);
  const Document::Node& root = document[0];
  if (parameters.empty()) {
    const bool container = root.token == Token::kArray || root.token == Token::kObject;
    if (root.token == Token::kNull || (container && root.size == 0)) return {};
    reader.expected("no arguments", 0, nullptr);
    return reader.take_error();
  }
  if (parameters.size() == 1) {
    return read_only_argument(reader, document, parameters, places, options.reject_unknown);
  }
  if (root.token == Token::kArray) return read_positions(reader, document, parameters, places);
  if (root.token == Token::kObject) {
    return read_names(reader, document, parameters, places, options.reject_unknown);
  }
  reader.expected(fmt::format("an array or object of {} ({})", count_of(parameters.size()),
                              names_of(parameters)),
                  0, nullptr);
  return reader.take_error();
}

Result<std::vector<Value>> parse_arguments(std::string_view text,
                                           std::span<const std::string> java_types,
                                           const ReadOptions& options) {
  Result<std::vector<Value>> result = std::vector<Value>();
  std::size_t count = 0;
  Document document;
  if (!is_blank(text)) {
    if (Result<void> parsed = document.parse(text, options.limits); !parsed) return parsed.error();
    count = document[0].token == Token::kArray ? document[0].size : 1;
  }
  if (!java_types.empty() && java_types.size() != count) {
    return Error(Code::kDecode, fmt::format("json: expected {} for the types given, found {}",
                                            count_of(java_types.size()), count_of(count)));
  }
  if (count == 0) return result;
  Reader reader(document, options);
  const bool array = document[0].token == Token::kArray;
  std::uint32_t at = array ? 1 : 0;
  result->resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Step step{nullptr, {}, i};
    const Step* up = array ? &step : nullptr;
    Value& out = (*result)[i];
    if (java_types.empty() ? !reader.read_value(out, at, up)
                           : !reader.read_value(java_types[i], out, at, up)) {
      return reader.take_error();
    }
    at = document[at].next;
  }
  return result;
}

}  // namespace settee::inline v0::json
