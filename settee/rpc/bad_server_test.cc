// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What servers that break the rules, or only strain them, do to a client of ours: it costs them the
// connection, and each call gets an error that names what happened. Clients that do are in
// bad_input_test.cc.

#include <gtest/gtest.h>

#include "settee/base/stats.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using hessian::Writer;
using wire::heap_in_use;
using wire::kMemoryCounts;
using wire::RawFrame;
using wire::Received;
using wire::v2;
using wire::Wire;

class BadServerTest : public testing::Test {
 protected:
  void call(ClientOptions options = {}) {
    RuntimeOptions runtime_options;
    runtime_options.threads = 1;
    runtime_options.log = log_.keep();
    runtime_ = std::make_unique<Runtime>(std::move(runtime_options));
    if (options.timeout == 3000ms) options.timeout = 20s;
    client_ = std::make_unique<Client>(*runtime_, options);
    probe_.emplace(client_->refer<wire::Probe>(server_.url()));
  }
  static Error outcome(std::future<std::string>& future) {
    try {
      return Error(Code{}, future.get());
    } catch (const Error& error) {
      return error;
    }
  }
  // One call, answered with `answer` (its id is put in); how it ended, or its text.
  Error answered(RawFrame answer) {
    std::future<std::string> future = as_future((*probe_)->echo("question"));
    if (!wire_.open()) wire_ = server_.accept();
    const std::optional<Received> asked = wire_.receive();
    if (!asked) return Error(Code::kUnknown, "no request came");
    answer.id = static_cast<std::uint32_t>(asked->frame.id);
    wire_.send(answer);
    return outcome(future);
  }
  std::int64_t stat(std::string_view name) const {
    const std::optional<StatValue> found = runtime_->stats().find(name);
    return found ? found->value : -1;
  }

  wire::LogLines log_;
  wire::FakeServer server_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<Client> client_;
  std::optional<Reference<wire::Probe>> probe_;
  Wire wire_;
};

TEST_F(BadServerTest, ErrorsInEveryFormThatPeersHaveForThem) {
  call();
  EXPECT_EQ(answered(wire::text_response(0, "fine")).message(), "fine");

  const auto exception = [](std::string_view name, std::string_view text) {
    Buffer out;
    Writer writer(out);
    hessian::encode_exception(writer, name, text);
    return out.to_string();
  };
  // Java, status 0: words of the framework, and an exception of the method's own.
  Error error = answered(wire::response(
      0,
      wire::response_content(true, "RPC-020100010: RPC cannot find service: [x] ", [](Writer& w) {
        w.write_null();
        w.write_null();
      })));
  EXPECT_EQ(error.code(), Code::kServiceNotFound);
  error = answered(wire::response(
      0, wire::response_content(
             true, "RPC-020100011: Cannot find invoke method: [m], service: [x] ", [](Writer& w) {
               w.write_null();
               w.write_null();
             })));
  EXPECT_EQ(error.code(), Code::kMethodNotFound);
  RawFrame business =
      wire::response(0, wire::response_content(false, std::nullopt, [](Writer& w) {
                       hessian::encode_exception(w, "com.acme.NoSuchItem", "none left");
                       w.begin_map();
                       w.write_string("sofa_head_response_error");
                       w.write_string("true");
                       w.end_map();
                     }));
  error = answered(business);  // announced only behind the exception
  EXPECT_EQ(error.code(), Code::kBusiness);
  EXPECT_EQ(error.message(), "none left");
  business.header = wire::header_block({{"sofa_head_response_error", "true"}});
  error = answered(business);
  EXPECT_EQ(error.code(), Code::kBusiness);
  EXPECT_EQ(error.exception()->class_name(), "com.acme.NoSuchItem");
  // Bolt's own failures.
  struct Case {
    unsigned status;
    Code code;
  };
  for (const Case& one :
       {Case{1, Code::kPeerError}, Case{2, Code::kPeerError}, Case{4, Code::kBusy},
        Case{7, Code::kTimeout}, Case{0x11, Code::kPeerEncode}, Case{0x12, Code::kPeerDecode}}) {
    RawFrame failed = wire::response(0, exception(bolt::kExceptionClass, "its own words"));
    failed.class_name = bolt::kExceptionClass;
    failed.status = one.status;
    error = answered(failed);
    EXPECT_EQ(error.code(), one.code);
    EXPECT_NE(error.message().find("its own words"), std::string::npos) << error.what();
    failed.class_name = failed.content = "";
    EXPECT_EQ(answered(failed).code(), one.code);
    failed.content = "no hessian";
    EXPECT_EQ(answered(failed).code(), one.code);
  }
  // Node: the class name of a response, and an exception in it.
  RawFrame node = wire::response(0, exception(bolt::kExceptionClass, "Error: boom"));
  node.status = 2;
  error = answered(node);
  EXPECT_EQ(error.code(), Code::kPeerError);
  EXPECT_NE(error.message().find("Error: boom"), std::string::npos) << error.what();
  EXPECT_EQ(answered(wire::text_response(0, "still fine")).message(), "still fine");
}

