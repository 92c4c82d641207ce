// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The interop contract in C++: com.settee.interop.TypeService and its types, as
// interop/java/src/main/java/com/settee/interop has them, and what serves it. Whatever may be null in
// Java is a std::optional here.

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "examples/echo_server/echo.h"
#include "settee/rpc/rpc.h"

namespace interop {

using settee::Array;
using settee::Bytes;
using settee::Task;

enum class Color { RED, GREEN, BLUE };

struct Base {
  std::optional<std::string> id;
};

/// One member of every kind that a bean may have.
struct User : Base {
  std::optional<std::string> name;
  std::int32_t age = 0;
  std::optional<std::int32_t> boxed;
  std::int64_t score = 0;
  bool vip = false;
  std::optional<std::vector<std::optional<std::string>>> tags;
  std::optional<Color> color;
  std::shared_ptr<User> friend_;
  std::optional<settee::Date> birth;
  std::optional<std::map<std::string, std::optional<std::int32_t>>> counts;
  double ratio = 0;
  std::optional<Array<std::optional<std::string>>> nick;
  std::optional<Array<std::int32_t>> numbers;
  std::optional<settee::Decimal> money;
};
/// Friends are compared as well, so there must be no cycle.
bool operator==(const User& a, const User& b);
/// For the messages of failed checks.
void PrintTo(const User& user, std::ostream* out);

struct BizException : settee::BusinessException<BizException> {
  std::int32_t code = 0;
};
struct IllegalStateException : settee::BusinessException<IllegalStateException> {};

using Text = std::optional<std::string>;
using Texts = std::optional<std::vector<Text>>;
using Users = std::optional<std::vector<std::optional<User>>>;

struct TypeService {
  virtual ~TypeService() = default;

  virtual Task<bool> echoBoolean(bool value) = 0;
  virtual Task<std::int32_t> echoInt(std::int32_t value) = 0;
  virtual Task<std::int64_t> echoLong(std::int64_t value) = 0;
  virtual Task<double> echoDouble(double value) = 0;
  virtual Task<std::string> prim(bool z, std::int8_t b, std::int16_t s, char16_t c, std::int32_t i,
                                 std::int64_t j, float f, double d) = 0;
  virtual Task<std::optional<bool>> echoBoxedBoolean(std::optional<bool> value) = 0;
  virtual Task<std::optional<std::int32_t>> echoBoxedInt(std::optional<std::int32_t> value) = 0;
  virtual Task<std::optional<std::int64_t>> echoBoxedLong(std::optional<std::int64_t> value) = 0;
  virtual Task<std::optional<double>> echoBoxedDouble(std::optional<double> value) = 0;
  virtual Task<std::string> boxed(std::optional<std::int8_t> b, std::optional<std::int16_t> s,
                                  std::optional<char16_t> c, std::optional<float> f) = 0;

  virtual Task<Text> echoString(Text value) = 0;
  virtual Task<std::optional<Bytes>> echoBytes(std::optional<Bytes> value) = 0;
  virtual Task<std::optional<settee::Date>> echoDate(std::optional<settee::Date> value) = 0;
  virtual Task<std::optional<settee::Decimal>> echoDecimal(
      std::optional<settee::Decimal> value) = 0;
  virtual Task<std::optional<settee::BigInteger>> echoBigInteger(
      std::optional<settee::BigInteger> value) = 0;
  virtual Task<std::optional<Color>> echoColor(std::optional<Color> value) = 0;
  virtual Task<std::optional<User>> echoUser(std::optional<User> value) = 0;

