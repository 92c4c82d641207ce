// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "settee/rpc/grpc/internal/proto_form.h"

namespace settee::inline v0::rpc::grpc {

namespace {

bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// An identifier of .proto files: what is none in a Java name becomes '_'.
std::string identifier(std::string_view name) {
  std::string result;
  for (const char c : name) result += is_letter(c) || is_digit(c) ? c : '_';
  if (result.empty() || is_digit(result[0])) result.insert(0, "_");
  return result;
}

// Java's Outer$Inner is Outer_Inner.
std::string simple_name(std::string_view name) {
  return identifier(name.substr(name.rfind('.') + 1));
}

// "latest_quote" → "LatestQuote"
std::string camel(std::string_view name) {
  std::string result;
  bool start = true;
  for (const char c : name) {
    if (!is_letter(c) && !is_digit(c)) {
      start = true;
      continue;
    }
    result += start ? upper(c) : c;
    start = false;
  }
  return result;
}

// "OrderSide" → "ORDER_SIDE"
std::string shouted(std::string_view name) {
  std::string result;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool is_upper = name[i] >= 'A' && name[i] <= 'Z';
    const bool behind_lower =
        i > 0 && ((name[i - 1] >= 'a' && name[i - 1] <= 'z') || is_digit(name[i - 1]));
    if (is_upper && behind_lower) result += '_';
    result += upper(name[i]);
  }
  return result;
}

FieldType field_type(Kind kind) noexcept {
  switch (kind) {
    case Kind::kBool: return FieldType::kBool;
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32: return FieldType::kInt32;
    case Kind::kInt64:
    case Kind::kDate:
    case Kind::kDuration: return FieldType::kInt64;
    case Kind::kChar16: return FieldType::kUint32;
    case Kind::kFloat: return FieldType::kFloat;
    case Kind::kDouble: return FieldType::kDouble;
    case Kind::kBytes: return FieldType::kBytes;
    case Kind::kEnum: return FieldType::kEnum;
    case Kind::kStruct:
    case Kind::kMessage: return FieldType::kMessage;
    default: return FieldType::kString;
  }
}

std::string_view comment_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::kInt8: return "8 bits";
    case Kind::kInt16: return "16 bits";
    case Kind::kChar16: return "a UTF-16 unit";
    case Kind::kDate: return "milliseconds since 1970 UTC";
    case Kind::kDuration: return "milliseconds";
    case Kind::kDecimal: return "a decimal number";
    case Kind::kBigInteger: return "a whole number";
    default: return {};
  }
}

class Builder {
 public:
  explicit Builder(const ImportedFiles& imported) : imported_(imported) {}

  Schema run(std::string_view package, std::span<const ServiceInfo* const> services) {
    schema_.package = package;
    take_imported_names();
    std::vector<const ServiceInfo*> mine;
    for (const ServiceInfo* service : services) {
      if (package_of(service->interface_name) != package || described_elsewhere(*service)) continue;
      // A service's name is its Java name, whatever else is called so.
      if (taken_.insert(simple_name(service->interface_name)).second) mine.push_back(service);
    }
    for (const ServiceInfo* service : mine) add(*service);
    return std::move(schema_);
  }

 private:
  // What imported files have in this package cannot be in this file too.
  void take_imported_names() {
    for (const auto& [name, file] : imported_) {
      if (file.package != schema_.package) continue;
      const std::size_t scope = file.package.empty() ? 0 : file.package.size() + 1;
      for (const std::string& symbol : file.symbols) taken_.insert(symbol.substr(scope));
    }
  }

  // Whoever has written a .proto for the messages often has the service in it.
  bool described_elsewhere(const ServiceInfo& service) {
    for (const auto& [name, file] : imported_) {
      const auto& services = file.services;
      if (std::find(services.begin(), services.end(), service.interface_name) == services.end()) {
        continue;
      }
      schema_.elsewhere.emplace_back(simple_name(service.interface_name), name);
      schema_.imports.insert(name);
      return true;
    }
    return false;
  }

  void add(const ServiceInfo& info) {
    SchemaService service;
    service.name = simple_name(info.interface_name);
    std::set<std::string_view> known;
    for (const MethodInfo& method : info.methods) {
      SchemaMethod made;
      made.name = method.wire_name;
      if (identifier(made.name) != made.name) {
        made.left_out = "its name is none in protobuf";
      } else if (!known.insert(method.wire_name).second) {
        made.left_out = "another method has this name; wire_name() gives it one of its own";
      } else {
        made.left_out = why_not(method);
      }
      made.client_streaming = method.request_stream != nullptr;
      made.server_streaming = method.response_stream != nullptr;
      if (made.left_out.empty()) {
        made.input = input(service.name, method);
        made.output = output(service.name, method);
      }
      service.methods.push_back(std::move(made));
    }
    schema_.services.push_back(std::move(service));
  }

