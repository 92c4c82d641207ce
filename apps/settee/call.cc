// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// settee call: one generic call.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <utility>

#include "apps/settee/call_output.h"
#include "apps/settee/commands.h"
#include "apps/settee/text.h"
#include "settee/hessian/exception.h"
#include "settee/hessian/json.h"
#include "settee/rpc/rpc.h"

namespace settee::cli {

namespace {

using hessian::Value;

constexpr std::string_view kName = "call";

/// The name by which Class.getName() calls an array that is written int[], byte[][] or
/// com.acme.User[]; all other names are as they are.
std::string java_signature(std::string_view name) {
  std::string dimensions;
  while (name.ends_with("[]")) {
    name.remove_suffix(2);
    dimensions += '[';
  }
  if (dimensions.empty()) return std::string(name);
  static constexpr std::pair<std::string_view, char> kPrimitives[] = {
      {"boolean", 'Z'}, {"byte", 'B'}, {"short", 'S'}, {"char", 'C'},
      {"int", 'I'},     {"long", 'J'}, {"float", 'F'}, {"double", 'D'}};
  for (const auto& [primitive, letter] : kPrimitives) {
    if (name == primitive) return dimensions + letter;
  }
  return fmt::format("{}L{};", dimensions, name);
}

Result<rpc::Baggage> read_baggage(const std::vector<std::string>& pairs) {
  rpc::Baggage baggage;
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error(Code::kInvalidArgument, fmt::format("--baggage '{}' is no KEY=VALUE", pair));
    }
    baggage.insert_or_assign(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return baggage;
}

// What goes along over HTTP and gRPC.
http::Headers header_fields(const std::vector<std::string>& given, const rpc::Baggage& baggage) {
  http::Headers fields;
  for (const std::string& field : given) {
    const std::size_t colon = field.find(':');
    if (colon == std::string::npos || colon == 0) {
      throw Error(Code::kInvalidArgument, fmt::format("--header '{}' is no NAME: VALUE", field));
    }
    const std::size_t value = std::min(field.find_first_not_of(' ', colon + 1), field.size());
    fields.add(field.substr(0, colon), field.substr(value));
  }
  for (const auto& [key, value] : baggage) {
    fields.add(fmt::format("rpc_req_baggage.{}", key), value);
  }
  return fields;
}

// What an exception has beyond class, message and stack.
void print_fields(const Value& exception, std::string_view indent) {
  Value fields = Value::map();
  for (std::size_t i = 0; i < exception.size(); ++i) {
    const std::string_view name = exception.field_name(i);
    if (name == "detailMessage" || name == "cause" || name == "stackTrace" ||
        name == "suppressedExceptions") {
      continue;
    }
    fields.set(name, exception.field(i));
  }
  if (fields.size() == 0) return;
  const std::string text = json::to_text(fields, json::Layout::kCompact);
  std::fprintf(stderr, "%sfields: %s\n", std::string(indent).c_str(), text.c_str());
}

int complain_of_exception(const Error& error) {
  complain(kName, fmt::format("{}: {}", error.exception()->class_name(), error.message()));
  const auto* java = dynamic_cast<const hessian::ExceptionObject*>(error.exception());
  if (java == nullptr) return kFailed;
  print_fields(java->value(), "  ");
  Value cause = java->cause();
  for (int depth = 0; depth < 10 && hessian::ExceptionObject::is_exception(cause); ++depth) {
    const hessian::ExceptionObject object(cause);
    std::fprintf(stderr, "  caused by %s\n",
                 printable(fmt::format("{}: {}", object.class_name(), object.message())).c_str());
    print_fields(cause, "    ");
    cause = object.cause();
  }
  return kFailed;
}

#ifdef SETTEE_CLI_GRPC
bool is_grpc_url(std::string_view url) noexcept {
  return url.starts_with("grpc://") || url.starts_with("grpcs://");
}

// gRPC's own form has the method in the path; false if it is named twice.
bool take_method(CallCommand& command) {
  const std::size_t path = command.url.find('/', command.url.find("://") + 3);
  if (path == std::string::npos) return true;
  const std::size_t method = command.url.find('/', path + 1);
  if (method == std::string::npos) return true;
  if (!command.arguments.empty()) return false;
  command.arguments = std::exchange(command.method, command.url.substr(method + 1));
  command.url.resize(method);
  return true;
}
#endif

}  // namespace

bool is_pretty(const CallCommand& command) {
  return command.pretty || (!command.compact && isatty(STDOUT_FILENO) != 0);
}

int print_json(std::string json) {
  json += '\n';
  if (std::fwrite(json.data(), 1, json.size(), stdout) != json.size() || std::fflush(stdout) != 0) {
    complain(kName, "the result cannot be written to standard output");
    return kFailed;
  }
  return kOk;
}

int print_result(const Value& result, const CallCommand& command) {
  return print_json(
      json::to_text(result, is_pretty(command) ? json::Layout::kPretty : json::Layout::kCompact,
                    command.types ? json::TypeNames::kAll : json::TypeNames::kNone));
}

int run(const CallCommand& given) {
  CallCommand command = given;
#ifdef SETTEE_CLI_GRPC
  const bool is_grpc = is_grpc_url(command.url);
  if (is_grpc && !take_method(command)) {
    complain(kName, "the url names the method already: give the arguments, and no METHOD");
    return kUsage;
  }
#endif
  if (command.method.empty()) {
    complain(kName, "METHOD is required; see 'settee call --help'");
    return kUsage;
  }
  Result<rpc::Baggage> baggage = read_baggage(command.baggage);
  if (!baggage) return complain(kName, baggage.error());

  std::string text = command.arguments;
  if (text == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  try {
    const http::Headers fields = header_fields(command.headers, *baggage);
    if (is_http_url(command.url) && !command.has_java_types) {
      return call_plain(command, text, fields);
    }
#ifdef SETTEE_CLI_GRPC
    if (is_grpc) return call_grpc(command, text, fields);
#endif
  } catch (const Error& error) {
    complain(kName, error);
    return kUsage;
  }
  if (!command.headers.empty()) {
    complain(kName, "--header goes over HTTP and gRPC only; --baggage goes over every protocol");
    return kUsage;
  }
  std::vector<std::string> types;
  for (const std::string& type : command.java_types) {
    if (!type.empty()) types.push_back(java_signature(type));
  }
  Result<std::vector<Value>> arguments = json::parse_arguments(text, types);
  if (!arguments) {
    complain(kName, fmt::format("the arguments cannot be used: {}", arguments.error().message()));
    return kUsage;
  }
  if (command.has_java_types && types.empty() && !arguments->empty()) {
    complain(kName, fmt::format("--java-types names no types, but there are {} arguments",
                                arguments->size()));
    return kUsage;
  }

  Runtime runtime(quiet());
  rpc::ClientOptions client_options;
  client_options.app_name = "settee-cli";
  try {
    client_options.tls = make_tls(runtime, command.tls);
  } catch (const Error& error) {
    return complain(kName, error);
  }
  rpc::Client client(runtime, client_options);
  const auto answered = std::make_shared<rpc::Baggage>();
  Context context;
  if (!baggage->empty()) context = context.with(rpc::kRequestBaggage, *baggage);
  context = context.with(rpc::kResponseBaggage, answered);

  const TimePoint begin = Clock::now();
  Value result;
  try {
    rpc::ReferOptions options;
    options.timeout = command.timeout;
    const rpc::GenericReference service = client.refer_generic(command.url, options);
    result = runtime.run(with_context(
        context, service.call(command.method, std::move(types), *std::move(arguments))));
  } catch (const Error& error) {
    if (error.code() == Code::kBusiness && error.exception() != nullptr) {
      return complain_of_exception(error);
    }
    return complain(kName, error);
  }
  if (command.verbose) {
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    complain(kName, fmt::format("{}#{} answered in {:.3f} ms, connecting included", command.url,
                                command.method, ms));
    for (const auto& [key, value] : *answered) {
      complain(kName, fmt::format("response baggage: {}={}", key, value));
    }
  }
  return print_result(result, command);
}

}  // namespace settee::cli
