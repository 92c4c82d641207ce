// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Value: any Hessian value, for programs that learn the types at run time (Java's GenericObject).
//
//   Value order = Value::object("com.acme.Order").set("id", 7).set("tags", Value::list({"a", "b"}));
//   order["id"].as_int().value();                                // 7
//   for (const Value& tag : order["tags"].items()) use(tag.as_string().value());
//   order.to_string();        // com.acme.Order{id: 7, tags: ["a", "b"]}
//
// Scalars, texts and binaries are plain values. Lists, maps and objects are nodes which copies of a
// Value share, as variables share objects in Java: set() on one copy shows in all; clone() copies
// the whole. A node lives as long as a Value that owns it, or a node above it, lives.
//
// Cycles: an edge back to a node further up is weak, so that no node ever owns itself. A reader makes
// such edges where the message has cycles; Value::weak() makes one by hand. A weak edge reads like
// its target, and as null once the target is gone; lock() turns it into an owning Value.
//
// Threads: Values that share nodes may be read from any threads at once, provided each holds the
// top of the structure; changing a node needs the same care as with any container.

#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "settee/base/bytes.h"
#include "settee/base/result.h"
#include "settee/base/type_info.h"
#include "settee/base/values.h"

namespace settee::inline v0::hessian {

class Value;

namespace detail {
struct Node;
struct Shape;
struct ValueAccess;
}  // namespace detail

class SETTEE_API Value {
 public:
  enum class Type : std::uint8_t {
    kNull,
    kBool,
    kInt,  ///< Java's byte, short and int.
    kLong,
    kDouble,  ///< Java's float and double.
    kDate,
    kString,
    kBytes,
    kList,  ///< Also arrays, whose type name begins with "[", and sets.
    kMap,
    kObject,
  };
  struct Entry;

  constexpr Value() noexcept = default;
  constexpr Value(std::nullptr_t) noexcept {}
  template <std::same_as<bool> B>
  Value(B value) noexcept : type_(Type::kBool) {
    put(value);
  }
  Value(int value) noexcept : type_(Type::kInt) { put(std::int32_t{value}); }
  Value(long value) noexcept : type_(Type::kLong) { put(std::int64_t{value}); }
  Value(long long value) noexcept : type_(Type::kLong) { put(std::int64_t{value}); }
  Value(double value) noexcept : type_(Type::kDouble) { put(value); }
  Value(Date value) noexcept : type_(Type::kDate) {
    put(std::int64_t{value.time_since_epoch().count()});
  }
  /// UTF-8.
  Value(std::string_view text);
  Value(const std::string& text) : Value(std::string_view(text)) {}
  Value(const char* text) : Value(std::string_view(text)) {}
  Value(Bytes bytes);

  Value(const Value& other) noexcept {
    copy_bits(other);
    if (has_node()) retain();
  }
  Value(Value&& other) noexcept {
    copy_bits(other);
    other.type_ = Type::kNull;
    other.flags_ = 0;
  }
  Value& operator=(const Value& other) noexcept {
    if (this != &other) *this = Value(other);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    // What this held goes last: `other` may be part of it.
    Value taken(std::move(other));
    Value old;
    old.copy_bits(*this);
    copy_bits(taken);
    taken.type_ = Type::kNull;
    taken.flags_ = 0;
    return *this;
  }
  ~Value() {
    if (has_node()) release();
  }

  /// A list. `type` is empty for a java.util.ArrayList, "[string" and so on for arrays.
  static Value list(std::initializer_list<Value> items = {});
  static Value list(std::string_view type, std::vector<Value> items);
  /// A map. `type` is empty for a java.util.HashMap.
  static Value map(std::initializer_list<Entry> entries = {});
  static Value map(std::string_view type, std::vector<Entry> entries);
  /// An object without fields so far.
  static Value object(std::string_view class_name);
  /// A Java enum constant.
  static Value enumerator(std::string_view class_name, std::string_view name);
  /// java.math.BigDecimal in text form.
  static Value decimal(std::string_view text);
  /// An edge to the node of `target` that does not own it.
  static Value weak(const Value& target);

  Type type() const noexcept { return is_weak() && expired() ? Type::kNull : type_; }
  bool is_null() const noexcept { return type() == Type::kNull; }
  bool is_weak() const noexcept { return (flags_ & kWeak) != 0; }
  /// This value, owning. Null if it was weak and its target is gone.
  Value lock() const noexcept;
  /// Whether both are the same node, as Java's == tells.
  bool same_node(const Value& other) const noexcept;

