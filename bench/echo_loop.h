// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The bare floor: the least that a server and a client over epoll can do. One thread,
// edge-triggered, TCP_NODELAY, read until a short read, handle every whole frame, then one write
// for the turn.
// A Protocol says where a frame ends and what it holds, nothing else:
//
//   std::size_t frame_size(const char* data, std::size_t size)     0 = more bytes are needed first
//   bool answer(std::string_view frame, std::string& out)          server; false = close
//   void call(std::string& out, std::uint32_t id)                  client
//   const char* check(std::string_view frame, std::uint32_t& id)   client; the fault, or nullptr
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/common.h"

namespace bench {

constexpr std::size_t kReadBuffer = 64 * 1024;  // keeps a deep turn of large frames inside L2
constexpr std::size_t kLargestFrame = 64 << 20;

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) die_errno("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) die_errno("setrlimit");
}

/// A socket with its buffers. Closed on destruction.
class Connection {
 public:
  explicit Connection(int fd) : fd_(fd), in_(kReadBuffer) {
    const int one = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) die_errno("TCP_NODELAY");
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }
  std::string& out() { return out_; }

  /// Reads all there is and hands every whole frame to `on_frame(frame) -> bool`; `after_read()`
  /// runs once after each read. False when the peer has closed or a frame was refused.
  template <class Protocol, class OnFrame, class AfterRead>
  bool read_frames(Protocol& protocol, bool until_empty, OnFrame on_frame, AfterRead after_read) {
    for (;;) {
      const std::size_t room = in_.size() - end_;
      const ssize_t n = read(fd_, in_.data() + end_, room);
      if (n == 0) return false;
      if (n < 0) {
        if (errno == EINTR) continue;
        return errno == EAGAIN;
      }
      end_ += static_cast<std::size_t>(n);
      after_read();
      std::size_t begin = 0;
      while (begin < end_) {
        const std::size_t size = protocol.frame_size(in_.data() + begin, end_ - begin);
        if (size > kLargestFrame) return false;
        if (size > in_.size()) in_.resize(size);
        if (size == 0 || size > end_ - begin) break;
        if (!on_frame(std::string_view(in_.data() + begin, size))) return false;
        begin += size;
      }
      if (begin > 0) std::memmove(in_.data(), in_.data() + begin, end_ - begin);
      end_ -= begin;
      // A short read has emptied the socket (epoll(7)): no second read to see EAGAIN. Only after a
      // hang-up, whose event may have merged with that of the data, is the end looked for.
      if (static_cast<std::size_t>(n) < room && !until_empty) return true;
    }
  }

  /// Writes what the socket takes; the rest waits for EPOLLOUT. False when the peer is gone.
  bool flush() {
    while (sent_ < out_.size()) {
      const ssize_t n = send(fd_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
      if (n < 0) {
        if (errno == EINTR) continue;
        return errno == EAGAIN;
      }
      sent_ += static_cast<std::size_t>(n);
    }
    out_.clear();
    sent_ = 0;
    return true;
  }

 private:
  int fd_;
  std::vector<char> in_;
  std::size_t end_ = 0;
  std::string out_;
  std::size_t sent_ = 0;
};

inline void watch(int epoll, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die_errno("epoll_ctl");
}

/// The events that came within `timeout_ms` (-1 = no limit); they lie in `buffer`.
inline std::span<const epoll_event> wait(int epoll, std::vector<epoll_event>& buffer,
                                         int timeout_ms) {
  int count = 0;
  do {
    count = epoll_wait(epoll, buffer.data(), static_cast<int>(buffer.size()), timeout_ms);
  } while (count < 0 && errno == EINTR);
  if (count < 0) die_errno("epoll_wait");
  return {buffer.data(), static_cast<std::size_t>(count)};
}

inline std::size_t index(int fd) { return static_cast<std::size_t>(fd); }

