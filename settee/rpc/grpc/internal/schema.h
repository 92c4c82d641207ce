// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The model of a derived .proto file, of which proto.cc makes text and descriptors.
//
// Threads: plain values.

#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/base/service.h"
#include "settee/rpc/grpc/internal/imported.h"

namespace settee::inline v0::rpc::grpc {

/// FieldDescriptorProto.Type
enum class FieldType : std::uint8_t {
  kDouble = 1,
  kFloat = 2,
  kInt64 = 3,
  kInt32 = 5,
  kBool = 8,
  kString = 9,
  kMessage = 11,
  kBytes = 12,
  kUint32 = 13,
  kEnum = 14,
};

struct SchemaField {
  std::string name;
  std::uint32_t number = 0;
  FieldType type = FieldType::kMessage;
  std::string type_name = {};  ///< Of messages and enums, as full_name() takes it.
  bool repeated = false;
  bool optional = false;   ///< `optional` stands in front.
  std::string entry = {};  ///< Of a map: its entry message, nested; `type` is the value's.
  FieldType key = FieldType::kString;
  std::string_view comment = {};
};

struct SchemaMessage {
  std::string name;
  std::string comment = {};
  std::vector<SchemaField> fields = {};
};

struct SchemaEnum {
  struct Value {
    std::string name;
    std::int32_t number;
  };
  std::string name;
  std::string comment = {};
  std::vector<Value> values = {};
};

struct SchemaMethod {
  std::string name;
  std::string input = {};  ///< As full_name() takes it.
  std::string output = {};
  bool client_streaming = false;
  bool server_streaming = false;
  std::string left_out = {};  ///< Why, if it is.
};

struct SchemaService {
  std::string name;
  std::vector<SchemaMethod> methods = {};
};

struct Schema {
  std::string package;
  std::set<std::string> imports = {};  ///< Files.
  /// Services that a file of their own describes, which is imported: name, file.
  std::vector<std::pair<std::string, std::string>> elsewhere = {};
  std::vector<SchemaService> services = {};
  std::vector<SchemaMessage> messages = {};
  std::vector<SchemaEnum> enums = {};
};

/// "com.acme" of "com.acme.Quotes"; empty without a dot.
std::string_view package_of(std::string_view name) noexcept;

/// Services of package `package`; others are left out. `imported`: of all services.
SETTEE_API Schema make_schema(std::string_view package,
                              std::span<const ServiceInfo* const> services,
                              const ImportedFiles& imported);

/// Of a type or service in the schema; a name that begins with a dot is whole already.
std::string full_name(const Schema& schema, std::string_view name);

/// What JSON calls a field of this name.
std::string json_name(std::string_view field);

}  // namespace settee::inline v0::rpc::grpc
