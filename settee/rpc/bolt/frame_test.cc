// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/bolt/frame.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <zlib.h>

#include "settee/rpc/bolt/internal/big_endian.h"

namespace settee::rpc::bolt {
namespace {

using Bytes = std::vector<std::uint8_t>;

FrameStep read(std::span<const std::uint8_t> data, Frame& frame, FrameLimits limits = {}) {
  return read_frame(data, limits, frame);
}
FrameStep read(std::span<const std::uint8_t> data) {
  Frame frame;
  return read(data, frame);
}

std::string_view text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A frame written by hand, field by field, right or wrong.
struct Made {
  Version version = Version::kV1;
  int first = -1;         // the protocol code, if it is to be wrong
  int second = -1;        // the protocol version of v2, likewise
  std::uint8_t type = 1;
  std::uint16_t command = 1;
  std::uint8_t command_version = 1;
  std::uint32_t id = 7;
  std::uint8_t codec = 1;
  std::uint8_t flags = 0;
  std::uint32_t timeout = 3000;
  std::uint16_t status = 0;
  std::string class_name = "C";
  std::string header = "HH";
  std::string content = "DDD";
  std::optional<std::int16_t> class_length;
  std::optional<std::int16_t> header_length;
  std::optional<std::int32_t> content_length;
  std::optional<std::uint32_t> crc;

