// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <numeric>
#include <optional>
#include <thread>

#include "settee/base/detail/copy_value.h"
#include "settee/base/error_test.h"
#include "settee/base/runtime.h"
#include "settee/base/service.h"

namespace acme {

// Tells how many of its like there are.
struct Counted {
  static inline std::atomic<int> live{0};
  static inline std::atomic<int> peak{0};
  Counted() { add(); }
  Counted(const Counted&) { add(); }
  Counted& operator=(const Counted&) = default;
  ~Counted() { live.fetch_sub(1); }
  static void add() {
    const int now = live.fetch_add(1) + 1;
    int most = peak.load();
    while (now > most && !peak.compare_exchange_weak(most, now)) {
    }
  }
};

struct Tick {
  std::string symbol;
  std::int64_t cents = 0;
  Counted counted;
};

struct Ticks {
  virtual ~Ticks() = default;
  virtual settee::AsyncStream<Tick> watch(std::string symbol, std::int64_t count) = 0;
  virtual settee::Task<std::int64_t> upload(settee::AsyncStream<Tick> ticks) = 0;
  virtual settee::Task<void> drop(settee::AsyncStream<std::string> ticks) = 0;
  virtual settee::AsyncStream<std::string> chat(settee::AsyncStream<Tick> ticks) = 0;
  virtual settee::Task<std::string> name() = 0;
};

}  // namespace acme

SETTEE_STRUCT(acme::Tick, "com.acme.Tick", symbol, cents)
SETTEE_SERVICE(acme::Ticks, "com.acme.Ticks", (watch, symbol, count), (upload, ticks),
               (drop, ticks), (chat, ticks), (name))

namespace settee {
namespace {

using namespace std::chrono_literals;
using acme::Tick;

// Set once, when what a test waits for has happened.
class Event {
 public:
  void set() { promise_.set_value(); }
  bool wait() { return future_.wait_for(30s) == std::future_status::ready; }

 private:
  std::promise<void> promise_;
  std::future<void> future_ = promise_.get_future();
};

struct SetAtEnd {
  Event* event;
  ~SetAtEnd() { event->set(); }
};

struct MyTicks final : acme::Ticks {
  AsyncStream<Tick> watch(std::string symbol, std::int64_t count) override {
    if (symbol == "unknown") throw Error(Code::kInvalidArgument, "no such symbol");
    return produce_stream<Tick>([this, symbol, count](StreamSink<Tick>& sink) -> Task<void> {
      const SetAtEnd end{&ended};
      for (std::int64_t i = 0; i < count; ++i) {
        Tick tick;
        tick.symbol = symbol;
        tick.cents = i;
        const bool wanted = co_await sink.write(std::move(tick));
        if (!wanted) co_return;
        written = i + 1;
      }
      if (symbol == "failing") co_await fail(Error(Code::kBusy, "the market is closed"));
      if (symbol == "silent") co_await sleep_for(1h);
    });
  }
  Task<std::int64_t> upload(AsyncStream<Tick> ticks) override {
    const SetAtEnd end{&ended};
    std::int64_t sum = 0;
    while (std::optional<Tick> tick = co_await ticks.next()) {
      if (tick->symbol == "last") break;
      if (tick->symbol == "bad") throw Error(Code::kInvalidArgument, "a bad tick");
      sum += tick->cents;
    }
    co_return sum;
  }
  Task<void> drop(AsyncStream<std::string>) override { co_return; }
  AsyncStream<std::string> chat(AsyncStream<Tick> ticks) override {
    auto both = std::make_shared<AsyncStream<Tick>>(std::move(ticks));
    return produce_stream<std::string>([this, both](StreamSink<std::string>& sink) -> Task<void> {
      const SetAtEnd end{&ended};
      while (std::optional<Tick> tick = co_await both->next()) {
        if (tick->symbol == "bye") co_return;
        const bool wanted = co_await sink.write("got " + tick->symbol);
        if (!wanted) co_return;
      }
      co_await sink.write("that was all");
    });
  }
  Task<std::string> name() override { co_return "ticks"; }

  Event ended;
  std::atomic<std::int64_t> written{0};
};

// Joins a proxy to an object on another loop, as a protocol would.
class Wire final : public Invoker {
 public:
  Wire(Loop& loop, MyTicks& target) : loop_(loop), target_(target) {}

  Task<void> invoke(const MethodInfo& method, void* const* arguments, void* result,
                    detail::CallMode) override {
    Frame frame(method, arguments, result, nullptr);
    co_await method.serve(static_cast<acme::Ticks*>(&target_), frame);
  }
  Task<void> invoke_stream(const MethodInfo& method, void* const* arguments, void* result,
                           ClientStreams& streams) override {
    co_await resume_on(loop_);
    Frame frame(method, arguments, result, carries ? &streams : nullptr);
    co_await method.serve(static_cast<acme::Ticks*>(&target_), frame);
    if (!frame.ended) co_await fail(Error(Code::kUnknown, "the call has no end"));
  }
  bool carries = true;

