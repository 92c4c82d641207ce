// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/error.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "settee/base/result.h"

namespace settee {
namespace {

TEST(Error, HasCodeAndMessage) {
  const Error error(Code::kTimeout, "call x");
  EXPECT_EQ(error.code(), Code::kTimeout);
  EXPECT_EQ(error.message(), "call x");
  EXPECT_STREQ(error.what(), "Timeout: call x");
  EXPECT_EQ(error.cause(), nullptr);
  EXPECT_EQ(error.exception(), nullptr);
}

TEST(Error, IsThrownAndCaughtAsAStandardException) {
  try {
    throw Error(Code::kIo, "read");
  } catch (const std::exception& caught) {
    EXPECT_STREQ(caught.what(), "Io: read");
  }
}

TEST(Error, CausesFormAChainThatGrowsAtItsEnd) {
  const Error root(Code::kIo, "connect: refused");
  const Error middle(Code::kConnectFailed, "no connection");
  const Error top(Code::kNoProvider, "all are down");
  const Error chain = top.because(middle).because(root);
  EXPECT_STREQ(
      chain.what(),
      "NoProvider: all are down; because ConnectFailed: no connection; because Io: connect: "
      "refused");
  ASSERT_NE(chain.cause(), nullptr);
  EXPECT_EQ(chain.cause()->code(), Code::kConnectFailed);
  ASSERT_NE(chain.cause()->cause(), nullptr);
  EXPECT_EQ(chain.cause()->cause()->code(), Code::kIo);
  EXPECT_EQ(chain.cause()->cause()->cause(), nullptr);
  EXPECT_EQ(top.cause(), nullptr);  // a copy grew, not the error itself

  const Error other = top.because(middle.because(root));
  EXPECT_STREQ(other.what(), chain.what());
}

TEST(Error, WithinNamesTheStep) {
  const Error error = Error(Code::kDecode, "offset 3").because(Error(Code::kLimit, "depth"));
  const Error within = error.within("read the answer");
  EXPECT_EQ(within.code(), Code::kDecode);
  EXPECT_EQ(within.message(), "read the answer: offset 3");
  ASSERT_NE(within.cause(), nullptr);
  EXPECT_EQ(within.cause()->code(), Code::kLimit);
  EXPECT_STREQ(within.what(), "Decode: read the answer: offset 3; because Limit: depth");
}

TEST(Error, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  int codes = 0;
  for (std::int32_t number = 0; number < 1000; ++number) {
    const std::string name = to_string(static_cast<Code>(number));
    if (name == "Unknown" && number != static_cast<std::int32_t>(Code::kUnknown)) continue;
    ++codes;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(codes, 23);
  // Numbers are for ever.
  EXPECT_EQ(static_cast<int>(Code::kUnknown), 100);
  EXPECT_EQ(static_cast<int>(Code::kIo), 109);
  EXPECT_EQ(static_cast<int>(Code::kTimeout), 200);
  EXPECT_EQ(static_cast<int>(Code::kNoProvider), 204);
  EXPECT_EQ(static_cast<int>(Code::kBusy), 300);
  EXPECT_EQ(static_cast<int>(Code::kBusiness), 303);
  EXPECT_EQ(static_cast<int>(Code::kProtocol), 307);
  EXPECT_STREQ(to_string(Code::kMethodNotFound), "MethodNotFound");
}

TEST(Error, CopiesAreSharedAcrossThreads) {
  std::vector<std::thread> threads;
  {
    const Error error = Error(Code::kTimeout, "x").because(Error(Code::kIo, "y"));
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([error] {
        for (int i = 0; i < 200; ++i) {
          const Error copy = error.within("step");
          EXPECT_EQ(copy.cause()->message(), "y");
        }
      });
    }
  }
  for (auto& thread : threads) thread.join();
}

TEST(Result, HoldsAValueOrAnError) {
  Result<std::string> value = std::string("v");
  ASSERT_TRUE(value);
  EXPECT_TRUE(value.ok());
  EXPECT_EQ(*value, "v");
  EXPECT_EQ(value->size(), 1u);
  EXPECT_EQ(value.value(), "v");
  EXPECT_EQ(value.value_or("other"), "v");
  *value += "w";
  EXPECT_EQ(std::move(value).value(), "vw");

  const Result<std::string> error = Error(Code::kIo, "m");
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code(), Code::kIo);
  EXPECT_EQ(error.value_or("other"), "other");
  EXPECT_THROW(
      {
        try {
          static_cast<void>(error.value());
        } catch (const Error& caught) {
          EXPECT_EQ(caught.message(), "m");
          throw;
        }
      },
      Error);
}

TEST(Result, OfVoid) {
  const Result<void> good;
  EXPECT_TRUE(good);
  EXPECT_NO_THROW(good.value());
  const Result<void> bad = Error(Code::kStopped, "m");
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Code::kStopped);
  EXPECT_THROW(bad.value(), Error);
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 5);
  Result<std::unique_ptr<int>> failed = Error(Code::kIo, "m");
  EXPECT_THROW(static_cast<void>(std::move(failed).value()), Error);
}

}  // namespace
}  // namespace settee
