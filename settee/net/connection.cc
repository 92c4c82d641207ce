// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/connection.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "settee/net/internal/tls_session.h"

namespace settee::inline v0::net {

namespace {

constexpr std::size_t kFlushAt = 256 * 1024;  // more than this does not wait for the turn's end
constexpr int kGather = 64;
// Of the loop's room for reads, what is decrypted there: all of a read and of the record before it.
constexpr std::size_t kPlainRoom = 40 * 1024;

}  // namespace

Protocol::~Protocol() = default;
void Protocol::on_begin(Connection&) {}
void Protocol::on_drained(Connection&) {}
void Protocol::on_secured(Connection&) {}

ConnectionStats ConnectionStats::of(Stats& stats, std::string_view role) {
  const StatTags tags{{"role", std::string(role)}};
  return {stats.counter("settee.net.bytes_in", "By", "Bytes received", tags),
          stats.counter("settee.net.bytes_out", "By", "Bytes sent", tags),
          stats.counter("settee.net.reads", "1", "Reads that gave bytes", tags),
          stats.counter("settee.net.writes", "1", "Writes that took bytes", tags),
          stats.counter("settee.net.congestions", "1",
                        "Times that a connection's unsent bytes passed the high mark", tags),
          stats.up_down_counter("settee.net.connections", "1", "Connections that are open", tags)};
}

Connection::Connection(Loop& loop, int fd, SocketAddress peer, const ConnectionOptions& options,
                       const ConnectionStats& stats)
    : loop_(loop),
      fd_(fd),
      last_read_(loop.now()),
      last_write_(loop.now()),
      flush_hook_(*this, &Connection::flush),
      read_hook_(*this, &Connection::read),
      linger_(*this),
      options_(options),
      stats_(stats),
      peer_(peer) {}

Connection::~Connection() {
  if (fd_ >= 0) {
    loop_.unwatch(fd_);
    ::close(fd_);
    stats_.open.subtract();
  }
}

void Connection::begin(std::unique_ptr<Protocol> protocol) {
  stats_.open.add();  // until close() or the destructor
  // Both directions once and for all: edges come only when there is news.
  loop_.watch(fd_, EPOLLIN | EPOLLOUT | EPOLLRDHUP, *this);
  protocol_ = std::move(protocol);
  if (tls_) {
    tls_->begin();
    loop_.at_turn_end(flush_hook_);
  }
  protocol_->on_begin(*this);
}

void Connection::switch_protocol(std::unique_ptr<Protocol> protocol) noexcept {
  replaced_ = std::exchange(protocol_, std::move(protocol));  // may be on the stack: freed later
}

void Connection::cork() {
  if (closed()) return;
  if (out_.size() >= kFlushAt && writable_) {
    flush();
  } else {
    loop_.at_turn_end(flush_hook_);
  }
  // Known at once, so that the frames of this very read make no more.
  if (!closed()) note_congestion();
}

void Connection::become_congested() noexcept {
  congested_ = true;
  stats_.congestions.add();
}

void Connection::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  if (finished_ || (may_read() && (readable_ || !pending_.empty()))) loop_.next_turn(read_hook_);
}

void Connection::on_events(std::uint32_t events) {
  if (closed()) return;
  if ((events & EPOLLOUT) != 0 && !writable_ && !broken_) {
    writable_ = true;
    flush();
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    // The end has no edge of its own when it came with the last bytes.
    if ((events & ~static_cast<std::uint32_t>(EPOLLIN | EPOLLOUT)) != 0) ended_ = true;
    readable_ = true;
    read();
  }
}

void Connection::read() {
  if (finished_) [[unlikely]] {
    if (!closed()) finish_tls();
    return;
  }
  if (!reads()) return;
  // Bytes kept from before may hold frames that a pause held back.
  if (pending_.size() >= wanted_ && may_read()) receive({});
  std::size_t budget = options_.turn_bytes;
  std::span<std::uint8_t> scratch = loop_.scratch();
  std::span<std::uint8_t> plain;
  if (tls_) [[unlikely]] {
    plain = scratch.first(kPlainRoom);
    scratch = scratch.subspan(kPlainRoom);
  }
  while (readable_ && reads()) {
    if (tls_) [[unlikely]] {
      if (!tls_->may_go_on()) {
        loop_.next_turn(read_hook_);
        return;
      }
    }
    const ssize_t got = ::recv(fd_, scratch.data(), scratch.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        readable_ = false;
        break;
      }
      const Error why(
          Code::kConnectionClosed,
          fmt::format("connection with {}: reading: {}", peer_.to_string(), std::strerror(errno)));
      close(tls_ && !tls_->detecting() ? tls_->cut_off().because(why) : why);
      return;
    }
    if (got == 0) {
      on_end();
      return;
    }
    const auto count = static_cast<std::size_t>(got);
    stats_.reads.add();
    stats_.bytes_in.add(count);
    last_read_ = loop_.now();
    // A short read has emptied the socket: the next bytes bring an edge of their own.
    if (count < scratch.size() && !ended_) readable_ = false;
    if (tls_ == nullptr) [[likely]] {
      receive(scratch.first(count));
    } else {
      receive_tls(scratch.first(count), plain);
    }
    if (budget <= count) {
      if (readable_ && reads()) loop_.next_turn(read_hook_);
      break;
    }
    budget -= count;
  }
}

