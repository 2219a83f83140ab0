# SPDX-License-Identifier: Apache-2.0
"""A control plane by script: what docs/NODES.md says, and nothing else, so that a node is tested against the document.

It wants what the test tells it to want and remembers every report. Certificates are made by the openssl command."""
import base64
import copy
import datetime
import http.server
import json
import os
import secrets
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse
import uuid

from . import proc

REGION = "us-west-2"
LEASE = {"lease_ms": 2000, "probe_ms": 200, "grace_ms": 60000}
SERIALS = ("rewrap", "store", "data", "reencrypt", "restore")


def openssl(*args, **kwargs):
    return subprocess.run(["openssl", *args], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs).stdout


class Authority:
    def __init__(self, directory):
        os.makedirs(directory)
        self.dir = directory
        self.cert, self.key = self.path("authority.pem"), self.path("authority.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", "/CN=fleet", "-keyout", self.key, "-out", self.cert,
                "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0", "-addext", "keyUsage=critical,keyCertSign")

    def path(self, name):
        return os.path.join(self.dir, name)

    def fingerprint(self):
        der = openssl("x509", "-in", self.cert, "-outform", "DER")
        return openssl("dgst", "-sha256", "-r", input=der).split()[0].decode()

    def sign(self, request, name, usage, alternates=None, is_ageing=False, days=(-20, 5)):
        """The certificate for a request, PEM; one that is ageing has run for most of its time: from and to these days."""
        extensions = self.path(f"{uuid.uuid4()}.ext")
        with open(extensions, "w") as f:
            f.write(f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n")
            if alternates:
                f.write(f"subjectAltName={alternates}\n")
        if is_ageing:
            return self.sign_ageing(request, extensions, days)
        return openssl("x509", "-req", "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", "30",
                       "-extfile", extensions, input=request.encode()).decode()

    def sign_ageing(self, request, extensions, days):
        """Only "openssl ca" can say when a certificate began."""
        for name, text in (("index", ""), ("serial", "01\n"), ("request", request),
                           ("ca.cnf", f"[ca]\ndefault_ca=a\n[a]\ndatabase={self.path('index')}\nserial={self.path('serial')}\n"
                                      f"new_certs_dir={self.dir}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")):
            with open(self.path(name), "w") as f:
                f.write(text)
        begin, end = (now() + datetime.timedelta(days=n) for n in days)
        return openssl("ca", "-batch", "-config", self.path("ca.cnf"), "-cert", self.cert, "-keyfile", self.key, "-notext",
                       "-in", self.path("request"), "-extfile", extensions, "-startdate", begin.strftime("%Y%m%d%H%M%SZ"),
                       "-enddate", end.strftime("%Y%m%d%H%M%SZ")).decode()

    def has_signed(self, certificate, signature, data):
        """Whether the signature over data is by the key of a certificate of ours, whenever that was good."""
        for name, content in (("proof.pem", certificate.encode()), ("proof.sig", base64.b64decode(signature))):
            with open(self.path(name), "wb") as f:
                f.write(content)
        openssl("verify", "-no_check_time", "-CAfile", self.cert, self.path("proof.pem"))
        with open(self.path("proof.pub"), "wb") as f:
            f.write(openssl("x509", "-in", self.path("proof.pem"), "-noout", "-pubkey"))
        return b"OK" in openssl("dgst", "-sha256", "-verify", self.path("proof.pub"), "-signature", self.path("proof.sig"), input=data)

    def server(self):
        key, cert = self.path("server.key"), self.path("server.pem")
        request = openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                          "-subj", "/CN=control", "-keyout", key).decode()
        with open(cert, "w") as f:
            f.write(self.sign(request, "control", "serverAuth", "IP:127.0.0.1,DNS:localhost"))
        return cert, key


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body=None):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self):
        plane, url = self.server.plane, urllib.parse.urlsplit(self.path)
        if url.path == "/node/v1/authority":
            return self.reply(200, {"authority": plane.authority_text})
        if url.path == "/node/v1/desired" and self.server.is_for_nodes:
            query = dict(urllib.parse.parse_qsl(url.query))
            answer = plane.desired(int(query["since"]), int(query["wait"]))
            return self.reply(200, answer) if answer else self.reply(204)
        return self.reply(404, {"detail": "no such thing"})

    def do_POST(self):
        plane, body = self.server.plane, self.body()
        if self.path == "/node/v1/join" and not self.server.is_for_nodes:
            return self.reply(*plane.join(body))
        if self.path == "/node/v1/report" and self.server.is_for_nodes:
            return self.reply(*plane.report(body))
        if self.path == "/node/v1/renew" and self.server.is_for_nodes:
            return self.reply(*plane.renew(body))
        return self.reply(404, {"detail": "no such thing"})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, plane, port, is_for_nodes):
        self.plane, self.is_for_nodes, self.open = plane, is_for_nodes, set()
        super().__init__(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*plane.server_pair)
        if is_for_nodes:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(plane.authority.cert)
        self.context = context
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def finish_request(self, request, client_address):
        """The handshake belongs into the thread of the connection."""
        with self.context.wrap_socket(request, server_side=True) as tls:
            self.open.add(tls)
            try:
                super().finish_request(tls, client_address)
            finally:
                self.open.discard(tls)

    def handle_error(self, request, client_address):
        pass  # a node that is killed leaves broken connections

    def end(self):
        self.shutdown()
        self.server_close()
        for tls in list(self.open):
            try:
                tls.shutdown(2)
            except OSError:
                pass


