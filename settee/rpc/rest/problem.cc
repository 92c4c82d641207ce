// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/rest/internal/problem.h"

#include <fmt/format.h>

#include "settee/hessian/exception.h"
#include "settee/hessian/json.h"
#include "settee/rpc/internal/hosted_call.h"

namespace settee::inline v0::rpc::rest {

namespace {

void append_text(Buffer& out, const std::string& text) {
  // A string can always be written.
  static_cast<void>(json::write(out, type_of<std::string>(), &text));
}

Result<void> append_value(Buffer& out, const ExceptionValue& exception) {
  if (exception.object() != nullptr) {
    return json::write(out, *exception.type(), exception.object());
  }
  if (const auto* relayed = dynamic_cast<const hessian::ExceptionObject*>(&exception)) {
    return json::write(out, type_of<hessian::Value>(), &relayed->value());
  }
  return Error(Code::kEncode, "an exception of unknown form");
}

}  // namespace

int status_of(const Error& error) noexcept {
  if (error.detail<CallerRefused>() != nullptr) return 401;
  switch (error.code()) {
    case Code::kInvalidArgument:
    case Code::kDecode:
    case Code::kPeerDecode: return 400;
    case Code::kServiceNotFound:
    case Code::kMethodNotFound: return 404;
    case Code::kLimit: return 413;
    case Code::kBusiness: return 422;
    case Code::kConnectFailed:
    case Code::kConnectionClosed:
    case Code::kPeerError:
    case Code::kPeerEncode:
    case Code::kProtocol: return 502;
    case Code::kBusy:
    case Code::kOverflow:
    case Code::kNoProvider:
    case Code::kStopped:
    case Code::kCancelled: return 503;
    case Code::kTimeout: return 504;
    case Code::kUnknown:
    case Code::kMisuse:
    case Code::kConfig:
    case Code::kEncode:
    case Code::kIo: return 500;
  }
  return 500;
}

http::Response problem(const Error& error) {
  const int status = status_of(error);
  Buffer body;
  body.append(fmt::format(
      R"({{"type":"about:blank","title":"{}","status":{},"code":{},"name":"{}",)"
      R"("detail":)",
      http::reason_of(status), status, static_cast<int>(error.code()), to_string(error.code())));
  append_text(body, error.message());
  if (const ExceptionValue* exception = error.exception()) {
    body.append(R"(,"exception":{"class":)");
    append_text(body, std::string(exception->class_name()));
    const std::size_t mark = body.size();
    body.append(R"(,"value":)");
    if (!append_value(body, *exception)) body.truncate(mark);
    body.append("}");
  }
  body.append("}");
  http::Response response(status, "application/problem+json", http::Body(body.bytes()));
  // RFC 9110 wants a scheme with it. What ServerOptions::authenticate looks at only the program knows.
  if (status == 401) response.headers.add("www-authenticate", "Settee");
  return response;
}

}  // namespace settee::inline v0::rpc::rest
