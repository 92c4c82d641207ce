// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// JSON text for described types and for hessian::Value, as Jackson writes and reads it on the other
// side of SOFARPC's codec 12 and of HTTP.
//
//   Result<std::string> text = json::to_json(order);         // {"id":"7","cents":1250,"side":"BUY"}
//   Result<Order> order = json::from_json<Order>(*text);
//   Result<hessian::Value> any = json::parse_value(R"({"$class":"com.acme.Order","cents":1250})");
//   json::to_text(*any, json::Layout::kPretty);              // for people
//
// C++ ↔ JSON:
//   struct                  object of its members; unknown names are read over, missing ones and null
//                           leave the member as it was
//   enum                    the enumerator's name
//   integers, Duration      number; 3.0 and 1e3 are read as well, as they are whole
//   float, double           number; the texts "NaN", "Infinity" and "-Infinity" where it is none
//   char16_t                string of one UTF-16 unit; Array<char16_t> is one string
//   std::string             string; written, bytes that are no UTF-8 become U+FFFD
//   Bytes                   string of Base64 (read in either alphabet, with or without padding)
//   Date                    number of milliseconds; read also from ISO 8601 text (UTC if it names no
//                           zone)
//   Decimal, BigInteger     number with its very digits; read also from a string
//   optional, pointers      null or the value
//   vector, Array, sets     array
//   maps                    object; numbers, bools, enumerators, dates and chars as names too
//   variant                 the alternative; read as the struct that "$class" names, else as the first
//                           alternative that fits (of structs first one that knows all the names)
//   hessian::Value          as parse_value() and write() of a Value have it
//   protobuf messages       an Error
// Of equal names in an object the last counts.
//
// hessian::Value from JSON: objects are maps, arrays lists, whole numbers ints or longs (beyond 64 bits
// a java.math.BigInteger), others doubles. "$class" names a Java type, as in sofa-rpc-node:
//   {"$class": "com.acme.Order", "$": {"cents": 1250}}     an object; so is
//   {"$class": "com.acme.Order", "cents": 1250}
//   {"$class": "com.acme.Side", "$": {"name": "BUY"}}      an enum constant; so is "$": "BUY"
//   {"$class": "long", "$": 5}    also boolean, byte, short, int, float, double, char and their boxes,
//                                 java.lang.String, java.math.BigDecimal and BigInteger (number or
//                                 text), java.util.Date (milliseconds or ISO 8601)
//   {"$class": "[B", "$": "AQI="} byte[]
//   {"$class": "[I", "$": [1, 2]} arrays, also as "int[]" or "[int": items take the element's class
//   {"$class": "java.util.HashSet", "$": [1]}, {"$class": "java.util.TreeMap", "$": {"a": 1}}
//                                 collections; a map may also be an array of [key, value] pairs
// The flags "isArray", "isMap" and "isEnum" beside "$" say what a class is; others are ignored. A class
// name is data: nothing is made because of it.
//
// Errors: kDecode with the JSON path ("$.lines[3].price"), what was expected and found, and the offset;
// kEncode with the path; kLimit. After a kDecode the value is partly filled; after an Error in writing
// the Buffer is as it was.
//
// Threads: plain functions.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/bytes.h"
#include "settee/base/result.h"
#include "settee/base/type_info.h"
#include "settee/hessian/value.h"

namespace settee::inline v0 {

struct ParameterInfo;  // settee/base/service.h

namespace json {

/// What one text may cost its reader. Going over one is an Error of code kLimit that gives the limit's
/// name and value.
struct Limits {
  constexpr Limits() noexcept {}

  /// Arrays and objects within each other. More than 1000 count as 1000.
  std::uint32_t depth = 128;
  /// Items of one array, names of one object.
  std::uint32_t elements = 1'000'000;
  /// Values and names in all. What a variant's alternatives try to read counts again.
  std::uint32_t nodes = 10'000'000;
  /// Bytes of JSON text.
  std::uint64_t text = 64 * 1024 * 1024;
  /// Bytes of texts, binaries and container elements made while reading.
  std::uint64_t bytes = 256 * 1024 * 1024;
};

struct ReadOptions {
  constexpr ReadOptions() noexcept {}
  constexpr ReadOptions(const Limits& l) noexcept : limits(l) {}

