// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/rest/internal/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "settee/hessian/json.h"
#include "settee/http/message.h"

namespace settee::inline v0::rpc::rest {

namespace {

struct QueryValue {
  std::string name;
  std::string value;
};

// What a message shows of a text from outside.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string out;
  for (const char c : text.substr(0, kMost)) {
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  // A character that the cut has gone through.
  if (text.size() > kMost) {
    while (!out.empty() && (out.back() & 0xc0) == 0x80) out.pop_back();
    if (!out.empty() && (out.back() & 0x80) != 0) out.pop_back();
    out += "...";
  }
  return out;
}

std::string names_of(std::span<const ParameterInfo> parameters) {
  std::string names;
  for (const ParameterInfo& parameter : parameters) {
    if (!names.empty()) names += ", ";
    names += parameter.name;
  }
  return names.empty() ? "none" : names;
}

Result<std::vector<QueryValue>> split_query(std::string_view query) {
  Result<std::vector<QueryValue>> values = std::vector<QueryValue>();
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = http::percent_decode(pair.substr(0, equals), true);
    std::optional<std::string> value =
        http::percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) {
      return Error(Code::kDecode, fmt::format("query: bad percent-encoding in '{}'", shown(pair)));
    }
    values->push_back({*std::move(name), *std::move(value)});
  }
  return values;
}

const TypeInfo& bare(const TypeInfo& type) noexcept {
  return type.kind == Kind::kOptional ? *type.element : type;
}

std::size_t digits(std::string_view text, std::size_t at) noexcept {
  const std::size_t end = text.find_first_not_of("0123456789", at);
  return std::min(end, text.size()) - at;
}

// RFC 8259, section 6: all of the text, so that nothing of JSON's own can be within it.
bool is_json_number(std::string_view text) noexcept {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const std::size_t whole = digits(text, at);
  if (whole == 0 || (whole > 1 && text[at] == '0')) return false;
  at += whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = digits(text, at + 1);
    if (fraction == 0) return false;
    at += 1 + fraction;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t exponent = digits(text, at);
    if (exponent == 0) return false;
    at += exponent;
  }
  return at == text.size();
}

// Whether the value is a JSON number or truth value in itself; else it is the text of a JSON string.
bool is_literal(Kind kind, std::string_view text) noexcept {
  switch (kind) {
    case Kind::kBool: return text == "true" || text == "false";
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kDuration:
    case Kind::kFloat:
    case Kind::kDouble:
    case Kind::kDate: return is_json_number(text);  // a Date's milliseconds; else ISO 8601
    default: return false;
  }
}

