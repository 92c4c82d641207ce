// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// One service, one port, and clients that speak to it over HTTP/1.1, HTTP/2 and gRPC, in plain text and
// over TLS.

#include <gtest/gtest.h>

#include "settee/base/error_test.h"
#include "settee/base/stats.h"
#include "settee/net/tls.h"
#include "settee/net/tls_test_certificates.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;

// Answers with what came beside the arguments.
class Mirror final : public wire::MyProbe {
 public:
  Task<std::string> echo(std::string text) override {
    if (const Baggage* baggage = context().get(kRequestBaggage)) {
      for (const auto& [key, value] : *baggage) respond_baggage(key, "got " + value);
    }
    if (text != "who?") co_return std::move(text);
    const net::TlsInfo* const tls = current_call()->tls();
    co_return tls == nullptr ? "plain" : tls->version;
  }
};

class HttpTransportTest : public testing::TestWithParam<const char*> {
 protected:
  HttpTransportTest() {
    RuntimeOptions options;
    options.threads = 2;
    options.log = log_.keep();
    runtime_ = std::make_unique<Runtime>(std::move(options));
    certificates_.make("server");
    net::TlsServerOptions tls_server;
    tls_server.certificate = certificates_.path("server.crt");
    tls_server.key = certificates_.path("server.key");
    tls_server.plain_text_too = true;
    server_options_.host = "127.0.0.1";
    server_options_.port = 0;
    server_options_.tls = std::make_shared<net::TlsServerContext>(*runtime_, tls_server);
    net::TlsClientOptions tls_client;
    tls_client.ca = certificates_.path("ca.crt");
    client_options_.tls = std::make_shared<net::TlsClientContext>(*runtime_, tls_client);
    client_options_.timeout = 20s;
    client_options_.app_name = "till";
  }
  void serve(ProvideOptions provide = {}) {
    server_ = std::make_unique<Server>(*runtime_, server_options_);
    server_->provide<wire::Probe>(std::make_shared<Mirror>(), std::move(provide));
    server_->start();
    client_ = std::make_unique<Client>(*runtime_, client_options_);
  }
  std::string url() const { return std::string(GetParam()) + "://" + server_->address(); }
  Reference<wire::Probe> probe(ReferOptions options = {}) {
    return client_->refer<wire::Probe>(url(), std::move(options));
  }
  bool grpc() const { return std::string_view(GetParam()).starts_with("grpc"); }

