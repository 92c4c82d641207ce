// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/internal/json_document.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "settee/hessian/internal/json_text.h"

namespace settee::inline v0::json::detail {

namespace ondemand = simdjson::ondemand;

namespace {

// However deep the limit allows: reading recurses.
constexpr std::uint32_t kDeepest = 1000;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
// The parser of usual texts keeps its tables: to make them costs more than to read a small text.
constexpr std::size_t kUsualText = 4096;

ondemand::parser& usual_parser() {
  static thread_local ondemand::parser parser(kUsualText);
  return parser;
}

Error limit_error(const char* name, std::uint64_t limit, std::size_t at) {
  return Error(Code::kLimit, std::string("json: limit '") + name + "' of " + std::to_string(limit) +
                                 " exceeded at byte " + std::to_string(at));
}

}  // namespace

// Walks simdjson's tokens and notes them as nodes. simdjson has checked UTF-8, quotes and control
// characters; the order of tokens is checked on the walk, each token here. Only a text that fails is
// looked at again, for the exact place.
class Indexer {
 public:
  Indexer(Document& document, std::size_t size, const Limits& limits)
      : document_(document), nodes_(document.nodes_), size_(size), limits_(limits) {
    limits_.depth = std::min(limits.depth, kDeepest);
  }

  Result<void> run() {
    nodes_.reserve(size_ / 16 + 8);
    if (size_ != 0 && walk()) [[likely]] return {};
    if (error_) return *error_;
    const std::string_view text(document_.text_.get(), size_);
    if (std::optional<Flaw> flaw = find_flaw(text)) {
      return Error(Code::kDecode, "json: malformed text: " + flaw->what + " at byte " +
                                      std::to_string(flaw->at + document_.skipped_));
    }
    return Error(Code::kDecode, std::string("json: the parser failed: ") +
                                    simdjson::error_message(failure_));
  }

 private:
  bool walk() {
    ondemand::parser large(std::numeric_limits<std::uint32_t>::max());
    ondemand::parser& parser = size_ <= kUsualText ? usual_parser() : large;
    // Its own bound on depth is only for its debug checks, but these write to a table of that size.
    if (parser.capacity() == 0 &&
        failed(parser.allocate(std::max(size_, kUsualText), kDeepest + 8))) {
      return false;
    }
    ondemand::document root;
    if (failed(parser.iterate(document_.text_.get(), size_, size_ + simdjson::SIMDJSON_PADDING)
                   .get(root))) {
      return false;
    }
    if (!value(root, 0)) return false;
    const Document::Node& top = nodes_.front();
    if (top.token == Token::kArray || top.token == Token::kObject) {
      return root.current_location().error() == simdjson::OUT_OF_BOUNDS;
    }
    return is_blank(top.begin + std::size_t{top.size});
  }

  bool failed(simdjson::error_code code) noexcept {
    failure_ = code;
    return code != simdjson::SUCCESS;
  }

  bool is_blank(std::size_t at) const noexcept {
    return std::all_of(document_.text_.get() + at, document_.text_.get() + size_, is_space);
  }

  static std::string_view token_of(ondemand::value& value) noexcept {
    return value.raw_json_token();
  }
  static std::string_view token_of(ondemand::document& root) noexcept {
    return root.raw_json_token().value_unsafe();
  }

  bool over(const char* name, std::uint64_t limit, std::size_t at) {
    error_ = limit_error(name, limit, at + document_.skipped_);
    return false;
  }

