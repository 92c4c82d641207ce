// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// com.settee.interop.ProtoService of interop/node/proto/interop.proto: calls whose argument and
// result are protobuf messages. Only where protobuf is found.

#pragma once

#include <memory>

#include "interop.pb.h"
#include "settee/rpc/rpc.h"

namespace interop {

struct ProtoService {
  virtual ~ProtoService() = default;
  /// Code 200 and "hi NAME"; the name "boom" fails.
  virtual settee::Task<com::settee::interop::EchoResponse> echoObj(
      com::settee::interop::EchoRequest request) = 0;
};

std::shared_ptr<ProtoService> make_proto_service();

}  // namespace interop

SETTEE_SERVICE(interop::ProtoService, "com.settee.interop.ProtoService", (echoObj, request))
