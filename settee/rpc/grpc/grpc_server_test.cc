// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// gRPC calls to a server of ours, from frames made by hand.

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <thread>

#include "settee/hessian/codec.h"
#include "settee/rpc/grpc/grpc_test_peer.h"
#include "settee/rpc/grpc/internal/wire.h"
#include "settee/rpc/grpc/proto.h"
#include "settee/rpc/rpc.h"

namespace grpc_server_test {

struct Item {
  std::string name;
  std::int32_t count = 0;
};
struct SoldOut : settee::BusinessException<SoldOut> {
  std::string sku;
};
struct Shop {
  virtual ~Shop() = default;
  virtual settee::Task<std::string> echo(std::string text) = 0;
  virtual settee::Task<std::int64_t> add(std::int32_t a, std::int64_t b) = 0;
  virtual settee::Task<Item> twice(Item item) = 0;
  virtual settee::Task<void> sell(std::string sku) = 0;
  virtual settee::Task<std::string> nap(std::int32_t ms) = 0;
  virtual settee::Task<std::string> block(std::int32_t ms) = 0;
  virtual settee::Task<std::string> header(std::string name) = 0;
  virtual settee::Task<std::string> baggage(std::string key) = 0;
};

}  // namespace grpc_server_test

SETTEE_STRUCT(grpc_server_test::Item, "com.acme.Item", name, count)
SETTEE_EXCEPTION(grpc_server_test::SoldOut, "com.acme.SoldOut", sku)
SETTEE_SERVICE(grpc_server_test::Shop, "com.acme.Shop", (echo, text), (add, a, b), (twice, item),
               (sell, sku), (nap, ms), (block, ms).blocking(), (header, name), (baggage, key))

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using grpc::Output;
using grpc_test::Fields;
using grpc_test::framed;
using grpc_test::GrpcPeer;
using grpc_test::Outcome;
using grpc_test::value_of;

struct MyShop final : grpc_server_test::Shop {
  explicit MyShop(std::string name = "") : name_(std::move(name)) {}
  Task<std::string> echo(std::string text) override { co_return name_ + text; }
  Task<std::int64_t> add(std::int32_t a, std::int64_t b) override { co_return a + b; }
  Task<grpc_server_test::Item> twice(grpc_server_test::Item item) override {
    item.count *= 2;
    co_return item;
  }
  Task<void> sell(std::string sku) override {
    if (sku.empty()) co_return;
    grpc_server_test::SoldOut sold_out;
    sold_out.message = "none left";
    sold_out.sku = std::move(sku);
    throw sold_out;
  }
  Task<std::string> nap(std::int32_t ms) override {
    co_await sleep_for(std::chrono::milliseconds(ms));
    co_return "rested";
  }
  Task<std::string> block(std::int32_t ms) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    co_return Loop::current() == nullptr ? "on a pool" : "on a loop";
  }
  Task<std::string> header(std::string name) override {
    co_return std::string(current_call()->header(name));
  }
  Task<std::string> baggage(std::string key) override {
    if (key == "much") respond_baggage(key, std::string(8192, 'x'));
    if (key == "no name") respond_baggage(key, "x");
    const Context here = context();
    const Baggage* sent = here.get(kRequestBaggage);
    respond_baggage("reply", "all well");
    respond_baggage("odd", "\xc3\xa4");
    co_return sent != nullptr && sent->contains(key) ? sent->at(key) : "none";
  }

 private:
  std::string name_;
};

std::string text_message(std::string_view text) {
  Output out;
  grpc::put_text(out, 1, text);
  return std::string(out.take().view());
}

