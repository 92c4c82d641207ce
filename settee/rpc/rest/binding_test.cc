// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Plain HTTP and SOFARPC's convention, to a server of ours over a socket.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "settee/hessian/codec.h"
#include "settee/hessian/json.h"
#include "settee/http/http_test_peer.h"
#include "settee/http/server.h"
#include "settee/rpc/rpc.h"

namespace rest_test {

struct Quote {
  std::string symbol;
  std::int64_t cents = 0;
};
struct SoldOut : settee::BusinessException<SoldOut> {
  std::string symbol;
};
struct Quotes {
  virtual ~Quotes() = default;
  virtual settee::Task<Quote> latest(std::string symbol) = 0;
  virtual settee::Task<std::int64_t> add(std::int32_t a, std::int64_t b) = 0;
  virtual settee::Task<Quote> twice(Quote quote) = 0;
  virtual settee::Task<void> sell(std::string symbol) = 0;
  virtual settee::Task<std::string> block(std::string text) = 0;
  virtual settee::Task<std::string> header(std::string name) = 0;
  virtual settee::Task<std::string> baggage(std::string key) = 0;
  virtual settee::Task<std::string> over(std::string text) = 0;
  virtual settee::Task<std::string> over(std::string text, std::int32_t n) = 0;
  virtual settee::Task<std::optional<Quote>> none() = 0;
  virtual settee::AsyncStream<std::int32_t> count(std::int32_t to) = 0;
};
struct Other {
  virtual ~Other() = default;
  virtual settee::Task<std::string> get(std::string id) = 0;
};

}  // namespace rest_test

SETTEE_STRUCT(rest_test::Quote, "com.acme.Quote", symbol, cents)
SETTEE_EXCEPTION(rest_test::SoldOut, "com.acme.SoldOut", symbol)
SETTEE_SERVICE(rest_test::Quotes, "com.acme.Quotes",
               (latest, symbol).route("GET", "/quotes/{symbol}"), (add, a, b),
               (twice, quote).route("PUT", "/quotes"), (sell, symbol), (block, text).blocking(),
               (header, name), (baggage, key),
               (over, text).overload<settee::Task<std::string>(std::string)>(),
               (over, text, n).overload<settee::Task<std::string>(std::string, std::int32_t)>(),
               (none), (count, to))
SETTEE_SERVICE(rest_test::Other, "com.acme.Other", (get, id).route("GET", "/quotes/{id}"))

namespace rest_test {
namespace {

using settee::Task;
using wire::Answer;
using wire::get;
using wire::post;

class MyQuotes final : public Quotes {
 public:
  Task<Quote> latest(std::string symbol) override {
    Quote quote;
    quote.symbol = std::move(symbol);
    quote.cents = 1250;
    co_return quote;
  }
  Task<std::int64_t> add(std::int32_t a, std::int64_t b) override { co_return a + b; }
  Task<Quote> twice(Quote quote) override {
    quote.cents *= 2;
    co_return quote;
  }
  Task<void> sell(std::string symbol) override {
    if (symbol != "ACME") co_return;
    SoldOut none;
    none.message = "sold out";
    none.symbol = std::move(symbol);
    throw none;
  }
  Task<std::string> block(std::string text) override { co_return text; }
  Task<std::string> header(std::string name) override {
    co_return std::string(settee::rpc::current_call()->header(name));
  }
  Task<std::string> baggage(std::string key) override {
    settee::rpc::respond_baggage("answer", "yes");
    const settee::Context here = settee::context();
    const settee::rpc::Baggage* all = here.get(settee::rpc::kRequestBaggage);
    if (all == nullptr || !all->contains(key)) co_return std::string("none");
    co_return all->find(key)->second;
  }
  Task<std::string> over(std::string text) override { co_return "one " + text; }
  Task<std::string> over(std::string text, std::int32_t n) override {
    co_return text + std::to_string(n);
  }
  Task<std::optional<Quote>> none() override { co_return std::optional<Quote>(); }
  settee::AsyncStream<std::int32_t> count(std::int32_t to) override {
    return settee::produce_stream<std::int32_t>(
        [to](settee::StreamSink<std::int32_t>& sink) -> Task<void> {
          for (std::int32_t i = 0; i < to; ++i) {
            const bool wanted = co_await sink.write(i);
            if (!wanted) co_return;
          }
        });
  }
};
class MyOther final : public Other {
 public:
  Task<std::string> get(std::string id) override { co_return id; }
};

class RestServer : public testing::Test {
 protected:
  explicit RestServer(settee::rpc::ServerOptions options = {}) : server_(runtime_, on(options)) {
    server_.provide<Quotes>(std::make_shared<MyQuotes>());
    server_.start();
    peer_.emplace(server_.port());
  }
  static settee::rpc::ServerOptions on(settee::rpc::ServerOptions options) {
    options.host = "127.0.0.1";
    options.port = 0;
    options.app_name = "shop";
    return options;
  }
  Answer ask(const std::string& request, bool bodyless = false) {
    EXPECT_TRUE(peer_->send(request));
    return peer_->answer(bodyless);
  }
  Answer call(std::string_view method, std::string_view body, std::string_view fields = "") {
    return ask(post("/com.acme.Quotes/" + std::string(method), body, fields));
  }

