# SPDX-License-Identifier: Apache-2.0
"""Clients of the engines of a cluster, which are asked as their operator would: with the connections that the control plane tells."""
import os
import subprocess

from . import proc


class Client:
    """Of every engine that the cluster has now. A kind says how one is asked: `ask` gives what it says, None when it does not answer."""

    def __init__(self, fleet, cluster):
        self.fleet, self.cluster, self.places = fleet, cluster, None
        self.connections = self._connections()
        self.places = {(c["region"], c["ordinal"]) for c in self.connections}

    def _connections(self):
        def all_known():
            found = self.fleet.call("GET", f"/v1/clusters/{self.cluster}/connection")["items"]
            found = [c for c in found if self.places is None or (c["region"], c["ordinal"]) in self.places]
            return found if found and all(c["port"] for c in found) else None
        return proc.wait_until(all_known, "every engine has told where it is reached")

    @staticmethod
    def run(argv, **environment):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment})
        return done.stdout.strip() if done.returncode == 0 else None

    def write(self, text):
        for connection in self.connections:
            proc.wait_until(lambda c=connection: self.put(c, text), "the engine takes a value")

    def read(self):
        """The value that each engine gives, once they are up."""
        def all_answer():
            self.connections = self._connections()  # no password is told of one that is shut
            return all(map(self.answers, self.connections))
        proc.wait_until(all_answer, "the engines answer")
        return [self.get(connection) for connection in self.connections]

    def is_gone(self):
        """No engine answers any more."""
        return not any(self.answers(connection) for connection in self.connections)


class Redis(Client):
    engine, program = "redis", "redis-server"
    START = "Redis is starting"  # in its log

    def ask(self, connection, *args):
        return self.run(["redis-cli", "--no-auth-warning", "-h", connection["host"], "-p", str(connection["port"]), *args],
                        REDISCLI_AUTH=connection.get("password") or "")

    def answers(self, connection):
        return self.ask(connection, "ping") == "PONG"

    def put(self, connection, text):
        # the template syncs every second; a test counts on what was acknowledged
        return self.ask(connection, "config", "set", "appendfsync", "always") == "OK" and self.ask(connection, "set", "key", text) == "OK"

    def get(self, connection):
        return self.ask(connection, "get", "key")


class Postgresql(Client):
    engine, program = "postgresql", "psql"
    START = "starting PostgreSQL"

    def ask(self, connection, sql):
        return self.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, connection["uri"]], PGPASSWORD=connection.get("password") or "")

    def answers(self, connection):
        return self.ask(connection, "select 1") == "1"

    def put(self, connection, text):
        return self.ask(connection, f"create table if not exists t (value text); insert into t values ('{text}')") is not None

    def get(self, connection):
        return self.ask(connection, "select value from t")
