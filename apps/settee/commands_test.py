#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""The program `settee` as a person runs it: against the echo server, against servers that
misbehave, and on frames captured from Java and Node.

    commands_test.py SETTEE ECHO_SERVER [unittest arguments]
"""

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

TESTDATA = pathlib.Path(__file__).resolve().parent / "testdata"
SERVICE = "com.settee.bench.Echo:1.0"
SETTEE = ECHO_SERVER = None


def settee(*arguments, stdin=None, seconds=60):
    source = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    result = subprocess.run([SETTEE, *map(str, arguments)], capture_output=True, timeout=seconds,
                            **source)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def captured():
    frames = {}
    for line in (TESTDATA / "frames.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, digits = line.split("|")
            frames[name] = bytes.fromhex(digits)
    return frames


FRAMES = captured()


@contextlib.contextmanager
def server_of(answer):
    """A port on which the first connection's request is given to answer(request) -> bytes, or None
    for silence. The requests are in the list that comes with it."""
    requests = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        done = threading.Event()

        def serve():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(20)
                    data = b""
                    while len(data) < 22 or len(data) < 22 + sum(
                            struct.unpack(">HHI", data[14:22])):
                        piece = connection.recv(65536)
                        if not piece:
                            return
                        data += piece
                    requests.append(data)
                    reply = answer(data)
                    if reply is None:
                        done.wait(20)
                    else:
                        connection.sendall(reply)
                        connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], requests
        finally:
            done.set()
            # shutdown() wakes an accept() that nobody has connected to.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)


def text(value):
    value = value.encode()
    assert len(value) < 32
    return bytes([len(value)]) + value


def definition(name, *fields):
    size = len(name)
    length = bytes([0x90 + size]) if size < 48 else bytes([0xc8, size])
    return b"O" + length + name.encode() + bytes([0x90 + len(fields)]) + b"".join(map(text, fields))


def response(request, value, error=False):
    """A SofaResponse whose appResponse is `value`; its definitions are numbered from 1 on."""
    name = "com.alipay.sofa.rpc.core.response.SofaResponse"
    properties = b"M" + text("sofa_head_response_error") + text("true") + b"z" if error else b"N"
    content = (definition(name, "isError", "errorMsg", "appResponse", "responseProps")
               + b"o\x90FN" + value + properties)
    return (bytes.fromhex("0100000201") + request[5:9] + b"\x01\0\0"
            + struct.pack(">HHI", len(name), 0, len(content)) + name.encode() + content)


class WithEchoServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = subprocess.Popen([ECHO_SERVER, "--port", "0", "--threads", "1"], text=True,
                                      stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        ready, _, _ = select.select([cls.server.stdout], [], [], 30)
        line = cls.server.stdout.readline() if ready else ""
        match = re.fullmatch(r"READY port=(\d+)\n", line)
        if not match:
            cls.stop()
            raise AssertionError(f"the echo server said {line!r} in place of its port")
        cls.port = int(match[1])
        cls.url = f"bolt://127.0.0.1:{cls.port}/{SERVICE}"

    @classmethod
    def tearDownClass(cls):
        status = cls.stop()
        assert status == 0, f"the echo server ended with {status}"

    @classmethod
    def stop(cls):
        cls.server.send_signal(signal.SIGTERM)
        cls.server.stdout.close()
        return cls.server.wait(30)

    def assert_one_line(self, err):
        self.assertRegex(err, r"\A[^\n]+\n\Z")


class CallTest(WithEchoServer):
    def call(self, *arguments, **more):
        return settee("call", self.url, *arguments, **more)

    def test_prints_the_result_as_json(self):
        self.assertEqual(self.call("echo", '["hi \\"there\\""]'), (0, '"hi \\"there\\""\n', ""))
        self.assertEqual(self.call("echo", '"not in an array"'), (0, '"not in an array"\n', ""))
        self.assertEqual(self.call("echo", '["größer 漢字 😀"]'), (0, '"größer 漢字 😀"\n', ""))

    def test_arguments_from_standard_input(self):
        long = "x" * 300_000
        self.assertEqual(self.call("echo", "-", stdin=json.dumps([long]).encode()),
                         (0, f'"{long}"\n', ""))

    def test_java_types(self):
        for name in ("[B", "byte[]"):
            self.assertEqual(self.call("echoBytes", '["AQID"]', "--java-types", name),
                             (0, '"AQID"\n', ""))

    def test_objects(self):
        user = {"id": 7, "name": "Ann", "emails": ["a@b", "c@d"], "attributes": {"k": "v"},
                "created": "2024-05-01T12:00:00.000Z", "balance": 1.5, "active": True,
                "tags": ["x"], "score": 0.5, "age": 30}
        date = {"$class": "java.util.Date", "$": user["created"]}
        arguments = json.dumps([{**user, "created": date}])
        code, out, err = self.call("echoUser", arguments, "--java-types", "com.settee.bench.User")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(json.loads(out), user)
        self.assertEqual(out.count("\n"), 1)
        code, out, _ = self.call("echoUser", arguments, "--java-types=com.settee.bench.User",
                                 "--pretty", "--types")
        self.assertEqual(code, 0)
        self.assertGreater(out.count("\n"), 10)
        typed = json.loads(out)
        self.assertEqual(typed["$class"], "com.settee.bench.User")
        self.assertEqual(typed["id"], {"$class": "long", "$": 7})
        # What --types prints is an argument again.
        code, again, err = self.call("echoUser", json.dumps([typed]), "--types", "--compact")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(json.loads(again), typed)

    def test_business_exception(self):
        code, out, err = self.call("fail", '["first\\nsecond\\u001b[2J"]')
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err, "settee call: com.settee.bench.EchoException: "
                              "first\\nsecond\\x1b[2J\n")

    def test_fields_and_causes_of_an_exception(self):
        def answer(request):
            cause = definition("com.acme.NoDisk", "detailMessage", "path") + b"o\x92" + \
                text("full") + text("/var")
            return response(request, definition("com.acme.SoldOut", "detailMessage", "sku", "left",
                                                "cause", "stackTrace")
                            + b"o\x91" + text("none left") + text("A-1") + b"\x90" + cause + b"N",
                            error=True)

        with server_of(answer) as (port, _):
            code, out, err = settee("call", f"bolt://127.0.0.1:{port}/com.acme.Shop", "sell", "[1]")
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err, "settee call: com.acme.SoldOut: none left\n"
                              '  fields: {"sku":"A-1","left":0}\n'
                              "  caused by com.acme.NoDisk: full\n"
                              '    fields: {"path":"/var"}\n')

    def test_what_is_sent(self):
        with server_of(lambda request: response(request, b"N")) as (port, requests):
            result = settee("call", f"bolt://127.0.0.1:{port}/com.acme.S:2.0:blue", "m",
                            '[1, 4000000000, 1.5, true, "s", null, [1], {"a": 1}, '
                            '{"$class": "com.acme.T", "x": 1}, {"$class": "int[]", "$": [1]}, '
                            '{"$class": "java.lang.String[]", "$": ["a"]}]',
                            "--baggage", "user=ann=1", "--baggage", "tenant=x", "--timeout", "4321")
        self.assertEqual(result, (0, "null\n", ""))
        code, out, err = settee("decode", "-", stdin=requests[0])
        self.assertEqual((code, err), (0, ""))
        self.assertIn('methodArgSigs = {"$class":"[string","$":["int","long","double","boolean",'
                      '"java.lang.String","java.lang.Object","java.util.List","java.util.Map",'
                      '"com.acme.T","[I","[Ljava.lang.String;"]}', out)
        self.assertIn('targetServiceUniqueName = "com.acme.S:2.0:blue"', out)
        self.assertIn('"rpc_req_baggage":{"tenant":"x","user":"ann=1"}', out)
        self.assertIn("rpc_req_baggage.user = ann=1", out)
        timeout = int(re.search(r"timeout +(\d+) ms", out)[1])
        self.assertTrue(3000 < timeout <= 4321, timeout)

    def test_verbose(self):
        code, out, err = self.call("echo", '["x"]', "-v")
        self.assertEqual((code, out), (0, '"x"\n'))
        self.assertRegex(err, r"\Asettee call: .*#echo answered in [0-9.]+ ms.*\n\Z")

    def test_unknown_service_and_method(self):
        code, out, err = settee("call", f"bolt://127.0.0.1:{self.port}/com.acme.Nope", "m", "[1]")
        self.assertEqual((code, out), (1, ""))
        self.assert_one_line(err)
        self.assertRegex(err, r"ServiceNotFound: com\.acme\.Nope:1\.0#m at 127\.0\.0\.1:\d+: .*url")
        code, out, err = self.call("nope", "[1]")
        self.assertEqual((code, out), (1, ""))
        self.assert_one_line(err)
        self.assertRegex(err, r"MethodNotFound: .*Echo:1\.0#nope at .*--java-types")

    def test_no_connection(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # not listening, and nobody else can
            port = unused.getsockname()[1]
            code, out, err = settee("call", f"bolt://127.0.0.1:{port}/com.acme.S", "m", "[]")
        self.assertEqual((code, out), (3, ""))
        self.assert_one_line(err)
        self.assertRegex(err, r"com\.acme\.S:1\.0#m: connect to [0-9.:]+: Connection refused")

    def test_no_answer(self):
        with server_of(lambda request: None) as (port, _):
            code, out, err = settee("call", f"bolt://127.0.0.1:{port}/com.acme.S", "m", "[]",
                                    "--timeout", 200)
        self.assertEqual((code, out), (3, ""))
        self.assert_one_line(err)
        self.assertRegex(err, r"Timeout: com\.acme\.S:1\.0#m at 127\.0\.0\.1:\d+: .*--timeout")

    def test_bad_answer(self):
        with server_of(lambda request: b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _):
            code, out, err = settee("call", f"bolt://127.0.0.1:{port}/com.acme.S", "m", "[]")
        self.assertNotEqual(code, 0)
        self.assertEqual(out, "")
        self.assert_one_line(err)
        self.assertIn("0x48", err)  # 'H' is what was not understood

    def test_usage(self):
        for arguments, said in (
                ((), "URL is required"),
                (("bolt://127.0.0.1:1/a.B",), "METHOD is required"),
                (("bolt://127.0.0.1:1", "m"), "no interface"),
                (("ftp://127.0.0.1:1/a.B", "m"), "'ftp' is not spoken"),
                (("bolt://127.0.0.1:1/a.B", "m", '["open'), "arguments"),
                (("bolt://127.0.0.1:1/a.B", "m", "[1]", "--java-types", "int,int"), "2 arguments"),
                (("bolt://127.0.0.1:1/a.B", "m", "[1]", "--java-types", ""), "no types"),
                (("bolt://127.0.0.1:1/a.B", "m", "[]", "--baggage", "novalue"), "KEY=VALUE"),
                (("bolt://127.0.0.1:1/a.B", "m", "[]", "--header", "a: b"), "over HTTP and gRPC"),
                (("http://127.0.0.1:1/a.B", "m", "[]", "--header", "novalue"), "NAME: VALUE"),
                (("http://127.0.0.1:1/a.B", "m", "[]", "--header", "a: b\r\nc: d"), "control character"),
                (("bolt://127.0.0.1:1/a.B", "m", "[]", "--timeout", "soon"), "--timeout"),
                (("bolt://127.0.0.1:1/a.B", "m", "[]", "--timeout", "0"), "--timeout"),
                (("bolt://127.0.0.1:1/a.B", "m", "[]", "--pretty", "--compact"), "--pretty"),
                (("bolt://127.0.0.1:1/a.B", "m", "[]", "--bogus"), "--bogus")):
            with self.subTest(arguments=arguments):
                code, out, err = settee("call", *arguments)
                self.assertEqual((code, out), (2, ""), err)
                self.assert_one_line(err)
                self.assertIn(said, err)


class GrpcCallTest(WithEchoServer):
    """Against a foreign server: interop/tests/grpc_call_test.py."""

    def setUp(self):
        if "grpc://" not in settee("call", "--help")[1].split("Examples:")[1]:
            self.skipTest("this program is built without protobuf")

    def call(self, *arguments, **more):
        url = f"grpc://127.0.0.1:{self.port}/com.settee.bench.Echo"
        return settee("call", url, *arguments, **more)

    def test_the_messages_are_json(self):
        self.assertEqual(self.call("echo", '{"text": "größer"}'), (0, '{"value":"größer"}\n', ""))
        self.assertEqual(self.call("echo", "-", stdin=b'{"text": "in"}'), (0, '{"value":"in"}\n', ""))
        user = {"id": "9007199254740993", "name": "Ada", "attributes": {"k": "v"}, "score": 0.5}
        code, out, err = self.call("echoUser", json.dumps(user), "--pretty")
        self.assertEqual((code, json.loads(out), err), (0, user, ""))
        self.assertGreater(out.count("\n"), 4)

    def test_the_method_may_be_in_the_url(self):
        for version in ("", ":1.0"):
            url = f"grpc://127.0.0.1:{self.port}/com.settee.bench.Echo{version}/echo"
            self.assertEqual(settee("call", url, '{"text": "a"}'), (0, '{"value":"a"}\n', ""))

    def test_verbose(self):
        code, out, err = self.call("echo", '{"text": "a"}', "-v")
        self.assertEqual((code, out), (0, '{"value":"a"}\n'))
        self.assertRegex(err, r"\Asettee call: .*#echo answered in [0-9.]+ ms.*\n\Z")

    def test_a_status_comes_with_its_details(self):
        code, out, err = self.call("fail", '{"message": "first"}')
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"\Asettee call: UNKNOWN \(2\): first\n"
                              r'  detail google\.rpc\.ErrorInfo: .*EchoException.*\n\Z')

    def test_what_is_wrong_is_said(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # not listening, and nobody else can
            nobody = f"grpc://127.0.0.1:{unused.getsockname()[1]}/com.acme.S"
            echo = f"grpc://127.0.0.1:{self.port}/com.settee.bench.Echo"
            for arguments, status, said in (
                    ((f"{echo}/nope",), 2, "has no method nope; it has echo, "),
                    ((echo, "echo", '{"txt": 1}'), 2, "fields text: txt: Cannot find field"),
                    ((echo, "echo", '["a"]'), 2, "EchoEchoRequest, an object of the fields text"),
                    ((echo, "echo", '{"text":'), 2, "Unexpected end of string"),
                    ((f"{echo}/echo", "a", "b"), 2, "the url names the method already"),
                    ((echo, "echo", "{}", "--java-types", "int"), 2, "--java-types"),
                    ((echo,), 2, "METHOD is required"),
                    ((f"grpc://127.0.0.1:{self.port}", "m"), 2, "its path must be the service"),
                    ((f"grpc://127.0.0.1:{self.port}/com.acme.Nope/m",), 1,
                     "no service com.acme.Nope; it has com.settee.bench.Echo"),
                    ((f"{nobody}/m",), 3, "Connection refused")):
                with self.subTest(arguments=arguments):
                    code, out, err = settee("call", *arguments)
                    self.assertEqual((code, out), (status, ""), err)
                    self.assert_one_line(err)
                    self.assertIn(said, err)

    def test_no_answer(self):
        with server_of(lambda request: None) as (port, _):
            code, out, err = settee("call", f"grpc://127.0.0.1:{port}/a.B/m", "--timeout", 200)
        self.assertEqual((code, out), (3, ""))
        self.assert_one_line(err)
        self.assertRegex(err, r"Timeout: .*ServerReflectionInfo.*--timeout")

    def test_no_grpc_server(self):
        with server_of(lambda request: b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _):
            code, out, err = settee("call", f"grpc://127.0.0.1:{port}/a.B/m")
        self.assertNotEqual(code, 0)
        self.assertEqual(out, "")
        self.assert_one_line(err)


class TlsTest(unittest.TestCase):
    """An echo server that speaks TLS only, and wants to know who calls."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.make("ca", "-x509", "-addext", "basicConstraints=critical,CA:TRUE")
        for name in ("server", "till"):
            cls.make(name, "-x509", "-CA", cls.file("ca.crt"), "-CAkey", cls.file("ca.key"),
                     "-addext", "subjectAltName=DNS:localhost", "-addext",
                     "basicConstraints=critical,CA:FALSE")
        cls.server = subprocess.Popen(
            [ECHO_SERVER, "--port", "0", "--tls", cls.file("server.crt"), cls.file("server.key"),
             "--client-ca", cls.file("ca.crt")], text=True,
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.stop)
        ready, _, _ = select.select([cls.server.stdout], [], [], 30)
        line = cls.server.stdout.readline() if ready else ""
        cls.url = f"bolt://localhost:{line.split('=')[-1].strip()}/{SERVICE}"
        cls.me = ["--tls-cert", cls.file("till.crt"), "--tls-key", cls.file("till.key")]

    @classmethod
    def file(cls, name):
        return os.path.join(cls.folder.name, name)

    @classmethod
    def make(cls, name, *more):
        subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-noenc", "-subj", f"/CN={name}",
                        "-days", "2", "-keyout", cls.file(f"{name}.key"), "-out",
                        cls.file(f"{name}.crt"), *more], check=True, capture_output=True)

    @classmethod
    def stop(cls):
        cls.server.send_signal(signal.SIGTERM)
        cls.server.stdout.close()
        return cls.server.wait(30)

    def test_who_is_known_and_trusts_is_served(self):
        flags = ["--tls-ca", self.file("ca.crt"), *self.me]
        self.assertEqual(settee("call", self.url, "echo", '["hello"]', *flags),
                         (0, '"hello"\n', ""))
        code, out, err = settee("bench", self.url, "echo", "--duration", 0.2, "--warmup", 0,
                                "--json", *flags)
        self.assertEqual((code, json.loads(out)["errors"]), (0, 0), err)
        self.assertEqual(settee("why", self.url, *flags)[0], 0)
        if "grpc://" in settee("call", "--help")[1].split("Examples:")[1]:
            url = self.url.replace("bolt", "grpcs").replace(SERVICE, SERVICE + "/echo")
            self.assertEqual(settee("call", url, '{"text": "hello"}', *flags),
                             (0, '{"value":"hello"}\n', ""))

    def test_what_is_missing_is_said(self):
        for flags, text in [
                ([], "speaks TLS, and was sent plain text"),
                (["--tls", *self.me], "'CN=ca' is not among those that the system trusts"),
                (["--tls-ca", self.file("ca.crt")], "wants a certificate of ours"),
                (["--tls-ca", self.file("ca.crt"), "--tls-name", "shop", *self.me],
                 "is for localhost, not for 'shop'")]:
            code, out, err = settee("call", self.url, "echo", '["hello"]', *flags)
            self.assertEqual((code, out), (3, ""))
            self.assertIn(text, err)
        code, _, err = settee("call", self.url, "echo", "[]", "--tls-ca", "/no/such.pem")
        self.assertEqual(code, 2)
        self.assertIn("'/no/such.pem': No such file", err)
        code, out, _ = settee("call", self.url, "echo", '["hello"]', "--tls-insecure", *self.me)
        self.assertEqual((code, out), (0, '"hello"\n'))


