// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// bench_grpc_client: closed loop over gRPC's callback API, without TLS. Each of --connections is a
// channel with a connection of its own; each of --outstanding calls starts the next one from its
// callback. gRPC decides what leaves in one write, so --mode means nothing here.

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "bench/common.h"
#include "echo.grpc.pb.h"

namespace {

/// What all calls share: the figures, and how many calls are still in flight.
struct Run {
  explicit Run(const bench::Options& options) : measurement(options) {}

  std::mutex mutex;
  bench::Measurement measurement;
  std::condition_variable all_ended;
  int in_flight = 0;
  std::atomic<bool> ending = false;
};

/// One call after the other on a channel.
class Caller {
 public:
  Caller(Run& run, const std::shared_ptr<grpc::Channel>& channel, std::size_t payload)
      : run_(run), stub_(settee::bench::Echo::NewStub(channel)) {
    request_.set_data(std::string(payload, 'x'));
  }

  void start() {
    context_.emplace();
    started_ns_ = bench::now_ns();
    stub_->async()->Echo(&*context_, &request_, &response_,
                         [this](const grpc::Status& status) { ended(status); });
  }

 private:
  void ended(const grpc::Status& status) {
    const std::uint64_t latency = bench::now_ns() - started_ns_;
    const bool ending = run_.ending;
    {
      const std::lock_guard lock(run_.mutex);
      if (!status.ok()) {
        run_.measurement.error(status.error_message());
      } else if (response_.data().size() != request_.data().size()) {
        run_.measurement.error("it does not hold the argument");
      } else {
        run_.measurement.record(latency);
      }
      if (ending && --run_.in_flight == 0) run_.all_ended.notify_one();
    }
    if (!ending) start();
  }

  Run& run_;
  std::unique_ptr<settee::bench::Echo::Stub> stub_;
  settee::bench::Payload request_;
  settee::bench::Payload response_;
  std::optional<grpc::ClientContext> context_;  // good for one call only
  std::uint64_t started_ns_ = 0;
};

std::shared_ptr<grpc::Channel> connect(int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // no connection shared with others
  arguments.SetMaxReceiveMessageSize(64 << 20);
  auto channel = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                           grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5))) {
    bench::die("cannot connect to 127.0.0.1:" + std::to_string(port));
  }
  return channel;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  Run run(options);
  std::vector<std::unique_ptr<Caller>> callers;
  for (int c = 0; c < options.connections; ++c) {
    const auto channel = connect(options.port);
    for (int o = 0; o < options.outstanding; ++o) {
      callers.push_back(
          std::make_unique<Caller>(run, channel, static_cast<std::size_t>(options.payload)));
    }
  }
  run.in_flight = static_cast<int>(callers.size());
  for (const auto& caller : callers) caller->start();

  const auto sleep = [](double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  };
  sleep(options.warmup);
  {
    const std::lock_guard lock(run.mutex);
    run.measurement.start();
  }
  sleep(options.duration);
  {
    const std::lock_guard lock(run.mutex);
    run.measurement.stop();
  }
  const int status = run.measurement.report();
  run.ending = true;
  std::unique_lock lock(run.mutex);
  run.all_ended.wait(lock, [&] { return run.in_flight == 0; });
  return status;
}
