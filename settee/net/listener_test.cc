// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <thread>

#include "settee/base/stats.h"

namespace settee::net {
namespace {

using namespace std::chrono_literals;

Endpoint any_port() {
  Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  return endpoint;
}

ListenerOptions on(Endpoint endpoint) {
  ListenerOptions options;
  options.endpoint = std::move(endpoint);
  return options;
}

// A plain blocking client socket; -1 if it cannot connect.
int dial(const SocketAddress& address) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, address.get(), address.size()) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

template <class F>
bool eventually(F condition) {
  const TimePoint until = Clock::now() + 20s;
  while (!condition()) {
    if (Clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

template <class F>
Error error_of(F act) {
  try {
    act();
  } catch (const Error& error) {
    return error;
  }
  return Error(Code{}, "no error");
}

struct Silent {
  RuntimeOptions options;
  std::mutex mutex;
  std::string text;
  Silent() {
    options.log = [this](LogLevel, std::string_view, std::string_view message) {
      const std::lock_guard lock(mutex);
      text += std::string(message) + "\n";
    };
  }
};

TEST(ListenerTest, DealsConnectionsOutToTheLoopsInTurn) {
  Runtime runtime{{.threads = 3}};
  std::mutex mutex;
  std::map<Loop*, int> dealt;
  std::vector<Socket> sockets;
  Listener listener(runtime, on(any_port()), [&](Loop& loop, Socket socket) {
    EXPECT_TRUE(loop.in_loop());
    EXPECT_EQ(socket.peer().family(), AF_INET);
    const std::lock_guard lock(mutex);
    ++dealt[&loop];
    sockets.push_back(std::move(socket));
  });
  EXPECT_NE(listener.address().port(), 0);
  std::vector<int> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(dial(listener.address()));
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return sockets.size() == 30;
  }));
  listener.stop();
  EXPECT_EQ(dealt.size(), 3u);
  for (const auto& [loop, count] : dealt) EXPECT_EQ(count, 10);
  for (const int client : clients) ::close(client);
}

TEST(ListenerTest, StopsWhileClientsKeepComing) {
  for (int round = 0; round < 20; ++round) {
    Runtime runtime{{.threads = 2}};
    std::atomic<bool> stopped{false};
    std::atomic<int> accepted{0};
    auto listener = std::make_unique<Listener>(runtime, on(any_port()), [&](Loop&, Socket) {
      EXPECT_FALSE(stopped) << "called after stop() had returned";
      ++accepted;
    });
    const SocketAddress address = listener->address();
    std::atomic<bool> enough{false};
    std::thread client([&] {
      while (!enough) {
        if (const int fd = dial(address); fd >= 0) ::close(fd);
      }
    });
    eventually([&] { return accepted > 3; });
    listener->stop();
    stopped = true;
    listener->stop();  // twice does no harm
    listener.reset();
    enough = true;
    client.join();
    EXPECT_EQ(dial(address), -1);
  }
}

TEST(ListenerTest, APortInUseIsAnErrorThatSaysWhich) {
  Runtime runtime{{.threads = 1}};
  Listener first(runtime, on(any_port()), [](Loop&, Socket) {});
  Endpoint same = any_port();
  same.port = first.address().port();
  const Error error = error_of([&] { Listener second(runtime, on(same), [](Loop&, Socket) {}); });
  EXPECT_EQ(error.code(), Code::kIo);
  EXPECT_NE(error.message().find(first.address().to_string()), std::string::npos) << error.what();
  EXPECT_NE(error.message().find("another process"), std::string::npos) << error.what();
  // And it is free again at once after the first has gone, though it had a connection.
  const int client = dial(first.address());
  first.stop();
  Listener third(runtime, on(same), [](Loop&, Socket) {});
  ::close(client);
}

TEST(ListenerTest, ANameIsNoAddressToListenOn) {
  Runtime runtime{{.threads = 1}};
  Endpoint name;
  name.host = "localhost";
  EXPECT_EQ(error_of([&] { Listener listener(runtime, on(name), [](Loop&, Socket) {}); }).code(),
            Code::kInvalidArgument);
}

TEST(ListenerTest, UnixSocketsReplaceDeadFilesNotServedOnes) {
  Runtime runtime{{.threads = 1}};
  Endpoint path;
  path.unix_path = true;
  path.host = testing::TempDir() + "settee_listener_test.sock";
  ::unlink(path.host.c_str());
  {
    // What a process leaves that was killed.
    const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const SocketAddress address = resolve_numeric(path)->front();
    ASSERT_EQ(::bind(dead, address.get(), address.size()), 0);
    ::close(dead);
  }
  std::atomic<int> accepted{0};
  {
    Listener listener(runtime, on(path), [&](Loop&, Socket) { ++accepted; });
    const Error error = error_of([&] { Listener other(runtime, on(path), [](Loop&, Socket) {}); });
    EXPECT_EQ(error.code(), Code::kIo);
    const int client = dial(listener.address());
    EXPECT_GE(client, 0);
    ::close(client);
    EXPECT_TRUE(eventually([&] { return accepted >= 1; }));
    EXPECT_EQ(::access(path.host.c_str(), F_OK), 0);
  }
  EXPECT_NE(::access(path.host.c_str(), F_OK), 0);  // it goes with the listener
}

TEST(ListenerTest, ComesBackWhenDescriptorsHadRunOut) {
#if defined(SETTEE_SANITIZE_UNDEFINED)
  GTEST_SKIP() << "this sanitizer needs a pipe for each type that it checks";
#endif
  Silent silent;
  silent.options.threads = 1;
  Runtime runtime(silent.options);
  std::mutex mutex;
  std::vector<Socket> sockets;
  Listener listener(runtime, on(any_port()), [&](Loop&, Socket socket) {
    const std::lock_guard lock(mutex);
    sockets.push_back(std::move(socket));
  });
  const auto held = [&] {
    const std::lock_guard lock(mutex);
    return sockets.size();
  };
  const int first = dial(listener.address());
  ASSERT_TRUE(eventually([&] { return held() == 1; }));
  std::vector<int> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(clients.back()) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const SocketAddress& address = listener.address();
  EXPECT_EQ(::connect(clients[0], address.get(), address.size()), 0);
  // It is not left waiting: it is let in and dropped.
  char byte;
  EXPECT_LE(::recv(clients[0], &byte, 1, 0), 0);
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_EQ(::connect(clients[1], address.get(), address.size()), 0);
  EXPECT_TRUE(eventually([&] { return held() == 2; }));
  EXPECT_GE(runtime.stats().find("settee.net.accept_failures")->value, 1);
  {
    const std::lock_guard lock(silent.mutex);
    EXPECT_NE(silent.text.find("ulimit -n"), std::string::npos) << silent.text;
  }
  ::close(first);
  for (const int client : clients) ::close(client);
}

TEST(ListenerTest, OnAForeignLoop) {
  Runtime runtime{{.foreign_loop = true}};
  std::vector<Socket> sockets;
  Listener listener(runtime, on(any_port()),
                    [&](Loop&, Socket socket) { sockets.push_back(std::move(socket)); });
  const int client = dial(listener.address());
  for (int i = 0; i < 1000 && sockets.empty(); ++i) runtime.foreign_loop().turn(10ms);
  EXPECT_EQ(sockets.size(), 1u);
  ::close(client);
  listener.stop();
}

Task<Code> try_connect(Runtime& runtime, SocketAddress address, Duration timeout) {
  co_await resume_on(runtime.loop(0));
  Result<Socket> socket = co_await as_result(connect(address, timeout));
  co_return socket ? Code{} : socket.error().code();
}

// A socket that listens and whose queue is full: connecting to it hangs.
struct Full {
  int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::vector<int> queued;
  SocketAddress address;
  Full() {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(::listen(listening, 0), 0);
    socklen_t size = sizeof any;
    getsockname(listening, reinterpret_cast<sockaddr*>(&any), &size);
    address = SocketAddress(reinterpret_cast<sockaddr*>(&any), size);
    for (int i = 0; i < 4; ++i) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      static_cast<void>(::connect(fd, address.get(), address.size()));
      queued.push_back(fd);
    }
    std::this_thread::sleep_for(20ms);
  }
  ~Full() {
    for (const int fd : queued) ::close(fd);
    ::close(listening);
  }
};

