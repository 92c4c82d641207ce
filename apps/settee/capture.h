// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The TCP streams in a capture file of tcpdump's classic format (.pcap), one for each direction.
//
// Understood: either byte order, micro- and nanoseconds; Ethernet (also with VLAN tags), loopback
// (NULL and LOOP), raw IP and Linux "any" (SLL and SLL2) captures; IPv4 and IPv6 without fragments;
// segments in any order, doubled or overlapping. Not: pcapng, IP fragments, tunnels, TLS.
//
// Source of the formats: the pages of the pcap file format and its link-layer types, RFC 791, 8200,
// 9293.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "settee/base/result.h"

namespace settee::cli {

/// Bytes of a stream without a gap.
struct StreamPiece {
  std::uint64_t offset = 0;   ///< In the stream, as far as it was seen.
  std::uint64_t missing = 0;  ///< Bytes in front of this piece that the capture does not have.
  std::vector<std::uint8_t> bytes;
};

struct TcpStream {
  std::string name;             ///< "127.0.0.1:50000 -> 127.0.0.1:12200"
  bool from_beginning = false;  ///< The connection's beginning is in the capture.
  std::size_t segments = 0;
  std::vector<StreamPiece> pieces;
};

struct Capture {
  std::vector<TcpStream> streams;  ///< In the order of their first segments; none is empty.
  std::size_t packets = 0;
  std::size_t fragments = 0;  ///< IP fragments left out.
  std::size_t cut = 0;        ///< Packets of which the capture has only the beginning.
  bool truncated = false;     ///< The file ends within a packet.
};

/// Whether the file begins as a .pcap or .pcapng does.
bool looks_like_capture(std::span<const std::uint8_t> file) noexcept;

/// Reads the file; with `port` only the streams from or to that port. An Error (kDecode) says what
/// cannot be read and what to do.
Result<Capture> read_capture(std::span<const std::uint8_t> file,
                             std::optional<std::uint16_t> port = std::nullopt);

}  // namespace settee::cli
