// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/bytes.h"

#include <gtest/gtest.h>
#include <sys/uio.h>

#include <array>
#include <barrier>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>

namespace settee {
namespace {

std::string repeated(char c, std::size_t n) { return std::string(n, c); }

std::string gathered(const Buffer& buffer) {
  std::array<iovec, 1024> pieces;
  const int count = buffer.gather(pieces.data(), static_cast<int>(pieces.size()));
  std::string text;
  for (int i = 0; i < count; ++i) {
    EXPECT_GT(pieces[static_cast<std::size_t>(i)].iov_len, 0u);
    text.append(static_cast<const char*>(pieces[static_cast<std::size_t>(i)].iov_base),
                pieces[static_cast<std::size_t>(i)].iov_len);
  }
  return text;
}

TEST(Bytes, CopiesSharesAndCompares) {
  const Bytes empty;
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.size(), 0u);
  EXPECT_EQ(empty, Bytes(""));
  EXPECT_EQ(empty.block(), nullptr);

  std::string text = "hello";
  const Bytes bytes(text);
  text[0] = 'j';
  EXPECT_EQ(bytes.view(), "hello");
  EXPECT_EQ(bytes[4], 'o');
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "hello");

  const Bytes copy = bytes;
  EXPECT_EQ(copy.data(), bytes.data());
  Bytes moved = copy;
  Bytes target("x");
  target = std::move(moved);
  EXPECT_EQ(target.data(), bytes.data());
  EXPECT_TRUE(moved.empty());

  EXPECT_LT(Bytes("a"), Bytes("b"));
  EXPECT_LT(Bytes("a"), Bytes("aa"));
  EXPECT_GT(Bytes(std::string_view("\xff", 1)), Bytes("a"));  // unsigned
  EXPECT_NE(Bytes("a"), Bytes("b"));
  const std::array<std::uint8_t, 3> raw{1, 0, 2};
  EXPECT_EQ(Bytes(raw).size(), 3u);
  EXPECT_EQ(Bytes(raw).span()[2], 2);
}

TEST(Bytes, SlicesShareAndAreCutToWhatIsThere) {
  Bytes slice;
  {
    const Bytes bytes("0123456789");
    slice = bytes.slice(2, 5);
    EXPECT_EQ(slice.data(), bytes.data() + 2);
    EXPECT_EQ(bytes.slice(8, 100).view(), "89");
    EXPECT_TRUE(bytes.slice(10, 1).empty());
    EXPECT_TRUE(bytes.slice(100, 1).empty());
    EXPECT_TRUE(bytes.slice(0, 0).empty());
    EXPECT_EQ(bytes.slice(1, SIZE_MAX).view(), "123456789");
  }
  EXPECT_EQ(slice.view(), "23456");  // outlives the bytes it came from
  EXPECT_EQ(slice.slice(1, 2).view(), "34");
}

TEST(Buffer, PreparedRoomStaysGoodForALength) {
  Buffer buffer;
  std::uint8_t* length = buffer.prepare(4);
  buffer.commit(4);
  for (int i = 0; i < 5000; ++i) buffer.append("0123456789");
  length[0] = 'L';
  length[3] = 'E';
  EXPECT_EQ(buffer.size(), 50004u);
  EXPECT_EQ(buffer.to_string()[0], 'L');
  EXPECT_EQ(buffer.to_string()[3], 'E');
}

TEST(Buffer, PrepareGivesOnePieceOfAnySize) {
  Buffer buffer;
  for (const std::size_t n : {1u, 100u, 5000u, 20000u, 1000000u, 3u}) {
    std::uint8_t* room = buffer.prepare(n);
    std::memset(room, static_cast<int>('a' + n % 7), n);
    buffer.commit(n);
  }
  EXPECT_EQ(buffer.size(), 1u + 100 + 5000 + 20000 + 1000000 + 3);
  EXPECT_EQ(gathered(buffer), buffer.to_string());
  buffer.prepare(10);  // not committed: not there
  EXPECT_EQ(buffer.size(), 1025104u);
}

TEST(Buffer, LargeBytesAreSharedSmallOnesCopied) {
  const Bytes large(repeated('x', 5000));
  const Bytes small("small");
  Buffer buffer;
  buffer.append("head");
  buffer.append(large);
  buffer.append(small);
  buffer.append("tail");
  EXPECT_EQ(buffer.to_string(), "head" + repeated('x', 5000) + "small" + "tail");
  const Bytes inside = buffer.slice(4, 5000);
  EXPECT_EQ(inside.data(), large.data());
  const Bytes across = buffer.slice(2, 10);
  EXPECT_EQ(across.view(), "adxxxxxxxx");
  std::array<iovec, 2> two;
  ASSERT_EQ(buffer.gather(two.data(), 2), 2);
  EXPECT_EQ(two[1].iov_base, large.data());
}

