#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""gRPC clients that others wrote, against a server of ours.

    grpc_peers_test.py SERVER CLIENT...     e.g. grpc_peers_test.py grpc_server node grpc_client.js
    grpc_peers_test.py --tls SERVER CLIENT...
    grpc_peers_test.py --s-client SERVER
    grpc_peers_test.py SERVER --proto FILE

SERVER is the program grpc_server, or interop_server. CLIENT gets the port as its last argument, and
must end with 0; with --tls a folder with certificates comes behind it, and it must also end with 0 if
SETTEE_REFUSED=1 tells it that the folder has none that the two trust each other by. With --s-client
openssl's s_client looks at how the server speaks TLS. With --proto it is only asked whether FILE is,
behind its licence, what the server derives.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import certificates
from served import Served


def check_proto(server, file):
    derived = subprocess.run([server, "--proto"], capture_output=True, check=True, timeout=60).stdout
    with open(file, "rb") as kept:
        if kept.read().split(b"\n\n", 1)[1] == derived:
            return 0
    print(f"{file} is not what the server derives; put what {server} --proto prints behind its licence")
    return 1


def run_client(server, client):
    process = subprocess.Popen([server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().strip().removeprefix("READY port=")
        code = subprocess.run([*client, port], timeout=120).returncode
        process.stdin.close()
        ended = process.wait(60)
    finally:
        process.kill()
        process.wait()
    print(f"the client ended with {code}, the server with {ended}")
    return 1 if code or ended else 0


def run_tls_client(server, client):
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        certificates.make_all(folder)
        with Served(server, "--tls", folder) as served:
            for refused in (None, "server", "client", "name"):
                mine = pathlib.Path(folder, f"client-{refused}")
                mine.mkdir()
                given = "stranger" if refused == "client" else "client"
                shutil.copy(f"{folder}/{given}.crt", mine / "client.crt")
                shutil.copy(f"{folder}/{given}.key", mine / "client.key")
                trusted = "stranger" if refused == "server" else "ca"
                shutil.copy(f"{folder}/{trusted}.crt", mine / "ca.crt")
                environment = {"SETTEE_REFUSED": "1"} if refused else {}
                if refused == "name":
                    environment["SETTEE_SERVER_NAME"] = "other.acme.com"
                code = subprocess.run(
                    [*client, str(served.port), str(mine)], env={**os.environ, **environment}, timeout=120
                ).returncode
                print(f"trust of {refused} is missing: the client ended with {code}")
                failures += code != 0
    return 1 if failures else 0


def run_s_client(server):
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        certificates.make_all(folder)
        with Served(server, "--tls", folder) as served:
            # What is offered, what is chosen, and whether there is a connection at all.
            for offer, chosen in (
                ("h2", "h2"),
                ("http/1.1", "http/1.1"),
                ("http/1.1,h2", "h2"),
                ("gopher,http/1.1", "http/1.1"),
                ("gopher", None),
            ):
                done = subprocess.run(
                    ["openssl", "s_client", "-connect", f"127.0.0.1:{served.port}", "-alpn", offer]
                    + ["-CAfile", f"{folder}/ca.crt", "-verify_return_error", "-verify_hostname", "localhost"]
                    + ["-cert", f"{folder}/client.crt", "-key", f"{folder}/client.key"],
                    stdin=subprocess.DEVNULL, capture_output=True, timeout=60, text=True,
                )
                if chosen:
                    fine = done.returncode == 0 and f"ALPN protocol: {chosen}\n" in done.stdout
                    fine = fine and "Verify return code: 0 (ok)" in done.stdout
                else:
                    fine = done.returncode != 0 and "no application protocol" in done.stderr
                print(f"{'ok' if fine else 'not ok'}: {offer}: {chosen}")
                if not fine:
                    print(done.stdout, done.stderr)
                failures += not fine
    return 1 if failures else 0


if __name__ == "__main__":
    if sys.argv[1] == "--tls":
        sys.exit(run_tls_client(sys.argv[2], sys.argv[3:]))
    if sys.argv[1] == "--s-client":
        sys.exit(run_s_client(sys.argv[2]))
    if sys.argv[2] == "--proto":
        sys.exit(check_proto(sys.argv[1], sys.argv[3]))
    sys.exit(run_client(sys.argv[1], sys.argv[2:]))
