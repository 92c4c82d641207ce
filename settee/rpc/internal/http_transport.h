// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls of a client over HTTP. A binding (rest/, grpc/) says how a call looks as a request and what an
// answer means; the rest is the same for all of them.
//
// Threads: any; a convention's members are called on loops.

#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "settee/http/client.h"
#include "settee/rpc/internal/binding.h"

namespace settee::inline v0::rpc {

/// A call on its way out.
struct HttpOutgoing {
  const Outgoing& call;
  std::string_view service;          ///< Unique name.
  const Baggage* baggage = nullptr;  ///< Null: none.
  const Baggage* headers = nullptr;  ///< Null: none.
  Duration left = Duration::max();   ///< Until the call's deadline.
};

/// How the calls of one service look as HTTP requests.
class HttpConvention {
 public:
  virtual ~HttpConvention() = default;
  /// The request, with its target.
  virtual Result<http::Request> request(const HttpOutgoing& call) const = 0;
  /// Reads the answer: the result into the call's place, baggage into `response`.
  virtual Result<void> answer(http::Response& answer, const HttpOutgoing& call,
                              Baggage& response) const = 0;
  /// Makes a streaming call whole: sends its request to `to`, the caller's messages as he has them, and
  /// gives him the answer's. Ends when nothing of it runs. This one knows no form of it (kMisuse).
  virtual Task<void> stream(http::Client& client, const http::Url& to, const HttpOutgoing& call,
                            Baggage& response) const;
};

/// SOFARPC's own, of "http", "https", "h2c" and "h2".
std::unique_ptr<HttpConvention> make_rest_convention(const TargetOptions& target,
                                                     const ClientOptions& options);
/// Of "grpc" and "grpcs".
std::unique_ptr<HttpConvention> make_grpc_convention(const TargetOptions& target,
                                                     const ClientOptions& options);

/// Whether such a protocol goes over HTTP.
bool goes_over_http(std::string_view protocol) noexcept;
std::shared_ptr<Transport> make_http_transport(Runtime& runtime, const ClientOptions& options,
                                               std::string_view protocol);

}  // namespace settee::inline v0::rpc