TEST(Buffer, SlicesOutliveTheBufferAndItsConsumedParts) {
  Bytes slice;
  {
    Buffer buffer;
    buffer.append("some content");
    slice = buffer.slice(5, 7);
    buffer.consume(8);
    EXPECT_EQ(buffer.to_string(), "tent");
  }
  EXPECT_EQ(slice.view(), "content");
}

TEST(Buffer, WhatIsSlicedNeverChanges) {
  Buffer buffer;
  buffer.append("hello world");
  const Bytes slice = buffer.slice(0, 11);
  buffer.truncate(5);
  buffer.append("XXXXXX");
  EXPECT_EQ(slice.view(), "hello world");
  EXPECT_EQ(buffer.to_string(), "helloXXXXXX");
}

TEST(Buffer, MovesLeaveAnEmptyBufferThatCanBeUsed) {
  Buffer buffer;
  buffer.append("one");
  Buffer other = std::move(buffer);
  EXPECT_EQ(other.to_string(), "one");
  EXPECT_TRUE(buffer.empty());
  buffer.append("two");
  EXPECT_EQ(buffer.to_string(), "two");
  buffer = std::move(other);
  EXPECT_EQ(buffer.to_string(), "one");
  EXPECT_TRUE(other.empty());
  other.append("three");
  EXPECT_EQ(other.bytes().view(), "three");
}

TEST(Buffer, CopyOutIsCutToWhatIsThere) {
  Buffer buffer;
  buffer.append("0123456789");
  char out[20] = {};
  EXPECT_EQ(buffer.copy_out(7, out, 20), 3u);
  EXPECT_EQ(std::string_view(out), "789");
  EXPECT_EQ(buffer.copy_out(10, out, 20), 0u);
  EXPECT_EQ(buffer.copy_out(1000, out, 20), 0u);
}

TEST(Buffer, ConsumingNothingKeepsPreparedRoom) {
  Buffer buffer;
  std::uint8_t* room = buffer.prepare(3);
  buffer.consume(0);
  std::memcpy(room, "abc", 3);
  buffer.commit(3);
  EXPECT_EQ(buffer.to_string(), "abc");
}

// Against a std::string, with every operation; the slices taken on the way must keep their content
// to the end.
TEST(Buffer, RandomOperationsAgreeWithAString) {
  struct Taken {
    Bytes bytes;
    std::string expected;
  };
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto up_to = [&random](std::size_t n) {
      return std::uniform_int_distribution<std::size_t>(0, n)(random);
    };
    // Mostly small, sometimes beyond the sizes at which blocks end and sharing begins.
    const auto any_size = [&] {
      const std::size_t kind = up_to(9);
      return up_to(kind < 6 ? 40 : kind < 9 ? 3000 : 40000);
    };
    char next = 'a';
    const auto fresh = [&] {
      next = next == 'z' ? 'a' : static_cast<char>(next + 1);
      std::string text(any_size(), next);
      if (!text.empty()) text.back() = '|';
      return text;
    };
    Buffer buffer;
    std::string model;
    std::vector<Taken> taken;
    for (int step = 0; step < 250; ++step) {
      switch (up_to(10)) {
        case 0:
        case 1: {
          const std::string text = fresh();
          buffer.append(text);
          model += text;
          break;
        }
        case 2: {
          const std::string text = fresh();
          std::uint8_t* room = buffer.prepare(text.size() + up_to(100));
          std::memcpy(room, text.data(), text.size());
          buffer.commit(text.size());
          model += text;
          break;
        }
        case 3: {
          const std::string text = fresh();
          const Bytes bytes("<" + text + ">");
          buffer.append(bytes.slice(1, text.size()));
          model += text;
          break;
        }
        case 4: {
          Buffer other;
          std::string added;
          for (std::size_t i = up_to(3); i > 0; --i) {
            const std::string text = fresh();
            if (up_to(1) == 0) {
              other.append(text);
            } else {
              other.append(Bytes(text));
            }
            added += text;
          }
          const std::size_t dropped = up_to(added.size() / 2);
          other.consume(dropped);
          buffer.append(std::move(other));
          EXPECT_TRUE(other.empty());
          model += added.substr(dropped);
          break;
        }
        case 5: {
          const std::size_t n = up_to(up_to(3) == 0 ? model.size() + 5 : 2000);
          buffer.consume(n);
          model.erase(0, n);
          break;
        }
        case 6: {
          const std::size_t n = up_to(model.size() + 5);
          buffer.truncate(n);
          model.resize(std::min(n, model.size()));
          break;
        }
        case 7: {
          const std::size_t offset = up_to(model.size() + 2);
          const std::size_t size = any_size();
          const std::string expected =
              offset < model.size() ? model.substr(offset, size) : std::string();
          taken.push_back({buffer.slice(offset, size), expected});
          EXPECT_EQ(taken.back().bytes.view(), expected);
          // Put back in, shared or not, it is still the same.
          if (up_to(3) == 0) {
            buffer.append(taken.back().bytes);
            model += expected;
          }
          break;
        }
        case 8: {
          const std::size_t offset = up_to(model.size());
          std::string out(any_size(), '?');
          out.resize(buffer.copy_out(offset, out.data(), out.size()));
          EXPECT_EQ(out, model.substr(offset, out.size()));
          break;
        }
        case 9: {
          if (up_to(5) == 0) {
            Buffer moved = std::move(buffer);
            buffer = std::move(moved);
          }
          buffer.append_byte('!');
          model += '!';
          break;
        }
        default: EXPECT_EQ(gathered(buffer), model); break;
      }
      ASSERT_EQ(buffer.size(), model.size()) << step;
      ASSERT_EQ(buffer.empty(), model.empty());
    }
    ASSERT_EQ(buffer.to_string(), model);
    ASSERT_EQ(buffer.bytes().view(), model);
    for (const Taken& one : taken) ASSERT_EQ(one.bytes.view(), one.expected);
    buffer.clear();
    ASSERT_TRUE(buffer.empty());
  }
}

