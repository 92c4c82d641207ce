// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What reading, writing and describing protobuf have in common.
//
// Threads: plain functions.

#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "settee/base/type_info.h"
#include "settee/rpc/grpc/internal/wire.h"

namespace settee::inline v0::rpc::grpc {

/// How values of this kind are written, if they are singular.
inline Wire wire_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::kBool:
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kChar16:
    case Kind::kDate:
    case Kind::kDuration:
    case Kind::kEnum: return Wire::kVarint;
    case Kind::kFloat: return Wire::kFixed32;
    case Kind::kDouble: return Wire::kFixed64;
    default: return Wire::kLength;
  }
}

inline bool is_repeated(Kind kind) noexcept {
  return kind == Kind::kList || kind == Kind::kArray || kind == Kind::kSet || kind == Kind::kMap;
}
inline bool is_nullable(Kind kind) noexcept {
  return kind == Kind::kOptional || kind == Kind::kPointer;
}

/// What is behind optionals and pointers.
inline const TypeInfo& unwrapped(const TypeInfo& type) noexcept {
  const TypeInfo* inner = &type;
  while (is_nullable(inner->kind)) inner = inner->element;
  return *inner;
}

/// Why a value of this kind cannot be a field, "a std::variant"; empty if it can.
inline std::string_view formless(Kind kind) noexcept {
  switch (kind) {
    case Kind::kVoid: return "void";
    case Kind::kVariant: return "a std::variant";
    case Kind::kAny: return "a hessian::Value";
    default: return {};
  }
}

inline bool is_map_key(Kind kind) noexcept {
  switch (kind) {
    case Kind::kBool:
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kChar16:
    case Kind::kDate:
    case Kind::kDuration:
    case Kind::kString:
    case Kind::kDecimal:
    case Kind::kBigInteger: return true;
    default: return false;
  }
}

inline bool is_message(const TypeInfo& type) noexcept {
  return type.kind == Kind::kStruct || type.kind == Kind::kMessage;
}

template <class T>
T load(const void* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}
template <class T>
void store(void* at, T value) noexcept {
  std::memcpy(at, &value, sizeof(T));
}

/// Of a decimal or big integer.
inline const std::string& digits_of(const TypeInfo& type, const void* at) noexcept {
  return type.kind == Kind::kDecimal ? static_cast<const Decimal*>(at)->text
                                     : static_cast<const BigInteger*>(at)->text;
}

}  // namespace settee::inline v0::rpc::grpc
