// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client's half of Bolt: the channels of all loops, and the services called over them.

#include <fmt/format.h>

#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "settee/rpc/bolt/internal/client_channel.h"
#include "settee/rpc/internal/binding.h"

namespace settee::inline v0::rpc::bolt {

namespace {

using settee::detail::CallMode;

class BoltTransport;

// Its channels: so many for each loop, made when that loop first calls there or connect() says so.
class BoltAddress final : public Address,
                          public AddressHealth::Listener,
                          public std::enable_shared_from_this<BoltAddress> {
 public:
  static std::shared_ptr<BoltAddress> make(std::shared_ptr<BoltTransport> transport,
                                           net::Endpoint endpoint, std::string text,
                                           std::size_t connections);
  BoltAddress(std::shared_ptr<BoltTransport> transport, net::Endpoint endpoint, std::string text,
              std::size_t connections);
  ~BoltAddress() override;
  /// The one for a call, on the loop of that index.
  const std::shared_ptr<Channel>& channel(std::size_t index) {
    std::shared_ptr<Channel>& only = channels_[index * connections_];
    return connections_ == 1 && only ? only : choose(index);
  }
  std::size_t connections() const noexcept { return connections_; }
  void connect() override;
  void reached() override { connect_all(true); }
  AddressState state() const noexcept override { return health_->state(); }
  std::string trouble() const override { return health_->trouble(); }

 private:
  const std::shared_ptr<Channel>& choose(std::size_t index);
  const std::shared_ptr<Channel>& at(std::size_t index, std::size_t number);
  void connect_all(bool only_known);

  const std::shared_ptr<BoltTransport> transport_;
  const net::Endpoint endpoint_;
  const std::size_t connections_;  // on each loop
  std::shared_ptr<AddressHealth> health_;
  std::atomic<bool> asked_{false};
  std::vector<std::shared_ptr<Channel>> channels_;  // by loop; each touched on its loop only
};

class BoltTransport final : public Transport, public std::enable_shared_from_this<BoltTransport> {
 public:
  BoltTransport(Runtime& r, const ClientOptions& o) : runtime(r), options(o) {
    shared = std::make_shared<ChannelShared>(runtime, options);
    loops_.resize(runtime.loops().size());
    runtime.on_each_loop([this](Loop& loop) { loops_[loop.index()].loop = &loop; });
  }

  Runtime& runtime;
  const ClientOptions options;
  std::shared_ptr<ChannelShared> shared;

  std::size_t loops() const noexcept { return loops_.size(); }
  std::unique_ptr<Target> target(TargetOptions target_options) override;

  std::shared_ptr<Address> address(const net::Endpoint& endpoint, int connections) override {
    if (connections < 1) {
      throw Error(Code::kInvalidArgument, fmt::format("connections to {}: {} is not at least 1",
                                                      endpoint.to_string(), connections));
    }
    std::string text = endpoint.to_string();
    const auto count = static_cast<std::size_t>(connections);
    const std::lock_guard lock(mutex_);
    if (const auto found = addresses_.find(Key{text, count}); found != addresses_.end()) {
      if (auto known = found->second.lock()) return known;
      addresses_.erase(found);  // it is about to do so itself, and the key is its own text
    }
    auto made = BoltAddress::make(shared_from_this(), endpoint, std::move(text), count);
    addresses_.emplace(key_of(*made), made);
    return made;
  }
  void forget(const BoltAddress& address) {
    const std::lock_guard lock(mutex_);
    const auto found = addresses_.find(key_of(address));
    // Another may have been made meanwhile.
    if (found != addresses_.end() && found->first.text.data() == address.text().data()) {
      addresses_.erase(found);
    }
  }
  Loop& loop_at(std::size_t index) const noexcept { return *loops_[index].loop; }

