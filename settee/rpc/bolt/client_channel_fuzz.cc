// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the answers of a server to a real client with calls on their way, over a socket and a
// loop that is turned here: every call ends once, and the client connects anew.
//
// The input: a byte of mode, a byte of how it is sent, a byte that chooses, and the rest.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "settee/base/stats.h"
#include "settee/rpc/rpc_test_peer.h"

namespace {

using namespace settee;

void require(bool condition) {
  if (!condition) std::abort();
}

// What a test waits for comes within a turn or two, if a busy machine does not delay it.
constexpr int kPatience = 5000;

class World {
 public:
  World() {
    RuntimeOptions options;
    options.foreign_loop = true;
    options.log = [](LogLevel, std::string_view, std::string_view) {};
    runtime_ = std::make_unique<Runtime>(std::move(options));
    rpc::ClientOptions client_options;
    client_options.max_frame = 1024 * 1024;
    client_options.reconnect_first = std::chrono::milliseconds(0);
    client_options.reconnect_most = std::chrono::milliseconds(0);
    client_options.heartbeat = std::chrono::milliseconds(0);
    client_options.timeout = std::chrono::hours(1);
    client_options.connect_timeout = std::chrono::hours(1);
    client_ = std::make_unique<rpc::Client>(*runtime_, client_options);
    probe_.emplace(client_->refer<wire::Probe>(server_.url()));
  }
  wire::Probe& probe() const { return **probe_; }
  Loop& loop() const { return runtime_->foreign_loop(); }
  void turn(Duration wait = Duration::zero()) const { loop().turn(wait); }
  wire::Wire accept() { return server_.accept(std::chrono::milliseconds(0)); }
  std::int64_t connections() const {
    return runtime_->stats().find("settee.net.connections", {{"role", "client"}}).value().value;
  }

 private:
  std::unique_ptr<Runtime> runtime_;
  wire::FakeServer server_;
  std::unique_ptr<rpc::Client> client_;
  std::optional<rpc::Reference<wire::Probe>> probe_;
};

// An answer with everything right but its content.
wire::RawFrame answer(unsigned mode, unsigned choice, std::uint32_t id, std::string_view rest) {
  wire::RawFrame frame = wire::response(id, std::string(rest));
  static constexpr unsigned kStatus[] = {0, 0, 0, 1, 2, 4, 0x11, 0x12};
  frame.status = kStatus[choice % 8];
  const unsigned version = choice / 8 % 4;
  frame.version = version == 0 ? 1 : version == 1 ? 2 : 22;
  frame.flags = version == 3 ? 1 : 0;
  static constexpr unsigned kCodec[] = {1, 1, 1, 1, 1, 11, 12, 12};
  frame.codec = kCodec[choice / 32 % 8];
  if (mode / 4 % 2 == 1) frame.header = wire::header_block({{"sofa_head_response_error", "true"}});
  if (mode % 4 == 2) {  // the value within a response
    frame.content = wire::response_content(false, std::nullopt, [](hessian::Writer&) {});
    frame.content += rest;
  }
  if (mode % 4 == 3) {  // pairs of the header
    frame.header = rest.substr(0, 32767);
    frame.content = wire::text_response(id, "x").content;
  }
  return frame;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  static wire::Wire peer;
  if (size < 3 || size > 64 * 1024) return 0;
  const unsigned mode = data[0];
  const bool stream = mode % 4 == 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);

  int ended = 0;
  const auto end = [&](const auto&) { ++ended; };
  world.loop().enter();
  world.probe().echo("text").then(end);
  world.probe().item(wire::Item()).then(end);
  world.probe().value(hessian::Value("v")).then(end);
  world.probe().sum({1, 2}).then(end);
  world.loop().leave();
  world.loop().flush();
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < kPatience && ids.size() < 4; ++i) {
    world.turn();
    if (!peer.open()) peer = world.accept();
    if (!peer.open()) continue;
    const std::optional<wire::Received> asked = peer.receive(std::chrono::milliseconds(1));
    if (asked) ids.push_back(static_cast<std::uint32_t>(asked->frame.id));
  }
  require(ids.size() == 4);

  std::string bytes;
  if (stream) {
    bytes = rest;
    // Where the id of a response is, one that was asked: else none would ever be found.
    if (bytes.size() > 10 && mode / 4 % 2 == 1) {
      std::string id;
      wire::put32(id, ids[mode / 8 % 4]);
      bytes.replace(bytes[0] == 1 ? 5 : 6, 4, id);
    }
  } else {
    // The same to all four, who expect a text, an object, anything and a number.
    for (const std::uint32_t id : ids) bytes += answer(mode, data[2], id, rest).bytes();
  }
  static constexpr std::size_t kPieces[] = {SIZE_MAX, 4096, 100, 7, 1, 23, 61, 1000};
  std::size_t piece = kPieces[data[1] % 8];
  if (bytes.size() / piece > 300) piece = bytes.size() / 300 + 1;
  std::string_view left(bytes);
  for (int refused = 0; !left.empty() && refused < kPatience;) {
    const std::size_t sent = peer.send_some(left.substr(0, piece));
    left.remove_prefix(sent);
    world.turn();
    if (sent == 0 && stream) break;  // it has closed
    if (sent == 0) ++refused;
  }
  world.turn();
  if (!stream) {
    for (int i = 0; i < kPatience && ended < 4; ++i) world.turn(std::chrono::milliseconds(1));
    require(ended == 4);
  }
  peer.reset();
  for (int i = 0; i < kPatience && (ended < 4 || !peer.open()); ++i) {
    world.turn(std::chrono::milliseconds(1));
    if (!peer.open()) peer = world.accept();
  }
  require(ended == 4);
  require(peer.open());
  require(world.connections() <= 1);
  return 0;
}
