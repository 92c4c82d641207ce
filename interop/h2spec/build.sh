#!/usr/bin/env bash
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Usage: build.sh OUTDIR
# Builds h2spec, in the version of go.mod, as OUTDIR/h2spec. Quick when it is there.
set -euo pipefail

mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
export GOFLAGS=-mod=readonly GOTOOLCHAIN=local
go build -o "$out/h2spec" github.com/summerwind/h2spec/cmd/h2spec
