// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The .proto files of protobuf messages that described methods take or give: what derived files import
// and reflection hands out beside them.
//
// Threads: plain functions.

#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/export.h"
#include "settee/base/service.h"

namespace settee::inline v0::rpc::grpc {

struct ImportedFile {
  std::string package = {};
  std::vector<std::string> symbols = {};   ///< Full names of all that is in it.
  std::vector<std::string> services = {};  ///< Those of them.
  std::string descriptor = {};             ///< A google.protobuf.FileDescriptorProto, serialized.
};

/// By name, with all that they import.
using ImportedFiles = std::map<std::string, ImportedFile, std::less<>>;

ImportedFiles imported_files(std::span<const ServiceInfo* const> services);

/// Of a FileDescriptorProto; what cannot be read of it is left out.
SETTEE_API ImportedFile read_imported(std::string descriptor);

}  // namespace settee::inline v0::rpc::grpc
