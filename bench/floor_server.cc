// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// bench_floor_server --port N [--mode batch|each]: echoes length-prefixed frames and does nothing
// else. In mode batch all answers to one read leave in one write, in mode each one by one.

#include "bench/echo_loop.h"
#include "bench/floor_protocol.h"

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  bench::FloorProtocol protocol(0);
  return bench::serve(options, protocol);
}
