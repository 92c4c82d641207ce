// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Generic values to JSON, with their classes and without, and to_text().

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "settee/hessian/codec.h"
#include "settee/hessian/internal/json_emitter.h"
#include "settee/hessian/internal/json_put.h"
#include "settee/hessian/internal/json_text.h"
#include "settee/hessian/internal/value_node.h"
#include "settee/hessian/json.h"

namespace settee::inline v0::json {

using hessian::Value;
using hessian::detail::Node;
using hessian::detail::ValueAccess;

namespace detail {

namespace {

constexpr std::string_view kBigDecimalClass = "java.math.BigDecimal";
constexpr std::string_view kBigIntegerClass = "java.math.BigInteger";
// 32-bit words of a BigInteger whose digits are worked out, which takes the square of that.
constexpr std::size_t kMostWords = 256;

}  // namespace

// Writes one Value. Without recursion: a Value may be of any depth.
class ValueWriter {
 public:
  ValueWriter(Emitter& emitter, const Step* up)
      : emitter_(emitter),
        options_(emitter.options_),
        up_(up),
        all_(options_.type_names == TypeNames::kAll),
        objects_(options_.type_names != TypeNames::kNone) {}

  std::uint8_t* write(std::uint8_t* at, const Value& root) {
    at = value(at, root);
    while (at != nullptr && !stack_.empty()) {
      Frame& frame = stack_.back();
      if (frame.next == frame.count) {
        at = leave(at, frame);
        stack_.pop_back();
        continue;
      }
      const std::size_t i = frame.next++;
      at = emitter_.separate(at, i == 0 && frame.first);
      if (frame.pair != nullptr) {
        at = value(at, i == 0 ? frame.pair->key : frame.pair->value);
        continue;
      }
      switch (frame.node->type) {
        case Value::Type::kList: at = value(at, list(*frame.node).items[i]); break;
        case Value::Type::kMap: {
          const Value::Entry& entry = map(*frame.node).entries[i];
          if (frame.pairs) {
            at = open_pair(at, entry);
          } else {
            at = value(emitter_.name(at, key(entry.key)), entry.value);
          }
          break;
        }
        default: {
          const auto& fields = object(*frame.node);
          at = value(emitter_.name(at, fields.shape->fields[i]), fields.fields[i]);
        }
      }
    }
    return at;
  }

 private:
  static constexpr std::uint32_t kTop = static_cast<std::uint32_t>(-1);

  // A container being written.
  struct Frame {
    const Node* node = nullptr;
    const Value::Entry* pair = nullptr;  // not a node but an entry as [key, value]
    std::size_t next = 0;
    std::size_t count = 0;
    std::uint32_t place = kTop;
    bool first = true;     // nothing stands before the first item
    bool shared = false;   // is in seen_
    bool wrapped = false;  // within {"$class":...,"$": }
    bool pairs = false;    // a map as [key, value] pairs
  };

  // Where a container is: an item of another, which is at the place `up`.
  struct Place {
    std::uint32_t up;
    const Node* within;  // null: a pair
    bool by_index;
    std::size_t index;
  };

  static const hessian::detail::ListNode& list(const Node& node) noexcept {
    return static_cast<const hessian::detail::ListNode&>(node);
  }
  static const hessian::detail::MapNode& map(const Node& node) noexcept {
    return static_cast<const hessian::detail::MapNode&>(node);
  }
  static const hessian::detail::ObjectNode& object(const Node& node) noexcept {
    return static_cast<const hessian::detail::ObjectNode&>(node);
  }

  std::uint8_t* value(std::uint8_t* at, const Value& value) {
    if (++nodes_ > options_.nodes) [[unlikely]] {
      return fail(Code::kLimit, fmt::format("limit 'nodes' of {} exceeded", options_.nodes));
    }
    switch (value.type()) {
      case Value::Type::kNull: return emitter_.put(at, "null");
      case Value::Type::kBool:
        return emitter_.put(at, ValueAccess::scalar<bool>(value) ? "true" : "false");
      case Value::Type::kInt:
        return put_whole(emitter_.room(at), ValueAccess::scalar<std::int32_t>(value));
      case Value::Type::kLong: {
        const auto number = ValueAccess::scalar<std::int64_t>(value);
        const bool wrap = all_ && number == static_cast<std::int32_t>(number);
        if (wrap) at = begin_wrap(at, "long");
        at = put_whole(emitter_.room(at), number);
        return wrap ? end_wrap(at) : at;
      }
      case Value::Type::kDouble: {
        const auto number = ValueAccess::scalar<double>(value);
        const bool wrap = all_ && !std::isfinite(number);
        if (wrap) at = begin_wrap(at, "double");
        at = put_real(emitter_.room(at), number);
        return wrap ? end_wrap(at) : at;
      }
      case Value::Type::kDate:
        if (all_) at = begin_wrap(at, "java.util.Date");
        at = emitter_.date(at, ValueAccess::scalar<std::int64_t>(value), options_.dates_as_text);
        return all_ ? end_wrap(at) : at;
      case Value::Type::kString: return emitter_.text(at, ValueAccess::text(value));
      case Value::Type::kBytes:
        if (all_) at = begin_wrap(at, "[B");
        at = emitter_.base64(
            at, static_cast<const hessian::detail::BytesNode*>(ValueAccess::node(value))->bytes);
        return all_ ? end_wrap(at) : at;
      case Value::Type::kList:
      case Value::Type::kMap:
      case Value::Type::kObject: break;
    }
    return container(at, value);
  }

