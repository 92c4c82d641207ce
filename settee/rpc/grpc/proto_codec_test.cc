// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/proto_codec.h"

#include <gtest/gtest.h>

#include <cmath>

#include "settee/rpc/grpc/proto_test_data.h"

namespace {

using grpc_test::Grade;
using grpc_test::Line;
using grpc_test::Order;
using grpc_test::OtherLine;
using grpc_test::Side;
using settee::Bytes;
using settee::Code;
using settee::Result;
using settee::type_of;
using settee::rpc::grpc::Output;
using settee::rpc::grpc::ProtoLimits;
using settee::rpc::grpc::read_result;
using settee::rpc::grpc::write_result;

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    for (const int digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
  }
  return text;
}

std::string unhex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::span<const std::uint8_t> span_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

template <class T>
std::string written(const T& value) {
  Output out;
  const Result<void> done = write_result(out, type_of<T>(), &value);
  return done ? hex(out.span()) : done.error().message();
}

template <class T>
Result<T> read(std::string_view bytes, const ProtoLimits& limits = ProtoLimits()) {
  Result<T> value = T{};
  const Result<void> done = read_result(span_of(bytes), type_of<T>(), &*value, limits);
  if (!done) return done.error();
  return value;
}

template <class T>
std::string why_not(std::string_view bytes, const ProtoLimits& limits = ProtoLimits()) {
  const Result<T> value = read<T>(bytes, limits);
  return value ? "it was read" : value.error().message();
}

TEST(ProtoCodec, MembersGoByTheNumbersThatAreGiven) {
  grpc_test::Numbered numbered;
  numbered.id = "i";
  numbered.name = "n";
  numbered.count = 3;
  numbered.marks = {1, 2};
  numbered.share = 0.5;
  Output out;
  ASSERT_TRUE(write_result(out, type_of<grpc_test::Numbered>(), &numbered));
  const Bytes bytes = out.take();
  EXPECT_EQ(hex(bytes.span()),
            "3a016e"              // name = 7
            "f8ffffff0f03"        // total = 536870911
            "1a020102"            // marks = 3, a position
            "09000000000000e03f"  // share = 1
            "2a0169");            // id = 5, a position in the whole
  // Beside fields with the positions of numbered members (2, 4) and one behind all.
  const std::string read_bytes = unhex("1005") + std::string(bytes.view()) +
                                 unhex(
                                     "2007"
                                     "3001");
  grpc_test::Numbered read;
  ASSERT_TRUE(read_result(Bytes(std::string_view(read_bytes)).span(),
                          type_of<grpc_test::Numbered>(), &read));
  EXPECT_EQ(read.id, "i");
  EXPECT_EQ(read.name, "n");
  EXPECT_EQ(read.count, 3);
  EXPECT_EQ(read.marks, numbered.marks);
  EXPECT_EQ(read.share, 0.5);
}

TEST(ProtoCodec, WritesWhatTheFormatsOwnDocumentShows) {
  // "08 96 01" is its field 1 = 150, "12 07 testing" a string, "32 06 03 8e 02 9e a7 05" packed.
  EXPECT_EQ(written(std::int32_t{150}), "089601");
  EXPECT_EQ(written(std::string("testing")), "0a0774657374696e67");
  EXPECT_EQ(written(std::vector<std::int32_t>{3, 270, 86942}), "0a06038e029ea705");
  EXPECT_EQ(written(std::int32_t{-2}), "08feffffffffffffffff01");
  EXPECT_EQ(written(1.5), "09000000000000f83f");
  EXPECT_EQ(written(1.5F), "0d0000c03f");
  EXPECT_EQ(written(std::map<std::string, std::int32_t>{{"a", 1}, {"b", 0}}),
            "0a050a016110010a050a01621000");
}

TEST(ProtoCodec, AStructIsAMessageWhoseFieldsAreNumberedByPosition) {
  EXPECT_EQ(written(Line{"x", 3}), "0a01781003");
  EXPECT_EQ(written(Line{"", 0}), "");
  EXPECT_EQ(written(std::vector<Line>{{"x", 0}, {"", 0}}), "0a030a01780a00");
}

