// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// For tests: a server with a few handlers, and a peer that sends whatever bytes it is told to.

#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/http/http.h"

namespace wire {

using namespace std::chrono_literals;
using settee::Bytes;
using settee::Clock;
using settee::Code;
using settee::Error;
using settee::Task;
using settee::http::Request;
using settee::http::Response;

template <class F>
bool eventually(F condition, std::chrono::milliseconds most = 20s) {
  const settee::TimePoint until = Clock::now() + most;
  while (!condition()) {
    if (Clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// An answer as it came; false if none did.
struct Answer {
  int status = 0;
  std::string head;  ///< with its last empty line
  std::string body;
  std::string trailers;

  explicit operator bool() const { return status != 0; }
  bool has(std::string_view line) const { return head.find(line) != std::string::npos; }
};

/// A TCP client.
class Peer {
 public:
  explicit Peer(std::uint16_t port, int receive_buffer = 0) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Peer() { close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Closes without a word: what the server writes next fails.
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Waits for more bytes; false at the end, or if none come.
  bool more(std::chrono::milliseconds most = 20s) {
    pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(most.count())) <= 0) return false;
    char part[65536];
    const ssize_t got = ::recv(fd_, part, sizeof part, 0);
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    in_.append(part, static_cast<std::size_t>(got));
    return true;
  }
  /// Whether the server closes the connection; what it still says is kept.
  bool closed() {
    while (more()) {
    }
    return ended_;
  }
  /// Bytes that are here and not taken by answer().
  std::string& in() { return in_; }

  /// The next answer; `bodyless` for those to HEAD.
  Answer answer(bool bodyless = false) {
    std::size_t end = 0;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return {};
    }
    Answer answer;
    answer.head = in_.substr(0, end + 4);
    in_.erase(0, end + 4);
    answer.status = std::atoi(answer.head.c_str() + 9);
    if (bodyless || answer.status == 204 || answer.status == 304 || answer.status / 100 == 1) {
      return answer;
    }
    if (const std::size_t at = answer.head.find("content-length: "); at != std::string::npos) {
      const std::size_t size = std::strtoull(answer.head.c_str() + at + 16, nullptr, 10);
      while (in_.size() < size) {
        if (!more()) return {};
      }
      answer.body = in_.substr(0, size);
      in_.erase(0, size);
    } else if (answer.has("transfer-encoding: chunked")) {
      if (!chunks(answer)) return {};
    } else {
      closed();
      answer.body = std::exchange(in_, {});
    }
    return answer;
  }

 private:
  std::optional<std::string> line() {
    std::size_t end = 0;
    while ((end = in_.find("\r\n")) == std::string::npos) {
      if (!more()) return std::nullopt;
    }
    std::string text = in_.substr(0, end);
    in_.erase(0, end + 2);
    return text;
  }
  bool chunks(Answer& answer) {
    for (;;) {
      const std::optional<std::string> head = line();
      if (!head) return false;
      const std::size_t size = std::strtoull(head->c_str(), nullptr, 16);
      if (size == 0) break;
      while (in_.size() < size + 2) {
        if (!more()) return false;
      }
      answer.body += in_.substr(0, size);
      in_.erase(0, size + 2);
    }
    for (;;) {
      const std::optional<std::string> field = line();
      if (!field) return false;
      if (field->empty()) return true;
      answer.trailers += *field + "\n";
    }
  }

  int fd_ = -1;
  bool ended_ = false;
  std::string in_;
};

inline std::string get(std::string_view target, std::string_view fields = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nhost: a\r\n" + std::string(fields) + "\r\n";
}

inline std::string post(std::string_view target, std::string_view body,
                        std::string_view fields = "") {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nhost: a\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}

/// Gives parts, then trailers.
class Parts final : public settee::http::BodySource {
 public:
  Parts(int count, std::string part) : left_(count), part_(std::move(part)) {}
  Task<std::optional<Bytes>> next() override {
    if (left_ == 0) co_return std::optional<Bytes>();
    // Every other one takes its time.
    if (--left_ % 2 == 0) co_await settee::sleep_for(1ms);
    co_return std::optional<Bytes>(Bytes(std::string_view(part_)));
  }
  settee::http::Headers trailers() override {
    settee::http::Headers fields;
    fields.add("x-checked", "yes");
    return fields;
  }

 private:
  int left_;
  std::string part_;
};

class HttpTest : public testing::Test {
 protected:
  HttpTest() {
    settee::RuntimeOptions options;
    options.threads = 1;
    options.log = [this](settee::LogLevel, std::string_view, std::string_view line) {
      const std::lock_guard lock(mutex_);
      log_ += std::string(line) + "\n";
    };
    runtime_ = std::make_unique<settee::Runtime>(std::move(options));
    options_.port = 0;
    table_->add("GET", "/hello",
                [](Request) -> Task<Response> { co_return Response(200, "text/plain", "hello"); });
    table_->add("POST", "/echo", [](Request request) -> Task<Response> {
      co_return Response(200, "text/plain", std::move(request.body));
    });
    table_->add("GET", "/nap", [this](Request request) -> Task<Response> {
      ++napping_;
      const settee::Result<void> slept = co_await as_result(
          settee::sleep_for(std::chrono::milliseconds(std::stoi(*request.parameter("ms")))));
      if (!slept) {
        ++cancelled_;
        co_return slept.error();
      }
      co_return Response(200, "text/plain", "slept");
    });
    table_->add("GET", "/parts", [](Request) -> Task<Response> {
      Response response(200, "application/octet-stream", "");
      response.body = Body(std::make_unique<Parts>(5, "part "));
      co_return response;
    });
    // All that it can get, as fast as it can.
    table_->add("GET", "/flood", [](Request) -> Task<Response> {
      Response response(200);
      response.body = Body(std::make_unique<Parts>(1'000'000, std::string(65536, 'x')));
      co_return response;
    });
    table_->add(
        "POST", "/count",
        [this](Request request) -> Task<Response> {
          std::size_t bytes = 0;
          for (;;) {
            std::optional<Bytes> part = co_await request.body.next();
            if (!part) break;
            bytes += part->size();
            counted_ = bytes;
            if (slow_reader_) co_await settee::sleep_for(10ms);
          }
          co_return Response(
              200, "text/plain",
              std::to_string(bytes) + " " + std::string(request.body.trailers().get("x-sum")));
        },
        streaming());
  }
  ~HttpTest() override {
    server_.reset();
    EXPECT_EQ(stat("settee.http.server.in_flight"), server_made_ ? 0 : -1);
  }
  using Body = settee::http::Body;

  static settee::http::HandlerOptions streaming() {
    settee::http::HandlerOptions options;
    options.streaming = true;
    return options;
  }
  void serve() {
    server_ = std::make_unique<settee::http::Server>(*runtime_, table_, options_);
    server_->start();
    server_made_ = true;
  }
  std::uint16_t port() const { return server_->port(); }
  std::int64_t stat(std::string_view name, settee::StatTags tags = {}) const {
    const std::optional<settee::StatValue> found = runtime_->stats().find(name, std::move(tags));
    return found ? found->value : -1;
  }
  std::int64_t refused(const char* limit) const {
    return stat("settee.http.server.refused", {{"limit", limit}});
  }
  std::string log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  mutable std::mutex mutex_;
  std::string log_;
  std::atomic<int> napping_{0};
  std::atomic<int> cancelled_{0};
  std::atomic<std::size_t> counted_{0};
  std::atomic<bool> slow_reader_{false};
  std::unique_ptr<settee::Runtime> runtime_;
  settee::http::ServerOptions options_;
  std::shared_ptr<settee::http::Endpoints> table_ = std::make_shared<settee::http::Endpoints>();
  std::unique_ptr<settee::http::Server> server_;
  bool server_made_ = false;
};

}  // namespace wire