TEST_F(BadServerTest, AnswersThatCannotBeReadCostTheCallNotTheConnection) {
  call();
  EXPECT_EQ(answered(wire::text_response(0, "a")).message(), "a");
  // Of another type.
  Error error =
      answered(wire::response(0, wire::response_content(false, std::nullopt, [](Writer& w) {
                                w.begin_map();
                                w.end_map();
                                w.write_null();
                              })));
  EXPECT_EQ(error.code(), Code::kDecode);
  EXPECT_NE(error.message().find("com.acme.Probe:1.0#echo"), std::string::npos) << error.what();
  // Empty, unknown codec, cut anywhere.
  EXPECT_NE(answered(wire::response(0, "")).code(), Code{});
  RawFrame unknown = wire::text_response(0, "x");
  unknown.codec = 99;
  EXPECT_EQ(answered(unknown).code(), Code::kDecode);
  const std::string whole = wire::text_response(0, "a text of some length").content;
  for (std::size_t size = 1; size + 1 < whole.size(); size += 3) {
    EXPECT_NE(answered(wire::response(0, whole.substr(0, size))).code(), Code{}) << size;
  }
  EXPECT_EQ(answered(wire::text_response(0, "b")).message(), "b");
  EXPECT_EQ(stat("settee.rpc.client.connects"), 1);
}

TEST_F(BadServerTest, UnknownAndLateAnswersAreDropped) {
  call();
  EXPECT_EQ(answered(wire::text_response(0, "a")).message(), "a");
  std::future<std::string> late =
      as_future(probe_->with(CallOptions().timeout(50ms))->echo("hurry"));
  const std::optional<Received> asked = wire_.receive();
  ASSERT_TRUE(asked);
  EXPECT_EQ(outcome(late).code(), Code::kTimeout);
  ASSERT_TRUE(wire_.send(wire::text_response(static_cast<std::uint32_t>(asked->frame.id), "late")));
  for (const std::uint32_t id : {0u, 999u, 0xffffffffu, 0x80000000u}) {
    ASSERT_TRUE(wire_.send(wire::text_response(id, "unasked")));
  }
  EXPECT_EQ(answered(wire::text_response(0, "b")).message(), "b");
  EXPECT_EQ(stat("settee.rpc.client.late_answers"), 5);
}

