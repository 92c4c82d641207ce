// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/error.h"

namespace settee::inline v0 {

struct Error::Rep {
  Code code;
  std::string message;
  std::shared_ptr<const ExceptionValue> exception;
  std::shared_ptr<const ErrorDetail> detail;
  std::optional<Error> cause;
  std::string what;
};

namespace {

std::shared_ptr<const Error::Rep> make_rep(Code code, std::string message,
                                           std::shared_ptr<const ExceptionValue> exception,
                                           std::shared_ptr<const ErrorDetail> detail,
                                           const Error* cause) {
  auto rep = std::make_shared<Error::Rep>();
  rep->code = code;
  rep->message = std::move(message);
  rep->exception = std::move(exception);
  rep->detail = std::move(detail);
  rep->what = std::string(to_string(code)) + ": " + rep->message;
  if (cause != nullptr) {
    rep->cause = *cause;
    rep->what += std::string("; because ") + cause->what();
  }
  return rep;
}

}  // namespace

ErrorDetail::~ErrorDetail() = default;
ExceptionValue::~ExceptionValue() = default;
const void* ExceptionValue::object() const noexcept { return nullptr; }
const TypeInfo* ExceptionValue::type() const noexcept { return nullptr; }

const char* to_string(Code code) noexcept {
  switch (code) {
    case Code::kUnknown: return "Unknown";
    case Code::kCancelled: return "Cancelled";
    case Code::kInvalidArgument: return "InvalidArgument";
    case Code::kMisuse: return "Misuse";
    case Code::kConfig: return "Config";
    case Code::kEncode: return "Encode";
    case Code::kDecode: return "Decode";
    case Code::kLimit: return "Limit";
    case Code::kStopped: return "Stopped";
    case Code::kIo: return "Io";
    case Code::kTimeout: return "Timeout";
    case Code::kConnectFailed: return "ConnectFailed";
    case Code::kConnectionClosed: return "ConnectionClosed";
    case Code::kOverflow: return "Overflow";
    case Code::kNoProvider: return "NoProvider";
    case Code::kBusy: return "Busy";
    case Code::kServiceNotFound: return "ServiceNotFound";
    case Code::kMethodNotFound: return "MethodNotFound";
    case Code::kBusiness: return "Business";
    case Code::kPeerDecode: return "PeerDecode";
    case Code::kPeerEncode: return "PeerEncode";
    case Code::kPeerError: return "PeerError";
    case Code::kProtocol: return "Protocol";
  }
  return "Unknown";
}

Error::Error(Code code, std::string message)
    : rep_(make_rep(code, std::move(message), nullptr, nullptr, nullptr)) {}

Error::Error(std::string message, std::shared_ptr<const ExceptionValue> exception)
    : rep_(make_rep(Code::kBusiness, std::move(message), std::move(exception), nullptr, nullptr)) {}

Error::Error(std::shared_ptr<const Rep> rep) noexcept : rep_(std::move(rep)) {}

Error Error::because(const Error& cause) const {
  if (rep_->cause) {
    const Error inner = rep_->cause->because(cause);
    return Error(make_rep(rep_->code, rep_->message, rep_->exception, rep_->detail, &inner));
  }
  return Error(make_rep(rep_->code, rep_->message, rep_->exception, rep_->detail, &cause));
}

Error Error::within(std::string_view step) const {
  return Error(make_rep(rep_->code, std::string(step) + ": " + rep_->message, rep_->exception,
                        rep_->detail, cause()));
}

Error Error::with_detail(std::shared_ptr<const ErrorDetail> detail) const {
  return Error(make_rep(rep_->code, rep_->message, rep_->exception, std::move(detail), cause()));
}

Code Error::code() const noexcept { return rep_->code; }
const std::string& Error::message() const noexcept { return rep_->message; }
const Error* Error::cause() const noexcept { return rep_->cause ? &*rep_->cause : nullptr; }
const char* Error::what() const noexcept { return rep_->what.c_str(); }
const ExceptionValue* Error::exception() const noexcept { return rep_->exception.get(); }
const ErrorDetail* Error::any_detail() const noexcept { return rep_->detail.get(); }

}  // namespace settee::inline v0
