// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls from a C++ client to other servers: ways of calling, errors, timing, size, what travels beside
// the arguments.

#include <future>
#include <thread>

#include "interop/tests/foreign_server.h"
#include "settee/hessian/hessian.h"
#ifdef SETTEE_INTEROP_PROTOBUF
#include "interop/tests/proto_service.h"
#endif

namespace interop {
namespace {

using settee::Code;
using settee::Error;
using settee::Result;
using settee::hessian::Value;
using settee::rpc::Baggage;
using settee::rpc::CallOptions;
using settee::rpc::Reference;

constexpr int kEightMiB = 8 * 1024 * 1024;
const std::string kUnicode = "\u5931\u8d25 \U0001f600";

void expect_contains(const Error& error, const std::string& words) {
  EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
}

class ServerCalls : public ServerTest {};

TEST_P(ServerCalls, TellsWhoItIs) {
  EXPECT_EQ(types()->whoami().get(), java() ? "java" : node() ? "node" : "cpp");
  types()->noop().get();
}

// ---- ways of calling ----

TEST_P(ServerCalls, Awaited) {
  auto body = [](Reference<TypeService> types) -> Task<std::string> {
    const Text first = co_await types->echoString("first");
    Result<std::int32_t> second = co_await settee::as_result(types->echoInt(2));
    Result<std::string> third = co_await settee::as_result(types->fail(3, "third"));
    co_return *first + " " + std::to_string(*second) + " " + third.error().message();
  };
  const std::string answer = runtime_.run(body(types()));
  EXPECT_TRUE(answer.starts_with("first 2 ")) << answer;
  EXPECT_TRUE(answer.ends_with("third")) << answer;
}

TEST_P(ServerCalls, Futures) {
  std::future<std::string> slow = settee::as_future(types()->sleep(100));
  std::future<Text> quick = settee::as_future(types()->echoString("quick"));
  EXPECT_EQ(quick.get(), "quick");
  EXPECT_EQ(slow.get(), "slept 100");
  EXPECT_THROW(settee::as_future(types()->fail(3, "later")).get(), Error);
}

TEST_P(ServerCalls, Callbacks) {
  std::promise<Text> answered;
  types()->echoString("called back").then([&](Result<Text> r) { answered.set_value(r.value()); });
  EXPECT_EQ(answered.get_future().get(), "called back");
  std::promise<std::string> failed;
  types()->fail(4, "failed").then([&](Result<std::string> r) {
    failed.set_value(r ? "no error" : r.error().message());
  });
  const std::string message = failed.get_future().get();
  EXPECT_TRUE(message.ends_with("failed")) << message;
}

TEST_P(ServerCalls, Oneway) {
  const std::string text = "oneway " + std::to_string(getpid()) + " of C++";
  EXPECT_TRUE(settee::oneway(types()->notify(text)));
  const auto end = settee::Clock::now() + 10s;
  while (types()->notified(text).get() == 0 && settee::Clock::now() < end) {
    std::this_thread::sleep_for(10ms);
  }
  // One that is delivered twice would be counted by now.
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(types()->notified(text).get(), 1);
}

// ---- errors ----

TEST_P(ServerCalls, BusinessExceptionsArriveAsWhatTheyAre) {
  for (const auto& [code, message] : {std::pair(7, std::string("out of stock")), {-1, kUnicode}}) {
    const Error error = error_of(types()->fail(code, message));
    if (node()) {
      // sofa-rpc-node turns every error into one text of the framework.
      EXPECT_EQ(error.code(), Code::kPeerError) << error.what();
      expect_contains(error, "status 2");
      expect_contains(error, message);
      continue;
    }
    EXPECT_EQ(error.code(), Code::kBusiness) << error.what();
    EXPECT_EQ(error.message(), message);
    ASSERT_NE(error.exception(), nullptr);
    EXPECT_EQ(error.exception()->class_name(), "com.settee.interop.BizException");
    const std::optional<BizException> exception = error.as<BizException>();
    ASSERT_TRUE(exception);
    EXPECT_EQ(exception->code, code);
    EXPECT_EQ(exception->message, message);
    EXPECT_FALSE(error.as<IllegalStateException>());
    if (java()) {
      const auto* object = dynamic_cast<const settee::hessian::ExceptionObject*>(error.exception());
      ASSERT_NE(object, nullptr);
      ASSERT_FALSE(object->stack().empty());
      EXPECT_EQ(object->stack()[0].class_name, "com.settee.interop.peer.TypeServiceImpl");
      EXPECT_EQ(object->stack()[0].method, "fail");
    }
  }
}

TEST_P(ServerCalls, RuntimeExceptions) {
  const Error error = error_of(types()->failRuntime("broken " + kUnicode));
  if (node()) {
    EXPECT_EQ(error.code(), Code::kPeerError);
    expect_contains(error, "broken " + kUnicode);
    return;
  }
  EXPECT_EQ(error.code(), Code::kBusiness) << error.what();
  const auto exception = error.as<IllegalStateException>();
  ASSERT_TRUE(exception);
  EXPECT_EQ(exception->message, "broken " + kUnicode);
}

TEST_P(ServerCalls, ExceptionOfTheBench) {
  const Error error = error_of(client_.refer<bench::Echo>(url_)->fail("no echo"));
  if (node()) {
    expect_contains(error, "no echo");
  } else {
    ASSERT_TRUE(error.as<bench::EchoException>()) << error.what();
    EXPECT_EQ(error.as<bench::EchoException>()->message, "no echo");
  }
}

TEST_P(ServerCalls, UnknownService) {
  const auto nowhere = client_.refer<TypeService>(url_ + "?uniqueId=nowhere");
  const Error error = error_of(nowhere->whoami());
  EXPECT_EQ(error.code(), node() ? Code::kPeerError : Code::kServiceNotFound) << error.what();
  expect_contains(error, "com.settee.interop.TypeService:1.0:nowhere");
  if (node()) expect_contains(error, "not found service");
}

TEST_P(ServerCalls, UnknownMethod) {
  std::vector<Value> arguments{"x"};
  const Error error =
      error_of(generic().call("noSuchMethod", {"java.lang.String"}, std::move(arguments)));
  EXPECT_EQ(error.code(), node() ? Code::kPeerError : Code::kMethodNotFound) << error.what();
  expect_contains(error, "noSuchMethod");
}

TEST_P(ServerCalls, NobodyListens) {
  const Error error = error_of(client_.refer<TypeService>("bolt://127.0.0.1:1")->whoami());
  EXPECT_EQ(error.code(), Code::kConnectFailed);
}

// ---- timing ----

TEST_P(ServerCalls, Timeout) {
  const auto begin = settee::Clock::now();
  const Error error = error_of(types().with(CallOptions().timeout(300ms))->sleep(1200));
  const auto took = settee::Clock::now() - begin;
  EXPECT_EQ(error.code(), Code::kTimeout) << error.what();
  EXPECT_GE(took, 290ms);
  EXPECT_LT(took, 1150ms);
  // The late answer must not be taken for the answer of a later call.
  for (int i = 0; i < 12; ++i) {
    const std::string text = "after " + std::to_string(i);
    EXPECT_EQ(types()->echoString(text).get(), text);
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_EQ(counted("settee.rpc.client.connects"), 1);
}

TEST_P(ServerCalls, CancelledCallsEndAtOnce) {
  settee::CancelSource cancel;
  std::future<std::string> call;
  {
    const settee::ContextScope scope(cancel.context());
    call = settee::as_future(types()->sleep(3000));
  }
  std::this_thread::sleep_for(50ms);
  const auto begin = settee::Clock::now();
  cancel.cancel();
  try {
    call.get();
    ADD_FAILURE() << "it was not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCancelled) << error.what();
  }
  EXPECT_LT(settee::Clock::now() - begin, 2s);
  EXPECT_EQ(types()->echoString("next").get(), "next");
}

TEST_P(ServerCalls, SixtyFourAtOnceOnOneConnection) {
  auto caller = [](Reference<TypeService> types, int number) -> Task<int> {
    int right = 0;
    for (int round = 0; round < 3; ++round) {
      // Longer sleeps are sent first, so that the answers return in another order than the calls.
      const int ms = 200 - 3 * number;
      if (number % 2 == 0) {
        const std::string answer = co_await types->sleep(ms);
        right += answer == "slept " + std::to_string(ms) ? 1 : 0;
      } else {
        const std::string text = "call " + std::to_string(number) + " round " +
                                 std::to_string(round) +
                                 std::string(static_cast<std::size_t>(number) * 10, 'x');
        const Text answer = co_await types->echoString(text);
        right += answer == text ? 1 : 0;
      }
    }
    co_return right;
  };
  std::vector<Task<int>> calls;
  for (int i = 0; i < 64; ++i) calls.push_back(caller(types(), i));
  const auto begin = settee::Clock::now();
  const std::vector<int> right = runtime_.run(settee::when_all(std::move(calls)));
  const auto took = settee::Clock::now() - begin;
  EXPECT_EQ(right, std::vector<int>(64, 3));
  EXPECT_EQ(counted("settee.rpc.client.connects"), 1);
  // One after the other the sleeps alone would take 10 s.
  EXPECT_LT(took, 5s);
}

// ---- size ----

TEST_P(ServerCalls, EightMiBBothWays) {
  const auto patient = types().with(CallOptions().timeout(60s));
  const Bytes expected = pattern(kEightMiB);
  EXPECT_TRUE(patient->large(kEightMiB).get() == expected);
  EXPECT_TRUE(patient->echoBytes(expected).get() == expected);
}

// ---- what travels beside the arguments ----

TEST_P(ServerCalls, BaggageBothWays) {
  const auto reply = std::make_shared<Baggage>();
  {
    const settee::ContextScope scope(
        settee::context()
            .with(settee::rpc::kRequestBaggage, Baggage{{"who", "alice " + kUnicode}})
            .with(settee::rpc::kResponseBaggage, reply));
    EXPECT_EQ(types()->baggage("who").get(), "alice " + kUnicode);
    EXPECT_EQ((*reply)["reply"], "got:alice " + kUnicode);
    EXPECT_EQ(types()->baggage("absent").get(), "none");
    EXPECT_EQ((*reply)["reply"], "got:none");
  }
  EXPECT_EQ(types()->baggage("who").get(), "none");
}

// Java hands custom headers to services; the others of these servers show them to nobody.
TEST_P(ServerCalls, Headers) {
  if (!java()) return;
  const settee::ContextScope scope(settee::context().with(
      settee::rpc::kRequestHeaders,
      Baggage{{"tenant", "acme " + kUnicode}, {"rpc_trace_context.sofaTraceId", "0a01"}}));
  EXPECT_EQ(types()->baggage("header:tenant").get(), "acme " + kUnicode);
  EXPECT_EQ(types()->baggage("header:rpc_trace_context").get(), "{sofaTraceId=0a01}");
  EXPECT_EQ(types()->baggage("header:absent").get(), "none");
}

// ---- by name ----

TEST_P(ServerCalls, Generic) {
  const auto call = [&](const char* method, std::vector<std::string> types,
                        std::vector<Value> arguments) {
    return generic().call(method, std::move(types), std::move(arguments)).get();
  };
  EXPECT_EQ(call("echoString", {"java.lang.String"}, {"generic"}), Value("generic"));
  EXPECT_EQ(call("echoString", {}, {"guessed"}), Value("guessed"));
  EXPECT_EQ(call("echoString", {"java.lang.String"}, {nullptr}), Value());
  EXPECT_EQ(call("echoLong", {"long"}, {5LL}).as_long().value(), 5);
  EXPECT_EQ(call("echoInts", {"[I"}, {Value::list("[int", {1, 2})}).items().size(), 2U);
  EXPECT_EQ(call("noop", {}, {}), Value());
  EXPECT_EQ(call("echoStrings", {"java.util.List"}, {Value::list({"a", nullptr})}),
            Value::list({"a", nullptr}));
}

TEST_P(ServerCalls, GenericObject) {
  const Value user = Value::object("com.settee.interop.User")
                         .set("id", "g")
                         .set("name", "generic")
                         .set("age", 3)
                         .set("score", 9LL)
                         .set("birth", settee::Date(5ms));
  std::vector<Value> arguments{user};
  const Value answer =
      generic().call("echoUser", {"com.settee.interop.User"}, std::move(arguments)).get();
  EXPECT_EQ(answer.type_name(), "com.settee.interop.User");
  for (const char* field : {"id", "name", "age", "score", "birth"}) {
    EXPECT_EQ(answer[field], user[field]) << field << " of " << answer.to_string();
  }
  std::vector<Value> failing{7, "out of stock"};
  const Error error =
      error_of(generic().call("fail", {"int", "java.lang.String"}, std::move(failing)));
  if (node()) {
    expect_contains(error, "out of stock");
  } else {
    ASSERT_TRUE(error.as<BizException>()) << error.what();
    EXPECT_EQ(error.as<BizException>()->code, 7);
  }
}

INTEROP_INSTANTIATE(ServerCalls);

// ---- JSON ----

/// sofa-rpc-node has no JSON.
class ServerJson : public ServerTest {};

TEST_P(ServerJson, Calls) {
  settee::rpc::ReferOptions options;
  options.serialization = settee::rpc::Serialization::kJson;
  const auto types = client_.refer<TypeService>(url_, options);
  const std::string text = "json \"" + kUnicode + "\" \\ / \t";
  EXPECT_EQ(types->echoString(text).get(), text);
  EXPECT_EQ(types->echoInt(-70000).get(), -70000);
  EXPECT_EQ(types->echoBoolean(true).get(), true);
  EXPECT_EQ(types->echoDouble(0.1).get(), 0.1);
  EXPECT_EQ(types->prim(true, -1, 300, u'c', 70000, 5, 1.5F, 2.25).get(),
            "true,-1,300,c,70000,5,1.5,2.25");
  User user;
  user.id = "j";
  user.name = kUnicode;
  user.age = 41;
  user.boxed = -7;
  user.tags = {"a", std::nullopt};
  user.color = Color::BLUE;
  user.numbers = Array<std::int32_t>{1, -1};
  EXPECT_EQ(types->echoUser(user).get(), user);
  const Error error = error_of(types->fail(7, "out of stock"));
  expect_contains(error, "out of stock");
}

INSTANTIATE_TEST_SUITE_P(Java, ServerJson, testing::Values(Server::kJava), name_of);
INSTANTIATE_TEST_SUITE_P(Cpp, ServerJson, testing::Values(Server::kCpp), name_of);

// ---- protobuf ----

#ifdef SETTEE_INTEROP_PROTOBUF
/// The Java peer offers no protobuf service.
class ServerProtobuf : public ServerTest {};

TEST_P(ServerProtobuf, Messages) {
  const auto proto = client_.refer<ProtoService>(url_);
  for (const std::string& name :
       {std::string("peter"), std::string(), kUnicode, std::string(40000, 'x')}) {
    com::settee::interop::EchoRequest request;
    request.set_name(name);
    request.set_group(-3);
    const com::settee::interop::EchoResponse response = proto->echoObj(request).get();
    EXPECT_EQ(response.code(), 200);
    EXPECT_EQ(response.message(), "hi " + name);
  }
  com::settee::interop::EchoRequest boom;
  boom.set_name("boom");
  const Error error = error_of(proto->echoObj(boom));
  EXPECT_EQ(error.code(), Code::kPeerError) << error.what();
  expect_contains(error, "boom");
}

INSTANTIATE_TEST_SUITE_P(Node, ServerProtobuf, testing::Values(Server::kNode), name_of);
INSTANTIATE_TEST_SUITE_P(Cpp, ServerProtobuf, testing::Values(Server::kCpp), name_of);
#endif

}  // namespace
}  // namespace interop
