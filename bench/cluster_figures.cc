// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What several addresses cost a client, each figure beside what it is compared to, in one process
// and one run; bench/cluster.py runs it.
//
//   bench_cluster_figures pipeline [rounds]   CPU ns of a call through filters, cluster and balancer
//   bench_cluster_figures calls VARIANT [N]   makes N calls of one variant, to count instructions of
//   bench_cluster_figures push [providers]    a registry's list of so many, and calls meanwhile
//   bench_cluster_figures tolerance [rate]    one of four fails every second call
//
// Prints one JSON object. The exit status is 0 only if no call failed that should not.

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "settee/rpc/rpc.h"

namespace bench {

using namespace std::chrono_literals;
using settee::Clock;
using settee::Duration;
using settee::Error;
using settee::Result;
using settee::Runtime;
using settee::RuntimeOptions;
using settee::Task;
using settee::TimePoint;
using settee::rpc::Client;
using settee::rpc::ClientOptions;
using settee::rpc::Provider;
using settee::rpc::Providers;
using settee::rpc::Reference;
using settee::rpc::Registry;
using settee::rpc::Server;
using settee::rpc::ServerOptions;
using settee::rpc::ServiceKey;

struct Desk {
  virtual ~Desk() = default;
  virtual Task<std::string> echo(std::string text) = 0;
};

}  // namespace bench

SETTEE_SERVICE(bench::Desk, "com.settee.bench.Desk", (echo, text))

namespace bench {
namespace {

const std::string kText = "sixteen bytes ..";

struct MyDesk final : Desk {
  Task<std::string> echo(std::string text) override {
    const std::int64_t number = calls.fetch_add(1, std::memory_order_relaxed);
    if (bad.load(std::memory_order_relaxed) && number % 2 == 0) {
      co_await settee::sleep_for(400ms);  // longer than its callers wait
    }
    co_return std::move(text);
  }
  std::atomic<std::int64_t> calls{0};
  std::atomic<bool> bad{false};
};

RuntimeOptions one_loop() {
  RuntimeOptions options;
  options.threads = 1;
  options.log_level = settee::LogLevel::kError;
  return options;
}

/// Servers on a loop of their own.
class Servers {
 public:
  explicit Servers(std::size_t count) : runtime_(one_loop()) {
    for (std::size_t i = 0; i < count; ++i) {
      ServerOptions options;
      options.host = "127.0.0.1";
      options.port = 0;
      desks.push_back(std::make_shared<MyDesk>());
      servers_.push_back(std::make_unique<Server>(runtime_, options));
      servers_.back()->provide<Desk>(desks.back());
      servers_.back()->start();
      addresses.push_back(servers_.back()->address());
    }
  }
  std::string url() const {
    std::string url;
    for (const std::string& one : addresses) url += (url.empty() ? "bolt://" : ",") + one;
    return url;
  }
  std::vector<std::shared_ptr<MyDesk>> desks;
  std::vector<std::string> addresses;

 private:
  Runtime runtime_;
  std::vector<std::unique_ptr<Server>> servers_;
};

double thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// A registry in memory.
class Board final : public Registry {
 public:
  const std::string& address() const noexcept override { return address_; }
  std::string status() const override { return "here"; }
  Task<void> publish(ServiceKey, Provider) override { co_return; }
  Task<void> withdraw(ServiceKey, Provider) override { co_return; }
  Watch watch(ServiceKey, settee::rpc::ConsumerInfo, Listener listener) override {
    listener_ = std::move(listener);
    if (!now_.empty()) listener_(now_);
    return std::make_shared<int>(0);
  }
  Task<std::vector<std::string>> interfaces() override { co_return std::vector<std::string>(); }
  void stop() override {}
  /// CPU ms that who listens took over it: other programs do not count.
  double set(Providers all) {
    now_ = std::move(all);
    if (!listener_) return 0;
    const double began = thread_cpu_ns();
    listener_(now_);
    return (thread_cpu_ns() - began) / 1e6;
  }

