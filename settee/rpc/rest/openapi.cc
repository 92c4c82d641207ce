// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/rest/internal/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <map>
#include <vector>

#include "settee/rpc/internal/service_table.h"
#include "settee/rpc/rest/internal/arguments.h"

namespace settee::inline v0::rpc::rest {

namespace {

/// JSON text, written from front to back.
class Json {
 public:
  Json& key(std::string_view name) {
    string(name);
    out_ += ':';
    fresh_ = true;
    return *this;
  }
  Json& string(std::string_view text) {
    comma();
    out_ += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') out_ += '\\';
      if (static_cast<unsigned char>(c) < 0x20) {
        out_ += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
      } else {
        out_ += c;
      }
    }
    out_ += '"';
    return *this;
  }
  /// A whole value, or the members of an object without their braces.
  Json& raw(std::string_view text) {
    if (text.empty()) return *this;
    comma();
    out_ += text;
    return *this;
  }
  Json& open(char bracket) {
    comma();
    out_ += bracket;
    fresh_ = true;
    return *this;
  }
  Json& close(char bracket) {
    out_ += bracket;
    fresh_ = false;
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  void comma() {
    if (!fresh_) out_ += ',';
    fresh_ = false;
  }
  std::string out_;
  bool fresh_ = true;  // nothing stands in front in this container
};

bool may_be_missing(const TypeInfo& type) noexcept {
  return type.kind == Kind::kOptional || type.kind == Kind::kPointer || type.kind == Kind::kAny;
}

// As json::read_arguments() has it: whether the only argument of this type is the body itself.
bool is_object(const TypeInfo& type) noexcept {
  switch (type.kind) {
    case Kind::kStruct:
    case Kind::kMap:
    case Kind::kAny: return true;
    case Kind::kOptional:
    case Kind::kPointer: return is_object(*type.element);
    case Kind::kVariant:
      return std::any_of(type.alternatives.begin(), type.alternatives.end(),
                         [](const TypeInfo* alternative) { return is_object(*alternative); });
    default: return false;
  }
}

class Document {
 public:
  std::string make(const ServiceTable& services, std::string_view title) {
    std::vector<const ServiceEntry*> entries;
    std::vector<Visit> visits;
    for (const auto& [name, entry] : services.services) {
      if (Visit visit(*entry); visit) {
        visits.push_back(std::move(visit));
        entries.push_back(entry.get());
      }
    }
    std::sort(entries.begin(), entries.end(), [](const ServiceEntry* a, const ServiceEntry* b) {
      return a->unique_name < b->unique_name;
    });
    for (const ServiceEntry* const entry : entries) add(*entry);

    Json json;
    json.open('{').key("openapi").string("3.1.0");
    json.key("info").open('{');
    json.key("title").string(title.empty() ? "Settee" : title).key("version").string("1.0");
    json.close('}').key("paths").open('{');
    for (const auto& [path, verbs] : paths_) {
      json.key(path).open('{');
      for (const auto& [verb, operation] : verbs) json.key(verb).raw(operation);
      json.close('}');
    }
    json.close('}').key("components").open('{').key("schemas").open('{');
    for (const auto& [name, schema] : schemas_) json.key(name).raw(schema);
    json.close('}').key("responses").open('{').key("Problem").raw(kProblem);
    json.close('}').close('}').close('}');
    return json.take();
  }

 private:
  // RFC 9457, as problem() of settee/rpc/rest/internal/problem.h writes it.
  static constexpr std::string_view kProblem =
      R"({"description":"An Error: its stable code and its message.",)"
      R"("content":{"application/problem+json":{"schema":{"type":"object",)"
      R"("properties":{"type":{"type":"string"},"title":{"type":"string"},)"
      R"("status":{"type":"integer"},"code":{"type":"integer"},"name":{"type":"string"},)"
      R"("detail":{"type":"string"},"exception":{"type":"object","properties":)"
      R"({"class":{"type":"string"},"value":{}},"required":["class"]}},)"
      R"("required":["title","status","detail"]}}}})";