// The peer sends no more.
void Connection::on_end() {
  flush();  // the peer may still read what it has asked for
  if (closed()) return;
  if (tls_ && !tls_->ended() && !tls_->detecting()) {
    close(tls_->cut_off());
    return;
  }
  if (broken_ && tls_ == nullptr) {
    close(*broken_);  // that is no good order
    return;
  }
  ended_by_peer_ = true;
  close(
      Error(Code::kConnectionClosed,
            fmt::format(
                "connection with {}: the peer closed it{}", peer_.to_string(),
                pending_.empty() ? "" : fmt::format(", {} bytes into a frame", pending_.size()))));
}

// Only the frame that was split is put together in pending_; whole ones are taken where they are.
void Connection::receive(std::span<const std::uint8_t> fresh) {
  while (!pending_.empty()) {
    if (pending_.size() < wanted_) {
      const std::size_t part = std::min(fresh.size(), wanted_ - pending_.size());
      if (part == 0) return;
      pending_.insert(pending_.end(), fresh.begin(),
                      fresh.begin() + static_cast<std::ptrdiff_t>(part));
      fresh = fresh.subspan(part);
      if (pending_.size() < wanted_) return;
    }
    const std::size_t used = deliver(pending_);
    if (closed()) return;
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
    if (!may_read()) {
      pending_.insert(pending_.end(), fresh.begin(), fresh.end());
      return;
    }
  }
  if (pending_.capacity() != 0) pending_ = {};  // an idle connection keeps no buffer
  if (fresh.empty()) return;
  const std::size_t used = deliver(fresh);
  if (!closed() && used < fresh.size()) {
    pending_.assign(fresh.begin() + static_cast<std::ptrdiff_t>(used), fresh.end());
  }
}

// Lets the protocol take of `data` until it wants more than there is; returns how much it took.
std::size_t Connection::deliver(std::span<const std::uint8_t> data) {
  std::size_t used = 0;
  while (used < data.size()) {
    const Protocol::Taken taken = protocol_->on_data(*this, data.subspan(used));
    if (closed()) return used;
    used += taken.consumed;
    wanted_ = std::max<std::size_t>(taken.wanted, 1);
    if (replaced_) {
      replaced_.reset();
      wanted_ = 1;
      protocol_->on_begin(*this);
      continue;
    }
    if (!may_read()) break;
    // What takes nothing of what it has must want more.
    if (taken.consumed == 0) wanted_ = std::max(wanted_, data.size() - used + 1);
    if (wanted_ > data.size() - used) break;
  }
  return used;
}

void Connection::flush() {
  flush_hook_.unqueue();
  Buffer& wire = tls_ == nullptr ? out_ : tls_->wire();
  while (!closed() && writable_ && (tls_ == nullptr ? !out_.empty() : tls_->wrap(out_))) {
    iovec parts[kGather];
    const int count = wire.gather(parts, kGather);
    ssize_t sent = 0;
    if (count == 1) {  // mostly: and then this is the cheaper call
      sent = ::send(fd_, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = parts;
      message.msg_iovlen = static_cast<std::size_t>(count);
      sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    }
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        writable_ = false;
        break;
      }
      const bool gone = errno == EPIPE || errno == ECONNRESET;
      const Error why(
          Code::kConnectionClosed,
          fmt::format("connection with {}: writing: {}", peer_.to_string(), std::strerror(errno)));
      if (gone && (tls_ || options_.read_when_congested) && reads()) {
        // The peer may have said why, or have answered, in bytes that are there to be read.
        broken_ = why;
        writable_ = false;
        readable_ = ended_ = true;
        loop_.next_turn(read_hook_);
        return;
      }
      close(why);
      return;
    }
    stats_.writes.add();
    stats_.bytes_out.add(static_cast<std::uint64_t>(sent));
    last_write_ = loop_.now();
    wire.consume(static_cast<std::size_t>(sent));
  }
  if (closed()) return;
  if (tls_ && tls_->write_error()) [[unlikely]] {
    close(*tls_->write_error());
    return;
  }
  // What it waits for may have come while a pause or congestion kept it from being read.
  if (tls_ && tls_->write_waits() && readable_) [[unlikely]]
    loop_.next_turn(read_hook_);
  if (closing_ && unsent() == 0) {
    close(*closing_);
    return;
  }
  note_congestion();
  if (congested_ && unsent() <= options_.low_mark) {
    congested_ = false;
    protocol_->on_drained(*this);
    if (may_read() && (readable_ || finished_ || !pending_.empty())) loop_.next_turn(read_hook_);
  }
}

void Connection::close(const Error& why) {
  if (closed()) return;
  const std::shared_ptr<Connection> self = weak_from_this().lock();
  if (tls_) end_tls();
  loop_.unwatch(fd_);
  ::close(std::exchange(fd_, -1));
  stats_.open.subtract();
  flush_hook_.unqueue();
  read_hook_.unqueue();
  linger_.disarm();
  if (protocol_) protocol_->on_close(*this, why);
  // This turn's events may still name us.
  if (self) loop_.delete_later(self);
}

void Connection::close_when_sent(const Error& why, TimePoint by) {
  if (closed()) return;
  if (unsent() == 0) {
    close(why);
    return;
  }
  closing_ = why;
  linger_.arm(loop_, by);
  loop_.at_turn_end(flush_hook_);
}

}  // namespace settee::inline v0::net
