// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A server's life, and what holds for both versions of HTTP.

#include <zlib.h>

#include "settee/http/http_test_peer.h"
#include "settee/net/listener.h"
#include "settee/net/tls_test_certificates.h"

namespace settee::http {
namespace {

using wire::Answer;
using wire::eventually;
using wire::get;
using wire::Peer;
using wire::post;
using namespace std::chrono_literals;

using ServerTest = wire::HttpTest;

// As another program would write and read it.
std::string packed(std::string_view text, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string unpacked(std::string_view data, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, window_bits), Z_OK);
  std::string out(10'000'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

constexpr int kGzip = MAX_WBITS + 16;
constexpr int kZlib = MAX_WBITS;

TEST_F(ServerTest, StopAnswersWhatItHasBegun) {
  serve();
  Peer busy(port());
  Peer idle(port());
  ASSERT_TRUE(idle.send(get("/hello")));
  ASSERT_TRUE(idle.answer());
  ASSERT_TRUE(busy.send(get("/nap?ms=100")));
  ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  server_->stop();
  EXPECT_TRUE(idle.closed());
  const Answer answer = busy.answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer.body, "slept");
  EXPECT_TRUE(busy.closed());
  EXPECT_EQ(stat("settee.http.server.cut_off"), 0);
}

TEST_F(ServerTest, StopCancelsWhatTakesTooLong) {
  options_.drain = 20ms;
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send(get("/nap?ms=60000")));
  ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  server_->stop();
  EXPECT_EQ(cancelled_, 1);
  EXPECT_EQ(peer.answer().status, 503);
  EXPECT_EQ(stat("settee.http.server.cut_off"), 1);
  EXPECT_NE(log().find("1 request(s) not answered after 20 ms"), std::string::npos) << log();
}

TEST_F(ServerTest, StopEndsAnswersThatHaveNoEnd) {
  options_.drain = 20ms;
  serve();
  Peer peer(port(), 4096);
  ASSERT_TRUE(peer.send(get("/flood")));
  ASSERT_TRUE(peer.more());
  server_->stop();
  EXPECT_EQ(stat("settee.net.connections", {{"role", "http"}}), 0);
}

TEST_F(ServerTest, OptionsThatLetNothingPassAreRefused) {
  const auto refused = [&](auto change) {
    ServerOptions options;
    options.port = 0;
    change(options);
    EXPECT_THROW(Server(*runtime_, table_, options), Error);
  };
  refused([](ServerOptions& o) { o.max_connections = 0; });
  refused([](ServerOptions& o) { o.max_streams = 0; });
  refused([](ServerOptions& o) { o.head_timeout = 0ms; });
  refused([](ServerOptions& o) {
    o.cors.origins = {"*"};
    o.cors.credentials = true;
  });
  EXPECT_THROW(Server(*runtime_, nullptr), Error);
  serve();
  options_.port = port();
  Server second(*runtime_, table_, options_);
  try {
    second.start();
    FAIL() << "two servers on one port";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kIo);
    EXPECT_NE(error.message().find(server_->address()), std::string::npos);
  }
}

TEST_F(ServerTest, WhereOthersReachItItAsksWhoTheyAreOrDoesNotStart) {
  options_.port = 0;
  server_made_ = true;
  // Nobody has the address 192.0.2.7 (RFC 5737): with what is needed it is tried, and not found.
  const auto start = [&](const std::string& host) {
    options_.host = host;
    Server server(*runtime_, table_, options_);
    try {
      server.start();
    } catch (const Error& error) {
      return error;
    }
    return Error(Code::kUnknown, "it has started");
  };
  EXPECT_EQ(start("127.9.9.9").message(), "it has started");
  for (const char* host : {"0.0.0.0", "::", "192.0.2.7"}) {
    const Error why = start(host);
    EXPECT_EQ(why.code(), Code::kInvalidArgument);
    for (const char* said : {host, "token", "client_ca", "127.0.0.1", "open_to_all"}) {
      EXPECT_NE(why.message().find(said), std::string::npos) << said << ": " << why.message();
    }
  }
  net::TestCertificates certificates;
  certificates.make("server");
  net::TlsServerOptions tls;
  tls.certificate = certificates.path("server.crt");
  tls.key = certificates.path("server.key");
  const auto with_tls = [&](bool ask, bool optional) {
    tls.client_ca = ask ? certificates.path("ca.crt") : "";
    tls.client_certificate_optional = optional;
    options_.tls = std::make_shared<net::TlsServerContext>(*runtime_, tls);
    const Code code = start("192.0.2.7").code();
    options_.tls = nullptr;
    return code;
  };
  EXPECT_EQ(with_tls(false, false), Code::kInvalidArgument);
  EXPECT_EQ(with_tls(true, true), Code::kInvalidArgument);
  EXPECT_EQ(with_tls(true, false), Code::kIo);
  options_.token = "s3cret";
  EXPECT_EQ(start("192.0.2.7").code(), Code::kIo);
  options_.token = "";
  options_.open_to_all = true;
  EXPECT_EQ(start("192.0.2.7").code(), Code::kIo);
}

