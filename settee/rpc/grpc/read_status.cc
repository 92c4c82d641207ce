// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// How a call has ended, as its client reads it.

#include <fmt/format.h>

#include <charconv>

#include "settee/base/detail/base64.h"
#include "settee/hessian/exception.h"
#include "settee/hessian/json.h"
#include "settee/http/message.h"
#include "settee/rpc/grpc/internal/status.h"
#include "settee/rpc/grpc/internal/wire.h"

namespace settee::inline v0::rpc::grpc {

namespace {

struct Details {
  std::optional<Code> code;
  std::string exception;  // its class
  std::string value;      // JSON
};

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Of what a peer may say with its own Code. All others tell of this process's connections, addresses
// and options: a peer that reports its own trouble with them must not have them acted on here.
Code code_from_peer(int number) noexcept {
  const auto code = static_cast<Code>(number);
  switch (code) {
    case Code::kCancelled:
    case Code::kUnknown:
    case Code::kBusiness:
    case Code::kPeerError:
    case Code::kPeerDecode:
    case Code::kPeerEncode:
    case Code::kTimeout:
    case Code::kBusy:
    case Code::kLimit:
    case Code::kServiceNotFound:
    case Code::kMethodNotFound:
    case Code::kConnectionClosed:
    case Code::kEncode:
    case Code::kDecode:
    case Code::kProtocol: return code;
    default: return Code::kPeerError;
  }
}

void read_entry(std::span<const std::uint8_t> bytes, Details& details) {
  std::string_view key;
  std::string_view value;
  WireReader reader(bytes);
  for (WireField field; reader.next(field);) {
    if (field.wire != Wire::kLength) continue;
    if (field.number == 1) key = field.text();
    if (field.number == 2) value = field.text();
  }
  if (key == "exception") details.exception = value;
  if (key == "value") details.value = value;
  if (key != "code") return;
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error == std::errc() && end == value.data() + value.size()) {
    details.code = code_from_peer(number);
  }
}

// A google.rpc.ErrorInfo, which is Settee's if its domain says so.
void read_info(std::span<const std::uint8_t> bytes, Details& details) {
  Details found;
  bool ours = false;
  WireReader reader(bytes);
  for (WireField field; reader.next(field);) {
    if (field.wire != Wire::kLength) continue;
    if (field.number == 2) ours = field.text() == "settee";
    if (field.number == 3) read_entry(field.bytes, found);
  }
  if (ours) details = std::move(found);
}

Details read_details(std::string_view text) {
  Details details;
  const std::optional<std::string> status = settee::detail::from_base64(text);
  if (!status) return details;
  WireReader reader(bytes_of(*status));
  for (WireField field; reader.next(field);) {
    if (field.number != 3 || field.wire != Wire::kLength) continue;
    std::string_view type;
    std::span<const std::uint8_t> value;
    WireReader any(field.bytes);
    for (WireField part; any.next(part);) {
      if (part.number == 1 && part.wire == Wire::kLength) type = part.text();
      if (part.number == 2 && part.wire == Wire::kLength) value = part.bytes;
    }
    if (type.ends_with("/google.rpc.ErrorInfo")) read_info(value, details);
  }
  return details;
}

Error business_error(const Details& details, std::string message) {
  hessian::Value fields;
  if (Result<hessian::Value> read = json::parse_value(details.value);
      read && read->type() == hessian::Value::Type::kMap) {
    fields = *std::move(read);
  } else {
    fields = hessian::Value::map();
    fields.set("detailMessage", message);
  }
  hessian::Value object = hessian::Value::object(details.exception);
  for (const hessian::Value::Entry& entry : fields.entries()) {
    if (const Result<std::string_view> name = entry.key.as_string()) {
      object.set(*name, entry.value);
    }
  }
  return Error(std::move(message), std::make_shared<hessian::ExceptionObject>(std::move(object)));
}

}  // namespace

Result<void> read_status(const http::Headers& trailers) {
  const std::optional<std::string_view> text = trailers.find("grpc-status");
  int number = -1;
  if (text) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size()) number = -1;
  }
  if (number == 0) return {};
  if (number < 0) {
    return Error(Code::kProtocol, text ? fmt::format("grpc-status is \"{}\"", text->substr(0, 32))
                                       : std::string("the answer has no grpc-status"));
  }
  std::string message = http::percent_decode(trailers.get("grpc-message")).value_or(std::string());
  const Details details = read_details(trailers.get("grpc-status-details-bin"));
  if (!details.exception.empty()) return business_error(details, std::move(message));
  const Code code = details.code.value_or(code_of(static_cast<Status>(std::min(number, 255))));
  if (!details.code) message = fmt::format("gRPC status {}: {}", number, message);
  return Error(code, std::move(message));
}

}  // namespace settee::inline v0::rpc::grpc
