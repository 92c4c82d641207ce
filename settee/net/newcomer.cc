// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/detail/newcomer.h"

namespace settee::inline v0::net::detail {

void Newcomer::on_begin(Connection& connection) {
  connection_ = &connection;
  if (patience_.count() > 0) arm(connection.loop(), connection.loop().now() + patience_);
}

void Newcomer::on_close(Connection& connection, const Error& why) {
  disarm();
  // Whoever just went away, or was silent, is nobody's business.
  if (why.code() == Code::kProtocol || why.code() == Code::kTimeout || why.code() == Code::kLimit) {
    log_.warn(why.message());
  }
  gone(connection);
}

void Newcomer::on_timer() {
  idle_closed_.add();
  connection_->close(Error(Code::kConnectionClosed, "the peer said nothing"));
}

}  // namespace settee::inline v0::net::detail
