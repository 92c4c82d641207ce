// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/service.h"

#include <fmt/format.h>

namespace settee::inline v0 {

namespace detail {

Error no_streams(const char* method) {
  return Error(Code::kMisuse, fmt::format("{} is a streaming method, and this protocol carries no "
                                          "streams: call it over gRPC",
                                          method));
}

Error caller_gone(const char* method) {
  return Error(Code::kCancelled,
               fmt::format("{}: the caller went before the stream ended", method));
}

}  // namespace detail

Task<void> Invoker::invoke_stream(const MethodInfo& method, void* const*, void*, ClientStreams&) {
  co_await fail(detail::no_streams(method.name));
}

}  // namespace settee::inline v0
