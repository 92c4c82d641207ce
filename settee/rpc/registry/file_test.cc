// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "settee/rpc/client.h"
#include "settee/rpc/registry/internal/lines.h"
#include "settee/rpc/registry/registry_test_log.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using registry_test::eventually;
using registry_test::Heard;
using registry_test::Log;
using registry_test::provider;
using registry_test::service;

class FileRegistry : public testing::Test {
 protected:
  FileRegistry() {
    std::string pattern = testing::TempDir() + "registry.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ + "/services";
  }
  ~FileRegistry() override { std::filesystem::remove_all(folder_); }

  std::shared_ptr<Registry> open() {
    RegistryOptions options;
    options.scan_period = 20ms;
    return open_registry(runtime_, "file://" + path_, options);
  }
  std::string content() const {
    std::ifstream file(path_);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  /// As Java and editors do, in place.
  void write(const std::string& text) const { std::ofstream(path_) << text; }
  /// Long ago, so that no writer can still be at it.
  void age(const std::string& path) const {
    const utimbuf past{::time(nullptr) - 1'000, ::time(nullptr) - 1'000};
    ASSERT_EQ(::utime(path.c_str(), &past), 0);
  }

  Log log_;
  Runtime runtime_{log_.options()};
  std::string folder_;
  std::string path_;
  const ServiceKey quotes_ = service("com.acme.Quotes");
};

TEST_F(FileRegistry, PublishedIsFoundByOthersUntilWithdrawn) {
  const auto publisher = open();
  const auto consumer = open();
  Heard heard;
  const Registry::Watch watch = consumer->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({}));  // no file is an empty registry

  publisher->publish(quotes_, provider("bolt://10.0.0.1:12200?weight=50&appName=shop")).get();
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:12200"}));
  EXPECT_EQ(heard.last()[0].weight(), 50);
  EXPECT_EQ(heard.last()[0].attribute("appName"), "shop");
  EXPECT_TRUE(
      content().starts_with("com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.1:12200?version=1.0&"))
      << content();
  EXPECT_TRUE(content().ends_with("\t\n"));

  publisher->withdraw(quotes_, provider("bolt://10.0.0.1:12200")).get();
  ASSERT_TRUE(heard.wait_for({}));
  EXPECT_EQ(content(), "");
}

TEST_F(FileRegistry, TheSameProviderReplacesItself) {
  const auto registry = open();
  Heard heard;
  const Registry::Watch watch = registry->watch(quotes_, {}, heard.listener());
  registry->publish(quotes_, provider("bolt://10.0.0.1:1?weight=1")).get();
  registry->publish(quotes_, provider("bolt://10.0.0.2:1?weight=2")).get();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1?weight=9&pid=5")).get();
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1"}));
  ASSERT_TRUE(heard.wait([](const Providers& all) { return all[0].weight() == 9; }));
  EXPECT_EQ(heard.last()[1].weight(), 2);
}

TEST_F(FileRegistry, ServicesAreApart) {
  const auto registry = open();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  registry->publish(service("com.acme.Quotes", "blue"), provider("bolt://10.0.0.2:1")).get();
  registry->publish(service("com.acme.Orders"), provider("bolt://10.0.0.3:1")).get();
  Heard plain, blue, orders, none;
  const auto w1 = registry->watch(quotes_, {}, plain.listener());
  const auto w2 = registry->watch(service("com.acme.Quotes", "blue"), {}, blue.listener());
  const auto w3 = registry->watch(service("com.acme.Orders"), {}, orders.listener());
  const auto w4 = registry->watch(service("com.acme.Quotes", "red"), {}, none.listener());
  // All of the interface is handed on, and says what serves and what does not.
  for (const Heard& heard : {plain, blue, none}) {
    EXPECT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1"}));
  }
  EXPECT_TRUE(plain.wait_for(quotes_, {"10.0.0.1:1"}));
  EXPECT_TRUE(blue.wait_for(service("com.acme.Quotes", "blue"), {"10.0.0.2:1"}));
  EXPECT_TRUE(none.wait_for(service("com.acme.Quotes", "red"), {}));
  EXPECT_TRUE(orders.wait_for({"10.0.0.3:1"}));
  // Withdrawing one leaves the others; what was never published is not taken away.
  const auto other = open();
  other->withdraw(quotes_, provider("bolt://10.0.0.1:1")).get();
  registry->withdraw(service("com.acme.Orders"), provider("bolt://10.0.0.3:1")).get();
  EXPECT_TRUE(orders.wait_for({}));
  EXPECT_EQ(plain.last().size(), 2u);
  EXPECT_EQ(plain.calls(), 1u) << "a listener is called for changes of its interface only";
}

