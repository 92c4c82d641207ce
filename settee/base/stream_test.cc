// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/stream.h"

#include <gtest/gtest.h>

#include "settee/base/runtime.h"

namespace settee {
namespace {

using namespace std::chrono_literals;

Task<void> produce(StreamSink<int> sink, int count) {
  for (int i = 0; i < count; ++i) {
    if (!co_await sink.write(i)) co_return;
  }
  sink.close();
}

Task<long> consume(AsyncStream<int> stream) {
  long sum = 0;
  while (std::optional<int> value = co_await stream.next()) sum += *value;
  co_return sum;
}

TEST(StreamTest, CarriesValuesBetweenThreadsInOrder) {
  Runtime runtime{{.threads = 2}};
  auto [sink, stream] = make_stream<int>(4);
  auto sum = as_future(consume(std::move(stream)));
  runtime.spawn(produce(std::move(sink), 10000));
  EXPECT_EQ(sum.get(), 49995000);
}

TEST(StreamTest, WriterWaitsForRoom) {
  Runtime runtime{{.threads = 1}};
  auto [sink, stream] = make_stream<int>(2);
  auto body = [](StreamSink<int> out, AsyncStream<int> in) -> Task<int> {
    co_await out.write(1);
    co_await out.write(2);
    Result<bool> third = co_await as_result(with_timeout(20ms, out.write(3)));
    EXPECT_EQ(third.error().code(), Code::kTimeout);
    co_await in.next();
    const bool fourth = co_await out.write(4);
    EXPECT_TRUE(fourth);
    out.close();
    int last = 0;
    while (std::optional<int> value = co_await in.next()) last = *value;
    co_return last;
  };
  EXPECT_EQ(runtime.run(body(std::move(sink), std::move(stream))), 4);
}

TEST(StreamTest, EndsWithTheWritersError) {
  Runtime runtime{{.threads = 1}};
  auto [sink, stream] = make_stream<int>();
  auto body = [](AsyncStream<int> in) -> Task<Code> {
    std::optional<int> first = co_await in.next();
    EXPECT_EQ(first, 1);
    Result<std::optional<int>> second = co_await as_result(in.next());
    co_return second ? Code{} : second.error().code();
  };
  sink.write(1).get();
  sink.close(Error(Code::kBusy, "enough"));
  EXPECT_EQ(runtime.run(body(std::move(stream))), Code::kBusy);
}

TEST(StreamTest, LostWriterIsAnErrorAndLostReaderStopsTheWriter) {
  Runtime runtime{{.threads = 1}};
  {
    auto [sink, stream] = make_stream<int>();
    { StreamSink<int> gone = std::move(sink); }
    EXPECT_THROW(runtime.run(consume(std::move(stream))), Error);
  }
  auto [sink, stream] = make_stream<int>(1);
  { AsyncStream<int> gone = std::move(stream); }
  EXPECT_FALSE(sink.write(1).get());
}

TEST(StreamTest, CancellationWakesTheReader) {
  Runtime runtime{{.threads = 1}};
  auto [sink, stream] = make_stream<int>();
  CancelSource cancel;
  std::future<long> sum;
  {
    const ContextScope scope(cancel.context());
    sum = as_future(consume(std::move(stream)));
  }
  cancel.cancel();
  try {
    sum.get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCancelled);
  }
}

TEST(StreamTest, WhatIsAssignedOverIsGone) {
  auto first = make_stream<int>();
  auto second = make_stream<int>();
  first.second = std::move(second.second);
  EXPECT_FALSE(first.first.write(1).get());
  first.first = std::move(second.first);
  EXPECT_TRUE(first.first.write(2).get());
  EXPECT_EQ(first.second.next().get(), 2);
}

TEST(StreamTest, AProducersErrorIsItsStreams) {
  AsyncStream<int> late = produce_stream<int>([](StreamSink<int>& sink) -> Task<void> {
    co_await sink.write(1);
    throw std::runtime_error("late");
  });
  EXPECT_EQ(late.next().get(), 1);
  EXPECT_THROW(late.next().get(), Error);
  AsyncStream<int> early = produce_stream<int>(
      [](StreamSink<int>&) -> Task<void> { throw std::runtime_error("early"); });
  EXPECT_THROW(early.next().get(), Error);
}

TEST(StreamTest, AProducerIsCancelledWithItsReader) {
  Runtime runtime{{.threads = 1}};
  std::promise<Code> ended;
  auto body = [&]() -> Task<void> {
    const AsyncStream<int> dropped = produce_stream<int>([&](StreamSink<int>&) -> Task<void> {
      Result<void> slept = co_await as_result(sleep_for(1h));
      ended.set_value(slept ? Code::kUnknown : slept.error().code());
    });
    co_return;
  };
  runtime.run(body());
  EXPECT_EQ(ended.get_future().get(), Code::kCancelled);
}

}  // namespace
}  // namespace settee
