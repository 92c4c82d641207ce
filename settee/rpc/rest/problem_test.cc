// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/rest/internal/problem.h"

#include <gtest/gtest.h>

#include "settee/base/reflect.h"
#include "settee/hessian/hessian.h"

namespace rest_problem {

struct SoldOut : settee::BusinessException<SoldOut> {
  std::string symbol;
};

}  // namespace rest_problem

SETTEE_EXCEPTION(rest_problem::SoldOut, "com.acme.SoldOut", symbol)

namespace rest_problem {
namespace {

using settee::Code;
using settee::Error;
using settee::rpc::rest::problem;
using settee::rpc::rest::status_of;

TEST(RestProblem, HasTheCodeItsNameAndTheMessage) {
  const settee::http::Response response = problem(Error(Code::kBusy, "no \"room\"\n"));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.headers.get("content-type"), "application/problem+json");
  EXPECT_EQ(response.body.text(),
            R"({"type":"about:blank","title":"Service Unavailable","status":503,"code":300,)"
            R"("name":"Busy","detail":"no \"room\"\n"})");
}

TEST(RestProblem, HasTheClassAndValueOfAnException) {
  SoldOut sold_out;
  sold_out.message = "sold out";
  sold_out.symbol = "ACME";
  const settee::http::Response response = problem(sold_out.to_error());
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(response.body.text(),
            R"({"type":"about:blank","title":"Unprocessable Content","status":422,"code":303,)"
            R"("name":"Business","detail":"sold out","exception":{"class":"com.acme.SoldOut",)"
            R"("value":{"detailMessage":"sold out","symbol":"ACME"}}})");
}

TEST(RestProblem, EveryCodeHasAStatusOfAnError) {
  for (int code = 100; code < 400; ++code) {
    const int status = status_of(Error(static_cast<Code>(code), "x"));
    EXPECT_TRUE(status >= 400 && status < 600) << code;
    EXPECT_FALSE(settee::http::reason_of(status).empty()) << code;
  }
}

}  // namespace
}  // namespace rest_problem
