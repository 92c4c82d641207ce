// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Structs, references and errors. What Java writes is in codec_java_test.cc, what can be read into
// another type in codec_conversion_test.cc.

#include "settee/hessian/codec.h"

#include <gtest/gtest.h>

#include "settee/hessian/codec_test_support.h"

namespace settee::hessian_test {
namespace {

using hessian::Dialect;
using hessian::Reader;
using hessian::Value;
using hessian::Writer;

// ---- structs ----

// alice.friend is bob, and bob.friend is alice again: a typed value cannot hold that.
TEST(Codec, ACycleInTypedValuesIsNamed) {
  const Octets bytes = golden("sofa_contents.txt", "java request echoUser cyclic");
  Reader reader(bytes);
  ASSERT_TRUE(reader.skip());  // SofaRequest
  Result<Friend> alice = hessian::decode<Friend>(reader);
  ASSERT_FALSE(alice.ok());
  EXPECT_EQ(alice.error().message(),
            "hessian: com.example.User.friend.friend: cyclic reference into a typed value; use a "
            "member of type hessian::Value at byte " +
                std::to_string(to_hex(bytes).find("4a03") / 2));
  // The generic value can.
  Reader again(bytes);
  ASSERT_TRUE(again.skip());
  const Value value = hessian::decode<Value>(again).value();
  EXPECT_TRUE(value["friend"]["friend"].same_node(value));
  EXPECT_TRUE(value["friend"]["friend"].is_weak());
}

TEST(Codec, ReadsAUserOfNode) {
  const Octets bytes = golden("sofa_contents.txt", "node request echoUser");
  Reader reader(bytes);
  ASSERT_TRUE(reader.skip());
  const Friend alice = hessian::decode<Friend>(reader).value();
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(alice.name, "alice");
  EXPECT_EQ(alice.age, 30);
  EXPECT_EQ(alice.boxed, 5);
  EXPECT_EQ(alice.score, 99999);  // an int on the wire
  EXPECT_TRUE(alice.vip);
  EXPECT_EQ(alice.tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(alice.color, Color::GREEN);
  EXPECT_EQ(alice.other, nullptr);
  EXPECT_EQ(alice.birth, Date(std::chrono::milliseconds(0x15d3ef79800)));
  EXPECT_EQ(alice.id, "");
}

TEST(Codec, FieldsGoByName) {
  // Another order, another class, unknown fields with classes and references of their own.
  const Value wire = Value::list({Value::object("com.example.SubPoint")
                                      .set("z", Value::list({Value::object("X").set("a", 1)}))
                                      .set("y", 2)
                                      .set("x", 1)});
  EXPECT_EQ(read<std::vector<Point>>(hex_value(wire)), (std::vector<Point>{{1, 2}}));
  // From a map; missing fields and null keep the default.
  EXPECT_EQ(read<Point>(hex_value(Value::map({{"y", 5}, {7, 8}, {"w", Value::map()}}))),
            (Point{0, 5}));
  EXPECT_EQ(read<Point>(hex_value(Value::object("P").set("x", nullptr).set("y", 3))),
            (Point{0, 3}));
  EXPECT_EQ(read<Point>("4e"), Point());
  // An object into a map.
  EXPECT_EQ((read<std::map<std::string, std::int32_t>>(hex_of(Point{3, 4}))),
            (std::map<std::string, std::int32_t>{{"x", 3}, {"y", 4}}));
  // Inherited fields are flat.
  Friend bob;
  bob.id = "b-1";
  bob.extra = "e";
  bob.name = "bob";
  const Value flat = hessian::to_value(bob).value();
  EXPECT_EQ(flat.type_name(), "com.example.User");
  EXPECT_EQ(flat["id"], Value("b-1"));
  EXPECT_EQ(flat.field_name(0), "name");
  EXPECT_EQ(hessian::convert<Base>(flat).value(), (Base{"b-1", "e"}));
}

TEST(Codec, ADefinitionServesSeveralTypes) {
  // The outer and the inner object are of one class, which goes into two types.
  Value inner = Value::object("T").set("id", "in").set("extra", nullptr).set("other", nullptr);
  Value outer = Value::object("T").set("id", "out").set("extra", inner).set("other", "x");
  const auto both = read<std::map<std::string, std::variant<std::string, Base>>>(hex_value(outer));
  EXPECT_EQ(std::get<std::string>(both.at("id")), "out");
  EXPECT_EQ(std::get<Base>(both.at("extra")).id, "in");
  const auto list = hex_value(Value::list({outer["extra"], outer["extra"]}));
  EXPECT_EQ((read<std::vector<Base>>(list)), (std::vector<Base>{{"in", {}}, {"in", {}}}));
}

TEST(Codec, EverythingComesBack) {
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    for (int seed = 1; seed < 100; seed += 7) {
      const Everything e = make_everything(seed);
      const Bytes bytes = hessian::to_bytes(e, dialect).value();
      const Everything r = hessian::from_bytes<Everything>(bytes.span(), dialect).value();
      EXPECT_EQ(r.flag, e.flag);
      EXPECT_EQ(r.byte, e.byte);
      EXPECT_EQ(r.small, e.small);
      EXPECT_EQ(r.number, e.number);
      EXPECT_EQ(r.large, e.large);
      EXPECT_EQ(r.letter, e.letter);
      EXPECT_EQ(r.narrow, e.narrow);
      EXPECT_EQ(r.wide, e.wide);
      EXPECT_EQ(r.text, e.text);
      EXPECT_EQ(r.binary, e.binary);
      EXPECT_EQ(r.when, e.when);
      EXPECT_EQ(r.span, e.span);
      EXPECT_EQ(r.price, e.price);
      EXPECT_EQ(r.huge, e.huge);
      EXPECT_EQ(r.color, e.color);
      EXPECT_EQ(r.point, e.point);
      EXPECT_EQ(r.boxed, e.boxed);
      ASSERT_NE(r.maybe, nullptr);
      EXPECT_EQ(*r.maybe, *e.maybe);
      EXPECT_EQ(r.points, e.points);
      EXPECT_EQ(r.names, e.names);
      EXPECT_EQ(r.numbers, e.numbers);
      EXPECT_EQ(r.counts, e.counts);
      EXPECT_EQ(r.index, e.index);
      EXPECT_EQ(r.ints, e.ints);
      EXPECT_EQ(r.flags, e.flags);
      EXPECT_EQ(r.words, e.words);
      EXPECT_EQ(r.matrix, e.matrix);
      EXPECT_EQ(r.corners, e.corners);
      EXPECT_EQ(r.letters, e.letters);
      EXPECT_EQ(r.choice, e.choice);
      EXPECT_EQ(r.any, e.any);
      EXPECT_EQ(hessian::to_bytes(r, dialect)->size(), bytes.size());
      // By way of the generic form too.
      const Value value = hessian::from_bytes<Value>(bytes.span(), dialect).value();
      EXPECT_EQ(hessian::to_value(e).value(), value);
      EXPECT_EQ(hessian::convert<Everything>(value).value().index, e.index);
    }
    // All defaults: empty containers and nulls.
    const Everything e;
    const Bytes bytes = hessian::to_bytes(e, dialect).value();
    EXPECT_EQ(
        hessian::to_bytes(hessian::from_bytes<Everything>(bytes.span(), dialect).value(), dialect)
            .value(),
        bytes);
  }
}

TEST(Codec, BrokenOffAnywhereIsAnError) {
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    const Bytes bytes = hessian::to_bytes(make_everything(3), dialect).value();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto part = hessian::from_bytes<Everything>(bytes.span().first(size), dialect);
      ASSERT_FALSE(part.ok()) << size;
      EXPECT_EQ(part.error().code(), Code::kDecode);
    }
  }
}

