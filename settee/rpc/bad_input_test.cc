// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What clients that break the rules, or only strain them, do to a server of ours: it costs them the
// connection at most, and nobody else notices. Servers that do are in bad_server_test.cc.

#include <gtest/gtest.h>

#include "settee/base/stats.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using hessian::Writer;
using wire::eventually;
using wire::heap_in_use;
using wire::kMemoryCounts;
using wire::RawFrame;
using wire::Received;
using wire::v2;
using wire::Wire;

// Sanitizers are slow.
constexpr int kManyConnections = wire::kMemoryCounts ? 10'000 : 1'000;

// A server with a log that is kept, and a way to look into its figures.
class BadInputTest : public testing::Test {
 protected:
  void serve(ServerOptions options = {}, ThreadPoolOptions pool = {}) {
    RuntimeOptions runtime_options;
    runtime_options.threads = 2;
    runtime_options.log = log_.keep();
    runtime_options.pool = pool;
    runtime_ = std::make_unique<Runtime>(std::move(runtime_options));
    if (!options.host.starts_with("unix:")) {
      options.host = "127.0.0.1";
      options.port = 0;
    }
    server_ = std::make_unique<Server>(*runtime_, options);
    probe_ = std::make_shared<wire::MyProbe>();
    server_->provide<wire::Probe>(probe_);
    server_->start();
  }
  Wire dial() const { return Wire::to_port(server_->port()); }
  std::int64_t stat(std::string_view name, StatTags tags = {}) const {
    const std::optional<StatValue> found = runtime_->stats().find(name, std::move(tags));
    return found ? found->value : -1;
  }
  std::int64_t connections() const { return stat("settee.net.connections", {{"role", "server"}}); }

  wire::LogLines log_;
  std::unique_ptr<Runtime> runtime_;
  std::shared_ptr<wire::MyProbe> probe_;
  std::unique_ptr<Server> server_;
};