TEST(ProtoCodec, EveryFormComesBackAsItWas) {
  Order order;
  order.id = "seven \xc3\xa4\xf0\x9f\x98\x80";
  order.cents = INT64_MIN;
  order.numbers = {0, -1, INT32_MAX};
  order.line = {"l", 0};
  order.lines = {{"a", 1}, {std::string(300, 'b'), INT32_MIN}};
  order.boxed = 0;
  order.parent = std::make_unique<Order>();
  order.parent->cents = 5;
  order.parent->parent = std::make_unique<Order>();
  order.counts = {{"", 0}, {"k", 9}};
  order.lines_by_number = {{-1, {"m", 2}}, {0, {"", 0}}};
  order.side = Side::SELL;
  order.grade = Grade::BAD;
  order.price = -0.0;
  order.ratio = -2.5F;
  order.paid = true;
  order.raw = Bytes(std::string_view("\0\xff", 2));
  order.when = settee::Date(std::chrono::milliseconds(1'700'000'000'123));
  order.total = settee::Decimal("12.340");
  order.big = settee::BigInteger("-18446744073709551616");
  order.wait = std::chrono::milliseconds(-3);
  order.tiny = -128;
  order.small = 32767;
  order.letter = 0xd800;
  order.tags = {"", "t"};
  order.prices = settee::Array<double>(std::vector<double>{0.5, INFINITY});
  order.flags.push_back(true);
  order.flags.push_back(false);
  order.notes = {"n", ""};
  order.maybe = {"", "m"};
  order.other_line = Line{"", 0};
  order.grades = {Grade::GOOD, Grade::BAD};
  order.note = "";
  Output out;
  ASSERT_TRUE(write_result(out, type_of<Order>(), &order));
  Order again;
  const Result<void> done = read_result(out.span(), type_of<Order>(), &again);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(again.id, order.id);
  EXPECT_EQ(again.cents, order.cents);
  EXPECT_EQ(again.numbers, order.numbers);
  EXPECT_EQ(again.line, order.line);
  EXPECT_EQ(again.lines, order.lines);
  EXPECT_EQ(again.boxed, order.boxed);
  ASSERT_TRUE(again.parent && again.parent->parent);
  EXPECT_EQ(again.parent->cents, 5);
  EXPECT_FALSE(again.parent->parent->parent);
  EXPECT_EQ(again.counts, order.counts);
  EXPECT_EQ(again.lines_by_number, order.lines_by_number);
  EXPECT_EQ(again.side, Side::SELL);
  EXPECT_EQ(again.grade, Grade::BAD);
  EXPECT_TRUE(std::signbit(again.price));
  EXPECT_EQ(again.ratio, order.ratio);
  EXPECT_TRUE(again.paid);
  EXPECT_EQ(again.raw, order.raw);
  EXPECT_EQ(again.when, order.when);
  EXPECT_EQ(again.total, order.total);
  EXPECT_EQ(again.big, order.big);
  EXPECT_EQ(again.wait, order.wait);
  EXPECT_EQ(again.tiny, order.tiny);
  EXPECT_EQ(again.small, order.small);
  EXPECT_EQ(again.letter, order.letter);
  EXPECT_EQ(again.tags, order.tags);
  EXPECT_EQ(again.prices, order.prices);
  EXPECT_EQ(again.flags, order.flags);
  EXPECT_EQ(again.notes, order.notes);
  EXPECT_EQ(again.maybe, order.maybe);
  EXPECT_EQ(again.other_line, order.other_line);
  EXPECT_EQ(again.grades, order.grades);
  EXPECT_EQ(again.note, order.note);
}

TEST(ProtoCodec, AMemberThatDidNotComeIsZeroWhateverItsInitialiserSays) {
  const Result<OtherLine> line = read<OtherLine>("");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->number, 0);
  EXPECT_EQ(line->text, "");
  const Result<Order> order = read<Order>("");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->line.count, 1) << "a message that is missing is left as it was";
  EXPECT_EQ(order->grade, Grade::GOOD) << "0 is none of its values";
  EXPECT_EQ(order->total.text, "0");
}

