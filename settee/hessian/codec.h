// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Encoding and decoding by type description: every type of the table in settee/base/type_info.h,
// and hessian::Value.
//
//   Result<Bytes> bytes = to_bytes(order);                       // one value, one message
//   Result<Order> order = from_bytes<Order>(bytes->span());
//
//   Writer writer(out);                                          // or several in one stream
//   if (auto written = encode(writer, order); !written) return written.error();
//   Reader reader(span);
//   Result<Order> order = decode<Order>(reader);
//
// What is written: structs and enums as objects of their Java class; std::vector as an untyped list
// (java.util.ArrayList), sets as java.util.HashSet, Array<T> as a typed array, maps untyped
// (java.util.HashMap). An object that is reachable twice through std::shared_ptr or Value is written
// once and then named.
//
// What is read, and into what:
//   - structs by the names of fields, from an object of any class or from a map; unknown fields are
//     read over, missing ones and null leave the member as it was;
//   - numbers from any number that fits, and from Java's number handles; enums by name; Decimal and
//     BigInteger from their objects, texts and numbers; Date from dates and milliseconds;
//   - lists, arrays and sets from any kind of list; maps from any map or object;
//   - a variant as its first alternative of the very kind on the wire, else the first that fits;
//   - a reference to what has been read before is read again, as a copy (a Value shares it).
// A class name on the wire is data: nothing is ever made because of it.
//
// Errors: kEncode, kDecode or kLimit; the message has the path ("com.acme.Order.lines[3].price"),
// what was wrong and the offset. After an error the Writer or Reader is of no more use, and its
// Buffer holds the beginning of a value: truncate it.
//
// Threads: plain functions.

#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "settee/base/bytes.h"
#include "settee/base/result.h"
#include "settee/base/type_info.h"
#include "settee/hessian/dialect.h"
#include "settee/hessian/reader.h"
#include "settee/hessian/value.h"
#include "settee/hessian/writer.h"

namespace settee::inline v0::hessian {

struct DecodeOptions {
  constexpr DecodeOptions() noexcept {}
  /// For parameters: null for a bool, number or char is an Error, as in Java. (Only at the top;
  /// within containers and structs null leaves the default.)
  bool null_scalar_is_error = false;
};

/// Writes the value of type `type` at `value`.
SETTEE_API Result<void> encode(Writer& writer, const TypeInfo& type, const void* value);
/// Reads the next value into the object of type `type` at `value`.
SETTEE_API Result<void> decode(Reader& reader, const TypeInfo& type, void* value,
                               DecodeOptions options = DecodeOptions());
/// Writes an exception that is nothing but a class and a message: the least every peer accepts.
SETTEE_API void encode_exception(Writer& writer, std::string_view class_name,
                                 std::string_view message);
/// Fills the object of type `type` at `out` with `value`, by the rules of decode().
SETTEE_API Result<void> convert(const Value& value, const TypeInfo& type, void* out);
/// A described value in generic form.
SETTEE_API Result<Value> to_value(const TypeInfo& type, const void* value);
/// One value as a message of its own.
SETTEE_API Result<Bytes> to_bytes(const TypeInfo& type, const void* value,
                                  Dialect dialect = Dialect::kSofa3);
/// Reads a message of one value. Bytes left over are an Error.
SETTEE_API Result<void> from_bytes(std::span<const std::uint8_t> bytes, const TypeInfo& type,
                                   void* value, Dialect dialect = Dialect::kSofa3,
                                   const Limits& limits = Limits());

template <class T>
Result<void> encode(Writer& writer, const T& value) {
  return encode(writer, type_of<T>(), &value);
}

template <class T>
Result<T> decode(Reader& reader, DecodeOptions options = DecodeOptions()) {
  Result<T> result = T{};
  if (Result<void> done = decode(reader, type_of<T>(), &*result, options); !done) {
    return done.error();
  }
  return result;
}

template <class T>
Result<T> convert(const Value& value) {
  Result<T> result = T{};
  if (Result<void> done = convert(value, type_of<T>(), &*result); !done) return done.error();
  return result;
}

template <class T>
Result<Value> to_value(const T& value) {
  return to_value(type_of<T>(), &value);
}

template <class T>
Result<Bytes> to_bytes(const T& value, Dialect dialect = Dialect::kSofa3) {
  return to_bytes(type_of<T>(), &value, dialect);
}

template <class T>
Result<T> from_bytes(std::span<const std::uint8_t> bytes, Dialect dialect = Dialect::kSofa3,
                     const Limits& limits = Limits()) {
  Result<T> result = T{};
  if (Result<void> done = from_bytes(bytes, type_of<T>(), &*result, dialect, limits); !done) {
    return done.error();
  }
  return result;
}

}  // namespace settee::inline v0::hessian