TEST_F(ServerTest, EndpointsComeAndGoWhileItServes) {
  serve();
  Peer peer(port());
  const auto status_of = [&](std::string_view target) {
    EXPECT_TRUE(peer.send(get(target)));
    return peer.answer().status;
  };
  EXPECT_EQ(status_of("/late"), 404);
  const auto named = [](std::string name) {
    return [name](Request) -> Task<Response> { co_return Response(200, "text/plain", name); };
  };
  table_->add("GET", "/late", named("late"));
  table_->add("GET", "/tree/*", named("tree"));
  table_->add("GET", "/tree/sub/*", named("sub"));
  EXPECT_EQ(status_of("/late?x"), 200);
  EXPECT_EQ(status_of("/late/"), 404);
  EXPECT_EQ(status_of("/tree"), 404);
  ASSERT_TRUE(peer.send(get("/tree/a/b") + get("/tree/sub/c") + get("/tree/")));
  EXPECT_EQ(peer.answer().body, "tree");
  EXPECT_EQ(peer.answer().body, "sub");
  EXPECT_EQ(peer.answer().body, "tree");
  EXPECT_THROW(table_->add("GET", "/late", named("again")), Error);
  EXPECT_THROW(table_->add("GET", "late", named("again")), Error);
  EXPECT_TRUE(table_->remove("/late"));
  EXPECT_FALSE(table_->remove("/late"));
  EXPECT_EQ(status_of("/late"), 404);
  std::string paths;
  for (const Endpoints::Entry& entry : table_->list()) paths += entry.method + entry.path + " ";
  EXPECT_NE(paths.find("GET/tree/* GET/tree/sub/*"), std::string::npos) << paths;
}

TEST_F(ServerTest, RemovingAnEndpointWaitsForItsRequests) {
  serve();
  Peer peer(port());
  const auto alive = std::make_shared<int>(1);
  std::atomic<bool> begun{false};
  table_->add("GET", "/module", [alive, &begun](Request) -> Task<Response> {
    const auto mine = alive;
    begun = true;
    co_await sleep_for(50ms);
    co_return Response(200, "text/plain", "whole");
  });
  ASSERT_TRUE(peer.send(get("/module")));
  ASSERT_TRUE(eventually([&] { return begun.load(); }));
  EXPECT_TRUE(table_->remove("/module"));
  EXPECT_EQ(alive.use_count(), 1) << "the handler is still there";
  EXPECT_EQ(peer.answer().body, "whole");
}

TEST_F(ServerTest, WithATokenNobodyElseIsServed) {
  options_.token = "s3cret";
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send(get("/hello")));
  const Answer none = peer.answer();
  EXPECT_EQ(none.status, 401);
  EXPECT_TRUE(none.has("www-authenticate: Bearer\r\n"));
  for (const char* wrong :
       {"Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret2", "Basic s3cret"}) {
    ASSERT_TRUE(peer.send(get("/hello", "authorization: " + std::string(wrong) + "\r\n")));
    EXPECT_EQ(peer.answer().status, 401) << wrong;
  }
  ASSERT_TRUE(peer.send(get("/hello", "authorization: bearer s3cret\r\n")));
  EXPECT_EQ(peer.answer().status, 200);
  EXPECT_EQ(refused("token"), 6);
}

