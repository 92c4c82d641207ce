// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// bench_http_floor_server --port N: finds where an HTTP/1.1 request ends and answers it with a
// constant response of echo_server's size, nothing else. No rule of HTTP is checked.

#include "bench/echo_loop.h"

namespace {

class HttpFloor {
 public:
  std::size_t frame_size(const char* data, std::size_t size) const {
    const std::string_view text(data, size);
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    constexpr std::string_view kLength = "ontent-length: ";
    std::size_t at = text.substr(0, end).find(kLength);
    if (at == std::string_view::npos) at = text.substr(0, end).find("ontent-Length: ");
    std::size_t body = 0;
    if (at != std::string_view::npos) {
      std::from_chars(data + at + kLength.size(), data + end, body);
    }
    return end + 4 + body;
  }

  bool answer(std::string_view, std::string& out) const {
    out.append(
        "HTTP/1.1 200 OK\r\n"
        "content-type: application/json\r\n"
        "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        "content-length: 18\r\n\r\n"
        "\"0123456789abcdef\"");
    return true;
  }
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  HttpFloor protocol;
  return bench::serve(options, protocol);
}
