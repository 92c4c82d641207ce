// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What clients and servers tell on their Runtime's EventBus (settee/base/event_bus.h). Nothing is made
// or copied while nobody listens.
//
//   Subscription slow = runtime.events().subscribe<rpc::ClientCallEnded>(
//       [](const rpc::ClientCallEnded& event) {
//         if (event.took > 100ms) log(event.call.service, event.call.method, event.address);
//       });
//
// A client's call: ClientCallStarted; for each try ClientTryStarted and ClientTryEnded;
// ClientCallEnded. A server's: ServerCallReceived, ServerCallStarted, ServerCallSent,
// ServerCallEnded. A call whose first event has been told is told to its end; a listener that comes
// in between may see the later ones only. SOFARPC's events of the same meaning are named with each.
//
// Threads: the one that the call is on, as EventBus says.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "settee/base/context.h"
#include "settee/base/error.h"
#include "settee/base/event_parts.h"
#include "settee/rpc/call.h"

namespace settee::inline v0::rpc {

/// What holds for a call from its first event to its last.
struct CallFacts {
  std::uint64_t number =
      0;              ///< Tells the calls of a process apart; a server's are not its client's.
  EventText service;  ///< Unique name.
  EventText method;
  EventText protocol;     ///< "bolt", or "local" within the process.
  EventText invoke_type;  ///< "sync" (awaited), "callback" (also futures) or "oneway".
  EventText app;          ///< This program.
  EventText peer_app;     ///< The other one, as far as it is known.

  /// Views of the same texts: for the next event of the call.
  CallFacts borrowed() const noexcept {
    CallFacts facts;
    facts.number = number;
    facts.service = service.view();
    facts.method = method.view();
    facts.protocol = protocol.view();
    facts.invoke_type = invoke_type.view();
    facts.app = app.view();
    facts.peer_app = peer_app.view();
    return facts;
  }
};

/// How large the messages of a call were and what was spent on them; 0 where it is not known.
struct CallMeasures {
  std::size_t request_bytes = 0;  ///< With the frame.
  std::size_t response_bytes = 0;
  Duration encode{};
  Duration decode{};
};

/// ClientStartInvokeEvent.
struct ClientCallStarted {
  CallFacts call;
  Momentary<Context> context;  ///< The call goes on under what is put here, filters included.
};
/// ClientBeforeSendEvent.
struct ClientTryStarted {
  CallFacts call;
  int number = 1;  ///< From 1.
  EventText address;
  Momentary<Baggage> headers;  ///< What is added here is sent along.
};
/// ClientSyncReceiveEvent, ClientAsyncReceiveEvent. Of a oneway call: it has been sent.
struct ClientTryEnded {
  CallFacts call;
  int number = 1;
  EventText address;
  std::optional<Error> error;
  Duration took{};
  CallMeasures measures;
};
/// ClientEndInvokeEvent.
struct ClientCallEnded {
  CallFacts call;
  int tries = 0;      ///< 0: no address was called.
  EventText address;  ///< Of the last try.
  EventText route;    ///< The steps that chose it: "REGISTRY>tag".
  std::optional<Error> error;
  Duration took{};
  CallMeasures measures;  ///< Of the last try.
};

/// ServerReceiveEvent: before the filters.
struct ServerCallReceived {
  CallFacts call;
  EventText peer;
  Momentary<const Call> request;  ///< For its headers.
  Momentary<Context> context;     ///< The call goes on under what is put here.
};
/// The method is about to run.
struct ServerCallStarted {
  CallFacts call;
  Duration queued{};  ///< For a thread of the pool.
};
/// ServerSendEvent: the answer stands in the connection's buffer. Not of oneway calls.
struct ServerCallSent {
  CallFacts call;
  std::size_t response_bytes = 0;
};
/// ServerEndHandleEvent.
struct ServerCallEnded {
  CallFacts call;
  EventText peer;
  std::optional<Error> error;
  Duration took{};  ///< From its arrival.
  Duration queued{};
  Duration handled{};  ///< By the method.
  CallMeasures measures;
};

struct ServerStarted {
  std::string address;
};
struct ServerStopped {
  std::string address;
  std::size_t cut_off = 0;  ///< Calls that still ran.
};
/// ProviderPubEvent.
struct ProviderPublished {
  std::string service;
  std::string registry;  ///< Its address.
  std::string url;
};
struct ProviderWithdrawn {
  std::string service;
  std::string registry;
};
/// ConsumerSubEvent.
struct ReferenceMade {
  std::string service;
  std::string source;  ///< Registries or addresses.
};
/// ProviderInfoAddEvent, ProviderInfoRemoveEvent, ProviderInfoUpdateAllEvent.
struct AddressesChanged {
  std::string service;
  std::string source;
  std::size_t known = 0;  ///< After the change.
  std::size_t added = 0;
  std::size_t removed = 0;
  std::size_t kept = 0;  ///< Though the registry no longer lists them.
};

/// A call was not let through: by a limit of ours, not by an error of others.
struct CallRefused {
  Side side{};
  EventText service;
  EventText method;
  EventText peer;   ///< Empty on the client's side.
  EventText limit;  ///< The option's name: "concurrents", "rate", "adaptive", "deadline", ...
  EventText reason;
};

/// Of fault tolerance: see settee/rpc/fault_tolerance.h.
struct ProviderRegulated {
  std::string service;
  std::string address;
  int weight_before = 0;
  int weight = 0;
  bool effective = false;  ///< Else it was only told.
  std::string reason;
};
/// Outlier ejection has taken an address out, or let it in again.
struct ProviderEjected {
  std::string service;
  std::string address;
  std::chrono::milliseconds time{};  ///< For so long. 0: it is back.
  std::string reason;
};
enum class BreakerState : std::uint8_t { kClosed, kOpen, kHalfOpen };
/// A circuit breaker has changed its state.
struct BreakerChanged {
  std::string service;
  std::string method;
  std::string address;
  BreakerState before{};
  BreakerState state{};
  std::string reason;
};

}  // namespace settee::inline v0::rpc