  /// On the loop of that index: a channel that stop() knows of.
  std::shared_ptr<Channel> make_channel(std::size_t index, std::shared_ptr<AddressHealth> health,
                                        const net::Endpoint& endpoint) {
    PerLoop& here = loops_[index];
    auto channel = std::make_shared<Channel>(shared, std::move(health), *here.loop, endpoint);
    here.channels.insert(channel);
    return channel;
  }
  /// From any thread: nobody calls over the channel any more.
  void retire(std::size_t index, std::shared_ptr<Channel> channel) {
    if (shared->stopped.load()) return;
    loops_[index].loop->post([self = shared_from_this(), index, channel = std::move(channel)] {
      if (self->loops_[index].channels.erase(channel) != 0) channel->retire();
    });
  }

  void stop() override {
    if (Loop::current() != nullptr) {
      throw Error(Code::kMisuse, "Client::stop() on a loop's thread would wait for itself");
    }
    if (shared->stopped.exchange(true)) return;
    runtime.on_each_loop([this](Loop& loop) {
      auto channels = std::exchange(loops_[loop.index()].channels, {});
      for (const auto& channel : channels) channel->stop();
    });
    // An attempt to connect ends by itself within its timeout.
    while (shared->connecting.load() != 0 && !runtime.stopped()) {
      runtime.pause(std::chrono::milliseconds(1));
    }
  }

