// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// settee bench: calls one method over and over through a typed proxy, on one loop, and measures.

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "apps/settee/commands.h"
#include "apps/settee/latency_histogram.h"
#include "apps/settee/text.h"
#include "settee/rpc/rpc.h"

namespace settee::cli {

/// The shape of every method that can be measured; which one it is the command line says.
struct TextMethod {
  virtual ~TextMethod() = default;
  virtual Task<std::string> call(std::string text) = 0;
};

}  // namespace settee::cli

SETTEE_SERVICE(settee::cli::TextMethod, "", (call, text))

namespace settee::cli {

namespace {

constexpr std::string_view kName = "bench";

/// Passes the calls of a TextMethod proxy on as calls of another method of the same shape.
class Renamed final : public Invoker {
 public:
  Renamed(Invoker* target, const MethodInfo& method) noexcept : target_(target), method_(method) {}
  ~Renamed() override { target_->release(); }
  Task<void> invoke(const MethodInfo&, void* const* arguments, void* result,
                    settee::detail::CallMode mode) override {
    return target_->invoke(method_, arguments, result, mode);
  }

 private:
  Invoker* const target_;
  const MethodInfo& method_;
};

/// One client, hence one connection.
struct Connection {
  std::unique_ptr<rpc::Client> client;
  std::unique_ptr<TextMethod> method;
};

struct Clocks {
  TimePoint wall;
  std::uint64_t own_ns = 0;
  std::uint64_t server_ns = 0;
};

std::uint64_t cpu_ns(clockid_t clock, std::string_view whose) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) {
    throw Error(Code::kIo,
                fmt::format("reading the CPU clock of {}: {}", whose, std::strerror(errno)));
  }
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

/// All that happens on the loop.
class Load {
 public:
  Load(Loop& loop, const BenchCommand& command, std::vector<Connection>& connections)
      : loop_(loop),
        command_(command),
        connections_(connections),
        argument_(static_cast<std::size_t>(command.payload), 'x') {
    if (command.server_pid != 0 && clock_getcpuclockid(command.server_pid, &server_clock_) != 0) {
      throw Error(Code::kInvalidArgument,
                  fmt::format("--server-pid {}: there is no such process", command.server_pid));
    }
  }

  /// Ends when the last call has; an Error when a connection's first call fails.
  Task<void> run() {
    // The server's answer to one call decides whether there is anything to measure.
    for (Connection& connection : connections_) {
      Result<std::string> answer = co_await as_result(connection.method->call(argument_));
      if (!answer) co_await fail(answer.error());
      echoes_ = *answer == argument_;
    }
    const Result<void> measured = co_await as_result(measure());
    // Nothing may run any more when this object goes, however the measurement ended.
    stopping_ = true;
    if (schedule_) schedule_->stop();
    while (active_ != 0) co_await sleep_for(std::chrono::milliseconds(1));
    loop_.delete_later(std::move(schedule_));
    if (!measured) co_await fail(measured.error());
  }

  int report() const;

 private:
  /// Starts calls at their times. A timer of its own, as those of the loop are good to a
  /// millisecond.
  class Schedule final : public Watcher {
   public:
    Schedule(Load& load, double rate)
        : load_(load), start_(Clock::now()), interval_ns_(1e9 / rate), next_(start_) {
      fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
      if (fd_ < 0) {
        throw Error(Code::kIo, fmt::format("timerfd_create: {}", std::strerror(errno)));
      }
      load_.loop_.watch(fd_, 1 /* EPOLLIN */, *this);
      arm();
    }
    ~Schedule() {
      stop();
      close(fd_);
    }
    void stop() noexcept {
      if (!stopped_) load_.loop_.unwatch(fd_);
      stopped_ = true;
    }

    void on_events(std::uint32_t) override {
      if (stopped_) return;
      // All that are due, and not one more, however late this is.
      for (const TimePoint now = Clock::now(); next_ <= now;) {
        load_.begin(load_.once(load_.next_connection(), next_));
        next_ = start_ +
                Duration(static_cast<std::int64_t>(static_cast<double>(++sent_) * interval_ns_));
      }
      arm();
    }

