// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The OpenAPI 3.1 document of a server's services: what plain HTTP can call, as JSON. Made of the
// descriptions alone. Types are components under their Java names; a method with a description that
// JSON cannot carry (a protobuf message) has a schema that fits everything.

#pragma once

#include <string>
#include <string_view>

#include "settee/base/export.h"

namespace settee::inline v0::rpc {
struct ServiceTable;
}

namespace settee::inline v0::rpc::rest {

/// `title`: the application's name; may be empty. The same services give the same text.
SETTEE_API std::string openapi(const ServiceTable& services, std::string_view title);

}  // namespace settee::inline v0::rpc::rest
