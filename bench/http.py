#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Measures what a call costs a server over HTTP/1.1, HTTP/2 and gRPC. See bench/README.md.

The load comes from wrk for HTTP/1.1 and from h2load (Debian: nghttp2-client) for HTTP/2; only the
server's CPU time is counted. Beside Settee's echo_server: a bare epoll loop that answers HTTP/1.1
(bench_http_floor_server), gRPC C++ (bench_grpc_server), and nginx and nghttpd with a constant body,
where they are installed. Rounds are interleaved; the median of each is told.
"""

import argparse
import contextlib
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from suite.processes import (OWN_NETWORK, Bench, Failure, Server, enter_own_network, free_port,
                             network, progress, set_up_own_network)

TEXT = "0123456789abcdef"


def cpu_us(pid):
    """User and system time of a process and its children, in microseconds."""
    total = 0
    for one in [pid, *children(pid)]:
        fields = pathlib.Path(f"/proc/{one}/schedstat").read_text().split()
        total += int(fields[0]) / 1000
        for thread in pathlib.Path(f"/proc/{one}/task").iterdir():
            if thread.name != str(one):
                total += int((thread / "schedstat").read_text().split()[0]) / 1000
    return total


def children(pid):
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in path.read_text().split()]


class Run(Bench):
    def __init__(self, args, scratch):
        super().__init__(args, scratch)
        self.json = self.body("json", f'{{"text":"{TEXT}"}}'.encode())
        message = b"\x0a" + bytes([len(TEXT)]) + TEXT.encode()
        self.grpc = self.body("grpc", b"\0" + struct.pack(">I", len(message)) + message)

    def body(self, name, content):
        path = self.file(name)
        path.write_bytes(content)
        return str(path)

    def load(self, pid, url, requests, load):
        """Server CPU microseconds of one request."""
        load(url, max(2000, requests // 20))
        before = cpu_us(pid)
        done = load(url, requests)
        return (cpu_us(pid) - before) / done

    def wrk(self, connections, pipelined):
        """A load of POST requests, so many in one write on each connection."""
        script = self.file("wrk.lua")
        script.write_text(f"""
wrk.method = "POST"
wrk.body = '["{TEXT}"]'
wrk.headers["content-type"] = "application/json"
local batch
init = function() batch = string.rep(wrk.format(), {pipelined}) end
request = function() return batch end
""")

        def run(url, requests):
            seconds = max(1, round(requests / 20000))
            command = self.pinned(["wrk", "-t", 1, "-c", connections, "-d", seconds, "-s", script,
                                   url])
            try:
                text = subprocess.run(command, capture_output=True, text=True,
                                      timeout=seconds + 60).stdout
            except subprocess.TimeoutExpired:
                # It looks at its clock only when nothing is there to be read.
                raise Failure("wrk has not ended, as it now and then does when its server is as "
                              "fast as it is; run this case again by --only") from None
            done = re.search(r"(\d+) requests in", text)
            if not done or done[1] == "0" or "Non-2xx" in text or "Socket errors" in text:
                raise Failure(f"`{' '.join(map(str, command))}`: {text[-500:]}")
            return int(done[1])

        return run

    def h2load(self, *options):
        def run(url, requests):
            command = self.pinned(["h2load", "-n", requests, *options, url])
            text = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
            done = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", text)
            statuses = re.search(r"status codes: (\d+) 2xx", text)
            if not done or (int(done[1]), done[2], done[3]) != (requests, "0", "0") or not statuses:
                raise Failure(f"`{' '.join(map(str, command))}`: {text[-500:]}")
            return requests

        return run

    def certificate(self):
        key, certificate = self.file("key.pem"), self.file("certificate.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-keyout", key, "-out", certificate], check=True,
                       capture_output=True)
        return [certificate, key]

    @contextlib.contextmanager
    def foreign(self, name, port):
        """nginx or nghttpd, with a constant body of the echo's size."""
        folder = self.file(name)
        folder.mkdir()
        (folder / "echo").write_text(f'"{TEXT}"')
        if name == "nginx":
            (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{ access_log off; keepalive_requests 100000000; types {{ }}
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{
    default_type application/json; return 200 '"{TEXT}"'; }} }} }}
