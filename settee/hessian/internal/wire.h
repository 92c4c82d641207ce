// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What each first byte of a value means in each dialect, and big-endian numbers. See format.md.

#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "settee/hessian/dialect.h"

namespace settee::inline v0::hessian::detail {

// Codes that mean the same in both dialects have one name; those with a 3 or 4 exist in one only.
enum class Op : std::uint8_t {
  kBad,
  kNull,
  kTrue,
  kFalse,
  kInt1,
  kInt2,
  kInt3,
  kInt5,
  kLong1,
  kLong2,
  kLong3,
  kLong5,
  kLong9,
  kDouble0,
  kDouble1,
  kDouble8,
  kDouble16,
  kDoubleFloat3,
  kDoubleMill4,
  kDouble64,
  kDate64,
  kDateMinutes4,
  kStringShort,
  kStringMiddle4,
  kStringFinal,
  kStringChunk,
  kBytesShort,
  kBytesMiddle4,
  kBytesFinal,
  kBytesChunk,
  kList3,
  kListCompact3,
  kListTypedMarked4,
  kListTyped4,
  kListMarked4,
  kList4,
  kListTypedShort4,
  kListShort4,
  kMap3,
  kMapTyped4,
  kMap4,
  kClass,
  kObject,
  kObjectShort4,
  kReference8,
  kReference16,
  kReference32,
  kReference4,
  kEndMark,
};

constexpr std::array<Op, 256> make_ops(Dialect dialect) {
  std::array<Op, 256> ops{};  // kBad
  auto fill = [&ops](int first, int last, Op op) {
    for (int i = first; i <= last; ++i) ops[static_cast<std::size_t>(i)] = op;
  };
  fill(0x00, 0x1f, Op::kStringShort);
  fill(0x20, 0x2f, Op::kBytesShort);
  fill(0x38, 0x3f, Op::kLong3);
  ops['B'] = Op::kBytesFinal;
  ops['D'] = Op::kDouble64;
  ops['F'] = Op::kFalse;
  ops['I'] = Op::kInt5;
  ops['L'] = Op::kLong9;
  ops['N'] = Op::kNull;
  ops['S'] = Op::kStringFinal;
  ops['T'] = Op::kTrue;
  fill(0x80, 0xbf, Op::kInt1);
  fill(0xc0, 0xcf, Op::kInt2);
  fill(0xd0, 0xd7, Op::kInt3);
  fill(0xd8, 0xef, Op::kLong1);
  fill(0xf0, 0xff, Op::kLong2);
  if (dialect == Dialect::kSofa3) {
    ops['J'] = Op::kReference8;
    ops['K'] = Op::kReference16;
    ops['M'] = Op::kMap3;
    ops['O'] = Op::kClass;
    ops['R'] = Op::kReference32;
    ops['V'] = Op::kList3;
    ops['X'] = Op::kStringFinal;
    ops['b'] = Op::kBytesChunk;
    ops['d'] = Op::kDate64;
    ops[0x67] = Op::kDouble0;
    ops[0x68] = Op::kDouble1;
    ops[0x69] = Op::kDouble8;
    ops[0x6a] = Op::kDouble16;
    ops[0x6b] = Op::kDoubleFloat3;
    ops['o'] = Op::kObject;
    ops['s'] = Op::kStringChunk;
    ops['v'] = Op::kListCompact3;
    ops['w'] = Op::kLong5;
    ops['x'] = Op::kStringChunk;
    ops['z'] = Op::kEndMark;
  } else {
    fill(0x30, 0x33, Op::kStringMiddle4);
    fill(0x34, 0x37, Op::kBytesMiddle4);
    ops['A'] = Op::kBytesChunk;
    ops['C'] = Op::kClass;
    ops['H'] = Op::kMap4;
    ops['J'] = Op::kDate64;
    ops['K'] = Op::kDateMinutes4;
    ops['M'] = Op::kMapTyped4;
    ops['O'] = Op::kObject;
    ops['Q'] = Op::kReference4;
    ops['R'] = Op::kStringChunk;
    ops['U'] = Op::kListTypedMarked4;
    ops['V'] = Op::kListTyped4;
    ops['W'] = Op::kListMarked4;
    ops['X'] = Op::kList4;
    ops['Y'] = Op::kLong5;
    ops['Z'] = Op::kEndMark;
    ops[0x5b] = Op::kDouble0;
    ops[0x5c] = Op::kDouble1;
    ops[0x5d] = Op::kDouble8;
    ops[0x5e] = Op::kDouble16;
    ops[0x5f] = Op::kDoubleMill4;
    fill(0x60, 0x6f, Op::kObjectShort4);
    fill(0x70, 0x77, Op::kListTypedShort4);
    fill(0x78, 0x7f, Op::kListShort4);
  }
  return ops;
}

inline constexpr std::array<Op, 256> kOps3 = make_ops(Dialect::kSofa3);
inline constexpr std::array<Op, 256> kOps4 = make_ops(Dialect::kHessian2);

template <class T>
inline T load(const void* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
inline void store(void* at, T value) noexcept {
  std::memcpy(at, &value, sizeof value);
}

inline std::uint16_t big_endian(std::uint16_t x) noexcept {
  return std::endian::native == std::endian::big ? x : __builtin_bswap16(x);
}
inline std::uint32_t big_endian(std::uint32_t x) noexcept {
  return std::endian::native == std::endian::big ? x : __builtin_bswap32(x);
}
inline std::uint64_t big_endian(std::uint64_t x) noexcept {
  return std::endian::native == std::endian::big ? x : __builtin_bswap64(x);
}
template <class U>
inline U load_big(const void* at) noexcept {
  return big_endian(load<U>(at));
}
template <class U>
inline void store_big(void* at, U value) noexcept {
  store(at, big_endian(value));
}

/// Java cuts texts and binaries into pieces of this many units.
inline constexpr std::size_t kChunk = 0x8000;

}  // namespace settee::inline v0::hessian::detail
