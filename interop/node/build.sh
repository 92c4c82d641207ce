#!/usr/bin/env bash
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Usage: build.sh OUTDIR
# Copies the Node peers to OUTDIR and installs the packages of the lock file there. Nothing is written beside the
# sources. Does nothing when OUTDIR is up to date; safe to run twice at once.
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

stamp() {
  (cd "$source_dir" && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
}
packages=$(stamp package.json package-lock.json .npmrc)
everything=$(stamp .)
if [ -f "$out/.stamp" ] && [ "$(cat "$out/.stamp")" = "$everything" ]; then
  exit 0
fi
for tool in node npm; do
  if ! command -v "$tool" >/dev/null; then
    echo "$0: no $tool here; the Node peers need Node.js of 18 or later and npm" >&2
    exit 1
  fi
done

rm -rf "$out/.stamp" "$out/lib" "$out/proto"
cp -R "$source_dir"/*.js "$source_dir"/lib "$source_dir"/proto "$out"/
cp "$source_dir"/package.json "$source_dir"/package-lock.json "$source_dir"/.npmrc "$out"/
if [ ! -f "$out/.stamp-packages" ] || [ "$(cat "$out/.stamp-packages")" != "$packages" ]; then
  rm -f "$out/.stamp-packages"
  # No package here needs its install script.
  (cd "$out" && npm ci --ignore-scripts --no-progress --loglevel=error 9>&-) >&2
  printf '%s\n' "$packages" >"$out/.stamp-packages"
fi
printf '%s\n' "$everything" >"$out/.stamp"
