// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the answer to a real client's call, over a socket and a loop that is turned here: the
// call ends with an answer or an Error, and when the connection has ended nothing of it is left.
//
// The input: a byte that says what is asked for, one that says how the answer is sent, then the answer.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "settee/base/stats.h"
#include "settee/http/http.h"

namespace {

using namespace settee;

void require(bool condition) {
  if (!condition) std::abort();
}

class World {
 public:
  World() {
    RuntimeOptions options;
    options.foreign_loop = true;
    options.log = [](LogLevel, std::string_view, std::string_view) {};
    runtime_ = std::make_unique<Runtime>(std::move(options));
    http::ClientOptions client;
    client.max_header = 4096;
    client.max_body = 10'000;
    client.window = 16 * 1024;
    client.max_redirects = 1;
    client_ = std::make_unique<http::Client>(*runtime_, client);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    require(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    require(::listen(listener_, 64) == 0);
    require(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    at_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  }
  ~World() {
    client_.reset();
    runtime_.reset();
    ::close(listener_);
  }
  void turn() const { runtime_->foreign_loop().turn(Duration::zero()); }
  int accept() const {
    return ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  }
  Loop& loop() const { return runtime_->foreign_loop(); }
  http::Client& client() const { return *client_; }
  const std::string& at() const { return at_; }
  std::int64_t stat(std::string_view name, StatTags tags = {}) const {
    const std::optional<StatValue> found = runtime_->stats().find(name, std::move(tags));
    return found ? found->value : 0;
  }

 private:
  int listener_ = -1;
  std::string at_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<http::Client> client_;
};

Task<void> ask(http::Client& client, std::string url, std::string method, bool streaming) {
  http::Request request;
  request.method = std::move(method);
  http::SendOptions options;
  options.streaming = streaming;
  Task<http::Response> sent = client.send(url, std::move(request), options);
  http::Response answer = co_await std::move(sent);
  require(answer.status >= 200 && answer.status < 1000);
  std::size_t bytes = 0;
  while (std::optional<Bytes> part = co_await answer.body.next()) bytes += part->size();
  if (!streaming) require(bytes <= 10'000);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  if (size < 2 || size > 32 * 1024) return 0;
  std::string_view left(reinterpret_cast<const char*>(data) + 2, size - 2);
  const char* const scheme = (data[0] & 1) != 0 ? "h2c://" : "http://";
  const char* const method = (data[0] & 2) != 0 ? "HEAD" : "GET";
  bool ended = false;
  world.loop().enter();
  ask(world.client(), scheme + world.at(), method, (data[0] & 4) != 0)
      .then([&ended](const Result<void>&) { ended = true; });
  world.loop().leave();
  int fd = -1;
  for (int i = 0; fd < 0 && i < 10'000; ++i) {
    world.turn();
    fd = world.accept();
  }
  require(fd >= 0);
  world.turn();
  static constexpr std::size_t kPieces[] = {SIZE_MAX, 4096, 100, 9, 1};
  std::size_t piece = kPieces[data[1] % 5];
  if (left.size() / piece > 300) piece = left.size() / 300 + 1;
  char in[16384];
  while (!left.empty()) {
    const ssize_t sent = ::send(fd, left.data(), std::min(piece, left.size()), MSG_NOSIGNAL);
    if (sent <= 0) break;
    left.remove_prefix(static_cast<std::size_t>(sent));
    world.turn();
    while (::recv(fd, in, sizeof in, 0) > 0) {
    }
  }
  ::close(fd);
  // Whoever tries again, or elsewhere, finds nobody.
  for (int i = 0; i < 10'000; ++i) {
    world.turn();
    if (const int again = world.accept(); again >= 0) ::close(again);
    if (ended && world.stat("settee.net.connections", {{"role", "http_client"}}) == 0) break;
  }
  require(ended);
  require(world.stat("settee.net.connections", {{"role", "http_client"}}) == 0);
  require(world.stat("settee.http.client.in_flight") == 0);
  return 0;
}
