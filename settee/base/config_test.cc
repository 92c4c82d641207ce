// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "settee/base/reflect.h"

namespace conf {

using std::chrono::milliseconds;

enum class Mode { FAST, SAFE, STRICT };

struct Tls {
  std::string cert;
  std::string key_password = "changeit";
  bool verify = true;
};

struct Peer {
  std::string host;
  std::int32_t weight = 100;
};

struct Server {
  std::string host = "127.0.0.1";
  std::int32_t port = 12200;
  milliseconds timeout{3000};
  Mode mode = Mode::SAFE;
  std::optional<Tls> tls;
  std::vector<std::string> filters = {"trace", "metrics"};
  std::vector<Peer> peers;
  std::map<std::string, std::int32_t> weights = {{"a", 1}};
  std::optional<std::int64_t> max_bytes;
  double ratio = 0.5;
};

struct Everything {
  bool flag = false;
  std::int8_t i8 = 0;
  std::int16_t i16 = 0;
  std::int32_t i32 = 0;
  std::int64_t i64 = 0;
  long long ll = 0;
  float f = 0;
  double d = 0;
  std::string text;
  milliseconds duration{0};
  settee::Decimal decimal;
  settee::BigInteger big;
  Mode mode = Mode::FAST;
  std::optional<std::string> maybe;
  std::set<std::int32_t> numbers;
  settee::Array<std::string> names;
  settee::Array<bool> flags;
  std::map<std::int32_t, Peer> by_number;
  std::unordered_map<std::string, std::vector<std::int32_t>> lists;
  std::vector<std::vector<std::int32_t>> grid;
  std::vector<std::optional<std::int32_t>> holes;
  std::shared_ptr<Everything> inner;
  settee::Bytes bytes;
};

struct Limited {
  std::string name = "x";
  std::int32_t port = 80;
  std::int64_t plain = 0;
  milliseconds timeout{1000};
  double share = 0.5;
  float least = 1;
  std::vector<std::string> hosts = {"a"};
  std::optional<std::int32_t> maybe;
  std::string token = "12345678";
};

struct Inner {
  std::int32_t b_c = 0;
};
struct Clash {
  Inner a;
  std::int32_t a_b_c = 0;
};

struct Service {
  milliseconds timeout{1000};
};
struct Services {
  std::map<std::string, Service> services;
};

struct MoveOnly {
  std::unique_ptr<Peer> peer;
};

}  // namespace conf

SETTEE_ENUM(conf::Mode, "conf.Mode", FAST, SAFE, STRICT)
SETTEE_STRUCT(conf::Tls, "conf.Tls", cert, (key_password, "key-password"), verify)
SETTEE_STRUCT(conf::Peer, "conf.Peer", host, weight)
SETTEE_STRUCT(conf::Server, "conf.Server", host, port, timeout, mode, tls, filters, peers, weights,
              max_bytes, ratio)
SETTEE_STRUCT(conf::Everything, "conf.Everything", flag, i8, i16, i32, i64, ll, f, d, text,
              duration, decimal, big, mode, maybe, numbers, names, flags, by_number, lists, grid,
              holes, inner, bytes)
SETTEE_STRUCT(conf::Limited, "conf.Limited", name, port, plain, timeout, share, least, hosts, maybe,
              token)
SETTEE_LIMITS(conf::Limited, (name, 1, 5), (port, 1, 65535), (timeout, 1ms, 1h), (share, 0.0, 1.0),
              (least, 1, settee::kNoLimit), (hosts, 1, 2), (maybe, settee::kNoLimit, 9),
              (token, 8, settee::kNoLimit))
SETTEE_STRUCT(conf::Inner, "conf.Inner", b_c)
SETTEE_STRUCT(conf::Clash, "conf.Clash", a, a_b_c)
SETTEE_STRUCT(conf::Service, "conf.Service", timeout)
SETTEE_STRUCT(conf::Services, "conf.Services", services)
SETTEE_STRUCT(conf::MoveOnly, "conf.MoveOnly", peer)

