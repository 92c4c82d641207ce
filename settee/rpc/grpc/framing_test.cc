// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/framing.h"

#include <gtest/gtest.h>

namespace {

using settee::Bytes;
using settee::Code;
using settee::Result;
using settee::rpc::grpc::begin_message;
using settee::rpc::grpc::end_message;
using settee::rpc::grpc::MessageOptions;
using settee::rpc::grpc::MessageReader;
using settee::rpc::grpc::only_message;
using settee::rpc::grpc::Output;

void add_frame(Output& out, std::string_view message, bool gzip = false) {
  const std::size_t begin = begin_message(out);
  out.append(message);
  end_message(out, begin, gzip);
}

std::string frame(std::string_view message, bool gzip = false) {
  Output out;
  add_frame(out, message, gzip);
  return std::string(out.take().view());
}

Bytes bytes(std::string_view text) { return Bytes(text); }

std::string one(std::string_view body, const MessageOptions& options = {}) {
  const Result<Bytes> message = only_message(bytes(body), options);
  return message ? std::string(message->view()) : message.error().message();
}

TEST(GrpcFraming, AMessageHasAFlagAndItsLengthInFront) {
  EXPECT_EQ(frame("abc"), std::string("\0\0\0\0\3abc", 8));
  EXPECT_EQ(frame(""), std::string("\0\0\0\0\0", 5));
  EXPECT_EQ(one(frame("abc")), "abc");
  EXPECT_EQ(one(frame("")), "");
}

TEST(GrpcFraming, AUnaryBodyHasOneMessage) {
  EXPECT_NE(one("").find("has no message"), std::string::npos);
  EXPECT_NE(one(frame("a") + frame("b")).find("a unary call has one"), std::string::npos);
  EXPECT_NE(one(std::string("\0\0\0\0\4abc", 8)).find("4 bytes is announced and 3 came"),
            std::string::npos);
  EXPECT_NE(one(std::string("\2\0\0\0\0", 5)).find("byte 0x02"), std::string::npos);
}

TEST(GrpcFraming, MessagesAreFoundHoweverTheBodyIsCut) {
  const std::string large(70'000, 'x');
  const std::string body = frame("first") + frame("") + frame(large) + frame("last");
  for (const std::size_t step : {1UL, 3UL, 4096UL, body.size()}) {
    SCOPED_TRACE(step);
    MessageReader reader(MessageOptions{});
    std::vector<std::string> found;
    for (std::size_t at = 0; at < body.size(); at += step) {
      reader.add(bytes(std::string_view(body).substr(at, step)));
      for (;;) {
        const Result<std::optional<Bytes>> message = reader.next();
        ASSERT_TRUE(message) << message.error().message();
        if (!*message) break;
        found.emplace_back((*message)->view());
      }
    }
    EXPECT_TRUE(reader.finish());
    EXPECT_EQ(found, (std::vector<std::string>{"first", "", large, "last"}));
  }
}

TEST(GrpcFraming, ABodyThatEndsWithinAMessageIsAnError) {
  MessageReader reader(MessageOptions{});
  reader.add(bytes(frame("abc").substr(0, 7)));
  ASSERT_TRUE(reader.next());
  EXPECT_NE(reader.finish().error().message().find("ends within a message"), std::string::npos);
}

TEST(GrpcFraming, ALengthBeyondTheLimitIsRefusedBeforeTheMessageCame) {
  MessageOptions options;
  options.max_message = 100;
  MessageReader reader(options);
  reader.add(bytes(std::string_view("\0\0\0\0\x65", 5)));
  const Result<std::optional<Bytes>> message = reader.next();
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code(), Code::kLimit);
  EXPECT_NE(message.error().message().find("'max_frame' of 100"), std::string::npos);
}

TEST(GrpcFraming, GzipIsUsedWhereItHelpsAndReadWhereItIsAnnounced) {
  const std::string text(1000, 'a');
  const std::string packed = frame(text, true);
  ASSERT_LT(packed.size(), 100U);
  MessageOptions options;
  options.gzip = true;
  EXPECT_EQ(one(packed, options), text);
  EXPECT_NE(one(packed).find("no grpc-encoding"), std::string::npos);
  EXPECT_EQ(frame("short", true), frame("short"));
  EXPECT_EQ(one(frame("short"), options), "short") << "the flag says which messages are packed";
}

TEST(GrpcFraming, ABombIsRefusedAtTheLimit) {
  MessageOptions options;
  options.gzip = true;
  options.max_message = 1'000'000;
  const std::string bomb = frame(std::string(8'000'000, '\0'), true);
  ASSERT_LT(bomb.size(), 20'000U);
  const Result<Bytes> message = only_message(bytes(bomb), options);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code(), Code::kLimit);
}

TEST(GrpcFraming, BrokenGzipIsNamedSo) {
  MessageOptions options;
  options.gzip = true;
  std::string packed = frame(std::string(1000, 'a'), true);
  EXPECT_NE(one(std::string("\1\0\0\0\3abc", 8), options).find("is not gzip"), std::string::npos);
  packed += '!';
  packed[4] = static_cast<char>(packed[4] + 1);
  EXPECT_NE(one(packed, options).find("1 bytes too early"), std::string::npos);
}

}  // namespace
