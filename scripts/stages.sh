# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# For `test` and `.ci/run`: named, timed stages that stop the script at the first failure.

STAGE_LOGS=build/logs
mkdir -p "$STAGE_LOGS"
stages_started=$SECONDS
jobs=$(nproc)

# stage <name> <command>...
stage() {
  local name=$1 started=$SECONDS status=0
  shift
  printf '\n== %s\n' "$name"
  "$@" || status=$?
  if ((status != 0)); then
    printf '== FAILED after %d s: %s (exit code %d)\n' $((SECONDS - started)) "$name" "$status" >&2
    exit "$status"
  fi
  printf '== done in %d s: %s\n' $((SECONDS - started)) "$name"
}

stages_total() {
  printf '== all stages passed in %d s\n' $((SECONDS - stages_started))
}

# Compiler and configure output goes to a file; what matters of it to the screen.
configure() {
  local preset=$1 log=$STAGE_LOGS/configure-$1.log
  if ! cmake --preset "$preset" "${@:2}" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "configuring preset $preset failed: the end of $log is above" >&2
    return 1
  fi
  grep -A4 'CMake Warning' "$log" || true
  # A component under construction may be left out of a developer's tree, never of a tested one.
  if grep -q 'is left out:' "$log"; then
    echo "preset $preset is incomplete (above): nothing is proven without those components" >&2
    return 1
  fi
}

build() {
  local preset=$1 log=$STAGE_LOGS/build-$1.log
  # One line in fifty shows that it moves; warnings and errors pass through.
  if ! cmake --build "build/$preset" -j "$jobs" "${@:2}" 2>&1 | tee "$log" |
      awk '!/^\[[0-9]+\/[0-9]+\] / {print; next} ++n % 50 == 0 {print} {last = $0}
           END {if (last != "") print last}'; then
    echo "building preset $preset failed: see above, or $log" >&2
    return 1
  fi
}

run_tests() {
  local preset=$1
  ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure --no-tests=error \
    --output-junit test-results.xml "${@:2}"
}
