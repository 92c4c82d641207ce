// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/call_watch.h"

#include <utility>

namespace settee::inline v0::rpc {

CallWatch::CallWatch(Server::Core& core, const Call& call, std::string_view protocol,
                     std::string_view invoke_type, std::string peer_app, std::size_t request_bytes,
                     Context& context)
    : core_(core),
      call_(call),
      number_(core.call_numbers.fetch_add(1, std::memory_order_relaxed) + 1),
      protocol_(protocol),
      invoke_type_(invoke_type),
      peer_app_(std::move(peer_app)) {
  measures.request_bytes = request_bytes;
  if (!core_.events.received.active()) return;
  ServerCallReceived event;
  event.call = facts();
  event.peer = call_.peer();
  event.request = &call_;
  event.context = &context;
  core_.events.received.publish(event);
}

CallFacts CallWatch::facts() const {
  CallFacts facts;
  facts.number = number_;
  facts.service = call_.service();
  facts.method = call_.method();
  facts.protocol = protocol_;
  facts.invoke_type = invoke_type_;
  facts.app = std::string_view(core_.options.app_name);
  facts.peer_app = std::string_view(peer_app_);
  return facts;
}

void CallWatch::begun() {
  begun_ = Clock::now();
  if (submitted_ != TimePoint()) queued_ = begun_ - submitted_;
  if (!core_.events.begun.active()) return;
  ServerCallStarted event;
  event.call = facts();
  event.queued = queued_;
  core_.events.begun.publish(event);
}

void CallWatch::sent() const {
  if (!core_.events.sent.active()) return;
  ServerCallSent event;
  event.call = facts();
  event.response_bytes = measures.response_bytes;
  core_.events.sent.publish(event);
}

void CallWatch::ended(const Result<void>& ended) const {
  if (!core_.events.ended.active()) return;
  const TimePoint now = Clock::now();
  ServerCallEnded event;
  event.call = facts();
  event.peer = call_.peer();
  if (error_) {
    event.error = error_;
  } else if (!ended) {
    event.error = ended.error();
  }
  event.took = now - arrived_;
  event.queued = queued_;
  if (begun_ != TimePoint()) event.handled = now - begun_;
  event.measures = measures;
  core_.events.ended.publish(event);
}

}  // namespace settee::inline v0::rpc
