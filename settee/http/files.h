// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Files of a directory as endpoints:
//
//   table.add("GET", "/docs/*", files(runtime.pool(), "/srv/docs", "/docs/"));
//
// GET and HEAD, with ETag, If-None-Match, Last-Modified and one Range (If-Range too). What is asked for
// cannot leave the directory: neither by "..", however it is encoded, nor by a symbolic link, which is
// not followed. A directory is answered with its index.html. Directories are not listed.
//
// Threads: files are opened and read on `pool`, as that blocks; it must outlive the handler.

#pragma once

#include <string>

#include "settee/base/thread_pool.h"
#include "settee/http/handler.h"

namespace settee::inline v0::http {

/// What serves the files below `directory`; `prefix` is the part of the path that stands for it, with
/// both slashes. An Error (kIo) if the directory cannot be opened.
SETTEE_API Handler files(ThreadPool& pool, const std::string& directory, std::string prefix);

}  // namespace settee::inline v0::http
