// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/bolt/internal/arguments.h"

#include <fmt/format.h>

#include "settee/hessian/json.h"

namespace settee::inline v0::rpc::bolt {

namespace {

Error of_argument(const Error& error, const MethodInfo& method, std::size_t i) {
  return error.within(fmt::format("argument {} '{}'", i + 1, method.parameters[i].name));
}

// Keeps the bytes of an argument source as long as the source made on them.
template <class Source>
class Owning final : public ArgumentSource {
 public:
  template <class... A>
  explicit Owning(Bytes bytes, A&&... rest)
      : bytes_(std::move(bytes)), source_(bytes_.span(), std::forward<A>(rest)...) {}
  Source& source() noexcept { return source_; }
  Result<void> read(const MethodInfo& method, void* const* places) override {
    return source_.read(method, places);
  }
  std::unique_ptr<ArgumentSource> keep() override { return source_.keep(); }
  Dialect dialect() const noexcept override { return source_.dialect(); }

 private:
  Bytes bytes_;
  Source source_;
};

}  // namespace

Result<void> HessianArguments::read(const MethodInfo& method, void* const* places) {
  hessian::DecodeOptions options;
  options.null_scalar_is_error = true;
  for (std::size_t i = 0; i < method.parameters.size(); ++i) {
    Result<void> done = hessian::decode(reader_, *method.parameters[i].type, places[i], options);
    if (!done) return of_argument(done.error(), method, i);
  }
  if (!reader_.at_end()) {
    return Error(Code::kDecode,
                 fmt::format("{} bytes are left behind the last argument (offset {})",
                             content_.size() - reader_.offset(), reader_.offset()));
  }
  return {};
}

std::unique_ptr<ArgumentSource> HessianArguments::keep() {
  auto kept = std::make_unique<Owning<HessianArguments>>(Bytes(content_), reader_.dialect(), limits_);
  RequestHead head;
  static_cast<void>(read_request_head(kept->source().reader(), head));  // it was read once: it can be
  return kept;
}

Result<void> ValueArguments::read(const MethodInfo& method, void* const* places) {
  for (std::size_t i = 0; i < method.parameters.size(); ++i) {
    Result<void> done = hessian::convert(list_[i], *method.parameters[i].type, places[i]);
    if (!done) return of_argument(done.error(), method, i);
  }
  return {};
}

std::unique_ptr<ArgumentSource> ValueArguments::keep() {
  return std::make_unique<ValueArguments>(list_, dialect_);
}

Result<void> write_arguments(Buffer& out, Codec codec, const hessian::WriterState& state,
                             const MethodInfo* method, void* const* arguments,
                             std::span<const hessian::Value> values) {
  if (codec == Codec::kProtobuf) {
    return write_message(out, *method->parameters[0].type, arguments[0]);
  }
  if (codec == Codec::kJson) return json::write_arguments(out, method->parameters, arguments);
  hessian::Writer writer(out, state);
  if (method == nullptr) {
    for (const hessian::Value& value : values) {
      if (Result<void> written = hessian::encode(writer, value); !written) return written;
    }
    return {};
  }
  writer.keep_identities();
  for (std::size_t i = 0; i < method->parameters.size(); ++i) {
    const ParameterInfo& parameter = method->parameters[i];
    Result<void> written = hessian::encode(writer, *parameter.type, arguments[i]);
    if (!written) return of_argument(written.error(), *method, i);
  }
  return {};
}

Result<void> write_message(Buffer& out, const TypeInfo& type, const void* message) {
  if (type.kind != Kind::kMessage) {
    return Error(Code::kEncode,
                 fmt::format("codec 11 (protobuf) carries a message, not a {}", java_name(type)));
  }
  const std::size_t size = type.message_size(message);
  std::uint8_t* room = out.prepare(size);
  if (!type.message_write(message, room, size)) {
    return Error(Code::kEncode, "the protobuf message cannot be written; a required field may be "
                                "missing");
  }
  out.commit(size);
  return {};
}

Result<void> read_message(std::span<const std::uint8_t> content, const TypeInfo& type,
                          void* message) {
  if (type.kind != Kind::kMessage) {
    return Error(Code::kDecode,
                 fmt::format("codec 11 (protobuf) carries a message, and a {} is expected",
                             java_name(type)));
  }
  if (!type.message_read(message, content.data(), content.size())) {
    return Error(Code::kDecode, fmt::format("{} bytes are no such protobuf message",
                                            content.size()));
  }
  return {};
}

Result<void> MessageArguments::read(const MethodInfo& method, void* const* places) {
  if (method.parameters.size() != 1) {
    return Error(Code::kDecode, fmt::format("codec 11 (protobuf) carries one argument; the method "
                                            "has {}",
                                            method.parameters.size()));
  }
  Result<void> done = read_message(content_, *method.parameters[0].type, places[0]);
  return done ? done : of_argument(done.error(), method, 0);
}

std::unique_ptr<ArgumentSource> MessageArguments::keep() {
  return std::make_unique<Owning<MessageArguments>>(Bytes(content_));
}

Result<void> JsonArguments::read(const MethodInfo& method, void* const* places) {
  const std::string_view text(reinterpret_cast<const char*>(content_.data()), content_.size());
  return json::read_arguments(text, method.parameters, places);
}

std::unique_ptr<ArgumentSource> JsonArguments::keep() {
  return std::make_unique<Owning<JsonArguments>>(Bytes(content_));
}

}  // namespace settee::inline v0::rpc::bolt