// Somebody who calls all the time and must not notice anything.
class Neighbour {
 public:
  explicit Neighbour(std::uint16_t port)
      : client_(runtime_),
        probe_(client_.refer<wire::Probe>("bolt://127.0.0.1:" + std::to_string(port))),
        thread_([this] {
          while (!enough_) {
            Result<std::string> answer = Error(Code::kUnknown, "");
            try {
              answer = probe_->echo("hello").get();
            } catch (const Error& error) {
              answer = error;
            }
            if (answer && *answer == "hello") {
              ++good_;
            } else {
              ++bad_;
            }
          }
        }) {}
  ~Neighbour() { stop(); }
  void stop() {
    enough_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int good() const { return good_; }
  int bad() const { return bad_; }

 private:
  Runtime runtime_{RuntimeOptions{.threads = 1}};
  Client client_;
  Reference<wire::Probe> probe_;
  std::atomic<bool> enough_{false};
  std::atomic<int> good_{0};
  std::atomic<int> bad_{0};
  std::thread thread_;
};

struct Bad {
  std::string name;
  std::string bytes;
  std::string rule;
  int offset;
};

std::vector<Bad> bad_frames() {
  std::vector<Bad> all;
  const auto add = [&](std::string name, std::string bytes, std::string rule, int offset) {
    all.push_back({std::move(name), std::move(bytes), std::move(rule), offset});
  };
  const std::string good = wire::echo(1, "x").bytes();
  const auto changed = [&](std::size_t at, char to) {
    std::string bytes = good;
    bytes[at] = to;
    return bytes;
  };
  add("text", "{\"jsonrpc\": \"2.0\"}", "first byte 0x7b", 0);
  add("zero", std::string(64, '\0'), "first byte 0x00", 0);
  add("wrong protocol code behind a good frame", good + "\x03zzzz", "first byte 0x03", 0);
  add("unknown protocol version", std::string("\x02\x03", 2) + good, "protocol version 3", 1);
  add("unknown type", changed(1, 9), "frame type 9", 1);
  add("unknown command", changed(3, 9), "command code 9", 2);
  add("response command in a request", changed(3, 2), "response command in a request", 2);
  for (const int length : {-1, -32768}) {
    RawFrame frame = wire::echo(1, "x");
    frame.class_length = length;
    add("negative class name", frame.bytes(), "class name length", 14);
    frame = wire::echo(1, "x");
    frame.header_length = length;
    add("negative header", frame.bytes(), "header length", 16);
  }
  for (const std::int32_t length : {-1, INT32_MIN, 64 * 1024 * 1024 + 1, INT32_MAX}) {
    RawFrame frame = wire::echo(1, "x");
    frame.content_length = length;
    add("content length " + std::to_string(length), frame.bytes(), "content length", 18);
    add("the same in v2", v2(frame, 22, 0).bytes(), "content length", 20);
  }
  {
    RawFrame frame = v2(wire::echo(1, "x"), 22, 1);
    const int crc_at = static_cast<int>(frame.bytes().size()) - 4;
    frame.wrong_crc = true;
    add("wrong CRC", frame.bytes(), "does not match", crc_at);
  }
  add("unknown switch bits", v2(wire::echo(1, "x"), 22, 0x80).bytes(), "switch byte 0x80", 11);
  {
    RawFrame frame = wire::text_response(1, "x");
    frame.status = 0x4242;
    add("unknown status", frame.bytes(), "status", 10);
  }
  return all;
}

TEST_F(BadInputTest, EachBadFrameCostsItsSenderTheConnectionAndIsNamedInTheLog) {
  serve();
  Neighbour neighbour(server_->port());
  ASSERT_TRUE(eventually([&] { return neighbour.good() > 10; }));
  int sent = 0;
  for (const Bad& bad : bad_frames()) {
    SCOPED_TRACE(bad.name);
    // No more than twenty such lines are logged in a second.
    if (sent++ % 15 == 14) std::this_thread::sleep_for(1100ms);
    Wire peer = dial();
    const std::string name = peer.name();
    ASSERT_TRUE(peer.send(bad.bytes));
    EXPECT_TRUE(peer.closed());
    const std::string line = log_.wait_for({"from " + name + ":", bad.rule});
    EXPECT_NE(line, "") << log_.all();
    EXPECT_NE(line.find("offset " + std::to_string(bad.offset)), std::string::npos) << line;
  }
  EXPECT_EQ(stat("settee.rpc.server.bad_frames"), sent);
  const int before = neighbour.good();
  EXPECT_TRUE(eventually([&] { return neighbour.good() > before + 10; }));
  neighbour.stop();
  EXPECT_EQ(neighbour.bad(), 0);
  EXPECT_TRUE(eventually([&] { return connections() <= 1; }));
}

TEST_F(BadInputTest, WhatCameBeforeTheBadFrameIsAnswered) {
  serve();
  Wire peer = dial();
  ASSERT_TRUE(peer.send(wire::echo(1, "first").bytes() + wire::echo(2, "second").bytes() + "\x07"));
  for (const int id : {1, 2}) {
    const std::optional<Received> answer = peer.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->frame.id, id);
  }
  EXPECT_TRUE(peer.closed());
}

