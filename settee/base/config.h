// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Config: a YAML file, the environment and values set by the program, read into described structs.
//
//   struct ServerOptions { std::string host = "127.0.0.1"; int port = 12200;
//                          std::chrono::milliseconds timeout{3000}; };
//   SETTEE_STRUCT(ServerOptions, "acme.ServerOptions", host, port, timeout)
//   SETTEE_LIMITS(ServerOptions, (port, 0, 65535), (timeout, 1ms, 1h))        // limits.h
//
//   Result<Config> config = Config::load_file("settee.yaml");
//   if (!config) return config.error();
//   config->use_environment();                              // SETTEE_RPC_SERVER_PORT=12201
//   config->set("rpc.server.port", 12202);                  // from the command line, say
//   Result<ServerOptions> options = bind<ServerOptions>(*config, "rpc.server");
//   if (!options) return options.error();                   // all that is wrong, at once
//   if (Result<void> all = config->check_unused(); !all) return all.error();
//
// Layers. What the program set wins over the environment, that over the file, that over the values
// that the struct is born with. Structs and maps are merged key by key; a list, set or single value
// is taken whole from the highest layer that has it. A null ("key:" or "key: ~") empties an
// optional, pointer, list, set or map, hides a map's lower layers, and says nothing for a struct.
//
// Keys. "rpc.server.port" is the key `port` in the section `server` in the section `rpc`. A key
// that is not letters, digits, '_' and '-' is written services["com.acme.Quotes:1.0"].timeout in
// paths. An element of a list is peers[0] in messages.
//
// Environment. A key's variable is the prefix and the path in upper case, with '_' for '.' and for
// every character that is not a letter or digit: rpc.server.max-idle is SETTEE_RPC_SERVER_MAX_IDLE.
// Two keys that share a variable are reported when it is set. A variable can hold a list as "a, b"
// or "[a, b]", and a section or map as "{port: 1, host: x}"; it can set an entry of a map only if
// another layer has that entry, and no element of a list. A variable that is set to nothing is the
// empty text. What set() takes is read in the same way, but it can also add entries to a map.
//
// Values. bool: true, yes, on, false, no, off. Integers: 42, -1, 0x2a, and with the suffix KiB, MiB
// or GiB. Doubles: 1.5, 1e3, .inf. Durations (std::chrono::milliseconds): 50ms, 3s, 1.5s, 2m, 1h,
// 1d, or 0. Enums: the enumerator. Texts, Decimal, BigInteger: as they stand. Optionals and
// pointers: what they hold. Not: bytes, dates, char16_t, variants, messages, any.
//
// Errors: Code::kConfig. The message lists every problem (at most 50) with file:line:column, or the
// variable, or "code"; the path of the key; what was expected. Unknown keys are problems, found by
// bind() within its section and by check_unused() elsewhere. Values of keys whose path contains
// password, passwd, secret, token or addauth are shown nowhere.
// Threads: set() and use_environment() need the Config for themselves; the rest may run at once.

#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "settee/base/export.h"
#include "settee/base/result.h"
#include "settee/base/type_info.h"

namespace settee::inline v0 {

/// Guards against files that are not meant to be configurations.
struct ConfigLimits {
  std::size_t max_bytes = 1024 * 1024;  ///< "config.max_bytes": of the file
  std::size_t max_depth = 64;           ///< "config.max_depth": sections and lists in each other
  std::size_t max_nodes = 20'000;       ///< "config.max_nodes": keys and values, those of aliases
                                        ///< counted each time

  ConfigLimits() noexcept {}
};

/// Where each value of a filled struct came from.
class SETTEE_API Origins {
 public:
  struct Entry {
    std::string path;
    std::string value;   ///< as dump() shows it
    std::string origin;  ///< "code", "environment NAME", "file:line:column" or "default"
  };

  Origins() = default;
  /// Of entries of the same path the last one counts.
  explicit Origins(std::vector<Entry> entries);
  /// Adds the other's entries, which replace those of the same path.
  void merge(const Origins& other);

