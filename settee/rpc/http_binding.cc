// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP on the port of a server: an http::Server without a port of its own, whose requests the bindings
// of rest/ and grpc/ answer.

#include <algorithm>
#include <vector>

#include "settee/http/server.h"
#include "settee/rpc/internal/binding.h"
#include "settee/rpc/internal/http_call.h"
#include "settee/rpc/internal/server_core.h"

namespace settee::inline v0::rpc {

namespace {

class HttpRouter final : public http::Router {
 public:
  void add(std::unique_ptr<HttpBinding> binding) { bindings_.push_back(std::move(binding)); }
  void admit(const ServiceTable& table, const ServiceEntry& entry) {
    for (const auto& binding : bindings_) binding->admit(table, entry);
  }
  std::shared_ptr<const http::Handler> find(const http::Request& head,
                                            http::Response& otherwise) override {
    const int unknown = otherwise.status;
    for (const auto& binding : bindings_) {
      if (auto handler = binding->find(head, otherwise)) return handler;
      if (otherwise.status != unknown) return nullptr;
    }
    return nullptr;
  }

 private:
  std::vector<std::unique_ptr<HttpBinding>> bindings_;  // the first that knows a request has it
};

http::ServerOptions http_options(const ServerOptions& options) {
  http::ServerOptions made;
  if (options.http) {
    made = *options.http;
  } else {
    made.max_body = options.max_frame;
  }
  return made;
}

class HttpServing final : public ServerBinding {
 public:
  HttpServing(Runtime& runtime, const ServerOptions& options)
      : server_(runtime, router_, http_options(options)) {}

  bool speaks(std::uint8_t first_byte) const noexcept override {
    return http::Server::speaks(first_byte);
  }
  void begin(const std::shared_ptr<Server::Core>& core) override {
    if (core->options.speaks("grpc")) router_->add(make_grpc_binding(core));
    if (core->options.speaks("http")) router_->add(make_rest_binding(core));
  }
  void admit(const ServiceTable& table, const ServiceEntry& entry) override {
    router_->admit(table, entry);
  }
  std::unique_ptr<net::Protocol> serve(std::shared_ptr<Server::Core> core,
                                       net::Connection& connection) override {
    return server_.protocol(connection, [core](net::Connection& closed) { core->forget(closed); });
  }
  void drain() override { server_.drain(); }
  void stop(TimePoint by) override { server_.stop(by); }

 private:
  const std::shared_ptr<HttpRouter> router_ = std::make_shared<HttpRouter>();
  http::Server server_;
};

}  // namespace

std::unique_ptr<ServerBinding> make_http_serving(Runtime& runtime, const ServerOptions& options) {
  return std::make_unique<HttpServing>(runtime, options);
}

}  // namespace settee::inline v0::rpc
