// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a gRPC server says of its services and messages by reflection. Source of the format:
// grpc/reflection/v1/reflection.proto (v1alpha's is the same but for its package).

#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "apps/settee/grpc_caller.h"

namespace settee::cli {

/// Asks when it must, and keeps what it was told: descriptors live as long as this does. Errors: the
/// server's (kPeerError, also if it has no reflection), kProtocol if its answers make no sense.
class GrpcTypes final : private google::protobuf::DescriptorPool::ErrorCollector {
 public:
  explicit GrpcTypes(GrpcCaller& caller) : caller_(caller) {}

  /// kServiceNotFound, with those that the server has.
  Task<const google::protobuf::ServiceDescriptor*> service(std::string name);
  /// Null: the server does not know it.
  Task<const google::protobuf::Descriptor*> message(std::string name);

 private:
  // The fields of a ServerReflectionRequest.
  enum Question : int { kFileByName = 3, kFileContainingSymbol = 4, kListServices = 7 };

  // Whether the server has an answer, which is then in files_ or services_.
  Task<bool> ask(Question question, std::string name);
  // The file of a symbol and all that it imports, one in the other.
  Task<bool> load(std::string symbol);
  Result<bool> add(std::string_view answer);
  Result<void> add_file(const std::string& serialized);
  std::string next_missing() const;
  Error unfit(std::string_view name) const;
  void AddError(const std::string& file, const std::string& element,
                const google::protobuf::Message* descriptor, ErrorLocation location,
                const std::string& message) override;

  GrpcCaller& caller_;
  std::string version_;  // of reflection; empty until the server has answered
  std::set<std::string> files_;
  std::set<std::string> wanted_;
  std::vector<std::string> services_;
  std::string trouble_;  // why the files do not fit together
  google::protobuf::SimpleDescriptorDatabase database_;
  google::protobuf::DescriptorPool pool_{&database_, this};
};

}  // namespace settee::cli
