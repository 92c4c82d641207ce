// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Server: offers described services on one port. Bolt with Hessian (both dialects), protobuf and
// JSON bodies; a peer's first bytes tell which.
//
//   Server server{runtime, {.port = 12200}};
//   server.provide<Quotes>(std::make_shared<MyQuotes>());
//   server.start();                       // throws an Error that names address and cause
//   ...
//   server.stop();                        // withdraws, answers what it has begun, then closes
//
// A method runs on the loop of its caller's connection, unless it is described as blocking(): then on
// a thread of the pool, and when that is full the caller is told so (Bolt status 4, "busy").
//
// Threads: all members from any thread; stop() and the destructor not on a loop's.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/base/service.h"
#include "settee/rpc/call.h"

namespace settee::inline v0::rpc {

class Registry;

/// Each limit refuses with an Error or by closing the connection, and is counted.
struct ServerOptions {
  std::string host = "0.0.0.0";           ///< Numeric address, or unix:/path.
  std::uint16_t port = 12200;             ///< 0: a free one, see port().
  std::string app_name = {};              ///< Shown to peers and in messages.
  std::size_t max_connections = 100'000;  ///< More are closed at once.
  std::size_t max_in_flight = 4'096;  ///< Calls of one connection; then it is not read until fewer.
  std::uint32_t max_frame = 64 * 1024 * 1024;  ///< Content bytes of one request.
  std::size_t max_unsent = 4 * 1024 * 1024;    ///< Bytes a peer does not take; then it is not read.
  std::chrono::milliseconds idle_close{
      90'000};                               ///< No byte either way for so long: closed. 0: never.
  std::chrono::milliseconds drain{10'000};   ///< stop() waits so long for calls that run.
  std::uint32_t hessian_depth = 256;         ///< Values within values in a request.
  std::uint32_t hessian_nodes = 10'000'000;  ///< Values in a request.

  /// Where start() publishes the services, when the server can be called, and stop() withdraws them.
  std::vector<std::shared_ptr<Registry>> registries = {};
  std::string public_host =
      {};  ///< What consumers are told; empty: host, or this machine's address.
  std::uint16_t public_port = 0;                       ///< The same; 0: port().
  std::chrono::milliseconds register_timeout{10'000};  ///< For each service and registry.
  /// How long stop() serves on after it has withdrawn the services: consumers hear of it meanwhile.
  std::chrono::milliseconds leave{1'000};
};

struct ProvideOptions {
  std::string version = "1.0";
  std::string unique_id = {};
  /// Where blocking methods of this service run; null: the Runtime's pool.
  std::shared_ptr<ThreadPool> pool = nullptr;
  int weight = 100;                                    ///< Of this address, for consumers.
  std::vector<FilterUse> filters = {};                 ///< Beside the server's.
  std::vector<std::string> without_filters = {};       ///< Names of the server's; "*": none.
  std::map<std::string, std::string> attributes = {};  ///< More of them, for the registries.
};

/// interface:version[:unique_id]
SETTEE_API std::string unique_name(std::string_view interface_name, std::string_view version,
                                   std::string_view unique_id);

class SETTEE_API Server {
 public:
  explicit Server(Runtime& runtime, ServerOptions options = {});
  /// stop()
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Offers `object` as the described service Service. Before or after start(). An Error (kMisuse) if
  /// the unique name is taken.
  template <class Service>
  void provide(std::shared_ptr<Service> object, ProvideOptions options = {}) {
    Service* const address = object.get();
    provide_erased(service_of<Service>(), std::move(object), address, std::move(options));
  }
  /// Takes a service back and waits until no call of it runs; false if there is none. Not on a loop's
  /// thread. The object is released before this returns.
  bool withdraw(std::string_view unique_name);
  /// For all services. See FilterUse. An Error (kInvalidArgument) for a name that is taken.
  void add_filter(FilterUse filter);
  /// False if there is none. Calls on their way still go through it.
  bool remove_filter(std::string_view name);

  void start();
  void stop();

  /// The port it listens on; 0 before start().
  std::uint16_t port() const noexcept;
  /// host:port
  std::string address() const;
  const ServerOptions& options() const noexcept;

  class Core;

 private:
  void provide_erased(const ServiceInfo& service, std::shared_ptr<void> owner, void* object,
                      ProvideOptions options);
  std::shared_ptr<Core> core_;
};

}  // namespace settee::inline v0::rpc
