// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/proto.h"

#include <fmt/format.h>

#include <algorithm>

#include "settee/rpc/grpc/internal/schema.h"
#include "settee/rpc/grpc/internal/wire.h"

namespace settee::inline v0::rpc::grpc {

namespace {

// ---- text ----

std::string_view text_of(FieldType type) noexcept {
  switch (type) {
    case FieldType::kDouble: return "double";
    case FieldType::kFloat: return "float";
    case FieldType::kInt64: return "int64";
    case FieldType::kInt32: return "int32";
    case FieldType::kBool: return "bool";
    case FieldType::kString: return "string";
    case FieldType::kBytes: return "bytes";
    case FieldType::kUint32: return "uint32";
    default: return {};
  }
}

std::string type_text(const Schema& schema, const SchemaField& field) {
  if (field.type_name.empty()) return std::string(text_of(field.type));
  // A map's entry is a message nested in this one, which a short name might mean.
  return field.type_name.ends_with("Entry") ? '.' + full_name(schema, field.type_name)
                                            : field.type_name;
}

std::string field_text(const Schema& schema, const SchemaField& field) {
  std::string type = type_text(schema, field);
  if (!field.entry.empty()) {
    type = fmt::format("map<{}, {}>", text_of(field.key), type);
  } else if (field.repeated) {
    type.insert(0, "repeated ");
  } else if (field.optional) {
    type.insert(0, "optional ");
  }
  return fmt::format("  {} {} = {};{}{}\n", type, field.name, field.number,
                     field.comment.empty() ? "" : "  // ", field.comment);
}

std::string method_text(const SchemaMethod& method) {
  if (!method.left_out.empty()) {
    return fmt::format("  // {} is left out: {}\n", method.name, method.left_out);
  }
  return fmt::format("  rpc {}({}{}) returns ({}{});\n", method.name,
                     method.client_streaming ? "stream " : "", method.input,
                     method.server_streaming ? "stream " : "", method.output);
}

std::string text_of(const Schema& schema) {
  std::string text =
      "// Derived by Settee from the description of its services.\n"
      "syntax = \"proto3\";\n";
  if (!schema.package.empty()) text += fmt::format("\npackage {};\n", schema.package);
  if (!schema.imports.empty()) text += '\n';
  for (const std::string& file : schema.imports) text += fmt::format("import \"{}\";\n", file);
  for (const auto& [service, file] : schema.elsewhere) {
    text += fmt::format("\n// The service {} is described in {}.\n", service, file);
  }
  for (const SchemaService& service : schema.services) {
    text += fmt::format("\nservice {} {{\n", service.name);
    for (const SchemaMethod& method : service.methods) text += method_text(method);
    text += "}\n";
  }
  for (const SchemaMessage& message : schema.messages) {
    text += '\n';
    if (!message.comment.empty()) text += fmt::format("// {}\n", message.comment);
    text += fmt::format("message {} {{\n", message.name);
    for (const SchemaField& field : message.fields) text += field_text(schema, field);
    text += "}\n";
  }
  for (const SchemaEnum& type : schema.enums) {
    text += fmt::format("\n// {}\nenum {} {{\n", type.comment, type.name);
    for (const SchemaEnum::Value& value : type.values) {
      text += fmt::format("  {} = {};\n", value.name, value.number);
    }
    text += "}\n";
  }
  return text;
}

// ---- descriptors: google/protobuf/descriptor.proto, whose field numbers these are ----

constexpr std::uint64_t kLabelOptional = 1;
constexpr std::uint64_t kLabelRepeated = 3;

template <class Fill>
void put_message(Output& out, std::uint32_t number, Fill&& fill) {
  put_tag(out, number, Wire::kLength);
  const std::size_t begin = begin_length(out);
  fill();
  end_length(out, begin);
}

struct FieldText {
  std::string_view name;
  std::uint32_t number;
  FieldType type;
  std::string type_name = {};  // with a dot in front
  bool repeated = false;
  int oneof = -1;
};

void put_field(Output& out, const FieldText& field) {
  put_message(out, 2, [&] {
    put_text(out, 1, field.name);
    put_number(out, 3, field.number);
    put_number(out, 4, field.repeated ? kLabelRepeated : kLabelOptional);
    put_number(out, 5, static_cast<std::uint64_t>(field.type));
    if (!field.type_name.empty()) put_text(out, 6, field.type_name);
    if (field.oneof >= 0) put_number(out, 9, static_cast<std::uint64_t>(field.oneof));
    put_text(out, 10, json_name(field.name));
    if (field.oneof >= 0) put_number(out, 17, 1);  // proto3_optional
  });
}

void put_message_type(Output& out, const Schema& schema, const SchemaMessage& message) {
  const auto type_name = [&](const SchemaField& field) {
    return field.type_name.empty() ? std::string() : '.' + full_name(schema, field.type_name);
  };
  put_message(out, 4, [&] {
    put_text(out, 1, message.name);
    int oneofs = 0;
    for (const SchemaField& field : message.fields) {
      FieldText text{field.name, field.number, field.type, type_name(field), field.repeated};
      if (!field.entry.empty()) {
        text.type = FieldType::kMessage;
        text.type_name = fmt::format(".{}.{}", full_name(schema, message.name), field.entry);
      }
      if (field.optional) text.oneof = oneofs++;
      put_field(out, text);
    }
    for (const SchemaField& field : message.fields) {
      if (field.entry.empty()) continue;
      put_message(out, 3, [&] {
        put_text(out, 1, field.entry);
        put_field(out, {"key", 1, field.key});
        put_field(out, {"value", 2, field.type, type_name(field)});
        put_message(out, 7, [&] { put_number(out, 7, 1); });  // map_entry
      });
    }
    // proto3's `optional` is a oneof of one.
    for (const SchemaField& field : message.fields) {
      if (!field.optional) continue;
      std::string name = '_' + field.name;
      const auto same = [&](const SchemaField& other) { return other.name == name; };
      while (std::any_of(message.fields.begin(), message.fields.end(), same)) name.insert(0, "X");
      put_message(out, 8, [&] { put_text(out, 1, name); });
    }
  });
}

std::string descriptor_of(const Schema& schema, std::string_view name) {
  Output out;
  put_text(out, 1, name);
  if (!schema.package.empty()) put_text(out, 2, schema.package);
  for (const std::string& file : schema.imports) put_text(out, 3, file);
  for (const SchemaMessage& message : schema.messages) put_message_type(out, schema, message);
  for (const SchemaEnum& type : schema.enums) {
    put_message(out, 5, [&] {
      put_text(out, 1, type.name);
      for (const SchemaEnum::Value& value : type.values) {
        put_message(out, 2, [&] {
          put_text(out, 1, value.name);
          put_number(out, 2, static_cast<std::uint64_t>(std::int64_t{value.number}));
        });
      }
    });
  }
  for (const SchemaService& service : schema.services) {
    put_message(out, 6, [&] {
      put_text(out, 1, service.name);
      for (const SchemaMethod& method : service.methods) {
        if (!method.left_out.empty()) continue;
        put_message(out, 2, [&] {
          put_text(out, 1, method.name);
          put_text(out, 2, '.' + full_name(schema, method.input));
          put_text(out, 3, '.' + full_name(schema, method.output));
          if (method.client_streaming) put_number(out, 5, 1);
          if (method.server_streaming) put_number(out, 6, 1);
        });
      }
    });
  }
  put_text(out, 12, "proto3");
  return std::string(out.take().view());
}

}  // namespace

std::string proto_text(const ServiceInfo& service) {
  const ServiceInfo* const services[] = {&service};
  return proto_text(services);
}

std::string proto_text(std::span<const ServiceInfo* const> services) {
  if (services.empty()) return {};
  return text_of(
      make_schema(package_of(services[0]->interface_name), services, imported_files(services)));
}

std::vector<ProtoFile> proto_files(std::span<const ServiceInfo* const> services) {
  std::vector<std::string_view> packages;
  for (const ServiceInfo* service : services)
    packages.push_back(package_of(service->interface_name));
  std::sort(packages.begin(), packages.end());
  packages.erase(std::unique(packages.begin(), packages.end()), packages.end());
  ImportedFiles imported = imported_files(services);
  std::vector<ProtoFile> files;
  for (const std::string_view package : packages) {
    const Schema schema = make_schema(package, services, imported);
    if (schema.services.empty()) continue;  // all are described elsewhere
    ProtoFile file;
    file.name = package;
    std::replace(file.name.begin(), file.name.end(), '.', '/');
    file.name += file.name.empty() ? "services.proto" : "/services.proto";
    while (imported.contains(file.name)) file.name.insert(0, "settee/");
    file.descriptor = descriptor_of(schema, file.name);
    const auto symbol = [&](std::string_view name) {
      file.symbols.push_back(full_name(schema, name));
    };
    for (const SchemaService& service : schema.services) {
      symbol(service.name);
      for (const SchemaMethod& method : service.methods) {
        if (method.left_out.empty()) symbol(service.name + '.' + method.name);
      }
    }
    for (const SchemaMessage& message : schema.messages) symbol(message.name);
    for (const SchemaEnum& type : schema.enums) symbol(type.name);
    files.push_back(std::move(file));
  }
  for (auto& [name, file] : imported) {
    files.push_back({name, std::move(file.symbols), std::move(file.descriptor)});
  }
  return files;
}

}  // namespace settee::inline v0::rpc::grpc