class ControlPlane:
    def __init__(self, directory):
        self.authority = Authority(directory)
        with open(self.authority.cert) as f:
            self.authority_text = f.read()
        self.server_pair = self.authority.server()
        self.lock = threading.Condition()
        self.tokens, self.node_id = {}, None
        self.wishes, self.checks, self.goal = {}, {}, 0
        self.reported, self.reports, self.receipts, self.results = {}, [], [], {}
        self.ageing_certificates, self.renewals = False, 0
        self.is_refusing_reports, self.is_refusing_receipts = False, False
        self.organisation, self.cluster = str(uuid.uuid4()), str(uuid.uuid4())
        self.ports = [0, 0]
        self.servers = []
        self.start()

    # The process.

    def start(self):
        self.servers = [Server(self, port, i == 1) for i, port in enumerate(self.ports)]
        self.ports = [s.server_address[1] for s in self.servers]

    def stop(self):
        for server in self.servers:
            server.end()
        self.servers = []
        with self.lock:
            self.lock.notify_all()

    def url(self, which=0):
        return f"https://127.0.0.1:{self.ports[which]}"

    # What nodes ask.

    def token(self, fingerprint=None):
        ident, secret = str(uuid.uuid4()), secrets.token_hex(16)
        self.tokens[f"ksj_{ident}_{secret}"] = REGION
        return f"ksj_{ident}_{secret}_{fingerprint or self.authority.fingerprint()}"

    def join(self, body):
        if not self.tokens.pop(body["token"], None):
            return 403, {"detail": "the token is not valid"}
        if "certificate" not in body:
            self.node_id = str(uuid.uuid4())
        elif not self.authority.has_signed(body["certificate"], body["proof"], body["request"].encode()):
            return 403, {"detail": "this is no proof of being a node"}
        certificate = self.authority.sign(body["request"], self.node_id, "clientAuth", is_ageing=self.ageing_certificates)
        return 200, {"node": self.node_id, "region": REGION, "certificate": certificate, "authority": self.authority_text,
                     "nodes_url": self.url(1)}

    def renew(self, body):
        with self.lock:
            self.renewals += 1
            self.lock.notify_all()
        return 200, {"certificate": self.authority.sign(body["request"], self.node_id, "clientAuth"),
                     "authority": self.authority_text}

    def desired(self, since, wait):
        deadline = time.monotonic() + wait
        with self.lock:
            while self.servers:
                volumes = [w for w in self.wishes.values() if w["goal"] > since]
                checks = [c for i, c in self.checks.items() if i not in self.results]
                if volumes or checks or since == 0:
                    return copy.deepcopy({"revision": self.goal, "volumes": volumes, "checks": checks})
                if not self.lock.wait(max(0, deadline - time.monotonic())):
                    return None
        return None

    def report(self, body):
        with self.lock:
            if self.is_refusing_reports:
                return 503, {"detail": "not now"}
            self.reports.append(body)
            if body["full"]:
                self.reported = {}
            for volume in body["volumes"]:
                self.reported[volume["volume"]] = volume
            refused = [{"part": "receipts", "at": i, "message": "it is signed by nobody"} for i, _ in enumerate(body["receipts"])]
            if self.is_refusing_receipts and refused:
                self.lock.notify_all()
                return 200, {"accepted": True, "refused": refused}
            self.receipts += body["receipts"]
            for check in body["checks"]:
                self.results[check["check"]] = check["results"]
            self.lock.notify_all()
        return 200, {"accepted": True}

    # What tests want.

    def want(self, volume=None, **changes):
        """A new volume, or another wish for one; serials=... is merged."""
        with self.lock:
            self.goal += 1
            wish = self.wishes.get(volume) or {
                "volume": str(uuid.uuid4()), "state": "PRESENT", "organisation": self.organisation, "cluster": self.cluster,
                "cluster_name": "orders", "region": REGION, "ordinal": len(self.wishes), "engine": "none", "keys": [],
                "platform": True, "revoked": False, "serials": dict.fromkeys(SERIALS, 0), "lease": dict(LEASE),
                "rewrap_automatically": False}
            serials = {**wish["serials"], **changes.pop("serials", {})}
            wish = {**wish, **changes, "serials": serials, "goal": self.goal}
            self.wishes[wish["volume"]] = wish
            self.lock.notify_all()
            return wish["volume"]

    def restore(self, volume):
        count = self.wishes[volume]["serials"]["restore"] + 1
        return self.want(volume, revoked=False, serials={"restore": count})

    def check(self, keys):
        ident = str(uuid.uuid4())
        with self.lock:
            self.goal += 1
            self.checks[ident] = {"check": ident, "organisation": self.organisation, "cluster": self.cluster,
                                  "region": REGION, "keys": keys}
            self.lock.notify_all()
        return ident

    def wait(self, condition, what, timeout=60):
        deadline = time.monotonic() + timeout
        with self.lock:
            while not (value := condition()):
                if not self.lock.wait(max(0, deadline - time.monotonic())):
                    raise AssertionError(f"not within {timeout} s: {what}; last reports: "
                                         f"{json.dumps(list(self.reported.values()), indent=1)[:6000]}")
            return value

    def wait_reached(self, *volumes, timeout=90):
        self.wait(lambda: all(self.is_reached(v) for v in volumes), f"{volumes} are as wished", timeout)
        return [self.reported[v] for v in volumes]

    def is_reached(self, volume):
        return self.reported.get(volume, {}).get("goal", -1) >= self.wishes[volume]["goal"]

    def wait_access(self, access, *volumes, timeout=60):
        self.wait(lambda: all(self.reported.get(v, {}).get("access") == access for v in volumes),
                  f"{volumes} are {access}", timeout)
        return [self.reported[v] for v in volumes]

    def receipts_of(self, volume):
        texts = [json.loads(r["text"]) for r in self.receipts]
        return [t for t in texts if t["volume"] == volume]


