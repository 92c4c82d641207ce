// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/event_parts.h"

#include <gtest/gtest.h>

#include <string>

namespace settee {
namespace {

TEST(EventText, IsAViewUntilItIsCopied) {
  std::string text = "latest";
  EventText view(text);
  EXPECT_EQ(view.view().data(), text.data());
  const EventText copy = view;
  text = "other!";
  EXPECT_EQ(view.view(), "other!");
  EXPECT_EQ(copy.view(), "latest");
  EventText assigned;
  assigned = copy;
  EXPECT_NE(assigned.view().data(), copy.view().data());
  EXPECT_EQ(assigned, "latest");
  EventText moved = std::move(assigned);
  EXPECT_EQ(moved, "latest");
  EXPECT_EQ(EventText(EventText()).view(), "");
}

TEST(Momentary, IsLostInACopy) {
  int value = 1;
  Momentary<int> here;
  here = &value;
  *here = 2;
  EXPECT_EQ(value, 2);
  const Momentary<int> copy = here;
  EXPECT_FALSE(copy);
  here = copy;
  EXPECT_FALSE(here);
}

}  // namespace
}  // namespace settee