constexpr std::uint32_t kConnectionEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t kHangUp = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/// Serves until SIGTERM or SIGINT. Prints "READY port=<n>" when listening and at the end
/// "ANSWERED <n>": the number of calls that a client's syscalls or allocations are divided by.
template <class Protocol>
int serve(const Options& options, Protocol& protocol) {
  raise_file_limit();
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);

  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address = loopback(options.port);
  socklen_t length = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      listen(listener, 4096) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    die_errno("cannot listen on 127.0.0.1:" + std::to_string(options.port));
  }
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener, EPOLLIN);
  watch(epoll, signal_fd, EPOLLIN);
  std::printf("READY port=%d\n", ntohs(address.sin_port));
  std::fflush(stdout);

  std::uint64_t answered = 0;
  std::vector<std::unique_ptr<Connection>> connections;  // by file descriptor
  std::vector<epoll_event> events(256);
  for (;;) {
    for (const epoll_event& event : wait(epoll, events, -1)) {
      const int fd = event.data.fd;
      if (fd == signal_fd) {
        std::printf("ANSWERED %llu\n", static_cast<unsigned long long>(answered));
        return 0;
      }
      if (fd == listener) {
        const int accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) continue;
        if (connections.size() <= index(accepted)) connections.resize(index(accepted) + 1);
        connections[index(accepted)] = std::make_unique<Connection>(accepted);
        watch(epoll, accepted, kConnectionEvents);
        continue;
      }
      Connection& connection = *connections[index(fd)];
      const auto on_frame = [&](std::string_view frame) {
        ++answered;
        return protocol.answer(frame, connection.out()) && (!options.each || connection.flush());
      };
      const bool hang_up = (event.events & kHangUp) != 0;
      const bool open = connection.flush() &&
                        connection.read_frames(protocol, hang_up, on_frame, [] {}) &&
                        connection.flush();
      if (!open) connections[index(fd)].reset();
    }
  }
}

/// Keeps `outstanding` calls in flight on each connection, for the warm-up and then for the
/// measured time; a new call starts when an answer arrives. All calls of one turn leave in one
/// write, or with `--mode each` every call in a write of its own. Returns the exit status.
template <class Protocol>
class ClosedLoop {
 public:
  ClosedLoop(const Options& options, Protocol& protocol)
      : options_(options), protocol_(protocol), measurement_(options) {}

  int run() {
    raise_file_limit();
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    now_ = now_ns();
    for (int i = 0; i < options_.connections; ++i) open_peer();
    const std::uint64_t warm = now_ + static_cast<std::uint64_t>(options_.warmup * 1e9);
    turn_until(warm);
    measurement_.start();
    turn_until(now_ns() + static_cast<std::uint64_t>(options_.duration * 1e9));
    measurement_.stop();
    return measurement_.report();
  }

 private:
  struct Slot {
    std::uint32_t id = 0;
    std::uint64_t started_ns = 0;  // 0 = answered
  };

  struct Peer {
    explicit Peer(int fd) : connection(fd) {}
    Connection connection;
    std::vector<Slot> slots;  // a power of two of them; a call's slot is id modulo their number
  };

  void open_peer() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(options_.port);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      die_errno("cannot connect to 127.0.0.1:" + std::to_string(options_.port));
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (peers_.size() <= index(fd)) peers_.resize(index(fd) + 1);
    peers_[index(fd)] = std::make_unique<Peer>(fd);
    Peer& peer = *peers_[index(fd)];
    peer.slots.resize(std::bit_ceil(static_cast<unsigned>(options_.outstanding)));
    watch(epoll_, fd, kConnectionEvents);
    for (int i = 0; i < options_.outstanding; ++i) start(peer, static_cast<std::uint32_t>(i));
    if (!peer.connection.flush()) lost();
  }

  void start(Peer& peer, std::uint32_t id) {
    peer.slots[id % peer.slots.size()] = {id, options_.each ? now_ns() : now_};
    protocol_.call(peer.connection.out(), id);
    if (options_.each && !peer.connection.flush()) lost();
  }

  void turn_until(std::uint64_t end) {
    while (now_ < end) {
      const auto events = wait(epoll_, events_, 5000);
      if (events.empty()) die("no answer for 5 seconds: the server hangs or has lost calls");
      for (const epoll_event& event : events) {
        Peer& peer = *peers_[index(event.data.fd)];
        if ((event.events & kHangUp) != 0) lost();
        const bool open =
            peer.connection.flush() &&
            peer.connection.read_frames(
                protocol_, false, [&](std::string_view frame) { return answered(peer, frame); },
                [&] { now_ = now_ns(); }) &&
            peer.connection.flush();
        if (!open) lost();
      }
    }
  }

  bool answered(Peer& peer, std::string_view frame) {
    std::uint32_t id = 0;
    if (const char* wrong = protocol_.check(frame, id)) measurement_.error(wrong);
    Slot& slot = peer.slots[id % peer.slots.size()];
    if (slot.id != id || slot.started_ns == 0) {
      measurement_.error("its id is of no call in flight");
      return true;
    }
    measurement_.record(now_ - std::min(now_, slot.started_ns));
    slot.started_ns = 0;
    start(peer, id + static_cast<std::uint32_t>(peer.slots.size()));
    return true;
  }

  [[noreturn]] void lost() {
    die("the server closed the connection, or sent a frame beyond all limits");
  }

  const Options& options_;
  Protocol& protocol_;
  Measurement measurement_;
  int epoll_ = -1;
  std::uint64_t now_ = 0;
  std::vector<std::unique_ptr<Peer>> peers_;  // by file descriptor
  std::vector<epoll_event> events_ = std::vector<epoll_event>(256);
};

}  // namespace bench
