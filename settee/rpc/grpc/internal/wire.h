// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The wire format of Protocol Buffers: tags, varints, lengths. Source of the format:
// https://protobuf.dev/programming-guides/encoding/
//
//   put_text(out, 1, "ACME");
//   for (WireReader reader(bytes); reader.next(field);) use(field.number, field.text());
//   if (!reader.rule().empty()) refuse(reader.rule(), reader.offset());
//
// Threads: plain functions and values.

#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string_view>

#include "settee/base/export.h"
#include "settee/rpc/grpc/internal/output.h"

namespace settee::inline v0::rpc::grpc {

enum class Wire : std::uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kLength = 2,
  kGroup = 3,
  kGroupEnd = 4,
  kFixed32 = 5,
};

inline constexpr std::size_t kLongestVarint = 10;

constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

inline std::uint8_t* put_varint(std::uint8_t* to, std::uint64_t value) noexcept {
  while (value >= 0x80) {
    *to++ = static_cast<std::uint8_t>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<std::uint8_t>(value);
  return to;
}

inline void put_varint(Output& out, std::uint64_t value) {
  std::uint8_t* room = out.prepare(kLongestVarint);
  out.commit(static_cast<std::size_t>(put_varint(room, value) - room));
}

inline void put_tag(Output& out, std::uint32_t number, Wire wire) {
  put_varint(out, std::uint64_t{number} << 3 | static_cast<std::uint64_t>(wire));
}

inline void put_number(Output& out, std::uint32_t number, std::uint64_t value) {
  put_tag(out, number, Wire::kVarint);
  put_varint(out, value);
}

template <class Word>
void put_fixed(Output& out, Word bits) {
  std::uint8_t* room = out.prepare(sizeof(Word));
  for (std::size_t i = 0; i < sizeof(Word); ++i) {
    room[i] = static_cast<std::uint8_t>(bits >> (8 * i));
  }
  out.commit(sizeof(Word));
}

inline void put_text(Output& out, std::uint32_t number, std::string_view text) {
  put_tag(out, number, Wire::kLength);
  put_varint(out, text.size());
  out.append(text);
}

/// Opens a length-prefixed part: what end_length() wants.
inline std::size_t begin_length(Output& out) {
  out.prepare(1);
  out.commit(1);
  return out.size();
}
/// Puts the size of what follows `begin` in front of it.
inline void end_length(Output& out, std::size_t begin) {
  const std::size_t size = out.size() - begin;
  const std::size_t width = varint_size(size);
  if (width > 1) out.insert(begin, width - 1);
  put_varint(out.data() + begin - 1, size);
}

/// One field of a message: its number, how it is written, and its content.
struct WireField {
  std::uint32_t number = 0;
  Wire wire = Wire::kVarint;
  std::uint64_t value = 0;              ///< of kVarint, kFixed64, kFixed32
  std::span<const std::uint8_t> bytes;  ///< of kLength

  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

/// Reads a message's fields one after the other. Groups, which proto3 does not have, are read over.
class SETTEE_API WireReader {
 public:
  explicit WireReader(std::span<const std::uint8_t> bytes) noexcept
      : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  /// False at the end, or if the bytes break the format: rule() then says which rule.
  bool next(WireField& field) noexcept {
    for (;;) {
      if (at_ == end_) return false;
      if (!read(field)) return false;
      if (field.wire != Wire::kGroup) [[likely]]
        return true;
      if (!skip_group(field.number)) return false;
    }
  }
  /// A number without a tag, as packed fields have them. False: as of next().
  bool next_varint(std::uint64_t& value) noexcept { return at_ != end_ && varint(value); }
  bool at_end() const noexcept { return at_ == end_; }

  /// Empty: nothing was wrong.
  std::string_view rule() const noexcept { return rule_; }
  /// Of what next() looks at next, or of what was wrong.
  std::size_t offset() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

 private:
  bool varint(std::uint64_t& value) noexcept {
    if (at_ != end_ && *at_ < 0x80) [[likely]] {
      value = *at_++;
      return true;
    }
    return long_varint(value);
  }
  bool long_varint(std::uint64_t& value) noexcept;
  bool read(WireField& field) noexcept;
  bool skip_group(std::uint32_t number) noexcept;
  bool fail(std::string_view rule) noexcept {
    rule_ = rule;
    return false;
  }

  const std::uint8_t* begin_;
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::string_view rule_;
};

/// Whether a proto3 `string` may have this content.
SETTEE_API bool is_utf8(std::string_view text) noexcept;

}  // namespace settee::inline v0::rpc::grpc