  bool two() const { return version != Version::kV1; }
  Bytes bytes() const {
    Bytes out;
    const auto put8 = [&](unsigned value) { out.push_back(static_cast<std::uint8_t>(value)); };
    const auto put16 = [&](std::uint16_t value) {
      put8(value >> 8);
      put8(value & 0xff);
    };
    const auto put32 = [&](std::uint32_t value) {
      put16(static_cast<std::uint16_t>(value >> 16));
      put16(static_cast<std::uint16_t>(value & 0xffff));
    };
    put8(first >= 0 ? static_cast<unsigned>(first) : two() ? 2 : 1);
    if (two()) put8(second >= 0 ? static_cast<unsigned>(second) : version == Version::kV2 ? 1 : 2);
    put8(type);
    put16(command);
    put8(command_version);
    put32(id);
    put8(codec);
    if (two()) put8(flags);
    if (type == 0) {
      put16(status);
    } else {
      put32(timeout);
    }
    put16(static_cast<std::uint16_t>(
        class_length.value_or(static_cast<std::int16_t>(class_name.size()))));
    put16(static_cast<std::uint16_t>(
        header_length.value_or(static_cast<std::int16_t>(header.size()))));
    put32(static_cast<std::uint32_t>(
        content_length.value_or(static_cast<std::int32_t>(content.size()))));
    for (const std::string& part : {class_name, header, content}) {
      out.insert(out.end(), part.begin(), part.end());
    }
    if (version == Version::kV2_2 && (flags & 1) != 0) {
      put32(crc.value_or(static_cast<std::uint32_t>(
          crc32(0, out.data(), static_cast<uInt>(out.size())))));
    }
    return out;
  }
};

const std::vector<Version> kVersions{Version::kV1, Version::kV2, Version::kV2_2};

void expect_bad(const Made& made, std::string_view rule, std::size_t offset,
                FrameLimits limits = {}) {
  Frame frame;
  const Bytes bytes = made.bytes();
  const FrameStep step = read(bytes, frame, limits);
  EXPECT_EQ(step.kind, FrameStep::kBad);
  EXPECT_NE(step.rule.find(rule), std::string::npos) << step.rule;
  EXPECT_EQ(step.offset, offset) << step.rule;
}

TEST(FrameTest, ReadsRequestsOfAllVersions) {
  for (const Version version : kVersions) {
    for (const std::uint8_t flags : {0, 1}) {
      for (const std::uint8_t type : {1, 2}) {
        Made made;
        made.version = version;
        made.flags = flags;
        made.type = type;
        made.id = 0xfffffffe;
        made.codec = 99;  // not the frame's business
        made.command_version = 77;
        made.timeout = 0xffffffff;
        const Bytes bytes = made.bytes();
        Frame frame;
        const FrameStep step = read(bytes, frame);
        ASSERT_EQ(step.kind, FrameStep::kFrame) << step.rule;
        EXPECT_EQ(step.size, bytes.size());
        EXPECT_EQ(frame.version, version);
        EXPECT_EQ(static_cast<int>(frame.type), type);
        EXPECT_EQ(frame.command, Command::kRequest);
        EXPECT_EQ(frame.id, -2);
        EXPECT_EQ(frame.codec, 99);
        EXPECT_EQ(frame.timeout_ms, -1);
        EXPECT_EQ(frame.crc, version == Version::kV2_2 && flags == 1);
        EXPECT_EQ(frame.class_name, "C");
        EXPECT_EQ(text(frame.header), "HH");
        EXPECT_EQ(text(frame.content), "DDD");
      }
    }
  }
}

TEST(FrameTest, ReadsResponsesOfAllVersionsAndEveryKnownStatus) {
  for (const Version version : kVersions) {
    for (int status = -2; status < 0x200; ++status) {
      Made made;
      made.version = version;
      made.type = 0;
      made.command = 2;
      made.status = static_cast<std::uint16_t>(status);
      const bool known = (status >= 0 && status <= 9) || (status >= 0x10 && status <= 0x12);
      if (!known) {
        expect_bad(made, "status", made.two() ? 12 : 10);
        continue;
      }
      Frame frame;
      const Bytes bytes = made.bytes();
      ASSERT_EQ(read(bytes, frame).kind, FrameStep::kFrame);
      EXPECT_EQ(static_cast<int>(frame.status), status);
      EXPECT_EQ(text(frame.content), "DDD");
    }
  }
}

TEST(FrameTest, ReadsHeartbeatsAndTheirAcks) {
  for (const Version version : kVersions) {
    for (const std::uint8_t type : {0, 1, 2}) {
      Made made;
      made.version = version;
      made.type = type;
      made.command = 0;
      made.class_name = made.header = made.content = "";
      Frame frame;
      const Bytes bytes = made.bytes();
      ASSERT_EQ(read(bytes, frame).kind, FrameStep::kFrame);
      EXPECT_EQ(frame.command, Command::kHeartbeat);
      EXPECT_TRUE(frame.class_name.empty());
      EXPECT_TRUE(frame.header.empty());
      EXPECT_TRUE(frame.content.empty());
    }
  }
}

TEST(FrameTest, RefusesUnknownCodes) {
  for (int first = 0; first < 256; ++first) {
    if (first == 1 || first == 2) continue;
    Made made;
    made.first = first;
    expect_bad(made, "protocol code", 0);
    const std::uint8_t byte = static_cast<std::uint8_t>(first);
    EXPECT_EQ(read({&byte, 1}).kind, FrameStep::kBad);  // with the first byte
  }
  for (const int second : {0, 3, 4, 0x7f, 0x80, 0xff}) {
    Made made;
    made.version = Version::kV2;
    made.second = second;
    expect_bad(made, "protocol version", 1);
    const std::uint8_t bytes[] = {2, static_cast<std::uint8_t>(second)};
    EXPECT_EQ(read(bytes).kind, FrameStep::kBad);
  }
  for (const Version version : kVersions) {
    const std::size_t shift = version == Version::kV1 ? 0 : 1;
    Made made;
    made.version = version;
    for (const int type : {3, 4, 0x80, 0xff}) {
      made.type = static_cast<std::uint8_t>(type);
      expect_bad(made, "frame type", 1 + shift);
    }
    made.type = 1;
    for (const int command : {3, 4, 0x100, 0x101, 0x7fff, 0x8000, 0xffff}) {
      made.command = static_cast<std::uint16_t>(command);
      expect_bad(made, "command code", 2 + shift);
    }
    made.command = 2;
    expect_bad(made, "response command in a request", 2 + shift);
    made.type = 2;
    expect_bad(made, "response command in a request", 2 + shift);
    made.type = 0;
    made.command = 1;
    expect_bad(made, "request command in a response", 2 + shift);
  }
}

TEST(FrameTest, RefusesUnknownSwitchBits) {
  for (const Version version : {Version::kV2, Version::kV2_2}) {
    for (const std::uint8_t type : {0, 1}) {
      for (int flags = 2; flags < 256; ++flags) {
        Made made;
        made.version = version;
        made.type = type;
        made.command = type == 0 ? 2 : 1;
        made.flags = static_cast<std::uint8_t>(flags);
        expect_bad(made, "switch byte", 11);
      }
    }
  }
}

TEST(FrameTest, RefusesLengthsThatAreNegativeOrOverTheLimits) {
  for (const Version version : kVersions) {
    for (const std::uint8_t type : {0, 1, 2}) {
      Made made;
      made.version = version;
      made.type = type;
      made.command = type == 0 ? 2 : 1;
      const std::size_t shift = made.two() ? 2 : 0;
      const std::size_t lengths = (type == 0 ? 12 : 14) + shift;
      made.class_length = -1;
      expect_bad(made, "class name length -1 is negative", lengths);
      made.class_length = INT16_MIN;
      expect_bad(made, "class name length -32768 is negative", lengths);
      made.class_length = 1025;
      expect_bad(made, "class name length 1025 is over the limit of 1024", lengths);
      made.class_length = INT16_MAX;
      expect_bad(made, "is over the limit", lengths);
      made.class_length.reset();
      made.header_length = -1;
      expect_bad(made, "header length -1 is negative", lengths + 2);
      FrameLimits limits;
      limits.header = 1;
      made.header_length = 2;
      expect_bad(made, "header length 2 is over the limit of 1", lengths + 2, limits);
      made.header_length.reset();
      for (const std::int32_t length : {-1, INT32_MIN, 64 * 1024 * 1024 + 1, INT32_MAX}) {
        made.content_length = length;
        expect_bad(made, length < 0 ? "is negative" : "content length", lengths + 4);
      }
      // With the last byte of the fixed part, before anything is kept for it.
      Bytes fixed = made.bytes();
      fixed.resize(lengths + 8);
      EXPECT_EQ(read(fixed).kind, FrameStep::kBad);
      fixed.pop_back();
      EXPECT_EQ(read(fixed).kind, FrameStep::kMore);
    }
  }
}

TEST(FrameTest, LengthsAtTheLimitAreTaken) {
  Made made;
  made.class_name = std::string(1024, 'c');
  made.header = std::string(32767, 'h');
  made.content = std::string(1000, 'd');
  FrameLimits limits;
  limits.content = 1000;
  Frame frame;
  const Bytes bytes = made.bytes();
  EXPECT_EQ(read(bytes, frame, limits).kind, FrameStep::kFrame);
  EXPECT_EQ(frame.header.size(), 32767u);
  limits.content = 999;
  EXPECT_EQ(read(bytes, frame, limits).kind, FrameStep::kBad);
  // Asking for as much as allowed costs nothing but the wait.
  made.content_length = 64 * 1024 * 1024;
  const FrameStep step = read(made.bytes());
  EXPECT_EQ(step.kind, FrameStep::kMore);
  EXPECT_EQ(step.size, 22u + 1024 + 32767 + 64 * 1024 * 1024);
}

TEST(FrameTest, ChecksTheCrcOverEveryByte) {
  Made made;
  made.version = Version::kV2_2;
  made.flags = 1;
  for (const std::uint8_t type : {0, 1}) {
    made.type = type;
    made.command = type == 0 ? 2 : 1;
    const Bytes good = made.bytes();
    Frame frame;
    ASSERT_EQ(read(good, frame).kind, FrameStep::kFrame);
    EXPECT_TRUE(frame.crc);
    int found = 0;
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        Bytes wrong = good;
        wrong[at] ^= static_cast<std::uint8_t>(1 << bit);
        if (read(wrong, frame).kind == FrameStep::kBad) ++found;
        // Other bits make another frame: longer, or without a CRC. None of them passes with one.
        EXPECT_FALSE(read(wrong, frame).kind == FrameStep::kFrame && frame.crc)
            << "byte " << at << " bit " << bit;
      }
    }
    EXPECT_GT(found, 100);
    made.crc = 0;
    expect_bad(made, "CRC 0x00000000", good.size() - 4);
    made.crc.reset();
  }
}

