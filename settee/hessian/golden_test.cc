// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes that the Java and Node libraries wrote: read, written again, broken off anywhere.

#include <gtest/gtest.h>

#include "settee/hessian/hessian_test_data.h"

namespace settee::hessian_test {
namespace {

using hessian::Dialect;
using hessian::Reader;
using hessian::Value;
using hessian::Writer;

struct File {
  const char* name;
  Dialect dialect;
  std::size_t lines;
};
constexpr File kFiles[] = {
    {"golden_sofa3.txt", Dialect::kSofa3, 156},
    {"golden_hessian2.txt", Dialect::kHessian2, 100},
    {"sofa_contents.txt", Dialect::kSofa3, 21},
};

// All values of one stream.
Result<std::vector<Value>> read_all(std::span<const std::uint8_t> bytes, Dialect dialect) {
  std::vector<Value> values;
  Reader reader(bytes, dialect);
  while (!reader.at_end()) {
    Result<Value> value = hessian::decode<Value>(reader);
    if (!value) return value.error();
    values.push_back(std::move(*value));
  }
  if (!reader.ok()) return reader.error();
  return values;
}

class GoldenFile : public testing::TestWithParam<File> {
 protected:
  std::vector<Golden> lines() const {
    std::vector<Golden> lines = read_golden(test_data(GetParam().name));
    EXPECT_EQ(lines.size(), GetParam().lines);
    return lines;
  }
};

TEST_P(GoldenFile, IsWrittenAgainByteForByte) {
  for (const Golden& line : lines()) {
    SCOPED_TRACE(line.name);
    Result<std::vector<Value>> values = read_all(line.bytes, GetParam().dialect);
    ASSERT_TRUE(values.ok()) << values.error().what();
    // The length of an iterator's list is unknown to Java but known to us; Node never uses the short
    // form of doubles.
    if (line.name == "iterator" || line.name == "node request primitives") continue;
    Buffer out;
    Writer writer(out, GetParam().dialect);
    writer.keep_identities();
    for (const Value& value : *values) ASSERT_TRUE(hessian::encode(writer, value).ok());
    EXPECT_EQ(to_hex(out), to_hex(line.bytes));
  }
}

TEST_P(GoldenFile, IsSkippedWhole) {
  for (const Golden& line : lines()) {
    SCOPED_TRACE(line.name);
    Reader reader(line.bytes, GetParam().dialect);
    while (!reader.at_end()) ASSERT_TRUE(reader.skip()) << reader.error().what();
    EXPECT_TRUE(reader.ok());
  }
}

TEST_P(GoldenFile, BrokenOffAnywhereIsAnError) {
  for (const Golden& line : lines()) {
    SCOPED_TRACE(line.name);
    // Where one value ends and the next begins, the beginning is whole.
    std::set<std::size_t> whole;
    Reader reader(line.bytes, GetParam().dialect);
    while (!reader.at_end() && reader.skip()) whole.insert(reader.offset());
    for (std::size_t size = 1; size < line.bytes.size(); ++size) {
      const std::span<const std::uint8_t> part(line.bytes.data(), size);
      const Result<std::vector<Value>> values = read_all(part, GetParam().dialect);
      EXPECT_EQ(values.ok(), whole.contains(size)) << size;
      if (!values.ok()) {
        EXPECT_EQ(values.error().code(), Code::kDecode);
      }
      Reader skipping(part, GetParam().dialect);
      while (!skipping.at_end() && skipping.skip()) {
      }
      EXPECT_EQ(skipping.ok(), whole.contains(size)) << size;
    }
  }
}

// One byte changed: whatever it means then, it must be read or refused, not crash.
TEST_P(GoldenFile, SurvivesEveryChangedByte) {
  for (const Golden& line : lines()) {
    Octets bytes = line.bytes;
    const std::size_t step = bytes.size() > 400 ? 7 : 1;
    for (std::size_t i = 0; i < bytes.size(); i += step) {
      for (const int flip : {0x01, 0x10, 0x80, 0xff}) {
        bytes[i] = static_cast<std::uint8_t>(line.bytes[i] ^ flip);
        const Result<std::vector<Value>> values = read_all(bytes, GetParam().dialect);
        if (values.ok()) {
          Buffer out;
          Writer writer(out, GetParam().dialect);
          for (const Value& value : *values) EXPECT_TRUE(hessian::encode(writer, value).ok());
        }
      }
      bytes[i] = line.bytes[i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenFile, testing::ValuesIn(kFiles),
                         [](const testing::TestParamInfo<File>& info) {
                           std::string name = info.param.name;
                           return name.substr(0, name.find('.'));
                         });

// Values too long for a file; the spec of Java's writer gives their chunk heads.
struct Chunks {
  std::size_t length;
  const char* head;
  std::size_t total;
};

TEST(Golden, LongTextsAndBinariesAreCutAsInJava) {
  for (const Chunks& c :
       {Chunks{32768, "538000", 32771}, {32769, "738000", 32773}, {70000, "738000", 70009}}) {
    const std::string text(c.length, 'a');
    const Result<Bytes> bytes = hessian::to_bytes(text);
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(to_hex(bytes->slice(0, 3).span()), c.head);
    EXPECT_EQ(bytes->size(), c.total);
    EXPECT_EQ(hessian::from_bytes<std::string>(bytes->span()).value(), text);
    EXPECT_EQ(hessian::from_bytes<Value>(bytes->span()).value(), Value(text));
  }
  for (const Chunks& c :
       {Chunks{32768, "428000", 32771}, {32769, "628000", 32773}, {70000, "628000", 70009}}) {
    const Bytes binary{std::string_view(std::string(c.length, '\7'))};
    const Result<Bytes> bytes = hessian::to_bytes(binary);
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(to_hex(bytes->slice(0, 3).span()), c.head);
    EXPECT_EQ(bytes->size(), c.total);
    EXPECT_EQ(hessian::from_bytes<Bytes>(bytes->span()).value(), binary);
  }
  // The last piece takes the short form.
  const Bytes bytes = hessian::to_bytes(std::string(32769, 'a')).value();
  EXPECT_EQ(to_hex(bytes.slice(32771, 2).span()), "0161");
}

TEST(Golden, APairOfSurrogatesIsNotTornApart) {
  const std::string text = std::string(32767, 'a') + "\U0001f600" + "tail";
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    const Result<Bytes> bytes = hessian::to_bytes(text, dialect);
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(to_hex(bytes->slice(0, 3).span()), dialect == Dialect::kSofa3 ? "737fff" : "527fff");
    EXPECT_EQ(bytes->size(), 3 + 32767 + 1 + 6 + 4u);
    EXPECT_EQ(hessian::from_bytes<std::string>(bytes->span(), dialect).value(), text);
  }
}

TEST(Golden, ListsOf300AndReferencesBeyond255) {
  Value list = Value::list();
  for (int i = 0; i < 300; ++i) list.push_back(1);
  EXPECT_EQ(to_hex(hessian::to_bytes(list)->slice(0, 7).span()), "566c0000012c91");
  EXPECT_EQ(to_hex(hessian::to_bytes(list, Dialect::kHessian2)->slice(0, 4).span()), "58c92c91");

  Value lists = Value::list();
  for (int i = 0; i < 300; ++i) lists.push_back(Value::list());
  lists.push_back(Value(lists[299]));
  const Bytes three = hessian::to_bytes(lists).value();
  EXPECT_EQ(to_hex(three.slice(three.size() - 8, 8).span()), "566e007a4b012c7a");
  const Bytes four = hessian::to_bytes(lists, Dialect::kHessian2).value();
  EXPECT_EQ(to_hex(four.slice(four.size() - 8, 8).span()), "787878787851c92c");
  const Value again = hessian::from_bytes<Value>(three.span()).value();
  EXPECT_TRUE(again[299].same_node(again[300]));
  EXPECT_FALSE(again[298].same_node(again[299]));
}

// What the peers of the interop suite write: see interop/golden/README.md.
TEST(Golden, RecordedByTheInteropSuite) {
  const std::filesystem::path folder = std::filesystem::path(SETTEE_SOURCE_DIR) / "interop/golden";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no interop/golden";
  for (const auto& [file, dialect] :
       {std::pair{"java-3x.txt", Dialect::kSofa3}, std::pair{"node-3x.txt", Dialect::kSofa3},
        std::pair{"node-4x.txt", Dialect::kHessian2}}) {
    const std::vector<Golden> lines = read_golden(folder / file);
    EXPECT_GT(lines.size(), 100u) << file;
    for (const Golden& line : lines) {
      SCOPED_TRACE(std::string(file) + ": " + line.name);
      const Result<std::vector<Value>> values = read_all(line.bytes, dialect);
      ASSERT_TRUE(values.ok()) << values.error().what();
      Reader reader(line.bytes, dialect);
      while (!reader.at_end() && reader.skip()) {
      }
      EXPECT_TRUE(reader.ok());
      Buffer out;
      Writer writer(out, dialect);
      writer.keep_identities();
      for (const Value& value : *values) ASSERT_TRUE(hessian::encode(writer, value).ok());
      const Bytes written = out.bytes();
      const Result<std::vector<Value>> again = read_all(written.span(), dialect);
      ASSERT_TRUE(again.ok()) << again.error().what();
      EXPECT_EQ(*again, *values);
      if (to_hex(written.span()) == to_hex(line.bytes)) continue;
      // Where the peers differ from us without need: Java does not know how long an iterator is,
      // Node 3 never writes a double as a float, Node 4 cuts binaries into pieces of 4093 bytes.
      const bool known = line.name.starts_with("iterator") || line.name.starts_with("double ") ||
                         line.name == "bare 1.5" || line.name == "bench User" ||
                         (dialect == Dialect::kHessian2 && line.name.starts_with("bytes "));
      EXPECT_TRUE(known) << to_hex(written.span()) << "\nfor\n" << to_hex(line.bytes);
    }
  }
}

}  // namespace
}  // namespace settee::hessian_test
