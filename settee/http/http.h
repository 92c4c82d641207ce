// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// All of settee/http: an HTTP/1.1 and HTTP/2 server, what it serves, and a client.

#pragma once

#include "settee/http/client.h"
#include "settee/http/endpoints.h"
#include "settee/http/files.h"
#include "settee/http/handler.h"
#include "settee/http/message.h"
#include "settee/http/server.h"
