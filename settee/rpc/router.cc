// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace settee::inline v0::rpc {

Router::~Router() = default;
std::string Router::key(const RoutedCall&) const { return {}; }

std::string_view RoutedCall::entry(std::string_view name) const {
  if (baggage == nullptr) return {};
  const auto found = baggage->find(name);
  return found == baggage->end() ? std::string_view() : std::string_view(found->second);
}

namespace {

using Candidates = std::span<const Provider* const>;

class TagRouter final : public Router {
 public:
  TagRouter(std::string name, bool strict) : name_(std::move(name)), strict_(strict) {}
  std::string_view name() const noexcept override { return name_; }
  std::string key(const RoutedCall& call) const override { return std::string(call.entry(name_)); }

  std::vector<std::string> drop(std::string_view wanted, Candidates candidates) const override {
    const auto has = [&](const Provider* one) { return one->attribute(name_) == wanted; };
    // Nobody has the tag: as if the call had none.
    if (!strict_ && !wanted.empty() && std::none_of(candidates.begin(), candidates.end(), has)) {
      wanted = {};
    }
    std::vector<std::string> reasons(candidates.size());
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::string_view own = candidates[i]->attribute(name_);
      if (own == wanted) continue;
      reasons[i] = own.empty() ? fmt::format("it has no {}, the call has '{}'", name_, wanted)
                   : wanted.empty()
                       ? fmt::format("it has {} '{}', the call none", name_, own)
                       : fmt::format("it has {} '{}', the call '{}'", name_, own, wanted);
    }
    return reasons;
  }

 private:
  const std::string name_;
  const bool strict_;
};

std::minstd_rand& generator() {
  static thread_local std::minstd_rand made{std::random_device{}()};
  return made;
}

class RuleRouter final : public Router {
 public:
  explicit RuleRouter(std::vector<RouteRule> rules) : rules_(std::move(rules)) {
    for (const RouteRule& rule : rules_) {
      std::vector<double>& weights = weights_.emplace_back();
      for (const RouteRule::Destination& to : rule.to) {
        if (to.weight < 0) refuse(rule, "has a destination of a weight below 0");
        weights.push_back(to.weight);
      }
      if (std::accumulate(weights.begin(), weights.end(), 0.0) <= 0) {
        refuse(rule, "has no destination of a weight above 0");
      }
    }
  }
  std::string_view name() const noexcept override { return "rules"; }

  // Which rule, and which of its destinations this call goes to.
  std::string key(const RoutedCall& call) const override {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (!fits(rules_[i], call)) continue;
      if (rules_[i].to.size() == 1) return fmt::format("{}:0", i);
      std::discrete_distribution<std::size_t> draw(weights_[i].begin(), weights_[i].end());
      return fmt::format("{}:{}", i, draw(generator()));
    }
    return {};
  }

  std::vector<std::string> drop(std::string_view key, Candidates candidates) const override {
    std::vector<std::string> reasons(candidates.size());
    const std::size_t colon = key.find(':');
    if (colon == std::string_view::npos) return reasons;
    const RouteRule& rule = rules_.at(std::stoul(std::string(key.substr(0, colon))));
    const auto& to = rule.to.at(std::stoul(std::string(key.substr(colon + 1))));
    bool any = false;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      for (const auto& [name, value] : to.attributes) {
        const std::string_view own = candidates[i]->attribute(name);
        if (own == value) continue;
        reasons[i] =
            fmt::format("rule '{}' wants {} '{}', it has '{}'", rule.name, name, value, own);
        break;
      }
      any = any || reasons[i].empty();
    }
    if (!any && !rule.strict) std::fill(reasons.begin(), reasons.end(), std::string());
    return reasons;
  }

 private:
  [[noreturn]] static void refuse(const RouteRule& rule, std::string_view what) {
    throw Error(Code::kInvalidArgument,
                fmt::format("rule_router(): rule '{}' {}", rule.name, what));
  }
  static bool fits(const RouteRule& rule, const RoutedCall& call) {
    if (!rule.methods.empty() &&
        std::find(rule.methods.begin(), rule.methods.end(), call.method) == rule.methods.end()) {
      return false;
    }
    return std::all_of(rule.baggage.begin(), rule.baggage.end(), [&](const auto& wanted) {
      return call.entry(wanted.first) == wanted.second;
    });
  }

  const std::vector<RouteRule> rules_;
  std::vector<std::vector<double>> weights_;  // of each rule's destinations
};

}  // namespace

std::shared_ptr<Router> tag_router(std::string name, bool strict) {
  return std::make_shared<TagRouter>(std::move(name), strict);
}

std::shared_ptr<Router> rule_router(std::vector<RouteRule> rules) {
  return std::make_shared<RuleRouter>(std::move(rules));
}

}  // namespace settee::inline v0::rpc
