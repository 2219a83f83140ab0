# SPDX-License-Identifier: Apache-2.0
"""A control plane alone, without nodes, and clients of its API that look closely at each reply.

What the native API answers is checked against its own document: the status is there, and the body fits its schema.
"""
import hashlib
import http.client
import json
import os
import re
import signal
import sqlite3
import ssl
import subprocess

import jsonschema

from . import proc


BY_ITSELF = ("last_used", "seen", "message", "updated", "revision")


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body) if self.body else None

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"


class Document:
    """The OpenAPI document, and what it says of replies."""

    def __init__(self, document):
        self.document = document
        self.paths = [(re.compile(re.sub(r"\\{[a-z]+\\}", "[^/]+", re.escape(path)) + "$"), item)
                      for path, item in sorted(document["paths"].items(), key=lambda p: p[0].count("{"))]

    def _follow(self, value):
        while "$ref" in value:
            _, _, group, name = value["$ref"].split("/")
            value = self.document["components"][group][name]
        return value

    def check(self, method, path, reply):
        for pattern, item in self.paths:
            if pattern.match(path.partition("?")[0]) and method.lower() in item:
                self._check_operation(item[method.lower()], reply)
                return

    def _check_operation(self, operation, reply):
        responses = operation["responses"]
        said = self._follow(responses.get(str(reply.status)) or responses["default"])
        for name, header in said.get("headers", {}).items():
            assert name in reply.headers or not header.get("required"), f"{operation['operationId']}: no {name}"
        if "content" not in said:
            assert not reply.body, reply
            return
        kind = reply.headers["Content-Type"]
        assert kind in said["content"], f"{operation['operationId']}: {reply.status} with {kind}"
        schema = {"components": self.document["components"], **said["content"][kind]["schema"]}
        jsonschema.validate(reply.json, schema, jsonschema.Draft202012Validator,
                            format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


class ControlPlane:
    """`keystead serve` in a directory of its own. A key is a text, or the name of one of the first two."""

    def __init__(self, cli, work, *options, plain=True):
        self.cli, self.dir, self.log = cli, os.path.join(work, "serve"), os.path.join(work, "serve.log")
        self.options, self.is_plain = options, plain
        cli.run("serve", "setup", "--dir", self.dir, "--organisation", "acme")
        self.keys = {"platform": self._key_file("platform.key"), "admin": self._key_file("admin.key"), None: None}
        self.document = None
        self.start()
        self.organisation = self.get("/v1/caller", "admin").json["organisation"]

    def _key_file(self, name):
        path = os.path.join(self.dir, name)
        assert os.stat(path).st_mode & 0o777 == 0o600
        with open(path) as f:
            return f.readline().strip()

    def start(self):
        listen = ["--listen", "127.0.0.1:0", "--listen-nodes", "127.0.0.1:0"] if "--listen" not in self.options else []
        endpoint = os.path.join(self.dir, "nodes-endpoint")
        if os.path.exists(endpoint):  # of one that was killed
            os.unlink(endpoint)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                [self.cli.binary, "serve", "--dir", self.dir, *(["--plain"] if self.is_plain else []), *listen, *self.options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        proc.wait_until(lambda: os.path.exists(endpoint) or self.process.poll() is not None, "the control plane serves", 30)
        assert self.process.poll() is None, proc.tail(self.log)
        self.port = self._port("endpoint")
        self.node_port = self._port("nodes-endpoint")
        if self.document is None:
            self.document = Document(json.loads(self.get("/v1/openapi.json").body))

    def _port(self, name):
        with open(os.path.join(self.dir, name)) as f:
            return int(f.read().strip().rpartition(":")[2])

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert code == (0 if number == signal.SIGTERM else -number), proc.tail(self.log)

    # -- asking

    def connect(self, timeout=70):
        if self.is_plain:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=os.path.join(self.dir, "authority.pem"))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def ask(self, method, path, key=None, body=None, headers=None):
        """One request on a connection of its own; its reply, checked against the document."""
        head = dict(headers or {})
        key = self.keys.get(key, key)
        if key:
            head["Authorization"] = f"Bearer {key}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            head.setdefault("Content-Type", "application/json")
        connection = self.connect()
        try:
            connection.request(method, path, body, head)
            answer = connection.getresponse()
            reply = Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()
        if self.document:
            self.document.check(method, path, reply)
        return reply

    def get(self, path, key=None, **more):
        return self.ask("GET", path, key, **more)

    def made(self, method, path, key, body=None, **more):
        reply = self.ask(method, path, key, body, **more)
        assert reply.status < 300, reply
        return reply.json

    def new_key(self, by, name, role, **scope):
        return self.made("POST", "/v1/api-keys", by, {"name": name, "role": role, **scope})

    # -- what it knows

    def fingerprint(self):
        """Of each table of the store, but for what the control plane writes by itself: when somebody was heard last, how far work
        has come. Each change that somebody asked for is in the audit."""
        store = sqlite3.connect(f"file:{self.dir}/control.db?mode=ro", uri=True)
        try:
            tables = [name for name, in store.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")
                      if not name.startswith("operation")]
            found = {}
            for table in tables:
                whole = hashlib.sha256()
                columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})") if row[1] not in BY_ITSELF]
                for row in store.execute(f"SELECT {','.join(columns)} FROM {table} ORDER BY {','.join(columns)}"):
                    whole.update(repr(row).encode())
                found[table] = whole.hexdigest()
            return found
        finally:
            store.close()


class Joined:
    """A node that has joined and does nothing: a certificate."""

    def __init__(self, plane, work, region, name="n0"):
        self.plane = plane
        self.key, self.cert = os.path.join(work, f"{name}.key"), os.path.join(work, f"{name}.pem")
        token = plane.made("POST", "/v1/join-tokens", "platform", {"region": region})["token"]
        request = subprocess.run(
            ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x",
             "-keyout", self.key], check=True, capture_output=True, text=True).stdout
        reply = plane.ask("POST", "/node/v1/join", None, {"token": token.rpartition("_")[0], "request": request, "name": name,
                                                         "address": "127.0.0.1"})
        assert reply.status == 200, reply
        self.id, self.nodes_url = reply.json["node"], reply.json["nodes_url"]
        with open(self.cert, "w") as f:
            f.write(reply.json["certificate"])

    def context(self, with_certificate=True):
        context = ssl.create_default_context(cafile=os.path.join(self.plane.dir, "authority.pem"))
        if with_certificate:
            context.load_cert_chain(self.cert, self.key)
        return context

    def ask(self, method, path, body=None, with_certificate=True):
        connection = http.client.HTTPSConnection("127.0.0.1", self.plane.node_port, timeout=70,
                                                 context=self.context(with_certificate))
        try:
            head = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, None if body is None else json.dumps(body), head)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()
