// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// SETTEE_API marks what a Settee library exports: everything else is hidden.

#pragma once

#if defined(SETTEE_STATIC)
#define SETTEE_API
#else
#define SETTEE_API __attribute__((visibility("default")))
#endif
