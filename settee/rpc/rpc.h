// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// SOFARPC: all of the component rpc.

#pragma once

#include "settee/rpc/call.h"
#include "settee/rpc/client.h"
#include "settee/rpc/config.h"
#include "settee/rpc/dynamic_config.h"
#include "settee/rpc/events.h"
#include "settee/rpc/no_provider.h"
#include "settee/rpc/registry.h"
#include "settee/rpc/router.h"
#include "settee/rpc/server.h"