TEST(Codec, RecursiveStructs) {
  Node root{1, std::make_unique<Node>(Node{2, nullptr, nullptr}),
            std::make_unique<Node>(Node{3, std::make_unique<Node>(), nullptr})};
  const Node again = read<Node>(hex_of(root));
  EXPECT_EQ(again.left->value, 2);
  EXPECT_EQ(again.right->left->value, 0);
  EXPECT_EQ(again.right->right, nullptr);
}

TEST(Codec, DepthIsBoundedInWriting) {
  auto deep = std::make_unique<Node>();
  for (int i = 1; i < 256; ++i) deep = std::make_unique<Node>(Node{i, std::move(deep), nullptr});
  EXPECT_TRUE(hessian::from_bytes<Node>(hessian::to_bytes(*deep)->span()).ok());
  deep = std::make_unique<Node>(Node{256, std::move(deep), nullptr});
  const Result<Bytes> refused = hessian::to_bytes(*deep);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), Code::kLimit);
  EXPECT_EQ(refused.error().message().substr(0, 54),
            "hessian: cannot write com.example.Node.left.left.left.");
  Buffer out;
  Writer writer(out);
  writer.set_depth_limit(257);
  EXPECT_TRUE(hessian::encode(writer, *deep).ok());
}

// ---- references ----

