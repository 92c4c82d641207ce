// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What config.cc, which loads and merges, and config_bind.cc, which fills structs, share: paths,
// problems and what a Config knows.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/base/config.h"
#include "settee/base/internal/yaml_tree.h"

namespace settee::inline v0 {

namespace detail {

/// The path of a key below `path`: `a.b`, or `a["b.c"]` where the key is no plain word.
std::string join_path(std::string_view path, std::string_view key);
std::string join_path(std::span<const std::string> keys);
/// The keys that a path names; nothing if it is not a path.
std::optional<std::vector<std::string>> split_path(std::string_view path);

/// Where a value comes from, in the order in which problems are told.
enum class ConfigLayer : std::uint8_t { kFile, kEnvironment, kCode, kDefault };

/// `name`, with the place in it if there is one.
std::string place(std::string_view name, YamlMark mark);

/// Problems to be told in one Error. The texts of those beyond the first kMost are not kept.
class ConfigProblems {
 public:
  static constexpr std::size_t kMost = 50;

  void add(ConfigLayer layer, YamlMark mark, std::string text) {
    if (++count_ <= kMost) problems_.push_back({layer, mark, std::move(text)});
  }
  /// Counts one whose text nobody would see; only when full().
  void add_untold() { ++count_; }
  bool full() const { return count_ >= kMost; }
  bool empty() const { return count_ == 0; }
  /// All of them, in the order of the layers and places.
  Error error();

 private:
  struct Problem {
    ConfigLayer layer;
    YamlMark mark;
    std::string text;
  };
  std::vector<Problem> problems_;
  std::size_t count_ = 0;
};

}  // namespace detail

struct Config::State {
  struct Set {
    std::vector<std::string> keys;
    std::string text;
  };

  std::string name;
  ConfigLimits limits;
  detail::YamlNodePtr root;         // null without a file or content
  std::map<std::string, Set> code;  // by path
  std::string prefix;
  std::map<std::string, std::string, std::less<>> environment;

  std::mutex mutex;                              // guards what bind() notes:
  std::map<std::string, std::string> variables;  // those it has asked for, and for which path
  std::set<std::vector<std::string>> bound;
  Origins origins;
};

}  // namespace settee::inline v0
