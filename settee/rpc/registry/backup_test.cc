// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/registry/internal/backup.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "settee/rpc/registry/registry_test_log.h"

namespace settee::rpc::registry {
namespace {

using namespace std::chrono_literals;
using registry_test::eventually;
using registry_test::Heard;
using registry_test::Log;
using registry_test::provider;
using registry_test::service;

constexpr char kName[] = "com.acme.Quotes";

class RegistryBackup : public testing::Test {
 protected:
  RegistryBackup() {
    std::string pattern = testing::TempDir() + "backup.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    directory_ = folder_ + "/kept/here";
  }
  ~RegistryBackup() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Backup> open(const std::string& registry = "zookeeper://10.0.0.9:2181") {
    return std::make_unique<Backup>(directory_, registry,
                                    [this](LogLevel level, const std::string& message) {
                                      runtime_.log(level, "registry", message);
                                    });
  }
  /// What is kept is written when this returns.
  void keep(const Providers& all) { open()->keep(kName, all); }
  static std::string content(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  Log log_;
  Runtime runtime_{log_.options()};
  std::string folder_;
  std::string directory_;
};

TEST_F(RegistryBackup, WhatIsKeptComesBackInAnotherProcess) {
  const Providers all = {
      provider("bolt://10.0.0.1:12200?version=1.0&uniqueId=&weight=7&appName=a%26b%09c%0A"),
      provider("bolt://10.0.0.1:12200?version=1.0&uniqueId=blue"),
      provider("bolt://[::1]:12200/path?version=2.0&uniqueId=x@y:z"),
      provider("bolt://10.0.0.2:12200"),  // says no version, and serves all
      provider("rest://10.0.0.3:8341?version=1.0")};
  const auto before = std::chrono::system_clock::now() - 1s;
  keep(all);
  const auto memory = open()->load(kName);
  ASSERT_TRUE(memory) << log_.text();
  ASSERT_EQ(memory->providers.size(), all.size());
  for (const Provider& one : all) {
    EXPECT_EQ(std::count(memory->providers.begin(), memory->providers.end(), one), 1)
        << one.to_string();
  }
  EXPECT_GT(memory->written, before);
  EXPECT_LT(memory->written, std::chrono::system_clock::now() + 1s);
  struct stat status;
  ASSERT_EQ(::stat(memory->path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(directory_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  EXPECT_FALSE(open()->load("com.acme.Orders"));
  EXPECT_FALSE(open("zookeeper://10.0.0.8:2181")->load(kName));
  EXPECT_EQ(log_.text(), "");
}

TEST_F(RegistryBackup, TheLatestListIsWrittenAndAnEmptyOneIsNot) {
  {
    const auto backup = open();
    for (int weight = 1; weight <= 50; ++weight) {
      backup->keep(kName, {provider("bolt://10.0.0.1:1?weight=" + std::to_string(weight))});
    }
    backup->keep(kName, {});
  }
  EXPECT_EQ(open()->load(kName)->providers.at(0).weight(), 50);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(directory_)) ++files;
  EXPECT_EQ(files, 1u) << "something was left behind";
}

TEST_F(RegistryBackup, WhatTheFormCannotSayIsLeftOut) {
  Provider odd = provider("bolt://10.0.0.1:1");
  odd.attributes["uniqueId"] = "a\n# end 0";
  Provider other = provider("bolt://10.0.0.2:1");
  other.attributes["version"] = "1:2";
  keep({odd, other, provider("bolt://10.0.0.3:1")});
  const auto memory = open()->load(kName);
  ASSERT_TRUE(memory) << log_.text();
  EXPECT_EQ(Heard::addresses_of(memory->providers), std::vector<std::string>{"10.0.0.3:1"});
}

TEST_F(RegistryBackup, NamesOfAnyLengthHaveFilesOfTheirOwn) {
  const std::string one = "com." + std::string(300, 'a') + ".One";
  const std::string two = "com." + std::string(300, 'a') + ".Two";
  open()->keep(one, {provider("bolt://10.0.0.1:1")});
  EXPECT_TRUE(open()->load(one)) << log_.text();
  EXPECT_FALSE(open()->load(two));
}

// Of a file that was damaged nothing is believed, and the message names the line.
TEST_F(RegistryBackup, ADamagedFileIsIgnoredWithItsLine) {
  keep({provider("bolt://10.0.0.1:1?version=1.0"), provider("bolt://10.0.0.2:1?version=1.0")});
  const std::string path = open()->path_of(kName);
  const std::string good = content(path);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    if (at == std::string::npos) throw std::logic_error(from + " is not in " + text);
    return text.replace(at, from.size(), to);
  };
  const std::vector<std::pair<std::string, std::string>> damages = {
      {"", ":1: it should begin with '# Settee: last known providers, form 1'"},
      {"root:x:0:0\n", ":1: it should begin with"},
      {changed("10.0.0.9", "10.0.0.8"),
       ":2: it should begin with '# registry zookeeper://10.0.0.9:2181'"},
      {changed("interface com.acme.Quotes", "interface com.acme.Orders"), ":3: it should begin"},
      {changed("# written ", "# written x"), ":4: there is no time"},
      {changed("bolt://10.0.0.2:1", "bolt://10.0.0.2:none"), ":5: 'bolt://10.0.0.2:none"},
      {changed("com.acme.Quotes:1.0@", "com.acme.Quotes "), ":5: 'com.acme.Quotes DEFAULT' does"},
      {changed("bolt://10.0.0.2:1", "\tbolt://10.0.0.2:1\tbolt://10.0.0.3:1"), ":6: it says 2"},
      {good.substr(0, good.size() - 3), ":6: its last line is not '# end <count>'"},
      {good.substr(0, good.find("10.0.0.2")), ":5: its last line is not '# end <count>'"},
      {good + "x", ":7: its last line"}};
  for (const auto& [text, message] : damages) {
    std::ofstream(path) << text;
    EXPECT_FALSE(open()->load(kName)) << text;
    EXPECT_EQ(log_.count(path + message, LogLevel::kWarning), 1) << message << "\n" << log_.text();
    log_.clear();
  }
  std::ofstream(path) << good;
  EXPECT_TRUE(open()->load(kName));
}

TEST_F(RegistryBackup, AFileThatOthersMayWriteIsNotBelieved) {
  keep({provider("bolt://10.0.0.1:1")});
  const std::string path = open()->path_of(kName);
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  EXPECT_FALSE(open()->load(kName));
  EXPECT_EQ(log_.count(path + ": others may write it", LogLevel::kWarning), 1) << log_.text();
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/etc/passwd", path);
  EXPECT_FALSE(open()->load(kName));
  EXPECT_EQ(log_.count("open " + path, LogLevel::kWarning), 1) << log_.text();
}

TEST_F(RegistryBackup, ADirectoryThatCannotBeUsedIsReportedOnce) {
  std::ofstream(folder_ + "/kept").flush();  // a file where the directory should be
  const auto backup = open();
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(backup->load("com.acme.S" + std::to_string(i)));
    backup->keep("com.acme.S" + std::to_string(i), {provider("bolt://10.0.0.1:1")});
  }
  ASSERT_TRUE(eventually([&] { return log_.count("make " + directory_) > 0; })) << log_.text();
  backup->keep("com.acme.Late", {provider("bolt://10.0.0.1:1")});
  EXPECT_EQ(log_.count("open " + directory_ + "/", LogLevel::kWarning), 1) << log_.text();
  // When it can be used again, all is well, and the next trouble is news.
  std::filesystem::remove(folder_ + "/kept");
  EXPECT_TRUE(eventually([&] {
    static int weight = 0;
    backup->keep("com.acme.New", {provider("bolt://1.1.1.1:1?weight=" + std::to_string(++weight))});
    return backup->load("com.acme.New").has_value();
  }));
  EXPECT_EQ(log_.count("make " + directory_ + ": Not a directory", LogLevel::kWarning), 1)
      << log_.text();
}

// Through a registry: a file that cannot be read is away at once.
class RegistryWithBackup : public RegistryBackup {
 protected:
  std::shared_ptr<Registry> open_file() {
    RegistryOptions options;
    options.scan_period = 20ms;
    options.backup_directory = directory_;
    return open_registry(runtime_, "file://" + path_, options);
  }
  /// Lists one provider, and returns when it is kept.
  void list_and_keep(const std::string& address) {
    std::filesystem::create_directories(folder_ + "/list");
    std::ofstream(path_) << "com.acme.Quotes:1.0@DEFAULT\tbolt://" << address << "\t\n";
    Heard heard;
    const auto registry = open_file();
    const auto watch = registry->watch(service(kName), {}, heard.listener());
    ASSERT_TRUE(heard.wait_for({address}));
  }
  void take_the_list_away() {
    std::filesystem::remove_all(folder_ + "/list");
    std::ofstream(folder_ + "/list").flush();  // ENOTDIR, for root too
  }

