// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/reader.h"

#include <gtest/gtest.h>

#include "settee/hessian/hessian_test_data.h"

namespace settee::hessian_test {
namespace {

using hessian::Container;
using hessian::Dialect;
using hessian::Limits;
using hessian::Reader;
using hessian::Token;
using hessian::Value;

std::string message(const Reader& reader) {
  return reader.ok() ? std::string() : reader.error().message();
}

TEST(Reader, StepsThroughARequest) {
  const Octets bytes = golden("sofa_contents.txt", "java request kinds");
  Reader reader(bytes);
  Container request;
  ASSERT_EQ(reader.peek(), Token::kObject);
  ASSERT_TRUE(reader.begin_object(request));
  EXPECT_EQ(request.type, "com.alipay.sofa.rpc.core.request.SofaRequest");
  EXPECT_EQ(request.count, 5u);
  EXPECT_EQ(request.reference, 0u);
  std::string_view method;
  std::string service;
  std::vector<std::string> signature;
  while (reader.next(request)) {
    if (request.field == "methodName") {
      EXPECT_TRUE(reader.read_string(method));
      // It lies in the input, no copy.
      EXPECT_GE(reinterpret_cast<const std::uint8_t*>(method.data()), bytes.data());
      EXPECT_LT(reinterpret_cast<const std::uint8_t*>(method.data()), bytes.data() + bytes.size());
    } else if (request.field == "targetServiceUniqueName") {
      EXPECT_TRUE(reader.read_string(service));
    } else if (request.field == "methodArgSigs") {
      Container list;
      ASSERT_TRUE(reader.begin_list(list));
      EXPECT_EQ(list.type, "[string");
      EXPECT_EQ(list.count, 8u);
      EXPECT_EQ(list.reference, 2u);
      std::string_view element;
      while (reader.next(list) && reader.read_string(element)) signature.emplace_back(element);
    } else if (request.field == "targetAppName") {
      EXPECT_EQ(reader.peek(), Token::kNull);
      EXPECT_TRUE(reader.read_null());
    } else {
      EXPECT_EQ(reader.peek(), Token::kMap);
      EXPECT_TRUE(reader.skip());
    }
  }
  ASSERT_TRUE(reader.ok()) << message(reader);
  EXPECT_EQ(method, "kinds");
  EXPECT_EQ(service, "com.example.HelloService:1.0");
  EXPECT_EQ(signature.size(), 8u);
  EXPECT_EQ(signature[6], "[Ljava.lang.String;");

  Bytes binary;
  EXPECT_TRUE(reader.read_bytes(binary));
  EXPECT_EQ(to_hex(binary.span()), "010203");
  Date date;
  EXPECT_TRUE(reader.read_date(date));
  EXPECT_EQ(date.time_since_epoch().count(), 0x15d3ef79800);
  Container list;
  ASSERT_TRUE(reader.begin_list(list));
  EXPECT_EQ(list.type, "");
  std::size_t items = 0;
  for (; reader.next(list); ++items) EXPECT_TRUE(reader.skip());
  EXPECT_EQ(items, 2u);
  Container map;
  ASSERT_TRUE(reader.begin_map(map));
  ASSERT_TRUE(reader.next(map));
  std::string_view key;
  std::int32_t value = 0;
  EXPECT_TRUE(reader.read_string(key) && reader.read_int(value));
  EXPECT_EQ(key, "k");
  EXPECT_EQ(value, 1);
  EXPECT_FALSE(reader.next(map));
  Container decimal;
  ASSERT_TRUE(reader.begin_object(decimal));
  EXPECT_EQ(decimal.type, "java.math.BigDecimal");
  ASSERT_TRUE(reader.next(decimal));
  EXPECT_EQ(decimal.field, "value");
  EXPECT_TRUE(reader.read_string(service));
  EXPECT_EQ(service, "12.34");
  EXPECT_FALSE(reader.next(decimal));
  EXPECT_TRUE(reader.skip());  // the enum
  ASSERT_TRUE(reader.begin_list(list));
  EXPECT_EQ(list.type, "[string");  // named by number
  while (reader.next(list)) EXPECT_TRUE(reader.skip());
  EXPECT_TRUE(reader.skip());
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(reader.peek(), Token::kEnd);
  EXPECT_TRUE(reader.ok());
}

TEST(Reader, NumbersConvertWhereNothingIsLost) {
  const auto as_int = [](const char* hex) {
    const Octets bytes = from_hex(hex);
    Reader reader(bytes);
    std::int32_t value = -1;
    return reader.read_int(value) ? std::to_string(value) : message(reader);
  };
  EXPECT_EQ(as_int("e1"), "1");  // a long
  EXPECT_EQ(as_int("777fffffff"), "2147483647");
  EXPECT_EQ(as_int("6980"), "-128");  // a double
  EXPECT_EQ(as_int("4c0000000080000000"), "hessian: 2147483648 does not fit an int at byte 0");
  EXPECT_EQ(as_int("6b3f000000"), "hessian: 0.500000 is not an int at byte 0");
  EXPECT_EQ(as_int("447ff8000000000000"), "hessian: nan is not an int at byte 0");
  EXPECT_EQ(as_int("54"), "hessian: expected an int, found a bool at byte 0");
  EXPECT_EQ(as_int("0131"), "hessian: expected an int, found a string at byte 0");
  EXPECT_EQ(as_int("4900"), "hessian: the input ends within a value at byte 2");
  EXPECT_EQ(as_int(""), "hessian: the input ends within a value at byte 0");

  double number = 0;
  const Octets bytes = from_hex("93 77000f4240 6b40100000 5f");
  Reader reader(bytes);
  EXPECT_TRUE(reader.read_double(number));
  EXPECT_EQ(number, 3.0);
  EXPECT_TRUE(reader.read_double(number));
  EXPECT_EQ(number, 1000000.0);
  EXPECT_TRUE(reader.read_double(number));
  EXPECT_EQ(number, 2.25);
  EXPECT_FALSE(reader.read_double(number));
  EXPECT_EQ(message(reader), "hessian: expected a double, found no value (code 0x5f) at byte 11");
}

TEST(Reader, TheFirstFailureSticks) {
  const Octets bytes = from_hex("54 91 92");
  Reader reader(bytes);
  std::int32_t value = 0;
  EXPECT_FALSE(reader.read_int(value));
  EXPECT_FALSE(reader.read_int(value));
  EXPECT_EQ(reader.peek(), Token::kFailed);
  EXPECT_FALSE(reader.skip());
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(reader.error().code(), Code::kDecode);
  EXPECT_EQ(message(reader), "hessian: expected an int, found a bool at byte 0");
  EXPECT_FALSE(reader.status().ok());
  Reader own(bytes);
  own.fail(Code::kProtocol, "no method name");
  EXPECT_EQ(own.error().code(), Code::kProtocol);
  EXPECT_FALSE(hessian::decode<bool>(own).ok());
}

TEST(Reader, TextsOfEveryForm) {
  const auto read = [](std::string_view hex, Dialect dialect = Dialect::kSofa3) {
    const Octets bytes = from_hex(hex);
    Reader reader(bytes, dialect);
    std::string copy;
    const std::string result = reader.read_string(copy) ? copy : message(reader);
    EXPECT_TRUE(!reader.ok() || reader.at_end());
    // The view, the skip and the generic value agree.
    Reader viewing(bytes, dialect);
    std::string_view view;
    EXPECT_EQ(viewing.read_string(view), reader.ok());
    if (reader.ok()) {
      EXPECT_EQ(view, copy);
    }
    Reader skipping(bytes, dialect);
    EXPECT_EQ(skipping.skip(), reader.ok());
    const Result<Value> value = hessian::from_bytes<Value>(bytes, dialect);
    EXPECT_EQ(value.ok(), reader.ok());
    if (value.ok()) {
      EXPECT_EQ(*value, Value(copy));
    }
    return result;
  };
  EXPECT_EQ(read("00"), "");
  EXPECT_EQ(read("02e4b8ade69687"), "\u4e2d\u6587");
  EXPECT_EQ(read("530001 61"), "a");
  EXPECT_EQ(read("580001 61"), "a");  // X and x, which old writers used
  EXPECT_EQ(read("780001 61 0162"), "ab");
  EXPECT_EQ(read("730001 61 730001 62 0163"), "abc");  // pieces
  EXPECT_EQ(read("730000 730000 00"), "");
  EXPECT_EQ(read("3002 6162", Dialect::kHessian2), "ab");
  EXPECT_EQ(read("520001 61 530001 62", Dialect::kHessian2), "ab");
  // A pair of surrogates in one piece and across two.
  EXPECT_EQ(read("02 eda0bd edb880"), "\U0001f600");
  EXPECT_EQ(read("730001 eda0bd 01 edb880"), "\U0001f600");
  EXPECT_EQ(read("730002 61 eda0bd 03 edb880 6262"),
            "a\U0001f600"
            "bb");
  // Lone ones.
  EXPECT_EQ(read("02 eda0bd 61"),
            "\ufffd"
            "a");
  EXPECT_EQ(read("01 edb880"), "\ufffd");
  EXPECT_EQ(read("02 eda0bd eda0bd"), "\ufffd\ufffd");
  EXPECT_EQ(read("730001 eda0bd 00"), "\ufffd");
  // Four bytes, which Java refuses, are two units here.
  EXPECT_EQ(read("02 f09f9880"), "\U0001f600");
  EXPECT_EQ(read("01 f09f9880"), "hessian: malformed character 0xf0 in a text at byte 1");
  // The modified form of NUL, and other overlong ones, become what they spell.
  EXPECT_EQ(read("01 c080"), std::string(1, '\0'));
  EXPECT_EQ(read("01 e081a1"), "a");
  EXPECT_EQ(read("02 61ff"), "hessian: malformed character 0xff in a text at byte 2");
  EXPECT_EQ(read("01 80"), "hessian: malformed character 0x80 in a text at byte 1");
  EXPECT_EQ(read("01 e4b8"), "hessian: the input ends within a value at byte 3");
  EXPECT_EQ(read("02 e4b8 61"), "hessian: malformed character 0xe4 in a text at byte 1");
  EXPECT_EQ(read("02 f4908080"), "hessian: malformed character 0xf4 in a text at byte 1");
  EXPECT_EQ(read("53ffff 61"), "hessian: the input ends within a value at byte 4");
  EXPECT_EQ(read("730001 61"), "hessian: the input ends within a value at byte 4");
  EXPECT_EQ(read("730001 61 91"),
            "hessian: expected the next piece of a string, found an int at byte 4");
}

// Short texts are read in one go where enough bytes follow, and otherwise where the input ends.
TEST(Reader, TextsOfAllLengthsWhateverFollows) {
  for (std::size_t length = 0; length < 70; ++length) {
    for (std::size_t odd = 0; odd <= length; odd += length < 34 ? 1 : 5) {
      std::string text(length, 'x');
      if (odd < length) text.replace(odd, 1, "\u00e9");
      for (const std::size_t behind : {0, 1, 31, 32, 33, 100}) {
        const std::vector<std::string> texts = {text, std::string(behind, 'y')};
        const Bytes bytes = hessian::to_bytes(texts).value();
        EXPECT_EQ(hessian::from_bytes<std::vector<std::string>>(bytes.span()).value(), texts);
        EXPECT_EQ(hessian::from_bytes<Value>(bytes.span()).value(), Value::list({text, texts[1]}));
        Reader reader(bytes.span());
        EXPECT_TRUE(reader.skip() && reader.at_end());
        // Into strings that hold something.
        std::vector<std::string> full(2, std::string(20, 'z'));
        Reader again(bytes.span());
        Container list;
        ASSERT_TRUE(again.begin_list(list));
        for (std::string& one : full) {
          ASSERT_TRUE(again.next(list));
          ASSERT_TRUE(hessian::decode(again, type_of<std::string>(), &one).ok());
        }
        EXPECT_EQ(full, texts);
      }
    }
  }
}

TEST(Reader, BinariesOfEveryForm) {
  const auto read = [](std::string_view hex, Dialect dialect = Dialect::kSofa3) {
    const Octets bytes = from_hex(hex);
    Reader reader(bytes, dialect);
    Bytes copy;
    const std::string result = reader.read_bytes(copy) ? to_hex(copy.span()) : message(reader);
    EXPECT_TRUE(!reader.ok() || reader.at_end());
    Reader skipping(bytes, dialect);
    EXPECT_EQ(skipping.skip(), reader.ok());
    return result;
  };
  EXPECT_EQ(read("20"), "");
  EXPECT_EQ(read("23010203"), "010203");
  EXPECT_EQ(read("420002 0102"), "0102");
  EXPECT_EQ(read("620001 01 620002 0203 2104"), "01020304");
  EXPECT_EQ(read("3402 0102", Dialect::kHessian2), "0102");
  EXPECT_EQ(read("410001 01 420001 02", Dialect::kHessian2), "0102");
  EXPECT_EQ(read("42ffff 00"), "hessian: the input ends within a value at byte 4");
  EXPECT_EQ(read("620001 01 0161"),
            "hessian: expected the next piece of a binary, found a string at byte 4");
}

TEST(Reader, ListsOfEveryForm) {
  const auto read = [](std::string_view hex, Dialect dialect = Dialect::kSofa3) {
    const Result<Value> value = hessian::from_bytes<Value>(from_hex(hex), dialect);
    return value.ok() ? value->to_string() : value.error().message();
  };
  EXPECT_EQ(read("566e029192 7a"), "[1, 2]");
  EXPECT_EQ(read("566c000000029192 7a"), "[1, 2]");
  EXPECT_EQ(read("5691927a"), "[1, 2]");  // no length
  EXPECT_EQ(read("567a"), "[]");
  EXPECT_EQ(read("567400045b696e7491927a"), "[int[1, 2]");  // type, no length
  EXPECT_EQ(read("566e02 567400045b696e746e007a 56759 06e01917a 7a"), "[[int[], [int[1]]");
  EXPECT_EQ(read("566e02 567400045b696e746e007a 5654906e01917a 7a"),
            "[[int[], [int[1]]");            // T form
  EXPECT_EQ(read("5654907a"), "[true, 0]");  // which that is not
  EXPECT_EQ(read("566e02 567400045b696e746e007a 76909191 7a"), "[[int[], [int[1]]");
  const Dialect four = Dialect::kHessian2;
  EXPECT_EQ(read("7a9192", four), "[1, 2]");
  EXPECT_EQ(read("58929192", four), "[1, 2]");
  EXPECT_EQ(read("5791925a", four), "[1, 2]");
  EXPECT_EQ(read("55045b696e7491925a", four), "[int[1, 2]");
  EXPECT_EQ(read("56045b696e74929192", four), "[int[1, 2]");
  EXPECT_EQ(read("72045b696e749192", four), "[int[1, 2]");
  EXPECT_EQ(read("7a 70045b696e74 55905a", four), "[[int[], [int[]]");

  EXPECT_EQ(read("566e02917a"),
            "hessian: [1]: expected a value, found no value (code 0x7a) at byte 4");
  EXPECT_EQ(read("566e0191"), "hessian: the input ends within a value at byte 4");
  EXPECT_EQ(read("566e019192"), "hessian: expected the end of a list, found an int at byte 4");
  EXPECT_EQ(read("566cffffffff"), "hessian: limit 'elements' of 1000000 exceeded at byte 6");
  EXPECT_EQ(read("566c000f0000"), "hessian: 983040 elements announced, 0 bytes left at byte 6");
  EXPECT_EQ(read("769091"), "hessian: type name 0 has not come, there are 0 at byte 1");
  EXPECT_EQ(read("58d7ffff", four), "hessian: 262143 elements announced, 0 bytes left at byte 4");
  EXPECT_EQ(read("588f", four), "hessian: -1 does not fit the length of a list at byte 1");
}

TEST(Reader, MapsOfEveryForm) {
  const auto read = [](std::string_view hex, Dialect dialect = Dialect::kSofa3) {
    const Result<Value> value = hessian::from_bytes<Value>(from_hex(hex), dialect);
    return value.ok() ? value->to_string() : value.error().message();
  };
  EXPECT_EQ(read("4d7a"), "{}");
  EXPECT_EQ(read("4d54917a"), "{true: 1}");
  EXPECT_EQ(read("4d740001 58 0161917a"), "X{\"a\": 1}");
  EXPECT_EQ(read("566e02 4d740001587a 4d75907a 7a"), "[X{}, X{}]");
  EXPECT_EQ(read("4d740000 7a"), "{}");
  const Dialect four = Dialect::kHessian2;
  EXPECT_EQ(read("485a", four), "{}");
  EXPECT_EQ(read("4d0158 9192 5a", four), "X{1: 2}");
  EXPECT_EQ(read("7a 4d01585a 4d905a", four), "[X{}, X{}]");
  EXPECT_EQ(read("4d917a"), "hessian: [1]: expected a value, found no value (code 0x7a) at byte 2");
  EXPECT_EQ(read("4d9192"), "hessian: the input ends within a value at byte 3");
}

TEST(Reader, ClassDefinitions) {
  const auto read = [](std::string_view hex, Dialect dialect = Dialect::kSofa3) {
    const Result<Value> value = hessian::from_bytes<Value>(from_hex(hex), dialect);
    return value.ok() ? value->to_string() : value.error().message();
  };
  EXPECT_EQ(read("4f914190 6f90"), "A{}");
  EXPECT_EQ(read("4f914191 0178 4f914291 0179 6f9191"), "B{y: 1}");  // several before one value
  EXPECT_EQ(read("566e02 4f914191 0178 6f9091 4f914191 0178 6f9192 7a"), "[A{x: 1}, A{x: 2}]");
  // A class name that is no ASCII; its length counts characters.
  EXPECT_EQ(read("4f92e4b8ade69687 90 6f90"), "\u4e2d\u6587{}");
  EXPECT_EQ(read("4f92eda0bdedb880 91 02eda0bdedb880 6f9091"), "\U0001f600{\U0001f600: 1}");
  const Dialect four = Dialect::kHessian2;
  EXPECT_EQ(read("43014191 0178 6091", four), "A{x: 1}");
  EXPECT_EQ(read("43014191 0178 4f9091", four), "A{x: 1}");

  EXPECT_EQ(read("6f90"), "hessian: class definition 0 has not come, there are 0 at byte 0");
  EXPECT_EQ(read("4f914190 6f91"),
            "hessian: class definition 1 has not come, there are 1 at byte 4");
  EXPECT_EQ(read("4f914190"), "hessian: the input ends within a value at byte 4");
  EXPECT_EQ(read("4f914191 91"), "hessian: expected the name of a field, found an int at byte 4");
  EXPECT_EQ(read("4f8f"), "hessian: -1 does not fit the length of a class name at byte 1");
  EXPECT_EQ(read("4f9141 49000fffff"), "hessian: limit 'elements' of 1000000 exceeded at byte 8");
  EXPECT_EQ(read("4f9141 490000ffff"), "hessian: 65535 fields announced, 0 bytes left at byte 8");
  // A definition within a definition must not lead into recursion.
  EXPECT_EQ(read(std::string(200'000, '4') + std::string(2, 'f')).substr(0, 9), "hessian: ");
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "4f";
  EXPECT_EQ(read(nested),
            "hessian: expected the length of a class name, found no value (code 0x4f) at byte 1");
}

TEST(Reader, References) {
  const auto read = [](std::string_view hex, Dialect dialect = Dialect::kSofa3) {
    const Result<Value> value = hessian::from_bytes<Value>(from_hex(hex), dialect);
    return value.ok() ? value->to_string() : value.error().message();
  };
  EXPECT_EQ(read("566e02 566e01917a 4a017a"), "[[1], [1]]");
  EXPECT_EQ(read("566e02 566e01917a 4b00017a"), "[[1], [1]]");
  EXPECT_EQ(read("566e02 566e01917a 52000000017a"), "[[1], [1]]");
  EXPECT_EQ(read("7a 7991 5191", Dialect::kHessian2), "[[1], [1]]");
  EXPECT_EQ(read("566e014a007a"), "[<cycle>]");
  EXPECT_EQ(read("566e014a017a"),
            "hessian: [0]: reference 1 to a value that has not come, there are 1 at byte 3");
  EXPECT_EQ(read("4a00"),
            "hessian: reference 0 to a value that has not come, there are 0 at byte 0");
  EXPECT_EQ(read("52ffffffff"),
            "hessian: reference 4294967295 to a value that has not come, there are 0 at byte 0");
  std::uint32_t number = 0;
  const Octets bytes = from_hex("567a 4a00");
  Reader reader(bytes);
  EXPECT_TRUE(reader.skip());
  EXPECT_EQ(reader.peek(), Token::kReference);
  EXPECT_TRUE(reader.read_reference(number));
  EXPECT_EQ(number, 0u);
}

TEST(Reader, BytesLeftBehindAreAnError) {
  EXPECT_EQ(hessian::from_bytes<std::int32_t>(from_hex("9191")).error().message(),
            "hessian: 1 bytes are left behind the value at byte 1");
}

TEST(Reader, TellsTheDialectsApart) {
  EXPECT_EQ(hessian::detect_dialect(0x4f), Dialect::kSofa3);
  EXPECT_EQ(hessian::detect_dialect(0x43), Dialect::kHessian2);
  EXPECT_EQ(hessian::detect_dialect(0x4e), std::nullopt);
  EXPECT_EQ(hessian::detect_dialect(golden("sofa_contents.txt", "node request sayHello")[0]),
            Dialect::kSofa3);
}

// ---- limits: each has its test; the message names it, its value and the offset ----

Limits with(std::uint32_t Limits::*limit, std::uint32_t value) {
  Limits limits;
  limits.*limit = value;
  return limits;
}

std::string refused(std::span<const std::uint8_t> bytes, const Limits& limits) {
  // Whether it is read as a generic value or read over makes no difference, save for memory.
  const Result<Value> value = hessian::from_bytes<Value>(bytes, Dialect::kSofa3, limits);
  if (value.ok()) return "";
  EXPECT_EQ(value.error().code(), Code::kLimit);
  return value.error().message();
}

std::string nested_lists(int depth) {
  std::string hex;
  for (int i = 0; i < depth; ++i) hex += "566e01";
  hex += "91";
  for (int i = 0; i < depth; ++i) hex += "7a";
  return hex;
}

TEST(Limit, Depth) {
  EXPECT_EQ(refused(from_hex(nested_lists(256)), Limits()), "");
  const Octets deep = from_hex(nested_lists(257));
  const std::string message = refused(deep, Limits());
  EXPECT_NE(message.find("limit 'depth' of 256 exceeded at byte 768"), std::string::npos)
      << message;
  EXPECT_EQ(refused(deep, with(&Limits::depth, 257)), "");
  Reader reader(deep);
  EXPECT_FALSE(reader.skip());
  EXPECT_EQ(reader.error().code(), Code::kLimit);
  std::string endless;
  for (int i = 0; i < 200'000; ++i) endless += "56";
  EXPECT_FALSE(Reader(from_hex(endless)).skip());
}

TEST(Limit, Elements) {
  EXPECT_EQ(refused(from_hex("566e0391919 17a"), with(&Limits::elements, 3)), "");
  EXPECT_EQ(refused(from_hex("566e0391919 17a"), with(&Limits::elements, 2)),
            "hessian: limit 'elements' of 2 exceeded at byte 3");
  EXPECT_EQ(refused(from_hex("569191917a"), with(&Limits::elements, 2)),
            "hessian: limit 'elements' of 2 exceeded at byte 3");
  EXPECT_EQ(refused(from_hex("4d9191929293937a"), with(&Limits::elements, 2)),
            "hessian: limit 'elements' of 2 exceeded at byte 5");
  EXPECT_EQ(refused(from_hex("4f914192017801796f909192"), with(&Limits::elements, 1)),
            "hessian: limit 'elements' of 1 exceeded at byte 4");
}

TEST(Limit, Nodes) {
  EXPECT_EQ(refused(from_hex("566e0391919 17a"), with(&Limits::nodes, 3)), "");
  EXPECT_EQ(refused(from_hex("566e0391919 17a"), with(&Limits::nodes, 2)),
            "hessian: limit 'nodes' of 2 exceeded at byte 3");
  EXPECT_EQ(refused(from_hex("4d919192927a"), with(&Limits::nodes, 4)), "");
  EXPECT_EQ(refused(from_hex("4d919192927a"), with(&Limits::nodes, 3)),
            "hessian: limit 'nodes' of 3 exceeded at byte 3");
  EXPECT_EQ(refused(from_hex("4f914192017801796f909192"), with(&Limits::nodes, 1)),
            "hessian: limit 'nodes' of 1 exceeded at byte 10");
}

TEST(Limit, Bytes) {
  Limits limits;
  limits.bytes = 10;
  const Octets text = from_hex("0b6161616161616161616161");
  EXPECT_EQ(refused(text, limits).substr(0, 45), "hessian: limit 'bytes' of 10 exceeded at byte");
  EXPECT_FALSE(hessian::from_bytes<std::string>(text, Dialect::kSofa3, limits).ok());
  const Octets binary = from_hex("2b6161616161616161616161");
  EXPECT_EQ(hessian::from_bytes<Bytes>(binary, Dialect::kSofa3, limits).error().code(),
            Code::kLimit);
  // A list of empty structs costs memory too.
  const Octets nulls = from_hex("566e044e4e4e4e7a");
  EXPECT_EQ(hessian::from_bytes<std::vector<Point>>(nulls, Dialect::kSofa3, limits).error().code(),
            Code::kLimit);
}

TEST(Limit, ClassDefinitions) {
  const Octets two = from_hex("4f914190 4f914190 6f91");
  EXPECT_EQ(refused(two, with(&Limits::class_definitions, 2)), "");
  EXPECT_EQ(refused(two, with(&Limits::class_definitions, 1)),
            "hessian: limit 'class_definitions' of 1 exceeded at byte 8");
}

TEST(Limit, TypeNames) {
  const Octets lists = from_hex("566e02 56740001587a 56740001597a 7a");
  EXPECT_EQ(refused(lists, with(&Limits::type_names, 2)), "");
  EXPECT_EQ(refused(lists, with(&Limits::type_names, 1)),
            "hessian: [1]: limit 'type_names' of 1 exceeded at byte 14");
}

TEST(Limit, References) {
  const Octets lists = from_hex("566e02 567a 567a 7a");
  EXPECT_EQ(refused(lists, with(&Limits::references, 3)), "");
  EXPECT_EQ(refused(lists, with(&Limits::references, 2)),
            "hessian: [1]: limit 'references' of 2 exceeded at byte 5");
}

TEST(Limit, BigIntegerWords) {
  Buffer out;
  hessian::Writer writer(out);
  BigInteger number("1" + std::string(2000, '0'));  // 6645 bits
  ASSERT_TRUE(hessian::encode(writer, number).ok());
  EXPECT_EQ(hessian::from_bytes<BigInteger>(out.bytes().span()).value(), number);
  const auto error = hessian::from_bytes<BigInteger>(out.bytes().span(), Dialect::kSofa3,
                                                     with(&Limits::big_integer_words, 207));
  ASSERT_FALSE(error.ok());
  EXPECT_NE(error.error().message().find("limit 'big_integer_words' of 207 exceeded"),
            std::string::npos)
      << error.error().what();
}

// Each list holds the one before twice: 2^30 numbers in 200 bytes, if one lets it.
TEST(Limit, ReferencesThatMultiplyAreCounted) {
  std::string hex = "566e1f 566e01917a";
  for (int i = 1; i < 0x1f; ++i) {
    char text[40];
    std::snprintf(text, sizeof text, "566e024a%02x4a%02x7a", i, i);
    hex += text;
  }
  hex += "7a";
  const Octets bytes = from_hex(hex);
  // Generic values share, however often.
  const Result<Value> shared = hessian::from_bytes<Value>(bytes);
  ASSERT_TRUE(shared.ok()) << shared.error().what();
  EXPECT_TRUE((*shared)[30][0].same_node((*shared)[30][1]));
  // Typed ones are copies, and those count.
  using Level0 = std::vector<std::int32_t>;
  using Level3 = std::vector<std::vector<std::vector<Level0>>>;
  using Level9 =
      std::vector<std::vector<std::vector<std::vector<std::vector<std::vector<Level3>>>>>>;
  (void)sizeof(Level9);
  Limits limits;
  limits.nodes = 1000;
  Container outer;
  Reader reader(bytes, Dialect::kSofa3, limits);
  ASSERT_TRUE(reader.begin_list(outer));
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(reader.next(outer));
    ASSERT_TRUE(reader.skip());
  }
  ASSERT_TRUE(reader.next(outer));
  Level9 level;
  const Result<void> read = hessian::decode(reader, type_of<Level9>(), &level);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code(), Code::kLimit);
  EXPECT_NE(read.error().message().find("limit 'nodes' of 1000 exceeded"), std::string::npos)
      << read.error().what();
}

TEST(Reader, GoesOnBehindABeginningThatWasReadBefore) {
  const Octets bytes = golden("sofa_contents.txt", "java request kinds");
  const auto read_head = [](Reader& reader) {
    Container request;
    EXPECT_TRUE(reader.begin_object(request));
    while (reader.next(request)) reader.skip();
  };
  const auto read_rest = [](Reader& reader) {
    std::vector<Value> values;
    while (reader.ok() && !reader.at_end()) {
      Result<Value> value = hessian::decode<Value>(reader);
      EXPECT_TRUE(value.ok());
      values.push_back(*std::move(value));
    }
    return values;
  };
  hessian::ReaderState state;
  EXPECT_FALSE(state.fits(bytes));
  std::vector<Value> first;
  {
    const Octets gone = bytes;  // the state must not look at the bytes it was taken from
    Reader reader(gone);
    read_head(reader);
    ASSERT_TRUE(state.take(reader));
    first = read_rest(reader);
  }
  ASSERT_EQ(first.size(), 8u);
  ASSERT_TRUE(state.fits(bytes));
  Reader again(bytes, state);
  EXPECT_GT(again.offset(), 100u);
  EXPECT_EQ(read_rest(again), first);
  EXPECT_TRUE(again.ok());

  Octets other = bytes;
  other[60] ^= 1;
  EXPECT_FALSE(state.fits(other));
  EXPECT_FALSE(state.fits(std::span(bytes).first(40)));

  // A Reader that has made generic values cannot be continued elsewhere.
  Reader whole(bytes);
  read_head(whole);
  read_rest(whole);
  hessian::ReaderState none;
  EXPECT_FALSE(none.take(whole));
  EXPECT_FALSE(none.fits(bytes));
}

}  // namespace
}  // namespace settee::hessian_test
