// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "interop/tests/type_service.h"

#include <charconv>
#include <cmath>
#include <mutex>
#include <thread>

#include "settee/hessian/codec.h"

#ifdef SETTEE_INTEROP_PROTOBUF
#include "interop/tests/proto_service.h"
#endif

namespace interop {

bool operator==(const User& a, const User& b) {
  const bool friends = a.friend_ == nullptr || b.friend_ == nullptr ? a.friend_ == b.friend_
                                                                    : *a.friend_ == *b.friend_;
  return friends && a.id == b.id && a.name == b.name && a.age == b.age && a.boxed == b.boxed &&
         a.score == b.score && a.vip == b.vip && a.tags == b.tags && a.color == b.color &&
         a.birth == b.birth && a.counts == b.counts && a.ratio == b.ratio && a.nick == b.nick &&
         a.numbers == b.numbers && a.money == b.money;
}

void PrintTo(const User& user, std::ostream* out) {
  const settee::Result<settee::hessian::Value> value =
      settee::hessian::to_value(settee::type_of<User>(), &user);
  *out << (value ? value->to_string() : value.error().what());
}

Bytes pattern(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31);
  return Bytes(std::span<const std::uint8_t>(bytes));
}

namespace {

// String.valueOf() of each Java type, in UTF-8.
std::string java_text(bool value) { return value ? "true" : "false"; }
std::string java_text(std::int64_t value) { return std::to_string(value); }
std::string java_text(char16_t value) {
  std::string text;
  if (value < 0x80) {
    text += static_cast<char>(value);
  } else if (value < 0x800) {
    text += static_cast<char>(0xc0 | value >> 6);
    text += static_cast<char>(0x80 | (value & 0x3f));
  } else {
    text += static_cast<char>(0xe0 | value >> 12);
    text += static_cast<char>(0x80 | (value >> 6 & 0x3f));
    text += static_cast<char>(0x80 | (value & 0x3f));
  }
  return text;
}
// Java's form of numbers from 0.001 up to ten million, which is all that the contract's tests send.
template <class T>
requires std::is_floating_point_v<T> std::string java_text(T value) {
  char digits[400];
  const auto end =
      std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed).ptr;
  std::string text(digits, end);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}
template <class T>
std::string java_text(const std::optional<T>& value) {
  if (!value) return "null";
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, char16_t>) {
    return java_text(std::int64_t{*value});
  } else {
    return java_text(*value);
  }
}

struct TypeServiceImpl final : TypeService {
  Task<bool> echoBoolean(bool value) override { co_return value; }
  Task<std::int32_t> echoInt(std::int32_t value) override { co_return value; }
  Task<std::int64_t> echoLong(std::int64_t value) override { co_return value; }
  Task<double> echoDouble(double value) override { co_return value; }
  Task<std::string> prim(bool z, std::int8_t b, std::int16_t s, char16_t c, std::int32_t i,
                         std::int64_t j, float f, double d) override {
    co_return java_text(z) + ',' + java_text(std::int64_t{b}) + ',' + java_text(std::int64_t{s}) +
        ',' + java_text(c) + ',' + java_text(std::int64_t{i}) + ',' + java_text(j) + ',' +
        java_text(f) + ',' + java_text(d);
  }
  Task<std::optional<bool>> echoBoxedBoolean(std::optional<bool> value) override {
    co_return value;
  }
  Task<std::optional<std::int32_t>> echoBoxedInt(std::optional<std::int32_t> value) override {
    co_return value;
  }
  Task<std::optional<std::int64_t>> echoBoxedLong(std::optional<std::int64_t> value) override {
    co_return value;
  }
  Task<std::optional<double>> echoBoxedDouble(std::optional<double> value) override {
    co_return value;
  }
  Task<std::string> boxed(std::optional<std::int8_t> b, std::optional<std::int16_t> s,
                          std::optional<char16_t> c, std::optional<float> f) override {
    co_return java_text(b) + ',' + java_text(s) + ',' + java_text(c) + ',' + java_text(f);
  }

  Task<Text> echoString(Text value) override { co_return std::move(value); }
  Task<std::optional<Bytes>> echoBytes(std::optional<Bytes> value) override {
    co_return std::move(value);
  }
  Task<std::optional<settee::Date>> echoDate(std::optional<settee::Date> value) override {
    co_return value;
  }
  Task<std::optional<settee::Decimal>> echoDecimal(std::optional<settee::Decimal> value) override {
    co_return std::move(value);
  }
  Task<std::optional<settee::BigInteger>> echoBigInteger(
      std::optional<settee::BigInteger> value) override {
    co_return std::move(value);
  }
  Task<std::optional<Color>> echoColor(std::optional<Color> value) override { co_return value; }
  Task<std::optional<User>> echoUser(std::optional<User> value) override {
    co_return std::move(value);
  }

