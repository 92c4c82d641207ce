#!/usr/bin/env bash
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Builds static libraries and the consumer project on them.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset static -DSETTEE_BUILD_TESTS=OFF -DSETTEE_BUILD_BENCH=OFF -DSETTEE_BUILD_EXAMPLES=OFF
cmake --build build/static -j 2
bash tests/consumer/install_test.sh build/static static
