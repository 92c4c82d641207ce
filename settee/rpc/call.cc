// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/call.h"

#include "settee/rpc/internal/binding.h"
#include "settee/rpc/internal/server_core.h"

namespace settee::inline v0::rpc {

const ContextKey<Baggage> kRequestBaggage{"rpc.request_baggage"};
const ContextKey<Baggage> kRequestHeaders{"rpc.request_headers"};
const ContextKey<std::shared_ptr<Baggage>> kResponseBaggage{"rpc.response_baggage"};
const char kServerCall = 0;

namespace {

const ServerCallItem* current_item() noexcept {
  return static_cast<const ServerCallItem*>(context().item(&kServerCall));
}

}  // namespace

const Call* current_call() noexcept {
  const ServerCallItem* item = current_item();
  return item == nullptr ? nullptr : item->call.load(std::memory_order_acquire);
}

void respond_baggage(std::string_view key, std::string_view value) {
  const ServerCallItem* item = current_item();
  if (item == nullptr || item->call.load(std::memory_order_acquire) == nullptr) {
    throw Error(Code::kMisuse, "respond_baggage(): no call is being served here");
  }
  item->response.insert_or_assign(std::string(key), std::string(value));
}

std::string_view ReceivedHeaders::find(std::string_view name) const {
  std::string_view found;
  each([&](std::string_view one, std::string_view value) {
    if (one == name) found = value;
    return one != name;
  });
  return found;
}

std::string_view Call::header(std::string_view name) const {
  if (received_ != nullptr) {
    if (const std::string_view found = received_->find(name); !found.empty()) return found;
  }
  if (sent_ == nullptr) return {};
  const auto set = sent_->find(name);
  return set == sent_->end() ? std::string_view() : std::string_view(set->second);
}

void Call::each_header(
    const std::function<bool(std::string_view name, std::string_view value)>& visit) const {
  if (received_ != nullptr) received_->each(visit);
  if (sent_ == nullptr) return;
  for (const auto& [name, value] : *sent_) {
    if (!visit(name, value)) return;
  }
}

void Call::set_header(std::string_view name, std::string_view value) {
  if (sent_ == nullptr) {
    throw Error(Code::kMisuse, "Call::set_header(): headers are sent by clients");
  }
  sent_->insert_or_assign(std::string(name), std::string(value));
}

void give_baggage(const Context& context, const Baggage& received) {
  const auto* wanted = context.get(kResponseBaggage);
  if (wanted == nullptr || !*wanted) return;
  for (const auto& [key, value] : received) (**wanted)[key] = value;
}

const Baggage* joined_headers(const Baggage* context, const Baggage* call, Baggage& both) {
  if (call == nullptr || call->empty()) {
    return context == nullptr || context->empty() ? nullptr : context;
  }
  if (context == nullptr || context->empty()) return call;
  both = *call;
  both.insert(context->begin(), context->end());
  return &both;
}

Filter::~Filter() = default;

// What is no coroutine throws here and not in its Task; callers await nothing but the Task.
Task<void> Next::operator()() const {
  try {
    if (at_ == chain_->size()) return terminal_->proceed();
    return (*chain_)[at_]->apply(*call_, Next(*chain_, at_ + 1, *call_, *terminal_));
  } catch (...) {
    return failed(settee::detail::current_error());
  }
}

}  // namespace settee::inline v0::rpc
