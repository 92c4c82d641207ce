// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Typed values to hex and back, for the tests of the codec.

#pragma once

#include <string>
#include <string_view>

#include "settee/hessian/codec.h"
#include "settee/hessian/hessian_test_data.h"

namespace settee::hessian_test {

template <class T>
std::string hex_of(const T& value, hessian::Dialect dialect = hessian::Dialect::kSofa3) {
  return to_hex(hessian::to_bytes(value, dialect).value().span());
}

template <class T>
T read(std::string_view hex, hessian::Dialect dialect = hessian::Dialect::kSofa3) {
  return hessian::from_bytes<T>(from_hex(hex), dialect).value();
}

/// The message of the error; empty without one.
template <class T>
std::string failure(std::string_view hex, hessian::Dialect dialect = hessian::Dialect::kSofa3) {
  const Result<T> result = hessian::from_bytes<T>(from_hex(hex), dialect);
  return result.ok() ? "" : result.error().message();
}

/// The bytes of a Value, to be read as something else.
inline std::string hex_value(const hessian::Value& value) { return hex_of(value); }

}  // namespace settee::hessian_test
