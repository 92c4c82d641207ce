// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Newcomer: the protocol of an accepted connection until it is known what is spoken on it, for servers
// to derive theirs from. A peer that says nothing is closed like an idle one.

#pragma once

#include "settee/base/detail/peer_log.h"
#include "settee/base/stats.h"
#include "settee/net/connection.h"

namespace settee::inline v0::net::detail {

/// On the connection's loop.
class SETTEE_API Newcomer : public Protocol, private Timer {
 public:
  void on_begin(Connection& connection) override;
  void on_close(Connection& connection, const Error& why) override;

 protected:
  /// `patience`: how long the peer may say nothing; 0: for ever. `log` and `idle_closed` outlive it.
  Newcomer(Duration patience, settee::detail::PeerLog& log, Counter& idle_closed) noexcept
      : patience_(patience), log_(log), idle_closed_(idle_closed) {}

  /// Another protocol takes over.
  void known() noexcept { disarm(); }

 private:
  /// The connection has been closed.
  virtual void gone(Connection& connection) = 0;
  void on_timer() override;

  const Duration patience_;
  settee::detail::PeerLog& log_;
  Counter& idle_closed_;
  Connection* connection_ = nullptr;
};

}  // namespace settee::inline v0::net::detail
