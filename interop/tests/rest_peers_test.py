#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Plain HTTP and SOFARPC's convention, on the port of a server, with programs that others wrote.

    rest_peers_test.py SERVER JAVA_DIR [unittest arguments]

SERVER is the program interop_server, JAVA_DIR where interop/java/build.sh has put its work. A class whose peer is not
installed ends with exit code 77.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from served import Served

SERVER = ""
JAVA = ""
RUN_JAVA = pathlib.Path(__file__).resolve().parent.parent / "java" / "run.sh"
SERVICE = "/com.settee.interop.TypeService/"


def serve():
    """interop_server."""
    return Served(SERVER)


def run(*command, **options):
    """What a command printed; fails if the command does."""
    done = subprocess.run(command, capture_output=True, timeout=200, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Curl(unittest.TestCase):
    needs = ("curl",)
    versions = (["--http1.1"], ["--http2"], ["--http2-prior-knowledge"])

    def curl(self, *arguments):
        """Status, content type and body."""
        out = run("curl", "-sS", "-m", "60", "-w", "\n%{http_code} %{content_type}", *arguments)
        body, _, last = out.rpartition("\n")
        status, _, content_type = last.partition(" ")
        return int(status), content_type, body

    def test_calls_with_an_object_an_array_a_value_and_a_query(self):
        with serve() as server:
            url = server.url + SERVICE
            for version in self.versions:
                with self.subTest(version=version):
                    for data in ('{"value":"hé"}', '["hé"]', '"hé"'):
                        self.assertEqual(
                            self.curl(*version, "-d", data, url + "echoString"),
                            (200, "application/json", '"hé"'),
                        )
                    for query in ("?value=-5", "?anything=-5"):
                        self.assertEqual(self.curl(*version, url + "echoInt" + query)[::2], (200, "-5"))
                    self.assertEqual(self.curl(*version, "-X", "POST", url + "noop")[0], 204)
            user = {"id": "7", "name": "n", "age": 3, "color": "RED", "friend": {"name": "f"}}
            echoed = json.loads(self.curl("-d", json.dumps(user), url + "echoUser")[2])
            self.assertEqual(echoed["friend"]["name"], "f")
            for key in ("id", "name", "age", "color"):
                self.assertEqual(echoed[key], user[key])
            # The name as SOFARPC has it, with its version, and percent-encoded.
            for name in ("com.settee.interop.TypeService:1.0", "com.settee.interop.TypeService%3A1.0"):
                self.assertEqual(self.curl(f"{server.url}/{name}/echoInt?value=1")[2], "1")

    def test_errors_are_problems(self):
        with serve() as server:
            url = server.url + SERVICE
            cases = (
                (("-d", '{"code":7,"message":"gone"}', url + "fail"), 422, 303, "gone"),
                (("-d", "{", url + "echoInt"), 400, 304, "json"),
                (("-d", '{"value":"x"}', url + "echoInt"), 400, 304, "$.value"),
                (("-d", '{"value":99999999999}', url + "echoInt"), 400, 304, "whole number"),
                (("-d", "{}", url + "echoInt"), 400, 304, "argument value"),
                ((url + "echoInt?value=x",), 400, 304, "parameter value"),
                ((url + "nothing",), 404, 302, "no method 'nothing'"),
                ((server.url + "/com.settee.None/x",), 404, 301, "no service 'com.settee.None'"),
            )
            for arguments, status, code, words in cases:
                with self.subTest(arguments=arguments):
                    got, content_type, body = self.curl(*arguments)
                    problem = json.loads(body)
                    self.assertEqual((got, content_type), (status, "application/problem+json"))
                    self.assertEqual((problem["status"], problem["code"]), (status, code))
                    self.assertIn(words, problem["detail"])
            failed = json.loads(self.curl("-d", '[7,"gone"]', url + "fail")[2])
            self.assertEqual(failed["exception"]["class"], "com.settee.interop.BizException")
            self.assertEqual(failed["exception"]["value"]["code"], 7)

    def test_head_baggage_and_other_verbs(self):
        with serve() as server:
            url = server.url + SERVICE
            for version in self.versions:
                with self.subTest(version=version):
                    self.assertEqual(self.curl(*version, "-I", url + "echoInt")[0], 200)
                    self.assertEqual(self.curl(*version, "-I", url + "nothing")[0], 404)
                    self.assertEqual(self.curl(*version, server.url + "/favicon.ico")[0], 200)
                    self.assertEqual(self.curl(*version, "-X", "PUT", url + "echoInt")[0], 405)
                    bag = ("-H", "rpc_req_baggage.tenant: acme")
                    body = self.curl(*version, *bag, "-d", '"tenant"', url + "baggage")[2]
                    self.assertEqual(body, '"acme"')

    def test_bad_requests_are_answered(self):
        with serve() as server:
            url = server.url + SERVICE
            deep = "[" * 5000 + "]" * 5000
            for data in (deep, "1e999999999", '"' + "x" * 100_000, '{"value":1,', "\\u0000"):
                self.assertIn(self.curl("-d", data, url + "echoInt")[0], (400, 413))
            for path in ("/..%2f..%2fetc/passwd", "/../../etc/passwd", "/%zz/x", "/" + "n" * 7000 + "/x"):
                self.assertEqual(self.curl("--path-as-is", server.url + path)[0], 404)
            self.assertEqual(self.curl(url + "echoInt?value=1")[2], "1")


class OpenApi(unittest.TestCase):
    needs = ("curl",)

    def test_the_document_is_valid_and_what_it_says_can_be_called(self):
        with serve() as server:
            document = json.loads(run("curl", "-sS", "-m", "60", server.url + "/openapi.json"))
            try:
                import openapi_spec_validator
            except ImportError:
                pass  # what follows is then all
            else:
                openapi_spec_validator.validate(document)
            self.assertEqual(document["openapi"], "3.1.0")
            ids = []
            for path, verbs in document["paths"].items():
                self.assertTrue(path.startswith("/"))
                for operation in verbs.values():
                    ids.append(operation["operationId"])
                    self.assertTrue({"200", "204"} & operation["responses"].keys())
            self.assertEqual(len(ids), len(set(ids)))
            self.resolve(document, document)
            int_body = document["paths"][SERVICE + "echoInt"]["post"]["requestBody"]
            schema = int_body["content"]["application/json"]["schema"]
            self.assertEqual(schema["required"], ["value"])
            self.assertEqual(schema["properties"]["value"]["type"], "integer")
            user = document["components"]["schemas"]["com.settee.interop.User"]
            self.assertIn("friend", user["properties"])

    def resolve(self, document, node):
        """Every reference leads somewhere."""
        if isinstance(node, dict):
            if "$ref" in node:
                found = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    found = found[part]
            for value in node.values():
                self.resolve(document, value)
        elif isinstance(node, list):
            for value in node:
                self.resolve(document, value)


class Nghttp(unittest.TestCase):
    needs = ("nghttp",)

    def test_an_upgraded_connection_carries_calls(self):
        with serve() as server:
            out = run("nghttp", "--upgrade", server.url + SERVICE + "echoString?value=upgraded")
            self.assertIn('"upgraded"', out)


class JavaH2c(unittest.TestCase):
    """Java SOFARPC's h2c client with its own cases, in Hessian and JSON."""

    needs = ("java",)

    def java(self, server, *options):
        command = [str(RUN_JAVA), JAVA, "PeerClient", "--port", str(server.port), "--protocol", "h2c"]
        return run(*command, *options)

    def test_all_cases_that_its_client_can_do(self):
        with serve() as server:
            out = self.java(server)
            self.assertIn("\nok user\n", out)
            self.assertIn("\nok json\n", out)
            self.assertIn("\nok baggage\n", out)
            self.assertGreaterEqual(out.count("\nok "), 50, out)

    def test_errors_are_what_its_own_server_would_say(self):
        with serve() as server:
            self.assertIn("ok http_errors", self.java(server, "--cases", "http_errors"))


def main():
    global SERVER, JAVA
    SERVER, JAVA = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    names = [name.split(".")[0] for name in sys.argv[3:]]
    for name in names:
        missing = [tool for tool in globals()[name].needs if shutil.which(tool) is None]
        if missing:
            print(f"{name}: there is no {', '.join(missing)} here")
            sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])


if __name__ == "__main__":
    main()
