// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A client's calls as SOFARPC's convention for HTTP/1.1 and HTTP/2 has them. Source:
// docs/protocols/http.md.

#include <fmt/format.h>

#include "settee/hessian/json.h"
#include "settee/rpc/bolt/internal/arguments.h"     // settee-check: allow floors
#include "settee/rpc/bolt/internal/sofa_message.h"  // settee-check: allow floors
#include "settee/rpc/internal/http_transport.h"
#include "settee/rpc/internal/link_data.h"

namespace settee::inline v0::rpc {
namespace rest {

namespace {

using bolt::Codec;

constexpr std::string_view kSerializerKey = "sofa_head_serialize_type";

std::string_view name_of(Codec codec) noexcept {
  switch (codec) {
    case Codec::kHessian: return "hessian2";
    case Codec::kJson: return "json";
    case Codec::kProtobuf: return "protobuf";
  }
  return "hessian2";
}

std::string_view content_type_of(Codec codec) noexcept {
  switch (codec) {
    case Codec::kHessian: return "application/x-hessian2";
    case Codec::kJson: return "application/json";
    case Codec::kProtobuf: return "application/x-protobuf";
  }
  return "application/octet-stream";
}

class SofaConvention final : public HttpConvention {
 public:
  SofaConvention(const TargetOptions& target, const ClientOptions& options)
      : service_(target.service),
        target_app_(target.target_app),
        app_(options.app_name),
        serialization_(target.serialization),
        dialect_(options.dialect) {
    if (service_ == nullptr) return;
    for (const MethodInfo& method : service_->methods) {
      std::vector<std::string>& made = signatures_.emplace_back();
      for (const ParameterInfo& parameter : method.parameters) {
        made.push_back(java_name(*parameter.type));
      }
    }
  }

  Result<http::Request> request(const HttpOutgoing& out) const override {
    const Outgoing& call = out.call;
    const Codec codec = codec_of(call);
    http::Request request;
    request.method = "POST";
    request.target = fmt::format("/{}/{}", path_of(out.service), call.name);
    request.headers.add("content-type", content_type_of(codec));
    request.headers.add(kSerializerKey, name_of(codec));
    request.headers.add(bolt::kTargetServiceKey, out.service);
    request.headers.add(bolt::kMethodKey, call.name);
    if (!target_app_.empty()) request.headers.add(bolt::kTargetAppKey, target_app_);
    if (!app_.empty()) request.headers.add("app", app_);
    if (call.method == nullptr) request.headers.add(bolt::kGenericTypeKey, "2");
    if (out.headers != nullptr) {
      for (const auto& [name, value] : *out.headers) request.headers.add(name, value);
    }
    // In Hessian it is in the body.
    if (out.baggage != nullptr && codec != Codec::kHessian) {
      for (const auto& [key, value] : *out.baggage) {
        request.headers.add(fmt::format("{}{}", kRequestBaggagePrefix, key), value);
      }
    }
    Buffer body;
    hessian::WriterState state;
    if (codec == Codec::kHessian) {
      const bolt::RequestNames names{
          out.service,    call.name,  target_app_, app_, call.method ? "" : "2",
          types_of(call), out.headers};
      const bolt::RequestPrefix prefix = bolt::make_hessian_prefix(names, dialect_, out.baggage);
      body.append(std::string_view(prefix.frame).substr(prefix.content_offset));
      state = prefix.state;
    }
    const Result<void> written =
        bolt::write_arguments(body, codec, state, call.method, call.arguments, call.values);
    if (!written) return written.error().within("writing the request");
    request.body = http::Body(body.bytes());
    return request;
  }

  Result<void> answer(http::Response& answer, const HttpOutgoing& out,
                      Baggage& response) const override {
    const Bytes& body = answer.body.bytes();
    const bool failed = answer.headers.get(bolt::kResponseErrorKey) == "true";
    if (answer.status != 200 || failed) return failure(answer, failed);
    response = baggage_of(answer.headers, kResponseBaggagePrefix);
    const Outgoing& call = out.call;
    if (call.mode == settee::detail::CallMode::kOneway) return {};
    const TypeInfo& type =
        call.method == nullptr ? type_of<hessian::Value>() : *call.method->result;
    const Codec codec = codec_of(call);
    if (codec == Codec::kHessian) {
      bolt::ResponseValue read =
          bolt::read_response(body.span(), &type, call.result, false, hessian::Limits());
      for (auto& [key, value] : read.baggage) response.insert_or_assign(key, std::move(value));
      if (read.error) return *std::move(read.error);
      return {};
    }
    if (type.kind == Kind::kVoid) return {};
    const Result<void> read =
        codec == Codec::kProtobuf
            ? bolt::read_message(body.span(), type, call.result)
            : json::read(std::string_view(reinterpret_cast<const char*>(body.data()), body.size()),
                         type, call.result);
    if (!read) return read.error().within("reading the result");
    return {};
  }

 private:
  // As a server knows services there: without a version that all have.
  static std::string path_of(std::string_view name) {
    const std::size_t version = name.find(":1.0");
    if (version == std::string_view::npos) return std::string(name);
    const std::string_view behind = name.substr(version + 4);
    if (!behind.empty() && behind[0] != ':') return std::string(name);
    return fmt::format("{}{}", name.substr(0, version), behind);
  }

  Codec codec_of(const Outgoing& call) const {
    if (call.method == nullptr) return Codec::kHessian;
    if (call.method->parameters.size() == 1 &&
        call.method->parameters[0].type->kind == Kind::kMessage) {
      return Codec::kProtobuf;
    }
    return serialization_ == Serialization::kJson ? Codec::kJson : Codec::kHessian;
  }

  std::span<const std::string> types_of(const Outgoing& call) const {
    if (call.method == nullptr) return call.types;
    return signatures_[static_cast<std::size_t>(call.method - service_->methods.data())];
  }

  // Its words, and what they and the status mean.
  static Error failure(const http::Response& answer, bool told) {
    const Bytes& body = answer.body.bytes();
    std::string text(reinterpret_cast<const char*>(body.data()),
                     std::min<std::size_t>(body.size(), 4096));
    if (answer.status == 200) return Error(Code::kBusiness, std::move(text));
    Code code = Code::kPeerError;
    if (answer.status == 404) {
      code =
          text.find("method") == std::string::npos ? Code::kServiceNotFound : Code::kMethodNotFound;
    } else if (answer.status == 503) {
      code = Code::kBusy;
    } else if (answer.status == 504) {
      code = Code::kTimeout;
    }
    return Error(code, fmt::format("HTTP status {}{}: {}", answer.status,
                                   told ? "" : ", which no SOFARPC server said", text));
  }

  const ServiceInfo* const service_;
  const std::string target_app_;
  const std::string app_;
  const Serialization serialization_;
  const hessian::Dialect dialect_;
  std::vector<std::vector<std::string>> signatures_;
};

}  // namespace
}  // namespace rest

std::unique_ptr<HttpConvention> make_rest_convention(const TargetOptions& target,
                                                     const ClientOptions& options) {
  return std::make_unique<rest::SofaConvention>(target, options);
}

}  // namespace settee::inline v0::rpc
