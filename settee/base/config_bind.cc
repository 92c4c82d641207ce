// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Fills structs from the layers of a configuration.

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "settee/base/config.h"
#include "settee/base/internal/config_state.h"
#include "settee/base/internal/config_values.h"
#include "settee/base/internal/yaml_tree.h"

namespace settee::inline v0 {

namespace {

using detail::advice;
using detail::ConfigProblems;
using detail::expectation;
using detail::is_single;
using detail::join_path;
using detail::meant;
using detail::measure;
using detail::Misfit;
using detail::place;
using detail::quoted;
using detail::read_single;
using detail::show_nullable;
using detail::show_single;
using detail::trim;
using detail::without_optional;
using detail::YamlDocument;
using detail::YamlKey;
using detail::YamlMark;
using detail::YamlNode;
using detail::YamlNodePtr;
using Layer = detail::ConfigLayer;

constexpr std::size_t kMaxShown = 60;  // bytes of a wrong value
constexpr std::string_view kHidden = "******";

bool is_below(std::string_view path, std::string_view ancestor) {
  if (ancestor.empty()) return !path.empty();
  return path.size() > ancestor.size() && path.starts_with(ancestor) &&
         (path[ancestor.size()] == '.' || path[ancestor.size()] == '[');
}

bool is_secret(std::string_view key) {
  const std::string name = detail::lower(key);
  for (const std::string_view word : {"password", "passwd", "secret", "token", "addauth"}) {
    if (name.find(word) != std::string::npos) return true;
  }
  return false;
}

// A key's place: what people read, the variable that can set it, and what holds below it.
struct Path {
  std::string text;
  std::string variable;  // empty at the root
  bool open = true;      // may be set by its own variable or set(); not so within lists
  bool secret = false;
  std::size_t depth = 0;  // how many keys

  Path child(std::string_view key, std::string_view prefix) const {
    Path result;
    result.text = join_path(text, key);
    result.open = open;
    result.secret = secret || is_secret(key);
    result.depth = depth + 1;
    if (!open) return result;
    result.variable = variable.empty() ? std::string(prefix) : variable + "_";
    for (const char c : key) {
      result.variable += detail::is_letter(c) || detail::is_digit(c) ? detail::to_upper(c) : '_';
    }
    return result;
  }
  Path element(std::size_t index) const {
    Path result;
    result.text = text + "[" + std::to_string(index) + "]";
    result.open = false;
    result.secret = secret;
    return result;
  }
};

// A value that a layer has for a key: a node, or the text of a variable or set().
struct Candidate {
  Layer layer;
  const std::string* source;  // the file or variable; unused for code
  const YamlNode* node = nullptr;
  const std::string* text = nullptr;
};
using Candidates = std::vector<Candidate>;  // the highest layer first

bool is_null(const Candidate& candidate) {
  if (candidate.node != nullptr) return candidate.node->type == YamlNode::Type::kNull;
  const std::string_view text = trim(*candidate.text);
  return text == "~" || text == "null";
}

class Binder {
 public:
  Binder(const Config::State& state, const BindOptions& options)
      : state_(state), options_(options) {}

  void run(std::span<const std::string> keys, const TypeInfo& type, void* value) {
    Path path;
    Candidates candidates;
    if (state_.root != nullptr) {
      candidates.push_back({Layer::kFile, &state_.name, state_.root.get(), nullptr});
    }
    for (const std::string& key : keys) {
      const Candidates sections = trees(candidates, path, "a section");
      path = path.child(key, state_.prefix);
      candidates = with_own(path, children(sections, key));
    }
    bind(type, value, path, std::move(candidates), nullptr);
  }

  // For the caller to keep.
  std::map<std::string, std::string> take_asked() { return std::move(asked_); }
  Origins take_origins() { return Origins(std::move(recorded_)); }
  bool failed() const { return !problems_.empty(); }
  Error error() { return problems_.error(); }

  void shared_variable(const std::string& variable, const std::string& one,
                       const std::string& other) {
    problem(Layer::kEnvironment, {},
            "environment " + variable + ": it stands for both " + one + " and " + other +
                "; unset it and use the file, or rename one of the keys");
  }

 private:
  // ---- Problems and origins ----

