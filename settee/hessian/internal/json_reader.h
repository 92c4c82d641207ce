// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Reading from a parsed JSON text. One class in three files: json_read.cc has described types,
// json_read_variant.cc the choice of a variant's alternative, json_read_value.cc generic values.
// What is declared inline and not defined here is so in the one file that uses it.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/base/type_info.h"
#include "settee/hessian/internal/json_document.h"
#include "settee/hessian/internal/json_java_class.h"
#include "settee/hessian/internal/json_text.h"
#include "settee/hessian/json.h"
#include "settee/hessian/value.h"

namespace settee::inline v0::json::detail {

inline constexpr std::string_view kClassKey = "$class";

// What a container of a Value, or an element of a set or map, costs besides what it holds, for the
// limit on bytes.
inline constexpr std::size_t kNodeSize = 64;

inline bool is_blank(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), is_space);
}

/// Whether null is a value of the type.
bool is_nullable(const TypeInfo& type) noexcept;
/// Whether a value of the type may be such a text; a variant tries no others.
bool may_be(const TypeInfo& type, Token token) noexcept;
/// What to say that the type wants: "a whole number from -128 to 127".
std::string expectation(const TypeInfo& type);

class Reader {
 public:
  using Value = hessian::Value;

  Reader(const Document& document, const ReadOptions& options)
      : document_(document), options_(options) {}

  /// The error of the read that failed.
  Error take_error() { return std::move(*error_); }

  /// Reads node `at` into the object of type `type` at `out`. At the top null is no primitive.
  bool read_top(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);
  /// The same, but with false it may also be tried otherwise: there is no error yet, unless a limit
  /// was exceeded.
  bool try_top(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);
  bool exceeded() const noexcept { return error_.has_value(); }

  bool read_value(Value& out, std::uint32_t at, const Step* up) { return any(out, at, up); }
  bool read_value(std::string_view java_class, Value& out, std::uint32_t at, const Step* up) {
    return item(java_class, out, at, up);
  }

  /// Fails because node `at` is something else.
  bool expected(std::string_view what, std::uint32_t at, const Step* up);

  /// A name's or string's text; escapes are replaced in `room`.
  std::string_view text(std::uint32_t at, std::string& room) const {
    const Document::Node& node = document_[at];
    if (node.token == Token::kString) return document_.inside(node);
    room.clear();
    detail::unescape(document_.inside(node), room);
    return room;
  }

  Step step_to(std::uint32_t name, const Step* up) const noexcept {
    const Document::Node& node = document_[name];
    return {up, document_.inside(node), 0, node.token == Token::kEscaped};
  }

 private:
  class Filler;

  bool is_text(std::uint32_t at) const noexcept {
    const Token token = document_[at].token;
    return token == Token::kString || token == Token::kEscaped;
  }

  std::string describe(std::uint32_t at) const;

  // Limits end trials, too.
  bool over(const char* name, std::uint64_t limit, std::uint32_t at, const Step* up);
  bool charge(std::uint64_t bytes, std::uint32_t at, const Step* up) {
    bytes_ += bytes;
    if (bytes_ > options_.limits.bytes) [[unlikely]] {
      return over("bytes", options_.limits.bytes, at, up);
    }
    return true;
  }
  bool visit(std::uint64_t nodes, std::uint32_t at, const Step* up) {
    visited_ += nodes;
    if (visited_ > options_.limits.nodes) [[unlikely]] {
      return over("nodes", options_.limits.nodes, at, up);
    }
    return true;
  }

  // ---- json_read.cc: described types ----

