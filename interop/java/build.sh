#!/usr/bin/env bash
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Usage: build.sh OUTDIR
# Compiles the Java peers into OUTDIR/classes and puts SOFARPC and what it needs into OUTDIR/lib. Nothing is written
# beside the sources. Does nothing when OUTDIR is up to date; safe to run twice at once.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: $0 OUTDIR" >&2
  exit 2
fi
source_dir=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
case "$out/" in
  "$source_dir"/*)
    echo "$0: OUTDIR must not be inside the source tree" >&2
    exit 2
    ;;
esac

exec 9>"$out/.lock"
flock 9

stamp=$(cd "$source_dir" && find pom.xml build.sh src -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
if [ -f "$out/.stamp" ] && [ "$(cat "$out/.stamp")" = "$stamp" ]; then
  exit 0
fi
for tool in java javac mvn; do
  if ! command -v "$tool" >/dev/null; then
    echo "$0: no $tool here; the Java peers need a JDK of 17 or later and Maven" >&2
    exit 1
  fi
done

rm -rf "$out/.stamp" "$out/classes" "$out/lib" "$out/maven"
build() {
  mvn -q -B "$@" -f "$source_dir/pom.xml" -Dsettee.out="$out" \
    compile dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$out/lib" 9>&-
}
# Offline works whenever the local repository has everything, and is quicker and steadier than asking a registry.
if ! build -o >"$out/maven-offline.log" 2>&1; then
  echo "$0: fetching SOFARPC and the Maven plugins" >&2
  rm -rf "$out/classes" "$out/lib"
  build >&2
fi
printf '%s\n' "$stamp" >"$out/.stamp"