  void problem(Layer layer, YamlMark mark, std::string text) {
    problems_.add(layer, mark, std::move(text));
  }

  std::string origin(const Candidate& candidate) const {
    if (candidate.layer == Layer::kCode) return "code";
    if (candidate.layer == Layer::kFile) return place(*candidate.source, candidate.node->mark);
    return "environment " + *candidate.source;
  }
  std::string origin(const Candidates& candidates) const {
    return candidates.empty() ? "default" : origin(candidates.front());
  }

  void problem(const Candidate& candidate, const Path& path, std::string_view text) {
    const bool file = candidate.layer == Layer::kFile;
    problem(
        candidate.layer, file ? candidate.node->mark : YamlMark{},
        origin(candidate) + ": " + (path.text.empty() ? "" : path.text + ": ") + std::string(text));
  }

  void unknown_key(const Candidate& map, const YamlKey& key, const Path& path,
                   const TypeInfo& type) {
    if (problems_.full()) {  // looking for advice costs more than the rest
      problems_.add_untold();
      return;
    }
    const Layer layer = map.layer;
    const std::string from = layer == Layer::kFile ? place(*map.source, key.mark) : origin(map);
    std::string told = options_.unknown_key ? options_.unknown_key(type.name, key.text) : "";
    if (told.empty()) told = "unknown key" + advice(key.text, member_names(type));
    problem(layer, layer == Layer::kFile ? key.mark : YamlMark{},
            from + ": " + join_path(path.text, key.text) + ": " + told);
  }

  void record(const Path& path, const Candidates& candidates, std::string value) {
    if (quiet_ > 0) return;
    if (path.secret) value = kHidden;
    recorded_.push_back({path.text, std::move(value), origin(candidates)});
  }

  static std::vector<std::string> member_names(const TypeInfo& type) {
    std::vector<std::string> names;
    for (const MemberInfo& member : type.members) names.emplace_back(member.name);
    return names;
  }

  static std::string got(const Candidate& candidate, const Path& path) {
    if (candidate.node != nullptr) {
      switch (candidate.node->type) {
        case YamlNode::Type::kNull: return "nothing";
        case YamlNode::Type::kList: return "a list";
        case YamlNode::Type::kMap: return "a section";
        case YamlNode::Type::kScalar: break;
      }
    }
    if (path.secret) return std::string(kHidden);
    return quoted(candidate.node != nullptr ? candidate.node->text : *candidate.text, kMaxShown);
  }

  // ---- Layers ----

  // The candidates as trees, without nulls. What is not a map is a problem: `expected` was wanted.
  Candidates trees(const Candidates& candidates, const Path& path, std::string_view expected) {
    Candidates result;
    for (const Candidate& candidate : candidates) {
      const auto tree = as_tree(candidate, path);
      if (!tree || is_null(*tree)) continue;
      if (tree->node->type == YamlNode::Type::kMap) {
        result.push_back(*tree);
      } else {
        problem(*tree, path, "expected " + std::string(expected) + ", got " + got(*tree, path));
      }
    }
    return result;
  }

  // Reads the text of a variable or set() as YAML.
  std::optional<Candidate> as_tree(Candidate candidate, const Path& path) {
    if (candidate.node != nullptr) return candidate;
    YamlDocument document =
        detail::parse_yaml(*candidate.text, {state_.limits.max_depth, state_.limits.max_nodes});
    if (!document.problems.empty()) {
      problem(candidate, path, path.secret ? "not readable as YAML" : document.problems[0].text);
      return std::nullopt;
    }
    if (document.root == nullptr) document.root = std::make_shared<YamlNode>();
    parsed_.push_back(std::move(document.root));
    candidate.node = parsed_.back().get();
    candidate.text = nullptr;
    return candidate;
  }

  static Candidates children(const Candidates& maps, std::string_view key) {
    Candidates result;
    for (const Candidate& map : maps) {
      if (const YamlNode* node = map.node->find(key); node != nullptr) {
        result.push_back({map.layer, map.source, node, nullptr});
      }
    }
    return result;
  }

