// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/endpoint.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "settee/base/runtime.h"

namespace settee::net {
namespace {

TEST(EndpointTest, ReadsHostsAddressesAndPaths) {
  const auto check = [](std::string_view given, std::string_view host, int port,
                        std::string_view shown) {
    SCOPED_TRACE(given);
    Result<Endpoint> endpoint = Endpoint::parse(given, 12200);
    ASSERT_TRUE(endpoint) << endpoint.error().what();
    EXPECT_EQ(endpoint->host, host);
    EXPECT_EQ(endpoint->port, port);
    EXPECT_EQ(endpoint->to_string(), shown);
    if (!endpoint->unix_path) {
      Result<Endpoint> again = Endpoint::parse(endpoint->to_string());
      EXPECT_EQ(*again, *endpoint);
    }
  };
  check("127.0.0.1:80", "127.0.0.1", 80, "127.0.0.1:80");
  check("quotes.acme.com", "quotes.acme.com", 12200, "quotes.acme.com:12200");
  check("[::1]:65535", "::1", 65535, "[::1]:65535");
  check("[::1]", "::1", 12200, "[::1]:12200");
  check("unix:/run/app.sock", "/run/app.sock", 0, "unix:/run/app.sock");
}

TEST(EndpointTest, RefusesTheRestAndQuotesIt) {
  const std::vector<std::string> wrong{"",
                                       ":80",
                                       "host:",
                                       "host:x",
                                       "host:-1",
                                       "host:+1",
                                       "host:65536",
                                       "host:80x",
                                       "host: 80",
                                       "::1",
                                       "a:b:c",
                                       "[::1",
                                       "[::1]x",
                                       "[::1]:",
                                       "[]:80",
                                       "unix:",
                                       "unix:" + std::string(108, 'p')};
  for (const std::string& text : wrong) {
    SCOPED_TRACE(text);
    Result<Endpoint> endpoint = Endpoint::parse(text, 1);
    ASSERT_FALSE(endpoint);
    EXPECT_EQ(endpoint.error().code(), Code::kInvalidArgument);
    EXPECT_NE(endpoint.error().message().find("'" + text + "'"), std::string::npos);
  }
}

TEST(EndpointTest, NumericAddressesNeedNoLookUp) {
  Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = 80;
  Result<std::vector<SocketAddress>> v4 = resolve_numeric(endpoint);
  ASSERT_EQ(v4->size(), 1u);
  EXPECT_EQ(v4->front().to_string(), "127.0.0.1:80");
  EXPECT_EQ(v4->front().port(), 80);
  endpoint.host = "::1";
  EXPECT_EQ(resolve_numeric(endpoint)->front().to_string(), "[::1]:80");
  endpoint.host = "quotes.acme.com";
  EXPECT_TRUE(resolve_numeric(endpoint)->empty());
}

TEST(EndpointTest, SaysWhatOnlyThisMachineReaches) {
  const auto local = [](const std::string& host) {
    return resolve_numeric(Endpoint::at(host, 80))->front().local();
  };
  for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "unix:/run/a"}) {
    EXPECT_TRUE(local(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "128.0.0.1", "::2", "::ffff:10.0.0.1"}) {
    EXPECT_FALSE(local(host)) << host;
  }
  EXPECT_FALSE(SocketAddress().local());
}

TEST(EndpointTest, PathsAreBoundedAlsoWhenNotParsed) {
  Endpoint endpoint;
  endpoint.unix_path = true;
  endpoint.host = std::string(sizeof(sockaddr_un::sun_path) - 1, 'p');
  EXPECT_EQ(resolve_numeric(endpoint)->front().to_string(), "unix:" + endpoint.host);
  endpoint.host += 'p';
  Result<std::vector<SocketAddress>> too_long = resolve_numeric(endpoint);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code(), Code::kInvalidArgument);
}

TEST(EndpointTest, NamesAreLookedUpOnThePool) {
  Runtime runtime{{.threads = 1}};
  Endpoint endpoint;
  endpoint.host = "localhost";
  endpoint.port = 80;
  auto body = [](Runtime& r, Endpoint wanted) -> Task<std::vector<SocketAddress>> {
    Task<std::vector<SocketAddress>> looked_up = resolve(r.pool(), std::move(wanted));
    std::vector<SocketAddress> addresses = co_await std::move(looked_up);
    EXPECT_EQ(Loop::current(), &r.loop(0));
    co_return addresses;
  };
  EXPECT_FALSE(runtime.run(body(runtime, endpoint)).empty());
  endpoint.host = "no-such-host.invalid";
  try {
    runtime.run(body(runtime, endpoint));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kConnectFailed);
    EXPECT_NE(error.message().find("no-such-host.invalid"), std::string::npos);
  }
}

TEST(SocketAddressTest, ShowsWhateverItHolds) {
  EXPECT_EQ(SocketAddress().to_string(), "(no address)");
  EXPECT_EQ(SocketAddress().port(), 0);
  sockaddr_un unnamed{};
  unnamed.sun_family = AF_UNIX;
  const SocketAddress address(reinterpret_cast<const sockaddr*>(&unnamed), sizeof(sa_family_t));
  EXPECT_EQ(address.to_string(), "unix:");
}

}  // namespace
}  // namespace settee::net
