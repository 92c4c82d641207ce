// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Result<T>: a T or the Error that prevented it.
//
//   Result<int> port = parse_port(text);
//   if (!port) return port.error();
//   listen(*port);
//
// Threads: like T itself.

#pragma once

#include <cassert>
#include <type_traits>
#include <utility>
#include <variant>

#include "settee/base/error.h"

namespace settee::inline v0 {

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  /// The value. Throws the Error if there is none.
  T& value() & { return check(), std::get<0>(state_); }
  const T& value() const& { return check(), std::get<0>(state_); }
  T&& value() && { return check(), std::get<0>(std::move(state_)); }

  /// The value, which the caller knows to be there.
  T& operator*() & noexcept { return assert(ok()), *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return assert(ok()), *std::get_if<0>(&state_); }
  T&& operator*() && noexcept { return assert(ok()), std::move(*std::get_if<0>(&state_)); }
  T* operator->() noexcept { return assert(ok()), std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return assert(ok()), std::get_if<0>(&state_); }

  template <class U>
  T value_or(U&& other) const& {
    return ok() ? **this : static_cast<T>(std::forward<U>(other));
  }

  /// The error, which the caller knows to be there.
  const Error& error() const noexcept { return assert(!ok()), *std::get_if<1>(&state_); }

 private:
  void check() const {
    if (!ok()) throw error();
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return ok(); }
  /// Throws the Error if there is one.
  void value() const {
    if (error_) throw *error_;
  }
  const Error& error() const noexcept { return assert(!ok()), *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace settee::inline v0
