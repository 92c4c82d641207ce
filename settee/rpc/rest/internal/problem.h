// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a caller of plain HTTP is told of an Error: RFC 9457, application/problem+json,
//
//   {"type":"about:blank","title":"Unprocessable Content","status":422,"code":303,"name":"Business",
//    "detail":"sold out","exception":{"class":"com.acme.SoldOut","value":{"symbol":"ACME"}}}
//
// `code` and `name` are those of settee::Code, which never change; `exception` is there when the method
// threw one of its own, its value as far as JSON has it.

#pragma once

#include "settee/base/error.h"
#include "settee/http/message.h"

namespace settee::inline v0::rpc::rest {

/// The status of an answer with this Error:
///
///   400  InvalidArgument, Decode, PeerDecode: the arguments cannot be read or used
///   401  PeerError of a caller that ServerOptions::authenticate has refused
///   404  ServiceNotFound, MethodNotFound
///   413  Limit
///   422  Business: the method's own exception
///   502  ConnectFailed, ConnectionClosed, PeerError, PeerEncode, Protocol: another server, behind it
///   503  Busy, Overflow, NoProvider, Stopped, Cancelled: later, or elsewhere
///   504  Timeout
///   500  all others
SETTEE_API int status_of(const Error& error) noexcept;

/// The answer with this Error.
SETTEE_API http::Response problem(const Error& error);

}  // namespace settee::inline v0::rpc::rest
