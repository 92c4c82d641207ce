// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What SOFARPC's configuration has and Settee's has not, and how it writes addresses.

#pragma once

#include <string>
#include <string_view>

#include "settee/base/result.h"

namespace settee::inline v0::rpc {

/// The path of `key` in the section `path`, as Config writes it.
std::string config_path(std::string_view path, std::string_view key);

/// Of a key of SOFARPC's that the described struct `type_name` does not take: why, and what to do
/// instead. Empty for one that SOFARPC has not either.
std::string about_unknown_key(std::string_view type_name, std::string_view key);

/// SOFARPC's "bolt://host:port,bolt://host:port" (also with ';') as a url of Client::refer(). An
/// Error (kInvalidArgument) says which part cannot be called.
Result<std::string> direct_url(std::string_view text);

}  // namespace settee::inline v0::rpc