  // `inherited`, and before those of the same layer what is set for exactly this path.
  Candidates with_own(const Path& path, Candidates inherited) {
    if (!path.open) return inherited;
    Candidates result;
    if (const auto found = state_.code.find(path.text); found != state_.code.end()) {
      result.push_back({Layer::kCode, nullptr, nullptr, &found->second.text});
    }
    const auto before_file = [](const Candidate& c) { return c.layer == Layer::kCode; };
    const auto rest = std::stable_partition(inherited.begin(), inherited.end(), before_file);
    result.insert(result.end(), inherited.begin(), rest);
    if (const auto variable = variable_of(path)) {
      result.push_back({Layer::kEnvironment, &variable->first, nullptr, &variable->second});
    }
    result.insert(result.end(), rest, inherited.end());
    return result;
  }

  struct Variable {
    const std::string& first;
    const std::string& second;
  };
  std::optional<Variable> variable_of(const Path& path) {
    if (path.variable.empty()) return std::nullopt;
    const auto found = state_.environment.find(path.variable);
    const auto [asked, fresh] = asked_.emplace(path.variable, path.text);
    if (found == state_.environment.end()) return std::nullopt;
    if (!fresh && asked->second != path.text && reported_.insert(path.variable).second) {
      shared_variable(path.variable, asked->second, path.text);
    }
    return Variable{found->first, found->second};
  }

  // Whether a variable or set() reaches below this path, where there is nothing else yet.
  bool overridden_below(const TypeInfo& type, const Path& path) {
    if (!path.open) return false;
    const bool code = std::any_of(state_.code.begin(), state_.code.end(),
                                  [&](const auto& set) { return is_below(set.first, path.text); });
    if (!code) {
      const std::string begin = path.variable.empty() ? state_.prefix : path.variable + "_";
      const auto found = state_.environment.lower_bound(begin);
      if (found == state_.environment.end() || !found->first.starts_with(begin)) return false;
    }
    const TypeInfo& inner = without_optional(type);
    if (inner.kind != Kind::kStruct) return code;
    bool any = false;
    for (const MemberInfo& member : inner.members) {
      const Path child = path.child(member.name, state_.prefix);
      any = variable_of(child).has_value() || state_.code.contains(child.text) ||
            overridden_below(*member.type, child) || any;
    }
    return any;
  }

  // ---- Values ----

  void bind(const TypeInfo& type, void* out, const Path& path, Candidates candidates,
            const MemberLimits* limits) {
    switch (type.kind) {
      case Kind::kOptional:
      case Kind::kPointer: bind_nullable(type, out, path, std::move(candidates), limits); return;
      case Kind::kStruct: bind_struct(type, out, path, candidates); return;
      case Kind::kMap: bind_map(type, out, path, candidates, limits); return;
      case Kind::kList:
      case Kind::kArray:
      case Kind::kSet:
        bind_list(type, out, path, candidates);
        check_range(type, out, path, candidates, limits);
        nothing_below(path, "; set the whole list");
        return;
      default: break;
    }
    if (is_single(type.kind)) {
      bind_single(type, out, path, candidates, limits);
    } else if (!candidates.empty()) {
      problem(candidates.front(), path,
              "values of the type " + java_name(type) + " cannot be configured");
    }
    nothing_below(path, "");
  }

  void bind_nullable(const TypeInfo& type, void* out, const Path& path, Candidates candidates,
                     const MemberLimits* limits) {
    if (!candidates.empty() && is_null(candidates.front())) {
      type.reset(out);
      record(path, candidates, "null");
      return;
    }
    const void* there = type.get(out);
    if (there == nullptr) {
      if (candidates.empty() && !overridden_below(*type.element, path)) {
        record(path, candidates, "null");
        return;
      }
      there = type.emplace(out);
    }
    // What get() shows is a member of *out, which is not const.
    bind(*type.element, const_cast<void*>(there), path, std::move(candidates), limits);
  }

