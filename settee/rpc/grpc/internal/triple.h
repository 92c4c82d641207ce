// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What Java SOFARPC's protocol `tri` puts into gRPC for interfaces that no .proto describes: generic
// messages that hold each value in a Hessian stream of its own. Source of the format: triple.Request
// and triple.Response in SOFARPC's transformer.proto.
//
//   message Request {
//     string serializeType = 1; repeated bytes args = 2; repeated string argTypes = 3;
//   }
//   message Response { string serializeType = 1; bytes data = 2; string type = 3; }
//
// Threads: plain functions and values.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "settee/base/result.h"
#include "settee/base/service.h"
#include "settee/hessian/dialect.h"
#include "settee/rpc/grpc/internal/output.h"

namespace settee::inline v0::rpc::grpc {

struct TripleRequest {
  std::string_view serialize_type;
  std::vector<std::span<const std::uint8_t>> arguments;
  std::vector<std::string_view> types;

  /// In any other serialization only the types can tell it from a message of three texts.
  bool hessian() const noexcept {
    return serialize_type == "hessian2" || serialize_type == "hessian";
  }
};

/// The generic request in `message`, which it points into. Nothing if it is certainly another message:
/// one with other fields, with fewer types than arguments, with more than 256 of them, or with neither
/// and no name of Hessian's.
SETTEE_API std::optional<TripleRequest> triple_request(std::span<const std::uint8_t> message);

/// `limits` hold for each argument, which is a stream of its own.
SETTEE_API Result<void> read_arguments(const TripleRequest& request,
                                       std::span<const ParameterInfo> parameters,
                                       void* const* arguments,
                                       const hessian::Limits& limits = hessian::Limits());
/// Puts the response behind what `out` has; after an Error some of it may be there.
SETTEE_API Result<void> write_triple_response(Output& out, const TripleRequest& request,
                                              const TypeInfo& type, const void* result);

}  // namespace settee::inline v0::rpc::grpc
