// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "apps/settee/text.h"

#include <gtest/gtest.h>

namespace settee::cli {
namespace {

TEST(PrintableTest, KeepsTextOfAllLanguages) {
  EXPECT_EQ(printable("plain, größer, 漢字, 😀"), "plain, größer, 漢字, 😀");
  EXPECT_EQ(printable(""), "");
}

TEST(PrintableTest, DisarmsControlCharacters) {
  EXPECT_EQ(printable("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(printable("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  EXPECT_EQ(printable(std::string_view("\0x", 2)), "\\x00x");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J"),
            "\\xc2\\x9b2J");
}

TEST(PrintableTest, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(printable("a\xff\xfe"), "a\\xff\\xfe");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");           // too long a form of '/'
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // half of a pair
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(printable("\xe6\xbc"), "\\xe6\\xbc");  // cut off
}

TEST(ShortenedTest, CutsBetweenCharacters) {
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcdef", 3), "abc... (3 more bytes; --full shows all)");
  EXPECT_EQ(shortened("漢字", 4), "漢... (3 more bytes; --full shows all)");
}

}  // namespace
}  // namespace settee::cli