TEST(FrameTest, OnlyVersionTwoPointTwoHasACrc) {
  Made made;
  made.version = Version::kV2;
  made.flags = 1;
  Bytes bytes = made.bytes();
  Frame frame;
  FrameStep step = read(bytes, frame);
  ASSERT_EQ(step.kind, FrameStep::kFrame);
  EXPECT_FALSE(frame.crc);
  EXPECT_EQ(step.size, bytes.size());
  made.version = Version::kV2_2;
  made.flags = 0;
  bytes = made.bytes();
  step = read(bytes, frame);
  ASSERT_EQ(step.kind, FrameStep::kFrame);
  EXPECT_FALSE(frame.crc);
  EXPECT_EQ(step.size, bytes.size());
}

struct Captured {
  std::string name;
  std::string version;
  int type, command, id, codec, extra;
  std::size_t class_size, header_size, content_size;
  bool crc;
  Bytes bytes;
};

std::vector<Captured> captured() {
  std::vector<Captured> all;
  std::ifstream file(std::string(SETTEE_SOURCE_DIR) + "/settee/rpc/testdata/captured_frames.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> fields;
    std::istringstream stream(line);
    for (std::string field; std::getline(stream, field, '|');) fields.push_back(field);
    if (fields.size() != 12) {
      ADD_FAILURE() << "bad line: " << line;
      continue;
    }
    Captured one{fields[0],
                 fields[1],
                 std::stoi(fields[2]),
                 std::stoi(fields[3]),
                 std::stoi(fields[4]),
                 std::stoi(fields[5]),
                 std::stoi(fields[6]),
                 std::stoul(fields[7]),
                 std::stoul(fields[8]),
                 std::stoul(fields[9]),
                 fields[10] == "1",
                 {}};
    for (std::size_t i = 0; i + 1 < fields[11].size(); i += 2) {
      one.bytes.push_back(
          static_cast<std::uint8_t>(std::stoi(fields[11].substr(i, 2), nullptr, 16)));
    }
    all.push_back(std::move(one));
  }
  return all;
}