TEST_F(BadInputTest, LogLinesAreBoundedAndCannotBeForged) {
  serve();
  RawFrame frame = wire::echo(1, "x");
  Buffer out;
  Writer writer(out);
  const std::string name =
      "com.acme.X\n2 rpc from 10.0.0.1: all is well" + std::string(50'000, 'z');
  static constexpr std::string_view kFields[] = {"a"};
  writer.begin_object(writer.define_class(name, kFields));
  writer.write_null();
  frame.content = out.to_string();
  Wire peer = dial();
  ASSERT_TRUE(peer.send(frame));
  const std::optional<Received> answer = peer.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->frame.status, bolt::Status::kServerDeserialize);
  const std::string line = log_.wait_for({"from " + peer.name(), "reading the request"});
  ASSERT_NE(line, "") << log_.all();
  EXPECT_LT(line.size(), 1000u);
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST_F(BadInputTest, AFloodOfBadFramesIsAFewLines) {
  serve();
  for (int i = 0; i < 300; ++i) {
    Wire peer = dial();
    peer.send("\x07");
    EXPECT_TRUE(peer.closed());
  }
  EXPECT_EQ(stat("settee.rpc.server.bad_frames"), 300);
  EXPECT_LT(log_.count(), 200u);
}

TEST_F(BadInputTest, CutAtEveryByte) {
  serve();
  const std::string good = v2(wire::echo(1, "x"), 22, 1).bytes();
  for (std::size_t size = 0; size < good.size(); ++size) {
    Wire peer = dial();
    ASSERT_TRUE(peer.send(good.substr(0, size)));
    peer.close();
  }
  EXPECT_EQ(probe_->calls, 0);
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
  Wire peer = dial();
  ASSERT_TRUE(peer.send(good));
  EXPECT_TRUE(peer.receive());
}

TEST_F(BadInputTest, OneByteAtATime) {
  serve();
  for (const RawFrame& frame : {wire::echo(5, "slow"), v2(wire::echo(5, "slow"), 22, 1)}) {
    Wire peer = dial();
    for (const char c : frame.bytes()) ASSERT_TRUE(peer.send({&c, 1}));
    const std::optional<Received> answer = peer.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->field("appResponse"), "slow");
  }
}

TEST_F(BadInputTest, ManyBadConnectionsLeaveNoMemory) {
  const std::string path = testing::TempDir() + "settee_bad_input_" + std::to_string(getpid());
  ServerOptions options;
  options.host = "unix:" + path;
  serve(options);
  std::vector<std::string> inputs;
  for (const Bad& bad : bad_frames()) inputs.push_back(bad.bytes);
  inputs.push_back(wire::echo(1, "x").bytes().substr(0, 100));
  RawFrame undecodable = wire::echo(1, "x");
  undecodable.content = std::string(1000, 'O');
  inputs.push_back(undecodable.bytes());
  const auto attack = [&](int times) {
    for (int i = 0; i < times; ++i) {
      Wire peer = Wire::to_path(path);
      ASSERT_TRUE(peer.open());
      peer.send(inputs[static_cast<std::size_t>(i) % inputs.size()]);
      peer.end_writing();
      EXPECT_TRUE(peer.closed());
    }
    EXPECT_TRUE(eventually([&] { return connections() == 0; }));
    log_.clear();
  };
  attack(500);
  const std::size_t before = heap_in_use();
  attack(kManyConnections);
  const std::size_t after = heap_in_use();
  if (kMemoryCounts) {
    EXPECT_LT(after, before + 512 * 1024) << "grew from " << before << " to " << after;
  }
}

TEST_F(BadInputTest, AClaimedLengthReservesNothing) {
  serve();
  RawFrame frame = wire::echo(1, "x");
  frame.content_length = 60 * 1024 * 1024;
  const std::string head = frame.bytes();
  Wire first = dial();
  ASSERT_TRUE(first.send(head));
  std::this_thread::sleep_for(50ms);
  const std::size_t before = heap_in_use();
  std::vector<Wire> peers;
  for (int i = 0; i < 40; ++i) {
    peers.push_back(dial());
    ASSERT_TRUE(peers.back().send(head));
  }
  // A byte at a time, as slowly as they like.
  for (int round = 0; round < 20; ++round) {
    for (Wire& peer : peers) ASSERT_TRUE(peer.send("z"));
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_EQ(connections(), 41);
  if (kMemoryCounts) {
    EXPECT_LT(heap_in_use(), before + 2 * 1024 * 1024);
  }
  // One that sends a part of it costs that part, and what a vector grows by.
  ASSERT_TRUE(first.send(std::string(4 * 1024 * 1024, 'z')));
  std::this_thread::sleep_for(200ms);
  if (kMemoryCounts) {
    EXPECT_LT(heap_in_use(), before + 12 * 1024 * 1024);
  }
  peers.clear();
  first.close();
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
  if (kMemoryCounts) {
    EXPECT_LT(heap_in_use(), before + 1024 * 1024);
  }
}

TEST_F(BadInputTest, HalfOpenAndResetConnections) {
  serve();
  // Who has said its last word gets what is answered at once.
  Wire polite = dial();
  ASSERT_TRUE(polite.send(wire::echo(1, "bye")));
  polite.end_writing();
  const std::optional<Received> answer = polite.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->field("appResponse"), "bye");
  EXPECT_TRUE(polite.closed());
  // The callers of these have gone when their answers are ready.
  for (int i = 0; i < 20; ++i) {
    Wire rude = dial();
    ASSERT_TRUE(rude.send(
        wire::with_int(1, "nap", 20).bytes() +
        wire::request(2, "later", {"java.lang.String"}, [](Writer& w) { w.write_string("x"); })
            .bytes() +
        wire::with_int(3, "block", 10).bytes()));
    ASSERT_TRUE(eventually([&] { return probe_->napping > 0; }));
    if (i % 2 == 0) {
      rude.reset();
    } else {
      rude.close();
    }
    ASSERT_TRUE(eventually([&] { return probe_->napping == 0; }));
  }
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
  EXPECT_TRUE(eventually([&] { return stat("settee.rpc.server.in_flight") == 0; }));
}

