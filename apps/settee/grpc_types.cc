// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "apps/settee/grpc_types.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/unknown_field_set.h>

namespace settee::cli {

namespace {

namespace pb = google::protobuf;

constexpr std::size_t kMostFiles = 1'000;

bool is_bytes(const pb::UnknownField& field, int number) {
  return field.number() == number && field.type() == pb::UnknownField::TYPE_LENGTH_DELIMITED;
}

// A message's fields; none if the bytes are no message.
struct Fields : pb::UnknownFieldSet {
  explicit Fields(std::string_view bytes) {
    if (!ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) Clear();
  }
};

}  // namespace

Task<const pb::ServiceDescriptor*> GrpcTypes::service(std::string name) {
  Task<bool> loading = load(name);
  const bool known = co_await std::move(loading);
  if (known) {
    const pb::ServiceDescriptor* const found = pool_.FindServiceByName(name);
    if (found == nullptr) co_await fail(unfit(name));
    co_return found;
  }
  Task<bool> listing = ask(kListServices, std::string());
  co_await std::move(listing);
  Error error(
      Code::kServiceNotFound,
      fmt::format("the server has no service {}; it has {}", name,
                  services_.empty() ? "none" : fmt::format("{}", fmt::join(services_, ", "))));
  co_await fail(std::move(error));
  co_return nullptr;
}

Task<const pb::Descriptor*> GrpcTypes::message(std::string name) {
  Task<bool> loading = load(name);
  const bool known = co_await std::move(loading);
  if (!known) co_return nullptr;
  co_return pool_.FindMessageTypeByName(name);
}

Task<bool> GrpcTypes::load(std::string symbol) {
  Task<bool> asking = ask(kFileContainingSymbol, symbol);
  const bool found = co_await std::move(asking);
  if (!found) co_return false;
  for (std::string file = next_missing(); !file.empty(); file = next_missing()) {
    Task<bool> next = ask(kFileByName, file);
    const bool known = co_await std::move(next);
    if (known && files_.contains(file)) continue;
    Error error(
        Code::kProtocol,
        fmt::format("reflection: the server describes {}, but not the file {} that it imports",
                    symbol, file));
    co_await fail(std::move(error));
  }
  co_return true;
}

Task<bool> GrpcTypes::ask(Question question, std::string name) {
  pb::UnknownFieldSet request;
  request.AddLengthDelimited(question, name);
  std::string message;
  std::string body;
  request.SerializeToString(&message);
  add_grpc_message(body, message);
  Result<bool> known = false;
  const auto read = [&](std::string_view answer) {
    if (known) known = add(answer);
  };
  GrpcStatus status;
  const std::vector<std::string> versions =
      version_.empty() ? std::vector<std::string>{"v1", "v1alpha"} : std::vector{version_};
  for (const std::string& version : versions) {
    std::string path =
        fmt::format("/grpc.reflection.{}.ServerReflection/ServerReflectionInfo", version);
    Task<GrpcStatus> calling = caller_.call(std::move(path), body, read);
    status = co_await std::move(calling);
    if (!known) co_await fail(known.error());
    if (status.ok()) {
      version_ = version;
      co_return *known;
    }
    if (status.number != GrpcStatus::kUnimplemented) break;
  }
  if (status.number == GrpcStatus::kUnimplemented) {
    Error error(Code::kPeerError,
                "the server has no reflection (neither v1 nor v1alpha), by which it says what its "
                "messages look like: switch that on, or call it from a program with its .proto");
    co_await fail(std::move(error));
  }
  Error error(Code::kPeerError, fmt::format("the server's reflection says {}", status.text()));
  co_await fail(std::move(error));
  co_return false;
}

// A ServerReflectionResponse: files (4), services (6) or an error (7).
Result<bool> GrpcTypes::add(std::string_view answer) {
  const Fields fields(answer);
  bool known = false;
  for (int i = 0; i < fields.field_count(); ++i) {
    const pb::UnknownField& field = fields.field(i);
    if (is_bytes(field, 7)) {
      const Fields error(field.length_delimited());
      std::string message;
      for (int j = 0; j < error.field_count(); ++j) {
        const pb::UnknownField& part = error.field(j);
        if (is_bytes(part, 2)) message = part.length_delimited();
        if (part.number() == 1 && part.type() == pb::UnknownField::TYPE_VARINT &&
            part.varint() == GrpcStatus::kNotFound) {
          return false;
        }
      }
      return Error(Code::kPeerError, fmt::format("the server's reflection says: {}", message));
    }
    if (!is_bytes(field, 4) && !is_bytes(field, 6)) continue;
    known = true;
    const Fields inner(field.length_delimited());
    for (int j = 0; j < inner.field_count(); ++j) {
      if (!is_bytes(inner.field(j), 1)) continue;
      const std::string& bytes = inner.field(j).length_delimited();
      if (field.number() == 4) {
        if (Result<void> added = add_file(bytes); !added) return added.error();
        continue;
      }
      const Fields service(bytes);
      if (service.field_count() > 0 && is_bytes(service.field(0), 1)) {
        services_.push_back(service.field(0).length_delimited());
      }
    }
  }
  return known;
}

Result<void> GrpcTypes::add_file(const std::string& serialized) {
  pb::FileDescriptorProto file;
  if (!file.ParseFromString(serialized)) {
    return Error(Code::kProtocol, "reflection: the server's answer is no file descriptor");
  }
  if (files_.contains(file.name())) return {};
  if (files_.size() >= kMostFiles) {
    return Error(Code::kLimit, fmt::format("reflection: more than {} files", kMostFiles));
  }
  files_.insert(file.name());
  wanted_.insert(file.dependency().begin(), file.dependency().end());
  if (!database_.Add(file)) {
    return Error(Code::kProtocol,
                 fmt::format("reflection: {} says again what another file has said", file.name()));
  }
  return {};
}

std::string GrpcTypes::next_missing() const {
  for (const std::string& name : wanted_) {
    if (!files_.contains(name)) return name;
  }
  return {};
}

Error GrpcTypes::unfit(std::string_view name) const {
  return Error(Code::kProtocol,
               fmt::format("reflection: the server's description of {} cannot be used: {}", name,
                           trouble_.empty() ? "it is no service" : trouble_));
}

void GrpcTypes::AddError(const std::string& file, const std::string& element, const pb::Message*,
                         ErrorLocation, const std::string& message) {
  if (trouble_.empty()) trouble_ = fmt::format("{}: {}: {}", file, element, message);
}

}  // namespace settee::cli