TEST_F(FileRegistry, OneServerMayOfferAnInterfaceUnderSeveralNames) {
  const auto registry = open();
  ServiceKey second = quotes_;
  second.version = "2.0";
  for (const ServiceKey& key : {quotes_, service("com.acme.Quotes", "blue"), second}) {
    registry->publish(key, provider("bolt://10.0.0.1:1")).get();
  }
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait([](const Providers& all) { return all.size() == 3; }));
  EXPECT_EQ(Heard::serving(heard.last(), second).at(0).attribute("version"), "2.0");
}

TEST_F(FileRegistry, WhatTheDataIdSaysHolds) {
  write(
      "com.acme.Quotes:1.0:blue@DEFAULT\tbolt://10.0.0.1:1\t\n"
      "com.acme.Quotes:2.0@DEFAULT\tbolt://10.0.0.2:1?version=1.0&uniqueId=x\t\n"
      "com.acme.Quotes:1.0@rest\t10.0.0.3:1\t\n"
      "com.acme.QuotesOfOthers:1.0@DEFAULT\tbolt://10.0.0.4:1\t\n");
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}));
  EXPECT_EQ(heard.last()[0].why_not(quotes_), "it has uniqueId 'blue', not ''");
  EXPECT_EQ(heard.last()[1].why_not(quotes_), "it has version 2.0, not 1.0");
  EXPECT_EQ(heard.last()[2].why_not(quotes_), "it speaks rest, not bolt");
}

TEST_F(FileRegistry, AConsumerOfAnotherUniqueIdIsToldWhyThereIsNoProvider) {
  const auto registry = open();
  registry->publish(service("com.acme.Quotes", "a"), provider("bolt://10.0.0.1:1")).get();
  Client client(runtime_);
  try {
    client.refer_generic("file://" + path_ + "#com.acme.Quotes:1.0:b").call("latest", {}, {}).get();
    ADD_FAILURE() << "called";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNoProvider) << error.what();
    EXPECT_NE(error.message().find("10.0.0.1:1 (uniqueId): it has uniqueId 'a', not 'b'"),
              std::string::npos)
        << error.message();
  }
}

TEST_F(FileRegistry, ItsStatusSaysWhatIsInTheWay) {
  const auto registry = open();
  ASSERT_TRUE(eventually([&] {
    return registry->status() == "connected; there is no file " + path_ + " yet";
  })) << registry->status();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  EXPECT_TRUE(eventually([&] { return registry->status() == "connected"; })) << registry->status();
  std::filesystem::remove_all(folder_);
  std::ofstream(folder_).flush();  // what was a folder is a file
  const std::string start = "cannot read " + path_ + " for ";
  EXPECT_TRUE(eventually([&] {
    const std::string status = registry->status();
    return status.starts_with(start) && status.ends_with(": Not a directory");
  })) << registry->status();
  std::filesystem::remove(folder_);
  EXPECT_TRUE(eventually([&] { return registry->status().starts_with("connected"); }))
      << registry->status();
}

