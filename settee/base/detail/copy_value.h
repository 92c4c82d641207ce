// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Copying values of described types by their description: what a codec does to a value on its way to
// another process, without the bytes in between.

#pragma once

#include "settee/base/type_info.h"

namespace settee::inline v0::detail {

/// Whether copy_value() knows this type and all that is within it: all kinds but kAny.
SETTEE_API bool can_copy(const TypeInfo& type);

/// Makes the object at `to` equal to the one at `from`, both of type `type`, without sharing anything:
/// what a pointer points to is copied too. Members that are not described stay as they are. An Error
/// (kLimit) for values nested deeper than 256.
SETTEE_API Result<void> copy_value(const TypeInfo& type, void* to, const void* from);

}  // namespace settee::inline v0::detail
