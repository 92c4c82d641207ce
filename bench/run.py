#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks of a build tree and prints a Markdown report. See bench/README.md.

The figure is CPU time per call, with both ends pinned to one core, as a ratio to the bare epoll floor
at the same point of the same round. A case that cannot run, or that sees one wrong answer, is listed
as failed and makes the exit status 1; nothing is ever reported as 0 for want of a measurement.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
SERVICE = "com.settee.bench.Echo:1.0"
SERVER_US = "server_cpu_us_per_call"
CLIENT_US = "client_cpu_us_per_call"
REPORT_KEYS = {"calls", "errors", "seconds", "rate", "p50_us", "p99_us", "p999_us", "max_us", CLIENT_US}


class Failure(Exception):
    """Why a case has no result."""


# ---------------------------------------------------------------------------------------------------
# Processes


class Bench:
    """One run of this script: where the programs are, how they are pinned, where their output goes."""

    def __init__(self, args, scratch):
        self.args = args
        self.tree = pathlib.Path(args.tree).resolve()
        self.scratch = pathlib.Path(scratch)
        self.files = 0

    def program(self, name):
        path = self.tree / "bin" / name
        if not path.exists():
            hint = " (needs libgrpc++-dev and protobuf-compiler-grpc)" if "grpc" in name else ""
            raise Failure(f"{path} is missing: build the tree first{hint}")
        return str(path)

    def source(self, name):
        path = SOURCE / name
        if not path.exists():
            raise Failure(f"{path} is missing")
        return str(path)

    def pinned(self, command):
        return ["taskset", "-c", str(self.args.core), *map(str, command)]

    def file(self, name):
        self.files += 1
        return self.scratch / f"{self.files:04}-{name}"

    @contextlib.contextmanager
    def server(self, command, env=None, ready_s=20):
        """Starts a server on a free port, waits for its READY line, ends it by pid."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        server = Server(self.pinned([*command, "--port", port]), self.file("server"), env)
        try:
            server.wait_ready(ready_s)
            yield server
        finally:
            server.stop()

    def client(self, command, seconds, env=None):
        """Runs a client to its end; its JSON report, which must be complete and free of errors."""
        return self.clients([command], seconds, env)[0]

    def clients(self, commands, seconds, env=None):
        running = [subprocess.Popen(self.pinned([*command, "--json"]), text=True, env=environment(env),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                   for command in commands]
        try:
            return [report_of(process, seconds + 30) for process in running]
        finally:
            for process in running:
                if process.poll() is None:
                    process.kill()
                    process.wait()


class Server:
    def __init__(self, command, log, env):
        self.command = command
        self.out, self.err = log.with_suffix(".out"), log.with_suffix(".err")
        # Standard input stays open: the foreign peers end when it does.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.out.open("w"),
                                        stderr=self.err.open("w"), env=environment(env))
        self.port = self.pid = None

    def wait_ready(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            match = re.search(r"^READY port=(\d+)$", self.out.read_text(errors="replace"), re.M)
            if match:
                self.port, self.pid = int(match[1]), server_pid(self.process.pid)
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        state = self.process.poll()
        raise Failure(f"no READY line from `{' '.join(self.command)}` in {seconds} s, "
                      f"{'still running' if state is None else f'exit status {state}'}: "
                      f"{tail(self.err.read_text(errors='replace'))}")

    def stop(self):
        if self.process.poll() is None:
            os.kill(self.pid or self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.kill(self.pid or self.process.pid, signal.SIGKILL)
                self.process.kill()
                self.process.wait()
                raise Failure(f"`{' '.join(self.command)}` did not end on SIGTERM") from None
        self.process.stdin.close()

    def answered(self):
        """How many calls the stopped server has answered (bench_*_server say so when they end)."""
        return int(re.search(r"^ANSWERED (\d+)$", self.out.read_text(), re.M)[1])

    def rss(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)[1]) * 1024


def environment(extra):
    return {**os.environ, **extra} if extra else None


def server_pid(pid):
    """The process behind wrapping shells, whose CPU clock is to be read."""
    while pathlib.Path(f"/proc/{pid}/comm").read_text().strip() in ("bash", "sh", "dash"):
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if len(children) != 1:
            raise Failure(f"cannot tell which child of the shell {pid} is the server")
        pid = int(children[0])
    return pid


def tail(text, lines=6):
    return " / ".join(text.strip().splitlines()[-lines:]) or "(no message)"


def report_of(process, seconds):
    name = " ".join(process.args[3:])
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failure(f"`{name}` did not end in {seconds} s") from None
    try:
        report = json.loads(out.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        raise Failure(f"`{name}` printed no JSON (exit status {process.returncode}): "
                      f"{tail(err or out)}") from None
    if report.get("errors") or not report.get("calls") or process.returncode != 0:
        raise Failure(f"`{name}`: {report.get('calls')} calls, {report.get('errors')} errors, "
                      f"exit status {process.returncode}: {tail(err)}")
    if missing := REPORT_KEYS - report.keys():
        raise Failure(f"`{name}`: its JSON lacks {', '.join(sorted(missing))}")
    return report


# ---------------------------------------------------------------------------------------------------
# Speed: pairs of programs at points of load

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
    "server": ("Settee server, raw client", ["1", "32", "128", "16k", "each", "connections"]),
    "client": ("raw server, Settee client", ["1", "32", "128", "16k", "answers-each", "connections"]),
    "both": ("Settee at both ends", ["1", "32", "128", "16k", "connections"]),
    "grpc": ("gRPC C++ callback API at both ends", ["1", "32"]),
    "java": ("Java SOFARPC server, Settee client", ["1", "32"]),
}
SPEED_CASES = [f"{pair}/{point}" for point in POINTS for pair in PAIRS if point in PAIRS[pair][1]]


def settee_bench(bench, port, flags, method="echo"):
    return [bench.program("settee"), "bench", f"bolt://127.0.0.1:{port}/{SERVICE}", method, *flags]


def echo_server(bench):
    return [bench.program("echo_server"), "--threads", "1"]


def server_command(bench, pair, point):
    if pair in ("server", "both"):
        return echo_server(bench)
    name = {"floor": "bench_floor_server", "client": "bench_bolt_raw_server",
            "grpc": "bench_grpc_server"}[pair]
    return [bench.program(name), *POINTS[point][1].split()]


def client_command(bench, pair, point, port, seconds, extra=()):
    flags = ["--payload", "16", *POINTS[point][0].split(), "--duration", str(seconds), *extra]
    if pair in ("client", "both", "java"):
        return settee_bench(bench, port, flags)
    name = {"floor": "bench_floor_client", "server": "bench_bolt_raw_client",
            "grpc": "bench_grpc_client"}[pair]
    return [bench.program(name), "--port", str(port), *flags]


class Speed:
    """Rounds over all selected cases. What is compared runs close together: a round takes the points
    in random order, and at each point the pairs in random order."""

    def __init__(self, bench, cases, failures):
        self.bench, self.cases, self.failures = bench, cases, failures
        self.samples = {case: [] for case in cases}  # one entry per round, None when it failed
        self.keep = contextlib.ExitStack()
        self.java = None

    def run(self):
        with self.keep:
            for number in range(self.bench.args.rounds):
                for case in self.round_order():
                    progress(f"round {number + 1} of {self.bench.args.rounds}: {case}")
                    self.samples[case].append(self.measure(case))

    def round_order(self):
        points = list(POINTS)
        random.shuffle(points)
        for point in points:
            pairs = [pair for pair in PAIRS if f"{pair}/{point}" in self.cases]
            random.shuffle(pairs)
            yield from (f"{pair}/{point}" for pair in pairs)

    def measure(self, case):
        if case in self.failures:
            return None
        pair, point = case.split("/")
        try:
            if pair == "java":
                return self.load(pair, point, self.java_server())
            with self.bench.server(server_command(self.bench, pair, point)) as server:
                return self.load(pair, point, server)
        except Failure as failure:
            fail(self.failures, case, failure)
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
            command = [self.bench.source("interop/java/run.sh"), self.bench.tree / "interop" / "java",
                       "PeerServer"]
            server = self.keep.enter_context(self.bench.server(command, ready_s=600))
            for point in ("1", "32"):
                progress(f"warming up the Java server ({point} outstanding)")
                warm_s = self.bench.args.java_warmup / 2
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


# ---------------------------------------------------------------------------------------------------
# Syscalls and allocations: counts, so one run is enough


def marginal(measure, short_s, long_s):
    """Cost per call from two runs, so that start-up cancels. measure(seconds) -> (cost, calls)."""
    cost_short, calls_short = measure(short_s)
    cost_long, calls_long = measure(long_s)
    if calls_long < calls_short + 1000:
        raise Failure(f"too few calls to tell: {calls_short} in {short_s} s, {calls_long} in {long_s} s")
    return (cost_long - cost_short) / (calls_long - calls_short)


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
    (few, calls_few), (many, calls_many) = totals
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


# ---------------------------------------------------------------------------------------------------
# The rest


def run_open_loop(bench):
    """p99 of 4,950 echo calls a second with and without 50 a second that sleep 5 ms on the pool."""
    seconds = max(2.0, bench.args.duration)
    results = {"with": [], "without": []}
    for number in range(bench.args.rounds):
        progress(f"round {number + 1} of {bench.args.rounds}: open-loop")
        for variant in random.sample(sorted(results), 2):
            with bench.server(echo_server(bench)) as server:
                def load(method, rate, server=server):
                    flags = ["--rate", str(rate), "--payload", "16", "--duration", str(seconds)]
                    return settee_bench(bench, server.port, flags, method)

                loads = [load("echo", 4950)] + ([load("slowEcho", 50)] if variant == "with" else [])
                reports = bench.clients(loads, seconds)
                for report, rate in zip(reports, (4950, 50)):
                    if report["rate"] < 0.9 * rate:
                        raise Failure(f"only {report['rate']:.0f} of {rate} calls/s were made")
                results[variant].append(reports[0]["p99_us"])
    return {"p99_us_without": results["without"], "p99_us_with": results["with"],
            "ratio": [w / o for w, o in zip(results["with"], results["without"])]}


def echo_frames():
    """Request and length of the answer's head, as in bolt_frames.h."""
    def text(value):
        return bytes([len(value)]) + value

    class_name = b"com.alipay.sofa.rpc.core.request.SofaRequest"
    service = SERVICE.encode()
    header = struct.pack(">I", 7) + b"service" + struct.pack(">I", len(service)) + service
    fields = (b"targetAppName", b"methodName", b"targetServiceUniqueName", b"requestProps",
              b"methodArgSigs")
    content = (b"O\xbc" + class_name + b"\x95" + b"".join(map(text, fields)) + b"o\x90N"
               + text(b"echo") + text(service) + b"NVt\0\x07[stringn\x01" + text(b"java.lang.String")
               + b"z" + text(b"hello"))
    head = struct.pack(">BBHBIBIHHI", 1, 1, 1, 1, 1, 1, 3000, len(class_name), len(header),
                       len(content))
    return head + class_name + header + content


