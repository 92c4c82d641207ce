// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// com.settee.bench.Echo: the service that is measured, in C++ as in Java and Node (interop/).

#pragma once

#include <map>
#include <string>
#include <vector>

#include "settee/rpc/rpc.h"

namespace bench {

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

struct EchoException : settee::BusinessException<EchoException> {};

struct Echo {
  virtual ~Echo() = default;
  virtual settee::Task<std::string> echo(std::string text) = 0;
  virtual settee::Task<settee::Bytes> echoBytes(settee::Bytes bytes) = 0;
  virtual settee::Task<User> echoUser(User user) = 0;
  virtual settee::Task<std::string> fail(std::string message) = 0;
  /// Blocks its thread for 5 ms.
  virtual settee::Task<std::string> slowEcho(std::string text) = 0;
};

}  // namespace bench

SETTEE_STRUCT(bench::User, "com.settee.bench.User", id, name, age, emails, attributes, created,
              balance, active, tags, score)
SETTEE_EXCEPTION(bench::EchoException, "com.settee.bench.EchoException")
SETTEE_SERVICE(bench::Echo, "com.settee.bench.Echo", (echo, text), (echoBytes, bytes),
               (echoUser, user), (fail, message), (slowEcho, text).blocking())