 private:
  struct Frame final : MethodFrame, ServerStreams {
    const MethodInfo& method;
    void* const* from;
    void* result;
    ClientStreams* caller;
    bool ended = false;
    Frame(const MethodInfo& m, void* const* f, void* r, ClientStreams* c)
        : method(m), from(f), result(r), caller(c) {}

    bool read_arguments(void* const* to) override {
      for (std::size_t i = 0; i < method.parameters.size(); ++i) {
        EXPECT_TRUE(detail::copy_value(*method.parameters[i].type, to[i], from[i]));
      }
      return true;
    }
    ThreadPool* pool() override { return nullptr; }
    void refuse(const Error&) override {}
    bool begin() override { return true; }
    void write_result(const void* value) override {
      ended = true;
      if (value == nullptr) return;
      EXPECT_TRUE(detail::copy_value(*method.result, result, value));
    }
    ServerStreams* streams() override { return caller == nullptr ? nullptr : this; }
    Task<bool> next_message(void* message) override {
      Result<const void*> next = co_await as_result(caller->next_message());
      if (!next) co_await fail(next.error().within("reading the request"));
      if (*next == nullptr) co_return false;
      EXPECT_TRUE(detail::copy_value(*method.request_stream, message, *next));
      co_return true;
    }
    Task<bool> send_message(const void* message) override {
      EXPECT_TRUE(detail::copy_value(*method.response_stream, caller->room(), message));
      return caller->give_message();
    }
  };

  Loop& loop_;
  MyTicks& target_;
};

class ServiceStreamsTest : public testing::Test {
 protected:
  ServiceStreamsTest() : ticks_(make_proxy<acme::Ticks>(wire_)) {}

  MyTicks target_;
  Runtime runtime_{{.threads = 2}};
  Wire* wire_ = new Wire(runtime_.loop(1), target_);
  std::unique_ptr<acme::Ticks> ticks_;
};

template <class T>
Task<std::vector<T>> all_of(AsyncStream<T> stream) {
  std::vector<T> values;
  while (std::optional<T> value = co_await stream.next()) values.push_back(std::move(*value));
  co_return values;
}

Tick tick(std::string symbol, std::int64_t cents = 0) {
  Tick made;
  made.symbol = std::move(symbol);
  made.cents = cents;
  return made;
}

TEST_F(ServiceStreamsTest, DescriptionTellsThem) {
  const std::span<const MethodInfo> methods = service_of<acme::Ticks>().methods;
  const MethodInfo& watch = methods[0];
  EXPECT_EQ(watch.request_stream, nullptr);
  EXPECT_EQ(java_name(*watch.response_stream), "com.acme.Tick");
  EXPECT_EQ(watch.parameters.size(), 2u);
  EXPECT_EQ(watch.result->kind, Kind::kVoid);
  const MethodInfo& upload = methods[1];
  EXPECT_EQ(java_name(*upload.request_stream), "com.acme.Tick");
  EXPECT_EQ(upload.response_stream, nullptr);
  EXPECT_TRUE(upload.parameters.empty());
  EXPECT_EQ(java_name(*upload.result), "long");
  const MethodInfo& chat = methods[3];
  EXPECT_EQ(java_name(*chat.request_stream), "com.acme.Tick");
  EXPECT_EQ(java_name(*chat.response_stream), "java.lang.String");
  EXPECT_TRUE(chat.streaming());
  EXPECT_FALSE(methods[4].streaming());
}

TEST_F(ServiceStreamsTest, ManyAnswersComeInOrder) {
  const std::vector<Tick> got = runtime_.run(all_of(ticks_->watch("ACME", 1000)));
  ASSERT_EQ(got.size(), 1000u);
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].cents, static_cast<std::int64_t>(i));
    ASSERT_EQ(got[i].symbol, "ACME");
  }
  EXPECT_EQ(runtime_.run(ticks_->name()), "ticks");
}

TEST_F(ServiceStreamsTest, ManyRequestsHaveOneAnswer) {
  AsyncStream<Tick> requests = produce_stream<Tick>([](StreamSink<Tick>& sink) -> Task<void> {
    for (int i = 1; i <= 1000; ++i) co_await sink.write(tick("ACME", i));
  });
  EXPECT_EQ(runtime_.run(ticks_->upload(std::move(requests))), 500500);
  AsyncStream<std::string> none =
      produce_stream<std::string>([](StreamSink<std::string>&) -> Task<void> { co_return; });
  runtime_.run(ticks_->drop(std::move(none)));
}

