// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Random values there and back, in both dialects: trees, shared nodes, cycles.

#include <gtest/gtest.h>

#include <random>

#include "settee/hessian/hessian_test_data.h"

namespace settee::hessian_test {
namespace {

using hessian::Dialect;
using hessian::Reader;
using hessian::Value;
using hessian::Writer;

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  Value make(int depth) {
    switch (pick(depth > 0 ? 13 : 9)) {
      case 0: return Value();
      case 1: return Value(pick(2) == 1);
      case 2: return Value(static_cast<int>(bits() >> (32 + pick(32))) * sign());
      case 3: return Value(static_cast<std::int64_t>(bits() >> pick(64)) * sign());
      case 4: return Value(std::bit_cast<double>(bits()));
      case 5: return Value(static_cast<double>(static_cast<std::int32_t>(bits())) / 1000);
      case 6:
        return Value(Date(std::chrono::milliseconds(static_cast<std::int64_t>(bits() >> 20) /
                                                    (pick(2) == 1 ? 1 : 60000) *
                                                    (pick(2) == 1 ? 1 : 60000))));
      case 7: return Value(text());
      case 8: return Value(Bytes(std::string_view(text())));
      case 9:
      case 10: return container(Value::list(type(), {}), depth);
      case 11: return container(Value::map(type(), {}), depth);
      default: return container(Value::object(kClasses[pick(4)]), depth);
    }
  }

 private:
  static constexpr const char* kClasses[] = {"com.acme.A", "com.acme.B", "C", "\u4e2d.\U0001f600"};

  Value container(Value made, int depth) {
    above_.push_back(made);
    for (std::size_t i = pick(6); i > 0; --i) {
      Value item;
      const std::size_t kind = pick(12);
      if (kind == 0) {
        item = Value::weak(above_[pick(above_.size())]);
      } else if (kind == 1 && !done_.empty()) {
        item = done_[pick(done_.size())];
      } else {
        item = make(depth - 1);
      }
      if (made.type() == Value::Type::kList) {
        made.push_back(std::move(item));
      } else if (made.type() == Value::Type::kObject) {
        made.set("field" + std::to_string(i), std::move(item));
      } else if (pick(2) == 0) {
        made.set(static_cast<int>(i), std::move(item));
      } else {
        made.set(text(), std::move(item));
      }
    }
    above_.pop_back();
    done_.push_back(made);
    return made;
  }

  std::string type() {
    constexpr const char* kTypes[] = {"", "", "[int", "java.util.LinkedList", "\u00e9t\u00e9"};
    return kTypes[pick(5)];
  }

  std::string text() {
    std::size_t length = pick(40);
    if (pick(60) == 0) length = 32'700 + pick(100);
    const std::size_t alphabet = pick(3);
    std::string made;
    for (std::size_t i = 0; i < length; ++i) {
      constexpr const char* kOthers[] = {"\u00e9", "\u4e2d", "\U0001f600", "\u07ff", "\U0010ffff"};
      if (alphabet == 0 || pick(3) != 0) {
        made += static_cast<char>(pick(128));
      } else {
        made += kOthers[pick(5)];
      }
    }
    return made;
  }

  std::size_t pick(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  std::uint64_t bits() { return random_(); }
  int sign() { return pick(2) == 0 ? 1 : -1; }

  std::mt19937_64 random_;
  std::vector<Value> above_;
  std::vector<Value> done_;
};

TEST(RoundTrip, RandomValues) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    Maker maker(seed);
    const Value value = maker.make(5);
    for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
      const Result<Bytes> bytes = hessian::to_bytes(value, dialect);
      ASSERT_TRUE(bytes.ok()) << seed << ": " << bytes.error().what();
      const Result<Value> again = hessian::from_bytes<Value>(bytes->span(), dialect);
      ASSERT_TRUE(again.ok()) << seed << ": " << again.error().what();
      ASSERT_EQ(*again, value) << seed;
      ASSERT_EQ(hessian::to_bytes(*again, dialect).value(), *bytes) << seed;
      Reader reader(bytes->span(), dialect);
      ASSERT_TRUE(reader.skip()) << seed;
      ASSERT_TRUE(reader.at_end()) << seed;
    }
    ASSERT_EQ(value.clone(), value) << seed;
  }
}

// Several in one stream, sharing what they share.
TEST(RoundTrip, StreamsOfValues) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Maker maker(seed);
    std::vector<Value> values;
    for (int i = 0; i < 8; ++i) values.push_back(maker.make(3));
    for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
      Buffer out;
      Writer writer(out, dialect);
      writer.keep_identities();
      for (const Value& value : values) ASSERT_TRUE(hessian::encode(writer, value).ok());
      const Bytes bytes = out.bytes();
      // What is skipped is still there for those that refer to it.
      for (unsigned skipped = 0; skipped < 256; skipped += 17) {
        Reader reader(bytes.span(), dialect);
        std::vector<Value> kept;
        for (std::size_t i = 0; i < values.size(); ++i) {
          if ((skipped >> i & 1) != 0) {
            ASSERT_TRUE(reader.skip()) << seed;
            continue;
          }
          kept.push_back(hessian::decode<Value>(reader).value());
          ASSERT_EQ(kept.back(), values[i]) << seed << " " << i << " " << skipped;
        }
        EXPECT_TRUE(reader.at_end());
      }
    }
  }
}

TEST(RoundTrip, LargePayloads) {
  std::string text;
  for (int i = 0; i < 8 << 20; ++i) text += static_cast<char>('a' + i % 23);
  const Bytes binary{std::string_view(text)};
  std::vector<std::string> many;
  for (int i = 0; i < 100'000; ++i) many.push_back("element " + std::to_string(i));
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    EXPECT_EQ(
        hessian::from_bytes<std::string>(hessian::to_bytes(text, dialect)->span(), dialect).value(),
        text);
    EXPECT_EQ(
        hessian::from_bytes<Bytes>(hessian::to_bytes(binary, dialect)->span(), dialect).value(),
        binary);
    EXPECT_EQ(hessian::from_bytes<std::vector<std::string>>(
                  hessian::to_bytes(many, dialect)->span(), dialect)
                  .value(),
              many);
  }
}

}  // namespace
}  // namespace settee::hessian_test
