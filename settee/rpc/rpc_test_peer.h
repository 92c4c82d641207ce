// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// For tests of the wire: a service that shows what reaches it, a peer of either side that sends
// whatever bytes it is told to, and frames made by hand.

#pragma once

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "settee/base/reflect.h"
#include "settee/hessian/hessian.h"
#include "settee/rpc/bolt/frame.h"
#include "settee/rpc/rpc.h"

namespace wire {

struct Item {
  std::string name;
  std::int64_t cents = 0;
  std::vector<std::string> tags;
  std::map<std::string, std::int32_t> stock;
  std::optional<double> weight;
  std::vector<Item> parts;
};

struct NoSuchItem : settee::BusinessException<NoSuchItem> {
  std::string name;
};

struct Probe {
  virtual ~Probe() = default;
  virtual settee::Task<std::string> echo(std::string text) = 0;
  virtual settee::Task<Item> item(Item given) = 0;
  virtual settee::Task<settee::hessian::Value> value(settee::hessian::Value given) = 0;
  virtual settee::Task<std::int64_t> sum(std::vector<std::int32_t> numbers) = 0;
  virtual settee::Task<std::int32_t> nap(std::int32_t ms) = 0;
  virtual settee::Task<std::int32_t> block(std::int32_t ms) = 0;
  virtual settee::Task<settee::Bytes> bytes(std::int32_t size) = 0;
  virtual settee::Task<void> note(std::string text) = 0;
  virtual settee::Task<void> fail(std::string name) = 0;
  virtual settee::Task<void> crash() = 0;
  virtual settee::Task<std::string> later(std::string text) = 0;
};

}  // namespace wire

SETTEE_STRUCT(wire::Item, "com.acme.Item", name, cents, tags, stock, weight, parts)
SETTEE_EXCEPTION(wire::NoSuchItem, "com.acme.NoSuchItem", name)
SETTEE_SERVICE(wire::Probe, "com.acme.Probe", (echo, text), (item, given), (value, given),
               (sum, numbers), (nap, ms), (block, ms).blocking(), (bytes, size), (note, text),
               (fail, name), (crash), (later, text))

namespace wire {

using namespace std::chrono_literals;
using settee::Clock;
using settee::Code;
using settee::Error;
using settee::Task;
using settee::TimePoint;

inline constexpr const char* kService = "com.acme.Probe:1.0";

/// Resumes in the loop's next turn.
struct NextTurn {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) const {
    settee::Loop::current()->post([handle] { handle.resume(); });
  }
  void await_resume() const noexcept {}
};

class MyProbe : public Probe {
 public:
  Task<std::string> echo(std::string text) override {
    ++calls;
    co_return std::move(text);
  }
  Task<Item> item(Item given) override {
    ++calls;
    co_return std::move(given);
  }
  Task<settee::hessian::Value> value(settee::hessian::Value given) override {
    ++calls;
    co_return std::move(given);
  }
  Task<std::int64_t> sum(std::vector<std::int32_t> numbers) override {
    ++calls;
    std::int64_t all = 0;
    for (const std::int32_t number : numbers) all += number;
    co_return all;
  }
  Task<std::int32_t> nap(std::int32_t ms) override {
    ++calls;
    const int now = ++napping;
    for (int most = most_napping; now > most && !most_napping.compare_exchange_weak(most, now);) {
    }
    const settee::Result<void> slept =
        co_await as_result(settee::sleep_for(std::chrono::milliseconds(ms)));
    --napping;
    if (!slept) co_await settee::fail(slept.error());
    co_return ms;
  }
  Task<std::int32_t> block(std::int32_t ms) override {
    ++calls;
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    co_return ms;
  }
  Task<settee::Bytes> bytes(std::int32_t size) override {
    ++calls;
    const std::string text(static_cast<std::size_t>(size), 'b');
    co_return settee::Bytes(text);
  }
  Task<void> note(std::string) override {
    ++calls;
    ++notes;
    co_return;
  }
  Task<void> fail(std::string name) override {
    ++calls;
    NoSuchItem none;
    none.message = "no such item";
    none.name = std::move(name);
    throw none;
    co_return;
  }
  Task<void> crash() override {
    ++calls;
    throw std::runtime_error("out of cheese");
    co_return;
  }
  Task<std::string> later(std::string text) override {
    ++calls;
    co_await NextTurn();
    co_return std::move(text);
  }

