// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes to a real server with a described service, over a socket and a loop that is turned here:
// what it answers are whole frames, each request that asks for one has one answer, and when the peer
// has gone nothing of it is left.
//
// The input: a byte of mode, a byte of how it is sent, a byte that chooses, and the rest.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "settee/base/stats.h"
#include "settee/rpc/rpc_test_peer.h"

namespace {

using namespace settee;

void require(bool condition) {
  if (!condition) std::abort();
}

// The methods that take time or room do so in bounds.
class QuickProbe final : public wire::MyProbe {
 public:
  Task<std::int32_t> nap(std::int32_t ms) override {
    co_await wire::NextTurn();
    co_return ms;
  }
  Task<std::int32_t> block(std::int32_t ms) override { co_return ms; }
  Task<Bytes> bytes(std::int32_t size) override {
    return MyProbe::bytes(std::clamp(size, 0, 100'000));
  }
};

// Lets a turn go by, so that what has come must be kept for the method.
class Pause final : public rpc::Filter {
 public:
  Task<void> apply(rpc::Call&, rpc::Next next) override {
    co_await wire::NextTurn();
    co_await next();
  }
};

class World {
 public:
  World() {
    // Unlike a port, a socket file hands over at once what is written.
    path_ = (std::filesystem::temp_directory_path() / "settee_fuzz_XXXXXX").string();
    require(::mkdtemp(path_.data()) != nullptr);
    RuntimeOptions options;
    options.foreign_loop = true;
    options.log = [](LogLevel, std::string_view, std::string_view) {};
    runtime_ = std::make_unique<Runtime>(std::move(options));
    plain_ = make_server(false);
    filtered_ = make_server(true);
  }
  ~World() {
    plain_.reset();
    filtered_.reset();
    runtime_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string socket(bool filtered) const { return path_ + (filtered ? "/filtered" : "/plain"); }
  void turn(Duration wait = Duration::zero()) const { runtime_->foreign_loop().turn(wait); }
  /// Nothing is there any more of the peers there were.
  bool quiet() const {
    return stat("settee.net.connections", {{"role", "server"}}) == 0 &&
           stat("settee.rpc.server.in_flight") == 0;
  }

 private:
  std::unique_ptr<rpc::Server> make_server(bool filtered) const {
    rpc::ServerOptions options;
    options.host = "unix:" + socket(filtered);
    options.max_frame = 1024 * 1024;
    options.max_in_flight = 8;
    options.max_unsent = 64 * 1024;
    options.hessian_depth = 64;
    options.hessian_nodes = 100'000;
    options.idle_close = std::chrono::milliseconds(0);
    options.drain = std::chrono::milliseconds(0);
    auto server = std::make_unique<rpc::Server>(*runtime_, options);
    server->provide<wire::Probe>(std::make_shared<QuickProbe>());
    if (filtered) server->add_filter(std::make_shared<Pause>());
    server->start();
    return server;
  }
  std::int64_t stat(std::string_view name, StatTags tags = {}) const {
    const std::optional<StatValue> found = runtime_->stats().find(name, std::move(tags));
    return found ? found->value : 0;
  }
  std::string path_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<rpc::Server> plain_;
  std::unique_ptr<rpc::Server> filtered_;
};

class Peer {
 public:
  Peer(const World& world, bool filtered) : wire_(wire::Wire::to_path(world.socket(filtered))) {
    require(wire_.open());
  }
  wire::Wire& wire() { return wire_; }
  /// Takes what is there; false if that is nothing.
  bool take() {
    bool some = false;
    for (;;) {
      char part[16384];
      const ssize_t got = ::recv(wire_.fd(), part, sizeof part, MSG_DONTWAIT);
      if (got <= 0) return some;
      some = true;
      bytes_.append(part, static_cast<std::size_t>(got));
      find_frames();
    }
  }
  /// Ids of the answers that have come.
  const std::multiset<std::int32_t>& answered() const { return answered_; }
  bool within_frame() const { return !bytes_.empty(); }

 private:
  void find_frames() {
    std::size_t used = 0;
    for (;;) {
      rpc::bolt::Frame frame;
      const std::span<const std::uint8_t> rest(
          reinterpret_cast<const std::uint8_t*>(bytes_.data()) + used, bytes_.size() - used);
      const rpc::bolt::FrameStep step = rpc::bolt::read_frame(rest, {}, frame);
      require(step.kind != rpc::bolt::FrameStep::kBad);
      if (step.kind == rpc::bolt::FrameStep::kMore) break;
      require(frame.type == rpc::bolt::FrameType::kResponse);
      answered_.insert(frame.id);
      used += step.size;
    }
    bytes_.erase(0, used);
  }

  wire::Wire wire_;
  std::string bytes_;  // the beginning of a frame
  std::multiset<std::int32_t> answered_;
};

struct Method {
  const char* name;
  const char* type;
};
constexpr std::array kMethods{
    Method{"echo", "java.lang.String"},  Method{"item", "com.acme.Item"},
    Method{"value", "java.lang.Object"}, Method{"sum", "java.util.List"},
    Method{"note", "java.lang.String"},  Method{"fail", "java.lang.String"},
    Method{"later", "java.lang.String"}, Method{"$invoke", ""}};

wire::RawFrame request(unsigned mode, unsigned choice, std::string_view rest) {
  wire::RawFrame frame;
  const unsigned version = choice / 8 % 4;
  frame.version = version == 0 ? 1 : version == 1 ? 2 : 22;
  frame.flags = version == 3 ? 1 : 0;
  if (choice / 32 % 8 == 7) frame.type = 2;
  const Method& method = kMethods[choice % kMethods.size()];
  if (mode % 4 == 1) {  // the content of a request
    frame.content = rest;
  } else if (mode % 4 == 2) {  // the arguments of a request
    std::vector<std::string> types{method.type};
    if (std::string_view(method.name) == "$invoke") {
      types = {"java.lang.String", "[Ljava.lang.String;", "[Ljava.lang.Object;"};
    }
    const auto dialect = mode / 4 % 2 == 0 ? hessian::Dialect::kSofa3 : hessian::Dialect::kHessian2;
    frame.content = wire::request_content(
        method.name, types, [](hessian::Writer&) {}, dialect);
    frame.content += rest;
  } else {  // JSON, and protobuf
    frame.codec = mode / 4 % 4 == 3 ? 11 : 12;
    frame.header =
        wire::header_block({{"service", wire::kService}, {"sofa_head_method_name", method.name}});
    frame.content = rest;
  }
  return frame;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  if (size < 3 || size > 64 * 1024) return 0;
  const unsigned mode = data[0];
  const unsigned sending = data[1];
  std::string bytes(reinterpret_cast<const char*>(data) + 3, size - 3);
  std::multiset<std::int32_t> asked;
  const bool stream = mode % 4 == 0;
  if (!stream) {
    // Two of them: the second finds what the first has left behind.
    wire::RawFrame frame = request(mode, data[2], bytes);
    if (frame.type == 1) asked = {1, 2};
    bytes = frame.bytes();
    frame.id = 2;
    bytes += frame.bytes();
  }

  Peer peer(world, mode / 64 % 2 == 1);
  world.turn();
  static constexpr std::size_t kPieces[] = {SIZE_MAX, 4096, 100, 7, 1, 23, 61, 1000};
  std::size_t piece = kPieces[sending % 8];
  // A byte at a time is for short ones.
  if (bytes.size() / piece > 300) piece = bytes.size() / 300 + 1;
  std::string_view left(bytes);
  for (int refused = 0; !left.empty() && refused < 10;) {
    const std::size_t sent = peer.wire().send_some(left.substr(0, piece));
    left.remove_prefix(sent);
    world.turn();
    if (sent == 0) {  // it has closed, or wants its answers to be taken first
      ++refused;
      peer.take();
    }
  }
  const unsigned leaving = sending / 8 % 4;
  if (leaving == 2) peer.wire().end_writing();
  if (leaving != 1) {
    for (int idle = 0; idle < 3; ++idle) {
      world.turn();
      if (peer.take()) idle = 0;
    }
    if (!stream && leaving != 2) {
      require(left.empty());
      for (int i = 0; i < 2000 && peer.answered().size() < asked.size(); ++i) {
        world.turn(std::chrono::milliseconds(1));
        peer.take();
      }
      require(peer.answered() == asked);
    }
    require(!peer.within_frame());
  }
  peer.wire().close();
  for (int i = 0; i < 2000 && !world.quiet(); ++i) {
    world.turn(i < 20 ? Duration::zero() : std::chrono::milliseconds(1));
  }
  require(world.quiet());
  return 0;
}
