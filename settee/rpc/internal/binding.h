// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a protocol is to the core of rpc: on a server something that may recognise a connection by its
// first byte and then serves it, on a client something that makes targets. A folder beside the core
// (bolt/, ...) implements both; the core knows it by the functions at the end of this file only.

#pragma once

#include <chrono>
#include <memory>
#include <span>
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

/// An address, with a client's connections to it, which all services that it calls there share. When
/// nobody holds it any more its calls are waited for and its connections closed.
class Address {
 public:
  explicit Address(std::string text) : text_(std::move(text)) {}
  virtual ~Address() = default;
  Address(const Address&) = delete;
  Address& operator=(const Address&) = delete;
  /// host:port
  const std::string& text() const noexcept { return text_; }

 private:
  const std::string text_;
};

/// One call of a method of a service.
struct Outgoing {
  const MethodInfo* method = nullptr;            ///< Null: a call by name.
  std::string_view name;                         ///< Of the method, on the wire.
  void* const* arguments = nullptr;              ///< Of a described method.
  std::span<const std::string> types;            ///< Java signatures of a call by name.
  std::span<const hessian::Value> values;        ///< Its arguments.
  void* result = nullptr;                        ///< A hessian::Value for a call by name.
  settee::detail::CallMode mode{};
  std::chrono::milliseconds timeout{};           ///< Beside the Context's deadline.
};

/// A service, as a client calls it. Used from any thread.
class Target {
 public:
  virtual ~Target() = default;
  /// What `call` points to must live until the Task ends; then it may be called again, e.g. at another
  /// address.
  virtual Task<void> call(std::shared_ptr<Address> address, Outgoing call) = 0;
};

struct TargetOptions {
  const ServiceInfo* service = nullptr;  ///< Null: methods are called by name.
  std::string name;                      ///< Unique name.
  std::string target_app;
  Serialization serialization{};
};

/// The connections of a client in one protocol.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual std::unique_ptr<Target> target(TargetOptions options) = 0;
  virtual std::shared_ptr<Address> address(const net::Endpoint& endpoint) = 0;
  /// Ends all calls and connections; returns when nothing of it runs. Not on a loop.
  virtual void stop() = 0;
};

std::unique_ptr<ServerBinding> make_bolt_binding(const ServerOptions& options);
std::shared_ptr<Transport> make_bolt_transport(Runtime& runtime, const ClientOptions& options);

}  // namespace settee::inline v0::rpc