TEST(ProtoCodec, NumbersInAListMayStandOneByOne) {
  const Result<std::vector<std::int32_t>> mixed =
      read<std::vector<std::int32_t>>(unhex("0803"
                                            "0a020405"
                                            "0806"));
  ASSERT_TRUE(mixed);
  EXPECT_EQ(*mixed, (std::vector<std::int32_t>{3, 4, 5, 6}));
}

TEST(ProtoCodec, UnknownFieldsAreReadOver) {
  // Field 3 as number, fixed words, bytes and a group with a group in it, then field 2.
  const Result<Line> line =
      read<Line>(unhex("1801"
                       "190000000000000000"
                       "1d00000000"
                       "1a0100"
                       "1b231a0100241c"
                       "1005"));
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->count, 5);
}

TEST(ProtoCodec, AMessageInTwoPartsIsJoined) {
  // Order.line twice: the sku, then the count.
  const Result<Order> order =
      read<Order>(unhex("1a030a0178"
                        "1a021007"));
  ASSERT_TRUE(order) << order.error().message();
  EXPECT_EQ(order->line, (Line{"x", 7}));
}

TEST(ProtoCodec, WhatDoesNotFitIsRefusedWithItsPlace) {
  EXPECT_EQ(why_not<std::int32_t>(unhex("08ffffffff0f")),
            "protobuf: cannot read the message at value: 4294967295 is not in -2147483648 to "
            "2147483647 (byte 6)");
  EXPECT_EQ(why_not<std::vector<Line>>(unhex("0a00"
                                             "0a03100a0a")),
            "protobuf: cannot read the message at value[1]: a number is cut off (byte 7)");
  EXPECT_EQ(why_not<Line>(unhex("0801")),
            "protobuf: cannot read the message at sku: field 1 has wire type 0, expected 2; is it "
            "another .proto? (byte 2)");
  EXPECT_EQ(why_not<std::string>(unhex("0a02c080")),
            "protobuf: cannot read the message at value: the text is not UTF-8 (byte 4)");
  EXPECT_EQ(why_not<Side>(unhex("0802")),
            "protobuf: cannot read the message at value: 2 is no enumerator of com.acme.Side "
            "(byte 2)");
  EXPECT_EQ(
      why_not<settee::Decimal>(unhex("0a0178")),
      "protobuf: cannot read the message at value: expected a decimal number as text (byte 3)");
}

TEST(ProtoCodec, BrokenBytesNameTheirRule) {
  EXPECT_NE(why_not<Line>(unhex("0a05")).find("goes beyond the end"), std::string::npos);
  EXPECT_NE(why_not<Line>(unhex("00")).find("number is not in 1"), std::string::npos);
  EXPECT_NE(why_not<Line>(unhex("0c")).find("a group ends that did not begin"), std::string::npos);
  EXPECT_NE(why_not<Line>(unhex("1b24")).find("another one's number"), std::string::npos);
  EXPECT_NE(why_not<Line>(unhex("1b")).find("a group does not end"), std::string::npos);
  EXPECT_NE(why_not<Line>(unhex("0e")).find("does not exist"), std::string::npos);
  EXPECT_NE(why_not<Line>(unhex("10ffffffffffffffffffff01")).find("more than ten bytes"),
            std::string::npos);
  EXPECT_NE(why_not<std::vector<double>>(unhex("0a0700000000000000")).find("7 bytes in all"),
            std::string::npos);
}

