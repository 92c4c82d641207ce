// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The names under which baggage travels as headers, in all of SOFARPC's protocols: <prefix><key>.
//
// Threads: plain functions.

#pragma once

#include <string_view>

#include "settee/rpc/call.h"

namespace settee::inline v0::http {
class Headers;
}

namespace settee::inline v0::rpc {

inline constexpr std::string_view kRequestBaggagePrefix = "rpc_req_baggage.";
inline constexpr std::string_view kResponseBaggagePrefix = "rpc_resp_baggage.";

/// The baggage in an HTTP message's headers, whatever their case.
Baggage baggage_of(const http::Headers& headers, std::string_view prefix);

}  // namespace settee::inline v0::rpc
