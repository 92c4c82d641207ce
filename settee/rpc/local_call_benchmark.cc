// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a call within the process costs: an echo of 16 bytes, awaited one after the other on a loop.
// The time is that which the loop's thread has had of its processor.

#include <benchmark/benchmark.h>
#include <time.h>

#include "settee/rpc/internal/local_call.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

constexpr int kCalls = 1000;

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct World {
  World() {
    RuntimeOptions options;
    options.threads = 1;
    runtime = std::make_unique<Runtime>(std::move(options));
    ServerOptions server_options;
    server_options.host = "127.0.0.1";
    server_options.port = 0;
    server = std::make_unique<Server>(*runtime, server_options);
    server->provide<wire::Probe>(std::make_shared<wire::MyProbe>());
    server->start();
    target = std::make_unique<LocalTarget>(*runtime, &service_of<wire::Probe>(), wire::kService);
  }
  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<Server> server;
  std::unique_ptr<LocalTarget> target;
};

Task<double> echo(LocalTarget& target, const MethodInfo& method, std::string& text,
                  std::string& result) {
  void* arguments[] = {&text};
  const double begun = thread_seconds();
  for (int i = 0; i < kCalls; ++i) {
    Outgoing outgoing;
    outgoing.method = &method;
    outgoing.name = method.wire_name;
    outgoing.arguments = arguments;
    outgoing.result = &result;
    outgoing.deadline = outgoing.began + std::chrono::seconds(3);
    if (!target.there()) co_await fail(Error(Code::kNoProvider, "gone"));
    Task<bool> call = target.call(outgoing);
    benchmark::DoNotOptimize(co_await std::move(call));
  }
  co_return thread_seconds() - begun;
}

void LocalEcho(benchmark::State& state) {
  World world;
  std::string text = "0123456789abcdef";
  std::string result;
  const MethodInfo& method = service_of<wire::Probe>().methods[0];
  for (auto _ : state) {
    state.SetIterationTime(world.runtime->run(echo(*world.target, method, text, result)));
  }
  state.SetItemsProcessed(state.iterations() * kCalls);
}
BENCHMARK(LocalEcho)->UseManualTime();

Task<double> plain(wire::MyProbe& probe, const std::string& text) {
  const double begun = thread_seconds();
  for (int i = 0; i < kCalls; ++i) {
    Task<std::string> call = probe.echo(text);
    benchmark::DoNotOptimize(co_await std::move(call));
  }
  co_return thread_seconds() - begun;
}

// The method itself, without anything around it.
void PlainEcho(benchmark::State& state) {
  World world;
  wire::MyProbe probe;
  const std::string text = "0123456789abcdef";
  for (auto _ : state) state.SetIterationTime(world.runtime->run(plain(probe, text)));
  state.SetItemsProcessed(state.iterations() * kCalls);
}
BENCHMARK(PlainEcho)->UseManualTime();

}  // namespace
}  // namespace settee::rpc
