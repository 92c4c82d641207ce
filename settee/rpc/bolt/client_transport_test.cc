// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A client's connections to an address: how many, in which state, and what goes over them beside
// the arguments.

#include <gtest/gtest.h>

#include "settee/base/stats.h"
#include "settee/rpc/internal/binding.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;

// A transport, and a target for calls of wire::Probe over it.
struct World {
  explicit World(std::size_t threads = 1, std::chrono::milliseconds pause = 5ms,
                 std::size_t max_unsent = ClientOptions().max_unsent) {
    RuntimeOptions options;
    options.threads = threads;
    options.log = [](LogLevel, std::string_view, std::string_view) {};
    runtime = std::make_unique<Runtime>(std::move(options));
    ClientOptions client;
    client.reconnect_first = pause;
    client.reconnect_most = pause * 4;
    client.max_unsent = max_unsent;
    transport = make_bolt_transport(*runtime, client);
    TargetOptions target_options;
    target_options.service = &service_of<wire::Probe>();
    target_options.name = wire::kService;
    target = transport->target(target_options);
  }
  ~World() { transport->stop(); }

  std::int64_t connections() const {
    return runtime->stats().find("settee.net.connections", {{"role", "client"}}).value().value;
  }

  /// One call of echo(), on that loop.
  std::future<std::string> echo(std::shared_ptr<Address> address, std::string text,
                                const Baggage* headers = nullptr, CallMeasures* measures = nullptr,
                                std::size_t loop = 0) {
    return as_future([](World& world, std::shared_ptr<Address> to, std::string given,
                        const Baggage* sent, CallMeasures* measured,
                        std::size_t on) -> Task<std::string> {
      co_await resume_on(world.runtime->loop(on));
      void* arguments[] = {&given};
      std::string result;
      Outgoing outgoing;
      outgoing.method = &service_of<wire::Probe>().methods[0];
      outgoing.name = "echo";
      outgoing.arguments = arguments;
      outgoing.result = &result;
      outgoing.deadline = outgoing.began + 20s;
      outgoing.headers = sent;
      outgoing.measures = measured;
      outgoing.address = to.get();
      Task<void> call = world.target->call(outgoing);
      co_await std::move(call);
      co_return result;
    }(*this, std::move(address), std::move(text), headers, measures, loop));
  }

  std::unique_ptr<Runtime> runtime;
  std::shared_ptr<Transport> transport;
  std::unique_ptr<Target> target;
};

net::Endpoint loopback(std::uint16_t port) {
  net::Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = port;
  return endpoint;
}