TEST(CapturedFrameTest, ReadsWhatRealPeersSent) {
  const std::vector<Captured> all = captured();
  ASSERT_EQ(all.size(), 31u);
  for (const Captured& one : all) {
    SCOPED_TRACE(one.name);
    Frame frame;
    const FrameStep step = read(one.bytes, frame);
    ASSERT_EQ(step.kind, FrameStep::kFrame) << step.rule;
    EXPECT_EQ(step.size, one.bytes.size());
    EXPECT_EQ(frame.version, one.version == "1"   ? Version::kV1
                             : one.version == "2" ? Version::kV2
                                                  : Version::kV2_2);
    EXPECT_EQ(static_cast<int>(frame.type), one.type);
    EXPECT_EQ(static_cast<int>(frame.command), one.command);
    EXPECT_EQ(frame.id, one.id);
    EXPECT_EQ(frame.codec, one.codec);
    EXPECT_EQ(one.type == 0 ? static_cast<int>(frame.status) : frame.timeout_ms, one.extra);
    EXPECT_EQ(frame.class_name.size(), one.class_size);
    EXPECT_EQ(frame.header.size(), one.header_size);
    EXPECT_EQ(frame.content.size(), one.content_size);
    EXPECT_EQ(frame.crc, one.crc);
    if (one.command == 1) {
      EXPECT_EQ(frame.class_name, kRequestClass);
    }
    HeaderReader header(frame.header);
    std::map<std::string, std::string> pairs;
    for (std::string_view key, value; header.next(key, value);) pairs.emplace(key, value);
    EXPECT_FALSE(header.broken());
    EXPECT_EQ(pairs.contains("service"), one.command == 1);
  }
}

