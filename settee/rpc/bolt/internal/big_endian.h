// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Big-endian integers in memory.

#pragma once

#include <cstdint>
#include <cstring>

namespace settee::inline v0::rpc::bolt {

inline std::uint16_t get16(const std::uint8_t* at) noexcept {
  std::uint16_t value;
  std::memcpy(&value, at, 2);
  return __builtin_bswap16(value);
}
inline std::uint32_t get32(const std::uint8_t* at) noexcept {
  std::uint32_t value;
  std::memcpy(&value, at, 4);
  return __builtin_bswap32(value);
}
inline void put16(std::uint8_t* at, std::uint16_t value) noexcept {
  value = __builtin_bswap16(value);
  std::memcpy(at, &value, 2);
}
inline void put32(std::uint8_t* at, std::uint32_t value) noexcept {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, 4);
}

}  // namespace settee::inline v0::rpc::bolt
