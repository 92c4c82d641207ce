// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/router.h"

#include <gtest/gtest.h>

#include <map>

namespace settee::rpc {
namespace {

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    for (const char* url : {"bolt://127.0.0.1:1", "bolt://127.0.0.1:2?tag=gray",
                            "bolt://127.0.0.1:3?tag=gray&zone=a"}) {
      providers_.push_back(Provider::parse(url).value());
    }
  }
  // The ports that are left, and the reasons of the others.
  std::string left(const Router& router, const RoutedCall& call) {
    std::vector<const Provider*> candidates;
    for (const Provider& provider : providers_) candidates.push_back(&provider);
    const std::vector<std::string> reasons = router.drop(router.key(call), candidates);
    std::string text;
    for (std::size_t i = 0; i < reasons.size(); ++i) {
      if (reasons[i].empty()) text += std::to_string(providers_[i].endpoint.port);
      if (!reasons[i].empty()) said_ = reasons[i];
    }
    return text;
  }
  static RoutedCall call(const Baggage* baggage, std::string_view method = "latest") {
    RoutedCall made;
    made.service = "com.acme.Quotes:1.0";
    made.method = method;
    made.baggage = baggage;
    return made;
  }

  Providers providers_;
  std::string said_;
};

TEST_F(RouterTest, ATagFindsItsProviders) {
  const auto router = tag_router();
  const Baggage gray{{"tag", "gray"}};
  EXPECT_EQ(left(*router, call(&gray)), "23");
  EXPECT_EQ(said_, "it has no tag, the call has 'gray'");
  EXPECT_EQ(left(*router, call(nullptr)), "1");
  EXPECT_EQ(said_, "it has tag 'gray', the call none");
}

TEST_F(RouterTest, ATagWithoutProvidersFallsBackUnlessStrict) {
  const Baggage blue{{"tag", "blue"}};
  EXPECT_EQ(left(*tag_router(), call(&blue)), "1");
  EXPECT_EQ(left(*tag_router("tag", true), call(&blue)), "");
  EXPECT_EQ(said_, "it has tag 'gray', the call 'blue'");
}

TEST_F(RouterTest, TheFirstRuleThatFitsDecides) {
  RouteRule loads;
  loads.name = "loads";
  loads.methods = {"load"};
  loads.to.emplace_back().attributes = {{"zone", "a"}};
  RouteRule gray;
  gray.name = "gray users";
  gray.baggage = {{"user", "7"}};
  gray.to.emplace_back().attributes = {{"tag", "gray"}};
  const auto router = rule_router({loads, gray});
  const Baggage user{{"user", "7"}};
  EXPECT_EQ(left(*router, call(&user, "load")), "3");
  EXPECT_EQ(said_, "rule 'loads' wants zone 'a', it has ''");
  EXPECT_EQ(left(*router, call(&user)), "23");
  EXPECT_EQ(left(*router, call(nullptr)), "123");
}

TEST_F(RouterTest, ALenientRuleLeavesAllWhenNoneFits) {
  RouteRule rule;
  rule.to.emplace_back().attributes = {{"zone", "z"}};
  EXPECT_EQ(left(*rule_router({rule}), call(nullptr)), "");
  rule.strict = false;
  EXPECT_EQ(left(*rule_router({rule}), call(nullptr)), "123");
}

TEST_F(RouterTest, DestinationsHaveTheirShares) {
  RouteRule canary;
  canary.to.resize(2);
  canary.to[0].attributes = {{"tag", "gray"}};
  canary.to[0].weight = 10;
  canary.to[1].attributes = {{"tag", ""}};
  canary.to[1].weight = 90;
  const auto router = rule_router({canary});
  std::map<std::string, int> shares;
  for (int i = 0; i < 10'000; ++i) ++shares[left(*router, call(nullptr))];
  EXPECT_EQ(shares.size(), 2U);
  // Six standard deviations (30) of 1,000.
  EXPECT_NEAR(shares["23"], 1'000, 180);
}

TEST_F(RouterTest, ARuleWithoutDestinationIsRefused) {
  RouteRule rule;
  rule.name = "nowhere";
  try {
    rule_router({rule});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(),
              "rule_router(): rule 'nowhere' has no destination of a weight above 0");
  }
  rule.to.emplace_back().weight = -1;
  EXPECT_THROW(rule_router({rule}), Error);
}

}  // namespace
}  // namespace settee::rpc
