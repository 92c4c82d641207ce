// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Stats: the measured values of one Runtime. Code registers a named cell once and then counts in it
// for about a nanosecond: every thread writes its own part, and the parts are added up on reading.
//
//   Counter& calls = stats.counter("settee.rpc.calls", "1", "Calls begun", {{"service", name}});
//   Histogram& times = stats.histogram("settee.rpc.time", "ns", "From request to answer");
//   calls.add();
//   times.record(elapsed_ns);
//   stats.visit([](const StatValue& cell) { print(cell.info->name, cell.value); });
//
// Threads: everything here may be used from any thread at any time. A value read while others count
// is somewhere between its values before and after; once they have stopped it is exact.
// Ownership: a cell lives as long as its Stats, or as the last StatOwner that registered it.
// Errors: registration throws an Error, with Code::kMisuse when the name is in use for another kind
// or unit, kInvalidArgument for a bad name or tag, kLimit when there are too many cells.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/base/export.h"

namespace settee::inline v0 {

enum class StatKind : std::uint8_t {
  kCounter,        ///< only rises
  kUpDownCounter,  ///< rises and falls, e.g. open connections
  kHistogram,      ///< the distribution of recorded values
};

/// Tells cells of one name apart, e.g. service = com.acme.Quotes.
struct StatTag {
  std::string key;
  std::string value;

  StatTag(std::string tag_key, std::string tag_value)
      : key(std::move(tag_key)), value(std::move(tag_value)) {}
  friend auto operator<=>(const StatTag&, const StatTag&) = default;
};

using StatTags = std::vector<StatTag>;

/// What a cell was registered with. The tags are sorted by key.
struct StatInfo {
  StatKind kind;
  std::string name;
  std::string unit;  ///< as in UCUM: "1", "By", "ns"
  std::string description;
  StatTags tags;
};

namespace detail {
struct StatBank;
struct StatCell;
struct StatsState;
struct HistogramCore;
}  // namespace detail

class Counter {
 public:
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  SETTEE_API void add(std::uint64_t n = 1) noexcept;
  SETTEE_API std::uint64_t value() const noexcept;

 private:
  friend struct detail::StatCell;
  Counter() = default;
  detail::StatBank* bank_ = nullptr;
  std::uint32_t index_ = 0;
};

class UpDownCounter {
 public:
  void add(std::int64_t n = 1) noexcept { counter_.add(static_cast<std::uint64_t>(n)); }
  void subtract(std::int64_t n = 1) noexcept { counter_.add(0 - static_cast<std::uint64_t>(n)); }
  std::int64_t value() const noexcept { return static_cast<std::int64_t>(counter_.value()); }

 private:
  friend struct detail::StatCell;
  explicit UpDownCounter(Counter& counter) noexcept : counter_(counter) {}
  Counter& counter_;
};

/// What a histogram held at one moment.
class HistogramSnapshot {
 public:
  struct Bucket {
    std::uint64_t lower;  ///< the smallest value that falls into it
    std::uint64_t upper;  ///< the largest
    std::uint64_t count;
  };

  std::uint64_t count() const noexcept { return count_; }
  /// Modulo 2^64.
  std::uint64_t sum() const noexcept { return sum_; }
  /// The smallest and the largest value recorded; 0 if there is none.
  std::uint64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
  std::uint64_t max() const noexcept { return max_; }
  double mean() const noexcept {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }
  /// The value that a share `q` (0 to 1) of all values does not exceed, within 1.6 %; exact below
  /// 64, at q = 0 and at q = 1. 0 if nothing was recorded.
  SETTEE_API std::uint64_t percentile(double q) const noexcept;
  /// The buckets that are not empty, in ascending order.
  std::span<const Bucket> buckets() const noexcept { return buckets_; }

  /// What was recorded after `earlier`, a snapshot of the same histogram. Its min and max are the
  /// bounds of its buckets, cut to min and max of the whole.
  SETTEE_API HistogramSnapshot since(const HistogramSnapshot& earlier) const;

 private:
  friend struct detail::HistogramCore;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = UINT64_MAX;
  std::uint64_t max_ = 0;
  std::vector<Bucket> buckets_;
};

/// Counts values in log-linear buckets: 32 to each power of two, and one to each value below 64.
/// Memory: 1 KiB, and for each thread that records 0.5 KiB and 256 bytes per power of two it has
/// met; at most 16 KiB per thread.
class Histogram {
 public:
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  SETTEE_API void record(std::uint64_t value) noexcept;
  SETTEE_API HistogramSnapshot snapshot() const;

 private:
  friend struct detail::StatCell;
  Histogram() = default;
  detail::HistogramCore* core_ = nullptr;
};

/// A cell and its value at one moment.
struct StatValue {
  std::shared_ptr<const StatInfo> info;  ///< never null
  std::int64_t value = 0;                ///< of counters; the count of a histogram
  HistogramSnapshot histogram;           ///< of histograms
};

/// How many cells a Stats takes unless told otherwise ("settee.stats.max_cells").
inline constexpr std::size_t kDefaultMaxStatCells = 65536;

class SETTEE_API Stats {
 public:
  explicit Stats(std::size_t max_cells = kDefaultMaxStatCells);
  ~Stats();
  Stats(const Stats&) = delete;
  Stats& operator=(const Stats&) = delete;

  /// The cell of this name and these tags, made if there is none; it stays until this Stats ends.
  /// Names are letters, digits and "_.-/:", as are the keys of tags.
  Counter& counter(std::string_view name, std::string_view unit, std::string_view description,
                   StatTags tags = {});
  UpDownCounter& up_down_counter(std::string_view name, std::string_view unit,
                                 std::string_view description, StatTags tags = {});
  Histogram& histogram(std::string_view name, std::string_view unit, std::string_view description,
                       StatTags tags = {});

  std::size_t size() const;
  /// Shows every cell, by name and tags. No lock is held while `see` runs.
  void visit(const std::function<void(const StatValue&)>& see) const;
  std::vector<StatValue> snapshot() const;
  std::optional<StatValue> find(std::string_view name, StatTags tags = {}) const;

 private:
  friend class StatOwner;
  std::shared_ptr<detail::StatsState> state_;
};

/// Registers cells that end with it: for modules, connections and whatever else leaves before the
/// Runtime. A cell that several owners registered ends with the last of them. Cells of an owner may
/// be used as long as it lives, even if the Stats has ended.
class SETTEE_API StatOwner {
 public:
  explicit StatOwner(Stats& stats);
  /// Nobody may count in this owner's cells any more.
  ~StatOwner();
  StatOwner(const StatOwner&) = delete;
  StatOwner& operator=(const StatOwner&) = delete;

  Counter& counter(std::string_view name, std::string_view unit, std::string_view description,
                   StatTags tags = {});
  UpDownCounter& up_down_counter(std::string_view name, std::string_view unit,
                                 std::string_view description, StatTags tags = {});
  Histogram& histogram(std::string_view name, std::string_view unit, std::string_view description,
                       StatTags tags = {});

 private:
  struct Held;
  std::unique_ptr<Held> held_;
};

}  // namespace settee::inline v0
