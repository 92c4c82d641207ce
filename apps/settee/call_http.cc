// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// settee call over http and its kin: the arguments go as JSON, the result comes as JSON, as with curl.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "apps/settee/call_output.h"
#include "apps/settee/commands.h"
#include "settee/hessian/json.h"
#include "settee/http/client.h"
#include "settee/net/tls.h"

namespace settee::cli {

namespace {

using hessian::Value;

constexpr std::string_view kName = "call";

std::string_view text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The service's words for what went wrong: RFC 9457, with Settee's code.
int complain_of_problem(const http::Response& answer) {
  const std::string_view body = text_of(answer.body.bytes());
  std::string text(body.substr(0, 2000));
  if (const Result<Value> problem = json::parse_value(body)) {
    if (const Result<std::string_view> detail = (*problem)["detail"].as_string()) text = *detail;
  }
  complain(kName, fmt::format("HTTP status {} {}: {}", answer.status,
                              http::reason_of(answer.status), text));
  return kFailed;
}

}  // namespace

bool is_http_url(std::string_view url) noexcept {
  for (const std::string_view scheme : {"http://", "https://", "h2c://", "h2://"}) {
    if (url.starts_with(scheme)) return true;
  }
  return false;
}

void tell_of_answer(const CallCommand& command, TimePoint begin, const http::Headers& answer) {
  if (!command.verbose) return;
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  complain(kName, fmt::format("{}#{} answered in {:.3f} ms, connecting included", command.url,
                              command.method, ms));
  constexpr std::string_view kPrefix = "rpc_resp_baggage.";
  for (const http::Headers::Field field : answer) {
    if (!field.name.starts_with(kPrefix)) continue;
    complain(kName, fmt::format("response baggage: {}={}", field.name.substr(kPrefix.size()),
                                field.value));
  }
}

int call_plain(const CallCommand& command, const std::string& arguments,
               const http::Headers& fields) {
  Runtime runtime(quiet());
  const TimePoint begin = Clock::now();
  http::Response answer;
  try {
    Result<http::Url> url = http::Url::parse(command.url);
    if (!url) throw url.error();
    if (url->target.size() < 2 || url->target.find('/', 1) != std::string::npos) {
      complain(kName, fmt::format("url '{}': its path must be the service, e.g. "
                                  "http://127.0.0.1:12200/com.acme.Quotes",
                                  command.url));
      return kUsage;
    }
    url->target += "/" + command.method;
    http::ClientOptions options;
    if (const auto tls = make_tls(runtime, command.tls)) options.tls = tls->options();
    if (command.timeout) options.timeout = *command.timeout;
    http::Client client(runtime, options);
    http::Request request;
    request.method = "POST";
    request.headers = fields;
    request.headers.add("content-type", "application/json");
    request.headers.add("accept", "application/json");
    request.headers.add("app", "settee-cli");
    request.body = http::Body(arguments);
    answer = runtime.run(client.send(*std::move(url), std::move(request)));
  } catch (const Error& error) {
    return complain(kName, error);
  }
  if (answer.status < 200 || answer.status > 299) return complain_of_problem(answer);
  tell_of_answer(command, begin, answer.headers);
  const std::string_view body = text_of(answer.body.bytes());
  const Result<Value> result = body.empty() ? Result<Value>(Value()) : json::parse_value(body);
  if (!result) {
    complain(kName, fmt::format("the answer is no JSON: {}", result.error().message()));
    return kFailed;
  }
  return print_result(*result, command);
}

}  // namespace settee::cli
