#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Measures what several providers cost, and what their coming and going costs. See bench/README.md.

Deployments are those of programs: `echo_server --registry` as providers, ended by SIGTERM or
SIGKILL, and `settee bench --rate`, which counts every call that was not answered rightly.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from suite.processes import SERVICE, SOURCE, Bench, Failure, Server, free_port, progress, tail

ZOOKEEPER_JAR = pathlib.Path("/usr/share/java/zookeeper.jar")


class Run(Bench):
    """One run of these benchmarks."""

    def figures(self, *arguments):
        """bench_cluster_figures' JSON."""
        command = [self.program("bench_cluster_figures"), *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if result.returncode != 0:
            raise Failure(f"`{' '.join(command)}`: exit status {result.returncode}: "
                          f"{tail(result.stderr or result.stdout)}")
        return json.loads(result.stdout)


class Provider:
    """An echo_server on a port of its own, which it keeps over restarts."""

    def __init__(self, run, registry):
        self.run, self.registry, self.port = run, registry, free_port()
        self.start()

    def start(self):
        self.server = Server([self.run.program("echo_server"), "--port", str(self.port),
                              "--registry", self.registry], self.run.file("provider"), None)
        self.server.wait_ready(20)

    def stop(self):
        if (status := self.server.end()) != 0:
            raise Failure(f"echo_server ended with status {status} on SIGTERM: "
                          f"{tail(self.server.err.read_text(errors='replace'))}")

    def kill(self):
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.process.wait()


class Zookeeper:
    def __init__(self, run):
        if not ZOOKEEPER_JAR.exists():
            raise Failure(f"{ZOOKEEPER_JAR} is missing: ./setup --peers installs it")
        self.port = free_port()
        folder = run.file("zookeeper")
        folder.mkdir()
        (folder / "zoo.cfg").write_text(
            f"tickTime=500\ndataDir={folder}/data\nclientPortAddress=127.0.0.1\n"
            f"clientPort={self.port}\nadmin.enableServer=false\n4lw.commands.whitelist=*\n")
        self.command = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-Dzookeeper.forceSync=no", "-cp",
                        str(ZOOKEEPER_JAR), "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                        str(folder / "zoo.cfg")]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError), \
                    socket.create_connection(("127.0.0.1", self.port), 1) as asked:
                asked.sendall(b"srvr")
                if b"Mode: " in asked.recv(4096):
                    return
            time.sleep(0.05)
        self.kill()
        raise Failure("the ZooKeeper server does not serve within 60 s")

    def kill(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def registry_of(run, kind):
    """Yields the registry's url, the form of it that a client takes, and the server if there is one."""
    if kind == "file":
        url = f"file://{run.file('services')}"
        yield url, f"{url}#{SERVICE}", None
        return
    server = Zookeeper(run)
    try:
        url = f"zookeeper://127.0.0.1:{server.port}"
        yield url, f"{url}/{SERVICE}", server
    finally:
        server.kill()


@contextlib.contextmanager
def load_on(run, url, seconds):
    """`settee bench` beside what is done in the block; its report is in the list when that ends."""
    command = [run.program("settee"), "bench", url, "echo", "--rate", str(run.args.rate), "--payload",
               "16", "--warmup", "1", "--duration", str(seconds), "--json"]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    report = {}
    try:
        time.sleep(1.5)
        yield report
        out, err = process.communicate(timeout=seconds + 60)
        if not out.strip():
            raise Failure(f"`{' '.join(command)}` printed nothing: {tail(err)}")
        report.update(json.loads(out.strip().splitlines()[-1]))
        report["messages"] = err.strip().splitlines()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def summary(report):
    return {key: report[key] for key in ("calls", "errors", "p99_us", "max_us", "messages")}


def rolling_restart(run, kind):
    """Two providers, each ended by SIGTERM and started again: no call may fail."""
    with registry_of(run, kind) as (registry, url, _), contextlib.ExitStack() as stack:
        providers = [Provider(run, registry) for _ in range(2)]
        for one in providers:
            stack.callback(lambda one=one: one.server.end())
        with load_on(run, url, run.args.seconds) as report:
            for one in providers:
                one.stop()
                one.start()
                time.sleep(run.args.seconds / 8)
    return {**summary(report), "met": report["errors"] == 0}


def killed(run, kind, retried):
    """One of three providers is killed. What may be tried again must not fail; of the rest only what
    was on its way to it."""
    with registry_of(run, kind) as (registry, url, _), contextlib.ExitStack() as stack:
        providers = [Provider(run, registry) for _ in range(3)]
        for one in providers:
            stack.callback(lambda one=one: one.server.end())
        with load_on(run, url + ("?retries=2" if retried else ""), run.args.seconds) as report:
            time.sleep(run.args.seconds / 4)
            providers[1].kill()
    address = f"127.0.0.1:{providers[1].port}"
    foreign = [line for line in report["messages"]
               if address not in line or "before the answer came" not in line]
    # At 20 times the usual p99, the calls on their way to all three.
    most = max(5, run.args.rate * report["p99_us"] * 1e-6 * 20)
    met = report["errors"] == 0 if retried else report["errors"] <= most and not foreign
    return {**summary(report), "met": met}


def registry_lost(run, kind):
    """ZooKeeper is killed, and is back after 3 s."""
    with registry_of(run, kind) as (registry, url, server), contextlib.ExitStack() as stack:
        for one in [Provider(run, registry) for _ in range(2)]:
            stack.callback(lambda one=one: one.server.end())
        with load_on(run, url, run.args.seconds + 3) as report:
            server.kill()
            time.sleep(3)
            server.start()
    return {**summary(report), "met": report["errors"] == 0}


def pipeline(run):
    result = run.figures("pipeline", run.args.rounds * 10)
    return {**result, "met": result["whole_over_bare_ns"] <= 300}


def push(run):
    result = run.figures("push", 10_000)
    return {**result, "met": result["all_new_ms"] <= 50 and result["p99_ratio"] <= 2}


def tolerance(run):
    result = run.figures("tolerance", run.args.rate)
    # A window has to be over before it can be judged, and the share is looked at ten times a second.
    met = (result["seconds_to_floor"] <= 2 * result["window_s"] + 0.3
           and result["share_at_floor"] <= 3 * result["floor_share"] and result["share_after"] > 0.2)
    return {**result, "met": met}


CASES = {
    **{f"rolling-restart/{kind}": lambda run, kind=kind: rolling_restart(run, kind)
       for kind in ("file", "zookeeper")},
    **{f"killed{'-retried' if retried else ''}/{kind}":
       lambda run, kind=kind, retried=retried: killed(run, kind, retried)
       for kind in ("file", "zookeeper") for retried in (False, True)},
    "registry-lost/zookeeper": lambda run: registry_lost(run, "zookeeper"),
    "pipeline": pipeline,
    "push": push,
    "tolerance": tolerance,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", default=SOURCE / "build" / "release", help="build tree")
    parser.add_argument("--rate", type=int, default=5_000, help="calls a second")
    parser.add_argument("--seconds", type=int, default=12, help="of load, for each deployment")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", metavar="PATTERN", help="regular expression on names")
    parser.add_argument("--strict", action="store_true", help="a missed target is a failure")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    cases = [case for case in CASES if re.search(args.only, case)]
    if args.list or not cases:
        print("\n".join(cases) or f"no case matches '{args.only}'")
        return 0 if cases else 2
    if not shutil.which("java"):
        progress("java is missing: what needs ZooKeeper will fail (./setup --peers)")

    results, failures = {}, {}
    with tempfile.TemporaryDirectory(prefix="settee-cluster-") as scratch:
        run = Run(args, scratch)
        for case in cases:
            rounds = 1 if case in ("pipeline", "push", "tolerance") else args.rounds
            for number in range(rounds):
                progress(f"{case}, {number + 1} of {rounds}")
                try:
                    results.setdefault(case, []).append(CASES[case](run))
                except Exception as failure:  # whatever it was, it is reported and the rest goes on
                    failures[case] = (str(failure) if isinstance(failure, Failure)
                                      else f"{type(failure).__name__}: {failure}")
                    progress(f"FAILED {case}: {failures[case]}")
                    break
    print(f"load average {os.getloadavg()[0]:.2f}, {args.rate} calls/s\n")
    print("| case | result | target |\n| --- | --- | --- |")
    missed = False
    for case, all_rounds in results.items():
        met = all(one["met"] for one in all_rounds)
        missed = missed or not met
        if "errors" in all_rounds[0] and "p99_us" in all_rounds[0]:
            words = (f"{sum(one['errors'] for one in all_rounds)} failed of "
                     f"{sum(one['calls'] for one in all_rounds)}, p99 "
                     f"{statistics.median(one['p99_us'] for one in all_rounds):.0f} µs")
        else:
            words = ", ".join(f"{key} {value:g}" for key, value in all_rounds[0].items()
                              if key != "met")
        print(f"| {case} | {words} | {'met' if met else '**not met**'} |")
        for line in {line for one in all_rounds for line in one.get("messages", [])}:
            progress(f"{case}: {line}")
    for case, why in failures.items():
        print(f"| {case} | failed: {why} | |")
    if args.json:
        pathlib.Path(args.json).write_text(
            json.dumps({"results": results, "failures": failures}, indent=1) + "\n")
    return 1 if failures or (args.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
