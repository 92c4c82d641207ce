// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/config.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <tuple>

#include "settee/base/internal/config_state.h"
#include "settee/base/internal/config_values.h"
#include "settee/base/internal/yaml_tree.h"

namespace settee::inline v0 {

using detail::advice;
using detail::ConfigLayer;
using detail::ConfigProblems;
using detail::join_path;
using detail::meant;
using detail::place;
using detail::quoted;
using detail::show_duration;
using detail::show_real;
using detail::split_path;
using detail::YamlDocument;
using detail::YamlKey;
using detail::YamlNode;
using detail::YamlProblem;

namespace detail {

std::string join_path(std::string_view path, std::string_view key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '-';
  });
  if (!plain) return std::string(path) + "[" + quoted(key) + "]";
  return path.empty() ? std::string(key) : std::string(path) + "." + std::string(key);
}

std::optional<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> keys;
  std::size_t i = 0;
  while (i < path.size()) {
    std::string key;
    if (path.substr(i, 2) == "[\"") {
      for (i += 2; i < path.size() && path[i] != '"'; ++i) {
        if (path[i] == '\\' && ++i == path.size()) return std::nullopt;
        key += path[i];
      }
      if (path.substr(i, 2) != "\"]") return std::nullopt;
      i += 2;
    } else {
      if (!keys.empty() && path[i++] != '.') return std::nullopt;
      const std::size_t end = std::min(path.find_first_of(".[]\"", i), path.size());
      key = path.substr(i, end - i);
      if (key.empty()) return std::nullopt;
      i = end;
      if (i < path.size() && (path[i] == ']' || path[i] == '"')) return std::nullopt;
      if (i + 1 == path.size()) return std::nullopt;  // ends with a '.' or '['
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

std::string join_path(std::span<const std::string> keys) {
  std::string path;
  for (const std::string& key : keys) path = join_path(path, key);
  return path;
}

std::string place(std::string_view name, YamlMark mark) {
  if (mark.line <= 0) return std::string(name);
  return std::string(name) + ":" + std::to_string(mark.line) + ":" + std::to_string(mark.column);
}

Error ConfigProblems::error() {
  std::stable_sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.layer, a.mark.line, a.mark.column) <
           std::tie(b.layer, b.mark.line, b.mark.column);
  });
  if (problems_.size() == 1 && count_ == 1) return Error(Code::kConfig, problems_[0].text);
  std::string text = std::to_string(count_) + " problems in the configuration:";
  for (const Problem& problem : problems_) text += "\n  " + problem.text;
  if (count_ > problems_.size()) {
    text += "\n  and " + std::to_string(count_ - problems_.size()) + " more";
  }
  return Error(Code::kConfig, text);
}

}  // namespace detail

namespace {

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  const auto failed = [&path](int error) {
    return Error(Code::kConfig,
                 "read the configuration " + path + ": " + std::system_category().message(error));
  };
  struct File {
    int fd;
    ~File() {
      if (fd >= 0) ::close(fd);
    }
  };
  const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return failed(errno);
  std::string text;
  std::array<char, 16384> chunk;
  for (;;) {
    const ssize_t n = ::read(file.fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(errno);
    if (n == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(n));
    if (text.size() > max_bytes) {
      return Error(Code::kConfig, "read the configuration " + path +
                                      ": it is larger than config.max_bytes=" +
                                      std::to_string(max_bytes) + "; is it the right file?");
    }
  }
}

}  // namespace

std::string_view Origins::of(std::string_view path) const noexcept {
  const auto found = std::lower_bound(
      entries_.begin(), entries_.end(), path,
      [](const Entry& entry, std::string_view wanted) { return entry.path < wanted; });
  return found != entries_.end() && found->path == path ? std::string_view(found->origin)
                                                        : std::string_view();
}

std::string Origins::dump() const {
  std::string text;
  for (const Entry& entry : entries_) {
    text += entry.path + " = " + entry.value + "  # " + entry.origin + "\n";
  }
  return text;
}

namespace {

bool by_path(const Origins::Entry& a, const Origins::Entry& b) { return a.path < b.path; }

// Of equal neighbours the last one stays.
void drop_replaced(std::vector<Origins::Entry>& entries) {
  const auto same = [](const Origins::Entry& a, const Origins::Entry& b) {
    return a.path == b.path;
  };
  entries.erase(entries.begin(), std::unique(entries.rbegin(), entries.rend(), same).base());
}

}  // namespace

Origins::Origins(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::stable_sort(entries_.begin(), entries_.end(), by_path);
  drop_replaced(entries_);
}

void Origins::merge(const Origins& other) {
  const auto middle = static_cast<std::ptrdiff_t>(entries_.size());
  entries_.insert(entries_.end(), other.entries_.begin(), other.entries_.end());
  std::inplace_merge(entries_.begin(), entries_.begin() + middle, entries_.end(), by_path);
  drop_replaced(entries_);
}

Config::Config() : state_(std::make_unique<State>()) {}
Config::Config(Config&& other) noexcept = default;
Config& Config::operator=(Config&& other) noexcept = default;
Config::~Config() = default;

