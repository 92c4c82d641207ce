// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "apps/settee/hex.h"

#include <gtest/gtest.h>

#include <string>

namespace settee::cli {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets parsed(std::string_view text) {
  Result<Octets> bytes = parse_hex(text);
  EXPECT_TRUE(bytes) << text << ": " << bytes.error().what();
  return bytes ? *std::move(bytes) : Octets();
}

std::string refused(std::string_view text) {
  const Result<Octets> bytes = parse_hex(text);
  EXPECT_FALSE(bytes) << text;
  return bytes ? "" : bytes.error().message();
}

const Octets kThree = {0x01, 0xab, 0xff};

TEST(HexTest, Plain) {
  EXPECT_EQ(parsed("01abff"), kThree);
  EXPECT_EQ(parsed(" 01 AB\r\n\n  ff \n"), kThree);
  EXPECT_EQ(parsed("0x01abff"), kThree);
  EXPECT_EQ(parsed("0x1, 0xab, 0xFF"), kThree);
  EXPECT_EQ(parsed("\\x01\\xab\\xff"), kThree);
  EXPECT_EQ(parsed("01:ab:ff"), kThree);
  EXPECT_EQ(parsed("01-ab-ff"), kThree);
  EXPECT_EQ(parsed("# what this is\n01abff\n# the end"), kThree);
  EXPECT_EQ(parsed(""), Octets());
}

TEST(HexTest, PlainGroupsOfEightAreNoOffsets) {
  const Octets eight = {0x01, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x16};
  EXPECT_EQ(parsed("01000002 00000016"), eight);
  EXPECT_EQ(parsed("01000002\n00000016"), eight);
}

// The same twenty bytes from each program.
const Octets kTwenty = {0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x16, 0x01,
                        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfe, 0xed};

TEST(HexTest, Xxd) {
  EXPECT_EQ(parsed("00000000: 0100 0000 0100 0000 1601 0000 0000 0000  ................\n"
                   "00000010: 0000 feed                                abcd\n"),
            kTwenty);
  EXPECT_EQ(parsed("00000000: 01 00 00 00 01 00 00 00 16 01 00 00 00 00 00 00  ................\n"
                   "00000010: 00 00 fe ed                                      ....\n"),
            kTwenty);
  EXPECT_EQ(parsed("0100000001000000160100000000000000\n00feed\n"), kTwenty);  // xxd -p
}

TEST(HexTest, HexdumpCanonical) {
  EXPECT_EQ(
      parsed("00000000  01 00 00 00 01 00 00 00  16 01 00 00 00 00 00 00  |................|\n"
             "00000010  00 00 fe ed                                       |a|12|\n"
             "00000014\n"),
      kTwenty);
}

TEST(HexTest, OdWithHexOffsets) {
  EXPECT_EQ(parsed("000000 01 00 00 00 01 00 00 00 16 01 00 00 00 00 00 00\n"
                   "000010 00 00 fe ed\n"
                   "000014\n"),
            kTwenty);
}

TEST(HexTest, ADumpMayBeginAnywhere) {
  EXPECT_EQ(parsed("00001000: 01ab  ..\n00001002: ff  .\n"), kThree);
}

TEST(HexTest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(refused("01\n0g"), "hex text, line 2: '0g' is not in hex digits");
  EXPECT_EQ(refused("012"), "hex text, line 1: '012' has an odd number of digits");
  EXPECT_EQ(refused("0x"), "hex text, line 1: '0x' is not in hex digits");
  EXPECT_NE(refused("0000000 0001 0000 0001 0000").find("use xxd or hexdump -C"),
            std::string::npos);
  EXPECT_NE(refused("00000000  01 02  |..|\n*\n00000020  03  |.|").find("hexdump -Cv"),
            std::string::npos);
  EXPECT_EQ(refused("00000000: 0101  ..\n00000010: 02  .\n"),
            "hex text, line 2: its offset is 0x10, but the lines before it end at 0x2: some are "
            "missing or doubled");
}

TEST(HexTest, TellsTextFromBytes) {
  const std::string text = "01 02\r\n\t0x03";
  EXPECT_TRUE(looks_like_text({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
  EXPECT_FALSE(looks_like_text(kThree));
  EXPECT_FALSE(looks_like_text(kTwenty));
}

}  // namespace
}  // namespace settee::cli
