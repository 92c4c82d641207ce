// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The services that gRPC's own tools expect of every server:
//
//   grpc.health.v1.Health                     Check, Watch: "" is the server, else a service's name. What
//                                             is not offered is NOT_FOUND; a server that drains is
//                                             NOT_SERVING, and ends the streams of Watch.
//   grpc.reflection.v1.ServerReflection,      the descriptors that follow from the services' descriptions
//   grpc.reflection.v1alpha.ServerReflection  (proto.h)
//
// Sources of the formats: grpc/health/v1/health.proto and grpc/reflection/v1/reflection.proto.
//
// Whoever ServerOptions::authenticate refuses gets nothing from them either.
//
// Threads: find() on any loop.

#pragma once

#include <memory>

#include "settee/http/handler.h"
#include "settee/rpc/grpc/internal/grpc_call.h"
#include "settee/rpc/internal/server_core.h"

namespace settee::inline v0::rpc::grpc {

class Builtin {
 public:
  explicit Builtin(const std::weak_ptr<Server::Core>& core);
  /// Null: it is none of these.
  std::shared_ptr<const http::Handler> find(const CallPath& path) const;

 private:
  std::shared_ptr<const http::Handler> check_;
  std::shared_ptr<const http::Handler> watch_;
  std::shared_ptr<const http::Handler> reflect_;
};

/// What reflection answers to a serialized ServerReflectionRequest: a ServerReflectionResponse.
Bytes reflect(Server::Core& core, const Bytes& request);

}  // namespace settee::inline v0::rpc::grpc