TEST(Codec, AReferenceIntoATypedValueIsReadAgain) {
  const Value point = Value::object("com.example.Point").set("x", 1).set("y", 2);
  const Value tags = Value::list({"a", "b"});
  const std::string points = hex_value(Value::list({point, point, Value::map({{"y", 9}}), point}));
  EXPECT_NE(points.find("4a01"), std::string::npos);
  EXPECT_EQ((read<std::vector<Point>>(points)),
            (std::vector<Point>{{1, 2}, {1, 2}, {0, 9}, {1, 2}}));
  EXPECT_EQ((read<std::vector<std::unique_ptr<Point>>>(points)[3]->y), 2);
  // Read again as something else; with class definitions, type names and references inside.
  Value inner = Value::list("[com.example.Point", {point, point});
  Value outer = Value::object("Outer")
                    .set("inner", inner)
                    .set("typed", Value::list("java.util.LinkedList", {tags, inner}));
  const Value both =
      Value::object("Both").set("first", outer).set("second", outer).set("third", inner);
  using Typed = std::map<std::string, std::map<std::string, std::vector<Value>>>;
  Value without = Value::object("Both").set("first", outer).set("second", outer);
  const auto maps = read<Typed>(hex_value(without));
  EXPECT_EQ(maps.at("first"), maps.at("second"));
  EXPECT_EQ(maps.at("second").at("inner")[1]["y"], Value(2));
  EXPECT_EQ(maps.at("second").at("typed")[0], tags);
  EXPECT_EQ(maps.at("second").at("typed")[1], inner);
  const auto third = read<std::map<std::string, Value>>(hex_value(both));
  EXPECT_TRUE(third.at("first").same_node(third.at("second")));
  EXPECT_TRUE(third.at("first")["inner"].same_node(third.at("third")));
}

TEST(Codec, TypedAndGenericReadersOfOneStreamShareReferences) {
  const Value shared = Value::object("com.example.Point").set("x", 1).set("y", 2);
  Value holder = Value::object("Holder").set("in", Value::list({shared})).set("skipped", nullptr);
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    Buffer out;
    Writer writer(out, dialect);
    writer.keep_identities();
    ASSERT_TRUE(hessian::encode(writer, holder).ok());
    ASSERT_TRUE(hessian::encode(writer, shared).ok());
    ASSERT_TRUE(hessian::encode(writer, holder).ok());
    ASSERT_TRUE(hessian::encode(writer, Value::list({holder, shared})).ok());
    const Bytes bytes = out.bytes();
    {  // first skipped, then generic, then typed
      Reader reader(bytes.span(), dialect);
      ASSERT_TRUE(reader.skip());
      const Value point = hessian::decode<Value>(reader).value();
      EXPECT_EQ(point, shared);
      const auto typed = hessian::decode<std::map<std::string, std::vector<Point>>>(reader);
      ASSERT_TRUE(typed.ok()) << typed.error().what();
      EXPECT_EQ(typed->at("in"), (std::vector<Point>{{1, 2}}));
      const Value list = hessian::decode<Value>(reader).value();
      EXPECT_EQ(list[0], holder);
      EXPECT_TRUE(list[0]["in"][0].same_node(list[1]));
      EXPECT_TRUE(reader.at_end());
    }
    {  // first typed, then typed through a reference, then generic
      Reader reader(bytes.span(), dialect);
      ASSERT_TRUE((hessian::decode<std::map<std::string, std::vector<Point>>>(reader).ok()));
      EXPECT_EQ(hessian::decode<Point>(reader).value(), (Point{1, 2}));
      EXPECT_EQ(hessian::decode<Value>(reader).value(), holder);
      EXPECT_TRUE(reader.skip());
      EXPECT_TRUE(reader.at_end());
    }
    {  // all generic
      Reader reader(bytes.span(), dialect);
      const Value a = hessian::decode<Value>(reader).value();
      const Value b = hessian::decode<Value>(reader).value();
      const Value c = hessian::decode<Value>(reader).value();
      EXPECT_TRUE(a.same_node(c));
      EXPECT_TRUE(a["in"][0].same_node(b));
    }
  }
}

