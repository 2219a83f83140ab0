# SPDX-License-Identifier: Apache-2.0
"""Redis of Debian with an append-only file that is synced at every write, or with RDB snapshots."""
import os
import socket

from harness import proc

from .base import Engine
from .writer import Writer


class Client:
    """As much of the Redis protocol as is needed here."""

    def __init__(self, port, timeout=60):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._in = self._socket.makefile("rb")

    def close(self):
        self._in.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def _encode(args):
        parts = [str(a).encode() for a in args]
        return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)

    def _reply(self):
        line = self._in.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self._in.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest.decode()

    def call(self, *args):
        self._socket.sendall(self._encode(args))
        return self._reply()

    def pipeline(self, commands):
        commands = list(commands)
        self._socket.sendall(b"".join(map(self._encode, commands)))
        return [self._reply() for _ in commands]


def value_of(n):
    return f"value-{n}-" + "x" * (n % 200)


class Redis(Engine):
    name = "redis"
    user = "redis"
    programs = ("/usr/bin/redis-server",)
    packages = "redis-server"
    persistence = "aof"  # or "rdb"
    appendfsync = "always"

    def __init__(self, root, aux):
        super().__init__(root, aux)
        self.port = proc.free_port()
        self.conf = os.path.join(aux, "redis.conf")

    def settle(self):
        super().settle()
        lines = ["bind 127.0.0.1", f"port {self.port}", "daemonize yes",
                 f"pidfile {self.pid_file}", f"dir {self.data}", f"logfile {self.log}",
                 "enable-debug-command local", "save \"\"", "protected-mode yes"]
        if self.persistence == "aof":
            lines += ["appendonly yes", f"appendfsync {self.appendfsync}"]
        with open(self.conf, "w") as f:
            f.write("\n".join(lines) + "\n")
        proc.chown_to(self.conf, self.user)

    def start_command(self):
        return [self.programs[0], self.conf]

    def client(self):
        return Client(self.port)

    def discard(self):
        self.kill()  # an orderly end waits for its next tick, a tenth of a second

    def is_ready(self):
        try:
            with Client(self.port) as c:
                return c.call("PING") == "PONG"
        except (OSError, RuntimeError, ValueError):
            return False  # not listening yet, or still loading

    def save(self):
        """A snapshot, durable on return."""
        with self.client() as c:
            assert c.call("SAVE") == "OK"

    def load(self, count):
        with self.client() as c:
            for start in range(1, count + 1, 1000):
                numbers = range(start, min(start + 1000, count + 1))
                c.pipeline(("SET", f"key:{n}", value_of(n)) for n in numbers)
            if self.persistence == "rdb":
                assert c.call("SAVE") == "OK"
        return count

    def writer(self):
        client = self.client()
        first = client.call("DBSIZE") + 1

        def write(n):
            assert client.call("SET", f"key:{n}", value_of(n)) == "OK"

        writer = Writer(write, first)
        writer.close = client.close
        return writer

    def verify(self, acknowledged):
        with self.client() as c:
            for start in range(1, acknowledged + 1, 1000):
                numbers = range(start, min(start + 1000, acknowledged + 1))
                values = c.pipeline(("GET", f"key:{n}") for n in numbers)
                wrong = [n for n, v in zip(numbers, values) if v != value_of(n)]
                assert not wrong, f"{len(wrong)} keys wrong or lost, first key:{wrong[0]}"

    def fingerprint(self):
        with self.client() as c:
            return f"{c.call('DBSIZE')} keys {c.call('DEBUG', 'DIGEST')}"


class RedisRdb(Redis):
    persistence = "rdb"
    survives_engine_kill = False  # only what the last snapshot has
    survives_volume_kill = False