TEST_F(BadServerTest, GarbageEndsTheConnectionAndItsCalls) {
  call();
  RawFrame wrong_status = wire::text_response(1, "x");
  wrong_status.status = 0x4242;
  RawFrame huge = wire::text_response(1, "x");
  huge.content_length = INT32_MAX;
  RawFrame wrong_crc = v2(wire::text_response(1, "x"), 22, 1);
  wrong_crc.wrong_crc = true;
  for (const std::string& garbage :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string(100, '\0'),
        wrong_status.bytes(), huge.bytes(), wrong_crc.bytes()}) {
    std::future<std::string> one = as_future((*probe_)->echo("a"));
    std::future<std::string> two = as_future((*probe_)->echo("b"));
    Wire wire = server_.accept();
    ASSERT_TRUE(wire.receive());
    // An answer ahead of the garbage counts.
    const std::optional<Received> second = wire.receive();
    ASSERT_TRUE(second);
    ASSERT_TRUE(wire.send(
        wire::text_response(static_cast<std::uint32_t>(second->frame.id), "in time").bytes() +
        garbage));
    EXPECT_TRUE(wire.closed());
    std::vector<Error> ends{outcome(one), outcome(two)};
    if (ends[0].code() == Code{}) std::swap(ends[0], ends[1]);
    EXPECT_EQ(ends[0].code(), Code::kConnectionClosed) << ends[0].what();
    EXPECT_EQ(ends[1].message(), "in time");
  }
  EXPECT_NE(log_.wait_for({server_.url().substr(7), "offset 0"}), "") << log_.all();
}

TEST_F(BadServerTest, AnAnswerCutOffEndsTheCall) {
  call();
  const std::string whole = wire::text_response(1, "x").bytes();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{19}, whole.size() - 1}) {
    std::future<std::string> future = as_future((*probe_)->echo("a"));
    Wire wire = server_.accept();
    ASSERT_TRUE(wire.receive());
    ASSERT_TRUE(wire.send(whole.substr(0, size)));
    wire.close();
    const Error error = outcome(future);
    EXPECT_EQ(error.code(), Code::kConnectionClosed) << error.what();
    // One that gave nothing is tried again only after a pause.
    std::this_thread::sleep_for(250ms);
  }
}

TEST_F(BadServerTest, ServersMayAskAndBeat) {
  call();
  EXPECT_EQ(answered(wire::text_response(0, "a")).message(), "a");
  ASSERT_TRUE(wire_.send(wire::heartbeat(42)));
  std::optional<Received> answer = wire_.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->frame.command, bolt::Command::kHeartbeat);
  EXPECT_EQ(answer->frame.type, bolt::FrameType::kResponse);
  EXPECT_EQ(answer->frame.id, 42);
  ASSERT_TRUE(wire_.send(v2(wire::heartbeat(43), 22, 1)));
  answer = wire_.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->frame.version, bolt::Version::kV2_2);
  ASSERT_TRUE(wire_.send(wire::echo(44, "can you?")));
  answer = wire_.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->frame.id, 44);
  EXPECT_EQ(answer->frame.status, bolt::Status::kNoProcessor);
  RawFrame oneway = wire::echo(45, "hear this");
  oneway.type = 2;
  ASSERT_TRUE(wire_.send(oneway));
  EXPECT_EQ(answered(wire::text_response(0, "b")).message(), "b");
}

