// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// All of settee/http: an HTTP/1.1 and HTTP/2 server, and what it serves.

#pragma once

#include "settee/http/endpoints.h"
#include "settee/http/files.h"
#include "settee/http/handler.h"
#include "settee/http/message.h"
#include "settee/http/server.h"
