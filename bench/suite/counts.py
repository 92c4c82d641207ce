# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Syscalls and heap allocations per call: counts, so one run is enough."""

import re
import shutil
import signal
import struct
import subprocess
import time

from .processes import Failure, tail
from .speed import client_command, server_command


def marginal(measure, short_s, long_s):
    """Cost per call from two runs, so that start-up cancels. measure(seconds) -> (cost, calls). On
    a busy machine the second run may need more time to be the longer one."""
    cost_short, calls_short = measure(short_s)
    for _ in range(4):
        cost_long, calls_long = measure(long_s)
        if calls_long >= 1.5 * calls_short + 1000:
            return (cost_long - cost_short) / (calls_long - calls_short)
        long_s *= 2
    raise Failure(f"too few calls to tell: {calls_short} in {short_s} s, then {calls_long} in "
                  f"{long_s / 2} s")


def trace_command(output):
    """A tracer to put before a command or `-p PID`, and the columns of its table: calls, name."""
    if shutil.which("strace"):
        return ["strace", "-f", "-c", "-o", str(output)], (3, -1)
    if shutil.which("perf"):
        return ["perf", "trace", "-s", "-o", str(output)], (1, 0)
    raise Failure("neither strace nor perf is installed")


def traced_calls(output, columns):
    """The tracer's table: syscall -> how often. Its other lines lack a number or a name."""
    counts = {}
    for line in output.read_text().splitlines():
        fields = line.split()
        if len(fields) < 5 or not fields[columns[0]].isdigit():
            continue
        name = fields[columns[1]]
        if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name != "total":
            counts[name] = counts.get(name, 0) + int(fields[columns[0]])
    if not counts:
        raise Failure(f"the tracer wrote no table: {tail(output.read_text())}")
    return counts


def server_syscalls(bench, pair, point):
    """Traced from before the client connects until after its last call; the raw clients count every
    call, as they have no warm-up here."""
    seconds = bench.args.duration
    with bench.server(server_command(bench, pair, point)) as server:
        output = bench.file("trace")
        command, columns = trace_command(output)
        err = bench.file("trace.err")
        tracer = subprocess.Popen([*command, "-p", str(server.pid)], stdout=subprocess.DEVNULL,
                                  stderr=err.open("w"))
        try:
            end = time.monotonic() + 5
            while command[0] == "strace" and "attached" not in err.read_text():
                if tracer.poll() is not None or time.monotonic() > end:
                    raise Failure(f"strace cannot attach to the server: {tail(err.read_text())}")
                time.sleep(0.02)
            if command[0] == "perf":
                time.sleep(1)  # it does not say when it has attached
            load = client_command(bench, pair, point, server.port, seconds, ["--warmup", "0"])
            calls = bench.client(load, seconds)["calls"]
        finally:
            if tracer.poll() is None:
                tracer.send_signal(signal.SIGINT)
                tracer.wait(20)
    counts = traced_calls(output, columns)
    return {name: count / calls for name, count in counts.items()}


def client_syscalls(bench, pair, point):
    """The whole client is traced; the server counts the calls."""
    totals = []

    def measure(seconds):
        output = bench.file("trace")
        command, columns = trace_command(output)
        with bench.server(server_command(bench, pair, point)) as server:
            load = client_command(bench, pair, point, server.port, seconds)
            result = subprocess.run([*command, *bench.pinned(load)], capture_output=True, text=True,
                                    timeout=seconds + 60)
            if result.returncode != 0:
                raise Failure(f"`{' '.join(load)}` under {command[0]}: exit status "
                              f"{result.returncode}: {tail(result.stderr or result.stdout)}")
        totals.append((traced_calls(output, columns), server.answered()))
        return sum(totals[-1][0].values()), totals[-1][1]

    marginal(measure, bench.args.duration / 4, bench.args.duration)
    (few, calls_few), (many, calls_many) = totals[0], totals[-1]
    return {name: (count - few.get(name, 0)) / (calls_many - calls_few)
            for name, count in many.items()}


def run_syscalls(bench, side, point):
    pair = {"floor-server": "floor", "floor-client": "floor"}.get(side, side)
    of = client_syscalls if side.endswith("client") else server_syscalls
    counts = of(bench, pair, point)
    return {"per_call": sum(counts.values()),
            "by_name": {name: count for name, count in counts.items() if count >= 0.0005}}


def run_allocations(bench, side, point):
    """Counted by a preloaded library that keeps its count in a mapped file."""
    library = bench.program("bench_malloc_count.so")
    seconds = bench.args.duration

    def counted(file):
        return struct.unpack("Q", file.read_bytes()[:8])[0]

    def env(file):
        return {"LD_PRELOAD": library, "MALLOC_COUNT_FILE": str(file)}

    if side == "server":
        file = bench.file("allocations")
        with bench.server(server_command(bench, side, point), env(file)) as server:
            def measure(run_s):
                before = counted(file)
                load = client_command(bench, side, point, server.port, run_s, ["--warmup", "0"])
                calls = bench.client(load, run_s)["calls"]
                time.sleep(0.1)  # the server has seen the connection end
                return counted(file) - before, calls

            measure(seconds / 4)  # pools fill
            return {"per_call": marginal(measure, seconds / 4, seconds)}

    def measure(run_s):
        file = bench.file("allocations")
        with bench.server(server_command(bench, side, point)) as server:
            bench.client(client_command(bench, side, point, server.port, run_s), run_s, env(file))
        return counted(file), server.answered()

    return {"per_call": marginal(measure, seconds / 4, seconds)}
