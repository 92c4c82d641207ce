// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// TypeInfo: what a codec needs to know of a C++ type at run time: its kind, its members, how to walk
// and how to fill it. Codecs (Hessian, JSON, YAML, ...) are plain functions over TypeInfo, written
// once in a .cc file; user types get their TypeInfo from the macros in reflect.h.
//
//   const TypeInfo& type = type_of<std::vector<Quote>>();
//   type.kind == Kind::kList; type.element->name == "com.acme.Quote";
//
// The C++ ↔ Java table is the list of Kinds below. A TypeInfo is constant data of the module that uses
// it: never compare addresses, and never keep one longer than the module.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "settee/base/bytes.h"
#include "settee/base/export.h"
#include "settee/base/limits.h"
#include "settee/base/result.h"
#include "settee/base/values.h"

namespace settee::inline v0 {

enum class Kind : std::uint8_t {
  kVoid,
  kBool,        ///< bool: boolean
  kInt8,        ///< std::int8_t: byte
  kInt16,       ///< std::int16_t: short
  kInt32,       ///< std::int32_t: int
  kInt64,       ///< std::int64_t: long
  kChar16,      ///< char16_t: char
  kFloat,       ///< float
  kDouble,      ///< double
  kString,      ///< std::string (UTF-8): java.lang.String
  kBytes,       ///< Bytes: byte[]
  kDate,        ///< Date: java.util.Date
  kDuration,    ///< std::chrono::milliseconds: long, in milliseconds
  kDecimal,     ///< Decimal: java.math.BigDecimal
  kBigInteger,  ///< BigInteger: java.math.BigInteger
  kEnum,        ///< described with SETTEE_ENUM
  kStruct,      ///< described with SETTEE_STRUCT or SETTEE_EXCEPTION
  kOptional,    ///< std::optional<T>: the boxed or nullable form of T
  kPointer,     ///< std::unique_ptr<T>, std::shared_ptr<T>: a nullable T, e.g. of a recursive struct
  kList,        ///< std::vector<T>: java.util.List
  kArray,       ///< Array<T>: T[]
  kSet,         ///< std::set, std::unordered_set: java.util.Set
  kMap,         ///< std::map, std::unordered_map: java.util.Map
  kVariant,     ///< std::variant: java.lang.Object holding one of the alternatives
  kAny,         ///< hessian::Value: java.lang.Object
  kMessage,     ///< a protobuf message
};

struct TypeInfo;

/// A member of a described struct. Inherited members are listed with their offset in the whole.
struct MemberInfo {
  std::string_view name;  ///< Name on the wire and in JSON and YAML.
  std::size_t offset = 0;
  const TypeInfo* type = nullptr;
  std::uint32_t number = 0;  ///< In protobuf: as described, else the position in the whole, from 1.
};

struct EnumeratorInfo {
  std::string_view name;
  std::int64_t value;
};

/// What a protobuf message says of itself.
struct MessageSchema {
  std::string full_name;  ///< "com.acme.Quote"
  /// Its .proto file, behind all that it imports: the name, which imports use, and a
  /// google.protobuf.FileDescriptorProto, serialized.
  std::vector<std::pair<std::string, std::string>> files;
};

/// Fills one element of a container under construction. Returns an Error to stop.
class ElementFiller {
 public:
  virtual Result<void> fill_key(void* key) = 0;      ///< maps only
  virtual Result<void> fill_value(void* value) = 0;  ///< the element, or the map's value
 protected:
  ~ElementFiller() = default;
};

/// Sees the elements of a set or map in their order. `key` is null for sets. Returns false to stop.
class ElementVisitor {
 public:
  virtual bool visit(const void* key, const void* value) = 0;
 protected:
  ~ElementVisitor() = default;
};

struct TypeInfo {
  Kind kind = Kind::kVoid;
  bool exception = false;     ///< described with SETTEE_EXCEPTION
  std::uint32_t size = 0;     ///< sizeof
  std::string_view name;      ///< Java class name of structs and enums; else empty
  const TypeInfo* element = nullptr;  ///< of optional, pointer, list, array, set; a map's value
  const TypeInfo* key = nullptr;      ///< of maps

  // Whole objects: used by codecs that build values aside, e.g. for a pool thread.
  void (*construct)(void* at) = nullptr;
  void (*destroy)(void* at) noexcept = nullptr;

  std::span<const MemberInfo> members = {};          // structs
  std::span<const MemberLimits> limits = {};         // structs, see limits.h
  /// Structs some of whose numbers are not the positions: the members' indices, lowest number first.
  std::span<const std::uint8_t> by_number = {};
  std::span<const EnumeratorInfo> enumerators = {};  // enums
  std::int64_t (*enum_get)(const void*) noexcept = nullptr;
  void (*enum_set)(void*, std::int64_t) noexcept = nullptr;

  // Optional and pointer: the value or null; a fresh value in place; nothing.
  const void* (*get)(const void*) noexcept = nullptr;
  void* (*emplace)(void*) = nullptr;
  void (*reset)(void*) noexcept = nullptr;

  // Lists, arrays, sets, maps.
  std::size_t (*count)(const void*) noexcept = nullptr;
  void (*clear)(void*) noexcept = nullptr;
  void (*reserve)(void*, std::size_t) = nullptr;                             // lists, arrays
  const void* (*at)(const void*, std::size_t) noexcept = nullptr;            // lists, arrays
  void* (*append)(void*) = nullptr;                                          // lists, arrays
  void (*for_each)(const void*, ElementVisitor&) = nullptr;                  // sets, maps
  Result<void> (*insert)(void*, ElementFiller&) = nullptr;                   // sets, maps

  // Variants.
  std::span<const TypeInfo* const> alternatives = {};
  std::size_t (*index)(const void*) noexcept = nullptr;
  const void* (*alternative)(const void*) noexcept = nullptr;
  void* (*emplace_alternative)(void*, std::size_t) = nullptr;

  // Messages.
  std::size_t (*message_size)(const void*) = nullptr;
  bool (*message_write)(const void*, void* out, std::size_t size) = nullptr;
  bool (*message_read)(void*, const void* data, std::size_t size) = nullptr;
  MessageSchema (*message_schema)() = nullptr;  // null: of a lite message
};

/// The Java type as Class.getName() gives it: "int", "java.lang.Integer", "[Ljava.lang.String;",
/// "java.util.List", "com.acme.Quote". This is the signature by which a Java server finds a method.
SETTEE_API std::string java_name(const TypeInfo& type);

namespace detail {
/// The class in which Java boxes a scalar, "java.lang.Integer"; empty of other kinds. Static text.
SETTEE_API std::string_view boxed_name(Kind kind) noexcept;
}  // namespace detail

/// Specialised by the macros of reflect.h.
template <class T>
struct Describe;

/// The TypeInfo of T. T must be in the table above or described.
template <class T>
constexpr const TypeInfo& type_of() noexcept;

}  // namespace settee::inline v0

#include "settee/base/detail/type_info_of.h"
