// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/stats.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <map>
#include <mutex>
#include <new>
#include <set>

#include "settee/base/error.h"
#include "settee/base/internal/thread_slot.h"

namespace settee::inline v0 {

namespace detail {

namespace {

using Cell = std::atomic<std::uint64_t>;

// Only the thread that owns the cell may add this way: no locked instruction.
void add_owned(Cell& cell, std::uint64_t n) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

void lower_to(Cell& cell, std::uint64_t value) noexcept {
  std::uint64_t seen = cell.load(std::memory_order_relaxed);
  while (value < seen && !cell.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

void raise_to(Cell& cell, std::uint64_t value) noexcept {
  std::uint64_t seen = cell.load(std::memory_order_relaxed);
  while (value > seen && !cell.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

}  // namespace

// The counters of one bank: for each thread that counts in it a row, in which that thread's parts
// lie side by side. The entries of kSharedSlot and kUnknownSlot stay null, so that one look at the
// row finds all that is not the fast way.
struct StatBank {
  static constexpr std::uint32_t kCells = 64;

  struct alignas(64) Row {
    std::array<Cell, kCells> cells{};
  };

  ~StatBank() {
    for (auto& row : rows) delete row.load(std::memory_order_relaxed);
  }

  [[gnu::noinline, gnu::cold]] void add_slow(std::uint32_t index, std::uint64_t n) noexcept {
    const unsigned slot = thread_slot();
    if (slot != kSharedSlot) {
      Row* row = rows[slot].load(std::memory_order_relaxed);
      if (row == nullptr) {
        row = new (std::nothrow) Row;  // owned by rows
        rows[slot].store(row, std::memory_order_release);
      }
      if (row != nullptr) {
        add_owned(row->cells[index], n);
        return;
      }
    }
    shared.cells[index].fetch_add(n, std::memory_order_relaxed);
  }

  std::uint64_t sum(std::uint32_t index) const noexcept {
    std::uint64_t total = shared.cells[index].load(std::memory_order_relaxed);
    for (const auto& entry : rows) {
      if (const Row* row = entry.load(std::memory_order_acquire); row != nullptr) {
        total += row->cells[index].load(std::memory_order_relaxed);
      }
    }
    return total;
  }

  void zero(std::uint32_t index) noexcept {
    shared.cells[index].store(0, std::memory_order_relaxed);
    for (auto& entry : rows) {
      if (Row* row = entry.load(std::memory_order_acquire); row != nullptr) {
        row->cells[index].store(0, std::memory_order_relaxed);
      }
    }
  }

  std::array<std::atomic<Row*>, kSlotIndexes> rows{};
  Row shared;
};

namespace {

// Hands out places in banks and takes them back.
class BankPool {
 public:
  struct Place {
    StatBank* bank;
    std::uint32_t index;
  };

  Place take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      free_.reserve((banks_.size() + 1) * StatBank::kCells);  // so that give_back() cannot fail
      banks_.push_back(std::make_unique<StatBank>());
      for (std::uint32_t i = StatBank::kCells; i > 0; --i) {
        free_.push_back({banks_.back().get(), i - 1});
      }
    }
    const Place place = free_.back();
    free_.pop_back();
    return place;
  }

  void give_back(Place place) noexcept {
    place.bank->zero(place.index);
    const std::lock_guard lock(mutex_);
    free_.push_back(place);
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<StatBank>> banks_;
  std::vector<Place> free_;
};

}  // namespace

struct HistogramCore {
  static constexpr unsigned kSubBits = 5;
  static constexpr unsigned kSub = 1u << kSubBits;
  // The values below 2 * kSub have a bucket each; every further power of two has kSub.
  static constexpr unsigned kGroups = 64 - kSubBits + 1;

  using Group = std::array<Cell, kSub>;

  struct alignas(64) Row {
    Cell sum{0};
    Cell min{UINT64_MAX};
    Cell max{0};
    std::array<std::atomic<Group*>, kGroups> groups{};

    ~Row() {
      for (auto& group : groups) delete group.load(std::memory_order_relaxed);
    }
  };

  static unsigned index_of(std::uint64_t value) noexcept {
    const auto shift = static_cast<unsigned>(std::bit_width(value | kSub)) - (kSubBits + 1);
    return (shift << kSubBits) + static_cast<unsigned>(value >> shift);
  }
  static std::uint64_t lower(unsigned index) noexcept {
    if (index < 2 * kSub) return index;
    const unsigned shift = (index >> kSubBits) - 1;
    return static_cast<std::uint64_t>((index & (kSub - 1)) + kSub) << shift;
  }
  static std::uint64_t width(unsigned index) noexcept {
    return index < 2 * kSub ? 1 : std::uint64_t{1} << ((index >> kSubBits) - 1);
  }

  ~HistogramCore() {
    for (auto& row : rows) delete row.load(std::memory_order_relaxed);
  }

  static void add(Row& row, unsigned slot, unsigned index, std::uint64_t value) noexcept {
    auto& entry = row.groups[index >> kSubBits];
    Group* group = entry.load(std::memory_order_acquire);
    if (group == nullptr) [[unlikely]]
      group = publish(entry);
    if (group == nullptr) return;  // no memory: the value is not counted at all
    Cell& bucket = (*group)[index & (kSub - 1)];
    if (slot != kSharedSlot) [[likely]] {
      add_owned(bucket, 1);
      add_owned(row.sum, value);
      if (value < row.min.load(std::memory_order_relaxed)) {
        row.min.store(value, std::memory_order_relaxed);
      }
      if (value > row.max.load(std::memory_order_relaxed)) {
        row.max.store(value, std::memory_order_relaxed);
      }
    } else {
      bucket.fetch_add(1, std::memory_order_relaxed);
      row.sum.fetch_add(value, std::memory_order_relaxed);
      lower_to(row.min, value);
      raise_to(row.max, value);
    }
  }

  // Makes what the entry points to, unless another thread is first; null without memory.
  template <class T>
  [[gnu::noinline, gnu::cold]] static T* publish(std::atomic<T*>& entry) noexcept {
    std::unique_ptr<T> made(new (std::nothrow) T{});
    T* there = nullptr;
    if (made != nullptr &&
        entry.compare_exchange_strong(there, made.get(), std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      return made.release();
    }
    return there;
  }

  void record(std::uint64_t value) noexcept {
    const unsigned slot = thread_slot();
    Row* row = rows[slot].load(std::memory_order_acquire);
    if (row == nullptr) [[unlikely]]
      row = publish(rows[slot]);
    if (row != nullptr) add(*row, slot, index_of(value), value);
  }

  HistogramSnapshot snapshot() const {
    HistogramSnapshot result;
    std::array<std::uint64_t, std::size_t{kGroups} * kSub> counts{};
    for (const auto& entry : rows) {
      const Row* row = entry.load(std::memory_order_acquire);
      if (row == nullptr) continue;
      result.sum_ += row->sum.load(std::memory_order_relaxed);
      result.min_ = std::min(result.min_, row->min.load(std::memory_order_relaxed));
      result.max_ = std::max(result.max_, row->max.load(std::memory_order_relaxed));
      for (unsigned g = 0; g < kGroups; ++g) {
        const Group* group = row->groups[g].load(std::memory_order_acquire);
        if (group == nullptr) continue;
        for (unsigned i = 0; i < kSub; ++i) {
          counts[g * kSub + i] += (*group)[i].load(std::memory_order_relaxed);
        }
      }
    }
    for (unsigned i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      result.count_ += counts[i];
      result.buckets_.push_back({lower(i), lower(i) + (width(i) - 1), counts[i]});
    }
    fit(result);
    return result;
  }

  // Makes min and max agree with the buckets, which a thread that records right now has changed
  // before or after them.
  static void fit(HistogramSnapshot& snapshot) noexcept {
    if (snapshot.buckets_.empty()) {
      snapshot.min_ = UINT64_MAX;
      snapshot.max_ = 0;
      return;
    }
    const auto& first = snapshot.buckets_.front();
    const auto& last = snapshot.buckets_.back();
    snapshot.min_ = std::clamp(snapshot.min_, first.lower, first.upper);
    snapshot.max_ = std::clamp(snapshot.max_, last.lower, last.upper);
  }

  std::array<std::atomic<Row*>, kSlotIndexes> rows{};
};

struct StatCell {
  StatCell(std::shared_ptr<const StatInfo> cell_info, std::shared_ptr<BankPool> bank_pool)
      : info(std::move(cell_info)) {
    if (info->kind == StatKind::kHistogram) {
      core = std::make_unique<HistogramCore>();
      histogram.core_ = core.get();
    } else {
      const BankPool::Place place = bank_pool->take();
      counter.bank_ = place.bank;
      counter.index_ = place.index;
      pool = std::move(bank_pool);
    }
  }
  ~StatCell() {
    if (pool != nullptr) pool->give_back({counter.bank_, counter.index_});
  }

  StatValue value() const {
    StatValue result;
    result.info = info;
    if (info->kind == StatKind::kHistogram) {
      result.histogram = core->snapshot();
      result.value = static_cast<std::int64_t>(result.histogram.count());
    } else {
      result.value = static_cast<std::int64_t>(counter.value());
    }
    return result;
  }

  const std::shared_ptr<const StatInfo> info;
  std::shared_ptr<BankPool> pool;
  std::unique_ptr<HistogramCore> core;
  Counter counter;
  UpDownCounter up_down{counter};
  Histogram histogram;
  std::size_t owners = 0;  // under the state's mutex; the Stats itself counts as one
  bool kept_by_stats = false;
};

namespace {

bool valid_name(std::string_view name) {
  return !name.empty() && name.size() <= 256 &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
             "0123456789_.-/:") == std::string_view::npos;
}

std::string_view kind_name(StatKind kind) {
  switch (kind) {
    case StatKind::kCounter: return "a counter";
    case StatKind::kUpDownCounter: return "an up-down counter";
    case StatKind::kHistogram: return "a histogram";
  }
  return "something else";
}

// "name{key=value,...}", for people.
std::string full_name(const StatInfo& info) {
  std::string text = info.name;
  for (std::size_t i = 0; i < info.tags.size(); ++i) {
    text += (i == 0 ? "{" : ",") + info.tags[i].key + "=" + info.tags[i].value;
  }
  return info.tags.empty() ? text : text + "}";
}

using StatKey = std::pair<std::string, StatTags>;

}  // namespace

struct StatsState {
  explicit StatsState(std::size_t max) : max_cells(max) {}

  // The cell, found or made. `hold` is called with it under the mutex, before anybody can drop it.
  template <class Hold>
  StatCell& cell(StatKind kind, std::string_view name, std::string_view unit,
                 std::string_view description, StatTags tags, Hold hold) {
    std::sort(tags.begin(), tags.end());
    auto info = std::make_shared<StatInfo>(StatInfo{kind, std::string(name), std::string(unit),
                                                    std::string(description), std::move(tags)});
    check(*info);
    StatKey key(info->name, info->tags);
    const std::lock_guard lock(mutex);
    if (const auto found = cells.find(key); found != cells.end()) {
      const StatInfo& there = *found->second->info;
      if (there.kind != kind || there.unit != unit) {
        throw Error(Code::kMisuse, "register " + full_name(*info) + " as " +
                                       std::string(kind_name(kind)) + " in '" + info->unit +
                                       "': it is already " + std::string(kind_name(there.kind)) +
                                       " in '" + there.unit + "'; use another name");
      }
      hold(found->second);
      return *found->second;
    }
    if (cells.size() >= max_cells) {
      throw Error(Code::kLimit, "register " + full_name(*info) +
                                    ": settee.stats.max_cells=" + std::to_string(max_cells) +
                                    " reached; do tags take their values from requests?");
    }
    auto made = std::make_shared<StatCell>(std::move(info), pool);
    hold(made);
    cells.emplace(std::move(key), made);
    return *made;
  }

  static void check(const StatInfo& info) {
    if (!valid_name(info.name)) {
      throw Error(Code::kInvalidArgument,
                  "register stat '" + info.name +
                      "': a name is 1 to 256 letters, digits and characters of _.-/:");
    }
    for (std::size_t i = 0; i < info.tags.size(); ++i) {
      if (!valid_name(info.tags[i].key)) {
        throw Error(Code::kInvalidArgument, "register " + full_name(info) + ": tag '" +
                                                info.tags[i].key +
                                                "' is not letters, digits and _.-/:");
      }
      if (i > 0 && info.tags[i].key == info.tags[i - 1].key) {
        throw Error(Code::kInvalidArgument,
                    "register " + full_name(info) + ": tag '" + info.tags[i].key + "' twice");
      }
    }
  }

  // For cells that stay as long as the Stats.
  StatCell& kept_cell(StatKind kind, std::string_view name, std::string_view unit,
                      std::string_view description, StatTags tags) {
    return cell(kind, name, unit, description, std::move(tags),
                [](const std::shared_ptr<StatCell>& found) {
                  if (!found->kept_by_stats) ++found->owners;
                  found->kept_by_stats = true;
                });
  }

  std::vector<std::shared_ptr<StatCell>> all() const {
    const std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<StatCell>> list;
    list.reserve(cells.size());
    for (const auto& [key, cell] : cells) list.push_back(cell);
    return list;
  }

  const std::size_t max_cells;
  const std::shared_ptr<BankPool> pool = std::make_shared<BankPool>();
  mutable std::mutex mutex;
  std::map<StatKey, std::shared_ptr<StatCell>> cells;
};

}  // namespace detail

using detail::StatCell;

void Counter::add(std::uint64_t n) noexcept {
  detail::StatBank::Row* row =
      bank_->rows[detail::thread_slot_index].load(std::memory_order_relaxed);
  if (row != nullptr) [[likely]] {
    detail::add_owned(row->cells[index_], n);
  } else {
    bank_->add_slow(index_, n);
  }
}

std::uint64_t Counter::value() const noexcept { return bank_->sum(index_); }

void Histogram::record(std::uint64_t value) noexcept { core_->record(value); }
HistogramSnapshot Histogram::snapshot() const { return core_->snapshot(); }

std::uint64_t HistogramSnapshot::percentile(double q) const noexcept {
  if (count_ == 0 || !(q > 0)) return min();
  if (q >= 1) return max_;
  const double wanted = std::ceil(q * static_cast<double>(count_));
  std::uint64_t seen = 0;
  for (const Bucket& bucket : buckets_) {
    seen += bucket.count;
    if (static_cast<double>(seen) >= wanted) {
      return std::clamp(bucket.lower + (bucket.upper - bucket.lower) / 2, min_, max_);
    }
  }
  return max_;
}

HistogramSnapshot HistogramSnapshot::since(const HistogramSnapshot& earlier) const {
  HistogramSnapshot result;
  result.sum_ = sum_ - earlier.sum_;
  auto before = earlier.buckets_.begin();
  for (Bucket bucket : buckets_) {
    while (before != earlier.buckets_.end() && before->lower < bucket.lower) ++before;
    if (before != earlier.buckets_.end() && before->lower == bucket.lower) {
      bucket.count -= std::min(bucket.count, before->count);
    }
    if (bucket.count == 0) continue;
    result.count_ += bucket.count;
    result.buckets_.push_back(bucket);
  }
  if (!result.buckets_.empty()) {
    result.min_ = std::max(result.buckets_.front().lower, min_);
    result.max_ = std::min(result.buckets_.back().upper, max_);
  }
  return result;
}

Stats::Stats(std::size_t max_cells) : state_(std::make_shared<detail::StatsState>(max_cells)) {}
Stats::~Stats() = default;

Counter& Stats::counter(std::string_view name, std::string_view unit, std::string_view description,
                        StatTags tags) {
  return state_->kept_cell(StatKind::kCounter, name, unit, description, std::move(tags)).counter;
}

UpDownCounter& Stats::up_down_counter(std::string_view name, std::string_view unit,
                                      std::string_view description, StatTags tags) {
  return state_->kept_cell(StatKind::kUpDownCounter, name, unit, description, std::move(tags))
      .up_down;
}

Histogram& Stats::histogram(std::string_view name, std::string_view unit,
                            std::string_view description, StatTags tags) {
  return state_->kept_cell(StatKind::kHistogram, name, unit, description, std::move(tags))
      .histogram;
}

std::size_t Stats::size() const {
  const std::lock_guard lock(state_->mutex);
  return state_->cells.size();
}

void Stats::visit(const std::function<void(const StatValue&)>& see) const {
  for (const auto& cell : state_->all()) see(cell->value());
}

std::vector<StatValue> Stats::snapshot() const {
  std::vector<StatValue> values;
  for (const auto& cell : state_->all()) values.push_back(cell->value());
  return values;
}

std::optional<StatValue> Stats::find(std::string_view name, StatTags tags) const {
  std::sort(tags.begin(), tags.end());
  std::shared_ptr<StatCell> cell;
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->cells.find(detail::StatKey(std::string(name), std::move(tags)));
    if (found == state_->cells.end()) return std::nullopt;
    cell = found->second;
  }
  return cell->value();
}

struct StatOwner::Held {
  explicit Held(std::shared_ptr<detail::StatsState> stats) : state(std::move(stats)) {}

