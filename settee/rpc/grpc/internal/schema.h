// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The model of a derived .proto file, of which proto.cc makes text and descriptors.
//
// Threads: plain values.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/service.h"

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
  std::string type_name = {};  ///< Of messages and enums, without the package.
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
  std::string input = {};
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
  std::vector<SchemaService> services = {};
  std::vector<SchemaMessage> messages = {};
  std::vector<SchemaEnum> enums = {};
};

/// "com.acme" of "com.acme.Quotes"; empty without a dot.
std::string_view package_of(std::string_view name) noexcept;

/// Services of package `package`; others are left out.
Schema make_schema(std::string_view package, std::span<const ServiceInfo* const> services);

/// What JSON calls a field of this name.
std::string json_name(std::string_view field);

}  // namespace settee::inline v0::rpc::grpc
