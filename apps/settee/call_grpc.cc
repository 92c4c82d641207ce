// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// settee call over grpc and grpcs: the messages' types are asked of the server by reflection, requests
// and answers are JSON. Source of its form: protobuf's "ProtoJSON format".

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

#include "apps/settee/call_output.h"
#include "apps/settee/commands.h"
#include "apps/settee/grpc_caller.h"
#include "apps/settee/grpc_types.h"
#include "apps/settee/text.h"
#include "settee/base/context.h"

namespace settee::cli {

namespace {

namespace pb = google::protobuf;

constexpr std::string_view kName = "call";
constexpr std::chrono::milliseconds kTimeout{3'000};

// The elements of a JSON array, as they are written: through a Value large numbers would not pass.
Result<std::vector<std::string>> elements_of(std::string_view json) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = json.find_first_not_of(kBlank);
  const std::size_t end = json.find_last_not_of(kBlank);
  if (begin == std::string_view::npos || begin == end || json[begin] != '[' || json[end] != ']') {
    return Error(Code::kInvalidArgument, "the client streams: give a JSON array of its messages");
  }
  std::vector<std::string> elements;
  std::string element;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = begin + 1; i < end; ++i) {
    const char c = json[i];
    if (in_string && c == '\\') {
      element += c;
      if (++i < end) element += json[i];
      continue;
    }
    if (c == '"') in_string = !in_string;
    if (!in_string && (c == '{' || c == '[')) ++depth;
    if (!in_string && (c == '}' || c == ']')) --depth;
    if (!in_string && c == ',' && depth == 0) {
      elements.push_back(std::exchange(element, {}));
    } else {
      element += c;
    }
  }
  const bool blank = element.find_first_not_of(kBlank) == std::string::npos;
  if (!blank || !elements.empty()) elements.push_back(std::move(element));
  return elements;
}

// Why a text is no message of that type: protobuf's words without its picture of the place.
Error misfit(const pb::Descriptor& type, std::string words) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->json_name());
  words.resize(std::min(words.find('\n'), words.size()));
  return Error(
      Code::kInvalidArgument,
      fmt::format("the arguments are no {}, an object of the fields {}: {}", type.full_name(),
                  names.empty() ? "(none)" : fmt::format("{}", fmt::join(names, ", ")), words));
}