TEST_F(FileRegistry, StopTakesBackWhatWasPublished) {
  write("com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.9:1\t\n");
  auto first = open();
  first->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  auto second = open();
  second->publish(quotes_, provider("bolt://10.0.0.2:1")).get();
  first->stop();
  first->stop();
  EXPECT_EQ(content().find("10.0.0.1"), std::string::npos) << content();
  EXPECT_NE(content().find("10.0.0.2"), std::string::npos) << content();
  try {
    first->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
    FAIL() << "published after stop()";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kStopped) << error.what();
  }
  second.reset();  // the destructor does it too
  EXPECT_EQ(content(), "com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.9:1\t\n");
}

TEST_F(FileRegistry, WhatJavaWroteIsRead) {
  write(
      "com.acme.Quotes:1.0@DEFAULT\tbolt://192.168.1.7:12200?interface=com.acme.Quotes&uniqueId=&"
      "weight=100&startTime=1700000000000&pid=7&language=java&rpcVer=51302\tbolt://"
      "192.168.1.8:12200\t\n"
      "com.acme.Other:1.0@rest\trest://192.168.1.7:8341\t\n");
  const auto registry = open();
  Heard heard, rest;
  const auto w1 = registry->watch(quotes_, {}, heard.listener());
  EXPECT_TRUE(heard.wait_for({"192.168.1.7:12200", "192.168.1.8:12200"}));
  EXPECT_EQ(heard.last()[0].attribute("language"), "java");
  ServiceKey other = service("com.acme.Other");
  other.protocol = "rest";
  const auto w2 = registry->watch(other, {}, rest.listener());
  EXPECT_TRUE(rest.wait_for({"192.168.1.7:8341"}));
}

TEST_F(FileRegistry, WhatCannotBeReadIsLoggedWithItsLineSkippedAndKept) {
  const std::string text =
      "# providers of the shop\n"
      "\n"
      "no service at all\n"
      "com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.1:1\tbolt://:::\t\tbolt://10.0.0.2:1\t\n"
      "\xff\xfe\x01garbage\tbolt://10.0.0.3:1\n"
      "com.acme.Empty:1.0@DEFAULT\n"
      "com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.4:1\r\n";
  write(text);
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1", "10.0.0.4:1"}));
  EXPECT_EQ(log_.count(path_ + ":3: 'no service at all'", LogLevel::kWarning), 1) << log_.text();
  EXPECT_EQ(log_.count(path_ + ":4: 'bolt://:::' is ignored", LogLevel::kWarning), 1)
      << log_.text();
  EXPECT_EQ(log_.count(path_ + ":5: '???garbage'", LogLevel::kWarning), 1) << log_.text();

  registry->publish(service("com.acme.Orders"), provider("bolt://10.0.0.5:1")).get();
  EXPECT_NE(content().find("no service at all\n"), std::string::npos) << content();
  EXPECT_NE(content().find("\tbolt://:::\t"), std::string::npos) << content();
  EXPECT_NE(content().find("# providers of the shop\n"), std::string::npos) << content();
}

TEST_F(FileRegistry, TheOldStateStaysBeside) {
  const auto registry = open();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  const std::string before = content();
  registry->publish(quotes_, provider("bolt://10.0.0.2:1")).get();
  std::ifstream old(path_ + ".bak");
  std::stringstream text;
  text << old.rdbuf();
  EXPECT_EQ(text.str(), before);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".lock"));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(FileRegistry, ALastLineWithoutAnEndIsNotBelievedBeforeItIsOld) {
  write("com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.1:122");
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  EXPECT_FALSE(heard.wait([](const Providers&) { return true; }, 300ms));
  age(path_);
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:122"}));
}

