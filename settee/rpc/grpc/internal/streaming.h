// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Streaming calls: of many messages in one direction, or both.
//
// The method runs beside the answer's body, which takes from it as the peer makes room: between them are
// a few messages, so a slow reader holds up the method. A peer that leaves cancels it.
//
// Threads: the loop of the connection.

#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "settee/http/message.h"
#include "settee/rpc/grpc/internal/grpc_call.h"
#include "settee/rpc/internal/server_core.h"

namespace settee::inline v0::rpc::grpc {

/// The method that a call names, of overloads the one with these Java types. An Error
/// (kServiceNotFound, kMethodNotFound) if there is none.
Result<MethodEntry*> find_called(Server::Core& core, const CallPath& path,
                                 const CallMetadata& metadata,
                                 const std::vector<std::string_view>* signatures = nullptr);

Task<http::Response> serve_streaming(std::shared_ptr<Server::Core> core, http::Request request);

}  // namespace settee::inline v0::rpc::grpc
