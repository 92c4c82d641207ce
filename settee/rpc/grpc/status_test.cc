// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/status.h"

#include <gtest/gtest.h>

#include "settee/base/reflect.h"
#include "settee/rpc/grpc/internal/wire.h"
#include "settee/rpc/internal/hosted_call.h"

namespace grpc_status_test {
struct SoldOut : settee::BusinessException<SoldOut> {
  std::string sku;
};
}  // namespace grpc_status_test
SETTEE_EXCEPTION(grpc_status_test::SoldOut, "com.acme.SoldOut", sku)

namespace {

using namespace std::chrono_literals;
using settee::Code;
using settee::Error;
using settee::http::Headers;
using settee::rpc::grpc::add_status;
using settee::rpc::grpc::base64;
using settee::rpc::grpc::code_of;
using settee::rpc::grpc::Output;
using settee::rpc::grpc::parse_timeout;
using settee::rpc::grpc::percent_encoded;
using settee::rpc::grpc::put_number;
using settee::rpc::grpc::put_text;
using settee::rpc::grpc::read_status;
using settee::rpc::grpc::Status;
using settee::rpc::grpc::status_of;

TEST(GrpcStatus, TimeoutsHaveUpToEightDigitsAndAUnit) {
  EXPECT_EQ(parse_timeout("100m"), 100ms);
  EXPECT_EQ(parse_timeout("2S"), 2s);
  EXPECT_EQ(parse_timeout("3M"), 3min);
  EXPECT_EQ(parse_timeout("4H"), 4h);
  EXPECT_EQ(parse_timeout("5u"), 5us);
  EXPECT_EQ(parse_timeout("0n"), 0ns);
  EXPECT_EQ(parse_timeout("99999999H"), 366 * 24h);
  EXPECT_EQ(parse_timeout("99999999M"), 99999999min);
  for (const char* bad : {"", "1", "m", "-1m", "1x", "1 m", "123456789m", "1.5S"}) {
    EXPECT_EQ(parse_timeout(bad), std::nullopt) << bad;
  }
}

TEST(GrpcStatus, MessagesArePercentEncoded) {
  EXPECT_EQ(percent_encoded("a b~"), "a b~");
  EXPECT_EQ(percent_encoded("50%\n\xc3\xa4"), "50%25%0A%C3%A4");
}

TEST(GrpcStatus, BinaryMetadataIsBase64WithoutPadding) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg");
  EXPECT_EQ(base64("fo"), "Zm8");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("\xff\xfe\xfd\xfc"), "//79/A");
}

TEST(GrpcStatus, CodesKeepTheirMeaningBothWays) {
  for (const Code code : {Code::kCancelled, Code::kTimeout, Code::kBusy, Code::kMethodNotFound,
                          Code::kPeerDecode, Code::kConnectionClosed, Code::kPeerError}) {
    EXPECT_EQ(code_of(status_of(Error(code, "x"))), code) << to_string(code);
  }
  EXPECT_EQ(code_of(static_cast<Status>(16)), Code::kPeerError);
}

Error read_back(const Error& error, std::string_view status) {
  Headers trailers;
  add_status(trailers, error);
  EXPECT_EQ(trailers.get("grpc-status"), status);
  const settee::Result<void> read = read_status(trailers);
  return read ? Error(Code::kUnknown, "no error") : read.error();
}

TEST(GrpcStatus, WhoIsNotLetInIsUnauthenticated) {
  const Error refused = Error(Code::kPeerError, "who are you?")
                            .with_detail(std::make_shared<settee::rpc::CallerRefused>());
  EXPECT_EQ(read_back(refused, "16").code(), Code::kPeerError);
}

// Clients of gRPC try elsewhere what was UNAVAILABLE; Settee's what was "busy".
TEST(GrpcStatus, AServerThatIsAboutToStopIsUnavailableAndAFullOneExhausted) {
  const Error drains = Error(Code::kBusy, "about to stop")
                           .with_detail(std::make_shared<settee::rpc::ServerDrains>());
  EXPECT_EQ(read_back(drains, "14").code(), Code::kBusy);
  EXPECT_EQ(read_back(Error(Code::kBusy, "full"), "8").code(), Code::kBusy);
}

TEST(GrpcStatus, ABusinessExceptionIsInTheDetails) {
  grpc_status_test::SoldOut sold_out;
  sold_out.message = "none left \xc3\xa4";
  sold_out.sku = "s1";
  Headers trailers;
  add_status(trailers, sold_out.to_error());
  EXPECT_EQ(trailers.get("grpc-status"), "2");
  EXPECT_EQ(trailers.get("grpc-message"), "none left %C3%A4");
  const auto entry = [](std::string_view key, std::string_view value) {
    Output out;
    put_text(out, 1, key);
    put_text(out, 2, value);
    return std::string(out.take().view());
  };
  Output info;
  put_text(info, 1, "BUSINESS");
  put_text(info, 2, "settee");
  put_text(info, 3, entry("code", "303"));
  put_text(info, 3, entry("exception", "com.acme.SoldOut"));
  put_text(info, 3, entry("value", "{\"detailMessage\":\"none left \xc3\xa4\",\"sku\":\"s1\"}"));
  Output status;
  put_number(status, 1, 2);
  put_text(status, 2, "none left \xc3\xa4");
  put_text(status, 3, entry("type.googleapis.com/google.rpc.ErrorInfo", info.take().view()));
  EXPECT_EQ(trailers.get("grpc-status-details-bin"), base64(status.take().view()));
}

TEST(GrpcStatus, ALongMessageIsCutBetweenCharacters) {
  std::string text(2047, 'a');
  text += "\xc3\xa4 and more";
  Headers trailers;
  add_status(trailers, Status::kInternal, text);
  EXPECT_EQ(trailers.get("grpc-message"), std::string(2047, 'a'));
}

TEST(GrpcStatus, TrailersStayWithinWhatClientsTake) {
  for (const char* piece : {"x", "\xc3\xa4", "%"}) {
    grpc_status_test::SoldOut sold_out;
    for (int i = 0; i < 5000; ++i) sold_out.message += piece;
    for (const std::size_t size : {std::size_t{10}, std::size_t{2000}, std::size_t{100'000}}) {
      sold_out.sku.assign(size, 's');
      Headers trailers;
      add_status(trailers, sold_out.to_error());
      EXPECT_LE(trailers.get("grpc-message").size(), 2048U);
      EXPECT_LE(trailers.get("grpc-status-details-bin").size(), 3072U);
      const auto ended = read_status(trailers);
      ASSERT_FALSE(ended.ok());
      ASSERT_NE(ended.error().exception(), nullptr);
      EXPECT_EQ(ended.error().exception()->class_name(), "com.acme.SoldOut");
    }
  }
}

TEST(GrpcStatus, APeersTroubleWithItsOwnPeersIsNotOurs) {
  for (const Code code :
       {Code::kConnectFailed, Code::kOverflow, Code::kNoProvider, Code::kStopped, Code::kMisuse,
        Code::kInvalidArgument, Code::kIo, Code::kConfig, static_cast<Code>(9999)}) {
    Headers trailers;
    add_status(trailers, Error(code, "down there"));
    EXPECT_EQ(read_status(trailers).error().code(), Code::kPeerError) << static_cast<int>(code);
  }
  Headers trailers;
  add_status(trailers, Error(Code::kBusy, "later"));
  EXPECT_EQ(read_status(trailers).error().code(), Code::kBusy);
}

}  // namespace