  void add(const ServiceEntry& service) {
    const bool plain = service.key.version == "1.0" && service.key.unique_id.empty();
    const std::string name = plain ? service.key.interface_name : service.unique_name;
    std::map<std::string_view, std::vector<const MethodEntry*>> methods;
    for (const MethodEntry& method : service.methods) {
      if (!method.streams) methods[method.name].push_back(&method);
    }
    for (const auto& [method_name, overloads] : methods) {
      auto& verbs = paths_[fmt::format("/{}/{}", name, method_name)];
      const std::string id = fmt::format("{}.{}", name, method_name);
      verbs["post"] = post(service, id, overloads);
      const MethodInfo& info = *overloads.front()->info;
      const bool simple =
          std::all_of(info.parameters.begin(), info.parameters.end(), [](const ParameterInfo& p) {
            return is_simple(*p.type) || repeated(*p.type) != nullptr;
          });
      if (overloads.size() == 1 && simple) {
        verbs["get"] = operation(service, id + ".get", info, {}, false);
      }
    }
    for (const MethodEntry& method : service.methods) {
      if (method.info->route_path.empty()) continue;
      std::string verb(method.info->route_verb);
      for (char& c : verb) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      const bool has_body = verb == "post" || verb == "put" || verb == "patch";
      paths_[std::string(method.info->route_path)][verb] =
          operation(service, fmt::format("{}.{}.route", name, method.name), *method.info,
                    method.info->route_path, has_body);
    }
  }

  // The beginning of an operation.
  static void begin(Json& json, const ServiceEntry& service, std::string_view id) {
    json.open('{').key("operationId").string(id);
    json.key("tags").open('[').string(service.unique_name).close(']');
  }

  // One path has one operation for all overloads of a name.
  std::string post(const ServiceEntry& service, std::string_view id,
                   const std::vector<const MethodEntry*>& overloads) {
    std::vector<std::string> bodies;
    bool required = true;
    std::vector<const TypeInfo*> results;
    for (const MethodEntry* const method : overloads) {
      const auto parameters = method->info->parameters;
      if (std::all_of(parameters.begin(), parameters.end(),
                      [](const ParameterInfo& p) { return may_be_missing(*p.type); })) {
        required = false;
      }
      if (!parameters.empty()) {
        bodies.push_back(body_schema({parameters.begin(), parameters.end()}));
      }
      results.push_back(method->info->result);
    }
    Json json;
    begin(json, service, id);
    if (!bodies.empty()) write_body(json, bodies, required);
    write_responses(json, results);
    return json.close('}').take();
  }

  // Of one method: on a route, or with GET.
  std::string operation(const ServiceEntry& service, std::string_view id, const MethodInfo& method,
                        std::string_view path, bool has_body) {
    std::vector<ParameterInfo> body;
    Json parameters;
    parameters.open('[');
    bool any = false;
    for (const ParameterInfo& parameter : method.parameters) {
      const bool in_path = path.find(fmt::format("{{{}}}", parameter.name)) != path.npos;
      if (!in_path && has_body) {
        body.push_back(parameter);
        continue;
      }
      any = true;
      const bool list = repeated(*parameter.type) != nullptr;
      parameters.open('{').key("name").string(parameter.name);
      parameters.key("in").string(in_path ? "path" : "query");
      const bool required = in_path || !(list || may_be_missing(*parameter.type));
      parameters.key("required").raw(required ? "true" : "false");
      parameters.key("schema").raw(schema(*parameter.type)).close('}');
    }
    parameters.close(']');
    Json json;
    begin(json, service, id);
    if (any) json.key("parameters").raw(parameters.take());
    if (!body.empty()) {
      const bool required = !std::all_of(
          body.begin(), body.end(), [](const ParameterInfo& p) { return may_be_missing(*p.type); });
      write_body(json, {body_schema(body)}, required);
    }
    write_responses(json, {method.result});
    return json.close('}').take();
  }

  static void write_body(Json& json, const std::vector<std::string>& schemas, bool required) {
    json.key("requestBody").open('{').key("required").raw(required ? "true" : "false");
    json.key("content").open('{').key("application/json").open('{').key("schema");
    write_any_of(json, schemas);
    json.close('}').close('}').close('}');
  }

  static void write_any_of(Json& json, const std::vector<std::string>& schemas) {
    if (schemas.size() == 1) {
      json.raw(schemas.front());
      return;
    }
    json.open('{').key("anyOf").open('[');
    for (const std::string& one : schemas) json.raw(one);
    json.close(']').close('}');
  }