TEST_F(FileRegistry, WhatIsBeingWrittenByJavaIsNotRead) {
  write("com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.1:1\t\n");
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  std::ofstream(path_ + ".lock").flush();
  // Java takes the file away and writes it anew.
  std::filesystem::remove(path_);
  EXPECT_FALSE(heard.wait([](const Providers& all) { return all.empty(); }, 300ms));
  // And we do not write either.
  std::optional<Error> late;
  try {
    with_timeout(200ms, registry->publish(quotes_, provider("bolt://10.0.0.2:1"))).get();
  } catch (const Error& error) {
    late = error;
  }
  ASSERT_TRUE(late);
  EXPECT_EQ(late->code(), Code::kTimeout);
  EXPECT_NE(late->message().find(path_ + ".lock"), std::string::npos) << late->message();
  EXPECT_NE(late->message().find("com.acme.Quotes:1.0"), std::string::npos) << late->message();
  write("com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.3:1\t\n");
  std::filesystem::remove(path_ + ".lock");
  // What timed out was not given up.
  EXPECT_TRUE(heard.wait_for({"10.0.0.2:1", "10.0.0.3:1"}));
}

TEST_F(FileRegistry, LocksOfTheDeadAreTaken) {
  const auto registry = open();
  {
    std::ofstream(path_ + ".lock") << "settee\n";  // of a process that was killed
    registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  }
  {
    std::ofstream(path_ + ".lock").flush();  // of a Java process, long ago
    age(path_ + ".lock");
    registry->publish(quotes_, provider("bolt://10.0.0.2:1")).get();
  }
  EXPECT_FALSE(std::filesystem::exists(path_ + ".lock"));
}

TEST_F(FileRegistry, WhatOthersWroteOverIsPutBack) {
  const auto registry = open();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1?weight=3")).get();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  write("com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.7:1\t\n");
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.7:1"}));
  // But not what a newer process published at the same address.
  write("com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.1:1?weight=8\t\n");
  EXPECT_TRUE(
      heard.wait([](const Providers& all) { return all.size() == 1 && all[0].weight() == 8; }));
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(heard.last()[0].weight(), 8);
}

TEST_F(FileRegistry, FailuresNameStepAndPath) {
  if (geteuid() == 0) {
    // Root may write anywhere; a path through a file fails for all.
    std::ofstream(folder_ + "/wall").flush();
    path_ = folder_ + "/wall/services";
  } else {
    ASSERT_EQ(::chmod(folder_.c_str(), 0500), 0);
  }
  const auto registry = open();
  try {
    registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
    ADD_FAILURE() << "published";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kIo);
    EXPECT_NE(error.message().find(path_ + ".lock: "), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("publish com.acme.Quotes:1.0 at 10.0.0.1:1"), std::string::npos)
        << error.message();
  }
  ::chmod(folder_.c_str(), 0700);
}

TEST_F(FileRegistry, AFileThatIsTooLargeIsNotReadAndTheLastStateHolds) {
  write("com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.1:1\t\n");
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  ASSERT_EQ(::truncate(path_.c_str(), 80 << 20), 0);
  for (int i = 0; i < 500 && log_.count("too large") == 0; ++i) std::this_thread::sleep_for(20ms);
  EXPECT_GE(log_.count("too large"), 1);
  EXPECT_EQ(heard.last().size(), 1u);
}