TEST_F(ServiceStreamsTest, BothSidesSpeakInTurn) {
  auto body = [](acme::Ticks& ticks) -> Task<void> {
    auto [sink, requests] = make_stream<Tick>();
    AsyncStream<std::string> answers = ticks.chat(std::move(requests));
    for (int i = 0; i < 100; ++i) {
      const std::string symbol = std::to_string(i);
      co_await sink.write(tick(symbol));
      std::optional<std::string> answer = co_await answers.next();
      EXPECT_EQ(answer, "got " + symbol);
    }
    sink.close();
    std::optional<std::string> last = co_await answers.next();
    EXPECT_EQ(last, "that was all");
    std::optional<std::string> end = co_await answers.next();
    EXPECT_FALSE(end);
  };
  runtime_.run(body(*ticks_));
}

TEST_F(ServiceStreamsTest, MethodsErrorComesBehindItsMessages) {
  auto body = [](AsyncStream<Tick> stream) -> Task<void> {
    for (int i = 0; i < 20; ++i) {
      std::optional<Tick> next = co_await stream.next();
      EXPECT_TRUE(next && next->cents == i);
    }
    co_await stream.next();
  };
  const Error error = error_of(runtime_, body(ticks_->watch("failing", 20)));
  EXPECT_EQ(error.code(), Code::kBusy);
  EXPECT_EQ(error.message(), "the market is closed");
}

TEST_F(ServiceStreamsTest, MethodMayThrowInPlaceOfAStream) {
  const Error error = error_of(runtime_, all_of(ticks_->watch("unknown", 1)));
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
}

TEST_F(ServiceStreamsTest, CallersErrorReachesTheMethodAndHimself) {
  AsyncStream<Tick> requests = produce_stream<Tick>([](StreamSink<Tick>& sink) -> Task<void> {
    co_await sink.write(tick("ACME", 1));
    co_await fail(Error(Code::kDecode, "line 2 is no tick"));
  });
  EXPECT_EQ(error_of(runtime_, ticks_->upload(std::move(requests))).code(), Code::kDecode);
  EXPECT_TRUE(target_.ended.wait());
}