  std::atomic<int> calls{0};
  std::atomic<int> notes{0};
  std::atomic<int> napping{0};
  std::atomic<int> most_napping{0};
};

template <class F>
bool eventually(F condition, std::chrono::milliseconds most = 20s) {
  const TimePoint until = Clock::now() + most;
  while (!condition()) {
    if (Clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// Bytes in use from malloc; of no use under a sanitizer, which keeps freed memory.
inline std::size_t heap_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
#if defined(SETTEE_SANITIZE)
inline constexpr bool kMemoryCounts = false;
#else
inline constexpr bool kMemoryCounts = true;
#endif

/// What a Runtime logged.
class LogLines {
 public:
  auto keep() {
    return [this](settee::LogLevel level, std::string_view component, std::string_view message) {
      const std::lock_guard lock(mutex_);
      lines_.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(component) +
                       " " + std::string(message));
    };
  }
  /// The first line that has all of `parts`; empty if none comes within a while.
  std::string wait_for(std::vector<std::string> parts) {
    std::string found;
    eventually([&] {
      const std::lock_guard lock(mutex_);
      for (const std::string& line : lines_) {
        bool all = true;
        for (const std::string& part : parts) all = all && line.find(part) != std::string::npos;
        if (all) {
          found = line;
          return true;
        }
      }
      return false;
    }, 5s);
    return found;
  }
  std::string all() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const std::string& line : lines_) text += line + "\n";
    return text;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return lines_.size();
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    lines_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

// --- Frames made by hand -------------------------------------------------------------------------

inline void put8(std::string& out, unsigned value) { out += static_cast<char>(value & 0xff); }
inline void put16(std::string& out, unsigned value) {
  put8(out, value >> 8);
  put8(out, value);
}
inline void put32(std::string& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}

inline std::string header_block(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (const auto& [key, value] : pairs) {
    put32(out, static_cast<std::uint32_t>(key.size()));
    out += key;
    put32(out, static_cast<std::uint32_t>(value.size()));
    out += value;
  }
  return out;
}

/// All of a frame, right or wrong. version: 1, 2 (v2.1) or 22 (v2.2).
struct RawFrame {
  int version = 1;
  unsigned type = 1;
  unsigned command = 1;
  std::uint32_t id = 1;
  unsigned codec = 1;
  unsigned flags = 0;
  std::int32_t timeout = 5000;
  unsigned status = 0;
  std::string class_name = std::string(settee::rpc::bolt::kRequestClass);
  std::string header = header_block({{"service", kService}});
  std::string content;
  std::optional<int> class_length;
  std::optional<int> header_length;
  std::optional<std::int32_t> content_length;
  bool wrong_crc = false;

  std::string bytes() const {
    std::string out;
    put8(out, version == 1 ? 1 : 2);
    if (version != 1) put8(out, version == 2 ? 1 : 2);
    put8(out, type);
    put16(out, command);
    put8(out, 1);
    put32(out, id);
    put8(out, codec);
    if (version != 1) put8(out, flags);
    if (type == 0) {
      put16(out, status);
    } else {
      put32(out, static_cast<std::uint32_t>(timeout));
    }
    put16(out, static_cast<unsigned>(class_length.value_or(static_cast<int>(class_name.size()))));
    put16(out, static_cast<unsigned>(header_length.value_or(static_cast<int>(header.size()))));
    put32(out, static_cast<std::uint32_t>(
                   content_length.value_or(static_cast<std::int32_t>(content.size()))));
    out += class_name + header + content;
    if (version == 22 && (flags & 1) != 0) {
      const auto sum = static_cast<std::uint32_t>(
          crc32(0, reinterpret_cast<const Bytef*>(out.data()), static_cast<uInt>(out.size())));
      put32(out, wrong_crc ? sum + 1 : sum);
    }
    return out;
  }
};

/// The frame in another version; flag 1 is the CRC.
inline RawFrame v2(RawFrame frame, int version, unsigned flags) {
  frame.version = version;
  frame.flags = flags;
  return frame;
}

using Arguments = std::function<void(settee::hessian::Writer&)>;

/// The content of a request: a SofaRequest and its arguments.
inline std::string request_content(
    const std::string& method, const std::vector<std::string>& types, const Arguments& arguments,
    settee::hessian::Dialect dialect = settee::hessian::Dialect::kSofa3,
    const std::string& service = kService) {
  settee::Buffer out;
  settee::hessian::Writer writer(out, dialect);
  static constexpr std::string_view kFields[] = {"targetAppName", "methodName",
                                                 "targetServiceUniqueName", "requestProps",
                                                 "methodArgSigs"};
  writer.begin_object(writer.define_class(settee::rpc::bolt::kRequestClass, kFields));
  writer.write_null();
  writer.write_string(method);
  writer.write_string(service);
  writer.write_null();
  const settee::hessian::ListEnd end = writer.begin_list("[string", types.size());
  for (const std::string& type : types) writer.write_string(type);
  writer.end_list(end);
  arguments(writer);
  return out.to_string();
}

inline RawFrame request(std::uint32_t id, const std::string& method,
                        const std::vector<std::string>& types, const Arguments& arguments) {
  RawFrame frame;
  frame.id = id;
  frame.content = request_content(method, types, arguments);
  return frame;
}
inline RawFrame echo(std::uint32_t id, std::string_view text) {
  return request(id, "echo", {"java.lang.String"},
                 [text](settee::hessian::Writer& writer) { writer.write_string(text); });
}
inline RawFrame with_int(std::uint32_t id, const std::string& method, std::int32_t number) {
  return request(id, method, {"int"},
                 [number](settee::hessian::Writer& writer) { writer.write_int(number); });
}
inline RawFrame heartbeat(std::uint32_t id, int version = 1) {
  RawFrame frame;
  frame.version = version;
  frame.command = 0;
  frame.id = id;
  frame.class_name = frame.header = "";
  return frame;
}

/// The content of a SofaResponse. `rest` writes appResponse and responseProps.
inline std::string response_content(bool error, std::optional<std::string> message,
                                    const Arguments& rest) {
  settee::Buffer out;
  settee::hessian::Writer writer(out);
  static constexpr std::string_view kFields[] = {"isError", "errorMsg", "appResponse",
                                                 "responseProps"};
  writer.begin_object(writer.define_class(settee::rpc::bolt::kResponseClass, kFields));
  writer.write_bool(error);
  if (message) {
    writer.write_string(*message);
  } else {
    writer.write_null();
  }
  rest(writer);
  return out.to_string();
}
inline RawFrame response(std::uint32_t id, std::string content) {
  RawFrame frame;
  frame.type = 0;
  frame.command = 2;
  frame.id = id;
  frame.class_name = settee::rpc::bolt::kResponseClass;
  frame.header = "";
  frame.content = std::move(content);
  return frame;
}
inline RawFrame text_response(std::uint32_t id, std::string_view text) {
  return response(id, response_content(false, std::nullopt, [text](settee::hessian::Writer& w) {
                    w.write_string(text);
                    w.write_null();
                  }));
}

/// A frame that came, with its own bytes.
struct Received {
  settee::rpc::bolt::Frame frame;
  std::string bytes;
  std::string content;
  std::string class_name;
  std::map<std::string, std::string> header;

  /// The content as a generic value.
  settee::hessian::Value value() const {
    settee::Result<settee::hessian::Value> read =
        settee::hessian::from_bytes<settee::hessian::Value>(
            {reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
    return read ? *read : settee::hessian::Value();
  }
  std::string field(const char* name) const {
    const settee::hessian::Value whole = value();
    settee::Result<std::string_view> text = whole[name].as_string();
    return text ? std::string(*text) : std::string();
  }
};

/// A connected plain socket.
class Wire {
 public:
  Wire() = default;
  explicit Wire(int fd) : fd_(fd) {}
  Wire(Wire&& other) noexcept : fd_(std::exchange(other.fd_, -1)), got_(std::move(other.got_)) {}
  Wire& operator=(Wire&& other) noexcept {
    std::swap(fd_, other.fd_);
    got_.swap(other.got_);
    return *this;
  }
  ~Wire() { close(); }

  static Wire to_port(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connected(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  static Wire to_path(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return connected(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }

  bool open() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Ends it with a TCP reset.
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void end_writing() { ::shutdown(fd_, SHUT_WR); }
  /// "127.0.0.1:port" of this end.
  std::string name() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }

  /// False if the peer takes no more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool send(const RawFrame& frame) { return send(frame.bytes()); }
  /// What can be sent without waiting.
  std::size_t send_some(std::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }

  /// The next frame; nothing at the end, when none comes in time, or when what comes is none.
  std::optional<Received> receive(std::chrono::milliseconds most = 20s) {
    const TimePoint until = Clock::now() + most;
    for (;;) {
      Received received;
      const settee::rpc::bolt::FrameStep step = settee::rpc::bolt::read_frame(
          {reinterpret_cast<const std::uint8_t*>(got_.data()), got_.size()}, {}, received.frame);
      if (step.kind == settee::rpc::bolt::FrameStep::kBad) return std::nullopt;
      if (step.kind == settee::rpc::bolt::FrameStep::kFrame) {
        received.bytes = got_.substr(0, step.size);
        settee::rpc::bolt::HeaderReader header(received.frame.header);
        for (std::string_view key, value; header.next(key, value);) {
          received.header.emplace(key, value);
        }
        received.content.assign(received.frame.content.begin(), received.frame.content.end());
        received.class_name = received.frame.class_name;
        got_.erase(0, step.size);
        return received;
      }
      if (!fill(until)) return std::nullopt;
    }
  }
  /// True if the other end closes it; what else comes is dropped.
  bool closed(std::chrono::milliseconds most = 20s) {
    const TimePoint until = Clock::now() + most;
    while (fill(until)) got_.clear();
    return ended_;
  }

 private:
  static Wire connected(int family, const sockaddr* address, socklen_t size) {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, address, size) != 0) {
      ::close(fd);
      return Wire();
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return Wire(fd);
  }
  bool fill(TimePoint until) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd watched{fd_, POLLIN, 0};
    if (left <= 0 || ::poll(&watched, 1, static_cast<int>(left)) <= 0) return false;
    char part[65536];
    const ssize_t got = ::recv(fd_, part, sizeof part, 0);
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    got_.append(part, static_cast<std::size_t>(got));
    return true;
  }

  int fd_ = -1;
  bool ended_ = false;
  std::string got_;
};

/// A server of nothing: it takes connections, and the test answers by hand.
class FakeServer {
 public:
  FakeServer() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(fd_, 128);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~FakeServer() { ::close(fd_); }
  std::uint16_t port() const noexcept { return port_; }
  std::string url() const { return "bolt://127.0.0.1:" + std::to_string(port_); }
  Wire accept(std::chrono::milliseconds most = 20s) {
    pollfd watched{fd_, POLLIN, 0};
    if (::poll(&watched, 1, static_cast<int>(most.count())) <= 0) return Wire();
    return Wire(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace wire
