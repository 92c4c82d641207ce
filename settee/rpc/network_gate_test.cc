// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// That the gate does to plain bytes what it says: the other tests rely on it.

#include <gtest/gtest.h>

#include "settee/rpc/rpc_test_gate.h"
#include "settee/rpc/rpc_test_peer.h"

namespace wire {
namespace {

class NetworkGateTest : public testing::Test {
 protected:
  // A client and a server's end of one connection through the gate.
  void join() {
    client_ = Wire::to_port(gate_.port());
    served_ = server_.accept();
    ASSERT_TRUE(client_.open());
    ASSERT_TRUE(served_.open());
  }
  // What comes until there are `size` bytes, the end or no more for a while.
  static std::string read(Wire& wire, std::size_t size, std::chrono::milliseconds most = 10s) {
    std::string got;
    const TimePoint until = Clock::now() + most;
    while (got.size() < size) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
      pollfd watched{wire.fd(), POLLIN, 0};
      if (left <= 0 || ::poll(&watched, 1, static_cast<int>(left)) <= 0) break;
      char part[4096];
      const ssize_t some = ::recv(wire.fd(), part, sizeof part, 0);
      if (some <= 0) break;
      got.append(part, static_cast<std::size_t>(some));
    }
    return got;
  }
  static bool was_reset(Wire& wire) {
    pollfd watched{wire.fd(), POLLIN, 0};
    if (::poll(&watched, 1, 10'000) <= 0) return false;
    char byte;
    return ::recv(wire.fd(), &byte, 1, 0) < 0 && errno == ECONNRESET;
  }

  FakeServer server_;
  NetworkGate gate_{server_.port()};
  Wire client_;
  Wire served_;
};

TEST_F(NetworkGateTest, PassesOnWhatComesAndItsEnd) {
  join();
  client_.send("question");
  EXPECT_EQ(read(served_, 8), "question");
  const std::string large(3'000'000, 'x');
  std::thread answering([&] { served_.send(large); });
  EXPECT_EQ(read(client_, large.size()), large);
  answering.join();
  client_.end_writing();
  EXPECT_EQ(read(served_, 1), "");
  served_.send("last");
  EXPECT_EQ(read(client_, 4), "last");
  served_.close();
  EXPECT_TRUE(client_.closed());
  client_.close();
  EXPECT_TRUE(eventually([&] { return gate_.counts().open == 0; }));
  const NetworkGate::Counts counts = gate_.counts();
  EXPECT_EQ(counts.accepted, 1u);
  EXPECT_EQ(counts.to_server, 8u);
  EXPECT_EQ(counts.to_client, large.size() + 4);
  EXPECT_EQ(counts.swallowed + counts.changed + counts.ended, 0u);
}

TEST_F(NetworkGateTest, RefusesUntilItIsCleared) {
  join();
  gate_.set(Fault::kRefused);
  EXPECT_TRUE(client_.closed());
  EXPECT_TRUE(served_.closed());
  EXPECT_FALSE(Wire::to_port(gate_.port()).open());
  EXPECT_EQ(gate_.counts().ended, 1u);
  gate_.clear();
  join();
}

TEST_F(NetworkGateTest, ResetsBothEnds) {
  join();
  gate_.set(Fault::kReset);
  client_.send("x");
  EXPECT_TRUE(was_reset(client_));
  EXPECT_TRUE(was_reset(served_));
}

TEST_F(NetworkGateTest, SilentConnectionsAreTakenAndNeverHeardOfAgain) {
  gate_.set(Fault::kSilent);
  join();
  client_.send("question");
  EXPECT_EQ(read(served_, 1, 100ms), "");
  gate_.clear();
  client_.send("question");
  EXPECT_EQ(read(served_, 1, 100ms), "");
  EXPECT_EQ(gate_.counts().swallowed, 16u);
  client_.close();
  EXPECT_FALSE(served_.closed(50ms));
  served_.close();
  EXPECT_TRUE(eventually([&] { return gate_.counts().open == 0; }));
}

TEST_F(NetworkGateTest, HalfOpenConnectionsAreDeadAndNewOnesAreNot) {
  join();
  gate_.set(Fault::kHalfOpen);
  Wire dead = std::exchange(client_, Wire());
  Wire dead_server = std::exchange(served_, Wire());
  dead.send("question");
  join();
  client_.send("y");
  EXPECT_EQ(read(served_, 1), "y");
  dead_server.close();
  EXPECT_EQ(read(dead, 1, 50ms), "");
  EXPECT_EQ(gate_.counts().ended, 0u);
}

TEST_F(NetworkGateTest, CutsAfterSoManyBytesOfAWay) {
  join();
  gate_.set({Fault::kCut, 5, {}, Way::kToClient});
  client_.send("a long question");
  EXPECT_EQ(read(served_, 15), "a long question");
  served_.send("answer");
  EXPECT_EQ(read(client_, 6), "answe");
  EXPECT_TRUE(client_.closed());
  EXPECT_TRUE(served_.closed());
}

TEST_F(NetworkGateTest, InvertsEachSoManyth) {
  join();
  gate_.set({Fault::kCorrupted, 3, {}, Way::kToServer});
  client_.send("abcdef");
  std::string expected = "abcdef";
  expected[2] = static_cast<char>(~expected[2]);
  expected[5] = static_cast<char>(~expected[5]);
  EXPECT_EQ(read(served_, 6), expected);
  served_.send("abcdef");
  EXPECT_EQ(read(client_, 6), "abcdef");
  EXPECT_EQ(gate_.counts().changed, 2u);
}

TEST_F(NetworkGateTest, LateIsLateInItsWay) {
  join();
  gate_.set({Fault::kDelayed, 1, 100ms, Way::kToServer});
  TimePoint began = Clock::now();
  client_.send("a");
  EXPECT_EQ(read(served_, 1), "a");
  EXPECT_GE(Clock::now() - began, 100ms);
  gate_.set({Fault::kSlow, 1, 100ms});
  client_.send("b");
  EXPECT_EQ(read(served_, 1), "b");
  began = Clock::now();
  served_.send("c");
  EXPECT_EQ(read(client_, 1), "c");
  EXPECT_GE(Clock::now() - began, 100ms);
  // And to connect.
  began = Clock::now();
  join();
  EXPECT_GE(Clock::now() - began, 95ms);
}

TEST_F(NetworkGateTest, KeepsToABandwidth) {
  join();
  gate_.set({Fault::kBandwidth, 10'000});
  const TimePoint began = Clock::now();
  const std::string text(2'000, 'x');
  client_.send(text);
  EXPECT_EQ(read(served_, text.size()), text);
  EXPECT_GE(Clock::now() - began, 180ms);
}

TEST_F(NetworkGateTest, SlicesIntoSingleBytes) {
  join();
  gate_.set(Fault::kSliced);
  std::string got;
  std::size_t largest = 0;
  int reads = 0;
  std::thread sending([&] { client_.send(std::string(500, 'x')); });
  while (got.size() < 500) {
    char part[4096];
    const ssize_t some = ::recv(served_.fd(), part, sizeof part, 0);
    ASSERT_GT(some, 0);
    largest = std::max(largest, static_cast<std::size_t>(some));
    got.append(part, static_cast<std::size_t>(some));
    ++reads;
  }
  sending.join();
  EXPECT_EQ(got, std::string(500, 'x'));
  // A reader that is slow sees some of them together.
  EXPECT_GT(reads, 20) << largest;
}

TEST(NetworkGateWithoutServer, ResetsWhatItCannotPassOn) {
  std::uint16_t port = 0;
  {
    const FakeServer gone;
    port = gone.port();
  }
  const NetworkGate gate(port);
  Wire client = Wire::to_port(gate.port());
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(gate.counts().refused, 1u);
}

}  // namespace
}  // namespace wire