  Limits limits;
  /// An object's name that the struct (or the method's parameters) does not have is an Error. "$class"
  /// is always allowed.
  bool reject_unknown = false;
};

enum class Layout : std::uint8_t {
  kCompact,
  kPretty,  ///< A line for each item, indented by two spaces.
};

enum class TypeNames : std::uint8_t {
  kNone,
  /// Structs and typed objects begin with "$class".
  kObjects,
  /// And all of a Value that JSON itself cannot tell (longs that look like ints, dates, bytes, typed
  /// lists and maps) stands in the "$class" form: parse_value() makes an equal Value of it.
  kAll,
};

struct WriteOptions {
  constexpr WriteOptions() noexcept {}
  constexpr WriteOptions(Layout l) noexcept : layout(l) {}

  Layout layout = Layout::kCompact;
  TypeNames type_names = TypeNames::kNone;
  /// Dates as "2024-05-01T12:00:00.000Z" (in years 0 to 9999) instead of milliseconds.
  bool dates_as_text = false;
  /// A list, map or object of a Value that has been written before becomes {"$ref":"$.its.path"}. Else
  /// it is written again, and one that contains itself is an Error.
  bool references = false;
  /// Arrays and objects within each other: a std::shared_ptr may lead in a circle.
  std::uint32_t depth = 1000;
  /// Values written for one Value, to end what sharing would multiply.
  std::uint32_t nodes = 10'000'000;
};

/// Writes the value of type `type` at `value`. void is null.
SETTEE_API Result<void> write(Buffer& out, const TypeInfo& type, const void* value,
                              const WriteOptions& options = WriteOptions());
SETTEE_API Result<std::string> to_json(const TypeInfo& type, const void* value,
                                       const WriteOptions& options = WriteOptions());
/// Reads one JSON text into the object of type `type` at `value`. null is an Error for a bool, number or
/// char, else it leaves the value as it is. For void any text will do, also an empty one.
SETTEE_API Result<void> read(std::string_view text, const TypeInfo& type, void* value,
                             const ReadOptions& options = ReadOptions());

/// Generic values, see above.
SETTEE_API Result<hessian::Value> parse_value(std::string_view text,
                                              const ReadOptions& options = ReadOptions());
/// For people and tools: never fails, dates as text, whatever occurs again as {"$ref":"$.its.path"}.
SETTEE_API std::string to_text(const hessian::Value& value, Layout layout = Layout::kCompact,
                               TypeNames type_names = TypeNames::kNone);

/// Reads a call's arguments into the objects of the parameters' types at `places`. The text is what
/// write_arguments() writes, or
///   - an object of the parameters' names (an argument that may be null may be missing), unless the only
///     parameter may itself be written as an object,
///   - an array of all arguments also where there is only one, if it is not itself such an array,
///   - nothing, [], {} or null where there are no parameters.
SETTEE_API Result<void> read_arguments(std::string_view text,
                                       std::span<const ParameterInfo> parameters,
                                       void* const* places,
                                       const ReadOptions& options = ReadOptions());
/// Writes a call's arguments as SOFARPC's codec 12 has them: one argument as it is, else an array.
SETTEE_API Result<void> write_arguments(Buffer& out, std::span<const ParameterInfo> parameters,
                                        const void* const* arguments,
                                        const WriteOptions& options = WriteOptions());
/// The arguments of a call whose types are not known: an array of them, or one that is no array, or
/// nothing. With `java_types` there must be one argument of each, read as behind "$class".
SETTEE_API Result<std::vector<hessian::Value>> parse_arguments(
    std::string_view text, std::span<const std::string> java_types = {},
    const ReadOptions& options = ReadOptions());

template <class T>
Result<std::string> to_json(const T& value, const WriteOptions& options = WriteOptions()) {
  return to_json(type_of<T>(), &value, options);
}

template <class T>
Result<T> from_json(std::string_view text, const ReadOptions& options = ReadOptions()) {
  Result<T> result = T{};
  if (Result<void> done = read(text, type_of<T>(), &*result, options); !done) return done.error();
  return result;
}

}  // namespace json
}  // namespace settee::inline v0
