// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a protocol is to the core of rpc: on a server something that may recognise a connection by its
// first byte and then serves it, on a client something that makes targets. A folder beside the core
// (bolt/, ...) implements both; the core knows it by the functions at the end of this file only.

#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/service.h"
#include "settee/hessian/value.h"
#include "settee/net/connection.h"
#include "settee/net/endpoint.h"
#include "settee/rpc/client.h"
#include "settee/rpc/events.h"
#include "settee/rpc/server.h"

namespace settee::inline v0::rpc {

struct ServiceEntry;
struct ServiceTable;

/// One for each protocol of a server.
class ServerBinding {
 public:
  virtual ~ServerBinding() = default;
  /// The server is about to listen.
  virtual void begin(const std::shared_ptr<Server::Core>&) {}
  /// An Error if `entry` cannot be offered beside what `table` has. Any thread, one at a time; after
  /// begin().
  virtual void admit(const ServiceTable&, const ServiceEntry&) {}
  /// Tells peers that connections are to end. Off the loops.
  virtual void drain() {}
  /// No call runs any more: what has been answered has until `by` to be sent, then connections end. Off
  /// the loops.
  virtual void stop(TimePoint) {}
  virtual bool speaks(std::uint8_t first_byte) const noexcept = 0;
  /// What serves `connection` from now on.
  virtual std::unique_ptr<net::Protocol> serve(std::shared_ptr<Server::Core> core,
                                               net::Connection& connection) = 0;
};

/// How an address is, over all loops.
enum class AddressState : std::uint8_t {
  kIdle,       ///< Nothing has asked for a connection yet.
  kAvailable,  ///< At least one connection is there.
  kRetry,      ///< None is; the next attempt comes.
  kDead,       ///< No attempt of several has reached it.
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
  /// Begins to connect on all loops, if they are not connected. Does not wait. Any thread.
  virtual void connect() = 0;
  virtual AddressState state() const noexcept = 0;
  /// Why it is not available, as text for a person; empty if it is or nothing was tried.
  virtual std::string trouble() const = 0;

 private:
  const std::string text_;
};

/// A streaming call's messages at its caller's.
struct CallerStreams {
  ClientStreams& ends;
  bool begun = false;  ///< A message has been taken or given: no other try could do that again.
};

struct Outgoing;

/// Says where a call goes, and goes on with it when its try there has ended.
class Tries {
 public:
  /// The address to try now, with `call` made ready for it. `ended`: how the try before has, if there
  /// was one; `deadline`: of the Context under which the call runs. Null: the call has ended as `ended`
  /// says then. On a loop of the Runtime.
  virtual Address* next(Outgoing& call, TimePoint deadline, Result<void>& ended) = 0;

 protected:
  ~Tries() = default;
};

/// One call of a method of a service.
struct Outgoing {
  const Baggage* headers = nullptr;        ///< Beside those of its Context. Null: none.
  CallMeasures* measures = nullptr;        ///< To be filled, if not null.
  const MethodInfo* method = nullptr;      ///< Null: a call by name.
  std::string_view name;                   ///< Of the method, on the wire.
  void* const* arguments = nullptr;        ///< Of a described method.
  std::span<const std::string> types;      ///< Java signatures of a call by name.
  std::span<const hessian::Value> values;  ///< Its arguments.
  void* result = nullptr;                  ///< A hessian::Value for a call by name.
  settee::detail::CallMode mode{};
  CallerStreams* streams = nullptr;  ///< Of a streaming call.
  Address* address = nullptr;        ///< Null: `tries` says.
  Tries* tries = nullptr;            ///< Null: one try, at the address.
  TimePoint deadline = kNoDeadline;  ///< Beside the Context's.
  TimePoint began = Clock::now();
  /// The last reading of the clock on its way, which is dear. It is good for the turn of the loop in
  /// which it was made.
  TimePoint now = began;
};

/// By when a call that has so much time has to end; of a streaming call for which nobody has said it:
/// never.
inline TimePoint end_of(const Outgoing& call, std::optional<std::chrono::milliseconds> said,
                        std::chrono::milliseconds usual) noexcept {
  if (said) return call.began + *said;
  return call.streams != nullptr ? kNoDeadline : call.began + usual;
}

/// Puts a response's baggage where the caller wants it.
void give_baggage(const Context& context, const Baggage& received);
/// The headers of a Context and of a call, which win. Null: there are none. `both` is for when there are
/// some of each.
const Baggage* joined_headers(const Baggage* context, const Baggage* call, Baggage& both);

/// As events name it: "sync", "callback" or "oneway".
std::string_view invoke_type(settee::detail::CallMode mode) noexcept;

/// A service, as a client calls it. Used from any thread.
class Target {
 public:
  virtual ~Target() = default;
  /// A streaming call ends with an Error (kMisuse) if the protocol has no form for it.
  /// What `call` points to must live until the Task ends, and an address that its tries bring as long
  /// as that is tried.
  virtual Task<void> call(Outgoing call) = 0;
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
  /// `connections`: on each loop; those who ask for the same address and number share it.
  virtual std::shared_ptr<Address> address(const net::Endpoint& endpoint, int connections = 1) = 0;
  /// Ends all calls and connections; returns when nothing of it runs. Not on a loop.
  virtual void stop() = 0;
};

std::unique_ptr<ServerBinding> make_bolt_binding(const ServerOptions& options);
/// HTTP/1.1 and HTTP/2, for rest/ and grpc/.
std::unique_ptr<ServerBinding> make_http_serving(Runtime& runtime, const ServerOptions& options);
SETTEE_API std::shared_ptr<Transport> make_bolt_transport(Runtime& runtime,
                                                          const ClientOptions& options);

/// What the caller of a Bolt server makes of an Error that a handler has ended with.
Error received_error(const Error& error);

}  // namespace settee::inline v0::rpc