TEST(Codec, GenericMembersOfTypedValues) {
  // A struct with a generic member that leads back to the struct cannot be held, and says so.
  Value self = Value::object("com.example.Everything").set("number", 3);
  self.set("any", Value::weak(self));
  EXPECT_EQ(
      failure<Everything>(hex_value(self)),
      "hessian: com.example.Everything.any: reference from a generic value to a typed one that "
      "it is part of at byte " +
          std::to_string(hex_value(self).find("4a00") / 2));
  // Where the generic member itself is cyclic there is no trouble.
  Value ring = Value::list();
  ring.push_back(Value::weak(ring));
  Value fine = Value::object("com.example.Everything").set("any", ring);
  const Everything e = read<Everything>(hex_value(fine));
  EXPECT_TRUE(e.any[0].same_node(e.any));
}

TEST(Codec, PointersToOneObjectAreWrittenOnce) {
  auto carol = std::make_shared<Friend>();
  carol->name = "carol";
  const std::vector<std::shared_ptr<Friend>> list = {carol, carol, nullptr};
  const Value value = hessian::to_value(list).value();
  EXPECT_TRUE(value[0].same_node(value[1]));
  const auto copies = read<std::vector<std::shared_ptr<Friend>>>(hex_of(list));
  EXPECT_EQ(copies[1]->name, "carol");
  EXPECT_NE(copies[0], copies[1]);

  // Two who know each other: the first is a plain value, not a pointer.
  Friend alice;
  alice.name = "alice";
  alice.other = std::make_shared<Friend>();
  alice.other->name = "bob";
  alice.other->other = std::shared_ptr<Friend>(&alice, [](Friend*) {});
  const Value cycle = hessian::to_value(alice).value();
  EXPECT_TRUE(cycle["friend"]["friend"].same_node(cycle));
  EXPECT_EQ(cycle["friend"]["name"], Value("bob"));
  alice.other->other.reset();
}

TEST(Codec, IdentityEndsWithTheValueUnlessKept) {
  const Value list = Value::list();
  Buffer apart;
  Writer writer(apart);
  ASSERT_TRUE(hessian::encode(writer, list).ok());
  ASSERT_TRUE(hessian::encode(writer, list).ok());
  EXPECT_EQ(to_hex(apart), "566e007a566e007a");
  Buffer together;
  Writer keeping(together);
  keeping.keep_identities();
  const Value copy = list;
  ASSERT_TRUE(hessian::encode(keeping, list).ok());
  ASSERT_TRUE(hessian::encode(keeping, copy).ok());
  EXPECT_EQ(to_hex(together), "566e007a4a00");
  const Point point{1, 2};
  Buffer structs;
  Writer same(structs);
  same.keep_identities();
  ASSERT_TRUE(hessian::encode(same, point).ok());
  ASSERT_TRUE(hessian::encode(same, point).ok());
  EXPECT_EQ(to_hex(structs.slice(structs.size() - 2, 2).span()), "4a00");
}

TEST(Codec, ManySharedObjectsKeepTheirIdentity) {
  Value list = Value::list();
  std::vector<Value> shared;
  for (int i = 0; i < 500; ++i) shared.push_back(Value::list({i}));
  for (int round = 0; round < 3; ++round) {
    for (const Value& one : shared) list.push_back(Value(one));
  }
  const Value again = hessian::from_bytes<Value>(hessian::to_bytes(list)->span()).value();
  for (std::size_t i = 0; i < 500; ++i) {
    EXPECT_EQ(again[i], shared[i]);
    EXPECT_TRUE(again[i].same_node(again[i + 500]));
    EXPECT_TRUE(again[i].same_node(again[i + 1000]));
  }
}

