// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// NetworkGate: a bad network between a client and a server of a test, in the test's own process. It
// takes TCP connections on a port of the loopback, makes one to the server for each, and passes on
// what comes, unless it is told of a Fault. That may be switched at any time.
//
//   NetworkGate gate(server.port());
//   auto probe = client.refer<Probe>(gate.url());
//   gate.set({Fault::kSilent});                         // holds when this returns
//   EXPECT_EQ(error_of(probe->echo("x")).code(), Code::kTimeout);
//   gate.clear();
//   EXPECT_EQ(gate.counts().refused, 0u);
//
// A connection that has lost bytes to a fault is beyond repair: it stays as it is when the fault
// ends, and who uses it has to notice.
//
// Threads: it has one of its own; the members may be called from any other.

#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace wire {

enum class Way : std::uint8_t { kBoth, kToServer, kToClient };

/// What is wrong with the network.
struct Fault {
  enum Kind : std::uint8_t {
    kNone,
    kRefused,  ///< Nobody listens; connections that were there have ended.
    kReset,    ///< A TCP reset as soon as anything comes, from either end.
    kSilent,   ///< Connections are taken; nothing that comes is passed on, or ever answered.
    kSlow,     ///< Each connection to the server is made `time` late, and each answer passed on so.
    kCut,      ///< Each connection ends when `bytes` have passed in its way.
    kCorrupted,  ///< Each byte whose number divides by `bytes` arrives inverted.
    kDelayed,    ///< All arrives `time` late, in its way.
    kBandwidth,  ///< No more than `bytes` a second, of each connection, in its way.
    kHalfOpen,   ///< The connections that are there are dead without a word. New ones are not.
    kSliced,     ///< One byte at a time.
  };
  Kind kind = kNone;
  std::size_t bytes = 1;
  std::chrono::milliseconds time{0};
  Way way = Way::kBoth;

  Fault(Kind what = kNone, std::size_t count = 1,  // NOLINT: a kind is a fault
        std::chrono::milliseconds late = {}, Way to = Way::kBoth)
      : kind(what), bytes(std::max<std::size_t>(count, 1)), time(late), way(to) {}
};

class NetworkGate {
 public:
  struct Counts {
    std::size_t accepted = 0;   ///< Connections of clients.
    std::size_t open = 0;       ///< Of those, now.
    std::size_t refused = 0;    ///< The server did not take the gate's connection.
    std::size_t ended = 0;      ///< By a fault: kRefused, kReset, kCut.
    std::size_t to_server = 0;  ///< Bytes passed on.
    std::size_t to_client = 0;
    std::size_t swallowed = 0;  ///< Bytes that came and were not passed on.
    std::size_t changed = 0;    ///< Bytes that were passed on wrong.
  };