TEST_F(ServiceStreamsTest, WriterLearnsThatNobodyReads) {
  {
    AsyncStream<Tick> stream = ticks_->watch("ACME", 1'000'000'000);
    EXPECT_EQ(stream.next().get()->cents, 0);
  }
  EXPECT_TRUE(target_.ended.wait());
}

TEST_F(ServiceStreamsTest, SilentMethodIsCancelledWhenNobodyReads) {
  {
    AsyncStream<Tick> stream = ticks_->watch("silent", 1);
    EXPECT_EQ(stream.next().get()->cents, 0);
  }
  EXPECT_TRUE(target_.ended.wait());
}

TEST_F(ServiceStreamsTest, MethodMayEndBeforeItsRequests) {
  Event ended;
  AsyncStream<Tick> requests = produce_stream<Tick>([&](StreamSink<Tick>& sink) -> Task<void> {
    const SetAtEnd end{&ended};
    co_await sink.write(tick("ACME", 7));
    co_await sink.write(tick("last"));
    for (;;) {
      const bool wanted = co_await sink.write(tick("ACME", 1));
      if (!wanted) co_return;
    }
  });
  EXPECT_EQ(runtime_.run(ticks_->upload(std::move(requests))), 7);
  EXPECT_TRUE(ended.wait());
}

TEST_F(ServiceStreamsTest, MethodMayFailBeforeItsRequestsEnd) {
  auto body = [](acme::Ticks& ticks) -> Task<Code> {
    auto [sink, requests] = make_stream<Tick>();
    co_await sink.write(tick("bad"));
    Result<std::int64_t> sum = co_await as_result(ticks.upload(std::move(requests)));
    const bool wanted = co_await sink.write(tick("ACME"));
    EXPECT_FALSE(wanted);
    co_return sum.error().code();
  };
  EXPECT_EQ(runtime_.run(body(*ticks_)), Code::kInvalidArgument);
}

TEST_F(ServiceStreamsTest, TalkMayEndByTheServersWord) {
  auto body = [](acme::Ticks& ticks) -> Task<void> {
    auto [sink, requests] = make_stream<Tick>();
    AsyncStream<std::string> answers = ticks.chat(std::move(requests));
    co_await sink.write(tick("bye"));
    std::optional<std::string> end = co_await answers.next();
    EXPECT_FALSE(end);
  };
  runtime_.run(body(*ticks_));
}

TEST_F(ServiceStreamsTest, TalkMayEndByTheCallerWhoGoes) {
  auto ends = make_stream<Tick>();
  { AsyncStream<std::string> answers = ticks_->chat(std::move(ends.second)); }
  EXPECT_TRUE(target_.ended.wait());
  while (ends.first.write(tick("ACME")).get()) std::this_thread::yield();
}

TEST_F(ServiceStreamsTest, DeadlineEndsBothSides) {
  auto body = [](acme::Ticks& ticks) -> Task<void> {
    AsyncStream<Tick> stream = ticks.watch("silent", 1);
    std::optional<Tick> first = co_await stream.next();
    EXPECT_TRUE(first);
    Result<std::optional<Tick>> second = co_await as_result(stream.next());
    EXPECT_EQ(second.error().code(), Code::kTimeout);
  };
  runtime_.run(with_timeout(300ms, body(*ticks_)));
  EXPECT_TRUE(target_.ended.wait());
}

TEST_F(ServiceStreamsTest, DeadlineEndsAMethodThatNeverWaits) {
  auto body = [](acme::Ticks& ticks) -> Task<Code> {
    // The reader's own Context has no deadline: the call's ends the stream.
    AsyncStream<Tick> stream = [&] {
      const ContextScope scope(context().with_timeout(50ms));
      return ticks.watch("ACME", 1'000'000'000);
    }();
    for (;;) {
      Result<std::optional<Tick>> next = co_await as_result(stream.next());
      if (!next) co_return next.error().code();
    }
  };
  EXPECT_EQ(runtime_.run(body(*ticks_)), Code::kTimeout);
  EXPECT_TRUE(target_.ended.wait());
}

TEST_F(ServiceStreamsTest, CancellationEndsBothSides) {
  CancelSource source;
  auto ends = make_stream<Tick>();
  auto body = [](acme::Ticks& ticks, AsyncStream<Tick> requests) -> Task<void> {
    co_await ticks.upload(std::move(requests));
  };
  auto done = as_future(with_context(source.context(), body(*ticks_, std::move(ends.second))));
  source.cancel();
  try {
    done.get();
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCancelled);
  }
  EXPECT_TRUE(target_.ended.wait());
  EXPECT_FALSE(ends.first.write(tick("ACME")).get());
}

TEST_F(ServiceStreamsTest, SlowReaderHoldsTheWriterBack) {
  AsyncStream<Tick> stream = ticks_->watch("ACME", 1'000'000'000);
  // The reader has read none and the writer is stuck when a while brings nothing new.
  std::int64_t before = -1;
  while (target_.written != before) {
    before = target_.written;
    runtime_.pause(50ms);
  }
  EXPECT_GT(before, 0);
  EXPECT_LT(before, 100);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(stream.next().get()->cents, i);
  EXPECT_GE(target_.written, 1000);
  stream = ticks_->watch("unknown", 0);  // the other one is dropped
  EXPECT_TRUE(target_.ended.wait());
}

TEST_F(ServiceStreamsTest, AMillionMessagesAreNeverInMemoryTogether) {
#if defined(SETTEE_SANITIZE)
  constexpr std::int64_t kCount = 100'000;
#else
  constexpr std::int64_t kCount = 1'000'000;
#endif
  acme::Counted::peak = 0;
  auto body = [](AsyncStream<Tick> stream) -> Task<std::int64_t> {
    std::int64_t count = 0;
    while (std::optional<Tick> next = co_await stream.next()) {
      EXPECT_EQ(next->cents, count);
      ++count;
    }
    co_return count;
  };
  EXPECT_EQ(runtime_.run(body(ticks_->watch("ACME", kCount))), kCount);
  EXPECT_LT(acme::Counted::peak, 100);
  EXPECT_TRUE(target_.ended.wait());
}

TEST_F(ServiceStreamsTest, CallOutlivesItsProxy) {
  AsyncStream<Tick> stream = ticks_->watch("ACME", 100);
  ticks_.reset();
  EXPECT_EQ(runtime_.run(all_of(std::move(stream))).size(), 100u);
}

TEST_F(ServiceStreamsTest, ProtocolWithoutStreamsSaysSo) {
  wire_->carries = false;
  const Error error = error_of(runtime_, all_of(ticks_->watch("ACME", 1)));
  EXPECT_EQ(error.code(), Code::kMisuse);
  EXPECT_NE(error.message().find("watch is a streaming method"), std::string::npos);
  EXPECT_EQ(target_.written, 0);
}

TEST_F(ServiceStreamsTest, InvokerWithoutStreamsSaysSo) {
  struct Unary final : Invoker {
    Task<void> invoke(const MethodInfo&, void* const*, void*, detail::CallMode) override {
      co_return;
    }
  };
  const std::unique_ptr<acme::Ticks> ticks = make_proxy<acme::Ticks>(new Unary);
  EXPECT_EQ(error_of(runtime_, all_of(ticks->watch("ACME", 1))).code(), Code::kMisuse);
  auto ends = make_stream<Tick>();
  EXPECT_EQ(error_of(runtime_, ticks->upload(std::move(ends.second))).code(), Code::kMisuse);
  EXPECT_FALSE(ends.first.write(tick("ACME")).get());
}

}  // namespace
}  // namespace settee
