// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes to the reader of HTTP/1 requests: in one piece or in many, it reads the same requests or
// breaks off by a rule, within its limits.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "settee/http/internal/http1_parser.h"

namespace {

using settee::http::Headers;
using settee::http::Http1Limits;
using settee::http::Http1Parser;
using settee::http::Http1Reader;

constexpr Http1Limits kLimits{2048, 20, 512};

void require(bool condition) {
  if (!condition) std::abort();
}

struct Collected final : Http1Reader {
  void on_body(std::span<const std::uint8_t> data) override {
    body.append(reinterpret_cast<const char*>(data.data()), data.size());
  }
  std::string body;
};

void append(std::string& out, const Headers& headers) {
  for (const Headers::Field field : headers) {
    require(!field.name.empty());
    for (const char c : field.value) {
      require(c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
    }
    out += std::string(field.name) + "=" + std::string(field.value) + "\n";
  }
}

// All that was read, as a text.
std::string read_all(const std::uint8_t* data, std::size_t size, std::size_t piece) {
  std::string out;
  std::size_t from = 0;
  while (from < size) {
    Collected body;
    Http1Parser parser(kLimits, body);
    std::size_t to = from;
    bool done = false;
    while (!done) {
      if (to == size) {
        // Of an unfinished one only its head is the same for all pieces.
        return out;
      }
      to = piece < size - to ? to + piece : size;
      for (bool more = true; more && !done;) {
        // A copy of its size, so that a look beyond its end is seen.
        const std::unique_ptr<std::uint8_t[]> part(new std::uint8_t[to - from + 1]);
        std::memcpy(part.get(), data + from, to - from);
        std::size_t used = 0;
        const Http1Parser::Step step = parser.read({part.get(), to - from}, used);
        require(used <= to - from);
        from += used;
        switch (step) {
          case Http1Parser::Step::kMore:
            require(to - from <= kLimits.header + kLimits.target);
            more = false;
            break;
          case Http1Parser::Step::kBad:
            require(parser.status() >= 400 && !parser.rule().empty());
            return out + "refused";
          case Http1Parser::Step::kHead:
            require(parser.request().headers.size() <= kLimits.fields);
            require(parser.request().target.size() <= kLimits.target);
            require(!parser.request().target.empty());
            out += parser.request().method + " " + parser.request().target + "\n";
            append(out, parser.request().headers);
            break;
          case Http1Parser::Step::kBody: more = from < to; break;
          case Http1Parser::Step::kDone:
            append(out, parser.trailers());
            out += body.body + "\n";
            done = true;
        }
      }
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 16 * 1024) return 0;
  const std::string whole = read_all(data, size, size + 1);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100}}) {
    if (size / piece > 2000) continue;
    const std::string parts = read_all(data, size, piece);
    if (whole.ends_with("refused")) continue;  // in pieces it may wait for more before it looks
    require(!parts.ends_with("refused"));
    const std::size_t same = std::min(whole.size(), parts.size());
    require(whole.compare(0, same, parts, 0, same) == 0);
  }
  return 0;
}