  void bind_struct(const TypeInfo& type, void* out, const Path& path,
                   const Candidates& candidates) {
    const Candidates maps = trees(candidates, path, expectation(type, nullptr));
    for (const MemberInfo& member : type.members) {
      const Path child = path.child(member.name, state_.prefix);
      bind(*member.type, static_cast<char*>(out) + member.offset, child,
           with_own(child, children(maps, member.name)), limits_of(type, member));
    }
    const auto is_member = [&type](std::string_view key) {
      return std::any_of(type.members.begin(), type.members.end(),
                         [key](const MemberInfo& member) { return member.name == key; });
    };
    for (const Candidate& map : maps) {
      for (const YamlKey& key : map.node->keys) {
        if (!is_member(key.text)) unknown_key(map, key, path, type);
      }
    }
    if (!path.open) return;
    for (const auto& [text, set] : state_.code) {
      if (is_below(text, path.text) && !is_member(set.keys[path.depth])) {
        problem(
            Layer::kCode, {},
            "code: " + text + ": unknown key" + advice(set.keys[path.depth], member_names(type)));
      }
    }
  }

  static const MemberLimits* limits_of(const TypeInfo& type, const MemberInfo& member) {
    for (const MemberLimits& limits : type.limits) {
      if (limits.offset == member.offset) return &limits;
    }
    return nullptr;
  }

  // Reports what set() says about keys below a value that has none.
  void nothing_below(const Path& path, std::string_view what_to_do) {
    if (!path.open) return;
    for (const auto& [text, set] : state_.code) {
      if (is_below(text, path.text)) {
        problem(Layer::kCode, {},
                "code: " + text + ": " + path.text + " has no keys" + std::string(what_to_do));
      }
    }
  }

  // A key of a map, read and given to the map by insert().
  class Entry final : public ElementFiller {
   public:
    using Fill = std::function<void(void*)>;
    Entry(std::function<bool(void*)> fill_key, Fill fill_value)
        : key_(std::move(fill_key)), value_(std::move(fill_value)) {}
    Result<void> fill_key(void* key) override {
      if (key_(key)) return {};
      return Error(Code::kConfig, "not a key");  // noted already; only stops the insertion
    }
    Result<void> fill_value(void* value) override {
      value_(value);
      return {};
    }

   private:
    std::function<bool(void*)> key_;
    Fill value_;
  };

  class Lister final : public ElementVisitor {
   public:
    bool visit(const void* key, const void* value) override {
      elements.emplace_back(key, value);
      return true;
    }
    std::vector<std::pair<const void*, const void*>> elements;
  };

  void bind_map(const TypeInfo& type, void* out, const Path& path, const Candidates& candidates,
                const MemberLimits* limits) {
    std::vector<std::pair<std::string, Candidates>> entries;
    std::unordered_map<std::string, std::size_t> places;
    const auto entry = [&](const std::string& key) -> Candidates& {
      const auto [place, fresh] = places.emplace(key, entries.size());
      if (fresh) entries.emplace_back(key, Candidates{});
      return entries[place->second].second;
    };
    bool hidden = false;  // by a null: the lower layers do not count
    for (const Candidate& candidate : candidates) {
      const auto tree = as_tree(candidate, path);
      if (!tree) continue;
      if (is_null(*tree)) {
        hidden = true;
        break;
      }
      if (tree->node->type != YamlNode::Type::kMap) {
        problem(*tree, path, "expected " + expectation(type, limits) + ", got " + got(*tree, path));
        continue;
      }
      for (std::size_t i = 0; i < tree->node->keys.size(); ++i) {
        entry(tree->node->keys[i].text)
            .push_back({tree->layer, tree->source, tree->node->items[i].get(), nullptr});
      }
    }
    if (path.open) {
      for (const auto& [text, set] : state_.code) {
        if (is_below(text, path.text)) entry(set.keys[path.depth]);
      }
    }

    if (hidden) type.clear(out);
    std::set<std::string> done;
    for (auto& [key, values] : entries) {
      const Path child = path.child(key, state_.prefix);
      const Candidates own = with_own(child, std::move(values));
      Entry filler(
          [&, &name = key](void* at) {
            const Misfit misfit =
                is_single(type.key->kind) ? read_single(*type.key, name, at) : Misfit{true, {}};
            if (misfit.wrong) {
              const std::string text = "expected " + expectation(*type.key, nullptr) +
                                       " as the key, got " + quoted(name, kMaxShown) + misfit.note;
              if (own.empty()) {
                problem(Layer::kCode, {}, "code: " + child.text + ": " + text);
              } else {
                problem(own.front(), child, text);
              }
              return false;
            }
            done.insert(show_key(*type.key, at));
            return true;
          },
          [&](void* at) { bind(*type.element, at, child, own, nullptr); });
      static_cast<void>(type.insert(out, filler));
    }

    Lister lister;
    type.for_each(out, lister);
    for (const auto& [key, value] : lister.elements) {
      if (!is_single(type.key->kind)) break;
      const std::string name = show_key(*type.key, key);
      if (done.contains(name)) continue;
      const Path child = path.child(name, state_.prefix);
      // The values of a map that is not const.
      bind(*type.element, const_cast<void*>(value), child, with_own(child, {}), nullptr);
    }
    if (lister.elements.empty()) record(path, candidates, "{}");
    check_range(type, out, path, candidates, limits);
  }

