// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "settee/hessian/hessian_test_data.h"

namespace settee::hessian_test {
namespace {

using hessian::Dialect;
using hessian::ListEnd;
using hessian::Reader;
using hessian::Value;
using hessian::Writer;
using hessian::WriterState;

template <class F>
std::string written(F&& write, Dialect dialect = Dialect::kSofa3) {
  Buffer out;
  Writer writer(out, dialect);
  write(writer);
  return to_hex(out);
}

std::string text(std::string_view text, Dialect dialect = Dialect::kSofa3) {
  return written([&](Writer& w) { w.write_string(text); }, dialect);
}

TEST(Writer, NumbersTakeTheirShortestForm) {
  const auto i = [](std::int32_t v) { return written([v](Writer& w) { w.write_int(v); }); };
  EXPECT_EQ(i(0), "90");
  EXPECT_EQ(i(-16), "80");
  EXPECT_EQ(i(47), "bf");
  EXPECT_EQ(i(-17), "c7ef");
  EXPECT_EQ(i(48), "c830");
  EXPECT_EQ(i(2047), "cfff");
  EXPECT_EQ(i(-2048), "c000");
  EXPECT_EQ(i(2048), "d40800");
  EXPECT_EQ(i(-2049), "d3f7ff");
  EXPECT_EQ(i(-262144), "d00000");
  EXPECT_EQ(i(262143), "d7ffff");
  EXPECT_EQ(i(262144), "4900040000");
  EXPECT_EQ(i(INT32_MIN), "4980000000");

  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    const auto l = [&](std::int64_t v) {
      return written([v](Writer& w) { w.write_long(v); }, dialect);
    };
    EXPECT_EQ(l(-8), "d8");
    EXPECT_EQ(l(15), "ef");
    EXPECT_EQ(l(16), "f810");
    EXPECT_EQ(l(-2049), "3bf7ff");
    EXPECT_EQ(l(262143), "3fffff");
    EXPECT_EQ(l(262144), dialect == Dialect::kSofa3 ? "7700040000" : "5900040000");
    EXPECT_EQ(l(INT32_MIN), dialect == Dialect::kSofa3 ? "7780000000" : "5980000000");
    EXPECT_EQ(l(2147483648), "4c0000000080000000");
    EXPECT_EQ(l(INT64_MIN), "4c8000000000000000");
  }
}

TEST(Writer, DoublesTakeTheirShortestExactForm) {
  const auto d = [](double v, Dialect dialect) {
    return written([v](Writer& w) { w.write_double(v); }, dialect);
  };
  const Dialect three = Dialect::kSofa3;
  EXPECT_EQ(d(-0.0, three), "67");
  EXPECT_EQ(d(1, three), "68");
  EXPECT_EQ(d(-128, three), "6980");
  EXPECT_EQ(d(-32768, three), "6a8000");
  EXPECT_EQ(d(32768, three), "6b47000000");
  EXPECT_EQ(d(0.5, three), "6b3f000000");
  EXPECT_EQ(d(1.1f, three), "6b3f8ccccd");
  EXPECT_EQ(d(3.14, three), "4440091eb851eb851f");
  EXPECT_EQ(d(1e300, three), "447e37e43c8800759c");
  EXPECT_EQ(d(std::numeric_limits<double>::infinity(), three), "6b7f800000");
  EXPECT_EQ(d(std::numeric_limits<double>::quiet_NaN(), three), "447ff8000000000000");
  const Dialect four = Dialect::kHessian2;
  EXPECT_EQ(d(-0.0, four), "5b");
  EXPECT_EQ(d(32768, four), "5f01f40000");
  EXPECT_EQ(d(12.25, four), "5f00002fda");
  EXPECT_EQ(d(3.14, four), "5f00000c44");
  EXPECT_EQ(d(1e10, four), "444202a05f20000000");
  EXPECT_EQ(d(-std::numeric_limits<double>::infinity(), four), "44fff0000000000000");
  EXPECT_EQ(d(2147483.647, four), "5f7fffffff");
}

// What is written must be read as the very same number.
TEST(Writer, EveryDoubleComesBack) {
  std::uint64_t bits = 0x9e3779b97f4a7c15;
  for (int i = 0; i < 20000; ++i) {
    bits ^= bits << 13;
    bits ^= bits >> 7;
    bits ^= bits << 17;
    double v = std::bit_cast<double>(bits);
    if (i % 4 == 1) v = static_cast<double>(static_cast<std::int32_t>(bits)) / 1000;
    if (i % 4 == 2) v = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (i % 4 == 3) v = static_cast<double>(static_cast<std::int16_t>(bits)) / 100;
    for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
      const double again =
          hessian::from_bytes<double>(hessian::to_bytes(v, dialect)->span(), dialect).value();
      if (std::isnan(v)) {
        EXPECT_TRUE(std::isnan(again));
      } else {
        EXPECT_EQ(again, v);
      }
    }
  }
}