  Task<Texts> echoStrings(Texts value) override { co_return std::move(value); }
  Task<Users> echoUsers(Users value) override { co_return std::move(value); }
  Task<std::optional<std::map<std::string, std::optional<std::int32_t>>>> echoMap(
      std::optional<std::map<std::string, std::optional<std::int32_t>>> value) override {
    co_return std::move(value);
  }
  Task<std::optional<std::set<std::string>>> echoSet(
      std::optional<std::set<std::string>> value) override {
    co_return std::move(value);
  }
  Task<std::optional<Array<std::int32_t>>> echoInts(
      std::optional<Array<std::int32_t>> value) override {
    co_return std::move(value);
  }
  Task<std::optional<Array<std::int64_t>>> echoLongs(
      std::optional<Array<std::int64_t>> value) override {
    co_return std::move(value);
  }
  Task<std::optional<Array<double>>> echoDoubles(std::optional<Array<double>> value) override {
    co_return std::move(value);
  }
  Task<std::optional<Array<Text>>> echoStringArray(std::optional<Array<Text>> value) override {
    co_return std::move(value);
  }
  Task<std::optional<Array<std::optional<User>>>> echoUserArray(
      std::optional<Array<std::optional<User>>> value) override {
    co_return std::move(value);
  }
  Task<std::optional<std::map<std::string, Users>>> echoNested(
      std::optional<std::map<std::string, Users>> value) override {
    co_return std::move(value);
  }
  Task<settee::hessian::Value> echoObject(settee::hessian::Value value) override {
    co_return std::move(value);
  }

  Task<void> noop() override { co_return; }
  Task<void> notify(std::string text) override {
    const std::lock_guard lock(mutex_);
    ++notifications_[text];
    co_return;
  }
  Task<std::int32_t> notified(std::string text) override {
    const std::lock_guard lock(mutex_);
    const auto found = notifications_.find(text);
    co_return found == notifications_.end() ? 0 : found->second;
  }
  Task<std::string> sleep(std::int64_t ms) override {
    co_await settee::sleep_for(std::chrono::milliseconds(ms));
    co_return "slept " + std::to_string(ms);
  }
  Task<std::string> fail(std::int32_t code, std::string message) override {
    BizException exception;
    exception.message = std::move(message);
    exception.code = code;
    throw exception;
    co_return "";
  }
  Task<std::string> failRuntime(std::string message) override {
    IllegalStateException exception;
    exception.message = std::move(message);
    throw exception;
    co_return "";
  }
  Task<std::string> baggage(std::string key) override {
    const settee::Context here = settee::context();
    const settee::rpc::Baggage* sent = here.get(settee::rpc::kRequestBaggage);
    std::string value = "none";
    if (sent != nullptr && sent->contains(key)) value = sent->at(key);
    settee::rpc::respond_baggage("reply", "got:" + value);
    co_return value;
  }
  Task<Bytes> large(std::int32_t size) override {
    co_return pattern(static_cast<std::size_t>(std::max(size, 0)));
  }
  Task<std::string> whoami() override { co_return "cpp"; }

 private:
  std::mutex mutex_;  // calls of different connections run on different loops
  std::map<std::string, std::int32_t> notifications_;
};

struct BlockingTypeServiceImpl final : BlockingTypeService {
  Task<std::string> sleep(std::int64_t ms) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    co_return "slept " + std::to_string(ms);
  }
};

struct EchoImpl final : bench::Echo {
  Task<std::string> echo(std::string text) override { co_return std::move(text); }
  Task<Bytes> echoBytes(Bytes bytes) override { co_return std::move(bytes); }
  Task<bench::User> echoUser(bench::User user) override { co_return std::move(user); }
  Task<std::string> fail(std::string message) override {
    bench::EchoException exception;
    exception.message = std::move(message);
    throw exception;
    co_return "";
  }
  Task<std::string> slowEcho(std::string text) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    co_return std::move(text);
  }
};

}  // namespace

std::shared_ptr<TypeService> make_type_service() { return std::make_shared<TypeServiceImpl>(); }
std::shared_ptr<BlockingTypeService> make_blocking_type_service() {
  return std::make_shared<BlockingTypeServiceImpl>();
}
std::shared_ptr<bench::Echo> make_echo() { return std::make_shared<EchoImpl>(); }

void provide_contract(settee::rpc::Server& server) {
  server.provide<TypeService>(make_type_service());
  server.provide<bench::Echo>(make_echo());
#ifdef SETTEE_INTEROP_PROTOBUF
  server.provide<ProtoService>(make_proto_service());
#endif
}

}  // namespace interop
