// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The .proto that follows from the description of services, for clients of other languages:
//
//   std::string text = grpc::proto_text(service_of<Quotes>());
//
//   service Quotes {
//     rpc latest(QuotesLatestRequest) returns (Quote);
//   }
//   message QuotesLatestRequest { string symbol = 1; }
//   message Quote { string symbol = 1; int64 cents = 2; repeated string tags = 3; }
//
// One file holds the services of one Java package, with all types that they use, so that services
// share their types. A field's number is the position of its member or parameter, so that new ones
// belong at the end, or what SETTEE_STRUCT says. Files of .proto messages are imported; a service that
// such a file has too is not described again. Which type has which form is in
// docs/protocols/grpc.md; a method of which a type has none is left out, and a comment in its place
// says why.
//
// Threads: plain functions.

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/export.h"
#include "settee/base/service.h"

namespace settee::inline v0::rpc::grpc {

/// The text of a .proto file.
SETTEE_API std::string proto_text(const ServiceInfo& service);
/// Of services that have one Java package; those of other packages are left out.
SETTEE_API std::string proto_text(std::span<const ServiceInfo* const> services);

/// A file that reflection hands out.
struct ProtoFile {
  std::string name;                  ///< "com/acme/services.proto"
  std::vector<std::string> symbols;  ///< Full names of its services, methods, messages and enums.
  std::string descriptor;            ///< A google.protobuf.FileDescriptorProto, serialized.
};
/// One for each Java package, and the files of .proto messages with all that they import.
SETTEE_API std::vector<ProtoFile> proto_files(std::span<const ServiceInfo* const> services);

}  // namespace settee::inline v0::rpc::grpc
