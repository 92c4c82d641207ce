// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Writing JSON to a Buffer. json_write.cc has described types, json_write_value.cc generic values.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "settee/base/detail/base64.h"
#include "settee/base/type_info.h"
#include "settee/hessian/internal/json_put.h"
#include "settee/hessian/internal/json_text.h"
#include "settee/hessian/json.h"
#include "settee/hessian/value.h"

namespace settee::inline v0::json::detail {

/// Functions that write take the place to write to and return the place behind, or null after an
/// error: so the place stays in a register. What is declared inline and not defined here is so in
/// json_write.cc, which alone uses it.
class Emitter {
 public:
  Emitter(Buffer& out, const WriteOptions& options)
      : out_(out), options_(options), pretty_(options.layout == Layout::kPretty) {}

  std::uint8_t* begin() {
    limit_ = start_ = out_.prepare(kRoom);
    limit_ += kRoom;
    return start_;
  }
  void end(std::uint8_t* at) noexcept { out_.commit(static_cast<std::size_t>(at - start_)); }

  Error take_error() { return std::move(*error_); }

  std::uint8_t* write(std::uint8_t* at, const TypeInfo& type, const void* value, const Step* up);

  std::uint8_t* generic(std::uint8_t* at, const hessian::Value& value, const Step* up);

  std::uint8_t* open(std::uint8_t* at, char bracket) {
    ++depth_;
    return put(at, bracket);
  }
  /// Between items, and before the first.
  std::uint8_t* separate(std::uint8_t* at, bool first) {
    if (!first) at = put(at, ',');
    return pretty_ ? line(at) : at;
  }
  std::uint8_t* close(std::uint8_t* at, char bracket, bool empty) {
    --depth_;
    if (pretty_ && !empty) at = line(at);
    return put(at, bracket);
  }
  std::uint8_t* put(std::uint8_t* at, char c) {
    at = room(at);
    *at = static_cast<std::uint8_t>(c);
    return at + 1;
  }
  /// A short text as it is.
  std::uint8_t* put(std::uint8_t* at, std::string_view plain) { return put_text(room(at), plain); }
  std::uint8_t* colon(std::uint8_t* at) { return pretty_ ? put(at, ": ") : put(at, ':'); }
  std::uint8_t* name(std::uint8_t* at, std::string_view name) { return colon(text(at, name)); }

 private:
  class SetVisitor;
  class MapVisitor;
  friend class ValueWriter;

  static constexpr std::size_t kRoom = 1024;
  // Texts leave so much room behind them, for the quote and what escapes need.
  static constexpr std::size_t kTextMargin = 16;

  // Room for any scalar.
  std::uint8_t* room(std::uint8_t* at) { return room(at, kScalarRoom); }
  std::uint8_t* room(std::uint8_t* at, std::size_t n) {
    if (static_cast<std::size_t>(limit_ - at) < n) [[unlikely]]
      return more(at, n);
    return at;
  }
  std::uint8_t* more(std::uint8_t* at, std::size_t n);

  __attribute__((noinline, cold)) std::uint8_t* fail(Code code, std::string what, const Step* up) {
    error_ = Error(code, "json: " + path_text(up) + ": " + what);
    return nullptr;
  }

  std::uint8_t* line(std::uint8_t* at) {
    std::size_t spaces = std::size_t{2} * depth_;
    at = put(at, '\n');
    while (spaces > 0) {
      const std::size_t n = std::min(spaces, kScalarRoom);
      at = room(at);
      std::memset(at, ' ', n);
      at += n;
      spaces -= n;
    }
    return at;
  }

  // A string with its quotes.
  std::uint8_t* text(std::uint8_t* at, std::string_view text) {
    const char* from = text.data();
    const char* end = from + text.size();
    at = room(at, std::min(text.size(), kRoom / 2) + 2 * kTextMargin);
    *at++ = '"';
    const std::size_t plain = copy_plain<true>(at, from, std::min(text.size(), left(at)));
    at += plain;
    from += plain;
    if (from != end) [[unlikely]]
      at = rest_of_text(at, from, end);
    *at++ = '"';
    return at;
  }

