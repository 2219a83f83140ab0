#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the embedded key service beside OpenBao's transit engine and local-kms.

    bench/kms.py [--seconds 5] [--rounds 3] [--connections 16]

Encrypt and Decrypt of a 32-byte key over HTTP with keep-alive. Each server runs on one processor (taskset), the load
generator (wrk) on another; rounds are interleaved, the figure is the median. Requests to Keystead carry AWS signatures, made
beforehand: the server checks every one of them, writes its audit line, evaluates the key policy. OpenBao checks a
token; local-kms checks nothing. A peer that is not installed is named and left out. Needs `make peers`.
"""
import argparse
import base64
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(subprocess.check_output([ROOT / "tools/peers.sh", "--dir"], text=True).strip())
KEYSTEAD = os.environ.get("KEYSTEAD_BIN", str(ROOT / "build/release/src/cli/keystead"))
REGION, REQUESTS = "eu-west-1", 200
PLAIN = base64.b64encode(bytes(32)).decode()
TOKEN = "root-of-the-benchmark"


def wait_for(url, process):
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{url} does not answer")


def post(url, body, headers):
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=20) as reply:
        text = reply.read()
    return json.loads(text) if text else {}


class Target:
    """A server on processor 0. requests(operation): [(path, headers, body)] that wrk sends in turn."""

    def __init__(self, top):
        self.top = top
        self.process = None

    def spawn(self, *argv, env=None):
        log = open(self.top / f"{self.name}.log", "wb")
        self.process = subprocess.Popen(["taskset", "-c", "0", *map(str, argv)], stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log, env={**os.environ, "HOME": str(self.top), **(env or {})})

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def resident_mib(self):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


class Aws(Target):
    """Whatever speaks the wire of AWS KMS."""

    def credentials(self):
        return "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

    def signed(self, operation, body):
        import botocore.auth
        import botocore.awsrequest
        import botocore.credentials
        data = json.dumps(body).encode()
        request = botocore.awsrequest.AWSRequest("POST", self.url + "/", data=data, headers={
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"})
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(*self.credentials()), "kms", REGION).add_auth(request)
        return dict(request.headers), data.decode()

    def call(self, operation, body):
        headers, data = self.signed(operation, body)
        return post(self.url + "/", json.loads(data), headers)

    def prepare(self):
        self.key = self.call("CreateKey", {})["KeyMetadata"]["KeyId"]

    def requests(self, operation):
        made = []
        for n in range(REQUESTS):
            context = {"EncryptionContext": {"n": str(n)}}
            body = {"KeyId": self.key, "Plaintext": PLAIN, **context}
            if operation == "Decrypt":
                blob = self.call("Encrypt", body)["CiphertextBlob"]
                body = {"KeyId": self.key, "CiphertextBlob": blob, **context}
            made.append(("/", *self.signed(operation, body)))
        return made


class Keystead(Aws):
    name = "keystead"

    def start(self):
        state, key_file = self.top / "state", self.top / "root.key"
        subprocess.run([KEYSTEAD, "kms", "setup", "--dir", state, "--key-file", key_file], check=True,
                       stdout=subprocess.DEVNULL)
        self.spawn(KEYSTEAD, "kms", "serve", "--dir", state, "--key-file", key_file, "--listen", "127.0.0.1:0")
        while not (state / "endpoint").exists():
            time.sleep(0.02)
        self.url = (state / "endpoint").read_text().strip()

    def credentials(self):
        lines = next((self.top / "state").glob("*.credentials")).read_text().split("\n")
        return [line.partition(" = ")[2] for line in lines[1:3]]


class LocalKms(Aws):
    name, peer = "local-kms", "local_kms"

    def start(self):
        self.url = "http://127.0.0.1:18599"
        self.spawn(PEERS / "local_kms/bin/local-kms", env={"PORT": "18599"})
        wait_for(self.url, self.process)


class OpenBao(Target):
    name, peer = "OpenBao transit", "python"

    def start(self):
        self.url = "http://127.0.0.1:18598"
        self.spawn(PEERS / "python/bin/bao", "server", "-dev", "-dev-listen-address=127.0.0.1:18598",
                   f"-dev-root-token-id={TOKEN}", "-dev-no-store-token", "-log-level=error")
        wait_for(self.url + "/v1/sys/health", self.process)

    def call(self, path, body):
        return post(f"{self.url}/v1/{path}", body, {"X-Vault-Token": TOKEN})

    def prepare(self):
        self.call("sys/mounts/transit", {"type": "transit"})
        self.call("transit/keys/k", {"type": "aes256-gcm96"})

    def requests(self, operation):
        headers = {"X-Vault-Token": TOKEN, "Content-Type": "application/json"}
        if operation == "Encrypt":
            return [("/v1/transit/encrypt/k", headers, json.dumps({"plaintext": PLAIN}))] * REQUESTS
        blobs = [self.call("transit/encrypt/k", {"plaintext": PLAIN})["data"]["ciphertext"] for _ in range(REQUESTS)]
        return [("/v1/transit/decrypt/k", headers, json.dumps({"ciphertext": blob})) for blob in blobs]


def lua_text(text):
    return json.dumps(text)


def script(requests, host):
    lines = ["local r = {}"]
    for path, headers, body in requests:
        headers = {"Host": host, **headers}
        table = ", ".join(f"[{lua_text(k)}] = {lua_text(v)}" for k, v in headers.items())
        lines.append(f"r[#r + 1] = wrk.format('POST', {lua_text(path)}, {{{table}}}, {lua_text(body)})")
    lines += ["local n = 0", "request = function() n = n % #r + 1 return r[n] end"]
    return "\n".join(lines)


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def measure(target, operation, args):
    """(requests per second, p99 in ms)"""
    path = target.top / "requests.lua"
    path.write_text(script(target.requests(operation), target.url.partition("//")[2]))
    out = subprocess.check_output(["taskset", "-c", "1", "wrk", "-t1", f"-c{args.connections}", f"-d{args.seconds}s",
                                   "--latency", "-s", path, target.url], text=True)
    if "Non-2xx" in out:
        sys.exit(f"{target.name}: {operation}: {out}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), milliseconds(re.search(r"99%\s+(\S+)", out)[1])


def chosen(top):
    for cls in (Keystead, OpenBao, LocalKms):
        peer = getattr(cls, "peer", None)
        if peer and not (PEERS / peer / "keystead-stamp").exists():
            missing = PEERS / f"{peer}.missing"
            why = missing.read_text().strip() if missing.exists() else "run `make peers`"
            print(f"LEFT OUT: {cls.name} is not installed: {why}", file=sys.stderr)
            continue
        own = top / cls.__name__
        own.mkdir()
        yield cls(own)


def show(figures, targets):
    print("| operation | server | requests/s | p99 | resident | beside Keystead |")
    print("|---|---|---:|---:|---:|---:|")
    for operation in ("Encrypt", "Decrypt"):
        base = statistics.median(rate for rate, _ in figures[operation, "keystead"])
        for target in targets:
            rate = statistics.median(r for r, _ in figures[operation, target.name])
            p99 = statistics.median(p for _, p in figures[operation, target.name])
            print(f"| {operation} | {target.name} | {rate:,.0f} | {p99:.2f} ms | {target.resident_mib():.0f} MiB | "
                  f"{base / rate:.1f}x |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=int, default=5)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--connections", type=int, default=16)
    args = p.parse_args()
    python = PEERS / "python/bin/python"
    if not python.exists():
        sys.exit("the benchmark of the key service needs what `make peers` installs")
    if Path(sys.prefix) != PEERS / "python":  # botocore signs
        os.execv(python, [python, "-B", *sys.argv])
    top = Path(tempfile.mkdtemp(prefix="keystead-bench-kms-"))
    started, figures = [], {}
    try:
        for target in chosen(top):
            started.append(target)
            target.start()
            target.prepare()
        for n in range(args.rounds):
            for operation in ("Encrypt", "Decrypt"):
                for target in started[n % len(started):] + started[:n % len(started)]:
                    figures.setdefault((operation, target.name), []).append(measure(target, operation, args))
        show(figures, started)
    finally:
        for target in started:
            if target.process:
                target.stop()
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
