// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/detail/copy_value.h"

#include <gtest/gtest.h>

#include "settee/base/reflect.h"

namespace copied {

enum class Side { BUY, SELL };

struct Leaf {
  std::string name;
  std::int32_t count = 0;
  std::int32_t hidden = 0;  // not described
};

struct Tree {
  std::vector<Leaf> leaves;
  std::shared_ptr<Leaf> shared;
  std::unique_ptr<Tree> child;
  std::optional<double> weight;
  std::map<std::string, std::vector<std::int64_t>> stock;
  std::set<std::string> tags;
  std::variant<std::int32_t, std::string> either;
  Side side = Side::BUY;
  settee::Bytes bytes;
};

}  // namespace copied

SETTEE_ENUM(copied::Side, "com.acme.Side", BUY, SELL)
SETTEE_STRUCT(copied::Leaf, "com.acme.Leaf", name, count)
SETTEE_STRUCT(copied::Tree, "com.acme.Tree", leaves, shared, child, weight, stock, tags, either,
              side, bytes)

namespace settee {
namespace {

copied::Leaf leaf(std::string name, std::int32_t count) {
  copied::Leaf made;
  made.name = std::move(name);
  made.count = count;
  made.hidden = 7;
  return made;
}

TEST(CopyValueTest, EverythingIsCopiedAndNothingShared) {
  copied::Tree from;
  from.leaves = {leaf("a", 1), leaf("b", 2)};
  from.shared = std::make_shared<copied::Leaf>(leaf("s", 3));
  from.child = std::make_unique<copied::Tree>();
  from.child->shared = from.shared;
  from.weight = 1.5;
  from.stock["x"] = {1, 2, 3};
  from.tags = {"t", "u"};
  from.either = std::string("either");
  from.side = copied::Side::SELL;
  from.bytes = Bytes(std::string_view("bytes"));
  copied::Tree to;
  to.leaves = {leaf("old", 9)};
  to.tags = {"old"};
  ASSERT_TRUE(detail::can_copy(type_of<copied::Tree>()));
  ASSERT_TRUE(detail::copy_value(type_of<copied::Tree>(), &to, &from));
  ASSERT_EQ(to.leaves.size(), 2U);
  EXPECT_EQ(to.leaves[1].name, "b");
  EXPECT_EQ(to.leaves[1].count, 2);
  EXPECT_EQ(to.leaves[1].hidden, 0) << "it does not travel";
  ASSERT_NE(to.shared, nullptr);
  EXPECT_NE(to.shared, from.shared);
  EXPECT_EQ(to.shared->name, "s");
  ASSERT_NE(to.child, nullptr);
  ASSERT_NE(to.child->shared, nullptr);
  EXPECT_NE(to.child->shared, to.shared);
  EXPECT_EQ(to.child->child, nullptr);
  EXPECT_EQ(to.weight, 1.5);
  EXPECT_EQ(to.stock, from.stock);
  EXPECT_EQ(to.tags, from.tags);
  EXPECT_EQ(std::get<std::string>(to.either), "either");
  EXPECT_EQ(to.side, copied::Side::SELL);
  EXPECT_EQ(to.bytes, from.bytes);
}

TEST(CopyValueTest, NullAndEmptyReplaceWhatWasThere) {
  copied::Tree to;
  to.shared = std::make_shared<copied::Leaf>();
  to.weight = 1;
  to.stock["x"] = {1};
  const copied::Tree from;
  ASSERT_TRUE(detail::copy_value(type_of<copied::Tree>(), &to, &from));
  EXPECT_EQ(to.shared, nullptr);
  EXPECT_EQ(to.weight, std::nullopt);
  EXPECT_TRUE(to.stock.empty());
}

TEST(CopyValueTest, DepthIsLimited) {
  copied::Tree root;
  copied::Tree* last = &root;
  for (int i = 0; i < 1'000; ++i) {
    last->child = std::make_unique<copied::Tree>();
    last = last->child.get();
  }
  copied::Tree to;
  const Result<void> done = detail::copy_value(type_of<copied::Tree>(), &to, &root);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::kLimit);
}

}  // namespace
}  // namespace settee
