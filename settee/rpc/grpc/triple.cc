// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/triple.h"

#include <fmt/format.h>

#include "settee/hessian/codec.h"
#include "settee/rpc/grpc/internal/wire.h"

namespace settee::inline v0::rpc::grpc {

namespace {

// Java's methods have 255 at most, and an empty field of two bytes takes a view of sixteen.
constexpr std::size_t kMostArguments = 256;

}  // namespace

std::optional<TripleRequest> triple_request(std::span<const std::uint8_t> message) {
  TripleRequest request;
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    if (field.wire != Wire::kLength) return std::nullopt;
    switch (field.number) {
      case 1: request.serialize_type = field.text(); break;
      case 2: request.arguments.push_back(field.bytes); break;
      case 3: request.types.push_back(field.text()); break;
      default: return std::nullopt;
    }
    if (request.arguments.size() > kMostArguments || request.types.size() > kMostArguments) {
      return std::nullopt;
    }
  }
  const bool empty = request.types.empty();
  if (!reader.rule().empty() || request.arguments.size() != request.types.size() ||
      (empty && !request.hessian())) {
    return std::nullopt;
  }
  return request;
}

Result<void> read_arguments(const TripleRequest& request, std::span<const ParameterInfo> parameters,
                            void* const* arguments, const hessian::Limits& limits) {
  if (request.arguments.size() != parameters.size()) {
    return Error(Code::kDecode, fmt::format("triple: {} argument(s) came, {} expected",
                                            request.arguments.size(), parameters.size()));
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    hessian::Reader reader(request.arguments[i], hessian::Dialect::kSofa3, limits);
    hessian::DecodeOptions options;
    options.null_scalar_is_error = true;
    const Result<void> read = hessian::decode(reader, *parameters[i].type, arguments[i], options);
    if (!read) return read.error().within(fmt::format("triple: {}", parameters[i].name));
  }
  return {};
}

Result<void> write_triple_response(Output& out, const TripleRequest& request, const TypeInfo& type,
                                   const void* result) {
  put_text(out, 1, request.serialize_type);
  const bool is_void = type.kind == Kind::kVoid;
  if (!is_void) {
    const Result<Bytes> data = hessian::to_bytes(type, result);
    if (!data) return data.error().within("triple");
    put_text(out, 2, data->view());
  }
  put_text(out, 3, is_void ? "void" : java_name(type));
  return {};
}

}  // namespace settee::inline v0::rpc::grpc