  ~Held() {
    const std::lock_guard lock(state->mutex);
    for (const auto& cell : cells) {
      if (--cell->owners > 0) continue;
      state->cells.erase(detail::StatKey(cell->info->name, cell->info->tags));
    }
  }

  StatCell& cell(StatKind kind, std::string_view name, std::string_view unit,
                 std::string_view description, StatTags tags) {
    return state->cell(kind, name, unit, description, std::move(tags),
                       [this](const std::shared_ptr<StatCell>& found) {
                         if (cells.insert(found).second) ++found->owners;
                       });
  }

  const std::shared_ptr<detail::StatsState> state;
  std::set<std::shared_ptr<StatCell>> cells;  // under the state's mutex
};

StatOwner::StatOwner(Stats& stats) : held_(std::make_unique<Held>(stats.state_)) {}
StatOwner::~StatOwner() = default;

Counter& StatOwner::counter(std::string_view name, std::string_view unit,
                            std::string_view description, StatTags tags) {
  return held_->cell(StatKind::kCounter, name, unit, description, std::move(tags)).counter;
}

UpDownCounter& StatOwner::up_down_counter(std::string_view name, std::string_view unit,
                                          std::string_view description, StatTags tags) {
  return held_->cell(StatKind::kUpDownCounter, name, unit, description, std::move(tags)).up_down;
}

Histogram& StatOwner::histogram(std::string_view name, std::string_view unit,
                                std::string_view description, StatTags tags) {
  return held_->cell(StatKind::kHistogram, name, unit, description, std::move(tags)).histogram;
}

}  // namespace settee::inline v0
