# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Builds the consumer project in both ways and runs it. Sourced by the tests of the install prefix;
# run as a script inside the clean root that tests the Debian packages:
#   consumer.sh <work folder> <sources of the consumer> <prefix> "<components>" [static]

build_and_run_consumer() {
  local work=$1 source=$2 prefix=$3 components=$4 kind=${5:-shared}
  local libdir=$prefix/lib

  echo "-- consumer through find_package"
  cmake -S "$source" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release \
    "-DCONSUMER_COMPONENTS=${components// /;}" || return 1
  cmake --build "$work/cmake" || return 1
  "$work/cmake/consumer" || return 1

  echo "-- consumer through pkg-config and make"
  local flags=()
  [[ $kind == static ]] && flags=(PKG_CONFIG_FLAGS=--static)
  mkdir -p "$work/make"
  PKG_CONFIG_PATH=$libdir/pkgconfig make --no-print-directory -C "$source" \
    OUT="$work/make/consumer" COMPONENTS="$components" LDFLAGS="-Wl,-rpath,$libdir" "${flags[@]}" ||
    return 1
  "$work/make/consumer" || return 1
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -euo pipefail
  build_and_run_consumer "$@"
fi