class GrpcServerTest : public testing::Test {
 protected:
  GrpcServerTest() { start(ServerOptions{.host = "127.0.0.1", .port = 0}); }
  void start(ServerOptions options) {
    server_ = std::make_unique<Server>(runtime_, std::move(options));
    server_->provide<grpc_server_test::Shop>(std::make_shared<MyShop>());
    server_->start();
    peer_ = std::make_unique<GrpcPeer>(server_->port());
  }
  Outcome call(std::string_view method, std::string_view message, const Fields& more = {}) {
    return peer_->call("/com.acme.Shop/" + std::string(method), framed(message), more);
  }
  Outcome ask(std::string_view path, std::string_view message) {
    return peer_->call(path, framed(message));
  }

  Runtime runtime_{{.threads = 2}};
  std::unique_ptr<Server> server_;
  std::unique_ptr<GrpcPeer> peer_;
};

TEST_F(GrpcServerTest, AUnaryCallIsAnsweredWithAMessageAndATrailer) {
  const Outcome outcome = call("echo", text_message("hello"));
  EXPECT_EQ(outcome.answer.status, 200);
  EXPECT_EQ(value_of(outcome.answer.head, "content-type"), "application/grpc");
  EXPECT_EQ(value_of(outcome.answer.trailers, "grpc-status"), "0");
  EXPECT_EQ(outcome.messages, std::vector<std::string>{text_message("hello")});
}

TEST_F(GrpcServerTest, ParametersStructsAndVoidHaveTheirForms) {
  Output out;
  grpc::put_number(out, 1, 40);
  grpc::put_number(out, 2, 2);
  EXPECT_EQ(call("add", out.take().view()).messages, std::vector<std::string>{"\x08\x2a"});
  Output item;
  grpc::put_text(item, 1, "x");
  grpc::put_number(item, 2, 4);
  EXPECT_EQ(call("twice", item.take().view()).messages,
            std::vector<std::string>{std::string("\x0a\x01x\x10\x08")});
  EXPECT_EQ(call("sell", "").messages, std::vector<std::string>{""});
}

TEST_F(GrpcServerTest, ABlockingMethodRunsOnThePool) {
  EXPECT_EQ(call("block", "\x08\x01").messages,
            std::vector<std::string>{text_message("on a pool")});
}

TEST_F(GrpcServerTest, ManyCallsOfOneConnectionRunAtOnce) {
  std::vector<std::uint32_t> streams;
  for (int i = 0; i < 50; ++i) {
    streams.push_back(peer_->begin("/com.acme.Shop/nap"));
    peer_->send(streams.back(), framed("\x08\x14"), true);
  }
  for (const std::uint32_t stream : streams) {
    EXPECT_EQ(peer_->finish(stream).messages, std::vector<std::string>{text_message("rested")});
  }
}

TEST_F(GrpcServerTest, UnknownNamesAreUnimplemented) {
  const Outcome method = call("nothing", "");
  EXPECT_EQ(method.answer.status, 200);
  EXPECT_EQ(method.status, "12");
  EXPECT_EQ(method.message, "com.acme.Shop:1.0 has no method nothing, or several of that name");
  EXPECT_EQ(method.answer.trailers, "") << "one HEADERS frame says all of it";
  const Outcome service = ask("/com.acme.Nothing/echo", "");
  EXPECT_EQ(service.status, "12");
  EXPECT_EQ(service.message, "service com.acme.Nothing is not offered here");
  EXPECT_EQ(ask("/echo", "").status, "12");
}

TEST_F(GrpcServerTest, ABusinessExceptionIsUnknownWithDetails) {
  const Outcome outcome = call("sell", text_message("s1"));
  EXPECT_EQ(outcome.status, "2");
  EXPECT_EQ(outcome.message, "none left");
  EXPECT_NE(value_of(outcome.answer.head, "grpc-status-details-bin"), "none");
  EXPECT_EQ(outcome.answer.body, "");
}

TEST_F(GrpcServerTest, BadArgumentsNameTheirMember) {
  const Outcome outcome = call("add", "\x12\x01x");
  EXPECT_EQ(outcome.status, "3");
  EXPECT_NE(outcome.message.find("reading the arguments: protobuf: cannot read the arguments at b"),
            std::string::npos)
      << outcome.message;
}