TEST_F(BadServerTest, AServerThatAsksAndDoesNotReadPilesUpNothing) {
  ClientOptions options;
  options.max_unsent = 64 * 1024;
  call(options);
  EXPECT_EQ(answered(wire::text_response(0, "a")).message(), "a");
  std::string beats;
  for (std::uint32_t id = 0; id < 10'000; ++id) beats += wire::heartbeat(id).bytes();
  const std::size_t before = heap_in_use();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(wire_.send(beats));  // 44 MB; it is always read
  if (kMemoryCounts) {
    EXPECT_LT(heap_in_use(), before + 4 * 1024 * 1024);
  }
}

TEST_F(BadServerTest, ConnectsAgainWithGrowingPauses) {
  ClientOptions options;
  options.reconnect_first = 50ms;
  options.reconnect_most = 400ms;
  call(options);
  // It takes every connection and ends it at once, and its client calls as fast as it can.
  std::atomic<bool> enough{false};
  std::thread caller([&] {
    while (!enough) {
      std::future<std::string> future = as_future((*probe_)->echo("x"));
      EXPECT_NE(outcome(future).code(), Code{});
    }
  });
  std::vector<TimePoint> connects;
  const TimePoint begin = Clock::now();
  while (Clock::now() < begin + 2s) {
    const Wire taken = server_.accept(100ms);
    if (taken.open()) connects.push_back(Clock::now());
  }
  enough = true;
  caller.join();
  // 50, 100, 200, 400, 400, ... milliseconds.
  EXPECT_GE(connects.size(), 3u);
  EXPECT_LE(connects.size(), 9u);
  for (std::size_t i = 4; i + 1 < connects.size(); ++i) {
    EXPECT_GE(connects[i + 1] - connects[i], 300ms) << i;
  }
}

TEST_F(BadServerTest, WaitsForRoomEndWhenBytesDrain) {
  ClientOptions options;
  options.max_unsent = 128 * 1024;
  call(options);
  EXPECT_EQ(answered(wire::text_response(0, "a")).message(), "a");
  // Oneway calls fill the connection: no answer will ever make room.
  const std::string large(32 * 1024, 'x');
  Result<void> sent;
  for (int i = 0; i < 10'000 && sent; ++i) {
    std::promise<Result<void>> result;
    runtime_->loop(0).post([&] { result.set_value(oneway((*probe_)->note(large))); });
    sent = result.get_future().get();
  }
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), Code::kOverflow);
  std::promise<Error> ended;
  auto body = [](Reference<wire::Probe> probe, std::promise<Error>& end) -> Task<void> {
    Result<std::string> answer = co_await as_result(probe->echo("after all"));
    end.set_value(answer ? Error(Code{}, *answer) : answer.error());
  };
  runtime_->spawn(body(*probe_, ended));
  std::future<Error> future = ended.get_future();
  EXPECT_EQ(future.wait_for(100ms), std::future_status::timeout);
  for (;;) {
    const std::optional<Received> got = wire_.receive();
    ASSERT_TRUE(got);
    if (got->frame.type == bolt::FrameType::kOneway) continue;
    ASSERT_TRUE(wire_.send(wire::text_response(static_cast<std::uint32_t>(got->frame.id), "room")));
    break;
  }
  EXPECT_EQ(future.get().message(), "room");
}

TEST_F(BadServerTest, HeartbeatsFindADeadServer) {
  ClientOptions options;
  options.heartbeat = 50ms;
  options.heartbeat_timeout = 50ms;
  options.heartbeat_misses = 3;
  call(options);
  EXPECT_EQ(answered(wire::text_response(0, "a")).message(), "a");
  int beats = 0;
  while (const std::optional<Received> beat = wire_.receive()) {
    EXPECT_EQ(beat->frame.command, bolt::Command::kHeartbeat);
    EXPECT_EQ(beat->frame.timeout_ms, -1);
    ++beats;
  }
  EXPECT_EQ(beats, 3);
  EXPECT_NE(log_.wait_for({"left 3 heartbeats unanswered"}), "") << log_.all();
  // One that answers them stays.
  wire_ = server_.accept();
  ASSERT_TRUE(wire_.open());
  for (int i = 0; i < 6; ++i) {
    const std::optional<Received> beat = wire_.receive();
    ASSERT_TRUE(beat);
    RawFrame ack = wire::heartbeat(static_cast<std::uint32_t>(beat->frame.id));
    ack.type = 0;
    ASSERT_TRUE(wire_.send(ack));
  }
}

TEST_F(BadServerTest, CallsThatWaitForAConnectionCanBeCancelled) {
  call();
  // A queue that is full: connecting hangs.
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listening, 0), 0);
  getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size);
  std::vector<int> queued;
  for (int i = 0; i < 4; ++i) {
    queued.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    static_cast<void>(::connect(queued.back(), reinterpret_cast<sockaddr*>(&address), size));
  }
  std::this_thread::sleep_for(20ms);
  auto hanging =
      client_->refer<wire::Probe>("bolt://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  CancelSource cancel{Context()};
  std::future<std::string> future;
  {
    const ContextScope scope(cancel.context());
    future = as_future(hanging->echo("x"));
  }
  std::this_thread::sleep_for(50ms);
  cancel.cancel();
  EXPECT_EQ(outcome(future).code(), Code::kCancelled);
  for (const int fd : queued) ::close(fd);
  ::close(listening);
}

}  // namespace
}  // namespace settee::rpc
