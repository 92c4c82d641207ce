# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made by openssl when they run."""

import pathlib
import subprocess

CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[more]
basicConstraints = critical,CA:{is_ca}
subjectAltName = {names}
"""


def make(folder, name, names="DNS:localhost,IP:127.0.0.1", ca=None):
    """NAME.crt and NAME.key in `folder`, signed by the CA of this name there, or by themselves."""
    folder = pathlib.Path(folder)
    config = folder / f"{name}.conf"
    is_ca = "FALSE" if ca else "TRUE"
    config.write_text(CONFIG.format(name=name, names=names, is_ca=is_ca))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-config", config, "-extensions", "more"]
    command += ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"]
    if ca:
        command += ["-CA", folder / f"{ca}.crt", "-CAkey", folder / f"{ca}.key"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def make_all(folder):
    """A CA, and `server` and `client` that it knows; `stranger`, whom it does not."""
    make(folder, "ca")
    make(folder, "server", ca="ca")
    make(folder, "client", ca="ca")
    make(folder, "stranger")
