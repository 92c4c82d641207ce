// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What callers notice while providers are restarted, killed, and lose their registry: echo_server as
// processes of its own, a registry, and a client that calls them on schedule. The figures are
// measured by bench/cluster.py; this is the same for a few seconds.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <deque>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "interop/tests/zookeeper_server.h"
#include "settee/base/stats.h"
#include "settee/rpc/registry/registry_test_log.h"
#include "settee/rpc/rpc.h"

namespace deploy {

using namespace std::chrono_literals;
using interop::Child;
using interop::ZookeeperServer;
using settee::Clock;
using settee::Code;
using settee::Error;
using settee::Result;
using settee::Task;
using settee::TimePoint;
using settee::rpc::Registry;
using settee::rpc::registry_test::Heard;

/// echo_server's service, of whose methods one is not said to be idempotent.
struct Echo {
  virtual ~Echo() = default;
  virtual Task<std::string> echo(std::string text) = 0;
  virtual Task<std::string> slowEcho(std::string text) = 0;
};

}  // namespace deploy

SETTEE_SERVICE(deploy::Echo, "com.settee.bench.Echo", (echo, text).idempotent(), (slowEcho, text))

namespace deploy {
namespace {

constexpr double kRate = 1'000;  // calls a second
enum class Where { kFile, kZookeeper };

bool eventually(const std::function<bool()>& condition) {
  const TimePoint end = Clock::now() + 60s;
  while (!condition()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

bool answers(Echo& echo) {
  try {
    return echo.echo("x").get() == "x";
  } catch (const Error&) {
    return false;
  }
}

// A process of echo_server, which is in the registry, if it has one, when this has been made.
class Provider {
 public:
  explicit Provider(std::string registry = "") : registry_(std::move(registry)) { start(); }
  void start() {
    std::vector<std::string> command{interop::own_program("echo_server"), "--port",
                                     std::to_string(port_)};
    if (!registry_.empty()) command.insert(command.end(), {"--registry", registry_});
    child_.emplace(command);
    const std::optional<std::string> line = child_->read_line(60s);
    if (!line || !line->starts_with("READY port=")) throw std::runtime_error(child_->errors());
    port_ = std::stoi(line->substr(11));
  }
  /// SIGTERM; its exit status.
  int stop() {
    child_->kill(SIGTERM);
    return child_->wait(60s);
  }
  void crash() {
    child_->kill(SIGKILL);
    child_->wait(60s);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  const std::string registry_;
  int port_ = 0;
  std::optional<Child> child_;
};

// Calls on schedule, whatever becomes of them.
class Load {
 public:
  struct Failed {
    TimePoint began;
    Code code;
    std::string words;
  };
  using Make = std::function<Task<std::string>()>;

  /// `make` is called on the loop.
  Load(settee::Runtime& runtime, double rate, Make make)
      : interval_(static_cast<std::int64_t>(1e9 / rate)), make_(std::move(make)) {
    ended_ = settee::as_future(run(runtime.loop(0)));
  }
  ~Load() { finish(); }
  /// Waits until all that were begun have ended.
  void finish() {
    stopping_ = true;
    if (ended_.valid()) ended_.get();
    while (on_their_way != 0) std::this_thread::sleep_for(1ms);
  }
  std::vector<Failed> failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }
  std::string words() const {
    std::set<std::string> all;
    for (const Failed& one : failed()) all.insert(one.words);
    std::string text;
    for (const std::string& one : all) text += "\n" + one;
    return text;
  }
  /// Waits for some more calls to be answered.
  bool more(std::int64_t calls) const {
    const std::int64_t before = right;
    return eventually([&] { return right >= before + calls; });
  }

  std::atomic<std::int64_t> right{0};
  std::atomic<std::int64_t> on_their_way{0};

 private:
  Task<void> run(settee::Loop& loop) {
    co_await settee::resume_on(loop);
    TimePoint next = Clock::now();
    while (!stopping_) {
      for (const TimePoint now = Clock::now(); next <= now; next += interval_) {
        ++on_their_way;
        make_().then([this, now](const Result<std::string>& answer) {
          if (answer) {
            ++right;
          } else {
            const std::lock_guard lock(mutex_);
            failed_.push_back({now, answer.error().code(), answer.error().what()});
          }
          --on_their_way;
        });
      }
      co_await settee::sleep_for(1ms);
    }
  }

  const settee::Duration interval_;
  const Make make_;
  std::atomic<bool> stopping_{false};
  std::future<void> ended_;
  mutable std::mutex mutex_;
  std::vector<Failed> failed_;
};

class Deploy : public testing::TestWithParam<Where> {
 protected:
  Deploy() {
    if (GetParam() == Where::kZookeeper) {
      zookeeper_.emplace();
      url_ = zookeeper_->url();
    } else {
      std::string pattern = std::filesystem::temp_directory_path() / "settee-deploy.XXXXXX";
      if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
      folder_ = pattern;
      url_ = "file://" + folder_ + "/services";
    }
    settee::rpc::RegistryOptions options;
    options.scan_period = 100ms;
    options.session_timeout = 2s;
    registry_ = settee::rpc::open_registry(runtime_, url_, options);
    settee::rpc::ServiceKey key;
    key.interface_name = "com.settee.bench.Echo";
    watch_ = registry_->watch(key, {}, heard_.listener());
  }
  ~Deploy() override {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  Provider& add() { return providers_.emplace_back(url_); }
  // The registry lists all that were added. So the client knows them, or will before it is needed.
  bool all_are_listed() {
    std::vector<std::string> addresses;
    for (const Provider& one : providers_) addresses.push_back(one.address());
    return heard_.wait_for(addresses);
  }
  settee::rpc::Reference<Echo> refer() { return client_.refer<Echo>({registry_}); }

  settee::rpc::registry_test::Log log_;
  settee::Runtime runtime_{log_.options()};
  std::optional<ZookeeperServer> zookeeper_;
  std::string folder_;
  std::string url_;
  std::shared_ptr<Registry> registry_;
  Heard heard_;
  Registry::Watch watch_;
  std::deque<Provider> providers_;
  settee::rpc::Client client_{runtime_};
};

TEST_P(Deploy, ARollingRestartOfTwoLosesNoCall) {
  add();
  add();
  ASSERT_TRUE(all_are_listed());
  const auto echo = refer();
  // Not idempotent: nothing here may be saved by a second try of what has run.
  Load load(runtime_, kRate / 4, [&] { return echo->slowEcho("x"); });
  Load quick(runtime_, kRate, [&] { return echo->echo("x"); });
  for (Provider& one : providers_) {
    EXPECT_TRUE(quick.more(300));
    EXPECT_EQ(one.stop(), 0);
    EXPECT_TRUE(quick.more(300));
    one.start();
    ASSERT_TRUE(all_are_listed());
  }
  EXPECT_TRUE(quick.more(500));
  load.finish();
  quick.finish();
  EXPECT_EQ(load.failed().size(), 0U) << load.words();
  EXPECT_EQ(quick.failed().size(), 0U) << quick.words();
}

// The same by urls. HTTP/1.1 cannot say that a request which was on its way has not begun: there only
// what may run twice is safe.
class DeployByUrl : public testing::TestWithParam<const char*> {};

TEST_P(DeployByUrl, ARollingRestartOfTwoLosesNoCall) {
  settee::rpc::registry_test::Log log;
  settee::Runtime runtime(log.options());
  settee::rpc::Client client(runtime);
  std::deque<Provider> providers(2);
  const std::string scheme = std::string(GetParam()) + "://";
  const auto echo =
      client.refer<Echo>(scheme + providers[0].address() + "," + providers[1].address());
  Load quick(runtime, kRate, [&] { return echo->echo("x"); });
  std::optional<Load> load;
  if (scheme != "http://") load.emplace(runtime, kRate / 4, [&] { return echo->slowEcho("x"); });
  for (Provider& one : providers) {
    EXPECT_TRUE(quick.more(300));
    EXPECT_EQ(one.stop(), 0);
    EXPECT_TRUE(quick.more(300));
    one.start();
    // Connected again, before the other one is stopped.
    const auto again = client.refer<Echo>(scheme + one.address());
    EXPECT_TRUE(eventually([&] { return answers(*again); }));
  }
  EXPECT_TRUE(quick.more(500));
  quick.finish();
  EXPECT_EQ(quick.failed().size(), 0U) << quick.words();
  if (!load) return;
  load->finish();
  EXPECT_EQ(load->failed().size(), 0U) << load->words();
}

INSTANTIATE_TEST_SUITE_P(Over, DeployByUrl, testing::Values("bolt", "grpc", "h2c", "http"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Deploy, AKilledOneCostsTheCallsThatItHadAndIdempotentOnesNotEvenThose) {
  for (int i = 0; i < 3; ++i) add();
  ASSERT_TRUE(all_are_listed());
  const auto echo = refer();
  Load idempotent(runtime_, kRate, [&] { return echo->echo("x"); });
  Load other(runtime_, kRate / 2, [&] { return echo->slowEcho("x"); });
  EXPECT_TRUE(idempotent.more(500));
  EXPECT_TRUE(other.more(200));
  const TimePoint before = Clock::now();
  providers_[1].crash();
  const TimePoint gone = Clock::now();
  const std::int64_t on_their_way = other.on_their_way;
  EXPECT_TRUE(idempotent.more(1'000));
  EXPECT_TRUE(other.more(500));
  other.finish();
  idempotent.finish();
  EXPECT_EQ(idempotent.failed().size(), 0U) << idempotent.words();
  // What it had, and what was sent to it in the moment in which it was ended.
  const auto most =
      on_their_way +
      static_cast<std::int64_t>(kRate / 2 * std::chrono::duration<double>(gone - before).count());
  EXPECT_LE(static_cast<std::int64_t>(other.failed().size()), most + 3);
  for (const Load::Failed& one : other.failed()) {
    EXPECT_EQ(one.code, Code::kConnectionClosed) << one.words;
    EXPECT_NE(one.words.find(providers_[1].address()), std::string::npos) << one.words;
    EXPECT_LE(one.began, gone) << "it was gone when this call began: " << one.words;
  }
}

TEST_P(Deploy, TheRegistryMayVanishAndComeBackWhileCallsGoOn) {
  add();
  add();
  ASSERT_TRUE(all_are_listed());
  const auto echo = refer();
  Load load(runtime_, kRate, [&] { return echo->echo("x"); });
  EXPECT_TRUE(load.more(300));
  if (zookeeper_) {
    zookeeper_->kill();
    // Longer than a session lives.
    EXPECT_TRUE(load.more(3'000));
    zookeeper_->start();
  } else {
    std::filesystem::remove(folder_ + "/services");
    EXPECT_TRUE(load.more(1'000));
  }
  // What comes now is heard of; and what was there is again.
  add();
  EXPECT_TRUE(all_are_listed());
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(providers_[i].stop(), 0);
  EXPECT_TRUE(load.more(300)) << "the new one is not called";
  load.finish();
  EXPECT_EQ(load.failed().size(), 0U) << load.words();
}

INSTANTIATE_TEST_SUITE_P(All, Deploy, testing::Values(Where::kFile, Where::kZookeeper),
                         [](const auto& info) {
                           return info.param == Where::kFile ? "File" : "Zookeeper";
                         });

}  // namespace
}  // namespace deploy
