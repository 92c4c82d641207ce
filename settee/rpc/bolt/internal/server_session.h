// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ServerSession: one connection of a Bolt client, on the server.

#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "settee/net/connection.h"
#include "settee/rpc/bolt/frame.h"
#include "settee/rpc/bolt/internal/sofa_message.h"
#include "settee/rpc/internal/server_core.h"

namespace settee::inline v0::rpc::bolt {

class ArgumentSource;
class ServerCall;

/// The other end of a session; constant.
struct SessionPeer {
  std::string text;
  std::shared_ptr<const net::TlsInfo> tls;
};

/// What all sessions of a server share; constant.
struct ServerFormat {
  ResponseFormat sofa3{Dialect::kSofa3};
  ResponseFormat hessian2{Dialect::kHessian2};
  hessian::Limits limits;

  const ResponseFormat& of(Dialect dialect) const {
    return dialect == Dialect::kSofa3 ? sofa3 : hessian2;
  }
};

/// Of the requests that a loop has served: how they began and what that meant. Callers without a trace
/// begin every request of a method with the same bytes, and need not have them read again.
class HeadCache {
 public:
  struct Entry {
    std::uint64_t table_version = 0;
    MethodEntry* method = nullptr;
    std::vector<std::uint8_t> header;
    hessian::ReaderState state;
  };

  /// The entry for such a request; null if there is none of this very beginning and table.
  const Entry* find(const Frame& frame, std::uint64_t table_version) const noexcept;
  /// Remembers a request whose head `reader` has read. Now and then: beginnings that differ each time
  /// are not worth the copy.
  void keep(const Frame& frame, std::uint64_t table_version, MethodEntry& method,
            const hessian::Reader& reader);

 private:
  static constexpr std::size_t kEntries = 32;
  static constexpr std::size_t kLargest = 4096;  // header and head: what a peer can make us keep
  static std::size_t place(const Frame& frame) noexcept;
  struct Slot {
    std::uint32_t misses = 0;
    std::unique_ptr<Entry> entry;
  };
  mutable std::array<Slot, kEntries> slots_;
};

class ServerSession final : public net::Protocol, private Timer {
 public:
  ServerSession(std::shared_ptr<Server::Core> core, std::shared_ptr<const ServerFormat> format,
                HeadCache& heads, net::Connection& connection);
  ~ServerSession() override;

  Taken on_data(net::Connection& connection, std::span<const std::uint8_t> data) override;
  void on_close(net::Connection& connection, const Error& why) override;

 private:
  friend class ServerCall;

  void on_timer() override;  // idle?
  void refuse_frame(const FrameStep& step);
  void refuse_header(const Frame& frame);
  void handle(const Frame& frame);
  void handle_request(const Frame& frame);
  [[gnu::cold]] void turn_away(const Frame& frame);
  void look_at_clock(TimePoint now);
  /// Of a frame whose time is not over waited_ms_. True: nobody waits for its answer any more.
  [[gnu::noinline]] bool drop_expired(const Frame& frame);
  void handle_hessian(const Frame& frame);
  void handle_plain(const Frame& frame);  // protobuf and JSON
  void handle_generic(const Frame& frame, ServiceEntry& service, hessian::Reader& reader);
  void refresh_table() {
    if (own_loop_.version != table_version_ || !core_->is_newest(own_loop_)) take_table();
  }
  [[gnu::noinline]] void take_table();
  ServiceEntry* find_service(std::string_view name);
  void begin(const Frame& frame, MethodEntry& method, ArgumentSource& source, Baggage baggage);
  /// Authentication and limits. False: it has been answered.
  [[gnu::noinline]] bool let_in(const Frame& frame, MethodEntry& method, const Baggage& baggage);
  [[gnu::noinline]] bool authenticated(const Frame& frame, MethodEntry& method,
                                       const Baggage& baggage);
  void let_calls_go() noexcept;

  // Answers that need no handler.
  void answer_failure(const Frame& frame, std::string_view message);
  void answer_status(const Frame& frame, Status status, std::string_view message);

  const SessionPeer& peer();
  const std::string& peer_text() { return peer().text; }

  std::shared_ptr<Server::Core> core_;
  std::shared_ptr<const ServerFormat> format_;
  HeadCache& heads_;  // of this loop, kept by format_'s owner: the binding in core_
  net::Connection& connection_;
  ServerLoop& own_loop_;
  RunningCalls calls_;
  TimePoint now_{};                  // within on_data(): at most a few calls old
  std::int32_t waited_ms_ = 0;       // the bytes that are looked at, since they were read
  std::uint64_t table_version_ = 0;  // of what is below
  ServiceEntry* last_service_ = nullptr;
  MethodEntry* last_method_ = nullptr;
  std::size_t in_flight_ = 0;
  bool filtered_ = false;   // the table has filters
  bool watched_ = false;    // somebody listens to what becomes of calls, as of this read
  bool held_back_ = false;  // not read, as too much is in flight
  // Outlives the session with calls that still run: what they call their peer points to it.
  std::shared_ptr<const SessionPeer> peer_;
};

}  // namespace settee::inline v0::rpc::bolt
