# SPDX-License-Identifier: Apache-2.0
"""SQLite in WAL mode with synchronous=FULL: a process that writes and one that reads beside it.

SQLite has no server; the engine here is `sqlite_server.py`, a small process around the library that
takes one request per line on its standard input.
"""
import json
import os
import subprocess
import sys

from harness import proc

from .base import Engine
from .writer import Writer

SERVER = os.path.join(os.path.dirname(__file__), "sqlite_server.py")
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


class Sqlite(Engine):
    name = "sqlite"
    user = "nobody"
    programs = (PYTHON,)
    packages = "python3"
    synchronous = "FULL"
    autocheckpoint = 1000  # pages of the WAL after which it is written back

    def __init__(self, root, aux):
        super().__init__(root, aux)
        self._server = None
        self._reader = None

    @property
    def database(self):
        return os.path.join(self.data, "test.db")

    def _popen(self, role):
        script = os.path.join(self.aux, "sqlite_server.py")
        with open(SERVER) as f, open(script, "w") as out:  # readable to the unprivileged user
            out.write(f.read())
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                proc.as_user(self.user, [PYTHON, "-I", script, role, self.database,
                                         self.synchronous, str(self.autocheckpoint)]),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1,
                cwd="/")

    def _ask(self, server, **request):
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        line = server.stdout.readline()
        if not line:
            raise ConnectionError(f"the SQLite process ended\n{proc.tail(self.log)}")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["result"]

    def start(self, timeout=90):
        self._server = self._popen("write")
        assert self._ask(self._server, op="open") == "ok"
        self._reader = self._popen("read")
        assert self._ask(self._reader, op="open") == "ok"

    def is_ready(self):
        return self._server is not None and self._server.poll() is None

    def pid(self):
        return self._server.pid if self.is_ready() else 0

    def kill(self):
        for server in (self._server, self._reader):
            server.kill()
            server.wait(30)

    def kill_whatever_is_left(self):
        self.kill()

    def stop(self):
        for server in (self._reader, self._server):
            if server and server.poll() is None:
                server.stdin.close()
                server.wait(30)

    def load(self, count):
        return self._ask(self._server, op="load", count=count)

    def writer(self):
        first = self._ask(self._server, op="last") + 1

        def write(n):
            assert self._ask(self._server, op="insert", n=n) == n
            if n % 50 == 0:  # a reader that works beside the writer sees whole transactions
                assert self._ask(self._reader, op="last") >= n

        writer = Writer(write, first)
        writer.close = lambda: None
        return writer

    def verify(self, acknowledged):
        for server in (self._server, self._reader):
            assert self._ask(server, op="integrity") == "ok"
            result = self._ask(server, op="check", upto=acknowledged)
            assert result == [acknowledged, 0], f"[rows, wrong rows] are {result}"

    def fingerprint(self):
        return self._ask(self._server, op="fingerprint")
