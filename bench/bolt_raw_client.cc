// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// bench_bolt_raw_client: measures a Bolt server alone. Sends one pre-encoded echo request over and
// over (only the id changes) in the closed loop of echo_loop.h. The first answer is searched for
// the argument; every answer must be a Bolt v1 response with status 0, the id of a call in flight
// and the first answer's length. Any server of com.settee.bench.Echo:1.0 will do, Java's too.

#include "bench/bolt_frames.h"
#include "bench/echo_loop.h"

namespace {

namespace bolt = bench::bolt;

class RawClient {
 public:
  explicit RawClient(int payload)
      : argument_(static_cast<std::size_t>(payload), 'x'),
        request_(bolt::echo_request(argument_)) {}

  std::size_t frame_size(const char* data, std::size_t size) const {
    if (size < bolt::kResponseHead) return 0;
    return bolt::kResponseHead + bolt::get(data + 12, 2) + bolt::get(data + 14, 2) +
           bolt::get(data + 16, 4);
  }

  void call(std::string& out, std::uint32_t id) const {
    const std::size_t begin = out.size();
    out.append(request_);
    const std::uint32_t big_endian = htonl(id);
    std::memcpy(out.data() + begin + bolt::kIdOffset, &big_endian, sizeof big_endian);
  }

  const char* check(std::string_view frame, std::uint32_t& id) {
    id = bolt::get(frame.data() + bolt::kIdOffset, 4);
    if (bolt::get(frame.data(), 4) != 0x01000002) return "not a Bolt v1 response";
    if (frame[9] != bolt::kHessian) return "its codec is not that of the request";
    if (bolt::get(frame.data() + 10, 2) != 0) return "its status is not 0";
    if (frame.size() == good_size_) return nullptr;
    if (good_size_ != 0) return "its length is not that of the first answer";
    return check_first(frame);
  }

 private:
  const char* check_first(std::string_view frame) {
    std::string result;
    bolt::put_string(result, argument_);
    const auto at = frame.find(result, bolt::kResponseHead);
    if (at == std::string_view::npos) {
      std::fprintf(stderr, "the first answer: %s\n", printable(frame).c_str());
      return "it does not hold the argument";
    }
    good_size_ = frame.size();
    return nullptr;
  }

  static std::string printable(std::string_view bytes) {
    std::string text(bytes.substr(0, 600));
    for (char& c : text) {
      if (c < ' ' || c > '~') c = '.';
    }
    return text;
  }

  std::string argument_;
  std::string request_;
  std::size_t good_size_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  RawClient client(options.payload);
  return bench::ClosedLoop<RawClient>(options, client).run();
}
