// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// An HTTP server for foreign peers: prints its port and serves until its standard input ends.

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "settee/base/stats.h"
#include "settee/http/http.h"

namespace {

using settee::Bytes;
using settee::Task;
using settee::http::Body;
using settee::http::Endpoints;
using settee::http::HandlerOptions;
using settee::http::Headers;
using settee::http::Request;
using settee::http::Response;

class Parts final : public settee::http::BodySource {
 public:
  Parts(std::uint64_t count, std::size_t size) : left_(count), part_(std::string(size, 'p')) {}
  Task<std::optional<Bytes>> next() override {
    if (left_ == 0) co_return std::optional<Bytes>();
    --left_;
    co_return std::optional<Bytes>(part_);
  }
  Headers trailers() override {
    Headers fields;
    fields.add("x-checked", "yes");
    return fields;
  }

 private:
  std::uint64_t left_;
  Bytes part_;
};

// Gives back what comes, as it comes.
class Echo final : public settee::http::BodySource {
 public:
  explicit Echo(Body body) : body_(std::move(body)) {}
  Task<std::optional<Bytes>> next() override { return body_.next(); }

 private:
  Body body_;
};

std::uint64_t number(const Request& request, std::string_view name) {
  return std::stoull(request.parameter(name).value_or("1"));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("An HTTP server for foreign peers");
  std::size_t threads = 1;
  settee::http::ServerOptions options;
  options.port = 0;
  std::size_t timeout_ms = 0;
  app.add_option("--threads", threads);
  app.add_option("--port", options.port);
  app.add_option("--timeout-ms", timeout_ms, "for heads, bodies and writes");
  app.add_option("--max-streams", options.max_streams);
  CLI11_PARSE(app, argc, argv);
  if (timeout_ms > 0) {
    const std::chrono::milliseconds timeout(timeout_ms);
    options.head_timeout = options.body_timeout = options.write_timeout = timeout;
  }
  settee::RuntimeOptions runtime_options;
  runtime_options.threads = threads;
  settee::Runtime runtime(std::move(runtime_options));
  const auto table = std::make_shared<Endpoints>();
  const auto hello = [](Request) -> Task<Response> {
    co_return Response(200, "text/plain", "hello");
  };
  table->add("GET", "/", hello);
  table->add("POST", "/", hello);
  table->add("GET", "/hello", hello);
  table->add("POST", "/echo", [](Request request) -> Task<Response> {
    co_return Response(200, "text/plain", std::move(request.body));
  });
  HandlerOptions streaming;
  streaming.streaming = true;
  table->add(
      "POST", "/stream",
      [](Request request) -> Task<Response> {
        Response response(200);
        response.body = Body(std::make_unique<Echo>(std::move(request.body)));
        co_return response;
      },
      streaming);
  table->add("GET", "/parts", [](Request request) -> Task<Response> {
    Response response(200, "text/plain", "");
    response.body =
        Body(std::make_unique<Parts>(number(request, "count"), number(request, "size")));
    co_return response;
  });
  table->add("GET", "/nap", [](Request request) -> Task<Response> {
    co_await settee::sleep_for(std::chrono::milliseconds(number(request, "ms")));
    co_return Response(200, "text/plain", "slept");
  });
  // Who asks: behind a proxy, whether it keeps its connections.
  table->add("GET", "/peer", [](Request request) -> Task<Response> {
    co_return Response(200, "text/plain", request.peer->text);
  });
  // What the server has counted, for those who look whether a limit held.
  table->add("GET", "/stats", [&runtime](Request) -> Task<Response> {
    std::string text;
    runtime.stats().visit([&](const settee::StatValue& cell) {
      text += cell.info->name;
      for (const settee::StatTag& tag : cell.info->tags) text += "." + tag.value;
      text += " " + std::to_string(cell.value) + "\n";
    });
    co_return Response(200, "text/plain", text);
  });
  settee::http::Server server(runtime, table, options);
  server.start();
  std::cout << server.port() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  server.stop();
  return 0;
}