TEST_F(GrpcServerTest, ABodyMustBeOneMessage) {
  EXPECT_EQ(peer_->call("/com.acme.Shop/echo", "").status, "3");
  EXPECT_EQ(peer_->call("/com.acme.Shop/echo", framed("") + framed("")).status, "3");
  EXPECT_EQ(peer_->call("/com.acme.Shop/echo", framed("").substr(0, 3)).status, "3");
}

TEST_F(GrpcServerTest, TheDeadlineIsTheCallers) {
  const Outcome outcome = call("nap", "\x08\xe0\xd4\x03", {{"grpc-timeout", "20m"}});
  EXPECT_EQ(outcome.status, "4") << outcome.message;
  EXPECT_EQ(call("echo", text_message(""), {{"grpc-timeout", "soon"}}).status, "3");
  EXPECT_EQ(call("echo", text_message(""), {{"grpc-timeout", "60S"}}).status, "0");
}

TEST_F(GrpcServerTest, MetadataAreHeadersAndBaggageTravelsBothWays) {
  EXPECT_EQ(call("header", text_message("x-user"), {{"x-user", "anna"}}).messages,
            std::vector<std::string>{text_message("anna")});
  const Outcome outcome = call("baggage", text_message("k"), {{"rpc_req_baggage.k", "carried"}});
  EXPECT_EQ(outcome.messages, std::vector<std::string>{text_message("carried")});
  EXPECT_EQ(value_of(outcome.answer.trailers, "rpc_resp_baggage.reply"), "all well");
  EXPECT_EQ(value_of(outcome.answer.trailers, "rpc_resp_baggage.odd-bin"), "w6Q");
}

// As over Bolt and HTTP: nobody would miss what is left out in silence.
TEST_F(GrpcServerTest, BaggageThatMetadataCannotCarryFailsTheCall) {
  const Outcome much = call("baggage", text_message("much"));
  EXPECT_EQ(much.status, "8");
  EXPECT_NE(much.message.find("baggage does not fit the 8192 bytes"), std::string::npos)
      << much.message;
  const Outcome unnamed = call("baggage", text_message("no name"));
  EXPECT_EQ(unnamed.status, "13");
  EXPECT_NE(unnamed.message.find("has the key \"no name\""), std::string::npos) << unnamed.message;
  EXPECT_EQ(call("baggage", text_message("k")).status, "0");
}

