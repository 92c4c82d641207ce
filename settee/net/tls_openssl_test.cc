// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// TLS with the program openssl at the other end, over TCP.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <mutex>
#include <set>

#include "settee/base/runtime.h"
#include "settee/base/stats.h"
#include "settee/net/connection.h"
#include "settee/net/listener.h"
#include "settee/net/tls.h"
#include "settee/net/tls_test_certificates.h"

namespace settee::net {
namespace {

using namespace std::chrono_literals;

// openssl, with pipes to its input and from all that it prints. Killed when it goes.
class OpenSsl {
 public:
  explicit OpenSsl(std::vector<std::string> arguments) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) std::abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    arguments.insert(arguments.begin(), "openssl");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (posix_spawnp(&pid_, "openssl", &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    in_ = in[1];
    out_ = out[0];
  }
  ~OpenSsl() {
    ::close(in_);
    ::close(out_);
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  void say(const std::string& line) {
    ASSERT_EQ(::write(in_, line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  /// Until it has printed `text`; false if it ends before that.
  bool prints(std::string_view text) {
    const TimePoint until = Clock::now() + 30s;
    while (said_.find(text) == std::string::npos) {
      pollfd waits{out_, POLLIN, 0};
      if (Clock::now() > until || ::poll(&waits, 1, 1000) < 0) return false;
      if (waits.revents == 0) continue;
      std::array<char, 4096> room;
      const ssize_t got = ::read(out_, room.data(), room.size());
      if (got <= 0) return false;
      said_.append(room.data(), static_cast<std::size_t>(got));
    }
    return true;
  }
  const std::string& said() const { return said_; }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string said_;
};

class TlsOpenSslTest : public testing::Test {
 protected:
  TlsOpenSslTest() : runtime_(quiet()) {
    certificates_.make("server");
    WantedCertificate till;
    till.name = "till";
    certificates_.make("till", till);
    server_options_.certificate = file("server.crt");
    server_options_.key = file("server.key");
    client_options_.ca = file("ca.crt");
  }
  ~TlsOpenSslTest() override {
    listener_.reset();
    runtime_.on_each_loop([this](Loop&) {
      for (const auto& connection : std::set(connections_)) {
        connection->close(Error(Code::kStopped, "the test ends"));
      }
    });
  }
  static RuntimeOptions quiet() {
    RuntimeOptions options;
    options.threads = 1;
    options.log = [](LogLevel, std::string_view, std::string_view) {};
    return options;
  }
  std::string file(const std::string& name) const { return certificates_.path(name); }

  // Answers "echo: " and what it was sent, or sends `greeting` first; keeps how it ended.
  class Talk final : public Protocol {
   public:
    Talk(TlsOpenSslTest& test, std::string greeting)
        : test_(test), greeting_(std::move(greeting)) {}
    void on_secured(Connection& connection) override {
      const std::lock_guard lock(test_.mutex_);
      test_.info_ = connection.tls();
      connection.out().append(greeting_);
      connection.cork();
    }
    Taken on_data(Connection& connection, std::span<const std::uint8_t> data) override {
      const std::string text(reinterpret_cast<const char*>(data.data()), data.size());
      const std::lock_guard lock(test_.mutex_);
      test_.heard_ += text;
      if (greeting_.empty()) {
        connection.out().append("echo: " + text);
        connection.cork();
      }
      return {data.size()};
    }
    void on_close(Connection& connection, const Error& why) override {
      const std::lock_guard lock(test_.mutex_);
      test_.ended_ += std::string(why.what()) + "\n";
      test_.connections_.erase(connection.shared_from_this());
    }

   private:
    TlsOpenSslTest& test_;
    const std::string greeting_;
  };

  void open(Loop& loop, Socket socket, const std::function<void(Connection&)>& tls,
            const std::string& greeting) {
    const SocketAddress peer = socket.peer();
    auto connection =
        std::make_shared<Connection>(loop, socket.release(), peer, ConnectionOptions(),
                                     ConnectionStats::of(runtime_.stats(), "test"));
    connections_.insert(connection);
    tls(*connection);
    connection->begin(std::make_unique<Talk>(*this, greeting));
  }
  void serve() {
    context_ = std::make_unique<TlsServerContext>(runtime_, server_options_);
    ListenerOptions options;
    options.endpoint.host = "127.0.0.1";
    listener_ = std::make_unique<Listener>(runtime_, options, [this](Loop& loop, Socket socket) {
      open(
          loop, std::move(socket), [this](Connection& c) { c.accept_tls(*context_); }, "");
    });
  }
  std::vector<std::string> s_client(std::vector<std::string> more) const {
    std::vector<std::string> all{"s_client", "-connect",     listener_->address().to_string(),
                                 "-CAfile",  file("ca.crt"), "-verify_return_error"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::vector<std::string> s_server(std::vector<std::string> more) const {
    std::vector<std::string> all{"s_server",         "-accept", "127.0.0.1:0",      "-cert",
                                 file("server.crt"), "-key",    file("server.key"), "-rev"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  /// Connects to an s_server and says hello.
  void call(OpenSsl& server) {
    ASSERT_TRUE(server.prints("ACCEPT 127.0.0.1:")) << server.said();
    ASSERT_TRUE(server.prints("\n"));
    const std::string& said = server.said();
    const std::size_t at = said.find("127.0.0.1:") + 10;
    Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = static_cast<std::uint16_t>(std::stoi(said.substr(at)));
    client_ = std::make_unique<TlsClientContext>(runtime_, client_options_);
    const SocketAddress address = resolve_numeric(endpoint)->front();
    const auto go = [this, address]() -> Task<void> {
      Socket socket = co_await connect(address, 10s);
      open(
          *Loop::current(), std::move(socket),
          [this](Connection& c) { c.start_tls(*client_, "localhost"); }, "hello\n");
    };
    runtime_.run(go());
  }
  template <class F>
  bool eventually(F condition) {
    const TimePoint until = Clock::now() + 30s;
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (condition()) return true;
      }
      if (Clock::now() > until) return false;
      std::this_thread::sleep_for(1ms);
    }
  }
  std::shared_ptr<const TlsInfo> info() {
    const std::lock_guard lock(mutex_);
    return info_;
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    heard_.clear();
  }
  bool ended_with(const std::string& text) {
    return eventually([&] { return ended_.find(text) != std::string::npos; });
  }

  std::mutex mutex_;
  std::shared_ptr<const TlsInfo> info_;
  std::string heard_;
  std::string ended_;
  TestCertificates certificates_;
  TlsServerOptions server_options_;
  TlsClientOptions client_options_;
  Runtime runtime_;
  std::unique_ptr<TlsServerContext> context_;
  std::unique_ptr<TlsClientContext> client_;
  std::set<std::shared_ptr<Connection>> connections_;  // on the loop only
  std::unique_ptr<Listener> listener_;
};

TEST_F(TlsOpenSslTest, SClientTalksInBothVersions) {
  server_options_.alpn = {"h2"};
  serve();
  for (const auto& [flag, version] : {std::pair{"-tls1_2", "TLSv1.2"}, {"-tls1_3", "TLSv1.3"}}) {
    OpenSsl client(s_client({flag, "-alpn", "http/1.1,h2", "-verify_hostname", "localhost"}));
    client.say("good day\n");
    EXPECT_TRUE(client.prints("echo: good day")) << client.said();
    EXPECT_TRUE(client.prints("ALPN protocol: h2")) << client.said();
    EXPECT_TRUE(client.prints("Verification: OK")) << client.said();
    EXPECT_TRUE(client.prints("Compression: NONE")) << client.said();
    EXPECT_EQ(info()->version, version);
  }
}

TEST_F(TlsOpenSslTest, SClientFindsNothingOlderThanWhatIsAllowed) {
  server_options_.min_version = TlsVersion::k1_3;
  serve();
  OpenSsl old(s_client({"-tls1_2"}));
  EXPECT_TRUE(old.prints("protocol version")) << old.said();  // the alert
  EXPECT_TRUE(ended_with("no common version: the peer speaks only TLS older than 1.3")) << ended_;
}

TEST_F(TlsOpenSslTest, SClientIsAskedWhoItIs) {
  server_options_.client_ca = file("ca.crt");
  serve();
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    OpenSsl till(s_client({version, "-cert", file("till.crt"), "-key", file("till.key")}));
    till.say("it is me\n");
    EXPECT_TRUE(till.prints("echo: it is me")) << till.said();
    EXPECT_TRUE(till.prints("CN = ca")) << till.said();  // whom the server trusts is in its request
    EXPECT_EQ(info()->peer->subject, "CN=till");
    OpenSsl nobody(s_client({version}));
    EXPECT_TRUE(nobody.prints(std::string_view(version) == "-tls1_2" ? "handshake failure"
                                                                     : "certificate required"))
        << nobody.said();
    EXPECT_TRUE(ended_with("the peer sent no certificate"));
  }
}

TEST_F(TlsOpenSslTest, SClientChoosesByName) {
  WantedCertificate books;
  books.name = "books";
  books.names = "DNS:books.acme.com";
  certificates_.make("books", books);
  server_options_.more_certificates = {{file("books.crt"), file("books.key")}};
  serve();
  OpenSsl client(s_client({"-servername", "books.acme.com"}));
  EXPECT_TRUE(client.prints("subject=CN = books")) << client.said();
  OpenSsl other(s_client({"-noservername"}));
  EXPECT_TRUE(other.prints("subject=CN = shop")) << other.said();
}

TEST_F(TlsOpenSslTest, SClientMayNotRenegotiate) {
  serve();
  OpenSsl client(s_client({"-tls1_2"}));
  client.say("good day\n");
  ASSERT_TRUE(client.prints("echo: good day")) << client.said();
  client.say("R\n");  // s_client's command
  EXPECT_TRUE(client.prints("no renegotiation")) << client.said();
}

TEST_F(TlsOpenSslTest, SClientResumes) {
  serve();
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    const std::string session = file("session.pem");
    {
      OpenSsl first(s_client({version, "-sess_out", session}));
      first.say("good day\n");
      ASSERT_TRUE(first.prints("echo: good day")) << first.said();
    }
    ASSERT_TRUE(std::filesystem::exists(session));
    OpenSsl second(s_client({version, "-sess_in", session}));
    second.say("here again\n");
    ASSERT_TRUE(second.prints("echo: here again")) << second.said();
    EXPECT_TRUE(second.prints("Reused, TLSv1")) << second.said();
    EXPECT_TRUE(info()->resumed);
    std::filesystem::remove(session);
  }
}

TEST_F(TlsOpenSslTest, SServerIsCalledInBothVersions) {
  for (const auto& [flag, version] : {std::pair{"-tls1_2", "TLSv1.2"}, {"-tls1_3", "TLSv1.3"}}) {
    forget();
    OpenSsl server(s_server({flag}));
    call(server);
    EXPECT_TRUE(eventually([&] { return heard_ == "olleh\n"; })) << ended_ << server.said();
    EXPECT_EQ(info()->version, version);
    EXPECT_TRUE(info()->verified);
  }
}

TEST_F(TlsOpenSslTest, SServerSeesWhoCalls) {
  client_options_.certificate = file("till.crt");
  client_options_.key = file("till.key");
  OpenSsl server(s_server({"-Verify", "1", "-CAfile", file("ca.crt")}));
  call(server);
  EXPECT_TRUE(eventually([&] { return heard_ == "olleh\n"; })) << ended_ << server.said();
  EXPECT_TRUE(server.prints("CN = till")) << server.said();
}

TEST_F(TlsOpenSslTest, SServerOfOldVersionsOnlyIsRefused) {
  OpenSsl server(s_server({"-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"}));
  call(server);
  EXPECT_TRUE(ended_with("no common version: the peer refuses TLS 1.2 and 1.3")) << ended_;
  client_options_.min_version = TlsVersion::k1_3;
  OpenSsl newer(s_server({"-tls1_2"}));
  call(newer);
  EXPECT_TRUE(ended_with("no common version: the peer refuses TLS 1.3")) << ended_;
}

}  // namespace
}  // namespace settee::net
