// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "settee/base/context.h"

namespace settee::inline v0::detail {

/// context().deadline(), without sharing that Context: for every call there is.
SETTEE_API TimePoint current_deadline() noexcept;

}  // namespace settee::inline v0::detail