TEST_F(GrpcServerTest, GzipGoesBothWays) {
  const std::string text(5000, 'a');
  const Outcome outcome =
      peer_->call("/com.acme.Shop/echo", framed(text_message(text), true),
                  {{"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "identity, gzip"}});
  EXPECT_EQ(value_of(outcome.answer.head, "grpc-encoding"), "gzip");
  EXPECT_LT(outcome.answer.body.size(), 200U);
  EXPECT_EQ(outcome.messages, std::vector<std::string>{text_message(text)});
  const Outcome unknown = call("echo", "", {{"grpc-encoding", "br"}});
  EXPECT_EQ(unknown.status, "12");
  EXPECT_EQ(value_of(unknown.answer.head, "grpc-accept-encoding"), "identity,gzip");
}

TEST_F(GrpcServerTest, ABombIsRefusedAndTheConnectionGoesOn) {
  ServerOptions options{.host = "127.0.0.1", .port = 0};
  options.max_frame = 1'000'000;
  start(std::move(options));
  const std::string bomb = framed(std::string(8'000'000, '\0'), true);
  const std::uint32_t stream = peer_->begin("/com.acme.Shop/echo", {{"grpc-encoding", "gzip"}});
  for (std::size_t at = 0; at < bomb.size(); at += 16'000) {
    peer_->send(stream, std::string_view(bomb).substr(at, 16'000), at + 16'000 >= bomb.size());
  }
  const Outcome outcome = peer_->finish(stream);
  EXPECT_EQ(outcome.status, "8") << outcome.message;
  EXPECT_EQ(call("echo", text_message("x")).status, "0");
}

TEST_F(GrpcServerTest, AServiceIsFoundByItsUniqueId) {
  server_->provide<grpc_server_test::Shop>(std::make_shared<MyShop>("blue "),
                                           ProvideOptions{.unique_id = "blue"});
  const std::string message = text_message("x");
  const std::vector<std::string> blue = {text_message("blue x")};
  EXPECT_EQ(call("echo", message, {{"tri-service-version", "blue"}}).messages, blue);
  EXPECT_EQ(ask("/com.acme.Shop:1.0:blue/echo", message).messages, blue);
  EXPECT_EQ(ask("/com.acme.Shop:1.0/echo", message).messages, std::vector<std::string>{message});
  EXPECT_EQ(call("echo", message, {{"tri-service-version", "red"}}).message,
            "service com.acme.Shop:red is not offered here");
}

TEST_F(GrpcServerTest, JavasGenericMessagesHoldHessian) {
  Output out;
  grpc::put_text(out, 1, "hessian2");
  grpc::put_text(out, 2, hessian::to_bytes(std::int32_t{40})->view());
  grpc::put_text(out, 2, hessian::to_bytes(std::int64_t{2})->view());
  grpc::put_text(out, 3, "int");
  grpc::put_text(out, 3, "long");
  const Bytes request = out.take();
  const Fields sofa = {{"sofa_head_method_name", "add"}, {"tri-type", "rpc"}};
  const Outcome outcome = call("add", request.view(), sofa);
  Output expected;
  grpc::put_text(expected, 1, "hessian2");
  grpc::put_text(expected, 2, hessian::to_bytes(std::int64_t{42})->view());
  grpc::put_text(expected, 3, "long");
  EXPECT_EQ(outcome.messages, std::vector<std::string>{std::string(expected.take().view())})
      << outcome.message;
  EXPECT_EQ(call("add", request.view()).status, "3") << "without SOFARPC's headers it is protobuf";
  Output json;
  grpc::put_text(json, 1, "json");
  grpc::put_text(json, 2, "40");
  grpc::put_text(json, 2, "2");
  grpc::put_text(json, 3, "int");
  grpc::put_text(json, 3, "long");
  EXPECT_EQ(call("add", json.take().view(), sofa).message,
            "triple: serialization json is not known here, only hessian2");
  // A stub made of the .proto sends ordinary messages, with the same headers.
  EXPECT_EQ(call("echo", text_message("x"), sofa).messages,
            std::vector<std::string>{text_message("x")});
}

TEST_F(GrpcServerTest, OtherFormsOfGrpcAreRefused) {
  const auto status_of = [&](std::uint32_t stream, std::string_view method, std::string_view type) {
    EXPECT_TRUE(peer_->http().send(
        NGHTTP2_HEADERS, wire::kEndStream | wire::kEndHeaders, stream,
        wire::request_head(method, "/com.acme.Shop/echo") + wire::literal("content-type", type)));
    return peer_->http().answer(stream).status;
  };
  EXPECT_EQ(status_of(1, "POST", "application/grpc-web"), 415);
  EXPECT_EQ(status_of(3, "POST", "application/grpc+json"), 415);
  EXPECT_EQ(status_of(5, "GET", "application/grpc"), 405);
}

TEST_F(GrpcServerTest, HealthTellsOfServerAndServices) {
  const std::string path = "/grpc.health.v1.Health/Check";
  EXPECT_EQ(ask(path, "").messages, std::vector<std::string>{"\x08\x01"});
  EXPECT_EQ(ask(path, text_message("com.acme.Shop")).messages,
            std::vector<std::string>{"\x08\x01"});
  const Outcome unknown = ask(path, text_message("com.acme.Nothing"));
  EXPECT_EQ(unknown.status, "5");
  EXPECT_EQ(ask("/grpc.health.v1.Health/Nothing", "").status, "12");
}

TEST_F(GrpcServerTest, HealthIsWatchedUntilTheServerDrains) {
  const std::uint32_t stream = peer_->begin("/grpc.health.v1.Health/Watch");
  peer_->send(stream, framed(text_message("com.acme.Shop")), true);
  const auto bodies = [&](std::size_t n) {
    while (peer_->http().so_far(stream).body.size() < n * 7) {
      if (peer_->http().next(NGHTTP2_DATA).type == -1) return std::string();
    }
    return peer_->http().so_far(stream).body;
  };
  EXPECT_EQ(bodies(1), framed("\x08\x01"));
  server_->withdraw("com.acme.Shop:1.0");
  EXPECT_EQ(bodies(2), framed("\x08\x01") + framed("\x08\x03"));
  server_->provide<grpc_server_test::Shop>(std::make_shared<MyShop>());
  EXPECT_EQ(bodies(3), framed("\x08\x01") + framed("\x08\x03") + framed("\x08\x01"));
  // A call that runs keeps the server from being gone at once.
  const std::uint32_t nap = peer_->begin("/com.acme.Shop/nap");
  peer_->send(nap, framed("\x08\xd0\x0f"), true);
  std::thread stopping([&] { server_->stop(); });
  const Outcome end = peer_->finish(stream);
  stopping.join();
  ASSERT_FALSE(end.messages.empty());
  EXPECT_EQ(end.messages.back(), "\x08\x02");
  EXPECT_EQ(end.status, "14");
}

TEST_F(GrpcServerTest, ReflectionAnswersFromTheDescriptions) {
  for (const char* version : {"v1", "v1alpha"}) {
    SCOPED_TRACE(version);
    const std::uint32_t stream = peer_->begin("/grpc.reflection." + std::string(version) +
                                              ".ServerReflection/ServerReflectionInfo");
    Output list;
    grpc::put_text(list, 7, "*");
    Output symbol;
    grpc::put_text(symbol, 4, "com.acme.Item");
    Output unknown;
    grpc::put_text(unknown, 3, "nothing.proto");
    peer_->send(stream, framed(list.take().view()) + framed(symbol.take().view()), false);
    peer_->send(stream, framed(unknown.take().view()), true);
    const Outcome outcome = peer_->finish(stream);
    EXPECT_EQ(outcome.status, "0");
    ASSERT_EQ(outcome.messages.size(), 3U);
    EXPECT_NE(outcome.messages[0].find("\x32\x11\x0a\x0f\x0a\x0d"
                                       "com.acme.Shop"),
              std::string::npos)
        << outcome.messages[0];
    const ServiceInfo* const services[] = {&service_of<grpc_server_test::Shop>()};
    EXPECT_NE(outcome.messages[1].find(grpc::proto_files(services)[0].descriptor),
              std::string::npos);
    EXPECT_NE(outcome.messages[2].find("no file nothing.proto"), std::string::npos);
  }
}

TEST_F(GrpcServerTest, WhoIsNotLetInGetsNeitherCallsNorReflection) {
  ServerOptions options{.host = "127.0.0.1", .port = 0};
  options.authenticate = [](const Call& call) -> Result<void> {
    if (call.header("x-key") == "secret") return {};
    return Error(Code::kInvalidArgument, "no key");
  };
  start(std::move(options));
  const std::string reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  for (const char* path : {"/com.acme.Shop/echo", "/grpc.health.v1.Health/Check",
                           "/grpc.health.v1.Health/Watch", reflection.c_str()}) {
    const Outcome outcome = ask(path, "");
    EXPECT_EQ(outcome.status, "16") << path;
    EXPECT_NE(outcome.message.find("authentication: no key"), std::string::npos) << outcome.message;
  }
  EXPECT_EQ(call("echo", text_message("x"), {{"x-key", "secret"}}).status, "0");
}

}  // namespace
}  // namespace settee::rpc
