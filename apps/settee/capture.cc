// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "apps/settee/capture.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace settee::cli {

namespace {

using Octets = std::span<const std::uint8_t>;

constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kPcapng = 0x0a0d0d0a;
constexpr std::uint32_t kLargestPacket = 16 * 1024 * 1024;

std::uint16_t big16(Octets data, std::size_t at) {
  return static_cast<std::uint16_t>(data[at] << 8 | data[at + 1]);
}
std::uint32_t big32(Octets data, std::size_t at) {
  return static_cast<std::uint32_t>(big16(data, at)) << 16 | big16(data, at + 2);
}
std::uint32_t little32(Octets data, std::size_t at) { return __builtin_bswap32(big32(data, at)); }

// Link-layer types by their numbers in the file.
enum class Link : std::uint32_t {
  kNull = 0,
  kEthernet = 1,
  kRawBsd = 12,
  kRawOpenBsd = 14,
  kRaw = 101,
  kLoop = 108,
  kLinuxAny = 113,
  kIpv4 = 228,
  kIpv6 = 229,
  kLinuxAny2 = 276,
};

// The IP packet within a link-layer frame; empty if there is none.
Octets network_packet(Link link, Octets frame) {
  const auto behind = [frame](std::size_t header) {
    return frame.size() > header ? frame.subspan(header) : Octets();
  };
  switch (link) {
    case Link::kRaw:
    case Link::kRawBsd:
    case Link::kRawOpenBsd:
    case Link::kIpv4:
    case Link::kIpv6: return frame;
    case Link::kNull:
    case Link::kLoop: return behind(4);
    case Link::kLinuxAny: return behind(16);
    case Link::kLinuxAny2: return behind(20);
    case Link::kEthernet: {
      std::size_t at = 12;  // of the type
      while (frame.size() >= at + 6) {
        const std::uint16_t type = big16(frame, at);
        if (type == 0x8100 || type == 0x88a8 || type == 0x9100) {
          at += 4;
          continue;
        }
        return type == 0x0800 || type == 0x86dd ? behind(at + 2) : Octets();
      }
      return {};
    }
  }
  return {};
}

bool known(Link link) {
  switch (link) {
    case Link::kNull:
    case Link::kEthernet:
    case Link::kRawBsd:
    case Link::kRawOpenBsd:
    case Link::kRaw:
    case Link::kLoop:
    case Link::kLinuxAny:
    case Link::kIpv4:
    case Link::kIpv6:
    case Link::kLinuxAny2: return true;
  }
  return false;
}

struct Segment {
  std::string from;  // address:port
  std::string to;
  std::uint16_t from_port = 0;
  std::uint16_t to_port = 0;
  std::uint32_t sequence = 0;
  bool begins = false;  // SYN
  Octets payload;
};

class Assembler {
 public:
  void add(const Segment& segment) {
    const std::string name = segment.from + " -> " + segment.to;
    Direction* direction = nullptr;
    if (const auto found = current_.find(name); found != current_.end()) {
      direction = &directions_[found->second];
      // A new connection between the same ports, and not the same SYN once more.
      if (segment.begins &&
          !(direction->from_beginning &&
            direction->first == static_cast<std::uint32_t>(segment.sequence + 1))) {
        direction = nullptr;
      }
    }
    if (direction == nullptr) {
      if (!segment.begins && segment.payload.empty()) return;
      current_[name] = directions_.size();
      direction = &directions_.emplace_back();
      direction->name = name;
      direction->from_beginning = segment.begins;
      direction->first = segment.sequence + (segment.begins ? 1u : 0u);
      direction->last = direction->first;
    }
    if (segment.payload.empty()) return;
    const std::uint32_t sequence = segment.sequence + (segment.begins ? 1u : 0u);
    // Sequence numbers wrap; the nearest one to the last is meant.
    direction->position += static_cast<std::int32_t>(sequence - direction->last);
    direction->last = sequence;
    direction->segments.push_back({direction->position, segment.payload});
  }

  std::vector<TcpStream> take() {
    std::vector<TcpStream> streams;
    for (Direction& direction : directions_) {
      if (direction.segments.empty()) continue;
      streams.push_back(assembled(direction));
    }
    return streams;
  }

 private:
  struct Part {
    std::int64_t position;
    Octets bytes;
  };
  struct Direction {
    std::string name;
    bool from_beginning = false;
    std::uint32_t first = 0;    // sequence number of the first byte
    std::uint32_t last = 0;     // of the segment added last
    std::int64_t position = 0;  // of that segment, from `first`
    std::vector<Part> segments;
  };

  static TcpStream assembled(Direction& direction) {
    TcpStream stream;
    stream.name = direction.name;
    stream.from_beginning = direction.from_beginning;
    stream.segments = direction.segments.size();
    std::stable_sort(direction.segments.begin(), direction.segments.end(),
                     [](const Part& a, const Part& b) { return a.position < b.position; });
    std::int64_t next = direction.from_beginning ? 0 : direction.segments.front().position;
    const std::int64_t origin = next;
    for (Part part : direction.segments) {
      if (part.position < next) {  // sent before, wholly or in part
        const auto known = static_cast<std::uint64_t>(next - part.position);
        if (known >= part.bytes.size()) continue;
        part.bytes = part.bytes.subspan(known);
        part.position = next;
      }
      if (stream.pieces.empty() || part.position > next) {
        StreamPiece& piece = stream.pieces.emplace_back();
        piece.offset = static_cast<std::uint64_t>(part.position - origin);
        piece.missing = static_cast<std::uint64_t>(part.position - next);
      }
      std::vector<std::uint8_t>& bytes = stream.pieces.back().bytes;
      bytes.insert(bytes.end(), part.bytes.begin(), part.bytes.end());
      next = part.position + static_cast<std::int64_t>(part.bytes.size());
    }
    return stream;
  }

