// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A JSON text, checked whole and indexed: one node per value and name, in the order of the text.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "settee/base/result.h"
#include "settee/hessian/json.h"

namespace settee::inline v0::json::detail {

enum class Token : std::uint8_t {
  kNull,
  kTrue,
  kFalse,
  kNumber,
  kString,   ///< without escapes
  kEscaped,  ///< a string with escapes
  kArray,
  kObject,  ///< its nodes are names and values in turn
};

class Document {
 public:
  struct Node {
    std::uint32_t begin;  ///< where its text begins
    std::uint32_t size;   ///< bytes of its text; of containers items or names
    std::uint32_t next;   ///< the node behind it and all within it
    Token token;
  };

  Result<void> parse(std::string_view text, const Limits& limits);

  /// The root is node 0; the first node within a container is the next number.
  const Node& operator[](std::uint32_t at) const noexcept { return nodes_[at]; }

  /// The text of a scalar as it stands.
  std::string_view raw(const Node& node) const noexcept {
    return {text_.get() + node.begin, node.size};
  }
  /// A string's text between the quotes.
  std::string_view inside(const Node& node) const noexcept {
    return {text_.get() + node.begin + 1, node.size - std::size_t{2}};
  }
  /// Where the node's text begins in the text that was given.
  std::size_t offset(const Node& node) const noexcept { return node.begin + skipped_; }

 private:
  friend class Indexer;

  std::unique_ptr<char[]> text_;  // with the padding that simdjson wants
  std::vector<Node> nodes_;
  std::size_t skipped_ = 0;  // a byte order mark
};

}  // namespace settee::inline v0::json::detail