TEST_F(ServerTest, CompressesTextsForWhoCanReadThem) {
  const std::string text(5000, 't');
  table_->add("GET", "/text", [&](Request) -> Task<Response> {
    Response response(200, "text/plain; charset=utf-8", text);
    response.headers.add("etag", "\"1\"");
    co_return response;
  });
  table_->add("GET", "/streamed", [](Request) -> Task<Response> {
    Response response(200, "text/plain", Body(std::make_unique<wire::Parts>(50, "part ")));
    co_return response;
  });
  serve();
  Peer peer(port());
  const auto with = [&](std::string_view target, std::string_view accept) {
    EXPECT_TRUE(peer.send(get(target, "accept-encoding: " + std::string(accept) + "\r\n")));
    return peer.answer();
  };
  const Answer gzip = with("/text", "deflate;q=0.5, gzip");
  EXPECT_TRUE(gzip.has("content-encoding: gzip\r\n"));
  EXPECT_TRUE(gzip.has("vary: accept-encoding\r\n"));
  EXPECT_TRUE(gzip.has("etag: W/\"1\"\r\n"));
  EXPECT_LT(gzip.body.size(), 200u);
  EXPECT_EQ(unpacked(gzip.body, kGzip), text);
  const Answer deflate = with("/text", "gzip;q=0, deflate");
  EXPECT_EQ(unpacked(deflate.body, kZlib), text);
  EXPECT_EQ(unpacked(with("/text", "*").body, kGzip), text);
  EXPECT_EQ(with("/text", "br, gzip;q=0").body, text);
  EXPECT_EQ(with("/hello", "gzip").body, "hello");  // not worth it
  const Answer streamed = with("/streamed", "gzip");
  EXPECT_EQ(unpacked(streamed.body, kGzip).size(), 250u);
  EXPECT_EQ(streamed.trailers, "x-checked: yes\n");
}