TEST_F(BadInputTest, IdleConnectionsAreClosedBusyOnesAreNot) {
  ServerOptions options;
  options.idle_close = 300ms;
  serve(options);
  Wire silent = dial();
  Wire stuck = dial();
  ASSERT_TRUE(stuck.send(wire::echo(1, "x").bytes().substr(0, 50)));
  Wire waiting = dial();
  ASSERT_TRUE(waiting.send(wire::with_int(1, "nap", 1000)));
  Wire beating = dial();
  const TimePoint begin = Clock::now();
  std::thread beats([&] {
    while (Clock::now() < begin + 1s) {
      if (!beating.send(wire::heartbeat(1))) break;
      std::this_thread::sleep_for(20ms);
    }
  });
  EXPECT_TRUE(silent.closed());
  EXPECT_GE(Clock::now() - begin, 250ms);
  EXPECT_TRUE(stuck.closed());
  const std::optional<Received> answer = waiting.receive();
  EXPECT_TRUE(answer) << "a connection with a call on it is not idle";
  beats.join();
  EXPECT_TRUE(beating.send(wire::heartbeat(77)));
  std::optional<Received> last;
  do {
    last = beating.receive();
  } while (last && last->frame.id != 77);
  EXPECT_TRUE(last);
}

TEST_F(BadInputTest, MaxConnections) {
  ServerOptions options;
  options.max_connections = 3;
  serve(options);
  std::vector<Wire> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(dial());
    ASSERT_TRUE(held.back().send(wire::heartbeat(1)));
    ASSERT_TRUE(held.back().receive());
  }
  Wire refused = dial();
  EXPECT_TRUE(refused.closed());
  EXPECT_NE(log_.wait_for({"max_connections is 3"}), "") << log_.all();
  EXPECT_EQ(stat("settee.rpc.server.connections_refused"), 1);
  held.pop_back();
  ASSERT_TRUE(eventually([&] { return connections() == 2; }));
  Wire taken = dial();
  ASSERT_TRUE(taken.send(wire::heartbeat(1)));
  EXPECT_TRUE(taken.receive());
}

TEST_F(BadInputTest, MaxConnectionsPerPeer) {
  ServerOptions options;
  options.max_connections_per_peer = 1;
  serve(options);
  std::optional<Wire> first(dial());
  ASSERT_TRUE(first->send(wire::heartbeat(1)));
  ASSERT_TRUE(first->receive());
  Wire refused = dial();
  EXPECT_TRUE(refused.closed());
  EXPECT_NE(log_.wait_for({"max_connections_per_peer is 1"}), "") << log_.all();
  EXPECT_EQ(stat("settee.rpc.server.connections_refused"), 1);
  first.reset();
  ASSERT_TRUE(eventually([&] { return connections() == 0; }));
  Wire taken = dial();
  ASSERT_TRUE(taken.send(wire::heartbeat(1)));
  EXPECT_TRUE(taken.receive());
}