 private:
  const std::string address_ = "memory://here";
  Providers now_;
  Listener listener_;
};

template <class T>
T at(std::vector<T> all, double percent) {
  if (all.empty()) return {};
  std::sort(all.begin(), all.end());
  const auto index = static_cast<std::size_t>(percent / 100 * static_cast<double>(all.size()));
  return all[std::min(index, all.size() - 1)];
}

// ---- pipeline ----

struct PassOn final : settee::rpc::Filter {
  Task<void> apply(settee::rpc::Call&, settee::rpc::Next next) override { return next(); }
};

struct Slice {
  bool stop = false;
  int active = 0;
  std::int64_t calls = 0;
  std::int64_t errors = 0;
};

Task<void> call_on(const Reference<Desk>& desk, Slice& slice) {
  while (!slice.stop) {
    Task<std::string> call = desk->echo(kText);
    Result<std::string> answer = co_await settee::as_result(std::move(call));
    ++(answer ? slice.calls : slice.errors);
  }
}

// CPU ns of the client's thread per call, of so many callers spread over the references.
Task<double> slice_of(const std::vector<Reference<Desk>>& desks, std::int64_t& errors) {
  constexpr int kCallers = 96;
  Slice slice;
  for (int i = 0; i < kCallers; ++i) {
    ++slice.active;
    call_on(desks[static_cast<std::size_t>(i) % desks.size()], slice)
        .then([&slice](const Result<void>&) { --slice.active; });
  }
  co_await settee::sleep_for(10ms);
  const double cpu = thread_cpu_ns();
  const std::int64_t calls = slice.calls;
  co_await settee::sleep_for(30ms);
  const double spent = thread_cpu_ns() - cpu;
  const std::int64_t made = slice.calls - calls;
  slice.stop = true;
  while (slice.active != 0) co_await settee::sleep_for(1ms);
  errors += slice.errors;
  co_return spent / static_cast<double>(std::max<std::int64_t>(made, 1));
}

// Each variant has three connections and as many calls on them: only the way there differs.
struct Variant {
  const char* name;
  std::vector<Reference<Desk>> desks;
  std::vector<double> ns;
};
std::vector<Variant> variants_of(const Servers& servers, Client& plain, Client& filtered) {
  filtered.add_filter({std::make_shared<PassOn>(), "pass-on"});
  std::vector<Variant> variants(4);
  variants[0].name = "bare";
  variants[1].name = "filter";
  variants[2].name = "cluster";
  variants[3].name = "whole";
  for (const std::string& address : servers.addresses) {
    variants[0].desks.push_back(plain.refer<Desk>("bolt://" + address));
    variants[1].desks.push_back(filtered.refer<Desk>("bolt://" + address));
  }
  variants[2].desks.push_back(plain.refer<Desk>(servers.url()));
  variants[3].desks.push_back(filtered.refer<Desk>(servers.url()));
  return variants;
}

int calls(std::string_view name, int number) {
  Servers servers(3);
  Runtime runtime(one_loop());
  Client plain(runtime);
  Client filtered(runtime);
  for (const Variant& one : variants_of(servers, plain, filtered)) {
    if (one.name != name) continue;
    runtime.run([](const std::vector<Reference<Desk>>& desks, int all) -> Task<void> {
      constexpr int kAtOnce = 96;
      for (int made = 0; made < all; made += kAtOnce) {
        std::vector<Task<std::string>> batch;
        for (std::size_t i = 0; i < kAtOnce; ++i) {
          batch.push_back(desks[i % desks.size()]->echo(kText));
        }
        Task<std::vector<std::string>> ended = settee::when_all(std::move(batch));
        co_await std::move(ended);
      }
    }(one.desks, number));
    return 0;
  }
  std::fprintf(stderr, "bench_cluster_figures: no variant has this name\n");
  return 2;
}

int pipeline(int rounds) {
  Servers servers(3);
  Runtime runtime(one_loop());
  Client plain(runtime);
  Client filtered(runtime);
  std::vector<Variant> variants = variants_of(servers, plain, filtered);
  std::int64_t errors = 0;
  std::mt19937 order(1);
  std::vector<std::size_t> turn(variants.size());
  std::iota(turn.begin(), turn.end(), 0U);
  for (int round = -2; round < rounds; ++round) {
    std::shuffle(turn.begin(), turn.end(), order);
    for (const std::size_t index : turn) {
      const double ns = runtime.run(slice_of(variants[index].desks, errors));
      if (round >= 0) variants[index].ns.push_back(ns);  // the first ones warm up
    }
  }
  std::printf("{\"rounds\":%d,\"errors\":%lld", rounds, static_cast<long long>(errors));
  for (const Variant& one : variants) {
    std::vector<double> over;
    for (std::size_t i = 0; i < one.ns.size(); ++i) over.push_back(one.ns[i] - variants[0].ns[i]);
    // Beside the median the quiet tenth: what else the machine does can only add to it.
    std::printf(",\"%s_ns\":%.1f,\"%s_over_bare_ns\":%.1f,\"%s_quiet_over_bare_ns\":%.1f", one.name,
                at(one.ns, 50), one.name, at(over, 50), one.name,
                at(one.ns, 10) - at(variants[0].ns, 10));
  }
  std::printf("}\n");
  return errors == 0 ? 0 : 1;
}

// ---- calls by schedule ----

class Load {
 public:
  Load(Runtime& runtime, Reference<Desk> desk, double rate)
      : desk_(std::move(desk)), interval_(static_cast<std::int64_t>(1e9 / rate)) {
    ended_ = settee::as_future(run(runtime.loop(0)));
  }
  ~Load() { finish(); }
  void finish() {
    stopping_ = true;
    if (ended_.valid()) ended_.get();
    while (on_their_way_ != 0) std::this_thread::sleep_for(1ms);
  }
  /// µs of the calls since it was last asked.
  std::vector<double> taken() {
    const std::lock_guard lock(mutex_);
    return std::exchange(taken_, {});
  }
  std::atomic<std::int64_t> errors{0};

