// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/value.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <functional>
#include <new>
#include <unordered_map>
#include <unordered_set>

#include "settee/hessian/internal/value_node.h"

namespace settee::inline v0::hessian {

namespace detail {

namespace {

// The values directly below a node, weak ones too.
template <class F>
void for_each_child(Node& node, F&& visit) {
  switch (node.type) {
    case Value::Type::kList:
      for (Value& item : static_cast<ListNode&>(node).items) visit(item);
      break;
    case Value::Type::kMap:
      for (Value::Entry& entry : static_cast<MapNode&>(node).entries) {
        visit(entry.key);
        visit(entry.value);
      }
      break;
    case Value::Type::kObject:
      for (Value& field : static_cast<ObjectNode&>(node).fields) visit(field);
      break;
    default: break;
  }
}

// Whether the caller was the last owner, and now has the node to itself.
bool drop_owner(Node* node) noexcept {
  // The only owner of a node without weak edges needs no locked instruction.
  if (node->strong.load(std::memory_order_acquire) == 1 &&
      node->weak.load(std::memory_order_acquire) == 1) {
    return true;
  }
  return node->strong.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

void clear_content(Node& node) noexcept {
  switch (node.type) {
    case Value::Type::kBytes: static_cast<BytesNode&>(node).bytes = Bytes(); break;
    case Value::Type::kList: static_cast<ListNode&>(node).items = {}; break;
    case Value::Type::kMap:
      static_cast<MapNode&>(node).entries = {};
      static_cast<MapNode&>(node).places.reset();
      break;
    case Value::Type::kObject: static_cast<ObjectNode&>(node).fields = {}; break;
    default: break;
  }
}

void free_node(Node* node) noexcept {
  switch (node->type) {
    case Value::Type::kBytes: delete static_cast<BytesNode*>(node); break;
    case Value::Type::kList: delete static_cast<ListNode*>(node); break;
    case Value::Type::kMap: delete static_cast<MapNode*>(node); break;
    case Value::Type::kObject: delete static_cast<ObjectNode*>(node); break;
    default:
      static_cast<TextNode*>(node)->~TextNode();
      ::operator delete(static_cast<void*>(node));
      break;
  }
}

}  // namespace

std::size_t Shape::hash() const noexcept {
  const std::hash<std::string_view> hash;
  std::size_t all = hash(name);
  for (const std::string& field : fields) all = all * 0x9e3779b97f4a7c15u + hash(field);
  return all;
}

void release(const Shape* shape) noexcept {
  auto* mine = const_cast<Shape*>(shape);
  if (mine->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete mine;
}

ShapePointer ShapePointer::of_type(std::string_view type_name) {
  return type_name.empty() ? ShapePointer()
                           : ShapePointer(std::make_unique<Shape>(type_name).release());
}

bool try_retain_strong(Node* node) noexcept {
  std::uint32_t owners = node->strong.load(std::memory_order_relaxed);
  while (owners != 0) {
    if (node->strong.compare_exchange_weak(owners, owners + 1, std::memory_order_acq_rel,
                                           std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void release_weak(Node* node) noexcept {
  if (node->weak.load(std::memory_order_acquire) == 1 ||
      node->weak.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    free_node(node);
  }
}

void release_strong(Node* node) noexcept {
  if (!drop_owner(node)) return;
  node->next = nullptr;
  for (Node* list = node; list != nullptr;) {
    Node* dying = std::exchange(list, list->next);
    for_each_child(*dying, [&list](Value& child) {
      if (ValueAccess::node(child) == nullptr) return;
      const bool weak = child.is_weak();
      Node* below = ValueAccess::take(child);
      if (weak) {
        release_weak(below);
      } else if (drop_owner(below)) {
        below->next = list;
        list = below;
      }
    });
    clear_content(*dying);
    release_weak(dying);
  }
}

}  // namespace detail

using detail::BytesNode;
using detail::ListNode;
using detail::MapNode;
using detail::Node;
using detail::ObjectNode;
using detail::Shape;
using detail::ShapePointer;
using detail::TextNode;
using detail::ValueAccess;

namespace {

constinit const Value kNullValue;

// Maps of more entries than this get an index when they are changed by key.
constexpr std::size_t kIndexFrom = 32;

const char* name_of(Value::Type type) noexcept {
  switch (type) {
    case Value::Type::kNull: return "null";
    case Value::Type::kBool: return "a bool";
    case Value::Type::kInt: return "an int";
    case Value::Type::kLong: return "a long";
    case Value::Type::kDouble: return "a double";
    case Value::Type::kDate: return "a date";
    case Value::Type::kString: return "a string";
    case Value::Type::kBytes: return "bytes";
    case Value::Type::kList: return "a list";
    case Value::Type::kMap: return "a map";
    case Value::Type::kObject: return "an object";
  }
  return "unknown";
}

Error wrong_type(const char* wanted, const Value& value) {
  return Error(Code::kDecode, std::string("hessian value: wanted ") + wanted + ", it is " +
                                  name_of(value.type()) + ": " + value.to_string(60));
}

[[noreturn]] void misuse(const char* what, const Value& value) {
  throw Error(Code::kMisuse,
              std::string("hessian::Value::") + what + ": the value is " + name_of(value.type()));
}

bool is_container(Value::Type type) noexcept { return type >= Value::Type::kList; }

template <class T>
const T& node_as(const Value& value) noexcept {
  return *static_cast<const T*>(ValueAccess::node(value));
}
template <class T>
T& node_as(Value& value) noexcept {
  return *static_cast<T*>(ValueAccess::node(value));
}

// Equality of values without values below them.
bool same_scalar(const Value& a, const Value& b) noexcept {
  const Value::Type type = a.type();
  if (type != b.type()) return false;
  switch (type) {
    case Value::Type::kNull: return true;
    case Value::Type::kBool: return ValueAccess::scalar<bool>(a) == ValueAccess::scalar<bool>(b);
    case Value::Type::kInt:
      return ValueAccess::scalar<std::int32_t>(a) == ValueAccess::scalar<std::int32_t>(b);
    case Value::Type::kLong:
    case Value::Type::kDate:
      return ValueAccess::scalar<std::int64_t>(a) == ValueAccess::scalar<std::int64_t>(b);
    case Value::Type::kDouble: {
      const auto x = ValueAccess::scalar<double>(a);
      const auto y = ValueAccess::scalar<double>(b);
      return x == y || (std::isnan(x) && std::isnan(y));
    }
    case Value::Type::kString: return ValueAccess::text(a) == ValueAccess::text(b);
    case Value::Type::kBytes: return node_as<BytesNode>(a).bytes == node_as<BytesNode>(b).bytes;
    default: return a.same_node(b);
  }
}

std::size_t hash_of(const Value& key) noexcept {
  switch (key.type()) {
    case Value::Type::kBool: return ValueAccess::scalar<bool>(key) ? 1 : 2;
    case Value::Type::kInt:
      return std::hash<std::int32_t>()(ValueAccess::scalar<std::int32_t>(key));
    case Value::Type::kLong:
    case Value::Type::kDate:
      return std::hash<std::int64_t>()(ValueAccess::scalar<std::int64_t>(key));
    case Value::Type::kDouble: return std::hash<double>()(ValueAccess::scalar<double>(key));
    case Value::Type::kString: return std::hash<std::string_view>()(ValueAccess::text(key));
    default: return 0;
  }
}

constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

std::size_t place_in_map(const MapNode& map, const Value& key) noexcept {
  if (map.places != nullptr) {
    auto [at, end] = map.places->equal_range(hash_of(key));
    for (; at != end; ++at) {
      if (same_scalar(map.entries[at->second].key, key)) return at->second;
    }
    return kNowhere;
  }
  for (std::size_t i = 0; i < map.entries.size(); ++i) {
    if (same_scalar(map.entries[i].key, key)) return i;
  }
  return kNowhere;
}

std::size_t place_of_text(const MapNode& map, std::string_view key) noexcept {
  if (map.places != nullptr) {
    auto [at, end] = map.places->equal_range(std::hash<std::string_view>()(key));
    for (; at != end; ++at) {
      const Value& found = map.entries[at->second].key;
      if (found.type() == Value::Type::kString && ValueAccess::text(found) == key) {
        return at->second;
      }
    }
    return kNowhere;
  }
  for (std::size_t i = 0; i < map.entries.size(); ++i) {
    const Value& found = map.entries[i].key;
    if (found.type() == Value::Type::kString && ValueAccess::text(found) == key) return i;
  }
  return kNowhere;
}

std::size_t place_in_object(const ObjectNode& object, std::string_view name) noexcept {
  const std::vector<std::string>& fields = object.shape->fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i] == name) return i;
  }
  return kNowhere;
}

std::size_t place_in_list(const ListNode& list, const Value& key) {
  Result<std::int64_t> number = key.as_long();
  if (!number || *number < 0 || static_cast<std::size_t>(*number) >= list.items.size()) {
    return kNowhere;
  }
  return static_cast<std::size_t>(*number);
}

// The shape of an object that is about to change, shared with nobody.
Shape& own_shape(ObjectNode& object) {
  if (object.shape->owners.load(std::memory_order_acquire) != 1) {
    auto copy = std::make_unique<Shape>(object.shape->name);
    copy->fields = object.shape->fields;
    object.shape = ShapePointer(copy.release());
  }
  return *object.shape.get();
}

struct NodePair {
  const Node* a;
  const Node* b;
  bool operator==(const NodePair&) const = default;
};
struct NodePairHash {
  std::size_t operator()(const NodePair& pair) const noexcept {
    return std::hash<const Node*>()(pair.a) * 31 + std::hash<const Node*>()(pair.b);
  }
};

void append_number(std::string& out, double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  const std::string_view digits(text, static_cast<std::size_t>(end - text));
  out += digits;
  if (digits.find_first_not_of("-0123456789") == std::string_view::npos) out += ".0";
}

void append_quoted(std::string& out, std::string_view text, std::size_t limit) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    if (out.size() >= limit) break;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_date(std::string& out, std::int64_t millis) {
  using namespace std::chrono;
  // Beyond these years the calendar arithmetic would overflow.
  constexpr std::int64_t kFurthest = 253402300800000;  // year 10000
  if (millis < -kFurthest || millis >= kFurthest) {
    out += "date(" + std::to_string(millis) + " ms)";
    return;
  }
  const sys_time<milliseconds> when{milliseconds(millis)};
  const auto day = floor<days>(when);
  const year_month_day date{day};
  const hh_mm_ss time{when - day};
  char text[48];
  const int n = std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  out.append(text, static_cast<std::size_t>(n));
}

class Printer {
 public:
  explicit Printer(std::size_t limit) : limit_(limit) {}

  void print(const Value& value) {
    if (full()) return;
    switch (value.type()) {
      case Value::Type::kNull: text_ += "null"; return;
      case Value::Type::kBool: text_ += ValueAccess::scalar<bool>(value) ? "true" : "false"; return;
      case Value::Type::kInt:
        text_ += std::to_string(ValueAccess::scalar<std::int32_t>(value));
        return;
      case Value::Type::kLong:
        text_ += std::to_string(ValueAccess::scalar<std::int64_t>(value));
        text_ += 'L';
        return;
      case Value::Type::kDouble: append_number(text_, ValueAccess::scalar<double>(value)); return;
      case Value::Type::kDate: append_date(text_, ValueAccess::scalar<std::int64_t>(value)); return;
      case Value::Type::kString: append_quoted(text_, ValueAccess::text(value), limit_); return;
      case Value::Type::kBytes: print_bytes(node_as<BytesNode>(value).bytes); return;
      default: break;
    }
    const Node* node = ValueAccess::node(value);
    for (const Node* above : path_) {
      if (above == node) {
        text_ += "<cycle>";
        return;
      }
    }
    if (path_.size() >= kDeepest) {
      text_ += "...";
      return;
    }
    path_.push_back(node);
    text_ += value.type_name();
    print_content(value);
    path_.pop_back();
  }

  std::string take() && {
    if (text_.size() > limit_) {
      std::size_t cut = limit_;
      while (cut > 0 && (static_cast<unsigned char>(text_[cut]) & 0xc0) == 0x80) --cut;
      text_.resize(cut);
      text_ += "...";
    }
    return std::move(text_);
  }

 private:
  static constexpr std::size_t kDeepest = 64;

  bool full() const noexcept { return text_.size() > limit_; }

  void print_bytes(const Bytes& bytes) {
    static constexpr char kHex[] = "0123456789abcdef";
    text_ += "bytes(" + std::to_string(bytes.size()) + ")";
    if (!bytes.empty()) text_ += ' ';
    for (std::size_t i = 0; i < bytes.size() && i < 32; ++i) {
      text_ += kHex[bytes[i] >> 4];
      text_ += kHex[bytes[i] & 15];
    }
    if (bytes.size() > 32) text_ += "...";
  }

  void print_content(const Value& value) {
    bool first = true;
    const auto separate = [&] {
      if (!first) text_ += ", ";
      first = false;
      return !full();
    };
    if (value.type() == Value::Type::kList) {
      text_ += '[';
      for (const Value& item : value.items()) {
        if (!separate()) break;
        print(item);
      }
      text_ += ']';
      return;
    }
    text_ += '{';
    for (const Value::Entry& entry : value.entries()) {
      if (!separate()) break;
      print(entry.key);
      text_ += ": ";
      print(entry.value);
    }
    if (value.type() == Value::Type::kObject) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (!separate()) break;
        text_ += value.field_name(i);
        text_ += ": ";
        print(value.field(i));
      }
    }
    text_ += '}';
  }

  std::size_t limit_;
  std::string text_;
  std::vector<const Node*> path_;
};

}  // namespace

Value::Value(std::string_view text) : type_(Type::kString) {
  if (text.size() <= kShortText) {
    flags_ = static_cast<std::uint8_t>(text.size() << 4);
    if (!text.empty()) std::memcpy(bytes_, text.data(), text.size());
    return;
  }
  auto* node = ::new (::operator new(sizeof(TextNode) + text.size())) TextNode(text.size());
  std::memcpy(node->data(), text.data(), text.size());
  flags_ = kNode;
  put(static_cast<Node*>(node));
}

Value::Value(Bytes bytes)
    : Value(ValueAccess::adopt(std::make_unique<BytesNode>(std::move(bytes)).release())) {}

void Value::retain() const noexcept {
  Node* node = get<Node*>();
  if (is_weak()) {
    node->weak.fetch_add(1, std::memory_order_relaxed);
  } else {
    detail::retain_strong(node);
  }
}

void Value::release() noexcept {
  Node* node = get<Node*>();
  if (is_weak()) {
    detail::release_weak(node);
  } else {
    detail::release_strong(node);
  }
}

bool Value::expired() const noexcept {
  return get<Node*>()->strong.load(std::memory_order_acquire) == 0;
}

Value Value::lock() const noexcept {
  if (!is_weak()) return *this;
  Node* node = get<Node*>();
  return detail::try_retain_strong(node) ? ValueAccess::adopt(node) : Value();
}

bool Value::same_node(const Value& other) const noexcept {
  return has_node() && other.has_node() && get<Node*>() == other.get<Node*>();
}

Value Value::list(std::initializer_list<Value> items) {
  return list({}, std::vector<Value>(items));
}

Value Value::list(std::string_view type, std::vector<Value> items) {
  auto node = std::make_unique<ListNode>();
  node->shape = ShapePointer::of_type(type);
  node->items = std::move(items);
  return ValueAccess::adopt(node.release());
}

Value Value::map(std::initializer_list<Entry> entries) {
  return map({}, std::vector<Entry>(entries));
}

Value Value::map(std::string_view type, std::vector<Entry> entries) {
  auto node = std::make_unique<MapNode>();
  node->shape = ShapePointer::of_type(type);
  node->entries = std::move(entries);
  return ValueAccess::adopt(node.release());
}

Value Value::object(std::string_view class_name) {
  ShapePointer shape(std::make_unique<Shape>(class_name).release());
  return ValueAccess::adopt(std::make_unique<ObjectNode>(std::move(shape)).release());
}

Value Value::enumerator(std::string_view class_name, std::string_view name) {
  return object(class_name).set("name", name);
}

Value Value::decimal(std::string_view text) {
  return object("java.math.BigDecimal").set("value", text);
}

Value Value::weak(const Value& target) {
  if (!is_container(target.type()) || target.is_weak()) return target;
  return ValueAccess::weak_to(target.get<Node*>());
}

Result<bool> Value::as_bool() const {
  if (type() != Type::kBool) return wrong_type("a bool", *this);
  return get<bool>();
}

Result<std::int64_t> Value::as_long() const {
  switch (type()) {
    case Type::kInt: return std::int64_t{get<std::int32_t>()};
    case Type::kLong: return get<std::int64_t>();
    case Type::kDouble:
      // Both bounds are exact doubles; the upper one itself does not fit.
      if (const auto number = get<double>();
          number >= -0x1p63 && number < 0x1p63 && std::trunc(number) == number) {
        return static_cast<std::int64_t>(number);
      }
      break;
    default: break;
  }
  return wrong_type("a long", *this);
}

Result<std::int32_t> Value::as_int() const {
  Result<std::int64_t> number = as_long();
  if (!number || *number < INT32_MIN || *number > INT32_MAX) return wrong_type("an int", *this);
  return static_cast<std::int32_t>(*number);
}

Result<double> Value::as_double() const {
  switch (type()) {
    case Type::kInt: return static_cast<double>(get<std::int32_t>());
    case Type::kLong: return static_cast<double>(get<std::int64_t>());
    case Type::kDouble: return get<double>();
    default: return wrong_type("a double", *this);
  }
}

Result<Date> Value::as_date() const {
  if (type() != Type::kDate) return wrong_type("a date", *this);
  return Date(Date::duration(get<std::int64_t>()));
}

Result<std::string_view> Value::as_string() const& {
  if (type() != Type::kString) return wrong_type("a string", *this);
  return ValueAccess::text(*this);
}

Result<Bytes> Value::as_bytes() const {
  if (type() != Type::kBytes) return wrong_type("bytes", *this);
  return node_as<BytesNode>(*this).bytes;
}

std::string_view Value::type_name() const noexcept {
  switch (type()) {
    case Type::kList: return node_as<ListNode>(*this).shape.name();
    case Type::kMap: return node_as<MapNode>(*this).shape.name();
    case Type::kObject: return node_as<ObjectNode>(*this).shape.name();
    default: return {};
  }
}

std::size_t Value::size() const noexcept {
  switch (type()) {
    case Type::kList: return node_as<ListNode>(*this).items.size();
    case Type::kMap: return node_as<MapNode>(*this).entries.size();
    case Type::kObject: return node_as<ObjectNode>(*this).fields.size();
    default: return 0;
  }
}

std::span<const Value> Value::items() const noexcept {
  if (type() != Type::kList) return {};
  return node_as<ListNode>(*this).items;
}

std::span<const Value::Entry> Value::entries() const noexcept {
  if (type() != Type::kMap) return {};
  return node_as<MapNode>(*this).entries;
}

std::string_view Value::field_name(std::size_t i) const noexcept {
  if (type() != Type::kObject || i >= size()) return {};
  return node_as<ObjectNode>(*this).shape->fields[i];
}

const Value& Value::field(std::size_t i) const noexcept {
  if (type() != Type::kObject || i >= size()) return kNullValue;
  return node_as<ObjectNode>(*this).fields[i];
}

const Value& Value::operator[](std::string_view name) const noexcept {
  switch (type()) {
    case Type::kMap: {
      const auto& map = node_as<MapNode>(*this);
      const std::size_t i = place_of_text(map, name);
      return i == kNowhere ? kNullValue : map.entries[i].value;
    }
    case Type::kObject: {
      const auto& object = node_as<ObjectNode>(*this);
      const std::size_t i = place_in_object(object, name);
      return i == kNowhere ? kNullValue : object.fields[i];
    }
    default: return kNullValue;
  }
}

const Value& Value::operator[](std::size_t i) const noexcept {
  if (i >= size()) return kNullValue;
  switch (type()) {
    case Type::kList: return node_as<ListNode>(*this).items[i];
    case Type::kMap: return node_as<MapNode>(*this).entries[i].value;
    default: return node_as<ObjectNode>(*this).fields[i];
  }
}

const Value* Value::find(const Value& key) const noexcept {
  if (type() == Type::kMap) {
    const auto& map = node_as<MapNode>(*this);
    const std::size_t i = place_in_map(map, key);
    return i == kNowhere ? nullptr : &map.entries[i].value;
  }
  if (type() == Type::kObject && key.type() == Type::kString) {
    const auto& object = node_as<ObjectNode>(*this);
    const std::size_t i = place_in_object(object, ValueAccess::text(key));
    return i == kNowhere ? nullptr : &object.fields[i];
  }
  return nullptr;
}

Value& Value::set(const Value& key, Value value) & {
  switch (type()) {
    case Type::kList: {
      auto& list = node_as<ListNode>(*this);
      const std::size_t i = place_in_list(list, key);
      if (i == kNowhere) misuse("set() of a list wants the number of an item", key);
      list.items[i] = std::move(value);
      return *this;
    }
    case Type::kMap: {
      auto& map = node_as<MapNode>(*this);
      if (map.places == nullptr && map.entries.size() >= kIndexFrom) {
        map.places = std::make_unique<std::unordered_multimap<std::size_t, std::size_t>>();
        for (std::size_t i = 0; i < map.entries.size(); ++i) {
          map.places->emplace(hash_of(map.entries[i].key), i);
        }
      }
      const std::size_t i = place_in_map(map, key);
      if (i != kNowhere) {
        map.entries[i].value = std::move(value);
      } else {
        if (map.places != nullptr) map.places->emplace(hash_of(key), map.entries.size());
        map.entries.push_back({key, std::move(value)});
      }
      return *this;
    }
    case Type::kObject: {
      if (key.type() != Type::kString) misuse("set() of an object wants the name of a field", key);
      auto& object = node_as<ObjectNode>(*this);
      const std::string_view name = ValueAccess::text(key);
      const std::size_t i = place_in_object(object, name);
      if (i != kNowhere) {
        object.fields[i] = std::move(value);
      } else {
        own_shape(object).fields.emplace_back(name);
        object.fields.push_back(std::move(value));
      }
      return *this;
    }
    default: misuse("set() needs a list, map or object", *this);
  }
}

Value& Value::push_back(Value item) & {
  if (type() != Type::kList) misuse("push_back() needs a list", *this);
  node_as<ListNode>(*this).items.push_back(std::move(item));
  return *this;
}

bool Value::erase(const Value& key) {
  switch (type()) {
    case Type::kList: {
      auto& list = node_as<ListNode>(*this);
      const std::size_t i = place_in_list(list, key);
      if (i == kNowhere) return false;
      list.items.erase(list.items.begin() + static_cast<std::ptrdiff_t>(i));
      return true;
    }
    case Type::kMap: {
      auto& map = node_as<MapNode>(*this);
      const std::size_t i = place_in_map(map, key);
      if (i == kNowhere) return false;
      map.places.reset();
      map.entries.erase(map.entries.begin() + static_cast<std::ptrdiff_t>(i));
      return true;
    }
    case Type::kObject: {
      if (key.type() != Type::kString) return false;
      auto& object = node_as<ObjectNode>(*this);
      const std::size_t gone = place_in_object(object, ValueAccess::text(key));
      if (gone == kNowhere) return false;
      auto shape = std::make_unique<Shape>(object.shape->name);
      for (std::size_t i = 0; i < object.fields.size(); ++i) {
        if (i != gone) shape->fields.push_back(object.shape->fields[i]);
      }
      object.shape = ShapePointer(shape.release());
      object.fields.erase(object.fields.begin() + static_cast<std::ptrdiff_t>(gone));
      return true;
    }
    default: misuse("erase() needs a list, map or object", *this);
  }
}

Value Value::clone() const {
  if (!is_container(type())) return *this;
  std::unordered_map<const Node*, Value> copies;
  std::vector<std::pair<const Node*, Node*>> work;
  const auto copy_of = [&](const Value& value) -> Value {
    if (!is_container(value.type())) return value.type() == Type::kNull ? Value() : value;
    const Node* from = ValueAccess::node(value);
    auto [at, fresh] = copies.try_emplace(from);
    if (fresh) {
      switch (from->type) {
        case Type::kList: at->second = list(value.type_name(), {}); break;
        case Type::kMap: at->second = map(value.type_name(), {}); break;
        default:
          at->second = ValueAccess::adopt(
              std::make_unique<ObjectNode>(static_cast<const ObjectNode*>(from)->shape).release());
      }
      work.emplace_back(from, ValueAccess::node(at->second));
    }
    return value.is_weak() ? weak(at->second) : at->second;
  };
  Value result = copy_of(*this).lock();
  while (!work.empty()) {
    const auto [from, to] = work.back();
    work.pop_back();
    switch (from->type) {
      case Type::kList:
        for (const Value& item : static_cast<const ListNode*>(from)->items) {
          static_cast<ListNode*>(to)->items.push_back(copy_of(item));
        }
        break;
      case Type::kMap:
        for (const Entry& entry : static_cast<const MapNode*>(from)->entries) {
          Value key = copy_of(entry.key);
          static_cast<MapNode*>(to)->entries.push_back({std::move(key), copy_of(entry.value)});
        }
        break;
      default:
        for (const Value& field : static_cast<const ObjectNode*>(from)->fields) {
          static_cast<ObjectNode*>(to)->fields.push_back(copy_of(field));
        }
    }
  }
  return result;
}

std::string Value::to_string(std::size_t limit) const {
  Printer printer(limit);
  printer.print(*this);
  return std::move(printer).take();
}

bool operator==(const Value& a, const Value& b) {
  if (!is_container(a.type())) return same_scalar(a, b);
  // Pairs under comparison count as equal: that is what makes equal cycles equal.
  std::unordered_set<NodePair, NodePairHash> seen;
  std::vector<std::pair<const Value*, const Value*>> work{{&a, &b}};
  while (!work.empty()) {
    const auto [x, y] = work.back();
    work.pop_back();
    const Value::Type type = x->type();
    if (!is_container(type)) {
      if (!same_scalar(*x, *y)) return false;
      continue;
    }
    if (type != y->type()) return false;
    const Node* left = ValueAccess::node(*x);
    const Node* right = ValueAccess::node(*y);
    if (left == right) continue;
    if (x->size() != y->size() || x->type_name() != y->type_name()) return false;
    if ((left->shared() || right->shared()) && !seen.insert({left, right}).second) continue;
    if (type == Value::Type::kList) {
      for (std::size_t i = 0; i < x->size(); ++i) work.emplace_back(&x->items()[i], &y->items()[i]);
    } else if (type == Value::Type::kMap) {
      std::unordered_multimap<std::size_t, std::size_t> places;  // of the right, once order differs
      for (std::size_t i = 0; i < x->size(); ++i) {
        const Value::Entry& mine = x->entries()[i];
        const Value::Entry& its = y->entries()[i];
        if (same_scalar(mine.key, its.key)) {
          work.emplace_back(&mine.value, &its.value);
          continue;
        }
        if (is_container(mine.key.type())) {
          work.emplace_back(&mine.key, &its.key);
          work.emplace_back(&mine.value, &its.value);
          continue;
        }
        if (places.empty()) {
          for (std::size_t k = 0; k < y->size(); ++k)
            places.emplace(hash_of(y->entries()[k].key), k);
        }
        auto [at, end] = places.equal_range(hash_of(mine.key));
        while (at != end && !same_scalar(mine.key, y->entries()[at->second].key)) ++at;
        if (at == end) return false;
        work.emplace_back(&mine.value, &y->entries()[at->second].value);
      }
    } else {
      for (std::size_t i = 0; i < x->size(); ++i) {
        const Value* its = nullptr;
        if (y->field_name(i) == x->field_name(i)) {
          its = &y->field(i);
        } else {
          const std::size_t place =
              place_in_object(*static_cast<const ObjectNode*>(right), x->field_name(i));
          if (place == kNowhere) return false;
          its = &y->field(place);
        }
        work.emplace_back(&x->field(i), its);
      }
    }
  }
  return true;
}

}  // namespace settee::inline v0::hessian
