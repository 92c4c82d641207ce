// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/rest/internal/call_path.h"

#include <algorithm>

namespace settee::inline v0::rpc::rest {

namespace {

constexpr std::string_view kSerializeType = "sofa_head_serialize_type";

bool contains(std::string_view text, std::string_view part) noexcept {
  // `part` is in lower case, which only a letter's other case becomes by that bit.
  const auto same = [](char a, char b) { return a == b || (a | 0x20) == b; };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

bool ends_with(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && http::same_name(text.substr(text.size() - end.size()), end);
}

}  // namespace

std::optional<CallPath> CallPath::parse(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  CallPath made;
  made.service_ = path.substr(0, slash);
  made.method_ = path.substr(slash + 1);
  if (const std::size_t more = made.method_.find('/'); more != std::string_view::npos) {
    made.method_ = made.method_.substr(0, more);
    made.longer_ = true;
  }
  if (made.service_.empty() || made.method_.empty()) return std::nullopt;
  if (path.find('%') != std::string_view::npos) {
    std::optional<std::string> service = http::percent_decode(made.service_);
    std::optional<std::string> method = http::percent_decode(made.method_);
    if (!service || !method) return std::nullopt;
    made.decoded_.emplace(*std::move(service), *std::move(method));
  }
  return made;
}

const char* to_string(Serializer serializer) noexcept {
  switch (serializer) {
    case Serializer::kHessian: return "hessian2";
    case Serializer::kProtobuf: return "protobuf";
    case Serializer::kJson: return "json";
  }
  return "";
}

bool is_sofa(const http::Headers& headers) noexcept {
  if (headers.find(kSerializeType)) return true;
  const std::string_view type = headers.get("content-type");
  if (type == "application/json") return false;  // mostly, and then there is nothing to search
  return contains(type, "hessian") || contains(type, "protobuf");
}

std::optional<Serializer> serializer_of(const http::Headers& headers) noexcept {
  if (const auto name = headers.find(kSerializeType)) {
    if (http::same_name(*name, "hessian2") || http::same_name(*name, "hessian")) {
      return Serializer::kHessian;
    }
    if (http::same_name(*name, "protobuf")) return Serializer::kProtobuf;
    if (http::same_name(*name, "json")) return Serializer::kJson;
    return std::nullopt;
  }
  return contains(headers.get("content-type"), "protobuf") ? Serializer::kProtobuf
                                                           : Serializer::kHessian;
}

bool may_be_json(const http::Headers& headers) noexcept {
  std::string_view type = headers.get("content-type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  if (type.empty() || ends_with(type, "/json") || ends_with(type, "+json")) return true;
  return http::same_name(type.substr(0, 5), "text/") ||
         http::same_name(type, "application/x-www-form-urlencoded") ||
         http::same_name(type, "application/octet-stream");
}

}  // namespace settee::inline v0::rpc::rest
