# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""CPU time per call: pairs of programs at points of load."""

import contextlib
import pathlib
import random
import subprocess
import sys

from .processes import SERVER_US, SERVICE, SOURCE, Failure, progress


# Point: flags of the client, flags of a raw or floor server, what the point is.
POINTS = {
    "1": ("--outstanding 1", "", "1 outstanding, 16 B"),
    "32": ("--outstanding 32", "", "32 outstanding, 16 B"),
    "128": ("--outstanding 128", "", "128 outstanding, 16 B"),
    "16k": ("--outstanding 32 --payload 16384", "", "32 outstanding, 16 KiB"),
    "each": ("--outstanding 32 --mode each", "", "32 outstanding, one write per call"),
    "answers-each": ("--outstanding 32", "--mode each", "32 outstanding, one write per answer"),
    "connections": ("--connections 32", "", "32 connections of 1 outstanding"),
}
PAIRS = {
    "floor": ("bare epoll at both ends", list(POINTS)),
    "raw": ("raw Bolt at both ends", ["1", "32", "128", "16k", "each", "answers-each"]),
    "server": ("Settee server, raw client", ["1", "32", "128", "16k", "each", "connections"]),
    "client": ("raw server, Settee client",
               ["1", "32", "128", "16k", "answers-each", "connections"]),
    "both": ("Settee at both ends", ["1", "32", "128", "16k", "connections"]),
    "grpc": ("gRPC C++ callback API at both ends", ["1", "32"]),
    "java": ("Java SOFARPC server, Settee client", ["1", "32"]),
}
SPEED_CASES = [f"{pair}/{point}" for point in POINTS for pair in PAIRS if point in PAIRS[pair][1]]


def settee_bench(bench, port, flags, method="echo"):
    return [bench.program("settee"), "bench", f"bolt://127.0.0.1:{port}/{SERVICE}", method, *flags]


def echo_server(bench):
    return [bench.program("echo_server"), "--threads", "1"]


def java_command(bench, program):
    return [bench.source("interop/java/run.sh"), bench.tree / "interop" / "java", program]


def build_java_peer(tree):
    """Before the network is left behind, as Maven may need it. What goes wrong here shows again,
    as a failed case, when the program does not start."""
    script = SOURCE / "interop/java/build.sh"
    if script.exists():
        progress("building the Java peer, unless it is up to date")
        subprocess.run([script, pathlib.Path(tree) / "interop" / "java"], stdout=sys.stderr)


def server_command(bench, pair, point):
    if pair in ("server", "both"):
        return echo_server(bench)
    name = {"floor": "bench_floor_server", "raw": "bench_bolt_raw_server",
            "client": "bench_bolt_raw_server", "grpc": "bench_grpc_server"}[pair]
    return [bench.program(name), *POINTS[point][1].split()]


def client_command(bench, pair, point, port, seconds, extra=()):
    flags = ["--payload", "16", *POINTS[point][0].split(), "--duration", str(seconds), *extra]
    if pair in ("client", "both", "java"):
        return settee_bench(bench, port, flags)
    name = {"floor": "bench_floor_client", "raw": "bench_bolt_raw_client",
            "server": "bench_bolt_raw_client", "grpc": "bench_grpc_client"}[pair]
    return [bench.program(name), "--port", str(port), *flags]


class Speed:
    """Rounds over all selected cases. What is compared runs close together: a round takes the
    points in random order, and at each point the pairs in random order."""

    def __init__(self, bench, cases, failed):
        self.bench, self.cases, self.failed = bench, cases, failed
        self.samples = {case: [] for case in cases}  # one entry per round, None when it failed
        self.keep = contextlib.ExitStack()
        self.java = None

    def run(self):
        with self.keep:
            for number in range(self.bench.args.rounds):
                for case in self.round_order():
                    progress(f"round {number + 1} of {self.bench.args.rounds}: {case}")
                    has_failed = None in self.samples[case]
                    self.samples[case].append(None if has_failed else self.measure(case))

    def round_order(self):
        points = list(POINTS)
        random.shuffle(points)
        for point in points:
            pairs = [pair for pair in PAIRS if f"{pair}/{point}" in self.cases]
            random.shuffle(pairs)
            yield from (f"{pair}/{point}" for pair in pairs)

    def measure(self, case):
        pair, point = case.split("/")
        try:
            if pair == "java":
                return self.load(pair, point, self.java_server())
            with self.bench.server(server_command(self.bench, pair, point)) as server:
                return self.load(pair, point, server)
        except Exception as failure:  # whatever it was, it is reported and the rest goes on
            self.failed(case, failure)
            return None

    def load(self, pair, point, server):
        seconds = self.bench.args.duration
        command = client_command(self.bench, pair, point, server.port, seconds,
                                 ["--server-pid", str(server.pid)])
        report = self.bench.client(command, seconds)
        if not report.get(SERVER_US):
            raise Failure(f"`{' '.join(command)}` reports no {SERVER_US}")
        return report

    def java_server(self):
        """One JVM for all rounds, loaded until the JIT compilers have done their work."""
        if self.java is None:
            client_command(self.bench, "java", "32", 0, 1)  # fails early when settee is missing
            command = java_command(self.bench, "BenchServer")
            server = self.keep.enter_context(self.bench.server(command, ready_s=60))
            for point, share in (("32", 0.8), ("1", 0.2)):
                warm_s = self.bench.args.java_warmup * share
                progress(f"warming up the Java server: {point} outstanding, {warm_s:g} s")
                self.bench.client(client_command(self.bench, "java", point, server.port, warm_s),
                                  warm_s)
            self.java = server
        return self.java

    def figures(self, case, metric):
        return [sample[metric] for sample in self.samples.get(case, []) if sample]

    def ratios(self, case, other, metric):
        """Of `case` to `other`, round by round."""
        return [a[metric] / b[metric]
                for a, b in zip(self.samples.get(case, []), self.samples.get(other, [])) if a and b]
