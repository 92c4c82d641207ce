// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes at all: read over, as generic values, as a type of every kind, in both dialects. What was
// read must be written and read again as the same.
//
// The first byte says how: its lowest bit the dialect, the rest the target type.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "settee/hessian/hessian_test_data.h"

namespace settee::hessian_test {
namespace {

using hessian::Dialect;
using hessian::Limits;
using hessian::Reader;
using hessian::Value;
using hessian::Writer;

void require(bool holds) {
  if (!holds) std::abort();
}

Limits fuzz_limits() {
  Limits limits;
  limits.nodes = 100'000;
  limits.bytes = 16 << 20;
  limits.depth = 64;
  return limits;
}

void read_over(std::span<const std::uint8_t> bytes, Dialect dialect) {
  Reader reader(bytes, dialect, fuzz_limits());
  while (!reader.at_end() && reader.skip()) {
  }
}

void read_values(std::span<const std::uint8_t> bytes, Dialect dialect) {
  Reader reader(bytes, dialect, fuzz_limits());
  std::vector<Value> values;
  while (!reader.at_end()) {
    Result<Value> value = hessian::decode<Value>(reader);
    if (!value) break;
    values.push_back(std::move(*value));
  }
  if (values.size() > 1000) return;
  Buffer out;
  Writer writer(out, dialect);
  writer.keep_identities();
  for (const Value& value : values) require(hessian::encode(writer, value).ok());
  const Bytes written = out.bytes();
  Reader again(written.span(), dialect);
  for (const Value& value : values) {
    Result<Value> same = hessian::decode<Value>(again);
    require(same.ok());
    require(*same == value);
    value.to_string(200);
  }
  require(again.at_end());
}

// The values of one stream into `T`, a skipped one and a generic one between them.
template <class T>
void read_typed(std::span<const std::uint8_t> bytes, Dialect dialect) {
  Reader reader(bytes, dialect, fuzz_limits());
  for (int i = 0; !reader.at_end() && i < 1000; ++i) {
    if (i % 4 == 2) {
      if (!reader.skip()) return;
      continue;
    }
    if (i % 4 == 3) {
      if (!hessian::decode<Value>(reader).ok()) return;
      continue;
    }
    Result<T> value = hessian::decode<T>(reader);
    if (!value) return;
    // What fits the type can be written, unless a decimal or a deep cycle of copies forbids it.
    Buffer out;
    Writer writer(out, dialect);
    if (!hessian::encode(writer, *value).ok()) continue;
    require(hessian::from_bytes<T>(out.bytes().span(), dialect).ok());
  }
}

}  // namespace
}  // namespace settee::hessian_test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace settee;
  using namespace settee::hessian_test;
  if (size == 0) return 0;
  const hessian::Dialect dialect =
      (data[0] & 1) == 0 ? hessian::Dialect::kSofa3 : hessian::Dialect::kHessian2;
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  switch (data[0] >> 1) {
    case 0: read_over(bytes, dialect); break;
    case 1: read_typed<Everything>(bytes, dialect); break;
    case 2: read_typed<Friend>(bytes, dialect); break;
    case 3: read_typed<std::vector<Node>>(bytes, dialect); break;
    case 4: read_typed<std::map<std::string, std::vector<Point>>>(bytes, dialect); break;
    case 5:
      read_typed<std::vector<std::variant<std::int32_t, std::string, Point, Color, Decimal,
                                          std::vector<Value>, std::map<std::string, Value>>>>(
          bytes, dialect);
      break;
    case 6: read_typed<std::vector<std::optional<BigInteger>>>(bytes, dialect); break;
    case 7: read_typed<std::vector<std::string>>(bytes, dialect); break;
    case 8: read_typed<Array<Array<char16_t>>>(bytes, dialect); break;
    case 9: read_typed<std::vector<Everything>>(bytes, dialect); break;
    default: read_values(bytes, dialect); break;
  }
  return 0;
}
