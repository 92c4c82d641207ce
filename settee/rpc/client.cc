// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/client.h"

#include <fmt/format.h>

#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "settee/rpc/bolt/internal/client_channel.h"
#include "settee/rpc/internal/url.h"
#include "settee/rpc/server.h"

namespace settee::inline v0::rpc {

using bolt::Channel;
using bolt::PendingCall;
using settee::detail::CallMode;

class Client::Core {
 public:
  Core(Runtime& r, ClientOptions o) : runtime(r), options(std::move(o)) {
    shared = std::make_shared<bolt::ChannelShared>(runtime, options);
    runtime.on_each_loop([this](Loop& loop) {
      const std::lock_guard lock(mutex_);
      loops_.push_back({&loop, {}});
    });
  }

  Runtime& runtime;
  const ClientOptions options;
  std::shared_ptr<bolt::ChannelShared> shared;
  Next::Chain filters;

  std::size_t loops() const noexcept { return loops_.size(); }
  std::size_t index_of(const Loop& loop) const noexcept {
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      if (loops_[i].loop == &loop) return i;
    }
    return 0;
  }

  /// The channel of the current loop to `endpoint`.
  std::shared_ptr<Channel> channel(std::size_t index, const net::Endpoint& endpoint) {
    PerLoop& here = loops_[index];
    std::shared_ptr<Channel>& channel = here.channels[endpoint.to_string()];
    if (!channel) channel = std::make_shared<Channel>(shared, *here.loop, endpoint);
    return channel;
  }

