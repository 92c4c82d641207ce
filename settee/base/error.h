// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Error: the one error value of Settee. It has a stable code, a message that says which step failed
// and with what, an optional cause and, for a business exception, the exception's own value.
//
//   Error e(Code::kConnectFailed, "connect to 10.0.0.7:12200: Connection refused");
//   throw e.because(other);                                  // the same type is thrown and returned
//   if (e.code() == Code::kBusiness)
//     if (auto sold_out = e.as<SoldOut>()) ...               // a type described by SETTEE_EXCEPTION
//
// Threads: an Error is immutable and cheap to copy (one shared pointer); copies may be used from any
// thread at once.

#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "settee/base/export.h"

namespace settee::inline v0 {

/// What went wrong, as a number that never changes its meaning. 1xx: this process; 2xx: reaching the
/// peer; 3xx: what the peer answered.
enum class Code : std::int32_t {
  kUnknown = 100,    ///< An exception that is not an Error escaped; its type is in the message.
  kCancelled = 101,  ///< The Context of the work was cancelled.
  kInvalidArgument = 102,   ///< The caller passed something that cannot be used.
  kMisuse = 103,            ///< A call that is wrong where it stands, e.g. Task::get() on a loop.
  kConfig = 104,            ///< A configuration value is wrong; the message has file and line.
  kEncode = 105,            ///< A value cannot be written in the codec.
  kDecode = 106,            ///< Bytes received cannot be read; the message has rule and offset.
  kLimit = 107,             ///< A named limit refused; the message has its name and value.
  kStopped = 108,           ///< The Runtime, server or client has been stopped.
  kIo = 109,                ///< A system call failed; the message has its name and errno text.
  kTimeout = 200,           ///< The deadline passed.
  kConnectFailed = 201,     ///< No connection could be made.
  kConnectionClosed = 202,  ///< The connection ended before the answer came.
  kOverflow = 203,          ///< Too many bytes or calls wait on the connection; nothing was sent.
  kNoProvider = 204,        ///< No usable address.
  kBusy = 300,              ///< The peer's pool is full; it did not begin the work.
  kServiceNotFound = 301,   ///< The peer does not offer the service.
  kMethodNotFound = 302,    ///< The service has no such method or signature.
  kBusiness = 303,          ///< The method threw an exception of its own; see Error::exception().
  kPeerDecode = 304,        ///< The peer could not read our request.
  kPeerEncode = 305,        ///< The peer could not write its answer.
  kPeerError = 306,         ///< The peer failed in another way; its words are in the message.
  kProtocol = 307,          ///< The peer broke the protocol.
};

/// The code's name without the k, e.g. "Timeout". Never null.
SETTEE_API const char* to_string(Code code) noexcept;

struct TypeInfo;

/// The value of a business exception, kept in whatever form it arrived.
class SETTEE_API ExceptionValue {
 public:
  virtual ~ExceptionValue();
  /// The Java class name, e.g. "com.acme.SoldOut".
  virtual std::string_view class_name() const noexcept = 0;
  /// Fills `out`, an object of described type `type`; false if the fields do not fit.
  virtual bool read_into(const TypeInfo& type, void* out) const = 0;
  /// The value behind it when it is held as an object of a described type, else null.
  virtual const void* object() const noexcept;
  /// The description of object(), else null.
  virtual const TypeInfo* type() const noexcept;
};

/// What a program can read of an error beyond its code, e.g. rpc::NoProvider. Constant.
class SETTEE_API ErrorDetail {
 public:
  virtual ~ErrorDetail();
};

class SETTEE_API Error : public std::exception {
 public:
  Error(Code code, std::string message);
  /// A business exception: its message and its value.
  Error(std::string message, std::shared_ptr<const ExceptionValue> exception);

  /// A copy of this error with `cause` at the end of its chain.
  Error because(const Error& cause) const;
  /// A copy whose message begins with `step` and ": ".
  Error within(std::string_view step) const;
  /// A copy that has this detail; the two above keep it.
  Error with_detail(std::shared_ptr<const ErrorDetail> detail) const;

  Code code() const noexcept;
  const std::string& message() const noexcept;
  /// What caused this error, if known; null at the end of the chain.
  const Error* cause() const noexcept;
  /// "Timeout: message; because ConnectFailed: message ..." Valid as long as a copy of this lives.
  const char* what() const noexcept override;

  /// The exception's value when code() is kBusiness, else null.
  const ExceptionValue* exception() const noexcept;
  /// The exception as T (described with SETTEE_EXCEPTION), if it is of T's class.
  template <class T>
  std::optional<T> as() const;
  /// The detail, if it is a T; else null. Valid as long as a copy of this lives.
  template <class T>
  const T* detail() const noexcept {
    return dynamic_cast<const T*>(any_detail());
  }

  struct Rep;

 private:
  const ErrorDetail* any_detail() const noexcept;
  explicit Error(std::shared_ptr<const Rep> rep) noexcept;
  std::shared_ptr<const Rep> rep_;
};

}  // namespace settee::inline v0
