// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/mock.h"

#include <gtest/gtest.h>

#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;

class MockTest : public ::testing::Test {
 protected:
  template <class R>
  R call(const Mock& mock, std::size_t method, std::vector<void*> arguments, Context context = {}) {
    R result{};
    Outgoing outgoing;
    outgoing.method = &service_of<wire::Probe>().methods[method];
    outgoing.name = outgoing.method->wire_name;
    outgoing.arguments = arguments.data();
    outgoing.result = &result;
    outgoing.deadline = outgoing.began + 20s;
    runtime_.run(with_context(std::move(context), mocked(runtime_, mock, outgoing)));
    return result;
  }
  Runtime runtime_;
  std::shared_ptr<wire::MyProbe> probe_ = std::make_shared<wire::MyProbe>();
};

TEST_F(MockTest, TheObjectAnswers) {
  const std::shared_ptr<const Mock> made = mock<wire::Probe>(probe_);
  std::string text = "x";
  EXPECT_EQ(call<std::string>(*made, 0, {&text}), "x");
  std::int32_t ms = 5;
  EXPECT_EQ(call<std::int32_t>(*made, 4, {&ms}), 5);  // nap
  EXPECT_EQ(call<std::int32_t>(*made, 5, {&ms}), 5);  // block, on the pool
  EXPECT_EQ(probe_->calls, 3);
}

TEST_F(MockTest, ItsExceptionsAreThoseOfAProvider) {
  const std::shared_ptr<const Mock> made = mock<wire::Probe>(probe_);
  std::string name = "cup";
  try {
    call<int>(*made, 8, {&name});
    FAIL() << "fail() did not";
  } catch (const Error& error) {
    ASSERT_EQ(error.code(), Code::kBusiness) << error.what();
    EXPECT_EQ(error.as<wire::NoSuchItem>()->name, "cup");
  }
}

TEST_F(MockTest, DegradationAnswersAfterTheDeadline) {
  const auto made = mock<wire::Probe>(probe_, MockWhen::kNoAnswer);
  std::string text = "x";
  const Context late = Context().with_deadline(Clock::now() - 1s);
  EXPECT_EQ(call<std::string>(*made, 0, {&text}, late), "x");
  EXPECT_TRUE(made->steps_in(Error(Code::kTimeout, "late")));
  EXPECT_TRUE(made->steps_in(Error(Code::kNoProvider, "none")));
  EXPECT_FALSE(made->steps_in(Error(Code::kBusiness, "its own words")));
  EXPECT_FALSE(mock<wire::Probe>(probe_)->steps_in(Error(Code::kTimeout, "late")));
}

TEST_F(MockTest, CallsByName) {
  const std::shared_ptr<const Mock> made = mock<wire::Probe>(probe_);
  hessian::Value result;
  const std::vector<std::string> types{"java.lang.String"};
  const std::vector<hessian::Value> values{hessian::Value("x")};
  Outgoing outgoing;
  outgoing.name = "echo";
  outgoing.types = types;
  outgoing.values = values;
  outgoing.result = &result;
  runtime_.run(mocked(runtime_, *made, outgoing));
  EXPECT_EQ(result.as_string().value_or(""), "x");
  outgoing.name = "unknown";
  EXPECT_THROW(runtime_.run(mocked(runtime_, *made, outgoing)), Error);
}

TEST_F(MockTest, OfAnotherInterfaceItIsRefused) {
  const std::shared_ptr<const Mock> made = mock<wire::Probe>(probe_);
  made->check("com.acme.Probe");
  try {
    made->check("com.acme.Quotes");
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_NE(error.message().find("com.acme.Probe"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("com.acme.Quotes"), std::string::npos) << error.message();
  }
  EXPECT_THROW(mock<wire::Probe>(std::shared_ptr<wire::MyProbe>()), Error);
}

}  // namespace
}  // namespace settee::rpc