// Copies of copies: reading again nests.
TEST(Codec, ReferencesThatChainAreBounded) {
  const auto chain = [](int length) {
    std::vector<Value> nodes;
    nodes.push_back(Value::object("com.example.Node").set("value", 0).set("left", nullptr));
    for (int i = 1; i < length; ++i) {
      nodes.push_back(Value::object("com.example.Node").set("value", i).set("left", nodes.back()));
    }
    return hex_value(Value::list({}, std::move(nodes)));
  };
  const auto fine = read<std::vector<Node>>(chain(100));
  EXPECT_EQ(fine[99].left->left->value, 97);
  EXPECT_NE(failure<std::vector<Node>>(chain(200)).find("limit 'depth' of 256 exceeded"),
            std::string::npos);
}

// ---- errors ----

TEST(Codec, ErrorsGiveThePath) {
  const Value wire = Value::object("com.example.Everything")
                         .set("points", Value::list({Value::map(), Value::map({{"x", "no"}})}))
                         .set("flag", true);
  EXPECT_EQ(
      failure<Everything>(hex_value(wire)),
      "hessian: com.example.Everything.points[1].x: expected an int, found a string at byte " +
          std::to_string(hex_value(wire).find("026e6f") / 2));
  const Value map = Value::map({{"fine", 1}, {"wrong", Value::list()}});
  EXPECT_EQ((failure<std::map<std::string, std::int32_t>>(hex_value(map))),
            "hessian: [\"wrong\"]: expected an int, found a list at byte 13");
  EXPECT_EQ((failure<std::map<std::int32_t, std::int32_t>>("4d91007a")),
            "hessian: [...]: expected an int, found a string at byte 2");
  EXPECT_EQ((failure<std::set<std::int32_t>>("566e0291007a")),
            "hessian: [1]: expected an int, found a string at byte 4");
  EXPECT_EQ(failure<std::vector<Point>>("4d7a"), "hessian: expected a list, found a map at byte 0");
  EXPECT_EQ(failure<Point>("566e007a"),
            "hessian: com.example.Point: expected an object or map, found a list at byte 0");
  EXPECT_EQ(failure<Date>("00"), "hessian: expected a date, found a string at byte 0");
  EXPECT_EQ(failure<Bytes>("00"), "hessian: expected binary, found a string at byte 0");

  Everything broken;
  broken.points.resize(2);
  broken.price.text = "ten";
  EXPECT_EQ(hessian::to_bytes(broken).error().message(),
            "hessian: cannot write com.example.Everything.price: \"ten\" is no decimal number");
  EXPECT_EQ(hessian::to_bytes(broken).error().code(), Code::kEncode);
  const std::map<std::string, std::vector<Decimal>> prices = {{"eur", {Decimal("1"), Decimal("")}}};
  EXPECT_EQ(hessian::to_bytes(prices).error().message(),
            "hessian: cannot write java.util.Map[\"eur\"][1]: \"\" is no decimal number");
  // A conversion has no bytes, so it names none.
  EXPECT_EQ(hessian::convert<Point>(Value("x")).error().message(),
            "hessian: com.example.Point: expected an object or map, found a string");
}

// A message as a protobuf class has it.
struct FakeMessage {
  std::size_t ByteSizeLong() const { return 0; }
  bool SerializeToArray(void*, int) const { return true; }
  bool ParseFromArray(const void*, int) { return true; }
};

TEST(Codec, MessagesDoNotTravel) {
  const std::vector<FakeMessage> messages(1);
  EXPECT_EQ(
      hessian::to_bytes(messages).error().message(),
      "hessian: cannot write java.util.List[0]: a protobuf message does not travel in Hessian");
  EXPECT_EQ(failure<FakeMessage>("4e"),
            "hessian: a protobuf message does not travel in Hessian at byte 0");
}

}  // namespace
}  // namespace settee::hessian_test
