// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Connections over a socket pair, on a loop that the test turns itself.

#include "settee/net/connection.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace settee::net {
namespace {

using namespace std::chrono_literals;
using Data = std::span<const std::uint8_t>;

std::string_view text(Data data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

// Does what the test says.
struct Scripted final : Protocol {
  std::function<Taken(Connection&, Data)> data = [this](Connection&, Data d) -> Taken {
    received += text(d);
    return {d.size()};
  };
  std::function<void(Connection&)> begin = [](Connection&) {};
  std::function<void(Connection&, const Error&)> end = [](Connection&, const Error&) {};
  std::function<void(Connection&)> drained = [](Connection&) {};
  std::string received;
  int ended = 0;
  bool* destroyed = nullptr;

  ~Scripted() override {
    if (destroyed != nullptr) *destroyed = true;
  }
  void on_begin(Connection& c) override { begin(c); }
  Taken on_data(Connection& c, Data d) override { return data(c, d); }
  void on_close(Connection& c, const Error& why) override {
    ++ended;
    end(c, why);
  }
  void on_drained(Connection& c) override { drained(c); }
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() { loop_.enter(); }
  ~ConnectionTest() override {
    if (peer_ >= 0) ::close(peer_);
    if (connection_ && !connection_->closed()) {
      connection_->close(Error(Code::kStopped, "the test ends"));
    }
    connection_.reset();
    loop_.turn(Duration::zero());
    loop_.leave();
    if (connections_made_) {
      EXPECT_EQ(stat("settee.net.connections"), 0);
    }
  }

  Scripted& open(ConnectionOptions options = {}, bool tcp_like_small_buffers = false) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    if (tcp_like_small_buffers) {
      const int size = 4096;
      for (const int fd : fds) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
      }
    }
    peer_ = fds[1];
    connections_made_ = true;
    connection_ = std::make_shared<Connection>(loop_, fds[0], SocketAddress(), options,
                                               ConnectionStats::of(stats_, "test"));
    auto protocol = std::make_unique<Scripted>();
    Scripted& scripted = *protocol;
    connection_->begin(std::move(protocol));
    return scripted;
  }

