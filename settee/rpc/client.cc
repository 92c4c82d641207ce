// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/client.h"

#include <fmt/format.h>

#include <charconv>

#include "settee/base/event_bus.h"
#include "settee/rpc/internal/client_core.h"
#include "settee/rpc/internal/http_transport.h"
#include "settee/rpc/internal/reference.h"
#include "settee/rpc/internal/url.h"
#include "settee/rpc/registry.h"

namespace settee::inline v0::rpc {

namespace {

ClientOptions checked(ClientOptions options) {
  const auto at_least_one = [](auto value, std::string_view name) {
    if (value > decltype(value){}) return;
    throw Error(Code::kInvalidArgument,
                fmt::format("ClientOptions::{} is not above 0: no call could be made", name));
  };
  at_least_one(options.timeout, "timeout");
  at_least_one(options.connect_timeout, "connect_timeout");
  at_least_one(options.max_in_flight, "max_in_flight");
  at_least_one(options.max_unsent, "max_unsent");
  at_least_one(options.max_frame, "max_frame");
  return options;
}

}  // namespace

Client::Core::Core(Runtime& r, ClientOptions o)
    : runtime(r),
      options(checked(std::move(o))),
      refused(runtime.stats().counter("settee.rpc.client.refused", "1",
                                      "Calls not sent: a limit of the reference")) {}

std::shared_ptr<Transport> Client::Core::transport(std::string_view protocol) {
  const std::lock_guard lock(mutex_);
  if (stopped_) throw Error(Code::kStopped, "the client has been stopped");
  if (const auto found = transports_.find(protocol); found != transports_.end()) {
    return found->second;
  }
  if (protocol != "bolt" && !goes_over_http(protocol)) {
    throw Error(Code::kInvalidArgument,
                fmt::format("the protocol '{}' is none of bolt, http, https, h2c, h2, grpc and grpcs",
                            protocol));
  }
  auto made = protocol == "bolt" ? make_bolt_transport(runtime, options)
                                 : make_http_transport(runtime, options, protocol);
  return transports_.emplace(protocol, std::move(made)).first->second;
}

void Client::Core::stop() {
  if (Loop::current() != nullptr) {
    throw Error(Code::kMisuse, "Client::stop() on a loop's thread would wait for itself");
  }
  std::vector<std::shared_ptr<Transport>> all;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (const auto& [protocol, transport] : transports_) all.push_back(transport);
  }
  for (const auto& transport : all) transport->stop();
}

void Client::Core::pin(std::shared_ptr<Address> address) {
  const std::lock_guard lock(mutex_);
  Address* const key = address.get();
  pinned_.emplace(key, std::move(address));
}

std::shared_ptr<Registry> Client::Core::registry(const std::string& url) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Registry>& found = registries_[url];
  if (!found) found = open_registry(runtime, url);
  return found;
}

Client::Client(Runtime& runtime, ClientOptions options)
    : core_(std::make_shared<Core>(runtime, std::move(options))) {}

Client::~Client() { core_->stop(); }

void Client::stop() { core_->stop(); }

void Client::add_filter(FilterUse filter) { core_->filters.add(std::move(filter)); }
bool Client::remove_filter(std::string_view name) { return core_->filters.remove(name); }

Invoker* Client::refer_erased(std::string_view url, const ServiceInfo& service,
                              ReferOptions options) {
  return detail::make_invoker(make_core(url, &service, std::move(options)), {});
}

GenericReference Client::refer_generic(std::string_view url, ReferOptions options) {
  return GenericReference(make_core(url, nullptr, std::move(options)), {});
}

