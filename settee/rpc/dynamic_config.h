// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// DynamicConfig: settings that change while the program runs, from a file that is watched or from
// ZooKeeper.
//
//   std::shared_ptr<DynamicConfig> dynamic =
//       open_dynamic_config(runtime, "zookeeper://127.0.0.1:2181", "shop");
//   ClientOptions options;
//   options.dynamic_config = dynamic;          // its references follow their keys
//   ServerOptions server_options;
//   server_options.dynamic_config = dynamic;   // its services follow theirs
//
//   DynamicConfig::Watch watch = dynamic->watch<std::int32_t>(
//       "shop.page-size", [](const std::optional<std::int32_t>& size) { ... });
//
// Keys and their values are SOFARPC's:
//
//   sofa.consumer.service.<service>.<setting>            timeout, retries, loadBalancer
//   sofa.consumer.method.<service>.<method>.<setting>    timeout, retries
//   sofa.provider.service.<service>.<setting>            timeout, concurrents, rate, burst, weight
//   sofa.provider.method.<service>.<method>.<setting>    timeout, concurrents, rate, burst
//
// <service> is an interface, or a unique name (interface:version[:uniqueId]), which counts for
// more. A timeout is a number of milliseconds, or 50ms, 3s, ... A program's own keys begin
// otherwise. Key by key, a value that cannot be is not applied: what was there before stays in
// force, and the log and a ConfigChanged say why.
//
// What wins over what, for a consumer: the dynamic value of a method, the call's own (CallOptions), what the
// reference says of the method, the dynamic value of the service, what the reference says, what the
// provider has published, what the client says. For a provider: the dynamic value stands in place of
// what ProvideOptions say of the same setting of the same service or method. A method's timeout, of
// whichever origin, wins over the service's; of limits both hold. A burst without a rate has no
// effect. Calls that run go on, and count. A weight or timeout of a service is made known in the
// registries again.
//
// file:///path.yaml: a YAML map of keys to values. A file that cannot be read as that is not
// applied at all. It is looked at when the system reports a change, and every scan_period, and taken
// when two looks show the same.
// zookeeper://host:port[,host:port...][/root]: the nodes <root>/sofa-rpc/config/<app>/<key>, whose
// data are the values. Without a connection the values that are known stay in force.
//
// Threads: all members from any thread; listeners on a thread of the source, or in watch(), one at a
// time. They must not block, nor wait for another thread that watches.
// Ownership: make it after the Runtime, so that it ends before that.

#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "settee/base/runtime.h"
#include "settee/base/type_info.h"

namespace settee::inline v0::rpc {

/// A source of dynamic configuration has another value for a key (SOFARPC's ConfigChangedEvent).
struct ConfigChanged {
  std::string key;  ///< Empty: all of the source; it cannot be read.
  std::optional<std::string> before;
  std::optional<std::string> value;  ///< None: it is there no more.
  std::string source;                ///< file:line:column, or the node.
  bool applied = false;              ///< Else `before` stays in force.
  std::string reason;                ///< Why it was not applied.
};

struct DynamicConfigOptions {
  std::chrono::milliseconds scan_period{2'000};       ///< File: looked at so often at least.
  std::chrono::milliseconds session_timeout{20'000};  ///< ZooKeeper: a session's.
  /// ZooKeeper: as in RegistryOptions.
  std::string auth_scheme = {};
  std::string auth = {};
};

namespace detail {
/// Reads a value as Config does. Empty, or why it cannot be.
SETTEE_API std::string read_dynamic(const TypeInfo& type, std::string_view text, void* out);
}  // namespace detail

class SETTEE_API DynamicConfig {
 public:
  virtual ~DynamicConfig();

  /// As it was opened.
  virtual const std::string& address() const noexcept = 0;
  /// How it is, for a person: what is in force, and what is in the way.
  virtual std::string status() const = 0;
  /// In force now.
  virtual std::optional<std::string> value(std::string_view key) const = 0;
  virtual std::map<std::string, std::string> values() const = 0;

  /// Ends when it is destroyed, which waits for a call of its listener that runs on another thread.
  using Watch = std::shared_ptr<void>;
  using Listener = std::function<void(const std::optional<std::string>& value)>;
  /// Why a value cannot be; empty: it can.
  using Check = std::function<std::string(const std::string& value)>;
  /// Calls `listener` with the value if there is one, and then after each change that `check` (null:
  /// none) lets pass.
  [[nodiscard]] virtual Watch watch_text(std::string key, Check check, Listener listener) = 0;
  /// The same for a T that Config can read: a number, text, duration, list, described struct, ...
  template <class T>
  [[nodiscard]] Watch watch(std::string key,
                            std::function<void(const std::optional<T>& value)> listener) {
    return watch_text(
        std::move(key),
        [](const std::string& text) {
          T value{};
          return detail::read_dynamic(type_of<T>(), text, &value);
        },
        [listener = std::move(listener)](const std::optional<std::string>& text) {
          std::optional<T> value;
          if (text) static_cast<void>(detail::read_dynamic(type_of<T>(), *text, &value.emplace()));
          listener(value);
        });
  }

  /// Nothing changes any more. Waits for the source's thread; not on that.
  virtual void stop() = 0;

 protected:
  DynamicConfig() = default;
  DynamicConfig(const DynamicConfig&) = delete;
  DynamicConfig& operator=(const DynamicConfig&) = delete;
};

/// Opens what `url` names, for the application `app` (ZooKeeper only). Throws an Error:
/// kInvalidArgument for a url or name that cannot be, kConfig for a file that cannot be read as it
/// must be. Does not wait for ZooKeeper.
SETTEE_API std::shared_ptr<DynamicConfig> open_dynamic_config(Runtime& runtime,
                                                              std::string_view url,
                                                              std::string_view app,
                                                              DynamicConfigOptions options = {});

}  // namespace settee::inline v0::rpc