 private:
  Task<void> run(settee::Loop& loop) {
    co_await settee::resume_on(loop);
    TimePoint next = Clock::now();
    while (!stopping_) {
      for (const TimePoint now = Clock::now(); next <= now; next += interval_) {
        ++on_their_way_;
        desk_->echo(kText).then([this, began = now](const Result<std::string>& answer) {
          if (!answer) ++errors;
          const double us = std::chrono::duration<double, std::micro>(Clock::now() - began).count();
          {
            const std::lock_guard lock(mutex_);
            taken_.push_back(us);
          }
          --on_their_way_;
        });
      }
      co_await settee::sleep_for(1ms);
    }
  }
  const Reference<Desk> desk_;
  const Duration interval_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::int64_t> on_their_way_{0};
  std::future<void> ended_;
  std::mutex mutex_;
  std::vector<double> taken_;
};

// ---- push ----

Provider provider_at(const std::string& address, int number, int weight) {
  // What a SOFARPC provider says of itself.
  return Provider::parse("bolt://" + address +
                         "?appName=desk&interface=com.settee.bench.Desk&language=cpp&pid=" +
                         std::to_string(1000 + number) +
                         "&protocol=bolt&rpcVer=51403&serialization=hessian2&startTime=1700000000" +
                         std::to_string(100 + number % 900) +
                         "&timeout=3000&uniqueId=&version=1.0&weight=" + std::to_string(weight))
      .value();
}

int push(int count) {
  Servers servers(3);
  Runtime runtime(one_loop());
  Client client(runtime);
  const auto board = std::make_shared<Board>();
  Providers real;
  for (std::size_t i = 0; i < servers.addresses.size(); ++i) {
    real.push_back(provider_at(servers.addresses[i], static_cast<int>(i), 100));
  }
  // Those of weight 0 get no call; they are `first`, `first` + 1, ... of an unlimited row.
  const auto list = [&](int first) {
    Providers all = real;
    for (int i = first; static_cast<int>(all.size()) < count; ++i) {
      const std::string address = "10." + std::to_string(i / 62'500) + "." +
                                  std::to_string(i / 250 % 250) + "." +
                                  std::to_string(i % 250 + 1) + ":12200";
      all.push_back(provider_at(address, i, 0));
    }
    return all;
  };
  const Providers here = list(0);
  const Providers half = list(count / 2);
  std::vector<std::string> urls;
  for (const Provider& one : here) urls.push_back(one.to_string());
  std::vector<double> parse_ms;
  for (int round = 0; round < 5; ++round) {
    const double began = thread_cpu_ns();
    for (const std::string& url : urls) {
      if (!Provider::parse(url)) std::abort();
    }
    parse_ms.push_back((thread_cpu_ns() - began) / 1e6);
  }

  board->set(real);
  const auto desk = client.refer<Desk>({board});
  desk->echo(kText).get();
  std::map<std::string, std::vector<double>> ms;
  std::vector<double> quiet_p99, push_p99, quiet_most, push_most, ratio;
  Load load(runtime, desk, 2'000);
  const auto pushed = [&](const char* name, const Providers& all) {
    ms[name].push_back(board->set(all));
    std::this_thread::sleep_for(200ms);
  };
  for (int round = 0; round < 6; ++round) {
    std::this_thread::sleep_for(100ms);
    load.taken();
    std::this_thread::sleep_for(800ms);
    const std::vector<double> quiet = load.taken();
    pushed("all_new", here);
    pushed("the_same", here);
    pushed("half_new", half);
    // A registry that lists a few of very many is not believed, so the few come by way of more.
    pushed("half_new", here);
    const std::vector<double> busy = load.taken();
    quiet_p99.push_back(at(quiet, 99));
    push_p99.push_back(at(busy, 99));
    quiet_most.push_back(at(quiet, 100));
    push_most.push_back(at(busy, 100));
    ratio.push_back(push_p99.back() / quiet_p99.back());
    board->set(list(10'000'000));
  }
  load.finish();
  std::printf("{\"providers\":%d,\"errors\":%lld,\"parse_ms\":%.2f", count,
              static_cast<long long>(load.errors), at(parse_ms, 50));
  for (const auto& [name, all] : ms) {
    std::printf(",\"%s_ms\":%.2f,\"%s_most_ms\":%.2f", name.c_str(), at(all, 50), name.c_str(),
                at(all, 100));
  }
  std::printf(
      ",\"quiet_p99_us\":%.0f,\"push_p99_us\":%.0f,\"p99_ratio\":%.2f,\"quiet_max_us\":%.0f,"
      "\"push_max_us\":%.0f}\n",
      at(quiet_p99, 50), at(push_p99, 50), at(ratio, 50), at(quiet_most, 50), at(push_most, 50));
  return load.errors == 0 ? 0 : 1;
}

// ---- tolerance ----

int tolerance(int rate) {
  Servers servers(4);
  Runtime runtime(one_loop());
  ClientOptions options;
  options.fault_tolerance.regulation_effective = true;
  options.fault_tolerance.degrade_effective = true;
  options.fault_tolerance.time_window = 1s;
  options.fault_tolerance.least_window_exception_rate_multiple = 2;
  options.fault_tolerance.weight_degrade_rate = 0.05;
  options.fault_tolerance.degrade_least_weight = 5;
  const double floor = 5.0 / 305;
  options.timeout = 150ms;
  Client client(runtime, options);
  Load load(runtime, client.refer<Desk>(servers.url()), rate);
  // The share of the first one, in a tenth of a second.
  const auto share = [&] {
    std::vector<std::int64_t> before;
    for (const auto& one : servers.desks) before.push_back(one->calls);
    std::this_thread::sleep_for(100ms);
    double all = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      all += static_cast<double>(servers.desks[i]->calls - before[i]);
    }
    return static_cast<double>(servers.desks[0]->calls - before[0]) / std::max(all, 1.0);
  };
  const auto mean = [&] {
    double sum = 0;
    for (int i = 0; i < 5; ++i) sum += share();
    return sum / 5;
  };
  const auto seconds_until = [](auto reached) {
    const TimePoint began = Clock::now();
    while (!reached()) {
      if (Clock::now() - began > 30s) return -1.0;
    }
    return std::chrono::duration<double>(Clock::now() - began).count();
  };
  const double before = mean();
  const bool well = load.errors == 0;
  servers.desks[0]->bad = true;
  const double down = seconds_until([&] { return share() <= 2 * floor; });
  const double at_floor = mean();
  servers.desks[0]->bad = false;
  const double up = seconds_until([&] { return mean() >= 0.235; });
  const double after = mean();
  load.finish();
  std::printf(
      "{\"rate\":%d,\"window_s\":1,\"floor_share\":%.4f,\"share_before\":%.4f,"
      "\"seconds_to_floor\":%.2f,\"share_at_floor\":%.4f,\"seconds_to_recover\":%.2f,"
      "\"share_after\":%.4f}\n",
      rate, floor, before, down, at_floor, up, after);
  return well && down >= 0 && up >= 0 ? 0 : 1;
}

int main_of(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const int number = argc > 2 ? std::atoi(argv[2]) : 0;
  if (what == "pipeline") return pipeline(number > 0 ? number : 30);
  if (what == "calls" && argc > 2) return calls(argv[2], argc > 3 ? std::atoi(argv[3]) : 10'000);
  if (what == "push") return push(number > 0 ? number : 10'000);
  if (what == "tolerance") return tolerance(number > 0 ? number : 5'000);
  std::fprintf(
      stderr,
      "usage: bench_cluster_figures pipeline [rounds] | calls VARIANT [N] | push [providers] | "
      "tolerance [rate]\n");
  return 2;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::main_of(argc, argv);
  } catch (const settee::Error& error) {
    std::fprintf(stderr, "bench_cluster_figures: %s\n", error.what());
    return 1;
  }
}