def one_call(connection):
    connection.sendall(echo_frames())
    answer = b""
    while len(answer) < 20 or len(answer) < 20 + sum(struct.unpack(">HHI", answer[12:20])):
        piece = connection.recv(4096)
        if not piece:
            raise Failure("the server closed an idle connection")
        answer += piece
    if answer[10:12] != b"\0\0" or b"\x05hello" not in answer:
        raise Failure(f"bad answer to an echo call: {answer!r}")


def run_idle_memory(bench):
    """Growth of the server's resident memory by 10,000 connections: opened only, and after a call on
    each. Kernel memory of the sockets is not in it."""
    count = bench.args.idle_connections
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 200
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit[0], wanted), max(limit[1], wanted)))
    except (ValueError, PermissionError):
        raise Failure(f"ulimit -n is {limit[1]} and cannot be raised to {wanted}") from None
    with bench.server(echo_server(bench)) as server, contextlib.ExitStack() as stack:
        def connect():
            return socket.create_connection(("127.0.0.1", server.port), timeout=10)

        with connect() as first:
            one_call(first)
        time.sleep(0.3)
        before = server.rss()
        connections = [stack.enter_context(connect()) for _ in range(count)]
        end = time.monotonic() + 20
        while len(os.listdir(f"/proc/{server.pid}/fd")) < count:
            if time.monotonic() > end:
                raise Failure(f"the server holds {len(os.listdir(f'/proc/{server.pid}/fd'))} files, "
                              f"not {count} connections")
            time.sleep(0.05)
        time.sleep(0.5)
        opened = server.rss()
        for connection in connections:
            one_call(connection)
        time.sleep(0.5)
        used = server.rss()
    return {"opened_bytes": (opened - before) / count, "used_bytes": (used - before) / count}


