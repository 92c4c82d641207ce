// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/bolt/internal/sofa_message.h"

#include <fmt/format.h>

#include <algorithm>

#include "settee/hessian/exception.h"
#include "settee/rpc/bolt/frame.h"

namespace settee::inline v0::rpc::bolt {

using hessian::Container;
using hessian::Reader;
using hessian::Token;
using hessian::Value;
using hessian::Writer;

void RequestHead::add_signature(std::string_view signature) {
  if (more.empty() && count < few.size()) {
    few[count++] = signature;
    return;
  }
  if (more.empty()) more.assign(few.begin(), few.end());
  more.push_back(signature);
  count = more.size();
}

namespace {

// The texts of a map, each under `prefix` and its key.
bool read_texts(Reader& reader, Baggage& texts, std::string_view prefix = {}) {
  if (reader.peek() != Token::kMap) return reader.skip();
  Container map;
  if (!reader.begin_map(map)) return false;
  while (reader.next(map)) {
    std::string key;
    std::string value;
    if (reader.peek() != Token::kString) {
      if (!reader.skip() || !reader.skip()) return false;
      continue;
    }
    if (!reader.read_string(key)) return false;
    if (reader.peek() != Token::kString) {
      if (!reader.skip()) return false;
      continue;
    }
    if (!reader.read_string(value)) return false;
    texts.insert_or_assign(prefix.empty() ? std::move(key) : fmt::format("{}.{}", prefix, key),
                           std::move(value));
  }
  return reader.ok();
}

bool read_property(Reader& reader, std::string_view key, RequestHead& head) {
  if (key == kRequestBaggageKey) return read_texts(reader, head.baggage);
  if (!head.with_properties || key == kServiceKey) return reader.skip();
  if (reader.peek() == Token::kMap) return read_texts(reader, head.properties, key);
  if (reader.peek() != Token::kString) return reader.skip();
  return reader.read_string(head.properties[std::string(key)]);
}

bool read_properties(Reader& reader, RequestHead& head) {
  if (reader.peek() != Token::kMap) return reader.skip();
  Container map;
  if (!reader.begin_map(map)) return false;
  while (reader.next(map)) {
    std::string_view key;
    if (reader.peek() != Token::kString) {
      if (!reader.skip()) return false;
    } else if (!reader.read_string(key)) {
      return false;
    }
    if (!read_property(reader, key, head)) return false;
  }
  return reader.ok();
}

bool read_signatures(Reader& reader, RequestHead& head) {
  if (reader.peek() == Token::kNull) return reader.read_null();
  Container list;
  if (!reader.begin_list(list)) return false;
  while (reader.next(list)) {
    std::string_view signature;
    if (!reader.read_string(signature)) return false;
    head.add_signature(signature);
  }
  return reader.ok();
}

}  // namespace

bool read_request_head(Reader& reader, RequestHead& head) {
  Container object;
  if (!reader.begin_object(object)) return false;
  if (object.type != kRequestClass) {
    reader.fail(Code::kDecode,
                fmt::format("the request is a {}, not a {}", object.type, kRequestClass));
    return false;
  }
  while (reader.next(object)) {
    bool read = false;
    if (object.field == "methodName") {
      read = reader.read_string(head.method);
    } else if (object.field == "targetServiceUniqueName") {
      read = reader.read_string(head.service);
    } else if (object.field == "methodArgSigs") {
      read = read_signatures(reader, head);
    } else if (object.field == "requestProps") {
      read = read_properties(reader, head);
    } else {
      read = reader.skip();
    }
    if (!read) return false;
  }
  return reader.ok();
}

namespace {

void append_names(Buffer& out, const RequestNames& names, const Baggage* baggage, bool all) {
  append_header_pair(out, kServiceKey, names.service);
  append_header_pair(out, kTargetServiceKey, names.service);
  append_header_pair(out, kMethodKey, names.method);
  if (all || !names.target_app.empty()) append_header_pair(out, kTargetAppKey, names.target_app);
  if (!names.app.empty()) append_header_pair(out, "app", names.app);
  if (!names.generic_type.empty()) {
    append_header_pair(out, kGenericTypeKey, names.generic_type);
    append_header_pair(out, "generic.revise", "true");
  }
  if (baggage != nullptr) {
    for (const auto& [key, value] : *baggage) {
      append_header_pair(out, fmt::format("{}.{}", kRequestBaggageKey, key), value);
    }
  }
  if (names.headers != nullptr) {
    for (const auto& [key, value] : *names.headers) append_header_pair(out, key, value);
  }
}

std::size_t text_bytes(const Baggage* texts) {
  std::size_t bytes = 0;
  if (texts == nullptr) return bytes;
  for (const auto& [key, value] : *texts) bytes += 8 + key.size() + value.size();
  return bytes;
}

void check_headers(const RequestNames& names) {
  if (names.headers == nullptr) return;
  for (const auto& [key, value] : *names.headers) {
    if (const std::string_view why = why_no_header(key); !why.empty()) {
      throw Error(Code::kInvalidArgument, fmt::format("{}#{}: header '{}' cannot be sent: {}",
                                                      names.service, names.method, key, why));
    }
  }
}

RequestPrefix begin_prefix(Buffer& out, const RequestNames& names, const Baggage* baggage,
                           bool all) {
  check_headers(names);
  RequestPrefix prefix;
  out.append(kRequestClass);
  prefix.class_size = static_cast<std::uint16_t>(kRequestClass.size());
  append_names(out, names, baggage, all);
  const std::size_t header = out.size() - kRequestClass.size();
  if (header > 32767) {
    throw Error(
        Code::kLimit,
        fmt::format("{}#{}: the request's header would have {} bytes, and Bolt has room for "
                    "32767; {} bytes are baggage, {} bytes headers: send less of them",
                    names.service, names.method, header, text_bytes(baggage),
                    text_bytes(names.headers)));
  }
  prefix.header_size = static_cast<std::uint16_t>(header);
  prefix.content_offset = out.size();
  return prefix;
}

// The trace stands in a map of its own there, as in Java; in the header its keys have a prefix.
void write_headers(Writer& writer, const Baggage& headers) {
  bool traced = false;
  for (const auto& [key, value] : headers) {
    if (key.starts_with(kTracePrefix)) {
      traced = true;
      continue;
    }
    writer.write_string(key);
    writer.write_string(value);
  }
  if (!traced) return;
  writer.write_string(kTracePrefix.substr(0, kTracePrefix.size() - 1));
  writer.begin_map();
  for (const auto& [key, value] : headers) {
    if (!key.starts_with(kTracePrefix)) continue;
    writer.write_string(std::string_view(key).substr(kTracePrefix.size()));
    writer.write_string(value);
  }
  writer.end_map();
}

}  // namespace

std::string_view why_no_header(std::string_view name) noexcept {
  if (name.empty()) return "it has no name";
  for (const std::string_view own : {kServiceKey, kTargetServiceKey, kMethodKey, kTargetAppKey,
                                     kGenericTypeKey, kRequestBaggageKey}) {
    if (name == own) return "that name is the protocol's own";
  }
  if (name.starts_with(kRequestBaggagePrefix)) return "baggage has its own place, kRequestBaggage";
  return {};
}

RequestPrefix make_hessian_prefix(const RequestNames& names, Dialect dialect,
                                  const Baggage* baggage) {
  Buffer out;
  RequestPrefix prefix = begin_prefix(out, names, baggage, false);
  Writer writer(out, dialect);
  static constexpr std::string_view kFields[] = {
      "targetAppName", "methodName", "targetServiceUniqueName", "requestProps", "methodArgSigs"};
  writer.begin_object(writer.define_class(kRequestClass, kFields));
  if (names.target_app.empty()) {
    writer.write_null();
  } else {
    writer.write_string(names.target_app);
  }
  writer.write_string(names.method);
  writer.write_string(names.service);
  const bool has_baggage = baggage != nullptr && !baggage->empty();
  const bool has_headers = names.headers != nullptr && !names.headers->empty();
  if (names.app.empty() && names.generic_type.empty() && !has_baggage && !has_headers) {
    writer.write_null();
  } else {
    writer.begin_map();
    if (!names.app.empty()) {
      writer.write_string("app");
      writer.write_string(names.app);
    }
    if (!names.generic_type.empty()) {
      writer.write_string(kGenericTypeKey);
      writer.write_string(names.generic_type);
      writer.write_string("generic.revise");
      writer.write_string("true");
    }
    if (has_baggage) {
      writer.write_string(kRequestBaggageKey);
      writer.begin_map();
      for (const auto& [key, value] : *baggage) {
        writer.write_string(key);
        writer.write_string(value);
      }
      writer.end_map();
    }
    if (has_headers) write_headers(writer, *names.headers);
    writer.end_map();
  }
  const hessian::ListEnd end = writer.begin_list("[string", names.signatures.size());
  for (const std::string& signature : names.signatures) writer.write_string(signature);
  writer.end_list(end);
  prefix.state = writer.state();
  prefix.frame = out.to_string();
  return prefix;
}

RequestPrefix make_plain_prefix(const RequestNames& names, const Baggage* baggage) {
  Buffer out;
  RequestPrefix prefix = begin_prefix(out, names, baggage, true);
  prefix.frame = out.to_string();
  return prefix;
}

ResponseFormat::ResponseFormat(Dialect dialect) : dialect_(dialect) {
  Buffer out;
  Writer writer(out, dialect);
  static constexpr std::string_view kFields[] = {"isError", "errorMsg", "appResponse",
                                                 "responseProps"};
  writer.begin_object(writer.define_class(kResponseClass, kFields));
  head_ = out.to_string();
  state_ = writer.state();
}

void ResponseFormat::write_properties(Writer& writer, bool error, const Baggage* baggage) const {
  const bool has_baggage = baggage != nullptr && !baggage->empty();
  if (!error && !has_baggage) {
    writer.write_null();
    return;
  }
  writer.begin_map();
  if (error) {
    writer.write_string(kResponseErrorKey);
    writer.write_string("true");
  }
  if (has_baggage) {
    for (const auto& [key, value] : *baggage) {
      writer.write_string(fmt::format("{}{}", kResponseBaggagePrefix, key));
      writer.write_string(value);
    }
  }
  writer.end_map();
}

Result<void> ResponseFormat::write_success(Buffer& out, const TypeInfo& type, const void* value,
                                           const Baggage* baggage) const {
  out.append(head_);
  Writer writer(out, state_);
  writer.write_bool(false);
  writer.write_null();
  if (value == nullptr) {
    writer.write_null();
  } else if (Result<void> written = hessian::encode(writer, type, value); !written) {
    return written;
  }
  write_properties(writer, false, baggage);
  return {};
}

void ResponseFormat::write_failure(Buffer& out, std::string_view message) const {
  out.append(head_);
  Writer writer(out, state_);
  writer.write_bool(true);
  writer.write_string(message);
  writer.write_null();
  write_properties(writer, true, nullptr);
}

namespace {

// SOFARPC's own numbers for what went wrong: com.alipay.sofa.rpc.core.exception.RpcErrorType.
std::int32_t sofa_error_type(Code code) {
  switch (code) {
    case Code::kBusy: return 100;
    case Code::kStopped: return 101;
    case Code::kServiceNotFound:
    case Code::kMethodNotFound: return 110;
    case Code::kEncode:
    case Code::kPeerEncode: return 120;
    case Code::kDecode:
    case Code::kPeerDecode: return 130;
    case Code::kTimeout: return 200;
    case Code::kNoProvider: return 210;
    case Code::kConnectFailed:
    case Code::kConnectionClosed:
    case Code::kOverflow: return 250;
    default: return 199;
  }
}

constexpr std::string_view kSofaExceptionClass =
    "com.alipay.sofa.rpc.core.exception.SofaRpcException";

// Node takes for an exception only what has both detailMessage and stackTrace; everything else it
// hands to its caller as the result.
void write_empty_stack(Writer& writer) {
  writer.end_list(writer.begin_list("[java.lang.StackTraceElement", 0));
}

void write_plain_exception(Writer& writer, std::string_view class_name, std::string_view message) {
  static constexpr std::string_view kFields[] = {"detailMessage", "stackTrace"};
  writer.begin_object(writer.define_class(class_name, kFields));
  writer.write_string(message);
  write_empty_stack(writer);
}

// The described exception at `object`, and a stack unless it has one of its own.
Result<void> write_typed_exception(Writer& writer, const TypeInfo& type, const void* object) {
  std::vector<std::string_view> fields;
  for (const MemberInfo& member : type.members) fields.push_back(member.name);
  const bool has_stack = std::find(fields.begin(), fields.end(), "stackTrace") != fields.end();
  if (!has_stack) fields.push_back("stackTrace");
  writer.begin_object(writer.define_class(type.name, fields));
  for (const MemberInfo& member : type.members) {
    Result<void> written = hessian::encode(
        writer, *member.type, static_cast<const std::uint8_t*>(object) + member.offset);
    if (!written) return written;
  }
  if (!has_stack) write_empty_stack(writer);
  return {};
}

Result<void> write_exception_value(Writer& writer, const ExceptionValue& exception) {
  if (exception.object() != nullptr) {
    return write_typed_exception(writer, *exception.type(), exception.object());
  }
  if (const auto* relayed = dynamic_cast<const hessian::ExceptionObject*>(&exception)) {
    return hessian::encode(writer, relayed->value());
  }
  return Error(Code::kEncode, "an exception of unknown form");
}

// Behind what has brought a stream to `state`.
void write_exception_object(Buffer& out, const hessian::WriterState& state, const Error& error) {
  if (const ExceptionValue* exception = error.exception()) {
    const std::size_t mark = out.size();
    Writer writer(out, state);
    if (write_exception_value(writer, *exception)) return;
    // What cannot be written as it is keeps at least its class and message.
    out.truncate(mark);
    Writer again(out, state);
    write_plain_exception(again, exception->class_name(), error.message());
    return;
  }
  Writer writer(out, state);
  if (error.code() == Code::kUnknown) {
    write_plain_exception(writer, "java.lang.RuntimeException", error.message());
    return;
  }
  static constexpr std::string_view kFields[] = {"errorType", "detailMessage", "stackTrace"};
  writer.begin_object(writer.define_class(kSofaExceptionClass, kFields));
  writer.write_int(sofa_error_type(error.code()));
  writer.write_string(error.what());
  write_empty_stack(writer);
}

}  // namespace

void ResponseFormat::write_exception(Buffer& out, const Error& error,
                                     const Baggage* baggage) const {
  out.append(head_);
  Writer writer(out, state_);
  writer.write_bool(false);
  writer.write_null();
  write_exception_object(out, state_, error);
  write_properties(writer, true, baggage);
}

std::string service_missing(std::string_view service) {
  return fmt::format("RPC-020100010: RPC cannot find service: [{}] ", service);
}
std::string method_missing(std::string_view method, std::string_view service) {
  return fmt::format("RPC-020100011: Cannot find invoke method: [{}], service: [{}] ", method,
                     service);
}

void write_server_exception(Buffer& out, std::string_view message, Dialect dialect) {
  Writer writer(out, dialect);
  hessian::encode_exception(writer, kExceptionClass, message);
}

namespace {

// The value in place of a result: an exception object, as an Error.
Error exception_error(Reader& reader, std::string_view message) {
  Result<Value> value = hessian::decode<Value>(reader);
  if (!value) return value.error().within("reading the exception in a response");
  if (hessian::ExceptionObject::is_exception(*value)) {
    return hessian::ExceptionObject::to_error(*std::move(value));
  }
  return Error(Code::kPeerError, message.empty() ? value->to_string() : std::string(message));
}

// The framework errors of a Java server come as text; those that mean something have their code.
Error framework_error(std::string_view message) {
  Code code = Code::kPeerError;
  if (message.find("RPC cannot find service") != std::string_view::npos) {
    code = Code::kServiceNotFound;
  } else if (message.find("Cannot find invoke method") != std::string_view::npos) {
    code = Code::kMethodNotFound;
  }
  return Error(code, std::string(message));
}

void read_response_properties(Reader& reader, bool& error, Baggage& baggage) {
  if (reader.peek() != Token::kMap) {
    reader.skip();
    return;
  }
  Container map;
  if (!reader.begin_map(map)) return;
  while (reader.next(map)) {
    std::string key;
    std::string value;
    if (reader.peek() != Token::kString) {
      reader.skip();
      reader.skip();
      continue;
    }
    reader.read_string(key);
    if (reader.peek() != Token::kString) {
      reader.skip();
      continue;
    }
    reader.read_string(value);
    if (key == kResponseErrorKey) {
      error = value == "true";
    } else if (std::string_view(key).starts_with(kResponseBaggagePrefix)) {
      baggage.insert_or_assign(key.substr(kResponseBaggagePrefix.size()), std::move(value));
    }
  }
}

ResponseValue read_response_as(std::span<const std::uint8_t> content, const TypeInfo* type,
                               void* result, bool error, Dialect dialect,
                               const hessian::Limits& limits) {
  ResponseValue response;
  Reader reader(content, dialect, limits);
  Container object;
  if (reader.peek() == Token::kString) {  // Node's protobuf-less errors
    std::string text;
    reader.read_string(text);
    response.error = Error(Code::kPeerError, std::move(text));
    return response;
  }
  if (!reader.begin_object(object)) {
    response.error = reader.error().within("reading the response");
    return response;
  }
  if (object.type != kResponseClass) {
    // A server that failed early sends its exception bare.
    Reader again(content, dialect, limits);
    response.error = exception_error(again, {});
    return response;
  }
  std::string message;
  bool has_message = false;
  bool late_error = false;
  while (reader.next(object)) {
    if (object.field == "errorMsg") {
      has_message = reader.peek() != Token::kNull;
      if (has_message) {
        reader.read_string(message);
      } else {
        reader.read_null();
      }
    } else if (object.field == "appResponse") {
      if (has_message) {
        reader.skip();
      } else if (error) {
        response.error = exception_error(reader, {});
      } else if (type == nullptr || type->kind == Kind::kVoid) {
        reader.skip();
      } else if (Result<void> read = hessian::decode(reader, *type, result); !read) {
        response.error = read.error().within("reading the result");
        // It may be an exception that only the properties behind it would have announced.
        late_error = true;
        break;
      }
    } else if (object.field == "responseProps") {
      bool said = false;
      read_response_properties(reader, said, response.baggage);
      late_error = said && !error;
    } else {
      reader.skip();
    }
  }
  if (has_message) {
    response.error = framework_error(message);
  } else if (late_error && !error) {
    ResponseValue as_error = read_response_as(content, type, result, true, dialect, limits);
    if (!response.error || (as_error.error && as_error.error->code() == Code::kBusiness)) {
      return as_error;
    }
  } else if (!reader.ok() && !response.error) {
    response.error = reader.error().within("reading the response");
  }
  return response;
}

}  // namespace

ResponseValue read_response(std::span<const std::uint8_t> content, const TypeInfo* type,
                            void* result, bool header_error, const hessian::Limits& limits) {
  if (content.empty()) {
    ResponseValue response;
    response.error = Error(Code::kPeerError, "the response has no content");
    return response;
  }
  const Dialect dialect = hessian::detect_dialect(content[0]).value_or(Dialect::kSofa3);
  return read_response_as(content, type, result, header_error, dialect, limits);
}

std::string read_failure_text(std::span<const std::uint8_t> content) {
  if (content.empty()) return {};
  const Dialect dialect = hessian::detect_dialect(content[0]).value_or(Dialect::kSofa3);
  hessian::Limits limits;
  limits.nodes = 10'000;
  Reader reader(content, dialect, limits);
  Result<Value> value = hessian::decode<Value>(reader);
  if (!value) return "(its words cannot be read: " + value.error().message() + ")";
  if (Result<std::string_view> text = (*value)["detailMessage"].as_string()) {
    return std::string(*text);
  }
  return value->to_string(400);
}

}  // namespace settee::inline v0::rpc::bolt
