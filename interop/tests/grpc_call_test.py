#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""`settee call grpc://` against gRPC C++ with its own reflection, and without any.

    grpc_call_test.py SETTEE GRPC_REFLECTION_SERVER GRPC_CPP_SERVER [unittest arguments]
"""

import json
import subprocess
import sys
import tempfile
import unittest

import certificates
from served import Served

SETTEE = SERVER = SERVER_WITHOUT = None


def settee_call(*arguments):
    result = subprocess.run(
        [SETTEE, "call", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=120
    )
    return result.returncode, result.stdout.decode(), result.stderr.decode()


class CallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.served = cls.enterClassContext(Served(SERVER))

    def call(self, method, *arguments, service="com.settee.interop.Market"):
        return settee_call(f"grpc://127.0.0.1:{self.served.port}/{service}/{method}", *arguments)

    def test_an_order_goes_there_and_back(self):
        order = {
            "id": "ä", "cents": "9007199254740993", "side": "SIDE_SELL", "note": "",
            "lines": [{"sku": "A", "count": -1}], "counts": {"k": 7}, "raw": "AQI=", "price": 0.5,
            "history": ["1", "-2"], "parent": {"id": "p"},
        }
        code, out, err = self.call("place", json.dumps(order))
        self.assertEqual((code, json.loads(out), err), (0, order, ""))

    def test_no_arguments_are_an_empty_message(self):
        self.assertEqual(self.call("add"), (0, "{}\n", ""))

    def test_streams(self):
        lines = ['{"count":1,"sku":"a,]\\"}"}', '{"count":2,"sku":"b"}']
        self.assertEqual(
            self.call("watch", '{"sku": "a", "count": 2}'),
            (0, '{"count":1,"sku":"a"}\n{"count":2,"sku":"a"}\n', ""),
        )
        self.assertEqual(self.call("upload", f"[{', '.join(lines)}]"), (0, '{"value":"3"}\n', ""))
        self.assertEqual(self.call("upload", " [ ] "), (0, "{}\n", ""))
        code, out, err = self.call("chat", f"[{', '.join(lines)}]")
        self.assertEqual((code, out), (1, "\n".join(lines) + "\n"))
        self.assertEqual(err, "settee call: UNAVAILABLE (14): closing\n")

    def test_a_status_comes_with_its_details(self):
        self.assertEqual(
            self.call("sell", '{"sku": "x"}'),
            (
                1, "",
                "settee call: FAILED_PRECONDITION (9): none left: ä\n"
                '  detail com.settee.interop.Line: {"count":3,"sku":"x"}\n'
                '  detail com.acme.Hidden: 2: 3 5: "x"\n',
            ),
        )

    def test_baggage_and_deadline(self):
        self.assertEqual(
            self.call("header", "--baggage", "tenant=blue"), (0, '{"value":"blue"}\n', "")
        )
        self.assertEqual(
            self.call("header", "--header", "rpc_req_baggage.tenant: green"),
            (0, '{"value":"green"}\n', ""),
        )
        code, out, err = self.call("nap", "--timeout", "3600000")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(3_000_000 < int(json.loads(out)["value"]) <= 3_600_000, out)

    def test_what_is_wrong_is_said(self):
        for call, code, said in (
            (("nope",), 2, "has no method nope; it has place, add, sell, nap, header, watch, upload, chat"),
            (("place", '{"side": "UP"}'), 2, "side"),
            (("place", '{"lines": [{"count": "many"}]}'), 2, "lines[0].count"),
            (("place", '{"colour": 1}'), 2, "colour"),
            (("place", '{"id":'), 2, "com.settee.interop.Order"),
            (("upload", '{"count": 1}'), 2, "give a JSON array"),
            (("upload", '[{"count": 1},]'), 2, "com.settee.interop.Line"),
        ):
            with self.subTest(call=call):
                result = self.call(*call)
                self.assertEqual(result[:2], (code, ""))
                self.assertIn(said, result[2])
        code, out, err = self.call("m", service="com.acme.Nope")
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"no service com\.acme\.Nope; it has .*com\.settee\.interop\.Market")

    def test_a_server_with_tls_and_without_reflection(self):
        with tempfile.TemporaryDirectory() as folder:
            certificates.make_all(folder)
            with Served(SERVER_WITHOUT, folder) as served:
                code, out, err = settee_call(
                    f"grpcs://localhost:{served.port}/com.settee.interop.Market/add",
                    f"--tls-ca={folder}/ca.crt", f"--tls-cert={folder}/client.crt",
                    f"--tls-key={folder}/client.key",
                )
        self.assertEqual((code, out), (1, ""))
        self.assertIn("the server has no reflection", err)
        self.assertEqual(err.count("\n"), 1)


if __name__ == "__main__":
    SETTEE, SERVER, SERVER_WITHOUT = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
