#!/usr/bin/env bash
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Usage: check_peers.sh OUTDIR
# Runs the Java and Node peers against each other, with none of Settee's own code: what fails here is a fault of the
# peers or of the machine. Builds what is missing into OUTDIR/java and OUTDIR/node, and checks that the golden files are
# what the libraries write today. Takes about three minutes.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: $0 OUTDIR" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
"$here/java/build.sh" "$out/java"
"$here/node/build.sh" "$out/node"

work=$(mktemp -d)
server_pid=
passed=0
failed=0

cleanup() {
  if [ -n "$server_pid" ]; then
    kill "$server_pid" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT

# The servers end when this pipe has no writer any more, so none outlives this script.
mkfifo "$work/stdin"
exec 9<>"$work/stdin"

peer() { # java|node server|client [argument]...
  local language=$1 role=$2
  shift 2
  case "$language-$role" in
    java-server) exec "$here/java/run.sh" "$out/java" PeerServer "$@" ;;
    java-client) exec "$here/java/run.sh" "$out/java" PeerClient "$@" ;;
    node-*) exec node "$out/node/$role.js" "$@" ;;
  esac
}

start_server() { # language port [argument]...
  local language=$1 asked=$2
  shift 2
  : >"$work/server"
  # The subshell keeps no writing end of the pipe for the server itself.
  (exec <"$work/stdin" 9>&- && peer "$language" server --port "$asked" "$@") >"$work/server" 2>"$work/server.err" &
  server_pid=$!
  for _ in $(seq 600); do
    if grep -q '^READY port=' "$work/server"; then
      port=$(sed -n 's/^READY port=//p' "$work/server")
      return
    fi
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "the $language server did not start:" >&2
  cat "$work/server" "$work/server.err" >&2
  exit 1
}

stop_server() { # signal expected-status
  local status=0
  kill "-$1" "$server_pid"
  wait "$server_pid" 2>/dev/null || status=$?
  server_pid=
  [ "$status" -eq "$2" ] || verdict "the server ended with status $status, not $2" 1
}

verdict() { # name status
  if [ "$2" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok   $1"
  else
    failed=$((failed + 1))
    echo "FAIL $1"
  fi
}

run() { # name client-language server-language server-arguments client-arguments
  local name=$1 client=$2 server=$3 server_args=$4 client_args=$5 status=0
  # Words without blanks, so splitting them is meant.
  # shellcheck disable=SC2086
  start_server "$server" 0 $server_args
  # shellcheck disable=SC2086
  (peer "$client" client --port "$port" $client_args) >"$work/client" 2>"$work/client.err" 9>&- || status=$?
  grep '^FAIL' "$work/client" || true
  verdict "$name: $(tail -n 1 "$work/client")" "$status"
  stop_server TERM 0
}

reconnect() { # client-language server-language
  local client=$1 server=$2 status=0 client_pid
  start_server "$server" 0
  (peer "$client" client --port "$port" --reconnect-seconds 12) >"$work/client" 2>"$work/client.err" 9>&- &
  client_pid=$!
  for _ in $(seq 300); do
    grep -q '^info reconnect running' "$work/client" && break
    sleep 0.1
  done
  sleep 1
  stop_server KILL 137
  sleep 1
  start_server "$server" "$port"
  wait "$client_pid" || status=$?
  grep '^FAIL' "$work/client" || true
  verdict "reconnect, $client client, $server server: $(grep '^info reconnect ok' "$work/client")" "$status"
  stop_server TERM 0
}

for client in java node; do
  for server in java node; do
    run "all cases, $client client, $server server" "$client" "$server" "" ""
  done
done
run "all cases, node client with Bolt 2.2 and CRC, java server" node java "" "--bolt2"
run "all cases, node client with Bolt 2.2 and CRC, node server" node node "" "--bolt2"
run "all cases, node client with Hessian 4.0, node server" node node "--hessian 4.0" "--hessian 4.0"
for client in java node; do
  run "busy, $client client, java server" "$client" java "--busy" "--cases busy"
  for server in java node; do
    run "idle, $client client, $server server" "$client" "$server" "--idle-close-ms 2000" "--idle-seconds 5"
    reconnect "$client" "$server"
  done
done

for golden in Golden:java-3x.txt Balancers:java-balancers.txt; do
  status=0
  file=${golden#*:}
  "$here/java/run.sh" "$out/java" "${golden%%:*}" "$work/$file" >/dev/null && cmp "$work/$file" "$here/golden/$file" ||
    status=$?
  verdict "golden/$file" "$status"
done
for dialect in 3 4; do
  status=0
  node "$out/node/golden.js" "$dialect.0" "$work/node-${dialect}x.txt" >/dev/null && cmp \
    "$work/node-${dialect}x.txt" "$here/golden/node-${dialect}x.txt" || status=$?
  verdict "golden/node-${dialect}x.txt" "$status"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