void append_json(std::string& out, const TypeInfo& type, std::string_view text) {
  if (is_literal(bare(type).kind, text)) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

Error not_simple(std::string_view from, const ParameterInfo& parameter) {
  return Error(Code::kDecode,
               fmt::format("{}: the parameter {} is a {}, which only a body of JSON can have", from,
                           parameter.name, java_name(*parameter.type)));
}

// All of `values` are the parameter's.
Result<void> read_values(std::string_view from, std::span<const std::string_view> values,
                         const ParameterInfo& parameter, void* place) {
  std::string text;
  if (is_simple(*parameter.type)) {
    if (values.size() > 1) {
      return Error(Code::kDecode, fmt::format("{}: the parameter {} has {} values and takes one",
                                              from, parameter.name, values.size()));
    }
    append_json(text, *parameter.type, values[0]);
  } else if (const TypeInfo* const item = repeated(*parameter.type)) {
    text = "[";
    for (const std::string_view value : values) {
      if (text.size() > 1) text += ',';
      append_json(text, *item, value);
    }
    text += ']';
  } else {
    return not_simple(from, parameter);
  }
  Result<void> read = json::read(text, *parameter.type, place);
  if (read) return read;
  return read.error().within(fmt::format("{}: the parameter {}", from, parameter.name));
}

bool may_be_null(const TypeInfo& type) noexcept {
  return type.kind == Kind::kOptional || type.kind == Kind::kPointer || type.kind == Kind::kAny;
}

class ArgumentReader {
 public:
  ArgumentReader(const ArgumentTexts& texts, std::span<const ParameterInfo> parameters,
                 void* const* places)
      : texts_(texts), parameters_(parameters), places_(places), filled_(parameters.size()) {}

  Result<void> read() {
    if (Result<void> done = read_variables(); !done) return done;
    if (!texts_.query.empty()) {
      if (Result<void> done = read_query(); !done) return done;
    }
    return texts_.has_body ? read_body() : check_rest();
  }

 private:
  std::size_t find(std::string_view name) const {
    std::size_t i = 0;
    while (i < parameters_.size() && parameters_[i].name != name) ++i;
    return i;
  }

  Result<void> read_variables() {
    for (const auto& [name, value] : texts_.variables) {
      const std::size_t i = find(name);
      if (i == parameters_.size()) {
        return Error(Code::kDecode, fmt::format("path: the method has no parameter {}", name));
      }
      const std::string_view one[] = {value};
      if (Result<void> done = read_values("path", one, parameters_[i], places_[i]); !done) {
        return done;
      }
      filled_[i] = true;
    }
    return {};
  }

  Result<void> read_query() {
    const Result<std::vector<QueryValue>> split = split_query(texts_.query);
    if (!split) return split.error();
    std::vector<std::vector<std::string_view>> values(parameters_.size());
    std::string known;
    std::string unknown;
    for (const QueryValue& value : *split) {
      const std::size_t i = find(value.name);
      std::string& list = i == parameters_.size() ? unknown : known;
      if (list.size() < 200) {
        list += fmt::format("{}{}", list.empty() ? "" : ", ", shown(value.name));
      }
      if (i != parameters_.size()) values[i].push_back(value.value);
    }
    if (!unknown.empty()) {
      if (known.empty() && texts_.by_position) return read_positions(*split);
      return Error(Code::kDecode,
                   fmt::format("query: {} is no parameter of the method; its parameters: {}",
                               unknown, names_of(parameters_)));
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (values[i].empty()) continue;
      if (filled_[i]) {
        return Error(
            Code::kDecode,
            fmt::format("query: the parameter {} stands in the path already", parameters_[i].name));
      }
      if (Result<void> done = read_values("query", values[i], parameters_[i], places_[i]); !done) {
        return done;
      }
      filled_[i] = true;
    }
    return {};
  }

  Result<void> read_positions(std::span<const QueryValue> values) {
    if (values.size() != parameters_.size()) {
      return Error(Code::kDecode,
                   fmt::format("query: no name in it is a parameter of the method, and by position "
                               "{} values do not make {} arguments; its parameters: {}",
                               values.size(), parameters_.size(), names_of(parameters_)));
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const std::string_view one[] = {values[i].value};
      const Result<void> done = read_values("query", one, parameters_[i], places_[i]);
      if (!done) {
        return done.error().within(
            fmt::format("no name in the query is a parameter of the method ({}), so its values go "
                        "by position",
                        names_of(parameters_)));
      }
      filled_[i] = true;
    }
    return {};
  }

  Result<void> read_body() {
    std::vector<ParameterInfo> left;
    std::vector<void*> places;
    bool needed = false;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (filled_[i]) continue;
      left.push_back(parameters_[i]);
      places.push_back(places_[i]);
      needed = needed || !may_be_null(*parameters_[i].type);
    }
    if (!needed && texts_.body.find_first_not_of(" \t\r\n") == std::string_view::npos) return {};
    Result<void> read = json::read_arguments(texts_.body, left, places.data());
    return read ? read : read.error().within("body");
  }

  Result<void> check_rest() const {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const ParameterInfo& parameter = parameters_[i];
      if (filled_[i] || may_be_null(*parameter.type) || repeated(*parameter.type)) continue;
      if (!is_simple(*parameter.type)) return not_simple("query", parameter);
      return Error(Code::kDecode, fmt::format("query: the parameter {} is missing; parameters: {}",
                                              parameter.name, names_of(parameters_)));
    }
    return {};
  }

  const ArgumentTexts& texts_;
  std::span<const ParameterInfo> parameters_;
  void* const* places_;
  std::vector<bool> filled_;
};

}  // namespace

bool is_simple(const TypeInfo& type) noexcept {
  switch (bare(type).kind) {
    case Kind::kBool:
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kChar16:
    case Kind::kFloat:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kDate:
    case Kind::kDuration:
    case Kind::kDecimal:
    case Kind::kBigInteger:
    case Kind::kEnum: return true;
    default: return false;
  }
}

const TypeInfo* repeated(const TypeInfo& type) noexcept {
  const TypeInfo& list = bare(type);
  const bool container =
      list.kind == Kind::kList || list.kind == Kind::kSet || list.kind == Kind::kArray;
  // An Array<char16_t> is one text in JSON.
  if (!container || list.element->kind == Kind::kChar16) return nullptr;
  return is_simple(*list.element) ? list.element : nullptr;
}

Result<void> read_arguments(const ArgumentTexts& texts, std::span<const ParameterInfo> parameters,
                            void* const* places) {
  if (texts.has_body && !texts.body.empty() && texts.variables.empty() && texts.query.empty()) {
    // The usual call.
    Result<void> read = json::read_arguments(texts.body, parameters, places);
    return read ? read : read.error().within("body");
  }
  return ArgumentReader(texts, parameters, places).read();
}

}  // namespace settee::inline v0::rpc::rest
