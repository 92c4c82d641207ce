// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A type with a member of each form, for the tests and the fuzzer of this folder.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "settee/base/reflect.h"
#include "settee/base/service.h"

namespace grpc_test {

enum class Side { BUY, SELL };
enum class Grade { GOOD = 3, BAD = -7, ALSO_BAD = -7 };

struct Line {
  std::string sku;
  std::int32_t count = 1;
  bool operator==(const Line&) const = default;
};

struct Base {
  std::string id;
};

struct Order : Base {
  std::int64_t cents = 0;
  std::vector<std::int32_t> numbers;
  Line line;
  std::vector<Line> lines;
  std::optional<std::int32_t> boxed;
  std::unique_ptr<Order> parent;
  std::map<std::string, std::int32_t> counts;
  std::map<std::int32_t, Line> lines_by_number;
  Side side = Side::BUY;
  Grade grade = Grade::GOOD;
  double price = 0;
  float ratio = 0;
  bool paid = false;
  settee::Bytes raw;
  settee::Date when{};
  settee::Decimal total;
  settee::BigInteger big;
  std::chrono::milliseconds wait{0};
  std::int8_t tiny = 0;
  std::int16_t small = 0;
  char16_t letter = 0;
  std::set<std::string> tags;
  settee::Array<double> prices;
  settee::Array<bool> flags;
  std::optional<std::vector<std::string>> notes;
  std::vector<std::optional<std::string>> maybe;
  std::optional<Line> other_line;
  std::vector<Grade> grades;
  std::optional<std::string> note;
};

/// Beside another Line in the file of its service.
struct OtherLine {
  std::int32_t number = 5;
  std::string text = "five";
};

/// With numbers of its own, beside positions.
struct Numbered : Base {
  std::string name;
  std::int32_t count = 0;
  std::vector<std::int32_t> marks;
  double share = 0;
};

struct Formless {
  std::string name;
  std::variant<std::int32_t, std::string> what;
};
struct Nested {
  std::vector<std::vector<std::int32_t>> rows;
};

struct Orders {
  virtual ~Orders() = default;
  virtual settee::Task<Order> find(std::string id) = 0;
  virtual settee::Task<std::int64_t> place(Order order) = 0;
  virtual settee::Task<void> cancel(std::string id, std::optional<std::string> reason,
                                    std::vector<Side> sides) = 0;
  virtual settee::Task<std::map<std::string, Line>> list() = 0;
  virtual settee::Task<OtherLine> other(Side side, OtherLine line) = 0;
  virtual settee::Task<void> odd(std::int32_t number, Formless formless) = 0;
  virtual settee::Task<Nested> rows() = 0;
};

struct Archive {
  virtual ~Archive() = default;
  virtual settee::Task<Order> oldest() = 0;
};

struct Numbers {
  virtual ~Numbers() = default;
  virtual settee::Task<Numbered> turn(Numbered numbered) = 0;
};

struct Elsewhere {
  virtual ~Elsewhere() = default;
  virtual settee::Task<std::string> name() = 0;
};

}  // namespace grpc_test

SETTEE_ENUM(grpc_test::Side, "com.acme.Side", BUY, SELL)
SETTEE_ENUM(grpc_test::Grade, "com.acme.Order$Grade", GOOD, BAD, ALSO_BAD)
SETTEE_STRUCT(grpc_test::Line, "com.acme.Line", sku, count)
SETTEE_STRUCT(grpc_test::Base, "com.acme.Base", id)
SETTEE_DERIVED_STRUCT(grpc_test::Order, grpc_test::Base, "com.acme.Order", cents, numbers, line,
                      lines, boxed, parent, counts, lines_by_number, side, grade, price, ratio,
                      paid, raw, when, total, big, wait, tiny, small, letter, tags, prices, flags,
                      notes, maybe, other_line, grades, note)
SETTEE_STRUCT(grpc_test::OtherLine, "com.other.Line", number, text)
SETTEE_DERIVED_STRUCT(grpc_test::Numbered, grpc_test::Base, "com.acme.Numbered", (name, 7),
                      (count, "total", 536870911), marks, (share, 1))
SETTEE_STRUCT(grpc_test::Formless, "com.acme.Formless", name, what)
SETTEE_STRUCT(grpc_test::Nested, "com.acme.Nested", rows)
SETTEE_SERVICE(grpc_test::Orders, "com.acme.Orders", (find, id), (place, order),
               (cancel, id, reason, sides), (list), (other, side, line), (odd, number, formless),
               (rows))
SETTEE_SERVICE(grpc_test::Archive, "com.acme.Archive", (oldest))
SETTEE_SERVICE(grpc_test::Numbers, "com.acme.Numbers", (turn, numbered))
SETTEE_SERVICE(grpc_test::Elsewhere, "com.other.Elsewhere", (name))
