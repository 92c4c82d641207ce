// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/internal/http1_parser.h"

#include <fmt/format.h>

#include <boost/beast/http/basic_parser.hpp>

#include "settee/http/internal/characters.h"

namespace settee::inline v0::http {

namespace {

namespace beast = boost::beast;
using beast::error_code;
using beast::string_view;

constexpr std::size_t kMostExtensions = 256;  // of a chunk; nobody has a use for them

std::string_view view(string_view text) { return {text.data(), text.size()}; }

// What requests and responses have in common: the rules of fields, bodies and limits.
template <bool kRequest>
struct Reading : beast::http::basic_parser<kRequest> {
  using Message = std::conditional_t<kRequest, Request, Response>;

  Reading(const Http1Limits& l, Http1Reader& r) : limits(l), reader(r) {
    this->body_limit(UINT64_MAX);  // not its job
    this->header_limit(static_cast<std::uint32_t>(limits.header + limits.target + 64));
  }

  // The first rule that is broken.
  void refuse(int with, std::string text, error_code& ec) {
    status = with;
    rule = std::move(text);
    ec = beast::http::error::bad_value;
  }

  void on_request_impl(beast::http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int, string_view, int, error_code&) override {}

  void on_field_impl(beast::http::field, string_view beast_name, string_view beast_value,
                     error_code& ec) override {
    const std::string_view name = view(beast_name);
    const std::string_view value = view(beast_value);
    header_bytes += name.size() + value.size() + 4;
    if (header_bytes > limits.header || ++fields > limits.fields) {
      return refuse(431,
                    fmt::format("the header has more than {} bytes or {} fields", limits.header,
                                limits.fields),
                    ec);
    }
    if (is_folded(name, value)) {
      return refuse(400, fmt::format("the value of {} goes on in the next line", printable(name)),
                    ec);
    }
    if (!is_token(name) || !is_field_value(value)) {
      return refuse(400, "a header field has characters that are not allowed", ec);
    }
    if (in_body) {
      trailers.add_checked(name, value);
      return;
    }
    if (kRequest && same_text(name, "host") && std::exchange(host_seen, true)) {
      return refuse(400, "two Host fields", ec);
    }
    if (same_text(name, "content-length")) {
      if (std::exchange(length_seen, true)) return refuse(400, "two Content-Length fields", ec);
      if (value.empty() || value.size() > 19 ||
          value.find_first_not_of("0123456789") != std::string_view::npos) {
        return refuse(400, "the Content-Length is not a number", ec);
      }
    }
    if (same_text(name, "transfer-encoding")) {
      if (std::exchange(coding_seen, true)) return refuse(400, "two Transfer-Encoding fields", ec);
      if (message.version == Version::kHttp10) {
        return refuse(400, "Transfer-Encoding in HTTP/1.0", ec);
      }
      if (!same_text(value, "chunked")) {
        return refuse(501, "a Transfer-Encoding other than chunked", ec);
      }
    }
    message.headers.add_checked(name, value);
  }

  // Beast unfolds a value into a place of its own, or leaves out lines before it that are empty.
  bool is_folded(std::string_view name, std::string_view value) const {
    const char* const end = reinterpret_cast<const char*>(data.data()) + data.size();
    const char* at = name.data() + name.size() + 1;  // behind the colon
    while (at < end && (*at == ' ' || *at == '\t')) ++at;
    if (!value.empty()) return value.data() != at;
    return end - at < 3 || at[2] == ' ' || at[2] == '\t';  // behind CR and LF
  }

  // More rules of a head, when all of it is there.
  virtual void check_head(error_code&) {}

  void on_header_impl(error_code& ec) override {
    if (length_seen && coding_seen) {
      return refuse(400, "both Content-Length and Transfer-Encoding", ec);
    }
    check_head(ec);
    if (ec) return;
    in_body = true;
    head_done = true;
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view part, error_code&) override {
    if (!part.empty()) {
      reader.on_body({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()});
    }
    return part.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view extensions, error_code& ec) override {
    first_chunk = false;
    if (extensions.size() > kMostExtensions) refuse(400, "a chunk has too long extensions", ec);
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view part, error_code& ec) override {
    return on_body_impl(part, ec);
  }
  void on_finish_impl(error_code&) override {}

  Http1Step read(std::span<const std::uint8_t> bytes, std::size_t& used) {
    if (this->is_done()) return Http1Step::kDone;
    if (bytes.empty()) return Http1Step::kMore;
    // "0\r\n" alone makes Beast expect at least five bytes of this chunk from then on, and assert it.
    if (in_body && this->chunked() && first_chunk && bytes[0] == '0' && bytes.size() < 5) {
      return Http1Step::kMore;
    }
    data = bytes;
    error_code ec;
    const std::size_t taken = this->put(boost::asio::const_buffer(data.data(), data.size()), ec);
    used += taken;
    const std::size_t left = data.size() - taken;
    if (ec == beast::http::error::need_more) {
      // Beast looks at what it is given together only.
      if (left <= limits.header + limits.target) return Http1Step::kMore;
      status = 431;
      rule = "a line, or the header, is too long";
      return Http1Step::kBad;
    }
    if (ec) {
      if (status == 0) {
        status = ec == beast::http::error::header_limit  ? 431
                 : ec == beast::http::error::bad_version ? 505
                                                         : 400;
        rule = ec.message();
      }
      return Http1Step::kBad;
    }
    if (std::exchange(head_done, false)) return Http1Step::kHead;
    return this->is_done() ? Http1Step::kDone : Http1Step::kBody;
  }