class BenchTest(WithEchoServer):
    KEYS = {"calls", "errors", "seconds", "rate", "p50_us", "p90_us", "p99_us", "p999_us", "max_us",
            "client_cpu_us_per_call"}

    def bench(self, method, *flags):
        return settee("bench", self.url, method, *flags)

    def report(self, method, *flags):
        code, out, err = self.bench(method, "--json", "--duration", "0.4", "--warmup", "0.1",
                                    *flags)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out.count("\n"), 1)
        report = json.loads(out)
        self.assertEqual(report["errors"], 0)
        self.assertGreater(report["calls"], 0)
        self.assertGreaterEqual(report["seconds"], 0.4)
        self.assertAlmostEqual(report["rate"], report["calls"] / report["seconds"], delta=1)
        latencies = [report[key] for key in ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")]
        self.assertEqual(latencies, sorted(latencies))
        self.assertGreater(report["p50_us"], 0)
        self.assertGreater(report["client_cpu_us_per_call"], 0)
        return report

    def test_closed_loop(self):
        self.assertEqual(self.report("echo").keys(), self.KEYS)
        self.report("echo", "--outstanding", "32", "--connections", "3", "--payload", "1000",
                    "--protocol", "bolt")
        self.report("echo", "--payload", "0")
        self.report("echo", "--payload", "100", "--payload", "16")  # the last one counts

    def test_latency_is_that_of_the_method(self):
        report = self.report("slowEcho", "--outstanding", "2")  # sleeps 5 ms
        self.assertGreater(report["p50_us"], 5000)
        self.assertLess(report["rate"], 2 * 1000 / 5)

    def test_server_cpu(self):
        report = self.report("echo", "--server-pid", self.server.pid)
        self.assertEqual(report.keys(), self.KEYS | {"server_cpu_us_per_call"})
        self.assertGreater(report["server_cpu_us_per_call"], 0)

    def test_open_loop(self):
        report = self.report("echo", "--rate", "500", "--connections", "2")
        self.assertAlmostEqual(report["calls"], 500 * report["seconds"], delta=5)

    def test_open_loop_counts_from_the_schedule(self):
        # 20 threads of 5 ms each answer 4,000 calls a second at most: the schedule runs ahead, and
        # each latency has to contain the wait.
        code, out, err = self.bench("slowEcho", "--rate", "6000", "--duration", "0.5", "--warmup",
                                    "0", "--timeout", "20000", "--json")
        report = json.loads(out)
        # What the pool's queue has no room for is refused, and said.
        self.assertEqual(code, 1 if report["errors"] else 0, err)
        self.assertGreater(report["p99_us"], 50_000)

    def test_for_people(self):
        code, out, err = self.bench("echo", "--duration", "0.2", "--warmup", "0", "--server-pid",
                                    self.server.pid)
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"(?s)calls +\d+ in .*0 errors\nlatency +p50 .* p99\.9 .* max .* us\n"
                              r"CPU/call +client [\d.]+ us, server [\d.]+ us\n\Z")

    def test_a_first_call_that_fails_ends_it(self):
        for method, status, said in (("fail", 1, "xxxxxxxxxxxxxxxx"),
                                     ("nope", 1, "MethodNotFound"),
                                     ("echoBytes", 1, "String METHOD(String)")):
            with self.subTest(method=method):
                code, out, err = self.bench(method)
                self.assertEqual((code, out), (status, ""))
                self.assert_one_line(err)
                self.assertIn(said, err)

    def test_errors_are_counted_and_shown(self):
        server = subprocess.Popen([ECHO_SERVER, "--port", "0"], text=True, stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL)
        bench = None
        try:
            port = int(server.stdout.readline().split("=")[1])
            bench = subprocess.Popen([SETTEE, "bench", f"bolt://127.0.0.1:{port}/{SERVICE}", "echo",
                                      "--duration", "1.5", "--warmup", "0", "--json"], text=True,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            with contextlib.suppress(subprocess.TimeoutExpired):
                bench.wait(0.7)
            server.kill()
            out, err = bench.communicate(timeout=60)
        finally:
            for process in (server, bench):
                if process is not None and process.poll() is None:
                    process.kill()
            server.wait()
            server.stdout.close()
        self.assertEqual(bench.returncode, 1, err)
        report = json.loads(out)
        self.assertGreater(report["errors"], 0)
        self.assertGreater(report["calls"], 0)
        self.assertTrue(1 <= err.count("\n") <= 5, err)
        self.assertIn("times: ", err)

    def test_a_server_that_is_not_there(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            code, out, err = settee("bench", f"bolt://127.0.0.1:{unused.getsockname()[1]}/a.B", "m")
        self.assertEqual((code, out), (3, ""))
        self.assert_one_line(err)

    def test_usage(self):
        for flags, said in ((("--connections", "0"), "--connections"),
                            (("--outstanding", "x"), "--outstanding"),
                            (("--duration", "-1"), "--duration"),
                            (("--rate", "0"), "--rate"),
                            (("--protocol", "dubbo"), "dubbo"),
                            (("--server-pid", str(1 << 22)), "no such process"),
                            (("--payload", "-5"), "--payload")):
            with self.subTest(flags=flags):
                code, out, err = self.bench("echo", *flags)
                self.assertEqual((code, out), (2, ""), err)
                self.assert_one_line(err)
                self.assertIn(said, err)


def pcap(segments):
    """A capture with raw IP packets of (from port, to port, sequence, SYN?, payload)."""
    out = struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
    for source, target, sequence, syn, payload in segments:
        flags = 2 if syn else 0x10
        tcp = struct.pack(">HHIIBBHHH", source, target, sequence, 0, 0x50, flags, 65535, 0, 0)
        tcp += payload
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + \
            socket.inet_aton("127.0.0.1") * 2 + tcp
        out += struct.pack("<IIII", 0, 0, len(ip), len(ip)) + ip
    return out


class DecodeTest(unittest.TestCase):
    def decode(self, data, *flags):
        return settee("decode", *flags, stdin=data)

    def test_every_captured_frame(self):
        for name, frame in FRAMES.items():
            with self.subTest(name=name):
                code, out, err = self.decode(frame)
                if name.endswith(", cut"):
                    self.assertEqual(code, 1)
                    self.assertIn("the bytes end", err)
                    self.assertIn("cut off", out)
                    self.assertIn("its beginning", out)
                else:
                    self.assertEqual((code, err), (0, ""))
                    self.assertNotIn("error at", out)
                    self.assertIn(f", {len(frame)} bytes\n", out)

    def shown(self, name):
        code, out, err = self.decode(FRAMES[name])
        self.assertEqual((code, err), (0, ""))
        return out

    def test_a_request(self):
        out = self.shown("java request sayHello")
        for line in ("frame 1 at 0x0: Bolt v1 request, id 1, 499 bytes",
                     "  000005  requestId   1",
                     "  000009  codec       1 hessian2",
                     "  00000a  timeout     3000 ms",
                     "  000012  contentLen  239",
                     "  000016  class       com.alipay.sofa.rpc.core.request.SofaRequest",
                     "    sofa_head_method_name = sayHello",
                     '      targetServiceUniqueName = "com.example.HelloService:1.0"',
                     '      requestProps = {"app":"jclient","protocol":"bolt","type":"sync"}',
                     '  0001ed  argument 1  java.lang.String  "world"'):
            self.assertIn(line + "\n", out)

    def test_arguments_of_all_kinds(self):
        out = self.shown("java request kinds")
        for line in ('argument 1  [B  {"$class":"[B","$":"AQID"}',
                     'argument 2  java.util.Date  {"$class":"java.util.Date",'
                     '"$":"2017-07-14T02:40:00.000Z"}',
                     'argument 4  java.util.Map  {"k":1}',
                     'argument 5  java.math.BigDecimal  {"$class":"java.math.BigDecimal",'
                     '"$":12.34}',
                     'argument 7  [Ljava.lang.String;  {"$class":"[string","$":["p","q"]}'):
            self.assertIn(line + "\n", out)
        out = self.shown("java request cyclic user")
        self.assertIn('"friend":{"$class":"com.example.User","name":"bob"', out)
        self.assertIn('"friend":{"$ref":"$"}', out)

    def test_answers(self):
        self.assertIn('appResponse = "hello world"\n', self.shown("java response sayHello"))
        out = self.shown("java response unknown service")
        self.assertIn("    sofa_head_response_error = true\n", out)
        self.assertIn("isError = true\n", out)
        self.assertIn("respStatus  0x0004 server thread pool busy\n", self.shown("java busy"))

    def test_other_frames(self):
        self.assertIn("Bolt v1 heartbeat request, id 22, 22 bytes", self.shown("java heartbeat"))
        self.assertIn("Bolt v1 oneway request, id 15,", self.shown("java oneway"))
        self.assertIn("timeout     -1 none\n", self.shown("java oneway"))
        out = self.shown("java response v2.2 crc")
        self.assertIn("Bolt v2.2 response", out)
        self.assertIn("crc         0xa17d7fea good\n", out)

    def test_other_codecs(self):
        self.assertIn("0a 05 70 65 74 65 72 10 03 ", self.shown("node protobuf request"))
        self.assertIn("error text\n    pbfail\n", self.shown("node protobuf error"))
        self.assertIn('JSON\n    "hello jsonworld"\n', self.shown("java json response"))

    def test_ways_to_give_the_bytes(self):
        frame = FRAMES["java response sayHello"]
        _, expected, _ = self.decode(frame)
        digits = frame.hex()
        lines = [(at, frame[at:at + 16]) for at in range(0, len(frame), 16)]
        dump = "".join(f"{at:08x}: {line.hex(' ', -2):<39}"  # as xxd has it
                       f"  {''.join(chr(c) if 32 <= c < 127 else '.' for c in line)}\n"
                       for at, line in lines)
        for given in (digits, "0x" + digits, digits.upper(), dump, f"# a note\n{digits}\n",
                      " ".join(digits[i:i + 2] for i in range(0, len(digits), 2))):
            with self.subTest(given=given[:40]):
                self.assertEqual(self.decode(given.encode()), (0, expected, ""))
        self.assertEqual(settee("decode", "--hex", digits), (0, expected, ""))
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("frame.bin", frame), ("frame.hex", dump.encode())):
                path = pathlib.Path(folder, name)
                path.write_bytes(content)
                self.assertEqual(settee("decode", path), (0, expected, ""))

    def test_several_frames(self):
        whole = [frame for name, frame in FRAMES.items() if not name.endswith(", cut")]
        code, out, err = self.decode(b"".join(whole))
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(len(re.findall(r"^frame \d+ at ", out, re.M)), len(whole))
        last = sum(map(len, whole[:-1]))
        self.assertIn(f"frame {len(whole)} at 0x{last:x}: ", out)

    def test_bad_frames_name_offset_and_rule(self):
        good = FRAMES["java request sayHello"]
        crc = FRAMES["java response v2.2 crc"]
        bad = (
            (b"GET / HTTP/1.1\r\n\x00" + bytes(30), "at 0x0: first byte 0x47"),
            (good[:18] + b"\xff\xff\xff\xff" + good[22:], "at 0x12: content length -1 is negative"),
            (good[:14] + b"\x80\x00" + good[16:], "at 0xe: class name length -32768 is negative"),
            (good[:1] + b"\x07" + good[2:], "at 0x1: frame type 7"),
            (good[:3] + b"\x09" + good[4:], "at 0x2: command code 9"),
            (crc[:-1] + b"\x00", "at 0xb1: CRC "),
            (good[:-1], "the bytes end 1 before the frame does"),
            (good[:10], "the bytes end 12 before the frame does"),
            (good[:0x42] + b"\x7f" + good[0x43:], "at 0x42: the header block is broken"),
            (good[:0x104] + b"\xff" + good[0x105:], "at 0x104: the content does not begin with"),
            (good[:-6] + b"\x45" + good[-5:], "argument 1 (java.lang.String): "),
        )
        for data, said in bad:
            with self.subTest(said=said):
                code, out, err = self.decode(data)
                self.assertEqual(code, 1)
                self.assertIn(said, out)
                self.assertIn(said, err)
                self.assertRegex(err, r"\Asettee decode: [^\n]+\n\Z")

    def test_goes_on_behind_a_bad_frame(self):
        good = FRAMES["java heartbeat"]
        code, out, err = self.decode(good + b"\x01\x07garbage" + good)
        self.assertEqual(code, 1)
        self.assertIn("frame 2 at 0x16: bad", out)
        self.assertIn("error at 0x17: frame type 7", out)
        self.assertIn("frame 3 at 0x1f: Bolt v1 heartbeat request", out)

    def test_long_values_are_shortened_unless_asked_for(self):
        request = FRAMES["java request sayHello"]
        # "S" and 16 bits: the length of a long text.
        answer = response(request, b"S" + struct.pack(">H", 5000) + b"y" * 5000)
        code, out, err = self.decode(answer)
        self.assertEqual((code, err), (0, ""))
        self.assertNotIn("y" * 2001, out)
        self.assertIn("more bytes; --full shows all", out)
        self.assertIn("y" * 5000, self.decode(answer, "--full")[1])

    def test_nothing_reaches_the_terminal_that_it_would_obey(self):
        pair = b"\0\0\0\x04\x1b[2J\0\0\0\x02\x9b\n"
        frame = bytes.fromhex("0100000201000000010100000000")
        frame += struct.pack(">HI", len(pair), 0) + pair
        code, out, err = self.decode(frame)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("    \\x1b[2J = \\x9b\\n\n", out)

    def test_capture(self):
        request, answer = FRAMES["java request sayHello"], FRAMES["java response sayHello"]
        segments = [(50000, 12200, 99, True, b""), (12200, 50000, 499, True, b""),
                    (50000, 12200, 200, False, request[100:]),  # out of order
                    (50000, 12200, 100, False, request[:100]),
                    (12200, 50000, 500, False, answer + FRAMES["java heartbeat ack"]),
                    (50001, 80, 9, True, b""), (50001, 80, 10, False, b"GET / HTTP/1.1\r\n")]
        code, out, err = self.decode(pcap(segments))
        self.assertEqual((code, err), (0, ""))
        self.assertIn("7 packets, 3 TCP streams with data\n", out)
        self.assertIn("stream 127.0.0.1:50000 -> 127.0.0.1:12200: 499 bytes in 2 segments\n", out)
        self.assertIn("frame 1 at 0x0: Bolt v1 request, id 1, 499 bytes\n", out)
        self.assertIn('appResponse = "hello world"\n', out)
        self.assertIn("frame 3 at 0xaf: Bolt v1 heartbeat response", out)
        self.assertIn("not Bolt: its first byte is 0x47\n", out)
        code, out, err = self.decode(pcap(segments), "--port", "80")
        self.assertEqual(code, 1)
        self.assertEqual(err, "settee decode: there is no Bolt frame in it\n")

    def test_capture_of_a_connections_middle(self):
        heartbeat, answer = FRAMES["java heartbeat ack"], FRAMES["java response sayHello"]
        code, out, err = self.decode(pcap([(12200, 50000, 500, False, answer[60:] + heartbeat),
                                           (12200, 50000, 1000, False, answer[30:] + answer)]))
        self.assertEqual((code, err), (0, ""))
        self.assertIn("its beginning is not in the capture", out)
        self.assertIn("115 bytes from 0x0 on are skipped", out)
        self.assertIn("are not in the capture\n", out)
        self.assertEqual(len(re.findall(r"^frame \d+ at ", out, re.M)), 2)

    def test_unusable_input(self):
        for data, flags, said in ((b"", (), "no bytes"),
                                  (b"01 0", (), "line 1: '0' has an odd number of digits"),
                                  (b"01\nxyz", (), "line 2: 'xyz' is not in hex digits"),
                                  (b"\x0a\x0d\x0d\x0a" + bytes(30), (), "editcap"),
                                  (b"0100", ("--port", "80"), "--port")):
            with self.subTest(data=data):
                code, out, err = self.decode(data, *flags)
                self.assertEqual((code, out), (2, ""))
                self.assertRegex(err, r"\Asettee decode: [^\n]+\n\Z")
                self.assertIn(said, err)
        code, _, err = settee("decode", "/does/not/exist")
        self.assertEqual(code, 2)
        self.assertEqual(err, "settee decode: /does/not/exist: No such file or directory\n")
        code, _, err = settee("decode", "--hex", "01", "x")
        self.assertEqual(code, 2)

    def test_cut_and_damaged_frames_are_survived(self):
        for name in ("java request cyclic user", "node request sayHello v2.2 crc"):
            frame = FRAMES[name]
            for size in range(1, len(frame), 37):
                self.assertEqual(self.decode(frame[:size])[0], 1, size)
            for at in range(0, len(frame), 29):
                damaged = bytearray(frame)
                damaged[at] ^= 0x41
                self.assertIn(self.decode(bytes(damaged))[0], (0, 1), at)


class WhyTest(WithEchoServer):
    def test_an_address_that_is_called(self):
        code, out, err = settee("why", self.url)
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, rf"(?m)^  127.0.0.1:{self.port} +is called, weight 100$")

    def test_every_address_that_is_not_called_has_its_reason(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            gone = closed.getsockname()[1]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "services")
            path.write_text(
                f"{SERVICE}@DEFAULT\tbolt://127.0.0.1:{self.port}\tbolt://127.0.0.1:{gone}\n"
                f"{SERVICE}:blue@DEFAULT\tbolt://127.0.0.1:1?uniqueId=blue\n")
            code, out, err = settee("why", f"file://{path}#{SERVICE}", "--timeout", "500")
            self.assertEqual((code, err), (0, ""))
            self.assertIn("1 address(es) can be called", out)
            self.assertRegex(out, rf"(?m)^  127.0.0.1:{gone} +not called: .*Connection refused")
            self.assertRegex(out, r"(?m)^  127.0.0.1:1 +not called: uniqueId: it has uniqueId 'blue'")
            code, out, err = settee("why", f"file://{path}#{SERVICE}:red", "--timeout", "500")
            self.assertEqual(code, 3)
            self.assertIn("lists 3 provider(s)", out)
            self.assertRegex(out, r"(?m)^  127.0.0.1:1 +uniqueId +it has uniqueId 'blue', not 'red'$")
            self.assert_one_line(err)

    def test_a_server_without_the_service(self):
        code, out, err = settee("why", f"bolt://127.0.0.1:{self.port}/com.acme.Nothing")
        self.assertEqual(code, 3)
        self.assertIn("it answers, but does not provide the service", out)

    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            gone = closed.getsockname()[1]
        code, out, err = settee("why", f"bolt://127.0.0.1:{gone}/{SERVICE}", "--timeout", "300")
        self.assertEqual(code, 3)
        self.assertRegex(out, rf"(?m)^  127.0.0.1:{gone} +connect +.*Connection refused")