TEST(CapturedFrameTest, CutAnywhereNeedsMoreAndSaysHowMuch) {
  for (const Captured& one : captured()) {
    SCOPED_TRACE(one.name);
    std::size_t wanted = 1;
    for (std::size_t size = 0; size < one.bytes.size(); ++size) {
      // An exact copy, so that the address sanitizer sees a look beyond its end.
      const Bytes part(one.bytes.begin(), one.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      const FrameStep step = read(part);
      ASSERT_EQ(step.kind, FrameStep::kMore) << size;
      ASSERT_GT(step.size, size);
      ASSERT_LE(step.size, one.bytes.size());
      // What was asked for was really needed: nothing comes of less.
      if (size >= wanted) wanted = step.size;
      ASSERT_EQ(step.size, wanted) << size;
    }
    EXPECT_EQ(wanted, one.bytes.size());
  }
}

TEST(CapturedFrameTest, FollowOneAnotherInOneStream) {
  Bytes stream;
  const std::vector<Captured> all = captured();
  for (const Captured& one : all) stream.insert(stream.end(), one.bytes.begin(), one.bytes.end());
  std::span<const std::uint8_t> rest(stream);
  for (const Captured& one : all) {
    Frame frame;
    const FrameStep step = read(rest, frame);
    ASSERT_EQ(step.kind, FrameStep::kFrame) << one.name;
    ASSERT_EQ(step.size, one.bytes.size()) << one.name;
    rest = rest.subspan(step.size);
  }
  EXPECT_TRUE(rest.empty());
}

TEST(CapturedFrameTest, OursAreTheSameByteForByte) {
  for (const Captured& one : captured()) {
    Frame frame;
    ASSERT_EQ(read(one.bytes, frame).kind, FrameStep::kFrame);
    SCOPED_TRACE(one.name);
    Buffer out;
    if (one.name == "java heartbeat") {
      append_heartbeat(out, one.id);
    } else if (one.name == "java heartbeat ack" || one.name == "java heartbeat ack v2.2") {
      frame.type = FrameType::kRequest;
      append_heartbeat_ack(out, frame);
    } else if (one.type == 0) {
      frame.command = Command::kRequest;
      OpenFrame open = begin_response(out, frame, static_cast<Codec>(frame.codec), frame.status,
                                      frame.crc);
      out.append(frame.class_name);
      out.append(frame.header.data(), frame.header.size());
      begin_content(out, open);
      out.append(frame.content.data(), frame.content.size());
      EXPECT_TRUE(finish_frame(out, open, static_cast<std::uint16_t>(frame.class_name.size()),
                               static_cast<std::uint16_t>(frame.header.size())));
    } else if (one.command == 1 && one.version == "1") {
      OpenFrame open = begin_request(out, frame.type, static_cast<Codec>(frame.codec), frame.id,
                                     frame.timeout_ms);
      out.append(frame.class_name);
      out.append(frame.header.data(), frame.header.size());
      begin_content(out, open);
      out.append(frame.content.data(), frame.content.size());
      EXPECT_TRUE(finish_frame(out, open, static_cast<std::uint16_t>(frame.class_name.size()),
                               static_cast<std::uint16_t>(frame.header.size())));
    } else {
      continue;  // we send requests as v1 only
    }
    EXPECT_EQ(out.to_string(), text(one.bytes));
  }
}

// A frame behind others in a buffer that is written out meanwhile.
TEST(FrameTest, WrittenBehindOthersAcrossBlocks) {
  Frame request;
  request.version = Version::kV2_2;
  request.command = Command::kRequest;
  Buffer out;
  std::vector<std::size_t> ends;
  for (int i = 0; i < 200; ++i) {
    request.id = i;
    OpenFrame open = begin_response(out, request, Codec::kHessian, Status::kSuccess, true);
    out.append(kResponseClass);
    begin_content(out, open);
    out.append(std::string(static_cast<std::size_t>(i) * 37, static_cast<char>('a' + i % 26)));
    ASSERT_TRUE(finish_frame(out, open, static_cast<std::uint16_t>(kResponseClass.size()), 0));
  }
  const std::string all = out.to_string();
  std::span<const std::uint8_t> rest(reinterpret_cast<const std::uint8_t*>(all.data()), all.size());
  for (int i = 0; i < 200; ++i) {
    Frame frame;
    const FrameStep step = read(rest, frame);
    ASSERT_EQ(step.kind, FrameStep::kFrame) << step.rule;
    EXPECT_EQ(frame.id, i);
    EXPECT_TRUE(frame.crc);
    EXPECT_EQ(frame.content.size(), static_cast<std::size_t>(i) * 37);
    rest = rest.subspan(step.size);
  }
  EXPECT_TRUE(rest.empty());
}

Bytes header_of(std::initializer_list<std::pair<std::optional<std::string>,
                                                std::optional<std::string>>> pairs) {
  Bytes out;
  const auto put = [&](const std::optional<std::string>& value) {
    const std::uint32_t size = value ? static_cast<std::uint32_t>(value->size()) : 0xffffffffu;
    for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::uint8_t>(size >> shift));
    if (value) out.insert(out.end(), value->begin(), value->end());
  };
  for (const auto& [key, value] : pairs) {
    put(key);
    put(value);
  }
  return out;
}

