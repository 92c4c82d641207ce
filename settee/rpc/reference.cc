// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/reference.h"

#include <fmt/format.h>

#include <algorithm>

#include "settee/rpc/internal/listing.h"

namespace settee::inline v0::rpc {

using settee::detail::CallMode;

namespace {

// What consistent hash goes by: as Java's toString() of the first argument, where that is defined.
std::string first_argument(const Outgoing& outgoing) {
  if (outgoing.method == nullptr) {
    if (outgoing.values.empty()) return {};
    const hessian::Value& value = outgoing.values[0];
    using Type = hessian::Value::Type;
    switch (value.type()) {
      case Type::kString: return std::string(*value.as_string());
      case Type::kBool: return *value.as_bool() ? "true" : "false";
      case Type::kInt:
      case Type::kLong: return std::to_string(*value.as_long());
      default: return {};
    }
  }
  if (outgoing.method->parameters.empty()) return {};
  const TypeInfo* type = outgoing.method->parameters[0].type;
  const void* value = outgoing.arguments[0];
  switch (type->kind) {
    case Kind::kString: return *static_cast<const std::string*>(value);
    case Kind::kBool: return *static_cast<const bool*>(value) ? "true" : "false";
    case Kind::kInt8: return std::to_string(*static_cast<const std::int8_t*>(value));
    case Kind::kInt16: return std::to_string(*static_cast<const std::int16_t*>(value));
    case Kind::kInt32: return std::to_string(*static_cast<const std::int32_t*>(value));
    case Kind::kInt64: return std::to_string(*static_cast<const std::int64_t*>(value));
    default: return {};
  }
}

ReferOptions checked(ReferOptions options, const ServiceInfo* service, std::string_view name) {
  const auto refuse = [&](const std::string& what) {
    throw Error(Code::kInvalidArgument, fmt::format("refer {}: ReferOptions::{}", name, what));
  };
  if (options.timeout && options.timeout->count() <= 0) refuse("timeout is not above 0");
  if (options.try_timeout && options.try_timeout->count() <= 0)
    refuse("try_timeout is not above 0");
  if (options.retries && *options.retries < 0) refuse("retries is below 0");
  if (options.connections < 1) refuse("connections is below 1: no call could be made");
  for (const std::shared_ptr<Router>& router : options.routers) {
    if (!router) refuse("routers has a null router");
  }
  for (const FilterUse& use : options.filters) {
    if (!use.filter) refuse(fmt::format("filters: filter '{}' is null", use.name));
  }
  for (const auto& [method, said] : options.methods) {
    if (said.timeout && said.timeout->count() <= 0) {
      refuse(fmt::format("methods[\"{}\"].timeout is not above 0", method));
    }
    if (said.try_timeout && said.try_timeout->count() <= 0) {
      refuse(fmt::format("methods[\"{}\"].try_timeout is not above 0", method));
    }
    if (said.retries && *said.retries < 0) {
      refuse(fmt::format("methods[\"{}\"].retries is below 0", method));
    }
    if (service == nullptr) continue;
    const auto same = [&wanted = method](const MethodInfo& one) { return one.wire_name == wanted; };
    if (std::none_of(service->methods.begin(), service->methods.end(), same)) {
      refuse(fmt::format("methods: the service has no method '{}'", method));
    }
  }
  return options;
}

ServiceKey key_of(std::string_view interface_name, const ReferOptions& options) {
  ServiceKey key;
  key.interface_name = interface_name;
  key.version = options.version;
  key.unique_id = options.unique_id;
  key.protocol = options.protocol;
  return key;
}

TargetOptions target_of(const ServiceInfo* service, const ServiceKey& key,
                        const ReferOptions& options, const ClientOptions& defaults) {
  TargetOptions target;
  target.service = service;
  target.name = key.unique_name();
  target.target_app = options.target_app;
  target.serialization = options.serialization.value_or(defaults.serialization);
  return target;
}

cluster::ClusterOptions cluster_of(const ServiceKey& key, const ReferOptions& options,
                                   const ClientOptions& defaults, bool from_registry) {
  cluster::ClusterOptions made;
  made.service = key.unique_name();
  made.balancer = options.balancer.value_or(defaults.balancer);
  made.mode = options.cluster.value_or(defaults.cluster);
  made.timeout = defaults.timeout;
  made.address_wait = options.address_wait.value_or(std::chrono::milliseconds(0));
  made.sticky = options.sticky;
  made.connect = options.connect;
  made.connections = options.connections;
  made.elastic_size = options.elastic_size;
  made.route = from_registry ? "REGISTRY" : "DIRECT";
  made.routers = options.routers;
  made.fault_tolerance = defaults.fault_tolerance;
  made.outlier_ejection = defaults.outlier_ejection;
  made.circuit_breaker = defaults.circuit_breaker;
  return made;
}

const Next::Chain kNoFilters;
std::atomic<std::uint64_t> last_call_number{0};

}  // namespace

std::string_view invoke_type(CallMode mode) noexcept {
  switch (mode) {
    case CallMode::kAwait: return "sync";
    case CallMode::kCallback: return "callback";
    case CallMode::kOneway: return "oneway";
  }
  return {};
}

CallPlan::CallPlan(const CallOptions& options)
    : timeout(options.timeout()), retries(options.retries()) {
  if (timeout && timeout->count() <= 0) {
    throw Error(Code::kInvalidArgument, "CallOptions::timeout() is not above 0");
  }
  if (retries && *retries < 0) {
    throw Error(Code::kInvalidArgument, "CallOptions::retries() is below 0");
  }
  if (options.target().empty()) return;
  Result<Provider> parsed = Provider::parse(options.target());
  if (!parsed) throw parsed.error().within("CallOptions::target()");
  target = parsed->endpoint;
}

ReferenceCore::ReferenceCore(std::shared_ptr<Client::Core> client, const ServiceInfo* service,
                             std::string_view interface_name, ReferOptions options,
                             bool from_registry)
    : client_(std::move(client)),
      service_(service),
      options_(checked(std::move(options), service, interface_name)),
      key_(key_of(interface_name, options_)),
      name_(key_.unique_name()),
      transport_(client_->transport(key_.protocol)),
      target_(transport_->target(target_of(service, key_, options_, client_->options))),
      cluster_(std::make_shared<cluster::Cluster>(
          client_->runtime, *transport_,
          cluster_of(key_, options_, client_->options, from_registry))),
      started_(client_->runtime.events().channel<ClientCallStarted>()),
      ended_(client_->runtime.events().channel<ClientCallEnded>()),
      try_started_(client_->runtime.events().channel<ClientTryStarted>()),
      try_ended_(client_->runtime.events().channel<ClientTryEnded>()),
      refused_(client_->runtime.events().channel<CallRefused>()) {
  const auto fill = [&](MethodRules& rules, std::string_view name, bool idempotent,
                        bool streaming) {
    const auto found = options_.methods.find(name);
    const ReferMethod said = found == options_.methods.end() ? ReferMethod() : found->second;
    rules.name = name;
    // A stream is not over because a unary call would be.
    rules.rules.timeout = said.timeout || streaming ? said.timeout : options_.timeout;
    rules.rules.try_timeout = said.try_timeout.value_or(
        streaming ? std::chrono::milliseconds(0)
                  : options_.try_timeout.value_or(std::chrono::milliseconds(0)));
    rules.rules.retries =
        said.retries.value_or(options_.retries.value_or(client_->options.retries));
    rules.rules.idempotent = said.idempotent.value_or(idempotent);
    rules.concurrents = said.concurrents;
    rules.own_timeout = said.timeout.has_value();
    rules.own_retries = said.retries.has_value();
  };
  if (service_ != nullptr) {
    for (const MethodInfo& method : service_->methods) {
      fill(methods_.emplace_back(), method.wire_name, method.idempotent, method.streaming());
    }
  } else {
    for (const auto& [name, said] : options_.methods)
      fill(methods_.emplace_back(), name, false, false);
  }
  fill(others_, {}, false, false);
  if (options_.mock) options_.mock->check(key_.interface_name);
  if (options_.in_process.value_or(client_->options.in_process)) {
    local_ = std::make_unique<LocalTarget>(client_->runtime, service_, name_);
  }
  if (client_->options.dynamic_config) {
    const std::string configured = options_.balancer.value_or(client_->options.balancer);
    tuning_ = std::make_unique<ReferTuning>(
        client_->options.dynamic_config, key_, service_,
        [cluster = std::weak_ptr(cluster_), configured](const std::optional<std::string>& name) {
          if (const auto there = cluster.lock()) there->balance_by(name.value_or(configured));
        });
    for (MethodRules& rules : methods_) rules.tuned = &tuning_->method(rules.name);
  }
  const auto unlimited = [](const MethodRules& one) { return one.concurrents == 0; };
  direct_ = options_.filters.empty() && options_.concurrents == 0 && !options_.mock && !local_ &&
            !tuning_ && !cluster_->wants_key() &&
            std::all_of(methods_.begin(), methods_.end(), unlimited);
  per_loop_.resize(client_->runtime.loops().size());
}

void ReferenceCore::set_addresses(const Providers& providers) {
  for (const Provider& provider : providers) {
    address_ += (address_.empty() ? "" : ",") + provider.endpoint.to_string();
  }
  cluster_->describe([text = fmt::format("direct addresses {}", address_)] { return text; });
  cluster_->update(providers, {}, "direct");
  for (const std::shared_ptr<Address>& address : cluster_->reachable()) client_->pin(address);
  const auto simple = [](const MethodRules& one) {
    return one.rules.retries == 0 && one.rules.try_timeout.count() == 0;
  };
  if (direct_ && providers.size() == 1 && options_.routers.empty() &&
      !client_->options.circuit_breaker.enabled && simple(others_) &&
      std::all_of(methods_.begin(), methods_.end(), simple)) {
    only_ = cluster_->reachable().front();
  }
}

void ReferenceCore::watch(const std::vector<std::shared_ptr<Registry>>& registries) {
  const auto listing = std::make_shared<Listing>(key_, registries, cluster_);
  cluster_->describe([listing] { return listing->describe(); });
  ConsumerInfo consumer;
  consumer.app_name = client_->options.app_name;
  consumer.timeout = options_.timeout.value_or(client_->options.timeout);
  consumer.generic = service_ == nullptr;
  for (std::size_t i = 0; i < registries.size(); ++i) {
    const std::shared_ptr<Registry>& registry = registries[i];
    address_ += (address_.empty() ? "" : ",") + registry->address();
    watches_.push_back(registry->watch(
        key_, consumer, [listing, i](const Providers& all) { listing->set(i, all); }));
  }
  registries_ = registries;
}

void ReferenceCore::check() const {
  if (!options_.check) return;
  if (Loop::current() != nullptr) {
    throw Error(Code::kMisuse,
                fmt::format("refer {}: ReferOptions::check would wait on a loop's thread", name_));
  }
  const TimePoint by = Clock::now() + client_->options.connect_timeout;
  for (;;) {
    for (const std::shared_ptr<Address>& address : cluster_->reachable()) {
      if (address->state() == AddressState::kAvailable) return;
      address->connect();
    }
    if (Clock::now() >= by) {
      throw cluster_->no_provider(fmt::format("refer {}: no address is connected after {} ms",
                                              name_, client_->options.connect_timeout.count()));
    }
    client_->runtime.pause(std::chrono::milliseconds(2));
  }
}

ReferenceCore::MethodRules& ReferenceCore::rules_of(const Outgoing& outgoing) noexcept {
  if (outgoing.method != nullptr) {
    return methods_[static_cast<std::size_t>(outgoing.method - service_->methods.data())];
  }
  for (MethodRules& rules : methods_) {
    if (rules.name == outgoing.name) return rules;
  }
  return others_;
}

// Each loop has chains of its own, so that loops do not count the same one.
FilterChain ReferenceCore::chain_of(const Loop& loop, const Outgoing& outgoing) {
  if (client_->filters.empty() && options_.filters.empty()) return nullptr;
  PerLoop& here = per_loop_[loop.index()];
  if (const std::uint64_t version = client_->filters.version(); version != here.version) {
    here.chains.assign(service_ != nullptr ? service_->methods.size() : 0, std::nullopt);
    here.named_chains.clear();
    here.version = version;
  }
  const auto make = [&] {
    return client_->filters.chain(options_.filters, options_.without_filters, outgoing.name);
  };
  if (outgoing.method != nullptr) {
    std::optional<FilterChain>& chain =
        here.chains[static_cast<std::size_t>(outgoing.method - service_->methods.data())];
    if (!chain) chain = make();
    return *chain;
  }
  const auto found = here.named_chains.find(outgoing.name);
  if (found != here.named_chains.end()) return found->second;
  FilterChain chain = make();
  constexpr std::size_t kMostMethods = 1'000;
  if (here.named_chains.size() < kMostMethods) here.named_chains.emplace(outgoing.name, chain);
  return chain;
}

// Of the calls that a reference or method may have on their way.
class ReferenceCore::Place {
 public:
  Place(std::atomic<std::size_t>& in_flight, std::size_t most) noexcept
      : in_flight_(most == 0 ? nullptr : &in_flight) {
    if (in_flight_ != nullptr && in_flight_->fetch_add(1) >= most) {
      in_flight_->fetch_sub(1);
      in_flight_ = nullptr;
      refused_ = true;
    }
  }
  ~Place() {
    if (in_flight_ != nullptr) in_flight_->fetch_sub(1);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool refused() const noexcept { return refused_; }

 private:
  std::atomic<std::size_t>* in_flight_;
  bool refused_ = false;
};

// What a call has with it on its way: belongs to its outermost Task.
struct ReferenceCore::Way final : settee::detail::Belongings, Next::Terminal {
  Way(ReferenceCore& c, const Outgoing& o, MethodRules& method)
      : core(c),
        outgoing(o),
        rules(method.rules),
        of_reference(c.in_flight_, c.options_.concurrents),
        of_method(method.in_flight, method.concurrents),
        call(Side::kClient, c.name_, o.name, c.address_, nullptr, &headers) {}
  Task<void> proceed() override { return core.routed(*this); }
  Next filters() { return Next(chain ? *chain : kNoFilters, 0, call, *this); }