  std::vector<Direction> directions_;
  std::map<std::string, std::size_t> current_;
};

std::string address(int family, const std::uint8_t* bytes, std::uint16_t port) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(family, bytes, text, sizeof text);
  return family == AF_INET ? fmt::format("{}:{}", text, port) : fmt::format("[{}]:{}", text, port);
}

class PacketReader {
 public:
  explicit PacketReader(std::optional<std::uint16_t> port) : port_(port) {}

  void packet(Octets ip) {
    if (ip.empty()) return;
    switch (ip[0] >> 4) {
      case 4: ipv4(ip); break;
      case 6: ipv6(ip); break;
      default: break;
    }
  }

  std::size_t fragments() const noexcept { return fragments_; }
  std::vector<TcpStream> take() { return assembler_.take(); }

 private:
  static constexpr std::uint8_t kTcp = 6;

  void ipv4(Octets ip) {
    if (ip.size() < 20) return;
    const std::size_t header = static_cast<std::size_t>(ip[0] & 0x0f) * 4;
    std::size_t size = big16(ip, 2);
    // Zero in packets that the network card was to split.
    if (size == 0) size = ip.size();
    if (header < 20 || size < header || ip[9] != kTcp) return;
    if ((big16(ip, 6) & 0x3fff) != 0) {
      ++fragments_;
      return;
    }
    tcp(AF_INET, ip.data() + 12, ip.data() + 16, inside(ip, header, size));
  }

  void ipv6(Octets ip) {
    if (ip.size() < 40) return;
    std::size_t size = 40 + std::size_t{big16(ip, 4)};
    if (size == 40) size = ip.size();
    std::uint8_t type = ip[6];
    std::size_t at = 40;
    // Hop-by-hop options, routing, destination options.
    while ((type == 0 || type == 43 || type == 60) && ip.size() >= at + 8) {
      type = ip[at];
      at += (std::size_t{ip[at + 1]} + 1) * 8;
    }
    if (type == 44) ++fragments_;
    if (type == kTcp) tcp(AF_INET6, ip.data() + 8, ip.data() + 24, inside(ip, at, size));
  }

  // What a link layer adds behind a short packet is not part of it.
  static Octets inside(Octets ip, std::size_t begin, std::size_t end) {
    end = std::min(end, ip.size());
    return begin < end ? ip.subspan(begin, end - begin) : Octets();
  }

  void tcp(int family, const std::uint8_t* from, const std::uint8_t* to, Octets packet) {
    if (packet.size() < 20) return;
    const std::size_t header = static_cast<std::size_t>(packet[12] >> 4) * 4;
    if (header < 20) return;
    Segment segment;
    segment.from_port = big16(packet, 0);
    segment.to_port = big16(packet, 2);
    if (port_ && segment.from_port != *port_ && segment.to_port != *port_) return;
    segment.from = address(family, from, segment.from_port);
    segment.to = address(family, to, segment.to_port);
    segment.sequence = big32(packet, 4);
    segment.begins = (packet[13] & 0x02) != 0;
    if (packet.size() > header) segment.payload = packet.subspan(header);
    assembler_.add(segment);
  }

  const std::optional<std::uint16_t> port_;
  std::size_t fragments_ = 0;
  Assembler assembler_;
};

}  // namespace

bool looks_like_capture(Octets file) noexcept {
  if (file.size() < 4) return false;
  for (const std::uint32_t magic : {kMicroseconds, kNanoseconds, kPcapng}) {
    if (big32(file, 0) == magic || little32(file, 0) == magic) return true;
  }
  return false;
}

Result<Capture> read_capture(Octets file, std::optional<std::uint16_t> port) {
  const auto wrong = [](std::string why) { return Error(Code::kDecode, "capture file: " + why); };
  if (!looks_like_capture(file)) return wrong("it does not begin as a .pcap file does");
  const std::uint32_t magic = big32(file, 0);
  if (magic == kPcapng) {
    return wrong(
        "this is a pcapng file, and only classic pcap is read: turn it into one with "
        "'editcap -F pcap IN OUT', or capture with tcpdump -w");
  }
  if (file.size() < 24) return wrong("it ends within its header");
  const bool big = magic == kMicroseconds || magic == kNanoseconds;
  const auto read32 = [file, big](std::size_t at) {
    return big ? big32(file, at) : little32(file, at);
  };
  const auto link = static_cast<Link>(read32(20) & 0x0fffffff);
  if (!known(link)) {
    return wrong(
        fmt::format("its link type {} is not known here: Ethernet, loopback, raw IP and "
                    "Linux 'any' are",
                    static_cast<std::uint32_t>(link)));
  }
  Capture capture;
  PacketReader reader(port);
  for (std::size_t at = 24; at < file.size();) {
    if (file.size() - at < 16) {
      capture.truncated = true;
      break;
    }
    const std::uint32_t here = read32(at + 8);
    const std::uint32_t real = read32(at + 12);
    if (here > kLargestPacket) {
      return wrong(fmt::format("packet {} at byte 0x{:x} claims {} bytes: the file is damaged",
                               capture.packets + 1, at, here));
    }
    at += 16;
    if (file.size() - at < here) {
      capture.truncated = true;
      break;
    }
    ++capture.packets;
    if (here < real) ++capture.cut;
    reader.packet(network_packet(link, file.subspan(at, here)));
    at += here;
  }
  capture.fragments = reader.fragments();
  capture.streams = reader.take();
  return capture;
}

}  // namespace settee::cli
