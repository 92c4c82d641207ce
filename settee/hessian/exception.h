// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ExceptionObject: a Java exception as it came over the wire, behind an Error.
//
//   if (const auto* java = dynamic_cast<const ExceptionObject*>(error.exception())) {
//     java->class_name();                               // com.acme.SoldOut
//     for (const StackFrame& frame : java->stack()) log(frame.class_name, frame.line);
//   }
//   if (auto sold_out = error.as<SoldOut>()) ...        // the same, as a described type
//
// Threads: constant once made.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/error.h"
#include "settee/hessian/value.h"

namespace settee::inline v0::hessian {

/// One line of a Java stack trace.
struct StackFrame {
  std::string class_name;
  std::string method;
  std::string file;        ///< Empty when Java does not know it.
  std::int32_t line = -1;  ///< Negative when Java does not know it.
};

class SETTEE_API ExceptionObject final : public ExceptionValue {
 public:
  /// `value` is an object: the exception with its fields.
  explicit ExceptionObject(Value value) : value_(std::move(value)) {}

  std::string_view class_name() const noexcept override { return value_.type_name(); }
  bool read_into(const TypeInfo& type, void* out) const override;

  /// Throwable.getMessage(): the field detailMessage; empty if null.
  std::string message() const;
  /// The exception that caused this one; null if none (Java's uninitialised cause names itself).
  Value cause() const;
  std::vector<StackFrame> stack() const;
  const Value& value() const noexcept { return value_; }

  /// "com.acme.SoldOut: none left\n\tat com.acme.Shop.sell(Shop.java:12)\n ...", as Java prints it.
  std::string to_string() const;

  /// Whether `value` looks like a Throwable: an object with the field detailMessage or stackTrace.
  static bool is_exception(const Value& value) noexcept;
  /// `value` as an Error of code kBusiness, whose message is the exception's message (its class name
  /// when it has none).
  static Error to_error(Value value);

 private:
  Value value_;
};

}  // namespace settee::inline v0::hessian