def run_soak_server(bench):
    """RSS after 1 and after 10 million calls."""
    marks = {1_000_000: 0, 10_000_000: 0}
    with bench.server(echo_server(bench)) as server:
        calls = 0
        for mark in marks:
            while calls < mark:
                load = client_command(bench, "server", "32", server.port, 1, ["--warmup", "0"])
                calls += bench.client(load, 1)["calls"]
                progress(f"soak/server: {calls} calls")
            marks[mark] = server.rss()
    return {"rss_1m": marks[1_000_000], "rss_10m": marks[10_000_000]}


def run_soak_client(bench):
    """One long run; RSS when a tenth of its time and when nearly all of it has passed."""
    with bench.server(server_command(bench, "client", "32")) as server:
        rate = bench.client(client_command(bench, "client", "32", server.port, 1), 1)["rate"]
        seconds = round(11_000_000 / rate + 2)
        load = bench.pinned([*client_command(bench, "client", "32", server.port, seconds), "--json"])
        progress(f"soak/client: {seconds} s")
        started = time.monotonic()
        process = subprocess.Popen(load, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        rss = []
        try:
            for share in (0.1, 0.97):
                time.sleep(max(0.0, started + seconds * share - time.monotonic()))
                if process.poll() is not None:
                    raise Failure(f"`{' '.join(load)}` ended early: {tail(process.stderr.read())}")
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                rss.append(int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)[1]) * 1024)
            calls = report_of(process, seconds + 30)["calls"]
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if calls < 9_500_000:
        raise Failure(f"only {calls} calls in {seconds} s")
    return {"rss_1m": rss[0], "rss_10m": rss[1]}