  static const TypeInfo& response_of(const MethodInfo& method) {
    return method.response_stream != nullptr ? *method.response_stream : *method.result;
  }

  // Why this method has no form; empty if it has one.
  static std::string why_not(const MethodInfo& method) {
    std::set<std::string_view> seen;
    for (const ParameterInfo& parameter : method.parameters) {
      if (std::string why = why_not(*parameter.type, seen); !why.empty()) {
        return fmt::format("{}{}{}", parameter.name, why[0] == ':' ? "" : ".", why);
      }
    }
    if (method.request_stream != nullptr) {
      if (std::string why = why_not(*method.request_stream, seen); !why.empty()) {
        return fmt::format("the request's messages{}{}", why[0] == ':' ? "" : ", ", why);
      }
    }
    const TypeInfo& result = response_of(method);
    if (result.kind == Kind::kVoid) return {};
    if (std::string why = why_not(result, seen); !why.empty()) {
      return fmt::format("the result{}{}", why[0] == ':' ? "" : ", ", why);
    }
    return {};
  }

  // "member.of.it: why"
  static std::string why_not(const TypeInfo& type, std::set<std::string_view>& seen) {
    const TypeInfo& inner = unwrapped(type);
    if (const std::string_view what = formless(inner.kind); !what.empty()) {
      return fmt::format(": {} has no form in protobuf", what);
    }
    switch (inner.kind) {
      case Kind::kMessage:
        if (inner.message_schema != nullptr) return {};
        return ": a lite .proto message does not say what it is";
      case Kind::kMap:
        if (!is_map_key(inner.key->kind)) return ": protobuf's maps have no such keys";
        [[fallthrough]];
      case Kind::kList:
      case Kind::kArray:
      case Kind::kSet:
        if (is_repeated(unwrapped(*inner.element).kind)) {
          return ": a container within a container has no form in protobuf";
        }
        return why_not(*inner.element, seen);
      case Kind::kEnum:
        for (const EnumeratorInfo& enumerator : inner.enumerators) {
          if (enumerator.value < std::numeric_limits<std::int32_t>::min() ||
              enumerator.value > std::numeric_limits<std::int32_t>::max()) {
            return fmt::format(": {} of {} does not fit 32 bits", enumerator.name, inner.name);
          }
        }
        return {};
      case Kind::kStruct:
        if (!seen.insert(inner.name).second) return {};
        for (const MemberInfo& member : inner.members) {
          if (std::string why = why_not(*member.type, seen); !why.empty()) {
            return fmt::format("{}{}{}", member.name, why[0] == ':' ? "" : ".", why);
          }
        }
        return {};
      default: return {};
    }
  }

  std::string unique(std::string name) {
    while (!taken_.insert(name).second) name += '_';
    return name;
  }

  // The name of a type in the file: the simple one, or if that is taken the whole one.
  std::string name_of(const TypeInfo& type) {
    std::string name = simple_name(type.name);
    if (taken_.insert(name).second) return name;
    return unique(identifier(type.name));
  }

  std::string input(const std::string& service, const MethodInfo& method) {
    const std::string name = service + camel(method.wire_name) + "Request";
    if (method.request_stream != nullptr) return message_of(name, *method.request_stream);
    if (method.parameters.size() == 1 && is_message(*method.parameters[0].type)) {
      return message_name(*method.parameters[0].type);
    }
    return wrapper(name, method.parameters);
  }

  std::string output(const std::string& service, const MethodInfo& method) {
    return message_of(service + camel(method.wire_name) + "Response", response_of(method));
  }

  // A struct or .proto message itself; of another type a message of this name that holds it.
  std::string message_of(const std::string& name, const TypeInfo& type) {
    if (is_message(type)) return message_name(type);
    if (type.kind == Kind::kVoid) return wrapper(name, {});
    const ParameterInfo value{"value", &type};
    return wrapper(name, {&value, 1});
  }

  std::string wrapper(const std::string& name, std::span<const ParameterInfo> fields) {
    SchemaMessage message;
    message.name = unique(name);
    const std::size_t at = schema_.messages.size();
    schema_.messages.push_back(message);
    std::uint32_t number = 0;
    for (const ParameterInfo& field : fields) add_field(message, field.name, *field.type, ++number);
    schema_.messages[at] = std::move(message);
    return schema_.messages[at].name;
  }

