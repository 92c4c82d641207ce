// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes to a real server of HTTP/1 and HTTP/2, over a socket and a loop that is turned here: it
// answers or closes, and when the peer has gone nothing of it is left.
//
// The input: a byte that says how it begins (as it is; with the preface of HTTP/2; with preface and
// SETTINGS) and how it is sent, then the rest.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "settee/base/stats.h"
#include "settee/http/http.h"

namespace {

using namespace settee;
using http::Request;
using http::Response;

void require(bool condition) {
  if (!condition) std::abort();
}

class Parts final : public http::BodySource {
 public:
  explicit Parts(http::Body body) : body_(std::move(body)) {}
  Task<std::optional<Bytes>> next() override { return body_.next(); }
  http::Headers trailers() override {
    http::Headers fields;
    fields.add("x-end", "1");
    return fields;
  }

 private:
  http::Body body_;
};

class World {
 public:
  World() {
    path_ = (std::filesystem::temp_directory_path() / "settee_fuzz_XXXXXX").string();
    require(::mkdtemp(path_.data()) != nullptr);
    RuntimeOptions options;
    options.foreign_loop = true;
    options.log = [](LogLevel, std::string_view, std::string_view) {};
    runtime_ = std::make_unique<Runtime>(std::move(options));
    const auto table = std::make_shared<http::Endpoints>();
    table->add("GET", "/*", [](Request) -> Task<Response> {
      co_return Response(200, "text/plain", std::string(2000, 'x'));
    });
    table->add("POST", "/e", [](Request request) -> Task<Response> {
      co_return Response(200, "text/plain", std::move(request.body));
    });
    http::HandlerOptions streaming;
    streaming.streaming = true;
    table->add(
        "POST", "/s",
        [](Request request) -> Task<Response> {
          co_return Response(200, "text/plain", std::make_unique<Parts>(std::move(request.body)));
        },
        streaming);
    http::ServerOptions server;
    server.host = "unix:" + socket();
    server.max_body = 10'000;
    server.window = 16 * 1024;
    server.max_header = 4096;
    server.drain = std::chrono::milliseconds(0);
    server_ = std::make_unique<http::Server>(*runtime_, table, server);
    server_->start();
    turn();
  }
  ~World() {
    server_.reset();
    runtime_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string socket() const { return path_ + "/s"; }
  void turn() const {
    for (int i = 0; i < 3; ++i) runtime_->foreign_loop().turn(Duration::zero());
  }
  std::int64_t stat(std::string_view name, StatTags tags = {}) const {
    const std::optional<StatValue> found = runtime_->stats().find(name, std::move(tags));
    return found ? found->value : 0;
  }

 private:
  std::string path_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  if (size < 1 || size > 32 * 1024) return 0;
  std::string bytes;
  if (data[0] % 3 > 0) bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  if (data[0] % 3 > 1) bytes += std::string("\0\0\0\4\0\0\0\0\0", 9);
  bytes.append(reinterpret_cast<const char*>(data) + 1, size - 1);

  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  world.socket().copy(address.sun_path, sizeof address.sun_path - 1);
  require(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  require(::fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
  world.turn();
  static constexpr std::size_t kPieces[] = {SIZE_MAX, 4096, 100, 9, 1};
  std::size_t piece = kPieces[data[0] / 3 % 5];
  if (bytes.size() / piece > 300) piece = bytes.size() / 300 + 1;
  std::string_view left(bytes);
  char out[16384];
  for (int stuck = 0; !left.empty() && stuck < 5;) {
    const ssize_t sent =
        ::send(fd, left.data(), std::min(piece, left.size()), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) left.remove_prefix(static_cast<std::size_t>(sent));
    world.turn();
    stuck = sent > 0 ? 0 : stuck + 1;
    while (::recv(fd, out, sizeof out, MSG_DONTWAIT) > 0) {
    }
  }
  world.turn();
  ::close(fd);
  for (int i = 0; i < 100 && world.stat("settee.net.connections", {{"role", "http"}}) > 0; ++i) {
    world.turn();
  }
  require(world.stat("settee.net.connections", {{"role", "http"}}) == 0);
  require(world.stat("settee.http.server.in_flight") == 0);
  return 0;
}