  /// To a server on the loopback. Errors (std::runtime_error) say which system call failed.
  explicit NetworkGate(std::uint16_t server_port) : server_port_(server_port) {
    holder_ = bound(0);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(holder_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) fail("eventfd");
    listen();
    thread_ = std::thread([this] { run(); });
  }
  ~NetworkGate() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    poke();
    thread_.join();
    links_.clear();
    for (const int fd : {listener_, holder_, wake_}) {
      if (fd >= 0) ::close(fd);
    }
  }
  NetworkGate(const NetworkGate&) = delete;
  NetworkGate& operator=(const NetworkGate&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return "bolt://" + address(); }

  /// The network is like that from now on.
  void set(Fault fault) {
    std::unique_lock lock(mutex_);
    wanted_ = fault;
    const std::uint64_t mine = ++asked_;
    poke();
    done_.wait(lock, [&] { return applied_ >= mine; });
  }
  void clear() { set({}); }
  Counts counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  using TimePoint = Clock::time_point;
  static constexpr std::size_t kMostHeld = 1 << 20;  // of one way of a connection

  struct Chunk {
    std::string bytes;
    TimePoint due;
  };
  // One way of a connection.
  struct Pipe {
    int from = -1;
    int to = -1;
    Way way = Way::kToServer;
    std::deque<Chunk> held;
    std::size_t held_bytes = 0;
    std::size_t passed = 0;     // since the fault began
    TimePoint next_write = {};  // of kBandwidth
    bool from_ended = false;
    bool to_ended = false;
  };
  struct Link {
    Link(int client_fd, TimePoint when) : client(client_fd), connect_at(when) {
      to_server.from = client;
      to_client.to = client;
      to_client.way = Way::kToClient;
    }
    ~Link() {
      if (client >= 0) ::close(client);
      if (server >= 0) ::close(server);
    }
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;
    int client;
    int server = -1;
    TimePoint connect_at;
    Pipe to_server;
    Pipe to_client;
    bool dead = false;   // swallows all that comes, for good
    bool ended = false;  // is to be deleted
  };

  [[noreturn]] static void fail(const char* what) {
    throw std::runtime_error(std::string("NetworkGate: ") + what + ": " + std::strerror(errno));
  }
  static int bound(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) fail("socket");
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = loopback(port);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
    return fd;
  }
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  static void no_delay(int fd) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  // The holder, which does not listen, keeps the port while nobody does.
  void listen() {
    if (listener_ >= 0) return;
    listener_ = bound(port_);
    if (::listen(listener_, 128) != 0) fail("listen");
  }
  void poke() const {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_, &one, sizeof one));
  }
  static void reset(int& fd) {
    if (fd < 0) return;
    const linger now{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(std::exchange(fd, -1));
  }

  void run() {
    std::vector<pollfd> watched;
    for (;;) {
      apply();
      if (stop_now_) return;
      const TimePoint now = Clock::now();
      TimePoint next = now + std::chrono::seconds(1);
      for (const auto& link : links_) serve(*link, now, next);
      std::erase_if(links_, [](const auto& link) { return link->ended; });
      {
        const std::lock_guard lock(mutex_);
        counts_.open = links_.size();
      }
      watched.clear();
      watched.push_back({wake_, POLLIN, 0});
      if (listener_ >= 0) watched.push_back({listener_, POLLIN, 0});
      for (const auto& link : links_) watch(*link, now, watched);
      // Rounded up: what is due in less than a millisecond is then late by less than one.
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
      ::poll(watched.data(), watched.size(), static_cast<int>(std::max<std::int64_t>(wait, 0)));
      if ((watched[0].revents & POLLIN) != 0) {
        std::uint64_t drained = 0;
        static_cast<void>(!::read(wake_, &drained, sizeof drained));
      }
      if (listener_ >= 0) accept();
    }
  }

  void apply() {
    const std::lock_guard lock(mutex_);
    stop_now_ = stopping_;
    if (applied_ == asked_) return;
    fault_ = wanted_;
    applied_ = asked_;
    if (fault_.kind == Fault::kRefused) {
      if (listener_ >= 0) ::close(std::exchange(listener_, -1));
      counts_.ended += links_.size();
      links_.clear();
    } else {
      listen();
    }
    for (const auto& link : links_) {
      if (fault_.kind == Fault::kHalfOpen) link->dead = true;
      for (Pipe* pipe : {&link->to_server, &link->to_client}) {
        pipe->passed = 0;
        pipe->next_write = {};
      }
    }
    counts_.open = links_.size();
    done_.notify_all();
  }

  void accept() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0) return;
      no_delay(fd);
      const TimePoint now = Clock::now();
      links_.push_back(
          std::make_unique<Link>(fd, fault_.kind == Fault::kSlow ? now + fault_.time : now));
      const std::lock_guard lock(mutex_);
      ++counts_.accepted;
    }
  }

  // On the loopback this needs no waiting.
  bool connect_to_server(Link& link) {
    link.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_port_);
    if (::connect(link.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return false;
    }
    ::fcntl(link.server, F_SETFL, O_NONBLOCK);
    no_delay(link.server);
    link.to_server.to = link.to_client.from = link.server;
    return true;
  }

  // Reads and writes what can be. `next`: when there is more to do without a sign from a socket.
  void serve(Link& link, TimePoint now, TimePoint& next) {
    if (link.ended) return;
    if (link.server < 0 && !link.dead) {
      if (now < link.connect_at) {
        next = std::min(next, link.connect_at);
        return;
      }
      if (!connect_to_server(link)) {
        {
          const std::lock_guard lock(mutex_);
          ++counts_.refused;
        }
        reset(link.client);
        link.ended = true;
        return;
      }
    }
    for (Pipe* pipe : {&link.to_server, &link.to_client}) {
      if (!pull(link, *pipe, now) || !push(link, *pipe, now, next)) {
        link.ended = true;
        return;
      }
    }
    const bool over =
        link.dead ? link.to_server.from_ended && (link.server < 0 || link.to_client.from_ended)
                  : link.to_server.to_ended && link.to_client.to_ended;
    if (over) link.ended = true;
  }

  // False if the connection has ended.
  bool pull(Link& link, Pipe& pipe, TimePoint now) {
    if (pipe.from < 0) return true;
    char part[65536];
    while (!pipe.from_ended && pipe.held_bytes < kMostHeld) {
      const ssize_t got = ::recv(pipe.from, part, sizeof part, 0);
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return true;
      if (got < 0) {
        // As it came, so it goes on; but from a dead connection nothing does.
        if (!link.dead) {
          reset(link.client);
          reset(link.server);
          return false;
        }
        pipe.from_ended = true;
        return true;
      }
      if (got == 0) {
        pipe.from_ended = true;
        return true;
      }
      const auto size = static_cast<std::size_t>(got);
      if (fault_.kind == Fault::kReset && !link.dead) {
        {
          const std::lock_guard lock(mutex_);
          ++counts_.ended;
          counts_.swallowed += size;
        }
        reset(link.client);
        reset(link.server);
        return false;
      }
      if (fault_.kind == Fault::kSilent) link.dead = true;
      if (link.dead) {
        const std::lock_guard lock(mutex_);
        counts_.swallowed += size;
        continue;
      }
      const bool late = (fault_.kind == Fault::kDelayed && concerns(pipe)) ||
                        (fault_.kind == Fault::kSlow && pipe.way == Way::kToClient);
      pipe.held.push_back({std::string(part, size), late ? now + fault_.time : now});
      pipe.held_bytes += size;
    }
    return true;
  }

  bool concerns(const Pipe& pipe) const {
    return fault_.way == Way::kBoth || fault_.way == pipe.way;
  }

  // False if the connection has ended.
  bool push(Link& link, Pipe& pipe, TimePoint now, TimePoint& next) {
    if (link.dead) return true;
    const bool faulty = concerns(pipe);
    while (!pipe.held.empty()) {
      Chunk& chunk = pipe.held.front();
      TimePoint due = chunk.due;
      std::size_t most = chunk.bytes.size();
      if (faulty && fault_.kind == Fault::kBandwidth) due = std::max(due, pipe.next_write);
      if (due > now) {
        next = std::min(next, due);
        return true;
      }
      if (faulty && fault_.kind == Fault::kSliced) most = 1;
      if (faulty && fault_.kind == Fault::kBandwidth) {
        most = std::min(most, std::max<std::size_t>(fault_.bytes / 100, 1));
      }
      if (faulty && fault_.kind == Fault::kCut) most = std::min(most, fault_.bytes - pipe.passed);
      std::string bytes = chunk.bytes.substr(0, most);
      std::size_t changed = 0;
      if (faulty && fault_.kind == Fault::kCorrupted) {
        for (std::size_t i = 0; i < bytes.size(); ++i) {
          if ((pipe.passed + i + 1) % fault_.bytes != 0) continue;
          bytes[i] = static_cast<char>(~bytes[i]);
          ++changed;
        }
      }
      const ssize_t sent = ::send(pipe.to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return true;
      if (sent < 0) {
        reset(link.client);
        reset(link.server);
        return false;
      }
      const auto size = static_cast<std::size_t>(sent);
      pipe.passed += size;
      pipe.held_bytes -= size;
      chunk.bytes.erase(0, size);
      if (chunk.bytes.empty()) pipe.held.pop_front();
      {
        const std::lock_guard lock(mutex_);
        (pipe.way == Way::kToServer ? counts_.to_server : counts_.to_client) += size;
        counts_.changed += changed;
        if (fault_.kind == Fault::kCut && faulty && pipe.passed >= fault_.bytes) {
          ++counts_.ended;
          return false;
        }
      }
      if (faulty && fault_.kind == Fault::kBandwidth) {
        pipe.next_write = now + std::chrono::nanoseconds(size * 1'000'000'000ULL / fault_.bytes);
      }
      if (faulty && fault_.kind == Fault::kSliced && !pipe.held.empty()) {
        // The next one in the next turn, and late enough for this one to be seen by itself.
        std::this_thread::sleep_for(std::chrono::microseconds(10));
        next = now;
        return true;
      }
    }
    if (pipe.from_ended && !pipe.to_ended) {
      ::shutdown(pipe.to, SHUT_WR);
      pipe.to_ended = true;
    }
    return true;
  }

  void watch(const Link& link, TimePoint now, std::vector<pollfd>& watched) const {
    const auto add = [&](int fd, const Pipe& out, const Pipe& in) {
      if (fd < 0) return;
      short events = 0;
      if (!out.from_ended && out.held_bytes < kMostHeld) events |= POLLIN;
      const bool waits_for_room =
          !link.dead && !in.held.empty() && in.held.front().due <= now && in.next_write <= now;
      if (waits_for_room && fault_.kind != Fault::kSliced) events |= POLLOUT;
      if (events != 0) watched.push_back({fd, events, 0});
    };
    add(link.client, link.to_server, link.to_client);
    add(link.server, link.to_client, link.to_server);
  }

  const std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  int holder_ = -1;
  int wake_ = -1;
  std::thread thread_;

  mutable std::mutex mutex_;
  std::condition_variable done_;
  Fault wanted_;
  std::uint64_t asked_ = 0;
  std::uint64_t applied_ = 0;
  bool stopping_ = false;
  Counts counts_;

  // The thread's own.
  int listener_ = -1;
  Fault fault_;
  bool stop_now_ = false;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace wire