TEST(ProtoCodec, DepthAndMemoryHaveLimits) {
  std::string deep;
  for (int i = 0; i < 101; ++i) {
    std::string outer = "\x32";  // Order.parent
    std::size_t size = deep.size();
    for (; size >= 0x80; size >>= 7) outer += static_cast<char>(size | 0x80);
    outer += static_cast<char>(size);
    deep = outer + deep;
  }
  EXPECT_NE(why_not<Order>(deep).find("limit 'depth' of 100 exceeded"), std::string::npos);
  ProtoLimits limits;
  limits.memory = 1000;
  std::string many;
  for (int i = 0; i < 100; ++i) many += unhex("0a00");
  EXPECT_NE(why_not<std::vector<Line>>(many, limits).find("limit 'memory' of 1000 exceeded"),
            std::string::npos);
}

TEST(ProtoCodec, WhatHasNoFormNamesItsMember) {
  EXPECT_EQ(written(grpc_test::Formless{"n", 1}),
            "protobuf: cannot write the message at what: a std::variant has no form in protobuf");
  EXPECT_EQ(written(grpc_test::Nested{{{1}}}),
            "protobuf: cannot write the message at rows[0]: a container within a container has no "
            "form in protobuf");
  EXPECT_EQ(written(std::vector<std::optional<std::string>>{"a", std::nullopt}),
            "protobuf: cannot write the message at [1]: an element of protobuf cannot be null");
  EXPECT_EQ(written(Line{"\xff", 1}),
            "protobuf: cannot write the message at sku: the text is not UTF-8; use Bytes for what "
            "is no text");
  EXPECT_EQ(written(static_cast<Side>(9)),
            "protobuf: cannot write the message: 9 is no enumerator of com.acme.Side; SETTEE_ENUM "
            "lists them");
}

TEST(ProtoCodec, AFailureLeavesNothingInTheOutput) {
  Output out;
  out.append("head");
  const grpc_test::Formless formless{"name", 1};
  EXPECT_FALSE(write_result(out, type_of<grpc_test::Formless>(), &formless));
  EXPECT_EQ(out.size(), 4U);
}

TEST(ProtoCodec, ArgumentsAreTheFieldsOfOneMessage) {
  const auto& methods = settee::service_of<grpc_test::Orders>().methods;
  std::string id = "7";
  std::optional<std::string> reason = "late";
  std::vector<Side> sides = {Side::SELL};
  const void* const arguments[] = {&id, &reason, &sides};
  Output out;
  ASSERT_TRUE(settee::rpc::grpc::write_arguments(out, methods[2].parameters, arguments));
  EXPECT_EQ(hex(out.span()),
            "0a0137"
            "12046c617465"
            "1a0101");
  id = "old";
  reason.reset();
  sides.clear();
  void* const places[] = {&id, &reason, &sides};
  ASSERT_TRUE(settee::rpc::grpc::read_arguments(out.span(), methods[2].parameters, places));
  EXPECT_EQ(id, "7");
  EXPECT_EQ(reason, "late");
  EXPECT_EQ(sides, std::vector<Side>{Side::SELL});
}

TEST(ProtoCodec, TheOnlyStructIsItselfTheMessage) {
  const auto& methods = settee::service_of<grpc_test::Orders>().methods;
  Order order;
  order.cents = 150;
  const void* const arguments[] = {&order};
  Output out;
  ASSERT_TRUE(settee::rpc::grpc::write_arguments(out, methods[1].parameters, arguments));
  EXPECT_EQ(hex(out.span()).substr(0, 6), "089601");
}

TEST(ProtoCodec, ManySmallPackedFieldsDoNotMoveTheListEachTime) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += "\x0a\x08" + std::string(8, '\0');
  const auto numbers = read<std::vector<double>>(bytes);
  ASSERT_TRUE(numbers.ok());
  EXPECT_EQ(numbers->size(), 1000U);
  EXPECT_GT(numbers->capacity(), 1000U);  // it has grown by steps, not by one each time
}

TEST(ProtoCodec, PackedNumbersAreChargedBeforeRoomIsMadeForThem) {
  ProtoLimits limits;
  limits.memory = 1000;
  const auto numbers = read<std::vector<double>>("\x0a\xa0\x1f" + std::string(4000, '\0'), limits);
  ASSERT_FALSE(numbers.ok());
  EXPECT_EQ(numbers.error().code(), Code::kLimit);
}

}  // namespace
