// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/exception.h"

#include <gtest/gtest.h>

#include "settee/hessian/hessian_test_data.h"

namespace settee::hessian_test {
namespace {

using hessian::ExceptionObject;
using hessian::StackFrame;
using hessian::Value;

TEST(ExceptionObject, AnExceptionOfJava) {
  for (const char* name : {"exception without opened modules", "exception with opened modules"}) {
    const Octets bytes = golden("golden_sofa3.txt", name);
    const Value value = hessian::from_bytes<Value>(bytes).value();
    EXPECT_TRUE(ExceptionObject::is_exception(value));
    const Error error = ExceptionObject::to_error(value);
    EXPECT_EQ(error.code(), Code::kBusiness);
    EXPECT_EQ(error.message(), "boom");
    const auto* exception = dynamic_cast<const ExceptionObject*>(error.exception());
    ASSERT_NE(exception, nullptr);
    EXPECT_EQ(exception->class_name(), "vec.Ex$Biz");
    EXPECT_EQ(exception->message(), "boom");
    EXPECT_EQ(exception->value()["code"], Value("E1"));
    EXPECT_TRUE(exception->cause().is_null());  // one is null, the other names itself
    const std::vector<StackFrame> stack = exception->stack();
    ASSERT_EQ(stack.size(), 1u);
    EXPECT_EQ(stack[0].class_name, "a.B");
    EXPECT_EQ(stack[0].method, "m");
    EXPECT_EQ(stack[0].file, "B.java");
    EXPECT_EQ(stack[0].line, 12);
    EXPECT_EQ(exception->to_string(), "vec.Ex$Biz: boom\n\tat a.B.m(B.java:12)");
  }
}

TEST(ExceptionObject, ADescribedExceptionGoesAndComes) {
  SoldOut thrown;
  thrown.message = "none left";
  thrown.sku = "A-1";
  thrown.left = 3;
  const Bytes bytes = hessian::to_bytes(thrown).value();
  const Value value = hessian::from_bytes<Value>(bytes.span()).value();
  EXPECT_EQ(value, Value::object("com.example.SoldOut")
                       .set("detailMessage", "none left")
                       .set("sku", "A-1")
                       .set("left", 3));
  const Error error = ExceptionObject::to_error(value);
  const std::optional<SoldOut> caught = error.as<SoldOut>();
  ASSERT_TRUE(caught.has_value());
  EXPECT_EQ(caught->message, "none left");
  EXPECT_EQ(caught->sku, "A-1");
  EXPECT_EQ(caught->left, 3);

  // As Java sends it: more fields, which do not matter.
  Value java = value.clone();
  java.set("cause", Value::weak(java))
      .set("stackTrace", Value::list("[java.lang.StackTraceElement", {}));
  EXPECT_EQ(ExceptionObject::to_error(java).as<SoldOut>()->sku, "A-1");
  // Fields that do not fit.
  Value wrong = value.clone();
  wrong.set("left", "many");
  EXPECT_FALSE(ExceptionObject::to_error(wrong).as<SoldOut>().has_value());
}

TEST(ExceptionObject, TheLeastThatEveryPeerAccepts) {
  Buffer out;
  hessian::Writer writer(out);
  hessian::encode_exception(writer, "java.lang.RuntimeException", "boom");
  EXPECT_EQ(to_hex(out),
            "4faa6a6176612e6c616e672e52756e74696d65457863657074696f6e"
            "910d64657461696c4d657373616765"
            "6f9004626f6f6d");
  const Value value = hessian::from_bytes<Value>(out.bytes().span()).value();
  EXPECT_TRUE(ExceptionObject::is_exception(value));
  EXPECT_EQ(ExceptionObject(value).message(), "boom");
}

TEST(ExceptionObject, WhatJavaDoesNotKnow) {
  Value frame = Value::object("java.lang.StackTraceElement")
                    .set("declaringClass", "a.B")
                    .set("methodName", "m")
                    .set("fileName", nullptr)
                    .set("lineNumber", -2);
  Value value = Value::object("X").set("stackTrace", Value::list({frame, Value::object("Y"), 5}));
  const ExceptionObject exception(value);
  EXPECT_EQ(exception.message(), "");
  EXPECT_EQ(exception.stack().size(), 3u);
  EXPECT_EQ(exception.to_string(),
            "X\n\tat a.B.m(Native Method)\n\tat .(Unknown Source)\n\tat .(Unknown Source)");
  EXPECT_EQ(ExceptionObject::to_error(value).message(), "X");
  Value cause = Value::object("Cause").set("detailMessage", "why");
  value.set("cause", cause);
  EXPECT_EQ(ExceptionObject(value).cause()["detailMessage"], Value("why"));
  EXPECT_FALSE(ExceptionObject::is_exception(Value::object("com.acme.Order").set("id", 1)));
  EXPECT_FALSE(ExceptionObject::is_exception(Value("text")));
}

}  // namespace
}  // namespace settee::hessian_test