def run_hessian(bench):
    """ns to encode and to decode the User of the benchmarks: ours, and each peer that is there."""
    def output(command, seconds=300):
        result = subprocess.run(bench.pinned(command), capture_output=True, text=True, timeout=seconds)
        if result.returncode != 0:
            raise Failure(f"`{' '.join(map(str, command))}`: exit status {result.returncode}: "
                          f"{tail(result.stderr or result.stdout)}")
        return result.stdout

    ours = json.loads(output([bench.program("hessian_benchmark"), "--benchmark_format=json",
                              "--benchmark_filter=User"]))
    unit = {"ns": 1, "us": 1e3, "ms": 1e6}
    times = {entry["name"]: entry["cpu_time"] * unit[entry["time_unit"]]
             for entry in ours["benchmarks"] if entry.get("run_type") != "aggregate"}
    result = {"all_ns": times, "peers": {}, "not_run": []}
    for what in ("encode", "decode"):
        named = [ns for name, ns in times.items() if re.search(what, name, re.I)]
        if not named:
            raise Failure(f"hessian_benchmark has no benchmark named like '{what} User': "
                          f"{', '.join(times) or 'none at all'}")
        result[f"{what}_ns"] = min(named)
    peers = {
        "Java": (SOURCE / "interop/java/src/main/java/com/settee/interop/peer/HessianBench.java",
                 [SOURCE / "interop/java/run.sh", bench.tree / "interop" / "java", "HessianBench"]),
        "Node": (SOURCE / "interop/node/hessian_bench.js",
                 ["node", SOURCE / "interop/node/hessian_bench.js"]),
    }
    for peer, (program, command) in peers.items():
        if program.exists():
            numbers = json.loads(output(command).strip().splitlines()[-1])
            result["peers"][peer] = {key: numbers[key] for key in ("encode_ns", "decode_ns")}
        else:
            result["not_run"].append(f"{peer}: {program.relative_to(SOURCE)} does not exist")
    return result