  static std::string show_key(const TypeInfo& type, const void* key) {
    return type.kind == Kind::kString ? *static_cast<const std::string*>(key)
                                      : show_single(type, key);
  }

  // The elements of a list that stands in the text of a variable or set().
  Candidates text_elements(const Candidate& candidate) {
    Candidates elements;
    std::string_view text = trim(*candidate.text);
    while (!text.empty()) {
      const std::size_t comma = std::min(text.find(','), text.size());
      pieces_.emplace_back(trim(text.substr(0, comma)));
      elements.push_back({candidate.layer, candidate.source, nullptr, &pieces_.back()});
      if (comma == text.size()) break;
      text.remove_prefix(comma + 1);
    }
    return elements;
  }

  void bind_list(const TypeInfo& type, void* out, const Path& path, const Candidates& candidates) {
    const bool single = is_single(without_optional(*type.element).kind);
    if (!candidates.empty()) {
      const Candidate& top = candidates.front();
      Candidates elements;
      if (top.text != nullptr && single && !is_null(top) && !trim(*top.text).starts_with('[')) {
        elements = text_elements(top);
      } else {
        const auto tree = as_tree(top, path);
        if (!tree) return;
        if (!is_null(*tree) && tree->node->type != YamlNode::Type::kList) {
          problem(*tree, path, "expected a list, got " + got(*tree, path));
          return;
        }
        for (const YamlNodePtr& item : tree->node->items) {
          elements.push_back({tree->layer, tree->source, item.get(), nullptr});
        }
      }
      fill_list(type, out, path, elements, single);
    } else if (!single) {
      record_default_elements(type, out, path);
    }
    if (single) {
      record(path, candidates, show_list(type, out));
    } else if (type.count(out) == 0) {
      record(path, candidates, "[]");
    }
  }

  void fill_list(const TypeInfo& type, void* out, const Path& path, const Candidates& elements,
                 bool quiet) {
    quiet_ += quiet ? 1 : 0;
    type.clear(out);
    if (type.reserve != nullptr) type.reserve(out, elements.size());
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const auto fill = [&](void* at) {
        bind(*type.element, at, path.element(i), {elements[i]}, nullptr);
      };
      if (type.kind == Kind::kSet) {
        Entry filler([](void*) { return true; }, fill);
        static_cast<void>(type.insert(out, filler));
      } else {
        fill(type.append(out));
      }
    }
    quiet_ -= quiet ? 1 : 0;
  }

  void record_default_elements(const TypeInfo& type, void* out, const Path& path) {
    if (type.kind == Kind::kSet) return;  // its elements have no places
    for (std::size_t i = 0; i < type.count(out); ++i) {
      // An element of a list that is not const.
      bind(*type.element, const_cast<void*>(type.at(out, i)), path.element(i), {}, nullptr);
    }
  }

  static std::string show_list(const TypeInfo& type, const void* list) {
    std::string text;
    const auto add = [&](const void* element) {
      text += (text.empty() ? "" : ", ") + show_nullable(*type.element, element);
    };
    if (type.kind == Kind::kSet) {
      Lister lister;
      type.for_each(list, lister);
      for (const auto& [key, value] : lister.elements) add(value);
    } else {
      for (std::size_t i = 0; i < type.count(list); ++i) add(type.at(list, i));
    }
    return "[" + text + "]";
  }