 private:
  struct PerLoop {
    Loop* loop;
    std::unordered_set<std::shared_ptr<Channel>> channels;  // on that loop only
  };
  std::mutex mutex_;
  std::vector<PerLoop> loops_;
  struct Key {
    std::string_view text;  // of the address that it leads to
    std::size_t connections;
    bool operator==(const Key&) const = default;
    struct Hash {
      std::size_t operator()(const Key& key) const noexcept {
        return std::hash<std::string_view>()(key.text) + key.connections;
      }
    };
  };
  static Key key_of(const BoltAddress& address) { return {address.text(), address.connections()}; }
  std::unordered_map<Key, std::weak_ptr<BoltAddress>, Key::Hash> addresses_;
};

BoltAddress::BoltAddress(std::shared_ptr<BoltTransport> transport, net::Endpoint endpoint,
                         std::string text, std::size_t connections)
    : Address(std::move(text)),
      transport_(std::move(transport)),
      endpoint_(std::move(endpoint)),
      connections_(connections),
      channels_(transport_->loops() * connections) {}

std::shared_ptr<BoltAddress> BoltAddress::make(std::shared_ptr<BoltTransport> transport,
                                               net::Endpoint endpoint, std::string text,
                                               std::size_t connections) {
  auto made = std::make_shared<BoltAddress>(std::move(transport), std::move(endpoint),
                                            std::move(text), connections);
  made->health_ = std::make_shared<AddressHealth>(made);
  return made;
}

// Every call holds the address it goes to, so none is on its way.
BoltAddress::~BoltAddress() {
  transport_->forget(*this);
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (channels_[i]) transport_->retire(i / connections_, std::move(channels_[i]));
  }
}

const std::shared_ptr<Channel>& BoltAddress::at(std::size_t index, std::size_t number) {
  std::shared_ptr<Channel>& channel = channels_[index * connections_ + number];
  if (!channel) channel = transport_->make_channel(index, health_, endpoint_);
  return channel;
}

// Of those that are connected the one with the fewest calls, one with room before others; else one that
// connects or may begin.
// Those that are not connected begin to, so that they are there for later calls.
const std::shared_ptr<Channel>& BoltAddress::choose(std::size_t index) {
  if (connections_ == 1) return at(index, 0);
  const std::shared_ptr<Channel>* best = nullptr;
  const std::shared_ptr<Channel>* hopeful = nullptr;
  TimePoint now{};
  for (std::size_t i = 0; i < connections_; ++i) {
    const std::shared_ptr<Channel>& channel = at(index, i);
    if (!channel->ready()) {
      if (now == TimePoint()) now = Clock::now();
      if (!channel->connecting() && !channel->backing_off(now)) channel->begin_connecting();
      if (channel->connecting() && hopeful == nullptr) hopeful = &channel;
    }
    if (!channel->ready()) continue;
    if (best == nullptr || std::pair(channel->full(), channel->in_flight()) <
                               std::pair((*best)->full(), (*best)->in_flight())) {
      best = &channel;
    }
  }
  if (best != nullptr) return *best;
  return hopeful != nullptr ? *hopeful : at(index, 0);
}

void BoltAddress::connect() {
  // Once begun a channel goes on by itself.
  if (!asked_.exchange(true)) connect_all(false);
}

// `only_known`: those that loops have made already.
void BoltAddress::connect_all(bool only_known) {
  for (std::size_t i = 0; i < channels_.size(); i += connections_) {
    const std::size_t index = i / connections_;
    transport_->loop_at(index).post([weak = weak_from_this(), index, only_known] {
      const auto self = weak.lock();
      if (!self || self->transport_->shared->stopped.load()) return;
      for (std::size_t number = 0; number < self->connections_; ++number) {
        if (only_known && !self->channels_[index * self->connections_ + number]) continue;
        self->at(index, number)->begin_connecting();
      }
    });
  }
}

class BoltTarget final : public Target {
 public:
  BoltTarget(std::shared_ptr<BoltTransport> transport, TargetOptions options)
      : client_(std::move(transport)),
        service_(options.service),
        name_(std::move(options.name)),
        target_app_(std::move(options.target_app)),
        serialization_(options.serialization) {
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

  Task<void> call(Outgoing outgoing) override;

 private:
  struct Method {
    std::vector<std::string> signatures;
    Codec codec = Codec::kHessian;
    RequestPrefix prefix;
  };

  Result<void> may_begin(const Context& context, std::string_view method) const;
  Codec codec_of(const MethodInfo& method) const {
    if (method.parameters.size() == 1 && method.parameters[0].type->kind == Kind::kMessage) {
      return Codec::kProtobuf;
    }
    return serialization_ == Serialization::kJson ? Codec::kJson : Codec::kHessian;
  }

  RequestPrefix make_prefix(std::string_view method, std::span<const std::string> signatures,
                            Codec codec, std::string_view generic_type, const Baggage* baggage,
                            const Baggage* headers = nullptr) const {
    const RequestNames names{name_,        method,     target_app_, client_->options.app_name,
                             generic_type, signatures, headers};
    return codec == Codec::kHessian ? make_hessian_prefix(names, client_->options.dialect, baggage)
                                    : make_plain_prefix(names, baggage);
  }

  const std::shared_ptr<BoltTransport> client_;
  const ServiceInfo* const service_;
  const std::string name_;
  const std::string target_app_;
  const Serialization serialization_;
  std::vector<Method> methods_;
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

constexpr std::string_view kGenericObjects = "2";

Task<void> BoltTarget::call(Outgoing outgoing) {
  const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
  const Context context = Context::share(self.context);
  PendingCall::Request request{};
  const Method* method = nullptr;
  if (outgoing.method != nullptr) {
    method = &methods_[static_cast<std::size_t>(outgoing.method - service_->methods.data())];
    request.codec = method->codec;
    request.method = outgoing.method;
    request.arguments = outgoing.arguments;
    request.result_type = outgoing.method->result;
  } else {
    request.codec = Codec::kHessian;
    request.values = outgoing.values;
    request.result_type = &type_of<hessian::Value>();
  }
  request.result = outgoing.result;
  request.service = name_;
  request.name = outgoing.name;
  request.oneway = outgoing.mode == CallMode::kOneway;
  const auto called = [&] { return fmt::format("{}#{}", name_, request.name); };
  ClientStats& stats = client_->shared->stats;
  Loop& loop = client_->runtime.loop();
  if (!loop.in_loop()) co_await resume_on(loop);
  if (outgoing.now < loop.now()) outgoing.now = Clock::now();
  const std::size_t here = loop.index();
  RequestPrefix own_prefix;
  Baggage both;
  Result<void> ended = may_begin(context, request.name);
  if (!ended) co_await fail(ended.error());
  if (outgoing.streams != nullptr) {
    co_await fail(settee::detail::no_streams(outgoing.method->name));
  }
  const auto next = [&]() -> Address* {
    if (outgoing.tries == nullptr) return nullptr;
    return outgoing.tries->next(outgoing, context.deadline(), ended);
  };
  for (Address* at = outgoing.address != nullptr ? outgoing.address : next(); at != nullptr;
       at = next()) {
    ended = Result<void>();
    request.measures = outgoing.measures;
    request.deadline = std::min(context.deadline(), outgoing.deadline);
    request.now = outgoing.now;
    const Baggage* baggage = context.get(kRequestBaggage);
    if (baggage != nullptr && baggage->empty()) baggage = nullptr;
    const Baggage* headers = joined_headers(context.get(kRequestHeaders), outgoing.headers, both);
    if (method == nullptr) {
      own_prefix = make_prefix(request.name, outgoing.types, request.codec, kGenericObjects,
                               baggage, headers);
      request.prefix = &own_prefix;
    } else if (baggage != nullptr || headers != nullptr) {
      own_prefix =
          make_prefix(request.name, method->signatures, request.codec, {}, baggage, headers);
      request.prefix = &own_prefix;
    } else {
      request.prefix = &method->prefix;
    }
    auto& there = static_cast<BoltAddress&>(*at);
    std::shared_ptr<Channel> channel = there.channel(here);
    while (ended && (!channel->ready() || channel->full())) {
      if (!channel->ready()) {
        Result<void> connected = co_await as_result(channel->connected(request.deadline));
        request.now = Clock::now();
        // Another connection may be there, or have room.
        channel = there.channel(here);
        if (!connected && !channel->ready()) ended = connected.error().within(called());
        continue;
      }
      stats.overflows.add();
      if (outgoing.mode != CallMode::kAwait) {
        ended = Error(Code::kOverflow,
                      fmt::format("{}: not sent: {}", called(), channel->describe_full()));
        continue;
      }
      ended = co_await as_result(channel->room(request.deadline));
      if (!ended) ended = ended.error().within(called());
      request.now = Clock::now();
      channel = there.channel(here);
    }
    if (ended) {
      PendingCall call(request);
      ended = channel->send(call);
      if (ended && !request.oneway) {
        {
          std::optional<std::stop_callback<CancelCall>> on_cancel;
          if (std::stop_token token = context.stop_token(); token.stop_possible()) {
            on_cancel.emplace(std::move(token), CancelCall{&loop, channel, call.id()});
          }
          co_await call.answer();
        }
        if (!call.response_baggage().empty()) give_baggage(context, call.response_baggage());
        if (call.error()) ended = *call.error();
      }
    }
    if (!ended) stats.failures.add();
  }
  if (!ended) co_await fail(ended.error());
}

Result<void> BoltTarget::may_begin(const Context& context, std::string_view method) const {
  if (client_->shared->stopped.load(std::memory_order_acquire)) {
    return Error(Code::kStopped, fmt::format("{}#{}: the client has been stopped", name_, method));
  }
  Result<void> may = context.check(method);
  if (may) return may;
  client_->shared->stats.failures.add();
  return may.error().within(name_);
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

Error received_error(const Error& error) {
  Buffer out;
  bolt::ResponseFormat(bolt::Dialect::kSofa3).write_exception(out, error, nullptr);
  const Bytes bytes = out.slice(0, out.size());
  bolt::ResponseValue read =
      bolt::read_response(bytes.span(), nullptr, nullptr, true, hessian::Limits());
  return read.error ? *std::move(read.error) : error;
}

}  // namespace settee::inline v0::rpc
