// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The code of docs/guide.md, section "HTTP".

#include <gtest/gtest.h>

#include <cstdio>

// [include]
#include "settee/http/http.h"
// [/include]

#include "settee/base/event_bus.h"

namespace {

using namespace std::chrono_literals;

// [handler]
settee::Task<settee::http::Response> quote(settee::http::Request request) {
  const std::optional<std::string> symbol = request.parameter("symbol");
  if (!symbol) {
    co_return settee::http::Response::problem(400, "which symbol? e.g. /quote?symbol=ACME");
  }
  settee::http::Response response(200, "application/json", R"({"cents":10550})");
  response.headers.add("cache-control", "no-store");
  co_return response;
}
// [/handler]

// [streaming]
// Counts a body of any size, and holds one part of it at a time.
settee::Task<settee::http::Response> measure(settee::http::Request request) {
  std::size_t bytes = 0;
  while (std::optional<settee::Bytes> part = co_await request.body.next()) bytes += part->size();
  co_return settee::http::Response(200, "text/plain", std::to_string(bytes));
}
// [/streaming]

// [source]
// An answer that is made as its client takes it.
class Countdown final : public settee::http::BodySource {
 public:
  explicit Countdown(int from) : left_(from) {}
  settee::Task<std::optional<settee::Bytes>> next() override {
    if (left_ == 0) co_return std::optional<settee::Bytes>();
    co_await settee::sleep_for(1ms);
    co_return std::optional<settee::Bytes>(settee::Bytes(std::to_string(left_--) + "\n"));
  }

 private:
  int left_;
};

settee::Task<settee::http::Response> countdown(settee::http::Request) {
  co_return settee::http::Response(200, "text/plain", std::make_unique<Countdown>(3));
}
// [/source]

// [client]
settee::Task<std::string> price(settee::http::Client& client, std::string server) {
  settee::http::Request request;  // a GET, unless it says otherwise
  request.headers.add("accept", "application/json");
  const settee::http::Response answer =
      co_await client.send(server + "/quote?symbol=ACME", std::move(request));
  if (answer.status != 200) co_return "none";
  co_return std::string(answer.body.text());
}
// [/client]

TEST(Http, TheGuidesServerAnswers) {
  settee::Runtime runtime;
  std::atomic<int> seen{0};
  // [serve]
  auto table = std::make_shared<settee::http::Endpoints>();
  table->add("GET", "/quote", quote);
  table->add("GET", "/countdown", countdown);
  settee::http::HandlerOptions streaming;
  streaming.streaming = true;
  table->add("PUT", "/files/*", measure, streaming);

  settee::http::ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;  // a free one
  settee::http::Server server(runtime, table, options);
  server.start();
  // [/serve]
  // [access]
  const settee::Subscription access = runtime.events().subscribe<settee::http::RequestEnded>(
      [&seen](const settee::http::RequestEnded& request) {
        std::printf("%s %s %d\n", std::string(request.method).c_str(),
                    std::string(request.target).c_str(), request.status);
        ++seen;
      });
  // [/access]
  const auto ask = [&](const std::string& arguments) {
    const std::string command = "curl -s -m 20 " + arguments;
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string out;
    char part[4096];
    for (std::size_t got; (got = std::fread(part, 1, sizeof part, pipe)) > 0;) {
      out.append(part, got);
    }
    ::pclose(pipe);
    return out;
  };
  const std::string url = "http://" + server.address();
  EXPECT_EQ(ask(url + "/quote?symbol=ACME"), R"({"cents":10550})");
  EXPECT_NE(ask("--http2-prior-knowledge " + url + "/quote").find("which symbol?"),
            std::string::npos);
  EXPECT_EQ(ask(url + "/countdown"), "3\n2\n1\n");
  EXPECT_EQ(ask("-X PUT -d 12345 " + url + "/files/any/name"), "5");
  settee::http::Client client(runtime);
  EXPECT_EQ(price(client, url).get(), R"({"cents":10550})");
  client.stop();
  server.stop();
  EXPECT_EQ(seen, 5);
}

}  // namespace