  ReferenceCore& core;
  Outgoing outgoing;
  cluster::Rules rules;
  const Place of_reference;
  const Place of_method;
  std::string hash_key;
  Baggage headers;  // of filters
  FilterChain chain;
  Call call;
  cluster::Observation* seen = nullptr;
};

// Dynamic values of the method go before what the call says, those of the service before what the
// reference says.
void ReferenceCore::tune(Way& way, const MethodRules& method, const CallPlan& plan) {
  const ReferTuning::Slot& own =
      method.tuned != nullptr ? *method.tuned : tuning_->method(way.outgoing.name);
  const ReferTuning::Slot& all = tuning_->service();
  if (const auto timeout = own.timeout()) {
    way.rules.timeout = timeout;
  } else if (!plan.timeout && !method.own_timeout && all.timeout() &&
             way.outgoing.streams == nullptr) {
    way.rules.timeout = all.timeout();
  }
  if (const auto retries = own.retries()) {
    way.rules.retries = *retries;
  } else if (!plan.retries && !method.own_retries) {
    way.rules.retries = all.retries().value_or(way.rules.retries);
  }
}

Task<void> ReferenceCore::routed(Way& way) {
  if (!way.headers.empty()) way.outgoing.headers = &way.headers;
  if (local_ || options_.mock) return near_or_far(way);
  return cluster_->call(*target_, way.outgoing, way.rules, way.seen);
}

// A provider in this process comes before those elsewhere, and a mock in place of or behind both.
Task<void> ReferenceCore::near_or_far(Way& way) {
  const Mock* const mock = options_.mock.get();
  Outgoing here = way.outgoing;
  here.deadline = end_of(here, way.rules.timeout, client_->options.timeout);
  const auto tell = [&](std::string_view protocol) {
    if (way.seen == nullptr) return;
    way.seen->facts.protocol = protocol;
    way.seen->address = protocol;
    way.seen->route = protocol;
  };
  if (mock != nullptr && mock->when() == MockWhen::kAlways) {
    tell("mock");
    Task<void> work = mocked(client_->runtime, *mock, here);
    co_await std::move(work);
    co_return;
  }
  bool called = false;
  std::optional<Error> error;
  if (local_ && way.rules.target == nullptr && local_->there()) {
    tell("local");
    Task<bool> work = local_->call(here);
    Result<bool> done = co_await as_result(std::move(work));
    called = !done || *done;
    if (!done) error = done.error();
  }
  if (!called) {
    tell(key_.protocol);
    Task<void> work = cluster_->call(*target_, way.outgoing, way.rules, way.seen);
    Result<void> done = co_await as_result(std::move(work));
    if (!done) error = done.error();
  }
  if (!error) co_return;
  const bool begun = way.outgoing.streams != nullptr && way.outgoing.streams->begun;
  if (mock == nullptr || begun || !mock->steps_in(*error)) co_await fail(*error);
  tell("mock");
  Task<void> work = mocked(client_->runtime, *mock, here);
  co_await std::move(work);
}

cluster::Observation ReferenceCore::facts_of(const Outgoing& outgoing) const {
  cluster::Observation seen;
  seen.facts.number = last_call_number.fetch_add(1, std::memory_order_relaxed) + 1;
  seen.facts.service = name_;
  seen.facts.method = outgoing.name;
  seen.facts.protocol = key_.protocol;
  seen.facts.invoke_type = invoke_type(outgoing.mode);
  seen.facts.app = client_->options.app_name;
  seen.facts.peer_app = options_.target_app;
  return seen;
}

Error ReferenceCore::refuse(const Outgoing& outgoing, std::size_t most, std::string_view option) {
  const std::string reason =
      fmt::format("{} call(s) are on their way, as many as {} allows", most, option);
  client_->refused.add();
  if (refused_.active()) {
    CallRefused event;
    event.side = Side::kClient;
    event.service = name_;
    event.method = outgoing.name;
    event.limit = "concurrents";
    event.reason = reason;
    refused_.publish(event);
  }
  return Error(Code::kOverflow, fmt::format("{}#{}: not sent: {}", name_, outgoing.name, reason));
}

// Not a coroutine: a frame less for each call.
Task<void> ReferenceCore::whole(const Outgoing& outgoing, const CallPlan& plan) {
  Loop& loop = client_->runtime.loop();
  if (!loop.in_loop()) return elsewhere(loop, outgoing, plan);
  MethodRules& method = rules_of(outgoing);
  auto way = std::make_unique<Way>(*this, outgoing, method);
  if (way->of_reference.refused() || way->of_method.refused()) {
    const bool by_reference = way->of_reference.refused();
    return failed(refuse(outgoing, by_reference ? options_.concurrents : method.concurrents,
                         by_reference ? "ReferOptions::concurrents" : "ReferMethod::concurrents"));
  }
  if (plan.timeout) way->rules.timeout = plan.timeout;
  if (plan.retries) way->rules.retries = *plan.retries;
  if (tuning_) tune(*way, method, plan);
  if (plan.target) way->rules.target = &*plan.target;
  if (cluster_->wants_key()) {
    way->hash_key = first_argument(outgoing);
    way->rules.hash_key = way->hash_key;
  }
  way->chain = chain_of(loop, outgoing);
  Task<void> task = observed() ? told(*way) : way->filters()();
  task.promise()->keep(std::move(way));
  return task;
}

Task<void> ReferenceCore::elsewhere(Loop& loop, Outgoing outgoing, const CallPlan& plan) {
  co_await resume_on(loop);
  Task<void> there = whole(outgoing, plan);
  Result<void> done = co_await as_result(std::move(there));
  if (!done) co_await fail(done.error());
}

// The same, and those who listen are told. In a frame of its own: it is large.
Task<void> ReferenceCore::told(Way& way) {
  settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
  cluster::Observation seen = facts_of(way.outgoing);
  way.seen = &seen;
  Context under = Context::share(self.context);
  if (started_.active()) {
    ClientCallStarted event;
    event.call = seen.facts.borrowed();
    event.context = &under;
    started_.publish(event);
  }
  Result<void> done;
  {
    const settee::detail::ContextSwitch inside(self, std::move(under));
    Task<void> rest = way.filters()();
    done = co_await as_result(std::move(rest));
  }
  if (ended_.active()) {
    ClientCallEnded event;
    event.call = seen.facts.borrowed();
    event.tries = seen.tries;
    event.address = seen.address;
    event.route = seen.route;
    if (!done) event.error = done.error();
    event.took = Clock::now() - way.outgoing.began;
    event.measures = seen.measures;
    ended_.publish(event);
  }
  if (!done) co_await fail(done.error());
}

namespace {

class ReferenceInvoker final : public Invoker {
 public:
  ReferenceInvoker(std::shared_ptr<ReferenceCore> core, const CallOptions& options)
      : core_(std::move(core)), plan_(options) {}

