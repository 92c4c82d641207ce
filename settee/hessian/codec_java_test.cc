// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The table C++ ↔ Java: what our side writes is what Java writes, and what Java writes is read.

#include <gtest/gtest.h>

#include "settee/hessian/codec_test_support.h"

namespace settee::hessian_test {
namespace {

using hessian::Dialect;
using hessian::Value;

TEST(Codec, WritesWhatJavaWrites) {
  for (const auto& [file, dialect] : {std::pair{"golden_sofa3.txt", Dialect::kSofa3},
                                      std::pair{"golden_hessian2.txt", Dialect::kHessian2}}) {
    const auto java = [f = file](const char* name) { return to_hex(golden(f, name)); };
    SCOPED_TRACE(file);
    const auto hex = [d = dialect](const auto& value) { return hex_of(value, d); };
    EXPECT_EQ(hex(std::vector<Value>{1, "a"}), java("ArrayList[1,a]"));
    EXPECT_EQ(hex(std::vector<std::int32_t>{}), java("ArrayList[]"));
    EXPECT_EQ(hex(std::set<std::int32_t>{1}), java("HashSet[1]"));
    EXPECT_EQ(hex(Array<std::int32_t>({1, 2})), java("int[]{1,2}"));
    EXPECT_EQ(hex(Array<std::int32_t>()), java("int[]0"));
    EXPECT_EQ(hex(Array<std::string>({"a"})), java("String[]{a}"));
    EXPECT_EQ(hex(Array<Value>({Value(1)})), java("Object[]{1}"));
    EXPECT_EQ(
        hex(Array<std::optional<std::int32_t>>(std::vector<std::optional<std::int32_t>>(1, 1))),
        java("Integer[]{1}"));
    EXPECT_EQ(hex(Array<std::int64_t>({1})), java("long[]{1}"));
    EXPECT_EQ(hex(Array<double>({1.0})), java("double[]{1}"));
    EXPECT_EQ(hex(Array<bool>({true})), java("boolean[]{true}"));
    EXPECT_EQ(hex(Array<std::int16_t>({1})), java("short[]{1}"));
    EXPECT_EQ(hex(Array<float>({1.0f})), java("float[]{1}"));
    EXPECT_EQ(hex(Array<Date>({Date()})), java("Date[]"));
    Array<Array<std::int32_t>> numbers(2);
    numbers[0].push_back(1);
    numbers[1].push_back(2);
    EXPECT_EQ(hex(numbers), java("int[][]"));
    Array<Array<std::string>> words(2);
    words[0].push_back("a");
    words[1].push_back("b");
    EXPECT_EQ(hex(words), java("String[][]"));
    EXPECT_EQ(
        hex(Array<std::optional<std::int64_t>>(std::vector<std::optional<std::int64_t>>(1, 1))),
        java("Long[]"));
    EXPECT_EQ(hex(Array<Decimal>({Decimal("1")})), java("BigDecimal[]"));
    EXPECT_EQ(hex(Array<std::map<std::string, Value>>({{}})), java("Map[]"));
    EXPECT_EQ(hex(Array<std::vector<Value>>({{}})), java("List[]"));
    EXPECT_EQ(hex(Array<Bytes>({Bytes("\1"), Bytes("\2")})), java("byte[][]"));
    EXPECT_EQ(hex(std::map<std::string, Value>{}), java("HashMap{}"));
    EXPECT_EQ(hex(std::map<std::string, std::int32_t>{{"a", 1}}), java("HashMap{a:1}"));
    EXPECT_EQ(hex(Decimal("1.50")), java("BigDecimal 1.50"));
    EXPECT_EQ(hex(BigInteger("99")), java("BigInteger 99"));
    EXPECT_EQ(hex(Date(std::chrono::milliseconds(1'000'000'000'000))), java("date 1000000000000"));
  }
  EXPECT_EQ(hex_of(Array<char16_t>({u'a', u'b'})),
            to_hex(golden("golden_sofa3.txt", "char[]{a,b}")));
  EXPECT_EQ(hex_of(char16_t{u'A'}), to_hex(golden("golden_sofa3.txt", "char A")));
  EXPECT_EQ(hex_of(1.1f), to_hex(golden("golden_sofa3.txt", "float 1.1f")));
  EXPECT_EQ(hex_of(std::int16_t{5}), "95");
  EXPECT_EQ(hex_of(std::int8_t{-1}), "8f");
  EXPECT_EQ(hex_of(std::chrono::milliseconds(15)), "ef");
  EXPECT_EQ(hex_of(std::optional<std::string>()), "4e");
  EXPECT_EQ(hex_of(std::optional<std::string>("a")), "0161");
  EXPECT_EQ(hex_of(std::unique_ptr<Point>()), "4e");
  EXPECT_EQ(hex_of(Color::GREEN), hex_value(Value::enumerator("com.example.Color", "GREEN")));
  EXPECT_EQ(hex_of(Point{1, 2}), "4fa1" +
                                     to_hex(Octets({'c', 'o', 'm', '.', 'e', 'x', 'a', 'm', 'p',
                                                    'l', 'e', '.', 'P', 'o', 'i', 'n', 't'})) +
                                     "92017801796f909192");
  EXPECT_EQ(hex_of(Array<Point>({{1, 2}})).substr(0, 6), "567400");
  EXPECT_NE(hex_of(Array<Point>({{1, 2}})).find(to_hex(Octets({'[', 'c', 'o', 'm'}))),
            std::string::npos);
  EXPECT_EQ(hex_of(std::variant<std::int32_t, std::string>("a")), "0161");
}

TEST(Codec, ReadsWhatJavaWrites) {
  for (const auto& [file, dialect] : {std::pair{"golden_sofa3.txt", Dialect::kSofa3},
                                      std::pair{"golden_hessian2.txt", Dialect::kHessian2}}) {
    SCOPED_TRACE(file);
    const auto java = [f = file](const char* name) { return golden(f, name); };
    const auto as = [&, d = dialect]<class T>(const char* name, T) {
      const Octets bytes = java(name);
      const Result<T> value = hessian::from_bytes<T>(bytes, d);
      EXPECT_TRUE(value.ok()) << name << ": " << (value.ok() ? "" : value.error().message());
      return value.value_or(T());
    };
    EXPECT_EQ(as("LinkedList[1]", std::vector<std::int32_t>()), (std::vector<std::int32_t>{1}));
    EXPECT_EQ(as("singletonList", Array<std::string>()), (Array<std::string>({"x"})));
    EXPECT_EQ(as("TreeSet[1]", std::set<std::int64_t>()), (std::set<std::int64_t>{1}));
    EXPECT_EQ(as("iterator", std::vector<double>()), (std::vector<double>{1, 2}));
    EXPECT_EQ(as("int[][]", std::vector<std::vector<std::int16_t>>()),
              (std::vector<std::vector<std::int16_t>>{{1}, {2}}));
    EXPECT_EQ(as("byte[][]", Array<Bytes>()), (Array<Bytes>({Bytes("\1"), Bytes("\2")})));
    EXPECT_EQ(as("TreeMap", std::map<std::string, std::int32_t>()),
              (std::map<std::string, std::int32_t>{{"a", 1}}));
    EXPECT_EQ(as("singletonMap", std::unordered_map<std::string, Value>())["a"], Value(1));
    EXPECT_EQ(as("BigDecimal 1.50", Decimal()).text, "1.50");
    EXPECT_EQ(as("BigInteger 99", BigInteger()).text, "99");
    EXPECT_EQ(as("AtomicInteger", std::int32_t()), 3);
    EXPECT_EQ(as("AtomicLong", std::int64_t()), 3);
    EXPECT_EQ(as("Class String", std::string()), "java.lang.String");
    EXPECT_EQ(as("Locale", std::string()), "zh_CN");
    EXPECT_EQ(as("sql.Timestamp", Date()), Date());
    EXPECT_EQ(as("date 0", std::optional<Date>()), Date());
    const auto uuid = as("UUID", std::map<std::string, std::int64_t>());
    EXPECT_EQ(uuid, (std::map<std::string, std::int64_t>{{"leastSigBits", 2}, {"mostSigBits", 1}}));
  }
  // The handles of Hessian 4.
  const Octets number = golden("golden_hessian2.txt", "float 1.1f");
  EXPECT_EQ(hessian::from_bytes<float>(number, Dialect::kHessian2).value(), 1.1f);
  EXPECT_EQ(hessian::from_bytes<std::int16_t>(golden("golden_hessian2.txt", "short 5"),
                                              Dialect::kHessian2)
                .value(),
            5);
  EXPECT_EQ(hessian::from_bytes<std::optional<std::int8_t>>(
                golden("golden_hessian2.txt", "byte -1"), Dialect::kHessian2)
                .value(),
            -1);
}

}  // namespace
}  // namespace settee::hessian_test
