// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which of a variant's alternatives a JSON text goes into.

#include <algorithm>
#include <string>
#include <string_view>

#include "settee/hessian/internal/json_document.h"
#include "settee/hessian/internal/json_reader.h"

namespace settee::inline v0::json {

namespace detail {

namespace {

const TypeInfo& without_null(const TypeInfo& type) noexcept {
  const TypeInfo* inner = &type;
  while (inner->kind == Kind::kOptional || inner->kind == Kind::kPointer) inner = inner->element;
  return *inner;
}

bool is_struct(const TypeInfo& type) noexcept { return without_null(type).kind == Kind::kStruct; }

}  // namespace

bool may_be(const TypeInfo& type, Token token) noexcept {
  const bool number = token == Token::kNumber;
  const bool text = token == Token::kString || token == Token::kEscaped;
  switch (type.kind) {
    case Kind::kBool: return token == Token::kTrue || token == Token::kFalse;
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kDuration: return number;
    case Kind::kFloat:
    case Kind::kDouble:
    case Kind::kDate:
    case Kind::kDecimal:
    case Kind::kBigInteger: return number || text;
    case Kind::kChar16:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kEnum: return text;
    case Kind::kStruct:
    case Kind::kMap: return token == Token::kObject;
    case Kind::kList:
    case Kind::kSet: return token == Token::kArray;
    case Kind::kArray:
      return token == Token::kArray || (text && type.element->kind == Kind::kChar16);
    case Kind::kOptional:
    case Kind::kPointer: return token == Token::kNull || may_be(*type.element, token);
    case Kind::kVariant:
      return std::any_of(
          type.alternatives.begin(), type.alternatives.end(),
          [token](const TypeInfo* alternative) { return may_be(*alternative, token); });
    case Kind::kAny: return true;
    case Kind::kVoid:
    case Kind::kMessage: return false;
  }
  return false;
}

bool Reader::try_alternative(const TypeInfo& type, void* out, std::size_t i, std::uint32_t at,
                             const Step* up) {
  const std::size_t places = places_.size();
  ++trials_;
  const bool fits = read(*type.alternatives[i], type.emplace_alternative(out, i), at, up);
  --trials_;
  if (!fits) places_.resize(places);
  return fits;
}

bool Reader::try_structs(const TypeInfo& type, void* out, std::size_t first, std::uint32_t at,
                         const Step* up) {
  for (std::size_t i = first; i < type.alternatives.size(); ++i) {
    if (!is_struct(*type.alternatives[i])) continue;
    if (try_alternative(type, out, i, at, up)) return true;
    if (error_) return false;
  }
  return false;
}

bool Reader::variant(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
  const Token token = document_[at].token;
  const std::size_t count = type.alternatives.size();
  if (token == Token::kObject) {
    if (const Annotation annotation = annotation_of(at); annotation.name != 0) {
      std::string room;
      const std::string_view name = text(annotation.name, room);
      for (std::size_t i = 0; i < count; ++i) {
        const TypeInfo& inner = without_null(*type.alternatives[i]);
        if (inner.kind != Kind::kStruct || inner.name != name) continue;
        return read(*type.alternatives[i], type.emplace_alternative(out, i),
                    annotation.value != 0 ? annotation.value : at, up);
      }
    }
  }
  std::size_t candidates = 0;
  std::size_t structs = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!may_be(*type.alternatives[i], token)) continue;
    if (candidates++ == 0) first = i;
    if (is_struct(*type.alternatives[i])) ++structs;
  }
  if (candidates == 1) {
    return read(*type.alternatives[first], type.emplace_alternative(out, first), at, up);
  }
  bool ask_all = structs >= 2 && !options_.reject_unknown;
  for (std::size_t i = first; i < count; ++i) {
    if (!may_be(*type.alternatives[i], token)) continue;
    if (ask_all && is_struct(*type.alternatives[i])) {
      // Where names are read over any struct fits any object: first ask for one that knows them all.
      ask_all = false;
      options_.reject_unknown = true;
      const bool fits = try_structs(type, out, i, at, up);
      options_.reject_unknown = false;
      if (fits || error_) return fits;
    }
    if (try_alternative(type, out, i, at, up)) return true;
    if (error_) return false;
  }
  return expected_type(type, at, up);
}

}  // namespace detail

}  // namespace settee::inline v0::json
