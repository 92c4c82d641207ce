// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// CallWatch: what listeners are told of a call that a server works on, and what is kept of it for
// that. There is one only for calls that arrive while somebody listens.
//
// Threads: those of the call, one at a time.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "settee/base/context.h"
#include "settee/rpc/events.h"
#include "settee/rpc/internal/server_core.h"

namespace settee::inline v0::rpc {

class CallWatch {
 public:
  /// The call has arrived. `context` is the one under which it goes on: listeners may put something
  /// there. `call`, `protocol` and `invoke_type` must outlive this.
  CallWatch(Server::Core& core, const Call& call, std::string_view protocol,
            std::string_view invoke_type, std::string peer_app, std::size_t request_bytes,
            Context& context);

  /// It waits for a thread of a pool.
  void submitted() { submitted_ = Clock::now(); }
  /// The method is about to run.
  void begun();
  /// It ends otherwise than as its method says.
  void failed(Error error) { error_ = std::move(error); }
  /// Its answer stands in the connection's buffer.
  void sent() const;
  void ended(const Result<void>& ended) const;

  CallMeasures measures;

 private:
  CallFacts facts() const;

  Server::Core& core_;
  const Call& call_;
  const std::uint64_t number_;
  const std::string_view protocol_;
  const std::string_view invoke_type_;
  const std::string peer_app_;
  const TimePoint arrived_ = Clock::now();
  TimePoint submitted_{};
  TimePoint begun_{};
  Duration queued_{};
  std::optional<Error> error_;
};

}  // namespace settee::inline v0::rpc