  std::size_t left(const std::uint8_t* at) const noexcept {
    return static_cast<std::size_t>(limit_ - at) - kTextMargin;
  }

  // The text from its first byte that is not plain, or that found no room.
  std::uint8_t* rest_of_text(std::uint8_t* at, const char* from, const char* end);

  // UTF-16 units as one string; surrogates that are no pair are escaped.
  inline std::uint8_t* characters(std::uint8_t* at, std::u16string_view units);
  inline std::uint8_t* char_array(std::uint8_t* at, const TypeInfo& type, const void* value);

  std::uint8_t* base64(std::uint8_t* at, const Bytes& bytes) {
    constexpr std::size_t kPiece = 384;  // a multiple of 3, which makes 512
    at = put(at, '"');
    for (std::size_t done = 0; done < bytes.size();) {
      const std::size_t n = std::min(kPiece, bytes.size() - done);
      at = settee::detail::put_base64(room(at, n / 3 * 4 + 4), bytes.data() + done, n);
      done += n;
    }
    return put(at, '"');
  }

  static std::int64_t millis_of(const void* date) noexcept {
    return static_cast<const Date*>(date)->time_since_epoch().count();
  }

  std::uint8_t* date(std::uint8_t* at, std::int64_t millis, bool as_text) {
    at = room(at);
    if (!as_text || !has_date_text(millis)) return put_whole(at, millis);
    *at++ = '"';
    at = put_date_text(at, millis);
    *at++ = '"';
    return at;
  }

  // The digits of a Decimal or BigInteger.
  inline std::uint8_t* digits(std::uint8_t* at, std::string_view digits, bool whole,
                              const Step* up);

  std::uint8_t* long_plain(std::uint8_t* at, std::string_view plain) {
    while (plain.size() > kScalarRoom) {
      at = put(at, plain.substr(0, kScalarRoom));
      plain.remove_prefix(kScalarRoom);
    }
    return put(at, plain);
  }

  inline static const EnumeratorInfo* enumerator(const TypeInfo& type, const void* value) noexcept;
  std::uint8_t* fail_enumerator(const TypeInfo& type, const void* value, const Step* up);

  // One more level; false after an error.
  bool enter(const Step* up) {
    if (depth_ < options_.depth) [[likely]]
      return true;
    return fail_depth(up);
  }
  bool fail_depth(const Step* up);

  inline std::uint8_t* structure(std::uint8_t* at, const TypeInfo& type, const void* value,
                                 const Step* up);
  inline std::uint8_t* list(std::uint8_t* at, const TypeInfo& type, const void* value,
                            const Step* up);
  inline std::uint8_t* set(std::uint8_t* at, const TypeInfo& type, const void* value,
                           const Step* up);
  inline std::uint8_t* map(std::uint8_t* at, const TypeInfo& type, const void* value,
                           const Step* up);

  // The name that a key of another type than string has; false if it has none.
  bool key_text(const TypeInfo& type, const void* key, std::string& out);

  Buffer& out_;
  WriteOptions options_;
  bool pretty_;
  std::uint32_t depth_ = 0;
  std::uint8_t* start_ = nullptr;  // of the room in the Buffer that is being filled
  std::uint8_t* limit_ = nullptr;
  std::optional<Error> error_;
};

/// Runs `put`, which gets an Emitter and the place to write to. After an error nothing stays in
/// `out`.
template <class F>
Result<void> emit(Buffer& out, const WriteOptions& options, F&& put) {
  const std::size_t before = out.size();
  Emitter emitter(out, options);
  std::uint8_t* end = put(emitter, emitter.begin());
  if (end != nullptr) [[likely]] {
    emitter.end(end);
    return {};
  }
  out.truncate(before);
  return emitter.take_error();
}

}  // namespace settee::inline v0::json::detail