  void send(std::string_view bytes) {
    ASSERT_EQ(::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  std::string take() {
    std::string all;
    char part[65536];
    for (ssize_t n; (n = ::recv(peer_, part, sizeof part, 0)) > 0;) {
      all.append(part, static_cast<std::size_t>(n));
    }
    return all;
  }
  bool peer_sees_end() {
    char byte;
    const ssize_t got = ::recv(peer_, &byte, 1, 0);
    // Bytes of ours that nobody has read make it a reset.
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }
  void turn(int times = 1) {
    for (int i = 0; i < times; ++i) loop_.turn(Duration::zero());
  }
  std::int64_t stat(std::string_view name) {
    const std::optional<StatValue> found = stats_.find(name, {{"role", "test"}});
    return found ? found->value : -1;
  }

  Stats stats_;
  bool connections_made_ = false;
  Loop loop_;
  int peer_ = -1;
  std::shared_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, GivesWhatComesAndSendsWhatIsAppended) {
  Scripted& protocol = open();
  send("hello");
  turn();
  EXPECT_EQ(protocol.received, "hello");
  connection_->out().append("good ");
  connection_->cork();
  connection_->out().append("day");
  connection_->cork();
  EXPECT_EQ(connection_->unsent(), 8u);
  EXPECT_EQ(take(), "");
  turn();
  EXPECT_EQ(take(), "good day");
  EXPECT_EQ(connection_->unsent(), 0u);
  EXPECT_EQ(stat("settee.net.writes"), 1);  // one write for both
  EXPECT_EQ(stat("settee.net.reads"), 1);
  EXPECT_EQ(stat("settee.net.bytes_in"), 5);
  EXPECT_EQ(stat("settee.net.bytes_out"), 8);
}

TEST_F(ConnectionTest, OneByteAtATime) {
  Scripted& protocol = open();
  for (const char c : std::string_view("one byte at a time")) {
    send({&c, 1});
    turn();
  }
  EXPECT_EQ(protocol.received, "one byte at a time");
}

// Frames: a digit that says how many bytes follow.
Protocol::Taken frames(std::vector<std::string>& out, Data data) {
  std::size_t used = 0;
  while (used < data.size()) {
    const std::size_t size = static_cast<std::size_t>(data[used] - '0') + 1;
    if (size > data.size() - used) return {used, size};
    out.emplace_back(text(data.subspan(used + 1, size - 1)));
    used += size;
  }
  return {used};
}

TEST_F(ConnectionTest, AFrameSplitAnywhereIsPutTogether) {
  const std::string all = "3abc05hello9ninebytes1x0";
  const std::vector<std::string> expected{"abc", "", "hello", "ninebytes", "x", ""};
  Scripted& protocol = open();
  std::vector<std::string> got;
  std::size_t wanted = 1;
  protocol.data = [&](Connection&, Data data) -> Protocol::Taken {
    EXPECT_GE(data.size(), wanted) << "called with fewer bytes than it wants";
    const Protocol::Taken taken = frames(got, data);
    wanted = taken.wanted;
    return taken;
  };
  for (std::size_t first = 0; first <= all.size(); ++first) {
    for (std::size_t second = first; second <= all.size(); second += 3) {
      got.clear();
      wanted = 1;
      const std::string_view view(all);
      for (const std::string_view part :
           {view.substr(0, first), view.substr(first, second - first), view.substr(second)}) {
        if (part.empty()) continue;
        send(part);
        turn();
      }
      ASSERT_EQ(got, expected) << "split at " << first << " and " << second;
    }
  }
}

TEST_F(ConnectionTest, CloseWithinOnData) {
  Scripted& protocol = open();
  bool destroyed = false;
  protocol.destroyed = &destroyed;
  int calls = 0;
  protocol.data = [&](Connection& connection, Data) -> Protocol::Taken {
    ++calls;
    connection.out().append("never sent");
    connection.cork();
    connection.close(Error(Code::kProtocol, "enough"));
    connection.close(Error(Code::kProtocol, "again"));  // nothing happens
    connection.resume_reading();
    connection.cork();
    EXPECT_FALSE(destroyed);
    return {0};
  };
  protocol.end = [&](Connection& connection, const Error& why) {
    EXPECT_EQ(why.message(), "enough");
    EXPECT_TRUE(connection.closed());
    EXPECT_EQ(protocol.ended, 1);
    connection.close(why);  // from here too
  };
  send("x");
  const std::shared_ptr<Connection> keep = std::move(connection_);
  turn();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(keep->closed());
  EXPECT_TRUE(peer_sees_end());
}

TEST_F(ConnectionTest, TheLastOwnerMayLetGoInOnClose) {
  Scripted& protocol = open();
  bool destroyed = false;
  protocol.destroyed = &destroyed;
  protocol.data = [&](Connection& connection, Data data) -> Protocol::Taken {
    connection.close(Error(Code::kProtocol, "enough"));
    EXPECT_FALSE(destroyed);
    return {data.size()};
  };
  protocol.end = [&](Connection&, const Error&) { connection_.reset(); };
  send("x");
  turn();
  EXPECT_TRUE(destroyed);
  EXPECT_TRUE(peer_sees_end());
}

TEST_F(ConnectionTest, CloseWithinOnBegin) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  peer_ = fds[1];
  connection_ = std::make_shared<Connection>(loop_, fds[0], SocketAddress(), ConnectionOptions(),
                                             ConnectionStats::of(stats_, "test"));
  auto protocol = std::make_unique<Scripted>();
  protocol->begin = [](Connection& connection) {
    connection.close(Error(Code::kStopped, "not today"));
  };
  send("x");
  connection_->begin(std::move(protocol));
  turn();
  EXPECT_TRUE(connection_->closed());
  EXPECT_TRUE(peer_sees_end());
}

TEST_F(ConnectionTest, ASocketThatCannotBeWatchedIsAnError) {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);  // epoll takes no such thing
  connection_ = std::make_shared<Connection>(loop_, fd, SocketAddress(), ConnectionOptions(),
                                             ConnectionStats::of(stats_, "test"));
  EXPECT_THROW(connection_->begin(std::make_unique<Scripted>()), Error);
  connection_.reset();
}

