// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Protocol Buffers for described types. The forms, which proto.h prints as a .proto:
//
//   described structs       messages; a member's field number is its position, from 1, with a base's
//                           members behind the own ones, unless it is described with another
//   bool                    bool
//   8, 16 and 32 bits       int32 (what does not fit is refused)
//   64 bits                 int64
//   float, double           float, double
//   std::string             string, which must be UTF-8
//   Bytes                   bytes
//   Date, Duration          int64, milliseconds (Date: since 1970 UTC)
//   Decimal, BigInteger     string of its digits
//   char16_t                uint32, the UTF-16 unit
//   enums                   enum with the C++ values; if none is 0, a first one <NAME>_UNSPECIFIED = 0
//                           is added, which reading leaves the member as it was for
//   vector, Array, sets     repeated; packed where that may be; both ways are read
//   maps                    map
//   optional, pointers      a field that may be missing (proto3's `optional`); of a container: an empty
//                           one is missing
//   .proto messages         as they are
//   variant, hessian::Value, containers in containers: no form; an Error that names the member
//
// As everywhere in proto3 a member that is zero or empty is not written, and one that is missing is
// set to zero or empty, whatever its initialiser says. A missing struct is left as it was. Unknown
// fields are read over. Of equal map keys the last counts.
//
// A call's request is one message: the struct or .proto message that is its only parameter, else one
// with a field for each parameter. A response is the result if that is such a type, an empty message
// for void, else a message with the result in field 1.
//
// Errors: kDecode with the member, what was expected and the offset; kEncode with the member; kLimit.
//
// Threads: plain functions.

#pragma once

#include <cstdint>
#include <span>

#include "settee/base/result.h"
#include "settee/base/service.h"
#include "settee/rpc/grpc/internal/output.h"

namespace settee::inline v0::rpc::grpc {

struct ProtoLimits {
  std::uint32_t depth = 100;  ///< Messages within each other.
  /// Bytes of texts, binaries and elements made while reading one message.
  std::uint64_t memory = 256 * 1024 * 1024;
};

/// What each puts at the end of `out`; after an Error that is as it was.
SETTEE_API Result<void> write_arguments(Output& out, std::span<const ParameterInfo> parameters,
                                        const void* const* arguments,
                                        const ProtoLimits& limits = ProtoLimits());
SETTEE_API Result<void> write_result(Output& out, const TypeInfo& type, const void* result,
                                     const ProtoLimits& limits = ProtoLimits());

SETTEE_API Result<void> read_arguments(std::span<const std::uint8_t> message,
                                       std::span<const ParameterInfo> parameters,
                                       void* const* arguments,
                                       const ProtoLimits& limits = ProtoLimits());
SETTEE_API Result<void> read_result(std::span<const std::uint8_t> message, const TypeInfo& type,
                                    void* result, const ProtoLimits& limits = ProtoLimits());

}  // namespace settee::inline v0::rpc::grpc