template <class T>
std::optional<Error> error_of(std::future<T> future) {
  try {
    future.get();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

std::unique_ptr<Server> started_server(Runtime& runtime, std::uint16_t port = 0) {
  ServerOptions options;
  options.host = "127.0.0.1";
  options.port = port;
  auto server = std::make_unique<Server>(runtime, options);
  server->provide<wire::Probe>(std::make_shared<wire::MyProbe>());
  server->start();
  return server;
}

TEST(ClientTransportTest, AddressesAreSharedByEndpointAndNumber) {
  World world;
  const net::Endpoint endpoint = loopback(1);
  const auto one = world.transport->address(endpoint);
  EXPECT_EQ(world.transport->address(endpoint, 1), one);
  const auto three = world.transport->address(endpoint, 3);
  EXPECT_NE(three, one);
  EXPECT_EQ(world.transport->address(endpoint, 3), three);
  EXPECT_THROW(world.transport->address(endpoint, 0), Error);
}

TEST(ClientTransportTest, CallsGoToTheConnectionWithTheFewest) {
  World world;
  wire::FakeServer server;
  const auto address = world.transport->address(loopback(server.port()), 3);
  address->connect();
  std::vector<wire::Wire> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(server.accept());
  ASSERT_TRUE(eventually([&] { return world.connections() == 3; }));
  std::vector<std::future<std::string>> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(world.echo(address, "x"));
  // All are on their way before the first is answered: an answer makes room for the next call.
  std::vector<std::vector<std::uint32_t>> ids(peers.size());
  for (std::size_t at = 0; at < peers.size(); ++at) {
    for (int i = 0; i < 2; ++i) {
      const std::optional<wire::Received> asked = peers[at].receive(10s);
      ASSERT_TRUE(asked) << "connection " << at << ", call " << i;
      ids[at].push_back(static_cast<std::uint32_t>(asked->frame.id));
    }
  }
  for (std::size_t at = 0; at < peers.size(); ++at) {
    for (const std::uint32_t id : ids[at]) peers[at].send(wire::text_response(id, "y"));
  }
  for (auto& call : calls) EXPECT_EQ(call.get(), "y");
}

TEST(ClientTransportTest, CallsGoToAConnectionWithRoom) {
  World world(1, 5ms, 1'000'000);
  wire::FakeServer server;
  const auto address = world.transport->address(loopback(server.port()), 2);
  address->connect();
  std::vector<wire::Wire> peers;
  for (int i = 0; i < 2; ++i) peers.push_back(server.accept());
  ASSERT_TRUE(eventually([&] { return world.connections() == 2; }));
  // More than the system takes for a peer that does not read.
  auto large = world.echo(address, std::string(32'000'000, 'x'));
  auto first = world.echo(address, "y");
  auto second = world.echo(address, "y");
  // Each has one call, and the third goes to the one that can still send.
  const auto begins_large = [](const wire::Wire& peer) {
    std::uint8_t head[22] = {};
    EXPECT_EQ(::recv(peer.fd(), head, sizeof head, MSG_PEEK | MSG_WAITALL), 22);
    return head[18] != 0 || head[19] != 0;  // of the content's length
  };
  wire::Wire& free = begins_large(peers[0]) ? peers[1] : peers[0];
  for (int i = 0; i < 2; ++i) {
    const std::optional<wire::Received> asked = free.receive(10s);
    ASSERT_TRUE(asked) << i;
    free.send(wire::text_response(static_cast<std::uint32_t>(asked->frame.id), "z"));
  }
  EXPECT_EQ(first.get(), "z");
  EXPECT_EQ(second.get(), "z");
}

TEST(ClientTransportTest, ABrokenConnectionLeavesTheOthersAlone) {
  World world;
  wire::FakeServer server;
  const auto address = world.transport->address(loopback(server.port()), 2);
  address->connect();
  wire::Wire first = server.accept();
  wire::Wire second = server.accept();
  ASSERT_TRUE(eventually([&] { return world.connections() == 2; }));
  auto one = world.echo(address, "x");
  auto other = world.echo(address, "x");
  const auto asked_first = first.receive();
  const auto asked_second = second.receive();
  ASSERT_TRUE(asked_first && asked_second);
  first.reset();
  EXPECT_TRUE(eventually([&] {
    return one.wait_for(0s) == std::future_status::ready ||
           other.wait_for(0s) == std::future_status::ready;
  }));
  EXPECT_EQ(address->state(), AddressState::kAvailable);
  EXPECT_EQ(address->trouble(), "");
  second.send(wire::text_response(static_cast<std::uint32_t>(asked_second->frame.id), "y"));
  int closed = 0;
  int answered = 0;
  for (auto* call : {&one, &other}) {
    const std::optional<Error> error = error_of(std::move(*call));
    if (!error) ++answered;
    if (error && error->code() == Code::kConnectionClosed) ++closed;
  }
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(answered, 1);
  EXPECT_TRUE(server.accept().open()) << "made anew";
}

TEST(ClientTransportTest, ConnectsOnAllLoops) {
  World world(2);
  auto server = started_server(*world.runtime);
  const auto address = world.transport->address(loopback(server->port()), 2);
  EXPECT_EQ(address->state(), AddressState::kIdle);
  EXPECT_EQ(address->trouble(), "");
  address->connect();
  address->connect();
  EXPECT_TRUE(eventually([&] { return world.connections() == 4; })) << world.connections();
  EXPECT_EQ(address->state(), AddressState::kAvailable);
}

TEST(ClientTransportTest, ReleasedAddressesCloseAllTheirConnections) {
  World world(2);
  auto server = started_server(*world.runtime);
  auto address = world.transport->address(loopback(server->port()), 3);
  address->connect();
  ASSERT_TRUE(eventually([&] { return world.connections() == 6; }));
  EXPECT_EQ(world.echo(address, "x").get(), "x");
  address.reset();
  EXPECT_TRUE(eventually([&] { return world.connections() == 0; })) << world.connections();
}

// Refused, refused again and again, there, lost, there.
TEST(ClientTransportTest, StatesFollowTheAddress) {
  World world(2);
  auto server = started_server(*world.runtime);
  const std::uint16_t port = server->port();
  server.reset();
  const auto address = world.transport->address(loopback(port), 2);
  EXPECT_EQ(address->state(), AddressState::kIdle);
  address->connect();
  ASSERT_TRUE(eventually([&] { return address->state() == AddressState::kDead; }));
  const std::string trouble = address->trouble();
  EXPECT_NE(trouble.find("127.0.0.1:" + std::to_string(port)), std::string::npos) << trouble;
  EXPECT_NE(trouble.find("not available for "), std::string::npos) << trouble;

  server = started_server(*world.runtime, port);
  ASSERT_TRUE(eventually([&] { return address->state() == AddressState::kAvailable; }));
  EXPECT_EQ(address->trouble(), "");
  EXPECT_EQ(world.echo(address, "x").get(), "x");

  server.reset();
  ASSERT_TRUE(eventually([&] { return address->state() == AddressState::kDead; }));
  EXPECT_NE(address->trouble(), "");
  server = started_server(*world.runtime, port);
  EXPECT_TRUE(eventually([&] { return address->state() == AddressState::kAvailable; }));
}

// One loop's success ends the pauses of the others.
TEST(ClientTransportTest, WhatOneLoopFoundTheOthersNeedNotWaitFor) {
  World world(2, 1h);
  auto server = started_server(*world.runtime);
  const std::uint16_t port = server->port();
  server.reset();
  const auto address = world.transport->address(loopback(port));
  ASSERT_TRUE(error_of(world.echo(address, "x")));
  EXPECT_EQ(address->state(), AddressState::kRetry);
  server = started_server(*world.runtime, port);
  ASSERT_TRUE(error_of(world.echo(address, "x"))) << "it pauses for an hour";
  EXPECT_EQ(world.echo(address, "x", nullptr, nullptr, 1).get(), "x");
  EXPECT_TRUE(eventually([&] { return world.connections() == 2; }));
  EXPECT_EQ(world.echo(address, "x").get(), "x");
}

TEST(ClientTransportTest, HeadersGoIntoTheHeaderAndTheProperties) {
  World world;
  wire::FakeServer server;
  const auto address = world.transport->address(loopback(server.port()));
  Baggage headers{{"tenant", "acme"}, {"rpc_trace_context.sofaTraceId", "0a01"}};
  Baggage of_context{{"tenant", "other"}, {"region", "eu"}};
  std::future<std::string> call;
  {
    const ContextScope scope(context().with(kRequestHeaders, of_context));
    call = world.echo(address, "x", &headers);
  }
  wire::Wire peer = server.accept();
  const std::optional<wire::Received> asked = peer.receive();
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->header.at("tenant"), "acme") << "the call's own wins";
  EXPECT_EQ(asked->header.at("region"), "eu");
  EXPECT_EQ(asked->header.at("rpc_trace_context.sofaTraceId"), "0a01");
  hessian::Reader reader(
      {reinterpret_cast<const std::uint8_t*>(asked->content.data()), asked->content.size()});
  const hessian::Value request = hessian::decode<hessian::Value>(reader).value();
  const hessian::Value properties = request["requestProps"];
  EXPECT_EQ(properties["tenant"].as_string().value_or("none"), "acme");
  EXPECT_EQ(properties["region"].as_string().value_or("none"), "eu");
  EXPECT_EQ(properties["rpc_trace_context"]["sofaTraceId"].as_string().value_or("none"), "0a01");
  peer.send(wire::text_response(static_cast<std::uint32_t>(asked->frame.id), "y"));
  EXPECT_EQ(call.get(), "y");
  // The next call has none.
  call = world.echo(address, "x");
  const std::optional<wire::Received> next = peer.receive();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->header.count("tenant"), 0U);
  peer.send(wire::text_response(static_cast<std::uint32_t>(next->frame.id), "y"));
  EXPECT_EQ(call.get(), "y");
}