  void add_field(SchemaMessage& message, std::string_view name, const TypeInfo& type,
                 std::uint32_t number) {
    SchemaField field;
    field.name = identifier(name);
    // Names must differ in JSON too, where a_b and aB are one.
    const auto clashes = [&](const SchemaField& other) {
      return json_name(other.name) == json_name(field.name);
    };
    while (std::any_of(message.fields.begin(), message.fields.end(), clashes)) field.name += "_x";
    field.number = number;
    const TypeInfo* inner = &unwrapped(type);
    field.optional = is_nullable(type.kind) && !is_message(*inner) && !is_repeated(inner->kind);
    if (is_repeated(inner->kind)) {
      field.repeated = true;
      if (inner->kind == Kind::kMap) {
        field.key = field_type(inner->key->kind);
        field.entry = camel_entry(field.name);
      }
      inner = &unwrapped(*inner->element);
    }
    field.type = field_type(inner->kind);
    field.comment = comment_of(inner->kind);
    if (is_message(*inner)) field.type_name = message_name(*inner);
    if (inner->kind == Kind::kEnum) field.type_name = enumeration(*inner);
    message.fields.push_back(std::move(field));
  }

  // As protoc names it.
  static std::string camel_entry(std::string_view field) {
    std::string result;
    bool start = true;
    for (const char c : field) {
      if (c == '_') {
        start = true;
        continue;
      }
      result += start ? upper(c) : c;
      start = false;
    }
    return result + "Entry";
  }

  std::string message_name(const TypeInfo& type) {
    if (type.kind == Kind::kStruct) return structure(type);
    const MessageSchema schema = type.message_schema();
    schema_.imports.insert(schema.files.back().first);
    return '.' + schema.full_name;
  }

  std::string structure(const TypeInfo& type) {
    if (const auto known = types_.find(type.name); known != types_.end()) return known->second;
    SchemaMessage message;
    message.name = name_of(type);
    message.comment = type.name;
    types_.emplace(type.name, message.name);
    const std::size_t at = schema_.messages.size();
    schema_.messages.push_back(message);  // its members may be of this type
    for (const MemberInfo& member : type.members) {
      add_field(message, member.name, *member.type, member.number);
    }
    schema_.messages[at] = std::move(message);
    return schema_.messages[at].name;
  }

  std::string enumeration(const TypeInfo& type) {
    if (const auto known = types_.find(type.name); known != types_.end()) return known->second;
    SchemaEnum made;
    made.name = name_of(type);
    made.comment = type.name;
    types_.emplace(type.name, made.name);
    // The names of an enum's values stand beside the enum's own.
    const std::string prefix = shouted(made.name) + '_';
    const auto value_name = [&](std::string_view name) {
      return unique(name.starts_with(prefix) ? std::string(name) : prefix + identifier(name));
    };
    const auto add_value = [&](const EnumeratorInfo& from) {
      made.values.push_back({value_name(from.name), static_cast<std::int32_t>(from.value)});
    };
    // The first one must be 0.
    const auto is_zero = [](const EnumeratorInfo& e) { return e.value == 0; };
    const auto zero = std::find_if(type.enumerators.begin(), type.enumerators.end(), is_zero);
    if (zero == type.enumerators.end()) {
      made.values.push_back({value_name("UNSPECIFIED"), 0});
    } else {
      add_value(*zero);
    }
    for (const EnumeratorInfo& enumerator : type.enumerators) {
      const auto same = [&](const SchemaEnum::Value& v) { return v.number == enumerator.value; };
      if (std::any_of(made.values.begin(), made.values.end(), same)) continue;
      add_value(enumerator);
    }
    schema_.enums.push_back(made);
    return made.name;
  }

  const ImportedFiles& imported_;
  Schema schema_;
  std::set<std::string> taken_;
  std::map<std::string_view, std::string> types_;  // by Java name
};

}  // namespace

std::string_view package_of(std::string_view name) noexcept {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

Schema make_schema(std::string_view package, std::span<const ServiceInfo* const> services,
                   const ImportedFiles& imported) {
  return Builder(imported).run(package, services);
}

std::string full_name(const Schema& schema, std::string_view name) {
  if (name.starts_with('.')) return std::string(name.substr(1));
  return schema.package.empty() ? std::string(name) : fmt::format("{}.{}", schema.package, name);
}

std::string json_name(std::string_view field) {
  std::string result;
  bool start = false;
  for (const char c : field) {
    if (c == '_') {
      start = true;
      continue;
    }
    result += start ? upper(c) : c;
    start = false;
  }
  return result;
}

}  // namespace settee::inline v0::rpc::grpc