TEST_F(ConnectionTest, SwitchingProtocolGivesTheRestToTheNewOne) {
  for (const bool at_once : {true, false}) {
    Scripted& first = open();
    bool destroyed = false;
    first.destroyed = &destroyed;
    std::string begun;
    std::string received;
    first.data = [&](Connection& connection, Data data) -> Protocol::Taken {
      if (data.size() < 3) return {0, 3};
      auto next = std::make_unique<Scripted>();
      next->begin = [&](Connection&) { begun += "b"; };
      next->data = [&](Connection&, Data d) -> Protocol::Taken {
        received += text(d);
        return {d.size()};
      };
      connection.switch_protocol(std::move(next));
      EXPECT_FALSE(destroyed);  // it is still running
      return {2};
    };
    if (at_once) {
      send("abcdef");
      turn();
    } else {
      for (const char c : std::string_view("abcdef")) {
        send({&c, 1});
        turn();
      }
    }
    EXPECT_TRUE(destroyed);
    EXPECT_EQ(begun, "b");
    EXPECT_EQ(received, "cdef");
    connection_->close(Error(Code::kStopped, "next"));
    ::close(peer_);
  }
  peer_ = -1;
}

TEST_F(ConnectionTest, SwitchingAndClosingAtOnce) {
  Scripted& first = open();
  int closed = 0;
  first.data = [&](Connection& connection, Data data) -> Protocol::Taken {
    auto next = std::make_unique<Scripted>();
    next->end = [&](Connection&, const Error&) { ++closed; };
    connection.switch_protocol(std::move(next));
    connection.close(Error(Code::kStopped, "done"));
    return {data.size()};
  };
  send("x");
  turn();
  EXPECT_EQ(closed, 1);
}

TEST_F(ConnectionTest, APausedConnectionKeepsWhatItWasGivenInOrder) {
  Scripted& protocol = open();
  std::string got;
  bool pause = true;
  protocol.data = [&](Connection& connection, Data data) -> Protocol::Taken {
    got += static_cast<char>(data[0]);
    if (pause) {
      connection.pause_reading();
      return {1};
    }
    return {1};
  };
  send("abc");
  turn(3);
  EXPECT_EQ(got, "a");
  send("def");
  turn(3);
  EXPECT_EQ(got, "a");  // nothing while it is paused
  for (const char* expected : {"ab", "abc", "abcd"}) {
    connection_->resume_reading();
    EXPECT_EQ(got.size() + 1, std::string_view(expected).size());  // not from within the caller
    turn(3);
    EXPECT_EQ(got, expected);
  }
  pause = false;
  connection_->resume_reading();
  turn(3);
  EXPECT_EQ(got, "abcdef");
}

TEST_F(ConnectionTest, TheEndIsSeenAlsoWhenItCameWhilePaused) {
  Scripted& protocol = open();
  protocol.data = [&](Connection& connection, Data data) -> Protocol::Taken {
    protocol.received += text(data);
    connection.pause_reading();
    return {data.size()};
  };
  send("a");
  turn();
  send("b");
  shutdown(peer_, SHUT_WR);
  turn(2);
  EXPECT_FALSE(connection_->closed());
  connection_->resume_reading();
  turn(2);
  EXPECT_EQ(protocol.received, "ab");
  EXPECT_FALSE(connection_->closed());  // paused again by "b"
  connection_->resume_reading();
  turn(2);
  EXPECT_TRUE(connection_->closed());
}

// The bytes and the end are in one edge: the short read must not be the last.
TEST_F(ConnectionTest, TheEndIsSeenWhenItComesWithTheLastBytes) {
  Scripted& protocol = open();
  send("last words");
  shutdown(peer_, SHUT_WR);
  turn(2);
  EXPECT_EQ(protocol.received, "last words");
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(protocol.ended, 1);
}

TEST_F(ConnectionTest, WhoEndsItsSideStillGetsTheAnswerToItsLastWords) {
  Scripted& protocol = open();
  protocol.data = [](Connection& connection, Data data) -> Protocol::Taken {
    connection.out().append("answer");
    connection.cork();
    return {data.size()};
  };
  send("question");
  shutdown(peer_, SHUT_WR);
  turn(2);
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(take(), "answer");
  EXPECT_TRUE(peer_sees_end());
}

