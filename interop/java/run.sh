#!/usr/bin/env bash
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Usage: run.sh OUTDIR PROGRAM [ARGUMENT]...
# Replaces itself with the JVM that runs a program built by build.sh: PeerServer, PeerClient, BenchServer (PeerServer
# with the full compiler and more memory), Golden, Balancers or HessianBench.
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: $0 OUTDIR PROGRAM [ARGUMENT]..." >&2
  exit 2
fi
out=$(cd "$1" && pwd)
program=$2
shift 2
if [ ! -f "$out/.stamp" ]; then
  echo "$0: $out is not built; run build.sh $out" >&2
  exit 1
fi

# One compiler tier and one small heap make a JVM that starts quickly and leaves the machine to the tests.
options=(-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC)
case "$program" in
  BenchServer)
    options=(-Xmx1g)
    program=PeerServer
    ;;
  HessianBench)
    options=(-Xmx1g -XX:+UseSerialGC)
    ;;
esac

# SOFA's Hessian reads and writes the fields of these packages' classes (Throwable, BigInteger, ...).
for package in java.lang java.math java.util java.time; do
  options+=(--add-opens "java.base/$package=ALL-UNNAMED")
done

# SOFARPC 5.13.2 asks for Netty 4.1.44. gRPC brings parts of a newer one along, and which of them a JVM takes first is
# left open; SOFARPC's h2c client has to work with its own.
path="$out/classes"
case " $* " in
  *" --protocol h2c "*) path+=":$out/lib/netty-all-4.1.44.Final.jar" ;;
esac

exec java "${options[@]}" -cp "$path:$out/lib/*" \
  -Dfile.encoding=UTF-8 \
  -Dlogging.path="$out/logs" -DloggingRoot="$out/logs" \
  "com.settee.interop.peer.$program" "$@"
