// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "apps/settee/capture.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace settee::cli {
namespace {

using Octets = std::vector<std::uint8_t>;

void put16(Octets& out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void put32(Octets& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}
void append(Octets& out, const Octets& more) { out.insert(out.end(), more.begin(), more.end()); }

constexpr std::uint8_t kSyn = 0x02;

struct Tcp {
  std::uint16_t from = 50000;
  std::uint16_t to = 12200;
  std::uint32_t sequence = 1;
  std::string_view text = {};
  std::uint8_t flags = 0;
};

Octets tcp_packet(const Tcp& tcp) {
  Octets out;
  put16(out, tcp.from);
  put16(out, tcp.to);
  put32(out, tcp.sequence);
  put32(out, 0);
  out.push_back(0x60);  // six words: one of options
  out.push_back(tcp.flags);
  put16(out, 65535);
  put32(out, 0);
  put32(out, 0x01010101);
  out.insert(out.end(), tcp.text.begin(), tcp.text.end());
  return out;
}

Octets ipv4_packet(const Tcp& tcp, std::uint16_t fragment = 0) {
  const Octets payload = tcp_packet(tcp);
  Octets out = {0x45, 0};
  put16(out, static_cast<std::uint32_t>(20 + payload.size()));
  put16(out, 7);
  put16(out, fragment);
  append(out, {64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2});
  append(out, payload);
  return out;
}

Octets ipv6_packet(const Tcp& tcp) {
  const Octets payload = tcp_packet(tcp);
  Octets out = {0x60, 0, 0, 0};
  put16(out, static_cast<std::uint32_t>(8 + payload.size()));
  append(out, {0, 64});  // next: hop-by-hop options
  for (int end = 0; end < 2; ++end) {
    out.insert(out.end(), 15, 0);
    out.push_back(1);
  }
  append(out, {6, 0, 1, 4, 0, 0, 0, 0});
  append(out, payload);
  return out;
}

class PcapFile {
 public:
  explicit PcapFile(std::uint32_t link, std::uint32_t magic = 0xa1b2c3d4) {
    put32(bytes_, magic);
    put16(bytes_, 2);
    put16(bytes_, 4);
    put32(bytes_, 0);
    put32(bytes_, 0);
    put32(bytes_, 65535);
    put32(bytes_, link);
  }
  PcapFile& add(const Octets& packet, std::size_t cut = SIZE_MAX) {
    const std::size_t here = std::min(cut, packet.size());
    put32(bytes_, 1700000000);
    put32(bytes_, 0);
    put32(bytes_, static_cast<std::uint32_t>(here));
    put32(bytes_, static_cast<std::uint32_t>(packet.size()));
    bytes_.insert(bytes_.end(), packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(here));
    return *this;
  }
  const Octets& bytes() const { return bytes_; }

 private:
  Octets bytes_;
};

constexpr std::uint32_t kRaw = 101;

Capture captured(const Octets& file, std::optional<std::uint16_t> port = std::nullopt) {
  Result<Capture> capture = read_capture(file, port);
  EXPECT_TRUE(capture) << capture.error().what();
  return capture ? *std::move(capture) : Capture();
}

std::string text_of(const StreamPiece& piece) { return {piece.bytes.begin(), piece.bytes.end()}; }

std::string only_text(const Capture& capture) {
  EXPECT_EQ(capture.streams.size(), 1u);
  if (capture.streams.empty()) return "";
  EXPECT_EQ(capture.streams[0].pieces.size(), 1u);
  return text_of(capture.streams[0].pieces.at(0));
}

TEST(CaptureTest, OneStreamForEachDirection) {
  PcapFile file(kRaw);
  file.add(ipv4_packet({.sequence = 100, .flags = kSyn}))
      .add(ipv4_packet({.from = 12200, .to = 50000, .sequence = 900, .flags = kSyn}))
      .add(ipv4_packet({.sequence = 101, .text = "hello "}))
      .add(ipv4_packet({.from = 12200, .to = 50000, .sequence = 901, .text = "yes"}))
      .add(ipv4_packet({.sequence = 107, .text = "world"}));
  const Capture capture = captured(file.bytes());
  EXPECT_EQ(capture.packets, 5u);
  ASSERT_EQ(capture.streams.size(), 2u);
  EXPECT_EQ(capture.streams[0].name, "127.0.0.1:50000 -> 127.0.0.2:12200");
  EXPECT_TRUE(capture.streams[0].from_beginning);
  EXPECT_EQ(capture.streams[0].segments, 2u);
  EXPECT_EQ(text_of(capture.streams[0].pieces.at(0)), "hello world");
  EXPECT_EQ(capture.streams[1].name, "127.0.0.1:12200 -> 127.0.0.2:50000");
  EXPECT_EQ(text_of(capture.streams[1].pieces.at(0)), "yes");
}

TEST(CaptureTest, SegmentsOutOfOrderDoubledAndOverlapping) {
  PcapFile file(kRaw);
  file.add(ipv4_packet({.sequence = 100, .flags = kSyn}))
      .add(ipv4_packet({.sequence = 107, .text = "world"}))
      .add(ipv4_packet({.sequence = 100, .flags = kSyn}))
      .add(ipv4_packet({.sequence = 101, .text = "hello "}))
      .add(ipv4_packet({.sequence = 101, .text = "hello wo"}))
      .add(ipv4_packet({.sequence = 103, .text = "llo"}));
  EXPECT_EQ(only_text(captured(file.bytes())), "hello world");
}

TEST(CaptureTest, SequenceNumbersWrap) {
  PcapFile file(kRaw);
  file.add(ipv4_packet({.sequence = 0xfffffffe, .text = "abcd"}))
      .add(ipv4_packet({.sequence = 2, .text = "ef"}));
  const Capture capture = captured(file.bytes());
  EXPECT_EQ(only_text(capture), "abcdef");
  EXPECT_FALSE(capture.streams[0].from_beginning);
}

TEST(CaptureTest, AGapSplitsTheStream) {
  PcapFile file(kRaw);
  file.add(ipv4_packet({.sequence = 100, .flags = kSyn}))
      .add(ipv4_packet({.sequence = 101, .text = "abc"}))
      .add(ipv4_packet({.sequence = 114, .text = "xyz"}));
  const Capture capture = captured(file.bytes());
  ASSERT_EQ(capture.streams.size(), 1u);
  ASSERT_EQ(capture.streams[0].pieces.size(), 2u);
  EXPECT_EQ(capture.streams[0].pieces[0].missing, 0u);
  EXPECT_EQ(capture.streams[0].pieces[1].missing, 10u);
  EXPECT_EQ(capture.streams[0].pieces[1].offset, 13u);
  EXPECT_EQ(text_of(capture.streams[0].pieces[1]), "xyz");
}

TEST(CaptureTest, APortMayBeUsedAgain) {
  PcapFile file(kRaw);
  file.add(ipv4_packet({.sequence = 100, .flags = kSyn}))
      .add(ipv4_packet({.sequence = 101, .text = "first"}))
      .add(ipv4_packet({.sequence = 5000, .flags = kSyn}))
      .add(ipv4_packet({.sequence = 5001, .text = "second"}));
  const Capture capture = captured(file.bytes());
  ASSERT_EQ(capture.streams.size(), 2u);
  EXPECT_EQ(text_of(capture.streams[0].pieces.at(0)), "first");
  EXPECT_EQ(text_of(capture.streams[1].pieces.at(0)), "second");
}

TEST(CaptureTest, LinkLayers) {
  const Octets ip = ipv4_packet({.text = "x"});
  Octets ethernet(12, 0xee);
  append(ethernet, {0x81, 0x00, 0x00, 0x05, 0x08, 0x00});  // with a VLAN tag
  append(ethernet, ip);
  append(ethernet, Octets(9, 0));  // padding is no payload
  EXPECT_EQ(only_text(captured(PcapFile(1).add(ethernet).bytes())), "x");

  Octets arp(12, 0xee);
  append(arp, {0x08, 0x06, 1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(captured(PcapFile(1).add(arp).bytes()).streams.empty());

  const std::pair<std::uint32_t, std::size_t> headers[] = {{0, 4},  {108, 4}, {113, 16}, {276, 20},
                                                           {12, 0}, {101, 0}, {228, 0}};
  for (const auto& [link, header] : headers) {
    Octets frame(header, 0);
    append(frame, ip);
    EXPECT_EQ(only_text(captured(PcapFile(link).add(frame).bytes())), "x") << link;
  }
}

TEST(CaptureTest, Ipv6WithOptions) {
  const Capture capture = captured(PcapFile(kRaw).add(ipv6_packet({.text = "six"})).bytes());
  EXPECT_EQ(only_text(capture), "six");
  EXPECT_EQ(capture.streams[0].name, "[::1]:50000 -> [::1]:12200");
}

TEST(CaptureTest, LittleEndianAndNanoseconds) {
  Octets file = PcapFile(kRaw, 0xa1b23c4d).add(ipv4_packet({.text = "x"})).bytes();
  for (const std::size_t word : {0, 16, 20, 24, 28, 32, 36}) {
    std::reverse(file.begin() + static_cast<std::ptrdiff_t>(word),
                 file.begin() + static_cast<std::ptrdiff_t>(word + 4));
  }
  EXPECT_EQ(only_text(captured(file)), "x");
}

TEST(CaptureTest, OnlyOnePort) {
  PcapFile file(kRaw);
  file.add(ipv4_packet({.text = "one"})).add(ipv4_packet({.to = 80, .text = "two"}));
  EXPECT_EQ(captured(file.bytes()).streams.size(), 2u);
  EXPECT_EQ(only_text(captured(file.bytes(), 12200)), "one");
  EXPECT_TRUE(captured(file.bytes(), 9).streams.empty());
}

TEST(CaptureTest, SaysWhatIsNotThere) {
  PcapFile file(kRaw);
  file.add(ipv4_packet({.text = "whole"}))
      .add(ipv4_packet({.sequence = 6, .text = "cut"}), 46)
      .add(ipv4_packet({.text = "fragment"}, 0x2000));
  Octets bytes = file.bytes();
  bytes.insert(bytes.end(), 10, 0);  // the beginning of a packet's header
  const Capture capture = captured(bytes);
  EXPECT_EQ(capture.packets, 3u);
  EXPECT_EQ(capture.cut, 1u);
  EXPECT_EQ(capture.fragments, 1u);
  EXPECT_TRUE(capture.truncated);
  EXPECT_EQ(only_text(capture), "wholecu");
}

TEST(CaptureTest, RefusesWhatItCannotRead) {
  const auto message = [](const Octets& file) {
    const Result<Capture> capture = read_capture(file);
    return capture ? std::string() : capture.error().message();
  };
  EXPECT_NE(message({0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28}).find("editcap -F pcap"),
            std::string::npos);
  EXPECT_NE(message({1, 2, 3, 4, 5}).find("does not begin as"), std::string::npos);
  EXPECT_NE(message({0xa1, 0xb2, 0xc3, 0xd4, 0}).find("ends within its header"), std::string::npos);
  EXPECT_NE(message(PcapFile(147).bytes()).find("link type 147"), std::string::npos);
  Octets huge = PcapFile(kRaw).bytes();
  put32(huge, 0);
  put32(huge, 0);
  put32(huge, 0xfffffff0);
  put32(huge, 0xfffffff0);
  EXPECT_NE(message(huge).find("claims 4294967280 bytes"), std::string::npos);
}

// Whatever is cut off or turned over must be survived; the sanitizers watch.
TEST(CaptureTest, DamagedFilesAreSurvived) {
  PcapFile file(1);
  Octets ethernet(12, 0xee);
  append(ethernet, {0x08, 0x00});
  append(ethernet, ipv4_packet({.text = "hello"}));
  Octets six(12, 0xee);
  append(six, {0x86, 0xdd});
  append(six, ipv6_packet({.text = "hello"}));
  const Octets whole = file.add(ethernet).add(six).bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    static_cast<void>(read_capture(std::span(whole).first(size)));
  }
  for (std::size_t at = 24; at < whole.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      Octets damaged = whole;
      damaged[at] ^= static_cast<std::uint8_t>(1 << bit);
      static_cast<void>(read_capture(damaged));
    }
  }
}

}  // namespace
}  // namespace settee::cli
