// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The Java classes that "$class" and the types of arguments may name.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace settee::inline v0::json::detail {

//// What "$class" may name other than a class of one's own.
enum class JavaKind : std::uint8_t {
  kBool,
  kByte,
  kShort,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kChar,
  kString,
  kDate,
  kDecimal,
  kBigInteger,
  kAnything,
  kList,
  kMap,
  kObject,
};

struct JavaName {
  std::string_view name;
  JavaKind kind;
  std::string_view hessian = {};  // of collections: the type name that Java would write
};

/// Of any name: what is in no table is a class of one's own, or one of Java's maps.
JavaName java_type(std::string_view name) noexcept;

//// An array class in any of the ways to write one: "[I" and "[Lcom.acme.Order;" as Java's
/// reflection, "[int" and "[com.acme.Order" as Hessian, "int[]" and "com.acme.Order[]" as Java's
/// source.
struct ArrayType {
  std::size_t dimensions = 0;
  std::string_view element;
};

std::optional<ArrayType> array_type(std::string_view name) noexcept;
/// The type name that Hessian gives such an array.
std::string array_tag(const ArrayType& type);

}  // namespace settee::inline v0::json::detail