  wire::LogLines log_;
  net::TestCertificates certificates_;
  std::unique_ptr<Runtime> runtime_;
  ServerOptions server_options_;
  ClientOptions client_options_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_P(HttpTransportTest, CarriesArgumentsAndResults) {
  serve();
  auto probe = this->probe();
  EXPECT_EQ(probe->echo("hello").get(), "hello");
  EXPECT_EQ(probe->echo("").get(), "");
  EXPECT_EQ(probe->sum({1, 2, 39}).get(), 42);
  EXPECT_EQ(probe->block(1).get(), 1);
  EXPECT_EQ(probe->bytes(100'000).get().size(), 100'000U);
  probe->note("x").get();
  wire::Item item;
  item.name = "nail";
  item.cents = 5;
  item.tags = {"iron", "small"};
  item.stock = {{"north", 3}};
  item.weight = 0.25;
  item.parts.resize(2);
  item.parts[1].name = "head";
  const wire::Item back = probe->item(item).get();
  EXPECT_EQ(back.tags, item.tags);
  EXPECT_EQ(back.stock, item.stock);
  EXPECT_EQ(back.weight, item.weight);
  ASSERT_EQ(back.parts.size(), 2U);
  EXPECT_EQ(back.parts[1].name, "head");
}

TEST_P(HttpTransportTest, TellsTheServerWhetherItIsTls) {
  serve();
  const bool tls = std::string_view(GetParam()) == "bolt" ||
                   std::string_view(GetParam()) == "https" ||
                   std::string_view(GetParam()) == "h2" || std::string_view(GetParam()) == "grpcs";
  EXPECT_EQ(probe()->echo("who?").get(), tls ? "TLSv1.3" : "plain");
}

TEST_P(HttpTransportTest, CarriesBaggageBothWays) {
  serve();
  const auto answered = std::make_shared<Baggage>();
  const Baggage sent{{"tenant", "acme"}};
  const Context context = Context().with(kRequestBaggage, sent).with(kResponseBaggage, answered);
  auto probe = this->probe();
  runtime_->run(with_context(context, probe->echo("x")));
  EXPECT_EQ((*answered)["tenant"], "got acme");
}

TEST_P(HttpTransportTest, ABusinessExceptionIsToldAsOne) {
  serve();
  const Error error = error_of(probe()->fail("nail"));
  EXPECT_EQ(error.code(), Code::kBusiness) << error.what();
  EXPECT_NE(std::string(error.what()).find("no such item"), std::string::npos) << error.what();
  if (!grpc()) return;  // SOFARPC's servers tell its text only
  const auto typed = error.as<wire::NoSuchItem>();
  ASSERT_TRUE(typed);
  EXPECT_EQ(typed->name, "nail");
}

TEST_P(HttpTransportTest, TheDeadlineOfTheCallerHolds) {
  serve();
  ReferOptions options;
  options.timeout = 50ms;
  const TimePoint before = Clock::now();
  const Error error = error_of(probe(options)->nap(30'000));
  EXPECT_EQ(error.code(), Code::kTimeout) << error.what();
  EXPECT_LT(Clock::now() - before, 10s);
  EXPECT_NE(std::string(error.what()).find(server_->address()), std::string::npos) << error.what();
}

TEST_P(HttpTransportTest, LimitsOfTheServiceAnswerBusy) {
  ProvideOptions provide;
  provide.rate = 0.001;
  provide.burst = 1;
  serve(provide);
  auto probe = this->probe();
  EXPECT_EQ(probe->echo("one").get(), "one");
  EXPECT_EQ(error_of(probe->echo("two")).code(), Code::kBusy);
}

TEST_P(HttpTransportTest, WhoIsNotLetInIsToldWhy) {
  server_options_.authenticate = [](const Call&) -> Result<void> {
    return Error(Code::kInvalidArgument, "no key");
  };
  serve();
  const Error error = error_of(probe()->echo("x"));
  EXPECT_EQ(error.code(), Code::kPeerError) << error.what();
  EXPECT_NE(std::string(error.what()).find("authentication: no key"), std::string::npos)
      << error.what();
}

TEST_P(HttpTransportTest, WhatIsNotThereIsSaidSo) {
  serve();
  ReferOptions options;
  options.unique_id = "other";
  const Error error = error_of(probe(options)->echo("x"));
  EXPECT_TRUE(error.code() == Code::kServiceNotFound) << error.what();
  server_->withdraw(wire::kService);
  EXPECT_EQ(error_of(probe()->echo("x")).code(), Code::kServiceNotFound);
}

TEST_P(HttpTransportTest, AnotherAddressIsTriedWhenOneCannotBeReached) {
  serve();
  std::string nobody;
  {
    Server gone(*runtime_, [] {
      ServerOptions options;
      options.host = "127.0.0.1";
      options.port = 0;
      return options;
    }());
    gone.start();
    nobody = gone.address();
  }
  const std::string scheme = std::string(GetParam()) + "://";
  const Error error = error_of(client_->refer<wire::Probe>(scheme + nobody)->echo("x"));
  EXPECT_EQ(error.code(), Code::kConnectFailed) << error.what();
  auto both = client_->refer<wire::Probe>(scheme + nobody + "," + server_->address());
  for (int i = 0; i < 8; ++i) EXPECT_EQ(both->echo("x").get(), "x");
}

TEST_P(HttpTransportTest, AStoppedServerAnswersWhatRunsAndRefusesTheRest) {
  server_options_.leave = 0ms;
  serve();
  auto probe = this->probe();
  EXPECT_EQ(probe->echo("warm").get(), "warm");
  auto running = as_future(probe->nap(200));
  ASSERT_TRUE(wire::eventually([&] {
    const auto in_flight = runtime_->stats().find("settee.rpc.server.in_flight");
    return in_flight && in_flight->value == 1;
  }));
  server_->stop();
  EXPECT_EQ(running.get(), 200);
  const Code code = error_of(probe->echo("late")).code();
  EXPECT_TRUE(code == Code::kConnectFailed || code == Code::kConnectionClosed ||
              code == Code::kBusy)
      << static_cast<int>(code);
}

INSTANTIATE_TEST_SUITE_P(Protocols, HttpTransportTest,
                         testing::Values("http", "https", "h2c", "h2", "grpc", "grpcs", "bolt"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace settee::rpc
