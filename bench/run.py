#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks of a build tree and prints a Markdown report. See bench/README.md.

The figure is CPU time per call, with both ends pinned to one core, as a ratio to the bare epoll
floor at the same point of the same round. A case that cannot run, or that sees one wrong answer, is
listed as failed and makes the exit status 1; nothing is reported as 0 for want of a measurement.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from suite import behaviour, counts
from suite.processes import (SOURCE, Bench, Failure, enter_own_network, in_own_network, network,
                             progress, set_up_own_network)
from suite.report import markdown
from suite.speed import PAIRS, SPEED_CASES, Speed, build_java_peer


def bind(function, *arguments):
    return lambda bench: function(bench, *arguments)


OTHER_CASES = {
    **{f"syscalls/{side}/{point}": bind(counts.run_syscalls, side, point)
       for side in ("floor-server", "floor-client", "server", "client") for point in ("1", "32")},
    **{f"allocations/{side}/{point}": bind(counts.run_allocations, side, point)
       for side in ("server", "client") for point in ("1", "32")},
    "open-loop": behaviour.run_open_loop,
    "idle-memory": behaviour.run_idle_memory,
    "hessian": behaviour.run_hessian,
    "soak/server": behaviour.run_soak_server,
    "soak/client": behaviour.run_soak_client,
}


def conditions_of(args):
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    revision = subprocess.run(["git", "-C", str(SOURCE), "describe", "--always", "--dirty"],
                              capture_output=True, text=True).stdout.strip()
    return {
        "revision": revision or "unknown",
        "machine": f"{model[1] if model else 'unknown CPU'}, {os.cpu_count()} CPUs, "
                   f"Linux {os.uname().release}",
        "network": network(),
        "rounds": f"{args.rounds} of {args.duration:g} s, both ends on CPU {args.core}",
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
    }


def select(args):
    """The cases whose name matches --only, and those that they are compared to."""
    names = [*SPEED_CASES, *OTHER_CASES]
    if not args.soak:
        names = [name for name in names if not name.startswith("soak/")]
    chosen = {name for name in names if re.search(args.only, name)}
    for case in list(chosen):
        first, _, point = case.partition("/")
        if first in ("grpc", "java"):
            chosen.add(f"both/{point}")
        if first in PAIRS:
            chosen.add(f"floor/{point}")
    return [name for name in names if name in chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", default=SOURCE / "build" / "release", help="build tree")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=2.0,
                        help="seconds measured per case and round")
    parser.add_argument("--only", default="", metavar="PATTERN",
                        help="regular expression on names of cases, for example '/32$' or '^grpc/'")
    parser.add_argument("--soak", action="store_true", help="also memory over 10 million calls")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--java-warmup", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--idle-connections", type=int, default=10_000)
    parser.add_argument("--out", metavar="FILE.md", help="the report, besides standard output")
    parser.add_argument("--json", metavar="FILE", help="all samples and results")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and end")
    args = parser.parse_args()

    cases = select(args)
    if args.list or not cases:
        print("\n".join(cases) or f"no case matches '{args.only}'")
        return 0 if cases else 2
    if not in_own_network():
        if any(case.startswith("java/") or case == "hessian" for case in cases):
            build_java_peer(args.tree)
        enter_own_network()
    if in_own_network():
        set_up_own_network()
    if not shutil.which("taskset"):
        sys.exit("bench/run.py: taskset is missing (Debian: util-linux)")
    conditions = conditions_of(args)
    failures, results = {}, {}

    def failed(case, failure):
        failures[case] = (str(failure) if isinstance(failure, Failure)
                          else f"{type(failure).__name__}: {failure}")
        progress(f"FAILED {case}: {failures[case]}")

    with tempfile.TemporaryDirectory(prefix="settee-bench-") as scratch:
        bench = Bench(args, scratch)
        speed = Speed(bench, [case for case in cases if case in SPEED_CASES], failed)
        speed.run()
        for case in cases:
            if case in SPEED_CASES:
                continue
            progress(case)
            try:
                results[case] = OTHER_CASES[case](bench)
            except Exception as failure:  # whatever it was, it is reported and the rest goes on
                failed(case, failure)
    conditions["load average at the end"] = f"{os.getloadavg()[0]:.2f}"
    report = markdown(conditions, speed, results, failures)
    print(report)
    if args.out:
        pathlib.Path(args.out).write_text(report + "\n")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(
            {"conditions": conditions, "speed": speed.samples, "results": results,
             "failures": failures}, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
