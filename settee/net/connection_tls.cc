// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a Connection does for TLS only.

#include <sys/socket.h>
#include <sys/uio.h>

#include "settee/net/connection.h"
#include "settee/net/internal/tls_session.h"

namespace settee::inline v0::net {

void Connection::accept_tls(const TlsServerContext& context) {
  tls_ = std::make_unique<TlsSession>(*this, context.core_, "");
}

void Connection::start_tls(const TlsClientContext& context, std::string host) {
  tls_ = std::make_unique<TlsSession>(*this, context.core_, std::move(host));
}

std::shared_ptr<const TlsInfo> Connection::tls() const noexcept {
  return tls_ ? tls_->info() : nullptr;
}

std::size_t Connection::unsent_tls() const noexcept { return out_.size() + tls_->wire().size(); }

// A handshake needs the peer's bytes, whatever waits for its end. So does a write that waits for them.
bool Connection::may_read_tls() const noexcept {
  return tls_->open() && !tls_->write_waits() ? may_read() : !closed();
}

// `cipher` has come from the socket; what it means is put together in `room`.
void Connection::receive_tls(std::span<const std::uint8_t> cipher, std::span<std::uint8_t> room) {
  if (tls_->detecting()) {
    Result<TlsSession::Speaks> speaks = tls_->detect(cipher[0]);
    if (!speaks) {
      fail_tls(speaks.error());
      return;
    }
    if (*speaks == TlsSession::Speaks::kPlainText) {
      tls_.reset();
      receive(cipher);
      return;
    }
  }
  tls_->feed(cipher);
  if (!tls_->open() && !secure()) return;
  for (;;) {
    Result<std::size_t> got = tls_->read(room);
    // A session's tickets, the answer to a change of keys, or what had to wait for one.
    if (!tls_->wire().empty() || tls_->write_waits()) loop_.at_turn_end(flush_hook_);
    if (!got || *got == 0) break;
    if (may_read()) {
      receive(room.first(*got));
    } else {
      pending_.insert(pending_.end(), room.begin(),
                      room.begin() + static_cast<std::ptrdiff_t>(*got));
    }
    if (closed()) return;
  }
  note_congestion();
  if (!tls_->ended() && !tls_->broken()) return;
  finished_ = true;
  finish_tls();
}

// The peer sends nothing more that is of use. The protocol hears of it when it has taken what came
// before, for which a pause may make it wait. Congestion does not, when nothing can be sent any more.
void Connection::finish_tls() {
  if (may_read() && pending_.size() >= wanted_) receive({});
  if (closed()) return;
  if (tls_->broken() && (!paused_ || closing_)) {
    fail_tls(*tls_->broken());
  } else if (may_read()) {
    on_end();
  }
}

// Goes on with the handshake. True: it is done and the connection stands.
bool Connection::secure() {
  Result<bool> done = tls_->handshake();
  if (!tls_->wire().empty() || !out_.empty()) loop_.at_turn_end(flush_hook_);
  if (!done) fail_tls(done.error());
  if (!done || !*done) return false;
  protocol_->on_secured(*this);
  return !closed();
}

void Connection::fail_tls(const Error& why) {
  flush();  // the alert that tells the peer why
  close(why);
}

// Tells the peer that all was sent. Once: nobody waits for it.
void Connection::end_tls() {
  tls_->stop();
  if (!writable_ || !out_.empty()) return;
  tls_->farewell();
  iovec part{};
  if (tls_->wire().gather(&part, 1) == 0) return;
  (void)::send(fd_, part.iov_base, part.iov_len, MSG_NOSIGNAL);
}

}  // namespace settee::inline v0::net
