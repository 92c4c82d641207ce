// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A client's unary calls as gRPC has them. Source of the format: PROTOCOL-HTTP2.md of gRPC.

#include <fmt/format.h>

#include <algorithm>

#include "settee/base/detail/base64.h"
#include "settee/rpc/grpc/internal/framing.h"
#include "settee/rpc/grpc/internal/grpc_call.h"
#include "settee/rpc/grpc/internal/proto_codec.h"
#include "settee/rpc/grpc/internal/status.h"
#include "settee/rpc/internal/http_transport.h"
#include "settee/rpc/internal/link_data.h"

namespace settee::inline v0::rpc {
namespace grpc {

namespace {

// At most eight digits, and not less than there is: the caller's own clock ends the call.
std::string timeout_text(Duration left) {
  const auto ms =
      std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(left).count());
  if (ms < 100'000'000) return fmt::format("{}m", ms);
  return fmt::format("{}S", std::min<std::int64_t>(ms / 1000 + 1, 99'999'999));
}

class GrpcConvention final : public HttpConvention {
 public:
  GrpcConvention(const TargetOptions& target, const ClientOptions& options)
      : target_(target.name), app_(options.app_name) {
    message_options_.max_message = options.max_frame;
    if (target.service != nullptr) return;
    throw Error(
        Code::kInvalidArgument,
        fmt::format("{}: calls by name have no form in gRPC, whose messages follow from the "
                    "methods' description; use http:// or bolt://",
                    target_));
  }

  Result<http::Request> request(const HttpOutgoing& out) const override {
    const Outgoing& call = out.call;
    http::Request request;
    request.method = "POST";
    // interface[:unique_id]; the version that all have is not said.
    std::string_view service = out.service;
    const std::size_t version = service.find(":1.0");
    if (version != std::string_view::npos && version + 4 == service.size()) {
      service = service.substr(0, version);
    }
    request.target = fmt::format("/{}/{}", service, call.name);
    http::Headers& headers = request.headers;
    headers.add("content-type", "application/grpc");
    headers.add("te", "trailers");
    headers.add("grpc-accept-encoding", "identity,gzip");
    if (out.left != Duration::max()) headers.add("grpc-timeout", timeout_text(out.left));
    if (!app_.empty()) headers.add("app", app_);
    if (out.headers != nullptr) {
      for (const auto& [name, value] : *out.headers) headers.add(name, value);
    }
    if (out.baggage != nullptr) {
      for (const auto& [key, value] : *out.baggage) {
        headers.add(fmt::format("{}{}", kRequestBaggagePrefix, key), value);
      }
    }
    Output body;
    const std::size_t begin = begin_message(body);
    const Result<void> written = write_arguments(body, call.method->parameters, call.arguments);
    if (!written) return written.error().within("writing the request");
    end_message(body, begin, false);
    request.body = http::Body(body.take());
    return request;
  }

  Result<void> answer(http::Response& answer, const HttpOutgoing& out,
                      Baggage& response) const override {
    const http::Headers& trailers = answer.body.trailers();
    read_baggage(answer.headers, response);
    read_baggage(trailers, response);
    if (answer.status != 200) {
      return Error(Code::kPeerError,
                   fmt::format("HTTP status {}, which no gRPC server said", answer.status));
    }
    // An answer without a message has its status in the head.
    const http::Headers& last =
        trailers.find("grpc-status") ? trailers : static_cast<const http::Headers&>(answer.headers);
    if (const Result<void> ended = read_status(last); !ended) return ended.error();
    const TypeInfo& type = *out.call.method->result;
    if (out.call.mode == settee::detail::CallMode::kOneway) return {};
    MessageOptions options = message_options_;
    options.gzip = answer.headers.get("grpc-encoding") == "gzip";
    const Result<Bytes> message = only_message(answer.body.bytes(), options);
    if (!message) return message.error().within("reading the result");
    const Result<void> read = read_result(message->span(), type, out.call.result);
    if (!read) return read.error().within("reading the result");
    return {};
  }

 private:
  static void read_baggage(const http::Headers& from, Baggage& baggage) {
    for (const http::Headers::Field field : from) {
      if (!field.name.starts_with(kResponseBaggagePrefix)) continue;
      std::string_view key = field.name.substr(kResponseBaggagePrefix.size());
      if (!key.ends_with("-bin")) {
        baggage.insert_or_assign(std::string(key), std::string(field.value));
      } else if (const auto bytes = settee::detail::from_base64(field.value)) {
        key.remove_suffix(4);
        baggage.insert_or_assign(std::string(key), *bytes);
      }
    }
  }

  const std::string target_;
  const std::string app_;
  MessageOptions message_options_;
};

}  // namespace
}  // namespace grpc

std::unique_ptr<HttpConvention> make_grpc_convention(const TargetOptions& target,
                                                     const ClientOptions& options) {
  return std::make_unique<grpc::GrpcConvention>(target, options);
}

}  // namespace settee::inline v0::rpc
