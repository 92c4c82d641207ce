// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a protobuf message of a type with all forms, and as a body of gRPC messages. What was
// read must be written and read again as the same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>

#include "settee/rpc/grpc/internal/framing.h"
#include "settee/rpc/grpc/internal/proto_codec.h"
#include "settee/rpc/grpc/proto_test_data.h"

namespace {

using settee::Bytes;
using settee::Result;
using settee::rpc::grpc::MessageOptions;
using settee::rpc::grpc::MessageReader;
using settee::rpc::grpc::Output;
using settee::rpc::grpc::ProtoLimits;
using settee::rpc::grpc::read_result;
using settee::rpc::grpc::write_result;

void require(bool holds) {
  if (!holds) std::abort();
}

void try_message(std::span<const std::uint8_t> bytes) {
  const settee::TypeInfo& type = settee::type_of<grpc_test::Order>();
  ProtoLimits limits;
  limits.memory = 16 * 1024 * 1024;
  grpc_test::Order order;
  if (!read_result(bytes, type, &order, limits)) return;
  Output once;
  require(write_result(once, type, &order).ok());
  grpc_test::Order again;
  require(read_result(once.span(), type, &again).ok());
  Output twice;
  require(write_result(twice, type, &again).ok());
  const Bytes first = once.take();
  require(first == twice.take());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> all(data + 1, size - 1);
  if (data[0] % 4 == 0) {
    try_message(all);
    return 0;
  }
  MessageOptions options;
  options.max_message = 1024 * 1024;
  options.gzip = (data[0] & 1) != 0;
  MessageReader reader(options);
  const std::size_t step = 1 + data[0] / 8;
  for (std::size_t at = 0; at < all.size(); at += step) {
    reader.add(Bytes(all.subspan(at, std::min(step, all.size() - at))));
    for (;;) {
      const Result<std::optional<Bytes>> message = reader.next();
      if (!message) return 0;
      if (!*message) break;
      require((*message)->size() <= options.max_message);
      try_message((*message)->span());
    }
  }
  static_cast<void>(reader.finish());
  return 0;
}
