// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/client.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <mutex>

#include "settee/rpc/cluster/internal/cluster.h"
#include "settee/rpc/internal/binding.h"
#include "settee/rpc/internal/url.h"
#include "settee/rpc/registry.h"

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
  Core(Runtime& r, ClientOptions o)
      : runtime(r), options(checked(std::move(o))), bolt(make_bolt_transport(runtime, options)) {}
  Runtime& runtime;
  const ClientOptions options;
  const std::shared_ptr<Transport> bolt;
  Next::Chain filters;

  /// Keeps the connections to an address that the program names itself: references to it come and go.
  void pin(const net::Endpoint& endpoint) {
    std::shared_ptr<Address> address = bolt->address(endpoint);
    const std::lock_guard lock(mutex_);
    pinned_.emplace(address->text(), std::move(address));
  }

  /// One for each url, shared by all references.
  std::shared_ptr<Registry> registry(const std::string& url) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Registry>& found = registries_[url];
    if (!found) found = open_registry(runtime, url);
    return found;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Registry>> registries_;
  std::map<std::string, std::shared_ptr<Address>> pinned_;
};

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

}  // namespace

// The providers that several registries list, together.
class Listing {
 public:
  Listing(ServiceKey key, std::weak_ptr<cluster::Cluster> cluster)
      : key_(std::move(key)), cluster_(std::move(cluster)) {}

  // What the registry of that number lists now.
  void set(std::size_t registry, const std::string& address, const Providers& all) {
    const std::shared_ptr<cluster::Cluster> cluster = cluster_.lock();
    if (!cluster) return;
    const std::lock_guard lock(mutex_);
    Part& part = parts_[registry];
    part.providers.clear();
    part.words =
        fmt::format("{} lists {} provider(s) of {}", address, all.size(), key_.unique_name());
    for (const Provider& provider : all) {
      if (provider.protocol != key_.protocol) {
        part.words +=
            fmt::format("; {} speaks {}", provider.endpoint.to_string(), provider.protocol);
      } else if (provider.attribute("uniqueId") != key_.unique_id) {
        part.words += fmt::format("; {} has uniqueId '{}'", provider.endpoint.to_string(),
                                  provider.attribute("uniqueId"));
      } else {
        part.providers.push_back(provider);
      }
    }
    Providers together;
    std::string words;
    for (const auto& [number, one] : parts_) {
      together.insert(together.end(), one.providers.begin(), one.providers.end());
      words += (words.empty() ? "" : "; ") + one.words;
    }
    cluster->describe(std::move(words));
    cluster->update_from_registry(together, address);
  }

 private:
  struct Part {
    Providers providers;
    std::string words;
  };
  const ServiceKey key_;
  const std::weak_ptr<cluster::Cluster> cluster_;
  std::mutex mutex_;
  std::map<std::size_t, Part> parts_;
};

class ReferenceCore {
 public:
  static std::shared_ptr<ReferenceCore> make(std::shared_ptr<Client::Core> client,
                                             const ServiceInfo* service,
                                             std::string_view interface_name,
                                             const ReferOptions& options) {
    const ClientOptions& defaults = client->options;
    TargetOptions target;
    target.service = service;
    target.name = unique_name(interface_name, options.version, options.unique_id);
    target.target_app = options.target_app;
    target.serialization = options.serialization.value_or(defaults.serialization);
    cluster::ClusterOptions cluster;
    cluster.service = target.name;
    cluster.balancer = options.balancer.value_or(defaults.balancer);
    cluster.mode = options.cluster.value_or(defaults.cluster);
    cluster.retries = options.retries.value_or(defaults.retries);
    cluster.fault_tolerance = defaults.fault_tolerance;
    const std::chrono::milliseconds timeout = options.timeout.value_or(defaults.timeout);
    return std::make_shared<ReferenceCore>(std::move(client), std::move(target), timeout,
                                           std::move(cluster));
  }
  ReferenceCore(std::shared_ptr<Client::Core> client, TargetOptions target,
                std::chrono::milliseconds timeout, cluster::ClusterOptions cluster)
      : client_(std::move(client)),
        name_(target.name),
        timeout_(timeout),
        retries_(cluster.retries),
        target_(client_->bolt->target(std::move(target))),
        cluster_(std::make_shared<cluster::Cluster>(client_->runtime, *client_->bolt,
                                                    std::move(cluster))) {}

  /// The addresses, once and for all.
  void set_addresses(const Providers& providers) {
    for (const Provider& provider : providers) {
      address_ += (address_.empty() ? "" : ",") + provider.endpoint.to_string();
    }
    cluster_->update(providers);
    for (const Provider& provider : providers) client_->pin(provider.endpoint);
    if (providers.size() == 1 && retries_ == 0) {
      only_ = client_->bolt->address(providers[0].endpoint);
    }
  }
  /// The addresses are what these list, now and in future.
  void watch(const std::vector<std::shared_ptr<Registry>>& registries, const ServiceKey& key) {
    const auto listing = std::make_shared<Listing>(key, cluster_);
    std::string waited_for;
    for (const std::shared_ptr<Registry>& registry : registries) {
      waited_for += (waited_for.empty() ? "" : ", ") + registry->address();
    }
    cluster_->describe(waited_for + " has not answered yet");
    ConsumerInfo consumer;
    consumer.app_name = client_->options.app_name;
    consumer.timeout = timeout_;
    for (std::size_t i = 0; i < registries.size(); ++i) {
      const std::shared_ptr<Registry>& registry = registries[i];
      address_ += (address_.empty() ? "" : ",") + registry->address();
      watches_.push_back(registry->watch(
          key, consumer, [listing, i, address = registry->address()](const Providers& all) {
            listing->set(i, address, all);
          }));
    }
    registries_ = registries;
  }

