// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The codec alone. The User is the one of the echo service: two e-mail addresses, three attributes,
// three tags, texts of 12 to 20 ASCII bytes.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "settee/base/reflect.h"
#include "settee/hessian/hessian.h"

namespace settee::hessian_benchmark {

struct User {
  std::int64_t id = 0;
  std::string name;
  std::int32_t age = 0;
  std::vector<std::string> emails;
  std::map<std::string, std::string> attributes;
  Date created{};
  double balance = 0;
  bool active = false;
  Array<std::string> tags;
  float score = 0;
};

}  // namespace settee::hessian_benchmark

SETTEE_STRUCT(settee::hessian_benchmark::User, "com.settee.bench.User", id, name, age, emails,
              attributes, created, balance, active, tags, score)

namespace settee::hessian_benchmark {
namespace {

using hessian::Dialect;
using hessian::Reader;
using hessian::Value;
using hessian::Writer;

User make_user() {
  User user;
  user.id = 1234567890123;
  user.name = "Alexandra Smith";
  user.age = 42;
  user.emails = {"alex@example.com", "a.smith@example.org"};
  user.attributes = {{"department-name", "engineering"},
                     {"office-building", "north tower 12"},
                     {"preferred-lang", "cpp and java"}};
  user.created = Date(std::chrono::milliseconds(1'700'000'000'123));
  user.balance = 12345.678;
  user.active = true;
  user.tags.assign({"premium-account", "early-adopter", "beta-programme-7"});
  user.score = 97.25f;
  return user;
}

Dialect dialect_of(const benchmark::State& state) {
  return state.range(0) == 3 ? Dialect::kSofa3 : Dialect::kHessian2;
}

void check(bool ok) {
  if (!ok) std::abort();
}

void user_encode(benchmark::State& state) {
  const User user = make_user();
  const Dialect dialect = dialect_of(state);
  Buffer out;
  out.append_byte(0);  // a connection's buffer is seldom empty, and so keeps its block
  for (auto _ : state) {
    out.truncate(1);
    Writer writer(out, dialect);
    check(hessian::encode(writer, user).ok());
    benchmark::DoNotOptimize(out.size());
  }
  state.counters["bytes"] = static_cast<double>(out.size() - 1);
}
BENCHMARK(user_encode)->Arg(3)->Arg(4);

void user_decode(benchmark::State& state) {
  const Dialect dialect = dialect_of(state);
  const Bytes bytes = hessian::to_bytes(make_user(), dialect).value();
  for (auto _ : state) {
    User user;
    Reader reader(bytes.span(), dialect);
    check(hessian::decode(reader, type_of<User>(), &user).ok());
    benchmark::DoNotOptimize(user.id);
  }
}
BENCHMARK(user_decode)->Arg(3)->Arg(4);

// What the same containers and texts cost without any decoding: the floor of user_decode.
void user_copy(benchmark::State& state) {
  const User user = make_user();
  for (auto _ : state) {
    User copy = user;
    benchmark::DoNotOptimize(copy.id);
  }
}
BENCHMARK(user_copy);

void user_decode_value(benchmark::State& state) {
  const Dialect dialect = dialect_of(state);
  const Bytes bytes = hessian::to_bytes(make_user(), dialect).value();
  for (auto _ : state) {
    Value user;
    Reader reader(bytes.span(), dialect);
    check(hessian::decode(reader, type_of<Value>(), &user).ok());
    benchmark::DoNotOptimize(user);
  }
}
BENCHMARK(user_decode_value)->Arg(3)->Arg(4);

void user_encode_value(benchmark::State& state) {
  const Value user = hessian::to_value(make_user()).value();
  const Dialect dialect = dialect_of(state);
  Buffer out;
  out.append_byte(0);  // a connection's buffer is seldom empty, and so keeps its block
  for (auto _ : state) {
    out.truncate(1);
    Writer writer(out, dialect);
    check(hessian::encode(writer, user).ok());
    benchmark::DoNotOptimize(out.size());
  }
}
BENCHMARK(user_encode_value)->Arg(3)->Arg(4);

void users_decode(benchmark::State& state) {
  const Bytes bytes = hessian::to_bytes(std::vector<User>(100, make_user())).value();
  for (auto _ : state) {
    std::vector<User> users;
    Reader reader(bytes.span());
    check(hessian::decode(reader, type_of<std::vector<User>>(), &users).ok());
    benchmark::DoNotOptimize(users.data());
  }
  state.SetItemsProcessed(state.iterations() * 100);
}
BENCHMARK(users_decode);

std::string text_of(std::int64_t size, bool ascii) {
  std::string text;
  while (static_cast<std::int64_t>(text.size()) < size) text += ascii ? "a" : "\u4e2d";
  return text;
}

void string_encode(benchmark::State& state) {
  const std::string text = text_of(state.range(0), state.range(1) == 1);
  Buffer out;
  out.append_byte(0);  // a connection's buffer is seldom empty, and so keeps its block
  for (auto _ : state) {
    out.truncate(1);
    Writer writer(out);
    writer.write_string(text);
    benchmark::DoNotOptimize(out.size());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(string_encode)
    ->ArgNames({"", "ascii"})
    ->Args({16, 1})
    ->Args({16384, 1})
    ->Args({16384, 0});

void string_decode(benchmark::State& state) {
  const Bytes bytes = hessian::to_bytes(text_of(state.range(0), state.range(1) == 1)).value();
  for (auto _ : state) {
    std::string text;
    Reader reader(bytes.span());
    check(reader.read_string(text));
    benchmark::DoNotOptimize(text.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(string_decode)
    ->ArgNames({"", "ascii"})
    ->Args({16, 1})
    ->Args({16384, 1})
    ->Args({16384, 0});

// A request as Java sends it: what a server reads before it knows the method.
void request_skip(benchmark::State& state) {
  Buffer out;
  Writer writer(out);
  static constexpr std::string_view kFields[] = {
      "targetAppName", "methodName", "targetServiceUniqueName", "requestProps", "methodArgSigs"};
  writer.begin_object(writer.define_class("com.alipay.sofa.rpc.core.request.SofaRequest", kFields));
  writer.write_null();
  writer.write_string("echo");
  writer.write_string("com.settee.bench.Echo:1.0");
  writer.begin_map();
  for (const char* text : {"app", "jclient", "protocol", "bolt", "type", "sync"}) {
    writer.write_string(text);
  }
  writer.end_map();
  const hessian::ListEnd end = writer.begin_list("[string", 1);
  writer.write_string("java.lang.String");
  writer.end_list(end);
  writer.write_string("sixteen ASCII ch");
  const Bytes bytes = out.bytes();
  for (auto _ : state) {
    Reader reader(bytes.span());
    check(reader.skip() && reader.skip());
    benchmark::DoNotOptimize(reader.offset());
  }
}
BENCHMARK(request_skip);

}  // namespace
}  // namespace settee::hessian_benchmark