  bool read(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);
  bool expected_type(const TypeInfo& type, std::uint32_t at, const Step* up);
  inline bool null(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);
  template <class T>
  static bool store_whole(void* out, std::string_view number) noexcept {
    std::int64_t whole = 0;
    if (detail::parse_whole(number, whole) != NumberStatus::kOk ||
        whole < std::numeric_limits<T>::min() || whole > std::numeric_limits<T>::max()) {
      return false;
    }
    *static_cast<T*>(out) = static_cast<T>(whole);
    return true;
  }
  static bool number(Kind kind, void* out, std::string_view number) noexcept;
  static bool not_finite(Kind kind, void* out, std::string_view text) noexcept;
  static bool date(void* out, std::string_view text) noexcept;
  inline static bool enumerator(const TypeInfo& type, void* out, std::string_view name) noexcept;
  std::optional<std::string> digits_of(std::uint32_t at, bool whole) const;
  inline static void set_digits(Kind kind, void* out, std::string digits);
  inline bool digits(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);
  bool character(void* out, std::uint32_t at) const;
  inline bool characters(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);
  inline bool string(std::string& out, std::uint32_t at, const Step* up);
  bool bytes(Bytes& out, std::string_view what, std::uint32_t at, const Step* up);
  inline bool structure(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);
  inline bool list(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);
  inline bool set(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);
  inline bool map(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);
  inline bool key(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);

  // ---- json_read_variant.cc ----

  inline bool try_alternative(const TypeInfo& type, void* out, std::size_t i, std::uint32_t at,
                              const Step* up);
  inline bool try_structs(const TypeInfo& type, void* out, std::size_t first, std::uint32_t at,
                          const Step* up);
  bool variant(const TypeInfo& type, void* out, std::uint32_t at, const Step* up);

  // ---- json_read_value.cc: generic values ----

  // The "$class" form: nodes of the class name and of the value, 0 where there is none.
  struct Annotation {
    std::uint32_t name = 0;
    std::uint32_t value = 0;
    bool is_array = false;
    bool is_map = false;
    bool is_enum = false;
  };
  struct Member;

  Annotation annotation_of(std::uint32_t at) const;
  inline std::vector<Member> members_of(std::uint32_t at, std::deque<std::string>& room) const;
  inline static void drop_repeated(std::vector<Member>& members);
  bool any(Value& out, std::uint32_t at, const Step* up);
  bool visited_any(Value& out, std::uint32_t at, const Step* up);
  inline bool any_text(Value& out, std::uint32_t at, const Step* up);
  inline bool any_number(Value& out, std::uint32_t at, const Step* up);
  inline bool big_integer(Value& out, std::uint32_t at, const Step* up);
  inline bool any_list(std::string_view type, std::string_view element, Value& out,
                       std::uint32_t at, const Step* up);
  inline bool any_map(std::string_view type, std::uint32_t except, Value& out, std::uint32_t at,
                      const Step* up);
  inline bool any_pairs(std::string_view type, Value& out, std::uint32_t at, const Step* up);
  inline bool any_object(std::string_view type, std::uint32_t except, Value& out, std::uint32_t at,
                         const Step* up);
  inline bool any_annotated(const Annotation& annotation, Value& out, std::uint32_t at,
                            const Step* up);
  inline bool check_class(std::string_view name, std::uint32_t at, const Step* up);
  bool item(std::string_view name, Value& out, std::uint32_t at, const Step* up);
  inline bool of_array(ArrayType type, Value& out, std::uint32_t at, const Step* up);
  inline bool of_bytes(Value& out, std::uint32_t at, const Step* up);
  template <class Number, class Made>
  bool of_whole(const char* java, Value& out, std::uint32_t at, const Step* up);
  inline bool of_real(bool is_float, Value& out, std::uint32_t at, const Step* up);
  inline bool of_class(std::string_view name, bool is_map, Value& out, std::uint32_t at,
                       const Step* up);

  const Document& document_;
  ReadOptions options_;
  std::uint64_t visited_ = 0;
  std::uint64_t bytes_ = 0;
  int trials_ = 0;                     // while not 0 only limits make an error
  std::vector<std::uint32_t> places_;  // of the members of the structs being read
  std::optional<Error> error_;
};

}  // namespace settee::inline v0::json::detail