COUNT_SIDES = ["floor-server", "floor-client", "server", "client"]
OTHER_CASES = {
    **{f"syscalls/{side}/{point}": lambda bench, side=side, point=point: run_syscalls(bench, side, point)
       for side in COUNT_SIDES for point in ("1", "32")},
    **{f"allocations/{side}/{point}":
       lambda bench, side=side, point=point: run_allocations(bench, side, point)
       for side in ("server", "client") for point in ("1", "32")},
    "open-loop": run_open_loop,
    "idle-memory": run_idle_memory,
    "hessian": run_hessian,
    "soak/server": run_soak_server,
    "soak/client": run_soak_client,
}


# ---------------------------------------------------------------------------------------------------
# The report


def span(values, digits=2):
    if not values:
        return "–"
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head),
            *("| " + " | ".join(row) + " |" for row in rows), ""]


def verdict(met):
    return "met" if met else "**not met**"


def speed_targets(speed):
    """Limits in µs are the issue's, for a machine whose floor was the number beside them; so each is a
    ratio to the floor as well."""
    rows = []
    for what, point, limit_us, floor_us, aim in (("1 outstanding", "1", 1.2 * 7.75, 7.75, ""),
                                                 ("32 outstanding", "32", 1.2, 0.26, ", aim 0.8"),
                                                 ("unbatched at 32", "each", 3.3, 2.35, ""),
                                                 ("16 KiB at 32", "16k", 4.5, 2.8, "")):
        for side, metric, slack in (("server", SERVER_US, 1.0), ("client", CLIENT_US, 1.1)):
            at = "answers-each" if (side, point) == ("client", "each") else point
            case, floor = f"{side}/{at}", f"floor/{at}"
            if case not in speed.cases:
                continue
            us, ratio = speed.figures(case, metric), speed.ratios(case, floor, metric)
            most_us, most_ratio = slack * limit_us, slack * limit_us / floor_us
            if us and ratio:
                in_us = statistics.median(us) <= most_us
                in_ratio = statistics.median(ratio) <= most_ratio
                said = (verdict(in_us) if in_us == in_ratio else
                        "met as a ratio, **not in µs**" if in_ratio else
                        "met in µs, **not as a ratio**")
            else:
                said = "**not measured**"
            rows.append([f"CPU, {side}, {what}", f"{span(us)} µs", f"{span(ratio)} × floor",
                         f"≤ {most_us:.2f} µs{aim if side == 'server' else ''}; "
                         f"≤ {most_ratio:.2f} × floor", said])
    for peer, point, least, must in (("grpc", "32", 10, "≥"), ("grpc", "1", 4, "≥"),
                                     ("java", "32", 5, "expected ≥")):
        case = f"{peer}/{point}"
        if case in speed.cases:
            ratio = speed.ratios(case, f"both/{point}", SERVER_US)
            rows.append([f"CPU, {PAIRS[peer][0].split(',')[0]} to Settee's, server, {point} outstanding",
                         f"{span(speed.figures(case, SERVER_US))} µs", f"{span(ratio)} × Settee",
                         f"{must} {least} × Settee",
                         verdict(statistics.median(ratio) >= least) if ratio else "**not measured**"])
    return rows