TEST(ConnectTest, ConnectsAndIsRefused) {
  Runtime runtime{{.threads = 1}};
  SocketAddress address;
  {
    Listener listener(runtime, on(any_port()), [](Loop&, Socket) {});
    address = listener.address();
    EXPECT_EQ(runtime.run(try_connect(runtime, address, 5s)), Code{});
  }
  EXPECT_EQ(runtime.run(try_connect(runtime, address, 5s)), Code::kConnectFailed);
  EXPECT_EQ(runtime.run(try_connect(runtime, SocketAddress(), 5s)), Code::kConnectFailed);
  // Off a loop it says so.
  Result<Socket> off = Error(Code{}, "");
  connect(address, 1s).then([&](Result<Socket> r) { off = std::move(r); });
  EXPECT_EQ(off.error().code(), Code::kMisuse);
}

TEST(ConnectTest, GivesUpAtItsTimeoutTheDeadlineOrCancellation) {
  const Full full;
  Runtime runtime{{.threads = 1}};
  const TimePoint begin = Clock::now();
  EXPECT_EQ(runtime.run(try_connect(runtime, full.address, 30ms)), Code::kConnectFailed);
  {
    const ContextScope scope(context().with_timeout(30ms));
    EXPECT_EQ(runtime.run(try_connect(runtime, full.address, 1h)), Code::kTimeout);
    EXPECT_EQ(runtime.run(try_connect(runtime, full.address, 1h)),
              Code::kTimeout);  // it has passed
  }
  CancelSource cancel{Context()};
  std::future<Code> code;
  {
    const ContextScope scope(cancel.context());
    code = as_future(try_connect(runtime, full.address, 1h));
  }
  std::this_thread::sleep_for(10ms);
  cancel.cancel();
  EXPECT_EQ(code.get(), Code::kCancelled);
  EXPECT_LT(Clock::now() - begin, 20s);
}

}  // namespace
}  // namespace settee::net