   private:
    // steady_clock is CLOCK_MONOTONIC. A time that has passed meanwhile fires at once.
    void arm() noexcept {
      const auto at = std::max<std::int64_t>(next_.time_since_epoch().count(), 1);
      itimerspec when{};
      when.it_value.tv_sec = at / 1'000'000'000;
      when.it_value.tv_nsec = at % 1'000'000'000;
      timerfd_settime(fd_, TFD_TIMER_ABSTIME, &when, nullptr);
    }

    Load& load_;
    const TimePoint start_;
    const double interval_ns_;
    TimePoint next_;
    std::uint64_t sent_ = 0;
    int fd_ = -1;
    bool stopped_ = false;
  };

  Task<void> measure() {
    if (command_.rate > 0) {
      schedule_ = std::make_shared<Schedule>(*this, command_.rate);
    } else {
      for (Connection& connection : connections_) {
        for (int i = 0; i < command_.outstanding; ++i) begin(repeat(connection));
      }
    }
    co_await sleep_for(seconds(command_.warmup));
    begin_ = clocks();
    from_ = begin_.wall;
    co_await sleep_for(seconds(command_.duration));
    end_ = clocks();
    to_ = end_.wall;
  }

  static Duration seconds(double s) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
  }

  Clocks clocks() const {
    Clocks now;
    now.wall = Clock::now();
    now.own_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID, "this process");
    if (command_.server_pid != 0) {
      now.server_ns =
          cpu_ns(server_clock_, fmt::format("process {} (has it ended?)", command_.server_pid));
    }
    return now;
  }

  void begin(Task<void> task) {
    ++active_;
    std::move(task).then([this](const Result<void>&) { --active_; });
  }

  Connection& next_connection() noexcept {
    if (++last_connection_ >= connections_.size()) last_connection_ = 0;
    return connections_[last_connection_];
  }

  /// Closed loop: the next call leaves when the answer to the last has come. The loop's time is
  /// read once a turn for all, so that the clock does not cost each call a share of what is
  /// measured.
  Task<void> repeat(Connection& connection) {
    while (!stopping_) {
      const TimePoint sent = loop_.now();
      Result<std::string> answer = co_await as_result(connection.method->call(argument_));
      const TimePoint answered = loop_.now();
      if (answer) {
        count(*answer, sent, answered, answered);
      } else {
        count(answer.error());
        co_await sleep_for(std::chrono::milliseconds(5));  // no rush at a broken connection
      }
    }
  }

  /// Open loop: belongs to the time at which it was due, even if its answer comes after the end.
  Task<void> once(Connection& connection, TimePoint due) {
    Result<std::string> answer = co_await as_result(connection.method->call(argument_));
    if (answer) {
      count(*answer, due, Clock::now(), due);
    } else {
      count(answer.error());
    }
  }

  void count(const std::string& answer, TimePoint begin, TimePoint end, TimePoint belongs_to) {
    if (echoes_ && answer.size() != argument_.size()) {
      count(Error(Code::kPeerError,
                  fmt::format("an answer of {} bytes, where the first one was the argument of {}",
                              answer.size(), argument_.size())));
      return;
    }
    if (belongs_to < from_ || belongs_to >= to_) return;
    latencies_.record(static_cast<std::uint64_t>(std::max<std::int64_t>((end - begin).count(), 0)));
  }

  // Also those outside of the measured time: a call that fails is never left unsaid.
  void count(const Error& error) {
    ++errors_;
    for (Distinct& known : distinct_) {
      if (known.text == error.what()) {
        ++known.count;
        return;
      }
    }
    if (distinct_.size() < 5) distinct_.push_back({error.what(), 1});
  }

  Loop& loop_;
  const BenchCommand& command_;
  std::vector<Connection>& connections_;
  const std::string argument_;
  clockid_t server_clock_ = 0;
  std::shared_ptr<Schedule> schedule_;
  std::size_t last_connection_ = 0;
  std::size_t active_ = 0;
  bool stopping_ = false;
  bool echoes_ = false;
  TimePoint from_ = TimePoint::max();
  TimePoint to_ = TimePoint::max();
  Clocks begin_;
  Clocks end_;
  LatencyHistogram latencies_;
  std::uint64_t errors_ = 0;
  struct Distinct {
    std::string text;
    std::uint64_t count;
  };
  std::vector<Distinct> distinct_;
};

