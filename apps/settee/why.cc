// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// settee why: where the calls of a service would go, and why not elsewhere.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "apps/settee/commands.h"
#include "apps/settee/text.h"
#include "settee/rpc/rpc.h"

namespace settee::cli {

namespace {

constexpr std::string_view kName = "why";

// No service has it: the answer tells whether the service is there.
constexpr const char* kNoMethod = "$why";

void print_lines(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::puts(printable(text.substr(0, end)).c_str());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string endpoint_of(const std::string& url) {
  const Result<rpc::Provider> provider = rpc::Provider::parse(url);
  return provider ? provider->endpoint.to_string() : url;
}

// What the provider at `address` says of the service; empty: it provides it.
std::string ask(Runtime& runtime, const rpc::GenericReference& service, const std::string& address,
                std::chrono::milliseconds timeout) {
  try {
    const rpc::GenericReference there =
        service.with(rpc::CallOptions().target(address).timeout(timeout));
    runtime.run(there.call(kNoMethod, {}, {}));
    return {};
  } catch (const Error& error) {
    switch (error.code()) {
      case Code::kMethodNotFound:
      case Code::kPeerError:
      case Code::kBusiness: return {};
      case Code::kServiceNotFound: return "it answers, but does not provide the service";
      case Code::kBusy: return "it answers that it is busy, or about to stop";
      default: return error.cause() != nullptr ? error.cause()->message() : error.message();
    }
  }
}

}  // namespace

int run(const WhyCommand& command) {
  Runtime runtime(quiet());
  rpc::ClientOptions client_options;
  client_options.app_name = "settee-cli";
  client_options.connect_timeout = command.timeout;
  try {
    client_options.tls = make_tls(runtime, command.tls);
  } catch (const Error& error) {
    return complain(kName, error);
  }
  rpc::Client client(runtime, client_options);
  rpc::ReferOptions options;
  options.connect = rpc::ConnectWhen::kAll;
  options.check = true;
  std::optional<rpc::GenericReference> service;
  try {
    service = client.refer_generic(command.url, options);
  } catch (const Error& error) {
    const auto* why = error.detail<rpc::NoProvider>();
    if (why == nullptr) return complain(kName, error);
    print_lines(why->table());
    complain(kName, "no address of the service can be called");
    return kUnreachable;
  }
  int good = 0;
  std::string table;
  for (const rpc::AddressStatus& status : service->addresses()) {
    const std::string address = endpoint_of(status.url);
    // Dropped before any connection, or it cannot be reached: there is nobody to ask.
    std::string reason = status.dropped;
    if (reason.empty()) reason = ask(runtime, *service, address, command.timeout);
    if (reason.empty()) ++good;
    table += fmt::format("  {:<24} {}\n", address,
                         reason.empty() ? fmt::format("is called, weight {}", status.weight)
                                        : "not called: " + reason);
  }
  print_lines(fmt::format("{}: {} address(es) can be called\n{}", command.url, good, table));
  if (good > 0) return kOk;
  complain(kName, "no address of the service can be called");
  return kUnreachable;
}

}  // namespace settee::cli