TEST_F(ConnectionTest, TheEndWithinAFrameSaysHowFarItCame) {
  Scripted& protocol = open();
  protocol.data = [](Connection&, Data) -> Protocol::Taken { return {0, 100}; };
  std::string why;
  protocol.end = [&](Connection&, const Error& error) { why = error.message(); };
  send("seventeen bytes..");
  turn();
  ::close(peer_);
  peer_ = -1;
  turn();
  EXPECT_NE(why.find("17 bytes into a frame"), std::string::npos) << why;
}

TEST_F(ConnectionTest, ACongestedConnectionStopsReadingAndGoesOnLater) {
  ConnectionOptions options;
  options.high_mark = 64 * 1024;
  options.low_mark = 16 * 1024;
  Scripted& protocol = open(options, true);
  int drained = 0;
  protocol.drained = [&](Connection&) { ++drained; };
  std::size_t asked = 0;
  protocol.data = [&](Connection& connection, Data data) -> Protocol::Taken {
    std::size_t used = 0;
    while (used < data.size() && !connection.congested()) {
      connection.out().append(std::string(1000, static_cast<char>(data[used++])));
      connection.cork();
      ++asked;
    }
    return {used};
  };
  std::string questions;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    questions += static_cast<char>('a' + i % 26);
    expected += std::string(1000, questions.back());
  }
  send(questions);
  turn(5);
  EXPECT_TRUE(connection_->congested());
  // What was made is bounded by the mark and one answer, though all thousand were there to be read.
  EXPECT_LT(asked, 200u);
  EXPECT_LE(connection_->unsent(), options.high_mark + 1000);
  std::string got;
  for (int i = 0; i < 10000 && got.size() < expected.size(); ++i) {
    got += take();
    turn();
    EXPECT_LE(connection_->unsent(), options.high_mark + 1000);
  }
  EXPECT_EQ(asked, 1000u);
  EXPECT_TRUE(got == expected);
  EXPECT_GT(drained, 0);
  EXPECT_FALSE(connection_->congested());
}

