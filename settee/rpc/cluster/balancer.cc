// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/balancer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <functional>
#include <limits>

#include "settee/rpc/cluster/internal/hash_ring.h"
#include "settee/rpc/cluster/internal/local_address.h"
#include "settee/rpc/cluster/internal/weighted_table.h"

namespace settee::inline v0::rpc::cluster {

Balancer::~Balancer() = default;

namespace {

// More random bits out of random bits (splitmix64).
std::uint64_t next_random(std::uint64_t& state) noexcept {
  state += 0x9e37'79b9'7f4a'7c15;
  std::uint64_t bits = state;
  bits = (bits ^ (bits >> 30)) * 0xbf58'476d'1ce4'e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d0'49bb'1331'11eb;
  return bits ^ (bits >> 31);
}

class RandomBalancer final : public Balancer {
 public:
  explicit RandomBalancer(Members members) : members_(std::move(members)), table_(members_) {}
  std::size_t choose(const Choice& choice) const noexcept override {
    return table_.empty() ? kNone : table_.draw(choice.random);
  }

 private:
  const Members members_;
  mutable WeightedTable table_;
};

class LocalFirstBalancer final : public Balancer {
 public:
  explicit LocalFirstBalancer(Members members) : members_(std::move(members)), all_(members_) {
    Members local;
    const LocalAddresses addresses;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (!addresses.contains(members_[i]->provider.endpoint)) continue;
      local.push_back(members_[i]);
      indices_.push_back(i);
    }
    local_ = std::make_unique<WeightedTable>(local);
  }
  std::size_t choose(const Choice& choice) const noexcept override {
    if (all_.empty()) return kNone;
    // One that was put to weight 0, to be stopped, is not near enough.
    if (local_->empty() || (!local_->has_weight() && all_.has_weight())) {
      return all_.draw(choice.random);
    }
    return indices_[local_->draw(choice.random)];
  }

 private:
  const Members members_;
  mutable WeightedTable all_;
  std::unique_ptr<WeightedTable> local_;
  std::vector<std::size_t> indices_;  // of local_'s in members_
};

class RoundRobinBalancer final : public Balancer {
 public:
  RoundRobinBalancer(Members members, std::shared_ptr<RoundCounters> counters)
      : size_(members.size()), counters_(std::move(counters)) {}
  std::size_t choose(const Choice& choice) const noexcept override {
    return size_ == 0 ? kNone : counters_->next(choice.method) % size_;
  }

 private:
  const std::size_t size_;
  const std::shared_ptr<RoundCounters> counters_;
};

// SOFARPC's order: the k-th round goes through those that weigh k or more, in the order of the
// list, and when the heaviest has had its last turn all begins anew. Plain round robin if all weigh
// the same.
//
// Rounds with the same members form a step, and there are as many steps as different weights. Like
// in WeightedTable, what changing weights overwrite is atomic piece by piece, and whatever mixture
// is read leads to a member.
class WeightRoundRobinBalancer final : public Balancer {
 public:
  WeightRoundRobinBalancer(Members members, std::shared_ptr<RoundCounters> counters)
      : members_(std::move(members)),
        counters_(std::move(counters)),
        watch_(members_),
        weights_(std::make_unique<std::atomic<int>[]>(members_.size())),
        steps_(std::make_unique<Step[]>(members_.size())),
        sorted_(members_.size()) {}

  std::size_t choose(const Choice& choice) const noexcept override {
    const std::size_t size = members_.size();
    if (size == 0) return kNone;
    watch_.follow([this] { compute(); });
    const std::uint64_t count = counters_->next(choice.method);
    const std::size_t steps = step_count_.load(std::memory_order_relaxed);
    const std::uint64_t total = total_.load(std::memory_order_relaxed);
    if (steps == 0 || total == 0) return count % size;
    const std::uint64_t turn = count % total;
    std::size_t low = 0;
    for (std::size_t high = steps; high - low > 1;) {
      const std::size_t middle = low + (high - low) / 2;
      (steps_[middle].begin.load(std::memory_order_relaxed) <= turn ? low : high) = middle;
    }
    const Step& step = steps_[low];
    const std::uint64_t in_round = step.members.load(std::memory_order_relaxed);
    const int above = step.above.load(std::memory_order_relaxed);
    std::uint64_t place =
        (turn - step.begin.load(std::memory_order_relaxed)) % std::max<std::uint64_t>(in_round, 1);
    for (std::size_t i = 0; i < size; ++i) {
      if (weights_[i].load(std::memory_order_relaxed) > above && place-- == 0) return i;
    }
    return turn % size;
  }