  void stop() {
    if (shared->stopped.exchange(true)) return;
    if (Loop* here = Loop::current(); here != nullptr && runtime.loop_count() != 0) {
      shared->stopped.store(false);
      throw Error(Code::kMisuse, "Client::stop() on a loop's thread would wait for itself");
    }
    runtime.on_each_loop([this](Loop& loop) {
      for (const auto& [address, channel] : loops_[index_of(loop)].channels) channel->stop();
      loops_[index_of(loop)].channels.clear();
    });
    // An attempt to connect ends by itself within its timeout.
    while (shared->connecting.load() != 0 && !runtime.stopped()) {
      if (runtime.loop_count() == 0) {
        runtime.foreign_loop().turn(std::chrono::milliseconds(5));
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }

 private:
  struct PerLoop {
    Loop* loop;
    std::unordered_map<std::string, std::shared_ptr<Channel>> channels;  // on that loop only
  };
  std::mutex mutex_;
  std::vector<PerLoop> loops_;
};

class ReferenceCore {
 public:
  ReferenceCore(std::shared_ptr<Client::Core> client, net::Endpoint endpoint,
                const ServiceInfo* service, std::string name, const ReferOptions& options)
      : client_(std::move(client)),
        endpoint_(std::move(endpoint)),
        address_(endpoint_.to_string()),
        service_(service),
        name_(std::move(name)),
        target_app_(options.target_app),
        timeout_(options.timeout.value_or(client_->options.timeout)),
        serialization_(options.serialization.value_or(client_->options.serialization)),
        channels_(client_->loops()) {
    if (service_ == nullptr) return;
    for (const MethodInfo& method : service_->methods) {
      Method& made = methods_.emplace_back();
      for (const ParameterInfo& parameter : method.parameters) {
        made.signatures.push_back(java_name(*parameter.type));
      }
      made.codec = codec_of(method);
      made.prefix = make_prefix(method.wire_name, made.signatures, made.codec, {}, nullptr);
    }
  }

  const Client::Core& client() const noexcept { return *client_; }
  const std::string& name() const noexcept { return name_; }
  const std::string& address() const noexcept { return address_; }

  /// Makes the call of a described method, behind the filters.
  Task<void> call(const MethodInfo& info, void* const* arguments, void* result, CallMode mode,
                  const CallOptions& options) {
    const auto index = static_cast<std::size_t>(&info - service_->methods.data());
    const Method& method = methods_[index];
    PendingCall::Request request{};
    request.prefix = &method.prefix;
    request.codec = method.codec;
    request.method = &info;
    request.arguments = arguments;
    request.result_type = info.result;
    request.result = result;
    request.name = info.wire_name;
    return transport(request, mode, options, method.signatures, {});
  }

  /// Makes a call by name.
  Task<hessian::Value> call_generic(std::string method, std::vector<std::string> types,
                                    std::vector<hessian::Value> arguments, CallMode mode,
                                    CallOptions options);

  std::string_view service_name() const noexcept { return name_; }

 private:
  struct Method {
    std::vector<std::string> signatures;
    bolt::Codec codec = bolt::Codec::kHessian;
    bolt::RequestPrefix prefix;
  };

  bolt::Codec codec_of(const MethodInfo& method) const {
    if (method.parameters.size() == 1 && method.parameters[0].type->kind == Kind::kMessage) {
      return bolt::Codec::kProtobuf;
    }
    return serialization_ == Serialization::kJson ? bolt::Codec::kJson : bolt::Codec::kHessian;
  }

  bolt::RequestPrefix make_prefix(std::string_view method, std::span<const std::string> signatures,
                                  bolt::Codec codec, std::string_view generic_type,
                                  const Baggage* baggage) const {
    const bolt::RequestNames names{name_, method, target_app_, client_->options.app_name,
                                   generic_type, signatures};
    return codec == bolt::Codec::kHessian
               ? bolt::make_hessian_prefix(names, client_->options.dialect, baggage)
               : bolt::make_plain_prefix(names, baggage);
  }

  Task<void> transport(PendingCall::Request request, CallMode mode, CallOptions options,
                       std::span<const std::string> signatures, std::string_view generic_type);

  const std::shared_ptr<Client::Core> client_;
  const net::Endpoint endpoint_;
  const std::string address_;
  const ServiceInfo* const service_;
  const std::string name_;
  const std::string target_app_;
  const std::chrono::milliseconds timeout_;
  const Serialization serialization_;
  std::vector<Method> methods_;
  std::vector<std::shared_ptr<Channel>> channels_;  // each used on its loop only
};

namespace {

// Ends a call that is on its way when its Context is cancelled, from whatever thread.
struct CancelCall {
  Loop* loop;
  std::weak_ptr<Channel> channel;
  std::int32_t id;
  void operator()() const {
    loop->post([channel = channel, id = id] {
      if (const auto here = channel.lock()) here->cancel(id);
    });
  }
};

}  // namespace

Task<void> ReferenceCore::transport(PendingCall::Request request, CallMode mode,
                                    CallOptions options, std::span<const std::string> signatures,
                                    std::string_view generic_type) {
  const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
  const Context context = Context::share(self.context);
  request.service = name_;
  request.oneway = mode == CallMode::kOneway;
  request.deadline =
      std::min(context.deadline(), Clock::now() + options.timeout().value_or(timeout_));
  bolt::ClientStats& stats = client_->shared->stats;
  if (client_->shared->stopped.load(std::memory_order_acquire)) {
    co_await fail(Error(Code::kStopped,
                        fmt::format("{}#{}: the client has been stopped", name_, request.name)));
  }
  if (Result<void> may = context.check(request.name); !may) {
    stats.failures.add();
    co_await fail(may.error().within(name_));
  }
  Loop& loop = client_->runtime.loop();
  if (!loop.in_loop()) co_await resume_on(loop);

  const std::size_t index = client_->index_of(loop);
  std::shared_ptr<Channel>& cached = channels_[index];
  if (!cached) cached = client_->channel(index, endpoint_);
  const std::shared_ptr<Channel> channel = cached;

  bolt::RequestPrefix own_prefix;
  const Baggage* baggage = context.get(kRequestBaggage);
  if (baggage != nullptr && !baggage->empty()) {
    own_prefix = make_prefix(request.name, signatures, request.codec, generic_type, baggage);
    request.prefix = &own_prefix;
  }
  while (!channel->ready() || channel->full()) {
    if (!channel->ready()) {
      Result<void> connected = co_await as_result(channel->connected(request.deadline));
      if (!connected) {
        stats.failures.add();
        co_await fail(connected.error().within(fmt::format("{}#{}", name_, request.name)));
      }
      continue;
    }
    stats.overflows.add();
    if (mode != CallMode::kAwait) {
      stats.failures.add();
      co_await fail(Error(Code::kOverflow, fmt::format("{}#{}: not sent: {}", name_, request.name,
                                                       channel->describe_full())));
    }
    Result<void> room = co_await as_result(channel->room(request.deadline));
    if (!room) {
      stats.failures.add();
      co_await fail(room.error().within(fmt::format("{}#{}", name_, request.name)));
    }
  }
  PendingCall call(request);
  if (Result<void> sent = channel->send(call); !sent) {
    stats.failures.add();
    co_await fail(sent.error());
  }
  if (request.oneway) co_return;
  {
    std::optional<std::stop_callback<CancelCall>> on_cancel;
    if (std::stop_token token = context.stop_token(); token.stop_possible()) {
      on_cancel.emplace(std::move(token), CancelCall{&loop, channel, call.id()});
    }
    co_await call.answer();
  }
  if (!call.response_baggage().empty()) {
    if (const auto* wanted = context.get(kResponseBaggage); wanted != nullptr && *wanted) {
      for (const auto& [key, value] : call.response_baggage()) (**wanted)[key] = value;
    }
  }
  if (call.error()) {
    stats.failures.add();
    co_await fail(*call.error());
  }
}

namespace {

std::string guessed_type(const hessian::Value& value) {
  using Type = hessian::Value::Type;
  switch (value.type()) {
    case Type::kNull: return "java.lang.Object";
    case Type::kBool: return "boolean";
    case Type::kInt: return "int";
    case Type::kLong: return "long";
    case Type::kDouble: return "double";
    case Type::kString: return "java.lang.String";
    case Type::kBytes: return "[B";
    case Type::kDate: return "java.util.Date";
    case Type::kList:
      return value.type_name().empty() ? "java.util.List" : std::string(value.type_name());
    case Type::kMap:
      return value.type_name().empty() ? "java.util.Map" : std::string(value.type_name());
    case Type::kObject: return std::string(value.type_name());
  }
  return "java.lang.Object";
}

}  // namespace

Task<hessian::Value> ReferenceCore::call_generic(std::string method,
                                                 std::vector<std::string> types,
                                                 std::vector<hessian::Value> arguments,
                                                 CallMode mode, CallOptions options) {
  if (types.empty()) {
    for (const hessian::Value& argument : arguments) types.push_back(guessed_type(argument));
  }
  if (types.size() != arguments.size()) {
    co_return Error(Code::kInvalidArgument,
                    fmt::format("{}#{}: {} types for {} arguments", name_, method, types.size(),
                                arguments.size()));
  }
  constexpr std::string_view kGenericObjects = "2";
  const bolt::RequestPrefix prefix =
      make_prefix(method, types, bolt::Codec::kHessian, kGenericObjects, nullptr);
  hessian::Value result;
  PendingCall::Request request{};
  request.prefix = &prefix;
  request.codec = bolt::Codec::kHessian;
  request.values = arguments;
  request.result_type = &type_of<hessian::Value>();
  request.result = &result;
  request.name = method;
  Result<void> done =
      co_await as_result(transport(request, mode, options, types, kGenericObjects));
  if (!done) co_return done.error();
  co_return result;
}

namespace {

class ReferenceInvoker final : public Invoker {
 public:
  ReferenceInvoker(std::shared_ptr<ReferenceCore> core, CallOptions options)
      : core_(std::move(core)), options_(options) {}

  Task<void> invoke(const MethodInfo& method, void* const* arguments, void* result,
                    CallMode mode) override {
    if (core_->client().filters.empty()) {
      return core_->call(method, arguments, result, mode, options_);
    }
    return filtered(method, arguments, result, mode);
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
      return self.core_->call(method, arguments, result, mode, self.options_);
    }
  };
  Task<void> filtered(const MethodInfo& method, void* const* arguments, void* result,
                      CallMode mode) {
    Call call(Side::kClient, core_->name(), method.wire_name, core_->address());
    Last last(*this, method, arguments, result, mode);
    Result<void> done =
        co_await as_result(Next(core_->client().filters, 0, call, last)());
    if (!done) co_await fail(done.error());
  }

  std::shared_ptr<ReferenceCore> core_;
  CallOptions options_;
};

}  // namespace

namespace detail {

Invoker* make_invoker(const std::shared_ptr<ReferenceCore>& core, CallOptions options) {
  return new ReferenceInvoker(core, options);
}

}  // namespace detail

Task<hessian::Value> GenericReference::call(std::string method, std::vector<std::string> types,
                                            std::vector<hessian::Value> arguments) const {
  // The coroutine's own copy: this reference may go while the call is on its way.
  return [](std::shared_ptr<ReferenceCore> core, std::string m, std::vector<std::string> t,
            std::vector<hessian::Value> a, CallOptions options) -> Task<hessian::Value> {
    const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
    Result<hessian::Value> result = co_await as_result(
        core->call_generic(std::move(m), std::move(t), std::move(a), self.mode, options));
    co_return result;
  }(core_, std::move(method), std::move(types), std::move(arguments), options_);
}

GenericReference GenericReference::with(CallOptions options) const {
  return GenericReference(core_, options);
}

Client::Client(Runtime& runtime, ClientOptions options)
    : core_(std::make_shared<Core>(runtime, std::move(options))) {}

Client::~Client() { core_->stop(); }

void Client::stop() { core_->stop(); }

void Client::add_filter(std::shared_ptr<Filter> filter) {
  core_->filters.push_back(std::move(filter));
}

GenericReference Client::refer_generic(std::string_view url, ReferOptions options) {
  Result<ServiceUrl> parsed = ServiceUrl::parse(url);
  if (!parsed) throw parsed.error();
  if (parsed->interface_name.empty()) {
    throw Error(Code::kInvalidArgument, fmt::format("url '{}': no interface in the path", url));
  }
  return GenericReference(make_core(url, nullptr, parsed->interface_name, std::move(options)), {});
}

std::shared_ptr<ReferenceCore> Client::make_core(std::string_view url, const ServiceInfo* service,
                                                 std::string interface_name,
                                                 ReferOptions options) {
  Result<ServiceUrl> parsed = ServiceUrl::parse(url);
  if (!parsed) throw parsed.error();
  if (service != nullptr) {
    interface_name = service->interface_name;
    if (!parsed->interface_name.empty() && parsed->interface_name != interface_name) {
      throw Error(Code::kInvalidArgument,
                  fmt::format("url '{}' names another interface than the described class, which is {}",
                              url, interface_name));
    }
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
        throw Error(Code::kInvalidArgument,
                    fmt::format("url '{}': serialization '{}' is not hessian2 or json", url, value));
      }
    }
    // Others are a registry's business (weight, startTime, ...): they mean nothing to one address.
  }
  return std::make_shared<ReferenceCore>(
      core_, parsed->endpoint, service,
      unique_name(interface_name, options.version, options.unique_id), options);
}

}  // namespace settee::inline v0::rpc