  /// The origin of the value at `path`; empty if there is no such value. Lists of single values
  /// have one origin, at the path of the list.
  std::string_view of(std::string_view path) const noexcept;
  /// All values, by path.
  std::span<const Entry> entries() const noexcept { return entries_; }
  /// One line for each value: `rpc.server.port = 12201  # environment SETTEE_RPC_SERVER_PORT`.
  std::string dump() const;

 private:
  std::vector<Entry> entries_;  // sorted by path
};

class SETTEE_API Config {
 public:
  /// Without a file.
  Config();
  Config(Config&& other) noexcept;
  Config& operator=(Config&& other) noexcept;
  ~Config();

  static Result<Config> load_file(const std::string& path, const ConfigLimits& limits = {});
  /// `name` stands for the file in messages.
  static Result<Config> parse(std::string_view text, std::string name,
                              const ConfigLimits& limits = {});

  /// Sets a value in the program's own layer, in the form that it has in an environment variable.
  /// Throws an Error of kInvalidArgument if the path is not one.
  void set(std::string_view path, std::string_view text);
  void set(std::string_view path, double value);
  void set(std::string_view path, std::chrono::milliseconds value);
  template <std::integral T>
  void set(std::string_view path, T value) {
    if constexpr (std::same_as<T, bool>) {
      set(path, std::string_view(value ? "true" : "false"));
    } else {
      set(path, std::string_view(std::to_string(value)));
    }
  }

  /// Takes the process's variables that begin with `prefix`, as they are now.
  void use_environment(std::string_view prefix = "SETTEE_");
  /// Takes them from `variables`, each "NAME=value".
  void use_environment(std::string_view prefix, std::span<const std::string> variables);

  /// After everything has been bound: an error that lists all keys of the file, variables and set()
  /// values that nothing has asked for.
  Result<void> check_unused() const;

  /// Of everything that has been bound from this Config so far.
  Origins origins() const;

  struct State;
  State& state() const noexcept { return *state_; }  ///< For bind().

 private:
  std::unique_ptr<State> state_;
};

/// For files whose keys come from elsewhere.
struct BindOptions {
  /// A duration without a unit is a number of milliseconds; else that is a problem.
  bool plain_milliseconds = false;
  /// What to tell about a key that is no member of the described struct of that name; if empty, the
  /// nearest member is named, as without this.
  std::function<std::string(std::string_view type_name, std::string_view key)> unknown_key = {};
};

namespace detail {
SETTEE_API Result<void> config_bind(const Config& config, std::string_view path,
                                    const TypeInfo& type, void* value, Origins& origins,
                                    const BindOptions& options = {});
}  // namespace detail

template <class T>
struct Configured {
  T value;
  Origins origins;
};

/// Fills a T from the section `path` ("" is the whole). `defaults` holds the lowest layer.
/// The config is a Config, the path anything that converts to std::string_view: their types are
/// deduced only so that std::bind never fits better.
template <class T, class C, class Path>
requires std::same_as<std::remove_cvref_t<C>, Config> && std::convertible_to<Path, std::string_view>
    Result<T> bind(C&& config, Path&& path, T defaults = T()) {
  Origins origins;
  Result<void> done = detail::config_bind(config, path, type_of<T>(), &defaults, origins);
  if (!done) return done.error();
  return Result<T>(std::move(defaults));
}

/// bind(), and where the values came from.
template <class T>
Result<Configured<T>> bind_with_origins(const Config& config, std::string_view path,
                                        T defaults = T(), const BindOptions& options = {}) {
  Configured<T> filled{std::move(defaults), {}};
  Result<void> done =
      detail::config_bind(config, path, type_of<T>(), &filled.value, filled.origins, options);
  if (!done) return done.error();
  return Result<Configured<T>>(std::move(filled));
}

}  // namespace settee::inline v0
