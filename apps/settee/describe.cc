// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// settee describe: what a running server says of its services.

#include <fmt/format.h>

#include <cstdio>

#include "apps/settee/call_output.h"
#include "apps/settee/commands.h"
#include "settee/hessian/json.h"
#include "settee/http/client.h"
#include "settee/net/tls.h"

namespace settee::cli {

namespace {

constexpr std::string_view kName = "describe";

std::string_view text_of(const http::Response& answer) {
  const Bytes& bytes = answer.body.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

int print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return kOk;
  }
  complain(kName, "it cannot be written to standard output");
  return kFailed;
}

}  // namespace

int run(const DescribeCommand& command) {
  if (!is_http_url(command.url)) {
    complain(kName, fmt::format("url '{}': it must begin with http://, https://, h2c:// or h2://",
                                command.url));
    return kUsage;
  }
  Runtime runtime(quiet());
  http::Response answer;
  std::string path = "/openapi.json";
  try {
    Result<http::Url> url = http::Url::parse(command.url);
    if (!url) throw url.error();
    if (command.proto) {
      if (url->target.size() < 2) {
        complain(kName, fmt::format("url '{}': --proto needs a service in its path, e.g. "
                                    "http://127.0.0.1:12200/com.acme.Quotes",
                                    command.url));
        return kUsage;
      }
      path = url->target + ".proto";
    }
    url->target = path;
    http::ClientOptions options;
    if (const auto tls = make_tls(runtime, command.tls)) options.tls = tls->options();
    options.timeout = command.timeout;
    http::Client client(runtime, options);
    answer = runtime.run(client.send(*std::move(url), http::Request()));
  } catch (const Error& error) {
    return complain(kName, error);
  }
  if (answer.status != 200) {
    complain(kName, fmt::format("{}: HTTP status {} {}", path, answer.status,
                                http::reason_of(answer.status)));
    return kFailed;
  }
  if (command.proto) return print(text_of(answer));
  const Result<hessian::Value> document = json::parse_value(text_of(answer));
  if (!document) {
    complain(kName, fmt::format("the answer is no JSON: {}", document.error().message()));
    return kFailed;
  }
  return print(json::to_text(*document, json::Layout::kPretty) + "\n");
}

}  // namespace settee::cli