namespace settee {
namespace {

using conf::Everything;
using conf::Limited;
using conf::milliseconds;
using conf::Mode;
using conf::Server;
using Variables = std::vector<std::string>;

Config parsed(std::string_view text, const ConfigLimits& limits = {}) {
  return Config::parse(text, "settee.yaml", limits).value();
}

// The message that reading the text ends with.
std::string parse_error(std::string_view text, const ConfigLimits& limits = {}) {
  const Result<Config> config = Config::parse(text, "f", limits);
  if (config) return "";
  EXPECT_EQ(config.error().code(), Code::kConfig);
  return config.error().message();
}

template <class T>
std::string bind_error(const Config& config, std::string_view path = "") {
  const Result<T> bound = bind<T>(config, path);
  if (bound) return "";
  EXPECT_EQ(bound.error().code(), Code::kConfig);
  return bound.error().message();
}

template <class T>
std::string text_error(std::string_view text) {
  return bind_error<T>(parsed(text));
}

TEST(Config, DefaultsWithoutAnything) {
  const Config config;
  const Server server = bind<Server>(config, "rpc.server").value();
  EXPECT_EQ(server.port, 12200);
  EXPECT_EQ(server.filters.size(), 2u);
  EXPECT_FALSE(server.tls);
  EXPECT_TRUE(config.check_unused());
  EXPECT_EQ(bind<std::int32_t>(config, "x", 7).value(), 7);
}

TEST(Config, FillsAStructFromAFile) {
  const Config config = parsed(R"(
rpc:
  server:
    host: "::1"
    port: 0x2fa9
    timeout: 2m
    mode: FAST
    tls:
      cert: /etc/cert.pem
      key-password: "p: w"
    filters: [auth]
    peers:
      - host: a
        weight: 5
      - {host: b}
    weights: {b: 2}
    max_bytes: 16MiB
    ratio: 1e-3
)");
  const Server server = bind<Server>(config, "rpc.server").value();
  EXPECT_EQ(server.host, "::1");
  EXPECT_EQ(server.port, 12201);
  EXPECT_EQ(server.timeout, std::chrono::minutes(2));
  EXPECT_EQ(server.mode, Mode::FAST);
  ASSERT_TRUE(server.tls);
  EXPECT_EQ(server.tls->cert, "/etc/cert.pem");
  EXPECT_EQ(server.tls->key_password, "p: w");
  EXPECT_TRUE(server.tls->verify);
  EXPECT_EQ(server.filters, std::vector<std::string>{"auth"});
  ASSERT_EQ(server.peers.size(), 2u);
  EXPECT_EQ(server.peers[0].weight, 5);
  EXPECT_EQ(server.peers[1].host, "b");
  EXPECT_EQ(server.peers[1].weight, 100);
  EXPECT_EQ(server.weights, (std::map<std::string, std::int32_t>{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(server.max_bytes, 16 * 1024 * 1024);
  EXPECT_EQ(server.ratio, 1e-3);
}

TEST(Config, EveryKind) {
  const Everything e = bind<Everything>(parsed(R"(
flag: Yes
i8: -128
i16: 32767
i32: -2147483648
i64: 9223372036854775807
ll: -9223372036854775808
f: 0.25
d: -.inf
text: 1.10
duration: 1.5h
decimal: 12.340E+3
big: -18446744073709551616
mode: STRICT
maybe: ""
numbers: [3, 1, 3]
names: [a, "b, c", '']
flags: [true, no, on]
by_number: {7: {host: seven}, -1: {host: minus}}
lists: {x: [1], y: []}
grid: [[1, 2], [], [3]]
holes: [1, null, 3]
inner:
  i32: 5
  inner: {i32: 6}
)"),
                                        "")
                           .value();
  EXPECT_TRUE(e.flag);
  EXPECT_EQ(e.i8, -128);
  EXPECT_EQ(e.i16, 32767);
  EXPECT_EQ(e.i32, INT32_MIN);
  EXPECT_EQ(e.i64, INT64_MAX);
  EXPECT_EQ(e.ll, INT64_MIN);
  EXPECT_EQ(e.f, 0.25F);
  EXPECT_EQ(e.d, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(e.text, "1.10");
  EXPECT_EQ(e.duration, std::chrono::minutes(90));
  EXPECT_EQ(e.decimal.text, "12.340E+3");
  EXPECT_EQ(e.big.text, "-18446744073709551616");
  EXPECT_EQ(e.mode, Mode::STRICT);
  EXPECT_EQ(e.maybe, "");
  EXPECT_EQ(e.numbers, (std::set<std::int32_t>{1, 3}));
  EXPECT_EQ(e.names, (Array<std::string>{{"a", "b, c", ""}}));
  ASSERT_EQ(e.flags.size(), 3u);
  EXPECT_TRUE(e.flags[0] && !e.flags[1] && e.flags[2]);
  EXPECT_EQ(e.by_number.at(7).host, "seven");
  EXPECT_EQ(e.by_number.at(-1).host, "minus");
  EXPECT_EQ(e.lists.at("x"), std::vector<std::int32_t>{1});
  EXPECT_TRUE(e.lists.at("y").empty());
  EXPECT_EQ(e.grid, (std::vector<std::vector<std::int32_t>>{{1, 2}, {}, {3}}));
  EXPECT_EQ(e.holes, (std::vector<std::optional<std::int32_t>>{1, std::nullopt, 3}));
  ASSERT_TRUE(e.inner && e.inner->inner);
  EXPECT_EQ(e.inner->i32, 5);
  EXPECT_EQ(e.inner->inner->i32, 6);
  EXPECT_FALSE(e.inner->inner->inner);
}

TEST(Config, Durations) {
  const auto read = [](const std::string& text) {
    Config config;
    config.set("d", text);
    return bind<milliseconds>(config, "d");
  };
  EXPECT_EQ(read("50ms").value().count(), 50);
  EXPECT_EQ(read("3s").value().count(), 3000);
  EXPECT_EQ(read(" 3 s ").value().count(), 3000);
  EXPECT_EQ(read("2m").value().count(), 120'000);
  EXPECT_EQ(read("1h").value().count(), 3'600'000);
  EXPECT_EQ(read("1d").value().count(), 86'400'000);
  EXPECT_EQ(read("0").value().count(), 0);
  EXPECT_EQ(read("1.250s").value().count(), 1250);
  EXPECT_EQ(read("0.00001h").value().count(), 36);
  EXPECT_EQ(read("-1.5s").value().count(), -1500);
  EXPECT_EQ(read("9223372036854775807ms").value().count(), INT64_MAX);
  for (const char* bad : {"", "s", "3", "3x", "3us", "0.5ms", "1.0001s", "1.s", ".5s", "1..5s",
                          "9223372036854775808ms", "99999999999999999999s", "1s2",
                          "0.3333333333333333333s", "--1s", "1e3s", "106751991168d"}) {
    EXPECT_FALSE(read(bad)) << bad;
  }
  EXPECT_EQ(read("12").error().message(),
            "code: d: expected a duration such as 50ms, 3s or 2m, got \"12\" without a unit; is it "
            "12ms or 12s?");
  EXPECT_EQ(read("12min").error().message(),
            "code: d: expected a duration such as 50ms, 3s or 2m, got \"12min\"; the units are ms, "
            "s, m, h and d");
}

TEST(Config, Integers) {
  const auto read = [](std::string_view text) {
    Config config;
    config.set("i", text);
    return bind<std::int8_t>(config, "i");
  };
  EXPECT_EQ(read("127").value(), 127);
  EXPECT_EQ(read("+7").value(), 7);
  EXPECT_EQ(read("-0x80").value(), -128);
  EXPECT_EQ(read("0").value(), 0);
  for (const char* bad :
       {"", "-", "x", "1.0", "1e2", "0x", "1 2", "010", "1K", "--1", "+-1", "true", "128", "-129",
        "1KiB", "99999999999999999999", "0x1ffffffffffffffff"}) {
    EXPECT_FALSE(read(bad)) << bad;
  }
  EXPECT_EQ(read("128").error().message(),
            "code: i: expected an integer, got \"128\", which is not from -128 to 127");
  EXPECT_EQ(read("010").error().message(),
            "code: i: expected an integer, got \"010\"; a leading 0 could mean octal, write it "
            "without");
  Config config;
  config.set("i", "8589934592GiB");
  EXPECT_FALSE(bind<std::int64_t>(config, "i"));
  config.set("i", "-8589934592GiB");
  EXPECT_EQ(bind<std::int64_t>(config, "i").value(), INT64_MIN);
}

TEST(Config, RealsAndBools) {
  Config config;
  for (const char* bad : {"", "x", "inf", "nan", ".nan", "1.5.2", "1e999", "0x1p3", "1,5", "-"}) {
    config.set("d", bad);
    EXPECT_FALSE(bind<double>(config, "d")) << bad;
  }
  for (const auto& [text, value] :
       {std::pair{"1", 1.0}, {"+1.5", 1.5}, {"-.5", -.5}, {"1e300", 1e300}}) {
    config.set("d", text);
    EXPECT_EQ(bind<double>(config, "d").value(), value) << text;
  }
  config.set("d", "1e300");
  EXPECT_FALSE(bind<float>(config, "d"));
  for (const char* bad : {"", "1", "y", "truee"}) {
    config.set("b", bad);
    EXPECT_FALSE(bind<bool>(config, "b")) << bad;
  }
}

TEST(Config, LayersCodeEnvironmentFileDefault) {
  Config config = parsed("rpc:\n  server:\n    port: 1\n    host: file\n    ratio: 0.1\n");
  config.use_environment(
      "SETTEE_", Variables{"SETTEE_RPC_SERVER_PORT=2", "SETTEE_RPC_SERVER_HOST=env", "OTHER=3",
                           "SETTEE_BROKEN"});
  config.set("rpc.server.port", 3);
  const auto bound = bind_with_origins<Server>(config, "rpc.server").value();
  EXPECT_EQ(bound.value.port, 3);
  EXPECT_EQ(bound.value.host, "env");
  EXPECT_EQ(bound.value.ratio, 0.1);
  EXPECT_EQ(bound.value.timeout, milliseconds(3000));
  EXPECT_EQ(bound.origins.of("rpc.server.port"), "code");
  EXPECT_EQ(bound.origins.of("rpc.server.host"), "environment SETTEE_RPC_SERVER_HOST");
  EXPECT_EQ(bound.origins.of("rpc.server.ratio"), "settee.yaml:5:12");
  EXPECT_EQ(bound.origins.of("rpc.server.timeout"), "default");
  EXPECT_EQ(bound.origins.of("rpc.server.nothing"), "");
  EXPECT_TRUE(config.check_unused());
}

TEST(Config, DefaultsComeFromTheValueGiven) {
  Server defaults;
  defaults.port = 5;
  defaults.tls.emplace();
  defaults.tls->cert = "c";
  const Config config = parsed("tls: {verify: false}");
  const Server server = bind<Server>(config, "", defaults).value();
  EXPECT_EQ(server.port, 5);
  EXPECT_EQ(server.tls->cert, "c");  // the section adds to what is there
  EXPECT_FALSE(server.tls->verify);
}

TEST(Config, ThePathMayBeAString) {
  Config config = parsed("a: {host: h}");
  std::string path = "a";
  EXPECT_EQ(bind<conf::Peer>(config, path).value().host, "h");
  const Config& constant = config;
  EXPECT_EQ(bind<conf::Peer>(constant, std::string_view(path)).value().host, "h");
  EXPECT_EQ(bind<conf::Peer>(config, path, conf::Peer{}).value().host, "h");
  EXPECT_EQ(bind<conf::MoveOnly>(parsed("peer: {host: p}"), "").value().peer->host, "p");
}

TEST(Config, WholeSectionsAndContainersFromTexts) {
  Config config = parsed("s:\n  port: 1\n  weights: {x: 1, y: 2}\n  filters: [f]\n");
  config.use_environment("S_", Variables{"S_S={port: 2, host: env, peers: [{host: p}]}",
                                         "S_S_WEIGHTS={y: 3, z: 4}", "S_S_FILTERS=a, b"});
  config.set("s.weights.w", 9);
  config.set("s", "{host: code}");
  const auto bound = bind_with_origins<Server>(config, "s").value();
  EXPECT_EQ(bound.value.port, 2);
  EXPECT_EQ(bound.value.host, "code");
  EXPECT_EQ(bound.value.peers.at(0).host, "p");
  EXPECT_EQ(bound.value.weights, (std::map<std::string, std::int32_t>{
                                     {"a", 1}, {"w", 9}, {"x", 1}, {"y", 3}, {"z", 4}}));
  EXPECT_EQ(bound.value.filters, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(bound.origins.of("s.port"), "environment S_S");
  EXPECT_EQ(bound.origins.of("s.host"), "code");
  EXPECT_EQ(bound.origins.of("s.weights.a"), "default");
  EXPECT_EQ(bound.origins.of("s.weights.w"), "code");
  EXPECT_EQ(bound.origins.of("s.weights.x"), "settee.yaml:3:16");
  EXPECT_EQ(bound.origins.of("s.weights.y"), "environment S_S_WEIGHTS");
  EXPECT_EQ(bound.origins.of("s.filters"), "environment S_S_FILTERS");
  EXPECT_EQ(bound.origins.of("s.peers[0].host"), "environment S_S");
}

TEST(Config, ListsInVariables) {
  const auto read = [](const std::string& text) {
    Config config;
    config.use_environment("S_", Variables{"S_L=" + text});
    return bind<std::vector<std::string>>(config, "l").value();
  };
  using List = std::vector<std::string>;
  EXPECT_EQ(read("a"), List{"a"});
  EXPECT_EQ(read("host:1, host:2"), (List{"host:1", "host:2"}));
  EXPECT_EQ(read("[a, 'b, c']"), (List{"a", "b, c"}));
  EXPECT_EQ(read(""), List{});
  EXPECT_EQ(read("[]"), List{});
  EXPECT_EQ(read("~"), List{});
  EXPECT_EQ(read("a,,b,"), (List{"a", "", "b"}));
}

TEST(Config, AVariableReachesIntoASectionThatIsNotThere) {
  Config config;
  config.use_environment("S_", Variables{"S_RPC_TLS_KEY_PASSWORD=x"});
  const auto bound = bind_with_origins<Server>(config, "rpc").value();
  ASSERT_TRUE(bound.value.tls);
  EXPECT_EQ(bound.value.tls->key_password, "x");
  EXPECT_EQ(bound.origins.of("rpc.tls.key-password"), "environment S_RPC_TLS_KEY_PASSWORD");

  Config other;
  other.set("rpc.tls.verify", false);
  EXPECT_FALSE(bind<Server>(other, "rpc").value().tls->verify);

  // A recursive type ends where nothing reaches below it.
  Config recursive;
  recursive.use_environment("S_", Variables{"S_INNER_INNER_I32=4", "S_INNER_NOTHING=1"});
  const Everything e = bind<Everything>(recursive, "").value();
  EXPECT_EQ(e.inner->inner->i32, 4);
  EXPECT_FALSE(e.inner->inner->inner);

  // A misspelt one does not make the section.
  Config misspelt;
  misspelt.use_environment("S_", Variables{"S_RPC_TLS_CRT=x"});
  EXPECT_FALSE(bind<Server>(misspelt, "rpc").value().tls);
  EXPECT_EQ(misspelt.check_unused().error().message(),
            "environment S_RPC_TLS_CRT: no key has this variable; did you mean S_RPC_TLS_CERT?");
}

TEST(Config, TheProcessEnvironment) {
  ::setenv("SETTEE_CONFIGTEST_SERVER_PORT", "4711", 1);
  Config config;
  config.use_environment();
  ::unsetenv("SETTEE_CONFIGTEST_SERVER_PORT");
  EXPECT_EQ(bind<Server>(config, "configtest.server").value().port, 4711);
}

TEST(Config, AnEntryOfAMapByItsVariable) {
  Config config = parsed("services: {\"com.acme.Quotes:1.0\": {timeout: 5ms}}");
  config.use_environment("S_", Variables{"S_SERVICES_COM_ACME_QUOTES_1_0_TIMEOUT=7ms"});
  const auto bound = bind_with_origins<conf::Services>(config, "").value();
  EXPECT_EQ(bound.value.services.at("com.acme.Quotes:1.0").timeout, milliseconds(7));
  EXPECT_EQ(bound.origins.of("services[\"com.acme.Quotes:1.0\"].timeout"),
            "environment S_SERVICES_COM_ACME_QUOTES_1_0_TIMEOUT");
  config.set("services[\"com.acme.Quotes:1.0\"].timeout", milliseconds(9));
  config.set("services[\"x\"].timeout", milliseconds(1500));
  const auto again = bind<conf::Services>(config, "").value();
  EXPECT_EQ(again.services.at("com.acme.Quotes:1.0").timeout, milliseconds(9));
  EXPECT_EQ(again.services.at("x").timeout, milliseconds(1500));
  EXPECT_EQ(bind<conf::Service>(config, "services[\"com.acme.Quotes:1.0\"]").value().timeout,
            milliseconds(9));
}

TEST(Config, TwoKeysWithOneVariable) {
  Config config;
  EXPECT_TRUE(bind<conf::Clash>(config, ""));  // harmless while it is not set
  config.use_environment("S_", Variables{"S_A_B_C=1"});
  EXPECT_EQ(
      bind_error<conf::Clash>(config),
      "environment S_A_B_C: it stands for both a.b_c and a_b_c; unset it and use the file, or "
      "rename one of the keys");

  Config sections;
  sections.use_environment("S_", Variables{"S_A_B_C=1"});
  EXPECT_TRUE(bind<std::int32_t>(sections, "a.b_c"));
  EXPECT_TRUE(bind<std::int32_t>(sections, "a.b_c"));
  EXPECT_NE(bind_error<std::int32_t>(sections, "a.b.c"), "");
}

TEST(Config, Nulls) {
  const Server server =
      bind<Server>(parsed("tls: ~\nfilters:\nweights: null\npeers: ~\nmax_bytes:\n"), "",
                   [] {
                     Server with;
                     with.tls.emplace();
                     with.max_bytes = 1;
                     return with;
                   }())
          .value();
  EXPECT_FALSE(server.tls);
  EXPECT_FALSE(server.max_bytes);
  EXPECT_TRUE(server.filters.empty());
  EXPECT_TRUE(server.weights.empty());
  EXPECT_EQ(bind<Server>(parsed("rpc:\n  server:\n"), "rpc.server").value().port, 12200);
  EXPECT_EQ(text_error<Server>("port:\n"),
            "settee.yaml:1:1: port: expected an integer, got nothing");
  EXPECT_EQ(text_error<Server>("host: ~\n"), "settee.yaml:1:1: host: expected a text, got nothing");

  // A null in a higher layer hides the lower ones of a map.
  Config config = parsed("weights: {x: 1}");
  config.set("weights", "~");
  config.set("weights.y", 2);
  EXPECT_EQ(bind<Server>(config, "").value().weights,
            (std::map<std::string, std::int32_t>{{"y", 2}}));
  config.set("tls", "null");
  EXPECT_FALSE(bind<Server>(config, "").value().tls);
}

TEST(Config, ReportsAllProblemsAtOnce) {
  Config config = parsed(R"(rpc:
  server:
    prot: 1
    host: [a]
    timeout: 5
    mode: FASST
    tls: yes
    peers:
      - host: a
        wieght: 1
      - weight: many
    weights:
      a: one
)");
  config.use_environment("SETTEE_", Variables{"SETTEE_RPC_SERVER_PORT=http"});
  config.set("rpc.server.ratio", "half");
  config.set("rpc.server.ratios", "1");
  config.set("rpc.server.port.number", 1);
  config.set("rpc.server.filters.first", "x");
  EXPECT_EQ(bind_error<Server>(config, "rpc.server"),
            R"(13 problems in the configuration:
  settee.yaml:3:5: rpc.server.prot: unknown key; did you mean port?
  settee.yaml:4:11: rpc.server.host: expected a text, got a list
  settee.yaml:5:14: rpc.server.timeout: expected a duration such as 50ms, 3s or 2m, got "5" without a unit; is it 5ms or 5s?
  settee.yaml:6:11: rpc.server.mode: expected one of FAST, SAFE, STRICT, got "FASST"; did you mean FAST?
  settee.yaml:7:10: rpc.server.tls: expected a section with the keys cert, key-password, verify, got "yes"
  settee.yaml:10:9: rpc.server.peers[0].wieght: unknown key; did you mean weight?
  settee.yaml:11:17: rpc.server.peers[1].weight: expected an integer, got "many"
  settee.yaml:13:10: rpc.server.weights.a: expected an integer, got "one"
  environment SETTEE_RPC_SERVER_PORT: rpc.server.port: expected an integer, got "http"
  code: rpc.server.port.number: rpc.server.port has no keys
  code: rpc.server.filters.first: rpc.server.filters has no keys; set the whole list
  code: rpc.server.ratio: expected a number, got "half"
  code: rpc.server.ratios: unknown key; did you mean ratio?)");
}

TEST(Config, TooManyProblemsAreCut) {
  std::string text;
  for (int i = 0; i < 70; ++i) text += "key" + std::to_string(i) + ": 1\n";
  const std::string message = text_error<Server>(text);
  EXPECT_NE(message.find("70 problems in the configuration:"), std::string::npos);
  EXPECT_NE(message.find("\n  and 20 more"), std::string::npos);
  EXPECT_NE(message.find("key49"), std::string::npos);
  EXPECT_EQ(message.find("key50"), std::string::npos);
}

TEST(Config, UnknownKeysWithoutALikelyNameShowTheKnownOnes) {
  EXPECT_EQ(
      text_error<conf::Tls>("frobnicate: 1"),
      "settee.yaml:1:1: frobnicate: unknown key; the keys here are cert, key-password, verify");
  EXPECT_EQ(text_error<conf::Tls>("keyPassword: 1"),
            "settee.yaml:1:1: keyPassword: unknown key; did you mean key-password?");
}

TEST(Config, WrongShapes) {
  EXPECT_EQ(text_error<Server>("[1]"),
            "settee.yaml:1:1: expected a section with the keys host, port, timeout, mode, tls, "
            "filters, peers, weights, max_bytes, ratio, got a list");
  EXPECT_EQ(text_error<Server>("port: {a: 1}"),
            "settee.yaml:1:7: port: expected an integer, got a section");
  EXPECT_EQ(text_error<Server>("filters: a"),
            "settee.yaml:1:10: filters: expected a list, got \"a\"");
  EXPECT_EQ(text_error<Server>("weights: [a]"),
            "settee.yaml:1:10: weights: expected a map, got a list");
  EXPECT_EQ(text_error<Server>("host: {a: 1}"),
            "settee.yaml:1:7: host: expected a text, got a section");
  EXPECT_EQ(text_error<Everything>("by_number: {x: {}}"),
            "settee.yaml:1:16: by_number.x: expected an integer as the key, got \"x\"");
  EXPECT_EQ(text_error<Everything>("bytes: abc"),
            "settee.yaml:1:8: bytes: values of the type [B cannot be configured");
  EXPECT_EQ(bind_error<Server>(parsed("rpc: 5"), "rpc.server"),
            "settee.yaml:1:6: rpc: expected a section, got \"5\"");
  EXPECT_EQ(text_error<Server>("host: \"a\\\"b\\nc\\x01\"\nport: \"" + std::string(70, 'x') + "\""),
            "settee.yaml:2:7: port: expected an integer, got \"" + std::string(60, 'x') + "...\"");
}

TEST(Config, BadTextsOfVariables) {
  Config config;
  config.use_environment("S_", Variables{"S_TLS={cert: [}", "S_PEERS=a", "S_WEIGHTS=7"});
  EXPECT_EQ(bind_error<Server>(config),
            "3 problems in the configuration:\n"
            "  environment S_TLS: tls: not readable as YAML: illegal flow end\n"
            "  environment S_PEERS: peers: expected a list, got \"a\"\n"
            "  environment S_WEIGHTS: weights: expected a map, got \"7\"");
}

TEST(Config, Ranges) {
  EXPECT_TRUE(bind<Limited>(Config(), ""));
  EXPECT_EQ(text_error<Limited>("name: toolong\nport: 0\ntimeout: 0\nshare: 1.1\nleast: 0.5\n"
                                "hosts: []\nmaybe: 10\ntoken: hunter2\n"),
            R"(8 problems in the configuration:
  settee.yaml:1:7: name: expected a text of 1 to 5 bytes, got 7 bytes
  settee.yaml:2:7: port: expected an integer from 1 to 65535, got 0
  settee.yaml:3:10: timeout: expected a duration such as 50ms, 3s or 2m from 1ms to 1h, got 0ms
  settee.yaml:4:8: share: expected a number from 0 to 1, got 1.1
  settee.yaml:5:8: least: expected a number of at least 1, got 0.5
  settee.yaml:6:8: hosts: expected a list of 1 to 2 elements, got 0
  settee.yaml:7:8: maybe: expected an integer of at most 9, got 10
  settee.yaml:8:8: token: expected a text of at least 8 bytes, got 7 bytes)");
  EXPECT_TRUE(bind<Limited>(parsed("port: 65535\ntimeout: 1h\nshare: 0\nleast: 1\nhosts: [a, b]\n"
                                   "maybe: 9"),
                            ""));
  EXPECT_EQ(text_error<Limited>("port: x"),
            "settee.yaml:1:7: port: expected an integer from 1 to 65535, got \"x\"");

  // A value that must be given is one whose default is out of range.
  Limited unset;
  unset.name = "";
  const Result<Limited> bound = bind<Limited>(Config(), "app", unset);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().message(),
            "default: app.name: expected a text of 1 to 5 bytes, got 0 bytes; give it a value");
}

TEST(Config, SecretsAreShownNowhere) {
  Config config = parsed("tls: {key-password: [hunter2]}\nsecrets: {a: hunter2}\n");
  config.use_environment("S_", Variables{"S_AUTH_TOKEN=hunter2"});
  EXPECT_EQ(bind_error<conf::Tls>(config, "tls").find("hunter2"), std::string::npos);
  EXPECT_EQ(bind_error<std::int32_t>(config, "auth.token"),
            "environment S_AUTH_TOKEN: auth.token: expected an integer, got ******");
  const auto bound =
      bind_with_origins<std::map<std::string, std::string>>(config, "secrets").value();
  EXPECT_EQ(bound.value.at("a"), "hunter2");
  EXPECT_EQ(bound.origins.dump(), "secrets.a = ******  # settee.yaml:2:14\n");
  EXPECT_EQ(bind_error<conf::Tls>(parsed("Token: {cert: {x: hunter2}}"), "Token").find("hunter2"),
            std::string::npos);
  Config text;
  text.set("password", "{a: hunter2");
  EXPECT_EQ((bind_error<std::map<std::string, std::string>>(text, "password")),
            "code: password: not readable as YAML");
}

TEST(Config, DumpListsEveryValueWithItsOrigin) {
  Config config = parsed("s:\n  port: 1\n  peers:\n    - host: \"a\\nb\"\n  tls: {cert: c}\n");
  config.set("s.timeout", milliseconds(90'000));
  bind<Server>(config, "s").value();
  bind<std::int32_t>(config, "other", 3).value();
  EXPECT_EQ(config.origins().dump(), R"(other = 3  # default
s.filters = ["trace", "metrics"]  # default
s.host = "127.0.0.1"  # default
s.max_bytes = null  # default
s.mode = SAFE  # default
s.peers[0].host = "a\nb"  # settee.yaml:4:13
s.peers[0].weight = 100  # default
s.port = 1  # settee.yaml:2:9
s.ratio = 0.5  # default
s.timeout = 90s  # code
s.tls.cert = "c"  # settee.yaml:5:15
s.tls.key-password = ******  # default
s.tls.verify = true  # default
s.weights.a = 1  # default
)");
}

TEST(Origins, MergesByPath) {
  Origins origins({{"b", "1", "x"}, {"a", "2", "y"}, {"b", "3", "z"}});
  EXPECT_EQ(origins.dump(), "a = 2  # y\nb = 3  # z\n");
  origins.merge(Origins({{"b", "4", "v"}, {"c", "5", "w"}}));
  EXPECT_EQ(origins.dump(), "a = 2  # y\nb = 4  # v\nc = 5  # w\n");
  origins.merge(Origins());
  EXPECT_EQ(origins.entries().size(), 3u);
  EXPECT_EQ(origins.of("b"), "v");
}

TEST(Config, UnusedKeys) {
  Config config = parsed("rpc:\n  server: {port: 1}\n  clinet: {a: 1}\nlogging: {}\nrpcc: 1\n");
  config.use_environment("S_", Variables{"S_RPC_SERVER_PROT=1", "S_ZZZ=1"});
  config.set("rpc.nothing", 1);
  bind<Server>(config, "rpc.server").value();
  bind<Server>(config, "rpc.client").value();
  const Result<void> unused = config.check_unused();
  ASSERT_FALSE(unused);
  EXPECT_EQ(unused.error().message(), R"(6 problems in the configuration:
  settee.yaml:3:3: rpc.clinet: unknown key; did you mean client?
  settee.yaml:4:1: logging: unknown key; the keys here are rpc
  settee.yaml:5:1: rpcc: unknown key; did you mean rpc?
  environment S_RPC_SERVER_PROT: no key has this variable; did you mean S_RPC_SERVER_PORT?
  environment S_ZZZ: no key has this variable
  code: rpc.nothing: unknown key; the keys here are client, server)");
}

TEST(Config, BadPaths) {
  Config config;
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a[0]", "a[", "a[\"b", "a[\"b\"",
                          "a[\"b\"]c", "a\"b", "a]", "a[\"b\\"}) {
    EXPECT_THROW(config.set(bad, "x"), Error) << bad;
    if (*bad != '\0') {
      const Result<std::int32_t> bound = bind<std::int32_t>(config, bad);
      ASSERT_FALSE(bound) << bad;
      EXPECT_EQ(bound.error().code(), Code::kInvalidArgument);
    }
  }
  config.set("a[\"b.\\\"c\"].d", 5);
  EXPECT_EQ(bind<std::int32_t>(config, "a[\"b.\\\"c\"].d").value(), 5);
}

TEST(ConfigYaml, SyntaxErrorsHavePlaces) {
  EXPECT_EQ(parse_error("a: 1\n b: 2\n"), "f:2:3: not readable as YAML: illegal map value");
  EXPECT_EQ(parse_error("a: 1\nb: 2\na: 3\n"), "f:3:1: the key 'a' is there already, at 1:1");
  EXPECT_EQ(parse_error("a: 1\n---\nb: 2\n"),
            "f:2:1: a second document begins; a configuration has one");
  EXPECT_EQ(parse_error("a: !color red\n"),
            "f:1:4: the tag !color is not understood; the types follow from the keys");
  EXPECT_EQ(parse_error("[a]: 1\n"), "f:1:1: a key must be a plain text");
  EXPECT_EQ(parse_error("a: *b\n"),
            "f:1:4: not readable as YAML: the referenced anchor is not defined");
  EXPECT_EQ(parse_error("a: &x [*x]\n"), "f:1:8: the alias stands within what it refers to");
  EXPECT_EQ(parse_error("x: {a: 1, a: 2}\ny: {b: 1, b: 2}\n"),
            "2 problems in the configuration:\n"
            "  f:1:11: the key 'a' is there already, at 1:5\n"
            "  f:2:11: the key 'b' is there already, at 2:5");
  EXPECT_EQ(parse_error("# nothing\n"), "");
  EXPECT_EQ(parse_error(""), "");
  EXPECT_EQ(parse_error("a: !!int 5\nb: !!str 6\n"), "");
}

TEST(ConfigYaml, AliasesAndMergeKeys) {
  const Config config = parsed(R"(
base: &base {host: h, weight: 1}
other: &other {weight: 2, x: 3}
a: *base
b: {<<: *base, host: b}
c: {<<: [*other, *base]}
d: {"<<": 4}
)");
  EXPECT_EQ(bind<conf::Peer>(config, "a").value().host, "h");
  const auto b = bind<conf::Peer>(config, "b").value();
  EXPECT_EQ(b.host, "b");
  EXPECT_EQ(b.weight, 1);
  const auto c = bind<std::map<std::string, std::string>>(config, "c").value();
  EXPECT_EQ(c, (std::map<std::string, std::string>{{"weight", "2"}, {"x", "3"}, {"host", "h"}}));
  EXPECT_EQ((bind<std::map<std::string, std::string>>(config, "d").value().at("<<")), "4");
  EXPECT_EQ(parse_error("a: {<<: 1}"), "f:1:9: << takes a map or a list of maps");
  EXPECT_EQ(parse_error("a: {<<: [1]}"), "f:1:9: << takes a map or a list of maps");
}

TEST(ConfigYaml, Limits) {
  // The billion laughs: small to write, too large to read.
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string from = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + from;
    for (int j = 0; j < 9; ++j) bomb += ", " + from;
    bomb += "]\n";
  }
  EXPECT_NE(parse_error(bomb).find("too many values, counting aliases each time: "
                                   "config.max_nodes=20000"),
            std::string::npos);

  EXPECT_NE(parse_error(std::string(10000, '[')).find("nested too deeply: config.max_depth=64"),
            std::string::npos);
  std::string deep;
  for (int i = 0; i < 10000; ++i) deep += "{a: ";
  EXPECT_NE(parse_error(deep).find("config.max_depth=64"), std::string::npos);
  std::string alias_depth = "a0: &a0 [x]\n";
  for (int i = 1; i < 80; ++i) {
    alias_depth += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" +
                   std::to_string(i - 1) + "]\n";
  }
  EXPECT_NE(parse_error(alias_depth).find("config.max_depth=64"), std::string::npos);

  ConfigLimits limits;
  limits.max_bytes = 10;
  EXPECT_EQ(parse_error("a: 1234567", limits), "");
  EXPECT_EQ(parse_error("a: 12345678", limits), "f: larger than config.max_bytes=10");
  limits = {};
  limits.max_nodes = 5;
  EXPECT_EQ(parse_error("[1, 2, 3, 4]", limits), "");
  EXPECT_NE(parse_error("[1, 2, 3, 4, 5]", limits).find("config.max_nodes=5"), std::string::npos);
  limits = {};
  limits.max_depth = 2;
  EXPECT_EQ(parse_error("a: [1]", limits), "");
  EXPECT_NE(parse_error("a: [[1]]", limits).find("config.max_depth=2"), std::string::npos);
}

TEST(ConfigFile, LoadsAndFails) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("settee_config_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string name = folder / "settee.yaml";
  std::ofstream(name) << "rpc:\r\n  server:\r\n    port: 77\r\n";
  const Config config = Config::load_file(name).value();
  const auto bound = bind_with_origins<Server>(config, "rpc.server").value();
  EXPECT_EQ(bound.value.port, 77);
  EXPECT_EQ(bound.origins.of("rpc.server.port"), name + ":3:11");

  const auto message = [](const std::string& path, const ConfigLimits& limits = {}) {
    const Result<Config> config = Config::load_file(path, limits);
    return config ? std::string() : config.error().message();
  };
  EXPECT_EQ(message(name + "x"), "read the configuration " + name + "x: No such file or directory");
  EXPECT_EQ(message(folder), "read the configuration " + folder.string() + ": Is a directory");
  ConfigLimits small;
  small.max_bytes = 8;
  EXPECT_EQ(message(name, small), "read the configuration " + name +
                                      ": it is larger than config.max_bytes=8; is it the right "
                                      "file?");
  EXPECT_NE(message("/dev/zero").find("config.max_bytes=1048576"), std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST(ConfigBind, PlainNumbersAreMillisecondsIfTheBinderSaysSo) {
  BindOptions options;
  options.plain_milliseconds = true;
  const auto timeout = [&](std::string_view text) {
    const Config config = parsed("timeout: " + std::string(text));
    const auto bound = bind_with_origins<Server>(config, "", Server(), options);
    return bound ? std::to_string(bound->value.timeout.count()) : bound.error().message();
  };
  EXPECT_EQ(timeout("1500"), "1500");
  EXPECT_EQ(timeout("1500ms"), "1500");
  EXPECT_EQ(timeout("2s"), "2000");
  EXPECT_NE(timeout("1.5").find("without a unit"), std::string::npos);
  EXPECT_NE(timeout("\"-\"").find("expected a duration"), std::string::npos);
}

TEST(ConfigBind, TheBinderSaysWhatAnUnknownKeyMeans) {
  BindOptions options;
  options.unknown_key = [](std::string_view type, std::string_view key) {
    return key == "old" ? std::string(type) + " has no old any more" : std::string();
  };
  const Config config = parsed("old: 1\nhots: x\n");
  const auto bound = bind_with_origins<Server>(config, "", Server(), options);
  ASSERT_FALSE(bound);
  const std::string message = bound.error().message();
  EXPECT_NE(message.find("old: conf.Server has no old any more"), std::string::npos) << message;
  EXPECT_NE(message.find("hots: unknown key; did you mean host?"), std::string::npos) << message;
}

TEST(Config, ManyThreadsBind) {
  Config config = parsed("a: {port: 1}\nb: {port: 2}\n");
  config.use_environment("S_", Variables{"S_A_HOST=x"});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&config, t] {
      for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(bind<Server>(config, t % 2 == 0 ? "a" : "b").value().port, t % 2 + 1);
        EXPECT_FALSE(config.origins().dump().empty());
        config.check_unused().ok();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(config.check_unused());
}

}  // namespace
}  // namespace settee
