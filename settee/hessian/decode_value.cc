// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Generic values.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "settee/hessian/internal/decoder.h"
#include "settee/hessian/internal/value_node.h"
#include "settee/hessian/value.h"

namespace settee::inline v0::hessian {

using detail::is_bytes;
using detail::is_date;
using detail::is_list;
using detail::is_long;
using detail::is_map;
using detail::is_number;
using detail::is_object;
using detail::is_reference;
using detail::is_string;
using detail::kReserveBytes;
using detail::Op;
using detail::ValueAccess;

bool Decoder::any(Value& out) {
  const Op op = r_.op();
  if (!r_.ok()) return false;
  if (is_string(op)) {
    std::string_view text;
    const std::uint8_t* at = r_.cursor_;
    const std::size_t size = *at;
    if (size < 32 && size < r_.left() && detail::is_short_ascii(at + 1, size, r_.left() - 1))
        [[likely]] {
      text = {reinterpret_cast<const char*>(at + 1), size};
      r_.cursor_ = at + 1 + size;
    } else if (!long_text(text)) {
      return false;
    }
    if (!r_.charge_bytes(text.size())) return false;
    out = Value(text);
    return true;
  }
  if (is_number(op)) {
    Reader::Number number;
    if (!r_.read_number(number, "a number")) return false;
    if (number.floating) {
      out = Value(number.real);
    } else if (is_long(op)) {
      out = Value(static_cast<long long>(number.integer));
    } else {
      out = Value(static_cast<int>(number.integer));
    }
    return true;
  }
  if (is_list(op)) return list_value(out);
  if (is_map(op)) return map_value(out);
  if (is_object(op)) return object_value(out);
  if (is_reference(op)) return referenced_value(out);
  if (is_date(op)) {
    Date date;
    if (!r_.read_date(date)) return false;
    out = Value(date);
    return true;
  }
  if (is_bytes(op)) {
    Bytes bytes;
    if (!r_.read_bytes(bytes)) return false;
    out = Value(std::move(bytes));
    return true;
  }
  switch (op) {
    case Op::kNull: out = Value(); break;
    case Op::kTrue: out = Value(true); break;
    case Op::kFalse: out = Value(false); break;
    default: return r_.fail_kind("a value");
  }
  ++r_.cursor_;
  return true;
}

// A text for immediate use.
bool Decoder::long_text(std::string_view& text) {
  if (r_.ops_[*r_.cursor_] != Op::kStringChunk) {
    const std::uint8_t* start = r_.cursor_;
    std::size_t units;
    bool final;
    const std::uint8_t* end;
    bool plain;
    if (!r_.read_piece(r_.ops_[*start], units, final) || !r_.scan_units(units, end, plain)) {
      return false;
    }
    if (plain) {
      text = {reinterpret_cast<const char*>(r_.cursor_),
              static_cast<std::size_t>(end - r_.cursor_)};
      r_.cursor_ = end;
      return true;
    }
    r_.cursor_ = start;
  }
  scratch_.clear();
  if (!r_.read_string(scratch_)) return false;
  text = scratch_;
  return true;
}

// Makes `node` known as the value of `reference` and gives it to `out`. Both own it: what the reader
// notes must outlive whatever the caller does with `out`.
template <class N>
N& Decoder::adopt(std::unique_ptr<N> made, std::uint32_t reference, Value& out) {
  N* node = made.release();
  detail::retain_strong(node);
  out = ValueAccess::adopt(node);
  detail::Node*& place = r_.references_[reference].node;
  if (place != nullptr) detail::release_strong(place);
  place = node;
  r_.owns_nodes_ = true;
  return *node;
}

const detail::ShapePointer& Decoder::type_shape(std::string_view type) {
  if (type != last_type_.name()) last_type_ = detail::ShapePointer::of_type(type);
  return last_type_;
}

bool Decoder::list_value(Value& out) {
  Container list;
  if (!r_.begin_list(list) || !r_.charge_bytes(sizeof(detail::ListNode))) return false;
  auto& node = adopt(std::make_unique<detail::ListNode>(), list.reference, out);
  node.shape = type_shape(list.type);
  if (list.count != Container::kUnknown) {
    node.items.reserve(std::min(list.count, kReserveBytes / sizeof(Value)));
  }
  while (r_.step(list)) {
    if (!r_.charge_bytes(sizeof(Value))) return false;
    if (!any(node.items.emplace_back())) [[unlikely]]
      return in_item(list.index - 1);
  }
  return r_.ok();
}

bool Decoder::map_value(Value& out) {
  Container map;
  if (!r_.begin_map(map) || !r_.charge_bytes(sizeof(detail::MapNode))) return false;
  auto& node = adopt(std::make_unique<detail::MapNode>(), map.reference, out);
  node.shape = type_shape(map.type);
  node.entries.reserve(4);
  while (r_.step(map)) {
    if (!r_.charge_bytes(sizeof(Value::Entry))) return false;
    Value::Entry& entry = node.entries.emplace_back();
    if (!any(entry.key)) [[unlikely]]
      return false;
    if (!any(entry.value)) [[unlikely]]
      return in("[" + entry.key.to_string(64) + "]");
  }
  return r_.ok();
}

detail::ShapePointer Decoder::shape_of(std::uint32_t number) {
  Reader::Definition& definition = r_.definitions_[number];
  if (definition.shape == nullptr) {
    auto shape = std::make_unique<detail::Shape>(Reader::name_of(definition));
    shape->fields.reserve(definition.fields);
    for (std::uint32_t i = 0; i < definition.fields; ++i) {
      shape->fields.emplace_back(Reader::name_of(r_.fields_[definition.first_field + i]));
    }
    // Java's generic objects come with a definition each: those of a list share one shape.
    const detail::Shape* before = number == 0 ? nullptr : r_.definitions_[number - 1].shape;
    if (before != nullptr && before->same(*shape)) {
      detail::retain(before);
      definition.shape = before;
    } else {
      definition.shape = shape.release();
    }
    r_.owns_shapes_ = true;
  }
  detail::retain(definition.shape);
  return detail::ShapePointer(const_cast<detail::Shape*>(definition.shape));
}

bool Decoder::object_value(Value& out) {
  Container object;
  if (!r_.begin_object(object) || !r_.charge_bytes(sizeof(detail::ObjectNode))) return false;
  auto& node = adopt(std::make_unique<detail::ObjectNode>(shape_of(object.definition)),
                     object.reference, out);
  // As many values as its class has fields, even if the message breaks off.
  if (!r_.charge_bytes(object.count * sizeof(Value))) return false;
  node.fields.resize(object.count);
  while (r_.step(object)) {
    if (!any(node.fields[object.index - 1])) [[unlikely]]
      return in(object.field);
  }
  return r_.ok();
}

bool Decoder::referenced_value(Value& out) {
  const std::uint8_t* start = r_.cursor_;
  std::uint32_t number;
  if (!r_.read_reference(number)) return false;
  const Reader::Referenced target = r_.references_[number];
  if (target.node != nullptr) {
    if (target.active) {
      out = ValueAccess::weak_to(target.node);
    } else {
      detail::retain_strong(target.node);
      out = ValueAccess::adopt(target.node);
    }
    return true;
  }
  if (target.active) {
    return r_.fail_at(start, Code::kDecode,
                      "reference from a generic value to a typed one that it is part of");
  }
  r_.cursor_ = start;
  return with_target([&] { return any(out); });
}

}  // namespace settee::inline v0::hessian