TEST_F(BadInputTest, CallsInFlightAreLimitedAndAllAreAnswered) {
  ServerOptions options;
  options.max_in_flight = 4;
  serve(options);
  Wire peer = dial();
  std::string all;
  for (std::uint32_t id = 1; id <= 60; ++id) all += wire::with_int(id, "nap", 10).bytes();
  // Also with the rest of a frame that comes only later.
  ASSERT_TRUE(peer.send(all.substr(0, all.size() - 10)));
  ASSERT_TRUE(eventually([&] { return probe_->napping == 4; }));
  ASSERT_TRUE(peer.send(all.substr(all.size() - 10)));
  std::vector<bool> answered(61, false);
  for (int i = 0; i < 60; ++i) {
    const std::optional<Received> answer = peer.receive();
    ASSERT_TRUE(answer) << i;
    answered[static_cast<std::size_t>(answer->frame.id)] = true;
  }
  for (std::size_t id = 1; id <= 60; ++id) EXPECT_TRUE(answered[id]) << id;
  EXPECT_EQ(probe_->most_napping, 4);
}

TEST_F(BadInputTest, APeerThatDoesNotReadGetsNoMoreAnswersMade) {
  ServerOptions options;
  options.max_unsent = 256 * 1024;
  serve(options);
  Wire peer = dial();
  // Not less than a segment of the loopback: TCP itself would wait then, ever longer.
  const int small = 128 * 1024;
  setsockopt(peer.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  constexpr int kCalls = 1000;
  std::string all;
  for (std::uint32_t id = 1; id <= kCalls; ++id) {
    all += wire::with_int(id, "bytes", 64 * 1024).bytes();  // 64 MiB of answers
  }
  std::string_view rest(all);
  const auto push = [&] {
    while (const std::size_t sent = peer.send_some(rest)) rest.remove_prefix(sent);
  };
  push();
  int calls = -1;
  ASSERT_TRUE(eventually([&] {
    push();
    const int now = probe_->calls;
    std::this_thread::sleep_for(50ms);
    return now > 0 && now == std::exchange(calls, now);
  }));
  // What the kernel holds, what is allowed, and one answer more.
  EXPECT_LT(probe_->calls, 400);
  std::thread writer([&] { peer.send(rest); });
  for (int i = 0; i < kCalls; ++i) {
    const std::optional<Received> answer = peer.receive();
    EXPECT_TRUE(answer) << i;
    if (!answer) break;
    EXPECT_GT(answer->content.size(), 64u * 1024);
  }
  writer.join();
  EXPECT_EQ(probe_->calls, kCalls);
}

TEST_F(BadInputTest, HeartbeatsOfAPeerThatDoesNotReadPileUpNowhere) {
  ServerOptions options;
  options.max_unsent = 64 * 1024;
  serve(options);
  Wire peer = dial();
  const std::string part = [] {
    std::string beats;
    for (std::uint32_t id = 0; id < 1000; ++id) beats += wire::heartbeat(id).bytes();
    return beats;
  }();
  const std::size_t before = heap_in_use();
  std::size_t sent = 0;
  std::string_view rest =
      part;  // what a short write has left: without it other frames would follow
  for (int quiet = 0; quiet < 20 && sent < 512 * 1024 * 1024;) {
    const std::size_t now = peer.send_some(rest);
    sent += now;
    rest.remove_prefix(now);
    if (rest.empty()) rest = part;
    if (now != 0) {
      quiet = 0;
      continue;
    }
    ++quiet;
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_LT(sent, 128u * 1024 * 1024) << "it never stopped reading";
  if (kMemoryCounts) {
    EXPECT_LT(heap_in_use(), before + 4 * 1024 * 1024);
  }
}

TEST_F(BadInputTest, OnewayIsNeverAnsweredNotEvenForErrors) {
  ThreadPoolOptions pool;
  pool.core = 1;
  pool.max = 1;
  serve({}, pool);
  std::vector<RawFrame> frames;
  frames.push_back(
      wire::request(1, "note", {"java.lang.String"}, [](Writer& w) { w.write_string("n"); }));
  frames.push_back(wire::echo(2, "x"));
  RawFrame frame = wire::echo(3, "x");
  frame.header = wire::header_block({{"service", "com.acme.Nobody:1.0"}});
  frames.push_back(frame);
  frames.push_back(wire::request(4, "nothing", {}, [](Writer&) {}));
  frame = wire::echo(5, "x");
  frame.content = "Ogarbage";
  frames.push_back(frame);
  frame.content.clear();
  frames.push_back(frame);
  frame = wire::echo(6, "x");
  frame.codec = 99;
  frames.push_back(frame);
  frame = wire::echo(7, "x");
  frame.class_name = "com.acme.Unknown";
  frames.push_back(frame);
  frame = wire::echo(8, "x");
  frame.header = "broken";
  frames.push_back(frame);
  frames.push_back(
      wire::request(9, "fail", {"java.lang.String"}, [](Writer& w) { w.write_string("n"); }));
  frames.push_back(wire::request(10, "crash", {}, [](Writer&) {}));
  frames.push_back(
      wire::request(11, "echo", {"java.lang.String"}, [](Writer& w) { w.write_int(1); }));
  frames.push_back(wire::with_int(12, "block", 100));
  frames.push_back(wire::with_int(13, "block", 100));  // the pool is full
  frames.push_back(wire::with_int(14, "nap", 10));
  Wire peer = dial();
  for (const std::int32_t timeout : {-1, 5000}) {
    for (RawFrame& oneway : frames) {
      oneway.type = 2;
      oneway.timeout = timeout;
      ASSERT_TRUE(peer.send(oneway));
    }
  }
  ASSERT_TRUE(eventually([&] { return probe_->notes == 2; }));
  std::this_thread::sleep_for(300ms);
  ASSERT_TRUE(peer.send(wire::heartbeat(4711)));
  const std::optional<Received> first = peer.receive();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->frame.id, 4711);
  EXPECT_EQ(first->frame.command, bolt::Command::kHeartbeat);
}

TEST_F(BadInputTest, BadRequestsAreAnsweredAsJavaDoes) {
  serve();
  Wire peer = dial();
  const auto ask = [&](const RawFrame& frame) {
    EXPECT_TRUE(peer.send(frame));
    std::optional<Received> answer = peer.receive();
    EXPECT_TRUE(answer);
    if (!answer) return Received();
    EXPECT_EQ(answer->frame.id, static_cast<std::int32_t>(frame.id));
    return *std::move(answer);
  };
  RawFrame frame = wire::echo(1, "x");
  frame.codec = 99;
  Received answer = ask(frame);
  EXPECT_EQ(answer.frame.status, bolt::Status::kServerDeserialize);
  EXPECT_EQ(answer.class_name, bolt::kExceptionClass);
  EXPECT_EQ(answer.frame.codec, 1);
  EXPECT_NE(answer.field("detailMessage").find("Serializer Not Found,type:[99]"),
            std::string::npos);

  frame = wire::echo(2, "x");
  frame.class_name = "com.foo.BarJ";
  answer = ask(frame);
  EXPECT_EQ(answer.frame.status, bolt::Status::kServerException);
  EXPECT_EQ(answer.field("detailMessage"), "No user processor found for request: com.foo.BarJ");

  frame = wire::echo(3, "x");
  frame.header.clear();  // then the content's service counts
  answer = ask(frame);
  EXPECT_EQ(answer.field("appResponse"), "x");

  frame.id = 4;
  frame.header = std::string("\0\0\0\x09service", 11);
  EXPECT_EQ(ask(frame).frame.status, bolt::Status::kServerDeserialize);

  frame = wire::echo(5, "x");
  frame.codec = 12;
  frame.header.clear();
  frame.content = "[\"x\"]";
  EXPECT_EQ(ask(frame).frame.status, bolt::Status::kServerDeserialize);

  frame = wire::echo(6, "x");
  frame.header = wire::header_block({{"service", "com.acme.Nobody:1.0"}});
  answer = ask(frame);
  EXPECT_EQ(answer.frame.status, bolt::Status::kSuccess);
  EXPECT_EQ(answer.field("errorMsg"),
            "RPC-020100010: RPC cannot find service: [com.acme.Nobody:1.0] ");
  EXPECT_EQ(answer.header["sofa_head_response_error"], "true");

  answer = ask(wire::request(7, "nothing", {}, [](Writer&) {}));
  EXPECT_EQ(answer.field("errorMsg"),
            "RPC-020100011: Cannot find invoke method: [nothing], service: "
            "[com.acme.Probe:1.0] ");

  frame = wire::echo(8, "x");
  frame.content.clear();
  EXPECT_EQ(ask(frame).frame.status, bolt::Status::kServerDeserialize);
  frame.content = "no hessian at all";
  EXPECT_EQ(ask(frame).frame.status, bolt::Status::kServerDeserialize);
  const std::string whole = wire::echo(9, "a text of some length").content;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    frame.content = whole.substr(0, size);
    EXPECT_EQ(ask(frame).frame.status, bolt::Status::kServerDeserialize) << size;
  }
  frame.content = whole + "N";  // and something behind
  EXPECT_EQ(ask(frame).frame.status, bolt::Status::kServerDeserialize);
  // After all this the connection serves as ever.
  EXPECT_EQ(ask(wire::echo(10, "still here")).field("appResponse"), "still here");
}

