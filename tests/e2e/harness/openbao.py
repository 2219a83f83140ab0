# SPDX-License-Identifier: Apache-2.0
"""An OpenBao server with a transit engine, from what tools/peers.sh installed."""
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

from . import proc
from .keystead import ROOT

TOKEN = "root-of-the-test"


def program():
    tool = os.path.join(ROOT, "tools/peers.sh")
    peers = subprocess.check_output([tool, "--dir"], text=True).strip()
    return os.path.join(peers, "python/bin/bao")


def missing():
    return None if os.path.exists(program()) else "SKIP: OpenBao is not installed: run `make peers`"


class OpenBao:
    """Down is sealed: it answers, but not about keys."""

    def __init__(self, work):
        self.log, self.token_file = os.path.join(work, "openbao.log"), os.path.join(work, "token")
        with open(self.token_file, "w") as f:
            f.write(TOKEN + "\n")
        port = proc.free_port()
        self.url = f"http://127.0.0.1:{port}"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                [program(), "server", "-dev", f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={TOKEN}",
                 "-dev-no-store-token"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=work,
                env={**os.environ, "HOME": work})
        found = proc.wait_until(lambda: re.search(r"Unseal Key: (\S+)", proc.tail(self.log, 10**6)), "OpenBao is ready")
        self.unseal_key = found.group(1)
        self.ask("POST", "sys/mounts/transit", {"type": "transit"})

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/v1/{path}", data, {"X-Vault-Token": TOKEN}, method=method)
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.read()

    def is_up(self):
        try:
            return bool(self.ask("GET", "sys/mounts"))
        except urllib.error.HTTPError:
            return False

    def create(self, name):
        self.ask("POST", f"transit/keys/{name}", {})

    def down(self):
        self.ask("PUT", "sys/seal", {})

    def up(self):
        self.ask("PUT", "sys/unseal", {"key": self.unseal_key})
        proc.wait_until(self.is_up, "OpenBao is unsealed")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def spec(self, name):
        return ["--key", f"vault_transit:{self.url}/v1/transit/keys/{name}", "--key-file", self.token_file]
