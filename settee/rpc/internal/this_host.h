// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a process says of where and when it is, in registries.
//
// Threads: any.

#pragma once

#include <cstdint>
#include <string>

namespace settee::inline v0::rpc {

/// An address of this machine that others may reach; 127.0.0.1 if it has none.
std::string own_address();
/// Since 1970, as startTime is given.
std::int64_t milliseconds_now();

}  // namespace settee::inline v0::rpc
