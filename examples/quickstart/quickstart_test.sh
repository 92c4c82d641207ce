#!/usr/bin/env bash
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Usage: quickstart_test.sh SERVER CLIENT
# Runs the quickstart as its reader would. Its port is fixed, hence skipped (77) when somebody has it.
set -euo pipefail

server=$1
client=$2
if (exec 3<>/dev/tcp/127.0.0.1/12200) 2>/dev/null; then
  echo "port 12200 is in use"
  exit 77
fi
work=$(mktemp -d)
"$server" >"$work/server" 2>&1 &
server_pid=$!
trap 'kill "$server_pid" 2>/dev/null || true; rm -rf "$work"' EXIT

for _ in $(seq 100); do
  (exec 3<>/dev/tcp/127.0.0.1/12200) 2>/dev/null && break
  kill -0 "$server_pid" 2>/dev/null || { cat "$work/server"; echo "the server has ended"; exit 1; }
  sleep 0.1
done
answer=$(timeout 30 "$client")
if [[ $answer != "ACME 4000 cents" ]]; then
  echo "the client printed '$answer'"
  exit 1
fi
kill -INT "$server_pid"  # as Ctrl-C does: the server stops
wait "$server_pid"
