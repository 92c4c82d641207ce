// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Connection: one stream socket on one loop, for life. It reads what is there, gives it to its
// Protocol, and writes once at the end of the loop's turn all that was appended to out() meanwhile:
// the answers of one read leave in one system call.
//
// Back-pressure: above `high_mark` unsent bytes it is congested, until no more than `low_mark` are left.
// While it is, it stops reading, unless the options say otherwise; the protocol may stop reading too,
// e.g. when too many calls are in flight.
//
// When the peer has closed its side, what is in out() is still offered to it, once; then the
// connection is closed.
//
// With TLS (settee/net/tls.h) the protocol sees plain bytes all the same, and out() is encrypted when
// it is written: once, at the end of the turn. Bytes that are encrypted and not sent are unsent() too.
//
// Threads: everything on the loop's thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "settee/base/bytes.h"
#include "settee/base/loop.h"
#include "settee/base/stats.h"
#include "settee/net/endpoint.h"

namespace settee::inline v0::net {

class Connection;
class TlsClientContext;
class TlsServerContext;
class TlsSession;
struct TlsInfo;

/// What a connection speaks. Owned by it.
class SETTEE_API Protocol {
 public:
  virtual ~Protocol();

  /// What on_data() did with the bytes it was given.
  struct Taken {
    /// These are done with; the rest is given again with more behind it, or, if on_data() left it as it
    /// paused reading or the connection became congested, when reading goes on.
    std::size_t consumed;
    std::size_t wanted = 1;  ///< on_data() has no use for fewer bytes than this.
  };
  /// The connection has been given this protocol; on_data() comes next.
  virtual void on_begin(Connection& connection);
  /// The TLS handshake is done: tls() says with whom. What is sent before that waits for it. Never
  /// called without TLS; a server that takes plain text too calls it for peers that speak TLS.
  virtual void on_secured(Connection& connection);
  /// `data` is all that has been received and not consumed. It is valid during the call only.
  virtual Taken on_data(Connection& connection, std::span<const std::uint8_t> data) = 0;
  /// The connection has ended; called once. `why` says how.
  virtual void on_close(Connection& connection, const Error& why) = 0;
  /// The bytes that could not be written are below the low mark again.
  virtual void on_drained(Connection& connection);
};

struct ConnectionOptions {
  std::size_t high_mark = 4 * 1024 * 1024;  ///< With more unsent bytes it is congested.
  std::size_t low_mark = 1024 * 1024;       ///< With so many or fewer it no longer is.
  bool read_when_congested = false;         ///< Do not stop reading for it.
  std::size_t turn_bytes = 256 * 1024;      ///< Read at most so much of one connection in a turn.
};

/// Counted by every connection made with them; see Stats.
struct ConnectionStats {
  Counter& bytes_in;
  Counter& bytes_out;
  Counter& reads;
  Counter& writes;
  Counter& congestions;
  UpDownCounter& open;
  SETTEE_API static ConnectionStats of(Stats& stats, std::string_view role);
};

class SETTEE_API Connection final : public Watcher,
                                    public std::enable_shared_from_this<Connection> {
 public:
  /// Takes over `fd`, a connected non-blocking stream socket. Call begin() once, on the loop; it throws an
  /// Error (kIo) if the loop cannot watch the socket.
  Connection(Loop& loop, int fd, SocketAddress peer, const ConnectionOptions& options,
             const ConnectionStats& stats);
  ~Connection();

  /// Before begin(): this end is a TLS server. Peers that break its rules are told so and closed.
  void accept_tls(const TlsServerContext& context);
  /// Before begin(): this end is a TLS client of `host`, a name or a numeric address.
  void start_tls(const TlsClientContext& context, std::string host);
  void begin(std::unique_ptr<Protocol> protocol);
  /// Gives the connection another protocol, e.g. when its first bytes have told which. The new one
  /// gets the bytes not consumed.
  void switch_protocol(std::unique_ptr<Protocol> protocol) noexcept;

  /// Append what is to be sent, then cork().
  Buffer& out() noexcept { return out_; }
  /// Writes out() at the end of this turn (or now, if it has grown large).
  void cork();
  std::size_t unsent() const noexcept { return tls_ == nullptr ? out_.size() : unsent_tls(); }
  /// Too many bytes are unsent: the peer does not read what it gets. Protocols stop making more.
  bool congested() const noexcept { return congested_; }

  void pause_reading() noexcept { paused_ = true; }
  void resume_reading();

  /// Ends the connection now. The protocol hears of it before this returns.
  void close(const Error& why);
  /// Ends it when all of out() has been written, or at `by`. Reads nothing more.
  void close_when_sent(const Error& why, TimePoint by);
  bool closed() const noexcept { return fd_ < 0; }
  /// For on_close(): the peer has closed its side in good order, all that it sent was read, and with TLS
  /// nobody has cut it short.
  bool ended_by_peer() const noexcept { return ended_by_peer_; }

  Loop& loop() noexcept { return loop_; }
  Protocol& protocol() noexcept { return *protocol_; }
  const SocketAddress& peer() const noexcept { return peer_; }
  /// Null without TLS, and until on_secured().
  std::shared_ptr<const TlsInfo> tls() const noexcept;
  /// When bytes last came in.
  TimePoint last_read() const noexcept { return last_read_; }
  TimePoint last_write() const noexcept { return last_write_; }

  void on_events(std::uint32_t events) override;

 private:
  class Hook : public TurnHook {
   public:
    using Act = void (Connection::*)();
    Hook(Connection& connection, Act act) noexcept : connection_(connection), act_(act) {}

   private:
    void on_turn() override { (connection_.*act_)(); }
    Connection& connection_;
    Act act_;
  };
  class Linger final : public Timer {
   public:
    explicit Linger(Connection& connection) noexcept : connection_(connection) {}
    void on_timer() override { connection_.close(*connection_.closing_); }

   private:
    Connection& connection_;
  };

  bool may_read() const noexcept {
    return !closed() && !paused_ && (!congested_ || options_.read_when_congested) && !closing_;
  }
  void read();
  void receive(std::span<const std::uint8_t> fresh);
  bool reads() const noexcept { return tls_ == nullptr ? may_read() : may_read_tls(); }
  [[gnu::cold]] bool may_read_tls() const noexcept;
  [[gnu::cold]] std::size_t unsent_tls() const noexcept;
  void receive_tls(std::span<const std::uint8_t> cipher, std::span<std::uint8_t> room);
  bool secure();
  [[gnu::cold]] void finish_tls();
  void fail_tls(const Error& why);
  void end_tls();
  void on_end();
  std::size_t deliver(std::span<const std::uint8_t> data);
  void note_congestion() noexcept {
    if (!congested_ && unsent() > options_.high_mark) [[unlikely]]
      become_congested();
  }
  [[gnu::cold]] void become_congested() noexcept;
  void flush();

  Loop& loop_;
  int fd_;
  bool paused_ = false;     // by the protocol
  bool congested_ = false;  // too much unsent
  bool readable_ = false;   // there may be more to read than was read
  bool ended_ = false;      // the peer sends no more than what is there
  bool finished_ = false;   // nor would TLS take it
  bool ended_by_peer_ = false;
  bool writable_ = true;
  std::size_t wanted_ = 1;
  Buffer out_;
  std::vector<std::uint8_t> pending_;  // received and not consumed
  std::unique_ptr<Protocol> protocol_;
  std::unique_ptr<Protocol> replaced_;
  std::unique_ptr<TlsSession> tls_;  // null: plain text
  TimePoint last_read_;
  TimePoint last_write_;
  Hook flush_hook_;
  Hook read_hook_;
  Linger linger_;
  std::optional<Error> closing_;
  std::optional<Error> broken_;  // nothing can be written any more, but what came can be read
  ConnectionOptions options_;
  ConnectionStats stats_;
  SocketAddress peer_;
};

}  // namespace settee::inline v0::net
