# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""What a server does over time: slow handlers, idle connections, millions of calls; and Hessian."""

import contextlib
import json
import os
import pathlib
import random
import re
import resource
import socket
import struct
import subprocess
import time

from .processes import SERVICE, SOURCE, Failure, progress, report_of, tail
from .speed import client_command, echo_server, java_command, server_command, settee_bench


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


def echo_request():
    """The frame that bolt_frames.h makes, for an argument of five bytes."""
    def text(value):
        return bytes([len(value)]) + value

    class_name = b"com.alipay.sofa.rpc.core.request.SofaRequest"
    service = SERVICE.encode()
    header = struct.pack(">I", 7) + b"service" + struct.pack(">I", len(service)) + service
    fields = (b"targetAppName", b"methodName", b"targetServiceUniqueName", b"requestProps",
              b"methodArgSigs")
    content = (b"O\xbc" + class_name + b"\x95" + b"".join(map(text, fields)) + b"o\x90N"
               + text(b"echo") + text(service) + b"N"
               + b"Vt\0\x07[stringn\x01" + text(b"java.lang.String") + b"z" + text(b"hello"))
    head = struct.pack(">BBHBIBIHHI", 1, 1, 1, 1, 1, 1, 3000, len(class_name), len(header),
                       len(content))
    return head + class_name + header + content


def one_call(connection):
    connection.sendall(echo_request())
    answer = b""
    while len(answer) < 20 or len(answer) < 20 + sum(struct.unpack(">HHI", answer[12:20])):
        piece = connection.recv(4096)
        if not piece:
            raise Failure("the server closed an idle connection")
        answer += piece
    if answer[10:12] != b"\0\0" or b"\x05hello" not in answer:
        raise Failure(f"bad answer to an echo call: {answer!r}")


def run_idle_memory(bench):
    """Growth of the server's resident memory by 10,000 connections: opened only, and after a call
    on each. Kernel memory of the sockets is not in it."""
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
                raise Failure(f"the server has not accepted {count} connections in 20 s")
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
        load = client_command(bench, "client", "32", server.port, seconds, ["--json"])
        progress(f"soak/client: {seconds} s")
        started = time.monotonic()
        process = subprocess.Popen(bench.pinned(load), text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
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
        result = subprocess.run(bench.pinned(command), capture_output=True, text=True,
                                timeout=seconds)
        if result.returncode != 0:
            raise Failure(f"`{' '.join(map(str, command))}`: exit status {result.returncode}: "
                          f"{tail(result.stderr or result.stdout)}")
        return result.stdout

    ours = json.loads(output([bench.program("hessian_benchmark"), "--benchmark_format=json",
                              "--benchmark_filter=^user_(en|de)code"]))
    unit = {"ns": 1, "us": 1e3, "ms": 1e6}
    times = {entry["name"]: entry["cpu_time"] * unit[entry["time_unit"]]
             for entry in ours["benchmarks"] if entry.get("run_type") != "aggregate"}
    result = {"all_ns": times, "peers": {}, "not_run": []}
    for what in ("encode", "decode"):
        named = [ns for name, ns in times.items() if name.startswith(f"user_{what}") and "value" not in name]
        if not named:
            raise Failure(f"hessian_benchmark has no benchmark named like '{what} User': "
                          f"{', '.join(times) or 'none at all'}")
        result[f"{what}_ns"] = min(named)
    peers = {
        "Java": (SOURCE / "interop/java/src/main/java/com/settee/interop/peer/HessianBench.java",
                 java_command(bench, "HessianBench")),
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