  // Adds a node for the text at `from`.
  bool add(Token token, const char* from, std::size_t size) {
    const auto begin = static_cast<std::size_t>(from - document_.text_.get());
    if (nodes_.size() >= limits_.nodes) [[unlikely]] return over("nodes", limits_.nodes, begin);
    nodes_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(size),
                      static_cast<std::uint32_t>(nodes_.size() + 1), token});
    return true;
  }

  template <class Source>  // a document or a value
  bool value(Source& source, std::uint32_t depth) {
    ondemand::json_type type{};
    if (failed(source.type().get(type))) return false;
    const std::string_view token = token_of(source);
    switch (type) {
      case ondemand::json_type::array: return array(source, token.data(), depth);
      case ondemand::json_type::object: return object(source, token.data(), depth);
      default: return scalar(token);
    }
  }

  bool enter(Token token, const char* from, std::uint32_t depth) {
    if (depth == limits_.depth) [[unlikely]] {
      return over("depth", limits_.depth,
                  static_cast<std::size_t>(from - document_.text_.get()));
    }
    return add(token, from, 0);
  }

  bool leave(std::uint32_t at, std::size_t count) {
    Document::Node& node = nodes_[at];
    node.size = static_cast<std::uint32_t>(count);
    node.next = static_cast<std::uint32_t>(nodes_.size());
    return true;
  }

  template <class Source>
  bool array(Source& source, const char* from, std::uint32_t depth) {
    const auto at = static_cast<std::uint32_t>(nodes_.size());
    if (!enter(Token::kArray, from, depth)) return false;
    ondemand::array items;
    if (failed(source.get_array().get(items))) return false;
    std::size_t count = 0;
    for (simdjson::simdjson_result<ondemand::value> result : items) {
      ondemand::value item;
      if (failed(result.get(item))) return false;
      if (count++ == limits_.elements) [[unlikely]] {
        return over("elements", limits_.elements, nodes_[at].begin);
      }
      if (!value(item, depth + 1)) return false;
    }
    return leave(at, count);
  }

  template <class Source>
  bool object(Source& source, const char* from, std::uint32_t depth) {
    const auto at = static_cast<std::uint32_t>(nodes_.size());
    if (!enter(Token::kObject, from, depth)) return false;
    ondemand::object members;
    if (failed(source.get_object().get(members))) return false;
    std::size_t count = 0;
    for (simdjson::simdjson_result<ondemand::field> result : members) {
      ondemand::field member;
      if (failed(std::move(result).get(member))) return false;
      if (count++ == limits_.elements) [[unlikely]] {
        return over("elements", limits_.elements, nodes_[at].begin);
      }
      if (!name(member.key().raw()) || !value(member.value(), depth + 1)) return false;
    }
    return leave(at, count);
  }

  // A name, whose text begins at `from`; simdjson has seen that it ends.
  bool name(const char* from) {
    const char* end = from;
    bool escaped = false;
    for (; *end != '"'; ++end) {
      if (*end == '\\') {
        escaped = true;
        ++end;
      }
    }
    return string(from - 1, static_cast<std::size_t>(end - from) + 2, escaped);
  }

  bool string(const char* from, std::size_t size, bool escaped) {
    if (escaped && bad_escape({from + 1, size - 2}) != kNone) return false;
    return add(escaped ? Token::kEscaped : Token::kString, from, size);
  }

  // A scalar with the spaces behind it.
  bool scalar(std::string_view text) {
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    if (text.empty()) return false;
    switch (text[0]) {
      case '"': {
        if (text.size() < 2 || text.back() != '"') return false;
        const bool escaped = std::memchr(text.data(), '\\', text.size()) != nullptr;
        return string(text.data(), text.size(), escaped);
      }
      case 't': return text == "true" && add(Token::kTrue, text.data(), text.size());
      case 'f': return text == "false" && add(Token::kFalse, text.data(), text.size());
      case 'n': return text == "null" && add(Token::kNull, text.data(), text.size());
      default:
        return number_size(text) == text.size() && add(Token::kNumber, text.data(), text.size());
    }
  }

  Document& document_;
  std::vector<Document::Node>& nodes_;
  std::size_t size_;
  Limits limits_;
  simdjson::error_code failure_ = simdjson::SUCCESS;
  std::optional<Error> error_;
};

Result<void> Document::parse(std::string_view text, const Limits& limits) {
  constexpr std::uint64_t kLargest =
      std::numeric_limits<std::uint32_t>::max() - std::uint64_t{2} * simdjson::SIMDJSON_PADDING;
  const std::uint64_t limit = std::min(limits.text, kLargest);
  if (text.size() > limit) {
    return Error(Code::kLimit, "json: limit 'text' of " + std::to_string(limit) +
                                   " exceeded: the text has " + std::to_string(text.size()) +
                                   " bytes");
  }
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    skipped_ = kByteOrderMark.size();
    text.remove_prefix(skipped_);
  }
  text_ = std::make_unique_for_overwrite<char[]>(text.size() + simdjson::SIMDJSON_PADDING);
  if (!text.empty()) std::memcpy(text_.get(), text.data(), text.size());
  std::memset(text_.get() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
  return Indexer(*this, text.size(), limits).run();
}

}  // namespace settee::inline v0::json::detail
