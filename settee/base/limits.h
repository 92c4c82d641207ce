// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Ranges for the members of a described struct, checked when the struct is filled from a
// configuration (config.h). The macro stands directly behind the type's SETTEE_STRUCT:
//
//   SETTEE_STRUCT(acme::ServerOptions, "acme.ServerOptions", host, port, timeout, weight, peers)
//   SETTEE_LIMITS(acme::ServerOptions, (host, 1, 255), (port, 0, 65535), (timeout, 1ms, 1h),
//                 (weight, 0.0, settee::kNoLimit), (peers, 1, settee::kNoLimit))
//
// Both ends belong to the range. Numbers and durations are compared by value; texts by their length
// in bytes; lists, sets and maps by their number of elements; an optional by what it holds. The
// members of a base are not covered by the base's own limits: list them again.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "settee/base/detail/for_each.h"

namespace settee::inline v0 {

struct NoLimit {};
/// An end of a range that is open.
inline constexpr NoLimit kNoLimit{};

/// One end of a range.
struct LimitValue {
  enum class Form : std::uint8_t { kNone, kInteger, kReal };

  constexpr LimitValue(NoLimit) noexcept {}
  template <class T>
  requires std::is_arithmetic_v<T>
  constexpr LimitValue(T value) noexcept
      : form(std::is_integral_v<T> ? Form::kInteger : Form::kReal),
        integer(std::is_integral_v<T> ? static_cast<std::int64_t>(value) : 0),
        real(static_cast<double>(value)) {}
  template <class Rep, class Period>
  constexpr LimitValue(std::chrono::duration<Rep, Period> value) noexcept
      : LimitValue(std::chrono::duration_cast<std::chrono::milliseconds>(value).count()) {}

  Form form = Form::kNone;
  std::int64_t integer = 0;
  double real = 0;
};

/// The range of the member at `offset`.
struct MemberLimits {
  std::size_t offset;
  LimitValue min;
  LimitValue max;
};

/// Specialised by SETTEE_LIMITS.
template <class T>
struct Limits {
  static constexpr std::array<MemberLimits, 0> make() { return {}; }
};

}  // namespace settee::inline v0

#define SETTEE_DETAIL_LIMIT(Type, item) SETTEE_DETAIL_LIMIT_1(Type, SETTEE_DETAIL_UNWRAP item)
#define SETTEE_DETAIL_LIMIT_1(Type, ...) SETTEE_DETAIL_LIMIT_2(Type, __VA_ARGS__)
#define SETTEE_DETAIL_LIMIT_2(Type, member, min, max) \
  ::settee::MemberLimits{offsetof(Type, member), min, max},

#define SETTEE_LIMITS(Type, ...)                                                                \
  template <>                                                                                   \
  struct settee::Limits<Type> {                                                                 \
    _Pragma("GCC diagnostic push")                                                              \
        _Pragma("GCC diagnostic ignored \"-Winvalid-offsetof\"") static constexpr auto make() { \
      using namespace std::chrono_literals;                                                     \
      return std::array{SETTEE_DETAIL_FOR_EACH(SETTEE_DETAIL_LIMIT, Type, __VA_ARGS__)};        \
    }                                                                                           \
    _Pragma("GCC diagnostic pop")                                                               \
  };