def count_targets(results):
    rows = []
    limits = {"1": 3.1, "32": 0.2}
    for case, result in results.items():
        kind, _, rest = case.partition("/")
        if kind == "syscalls":
            side, point = rest.split("/")
            floor = results.get(f"syscalls/floor-{side}/{point}")
            most = limits[point] * (1.1 if side == "client" else 1)
            names = ", ".join(f"{name} {count:.3f}" for name, count in
                              sorted(result["by_name"].items(), key=lambda item: -item[1])[:5])
            ours = not side.startswith("floor")
            rows.append([f"Syscalls per call, {side}, {point} outstanding",
                         f"{result['per_call']:.3f} ({names})",
                         f"{result['per_call'] / floor['per_call']:.2f} × floor" if floor else "",
                         f"≤ {most:.2f}" if ours else "", verdict(result["per_call"] <= most) if ours
                         else ""])
        elif kind == "allocations":
            side, point = rest.split("/")
            rows.append([f"Heap allocations per call, {side}, {point} outstanding",
                         f"{result['per_call']:.3f}", "", "≤ 2", verdict(result["per_call"] <= 2)])
        elif kind == "open-loop":
            ratio = statistics.median(result["ratio"])
            rows.append(["p99 at 4,950 calls/s with 50/s sleeping 5 ms beside them, none rejected",
                         f"{span(result['p99_us_with'], 0)} µs, without them "
                         f"{span(result['p99_us_without'], 0)} µs",
                         f"{span(result['ratio'])} × without", "≤ 2 × without", verdict(ratio <= 2)])
        elif kind == "idle-memory":
            for key, what in (("opened_bytes", "opened only"), ("used_bytes", "after one call each")):
                rows.append([f"Server memory per idle connection, {what}",
                             f"{result[key] / 1024:.2f} KiB", "", "aim ≤ 4 KiB",
                             verdict(result[key] <= 4096)])
        elif kind == "soak":
            growth = result["rss_10m"] - result["rss_1m"]
            rows.append([f"{rest.capitalize()} memory from 1 to 10 million calls",
                         f"{result['rss_1m'] / 2**20:.2f} → {result['rss_10m'] / 2**20:.2f} MiB", "",
                         "flat: growth ≤ 1 MiB", verdict(growth <= 2**20)])
        elif kind == "hessian":
            for what, most in (("encode", 250), ("decode", 600)):
                ours = result[f"{what}_ns"]
                rows.append([f"Hessian, {what} User", f"{ours:.0f} ns", "", f"≤ {most} ns",
                             verdict(ours <= most)])
                for peer, least in (("Node", 10), ("Java", 3)):
                    if peer in result["peers"]:
                        theirs = result["peers"][peer][f"{what}_ns"]
                        rows.append([f"Hessian, {what} User, {peer}", f"{theirs:.0f} ns",
                                     f"{theirs / ours:.1f} × Settee", f"≥ {least} × Settee",
                                     verdict(theirs / ours >= least)])
    return rows


def speed_rows(speed):
    rows = []
    for case in speed.cases:
        pair, point = case.split("/")
        cells = [PAIRS[pair][0], POINTS[point][2]]
        for metric in (SERVER_US, CLIENT_US):
            cells.append(span(speed.figures(case, metric)))
            cells.append("" if pair == "floor" else span(speed.ratios(case, f"floor/{point}", metric)))
        rate = speed.figures(case, "rate")
        cells.append(f"{statistics.median(rate):,.0f}" if rate else "–")
        cells.append("/".join(f"{statistics.median(speed.figures(case, metric)):.0f}"
                              for metric in ("p50_us", "p99_us", "p999_us")) if rate else "–")
        rows.append([f"`{case}`", *cells])
    return rows