// A queue from those who write to those who read: blocks are freed by other threads than made them.
TEST(Buffer, BlocksCrossThreads) {
  constexpr int kWriters = 2;
  constexpr int kReaders = 2;
  constexpr int kRounds = 2000;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Bytes> queue;
  int writing = kWriters;
  std::uint64_t sum_in = 0;
  std::uint64_t sum_out = 0;
  const auto sum = [](const Bytes& bytes) {
    return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
  };
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      std::mt19937 random(static_cast<unsigned>(w));
      Buffer buffer;
      std::uint64_t mine = 0;
      for (int i = 0; i < kRounds; ++i) {
        buffer.append(std::string(random() % 5000, static_cast<char>(random())));
        const Bytes whole = buffer.slice(0, random() % 4000);
        const Bytes part = whole.slice(1, 100);
        mine += sum(whole) + sum(part);
        buffer.consume(random() % 6000);
        const std::lock_guard lock(mutex);
        queue.push_back(whole);
        queue.push_back(part);
        changed.notify_one();
      }
      const std::lock_guard lock(mutex);
      sum_in += mine;
      --writing;
      changed.notify_all();
    });
  }
  for (int r = 0; r < kReaders; ++r) {
    threads.emplace_back([&] {
      std::uint64_t mine = 0;
      for (;;) {
        std::vector<Bytes> batch;
        {
          std::unique_lock lock(mutex);
          changed.wait(lock, [&] { return !queue.empty() || writing == 0; });
          if (queue.empty()) break;
          batch.swap(queue);
        }
        for (const Bytes& bytes : batch) mine += sum(bytes);
      }
      const std::lock_guard lock(mutex);
      sum_out += mine;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(sum_in, sum_out);
  EXPECT_GT(sum_in, 0u);
}

TEST(Bytes, CopiedAndDroppedOnManyThreadsAtOnce) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 200; ++round) {
    Bytes shared(repeated('s', 100));
    std::barrier start(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&start, mine = shared]() mutable {
        start.arrive_and_wait();
        Bytes copy = mine;
        Bytes slice = copy.slice(10, 20);
        mine = Bytes();
        copy = Bytes();
        EXPECT_EQ(slice.view(), repeated('s', 20));
      });
    }
    shared = Bytes();
    for (auto& thread : threads) thread.join();
  }
}

// Blocks that a thread leaves behind when it ends are still good.
TEST(Bytes, OutliveTheThreadThatMadeThem) {
  std::vector<Bytes> made;
  for (int i = 0; i < 10; ++i) {
    std::thread([&] {
      for (int j = 0; j < 50; ++j) {
        const Bytes dropped(repeated('d', 64));
        made.emplace_back(repeated(static_cast<char>('a' + j % 26), 64));
      }
    }).join();
  }
  ASSERT_EQ(made.size(), 500u);
  for (std::size_t i = 0; i < made.size(); ++i) {
    EXPECT_EQ(made[i].view(), repeated(static_cast<char>('a' + i % 50 % 26), 64));
  }
}

}  // namespace
}  // namespace settee
