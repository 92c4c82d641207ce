// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// JSON of a typical struct (10 members: 2 emails, 3 attributes, 3 tags), of a list of 100 of them, and
// of generic values; bytes are those of the JSON text.

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

#include "settee/base/reflect.h"
#include "settee/hessian/codec.h"
#include "settee/hessian/json.h"

namespace json_benchmark {

struct User {
  std::int64_t id = 0;
  std::string name;
  std::int32_t age = 0;
  std::vector<std::string> emails;
  std::map<std::string, std::string> attributes;
  settee::Date created;
  double balance = 0;
  bool active = false;
  settee::Array<std::string> tags;
  float score = 0;
};

}  // namespace json_benchmark

SETTEE_STRUCT(json_benchmark::User, "com.settee.bench.User", id, name, age, emails, attributes, created,
              balance, active, tags, score)

namespace {

namespace json = settee::json;
using json_benchmark::User;
using settee::Buffer;
using settee::hessian::Value;

User make_user() {
  User user;
  user.id = 1234567890123;
  user.name = "Ada Lovelace King";
  user.age = 36;
  user.emails = {"ada@example.org.uk", "lovelace@ex.org"};
  user.attributes = {{"department name", "analytical eng"},
                     {"office location", "London, 2nd floor"},
                     {"preferred lang.", "en-GB, fr, punched"}};
  user.created = settee::Date(std::chrono::milliseconds(1714564800123));
  user.balance = 1234.56;
  user.active = true;
  user.tags = settee::Array<std::string>({"mathematician", "programmer no 1", "countess of L."});
  user.score = 9.75f;
  return user;
}

template <class T>
void write_typed(benchmark::State& state, const T& value) {
  std::size_t bytes = 0;
  for (auto _ : state) {
    Buffer out;
    if (!json::write(out, settee::type_of<T>(), &value)) state.SkipWithError("cannot write");
    bytes = out.size();
    benchmark::DoNotOptimize(bytes);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes * state.iterations()));
}

template <class T>
void read_typed(benchmark::State& state, const T& value) {
  const std::string text = json::to_json(value).value();
  for (auto _ : state) {
    auto read = json::from_json<T>(text);
    if (!read) state.SkipWithError("cannot read");
    benchmark::DoNotOptimize(read);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size() * state.iterations()));
}

void WriteUser(benchmark::State& state) { write_typed(state, make_user()); }
void WriteUsers(benchmark::State& state) { write_typed(state, std::vector<User>(100, make_user())); }
void WriteText(benchmark::State& state) { write_typed(state, std::string(65536, 'x')); }
void WriteChineseText(benchmark::State& state) {
  std::string text;
  while (text.size() < 65536) text += "世界你好";
  write_typed(state, text);
}
void WriteDoubles(benchmark::State& state) {
  std::vector<double> numbers;
  for (int i = 0; i < 1000; ++i) numbers.push_back(i * 0.7071);
  write_typed(state, numbers);
}
void WriteValue(benchmark::State& state) {
  write_typed(state, *settee::hessian::to_value(std::vector<User>(100, make_user())));
}
void ReadUser(benchmark::State& state) { read_typed(state, make_user()); }
void ReadUsers(benchmark::State& state) { read_typed(state, std::vector<User>(100, make_user())); }
void ReadValue(benchmark::State& state) {
  read_typed(state, *settee::hessian::to_value(std::vector<User>(100, make_user())));
}

BENCHMARK(WriteUser);
BENCHMARK(WriteUsers);
BENCHMARK(WriteText);
BENCHMARK(WriteChineseText);
BENCHMARK(WriteDoubles);
BENCHMARK(WriteValue);
BENCHMARK(ReadUser);
BENCHMARK(ReadUsers);
BENCHMARK(ReadValue);

}  // namespace
