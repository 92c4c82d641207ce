// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any text as a configuration file, as a variable, as a set() value and as a path: an error or a
// filled struct, and what was filled is shown and can be read again.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "settee/base/config.h"
#include "settee/base/reflect.h"

namespace fuzzed {

enum class Mode { FAST, SAFE };

struct Node {
  bool flag = false;
  std::int8_t small = 1;
  std::int64_t large = 2;
  double real = 0.5;
  float narrow = 1;
  std::string text = "t";
  std::chrono::milliseconds time{5};
  settee::Decimal decimal;
  settee::BigInteger big;
  Mode mode = Mode::SAFE;
  std::optional<std::int32_t> maybe;
  std::vector<std::string> texts = {"a"};
  std::set<std::int16_t> numbers;
  settee::Array<bool> flags;
  std::map<std::string, std::vector<std::int32_t>> lists;
  std::map<std::int32_t, double> by_number = {{1, 2}};
  std::unique_ptr<Node> left;
  std::vector<Node> nodes;
  std::map<std::string, std::string> secrets;
};

}  // namespace fuzzed

SETTEE_ENUM(fuzzed::Mode, "fuzzed.Mode", FAST, SAFE)
SETTEE_STRUCT(fuzzed::Node, "fuzzed.Node", flag, small, large, real, narrow, text, time, decimal,
              big, mode, maybe, texts, numbers, flags, lists, by_number, left, nodes, secrets)
SETTEE_LIMITS(fuzzed::Node, (small, -5, 100), (real, 0.0, settee::kNoLimit), (time, 0ms, 1h),
              (texts, 0, 100), (text, settee::kNoLimit, 1000))

namespace {

void bind_all(const settee::Config& config) {
  const auto bound = settee::bind_with_origins<fuzzed::Node>(config, "");
  const auto section = settee::bind<fuzzed::Node>(config, "left");
  if (bound) {
    const fuzzed::Node& node = bound->value;
    if (node.small < -5 || node.small > 100 || node.real < 0 || node.texts.size() > 100)
      std::abort();
    if (bound->origins.of("flag").empty() || bound->origins.dump().empty()) std::abort();
    // What dump() shows of a number or duration reads as the same again.
    settee::Config again;
    for (const auto& entry : bound->origins.entries()) {
      if (entry.path == "time" || entry.path == "real" || entry.path == "large") {
        again.set(entry.path, entry.value);
      }
    }
    const fuzzed::Node copy = settee::bind<fuzzed::Node>(again, "").value();
    if (copy.time != node.time || copy.real != node.real || copy.large != node.large) std::abort();
  } else if (bound.error().message().empty()) {
    std::abort();
  }
  static_cast<void>(section.ok());
  static_cast<void>(config.check_unused().ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);

  settee::ConfigLimits limits;
  limits.max_nodes = 5000;
  if (const auto config = settee::Config::parse(text, "fuzz.yaml", limits)) bind_all(*config);

  // Every line is "path=text" or "NAME=text".
  settee::Config config;
  std::vector<std::string> variables;
  std::string_view rest = text;
  for (int line = 0; line < 20 && !rest.empty(); ++line) {
    const std::string_view entry = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    variables.emplace_back(entry);
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    try {
      config.set(entry.substr(0, equals), entry.substr(equals + 1));
    } catch (const settee::Error&) {
    }
  }
  config.use_environment("S_", variables);
  bind_all(config);
  return 0;
}