  void write_responses(Json& json, const std::vector<const TypeInfo*>& results) {
    std::vector<std::string> schemas;
    bool nothing = false;
    for (const TypeInfo* const result : results) {
      if (result->kind == Kind::kVoid) {
        nothing = true;
      } else {
        schemas.push_back(schema(*result));
      }
    }
    json.key("responses").open('{');
    if (!schemas.empty()) {
      json.key("200").open('{').key("description").string("The result.");
      json.key("content").open('{').key("application/json").open('{').key("schema");
      write_any_of(json, schemas);
      json.close('}').close('}').close('}');
    }
    if (nothing) json.key("204").raw(R"({"description":"Done."})");
    json.key("default").raw(R"({"$ref":"#/components/responses/Problem"})").close('}');
  }

  std::string body_schema(const std::vector<ParameterInfo>& parameters) {
    if (parameters.size() == 1 && is_object(*parameters[0].type)) {
      return schema(*parameters[0].type);
    }
    Json json;
    json.open('{').key("type").string("object").key("properties").open('{');
    for (const ParameterInfo& parameter : parameters) {
      json.key(parameter.name).raw(schema(*parameter.type));
    }
    json.close('}').key("required").open('[');
    for (const ParameterInfo& parameter : parameters) {
      if (!may_be_missing(*parameter.type)) json.string(parameter.name);
    }
    return json.close(']').close('}').take();
  }

  template <class T>
  static std::string whole() {
    return fmt::format(R"({{"type":"integer","minimum":{},"maximum":{}}})",
                       static_cast<int>(std::numeric_limits<T>::min()),
                       static_cast<int>(std::numeric_limits<T>::max()));
  }

  std::string schema(const TypeInfo& type) {
    switch (type.kind) {
      case Kind::kVoid: return R"({"type":"null"})";
      case Kind::kBool: return R"({"type":"boolean"})";
      case Kind::kInt8: return whole<std::int8_t>();
      case Kind::kInt16: return whole<std::int16_t>();
      case Kind::kInt32: return R"({"type":"integer","format":"int32"})";
      case Kind::kInt64: return R"({"type":"integer","format":"int64"})";
      case Kind::kChar16: return R"({"type":"string","minLength":1,"maxLength":1})";
      case Kind::kFloat: return real("float");
      case Kind::kDouble: return real("double");
      case Kind::kString: return R"({"type":"string"})";
      case Kind::kBytes: return R"({"type":"string","contentEncoding":"base64"})";
      case Kind::kDate:
        return R"({"type":"integer","format":"int64","description":"Milliseconds since 1970."})";
      case Kind::kDuration:
        return R"({"type":"integer","format":"int64","description":"Milliseconds."})";
      case Kind::kDecimal: return R"({"type":"number"})";
      case Kind::kBigInteger: return R"({"type":"integer"})";
      case Kind::kEnum:
      case Kind::kStruct: return reference(type);
      case Kind::kOptional:
      case Kind::kPointer:
        return fmt::format(R"({{"anyOf":[{},{{"type":"null"}}]}})", schema(*type.element));
      case Kind::kList:
      case Kind::kArray:
        if (type.kind == Kind::kArray && type.element->kind == Kind::kChar16) {
          return R"({"type":"string"})";
        }
        return fmt::format(R"({{"type":"array","items":{}}})", schema(*type.element));
      case Kind::kSet:
        return fmt::format(R"({{"type":"array","uniqueItems":true,"items":{}}})",
                           schema(*type.element));
      case Kind::kMap:
        return fmt::format(R"({{"type":"object","additionalProperties":{}}})",
                           schema(*type.element));
      case Kind::kVariant: {
        std::vector<std::string> all;
        for (const TypeInfo* const alternative : type.alternatives) {
          all.push_back(schema(*alternative));
        }
        Json json;
        write_any_of(json, all);
        return json.take();
      }
      case Kind::kAny:
      case Kind::kMessage: return "{}";
    }
    return "{}";
  }

  // What is no number is a text.
  static std::string real(std::string_view format) {
    return fmt::format(R"({{"anyOf":[{{"type":"number","format":"{}"}},)"
                       R"({{"enum":["NaN","Infinity","-Infinity"]}}]}})",
                       format);
  }

  // The schema of a described type, which is a component.
  std::string reference(const TypeInfo& type) {
    std::string name(type.name);
    for (char& c : name) {
      const bool allowed = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
      if (!allowed) c = '_';
    }
    if (schemas_.emplace(name, std::string()).second) {
      // Written when it is there already: a struct may hold itself.
      std::string text = type.kind == Kind::kEnum ? enumeration(type) : members(type);
      schemas_[name] = std::move(text);
    }
    return fmt::format(R"({{"$ref":"#/components/schemas/{}"}})", name);
  }

  static std::string enumeration(const TypeInfo& type) {
    Json json;
    json.open('{').key("type").string("string").key("enum").open('[');
    for (const EnumeratorInfo& enumerator : type.enumerators) json.string(enumerator.name);
    return json.close(']').close('}').take();
  }

  std::string members(const TypeInfo& type) {
    Json json;
    json.open('{').key("type").string("object").key("properties").open('{');
    for (const MemberInfo& member : type.members) json.key(member.name).raw(schema(*member.type));
    return json.close('}').close('}').take();
  }

  std::map<std::string, std::map<std::string, std::string>> paths_;  // verb: its operation
  std::map<std::string, std::string> schemas_;
};

}  // namespace

std::string openapi(const ServiceTable& services, std::string_view title) {
  return Document().make(services, title);
}

}  // namespace settee::inline v0::rpc::rest