Result<Config> Config::load_file(const std::string& path, const ConfigLimits& limits) {
  const Result<std::string> text = read_file(path, limits.max_bytes);
  if (!text) return text.error();
  return parse(*text, path, limits);
}

Result<Config> Config::parse(std::string_view text, std::string name, const ConfigLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error(Code::kConfig,
                 name + ": larger than config.max_bytes=" + std::to_string(limits.max_bytes));
  }
  YamlDocument document = detail::parse_yaml(text, {limits.max_depth, limits.max_nodes});
  if (!document.problems.empty()) {
    ConfigProblems problems;
    for (const YamlProblem& problem : document.problems) {
      problems.add(ConfigLayer::kFile, problem.mark,
                   problems.full() ? "" : place(name, problem.mark) + ": " + problem.text);
    }
    return problems.error();
  }
  Config config;
  config.state_->name = std::move(name);
  config.state_->limits = limits;
  config.state_->root = std::move(document.root);
  return config;
}

void Config::set(std::string_view path, std::string_view text) {
  auto keys = split_path(path);
  if (!keys || keys->empty()) {
    throw Error(Code::kInvalidArgument,
                "set the configuration value " + quoted(path) +
                    ": a path is keys joined by '.', such as rpc.server.port or a[\"b.c\"].d");
  }
  std::string canonical = join_path(*keys);
  state_->code[std::move(canonical)] = {std::move(*keys), std::string(text)};
}

void Config::set(std::string_view path, double value) {
  set(path, std::string_view(show_real(value)));
}

void Config::set(std::string_view path, std::chrono::milliseconds value) {
  set(path, std::string_view(show_duration(value.count())));
}

void Config::use_environment(std::string_view prefix) {
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  use_environment(prefix, variables);
}

void Config::use_environment(std::string_view prefix, std::span<const std::string> variables) {
  state_->prefix = prefix;
  state_->environment.clear();
  for (const std::string& variable : variables) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos || !variable.starts_with(prefix)) continue;
    state_->environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
}

namespace {

// Finds what nobody has asked for.
class Unused {
 public:
  explicit Unused(const Config::State& state) : state_(state) {}

  void run() {
    std::vector<std::string> keys;
    if (state_.root != nullptr) walk(*state_.root, keys);
    for (const auto& [path, set] : state_.code) {
      if (!covered(set.keys) && !is_ancestor(set.keys)) {
        problems_.add(
            ConfigLayer::kCode, {},
            "code: " + path + ": unknown key" + advice(set.keys.back(), known(parent(set.keys))));
      }
    }
    std::vector<std::string> variables;
    for (const auto& [variable, path] : state_.variables) variables.push_back(variable);
    for (const auto& [variable, text] : state_.environment) {
      if (state_.variables.contains(variable)) continue;
      const auto name = problems_.full() ? std::nullopt : meant(variable, variables);
      problems_.add(ConfigLayer::kEnvironment, {},
                    "environment " + variable + ": no key has this variable" +
                        (name ? "; did you mean " + *name + "?" : ""));
    }
  }

  bool failed() const { return !problems_.empty(); }
  Error error() { return problems_.error(); }

 private:
  using Keys = std::vector<std::string>;

  static bool begins(const Keys& keys, const Keys& with) {
    return keys.size() >= with.size() && std::equal(with.begin(), with.end(), keys.begin());
  }
  // Within what has been bound, where bind() has looked at everything.
  bool covered(const Keys& keys) const {
    return std::any_of(state_.bound.begin(), state_.bound.end(),
                       [&](const Keys& bound) { return begins(keys, bound); });
  }
  bool is_ancestor(const Keys& keys) const {
    return std::any_of(state_.bound.begin(), state_.bound.end(),
                       [&](const Keys& bound) { return begins(bound, keys); });
  }
  static Keys parent(Keys keys) {
    keys.pop_back();
    return keys;
  }
  // The keys below `keys` that lead to what has been bound.
  std::vector<std::string> known(const Keys& keys) const {
    std::vector<std::string> names;
    for (const Keys& bound : state_.bound) {
      if (bound.size() > keys.size() && begins(bound, keys) &&
          (names.empty() || names.back() != bound[keys.size()])) {
        names.push_back(bound[keys.size()]);
      }
    }
    return names;
  }

  void walk(const YamlNode& node, Keys& keys) {
    if (covered(keys)) return;
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const YamlKey& key = node.keys[i];
      keys.push_back(key.text);
      if (is_ancestor(keys)) {
        walk(*node.items[i], keys);
      } else if (!covered(keys)) {
        problems_.add(ConfigLayer::kFile, key.mark,
                      problems_.full()
                          ? ""
                          : place(state_.name, key.mark) + ": " + join_path(keys) +
                                ": unknown key" + advice(key.text, known(parent(keys))));
      }
      keys.pop_back();
    }
  }

  const Config::State& state_;
  ConfigProblems problems_;
};

}  // namespace

Result<void> Config::check_unused() const {
  const std::lock_guard lock(state_->mutex);
  Unused unused(*state_);
  unused.run();
  if (unused.failed()) return unused.error();
  return {};
}

Origins Config::origins() const {
  const std::lock_guard lock(state_->mutex);
  return state_->origins;
}

}  // namespace settee::inline v0