 private:
  struct Step {
    std::atomic<std::uint64_t> begin{0};    // turns before it
    std::atomic<std::uint64_t> members{0};  // turns of each of its rounds
    std::atomic<int> above{0};              // who weighs more takes part
  };

  void compute() const noexcept {
    const std::size_t size = members_.size();
    for (std::size_t i = 0; i < size; ++i) {
      sorted_[i] = members_[i]->weight();
      weights_[i].store(sorted_[i], std::memory_order_relaxed);
    }
    std::sort(sorted_.begin(), sorted_.end());
    if (sorted_.front() == sorted_.back()) {
      step_count_.store(0, std::memory_order_relaxed);
      return;
    }
    std::uint64_t begin = 0;
    std::size_t steps = 0;
    int above = 0;
    for (std::size_t i = 0; i < size; ++i) {
      if (sorted_[i] == above) continue;
      const std::uint64_t in_round = size - i;
      steps_[steps].begin.store(begin, std::memory_order_relaxed);
      steps_[steps].members.store(in_round, std::memory_order_relaxed);
      steps_[steps].above.store(above, std::memory_order_relaxed);
      ++steps;
      begin += in_round * static_cast<std::uint64_t>(sorted_[i] - above);
      above = sorted_[i];
    }
    total_.store(begin, std::memory_order_relaxed);
    step_count_.store(steps, std::memory_order_relaxed);
  }

  const Members members_;
  const std::shared_ptr<RoundCounters> counters_;
  mutable WeightWatch watch_;
  const std::unique_ptr<std::atomic<int>[]> weights_;
  const std::unique_ptr<Step[]> steps_;
  mutable std::atomic<std::size_t> step_count_{0};  // 0: all weigh the same
  mutable std::atomic<std::uint64_t> total_{0};     // turns of all steps
  mutable std::vector<int> sorted_;                 // of compute()
};

class ConsistentHashBalancer final : public Balancer {
 public:
  ConsistentHashBalancer(const Members& members, bool by_weight)
      : empty_(members.empty()), ring_(members, by_weight) {}
  std::size_t choose(const Choice& choice) const noexcept override {
    return empty_ ? kNone : ring_.find(choice.hash_key, choice.attempt);
  }
  bool wants_key() const noexcept override { return true; }

 private:
  const bool empty_;
  const HashRing ring_;
};

class LeastActiveBalancer final : public Balancer {
 public:
  explicit LeastActiveBalancer(Members members) : members_(std::move(members)) {}

  std::size_t choose(const Choice& choice) const noexcept override {
    std::uint64_t random = choice.random;
    std::int32_t fewest = std::numeric_limits<std::int32_t>::max();
    std::uint64_t total = 0;  // weight of those that have the fewest
    std::size_t chosen = kNone;
    bool weighty = false;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const Member& member = *members_[i];
      auto weight = static_cast<std::uint64_t>(member.weight());
      if (weight == 0) {
        if (weighty) continue;
        weight = 1;
      } else if (!weighty) {
        weighty = true;
        fewest = std::numeric_limits<std::int32_t>::max();
        total = 0;
      }
      const std::int32_t active = member.in_flight.load(std::memory_order_relaxed);
      if (active > fewest) continue;
      if (active < fewest) {
        fewest = active;
        total = 0;
      }
      // Each replaces the one chosen so far with the probability that leaves all with their share.
      total += weight;
      if (total == weight || next_random(random) % total < weight) chosen = i;
    }
    return chosen;
  }

 private:
  const Members members_;
};

// Power of two choices: nearly as good as knowing who is best, and nobody is run over by all
// callers at once because it was best a moment ago. A few calls go to anybody: one that was slow
// for a while would otherwise stay away for good, as only its answers can tell that it is quick
// again.
class TwoChoicesBalancer final : public Balancer {
 public:
  explicit TwoChoicesBalancer(Members members) : members_(std::move(members)), table_(members_) {}

