#!/usr/bin/env bash
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Usage: build_peer.sh java|node|h2spec OUTDIR
# Builds a foreign peer for the tests: says what to install when a tool is missing, and tries again when the registry
# did not answer. Quick when OUTDIR is up to date.
set -euo pipefail

peer=$1
out=$2
otherwise=1
builder=$(dirname "$0")/../$peer/build.sh

missing() {
  echo "interop: $1; run ./setup --peers, which installs what the interop tests need" >&2
  exit 1
}

case "$peer" in
  java)
    for tool in java javac mvn; do
      command -v "$tool" >/dev/null || missing "there is no $tool here"
    done
    version=$(javac -version 2>&1 | grep -oE '[0-9]+' | head -n 1)
    [ "${version:-0}" -ge 17 ] || missing "javac is of version ${version:-unknown}, the Java peers need 17 or later"
    ;;
  node)
    for tool in node npm; do
      command -v "$tool" >/dev/null || missing "there is no $tool here"
    done
    version=$(node --version)
    version=${version#v}
    [ "${version%%.*}" -ge 18 ] || missing "node is of version $version, the Node peers need 18 or later"
    ;;
  h2spec)
    command -v go >/dev/null || missing "there is no go here"
    otherwise=77 # a tool for one test, which is skipped then
    ;;
  *)
    echo "usage: $0 java|node|h2spec OUTDIR" >&2
    exit 2
    ;;
esac

attempts=3
for ((attempt = 1; attempt <= attempts; attempt++)); do
  if bash "$builder" "$out"; then
    exit 0
  fi
  echo "interop: attempt $attempt of $attempts at building the $peer peers failed" >&2
  ((attempt == attempts)) || sleep $((attempt * 10))
done
echo "interop: the $peer peers could not be built in $out; what failed is said above (is the package registry there?)" >&2
exit "$otherwise"
