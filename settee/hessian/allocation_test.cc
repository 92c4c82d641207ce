// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// How much memory is asked for: nothing by the codec itself for small messages, and never what a
// message merely claims to hold.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "settee/hessian/hessian_test_data.h"

namespace {

struct Counted {
  std::size_t calls = 0;
  std::size_t largest = 0;
};
thread_local Counted* counted = nullptr;

void* counted_allocation(std::size_t size) noexcept {
  if (counted != nullptr) {
    ++counted->calls;
    if (size > counted->largest) counted->largest = size;
  }
  return std::malloc(size == 0 ? 1 : size);
}

void* counted_or_throw(std::size_t size) {
  if (void* memory = counted_allocation(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// Every form that ends in these deletes: a sanitizer's own nothrow form would not fit them.
void* operator new(std::size_t size) { return counted_or_throw(size); }
void* operator new[](std::size_t size) { return counted_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted_allocation(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return counted_allocation(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace settee::hessian_test {
namespace {

using hessian::Container;
using hessian::Dialect;
using hessian::Reader;
using hessian::Value;
using hessian::Writer;

template <class F>
Counted count(F&& work) {
  Counted count;
  counted = &count;
  work();
  counted = nullptr;
  return count;
}

TEST(Allocation, SmallMessagesCostTheCodecNothing) {
  Friend alice;
  alice.name = "alice";
  alice.tags = {"a", "b"};
  alice.extra = "extra";
  Array<std::string> words;
  words.assign({"x", "y"});
  std::map<std::string, std::int32_t> counts = {{"one", 1}};
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    Buffer out;
    out.prepare(4096);
    const Counted writing = count([&] {
      Writer writer(out, dialect);
      if (!hessian::encode(writer, alice).ok()) std::abort();
      if (!hessian::encode(writer, words).ok()) std::abort();
      if (!hessian::encode(writer, counts).ok()) std::abort();
    });
    EXPECT_EQ(writing.calls, 0u);
    const Bytes bytes = out.bytes();
    Friend again;
    again.tags.reserve(2);
    const Counted reading = count([&] {
      Reader reader(bytes.span(), dialect);
      if (!hessian::decode(reader, type_of<Friend>(), &again).ok()) std::abort();
      if (!reader.skip() || !reader.skip() || !reader.at_end()) std::abort();
    });
    EXPECT_EQ(reading.calls, 0u);
    EXPECT_EQ(again.tags, alice.tags);
  }
}

// A claim of a gigabyte with three bytes behind it.
TEST(Allocation, ClaimsAreNotBelieved) {
  const char* claims[] = {
      "566c3fffffff 919191",              // a list
      "567400045b696e746c000fffff 9191",  // within the limit of elements, but not in the bytes
      "53ffff 616161",                    // a string
      "73ffff 616161",
      "42ffff 616161",
      "62ffff 616161",
      "4f91414 93fffffff 0161",  // fields of a class
      "4f493fffffff 616161",     // a class name
      "4d74ffff 616161",         // a type name
  };
  for (const char* hex : claims) {
    const Octets bytes = from_hex(hex);
    const auto refused = [&](auto value) {
      using T = decltype(value);
      const Counted reading = count([&] {
        if (hessian::from_bytes<T>(bytes).ok()) std::abort();
      });
      EXPECT_LT(reading.largest, 2048u) << hex;
    };
    refused(Value());
    refused(std::vector<std::int32_t>());
    refused(std::string());
    refused(Bytes());
    refused(Everything());
    refused(std::vector<Everything>());
    const Counted skipping = count([&] {
      Reader reader(bytes);
      if (reader.skip()) std::abort();
    });
    EXPECT_LT(skipping.largest, 2048u) << hex;
  }
}

// A message that is as long as it claims, but whose elements are large in memory: space is taken as
// they come, and counted.
TEST(Allocation, LargeElementsAreReservedAsTheyCome) {
  Octets bytes = from_hex("566c000f0000");
  bytes.resize(bytes.size() + 0xf0000, 0x4e);
  const Counted first = count([&] {
    hessian::Limits limits;
    limits.bytes = 1 << 20;
    const auto refused =
        hessian::from_bytes<std::vector<Everything>>(bytes, Dialect::kSofa3, limits);
    if (refused.ok() || refused.error().code() != Code::kLimit) std::abort();
  });
  EXPECT_LT(first.largest, 4u << 20);
}

}  // namespace
}  // namespace settee::hessian_test
