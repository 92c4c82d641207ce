#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""gRPC clients that others wrote, against a server of ours.

    grpc_peers_test.py SERVER CLIENT...     e.g. grpc_peers_test.py grpc_server node grpc_client.js
    grpc_peers_test.py SERVER --proto FILE

SERVER is the program grpc_server, or interop_server. CLIENT gets the port as its last argument, and must end with 0. With --proto it is
only asked whether FILE is, behind its licence, what the server derives.
"""

import subprocess
import sys


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


if __name__ == "__main__":
    if sys.argv[2] == "--proto":
        sys.exit(check_proto(sys.argv[1], sys.argv[3]))
    sys.exit(run_client(sys.argv[1], sys.argv[2:]))