class ServicesTest(unittest.TestCase):
    def test_what_a_registry_lists(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "services")
            path.write_text("com.acme.A:1.0@DEFAULT\tbolt://127.0.0.1:1?weight=50&appName=shop\n"
                            "com.acme.A:1.0:blue@DEFAULT\tbolt://127.0.0.1:2\n"
                            "com.acme.B:2.0@DEFAULT\tbolt://127.0.0.1:3\n")
            code, out, err = settee("services", f"file://{path}")
            self.assertEqual((code, err), (0, ""))
            self.assertEqual([line.split() for line in out.splitlines()], [
                ["com.acme.A:1.0"], ["bolt://127.0.0.1:1", "weight", "50", "of", "shop"],
                ["com.acme.A:1.0:blue"], ["bolt://127.0.0.1:2", "weight", "100"],
                ["com.acme.B:2.0"], ["bolt://127.0.0.1:3", "weight", "100"]])
            path.write_text("")
            self.assertIn("lists no interface", settee("services", f"file://{path}")[1])

    def test_a_registry_that_is_not_there(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            gone = closed.getsockname()[1]
        code, out, err = settee("services", f"zookeeper://127.0.0.1:{gone}", "--timeout", "500")
        self.assertEqual((code, out), (3, ""))
        self.assertRegex(err, rf"\A[^\n]*127.0.0.1:{gone}[^\n]*Connection refused[^\n]*\n\Z")


class ProgramTest(unittest.TestCase):
    def test_version(self):
        code, out, err = settee("--version")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"\Asettee \d+\.\d+\.\d+\n\Z")

    def test_help(self):
        for arguments in (("--help",), ("help",)):
            code, out, err = settee(*arguments)
            self.assertEqual((code, err), (0, ""))
            for command in ("call", "bench", "decode", "why", "services", "help"):
                self.assertRegex(out, rf"(?m)^  {command} ")
        for command in ("call", "bench", "decode", "why", "services"):
            for arguments in (("help", command), (command, "--help")):
                code, out, err = settee(*arguments)
                self.assertEqual((code, err), (0, ""))
                self.assertIn(f"Usage: settee {command} [OPTIONS]", out)
                self.assertIn("Exit status: 0 ", out)

    def test_usage(self):
        for arguments, said in (((), "give a command"), (("bogus",), "no command 'bogus'"),
                                (("help", "bogus"), "no command 'bogus'")):
            code, out, err = settee(*arguments)
            self.assertEqual((code, out), (2, ""))
            self.assertRegex(err, r"\Asettee: [^\n]+\n\Z")
            self.assertIn(said, err)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    SETTEE, ECHO_SERVER = (os.path.abspath(path) for path in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
