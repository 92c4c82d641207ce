// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "interop/tests/proto_service.h"

#include <stdexcept>

namespace interop {
namespace {

struct ProtoServiceImpl final : ProtoService {
  settee::Task<com::settee::interop::EchoResponse> echoObj(
      com::settee::interop::EchoRequest request) override {
    if (request.name() == "boom") throw std::runtime_error("boom");
    com::settee::interop::EchoResponse response;
    response.set_code(200);
    response.set_message("hi " + request.name());
    co_return response;
  }
};

}  // namespace

std::shared_ptr<ProtoService> make_proto_service() { return std::make_shared<ProtoServiceImpl>(); }

}  // namespace interop
