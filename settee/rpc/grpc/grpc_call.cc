// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/grpc_call.h"

#include <fmt/format.h>

#include <algorithm>

#include "settee/rpc/grpc/internal/status.h"
#include "settee/rpc/internal/link_data.h"

namespace settee::inline v0::rpc::grpc {

namespace {

// What clients take at least; each field counts as HTTP/2 counts it.
constexpr std::size_t kMostMetadata = 8 * 1024;
constexpr std::size_t kFieldOverhead = 32;

bool is_metadata_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '.';
  });
}

bool is_printable(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

bool is_grpc(std::string_view content_type) noexcept {
  constexpr std::string_view kType = "application/grpc";
  if (!content_type.starts_with(kType)) return false;
  content_type.remove_prefix(kType.size());
  if (content_type.starts_with("+proto")) content_type.remove_prefix(6);
  return content_type.empty() || content_type[0] == ';';
}

std::optional<CallPath> parse_path(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || slash < 2 || path[0] != '/' || slash + 1 == path.size()) {
    return std::nullopt;
  }
  return CallPath{path.substr(1, slash - 1), path.substr(slash + 1)};
}

CallMetadata::CallMetadata(const http::Headers& headers) {
  for (const http::Headers::Field field : headers) {
    const std::string_view name = field.name;
    if (name.empty()) continue;
    // Names of HTTP/2 are lower case.
    switch (name[0]) {
      case 'a':
        if (name == "app" && app.empty()) app = field.value;
        break;
      case 'g':
        if (name == "grpc-timeout") timeout = field.value;
        if (name == "grpc-encoding") encoding = field.value;
        if (name == "grpc-accept-encoding") accepts = field.value;
        break;
      case 'r':
        if (name.starts_with(kRequestBaggagePrefix)) {
          baggage.emplace(name.substr(kRequestBaggagePrefix.size()), field.value);
        }
        break;
      case 's':
        if (name.starts_with("sofa_head_")) sofa = true;
        break;
      case 't':
        if (name == "tri-service-version") unique_id = field.value;
        if (name == "tri-consumer-appname") app = field.value;
        if (name.starts_with("tri-")) sofa = true;
        break;
      default: break;
    }
  }
}

bool CallMetadata::answers_gzip() const noexcept {
  if (!gzip()) return false;
  for (std::string_view left = accepts; !left.empty();) {
    std::string_view name = left.substr(0, left.find(','));
    left.remove_prefix(std::min(name.size() + 1, left.size()));
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (name == "gzip") return true;
  }
  return false;
}

Result<TimePoint> CallMetadata::deadline(TimePoint now) const {
  if (timeout.empty()) return kNoDeadline;
  const std::optional<std::chrono::nanoseconds> time = parse_timeout(timeout);
  if (time) return now + *time;
  return Error(Code::kPeerDecode,
               fmt::format("grpc-timeout is \"{}\"; it must be up to eight digits and one of "
                           "H M S m u n",
                           timeout.substr(0, 32)));
}

Result<void> CallMetadata::check_encoding() const {
  if (encoding.empty() || encoding == "identity" || encoding == "gzip") return {};
  return Error(Code::kMethodNotFound,
               fmt::format("grpc-encoding \"{}\" is not known here, only identity and gzip",
                           encoding.substr(0, 32)));
}

http::Response begin_response(bool gzip) {
  http::Response response;
  response.headers.reserve(3, 96);
  response.headers.add_checked("content-type", "application/grpc");
  if (gzip) response.headers.add_checked("grpc-encoding", "gzip");
  return response;
}

http::Response failed_response(const Error& error) {
  http::Response response = begin_response(false);
  response.headers.add_checked("grpc-accept-encoding", "identity,gzip");
  add_status(response.headers, error);
  return response;
}

http::Headers ok_trailers() {
  http::Headers trailers;
  trailers.add_checked("grpc-status", "0");
  return trailers;
}

Result<http::Headers> ok_trailers(const Baggage& baggage) {
  http::Headers trailers;
  trailers.reserve(1 + baggage.size(), 16);
  trailers.add_checked("grpc-status", "0");
  if (Result<void> added = add_baggage(trailers, baggage); !added) return added.error();
  return trailers;
}

Result<void> add_baggage(http::Headers& trailers, const Baggage& baggage) {
  std::size_t size = 0;
  for (const http::Headers::Field field : trailers) {
    size += field.name.size() + field.value.size() + kFieldOverhead;
  }
  for (const auto& [key, value] : baggage) {
    if (!is_metadata_name(key)) {
      return Error(Code::kEncode, fmt::format("the response's baggage has the key \"{}\", which "
                                              "gRPC's metadata cannot have: letters, digits, _ - .",
                                              percent_encoded(key.substr(0, 64))));
    }
    std::string name = fmt::format("{}{}", kResponseBaggagePrefix, key);
    std::string encoded;
    std::string_view text = value;
    // To gRPC every value under a name that ends so is base64.
    if (!is_printable(value) || key.ends_with("-bin")) {
      name += "-bin";
      encoded = base64(value);
      text = encoded;
    }
    size += name.size() + text.size() + kFieldOverhead;
    if (size > kMostMetadata) {
      return Error(Code::kLimit,
                   fmt::format("the response's baggage does not fit the {} bytes of metadata that "
                               "gRPC's clients take; {} bytes are there with the key {}",
                               kMostMetadata, size, key.substr(0, 64)));
    }
    trailers.add_checked(name, text);
  }
  return {};
}

}  // namespace settee::inline v0::rpc::grpc