""")
            command = ["nginx", "-p", folder, "-c", folder / "nginx.conf"]
        else:
            command = ["nghttpd", "--no-tls", "-d", folder, port]
        process = subprocess.Popen(self.pinned(command), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.7)
            if process.poll() is not None:
                raise Failure(f"{name} ended with status {process.returncode}")
            yield process.pid
        finally:
            process.terminate()
            process.wait(10)


ECHO = "/com.settee.bench.Echo/echo"


def cases(run):
    """Name, server, path, requests, load."""
    post = ["-d", run.json, "-H", "content-type: application/json"]
    grpc = ["-d", run.grpc, "-H", "content-type: application/grpc", "-H", "te: trailers"]
    n = run.args.requests
    one, pipelined = run.wrk(32, 1), run.wrk(1, 16)
    return [
        ("h1 32 connections", "settee", ECHO, n, one),
        ("h1 32 connections", "floor", ECHO, n, one),
        ("h1 32 connections", "nginx", "/echo", n, one),
        ("h1 pipelined 16", "settee", ECHO, 3 * n, pipelined),
        ("h1 pipelined 16", "floor", ECHO, 3 * n, pipelined),
        ("h1 pipelined 16", "nginx", "/echo", 3 * n, pipelined),
        ("h1 pipelined 16", "settee, TLS", ECHO, 3 * n, pipelined),
        ("h2 32 streams", "settee", ECHO, 2 * n, run.h2load("-c", 1, "-m", 32, *post)),
        ("h2 32 streams", "settee, TLS", ECHO, 2 * n, run.h2load("-c", 1, "-m", 32, *post)),
        ("h2 32 streams", "nghttpd", "/echo", 2 * n, run.h2load("-c", 1, "-m", 32)),
        ("gRPC 32 streams", "settee", ECHO, 2 * n, run.h2load("-c", 1, "-m", 32, *grpc)),
        ("gRPC 32 streams", "grpc", "/settee.bench.Echo/Echo", n,
         run.h2load("-c", 1, "-m", 32, *grpc)),
        ("gRPC 10 x 10 streams", "settee", ECHO, 2 * n, run.h2load("-c", 10, "-m", 10, *grpc)),
        ("gRPC 10 x 10 streams", "grpc", "/settee.bench.Echo/Echo", n,
         run.h2load("-c", 10, "-m", 10, *grpc)),
    ]


def measure(run, server, path, requests, load):
    if server in ("nginx", "nghttpd"):
        if not shutil.which(server):
            return None
        port = free_port()
        with run.foreign(server, port) as pid:
            return run.load(pid, f"http://127.0.0.1:{port}{path}", requests, load)
    command = [run.program({"floor": "bench_http_floor_server",
                            "grpc": "bench_grpc_server"}.get(server, "echo_server"))]
    scheme = "http"
    if server.endswith("TLS"):
        command += ["--tls", *run.certificate()]
        scheme = "https"
    with run.server(command) as started:
        return run.load(started.pid, f"{scheme}://127.0.0.1:{started.port}{path}", requests, load)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", default="build/release", help="the build tree")
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--only", default="", help="a regular expression of case names")
    args = parser.parse_args()
    for program, package in (("wrk", "wrk"), ("h2load", "nghttp2-client")):
        if not shutil.which(program):
            print(f"bench/http.py: {program} is missing (Debian: {package})", file=sys.stderr)
            return 2
    if OWN_NETWORK in os.environ:
        set_up_own_network()
    else:
        enter_own_network()
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(args, scratch)
        found = {}
        for number in range(args.rounds):
            for name, server, path, requests, load in cases(run):
                if not re.search(args.only, name):
                    continue
                progress(f"round {number + 1}: {name}, {server}")
                value = measure(run, server, path, requests, load)
                if value is not None:
                    found.setdefault((name, server), []).append(value)
    print(f"Server CPU, microseconds per request; {network()}; median of {args.rounds} rounds\n")
    print("| case | server | us | least | most | Settee's share of it |")
    print("| --- | --- | --- | --- | --- | --- |")
    for (name, server), values in found.items():
        ours = found.get((name, "settee"))
        share = ""
        if server == "settee, TLS" and ours:
            share = f"TLS adds {statistics.median(b - a for a, b in zip(ours, values)):.2f} us"
        elif server != "settee" and ours:
            share = f"{statistics.median(a / b for a, b in zip(ours, values)):.2f}"
        print(f"| {name} | {server} | {statistics.median(values):.2f} | {min(values):.2f} | "
              f"{max(values):.2f} | {share} |")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"bench/http.py: {failure}", file=sys.stderr)
        sys.exit(1)
