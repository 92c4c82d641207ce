// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is behind a Value: counted nodes.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "settee/hessian/value.h"

namespace settee::inline v0::hessian::detail {

/// A class or type name and the names of fields. Objects of one class definition share one.
struct Shape {
  std::atomic<std::uint32_t> owners{1};
  std::string name;
  std::vector<std::string> fields;

  explicit Shape(std::string_view class_name) : name(class_name) {}
  bool same(const Shape& other) const noexcept {
    return this == &other || (name == other.name && fields == other.fields);
  }
  std::size_t hash() const noexcept;
};

inline void retain(const Shape* shape) noexcept {
  const_cast<Shape*>(shape)->owners.fetch_add(1, std::memory_order_relaxed);
}
void release(const Shape* shape) noexcept;

/// Owns one count of a Shape; may be null.
class ShapePointer {
 public:
  ShapePointer() noexcept = default;
  explicit ShapePointer(Shape* owned) noexcept : shape_(owned) {}
  ShapePointer(const ShapePointer& other) noexcept : shape_(other.shape_) {
    if (shape_ != nullptr) retain(shape_);
  }
  ShapePointer(ShapePointer&& other) noexcept : shape_(std::exchange(other.shape_, nullptr)) {}
  ShapePointer& operator=(ShapePointer other) noexcept {
    std::swap(shape_, other.shape_);
    return *this;
  }
  ~ShapePointer() {
    if (shape_ != nullptr) release(shape_);
  }
  static ShapePointer of_type(std::string_view type_name);  // null for an empty name

  Shape* get() const noexcept { return shape_; }
  Shape* operator->() const noexcept { return shape_; }
  std::string_view name() const noexcept {
    return shape_ == nullptr ? std::string_view() : std::string_view(shape_->name);
  }

 private:
  Shape* shape_ = nullptr;
};

struct Node {
  // Owning Values. When there are none any more the content goes, and with the last weak edge (all
  // owners together count as one) the node itself.
  std::atomic<std::uint32_t> strong{1};
  std::atomic<std::uint32_t> weak{1};
  Value::Type type;
  Node* next = nullptr;  // in the list of nodes to be destroyed

  explicit Node(Value::Type t) noexcept : type(t) {}
  /// Whether more than one edge may lead here.
  bool shared() const noexcept {
    return strong.load(std::memory_order_relaxed) != 1 || weak.load(std::memory_order_relaxed) != 1;
  }
};

struct TextNode : Node {
  std::size_t size;
  explicit TextNode(std::size_t n) noexcept : Node(Value::Type::kString), size(n) {}
  const char* data() const noexcept { return reinterpret_cast<const char*>(this + 1); }
  char* data() noexcept { return reinterpret_cast<char*>(this + 1); }
};

struct BytesNode : Node {
  Bytes bytes;
  explicit BytesNode(Bytes b) noexcept : Node(Value::Type::kBytes), bytes(std::move(b)) {}
};

struct ListNode : Node {
  ShapePointer shape;
  std::vector<Value> items;
  ListNode() noexcept : Node(Value::Type::kList) {}
};

struct MapNode : Node {
  ShapePointer shape;
  std::vector<Value::Entry> entries;
  // Of maps that have grown large: hash of a text or number key to its place, made by the first set().
  std::unique_ptr<std::unordered_multimap<std::size_t, std::size_t>> places;
  MapNode() noexcept : Node(Value::Type::kMap) {}
};

struct ObjectNode : Node {
  ShapePointer shape;  // never null
  std::vector<Value> fields;
  explicit ObjectNode(ShapePointer s) noexcept : Node(Value::Type::kObject), shape(std::move(s)) {}
};

/// Gives up one owner. Never recurses, however deep the structure.
void release_strong(Node* node) noexcept;
void release_weak(Node* node) noexcept;
inline void retain_strong(Node* node) noexcept {
  node->strong.fetch_add(1, std::memory_order_relaxed);
}
/// One more owner, unless there is none any more.
bool try_retain_strong(Node* node) noexcept;

struct ValueAccess {
  static Node* node(const Value& value) noexcept {
    return value.has_node() ? value.get<Node*>() : nullptr;
  }
  /// A Value that takes over one owner of `node`.
  static Value adopt(Node* node) noexcept {
    Value value;
    value.type_ = node->type;
    value.flags_ = Value::kNode;
    value.put(node);
    return value;
  }
  /// A Value with a new weak edge to `node`.
  static Value weak_to(Node* node) noexcept {
    Value value = adopt(node);
    node->weak.fetch_add(1, std::memory_order_relaxed);
    value.flags_ = Value::kNode | Value::kWeak;
    return value;
  }
  /// Takes the node out of `value`, which becomes null.
  static Node* take(Value& value) noexcept {
    Node* node = value.get<Node*>();
    value.type_ = Value::Type::kNull;
    value.flags_ = 0;
    return node;
  }
  /// The text of a Value that is one.
  static std::string_view text(const Value& value) noexcept {
    if (value.has_node()) {
      const auto* node = static_cast<const TextNode*>(value.get<Node*>());
      return {node->data(), node->size};
    }
    return {value.bytes_, static_cast<std::size_t>(value.flags_ >> 4)};
  }
  /// The number of a Value of type bool, int, long, double or Date.
  template <class T>
  static T scalar(const Value& value) noexcept {
    return value.get<T>();
  }
  static Value::Type raw_type(const Value& value) noexcept { return value.type_; }
};

}  // namespace settee::inline v0::hessian::detail
