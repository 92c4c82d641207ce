// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// bench_floor_client: the closed loop of echo_loop.h over the floor's frames.

#include "bench/echo_loop.h"
#include "bench/floor_protocol.h"

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  bench::FloorProtocol protocol(options.payload);
  return bench::ClosedLoop<bench::FloorProtocol>(options, protocol).run();
}