TEST_F(ConnectionTest, OneThatReadsOnWhenCongestedHearsWhenItIsDrained) {
  ConnectionOptions options;
  options.high_mark = 10'000;
  options.low_mark = 5'000;
  options.read_when_congested = true;
  Scripted& protocol = open(options, true);
  int drained = 0;
  protocol.drained = [&](Connection&) { ++drained; };
  const std::string much(200'000, 'x');
  connection_->out().append(much);
  connection_->cork();
  turn();
  EXPECT_TRUE(connection_->congested());
  send("still heard");
  turn();
  EXPECT_EQ(protocol.received, "still heard");
  std::size_t got = 0;
  for (int i = 0; i < 10000 && got < much.size(); ++i) {
    got += take().size();
    turn();
  }
  EXPECT_EQ(got, much.size());
  EXPECT_EQ(drained, 1);
}

TEST_F(ConnectionTest, CloseWithinOnDrained) {
  ConnectionOptions options;
  options.high_mark = 1000;
  options.low_mark = 100;
  Scripted& protocol = open(options, true);
  protocol.drained = [&](Connection& connection) {
    connection.close(Error(Code::kStopped, "drained"));
  };
  connection_->out().append(std::string(50'000, 'x'));
  connection_->cork();
  turn();
  for (int i = 0; i < 1000 && !connection_->closed(); ++i) {
    take();
    turn();
  }
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(protocol.ended, 1);
}

TEST_F(ConnectionTest, APeerThatIsGoneEndsTheFlush) {
  Scripted& protocol = open();
  std::string why;
  protocol.end = [&](Connection& connection, const Error& error) {
    why = error.message();
    connection.out().append("still talking");  // harmless
    connection.cork();
  };
  ::close(peer_);
  peer_ = -1;
  connection_->out().append("x");
  connection_->cork();
  loop_.flush();  // before the loop could tell us that the peer has gone
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(protocol.ended, 1);
  EXPECT_NE(why.find("writing"), std::string::npos) << why;
  turn();
}

TEST_F(ConnectionTest, APeerThatIsGoneEndsALargeAppendAtOnce) {
  Scripted& protocol = open();
  ::close(peer_);
  peer_ = -1;
  connection_->out().append(std::string(1024 * 1024, 'x'));
  connection_->cork();  // too large to wait for the turn's end
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(protocol.ended, 1);
}

TEST_F(ConnectionTest, CloseWhenSentSendsFirst) {
  Scripted& protocol = open({}, true);
  connection_->out().append(std::string(100'000, 'x'));
  connection_->cork();
  connection_->close_when_sent(Error(Code::kStopped, "bye"), Clock::now() + 1h);
  send("not heard any more");
  turn();
  EXPECT_FALSE(connection_->closed());
  std::size_t got = 0;
  for (int i = 0; i < 1000 && !connection_->closed(); ++i) {
    got += take().size();
    turn();
  }
  got += take().size();
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(got, 100'000u);
  EXPECT_EQ(protocol.received, "");
}

TEST_F(ConnectionTest, CloseWhenSentGivesUpAtItsTime) {
  open({}, true);
  connection_->out().append(std::string(100'000, 'x'));
  connection_->cork();
  connection_->close_when_sent(Error(Code::kStopped, "bye"), Clock::now() + 10ms);
  const TimePoint begin = Clock::now();
  while (!connection_->closed() && Clock::now() - begin < 20s) loop_.turn(5ms);
  EXPECT_TRUE(connection_->closed());
  EXPECT_GE(Clock::now() - begin, 9ms);
}

TEST_F(ConnectionTest, CloseWhenSentWithNothingToSendClosesAtOnce) {
  open();
  connection_->close_when_sent(Error(Code::kStopped, "bye"), Clock::now() + 1h);
  EXPECT_TRUE(connection_->closed());
}

TEST_F(ConnectionTest, OneThatFloodsLeavesTheTurnToOthers) {
  ConnectionOptions options;
  options.turn_bytes = 64 * 1024;
  Scripted& protocol = open(options);
  const int big = 4 * 1024 * 1024;
  setsockopt(peer_, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
  std::size_t sent = 0;
  const std::string part(32 * 1024, 'x');
  for (ssize_t n; sent < 2 * 1024 * 1024 && (n = ::send(peer_, part.data(), part.size(), 0)) > 0;) {
    sent += static_cast<std::size_t>(n);
  }
  ASSERT_GT(sent, 128u * 1024);
  std::size_t before = 0;
  int turns = 0;
  while (protocol.received.size() < sent && turns < 1000) {
    turn();
    ++turns;
    EXPECT_LE(protocol.received.size() - before, options.turn_bytes + 64 * 1024);
    before = protocol.received.size();
  }
  EXPECT_EQ(protocol.received.size(), sent);
  EXPECT_GE(turns, 2);
}

TEST_F(ConnectionTest, AProtocolThatTakesNothingDoesNotSpin) {
  Scripted& protocol = open();
  int calls = 0;
  protocol.data = [&](Connection&, Data) -> Protocol::Taken {
    ++calls;
    return {0, 1};  // it has one byte, and more, and takes none
  };
  send("abc");
  turn(5);
  EXPECT_EQ(calls, 1);
  send("d");
  turn(5);
  EXPECT_EQ(calls, 2);
}

TEST_F(ConnectionTest, DestroyedWithoutCloseLeavesNothingBehind) {
  Scripted& protocol = open();
  bool destroyed = false;
  protocol.destroyed = &destroyed;
  connection_->out().append("x");
  connection_->cork();
  connection_.reset();
  EXPECT_TRUE(destroyed);
  turn(2);
  EXPECT_TRUE(peer_sees_end());
}

// What runs because of one connection's data may end another whose event is in the same turn.
TEST_F(ConnectionTest, ConnectionsMayCloseOneAnotherWithinATurn) {
  Scripted& first = open();
  const std::shared_ptr<Connection> one = connection_;
  const int one_peer = peer_;
  Scripted& second = open();
  std::shared_ptr<Connection> two = connection_;
  std::weak_ptr<Connection> alive = two;
  int calls = 0;
  const auto close_both = [&](Connection&, Data data) -> Protocol::Taken {
    ++calls;
    one->close(Error(Code::kStopped, "both"));
    if (const auto other = alive.lock()) other->close(Error(Code::kStopped, "both"));
    two.reset();
    connection_.reset();
    return {data.size()};
  };
  first.data = close_both;
  second.data = close_both;
  EXPECT_EQ(::send(one_peer, "x", 1, 0), 1);
  EXPECT_EQ(::send(peer_, "x", 1, 0), 1);
  turn(2);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(alive.expired());
  ::close(one_peer);
}

}  // namespace
}  // namespace settee::net