namespace {

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// What a url says of the reference. Other parameters are a registry's business (weight, startTime, ...).
void apply(const ServiceUrl& parsed, std::string_view url, ReferOptions& options) {
  const auto wrong = [url](const std::string& why) {
    throw Error(Code::kInvalidArgument, fmt::format("url '{}': {}", url, why));
  };
  if (parsed.registry.empty()) options.protocol = parsed.protocol;
  if (!parsed.version.empty()) options.version = parsed.version;
  if (!parsed.unique_id.empty()) options.unique_id = parsed.unique_id;
  for (const auto& [key, value] : parsed.parameters) {
    if (key == "timeout") {
      const std::optional<int> ms = number(value);
      if (!ms || *ms <= 0) wrong(fmt::format("timeout '{}' is no number of milliseconds", value));
      options.timeout = std::chrono::milliseconds(*ms);
    } else if (key == "loadBalancer") {
      options.balancer = value;
    } else if (key == "retries") {
      options.retries = number(value);
      if (!options.retries || *options.retries < 0) {
        wrong(fmt::format("retries '{}' is no number", value));
      }
    } else if (key == "version") {
      options.version = value;
    } else if (key == "uniqueId") {
      options.unique_id = value;
    } else if (key == "serialization") {
      if (value != "json" && value != "hessian2" && value != "hessian") {
        wrong(fmt::format("serialization '{}' is not hessian2 or json", value));
      }
      options.serialization = value == "json" ? Serialization::kJson : Serialization::kHessian;
    }
  }
}

}  // namespace

namespace {

// What a new reference does first.
std::shared_ptr<ReferenceCore> begun(const std::shared_ptr<Client::Core>& client,
                                     const std::shared_ptr<ReferenceCore>& reference,
                                     std::string_view source) {
  const auto made = client->runtime.events().channel<ReferenceMade>();
  if (made.active()) {
    ReferenceMade event;
    event.service = reference->name();
    event.source = source;
    made.publish(event);
  }
  reference->check();
  return reference;
}

}  // namespace

std::shared_ptr<ReferenceCore> Client::make_core(std::string_view url, const ServiceInfo* service,
                                                 ReferOptions options) {
  Result<ServiceUrl> parsed = ServiceUrl::parse(url);
  if (!parsed) throw parsed.error();
  std::string interface_name = parsed->interface_name;
  if (service != nullptr && !service->interface_name.empty()) {
    interface_name = service->interface_name;
    if (!parsed->interface_name.empty() && parsed->interface_name != interface_name) {
      throw Error(
          Code::kInvalidArgument,
          fmt::format("url '{}' names another interface than the described class, which is {}", url,
                      interface_name));
    }
  }
  if (interface_name.empty()) {
    throw Error(Code::kInvalidArgument, fmt::format("url '{}': no interface in the path", url));
  }
  apply(*parsed, url, options);
  if (!parsed->registry.empty()) {
    return make_core({core_->registry(parsed->registry)}, service, interface_name,
                     std::move(options));
  }
  const auto made =
      std::make_shared<ReferenceCore>(core_, service, interface_name, std::move(options), false);
  Providers providers;
  for (const net::Endpoint& endpoint : parsed->endpoints) {
    Provider& provider = providers.emplace_back();
    provider.protocol = parsed->protocol;
    provider.endpoint = endpoint;
  }
  made->set_addresses(providers);
  return begun(core_, made, url);
}

std::shared_ptr<ReferenceCore> Client::make_core(std::vector<std::shared_ptr<Registry>> registries,
                                                 const ServiceInfo* service,
                                                 std::string_view interface_name,
                                                 ReferOptions options) {
  if (registries.empty()) throw Error(Code::kInvalidArgument, "refer(): no registry is given");
  if (interface_name.empty()) interface_name = service->interface_name;
  const auto made =
      std::make_shared<ReferenceCore>(core_, service, interface_name, std::move(options), true);
  made->watch(registries);
  std::string source;
  for (const std::shared_ptr<Registry>& registry : registries) {
    source += (source.empty() ? "" : ",") + registry->address();
  }
  return begun(core_, made, source);
}

}  // namespace settee::inline v0::rpc
