// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Streaming methods over protocols that carry no streams: a clear Error on both sides, and nothing
// begins.

#include <gtest/gtest.h>

#include <atomic>

#include "settee/base/error_test.h"
#include "settee/rpc/rpc.h"

namespace acme {

struct Feed {
  virtual ~Feed() = default;
  virtual settee::AsyncStream<std::string> watch(std::string symbol) = 0;
  virtual settee::Task<std::int32_t> upload(settee::AsyncStream<std::string> lines) = 0;
  virtual settee::Task<std::string> name() = 0;
};

}  // namespace acme

SETTEE_SERVICE(acme::Feed, "com.acme.Feed", (watch, symbol), (upload, lines), (name))

namespace settee::rpc {
namespace {

struct MyFeed final : acme::Feed {
  AsyncStream<std::string> watch(std::string) override {
    ++begun;
    return make_stream<std::string>().second;
  }
  Task<std::int32_t> upload(AsyncStream<std::string>) override {
    ++begun;
    co_return 1;
  }
  Task<std::string> name() override { co_return "feed"; }
  std::atomic<int> begun{0};
};

class NoStreamsTest : public testing::Test {
 protected:
  NoStreamsTest() {
    server_.provide<acme::Feed>(feed_);
    server_.start();
  }
  std::string url() const { return "bolt://" + server_.address(); }

  Runtime runtime_{{.threads = 1}};
  Server server_{runtime_, {.host = "127.0.0.1", .port = 0}};
  Client client_{runtime_};
  std::shared_ptr<MyFeed> feed_ = std::make_shared<MyFeed>();
};

TEST_F(NoStreamsTest, ReferencesOfBoltSaySo) {
  const Reference<acme::Feed> feed = client_.refer<acme::Feed>(url());
  auto watched = feed->watch("ACME");
  const Error error = error_of(runtime_, watched.next());
  EXPECT_EQ(error.code(), Code::kMisuse);
  EXPECT_NE(std::string(error.what()).find("watch"), std::string::npos) << error.what();
  EXPECT_EQ(error_of(runtime_, feed->upload(make_stream<std::string>().second)).code(),
            Code::kMisuse);
  EXPECT_EQ(runtime_.run(feed->name()), "feed");
  EXPECT_EQ(feed_->begun, 0);
}

TEST_F(NoStreamsTest, CallersOfBoltAreToldByTheServer) {
  const GenericReference feed = client_.refer_generic(url() + "/com.acme.Feed");
  std::vector<hessian::Value> arguments;
  arguments.emplace_back("ACME");
  for (const Error& error : {error_of(runtime_, feed.call("watch", {}, std::move(arguments))),
                             error_of(runtime_, feed.call("upload", {}, {}))}) {
    EXPECT_NE(std::string(error.what()).find("is a streaming method"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(runtime_.run(feed.call("name", {}, {})), hessian::Value("feed"));
  EXPECT_EQ(feed_->begun, 0);
}

TEST_F(NoStreamsTest, SoAreThoseOfTheSameProcess) {
  ReferOptions options;
  options.in_process = true;
  const GenericReference feed = client_.refer_generic(url() + "/com.acme.Feed", options);
  const Error error = error_of(runtime_, feed.call("upload", {}, {}));
  EXPECT_NE(std::string(error.what()).find("is a streaming method"), std::string::npos)
      << error.what();
  EXPECT_EQ(feed_->begun, 0);
}

}  // namespace
}  // namespace settee::rpc
