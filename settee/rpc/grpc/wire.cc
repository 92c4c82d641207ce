// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/wire.h"

namespace settee::inline v0::rpc::grpc {

namespace {

template <class Word>
Word fixed(const std::uint8_t* at) noexcept {
  Word value = 0;
  for (std::size_t i = 0; i < sizeof(Word); ++i) value |= Word{at[i]} << (8 * i);
  return value;
}

constexpr int kGroupDepth = 100;

}  // namespace

bool WireReader::long_varint(std::uint64_t& value) noexcept {
  std::uint64_t result = 0;
  const std::uint8_t* at = at_;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (at == end_) return fail("a number is cut off");
    const std::uint8_t byte = *at++;
    result |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) {
      at_ = at;
      value = result;
      return true;
    }
  }
  return fail("a number has more than ten bytes");
}

bool WireReader::read(WireField& field) noexcept {
  const std::uint8_t* const start = at_;
  const auto bad = [&](std::string_view rule) {
    at_ = start;
    return fail(rule);
  };
  std::uint64_t tag = 0;
  if (!varint(tag)) return false;
  if (tag >> 3 == 0 || tag > 0xffffffff) return bad("a field's number is not in 1 to 536870911");
  field.number = static_cast<std::uint32_t>(tag >> 3);
  field.wire = static_cast<Wire>(tag & 7);
  const auto left = static_cast<std::size_t>(end_ - at_);
  switch (field.wire) {
    case Wire::kVarint: return varint(field.value);
    case Wire::kFixed64:
      if (left < 8) return bad("a field of eight bytes is cut off");
      field.value = fixed<std::uint64_t>(at_);
      at_ += 8;
      return true;
    case Wire::kFixed32:
      if (left < 4) return bad("a field of four bytes is cut off");
      field.value = fixed<std::uint32_t>(at_);
      at_ += 4;
      return true;
    case Wire::kLength: {
      std::uint64_t size = 0;
      if (!varint(size)) return false;
      if (size > static_cast<std::size_t>(end_ - at_)) {
        return bad("a field's length goes beyond the end");
      }
      field.bytes = {at_, static_cast<std::size_t>(size)};
      at_ += size;
      return true;
    }
    case Wire::kGroup: return true;
    case Wire::kGroupEnd: return bad("a group ends that did not begin");
    default: return bad("a field has a wire type that does not exist");
  }
}

bool WireReader::skip_group(std::uint32_t number) noexcept {
  std::uint32_t open[kGroupDepth] = {number};
  int depth = 1;
  while (depth > 0) {
    if (at_ == end_) return fail("a group does not end");
    const std::uint8_t* const start = at_;
    std::uint64_t tag = 0;
    if (!varint(tag)) return false;
    if ((tag & 7) == static_cast<std::uint64_t>(Wire::kGroupEnd)) {
      if (tag >> 3 != open[--depth]) return fail("a group ends with another one's number");
      continue;
    }
    at_ = start;
    WireField field;
    if (!read(field)) return false;
    if (field.wire == Wire::kGroup) {
      if (depth == kGroupDepth) return fail("groups are nested more than 100 deep");
      open[depth++] = field.number;
    }
  }
  return true;
}

bool is_utf8(std::string_view text) noexcept {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    if (end - at >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, 8);
      if ((word & 0x8080808080808080U) == 0) {
        at += 8;
        continue;
      }
    }
    const auto first = static_cast<std::uint8_t>(*at);
    if (first < 0x80) {
      ++at;
      continue;
    }
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || end - at <= more) return false;
    // The second byte's range keeps out overlong forms, surrogates and what is beyond U+10FFFF.
    const auto second = static_cast<std::uint8_t>(at[1]);
    const std::uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const std::uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return false;
    for (int i = 2; i <= more; ++i) {
      if ((static_cast<std::uint8_t>(at[i]) & 0xc0) != 0x80) return false;
    }
    at += more + 1;
  }
  return true;
}

}  // namespace settee::inline v0::rpc::grpc