std::string methods_of(const pb::ServiceDescriptor& service) {
  std::vector<std::string> names;
  for (int i = 0; i < service.method_count(); ++i) names.push_back(service.method(i)->name());
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

class GrpcCall {
 public:
  GrpcCall(const CallCommand& command, GrpcCaller& caller) : command_(command), caller_(caller) {}

  /// `service`: as in the url, where a version and a uniqueId of Settee's may follow the name.
  Task<int> run(std::string service, std::string arguments) {
    Task<const pb::MethodDescriptor*> finding = find(service.substr(0, service.find(':')));
    const pb::MethodDescriptor* const method =
        co_await with_timeout(command_.timeout.value_or(kTimeout), std::move(finding));
    Result<std::string> body = body_of(*method, arguments);
    if (!body) co_await fail(body.error());
    std::optional<Error> trouble;
    const auto show = [&](std::string_view bytes) {
      Result<std::string> text = text_of(*method->output_type(), bytes, is_pretty(command_));
      if (!text) {
        trouble = text.error();
      } else if (print_json(*std::move(text)) != kOk) {
        exit_ = kFailed;
      }
    };
    Task<GrpcStatus> calling =
        caller_.call(fmt::format("/{}/{}", service, method->name()), *std::move(body), show);
    if (command_.timeout || !method->server_streaming()) {
      calling = with_timeout(command_.timeout.value_or(kTimeout), std::move(calling));
    }
    const GrpcStatus status = co_await std::move(calling);
    if (trouble) co_await fail(*trouble);
    if (status.ok()) co_return exit_;
    complain(kName, status.text());
    Task<void> telling = tell_details(status);
    static_cast<void>(co_await as_result(std::move(telling)));
    co_return status.number == GrpcStatus::kDeadlineExceeded ? kUnreachable : kFailed;
  }

 private:
  Task<const pb::MethodDescriptor*> find(std::string name) {
    Task<const pb::ServiceDescriptor*> asking = types_.service(name);
    const pb::ServiceDescriptor* const service = co_await std::move(asking);
    const pb::MethodDescriptor* const method = service->FindMethodByName(command_.method);
    if (method == nullptr) {
      Error error(Code::kInvalidArgument, fmt::format("{} has no method {}; it has {}", name,
                                                      command_.method, methods_of(*service)));
      co_await fail(std::move(error));
    }
    co_return method;
  }

  // What is sent: a message, or those of the client's stream.
  Result<std::string> body_of(const pb::MethodDescriptor& method, const std::string& arguments) {
    std::vector<std::string> texts{arguments.empty() ? "{}" : arguments};
    if (method.client_streaming()) {
      Result<std::vector<std::string>> elements = elements_of(arguments.empty() ? "[]" : arguments);
      if (!elements) return elements.error();
      texts = *std::move(elements);
    }
    std::string body;
    for (const std::string& text : texts) {
      const std::unique_ptr<pb::Message> message(
          messages_.GetPrototype(method.input_type())->New());
      const auto read = pb::util::JsonStringToMessage(text, message.get());
      if (!read.ok()) return misfit(*method.input_type(), std::string(read.message()));
      add_grpc_message(body, message->SerializeAsString());
    }
    return body;
  }

  Result<std::string> text_of(const pb::Descriptor& type, std::string_view bytes, bool pretty) {
    const std::unique_ptr<pb::Message> message(messages_.GetPrototype(&type)->New());
    if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return Error(Code::kProtocol,
                   fmt::format("the answer of {} bytes is no {}", bytes.size(), type.full_name()));
    }
    std::string text;
    pb::util::JsonPrintOptions options;
    options.add_whitespace = pretty;
    const auto written = pb::util::MessageToJsonString(*message, &text, options);
    if (!written.ok()) {
      return Error(Code::kProtocol, fmt::format("a {} of the server has no form in JSON: {}",
                                                type.full_name(), std::string(written.message())));
    }
    while (text.ends_with('\n')) text.pop_back();
    return text;
  }

  // A google.rpc.Status has them in field 3, each an Any. Of a type that the server does not describe
  // there are only the numbers of its fields.
  Task<void> tell_details(const GrpcStatus& status) {
    pb::UnknownFieldSet fields;
    if (!fields.ParseFromString(status.details)) co_return;
    for (int i = 0; i < fields.field_count(); ++i) {
      const pb::UnknownField& field = fields.field(i);
      pb::Any detail;
      if (field.number() != 3 || field.type() != pb::UnknownField::TYPE_LENGTH_DELIMITED ||
          !detail.ParseFromString(field.length_delimited())) {
        continue;
      }
      const std::string& url = detail.type_url();
      const std::string name = url.substr(url.rfind('/') + 1);
      Task<const pb::Descriptor*> asking = types_.message(name);
      const Result<const pb::Descriptor*> type =
          co_await as_result(with_timeout(kTimeout, std::move(asking)));
      Result<std::string> text = Error(Code::kProtocol, "not described");
      if (type && *type != nullptr) text = text_of(**type, detail.value(), false);
      if (!text) {
        pb::Empty unknown;
        text = unknown.ParseFromString(detail.value()) ? unknown.ShortDebugString()
                                                       : "bytes that are no message";
      }
      std::fprintf(stderr, "  detail %s\n", printable(fmt::format("{}: {}", name, *text)).c_str());
    }
  }

  const CallCommand& command_;
  GrpcCaller& caller_;
  GrpcTypes types_{caller_};
  pb::DynamicMessageFactory messages_;
  int exit_ = kOk;
};

}  // namespace

int call_grpc(const CallCommand& command, const std::string& arguments,
              const http::Headers& fields) {
  pb::SetLogHandler(nullptr);  // what it would say is in the Errors
  if (command.has_java_types) {
    complain(kName, "--java-types says nothing over gRPC: the server says its types");
    return kUsage;
  }
  Runtime runtime(quiet());
  const TimePoint begin = Clock::now();
  try {
    http::ClientOptions options;
    if (const auto tls = make_tls(runtime, command.tls)) options.tls = tls->options();
    const bool secure = options.tls || command.url.starts_with("grpcs://");
    Result<http::Url> url =
        http::Url::parse((secure ? "h2" : "h2c") + command.url.substr(command.url.find("://")));
    if (!url) throw url.error();
    if (url->target.size() < 2 || url->target.find_first_of("/?", 1) != std::string::npos) {
      complain(kName, fmt::format("url '{}': its path must be the service, and may be its method, "
                                  "e.g. grpc://127.0.0.1:12200/com.acme.Quotes/latest",
                                  command.url));
      return kUsage;
    }
    const std::string service = std::exchange(url->target, std::string()).substr(1);
    http::Client client(runtime, options);
    GrpcCaller caller(client, *std::move(url), fields);
    GrpcCall call(command, caller);
    const int exit = runtime.run(call.run(service, arguments));
    if (exit == kOk) tell_of_answer(command, begin, caller.trailers());
    return exit;
  } catch (const Error& error) {
    return complain(kName, error.within(fmt::format("{}#{}", command.url, command.method)));
  }
}

}  // namespace settee::cli
