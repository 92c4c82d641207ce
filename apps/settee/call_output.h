// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the ways of `settee call` share.

#pragma once

#include <string>
#include <string_view>

#include "apps/settee/commands.h"
#include "settee/base/context.h"
#include "settee/hessian/value.h"
#include "settee/http/message.h"
#include "settee/rpc/call.h"

namespace settee::cli {

/// Prints a call's result on standard output, as the command line asks.
int print_result(const hessian::Value& result, const CallCommand& command);
/// Whether it is to have several lines.
bool is_pretty(const CallCommand& command);
/// The same of JSON that is text already.
int print_json(std::string json);

/// Over HTTP and gRPC, for --verbose: the time it took, and the baggage in the answer's fields.
void tell_of_answer(const CallCommand& command, TimePoint begin, const http::Headers& answer);

/// Whether calls to such a url may go as plain JSON.
bool is_http_url(std::string_view url) noexcept;
/// Makes the call so, with `fields` in its head. `arguments`: JSON, an object of the parameters' names
/// or an array.
int call_plain(const CallCommand& command, const std::string& arguments,
               const http::Headers& fields);

/// Calls a method of a gRPC server that has reflection. `arguments`: JSON, an object of the request's
/// fields, or an array of such if the client streams. Made where protobuf is (SETTEE_CLI_GRPC).
int call_grpc(const CallCommand& command, const std::string& arguments,
              const http::Headers& fields);

}  // namespace settee::cli
