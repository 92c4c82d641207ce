// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/attributes.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>
#include <vector>

namespace settee::rpc {
namespace {

TEST(Attributes, AreLikeAMap) {
  std::mt19937 random(1);
  Attributes attributes;
  std::map<std::string, std::string, std::less<>> map;
  for (int i = 0; i < 5'000; ++i) {
    const std::string name(1, static_cast<char>('a' + random() % 20));
    const std::string value = std::to_string(i);
    switch (random() % 4) {
      case 0: attributes[name] = map[name] = value; break;
      case 1:
        attributes.insert_or_assign(name, value);
        map.insert_or_assign(name, value);
        break;
      case 2:
        EXPECT_EQ(attributes.try_emplace(name, value), map.try_emplace(name, value).second);
        break;
      case 3: EXPECT_EQ(attributes.erase(name), map.erase(name)); break;
    }
    ASSERT_EQ(attributes.size(), map.size());
    EXPECT_EQ(attributes.contains(name), map.contains(name));
    ASSERT_TRUE(std::equal(
        attributes.begin(), attributes.end(), map.begin(), map.end(),
        [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; }));
  }
}

TEST(Attributes, CopiesAreApart) {
  const Attributes empty;
  Attributes one{{"b", "2"}, {"a", "1"}, {"a", "3"}};
  EXPECT_EQ(one.begin()->first, "a");
  EXPECT_EQ(one.find("a")->second, "1");
  Attributes other = one;
  EXPECT_EQ(other, one);
  other["a"] = "9";
  EXPECT_NE(other, one);
  EXPECT_EQ(one.find("a")->second, "1");
  one = other;
  EXPECT_EQ(one.erase("b"), 1u);
  EXPECT_TRUE(other.contains("b"));
  other = empty;
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(other, empty);
  other = std::move(one);
  EXPECT_EQ(other, (Attributes{{"a", "9"}}));
  const Attributes& itself = other;
  other = itself;
  EXPECT_EQ(other.size(), 1u);
}

TEST(Attributes, CopiesMayBeUsedOnSeveralThreads) {
  const Attributes shared{{"a", "1"}, {"b", "2"}};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([mine = shared, i]() mutable {
      for (int n = 0; n < 1'000; ++n) {
        Attributes copy = mine;
        copy["a"] = std::to_string(i);
        mine = copy;
        EXPECT_EQ(mine.find("a")->second, std::to_string(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared.find("a")->second, "1");
}

}  // namespace
}  // namespace settee::rpc