  std::size_t choose(const Choice& choice) const noexcept override {
    if (table_.empty()) return kNone;
    std::uint64_t random = choice.random;
    const std::size_t one = table_.draw(random);
    std::size_t other = one;
    if (next_random(random) % kTryAnybody == 0) return one;
    // If one has nearly all the weight, it may well be alone with it.
    for (int i = 0; i < kMostDraws && other == one; ++i) other = table_.draw(next_random(random));
    return other == one || !sooner(*members_[other], *members_[one]) ? one : other;
  }

 private:
  static constexpr int kMostDraws = 8;
  static constexpr std::uint64_t kTryAnybody = 64;  // one call in so many

  // Whether `a` is likely to answer sooner than `b`.
  static bool sooner(const Member& a, const Member& b) noexcept {
    const std::int64_t latency_a = a.latency_ns.load(std::memory_order_relaxed);
    const std::int64_t latency_b = b.latency_ns.load(std::memory_order_relaxed);
    const double queue_a = 1.0 + a.in_flight.load(std::memory_order_relaxed);
    const double queue_b = 1.0 + b.in_flight.load(std::memory_order_relaxed);
    // Nothing is known of a new one but how many wait for its first answer. It is tried if they are
    // not more than elsewhere, and not flooded before it has shown what it can do.
    if (latency_a == 0 || latency_b == 0) {
      return queue_a < queue_b || (queue_a == queue_b && latency_a == 0 && latency_b != 0);
    }
    return static_cast<double>(latency_a) * queue_a < static_cast<double>(latency_b) * queue_b;
  }

  const Members members_;
  mutable WeightedTable table_;
};

using Made = std::shared_ptr<const Balancer>;
using Counters = std::shared_ptr<RoundCounters>;

Made make_random(Members members, Counters) {
  return std::make_shared<RandomBalancer>(std::move(members));
}

struct Kind {
  std::string_view name;
  Made (*make)(Members members, Counters counters);
  bool hashes = false;
};

constexpr Kind kKinds[] = {
    {"auto", make_random},
    {"random", make_random},
    {"localPref",
     [](Members members, Counters) -> Made {
       return std::make_shared<LocalFirstBalancer>(std::move(members));
     }},
    {"roundRobin",
     [](Members members, Counters counters) -> Made {
       return std::make_shared<RoundRobinBalancer>(std::move(members), std::move(counters));
     }},
    {"weightRoundRobin",
     [](Members members, Counters counters) -> Made {
       return std::make_shared<WeightRoundRobinBalancer>(std::move(members), std::move(counters));
     }},
    {"consistentHash",
     [](Members members, Counters) -> Made {
       return std::make_shared<ConsistentHashBalancer>(members, false);
     },
     true},
    {"weightConsistentHash",
     [](Members members, Counters) -> Made {
       return std::make_shared<ConsistentHashBalancer>(members, true);
     },
     true},
    {"leastActive",
     [](Members members, Counters) -> Made {
       return std::make_shared<LeastActiveBalancer>(std::move(members));
     }},
    {"p2c",
     [](Members members, Counters) -> Made {
       return std::make_shared<TwoChoicesBalancer>(std::move(members));
     }},
};

const Kind* find_kind(std::string_view name) noexcept {
  const Kind* const found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                         [name](const Kind& kind) { return kind.name == name; });
  return found == std::end(kKinds) ? nullptr : found;
}

}  // namespace

Result<std::shared_ptr<const Balancer>> make_balancer(std::string_view name, Members members,
                                                      std::shared_ptr<RoundCounters> counters) {
  const Kind* const kind = find_kind(name);
  if (kind == nullptr) {
    std::string names;
    for (const Kind& known : kKinds)
      names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
    return Error(Code::kInvalidArgument,
                 fmt::format("there is no load balancer '{}'; there are {}", name, names));
  }
  if (kind->hashes && !HashRing::available()) {
    return Error(
        Code::kInvalidArgument,
        fmt::format("the load balancer {} needs MD5, which libcrypto does not offer as it is "
                    "set up here",
                    name));
  }
  // Else changes would go unnoticed.
  assert(std::all_of(members.begin(), members.end(), [&](const auto& member) {
    return member->clock() != nullptr && member->clock() == members.front()->clock();
  }));
  return kind->make(std::move(members), std::move(counters));
}

bool is_dear(std::string_view balancer_name) noexcept {
  const Kind* const kind = find_kind(balancer_name);
  return kind != nullptr && kind->hashes;
}

}  // namespace settee::inline v0::rpc::cluster