  virtual Task<Texts> echoStrings(Texts value) = 0;
  virtual Task<Users> echoUsers(Users value) = 0;
  virtual Task<std::optional<std::map<std::string, std::optional<std::int32_t>>>> echoMap(
      std::optional<std::map<std::string, std::optional<std::int32_t>>> value) = 0;
  virtual Task<std::optional<std::set<std::string>>> echoSet(
      std::optional<std::set<std::string>> value) = 0;
  virtual Task<std::optional<Array<std::int32_t>>> echoInts(
      std::optional<Array<std::int32_t>> value) = 0;
  virtual Task<std::optional<Array<std::int64_t>>> echoLongs(
      std::optional<Array<std::int64_t>> value) = 0;
  virtual Task<std::optional<Array<double>>> echoDoubles(std::optional<Array<double>> value) = 0;
  virtual Task<std::optional<Array<Text>>> echoStringArray(std::optional<Array<Text>> value) = 0;
  virtual Task<std::optional<Array<std::optional<User>>>> echoUserArray(
      std::optional<Array<std::optional<User>>> value) = 0;
  virtual Task<std::optional<std::map<std::string, Users>>> echoNested(
      std::optional<std::map<std::string, Users>> value) = 0;
  virtual Task<settee::hessian::Value> echoObject(settee::hessian::Value value) = 0;

  virtual Task<void> noop() = 0;
  virtual Task<void> notify(std::string text) = 0;
  virtual Task<std::int32_t> notified(std::string text) = 0;
  virtual Task<std::string> sleep(std::int64_t ms) = 0;
  virtual Task<std::string> fail(std::int32_t code, std::string message) = 0;
  virtual Task<std::string> failRuntime(std::string message) = 0;
  virtual Task<std::string> baggage(std::string key) = 0;
  virtual Task<Bytes> large(std::int32_t size) = 0;
  virtual Task<std::string> whoami() = 0;
};

/// The same Java interface, of which only `sleep` is offered; it blocks its thread as Java's does.
struct BlockingTypeService {
  virtual ~BlockingTypeService() = default;
  virtual Task<std::string> sleep(std::int64_t ms) = 0;
};

/// Byte i is i * 31, cut to a byte.
Bytes pattern(std::size_t size);

std::shared_ptr<TypeService> make_type_service();
std::shared_ptr<BlockingTypeService> make_blocking_type_service();
std::shared_ptr<bench::Echo> make_echo();
/// Offers everything of the contract on `server`; also ProtoService if protobuf is built in.
void provide_contract(settee::rpc::Server& server);

}  // namespace interop

SETTEE_ENUM(interop::Color, "com.settee.interop.Color", RED, GREEN, BLUE)
SETTEE_STRUCT(interop::Base, "com.settee.interop.Base", id)
SETTEE_DERIVED_STRUCT(interop::User, interop::Base, "com.settee.interop.User", name, age, boxed,
                      score, vip, tags, color, (friend_, "friend"), birth, counts, ratio, nick,
                      numbers, money)
SETTEE_EXCEPTION(interop::BizException, "com.settee.interop.BizException", code)
SETTEE_EXCEPTION(interop::IllegalStateException, "java.lang.IllegalStateException")
SETTEE_SERVICE(interop::TypeService, "com.settee.interop.TypeService", (echoBoolean, value),
               (echoInt, value), (echoLong, value), (echoDouble, value),
               (prim, z, b, s, c, i, j, f, d), (echoBoxedBoolean, value), (echoBoxedInt, value),
               (echoBoxedLong, value), (echoBoxedDouble, value), (boxed, b, s, c, f),
               (echoString, value), (echoBytes, value), (echoDate, value), (echoDecimal, value),
               (echoBigInteger, value), (echoColor, value), (echoUser, value), (echoStrings, value),
               (echoUsers, value), (echoMap, value), (echoSet, value), (echoInts, value),
               (echoLongs, value), (echoDoubles, value), (echoStringArray, value),
               (echoUserArray, value), (echoNested, value), (echoObject, value), (noop),
               (notify, text), (notified, text), (sleep, ms), (fail, code, message),
               (failRuntime, message), (baggage, key), (large, size), (whoami))
SETTEE_SERVICE(interop::BlockingTypeService, "com.settee.interop.TypeService",
               (sleep, ms).blocking())