  settee::Runtime runtime_{{.threads = 1}};
  settee::rpc::Server server_;
  std::optional<wire::Peer> peer_;
};

TEST_F(RestServer, ABodyOfJsonIsACall) {
  for (const char* body : {R"({"symbol":"ACME"})", R"(["ACME"])", R"("ACME")"}) {
    const Answer answer = call("latest", body);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, R"({"symbol":"ACME","cents":1250})");
    EXPECT_TRUE(answer.has("content-type: application/json\r\n")) << answer.head;
  }
  EXPECT_EQ(call("add", "[1, 4000000000]").body, "4000000001");
  EXPECT_EQ(call("twice", R"({"symbol":"A","cents":4})").body, R"({"symbol":"A","cents":8})");
  EXPECT_EQ(call("block", R"("on the pool")").body, R"("on the pool")");
  EXPECT_EQ(call("none", "").body, "null");
  EXPECT_EQ(call("sell", R"("B")").status, 204);
}

TEST_F(RestServer, AQueryIsACall) {
  EXPECT_EQ(ask(get("/com.acme.Quotes/add?b=2&a=1")).body, "3");
  EXPECT_EQ(ask(get("/com.acme.Quotes/add?x=1&y=2")).body, "3");
  EXPECT_EQ(ask(get("/com.acme.Quotes:1.0/latest?symbol=A%26B")).body,
            R"({"symbol":"A&B","cents":1250})");
  EXPECT_EQ(ask(get("/com.acme.Quotes%3A1.0/add?a=1&b=2")).body, "3");
  EXPECT_EQ(ask(get("/com.acme.Quotes/add?a=1&c=2")).status, 400);
}

// What a page can have a browser send without being asked: a form, an image, a link.
TEST_F(RestServer, PagesOfOtherOriginsCallNothing) {
  const std::string form =
      "origin: http://evil.com\r\nsec-fetch-site: cross-site\r\n"
      "content-type: application/x-www-form-urlencoded\r\n";
  EXPECT_EQ(call("latest", R"("ACME")", form).status, 403);
  const std::string image = "sec-fetch-site: cross-site\r\nsec-fetch-mode: no-cors\r\n";
  const std::string path = "/com.acme.Quotes/latest?symbol=ACME";
  const Answer refused = ask(get(path, image));
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.body.find("may not call methods by GET"), std::string::npos) << refused.body;
  EXPECT_EQ(ask(get(path, "sec-fetch-site: none\r\n")).status, 200) << "typed by its user";
  EXPECT_EQ(ask(get("/quotes/ACME", image)).status, 200) << "declared to be safe";
  EXPECT_EQ(ask(get("/openapi.json", image)).status, 200);
}

