// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/imported.h"

#include <set>
#include <utility>

#include "settee/rpc/grpc/internal/wire.h"

namespace settee::inline v0::rpc::grpc {

namespace {

using Fields = std::span<const std::uint8_t>;

// google/protobuf/descriptor.proto, whose field numbers these are.
class Symbols {
 public:
  explicit Symbols(ImportedFile& file) : file_(file) {}

  void read(Fields file) {
    each(file, [&](const WireField& field) {
      if (field.number == 2) file_.package = field.text();
    });
    each(file, [&](const WireField& field) {
      if (field.number == 4) message(field.bytes, file_.package);
      if (field.number == 5) add(field.bytes, file_.package);
      if (field.number == 6) {
        const std::string service = add(field.bytes, file_.package);
        file_.services.push_back(service);
        each(field.bytes, [&](const WireField& part) {
          if (part.number == 2) add(part.bytes, service);
        });
      }
    });
  }

 private:
  template <class Visit>
  static void each(Fields bytes, Visit&& visit) {
    WireReader reader(bytes);
    for (WireField field; reader.next(field);) {
      if (field.wire == Wire::kLength) visit(field);
    }
  }

  // What these fields describe has its name in the first one.
  std::string add(Fields bytes, const std::string& scope) {
    std::string name = scope.empty() ? std::string() : scope + '.';
    each(bytes, [&](const WireField& field) {
      if (field.number == 1) name += field.text();
    });
    file_.symbols.push_back(name);
    return name;
  }

  void message(Fields bytes, const std::string& scope) {
    const std::string name = add(bytes, scope);
    each(bytes, [&](const WireField& field) {
      if (field.number == 3) message(field.bytes, name);
      if (field.number == 4) add(field.bytes, name);
    });
  }

  ImportedFile& file_;
};

class Collector {
 public:
  explicit Collector(ImportedFiles& files) : files_(files) {}

  void look_at(const TypeInfo* type) {
    if (type == nullptr) return;
    if (type->kind == Kind::kMessage && type->message_schema != nullptr) {
      for (auto& [name, descriptor] : type->message_schema().files) {
        if (!files_.contains(name)) files_.emplace(name, read_imported(std::move(descriptor)));
      }
    }
    look_at(type->element);
    if (type->kind != Kind::kStruct || !seen_.insert(type->name).second) return;
    for (const MemberInfo& member : type->members) look_at(member.type);
  }

 private:
  ImportedFiles& files_;
  std::set<std::string_view> seen_;  // structs, by Java name
};

}  // namespace

ImportedFile read_imported(std::string descriptor) {
  ImportedFile file;
  file.descriptor = std::move(descriptor);
  Symbols(file).read(
      {reinterpret_cast<const std::uint8_t*>(file.descriptor.data()), file.descriptor.size()});
  return file;
}

ImportedFiles imported_files(std::span<const ServiceInfo* const> services) {
  ImportedFiles files;
  Collector collector(files);
  for (const ServiceInfo* const service : services) {
    for (const MethodInfo& method : service->methods) {
      for (const ParameterInfo& parameter : method.parameters) collector.look_at(parameter.type);
      collector.look_at(method.request_stream);
      collector.look_at(method.response_stream);
      collector.look_at(method.result);
    }
  }
  return files;
}

}  // namespace settee::inline v0::rpc::grpc
