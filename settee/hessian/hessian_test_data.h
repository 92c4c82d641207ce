// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tests of this component share: hex, the files of testdata/, described types.

#pragma once

#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "settee/base/reflect.h"
#include "settee/hessian/hessian.h"

namespace settee::hessian_test {

using Octets = std::vector<std::uint8_t>;

inline Octets from_hex(std::string_view hex) {
  Octets bytes;
  int high = -1;
  for (const char c : hex) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) continue;
    const int digit = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  return bytes;
}

inline std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (const std::uint8_t byte : bytes) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 15];
  }
  return hex;
}

inline std::string to_hex(const Buffer& buffer) { return to_hex(buffer.bytes().span()); }

struct Golden {
  std::string name;
  Octets bytes;
};

/// The lines `name|hex` or name, tab, hex of a file; others are comments.
inline std::vector<Golden> read_golden(const std::filesystem::path& path) {
  std::vector<Golden> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t bar = line.find_last_of("|\t");
    if (line.empty() || line[0] == '#' || bar == std::string::npos) continue;
    lines.push_back({line.substr(0, bar), from_hex(line.substr(bar + 1))});
  }
  return lines;
}

#if defined(SETTEE_SOURCE_DIR)  // fuzz targets have no test data
inline std::filesystem::path test_data(std::string_view file) {
  return std::filesystem::path(SETTEE_SOURCE_DIR) / "settee/hessian/testdata" / file;
}

inline Octets golden(std::string_view file, std::string_view name) {
  for (Golden& line : read_golden(test_data(file))) {
    if (line.name == name) return line.bytes;
  }
  throw std::runtime_error("no golden value '" + std::string(name) + "' in " + std::string(file));
}
#endif

enum class Color { RED, GREEN, BLUE };

struct Base {
  std::string id;
  std::optional<std::string> extra;
  bool operator==(const Base&) const = default;
};

struct Friend : Base {
  std::string name;
  std::int32_t age = 0;
  std::optional<std::int32_t> boxed;
  std::int64_t score = 0;
  bool vip = false;
  std::vector<std::string> tags;
  Color color = Color::RED;
  std::shared_ptr<Friend> other;
  std::optional<Date> birth;
};

struct Point {
  std::int32_t x = 0;
  std::int32_t y = 0;
  bool operator==(const Point&) const = default;
  auto operator<=>(const Point&) const = default;
};

struct Everything {
  bool flag = false;
  std::int8_t byte = 0;
  std::int16_t small = 0;
  std::int32_t number = 0;
  std::int64_t large = 0;
  char16_t letter = u'a';
  float narrow = 0;
  double wide = 0;
  std::string text;
  Bytes binary;
  Date when{};
  std::chrono::milliseconds span{};
  Decimal price;
  BigInteger huge;
  Color color = Color::RED;
  Point point;
  std::optional<std::int64_t> boxed;
  std::unique_ptr<Point> maybe;
  std::vector<Point> points;
  std::set<std::string> names;
  std::unordered_set<std::int32_t> numbers;
  std::map<std::string, std::int64_t> counts;
  std::unordered_map<std::int32_t, std::vector<std::string>> index;
  Array<std::int32_t> ints;
  Array<bool> flags;
  Array<std::string> words;
  Array<Array<double>> matrix;
  Array<Point> corners;
  Array<char16_t> letters;
  std::variant<std::int32_t, std::string, Point, std::vector<std::int32_t>> choice;
  hessian::Value any;
};

struct Node {
  std::int32_t value = 0;
  std::unique_ptr<Node> left;
  std::unique_ptr<Node> right;
};

struct SoldOut : BusinessException<SoldOut> {
  std::string sku;
  std::int32_t left = 0;
};

/// An Everything in which nothing has its default; `seed` makes several.
inline Everything make_everything(int seed) {
  Everything e;
  e.flag = true;
  e.byte = static_cast<std::int8_t>(-seed);
  e.small = static_cast<std::int16_t>(seed * 77);
  e.number = seed * 1'000'003;
  e.large = static_cast<std::int64_t>(seed) * 4'000'000'007;
  e.letter = u'\u4e2d';
  e.narrow = 1.1f * static_cast<float>(seed);
  e.wide = 3.14159 * seed;
  e.text = "text \u4e2d\u6587 \U0001f600 " + std::to_string(seed);
  e.binary = Bytes(std::string_view("\0\1\2\377", 4));
  e.when = Date(std::chrono::milliseconds(1'700'000'000'123 + seed));
  e.span = std::chrono::milliseconds(seed * 250);
  e.price = Decimal("-12.3400");
  e.huge = BigInteger("-340282366920938463463374607431768211456");
  e.color = Color::BLUE;
  e.point = {seed, -seed};
  e.boxed = seed * 10;
  e.maybe = std::make_unique<Point>(Point{1, seed});
  e.points = {{1, 2}, {3, seed}};
  e.names = {"alice", "bob", std::to_string(seed)};
  e.numbers = {1, -70'000, seed};
  e.counts = {{"one", 1}, {"many", 5'000'000'000}};
  e.index = {{seed, {"a", "b"}}, {-1, {}}};
  e.ints = {{1, 2, -300'000}};
  e.flags = {{true, false, true}};
  e.words.assign({"x", "yy"});
  e.matrix = {{{{1.0, 2.5}}, {{}}}};
  e.corners = {{{5, 6}}};
  e.letters = {{u'a', u'\u4e2d', char16_t{0xd83d}}};
  e.choice = Point{7, 8};
  e.any = hessian::Value::object("com.acme.Thing").set("n", seed);
  return e;
}

}  // namespace settee::hessian_test

SETTEE_ENUM(settee::hessian_test::Color, "com.example.Color", RED, GREEN, BLUE)
SETTEE_STRUCT(settee::hessian_test::Base, "com.example.Base", id, extra)
SETTEE_DERIVED_STRUCT(settee::hessian_test::Friend, settee::hessian_test::Base, "com.example.User",
                      name, age, boxed, score, vip, tags, color, (other, "friend"), birth)
SETTEE_STRUCT(settee::hessian_test::Point, "com.example.Point", x, y)
SETTEE_STRUCT(settee::hessian_test::Everything, "com.example.Everything", flag, byte, small, number,
              large, letter, narrow, wide, text, binary, when, span, price, huge, color, point,
              boxed, maybe, points, names, numbers, counts, index, ints, flags, words, matrix,
              corners, letters, choice, any)
SETTEE_STRUCT(settee::hessian_test::Node, "com.example.Node", value, left, right)
SETTEE_EXCEPTION(settee::hessian_test::SoldOut, "com.example.SoldOut", sku, left)
