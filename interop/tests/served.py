# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""A server of ours that tests with programs of others start and end."""

import subprocess


class Served:
    """A program, until the with-block ends; then it must end by itself, in order.

    It prints its port when it is ready, alone or behind "READY port=".
    """

    def __init__(self, *command, **options):
        self.command = command
        self.options = options

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **self.options
        )
        self.port = int(self.process.stdout.readline().removeprefix("READY port="))
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
        if code != 0:
            raise RuntimeError(f"the server ended with {code}")
