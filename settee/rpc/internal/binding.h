// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a protocol is to the core of rpc: on a server something that may recognise a connection by its
// first byte and then serves it, on a client something that makes targets. A folder beside the core
// (bolt/, ...) implements both; the core knows it by the functions at the end of this file only.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/service.h"
#include "settee/hessian/value.h"
#include "settee/net/connection.h"
#include "settee/net/endpoint.h"
#include "settee/rpc/client.h"
#include "settee/rpc/server.h"

namespace settee::inline v0::rpc {

/// One for each protocol of a server.
class ServerBinding {
 public:
  virtual ~ServerBinding() = default;
  virtual bool speaks(std::uint8_t first_byte) const noexcept = 0;
  /// What serves `connection` from now on.
  virtual std::unique_ptr<net::Protocol> serve(std::shared_ptr<Server::Core> core,
                                               net::Connection& connection) = 0;
};

/// A service at an address, as a client calls it. Used from any thread.
class Target {
 public:
  virtual ~Target() = default;
  virtual Task<void> call(const MethodInfo& method, void* const* arguments, void* result,
                          settee::detail::CallMode mode, const CallOptions& options) = 0;
  virtual Task<hessian::Value> call_generic(std::string method, std::vector<std::string> types,
                                            std::vector<hessian::Value> arguments,
                                            settee::detail::CallMode mode,
                                            CallOptions options) = 0;
};

struct TargetOptions {
  net::Endpoint endpoint;
  const ServiceInfo* service = nullptr;  ///< Null: only call_generic() is used.
  std::string name;                      ///< Unique name.
  std::string target_app;
  std::chrono::milliseconds timeout{};
  Serialization serialization{};
};

/// The connections of a client in one protocol.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual std::unique_ptr<Target> target(TargetOptions options) = 0;
  /// Ends all calls and connections; returns when nothing of it runs. Not on a loop.
  virtual void stop() = 0;
};

std::unique_ptr<ServerBinding> make_bolt_binding(const ServerOptions& options);
std::shared_ptr<Transport> make_bolt_transport(Runtime& runtime, const ClientOptions& options);

}  // namespace settee::inline v0::rpc