  // Scalars. Numbers convert where nothing is lost. The Error (kDecode) says what the value is
  // instead.
  Result<bool> as_bool() const;
  Result<std::int32_t> as_int() const;
  Result<std::int64_t> as_long() const;
  Result<double> as_double() const;
  Result<Date> as_date() const;
  /// A view into this Value: of a short text it ends with this very object.
  Result<std::string_view> as_string() const&;
  Result<std::string_view> as_string() const&& = delete;
  Result<Bytes> as_bytes() const;

  /// The class of an object, the type of a list or map; empty for all else and untyped ones.
  std::string_view type_name() const noexcept;
  /// Items, entries or fields; 0 for all else.
  std::size_t size() const noexcept;

  /// Of a list; empty for all else. Views as good as the node, until it is changed.
  std::span<const Value> items() const noexcept;
  /// Of a map, in the order received; empty for all else.
  std::span<const Entry> entries() const noexcept;
  /// Of an object: the i-th field in the order of its class definition.
  std::string_view field_name(std::size_t i) const noexcept;
  const Value& field(std::size_t i) const noexcept;

  /// The field of that name, the value of that text key in a map; null if there is none.
  const Value& operator[](std::string_view name) const noexcept;
  /// The i-th item, entry's value or field; null if there is none.
  const Value& operator[](std::size_t i) const noexcept;
  const Value& operator[](int i) const noexcept { return (*this)[static_cast<std::size_t>(i)]; }
  /// The value in a map or the field; a null pointer if there is none.
  const Value* find(const Value& key) const noexcept;

  // Changes of a list, map or object. On another type they throw an Error (kMisuse).
  /// Sets the field or map entry `key`; of a list replaces the item of that number.
  Value& set(const Value& key, Value value) &;
  Value&& set(const Value& key, Value value) && { return std::move(set(key, std::move(value))); }
  /// Adds an item to a list.
  Value& push_back(Value item) &;
  Value&& push_back(Value item) && { return std::move(push_back(std::move(item))); }
  /// Removes a map entry or field, or the item of that number; false if there was none.
  bool erase(const Value& key);

  /// A copy that shares no node with this, of the same form: what was shared or cyclic is again.
  Value clone() const;
  /// For people: at most about `limit` bytes, cycles shown as "<cycle>".
  std::string to_string(std::size_t limit = 4096) const;

  /// The same types, texts and numbers all through; maps and fields in any order; cycles of the same
  /// form. An int never equals a long; NaN equals NaN.
  friend SETTEE_API bool operator==(const Value& a, const Value& b);

 private:
  friend struct detail::ValueAccess;

  static constexpr std::uint8_t kNode = 1;
  static constexpr std::uint8_t kWeak = 2;
  static constexpr std::size_t kShortText = 14;  // a text of so many bytes needs no node

  bool has_node() const noexcept { return (flags_ & kNode) != 0; }
  template <class T>
  void put(T scalar) noexcept {
    std::memcpy(bytes_ + 6, &scalar, sizeof scalar);
  }
  template <class T>
  T get() const noexcept {
    T scalar;
    std::memcpy(&scalar, bytes_ + 6, sizeof scalar);
    return scalar;
  }
  void copy_bits(const Value& other) noexcept {
    type_ = other.type_;
    flags_ = other.flags_;
    std::memcpy(bytes_, other.bytes_, sizeof bytes_);
  }
  void retain() const noexcept;
  void release() noexcept;
  bool expired() const noexcept;

  // Sixteen bytes: a text of up to 14 bytes (its length in the upper half of flags_), or at bytes_ + 6,
  // which is aligned, a number or a node.
  alignas(8) Type type_ = Type::kNull;
  std::uint8_t flags_ = 0;
  char bytes_[14] = {};
};

struct Value::Entry {
  Value key;
  Value value;
};

}  // namespace settee::inline v0::hessian

namespace settee::inline v0::detail {

template <>
struct MakeTypeInfo<hessian::Value> {
  static constexpr TypeInfo make() { return scalar_info<hessian::Value>(Kind::kAny); }
};

}  // namespace settee::inline v0::detail
