// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ReferOptions: how a client calls one service (SOFARPC's ConsumerConfig). CallOptions: what one call
// does differently. What is said nearer to the call wins: the call, the method, the reference, what
// the provider has published, the client.
//
//   ReferOptions options;
//   options.timeout = 200ms;
//   options.methods["load"].timeout = 5s;
//   options.routers.push_back(tag_router());
//   auto quotes = client.refer<Quotes>("zookeeper://127.0.0.1:2181", options);
//
// Threads: plain values.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/service.h"
#include "settee/rpc/call.h"

namespace settee::inline v0::rpc {

class Mock;
class Router;
enum class MockWhen : std::uint8_t;
namespace detail {
SETTEE_API std::shared_ptr<const Mock> make_mock(const ServiceInfo& service,
                                                 std::shared_ptr<void> owner, void* object,
                                                 MockWhen when);
}  // namespace detail

/// How arguments and results are written.
enum class Serialization : std::uint8_t {
  kHessian,  ///< Codec 1, the default. Messages of protobuf go by codec 11 all the same.
  kJson,     ///< Codec 12.
};

/// What becomes of a call that an address did not answer.
enum class ClusterMode : std::uint8_t {
  kFailover,  ///< It goes to another one where that is safe: it was never begun, or is idempotent.
  kFailfast,  ///< The caller is told at once.
  kBroadcast,  ///< All calls go to every address; it fails if one of them does. The first address's result counts.
};

/// When connections are made.
enum class ConnectWhen : std::uint8_t {
  kLazy,     ///< By the first call to an address.
  kAll,      ///< When the address becomes known.
  kElastic,  ///< The same for the first elastic_size of them, the others one by one behind them.
};

/// A method that differs from what holds for its service (SOFARPC's MethodConfig).
struct ReferMethod {
  std::optional<std::chrono::milliseconds> timeout = {};
  std::optional<std::chrono::milliseconds> try_timeout = {};
  std::optional<int> retries = {};
  std::optional<bool> idempotent = {};  ///< As the description says, if nothing is said here.
  std::size_t concurrents = 0;  ///< Calls on their way; more fail at once (kOverflow). 0: any.
};

struct ReferOptions {
  std::string version = "1.0";
  std::string unique_id = {};
  /// What the providers are spoken to in: "bolt", "http", "https", "h2c", "h2", "grpc" or "grpcs". A url
  /// that names addresses says it itself.
  std::string protocol = "bolt";
  std::string target_app = {};  ///< The provider's application, if it is known.
  /// Of a call with all its tries. Without it: what the provider has published, else the client's.
  std::optional<std::chrono::milliseconds> timeout = {};
  /// Of one try, the last one too. Without it: what is left of the call's time.
  std::optional<std::chrono::milliseconds> try_timeout = {};
  std::optional<Serialization> serialization = {};
  /// How one of several addresses is chosen: auto (random by weight), random, localPref, roundRobin,
  /// weightRoundRobin, consistentHash (by the first argument, as Java's), weightConsistentHash,
  /// leastActive, p2c.
  std::optional<std::string> balancer = {};
  std::optional<ClusterMode> cluster = {};
  /// How often a call that may have run is tried again, though its method is not idempotent.
  std::optional<int> retries = {};
  bool sticky = false;  ///< Stays with an address as long as that can be called.
  std::size_t concurrents =
      0;  ///< Calls on their way; more fail at once (kOverflow). 0: any number.
  std::map<std::string, ReferMethod, std::less<>> methods = {};  ///< By their names on the wire.

  std::vector<std::shared_ptr<Router>> routers = {};  ///< Behind the registry, in this order.
  std::vector<FilterUse> filters = {};                ///< Beside the client's.
  std::vector<std::string> without_filters = {};      ///< Names of the client's; "*": none of them.

  ConnectWhen connect = ConnectWhen::kLazy;
  int connections = 1;           ///< To an address, on each loop.
  std::size_t elastic_size = 5;  ///< Of kElastic.
  /// refer() waits for a connection to one address, for the client's connect_timeout, and throws an
  /// Error (kNoProvider) that says why there is none. Then not on a loop's thread.
  bool check = false;
  /// How long a call waits for a registry's first answer. Without it: as long as it has time.
  std::optional<std::chrono::milliseconds> address_wait = {};

  /// A service that a Server of the same Runtime provides is called there, without a connection.
  std::optional<bool> in_process = {};
  /// Stands in for the provider: see MockWhen. Made with mock().
  std::shared_ptr<const Mock> mock = nullptr;
};

/// When a mock is called.
enum class MockWhen : std::uint8_t {
  kAlways,    ///< In place of the provider (SOFARPC's mockMode local).
  kNoAnswer,  ///< When the call has failed otherwise than with a business exception (degradation).
};
/// `object` answers calls of the described class in the provider's stead.
template <class Service>
std::shared_ptr<const Mock> mock(std::shared_ptr<Service> object,
                                 MockWhen when = MockWhen::kAlways) {
  Service* const address = object.get();
  return detail::make_mock(service_of<Service>(), std::move(object), address, when);
}

/// What one call does differently.
class CallOptions {
 public:
  CallOptions() = default;
  /// Of the call with all its tries.
  CallOptions& timeout(std::chrono::milliseconds timeout) noexcept {
    timeout_ = timeout;
    return *this;
  }
  /// See ReferOptions::retries.
  CallOptions& retries(int retries) noexcept {
    retries_ = retries;
    return *this;
  }
  /// "host:port" or a provider's url: the only address it may go to, known or not (targetURL).
  CallOptions& target(std::string address) {
    target_ = std::move(address);
    return *this;
  }
  std::optional<std::chrono::milliseconds> timeout() const noexcept { return timeout_; }
  std::optional<int> retries() const noexcept { return retries_; }
  const std::string& target() const noexcept { return target_; }

 private:
  std::optional<std::chrono::milliseconds> timeout_;
  std::optional<int> retries_;
  std::string target_;
};

}  // namespace settee::inline v0::rpc