TEST_F(FileRegistry, ProcessesShareIt) {
  // Each publishes providers of its own, at the same time. A process is this program once more: in a
  // mere copy of it, which has one thread of several, a lock of the sanitizer may be held for ever.
  constexpr int kProcesses = 4;
  constexpr int kEach = 25;
  if (const char* task = std::getenv("SETTEE_REGISTRY_TEST_CHILD")) {
    const std::string child(task, 1);
    path_ = task + 1;
    const auto registry = open();
    for (int i = 0; i < kEach; ++i) {
      registry->publish(quotes_, provider("bolt://10.0." + child + "." + std::to_string(i) + ":1"))
          .get();
    }
    std::filesystem::remove_all(folder_);
    _exit(0);  // as kill -9: nothing is taken back
  }
  std::vector<pid_t> children;
  for (int child = 0; child < kProcesses; ++child) {
    std::string task = "SETTEE_REGISTRY_TEST_CHILD=" + std::to_string(child) + path_;
    std::vector<char*> environment;
    for (char** one = environ; *one != nullptr; ++one) environment.push_back(*one);
    environment.push_back(task.data());
    environment.push_back(nullptr);
    std::string name = "rpc_test";
    std::string filter = "--gtest_filter=FileRegistry.ProcessesShareIt";
    char* const arguments[] = {name.data(), filter.data(), nullptr};
    pid_t pid = -1;
    ASSERT_EQ(posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, arguments, environment.data()),
              0);
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait([](const Providers& all) { return all.size() == kProcesses * kEach; }))
      << heard.last().size();
  // A process that comes back at an address of the dead takes its place.
  registry->publish(quotes_, provider("bolt://10.0.1.3:1?weight=77")).get();
  ASSERT_TRUE(heard.wait([](const Providers& all) {
    return std::any_of(all.begin(), all.end(), [](const Provider& p) { return p.weight() == 77; });
  }));
  EXPECT_EQ(heard.last().size(), static_cast<std::size_t>(kProcesses * kEach));
}

TEST_F(FileRegistry, AWatchEndsWithItsHandle) {
  const auto registry = open();
  std::atomic<bool> inside = false;
  std::atomic<bool> over = false;
  std::atomic<int> calls = 0;
  auto owned = std::make_shared<int>(1);
  Registry::Watch watch = registry->watch(quotes_, {}, [&, owned](const Providers&) {
    inside = true;
    ++calls;
    std::this_thread::sleep_for(200ms);
    over = true;
  });
  while (!inside) std::this_thread::sleep_for(1ms);
  watch.reset();
  EXPECT_TRUE(over) << "the listener still ran when its watch had ended";
  EXPECT_EQ(owned.use_count(), 1) << "what the listener owned was kept";
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(calls, 1);
}

TEST_F(FileRegistry, AListenerMayEndItsOwnWatchAndThrow) {
  const auto registry = open();
  Registry::Watch watch;
  std::mutex mutex;
  std::atomic<int> calls = 0;
  {
    const std::lock_guard held(mutex);
    watch = registry->watch(quotes_, {}, [&](const Providers&) {
      ++calls;
      const std::lock_guard inner(mutex);
      watch.reset();
      throw std::runtime_error("listener's own trouble");
    });
  }
  for (int i = 0; i < 500 && log_.count("listener's own trouble") == 0; ++i) {
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(log_.count("listener's own trouble", LogLevel::kError), 1) << log_.text();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(calls, 1);
}

TEST_F(FileRegistry, AListenerMayLetGoOfTheRegistry) {
  auto registry = std::make_shared<std::shared_ptr<Registry>>(open());
  std::atomic<bool> watched = false;
  std::atomic<bool> heard = false;
  Registry::Watch watch = (*registry)->watch(quotes_, {}, [&, registry](const Providers&) {
    while (!watched) std::this_thread::sleep_for(1ms);
    registry->reset();
    heard = true;
  });
  watched = true;
  while (!heard) std::this_thread::sleep_for(1ms);
  watch.reset();
  // Its thread ends by itself, and uses the Runtime until then.
  const auto runs = [] {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::ifstream(task.path() / "comm") >> name;
      if (name == "settee-registry") return true;
    }
    return false;
  };
  for (int i = 0; i < 2'000 && runs(); ++i) std::this_thread::sleep_for(5ms);
  EXPECT_FALSE(runs());
}

TEST_F(FileRegistry, TheRegistryMayEndBeforeItsWatches) {
  Heard heard;
  Registry::Watch watch;
  {
    const auto registry = open();
    watch = registry->watch(quotes_, {}, heard.listener());
  }
  const std::size_t calls = heard.calls();
  write("com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.1:1\t\n");
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(heard.calls(), calls);
  watch.reset();
}

TEST_F(FileRegistry, StopAtAnyMoment) {
  for (int round = 0; round < 30; ++round) {
    auto registry = open();
    Heard heard;
    const auto watch = registry->watch(quotes_, {}, heard.listener());
    std::future<void> published =
        as_future(registry->publish(quotes_, provider("bolt://10.0.0.1:1")));
    std::this_thread::sleep_for(std::chrono::microseconds(200 * round));
    registry.reset();
    try {
      published.get();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kStopped) << error.what();
    }
    EXPECT_EQ(content(), "") << "round " << round;
  }
}