  void bind_single(const TypeInfo& type, void* out, const Path& path, const Candidates& candidates,
                   const MemberLimits* limits) {
    if (!candidates.empty()) {
      const Candidate& top = candidates.front();
      if (top.node != nullptr && top.node->type != YamlNode::Type::kScalar) {
        problem(top, path, "expected " + expectation(type, limits) + ", got " + got(top, path));
        return;
      }
      const std::string& text = top.node != nullptr ? top.node->text : *top.text;
      if (const Misfit misfit = read_value(type, text, out); misfit.wrong) {
        misfit_problem(type, text, misfit.note, top, path, limits);
        return;
      }
    }
    check_range(type, out, path, candidates, limits);
    record(path, candidates, show_single(type, out));
  }

  Misfit read_value(const TypeInfo& type, std::string_view text, void* out) const {
    if (options_.plain_milliseconds && type.kind == Kind::kDuration) {
      const std::string_view number = trim(text);
      const std::string_view digits = number.substr(number.starts_with('-') ? 1 : 0);
      if (!digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos) {
        return read_single(type, std::string(number) + "ms", out);
      }
    }
    return read_single(type, text, out);
  }

  void misfit_problem(const TypeInfo& type, std::string_view text, std::string note,
                      const Candidate& candidate, const Path& path, const MemberLimits* limits) {
    if (problems_.full()) {
      problems_.add_untold();
      return;
    }
    if (path.secret) {
      note.clear();
    } else if (type.kind == Kind::kEnum) {
      std::vector<std::string> names;
      for (const EnumeratorInfo& enumerator : type.enumerators) names.emplace_back(enumerator.name);
      if (const auto name = meant(text, names)) note = "; did you mean " + *name + "?";
    }
    problem(candidate, path,
            "expected " + expectation(type, limits) + ", got " + got(candidate, path) + note);
  }

  void check_range(const TypeInfo& type, const void* value, const Path& path,
                   const Candidates& candidates, const MemberLimits* limits) {
    if (limits == nullptr) return;
    const LimitValue measured = measure(type, value);
    if (measured.form == LimitValue::Form::kNone) {
      problem(Layer::kDefault, {},
              path.text + ": SETTEE_LIMITS gives a range to a value of the type " +
                  java_name(type) + ", which has none");
      return;
    }
    if (!detail::less(measured, limits->min) && !detail::less(limits->max, measured)) return;
    std::string actual;
    if (type.kind == Kind::kString) {
      actual = std::to_string(measured.integer) + " bytes";
    } else if (is_single(type.kind)) {
      actual = path.secret ? std::string(kHidden) : show_single(type, value);
    } else {
      actual = std::to_string(measured.integer);
    }
    const std::string text = "expected " + expectation(type, limits) + ", got " + actual;
    if (candidates.empty()) {
      problem(Layer::kDefault, {}, "default: " + path.text + ": " + text + "; give it a value");
    } else {
      problem(candidates.front(), path, text);
    }
  }

  const Config::State& state_;
  const BindOptions& options_;
  std::vector<Origins::Entry> recorded_;
  ConfigProblems problems_;
  int quiet_ = 0;  // within a list whose elements are not recorded one by one
  std::map<std::string, std::string> asked_;  // variables, and for which path
  std::set<std::string> reported_;            // variables that stand for two keys
  std::vector<YamlNodePtr> parsed_;           // what candidates point to
  std::deque<std::string> pieces_;            // likewise
};

}  // namespace

namespace detail {

Result<void> config_bind(const Config& config, std::string_view path, const TypeInfo& type,
                         void* value, Origins& origins, const BindOptions& options) {
  auto keys = split_path(path);
  if (!keys) {
    return Error(Code::kInvalidArgument,
                 "bind the configuration section " + quoted(path) +
                     ": a path is keys joined by '.', such as rpc.server or a[\"b.c\"].d");
  }
  Config::State& state = config.state();
  Binder binder(state, options);
  binder.run(*keys, type, value);
  const std::lock_guard lock(state.mutex);
  for (auto& [variable, asked_for] : binder.take_asked()) {
    const auto [there, fresh] = state.variables.emplace(variable, asked_for);
    if (!fresh && there->second != asked_for && state.environment.contains(variable)) {
      binder.shared_variable(variable, there->second, asked_for);
    }
  }
  state.bound.insert(std::move(*keys));
  if (binder.failed()) return binder.error();
  origins = binder.take_origins();
  state.origins.merge(origins);
  return {};
}

}  // namespace detail

}  // namespace settee::inline v0
