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

}  // namespace

struct Http1Parser::Impl final : beast::http::basic_parser<true> {
  Impl(const Http1Limits& l, Http1Reader& r) : limits(l), reader(r) {
    body_limit(UINT64_MAX);  // not its job
    header_limit(static_cast<std::uint32_t>(limits.header + limits.target + 64));
  }

  // The first rule that is broken.
  void refuse(int with, std::string text, error_code& ec) {
    status = with;
    rule = std::move(text);
    ec = beast::http::error::bad_value;
  }

  void on_request_impl(beast::http::verb, string_view method, string_view target, int version,
                       error_code& ec) override {
    if (target.size() > limits.target) {
      return refuse(414, fmt::format("the target has more than {} bytes", limits.target), ec);
    }
    request.version = version == 10 ? Version::kHttp10 : Version::kHttp11;
    request.method.assign(method.data(), method.size());
    request.target.assign(target.data(), target.size());
    request.headers.reserve(16, 512);
  }

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
    if (same_name(name, "host") && std::exchange(host_seen, true)) {
      return refuse(400, "two Host fields", ec);
    }
    if (same_name(name, "content-length")) {
      if (std::exchange(length_seen, true)) return refuse(400, "two Content-Length fields", ec);
      if (value.empty() || value.size() > 19 ||
          value.find_first_not_of("0123456789") != std::string_view::npos) {
        return refuse(400, "the Content-Length is not a number", ec);
      }
    }
    if (same_name(name, "transfer-encoding")) {
      if (std::exchange(coding_seen, true)) return refuse(400, "two Transfer-Encoding fields", ec);
      if (request.version == Version::kHttp10) {
        return refuse(400, "Transfer-Encoding in HTTP/1.0", ec);
      }
      if (!same_name(value, "chunked")) {
        return refuse(501, "a Transfer-Encoding other than chunked", ec);
      }
    }
    request.headers.add_checked(name, value);
  }

  // Beast unfolds a value into a place of its own, or leaves out lines before it that are empty.
  bool is_folded(std::string_view name, std::string_view value) const {
    const char* const end = reinterpret_cast<const char*>(data.data()) + data.size();
    const char* at = name.data() + name.size() + 1;  // behind the colon
    while (at < end && (*at == ' ' || *at == '\t')) ++at;
    if (!value.empty()) return value.data() != at;
    return end - at < 3 || at[2] == ' ' || at[2] == '\t';  // behind CR and LF
  }

  void on_header_impl(error_code& ec) override {
    if (length_seen && coding_seen) {
      return refuse(400, "both Content-Length and Transfer-Encoding", ec);
    }
    if (!host_seen && request.version == Version::kHttp11) return refuse(400, "no Host field", ec);
    if (!target_fits()) return refuse(400, "the target is not one of this method", ec);
    if (!host_fits()) return refuse(400, "the Host field is not a host and port", ec);
    in_body = true;
    head_done = true;
  }

  // "/path", "*" of OPTIONS, or a whole URL, which becomes its path (RFC 9112, 3.2).
  bool target_fits() {
    std::string& target = request.target;
    if (request.method == "CONNECT") return true;  // nobody serves it
    if (target.starts_with('/')) return true;
    if (target == "*") return request.method == "OPTIONS";
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (target.size() <= scheme.size() ||
          !same_name(std::string_view(target).substr(0, scheme.size()), scheme)) {
        continue;
      }
      const std::size_t end = std::min(target.find_first_of("/?", scheme.size()), target.size());
      const std::string host = target.substr(scheme.size(), end - scheme.size());
      if (host.empty()) return false;
      target.erase(0, end);
      if (!target.starts_with('/')) target.insert(0, "/");
      // The URL's host counts, whatever the field says.
      request.headers.remove("host");
      request.headers.add_checked("host", host);
      return true;
    }
    return false;
  }

  bool host_fits() const { return is_host(request.headers.get("host")); }

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

  const Http1Limits limits;
  Http1Reader& reader;
  Request request;
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

Http1Parser::Http1Parser(const Http1Limits& limits, Http1Reader& reader)
    : impl_(std::make_unique<Impl>(limits, reader)) {}
Http1Parser::~Http1Parser() = default;

Http1Parser::Step Http1Parser::read(std::span<const std::uint8_t> data, std::size_t& used) {
  Impl& impl = *impl_;
  if (impl.is_done()) return Step::kDone;
  if (data.empty()) return Step::kMore;
  // "0\r\n" alone makes Beast expect at least five bytes of this chunk from then on, and assert it.
  if (impl.in_body && impl.chunked() && impl.first_chunk && data[0] == '0' && data.size() < 5) {
    return Step::kMore;
  }
  impl.data = data;
  error_code ec;
  const std::size_t taken = impl.put(boost::asio::const_buffer(data.data(), data.size()), ec);
  used += taken;
  const std::size_t left = data.size() - taken;
  if (ec == beast::http::error::need_more) {
    // Beast looks at what it is given together only.
    if (left <= impl.limits.header + impl.limits.target) return Step::kMore;
    impl.status = 431;
    impl.rule = "a line, or the header, is too long";
    return Step::kBad;
  }
  if (ec) {
    if (impl.status == 0) {
      impl.status = ec == beast::http::error::header_limit  ? 431
                    : ec == beast::http::error::bad_version ? 505
                                                            : 400;
      impl.rule = ec.message();
    }
    return Step::kBad;
  }
  if (std::exchange(impl.head_done, false)) return Step::kHead;
  return impl.is_done() ? Step::kDone : Step::kBody;
}

Request& Http1Parser::request() noexcept { return impl_->request; }
Headers& Http1Parser::trailers() noexcept { return impl_->trailers; }

bool Http1Parser::has_body() const noexcept { return !impl_->is_done(); }

std::optional<std::uint64_t> Http1Parser::length() const noexcept {
  if (!impl_->is_header_done()) return std::nullopt;
  const auto length = impl_->content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

bool Http1Parser::keep_alive() const noexcept { return impl_->keep_alive(); }
bool Http1Parser::begun() const noexcept { return impl_->got_some(); }
int Http1Parser::status() const noexcept { return impl_->status; }
const std::string& Http1Parser::rule() const noexcept { return impl_->rule; }

}  // namespace settee::inline v0::http
