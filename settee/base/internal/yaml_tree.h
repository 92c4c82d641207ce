// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A YAML document as a tree that knows where everything stood. One document, keys that are scalars
// and occur once, standard tags only; aliases and merge keys ("<<") are resolved by sharing.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace settee::inline v0::detail {

struct YamlNode;
using YamlNodePtr = std::shared_ptr<const YamlNode>;

/// A place in the text, counted from 1; 0: nowhere.
struct YamlMark {
  int line = 0;
  int column = 0;
};

struct YamlKey {
  std::string text;
  YamlMark mark;
};

struct YamlNode {
  enum class Type : std::uint8_t { kNull, kScalar, kList, kMap };

  const YamlNode* find(std::string_view key) const noexcept;

  Type type = Type::kNull;
  YamlMark mark;
  std::string text;                // scalars
  std::vector<YamlKey> keys;       // maps
  std::vector<YamlNodePtr> items;  // lists; the values of maps
  std::size_t nodes = 1;           // in this tree, shared ones counted each time
  std::size_t height = 0;          // lists and maps in each other
};

struct YamlProblem {
  YamlMark mark;
  std::string text;
};

struct YamlDocument {
  YamlNodePtr root;  // null if the text has no content
  std::vector<YamlProblem> problems;
};

struct YamlLimits {
  std::size_t max_depth;
  std::size_t max_nodes;
};

/// Does not throw but std::bad_alloc. With problems, the tree is not to be used.
YamlDocument parse_yaml(std::string_view text, const YamlLimits& limits);

}  // namespace settee::inline v0::detail
