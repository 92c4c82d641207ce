// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// SofaRequest and SofaResponse in Hessian: what is in the content of Bolt frames of codec 1. Source:
// docs/protocols/bolt.md, sections "Request content" and "Response content".

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/bytes.h"
#include "settee/base/error.h"
#include "settee/base/service.h"
#include "settee/hessian/codec.h"
#include "settee/rpc/call.h"
#include "settee/rpc/internal/link_data.h"

namespace settee::inline v0::rpc::bolt {

using hessian::Dialect;

/// The part of a request in front of its arguments. Views point into the Reader's bytes or storage.
struct RequestHead {
  std::string_view service;
  std::string_view method;
  std::span<const std::string_view> signatures() const {
    return {more.empty() ? few.data() : more.data(), count};
  }
  Baggage baggage;
  /// Set before: the texts among the request's properties are wanted too. Those of a map within
  /// them come as "map.key", as in a header block.
  bool with_properties = false;
  Baggage properties;

  std::array<std::string_view, 8> few;
  std::vector<std::string_view> more;  // all of them, when there are more than fit
  std::size_t count = 0;
  void add_signature(std::string_view signature);
};

/// Reads a SofaRequest; the Reader then stands at the first argument. False: reader.error().
bool read_request_head(hessian::Reader& reader, RequestHead& head);

/// A request's constant beginning, written once for a method and copied for each call.
struct RequestPrefix {
  std::string frame;  ///< Class name, header block and content up to the arguments.
  std::uint16_t class_size = 0;
  std::uint16_t header_size = 0;
  std::size_t content_offset = 0;  ///< Where in `frame` the content begins.
  hessian::WriterState state;
};
struct RequestNames {
  std::string_view service;
  std::string_view method;
  std::string_view target_app;
  std::string_view app;
  std::string_view generic_type;  ///< "0", "2" or empty.
  std::span<const std::string> signatures;
  const Baggage* headers = nullptr;  ///< Custom ones: plain pairs of the header and the properties.
};
/// Why a custom header of that name cannot be sent; empty: it can.
std::string_view why_no_header(std::string_view name) noexcept;
/// The prefix for Hessian bodies. Throws an Error: kLimit if the header has no room for all,
/// kInvalidArgument for a header that would change the call.
RequestPrefix make_hessian_prefix(const RequestNames& names, Dialect dialect,
                                  const Baggage* baggage);
/// The prefix for bodies without method information: protobuf and JSON.
RequestPrefix make_plain_prefix(const RequestNames& names, const Baggage* baggage);

/// Writes and reads responses in one dialect; its constant parts are made once.
class ResponseFormat {
 public:
  explicit ResponseFormat(Dialect dialect);

  /// A result. `value` may be null for void.
  Result<void> write_success(Buffer& out, const TypeInfo& type, const void* value,
                             const Baggage* baggage) const;
  /// An error that the framework found: no service, no method.
  void write_failure(Buffer& out, std::string_view message) const;
  /// An exception of the handler: as a Java exception.
  void write_exception(Buffer& out, const Error& error, const Baggage* baggage) const;
  Dialect dialect() const noexcept { return dialect_; }

 private:
  void write_properties(hessian::Writer& writer, bool error, const Baggage* baggage) const;
  Dialect dialect_;
  std::string head_;  // class definition and object mark
  hessian::WriterState state_;
};

/// What a SOFARPC server says of a service or method that it has not.
std::string service_missing(std::string_view service);
std::string method_missing(std::string_view method, std::string_view service);

/// The body of a bolt-level failure (status 2, 0x11, 0x12): an RpcServerException with a message.
void write_server_exception(Buffer& out, std::string_view message, Dialect dialect);

/// What a response of codec 1 said.
struct ResponseValue {
  std::optional<Error> error;
  Baggage baggage;
};
/// Reads a SofaResponse (or an exception in its place), its value into `result` (null: void).
/// `header_error`: the frame's header has sofa_head_response_error=true.
ResponseValue read_response(std::span<const std::uint8_t> content, const TypeInfo* type,
                            void* result, bool header_error, const hessian::Limits& limits);
/// The text in the body of a bolt-level failure; empty if there is none.
std::string read_failure_text(std::span<const std::uint8_t> content);

inline constexpr std::string_view kServiceKey = "service";
inline constexpr std::string_view kTargetServiceKey = "sofa_head_target_service";
inline constexpr std::string_view kMethodKey = "sofa_head_method_name";
inline constexpr std::string_view kTargetAppKey = "sofa_head_target_app";
inline constexpr std::string_view kResponseErrorKey = "sofa_head_response_error";
inline constexpr std::string_view kGenericTypeKey = "sofa_head_generic_type";
inline constexpr std::string_view kRequestBaggageKey = "rpc_req_baggage";
inline constexpr std::string_view kTracePrefix = "rpc_trace_context.";

}  // namespace settee::inline v0::rpc::bolt
