// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/type_info.h"

#include "settee/base/reflect.h"

namespace settee::inline v0 {

namespace {

// The JVM's descriptor of an array's element.
std::string descriptor(const TypeInfo& type) {
  switch (type.kind) {
    case Kind::kBool: return "Z";
    case Kind::kInt8: return "B";
    case Kind::kInt16: return "S";
    case Kind::kInt32: return "I";
    case Kind::kInt64:
    case Kind::kDuration: return "J";
    case Kind::kChar16: return "C";
    case Kind::kFloat: return "F";
    case Kind::kDouble: return "D";
    case Kind::kBytes: return "[B";
    case Kind::kArray: return "[" + descriptor(*type.element);
    default: return "L" + java_name(type) + ";";
  }
}

}  // namespace

void detail::refuse_field_number(std::string_view member, std::int64_t number,
                                 std::string_view why) {
  throw Error(Code::kMisuse, "member " + std::string(member) + " cannot have the field number " +
                                 std::to_string(number) + ": " + std::string(why));
}

std::string_view detail::boxed_name(Kind kind) noexcept {
  switch (kind) {
    case Kind::kBool: return "java.lang.Boolean";
    case Kind::kInt8: return "java.lang.Byte";
    case Kind::kInt16: return "java.lang.Short";
    case Kind::kInt32: return "java.lang.Integer";
    case Kind::kInt64:
    case Kind::kDuration: return "java.lang.Long";
    case Kind::kChar16: return "java.lang.Character";
    case Kind::kFloat: return "java.lang.Float";
    case Kind::kDouble: return "java.lang.Double";
    default: return {};
  }
}

std::string java_name(const TypeInfo& type) {
  switch (type.kind) {
    case Kind::kVoid: return "void";
    case Kind::kBool: return "boolean";
    case Kind::kInt8: return "byte";
    case Kind::kInt16: return "short";
    case Kind::kInt32: return "int";
    case Kind::kInt64:
    case Kind::kDuration: return "long";
    case Kind::kChar16: return "char";
    case Kind::kFloat: return "float";
    case Kind::kDouble: return "double";
    case Kind::kString: return "java.lang.String";
    case Kind::kBytes: return "[B";
    case Kind::kDate: return "java.util.Date";
    case Kind::kDecimal: return "java.math.BigDecimal";
    case Kind::kBigInteger: return "java.math.BigInteger";
    case Kind::kEnum:
    case Kind::kStruct:
    case Kind::kMessage: return std::string(type.name);
    case Kind::kOptional:
    case Kind::kPointer: {
      const std::string_view boxed = detail::boxed_name(type.element->kind);
      return boxed.empty() ? java_name(*type.element) : std::string(boxed);
    }
    case Kind::kList: return "java.util.List";
    case Kind::kArray: return "[" + descriptor(*type.element);
    case Kind::kSet: return "java.util.Set";
    case Kind::kMap: return "java.util.Map";
    case Kind::kVariant:
    case Kind::kAny: return "java.lang.Object";
  }
  return "java.lang.Object";
}

Exception::~Exception() = default;

}  // namespace settee::inline v0