TEST_F(ServerTest, UnpacksRequestsUpToTheirLimit) {
  options_.max_body = 10'000;
  serve();
  Peer peer(port());
  const std::string text(10'000, 't');
  ASSERT_TRUE(peer.send(post("/echo", packed(text, kGzip), "content-encoding: gzip\r\n")));
  EXPECT_EQ(peer.answer().body, text);
  ASSERT_TRUE(peer.send(post("/echo", packed(text, kZlib), "content-encoding: deflate\r\n")));
  EXPECT_EQ(peer.answer().body, text);
  ASSERT_TRUE(peer.send(post("/echo", packed(text + "t", kGzip), "content-encoding: gzip\r\n")));
  EXPECT_EQ(peer.answer().status, 413);
  ASSERT_TRUE(peer.send(
      post("/echo", packed(std::string(8'000'000, 'x'), kGzip), "content-encoding: gzip\r\n")));
  EXPECT_EQ(peer.answer().status, 413);
  const std::string good = packed("text", kGzip);
  for (const std::string& bad :
       {std::string("not gzip"), good.substr(0, good.size() - 1), good + "more"}) {
    ASSERT_TRUE(peer.send(post("/echo", bad, "content-encoding: gzip\r\n")));
    EXPECT_EQ(peer.answer().status, 400);
  }
  ASSERT_TRUE(peer.send(post("/echo", "x", "content-encoding: br\r\n")));
  EXPECT_EQ(peer.answer().status, 415);
}

TEST_F(ServerTest, PagesOfOtherOriginsAreToldWhatTheyMayDo) {
  options_.cors.origins = {"https://acme.com"};
  options_.cors.headers = {"content-type"};
  options_.token = "t";
  serve();
  Peer peer(port());
  ASSERT_TRUE(
      peer.send("OPTIONS /hello HTTP/1.1\r\nhost: a\r\norigin: https://acme.com\r\n"
                "access-control-request-method: POST\r\n\r\n"));
  const Answer preflight = peer.answer();
  EXPECT_EQ(preflight.status, 204);
  EXPECT_TRUE(preflight.has("access-control-allow-origin: https://acme.com\r\n"));
  EXPECT_TRUE(preflight.has("access-control-allow-methods: GET, HEAD, POST\r\n"));
  ASSERT_TRUE(
      peer.send("OPTIONS /hello HTTP/1.1\r\nhost: a\r\norigin: https://evil.com\r\n"
                "access-control-request-method: POST\r\n\r\n"));
  const Answer refusal = peer.answer();
  EXPECT_EQ(refusal.status, 403);
  EXPECT_FALSE(refusal.has("access-control-allow-origin"));
  ASSERT_TRUE(peer.send(get("/hello", "authorization: bearer t\r\norigin: https://acme.com\r\n")));
  const Answer plain = peer.answer();
  EXPECT_TRUE(plain.has("access-control-allow-origin: https://acme.com\r\n"));
  EXPECT_TRUE(plain.has("vary: origin\r\n"));
}

TEST_F(ServerTest, PagesOfOtherOriginsOnlyRead) {
  options_.cors.origins = {"https://acme.com"};
  serve();
  Peer peer(port());
  const auto posted = [&](const std::string& fields) {
    EXPECT_TRUE(peer.send(post("/echo", "x", fields)));
    return peer.answer();
  };
  EXPECT_EQ(posted("").status, 200) << "no browser";
  EXPECT_EQ(posted("origin: http://a\r\n").status, 200) << "its own, as post() has the host a";
  EXPECT_EQ(posted("origin: https://A\r\n").status, 200) << "TLS may end before the server";
  EXPECT_EQ(posted("origin: https://acme.com\r\nsec-fetch-site: cross-site\r\n").status, 200);
  EXPECT_EQ(posted("origin: http://b\r\nsec-fetch-site: same-origin\r\n").status, 200)
      << "a proxy has changed the host";
  int refused = 0;
  for (const char* fields : {"origin: http://b\r\n", "origin: http://a:81\r\n", "origin: null\r\n",
                             "origin: a\r\n", "origin: http://a\r\nsec-fetch-site: cross-site\r\n",
                             "origin: http://x.a\r\nsec-fetch-site: same-site\r\n"}) {
    const Answer answer = posted(fields);
    EXPECT_EQ(answer.status, 403) << fields;
    EXPECT_NE(answer.body.find("CorsOptions::origins"), std::string::npos) << answer.body;
    EXPECT_EQ(stat("settee.http.server.refused", {{"limit", "origin"}}), ++refused);
  }
  ASSERT_TRUE(peer.send(get("/hello", "origin: http://b\r\nsec-fetch-site: cross-site\r\n")));
  EXPECT_EQ(peer.answer().status, 200);
}

// As a server of several protocols on one port does.
TEST_F(ServerTest, SpeaksOnConnectionsThatOthersHaveAccepted) {
  ASSERT_TRUE(Server::speaks('G'));
  ASSERT_FALSE(Server::speaks(1));
  server_ = std::make_unique<Server>(*runtime_, table_, options_);
  server_made_ = true;
  struct Detector final : net::Protocol {
    Detector(Server& s, std::atomic<int>& c) : server(s), closed(c) {}
    Taken on_data(net::Connection& connection, std::span<const std::uint8_t> data) override {
      EXPECT_TRUE(Server::speaks(data[0]));
      connection.switch_protocol(server.protocol(
          connection, [this_closed = &closed](net::Connection&) { ++*this_closed; }));
      return {0};
    }
    void on_close(net::Connection&, const Error&) override {}
    Server& server;
    std::atomic<int>& closed;
  };
  std::atomic<int> closed{0};
  std::vector<std::shared_ptr<net::Connection>> connections;
  net::ListenerOptions listen;
  listen.endpoint.host = "127.0.0.1";
  const net::ConnectionStats stats = net::ConnectionStats::of(runtime_->stats(), "test");
  net::Listener listener(*runtime_, listen, [&](Loop& loop, net::Socket socket) {
    const net::SocketAddress peer = socket.peer();
    connections.push_back(std::make_shared<net::Connection>(loop, socket.release(), peer,
                                                            net::ConnectionOptions(), stats));
    connections.back()->begin(std::make_unique<Detector>(*server_, closed));
  });
  Peer peer(listener.address().port());
  ASSERT_TRUE(peer.send(get("/hello") + get("/nap?ms=1")));
  EXPECT_EQ(peer.answer().body, "hello");
  EXPECT_EQ(peer.answer().body, "slept");
  Peer other(listener.address().port());
  ASSERT_TRUE(other.send(get("/hello")));
  EXPECT_EQ(other.answer().body, "hello");
  peer.close();
  EXPECT_TRUE(eventually([&] { return closed == 1; }));
  server_->stop();
  EXPECT_TRUE(other.closed());
  EXPECT_EQ(closed, 2);
  runtime_->on_each_loop([&](Loop&) { connections.clear(); });
  listener.stop();
}

}  // namespace
}  // namespace settee::http