TEST_F(RestServer, HeadAsksWhetherAMethodIsThere) {
  for (const auto& [path, status] :
       {std::pair("/com.acme.Quotes/sell", 200), std::pair("/quotes/x", 200),
        std::pair("/favicon.ico", 200), std::pair("/com.acme.Quotes/buy", 404),
        std::pair("/com.acme.Nothing/sell", 404)}) {
    EXPECT_EQ(ask("HEAD " + std::string(path) + " HTTP/1.1\r\nhost: a\r\n\r\n", true).status,
              status)
        << path;
  }
}

TEST_F(RestServer, ErrorsAreProblems) {
  Answer answer = call("latest", "{}");
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(answer.has("content-type: application/problem+json\r\n"));
  EXPECT_NE(answer.body.find(R"("code":304,"name":"PeerDecode")"), std::string::npos);
  EXPECT_NE(answer.body.find("expected the argument symbol"), std::string::npos) << answer.body;
  answer = call("sell", R"("ACME")");
  EXPECT_EQ(answer.status, 422);
  EXPECT_NE(answer.body.find(R"("exception":{"class":"com.acme.SoldOut","value":{)"),
            std::string::npos)
      << answer.body;
  answer = call("buy", "{}");
  EXPECT_EQ(answer.status, 404);
  EXPECT_NE(answer.body.find(R"("code":302)"), std::string::npos);
  answer = ask(post("/com.acme.Nothing/latest", "{}"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_NE(answer.body.find(R"("code":301)"), std::string::npos);
  answer = ask("DELETE /com.acme.Quotes/latest HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_EQ(answer.status, 405);
  EXPECT_TRUE(answer.has("allow: GET, HEAD, POST\r\n"));
  EXPECT_EQ(call("latest", "<a/>", "content-type: application/xml\r\n").status, 415);
  EXPECT_EQ(call("count", "[3]").status, 404);
}

TEST_F(RestServer, HostileRequestsAreAnsweredAndTheNextIsServed) {
  std::string deep = std::string(5000, '[') + std::string(5000, ']');
  for (const std::string& body :
       {deep, std::string("{"), std::string("\xff\xfe"), std::string("1e999999"),
        std::string(R"({"symbol":1e400})"), std::string(R"({"symbol":{"symbol":[]}})"),
        "\"" + std::string(100'000, 'x'), std::string(1, '\0')}) {
    const int status = call("latest", body).status;
    EXPECT_TRUE(status == 400 || status == 413) << status << " " << body.substr(0, 40);
  }
  for (const char* path :
       {"/../etc/passwd", "/com.acme.Quotes/../latest", "/%2e%2e/%2e%2e",
        "/com.acme.Quotes%2flatest", "/%00/latest", "/com.acme.Quotes/%zz", "//latest",
        "/com.acme.Quotes/", "/", "/com.acme.Quotes", "/com.acme.Quotes/latest/x"}) {
    EXPECT_EQ(ask(get(path)).status, 404) << path;
  }
  const std::string longest(7000, 'n');
  const Answer answer = ask(get("/" + longest + "/" + longest.substr(0, 1000)));
  EXPECT_EQ(answer.status, 404);
  EXPECT_LT(answer.body.size(), 2000u);
  EXPECT_EQ(call("add", "[1,2]").body, "3");
}

TEST_F(RestServer, OverloadsAreToldApartOrRefused) {
  EXPECT_EQ(call("over", R"({"text":"a"})").body, R"("one a")");
  EXPECT_EQ(call("over", R"({"text":"a","n":2})").body, R"("a2")");
  EXPECT_EQ(call("over", R"(["a",2])").body, R"("a2")");
  EXPECT_EQ(ask(get("/com.acme.Quotes/over?n=3&text=b")).body, R"("b3")");
  const Answer answer = call("over", R"({"txt":"a"})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("over(java.lang.String text, int n)"), std::string::npos)
      << answer.body;
}

TEST_F(RestServer, HeadersAndBaggageGoBothWays) {
  EXPECT_EQ(call("header", R"("X-Tenant")", "x-tenant: 7\r\n").body, R"("7")");
  const Answer answer = call("baggage", R"("who")", "rpc_req_baggage.who: me\r\n");
  EXPECT_EQ(answer.body, R"("me")");
  EXPECT_TRUE(answer.has("rpc_resp_baggage.answer: yes\r\n")) << answer.head;
}

TEST_F(RestServer, AMethodHasItsOwnRoute) {
  EXPECT_EQ(ask(get("/quotes/a%2Fb")).body, R"({"symbol":"a/b","cents":1250})");
  const std::string body = R"({"symbol":"A","cents":1})";
  EXPECT_EQ(ask("PUT /quotes HTTP/1.1\r\nhost: a\r\ncontent-length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body)
                .body,
            R"({"symbol":"A","cents":2})");
  const Answer answer = ask(post("/quotes/A", "{}"));
  EXPECT_EQ(answer.status, 405);
  EXPECT_TRUE(answer.has("allow: GET, HEAD\r\n")) << answer.head;
  EXPECT_EQ(ask(get("/quotes/A?limit=1")).status, 400);
}

TEST_F(RestServer, ARouteThatIsTakenIsRefusedWithBothNames) {
  try {
    server_.provide<Other>(std::make_shared<MyOther>());
    FAIL() << "no error";
  } catch (const settee::Error& error) {
    EXPECT_NE(error.message().find("com.acme.Other:1.0#get"), std::string::npos);
    EXPECT_NE(error.message().find("com.acme.Quotes:1.0#latest"), std::string::npos);
  }
  // Where the first has been taken back it may be offered, and the loop's table is a new one.
  ASSERT_TRUE(server_.withdraw("com.acme.Quotes:1.0"));
  EXPECT_EQ(ask(get("/quotes/x")).status, 404);
  server_.provide<Other>(std::make_shared<MyOther>());
  EXPECT_EQ(ask(get("/quotes/x")).body, R"("x")");
}

TEST_F(RestServer, DescribesItself) {
  const Answer answer = ask(get("/openapi.json"));
  EXPECT_EQ(answer.status, 200);
  const auto document = settee::json::parse_value(answer.body);
  ASSERT_TRUE(document) << document.error().what();
  const auto text = [&](const settee::hessian::Value& value) {
    return std::string(value.as_string().value());
  };
  EXPECT_EQ(text((*document)["openapi"]), "3.1.0");
  EXPECT_EQ(text((*document)["info"]["title"]), "shop");
  const settee::hessian::Value paths = (*document)["paths"];
  EXPECT_EQ(text(paths["/com.acme.Quotes/latest"]["post"]["operationId"]),
            "com.acme.Quotes.latest");
  EXPECT_EQ(text(paths["/quotes/{symbol}"]["get"]["parameters"][0]["in"]), "path");
  EXPECT_FALSE(paths["/com.acme.Quotes/sell"]["post"]["responses"]["204"].is_null());
  EXPECT_TRUE(paths["/com.acme.Quotes/count"].is_null());
  EXPECT_EQ(
      text((*document)["components"]["schemas"]["com.acme.Quote"]["properties"]["symbol"]["type"]),
      "string");
  EXPECT_EQ(ask(post("/openapi.json", "{}")).status, 405);
}

TEST_F(RestServer, AnswersSofaConsumersAsTheirOwnServerDoes) {
  const std::string json = "sofa_head_serialize_type: json\r\n";
  Answer answer = call("add", "[1,2]", json);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "3");
  EXPECT_TRUE(answer.has("sofa_head_serialize_type: json\r\n")) << answer.head;
  EXPECT_FALSE(answer.has("sofa_head_response_error"));
  // The method's own exception.
  answer = call("sell", R"("ACME")", json);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "com.acme.SoldOut: sold out");
  EXPECT_TRUE(answer.has("sofa_head_response_error: true\r\n"));
  // What the framework refuses.
  answer = call("add", "[1", json);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body.find("Server deserialize error, "), 0u) << answer.body;
  EXPECT_TRUE(answer.has("sofa_head_response_error: true\r\n"));
  EXPECT_EQ(call("buy", "[]", json).status, 404);
  EXPECT_EQ(ask(post("/com.acme.Nothing/add", "[]", json)).body,
            "RPC-020100010: RPC cannot find service: [com.acme.Nothing] ");
  EXPECT_EQ(ask(post("/add", "[]", json)).status, 400);
  EXPECT_EQ(call("add", "[]", "sofa_head_serialize_type: kryo\r\n").status, 400);
  EXPECT_EQ(call("add", "junk", "content-type: application/x-hessian\r\n").status, 500);
  answer = ask(get("/com.acme.Quotes/block?x=a%20b", json));
  EXPECT_EQ(answer.body, "a b");
  EXPECT_TRUE(answer.has("content-type: text/plain; charset=UTF-8\r\n")) << answer.head;
  EXPECT_EQ(ask("PUT /com.acme.Quotes/add HTTP/1.1\r\nhost: a\r\n" + json + "\r\n").status, 400);
}

TEST_F(RestServer, HeadOfAStreamingMethodSaysWhatACallOfItWould) {
  const std::string head = "HEAD /com.acme.Quotes/count HTTP/1.1\r\nhost: a\r\n";
  EXPECT_EQ(ask(head + "\r\n", true).status, 404);
  EXPECT_EQ(call("count", "[3]").status, 404);
  EXPECT_EQ(ask(head + "sofa_head_serialize_type: json\r\n\r\n", true).status, 404);
}

class GuardedRestServer : public RestServer {
 protected:
  GuardedRestServer() : RestServer(guarded()) {}
  static settee::rpc::ServerOptions guarded() {
    settee::rpc::ServerOptions options;
    options.authenticate = [](const settee::rpc::Call& call) -> settee::Result<void> {
      if (call.header("key") == "1") return {};
      return settee::Error(settee::Code::kPeerError, "no key");
    };
    return options;
  }
};

TEST_F(GuardedRestServer, DescriptionsAreForCallersOnly) {
  for (const char* what : {"GET /openapi.json", "HEAD /openapi.json", "GET /com.acme.Quotes.proto",
                           "HEAD /com.acme.Quotes/add", "HEAD /quotes/ACME"}) {
    const std::string request = std::string(what) + " HTTP/1.1\r\nhost: a\r\n";
    const bool bodyless = request.starts_with("HEAD");
    const Answer refused = ask(request + "\r\n", bodyless);
    EXPECT_EQ(refused.status, 401) << what;
    EXPECT_TRUE(refused.has("www-authenticate: Settee\r\n")) << refused.head;
    EXPECT_EQ(ask(request + "key: 1\r\n\r\n", bodyless).status, 200) << what;
  }
}

TEST(RestServerBusy, CallersAboveALimitAreTold) {
  settee::Runtime runtime{{.threads = 1}};
  settee::rpc::ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  options.authenticate = [](const settee::rpc::Call& call) -> settee::Result<void> {
    if (call.header("key") == "1") return {};
    return settee::Error(settee::Code::kPeerError, "no key");
  };
  settee::rpc::Server server{runtime, options};
  settee::rpc::ProvideOptions provide;
  provide.rate = 0.001;
  provide.burst = 1;
  server.provide<Quotes>(std::make_shared<MyQuotes>(), provide);
  server.start();
  wire::Peer peer(server.port());
  const auto status = [&](std::string_view fields) {
    EXPECT_TRUE(peer.send(post("/com.acme.Quotes/add", "[1,2]", fields)));
    return peer.answer().status;
  };
  EXPECT_EQ(status(""), 401);
  EXPECT_EQ(status("sofa_head_serialize_type: json\r\n"), 500);
  EXPECT_EQ(status("key: 1\r\n"), 200);
  EXPECT_EQ(status("key: 1\r\n"), 503);
  EXPECT_EQ(status("key: 1\r\nsofa_head_serialize_type: json\r\n"), 503);
}

}  // namespace
}  // namespace rest_test