TEST(Writer, DatesOfHessian2CountMinutesWhereTheyCan) {
  const auto d = [](std::int64_t ms) {
    return written([ms](Writer& w) { w.write_date(Date(std::chrono::milliseconds(ms))); },
                   Dialect::kHessian2);
  };
  EXPECT_EQ(d(0), "4b00000000");
  EXPECT_EQ(d(-60000), "4bffffffff");
  EXPECT_EQ(d(60001), "4a000000000000ea61");
  EXPECT_EQ(d(60000LL * INT32_MAX), "4b7fffffff");
  EXPECT_EQ(d(60000LL * INT32_MAX + 60000).substr(0, 2), "4a");
}

TEST(Writer, TextsCountUtf16Units) {
  EXPECT_EQ(text(""), "00");
  EXPECT_EQ(text("hello"), "0568656c6c6f");
  EXPECT_EQ(text("\u4e2d\u6587"), "02e4b8ade69687");
  EXPECT_EQ(text("\U0001f600"), "02eda0bdedb880");
  EXPECT_EQ(text(std::string_view("\0", 1)), "0100");
  EXPECT_EQ(text("\u00e9"), "01c3a9");
  // 31 units in 93 bytes still take the short form, 32 do not.
  std::string units;
  for (int i = 0; i < 31; ++i) units += "\u4e2d";
  EXPECT_EQ(text(units).substr(0, 2), "1f");
  units += "x";
  EXPECT_EQ(text(units).substr(0, 6), "530020");
  EXPECT_EQ(text(units, Dialect::kHessian2).substr(0, 4), "3020");
  EXPECT_EQ(text(std::string(1023, 'a'), Dialect::kHessian2).substr(0, 4), "33ff");
  EXPECT_EQ(text(std::string(1024, 'a'), Dialect::kHessian2).substr(0, 6), "530400");
}

TEST(Writer, AllLengthsOfAsciiComeOutWhole) {
  std::string longest;
  for (int i = 0; i < 4200; ++i) longest += static_cast<char>('a' + i % 26);
  for (std::size_t n = 0; n < longest.size(); n += n < 70 ? 1 : 97) {
    const std::string part = longest.substr(0, n);
    std::string expected;
    if (n < 32) {
      expected = to_hex(Octets{static_cast<std::uint8_t>(n)});
    } else {
      expected =
          "53" + to_hex(Octets{static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
    }
    expected += to_hex(Octets(part.begin(), part.end()));
    EXPECT_EQ(text(part), expected);
    // One character beyond ASCII anywhere takes the other path.
    for (std::size_t i = 0; i < n && n < 70; ++i) {
      std::string mixed = part;
      mixed.replace(i, 1, "\u00e9");
      EXPECT_EQ(hessian::from_bytes<std::string>(from_hex(text(mixed))).value(), mixed);
    }
  }
}

TEST(Writer, WhatIsNoUtf8BecomesReplacementCharacters) {
  const std::string fffd = "\ufffd";
  const auto again = [](std::string_view bad) {
    return hessian::from_bytes<std::string>(from_hex(text(bad))).value();
  };
  EXPECT_EQ(again("\xff"), fffd);
  EXPECT_EQ(again("a\x80z"), "a" + fffd + "z");
  EXPECT_EQ(again("\xc3"), fffd);
  EXPECT_EQ(again("\xe4\xb8"), fffd);  // cut off: one
  EXPECT_EQ(again("\xf0\x9f\x98z"), fffd + "z");
  EXPECT_EQ(again("\xed\xa0\xbd"), fffd + fffd + fffd);  // a surrogate is no UTF-8
  EXPECT_EQ(again("\xc0\xaf"), fffd + fffd);             // overlong
  EXPECT_EQ(again("\xf4\x90\x80\x80"), fffd + fffd + fffd + fffd);
  EXPECT_EQ(again(fffd), fffd);
  EXPECT_EQ(again(std::string(5000, '\xfe')).size(), 15000u);
}

TEST(Writer, LongTextsWithoutAsciiAreCutIntoPieces) {
  std::string text;
  for (int i = 0; i < 70000; ++i) text += i % 3 == 0 ? "\U0001f680" : i % 3 == 1 ? "\u4e2d" : "x";
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    const Bytes bytes = hessian::to_bytes(text, dialect).value();
    EXPECT_EQ(hessian::from_bytes<std::string>(bytes.span(), dialect).value(), text);
    Reader reader(bytes.span(), dialect);
    EXPECT_TRUE(reader.skip());
    EXPECT_TRUE(reader.at_end());
  }
}

TEST(Writer, CharactersMayBeLoneSurrogates) {
  EXPECT_EQ(written([](Writer& w) { w.write_char(u'c'); }), "0163");
  EXPECT_EQ(written([](Writer& w) { w.write_char(u'\u00e9'); }), "01c3a9");
  EXPECT_EQ(written([](Writer& w) { w.write_char(char16_t{0xd83d}); }), "01eda0bd");
}

TEST(Writer, TypeNamesAreNumberedForListsAndMapsTogether) {
  const auto write = [](Writer& w) {
    w.end_list(w.begin_list("[int", 0));
    w.begin_map("java.util.TreeMap");
    w.end_map();
    w.end_list(w.begin_list("[int", 1));
    w.write_int(1);
    w.begin_map("java.util.TreeMap");
    w.end_map();
  };
  EXPECT_EQ(written(write),
            "567400045b696e746e007a"
            "4d7400116a6176612e7574696c2e547265654d61707a"
            "769091"
            "91"
            "4d75917a");
  EXPECT_EQ(written(write, Dialect::kHessian2),
            "70045b696e74"
            "4d116a6176612e7574696c2e547265654d61705a"
            "719091"
            "4d915a");
}

TEST(Writer, ManyTypeNamesAndClassesKeepTheirNumbers) {
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    Value all = Value::list();
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 100; ++i) {
        const std::string name = "com.acme.C" + std::to_string(i);
        all.push_back(Value::list(name, {Value(i)}));
        all.push_back(Value::object(name).set("f" + std::to_string(i % 7), i));
      }
    }
    const Bytes bytes = hessian::to_bytes(all, dialect).value();
    EXPECT_EQ(hessian::from_bytes<Value>(bytes.span(), dialect).value(), all);
    // The second round names what the first has defined.
    EXPECT_LT(bytes.size(), 200 * 40u);
  }
}

