// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls that come as HTTP requests. A binding (rest/, grpc/) finds the method and says how its
// arguments are read and its result is written; the rest of a call is the same for all of them.
//
// Threads: the loop of the request's connection; a codec's write() perhaps on a pool's thread.

#pragma once

#include <memory>
#include <string_view>

#include "settee/http/handler.h"
#include "settee/rpc/internal/server_core.h"
#include "settee/rpc/internal/service_table.h"

namespace settee::inline v0::rpc {

/// A request's headers; their names count in any case, as HTTP/2 has them in lower case only.
class HttpHeaders final : public ReceivedHeaders {
 public:
  explicit HttpHeaders(const http::Headers& headers) noexcept : headers_(headers) {}
  void each(const std::function<bool(std::string_view, std::string_view)>& visit) const override;
  std::string_view find(std::string_view name) const override { return headers_.get(name); }

 private:
  const http::Headers& headers_;
};

/// A protocol on the HTTP port of a server.
class HttpBinding {
 public:
  virtual ~HttpBinding() = default;
  /// Who answers this request, of which the body is not there yet. Null: it is of another protocol,
  /// or to be answered with `otherwise`, which has then another status than 404.
  virtual std::shared_ptr<const http::Handler> find(const http::Request& head,
                                                    http::Response& otherwise) = 0;
  /// An Error if `entry` cannot be offered beside what `table` has.
  virtual void admit(const ServiceTable& table, const ServiceEntry& entry);
};

std::unique_ptr<HttpBinding> make_rest_binding(const std::shared_ptr<Server::Core>& core);
std::unique_ptr<HttpBinding> make_grpc_binding(const std::shared_ptr<Server::Core>& core);

/// A protocol's part in one call: lives as long as that.
class CallCodec {
 public:
  /// Reads the arguments into objects of the parameters' types.
  virtual Result<void> read(const MethodInfo& method, void* const* arguments) = 0;
  /// Takes the result (null for void); perhaps on a pool's thread.
  virtual Result<void> write(const TypeInfo& type, const void* result) = 0;
  /// Of streaming methods; null: this protocol carries none.
  virtual ServerStreams* streams() { return nullptr; }

 protected:
  ~CallCodec() = default;
};

struct HttpCallOptions {
  std::string_view protocol;         ///< As events name it: "http", "h2c", "grpc", ...
  std::string_view peer_app;         ///< The same.
  TimePoint deadline = kNoDeadline;  ///< The caller's.
  const Baggage* baggage = nullptr;  ///< The caller's.
};

/// The service that a path names: as interface, interface:unique_id, which SOFARPC's consumers say, or
/// as a whole unique name. Null: there is none. It may be kept until the next suspension, then the call
/// must have begun.
ServiceEntry* find_service(Server::Core& core, std::string_view name);

/// Who asks what no described method answers (descriptions, health) has to be let in all the same.
/// ServerOptions::authenticate sees it as a call of this name; an Error as for a call.
Result<void> authenticate(Server::Core& core, const http::Request& request,
                          std::string_view service, std::string_view method);
/// What descriptions are called there: methods "openapi" and "proto".
inline constexpr std::string_view kDescriptions = "settee.Descriptions";

/// Makes the call, under the limits, filters, events and deadlines that hold for every call. Ends with
/// the Error that has refused or failed it. What it points to must live until it has ended; to be
/// awaited in the turn in which `method` was found, on the connection's loop.
Task<void> host(std::shared_ptr<Server::Core> core, MethodEntry& method,
                const http::Request& request, HttpCallOptions options, CallCodec& codec,
                Baggage& response);

}  // namespace settee::inline v0::rpc