  // The names by which parse_value() knows a map.
  static bool is_known_map(std::string_view type) noexcept {
    return type.starts_with("java.util.") && type.ends_with("Map");
  }

  std::uint8_t* begin_wrap(std::uint8_t* at, std::string_view java_class, bool is_map = false) {
    at = emitter_.open(at, '{');
    at = emitter_.text(emitter_.name(emitter_.separate(at, true), "$class"), java_class);
    if (is_map) at = emitter_.put(emitter_.name(emitter_.separate(at, false), "isMap"), "true");
    return emitter_.name(emitter_.separate(at, false), "$");
  }
  std::uint8_t* end_wrap(std::uint8_t* at) { return emitter_.close(at, '}', false); }

  std::uint8_t* container(std::uint8_t* at, const Value& value) {
    const Node* node = ValueAccess::node(value);
    Frame frame{node};
    frame.count = value.size();
    if (options_.references && frame.count != 0) frame.place = note_place();
    // Only what more than one edge leads to can occur again.
    if (node->shared() && frame.count != 0) {
      const auto [seen, fresh] = seen_.try_emplace(node, frame.place);
      if (!fresh) {
        if (options_.references) return reference(at, seen->second);
        return fail(Code::kEncode, "the value contains itself, which JSON cannot say");
      }
      frame.shared = true;
    }
    switch (node->type) {
      case Value::Type::kList:
        if (all_ && !value.type_name().empty()) {
          at = begin_wrap(at, value.type_name());
          frame.wrapped = true;
        }
        at = emitter_.open(at, '[');
        break;
      case Value::Type::kMap: at = open_map(at, value, frame); break;
      default:
        if (const std::optional<std::string> number = number_of(value)) {
          if (all_) at = begin_wrap(at, value.type_name());
          at = emitter_.long_plain(at, *number);
          return all_ ? end_wrap(at) : at;
        }
        if (objects_) {
          if (has_special_names(object(*node).shape->fields)) {
            at = begin_wrap(at, value.type_name());
            frame.wrapped = true;
            at = emitter_.open(at, '{');
          } else {
            at = emitter_.separate(emitter_.open(at, '{'), true);
            at = emitter_.text(emitter_.name(at, "$class"), value.type_name());
            frame.first = false;
          }
        } else {
          at = emitter_.open(at, '{');
        }
    }
    stack_.push_back(frame);
    return at;
  }

  // In a form from which parse_value() makes the same again: with the class where there is one, keys that
  // are no texts in pairs, and set apart where keys look like the "$class" form.
  std::uint8_t* open_map(std::uint8_t* at, const Value& value, Frame& frame) {
    if (all_) {
      bool special = false;
      for (const Value::Entry& entry : value.entries()) {
        if (entry.key.type() != Value::Type::kString) {
          frame.pairs = true;
        } else {
          special = special || is_special_name(ValueAccess::text(entry.key));
        }
      }
      const std::string_view type = value.type_name();
      if (frame.pairs || special || !type.empty()) {
        at = begin_wrap(at, type.empty() ? std::string_view("java.util.HashMap") : type,
                        !type.empty() && !is_known_map(type));
        frame.wrapped = true;
      }
    }
    return emitter_.open(at, frame.pairs ? '[' : '{');
  }

  std::uint8_t* open_pair(std::uint8_t* at, const Value::Entry& entry) {
    Frame frame;
    frame.pair = &entry;
    frame.count = 2;
    if (options_.references) frame.place = note_place();
    stack_.push_back(frame);
    return emitter_.open(at, '[');
  }

  std::uint8_t* leave(std::uint8_t* at, const Frame& frame) {
    const bool is_array =
        frame.pair != nullptr || frame.pairs || frame.node->type == Value::Type::kList;
    if (frame.shared && !options_.references) seen_.erase(frame.node);
    at = emitter_.close(at, is_array ? ']' : '}', frame.count == 0 && frame.first);
    return frame.wrapped ? end_wrap(at) : at;
  }

  static bool is_special_name(std::string_view name) noexcept {
    return !name.empty() && name[0] == '$';
  }
  static bool has_special_names(const std::vector<std::string>& names) noexcept {
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return is_special_name(name); });
  }

