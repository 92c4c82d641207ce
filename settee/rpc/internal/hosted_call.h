// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// HostedCall: a call that an object of this process serves, as far as it does not matter where it has
// come from: counted, limited, watched, under a Context of its own, through the server's filters. Bolt's
// ServerCall is one by itself, as it saves what it can; calls of this process (LocalCall) and of HTTP
// are made of this.
//
// Threads: the loop on which it was begun; read_arguments() there too, write_result() perhaps on a
// pool's thread.

#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "settee/base/runtime.h"
#include "settee/rpc/internal/call_watch.h"
#include "settee/rpc/internal/filter_set.h"
#include "settee/rpc/internal/server_core.h"
#include "settee/rpc/internal/service_table.h"

namespace settee::inline v0::rpc {

/// Where such a call goes.
struct HostedWay {
  std::shared_ptr<const void> hold;  // keeps all of the others
  Runtime* runtime = nullptr;
  Server::Core* server = nullptr;  // null: a mock
  MethodEntry* entry = nullptr;    // null: a mock. The call has entered it and its limits.
  const MethodInfo* method = nullptr;
  void* object = nullptr;
  std::string_view service;
  std::string_view peer;  // "local", "mock" or an address
  const char* label = nullptr;
  FilterChain filters;
};

class HostedCall : public MethodFrame, public Next::Terminal, public RunningCall {
 public:
  /// What runs: the filters, and behind them the method.
  Task<void> serve() {
    return way_.filters == nullptr ? proceed() : Next(*way_.filters, 0, call_, *this)();
  }

  // MethodFrame, Terminal
  Task<void> proceed() final;
  ThreadPool* pool() final;
  void refuse(const Error& error) final;
  bool begin() final;

 protected:
  struct Origin {
    std::string_view protocol;     // as events name it
    std::string_view invoke_type;  // the same
    std::string_view peer_app;
    const Baggage* baggage = nullptr;
    ContextItem* span = nullptr;
    std::stop_token stop;  // of who waits for it
    std::size_t request_bytes = 0;
  };

  /// `way` and `headers` must outlive it. `came`: when its bytes did.
  HostedCall(HostedWay& way, Loop& loop, TimePoint came, TimePoint callers_deadline,
             const ReceivedHeaders* headers, const net::TlsInfo* tls = nullptr);
  ~HostedCall();

  /// The Context under which it runs.
  Context make_context(const Origin& origin);
  /// It ends otherwise than as its method says.
  void fail(Error error);
  /// When all has ended, on the loop: what listeners and limits are told.
  void conclude(const Result<void>& done);

  HostedWay& way_;
  Loop& loop_;
  const TimePoint callers_deadline_;
  TimePoint deadline_;  // the earlier of that and the service's own
  Call call_;
  bool answered_ = false;               // the method has a result
  std::optional<Error> failure_;        // that the method has no part in
  std::unique_ptr<CallWatch> watched_;  // null: nobody listens

 private:
  // Cancels a call when its caller is cancelled, on whatever thread.
  struct CancelCall {
    const ServerCallItem* item;
    void operator()() const;
  };

  Task<void> on_loop();

  std::optional<std::stop_callback<CancelCall>> on_cancel_;
  TimePoint measured_from_{};  // of a method with a limit that measures
  bool tells_time_ = false;
  bool proceeded_ = false;  // beyond the filters
};

/// In an Error: ServerOptions::authenticate has refused the caller.
class CallerRefused final : public ErrorDetail {};

/// The same: this server is about to stop, so the call was not begun.
class ServerDrains final : public ErrorDetail {};

/// Whether ServerOptions::authenticate takes the caller; else the Error that it gets.
Result<void> authenticate(Server::Core& server, const Call& call, const Baggage* baggage);

/// Who calls is asked for, and the limits of service and method, for a call that has entered its
/// service; else the Error that its caller gets, counted and told.
Result<void> let_in(Server::Core& server, MethodEntry& method, const Call& call,
                    const Baggage* baggage, TimePoint now);

}  // namespace settee::inline v0::rpc