TEST(Writer, AClassOfTheSameFieldsIsDefinedOnce) {
  Value list = Value::list();
  for (int i = 0; i < 3; ++i) list.push_back(Value::object("A").set("x", i));
  list.push_back(Value::object("A").set("y", 4));
  EXPECT_EQ(to_hex(hessian::to_bytes(list)->span()),
            "566e04"
            "4f914191"
            "0178"
            "6f9090"
            "6f9091"
            "6f9092"
            "4f914191"
            "0179"
            "6f9194"
            "7a");
}

TEST(Writer, ReferencesTakeOneToFourBytes) {
  const auto r = [](std::uint32_t n, Dialect dialect) {
    return written([n](Writer& w) { w.write_reference(n); }, dialect);
  };
  EXPECT_EQ(r(255, Dialect::kSofa3), "4aff");
  EXPECT_EQ(r(256, Dialect::kSofa3), "4b0100");
  EXPECT_EQ(r(65536, Dialect::kSofa3), "5200010000");
  EXPECT_EQ(r(300, Dialect::kHessian2), "51c92c");
}

// A head that is copied instead of written again: what follows is as if both were one.
TEST(Writer, ContinuesBehindACopiedHead) {
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    static constexpr std::string_view kFields[] = {"methodArgSigs", "props"};
    const auto head = [&](Writer& w) {
      w.begin_object(w.define_class("com.example.Request", kFields));
      const ListEnd end = w.begin_list("[string", 1);
      w.write_string("int");
      w.end_list(end);
      w.begin_map();
      w.end_map();
      ASSERT_TRUE(hessian::encode(w, Point{0, 0}).ok());
    };
    const auto tail = [&](Writer& w) {
      EXPECT_EQ(w.next_reference(), 4u);
      ASSERT_TRUE(hessian::encode(w, Array<std::string>({"a"})).ok());  // a type that is known
      ASSERT_TRUE(hessian::encode(w, Array<std::int32_t>({1})).ok());   // and one that is not
      ASSERT_TRUE(hessian::encode(w, Point{1, 2}).ok());                // likewise classes
      ASSERT_TRUE(hessian::encode(w, Base{"b", "c"}).ok());
      w.write_reference(2);
    };
    Buffer whole;
    Writer writer(whole, dialect);
    head(writer);
    tail(writer);

    Buffer copied;
    Writer first(copied, dialect);
    head(first);
    const WriterState state = first.state();
    EXPECT_EQ(state.dialect(), dialect);
    Buffer out;
    out.append(copied.bytes());
    Writer second(out, state);
    tail(second);
    EXPECT_EQ(to_hex(out), to_hex(whole));

    // And once more from the middle of a continuation.
    Buffer again;
    const WriterState later = second.state();
    Writer third(again, later);
    EXPECT_EQ(third.next_reference(), 8u);
    ASSERT_TRUE(hessian::encode(third, Array<std::int32_t>({1})).ok());
    EXPECT_EQ(to_hex(again), dialect == Dialect::kSofa3 ? "76919191" : "719191");
  }
}

TEST(Writer, SharesTheBufferWithOthers) {
  Buffer out;
  Writer writer(out);
  writer.write_int(1);
  out.append("--");
  writer.write_string("x");
  EXPECT_EQ(to_hex(out), "912d2d0178");
}

}  // namespace
}  // namespace settee::hessian_test