TEST(ClientTransportTest, HeadersThatCannotBeSentAreRefused) {
  World world;
  auto server = started_server(*world.runtime);
  const auto address = world.transport->address(loopback(server->port()));
  const Baggage large{{"note", std::string(32'700, 'n')}};
  std::optional<Error> error = error_of(world.echo(address, "x", &large));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kLimit);
  EXPECT_NE(error->message().find("32767"), std::string::npos) << error->message();
  EXPECT_NE(error->message().find("32712 bytes headers"), std::string::npos) << error->message();
  const Baggage own{{"service", "com.acme.Other:1.0"}};
  error = error_of(world.echo(address, "x", &own));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kInvalidArgument);
  EXPECT_NE(error->message().find("header 'service'"), std::string::npos) << error->message();
  EXPECT_EQ(world.echo(address, "x").get(), "x") << "the connection is as good as before";
}

TEST(ClientTransportTest, MeasuresAreTakenWhenTheyAreWanted) {
  World world;
  auto server = started_server(*world.runtime);
  const auto address = world.transport->address(loopback(server->port()));
  CallMeasures small;
  CallMeasures large;
  EXPECT_EQ(world.echo(address, "x", nullptr, &small).get(), "x");
  EXPECT_EQ(world.echo(address, std::string(1'000, 'x'), nullptr, &large).get().size(), 1'000U);
  EXPECT_GE(large.request_bytes, small.request_bytes + 999);
  EXPECT_GE(large.response_bytes, small.response_bytes + 999);
  EXPECT_LE(large.request_bytes, small.request_bytes + 1'010);
  EXPECT_GT(small.request_bytes, 22U);
  EXPECT_GT(small.encode.count(), 0);
  EXPECT_GT(small.decode.count(), 0);
}

}  // namespace
}  // namespace settee::rpc