  Task<void> invoke(const MethodInfo& method, void* const* arguments, void* result,
                    CallMode mode) override {
    return core_->call(make(method, arguments, result, mode), plan_);
  }
  Task<void> invoke_stream(const MethodInfo& method, void* const* arguments, void* result,
                           ClientStreams& ends) override {
    CallerStreams streams{ends};
    Outgoing outgoing = make(method, arguments, result, CallMode::kAwait);
    outgoing.streams = &streams;
    Task<void> call = core_->call(outgoing, plan_);
    co_await std::move(call);
  }

 private:
  static Outgoing make(const MethodInfo& method, void* const* arguments, void* result,
                       CallMode mode) {
    Outgoing outgoing;
    outgoing.method = &method;
    outgoing.name = method.wire_name;
    outgoing.arguments = arguments;
    outgoing.result = result;
    outgoing.mode = mode;
    return outgoing;
  }

  const std::shared_ptr<ReferenceCore> core_;
  const CallPlan plan_;
};

// Hessian writes "[int" and "[com.acme.User" what Java's Class.getName() calls "[I" and
// "[Lcom.acme.User;".
std::string array_signature(std::string_view type) {
  static constexpr std::pair<std::string_view, std::string_view> kElements[] = {
      {"boolean", "Z"},
      {"byte", "B"},
      {"short", "S"},
      {"char", "C"},
      {"int", "I"},
      {"long", "J"},
      {"float", "F"},
      {"double", "D"},
      {"string", "Ljava.lang.String;"},
      {"date", "Ljava.util.Date;"},
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

}  // namespace

namespace detail {

Invoker* make_invoker(const std::shared_ptr<ReferenceCore>& core, CallOptions options) {
  return new ReferenceInvoker(core, options);
}

std::vector<AddressStatus> addresses_of(const ReferenceCore& core) { return core.addresses(); }

}  // namespace detail

Task<hessian::Value> GenericReference::call(std::string method, std::vector<std::string> types,
                                            std::vector<hessian::Value> arguments) const {
  // All that it needs is the coroutine's own: this reference may go while the call is on its way.
  return [](std::shared_ptr<ReferenceCore> core, std::string name, std::vector<std::string> types,
            std::vector<hessian::Value> values, CallPlan plan) -> Task<hessian::Value> {
    const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
    if (types.empty()) {
      for (const hessian::Value& value : values) types.push_back(guessed_type(value));
    }
    if (types.size() != values.size()) {
      co_return Error(Code::kInvalidArgument,
                      fmt::format("{}#{}: {} types for {} arguments", core->name(), name,
                                  types.size(), values.size()));
    }
    hessian::Value result;
    Outgoing outgoing;
    outgoing.name = name;
    outgoing.types = types;
    outgoing.values = values;
    outgoing.result = &result;
    outgoing.mode = self.mode;
    Task<void> way = core->call(outgoing, plan);
    Result<void> done = co_await as_result(std::move(way));
    if (!done) co_return done.error();
    co_return result;
  }(core_, std::move(method), std::move(types), std::move(arguments), CallPlan(options_));
}

GenericReference GenericReference::with(CallOptions options) const {
  return GenericReference(core_, std::move(options));
}

}  // namespace settee::inline v0::rpc
