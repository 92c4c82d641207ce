// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/client.h"

#include <fmt/format.h>

#include <charconv>

#include "settee/rpc/internal/binding.h"
#include "settee/rpc/internal/url.h"

namespace settee::inline v0::rpc {

using settee::detail::CallMode;

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

class Client::Core {
 public:
  Core(Runtime& runtime, ClientOptions o)
      : options(checked(std::move(o))), bolt(make_bolt_transport(runtime, options)) {}
  const ClientOptions options;
  const std::shared_ptr<Transport> bolt;
  Next::Chain filters;
};

class ReferenceCore {
 public:
  ReferenceCore(std::shared_ptr<Client::Core> client, TargetOptions options)
      : client_(std::move(client)),
        name_(options.name),
        address_(options.endpoint.to_string()),
        target_(client_->bolt->target(std::move(options))) {}

  const Next::Chain& filters() const noexcept { return client_->filters; }
  const std::string& name() const noexcept { return name_; }
  const std::string& address() const noexcept { return address_; }
  Target& target() noexcept { return *target_; }

 private:
  const std::shared_ptr<Client::Core> client_;
  const std::string name_;
  const std::string address_;
  const std::unique_ptr<Target> target_;
};

namespace {

// Through the client's filters, `last` behind them.
Task<void> filtered(ReferenceCore& core, std::string_view method, Next::Terminal& last) {
  Call call(Side::kClient, core.name(), method, core.address());
  Result<void> done = co_await as_result(Next(core.filters(), 0, call, last)());
  if (!done) co_await fail(done.error());
}

class ReferenceInvoker final : public Invoker {
 public:
  ReferenceInvoker(std::shared_ptr<ReferenceCore> core, CallOptions options)
      : core_(std::move(core)), options_(options) {}

  Task<void> invoke(const MethodInfo& method, void* const* arguments, void* result,
                    CallMode mode) override {
    if (core_->filters().empty()) {
      return core_->target().call(method, arguments, result, mode, options_);
    }
    return with_filters(method, arguments, result, mode);
  }

 private:
  struct Last final : Next::Terminal {
    ReferenceInvoker& self;
    const MethodInfo& method;
    void* const* arguments;
    void* result;
    CallMode mode;
    Last(ReferenceInvoker& s, const MethodInfo& m, void* const* a, void* r, CallMode c)
        : self(s), method(m), arguments(a), result(r), mode(c) {}
    Task<void> proceed() override {
      return self.core_->target().call(method, arguments, result, mode, self.options_);
    }
  };
  Task<void> with_filters(const MethodInfo& method, void* const* arguments, void* result,
                          CallMode mode) {
    Last last(*this, method, arguments, result, mode);
    Result<void> done = co_await as_result(filtered(*core_, method.wire_name, last));
    if (!done) co_await fail(done.error());
  }

  std::shared_ptr<ReferenceCore> core_;
  CallOptions options_;
};

// A call by name: all that it needs, for a filter may make it more than once.
struct GenericCall final : Next::Terminal {
  std::shared_ptr<ReferenceCore> core;
  std::string method;
  std::vector<std::string> types;
  std::vector<hessian::Value> arguments;
  CallOptions options;
  CallMode mode = CallMode::kAwait;
  hessian::Value result;

  Task<void> proceed() override {
    Result<hessian::Value> answer =
        co_await as_result(core->target().call_generic(method, types, arguments, mode, options));
    if (!answer) co_await fail(answer.error());
    result = *std::move(answer);
  }
};

}  // namespace

namespace detail {

Invoker* make_invoker(const std::shared_ptr<ReferenceCore>& core, CallOptions options) {
  return new ReferenceInvoker(core, options);
}

}  // namespace detail

Task<hessian::Value> GenericReference::call(std::string method, std::vector<std::string> types,
                                            std::vector<hessian::Value> arguments) const {
  // The coroutine's own: this reference may go while the call is on its way.
  auto call = std::make_unique<GenericCall>();
  call->core = core_;
  call->method = std::move(method);
  call->types = std::move(types);
  call->arguments = std::move(arguments);
  call->options = options_;
  return [](std::unique_ptr<GenericCall> generic) -> Task<hessian::Value> {
    const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
    generic->mode = self.mode;
    // Not within the co_await: g++ 12 destroys both of a conditional's temporaries there.
    Task<void> way = generic->core->filters().empty()
                         ? generic->proceed()
                         : filtered(*generic->core, generic->method, *generic);
    Result<void> done = co_await as_result(std::move(way));
    if (!done) co_return done.error();
    co_return std::move(generic->result);
  }(std::move(call));
}

GenericReference GenericReference::with(CallOptions options) const {
  return GenericReference(core_, options);
}

Client::Client(Runtime& runtime, ClientOptions options)
    : core_(std::make_shared<Core>(runtime, std::move(options))) {}

Client::~Client() { core_->bolt->stop(); }

void Client::stop() { core_->bolt->stop(); }

void Client::add_filter(std::shared_ptr<Filter> filter) {
  core_->filters.push_back(std::move(filter));
}

Invoker* Client::refer_erased(std::string_view url, const ServiceInfo& service,
                              ReferOptions options) {
  return detail::make_invoker(make_core(url, &service, std::move(options)), {});
}

GenericReference Client::refer_generic(std::string_view url, ReferOptions options) {
  return GenericReference(make_core(url, nullptr, std::move(options)), {});
}

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
  if (!parsed->version.empty()) options.version = parsed->version;
  if (!parsed->unique_id.empty()) options.unique_id = parsed->unique_id;
  for (const auto& [key, value] : parsed->parameters) {
    if (key == "timeout") {
      int ms = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), ms);
      if (error != std::errc() || end != value.data() + value.size() || ms <= 0) {
        throw Error(Code::kInvalidArgument,
                    fmt::format("url '{}': timeout '{}' is no number of milliseconds", url, value));
      }
      options.timeout = std::chrono::milliseconds(ms);
    } else if (key == "version") {
      options.version = value;
    } else if (key == "uniqueId") {
      options.unique_id = value;
    } else if (key == "serialization") {
      if (value == "json") {
        options.serialization = Serialization::kJson;
      } else if (value == "hessian2" || value == "hessian") {
        options.serialization = Serialization::kHessian;
      } else {
        throw Error(
            Code::kInvalidArgument,
            fmt::format("url '{}': serialization '{}' is not hessian2 or json", url, value));
      }
    }
    // Others are a registry's business (weight, startTime, ...): they mean nothing to one address.
  }
  TargetOptions target;
  target.endpoint = parsed->endpoint;
  target.service = service;
  target.name = unique_name(interface_name, options.version, options.unique_id);
  target.target_app = std::move(options.target_app);
  target.timeout = options.timeout.value_or(core_->options.timeout);
  target.serialization = options.serialization.value_or(core_->options.serialization);
  return std::make_shared<ReferenceCore>(core_, std::move(target));
}

}  // namespace settee::inline v0::rpc
