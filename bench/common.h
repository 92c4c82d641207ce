// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What every program in bench/ shares: the flags, a latency histogram, CPU clocks of processes and
// the one-line JSON report. Header only and free of the settee libraries, so that the floor and the
// foreign peers measure nothing of ours.
#pragma once

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

namespace bench {

[[noreturn]] inline void die(const std::string& message) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, message.c_str());
  std::exit(2);
}

[[noreturn]] inline void die_errno(const std::string& step) {
  die(step + ": " + std::strerror(errno));
}

struct Options {
  int port = 0;  // a server picks a free one when 0
  int connections = 1;
  int outstanding = 1;  // calls in flight on each connection
  int payload = 16;     // bytes
  double duration = 2;  // seconds measured
  double warmup = 0.3;  // seconds before that, not measured
  int server_pid = 0;   // whose CPU clock to read, 0 = none
  bool each = false;    // one write per frame instead of one write per turn
  bool json = false;
};

inline double parse_number(std::string_view flag, std::string_view text, double least) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least) {
    char limit[32];
    std::snprintf(limit, sizeof limit, "%g", least);
    die(std::string(flag) + ": '" + std::string(text) + "' is not a number of at least " + limit);
  }
  return value;
}

/// Reads the flags that all programs here have in common (see bench/README.md); any other flag ends
/// the program with status 2.
inline Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--json") {
      options.json = true;
      continue;
    }
    if (i + 1 == argc) die(std::string(flag) + ": unknown flag, or its value is missing");
    const std::string_view value = argv[++i];
    const auto number = [&](double least) { return parse_number(flag, value, least); };
    if (flag == "--port") {
      options.port = static_cast<int>(number(0));
    } else if (flag == "--connections") {
      options.connections = static_cast<int>(number(1));
    } else if (flag == "--outstanding") {
      options.outstanding = static_cast<int>(number(1));
    } else if (flag == "--payload") {
      options.payload = static_cast<int>(number(0));
    } else if (flag == "--duration") {
      options.duration = number(0.01);
    } else if (flag == "--warmup") {
      options.warmup = number(0);
    } else if (flag == "--server-pid") {
      options.server_pid = static_cast<int>(number(1));
    } else if (flag == "--mode" && (value == "batch" || value == "each")) {
      options.each = value == "each";
    } else {
      die("unknown flag or value: " + std::string(flag) + " " + std::string(value));
    }
  }
  return options;
}

inline std::uint64_t clock_ns(clockid_t clock) {
  timespec t{};
  if (clock_gettime(clock, &t) != 0) die_errno("clock_gettime (has the server ended?)");
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(t.tv_nsec);
}

inline std::uint64_t now_ns() { return clock_ns(CLOCK_MONOTONIC); }

/// Log-linear histogram of nanoseconds: 128 steps per power of two, so a percentile is within 0.4 %
/// of the recorded value. Not thread-safe.
class Histogram {
 public:
  void record(std::uint64_t ns) {
    ++counts_[index(ns)];
    ++total_;
    max_ = std::max(max_, ns);
  }

  void clear() { *this = Histogram(); }

  std::uint64_t total() const { return total_; }
  double max_us() const { return static_cast<double>(max_) / 1e3; }

  double percentile_us(double percent) const {
    if (total_ == 0) return 0;
    const auto rank = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(static_cast<double>(total_) * percent / 100 + 0.999999));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= rank) return std::min(middle_ns(i), static_cast<double>(max_)) / 1e3;
    }
    return max_us();
  }

 private:
  static constexpr int kSubBits = 7;

  static int shift(std::uint64_t ns) {
    return std::max(0, static_cast<int>(std::bit_width(ns)) - kSubBits - 1);
  }

  static std::size_t index(std::uint64_t ns) {
    const int s = shift(ns);
    return (static_cast<std::size_t>(s) << kSubBits) + static_cast<std::size_t>(ns >> s);
  }

  static double middle_ns(std::size_t index) {
    if (index < (2u << kSubBits)) return static_cast<double>(index);
    const std::size_t s = (index >> kSubBits) - 1;
    const std::size_t low = (index - (s << kSubBits)) << s;
    return static_cast<double>(low) + static_cast<double>(std::size_t{1} << s) / 2;
  }

  std::array<std::uint64_t, (64 - kSubBits + 1) << kSubBits> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

/// What is measured between start() and stop(): calls, latencies, and the CPU time of this process
/// and, given its pid, of the server. Not thread-safe.
class Measurement {
 public:
  explicit Measurement(const Options& options) : options_(options) {
    if (options.server_pid != 0 && clock_getcpuclockid(options.server_pid, &server_clock_) != 0) {
      die("--server-pid " + std::to_string(options.server_pid) + ": no such process");
    }
  }

  void start() {
    latencies_.clear();
    errors_ = 0;
    started_ = snapshot();
  }

  void record(std::uint64_t latency_ns) { latencies_.record(latency_ns); }

  /// Counts an answer that is not what was asked for; the first few are printed.
  void error(std::string_view why) {
    if (++errors_ <= 5) {
      std::fprintf(stderr, "%s: bad answer: %.*s\n", program_invocation_short_name,
                   static_cast<int>(why.size()), why.data());
    }
  }

  void stop() { stopped_ = snapshot(); }

  /// Prints the result. Returns the exit status: 0 only if calls were made and none failed.
  int report() const {
    const double seconds = static_cast<double>(stopped_.wall - started_.wall) / 1e9;
    const auto calls = latencies_.total();
    const auto cpu_us_per_call = [&](std::uint64_t from, std::uint64_t to) {
      return calls == 0 ? 0 : static_cast<double>(to - from) / 1e3 / static_cast<double>(calls);
    };
    const double rate = static_cast<double>(calls) / seconds;
    const double client_us = cpu_us_per_call(started_.own, stopped_.own);
    std::printf(options_.json
                    ? "{\"calls\":%llu,\"errors\":%llu,\"seconds\":%.6f,\"rate\":%.1f,"
                      "\"p50_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,\"max_us\":%.3f,"
                      "\"client_cpu_us_per_call\":%.4f"
                    : "%llu calls, %llu errors in %.3f s: %.0f/s; p50 %.1f us, p99 %.1f us, "
                      "p99.9 %.1f us, max %.1f us; CPU us per call: client %.3f",
                static_cast<unsigned long long>(calls), static_cast<unsigned long long>(errors_),
                seconds, rate, latencies_.percentile_us(50), latencies_.percentile_us(99),
                latencies_.percentile_us(99.9), latencies_.max_us(), client_us);
    if (options_.server_pid != 0) {
      std::printf(options_.json ? ",\"server_cpu_us_per_call\":%.4f" : ", server %.3f",
                  cpu_us_per_call(started_.server, stopped_.server));
    }
    std::printf(options_.json ? "}\n" : "\n");
    return calls > 0 && errors_ == 0 ? 0 : 1;
  }

 private:
  struct Snapshot {
    std::uint64_t wall = 0;
    std::uint64_t own = 0;
    std::uint64_t server = 0;
  };

  Snapshot snapshot() const {
    return {now_ns(), clock_ns(CLOCK_PROCESS_CPUTIME_ID),
            options_.server_pid == 0 ? 0 : clock_ns(server_clock_)};
  }

  Options options_;
  clockid_t server_clock_ = 0;
  Histogram latencies_;
  std::uint64_t errors_ = 0;
  Snapshot started_;
  Snapshot stopped_;
};

}  // namespace bench
