// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The two incompatible formats that are both called "hessian2", and what a reader refuses.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace settee::inline v0::hessian {

enum class Dialect : std::uint8_t {
  kSofa3,     ///< sofa-hessian 3.x: what Java SOFARPC 5 and sofa-rpc-node speak by default.
  kHessian2,  ///< Standard Hessian 2.0: sofa-hessian 4.x, "4.0" in sofa-rpc-node.
};

/// The dialect of a SofaRequest or SofaResponse, told by its first byte; nothing when it is neither.
/// Both begin with a class definition, which is 0x4f in one dialect and 0x43 in the other.
constexpr std::optional<Dialect> detect_dialect(std::uint8_t first) noexcept {
  if (first == 0x4f) return Dialect::kSofa3;
  if (first == 0x43) return Dialect::kHessian2;
  return std::nullopt;
}

/// What one message may cost its reader. Going over one is an Error of code kLimit that gives the
/// limit's name, its value and the offset. Whatever the limits, nothing is reserved that the bytes
/// still unread could not fill.
struct Limits {
  constexpr Limits() noexcept {}

  /// Values within values.
  std::uint32_t depth = 256;
  /// Elements of one list, entries of one map, fields of one class.
  std::uint32_t elements = 1'000'000;
  /// Values in all. A reference into a typed value reads its target again, and those count again.
  std::uint32_t nodes = 10'000'000;
  /// Bytes of text, binary and container elements made while decoding.
  std::uint64_t bytes = 256 * 1024 * 1024;
  /// Java's generic calls define a class anew for each instance, hence not a few hundred.
  std::uint32_t class_definitions = 65'536;
  /// Distinct type names of lists and maps.
  std::uint32_t type_names = 4'096;
  /// Values that a reference may name: lists, maps and objects.
  std::uint32_t references = 1'000'000;
  /// 32-bit words in the magnitude of a BigInteger: turning it into decimal digits takes the square
  /// of that.
  std::uint32_t big_integer_words = 256;
};

}  // namespace settee::inline v0::hessian
