// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/reflect.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <stdexcept>

namespace shop {

enum class Side : std::int8_t { BUY = 1, SELL = -1, HOLD = 100 };

struct Base {
  std::string id;
  std::int32_t shared = 1;
};

struct Middle : Base {
  double price = 0;
};

struct Order : Middle {
  std::int64_t cents = 0;
  Side side = Side::BUY;
  std::string type_;
  std::vector<std::string> tags;
};

struct Empty {};

struct Numbered {
  std::int32_t first = 0;
  std::int32_t second = 0;
  std::int32_t third = 0;
};

struct Tree {
  std::int32_t value = 0;
  std::unique_ptr<Tree> left;
  std::shared_ptr<Tree> right;
  std::vector<Tree> children;
  std::map<std::string, Tree> named;
  std::optional<std::vector<Tree>> maybe;
};

struct SoldOut : settee::BusinessException<SoldOut> {
  std::string sku;
  std::int32_t left = 0;
};

struct Plain : settee::BusinessException<Plain> {};

#define TEN(x) x##0, x##1, x##2, x##3, x##4, x##5, x##6, x##7, x##8, x##9
#define HUNDRED(x)                                                                        \
  TEN(x##0), TEN(x##1), TEN(x##2), TEN(x##3), TEN(x##4), TEN(x##5), TEN(x##6), TEN(x##7), \
      TEN(x##8), TEN(x##9)

struct Wide {
  std::int32_t HUNDRED(a), HUNDRED(b);
};

struct Widest {
  std::int32_t HUNDRED(a), HUNDRED(b), TEN(c), TEN(d), TEN(e), TEN(f), TEN(g);
};

}  // namespace shop

SETTEE_ENUM(shop::Side, "com.shop.Side", BUY, SELL, HOLD)
SETTEE_STRUCT(shop::Base, "com.shop.Base", id, shared)
SETTEE_DERIVED_STRUCT(shop::Middle, shop::Base, "com.shop.Middle", price)
SETTEE_DERIVED_STRUCT(shop::Order, shop::Middle, "com.shop.Order", cents, side, (type_, "type"),
                      tags)
SETTEE_STRUCT(shop::Empty, "com.shop.Empty")
SETTEE_STRUCT(shop::Numbered, "com.shop.Numbered", (first, 3), (second, "zweitens", 1), (third, 100))
SETTEE_STRUCT(shop::Tree, "com.shop.Tree", value, left, right, children, named, maybe)
SETTEE_EXCEPTION(shop::SoldOut, "com.shop.SoldOut", sku, (left, "remaining"))
SETTEE_EXCEPTION(shop::Plain, "com.shop.Plain")
SETTEE_STRUCT(shop::Wide, "com.shop.Wide", HUNDRED(a), HUNDRED(b))
SETTEE_STRUCT(shop::Widest, "com.shop.Widest", HUNDRED(a), HUNDRED(b), TEN(c), TEN(d), TEN(e),
              TEN(f), TEN(g))

namespace settee {
namespace {

using shop::Order;
using shop::Side;
using shop::SoldOut;

std::vector<std::string> names_of(const TypeInfo& type) {
  std::vector<std::string> names;
  for (const MemberInfo& member : type.members) names.emplace_back(member.name);
  return names;
}

const MemberInfo& member(const TypeInfo& type, std::string_view name) {
  for (const MemberInfo& found : type.members) {
    if (found.name == name) return found;
  }
  throw std::out_of_range(std::string(name));
}

template <class T>
T& at(const MemberInfo& member, void* object) {
  return *reinterpret_cast<T*>(static_cast<char*>(object) + member.offset);
}

TEST(Reflect, AStructIsItsMembers) {
  const TypeInfo& type = type_of<shop::Base>();
  EXPECT_EQ(type.kind, Kind::kStruct);
  EXPECT_EQ(type.name, "com.shop.Base");
  EXPECT_EQ(type.size, sizeof(shop::Base));
  EXPECT_FALSE(type.exception);
  EXPECT_EQ(names_of(type), (std::vector<std::string>{"id", "shared"}));
  EXPECT_EQ(type.members[0].type->kind, Kind::kString);
  shop::Base base;
  at<std::string>(type.members[0], &base) = "x";
  at<std::int32_t>(type.members[1], &base) = 7;
  EXPECT_EQ(base.id, "x");
  EXPECT_EQ(base.shared, 7);
  EXPECT_TRUE(type_of<shop::Empty>().members.empty());
}

TEST(Reflect, BasesComeFlattenedBehindOwnMembers) {
  const TypeInfo& type = type_of<Order>();
  EXPECT_EQ(names_of(type),
            (std::vector<std::string>{"cents", "side", "type", "tags", "price", "id", "shared"}));
  Order order;
  at<std::string>(member(type, "id"), &order) = "o1";
  at<double>(member(type, "price"), &order) = 1.5;
  at<std::string>(member(type, "type"), &order) = "limit";
  EXPECT_EQ(order.id, "o1");
  EXPECT_EQ(order.price, 1.5);
  EXPECT_EQ(order.type_, "limit");
  // Seen as the base, the same members lie where the base has them.
  shop::Base* base = &order;
  EXPECT_EQ(at<std::string>(member(type_of<shop::Base>(), "id"), base), "o1");
}

TEST(Reflect, Enums) {
  const TypeInfo& type = type_of<Side>();
  EXPECT_EQ(type.kind, Kind::kEnum);
  EXPECT_EQ(type.name, "com.shop.Side");
  ASSERT_EQ(type.enumerators.size(), 3u);
  EXPECT_EQ(type.enumerators[1].name, "SELL");
  EXPECT_EQ(type.enumerators[1].value, -1);
  Side side = Side::HOLD;
  EXPECT_EQ(type.enum_get(&side), 100);
  type.enum_set(&side, -1);
  EXPECT_EQ(side, Side::SELL);
}

TEST(Reflect, TwoHundredAndFiftyMembers) {
  const TypeInfo& wide = type_of<shop::Wide>();
  ASSERT_EQ(wide.members.size(), 200u);
  EXPECT_EQ(wide.members[0].name, "a00");
  EXPECT_EQ(wide.members[99].name, "a99");
  EXPECT_EQ(wide.members[199].name, "b99");
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(wide.members[i].offset, i * sizeof(std::int32_t));
    EXPECT_EQ(wide.members[i].type->kind, Kind::kInt32);
  }
  const TypeInfo& widest = type_of<shop::Widest>();
  ASSERT_EQ(widest.members.size(), 250u);
  EXPECT_EQ(widest.members[249].name, "g9");
}

TEST(Reflect, WholeObjectsAreMadeAndDestroyed) {
  const TypeInfo& type = type_of<Order>();
  alignas(std::max_align_t) std::byte room[sizeof(Order)];
  type.construct(room);
  auto* order = std::launder(reinterpret_cast<Order*>(room));
  EXPECT_EQ(order->shared, 1);
  order->id = std::string(100, 'x');  // leaks, as the sanitizer says, unless destroyed
  order->tags = {"a", "b"};
  type.destroy(room);
}

TEST(Reflect, NullablesOfEveryForm) {
  const auto check = [](const TypeInfo& type, auto& nullable) {
    EXPECT_EQ(type.element->kind, Kind::kInt32);
    EXPECT_EQ(type.get(&nullable), nullptr);
    *static_cast<std::int32_t*>(type.emplace(&nullable)) = 5;
    ASSERT_NE(type.get(&nullable), nullptr);
    EXPECT_EQ(*static_cast<const std::int32_t*>(type.get(&nullable)), 5);
    EXPECT_EQ(*nullable, 5);
    EXPECT_EQ(*static_cast<std::int32_t*>(type.emplace(&nullable)), 0);  // a fresh one
    type.reset(&nullable);
    EXPECT_FALSE(nullable);
  };
  std::optional<std::int32_t> optional;
  std::unique_ptr<std::int32_t> unique;
  std::shared_ptr<std::int32_t> shared;
  EXPECT_EQ(type_of<std::optional<std::int32_t>>().kind, Kind::kOptional);
  EXPECT_EQ(type_of<std::unique_ptr<std::int32_t>>().kind, Kind::kPointer);
  EXPECT_EQ(type_of<std::shared_ptr<std::int32_t>>().kind, Kind::kPointer);
  check(type_of<std::optional<std::int32_t>>(), optional);
  check(type_of<std::unique_ptr<std::int32_t>>(), unique);
  check(type_of<std::shared_ptr<std::int32_t>>(), shared);
}

template <class C>
void check_sequence(Kind kind) {
  const TypeInfo& type = type_of<C>();
  EXPECT_EQ(type.kind, kind);
  C sequence;
  type.reserve(&sequence, 2);
  *static_cast<std::string*>(type.append(&sequence)) = "a";
  *static_cast<std::string*>(type.append(&sequence)) = "b";
  EXPECT_EQ(type.count(&sequence), 2u);
  EXPECT_EQ(*static_cast<const std::string*>(type.at(&sequence, 1)), "b");
  EXPECT_EQ(sequence[0], "a");
  type.clear(&sequence);
  EXPECT_TRUE(sequence.empty());
}

TEST(Reflect, Sequences) {
  check_sequence<std::vector<std::string>>(Kind::kList);
  check_sequence<Array<std::string>>(Kind::kArray);
  // Elements can be addressed, also of bool.
  const TypeInfo& type = type_of<Array<bool>>();
  Array<bool> flags;
  type.reserve(&flags, 10);
  *static_cast<bool*>(type.append(&flags)) = true;
  *static_cast<bool*>(type.append(&flags)) = false;
  EXPECT_TRUE(*static_cast<const bool*>(type.at(&flags, 0)));
  EXPECT_EQ(type.count(&flags), 2u);
  const Array<std::int32_t> made{{1, 2, 3}};
  EXPECT_EQ(made.size(), 3u);
}

class Fill final : public ElementFiller {
 public:
  Fill(std::string key, std::int32_t value, bool fail = false)
      : key_(std::move(key)), value_(value), fail_(fail) {}
  Result<void> fill_key(void* key) override {
    *static_cast<std::string*>(key) = key_;
    return {};
  }
  Result<void> fill_value(void* value) override {
    if (fail_) return Error(Code::kDecode, "stop");
    EXPECT_EQ(*static_cast<std::int32_t*>(value), 0);  // a fresh one, also for a key seen before
    *static_cast<std::int32_t*>(value) = value_;
    return {};
  }

 private:
  std::string key_;
  std::int32_t value_;
  bool fail_;
};

class Count final : public ElementVisitor {
 public:
  explicit Count(std::size_t stop_after) : stop_after_(stop_after) {}
  bool visit(const void* key, const void* value) override {
    ++seen;
    sum += *static_cast<const std::int32_t*>(value);
    if (key != nullptr) keys += *static_cast<const std::string*>(key);
    return seen < stop_after_;
  }
  std::size_t seen = 0;
  std::int32_t sum = 0;
  std::string keys;

 private:
  std::size_t stop_after_;
};

template <class C>
void check_set() {
  const TypeInfo& type = type_of<C>();
  EXPECT_EQ(type.kind, Kind::kSet);
  C set;
  for (const std::int32_t value : {5, 7, 5}) {
    Fill fill("", value);
    EXPECT_TRUE(type.insert(&set, fill));
  }
  Fill fails("", 9, true);
  EXPECT_FALSE(type.insert(&set, fails));
  EXPECT_EQ(type.count(&set), 2u);
  Count all(100);
  type.for_each(&set, all);
  EXPECT_EQ(all.sum, 12);
  EXPECT_EQ(all.keys, "");
  Count one(1);
  type.for_each(&set, one);
  EXPECT_EQ(one.seen, 1u);
  type.clear(&set);
  EXPECT_TRUE(set.empty());
}

template <class C>
void check_map() {
  const TypeInfo& type = type_of<C>();
  EXPECT_EQ(type.kind, Kind::kMap);
  EXPECT_EQ(type.key->kind, Kind::kString);
  C map;
  for (const auto& [key, value] : {std::pair{"a", 5}, {"b", 7}, {"a", 6}}) {
    Fill fill(key, value);
    EXPECT_TRUE(type.insert(&map, fill));
  }
  EXPECT_EQ(type.count(&map), 2u);
  EXPECT_EQ(map.at("a"), 6);  // the last one wins, as in Java
  Count all(100);
  type.for_each(&map, all);
  EXPECT_EQ(all.sum, 13);
  EXPECT_EQ(all.keys.size(), 2u);
  Count one(1);
  type.for_each(&map, one);
  EXPECT_EQ(one.seen, 1u);
  Fill fails("c", 1, true);
  EXPECT_FALSE(type.insert(&map, fails));
}

TEST(Reflect, SetsAndMaps) {
  check_set<std::set<std::int32_t>>();
  check_set<std::unordered_set<std::int32_t>>();
  check_map<std::map<std::string, std::int32_t>>();
  check_map<std::unordered_map<std::string, std::int32_t>>();
}

TEST(Reflect, Variants) {
  using V = std::variant<std::int32_t, std::string, Side>;
  const TypeInfo& type = type_of<V>();
  EXPECT_EQ(type.kind, Kind::kVariant);
  ASSERT_EQ(type.alternatives.size(), 3u);
  EXPECT_EQ(type.alternatives[1]->kind, Kind::kString);
  V value = std::string("x");
  EXPECT_EQ(type.index(&value), 1u);
  EXPECT_EQ(*static_cast<const std::string*>(type.alternative(&value)), "x");
  *static_cast<Side*>(type.emplace_alternative(&value, 2)) = Side::HOLD;
  EXPECT_EQ(std::get<Side>(value), Side::HOLD);
  EXPECT_EQ(type.emplace_alternative(&value, 3), nullptr);
}

TEST(Reflect, RecursiveTypes) {
  const TypeInfo& type = type_of<shop::Tree>();
  EXPECT_EQ(member(type, "left").type->element->name, "com.shop.Tree");
  EXPECT_EQ(member(type, "children").type->element->kind, Kind::kStruct);
  EXPECT_EQ(member(type, "maybe").type->element->element->name, "com.shop.Tree");
  shop::Tree tree;
  const MemberInfo& left = member(type, "left");
  auto* made =
      static_cast<shop::Tree*>(left.type->emplace(reinterpret_cast<char*>(&tree) + left.offset));
  made->value = 3;
  EXPECT_EQ(tree.left->value, 3);
}

// What a protobuf message looks like, so that the test needs no protobuf.
struct FakeMessage {
  std::string content;
  std::size_t ByteSizeLong() const { return content.size(); }
  bool SerializeToArray(void* to, int size) const {
    if (static_cast<std::size_t>(size) < content.size()) return false;
    content.copy(static_cast<char*>(to), content.size());
    return true;
  }
  bool ParseFromArray(const void* from, int size) {
    content.assign(static_cast<const char*>(from), static_cast<std::size_t>(size));
    return content != "bad";
  }
};

TEST(Reflect, Messages) {
  const TypeInfo& type = type_of<FakeMessage>();
  EXPECT_EQ(type.kind, Kind::kMessage);
  FakeMessage message{"hello"};
  ASSERT_EQ(type.message_size(&message), 5u);
  char out[5];
  EXPECT_TRUE(type.message_write(&message, out, 5));
  EXPECT_FALSE(type.message_write(&message, out, 4));
  FakeMessage read;
  EXPECT_TRUE(type.message_read(&read, out, 5));
  EXPECT_EQ(read.content, "hello");
  EXPECT_FALSE(type.message_read(&read, "bad", 3));
}

TEST(Reflect, FieldNumbersAreGivenOrPositions) {
  const TypeInfo& type = type_of<shop::Numbered>();
  EXPECT_EQ(type.members[0].number, 3u);
  EXPECT_EQ(type.members[1].name, "zweitens");
  EXPECT_EQ(type.members[1].number, 1u);
  EXPECT_EQ(type.members[2].number, 100u);
  EXPECT_EQ(std::vector<int>(type.by_number.begin(), type.by_number.end()),
            (std::vector<int>{1, 0, 2}));
}

// What the compiler refuses, asked for at run time.
TEST(Reflect, FieldNumbersThatProtobufHasNotAreRefused) {
  for (const std::int64_t number : {-1L, 0L, 19'000L, 19'999L, 536'870'912L, 1L << 32}) {
    try {
      settee::detail::field_number("cents", number);
      ADD_FAILURE() << number;
    } catch (const settee::Error& error) {
      EXPECT_EQ(error.code(), settee::Code::kMisuse);
      EXPECT_NE(std::string(error.what()).find("cents"), std::string::npos) << error.what();
    }
  }
  for (const std::int64_t number : {1L, 18'999L, 20'000L, 536'870'911L}) {
    EXPECT_EQ(settee::detail::field_number("cents", number), static_cast<std::uint32_t>(number));
  }
}

TEST(Reflect, TheSecondMemberOfANumberIsFound) {
  settee::MemberInfo members[] = {
      {"a", 0, nullptr, 2}, {"b", 0, nullptr}, {"c", 0, nullptr}};
  EXPECT_FALSE(settee::detail::number_members(members));
  EXPECT_EQ(settee::detail::second_of_a_number(members).name, "b");
  members[1].number = 7;
  EXPECT_EQ(settee::detail::second_of_a_number(members).number, 0u);
}

TEST(Reflect, JavaNames) {
  const auto name = []<class T>(std::type_identity<T>) { return java_name(type_of<T>()); };
#define EXPECT_JAVA(expected, ...) EXPECT_EQ(name(std::type_identity<__VA_ARGS__>()), expected)
  EXPECT_JAVA("void", void);
  EXPECT_JAVA("boolean", bool);
  EXPECT_JAVA("byte", std::int8_t);
  EXPECT_JAVA("short", std::int16_t);
  EXPECT_JAVA("int", std::int32_t);
  EXPECT_JAVA("long", std::int64_t);
  EXPECT_JAVA("long", long long);
  EXPECT_JAVA("char", char16_t);
  EXPECT_JAVA("float", float);
  EXPECT_JAVA("double", double);
  EXPECT_JAVA("long", std::chrono::milliseconds);
  EXPECT_JAVA("java.lang.String", std::string);
  EXPECT_JAVA("[B", Bytes);
  EXPECT_JAVA("java.util.Date", Date);
  EXPECT_JAVA("java.math.BigDecimal", Decimal);
  EXPECT_JAVA("java.math.BigInteger", BigInteger);
  EXPECT_JAVA("com.shop.Side", Side);
  EXPECT_JAVA("com.shop.Order", Order);
  EXPECT_JAVA("com.shop.SoldOut", SoldOut);
  EXPECT_JAVA("java.lang.Boolean", std::optional<bool>);
  EXPECT_JAVA("java.lang.Byte", std::optional<std::int8_t>);
  EXPECT_JAVA("java.lang.Short", std::optional<std::int16_t>);
  EXPECT_JAVA("java.lang.Integer", std::optional<std::int32_t>);
  EXPECT_JAVA("java.lang.Long", std::optional<std::int64_t>);
  EXPECT_JAVA("java.lang.Long", std::optional<std::chrono::milliseconds>);
  EXPECT_JAVA("java.lang.Character", std::optional<char16_t>);
  EXPECT_JAVA("java.lang.Float", std::optional<float>);
  EXPECT_JAVA("java.lang.Double", std::shared_ptr<double>);
  EXPECT_JAVA("java.lang.String", std::optional<std::string>);
  EXPECT_JAVA("com.shop.Order", std::unique_ptr<Order>);
  EXPECT_JAVA("[B", std::optional<Bytes>);
  EXPECT_JAVA("java.util.List", std::vector<std::int32_t>);
  EXPECT_JAVA("java.util.List", std::optional<std::vector<std::int32_t>>);
  EXPECT_JAVA("java.util.Set", std::set<std::int32_t>);
  EXPECT_JAVA("java.util.Set", std::unordered_set<std::string>);
  EXPECT_JAVA("java.util.Map", std::map<std::string, Order>);
  EXPECT_JAVA("java.util.Map", std::unordered_map<std::string, Order>);
  EXPECT_JAVA("java.lang.Object", std::variant<std::int32_t, std::string>);
  EXPECT_JAVA("[Z", Array<bool>);
  EXPECT_JAVA("[S", Array<std::int16_t>);
  EXPECT_JAVA("[I", Array<std::int32_t>);
  EXPECT_JAVA("[J", Array<std::int64_t>);
  EXPECT_JAVA("[J", Array<std::chrono::milliseconds>);
  EXPECT_JAVA("[C", Array<char16_t>);
  EXPECT_JAVA("[F", Array<float>);
  EXPECT_JAVA("[D", Array<double>);
  EXPECT_JAVA("[[I", Array<Array<std::int32_t>>);
  EXPECT_JAVA("[[B", Array<Bytes>);
  EXPECT_JAVA("[Ljava.lang.String;", Array<std::string>);
  EXPECT_JAVA("[[Ljava.lang.String;", Array<Array<std::string>>);
  EXPECT_JAVA("[Lcom.shop.Order;", Array<Order>);
  EXPECT_JAVA("[Lcom.shop.Side;", Array<Side>);
  EXPECT_JAVA("[Ljava.lang.Integer;", Array<std::optional<std::int32_t>>);
  EXPECT_JAVA("[Ljava.util.List;", Array<std::vector<std::string>>);
#undef EXPECT_JAVA
  TypeInfo any;
  any.kind = Kind::kAny;
  EXPECT_EQ(java_name(any), "java.lang.Object");
}

TEST(Exceptions, TravelInAnErrorAndComeBackAsTheirType) {
  SoldOut thrown;
  thrown.message = "no more";
  thrown.sku = "s1";
  thrown.left = 2;
  const TypeInfo& type = type_of<SoldOut>();
  EXPECT_TRUE(type.exception);
  EXPECT_EQ(names_of(type), (std::vector<std::string>{"detailMessage", "sku", "remaining"}));
  EXPECT_EQ(at<std::string>(member(type, "detailMessage"), &thrown), "no more");
  EXPECT_EQ(names_of(type_of<shop::Plain>()), std::vector<std::string>{"detailMessage"});

  std::optional<Error> error;
  try {
    throw thrown;
  } catch (const Exception& caught) {
    error = caught.to_error();  // as the server does, which does not know the type
  }
  EXPECT_EQ(error->code(), Code::kBusiness);
  EXPECT_EQ(error->message(), "no more");
  EXPECT_STREQ(error->what(), "Business: no more");
  ASSERT_NE(error->exception(), nullptr);
  EXPECT_EQ(error->exception()->class_name(), "com.shop.SoldOut");
  EXPECT_EQ(error->exception()->type()->name, "com.shop.SoldOut");
  EXPECT_EQ(static_cast<const SoldOut*>(error->exception()->object())->sku, "s1");
  const std::optional<SoldOut> back = error->as<SoldOut>();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->sku, "s1");
  EXPECT_EQ(back->left, 2);
  EXPECT_EQ(back->message, "no more");
  EXPECT_FALSE(error->as<shop::Plain>());
  EXPECT_FALSE(Error(Code::kBusiness, "no value").as<SoldOut>());
  // The value stays with the error through within() and because().
  EXPECT_TRUE(error->within("call x").because(Error(Code::kIo, "y")).as<SoldOut>());
}

// As a codec holds it: bytes that have not been read yet.
class Unread final : public ExceptionValue {
 public:
  explicit Unread(bool fits) : fits_(fits) {}
  std::string_view class_name() const noexcept override { return "com.shop.SoldOut"; }
  bool read_into(const TypeInfo& type, void* out) const override {
    if (!fits_) return false;
    at<std::string>(member(type, "sku"), out) = "read";
    return true;
  }

 private:
  bool fits_;
};

TEST(Exceptions, FromAnotherHolder) {
  const Error fits("m", std::make_shared<Unread>(true));
  EXPECT_EQ(fits.as<SoldOut>()->sku, "read");
  EXPECT_EQ(fits.exception()->object(), nullptr);
  EXPECT_EQ(fits.exception()->type(), nullptr);
  EXPECT_FALSE(Error("m", std::make_shared<Unread>(false)).as<SoldOut>());
}

}  // namespace
}  // namespace settee