  const Next::Chain& filters() const noexcept { return client_->filters; }
  const std::string& name() const noexcept { return name_; }
  const std::string& address() const noexcept { return address_; }

  Task<void> call(Outgoing& outgoing, const CallOptions& options) {
    outgoing.timeout = options.timeout().value_or(timeout_);
    if (only_) return target_->call(only_, outgoing);
    return cluster_->call(*target_, outgoing,
                          cluster_->wants_key() ? first_argument(outgoing) : std::string());
  }

 private:
  const std::shared_ptr<Client::Core> client_;
  const std::string name_;
  const std::chrono::milliseconds timeout_;
  const int retries_;
  std::string address_;
  const std::unique_ptr<Target> target_;
  const std::shared_ptr<cluster::Cluster> cluster_;
  std::shared_ptr<Address> only_;  // then there is nothing to choose
  std::vector<std::shared_ptr<Registry>> registries_;
  std::vector<Registry::Watch> watches_;
};

namespace {

// Through the client's filters, `last` behind them.
Task<void> filtered(ReferenceCore& core, std::string_view method, Next::Terminal& last) {
  Call call(Side::kClient, core.name(), method, core.address());
  Result<void> done = co_await as_result(Next(core.filters(), 0, call, last)());
  if (!done) co_await fail(done.error());
}

struct Last final : Next::Terminal {
  ReferenceCore& core;
  Outgoing& outgoing;
  const CallOptions& options;
  Last(ReferenceCore& c, Outgoing& o, const CallOptions& p) : core(c), outgoing(o), options(p) {}
  Task<void> proceed() override { return core.call(outgoing, options); }
};

class ReferenceInvoker final : public Invoker {
 public:
  ReferenceInvoker(std::shared_ptr<ReferenceCore> core, CallOptions options)
      : core_(std::move(core)), options_(options) {}

  Task<void> invoke(const MethodInfo& method, void* const* arguments, void* result,
                    CallMode mode) override {
    Outgoing outgoing;
    outgoing.method = &method;
    outgoing.name = method.wire_name;
    outgoing.arguments = arguments;
    outgoing.result = result;
    outgoing.mode = mode;
    if (core_->filters().empty()) return core_->call(outgoing, options_);
    return with_filters(outgoing);
  }

 private:
  Task<void> with_filters(Outgoing outgoing) {
    Last last(*core_, outgoing, options_);
    Result<void> done = co_await as_result(filtered(*core_, outgoing.name, last));
    if (!done) co_await fail(done.error());
  }

  std::shared_ptr<ReferenceCore> core_;
  CallOptions options_;
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

std::vector<AddressStatus> addresses_of(const ReferenceCore&) { return {}; }

}  // namespace detail

Task<hessian::Value> GenericReference::call(std::string method, std::vector<std::string> types,
                                            std::vector<hessian::Value> arguments) const {
  // All that it needs is the coroutine's own: this reference may go while the call is on its way.
  return [](std::shared_ptr<ReferenceCore> core, std::string name, std::vector<std::string> types,
            std::vector<hessian::Value> values, CallOptions options) -> Task<hessian::Value> {
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
    Last last(*core, outgoing, options);
    Task<void> way = core->filters().empty() ? last.proceed() : filtered(*core, name, last);
    Result<void> done = co_await as_result(std::move(way));
    if (!done) co_return done.error();
    co_return result;
  }(core_, std::move(method), std::move(types), std::move(arguments), options_);
}

GenericReference GenericReference::with(CallOptions options) const {
  return GenericReference(core_, options);
}

Client::Client(Runtime& runtime, ClientOptions options)
    : core_(std::make_shared<Core>(runtime, std::move(options))) {}

Client::~Client() { core_->bolt->stop(); }

void Client::stop() { core_->bolt->stop(); }

void Client::add_filter(FilterUse filter) { core_->filters.push_back(std::move(filter.filter)); }
bool Client::remove_filter(std::string_view) { return false; }

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
  const std::shared_ptr<ReferenceCore> made =
      ReferenceCore::make(core_, service, interface_name, options);
  Providers providers;
  for (const net::Endpoint& endpoint : parsed->endpoints) {
    providers.emplace_back().endpoint = endpoint;
  }
  made->set_addresses(providers);
  return made;
}

std::shared_ptr<ReferenceCore> Client::make_core(std::vector<std::shared_ptr<Registry>> registries,
                                                 const ServiceInfo* service,
                                                 std::string_view interface_name,
                                                 ReferOptions options) {
  if (registries.empty()) throw Error(Code::kInvalidArgument, "refer(): no registry is given");
  if (interface_name.empty()) interface_name = service->interface_name;
  const std::shared_ptr<ReferenceCore> made =
      ReferenceCore::make(core_, service, interface_name, options);
  ServiceKey key;
  key.interface_name = interface_name;
  key.version = options.version;
  key.unique_id = options.unique_id;
  made->watch(registries, key);
  return made;
}

}  // namespace settee::inline v0::rpc
