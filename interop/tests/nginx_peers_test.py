#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Servers of ours behind nginx.

    nginx_peers_test.py ECHO_SERVER HTTP_SERVER GRPC_SERVER [GRPC_CLIENT...] -- CASE

Without nginx it ends with exit code 77.
"""

import collections
import contextlib
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from served import Served

ECHO_SERVER = HTTP_SERVER = GRPC_SERVER = ""
GRPC_CLIENT = []
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")

CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {folder}/client;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream settee {{
    {servers}
    keepalive 4;
  }}
  server {{
    listen 127.0.0.1:{port}{listen};
    {server}
  }}
}}
"""

OVER_HTTP = """
    location / {
      proxy_pass http://settee;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_next_upstream error timeout http_503;
    }
"""
OVER_GRPC = """
    location / {
      grpc_pass grpc://settee;
    }
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@contextlib.contextmanager
def nginx(ports, server, http2=False):
    """nginx's port, with servers of ours at `ports` behind it."""
    servers = "\n".join(f"server 127.0.0.1:{port} max_fails=0;" for port in ports)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = pathlib.Path(folder, "nginx.conf")
        listen = " http2" if http2 else ""
        config.write_text(
            CONFIG.format(folder=folder, servers=servers, server=server, port=port, listen=listen)
        )
        process = subprocess.Popen([NGINX, "-p", folder, "-c", str(config)], stdin=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 30
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port), timeout=10).close()
                    break
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"nginx does not listen on port {port}, see its words above")
                time.sleep(0.01)
            yield port
        finally:
            process.send_signal(signal.SIGQUIT)
            try:
                process.wait(30)
            finally:
                process.kill()
                process.wait()


class EchoServer:
    """echo_server, which a signal ends in order."""

    def __init__(self, port=0):
        command = [ECHO_SERVER, "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().removeprefix("READY port="))

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()


def ask(connection, method, path, body=None):
    """Status and body."""
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


class Http(unittest.TestCase):
    def test_calls_pass(self):
        with EchoServer() as server, nginx([server.port], OVER_HTTP) as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            path = "/com.settee.bench.Echo/echo"
            for text in ("x", "hé", "y" * 200_000):
                body = f'["{text}"]'.encode()
                self.assertEqual(ask(connection, "POST", path, body), (200, f'"{text}"'.encode()))
            self.assertEqual(ask(connection, "GET", path + "?text=z"), (200, b'"z"'))
            self.assertEqual(ask(connection, "GET", "/com.settee.bench.Echo/none")[0], 404)
            connection.close()

    def test_connections_are_kept(self):
        with Served(HTTP_SERVER) as server, nginx([server.port], OVER_HTTP) as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            seen = collections.Counter(ask(connection, "GET", "/peer") for _ in range(200))
            connection.close()
            self.assertEqual({status for status, _ in seen}, {200})
            self.assertEqual(len(seen), 1, "each request had a connection of its own")

    def test_streams_pass(self):
        with Served(HTTP_SERVER) as server, nginx([server.port], OVER_HTTP) as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            answer = ask(connection, "GET", "/parts?count=100&size=10000")
            self.assertEqual(answer, (200, b"p" * 1_000_000))
            connection.request("POST", "/stream", (b"q" * 1000 for _ in range(500)), encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked"})
            self.assertEqual(connection.getresponse().read(), b"q" * 500_000)
            connection.close()


class Restarts(unittest.TestCase):
    def test_no_call_is_lost(self):
        servers = [EchoServer(), EchoServer()]
        ports = [server.port for server in servers]
        over = threading.Event()
        answers = collections.Counter()
        lock = threading.Lock()

        def call(port):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            while not over.is_set():
                try:
                    answer = ask(connection, "GET", "/com.settee.bench.Echo/echo?text=x")
                except (OSError, http.client.HTTPException) as error:
                    answer = repr(error)
                    connection.close()
                with lock:
                    answers[answer] += 1
            connection.close()

        def more(count):
            """So many more calls have been answered."""
            until = time.monotonic() + 60
            with lock:
                wanted = answers.total() + count
            while True:
                with lock:
                    if answers.total() >= wanted:
                        return
                self.assertLess(time.monotonic(), until, "calls do not go on")
                time.sleep(0.005)

        try:
            with nginx(ports, OVER_HTTP) as port:
                callers = [threading.Thread(target=call, args=(port,)) for _ in range(4)]
                for caller in callers:
                    caller.start()
                try:
                    for _ in range(3):
                        for i, at in enumerate(ports):
                            more(100)
                            self.assertEqual(servers[i].stop(), 0)
                            more(100)
                            servers[i] = EchoServer(at)
                    more(100)
                finally:
                    over.set()
                    for caller in callers:
                        caller.join()
        finally:
            for server in servers:
                server.__exit__()
        self.assertEqual(set(answers), {(200, b'"x"')}, answers)


class Grpc(unittest.TestCase):
    def test_all_cases_of_a_client_pass(self):
        with Served(GRPC_SERVER) as server, nginx([server.port], OVER_GRPC, http2=True) as port:
            self.assertEqual(subprocess.run([*GRPC_CLIENT, str(port)], timeout=120).returncode, 0)


if __name__ == "__main__":
    at = sys.argv.index("--")
    ECHO_SERVER, HTTP_SERVER, GRPC_SERVER, *GRPC_CLIENT = sys.argv[1:at]
    if NGINX is None:
        print("skipped: nginx is not installed (./setup --peers)")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[at + 1 :]])
