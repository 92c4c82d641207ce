# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Starting, pinning and ending the programs under test, in a network of their own."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
SERVICE = "com.settee.bench.Echo:1.0"
SERVER_US = "server_cpu_us_per_call"
CLIENT_US = "client_cpu_us_per_call"
REPORT_KEYS = {"calls", "errors", "seconds", "rate", "p50_us", "p99_us", "p999_us", "max_us",
               CLIENT_US}



class Failure(Exception):
    """Why a case has no result."""


def progress(text):
    print(text, file=sys.stderr, flush=True)


OWN_NETWORK = "SETTEE_BENCH_OWN_NETWORK"


def enter_own_network():
    """Starts the running script anew in an empty network namespace where TCP paces nothing.

    With BBR as the machine's congestion control, the kernel arms a timer for almost every segment
    of a deep burst; on a virtual machine that costs up to three times the call, and comes and goes
    from run to run. In a namespace of our own another one can be chosen without touching the
    machine.
    """
    command = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--"]
    if (not shutil.which("unshare")
            or subprocess.run([*command, "true"], capture_output=True).returncode != 0):
        progress("`unshare --net` does not work here: measuring in the machine's own network")
        return
    os.execvpe(command[0], [*command, sys.executable, *sys.argv], {**os.environ, OWN_NETWORK: "1"})


def in_own_network():
    return OWN_NETWORK in os.environ


def set_up_own_network():
    with socket.socket() as any_socket:
        set_flags, up_and_running = 0x8914, 0x1 | 0x40  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", up_and_running))
    for algorithm in ("cubic", "reno"):  # a namespace may be refused any but the simplest
        try:
            CONGESTION_CONTROL.write_text(algorithm)
            return
        except OSError:
            continue


CONGESTION_CONTROL = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")


def network():
    control = CONGESTION_CONTROL.read_text().strip()
    where = "a network namespace of its own" if in_own_network() else "the machine's network"
    warning = "; **its pacing makes deep loads noisy**" if control == "bbr" else ""
    return f"loopback in {where}, TCP congestion control {control}{warning}"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Bench:
    """One run of the benchmarks: where programs are, how they are pinned, where output goes."""

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
        server = Server(self.pinned([*command, "--port", free_port()]), self.file("server"), env)
        try:
            server.wait_ready(ready_s)
            yield server
        except BaseException:
            server.end()
            raise
        if (status := server.end()) not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            raise Failure(f"`{' '.join(server.command)}` ended with status {status} on SIGTERM: "
                          f"{tail(server.err.read_text(errors='replace'))}")

    def client(self, command, seconds, env=None):
        """Runs a client to its end; its JSON report, which must be complete and free of errors."""
        return self.clients([command], seconds, env)[0]

    def clients(self, commands, seconds, env=None):
        running = [subprocess.Popen(self.pinned([*command, "--json"]), text=True,
                                    env=environment(env), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
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

    def end(self):
        """By SIGTERM, after 15 s by SIGKILL; the exit status."""
        if self.process.poll() is None:
            os.kill(self.pid or self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.kill(self.pid or self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.process.stdin.close()
        return self.process.returncode

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
