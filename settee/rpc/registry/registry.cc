// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/registry.h"

#include <fmt/format.h>

#include "settee/rpc/internal/url.h"
#include "settee/rpc/registry/internal/keeper.h"

namespace settee::inline v0::rpc {

Registry::~Registry() = default;

std::shared_ptr<Registry> open_registry(Runtime& runtime, std::string_view url,
                                        RegistryOptions options) {
  const auto wrong = [url](std::string_view why) {
    return Error(Code::kInvalidArgument, fmt::format("registry '{}': {}", url, why));
  };
  if (options.session_timeout.count() <= 0) {
    throw wrong("RegistryOptions::session_timeout is not above 0: no session would last");
  }
  if (options.scan_period.count() <= 0) {
    throw wrong("RegistryOptions::scan_period is not above 0: it would do nothing but look");
  }
  if (options.auth_scheme.empty() != options.auth.empty()) {
    throw wrong("RegistryOptions::auth_scheme and auth are given together or not at all");
  }
  const std::string_view scheme = url.substr(0, url.find("://"));
  if (scheme == "file") {
    if (!options.auth.empty()) throw wrong("a file knows no RegistryOptions::auth");
    return registry::make_registry(registry::make_file_keeper(runtime, url, options), runtime);
  }
  if (scheme == "zookeeper") {
#ifdef SETTEE_HAVE_ZOOKEEPER
    return registry::make_registry(registry::make_zookeeper_keeper(runtime, url, options), runtime);
#else
    throw wrong(kNoZookeeper);
#endif
  }
  if (scheme == "etcd") {
    return registry::make_registry(registry::make_etcd_keeper(runtime, url, options), runtime);
  }
  throw wrong(
      "unknown kind; expected zookeeper://host:port[,host:port...][/root], "
      "etcd://host:port[,host:port...][/root] or file:///path");
}

}  // namespace settee::inline v0::rpc
