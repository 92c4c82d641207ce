// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// LocalRun: one call that an object of this process serves, as its caller sees it. The call itself
// has a life of its own, since a method may go on when its caller has given up.
//
// Threads: the loop on which it was begun.

#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "settee/base/detail/parking.h"
#include "settee/base/runtime.h"
#include "settee/rpc/internal/binding.h"
#include "settee/rpc/internal/hosted_call.h"

namespace settee::inline v0::rpc {

/// The headers that a caller in this process sends.
class LocalHeaders final : public ReceivedHeaders {
 public:
  LocalHeaders(const Outgoing& outgoing, const Context& caller);
  void each(const std::function<bool(std::string_view, std::string_view)>& visit) const override;

 private:
  Baggage headers_;  // copies: the caller may be gone before the call
};

/// Where such a call goes.
struct LocalWay : HostedWay {
  bool direct = false;  // caller and provider have the same types
};

class LocalCall;

class LocalRun {
 public:
  /// `deadline` is the caller's.
  LocalRun(const Outgoing& outgoing, TimePoint deadline) noexcept
      : outgoing_(outgoing), deadline_(deadline) {}
  ~LocalRun();
  LocalRun(const LocalRun&) = delete;
  LocalRun& operator=(const LocalRun&) = delete;

  /// Begins it, under a Context made of the caller's. It may have ended when this returns.
  void begin(LocalWay&& way, const Context& caller);
  bool ended() const noexcept { return ended_; }
  /// Waits until it has, or the caller's time or patience is over.
  auto wait() { return parking_.emplace().wait(deadline_); }
  void after_wait(settee::detail::Parking::Reason reason);
  /// Ends when the call does nothing with the caller's streams any more; soon after after_wait(), since
  /// they are used under the call's Context.
  Task<void> leave_streams();
  /// Gives the response's baggage to who wants it; the call's Error, if it failed.
  const std::optional<Error>& finish(const Context& caller);

 private:
  friend class LocalCall;
  const Outgoing& outgoing_;
  const TimePoint deadline_;
  LocalCall* call_ = nullptr;  // while it runs for this
  bool ended_ = false;
  std::optional<Error> error_;
  Baggage response_;
  std::optional<settee::detail::Parking> parking_;
  int using_streams_ = 0;
  std::shared_ptr<settee::detail::Parking::State> left_streams_;
};

/// Whether values of `from` may be taken as they are where `to` is wanted.
bool same_values(const TypeInfo& from, const TypeInfo& to);
/// The deadline of a call under this Context.
TimePoint deadline_of(const Outgoing& outgoing, const Context& context);
/// Whether the call's arguments and result, and what it streams, are those of `method`.
bool is_direct(const MethodInfo& caller, const MethodInfo& method);
/// An Error (kMisuse) if the caller has streams where `method` has none, or the other way round.
Result<void> same_streams(const Outgoing& outgoing, const MethodInfo& method);

}  // namespace settee::inline v0::rpc
