// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Where a call's arguments come from, on the server: one class for each codec.

#pragma once

#include <memory>
#include <span>

#include "settee/base/service.h"
#include "settee/rpc/bolt/frame.h"
#include "settee/rpc/bolt/internal/sofa_message.h"

namespace settee::inline v0::rpc::bolt {

class ArgumentSource {
 public:
  virtual ~ArgumentSource() = default;
  /// Reads the arguments of `method` into the objects at `places`. Once.
  virtual Result<void> read(const MethodInfo& method, void* const* places) = 0;
  /// One with the same arguments that needs no bytes of the connection any more.
  virtual std::unique_ptr<ArgumentSource> keep() = 0;
  /// The dialect in which the caller wrote, and wants to be answered.
  virtual Dialect dialect() const noexcept { return Dialect::kSofa3; }
};

class HessianArguments final : public ArgumentSource {
 public:
  HessianArguments(std::span<const std::uint8_t> content, Dialect dialect,
                   const hessian::Limits& limits)
      : content_(content), limits_(limits), reader_(content, dialect, limits) {}
  /// Of a request whose head is known.
  HessianArguments(std::span<const std::uint8_t> content, const hessian::ReaderState& head,
                   const hessian::Limits& limits)
      : content_(content), limits_(limits), reader_(content, head, limits) {}

  /// Behind read_request_head() it stands at the first argument.
  hessian::Reader& reader() noexcept { return reader_; }
  Result<void> read(const MethodInfo& method, void* const* places) override;
  std::unique_ptr<ArgumentSource> keep() override;
  Dialect dialect() const noexcept override { return reader_.dialect(); }

 private:
  std::span<const std::uint8_t> content_;
  const hessian::Limits& limits_;
  hessian::Reader reader_;
};

/// Of a generic call: a list of values.
class ValueArguments final : public ArgumentSource {
 public:
  ValueArguments(hessian::Value list, Dialect dialect)
      : list_(std::move(list)), dialect_(dialect) {}
  Result<void> read(const MethodInfo& method, void* const* places) override;
  std::unique_ptr<ArgumentSource> keep() override;
  Dialect dialect() const noexcept override { return dialect_; }

 private:
  hessian::Value list_;
  Dialect dialect_;
};

class MessageArguments final : public ArgumentSource {
 public:
  explicit MessageArguments(std::span<const std::uint8_t> content) : content_(content) {}
  Result<void> read(const MethodInfo& method, void* const* places) override;
  std::unique_ptr<ArgumentSource> keep() override;

 private:
  std::span<const std::uint8_t> content_;
};

class JsonArguments final : public ArgumentSource {
 public:
  explicit JsonArguments(std::span<const std::uint8_t> content) : content_(content) {}
  Result<void> read(const MethodInfo& method, void* const* places) override;
  std::unique_ptr<ArgumentSource> keep() override;

 private:
  std::span<const std::uint8_t> content_;
};

/// Writes a call's arguments behind what brought a Hessian stream to `state`: those of `method`, or
/// `values` if that is null.
Result<void> write_arguments(Buffer& out, Codec codec, const hessian::WriterState& state,
                             const MethodInfo* method, void* const* arguments,
                             std::span<const hessian::Value> values);

/// Writes a protobuf message.
Result<void> write_message(Buffer& out, const TypeInfo& type, const void* message);
/// Reads one.
Result<void> read_message(std::span<const std::uint8_t> content, const TypeInfo& type,
                          void* message);

}  // namespace settee::inline v0::rpc::bolt
