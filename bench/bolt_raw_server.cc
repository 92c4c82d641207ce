// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// bench_bolt_raw_server --port N [--mode batch|each]: measures a Bolt client alone. Answers any
// one-String echo request with a canned SofaResponse around the argument's bytes; also heartbeats.
// It finds the argument by the methodArgSigs list that precedes it, so the client must write that
// field last, as Java and Settee do. Whatever it does not understand closes the connection, with
// the reason on stderr.

#include "bench/bolt_frames.h"
#include "bench/echo_loop.h"

namespace {

namespace bolt = bench::bolt;

class RawServer {
 public:
  RawServer() : prefix_(bolt::response_content_prefix()) {
    signature_.push_back(static_cast<char>(bolt::kArgumentType.size()));
    signature_.append(bolt::kArgumentType).push_back('z');
  }

  std::size_t frame_size(const char* data, std::size_t size) const {
    if (size < bolt::kRequestHead) return 0;
    return bolt::kRequestHead + bolt::get(data + 14, 2) + bolt::get(data + 16, 2) +
           bolt::get(data + 18, 4);
  }

  bool answer(std::string_view frame, std::string& out) const {
    if (bolt::get(frame.data(), 4) == 0x01010000) {  // heartbeat
      put_head(out, frame, 0, 0, 0);
      return true;
    }
    if (bolt::get(frame.data(), 4) != 0x01010001 || frame[9] != bolt::kHessian) {
      std::fprintf(stderr, "bench_bolt_raw_server: not a two-way Bolt v1 request with Hessian\n");
      return false;
    }
    const std::size_t at = frame.find(signature_, frame.size() - bolt::get(frame.data() + 18, 4));
    if (at == std::string_view::npos) {
      std::fprintf(stderr,
                   "bench_bolt_raw_server: no call of one String argument in the request\n");
      return false;
    }
    const std::string_view argument = frame.substr(at + signature_.size());
    put_head(out, frame, 2, bolt::kResponseClass.size(), prefix_.size() + argument.size() + 1);
    out.append(bolt::kResponseClass).append(prefix_).append(argument).push_back('N');
    return true;
  }

 private:
  static void put_head(std::string& out, std::string_view request, char command,
                       std::size_t class_size, std::size_t content_size) {
    const std::size_t begin = out.size();
    out.append(bolt::kResponseHead, '\0');  // type response, status 0, no header
    char* head = out.data() + begin;
    head[0] = 0x01;
    head[3] = command;
    head[4] = 1;
    std::memcpy(head + bolt::kIdOffset, request.data() + bolt::kIdOffset, 4);
    head[9] = bolt::kHessian;
    head[13] = static_cast<char>(class_size);
    const std::uint32_t big_endian = htonl(static_cast<std::uint32_t>(content_size));
    std::memcpy(head + 16, &big_endian, sizeof big_endian);
  }

  std::string prefix_;
  std::string signature_;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  RawServer server;
  return bench::serve(options, server);
}
