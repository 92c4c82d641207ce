// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/exception.h"

#include <memory>

#include "settee/hessian/codec.h"

namespace settee::inline v0::hessian {

namespace {

std::string text_of(const Value& value) {
  const Result<std::string_view> text = value.as_string();
  return text ? std::string(*text) : std::string();
}

}  // namespace

bool ExceptionObject::read_into(const TypeInfo& type, void* out) const {
  return convert(value_, type, out).ok();
}

std::string ExceptionObject::message() const { return text_of(value_["detailMessage"]); }

Value ExceptionObject::cause() const {
  const Value& cause = value_["cause"];
  return cause.same_node(value_) ? Value() : cause;
}

std::vector<StackFrame> ExceptionObject::stack() const {
  std::vector<StackFrame> frames;
  for (const Value& element : value_["stackTrace"].items()) {
    StackFrame frame;
    frame.class_name = text_of(element["declaringClass"]);
    frame.method = text_of(element["methodName"]);
    frame.file = text_of(element["fileName"]);
    frame.line = element["lineNumber"].as_int().value_or(-1);
    frames.push_back(std::move(frame));
  }
  return frames;
}

std::string ExceptionObject::to_string() const {
  std::string text(class_name());
  if (const std::string message = this->message(); !message.empty()) text += ": " + message;
  for (const StackFrame& frame : stack()) {
    text += "\n\tat " + frame.class_name + "." + frame.method + "(";
    // Java's own words for what it does not know.
    if (frame.line == -2) {
      text += "Native Method";
    } else if (frame.file.empty()) {
      text += "Unknown Source";
    } else {
      text += frame.file;
      if (frame.line >= 0) text += ":" + std::to_string(frame.line);
    }
    text += ")";
  }
  return text;
}

bool ExceptionObject::is_exception(const Value& value) noexcept {
  if (value.type() != Value::Type::kObject) return false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string_view name = value.field_name(i);
    if (name == "detailMessage" || name == "stackTrace") return true;
  }
  return false;
}

Error ExceptionObject::to_error(Value value) {
  auto exception = std::make_shared<ExceptionObject>(std::move(value));
  std::string message = exception->message();
  if (message.empty()) message = exception->class_name();
  return Error(std::move(message), std::move(exception));
}

}  // namespace settee::inline v0::hessian
