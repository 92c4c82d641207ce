// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "settee/http/internal/characters.h"

namespace settee::inline v0::http {

const char* to_string(Version version) noexcept {
  switch (version) {
    case Version::kHttp10: return "HTTP/1.0";
    case Version::kHttp11: return "HTTP/1.1";
    case Version::kHttp2: return "HTTP/2";
  }
  return "HTTP";
}

bool same_name(std::string_view a, std::string_view b) noexcept { return same_text(a, b); }

void Headers::add(std::string_view name, std::string_view value) {
  if (!is_token(name)) {
    throw Error(
        Code::kInvalidArgument,
        fmt::format("header \"{}\": its name is not a token (RFC 9110, 5.6.2)", printable(name)));
  }
  if (!is_field_value(value)) {
    throw Error(
        Code::kInvalidArgument,
        fmt::format("header {}: its value \"{}\" has a control character", name, printable(value)));
  }
  add_checked(name, value);
}

void Headers::set(std::string_view name, std::string_view value) {
  // Both may be parts of what is removed.
  const std::string kept_name(name);
  const std::string kept_value(value);
  remove(name);
  add(kept_name, kept_value);
}

void Headers::add_checked(std::string_view name, std::string_view value) {
  const auto at = static_cast<std::uint32_t>(text_.size());
  const std::size_t size = text_.size() + name.size() + value.size();
  if (size > text_.capacity()) {
    // Both may be parts of the old text.
    std::string grown;
    grown.reserve(std::max(size, 2 * text_.capacity()));
    grown.append(text_).append(name).append(value);
    text_.swap(grown);
  } else {
    text_.append(name).append(value);
  }
  entries_.push_back(
      {at, static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())});
}

void Headers::reserve(std::size_t fields, std::size_t bytes) {
  entries_.reserve(fields);
  text_.reserve(bytes);
}

std::size_t Headers::remove(std::string_view name) noexcept {
  const std::size_t removed = std::erase_if(entries_, [&](const Entry& entry) {
    return same_text({text_.data() + entry.at, entry.name_size}, name);
  });
  if (removed == 0) return 0;
  // The rest moves up: set() again and again must not make the text grow.
  std::size_t end = 0;
  for (Entry& entry : entries_) {
    const std::size_t size = std::size_t{entry.name_size} + entry.value_size;
    std::memmove(text_.data() + end, text_.data() + entry.at, size);
    entry.at = static_cast<std::uint32_t>(end);
    end += size;
  }
  text_.resize(end);
  return removed;
}

void Headers::clear() noexcept {
  text_.clear();
  entries_.clear();
}

std::optional<std::string_view> Headers::find(std::string_view name) const noexcept {
  for (const Entry& entry : entries_) {
    const char* const at = text_.data() + entry.at;
    if (same_text({at, entry.name_size}, name)) {
      return std::string_view(at + entry.name_size, entry.value_size);
    }
  }
  return std::nullopt;
}

bool Headers::has(std::string_view name, std::string_view token) const noexcept {
  for (const Field field : *this) {
    if (!same_name(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (same_name(trim(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

BodySource::~BodySource() = default;
Headers BodySource::trailers() { return {}; }
std::optional<std::uint64_t> BodySource::size() const { return std::nullopt; }

namespace {

class StreamSource final : public BodySource {
 public:
  explicit StreamSource(AsyncStream<Bytes> parts) : parts_(std::move(parts)) {}
  Task<std::optional<Bytes>> next() override { return parts_.next(); }

 private:
  AsyncStream<Bytes> parts_;
};

}  // namespace

Body::Body(AsyncStream<Bytes> parts) : source_(std::make_unique<StreamSource>(std::move(parts))) {}

std::optional<std::uint64_t> Body::size() const {
  return source_ ? source_->size() : std::optional<std::uint64_t>(bytes_.size());
}

Task<std::optional<Bytes>> Body::next() {
  if (!source_) {
    Bytes all = std::exchange(bytes_, Bytes());
    if (all.empty()) co_return std::optional<Bytes>();
    co_return std::optional<Bytes>(std::move(all));
  }
  std::optional<Bytes> part = co_await source_->next();
  if (!part) trailers_ = source_->trailers();
  co_return part;
}

Task<Bytes> Body::read(std::size_t limit) {
  Buffer all;
  for (;;) {
    std::optional<Bytes> part = co_await next();
    if (!part) break;
    if (part->size() > limit - all.size()) {
      co_return Error(Code::kLimit, fmt::format("the body has more than {} bytes", limit));
    }
    all.append(std::move(*part));
  }
  co_return all.bytes();
}

std::string_view Request::path() const noexcept {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view Request::query() const noexcept {
  const std::size_t at = target.find('?');
  return at == std::string::npos ? std::string_view() : std::string_view(target).substr(at + 1);
}

std::optional<std::string> Request::parameter(std::string_view name) const {
  std::string_view rest = query();
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (percent_decode(pair.substr(0, equals), true) == name) {
      return percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    }
  }
  return std::nullopt;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

Response::Response(int status_code, std::string_view content_type, Body content)
    : status(status_code), body(std::move(content)) {
  headers.reserve(4, 128);
  headers.add("content-type", content_type);
}

namespace {

Response make_problem(int status, std::string_view more, std::string_view detail) {
  return Response(status, "application/problem+json",
                  fmt::format(R"({{"title":"{}","status":{}{},"detail":"{}"}})", reason_of(status),
                              status, more, json_escaped(detail)));
}

int status_of(Code code) noexcept {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kDecode: return 400;
    case Code::kServiceNotFound:
    case Code::kMethodNotFound: return 404;
    case Code::kLimit: return 413;
    case Code::kBusy:
    case Code::kOverflow:
    case Code::kNoProvider:
    case Code::kStopped:
    case Code::kCancelled: return 503;
    case Code::kTimeout: return 504;
    default: return 500;
  }
}

}  // namespace

Response Response::problem(int status, std::string_view detail) {
  return make_problem(status, {}, detail);
}

Response Response::problem(const Error& error) {
  return make_problem(status_of(error.code()),
                      fmt::format(R"(,"code":{})", static_cast<int>(error.code())),
                      error.message());
}

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return {};
  }
}

}  // namespace settee::inline v0::http
