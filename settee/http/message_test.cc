// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/message.h"

#include <gtest/gtest.h>

#include "settee/http/http_test_peer.h"

namespace settee::http {
namespace {

TEST(Headers, AreFoundWithoutRegardToCaseInTheirOrder) {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("Host", "b");
  headers.add("ACCEPT", "c");
  EXPECT_EQ(headers.find("accept"), "a");
  EXPECT_EQ(headers.get("nothing"), "");
  EXPECT_FALSE(headers.find("nothing"));
  std::string all;
  for (const Headers::Field field : headers) {
    all += std::string(field.name) + "=" + std::string(field.value) + " ";
  }
  EXPECT_EQ(all, "Accept=a Host=b ACCEPT=c ");
  EXPECT_EQ(headers.remove("aCCept"), 2u);
  EXPECT_EQ(headers.size(), 1u);
  headers.set("host", headers.get("host"));
  EXPECT_EQ(headers.get("Host"), "b");
}

TEST(Headers, DoNotGrowWithWhatIsReplaced) {
  Headers headers;
  headers.add("a", "first");
  headers.add("b", "second");
  headers.add("c", "third");
  for (int i = 0; i < 1000; ++i) headers.set("b", std::string(100, 'x'));
  EXPECT_EQ(headers.get("a"), "first");
  EXPECT_EQ(headers.get("b"), std::string(100, 'x'));
  EXPECT_EQ(headers.get("c"), "third");
  EXPECT_LT(headers.get("b").data() - headers.get("a").data(), 1000);
}

TEST(Headers, AListMayStandInOneFieldOrInSeveral) {
  Headers headers;
  headers.add("connection", "keep-alive , Upgrade");
  headers.add("connection", "http2-settings");
  EXPECT_TRUE(headers.has("Connection", "upgrade"));
  EXPECT_TRUE(headers.has("connection", "HTTP2-Settings"));
  EXPECT_FALSE(headers.has("connection", "close"));
  EXPECT_FALSE(headers.has("connection", "keep"));
}

TEST(Headers, NothingCanBeSmuggledIntoThem) {
  Headers headers;
  for (const std::string_view value :
       {std::string_view("a\r\nset-cookie: x"), std::string_view("a\nb"),
        std::string_view("a\0b", 3), std::string_view("a\rb"), std::string_view("\x7f")}) {
    EXPECT_THROW(headers.add("x", value), Error) << value;
    EXPECT_THROW(headers.set("x", value), Error) << value;
  }
  for (const std::string_view name : {"", "a b", "a:", "a\r\nb", "a\x80", "(x)"}) {
    EXPECT_THROW(headers.add(name, "v"), Error) << name;
  }
  EXPECT_TRUE(headers.empty());
  headers.add("x", "tab\tand \xc3\xa9 are fine");
}

TEST(Request, PathQueryAndParametersAreTakenApart) {
  Request request;
  request.target = "/a%20b/c?x=1&y=a+b%26c&x=2&flag&bad=%zz";
  EXPECT_EQ(request.path(), "/a%20b/c");
  EXPECT_EQ(request.query(), "x=1&y=a+b%26c&x=2&flag&bad=%zz");
  EXPECT_EQ(request.parameter("x"), "1");
  EXPECT_EQ(request.parameter("y"), "a b&c");
  EXPECT_EQ(request.parameter("flag"), "");
  EXPECT_EQ(request.parameter("bad"), std::nullopt);
  EXPECT_EQ(request.parameter("none"), std::nullopt);
  request.target = "/plain";
  EXPECT_EQ(request.query(), "");
}

TEST(PercentDecode, RefusesBrokenEscapesAndNul) {
  EXPECT_EQ(percent_decode("a%2Fb%2f"), "a/b/");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  for (const char* bad : {"%", "%4", "%4g", "%00"}) EXPECT_EQ(percent_decode(bad), std::nullopt);
}

TEST(Body, WholeOrInPartsItIsReadAlike) {
  Runtime runtime;
  Body whole("abc");
  EXPECT_TRUE(whole.whole());
  EXPECT_EQ(whole.size(), 3u);
  EXPECT_EQ(runtime.run(whole.read(3)).view(), "abc");
  Body parts(std::make_unique<wire::Parts>(3, "xy"));
  EXPECT_FALSE(parts.whole());
  EXPECT_EQ(runtime.run(parts.read(6)).view(), "xyxyxy");
  EXPECT_EQ(parts.trailers().get("x-checked"), "yes");
  Body large(std::make_unique<wire::Parts>(3, "xy"));
  try {
    runtime.run(large.read(5));
    FAIL() << "more than the limit was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kLimit);
  }
  auto [sink, stream] = make_stream<Bytes>(4);
  runtime.run(sink.write(Bytes(std::string_view("from a "))));
  runtime.run(sink.write(Bytes(std::string_view("stream"))));
  sink.close();
  Body streamed(std::move(stream));
  EXPECT_EQ(runtime.run(streamed.read(100)).view(), "from a stream");
}

TEST(Problem, SaysWhatWentWrongAsJson) {
  const Response plain = Response::problem(404, "no \"such\" thing\n");
  EXPECT_EQ(plain.status, 404);
  EXPECT_EQ(plain.headers.get("content-type"), "application/problem+json");
  EXPECT_EQ(plain.body.text(),
            R"({"title":"Not Found","status":404,"detail":"no \"such\" thing\u000a"})");
  const Response busy = Response::problem(Error(Code::kBusy, "later"));
  EXPECT_EQ(busy.status, 503);
  EXPECT_NE(busy.body.text().find(R"("code":300)"), std::string_view::npos);
}

}  // namespace
}  // namespace settee::http
