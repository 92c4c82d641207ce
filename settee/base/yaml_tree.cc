// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/internal/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <new>
#include <sstream>
#include <unordered_map>
#include <utility>

namespace settee::inline v0::detail {

namespace {

// Ends the parsing: the problem has been noted.
struct Stop {};

YamlMark to_mark(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

std::string at(YamlMark mark) {
  return std::to_string(mark.line) + ":" + std::to_string(mark.column);
}

class Builder final : public YAML::EventHandler {
 public:
  Builder(const YamlLimits& limits, YamlDocument& document)
      : limits_(limits), document_(document) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) stop(mark, "a second document begins; a configuration has one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto node = make(YamlNode::Type::kNull, mark);
    keep(anchor, node);
    add(std::move(node), mark);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) stop(mark, "the alias stands within what it refers to");
    add(found->second, mark);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    auto node = make(YamlNode::Type::kScalar, mark);
    node->text = value;
    keep(anchor, node);
    add(std::move(node), mark, tag == "?");
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Type::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Type::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  // A list or map whose end has not come.
  struct Open {
    std::shared_ptr<YamlNode> node;
    YAML::anchor_t anchor;
    YAML::Mark mark;
    bool has_key = false;
    bool merges = false;  // the key at hand is a merge key
    YamlKey key;
    std::unordered_map<std::string, std::size_t> places;  // of the keys of a map
    std::vector<std::pair<YamlNodePtr, YAML::Mark>> merged;
  };

  [[noreturn]] void stop(const YAML::Mark& mark, std::string text) {
    document_.problems.push_back({to_mark(mark), std::move(text)});
    throw Stop{};
  }

  std::shared_ptr<YamlNode> make(YamlNode::Type type, const YAML::Mark& mark) {
    auto node = std::make_shared<YamlNode>();
    node->type = type;
    node->height = type == YamlNode::Type::kList || type == YamlNode::Type::kMap ? 1 : 0;
    node->mark = to_mark(mark);
    return node;
  }

  void keep(YAML::anchor_t anchor, YamlNodePtr node) {
    if (anchor != 0) anchors_[anchor] = std::move(node);
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    stop(mark, "the tag " + tag + " is not understood; the types follow from the keys");
  }

  void open(YamlNode::Type type, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    check_tag(mark, tag);
    if (open_.size() >= limits_.max_depth) too_deep(mark);
    open_.emplace_back();
    open_.back().node = make(type, mark);
    open_.back().anchor = anchor;
    open_.back().mark = mark;
  }

  void close() {
    Open top = std::move(open_.back());
    open_.pop_back();
    for (const auto& [source, mark] : top.merged) merge(top, *source, mark);
    keep(top.anchor, top.node);
    add(std::move(top.node), top.mark);
  }

  [[noreturn]] void too_deep(const YAML::Mark& mark) {
    stop(mark, "nested too deeply: config.max_depth=" + std::to_string(limits_.max_depth));
  }

  void count(YamlNode& parent, const YamlNode& child, const YAML::Mark& mark) {
    parent.nodes += child.nodes;
    parent.height = std::max(parent.height, child.height + 1);
    if (parent.nodes > limits_.max_nodes) {
      stop(mark, "too many values, counting aliases each time: config.max_nodes=" +
                     std::to_string(limits_.max_nodes));
    }
    // The parent is in both.
    if (open_.size() + parent.height > limits_.max_depth + 1) too_deep(mark);
  }

  void add(YamlNodePtr node, const YAML::Mark& mark, bool plain = false) {
    if (++seen_ > limits_.max_nodes) {
      stop(mark, "too many values: config.max_nodes=" + std::to_string(limits_.max_nodes));
    }
    if (open_.empty()) {
      document_.root = std::move(node);
      return;
    }
    Open& top = open_.back();
    if (top.node->type == YamlNode::Type::kList) {
      count(*top.node, *node, mark);
      top.node->items.push_back(std::move(node));
    } else if (!top.has_key) {
      if (node->type != YamlNode::Type::kScalar) stop(mark, "a key must be a plain text");
      top.has_key = true;
      top.merges = plain && node->text == "<<";
      top.key = {node->text, to_mark(mark)};
    } else {
      top.has_key = false;
      if (top.merges) {
        remember_merge(top, node, mark);
      } else {
        add_entry(top, std::move(node), mark);
      }
    }
  }

  void add_entry(Open& top, YamlNodePtr node, const YAML::Mark& mark) {
    const auto [place, fresh] = top.places.emplace(top.key.text, top.node->keys.size());
    if (!fresh) {
      document_.problems.push_back({top.key.mark, "the key '" + top.key.text +
                                                      "' is there already, at " +
                                                      at(top.node->keys[place->second].mark)});
      return;
    }
    count(*top.node, *node, mark);
    if (node->type == YamlNode::Type::kNull && node.use_count() == 1) {
      // The parser places an empty value where the next thing begins.
      node = std::make_shared<YamlNode>(YamlNode{.mark = top.key.mark});
    }
    top.node->keys.push_back(std::move(top.key));
    top.node->items.push_back(std::move(node));
  }

  void remember_merge(Open& top, const YamlNodePtr& node, const YAML::Mark& mark) {
    if (node->type == YamlNode::Type::kMap) {
      top.merged.emplace_back(node, mark);
      return;
    }
    if (node->type == YamlNode::Type::kList) {
      for (const YamlNodePtr& item : node->items) {
        if (item->type != YamlNode::Type::kMap) stop(mark, "<< takes a map or a list of maps");
        top.merged.emplace_back(item, mark);
      }
      return;
    }
    stop(mark, "<< takes a map or a list of maps");
  }

  // Entries of `source` that `top` does not have itself.
  void merge(Open& top, const YamlNode& source, const YAML::Mark& mark) {
    for (std::size_t i = 0; i < source.keys.size(); ++i) {
      if (!top.places.emplace(source.keys[i].text, top.node->keys.size()).second) continue;
      count(*top.node, *source.items[i], mark);
      top.node->keys.push_back(source.keys[i]);
      top.node->items.push_back(source.items[i]);
    }
  }

  const YamlLimits limits_;
  YamlDocument& document_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, YamlNodePtr> anchors_;
  std::size_t seen_ = 0;
  int documents_ = 0;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const noexcept {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].text == key) return items[i].get();
  }
  return nullptr;
}

YamlDocument parse_yaml(std::string_view text, const YamlLimits& limits) {
  YamlDocument document;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(limits, document);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop&) {
  } catch (const YAML::Exception& error) {
    document.problems.push_back({to_mark(error.mark), "not readable as YAML: " + error.msg});
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    document.problems.push_back({{}, std::string("not readable as YAML: ") + error.what()});
  }
  return document;
}

}  // namespace settee::inline v0::detail