  const std::string path_ = folder_ + "/list/services";
};

TEST_F(RegistryWithBackup, AStartWithoutTheRegistryFindsWhatWasListedAndItsOwnAnswerReplacesIt) {
  list_and_keep("10.0.0.1:1");
  take_the_list_away();
  const auto registry = open_file();
  Heard heard, blue, unknown;
  const auto watch = registry->watch(service(kName), {}, heard.listener());
  const auto second = registry->watch(service(kName, "blue"), {}, blue.listener());
  const auto third = registry->watch(service("com.acme.Orders"), {}, unknown.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"})) << log_.text();
  ASSERT_TRUE(blue.wait_for({"10.0.0.1:1"}));
  EXPECT_EQ(log_.count("file://" + path_ + " has not answered (cannot read " + path_ + " for ",
                       LogLevel::kWarning),
            1)
      << log_.text();
  EXPECT_EQ(log_.count("its 1 provider(s) of com.acme.Quotes of "), 1) << log_.text();
  EXPECT_EQ(unknown.calls(), 0u) << "nothing is known of it";
  std::filesystem::remove(folder_ + "/list");
  std::filesystem::create_directories(folder_ + "/list");
  std::ofstream(path_) << "com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.7:1\t\n";
  EXPECT_TRUE(heard.wait_for({"10.0.0.7:1"}));
  EXPECT_TRUE(unknown.wait_for({}));
}

TEST_F(RegistryWithBackup, ARegistryThatAnswersIsBelievedAndNothingElse) {
  list_and_keep("10.0.0.1:1");
  std::ofstream(path_) << "com.acme.Quotes:1.0@DEFAULT\tbolt://10.0.0.2:1\t\n";
  const auto registry = open_file();
  Heard heard;
  const auto watch = registry->watch(service(kName), {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.2:1"}));
  EXPECT_EQ(heard.calls(), 1u);
  EXPECT_EQ(log_.count("has not answered"), 0) << log_.text();
}

}  // namespace
}  // namespace settee::rpc::registry
