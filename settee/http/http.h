// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// All of settee/http: HTTP/1.1 and HTTP/2 servers.

#pragma once

#include "settee/http/endpoints.h"
#include "settee/http/handler.h"
#include "settee/http/message.h"
#include "settee/http/server.h"