class Node:
    """The agent, on a directory of its own."""

    def __init__(self, cli, plane, directory, *args):
        self.cli, self.plane, self.dir, self.args = cli, plane, directory, list(args)
        self.log = directory + ".log"
        self.process = None

    def join(self, token=None, check=True, *args):
        path = self.dir + ".token"
        with open(path, "w") as f:
            f.write((token or self.plane.token()) + "\n")
        return self.cli.run("node", "join", "--server", self.plane.url(), "--token-file", path, "--dir", self.dir,
                            "--address", "127.0.0.1", *args, check=check)

    def start(self, *args):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen([self.cli.binary, "node", "run", "--dir", self.dir, *self.args, *args],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=60):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout) == 0, proc.tail(self.log)

    def restart(self, *args):
        self.kill()
        return self.start(*args)

    def mountpoint(self, volume):
        return os.path.join(self.dir, "mounts", volume)

    def let_certificate_expire(self):
        """While it does not run: as if it had been away for too long."""
        path = os.path.join(self.dir, "node.pem")
        request = openssl("req", "-new", "-key", path, "-subj", "/CN=node").decode()
        expired = self.plane.authority.sign(request, self.plane.node_id, "clientAuth", is_ageing=True, days=(-30, -1))
        with open(path) as f:
            key = f.read().partition("-----BEGIN CERTIFICATE-----")[0]
        with open(path, "w") as f:
            f.write(key + expired)

    def status(self, volume):
        return self.cli.json("volume", "status", self.mountpoint(volume))

    def write(self, volume, name, text):
        with open(os.path.join(self.mountpoint(volume), name), "w") as f:
            f.write(text)

    def read(self, volume, name):
        with open(os.path.join(self.mountpoint(volume), name)) as f:
            return f.read()


def now():
    return datetime.datetime.now(datetime.timezone.utc)