  std::optional<std::uint64_t> length() const noexcept {
    if (!this->is_header_done()) return std::nullopt;
    const auto told = this->content_length();
    return told ? std::optional<std::uint64_t>(*told) : std::nullopt;
  }

  const Http1Limits limits;
  Http1Reader& reader;
  Message message;
  Headers trailers;
  std::span<const std::uint8_t> data;  // of the current read()
  std::size_t header_bytes = 0;
  std::size_t fields = 0;
  bool host_seen = false;
  bool length_seen = false;
  bool coding_seen = false;
  bool head_done = false;  // and not told yet
  bool in_body = false;
  bool first_chunk = true;  // is still to come, if the body is chunked
  int status = 0;
  std::string rule;
};

}  // namespace

struct Http1Parser::Impl final : Reading<true> {
  using Reading::Reading;

  void on_request_impl(beast::http::verb, string_view method, string_view target, int version,
                       error_code& ec) override {
    if (target.size() > limits.target) {
      return refuse(414, fmt::format("the target has more than {} bytes", limits.target), ec);
    }
    message.version = version == 10 ? Version::kHttp10 : Version::kHttp11;
    message.method.assign(method.data(), method.size());
    message.target.assign(target.data(), target.size());
    message.headers.reserve(16, 512);
  }

  void check_head(error_code& ec) override {
    if (!host_seen && message.version == Version::kHttp11) return refuse(400, "no Host field", ec);
    if (!target_fits()) return refuse(400, "the target is not one of this method", ec);
    if (!is_host(message.headers.get("host"))) {
      return refuse(400, "the Host field is not a host and port", ec);
    }
  }

  // "/path", "*" of OPTIONS, or a whole URL, which becomes its path (RFC 9112, 3.2).
  bool target_fits() {
    std::string& target = message.target;
    if (message.method == "CONNECT") return true;  // nobody serves it
    if (target.starts_with('/')) return true;
    if (target == "*") return message.method == "OPTIONS";
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (target.size() <= scheme.size() ||
          !same_text(std::string_view(target).substr(0, scheme.size()), scheme)) {
        continue;
      }
      const std::size_t end = std::min(target.find_first_of("/?", scheme.size()), target.size());
      const std::string host = target.substr(scheme.size(), end - scheme.size());
      if (host.empty()) return false;
      target.erase(0, end);
      if (!target.starts_with('/')) target.insert(0, "/");
      // The URL's host counts, whatever the field says.
      message.headers.remove("host");
      message.headers.add_checked("host", host);
      return true;
    }
    return false;
  }
};

Http1Parser::Http1Parser(const Http1Limits& limits, Http1Reader& reader)
    : impl_(std::make_unique<Impl>(limits, reader)) {}
Http1Parser::~Http1Parser() = default;

Http1Step Http1Parser::read(std::span<const std::uint8_t> data, std::size_t& used) {
  return impl_->read(data, used);
}

Request& Http1Parser::request() noexcept { return impl_->message; }
Headers& Http1Parser::trailers() noexcept { return impl_->trailers; }
bool Http1Parser::has_body() const noexcept { return !impl_->is_done(); }
std::optional<std::uint64_t> Http1Parser::length() const noexcept { return impl_->length(); }
bool Http1Parser::keep_alive() const noexcept { return impl_->keep_alive(); }
bool Http1Parser::begun() const noexcept { return impl_->got_some(); }
int Http1Parser::status() const noexcept { return impl_->status; }
const std::string& Http1Parser::rule() const noexcept { return impl_->rule; }

struct Http1ResponseParser::Impl final : Reading<false> {
  using Reading::Reading;

  void on_response_impl(int code, string_view, int version, error_code& ec) override {
    if (code < 100 || code > 599) return refuse(400, "the status is not 100 to 599", ec);
    message.version = version == 10 ? Version::kHttp10 : Version::kHttp11;
    message.status = code;
    message.headers.reserve(16, 512);
  }
};

Http1ResponseParser::Http1ResponseParser(const Http1Limits& limits, Http1Reader& reader, bool head)
    : impl_(std::make_unique<Impl>(limits, reader)) {
  impl_->skip(head);
}
Http1ResponseParser::~Http1ResponseParser() = default;

Http1Step Http1ResponseParser::read(std::span<const std::uint8_t> data, std::size_t& used) {
  return impl_->read(data, used);
}

bool Http1ResponseParser::read_end() {
  if (impl_->is_done() || !impl_->is_header_done() || !impl_->need_eof()) return false;
  error_code ec;
  impl_->put_eof(ec);
  return !ec;
}

Response& Http1ResponseParser::response() noexcept { return impl_->message; }
Headers& Http1ResponseParser::trailers() noexcept { return impl_->trailers; }
bool Http1ResponseParser::has_body() const noexcept { return !impl_->is_done(); }
std::optional<std::uint64_t> Http1ResponseParser::length() const noexcept {
  return impl_->length();
}
bool Http1ResponseParser::keep_alive() const noexcept { return impl_->keep_alive(); }
bool Http1ResponseParser::too_large() const noexcept { return impl_->status == 431; }
const std::string& Http1ResponseParser::rule() const noexcept { return impl_->rule; }

}  // namespace settee::inline v0::http
