#!/usr/bin/env bash
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Installs a build tree into a fresh prefix, moves that prefix elsewhere, and builds and runs a
# separate project against it.   install_test.sh <build tree> [static]
set -euo pipefail
tree=$(realpath "$1")
kind=${2:-shared}
here=$(cd "$(dirname "$0")" && pwd)
source "$here/consumer.sh"

work=$(mktemp -d "$tree/consumer-test.XXXXXX")
trap 'rm -rf "$work"' EXIT

cmake --install "$tree" --prefix "$work/first" >"$work/install.log" ||
  { cat "$work/install.log"; exit 1; }
# A prefix that was moved shows whether any path of this machine or of the build was written down.
mv "$work/first" "$work/prefix"
prefix=$work/prefix
if grep -rIl -e "$tree" -e "$work/first" "$prefix"; then
  echo "these installed files name the folder they were built in"
  exit 1
fi
if find "$prefix/include" -path '*/internal/*' | grep .; then
  echo "internal headers were installed"
  exit 1
fi

components=$(cd "$prefix/lib/pkgconfig" && for file in settee-*.pc; do
  file=${file#settee-}; echo "${file%.pc}"; done | sort | tr '\n' ' ')
components=${components% }
echo "-- installed components: $components"

build_and_run_consumer "$work" "$here" "$prefix" "$components" "$kind"

if [[ $kind == shared ]]; then
  # Nothing third-party may be needed to link a user's program.
  needed=$(readelf -d "$work/cmake/consumer" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  echo "-- the consumer needs:" $needed
  if grep -vE '^(libsettee_|libstdc\+\+|libm\.|libgcc_s|libc\.|ld-linux)' <<<"$needed"; then
    echo "the consumer was linked with libraries that are not its own business (above)"
    exit 1
  fi
  for library in "$prefix"/lib/libsettee_*.so; do
    if readelf -Ws --dyn-syms "$library" | grep -E ' UNIQUE ' | head -n 5 | grep .; then
      echo "$library has unique symbols: no module that binds to them could be unloaded"
      exit 1
    fi
  done
fi
if [[ -x $prefix/bin/settee ]]; then
  "$prefix/bin/settee" --help >/dev/null
  echo "-- the installed settee program starts"
fi