  // The digits, if the object is a number of java.math.
  static std::optional<std::string> number_of(const Value& value) {
    if (value.type_name() == kBigDecimalClass) {
      const Value& text = value["value"];
      if (text.type() != Value::Type::kString) return std::nullopt;
      return json_number(ValueAccess::text(text), false);
    }
    if (value.type_name() == kBigIntegerClass && value["mag"].size() <= kMostWords) {
      Result<BigInteger> number = hessian::convert<BigInteger>(value);
      if (number) return json_number(number->text, true);
    }
    return std::nullopt;
  }

  // The name that a key is.
  std::string key(const Value& key) {
    switch (key.type()) {
      case Value::Type::kString: return std::string(ValueAccess::text(key));
      case Value::Type::kDate:
      case Value::Type::kDouble: {
        char scalar[kScalarRoom];
        auto* at = reinterpret_cast<std::uint8_t*>(scalar);
        if (key.type() == Value::Type::kDate) {
          const auto millis = ValueAccess::scalar<std::int64_t>(key);
          if (!has_date_text(millis)) return std::to_string(millis);
          return std::string(view(scalar, put_date_text(at, millis)));
        }
        std::string number(view(scalar, put_real(at, ValueAccess::scalar<double>(key))));
        return number[0] == '"' ? number.substr(1, number.size() - 2) : number;
      }
      case Value::Type::kLong: return std::to_string(ValueAccess::scalar<std::int64_t>(key));
      case Value::Type::kObject:
        // An enum constant, or a number.
        if (std::optional<std::string> number = number_of(key)) return std::move(*number);
        if (key.size() == 1 && key["name"].type() == Value::Type::kString) {
          return std::string(ValueAccess::text(key["name"]));
        }
        break;
      default: break;
    }
    constexpr std::size_t kLongestKey = 1000;
    return key.to_string(kLongestKey);
  }

  std::uint8_t* reference(std::uint8_t* at, std::uint32_t place) {
    std::vector<Place> way;
    for (; place != kTop; place = way.back().up) way.push_back(places_[place]);
    std::reverse(way.begin(), way.end());
    at = emitter_.name(emitter_.separate(emitter_.open(at, '{'), true), "$ref");
    return emitter_.close(emitter_.text(at, path(way)), '}', false);
  }

  __attribute__((noinline, cold)) std::uint8_t* fail(Code code, std::string what) {
    std::vector<Place> way;
    for (const Frame& frame : stack_) way.push_back(place_within(frame));
    emitter_.error_ = Error(code, "json: " + path(way) + ": " + what);
    return nullptr;
  }

  // Of the item of `frame` that is being written.
  static Place place_within(const Frame& frame) noexcept {
    const bool by_index =
        frame.pair != nullptr || frame.pairs || frame.node->type == Value::Type::kList;
    return {frame.place, frame.node, by_index, frame.next - 1};
  }
  std::uint32_t note_place() {
    if (stack_.empty()) return kTop;
    places_.push_back(place_within(stack_.back()));
    return static_cast<std::uint32_t>(places_.size() - 1);
  }

  std::string path(const std::vector<Place>& way) {
    std::vector<std::string> names(way.size());
    std::vector<Step> steps(way.size());
    const Step* up = up_;
    for (std::size_t i = 0; i < way.size(); ++i) {
      const Place& place = way[i];
      steps[i].up = up;
      steps[i].index = place.index;
      if (!place.by_index && place.within->type == Value::Type::kMap) {
        names[i] = key(map(*place.within).entries[place.index].key);
        steps[i].name = names[i];
      } else if (!place.by_index) {
        steps[i].name = object(*place.within).shape->fields[place.index];
      }
      up = &steps[i];
    }
    return path_text(up);
  }

  Emitter& emitter_;
  const WriteOptions& options_;
  const Step* up_;
  const bool all_;
  const bool objects_;
  std::uint64_t nodes_ = 0;
  std::vector<Frame> stack_;
  std::vector<Place> places_;
  // Nodes with several edges and their places; without references only those on the stack.
  std::unordered_map<const Node*, std::uint32_t> seen_;
};

std::uint8_t* Emitter::generic(std::uint8_t* at, const Value& value, const Step* up) {
  return ValueWriter(*this, up).write(at, value);
}

}  // namespace detail

std::string to_text(const Value& value, Layout layout, TypeNames type_names) {
  WriteOptions options(layout);
  options.type_names = type_names;
  options.dates_as_text = true;
  options.references = true;
  options.nodes = static_cast<std::uint32_t>(-1);
  Buffer out;
  const Result<void> written =
      detail::emit(out, options, [&](detail::Emitter& emitter, std::uint8_t* at) {
        return emitter.generic(at, value, nullptr);
      });
  return written ? out.to_string() : "null";
}

}  // namespace settee::inline v0::json
