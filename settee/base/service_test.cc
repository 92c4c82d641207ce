// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/service.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace acme {

struct Quote {
  std::string symbol;
  std::int64_t cents = 0;
};

struct Quotes {
  virtual ~Quotes() = default;
  virtual settee::Task<Quote> latest(std::string symbol) = 0;
  virtual settee::Task<std::int32_t> add(std::int32_t a, std::int32_t b) = 0;
  virtual settee::Task<void> clear() = 0;
  virtual settee::Task<std::string> find(std::string text) = 0;
  virtual settee::Task<std::string> find(std::string text, std::int32_t limit) = 0;
};

// A type that is a member of itself, and that the compiler meets first as somebody's element.
struct Person {
  std::string name;
  std::shared_ptr<Person> friend_;
};
struct People {
  virtual ~People() = default;
  virtual settee::Task<std::optional<Person>> find(std::optional<Person> like) = 0;
};

}  // namespace acme

SETTEE_STRUCT(acme::Quote, "com.acme.Quote", symbol, cents)
SETTEE_SERVICE(acme::Quotes, "com.acme.Quotes", (latest, symbol), (add, a, b).idempotent(),
               (clear).blocking(), (find, text).overload<settee::Task<std::string>(std::string)>(),
               (find, text, limit)
                   .overload<settee::Task<std::string>(std::string, std::int32_t)>()
                   .wire_name("findSome"))
SETTEE_STRUCT(acme::Person, "com.acme.Person", name, (friend_, "friend"))
SETTEE_SERVICE(acme::People, "com.acme.People", (find, like))

namespace settee {
namespace {

struct MyQuotes final : acme::Quotes {
  Task<acme::Quote> latest(std::string symbol) override {
    acme::Quote quote;
    quote.symbol = std::move(symbol);
    quote.cents = 5;
    co_return quote;
  }
  Task<std::int32_t> add(std::int32_t a, std::int32_t b) override { co_return a + b; }
  Task<void> clear() override {
    cleared = true;
    co_return;
  }
  Task<std::string> find(std::string text) override { co_return "one " + text; }
  Task<std::string> find(std::string text, std::int32_t) override { co_return "some " + text; }
  bool cleared = false;
};

// Joins a proxy to an object without bytes between them.
class Direct final : public Invoker {
 public:
  explicit Direct(MyQuotes& target) : target_(target) {}
  Task<void> invoke(const MethodInfo& method, void* const* arguments, void* result,
                    detail::CallMode mode) override {
    struct Frame final : MethodFrame {
      const MethodInfo& method;
      void* const* from;
      void* result;
      Frame(const MethodInfo& m, void* const* f, void* r) : method(m), from(f), result(r) {}
      bool read_arguments(void* const* to) override {
        for (std::size_t i = 0; i < method.parameters.size(); ++i) {
          copy(*method.parameters[i].type, from[i], to[i]);
        }
        return true;
      }
      ThreadPool* pool() override { return nullptr; }
      void refuse(const Error&) override {}
      bool begin() override { return true; }
      void write_result(const void* value) override {
        if (value != nullptr) copy(*method.result, value, result);
      }
      static void copy(const TypeInfo& type, const void* from, void* to) {
        switch (type.kind) {
          case Kind::kString:
            *static_cast<std::string*>(to) = *static_cast<const std::string*>(from);
            break;
          case Kind::kInt32:
            *static_cast<std::int32_t*>(to) = *static_cast<const std::int32_t*>(from);
            break;
          case Kind::kInt64:
            *static_cast<std::int64_t*>(to) = *static_cast<const std::int64_t*>(from);
            break;
          case Kind::kStruct:
            for (const MemberInfo& member : type.members) {
              copy(*member.type, static_cast<const char*>(from) + member.offset,
                   static_cast<char*>(to) + member.offset);
            }
            break;
          default: FAIL() << "kind " << static_cast<int>(type.kind);
        }
      }
    };
    ++calls;
    oneways += mode == detail::CallMode::kOneway;
    Frame frame(method, arguments, result);
    co_await method.serve(static_cast<acme::Quotes*>(&target_), frame);
  }
  int calls = 0;
  int oneways = 0;

 private:
  MyQuotes& target_;
};

TEST(ServiceTest, Description) {
  const ServiceInfo& service = service_of<acme::Quotes>();
  EXPECT_EQ(service.interface_name, "com.acme.Quotes");
  ASSERT_EQ(service.methods.size(), 5u);
  const MethodInfo& latest = service.methods[0];
  EXPECT_STREQ(latest.name, "latest");
  EXPECT_EQ(latest.wire_name, "latest");
  ASSERT_EQ(latest.parameters.size(), 1u);
  EXPECT_EQ(latest.parameters[0].name, "symbol");
  EXPECT_EQ(java_name(*latest.parameters[0].type), "java.lang.String");
  EXPECT_EQ(java_name(*latest.result), "com.acme.Quote");
  EXPECT_EQ(service.methods[1].parameters[1].name, "b");
  EXPECT_TRUE(service.methods[1].idempotent);
  EXPECT_TRUE(service.methods[2].blocking);
  EXPECT_TRUE(service.methods[2].parameters.empty());
  EXPECT_EQ(service.methods[3].wire_name, "find");
  EXPECT_EQ(service.methods[3].parameters.size(), 1u);
  EXPECT_EQ(service.methods[4].wire_name, "findSome");
  EXPECT_EQ(service.methods[4].parameters.size(), 2u);
}

TEST(ServiceTest, ProxyOverridesEveryMethod) {
  MyQuotes target;
  auto* direct = new Direct(target);
  const std::unique_ptr<acme::Quotes> quotes = make_proxy<acme::Quotes>(direct);
  EXPECT_EQ(quotes->latest("ACME").get().symbol, "ACME");
  EXPECT_EQ(quotes->add(2, 3).get(), 5);
  quotes->clear().get();
  EXPECT_TRUE(target.cleared);
  EXPECT_EQ(quotes->find("x").get(), "one x");
  EXPECT_EQ(quotes->find("x", 2).get(), "some x");
  EXPECT_TRUE(oneway(quotes->clear()));
  EXPECT_EQ(direct->calls, 6);
  EXPECT_EQ(direct->oneways, 1);
}

TEST(ServiceTest, TypesMayHoldThemselves) {
  const TypeInfo& optional = *service_of<acme::People>().methods[0].parameters[0].type;
  ASSERT_EQ(optional.kind, Kind::kOptional);
  const TypeInfo& person = *optional.element;
  EXPECT_EQ(person.name, "com.acme.Person");
  ASSERT_EQ(person.members.size(), 2u);
  ASSERT_EQ(person.members[1].type->kind, Kind::kPointer);
  EXPECT_EQ(person.members[1].type->element, &person);
}

TEST(ServiceTest, CallOutlivesItsProxy) {
  MyQuotes target;
  std::unique_ptr<acme::Quotes> quotes = make_proxy<acme::Quotes>(new Direct(target));
  Task<std::int32_t> sum = quotes->add(1, 2);
  quotes.reset();
  EXPECT_EQ(std::move(sum).get(), 3);
}

}  // namespace
}  // namespace settee