def noise(speed):
    spreads = {case: max(values) / min(values) for case in speed.cases if case.startswith("floor/")
               if len(values := speed.figures(case, SERVER_US)) > 1}
    if not spreads:
        return []
    worst = max(spreads, key=spreads.get)
    line = (f"The floor itself varied between rounds by up to {spreads[worst]:.2f} × (`{worst}`, server "
            "CPU, largest to smallest).")
    if spreads[worst] > 1.5:
        line += (" **That is a noisy machine: trust the ratios before the µs, and repeat with more "
                 "rounds before drawing a conclusion.**")
    return [line, ""]


def markdown(conditions, speed, results, failures):
    lines = ["# Benchmark report", "", *(f"- {key}: {value}" for key, value in conditions.items()), ""]
    if failures:
        lines += ["## Failed", "", *(f"- `{case}`: {why}" for case, why in failures.items()), ""]
    targets = speed_targets(speed) + count_targets(results)
    if targets:
        lines += ["## Figures and targets", ""]
        lines += table(["figure", "measured, median (min–max)", "as a ratio", "target", "verdict"],
                       targets)
    if speed.cases:
        lines += ["## CPU µs per call", "",
                  "Medians (min–max) over the rounds; × floor is to `floor` at the same point of the "
                  "same round, for the same side. The rate is of one core that both ends share.", ""]
        lines += table(["case", "programs", "load", "server µs", "× floor", "client µs", "× floor",
                        "calls/s", "p50/p99/p99.9 µs"], speed_rows(speed))
        lines += noise(speed)
    if "hessian" in results:
        lines += [f"Hessian peer not run: {why}." for why in results["hessian"]["not_run"]] + [""]
    return "\n".join(lines)


def progress(text):
    print(text, file=sys.stderr, flush=True)


def fail(failures, case, failure):
    failures[case] = str(failure)
    progress(f"FAILED {case}: {failure}")


def conditions_of(args):
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    revision = subprocess.run(["git", "-C", str(SOURCE), "describe", "--always", "--dirty"],
                              capture_output=True, text=True).stdout.strip()
    return {"revision": revision or "unknown", "machine": f"{model[1] if model else 'unknown CPU'}, "
            f"{os.cpu_count()} CPUs, Linux {os.uname().release}",
            "load average at the start": f"{os.getloadavg()[0]:.2f}",
            "rounds": f"{args.rounds} of {args.duration:g} s, both ends on CPU {args.core}"}


def select(args):
    """The cases whose name matches --only, and those that they are compared to."""
    names = [*SPEED_CASES, *(case for case in OTHER_CASES if args.soak or not case.startswith("soak/"))]
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
    parser.add_argument("--duration", type=float, default=2.0, help="seconds measured per case and round")
    parser.add_argument("--only", default="", metavar="PATTERN",
                        help="regular expression on the names of cases, for example '/32$' or '^grpc/'")
    parser.add_argument("--soak", action="store_true", help="also memory over 10 million calls")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--java-warmup", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--idle-connections", type=int, default=10_000)
    parser.add_argument("--out", metavar="FILE.md", help="where the report goes besides standard output")
    parser.add_argument("--json", metavar="FILE", help="all samples and results")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and end")
    args = parser.parse_args()

    cases = select(args)
    if args.list or not cases:
        print("\n".join(cases) or f"no case matches '{args.only}'")
        return 0 if cases else 2
    if not shutil.which("taskset"):
        sys.exit("bench/run.py: taskset is missing (Debian: util-linux)")
    conditions = conditions_of(args)
    failures, results = {}, {}
    with tempfile.TemporaryDirectory(prefix="settee-bench-") as scratch:
        bench = Bench(args, scratch)
        speed = Speed(bench, [case for case in cases if case in SPEED_CASES], failures)
        speed.run()
        for case in cases:
            if case in SPEED_CASES:
                continue
            progress(case)
            try:
                results[case] = OTHER_CASES[case](bench)
            except Failure as failure:
                fail(failures, case, failure)
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
