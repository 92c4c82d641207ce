// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client's half of Bolt: the channels of all loops, and the services called over them.

#include <fmt/format.h>

#include <mutex>
#include <thread>
#include <unordered_map>

#include "settee/rpc/bolt/internal/client_channel.h"
#include "settee/rpc/internal/binding.h"

namespace settee::inline v0::rpc::bolt {

namespace {

using settee::detail::CallMode;

class BoltTransport final : public Transport, public std::enable_shared_from_this<BoltTransport> {
 public:
  BoltTransport(Runtime& r, const ClientOptions& o) : runtime(r), options(o) {
    shared = std::make_shared<ChannelShared>(runtime, options);
    runtime.on_each_loop([this](Loop& loop) {
      const std::lock_guard lock(mutex_);
      loops_.push_back({&loop, {}});
    });
  }

  Runtime& runtime;
  const ClientOptions options;
  std::shared_ptr<ChannelShared> shared;

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

  std::unique_ptr<Target> target(TargetOptions target_options) override;

  void stop() override {
    if (Loop::current() != nullptr) {
      throw Error(Code::kMisuse, "Client::stop() on a loop's thread would wait for itself");
    }
    if (shared->stopped.exchange(true)) return;
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

class BoltTarget final : public Target {
 public:
  BoltTarget(std::shared_ptr<BoltTransport> transport, TargetOptions options)
      : client_(std::move(transport)),
        endpoint_(std::move(options.endpoint)),
        service_(options.service),
        name_(std::move(options.name)),
        target_app_(std::move(options.target_app)),
        timeout_(options.timeout),
        serialization_(options.serialization),
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

  Task<void> call(const MethodInfo& info, void* const* arguments, void* result, CallMode mode,
                  const CallOptions& options) override {
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

  Task<hessian::Value> call_generic(std::string method, std::vector<std::string> types,
                                    std::vector<hessian::Value> arguments, CallMode mode,
                                    CallOptions options) override;

 private:
  struct Method {
    std::vector<std::string> signatures;
    Codec codec = Codec::kHessian;
    RequestPrefix prefix;
  };

  Codec codec_of(const MethodInfo& method) const {
    if (method.parameters.size() == 1 && method.parameters[0].type->kind == Kind::kMessage) {
      return Codec::kProtobuf;
    }
    return serialization_ == Serialization::kJson ? Codec::kJson : Codec::kHessian;
  }

  RequestPrefix make_prefix(std::string_view method, std::span<const std::string> signatures,
                                  Codec codec, std::string_view generic_type,
                                  const Baggage* baggage) const {
    const RequestNames names{name_, method, target_app_, client_->options.app_name,
                                   generic_type, signatures};
    return codec == Codec::kHessian
               ? make_hessian_prefix(names, client_->options.dialect, baggage)
               : make_plain_prefix(names, baggage);
  }

  Task<void> transport(PendingCall::Request request, CallMode mode, CallOptions options,
                       std::span<const std::string> signatures, std::string_view generic_type);

  const std::shared_ptr<BoltTransport> client_;
  const net::Endpoint endpoint_;
  const ServiceInfo* const service_;
  const std::string name_;
  const std::string target_app_;
  const std::chrono::milliseconds timeout_;
  const Serialization serialization_;
  std::vector<Method> methods_;
  std::vector<std::shared_ptr<Channel>> channels_;  // each used on its loop only
};

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

Task<void> BoltTarget::transport(PendingCall::Request request, CallMode mode,
                                    CallOptions options, std::span<const std::string> signatures,
                                    std::string_view generic_type) {
  const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
  const Context context = Context::share(self.context);
  request.service = name_;
  request.oneway = mode == CallMode::kOneway;
  request.deadline =
      std::min(context.deadline(), Clock::now() + options.timeout().value_or(timeout_));
  ClientStats& stats = client_->shared->stats;
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

  RequestPrefix own_prefix;
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

// Hessian writes "[int" and "[com.acme.User" what Java's Class.getName() calls "[I" and
// "[Lcom.acme.User;".
std::string array_signature(std::string_view type) {
  static constexpr std::pair<std::string_view, std::string_view> kElements[] = {
      {"boolean", "Z"}, {"byte", "B"},  {"short", "S"},  {"char", "C"},
      {"int", "I"},     {"long", "J"},  {"float", "F"},  {"double", "D"},
      {"string", "Ljava.lang.String;"}, {"date", "Ljava.util.Date;"},
      {"object", "Ljava.lang.Object;"}};
  const std::size_t dimensions = std::min(type.find_first_not_of('['), type.size());
  const std::string_view element = type.substr(dimensions);
  std::string signature(dimensions, '[');
  for (const auto& [name, letters] : kElements) {
    if (element == name) return signature.append(letters);
  }
  return fmt::format("{}L{};", signature, element);
}

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
      if (value.type_name().starts_with('[')) return array_signature(value.type_name());
      return value.type_name().empty() ? "java.util.List" : std::string(value.type_name());
    case Type::kMap:
      return value.type_name().empty() ? "java.util.Map" : std::string(value.type_name());
    case Type::kObject: return std::string(value.type_name());
  }
  return "java.lang.Object";
}

Task<hessian::Value> BoltTarget::call_generic(std::string method,
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
  const RequestPrefix prefix =
      make_prefix(method, types, Codec::kHessian, kGenericObjects, nullptr);
  hessian::Value result;
  PendingCall::Request request{};
  request.prefix = &prefix;
  request.codec = Codec::kHessian;
  request.values = arguments;
  request.result_type = &type_of<hessian::Value>();
  request.result = &result;
  request.name = method;
  Result<void> done =
      co_await as_result(transport(request, mode, options, types, kGenericObjects));
  if (!done) co_return done.error();
  co_return result;
}

std::unique_ptr<Target> BoltTransport::target(TargetOptions target_options) {
  return std::make_unique<BoltTarget>(shared_from_this(), std::move(target_options));
}

}  // namespace
}  // namespace settee::inline v0::rpc::bolt

namespace settee::inline v0::rpc {

std::shared_ptr<Transport> make_bolt_transport(Runtime& runtime, const ClientOptions& options) {
  return std::make_shared<bolt::BoltTransport>(runtime, options);
}

}  // namespace settee::inline v0::rpc
