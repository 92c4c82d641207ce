// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the two ways of `settee call` share.

#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "apps/settee/commands.h"
#include "settee/hessian/value.h"

namespace settee::cli {

/// Prints a call's result on standard output, as the command line asks.
int print_result(const hessian::Value& result, const CallCommand& command);

/// Whether calls to such a url may go as plain JSON.
bool is_http_url(std::string_view url) noexcept;
/// Makes the call so. `arguments`: JSON, an object of the parameters' names or an array.
int call_plain(const CallCommand& command, const std::string& arguments,
               const std::map<std::string, std::string, std::less<>>& baggage);

}  // namespace settee::cli