int Load::report() const {
  const double wall = std::chrono::duration<double>(end_.wall - begin_.wall).count();
  const std::uint64_t calls = latencies_.count();
  const auto us = [this](double percent) { return latencies_.percentile(percent) / 1e3; };
  const auto cpu_us = [calls](std::uint64_t from, std::uint64_t to) {
    return calls == 0 ? 0.0 : static_cast<double>(to - from) / 1e3 / static_cast<double>(calls);
  };
  const double rate = static_cast<double>(calls) / wall;
  const double max_us = static_cast<double>(latencies_.max()) / 1e3;
  const double client_us = cpu_us(begin_.own_ns, end_.own_ns);
  const double server_us = cpu_us(begin_.server_ns, end_.server_ns);
  const bool has_server = command_.server_pid != 0;

  for (const Distinct& error : distinct_) {
    complain(kName, fmt::format("{} times: {}", error.count, error.text));
  }
  if (calls == 0 && errors_ == 0) {
    complain(kName, "no call ended in the measured time: give it more with --duration");
  }
  std::string out;
  if (command_.json) {
    out = fmt::format(
        "{{\"calls\":{},\"errors\":{},\"seconds\":{:.6f},\"rate\":{:.1f},\"p50_us\":{:.3f},"
        "\"p90_us\":{:.3f},\"p99_us\":{:.3f},\"p999_us\":{:.3f},\"max_us\":{:.3f},"
        "\"client_cpu_us_per_call\":{:.4f}",
        calls, errors_, wall, rate, us(50), us(90), us(99), us(99.9), max_us, client_us);
    if (has_server) out += fmt::format(",\"server_cpu_us_per_call\":{:.4f}", server_us);
    out += "}\n";
  } else {
    const std::string load = command_.rate > 0
                                 ? fmt::format("{:g} calls/s by schedule", command_.rate)
                                 : fmt::format("{} outstanding each", command_.outstanding);
    out = fmt::format(
        "{}#{}: {} connection{}, {}, {} bytes\n"
        "calls     {} in {:.3f} s ({:.0f}/s), {} errors\n"
        "latency   p50 {:.1f} us, p90 {:.1f} us, p99 {:.1f} us, p99.9 {:.1f} us, max {:.1f} us\n"
        "CPU/call  client {:.3f} us",
        printable(command_.url), printable(command_.method), command_.connections,
        command_.connections == 1 ? "" : "s", load, command_.payload, calls, wall, rate, errors_,
        us(50), us(90), us(99), us(99.9), max_us, client_us);
    if (has_server) out += fmt::format(", server {:.3f} us", server_us);
    out += '\n';
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  return calls > 0 && errors_ == 0 ? kOk : kFailed;
}

// Each connection is a file; the usual soft limit of 1024 is no intention of anybody's.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int run(const BenchCommand& command) {
  raise_file_limit();
  // Made of TextMethod's description, with the name of the method that is meant.
  MethodInfo method = service_of<TextMethod>().methods[0];
  method.wire_name = command.method;
  ServiceInfo service;
  service.methods = {&method, 1};

  Runtime runtime(quiet());
  std::vector<Connection> connections(static_cast<std::size_t>(command.connections));
  try {
    rpc::ClientOptions options;
    options.app_name = "settee-bench";
    options.timeout = command.timeout;
    options.tls = make_tls(runtime, command.tls);
    options.max_in_flight =
        std::max(options.max_in_flight, static_cast<std::size_t>(command.outstanding));
    for (Connection& connection : connections) {
      connection.client = std::make_unique<rpc::Client>(runtime, options);
      auto* const target = connection.client->refer_erased(command.url, service);
      connection.method =
          make_proxy<TextMethod>(std::make_unique<Renamed>(target, method).release());
    }
    const auto load = std::make_unique<Load>(runtime.loop(0), command, connections);
    runtime.run(load->run());
    return load->report();
  } catch (const Error& error) {
    return complain(kName, error);
  }
}

}  // namespace settee::cli
