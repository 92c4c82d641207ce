// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/http_call.h"

namespace settee::inline v0::rpc {
namespace grpc {
namespace {
class Binding final : public HttpBinding {
 public:
  std::shared_ptr<const http::Handler> find(const http::Request&, http::Response&) override {
    return nullptr;
  }
};
}  // namespace
}  // namespace grpc

std::unique_ptr<HttpBinding> make_grpc_binding(const std::shared_ptr<Server::Core>&) {
  return std::make_unique<grpc::Binding>();
}

}  // namespace settee::inline v0::rpc