TEST_F(FileRegistry, StopOnALoopIsRefused) {
  const auto registry = open();
  const auto on_loop = [](Registry& target) -> Task<void> {
    target.stop();
    co_return;
  };
  try {
    runtime_.run(on_loop(*registry));
    FAIL() << "a loop was blocked";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kMisuse) << error.what();
  }
}

TEST(OpenRegistry, ACredentialWithoutAUseIsRefused) {
  Runtime runtime;
  RegistryOptions options;
  options.auth = "user:password";
  EXPECT_THROW(open_registry(runtime, "zookeeper://127.0.0.1:1", options), Error);
  options.auth_scheme = "digest";
  EXPECT_THROW(open_registry(runtime, "file:///tmp/x", options), Error);
}

TEST(OpenRegistry, WrongUrlsAreRefusedWithTheReason) {
  Runtime runtime;
  const auto refused = [&](std::string_view url, std::string_view reason,
                           RegistryOptions options = {}) {
    try {
      open_registry(runtime, url, options);
      ADD_FAILURE() << url << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      EXPECT_NE(error.message().find(url), std::string::npos) << error.message();
      EXPECT_NE(error.message().find(reason), std::string::npos) << error.message();
    }
  };
  refused("", "unknown kind");
  refused("consul://127.0.0.1:8500", "unknown kind");
  refused("/run/services", "unknown kind");
  refused("file://services", "does not begin with a slash");
  refused("file:///", "names a folder");
  refused("file:///tmp", "is a folder");
  RegistryOptions options;
  options.scan_period = 0ms;
  refused("file:///tmp/x", "scan_period", options);
  options = {};
  options.session_timeout = 0ms;
  refused("zookeeper://127.0.0.1:1", "session_timeout", options);
  refused("zookeeper://", "");
  const auto registry = open_registry(runtime, "file:///tmp/no/such/file");
  EXPECT_EQ(registry->address(), "file:///tmp/no/such/file");
  EXPECT_THROW(registry->watch(ServiceKey(), {}, [](const Providers&) {}), Error);
  EXPECT_THROW(registry->watch(service("a"), {}, nullptr), Error);
}

TEST(RegistryLines, KeepTheirOrderAndJavasForm) {
  using registry::Lines;
  const auto none = [](std::size_t line, std::string_view what) {
    ADD_FAILURE() << line << ": " << what;
  };
  const std::string text =
      "a:1.0@DEFAULT\tbolt://h:1\tbolt://h:2\t\nb:1.0:x@DEFAULT\tbolt://h:3\t\n";
  Lines lines = Lines::parse(text, none);
  EXPECT_EQ(lines.to_string(), text);
  lines.put("a:1.0@DEFAULT", provider("bolt://h:1?weight=2"));
  lines.put("c:1.0@DEFAULT", provider("bolt://h:4"));
  lines.remove("b:1.0:x@DEFAULT", provider("bolt://h:3"));
  lines.remove("b:1.0:x@DEFAULT", provider("bolt://h:3"));
  EXPECT_EQ(lines.to_string(),
            "a:1.0@DEFAULT\tbolt://h:1?weight=2\tbolt://h:2\t\nc:1.0@DEFAULT\tbolt://h:4\t\n");
  EXPECT_EQ(lines.of("a:1.0@DEFAULT").size(), 2u);
  EXPECT_EQ(lines.of("x:1.0@DEFAULT").size(), 0u);
}

}  // namespace
}  // namespace settee::rpc
