// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/local_call.h"

#include <fmt/format.h>

#include <algorithm>

#include "settee/rpc/internal/local_run.h"
#include "settee/rpc/internal/server_core.h"

namespace settee::inline v0::rpc {

LocalServices::Found LocalServices::next_version() {
  version_.fetch_add(1, std::memory_order_release);
  return std::exchange(found_, Found());
}

void LocalServices::add(std::shared_ptr<Server::Core> server) {
  Found old;
  const std::lock_guard lock(mutex_);
  servers_.push_back(std::move(server));
  old = next_version();
}

void LocalServices::remove(const Server::Core& server) {
  Found old;
  std::shared_ptr<Server::Core> removed;
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(servers_.begin(), servers_.end(),
                                  [&](const auto& one) { return one.get() == &server; });
  if (found == servers_.end()) return;
  removed = std::move(*found);
  servers_.erase(found);
  old = next_version();
}

void LocalServices::changed(const Server::Core& server) {
  Found old;
  const std::lock_guard lock(mutex_);
  if (std::none_of(servers_.begin(), servers_.end(),
                   [&](const auto& one) { return one.get() == &server; })) {
    return;
  }
  old = next_version();
}

std::shared_ptr<const LocalService> LocalServices::find(std::string_view unique_name) {
  const std::lock_guard lock(mutex_);
  if (const auto known = found_.find(unique_name); known != found_.end()) return known->second;
  for (const std::shared_ptr<Server::Core>& server : servers_) {
    const std::shared_ptr<const ServiceTable> table = server->table();
    const auto found = table->services.find(unique_name);
    if (found == table->services.end()) continue;
    auto made = std::make_shared<LocalService>();
    made->server = server;
    made->entry = found->second;
    found_.emplace(unique_name, made);
    return made;
  }
  return nullptr;
}

/// What a loop knows of where the calls go.
struct alignas(64) LocalTarget::Slot {
  struct Method {
    MethodEntry* entry = nullptr;
    bool direct = false;
  };
  std::uint64_t version = 0;
  // Weakly: else the reference would keep what the server has released.
  std::weak_ptr<const LocalService> service;
  std::vector<Method> methods;  // in the order of the caller's description
};

LocalTarget::LocalTarget(Runtime& runtime, const ServiceInfo* service, std::string unique_name)
    : runtime_(runtime),
      services_(runtime.part<LocalServices>()),
      service_(service),
      name_(std::move(unique_name)) {
  slots_ = std::make_unique<Slot[]>(runtime.loops().size());
  if (service == nullptr) return;
  for (const MethodInfo& method : service->methods) {
    std::vector<std::string>& made = signatures_.emplace_back();
    for (const ParameterInfo& parameter : method.parameters) {
      made.push_back(java_name(*parameter.type));
    }
  }
}

LocalTarget::~LocalTarget() = default;

bool LocalTarget::look(std::uint64_t version) {
  const bool there = services_->find(name_) != nullptr;
  known_.store(version << 1 | (there ? 1 : 0), std::memory_order_release);
  return there;
}

void LocalTarget::refresh(Slot& slot) {
  const std::uint64_t version = services_->version();
  if (slot.version == version) return;
  slot.methods.clear();
  const std::shared_ptr<const LocalService> service = services_->find(name_);
  slot.service = service;
  slot.version = version;
  if (service == nullptr || service_ == nullptr || !service->entry->enter()) return;
  for (std::size_t i = 0; i < signatures_.size(); ++i) {
    const MethodInfo& method = service_->methods[i];
    const std::vector<std::string_view> signatures(signatures_[i].begin(), signatures_[i].end());
    Slot::Method& made = slot.methods.emplace_back();
    made.entry = find_method(*service->entry, method.wire_name, signatures);
    made.direct = made.entry != nullptr && is_direct(method, *made.entry->info);
  }
  service->entry->leave();
}

Task<bool> LocalTarget::call(Outgoing outgoing) {
  const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
  const Context caller = Context::share(self.context);
  Loop& loop = runtime_.loop();
  if (!loop.in_loop()) co_await resume_on(loop);
  if (outgoing.now < loop.now()) outgoing.now = Clock::now();
  Slot& slot = slots_[loop.index()];
  refresh(slot);
  std::shared_ptr<const LocalService> service = slot.service.lock();
  // The order matters: who stops a server forbids new calls first, and then looks at those that run.
  // It also waits for each loop's turn to end, so that nobody holds the service who has not entered.
  if (service == nullptr || !service->entry->enter()) co_return false;
  if (service->server->draining.load()) {
    service->entry->leave();
    co_return false;
  }
  ServiceEntry& entry = *service->entry;
  LocalWay way;
  if (outgoing.method != nullptr) {
    const auto index = static_cast<std::size_t>(outgoing.method - service_->methods.data());
    if (index < slot.methods.size()) {
      way.entry = slot.methods[index].entry;
      way.direct = slot.methods[index].direct;
    }
  } else {
    const std::vector<std::string_view> types(outgoing.types.begin(), outgoing.types.end());
    way.entry = find_method(entry, outgoing.name, types);
  }
  if (Result<void> may = caller.check(outgoing.name); !may || way.entry == nullptr) {
    entry.leave();
    if (!may) co_await fail(may.error().within(name_));
    co_await fail(Error(Code::kMethodNotFound,
                        fmt::format("{}#{} at local: the service has no method of that name and "
                                    "signature",
                                    name_, outgoing.name)));
  }
  if (Result<void> same = same_streams(outgoing, *way.entry->info); !same) {
    entry.leave();
    co_await fail(same.error().within(fmt::format("{} at local", name_)));
  }
  way.runtime = &runtime_;
  way.server = service->server.get();
  way.method = way.entry->info;
  way.object = entry.object;
  way.service = entry.unique_name;
  way.peer = "local";
  way.label = way.entry->label;
  if (way.entry->guarded) {
    const LocalHeaders headers(outgoing, caller);
    const Call call(Side::kServer, entry.unique_name, way.entry->name, way.peer, &headers);
    const Baggage* const baggage = caller.get(kRequestBaggage);
    if (Result<void> in = let_in(*way.server, *way.entry, call, baggage, outgoing.now); !in) {
      entry.leave();
      co_await fail(in.error());
    }
  }
  ServerLoop& own = way.server->of(loop);
  way.server->refresh(own);
  way.filters = own.table->chain(*way.entry);
  way.hold = std::move(service);
  LocalRun run(outgoing, deadline_of(outgoing, caller));
  run.begin(std::move(way), caller);
  if (!run.ended()) {
    const auto reason = co_await run.wait();
    run.after_wait(reason);
    if (outgoing.streams != nullptr) co_await run.leave_streams();
  }
  if (const std::optional<Error>& error = run.finish(caller)) co_await fail(*error);
  co_return true;
}

}  // namespace settee::inline v0::rpc