std::string pairs_of(const Bytes& block, bool& broken) {
  HeaderReader reader(block);
  std::string all;
  for (std::string_view key, value; reader.next(key, value);) {
    all += std::string(key) + "=" + std::string(value) + ";";
  }
  broken = reader.broken();
  return all;
}

TEST(HeaderReaderTest, ReadsPairsAndSkipsNulls) {
  bool broken = false;
  EXPECT_EQ(pairs_of({}, broken), "");
  EXPECT_FALSE(broken);
  EXPECT_EQ(pairs_of(header_of({{"a", "1"}, {"", ""}, {"b", std::nullopt}, {std::nullopt, "x"},
                                {"c", "3"}}),
                     broken),
            "a=1;=;c=3;");
  EXPECT_FALSE(broken);
}

TEST(HeaderReaderTest, StopsWhereItIsBroken) {
  const Bytes good = header_of({{"key", "value"}, {"k2", "v2"}});
  bool broken = false;
  for (std::size_t size = 1; size < good.size(); ++size) {
    const Bytes part(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    const std::string got = pairs_of(part, broken);
    EXPECT_EQ(broken, size != 16) << size;  // 16: behind the first pair
    EXPECT_EQ(got, size < 16 ? "" : "key=value;") << size;
  }
  for (const std::uint32_t length : {0xfffffffeu, 0x80000000u, 0x7fffffffu, 6u}) {
    Bytes wrong = good;
    for (int i = 0; i < 4; ++i) {
      wrong[7 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
    }
    // Of "value": either beyond the end, or the next length is then found in the middle of something.
    pairs_of(wrong, broken);
    EXPECT_TRUE(broken) << length;
  }
}

TEST(HeaderReaderTest, ReadsWhatIsWritten) {
  Buffer out;
  append_header_pair(out, "service", "com.acme.Quotes:1.0");
  append_header_pair(out, "empty", "");
  append_header_pair(out, "large", std::string(20'000, 'x'));
  const settee::Bytes block = out.bytes();
  HeaderReader reader(block.span());
  std::string_view key;
  std::string_view value;
  ASSERT_TRUE(reader.next(key, value));
  EXPECT_EQ(value, "com.acme.Quotes:1.0");
  ASSERT_TRUE(reader.next(key, value));
  EXPECT_EQ(key, "empty");
  ASSERT_TRUE(reader.next(key, value));
  EXPECT_EQ(value.size(), 20'000u);
  EXPECT_FALSE(reader.next(key, value));
  EXPECT_FALSE(reader.broken());
}

}  // namespace
}  // namespace settee::rpc::bolt