TEST_F(BadInputTest, ResponsesSentToAServerDoNothing) {
  serve();
  Wire peer = dial();
  ASSERT_TRUE(peer.send(wire::text_response(1, "unasked")));
  RawFrame ack = wire::heartbeat(2);
  ack.type = 0;
  ASSERT_TRUE(peer.send(ack));
  RawFrame oneway_beat = wire::heartbeat(3);
  oneway_beat.type = 2;
  ASSERT_TRUE(peer.send(oneway_beat));
  ASSERT_TRUE(peer.send(wire::echo(4, "asked")));
  const std::optional<Received> answer = peer.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->frame.id, 4);
}

TEST_F(BadInputTest, AnswersHaveTheVersionAndCrcOfTheirRequest) {
  serve();
  Wire peer = dial();
  struct Case {
    int version;
    unsigned flags;
    bolt::Version expected;
    bool crc;
  };
  for (const Case& one :
       {Case{1, 0, bolt::Version::kV1, false}, Case{2, 0, bolt::Version::kV2, false},
        Case{2, 1, bolt::Version::kV2, false}, Case{22, 0, bolt::Version::kV2_2, false},
        Case{22, 1, bolt::Version::kV2_2, true}}) {
    ASSERT_TRUE(peer.send(v2(wire::echo(1, "x"), one.version, one.flags)));
    std::optional<Received> answer = peer.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->frame.version, one.expected);
    EXPECT_EQ(answer->frame.crc, one.crc);
    EXPECT_EQ(answer->field("appResponse"), "x");
    // Failures of Bolt and heartbeats have none.
    RawFrame unknown = v2(wire::echo(2, "x"), one.version, one.flags);
    unknown.codec = 99;
    ASSERT_TRUE(peer.send(unknown));
    answer = peer.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->frame.version, one.expected);
    EXPECT_FALSE(answer->frame.crc);
    ASSERT_TRUE(peer.send(v2(wire::heartbeat(3), one.version, one.flags)));
    answer = peer.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->frame.version, one.expected);
    EXPECT_EQ(answer->frame.command, bolt::Command::kHeartbeat);
    EXPECT_EQ(answer->frame.id, 3);
    EXPECT_FALSE(answer->frame.crc);
  }
}

TEST_F(BadInputTest, StopDoesNotWaitForHalfSentFrames) {
  serve();
  std::vector<Wire> peers;
  const std::string good = wire::echo(1, "x").bytes();
  for (std::size_t i = 0; i < 20; ++i) {
    peers.push_back(dial());
    ASSERT_TRUE(peers.back().send(good.substr(0, i * 10)));
  }
  ASSERT_TRUE(eventually([&] { return connections() == 20; }));
  const TimePoint begin = Clock::now();
  server_->stop();
  EXPECT_LT(Clock::now() - begin, 5s);
  for (Wire& peer : peers) EXPECT_TRUE(peer.closed());
  EXPECT_EQ(connections(), 0);
  EXPECT_FALSE(dial().open());
}

}  // namespace
}  // namespace settee::rpc
