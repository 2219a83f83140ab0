#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the control plane's API: what its requests cost while many clusters are in the store, and a REVOKE that a thousand nodes wait for.

    bench/api.py [--seconds 5] [--clusters 1000,10000,100000] [--nodes 1000] [--connections 16] [--only growth|revoke]

Reading is by wrk over HTTP with keep-alive, one key, clusters and places in lists in random order; enabling is one request after the
other. Processor time is that of the server's threads that answer. Server and load generator share the processors there are. Clusters of three regions beyond the first are copies of it, made in the
store while nobody serves it; a few have no keys yet, for enabling. Nodes are TLS clients of this process, each with its own certificate,
that wait in GET /node/v1/desired; a REVOKE is measured from its request until the last one has its answer.
"""
import argparse
import asyncio
import base64
import http.client
import json
import os
import random
import re
import shutil
import sqlite3
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEYSTEAD = os.environ.get("KEYSTEAD_BIN", str(ROOT / "build/release/src/cli/keystead"))
REQUESTS, NODES_OF_A_REGION, ENABLED, PART = 5000, 63, 200, 25
REGIONS = ("region-0", "region-1", "region-2")
KEY = {"type": "AWS_KMS", "uri": "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
       "auth_principal": "arn:aws:iam::111122223333:role/keystead"}


class ControlPlane:
    def __init__(self, top):
        self.dir, self.log = top / "serve", open(top / "serve.log", "ab")
        self.process = None
        subprocess.run([KEYSTEAD, "serve", "setup", "--dir", self.dir], check=True, stdout=subprocess.DEVNULL)
        self.keys = {name: (self.dir / f"{name}.key").read_text().strip() for name in ("platform", "admin")}

    def start(self):
        for name in ("endpoint", "nodes-endpoint"):
            (self.dir / name).unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [KEYSTEAD, "serve", "--dir", self.dir, "--plain", "--listen", "127.0.0.1:0", "--listen-nodes", "127.0.0.1:0",
             "--requests-per-second", "0", "--allow-swap"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        while not (self.dir / "nodes-endpoint").exists():
            if self.process.poll() is not None:
                sys.exit("keystead serve has ended; see its log")
            time.sleep(0.02)
        self.port, self.node_port = (int((self.dir / name).read_text().rpartition(":")[2])
                                     for name in ("endpoint", "nodes-endpoint"))
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def call(self, method, path, body=None, key="admin"):
        self.connection.request(method, path, None if body is None else json.dumps(body), {
            "Authorization": f"Bearer {self.keys[key]}", "Content-Type": "application/json"})
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status >= 300:
            sys.exit(f"{method} {path}: {reply.status} {text}")
        return json.loads(text) if text else None

    def resident_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def cpu_seconds(self):
        """Of the threads that answer requests."""
        total = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            name, _, fields = (task / "stat").read_text().rpartition(")")
            if not name.endswith("(ticker"):
                total += sum(int(n) for n in fields.split()[11:13])
        return total / os.sysconf("SC_CLK_TCK")

    def store(self):
        return sqlite3.connect(self.dir / "control.db")


class Nodes:
    """count nodes, in_region in each region, with one key pair and a certificate each."""

    def __init__(self, plane, top, count, in_region=NODES_OF_A_REGION):
        self.plane, self.top = plane, top
        self.regions = {}
        self.key = top / "node.key"
        request = subprocess.run(
            ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x",
             "-keyout", self.key], check=True, capture_output=True, text=True).stdout
        self.contexts = [self.join(f"region-{i // in_region}", i, request) for i in range(count)]

    def join(self, region, i, request):
        token = self.plane.call("POST", "/v1/join-tokens", {"region": region}, "platform")["token"]
        reply = self.plane.call("POST", "/node/v1/join", {"token": token.rpartition("_")[0], "request": request, "name": f"node-{i}",
                                                         "address": "127.0.0.1"})
        self.regions[region] = self.regions.get(region, 0) + 1
        path = self.top / "node.pem"
        path.write_text(reply["certificate"])
        context = ssl.create_default_context(cafile=self.plane.dir / "authority.pem")
        context.load_cert_chain(path, self.key)
        return context


def settle(plane):
    """Everything that was asked for has been done, as far as the store knows."""
    store = plane.store()
    with store:
        for statement in ("UPDATE cluster SET state = 'CREATED' WHERE state = 'CREATING'",
                          "UPDATE region SET state = 'READY', access = 'OPEN' WHERE state = 'ADDING'",
                          "UPDATE region SET status = 'ENABLED' WHERE status = 'ENABLING'",
                          "UPDATE region_key SET status = 'ENABLED' WHERE status = 'ENABLING'",
                          "UPDATE volume SET reached = goal, access = 'OPEN' WHERE reached <> goal",
                          "DELETE FROM operation_step", "UPDATE operation SET state = 'SUCCEEDED' WHERE state = 'RUNNING'"):
            store.execute(statement)
    store.close()


def copy_rows(store, table, column, first, fresh):
    """The rows of table whose column is first, again for each row of copies; fresh: column -> what it has there."""
    columns = [name for _, name, *_ in store.execute(f"PRAGMA table_info({table})")]
    names, values = ",".join(f'"{c}"' for c in columns), ",".join(fresh.get(c, f't."{c}"') for c in columns)
    store.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM copies, {table} t WHERE t.{column} = ? ORDER BY copies.n", (first,))


def grow(plane, first, name, count):
    """count copies of the cluster first, in a few statements; their ids."""
    store = plane.store()
    store.create_function("fresh_id", 0, lambda: str(uuid.uuid4()))
    for pragma in ("foreign_keys = OFF", "synchronous = OFF", "cache_size = -262144"):
        store.execute(f"PRAGMA {pragma}")
    with store:
        store.execute("CREATE TEMP TABLE copies (n INTEGER PRIMARY KEY, id TEXT)")
        store.execute("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) "
                      "INSERT INTO copies SELECT n, fresh_id() FROM n", (count,))
        goal, number, operation = (store.execute(f"SELECT coalesce(max({c}), 0) FROM {t}").fetchone()[0]
                                   for c, t in (("goal", "volume"), ("number", "cluster"), ("number", "operation")))
        copy_rows(store, "cluster", "id", first,
                  {"id": "copies.id", "number": f"{number} + copies.n", "name": f"'{name}-' || ({number} + copies.n)"})
        for table, fresh in (("region", {}), ("region_key", {"id": "fresh_id()"}),
                             ("volume", {"id": "fresh_id()", "goal": f"{goal} + copies.n", "reached": f"{goal} + copies.n"}),
                             ("operation", {"id": "fresh_id()", "number": f"{operation} + copies.n"})):
            copy_rows(store, table, "cluster", first, {"cluster": "copies.id", **fresh})
        for counter, value in (("cluster", number), ("goal", goal), ("operation", operation)):
            store.execute("UPDATE counter SET value = max(value, ?) WHERE name = ?", (value + count, counter))
    ids = [i for i, in store.execute("SELECT id FROM copies")]
    store.close()
    return ids


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def load(plane, top, targets, args):
    """(requests per second, p50, p99 in ms, microseconds of the server's processors for each) of GET"""
    path = top / "requests.lua"
    lines = ["local r = {}"]
    for target in targets:
        lines.append(f"r[#r + 1] = wrk.format('GET', '{target}', "
                     f"{{['Host'] = 'h', ['Authorization'] = 'Bearer {plane.keys['admin']}'}})")
    path.write_text("\n".join([*lines, "local n = 0", "request = function() n = n % #r + 1 return r[n] end"]))
    before = plane.cpu_seconds()
    out = subprocess.check_output(["wrk", "-t1", f"-c{args.connections}", f"-d{args.seconds}s", "--latency", "-s", path,
                                   f"http://127.0.0.1:{plane.port}"], text=True)
    if "Non-2xx" in out:
        sys.exit(f"not all were answered: {out}")
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), milliseconds(re.search(r"\n\s+50%\s+(\S+)", out)[1]),
            milliseconds(re.search(r"\n\s+99%\s+(\S+)", out)[1]),
            1e6 * (plane.cpu_seconds() - before) / int(re.search(r"(\d+) requests in", out)[1]))


def enable(plane, ids):
    """The same of POST .../cmek, one after the other."""
    body = {"action": "ENABLE", "check": False, "regions": [{"region": r, "keys": [KEY]} for r in REGIONS]}
    times, before = [], plane.cpu_seconds()
    for cluster in ids:
        begun = time.monotonic()
        plane.call("POST", f"/v1/clusters/{cluster}/cmek", body)
        times.append(1000 * (time.monotonic() - begun))
    cpu = 1e6 * (plane.cpu_seconds() - before) / len(times)
    cuts = statistics.quantiles(times, n=100)
    return 1000 * len(times) / sum(times), cuts[49], cuts[98], cpu


def place(number):
    """Where a list of clusters goes on."""
    return base64.urlsafe_b64encode(struct.pack(">qq", 0, number)).decode().rstrip("=")


async def wait_for_work(plane, context, since, waiting):
    reader, writer = await asyncio.open_connection("127.0.0.1", plane.node_port, ssl=context)
    writer.write(f"GET /node/v1/desired?since={since}&wait=55 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    waiting.release()
    head = await reader.readline()
    arrived = time.monotonic()
    await reader.read()
    writer.close()
    if b" 200 " not in head:
        sys.exit(f"a node got {head}")
    return arrived


async def revoke(plane, nodes, cluster, since):
    """([ms until each node knows], KiB of each waiting node)"""
    waiting = asyncio.Semaphore(0)
    before = plane.resident_kib()
    tasks = []
    for context in nodes.contexts:
        tasks.append(asyncio.create_task(wait_for_work(plane, context, since, waiting)))
        if len(tasks) % 50 == 0:
            for _ in range(50):
                await waiting.acquire()
    for _ in range(len(tasks) % 50):
        await waiting.acquire()
    await asyncio.sleep(2)  # the last ones have been read
    each = (plane.resident_kib() - before) / len(tasks)
    begun = time.monotonic()
    await asyncio.to_thread(plane.call, "POST", f"/v1/clusters/{cluster}/cmek", {"action": "REVOKE"})
    answered = time.monotonic()
    arrived = await asyncio.gather(*tasks)
    return [1000 * (t - begun) for t in arrived], 1000 * (answered - begun), each


def measure_size(plane, top, ids, plain, args):
    """Name of a request -> figures."""
    chosen = random.Random(7)
    numbers = chosen.choices(range(len(ids)), k=REQUESTS)
    some = chosen.choices(ids, k=min(REQUESTS, len(ids)))
    load(plane, top, [f"/v1/clusters/{i}/cmek" for i in some], args)  # replies that are kept, the first time
    return {
        "GET cmek": load(plane, top, [f"/v1/clusters/{i}/cmek" for i in some], args),
        "GET cluster": load(plane, top, [f"/v1/clusters/{i}" for i in some], args),
        f"list of {PART} clusters": load(plane, top, [f"/v1/clusters?limit={PART}&after={place(n)}" for n in numbers], args),
        "the same in the dialect": load(
            plane, top, [f"/api/v1/clusters?pagination.limit={PART}&pagination.page={place(n)}" for n in numbers], args),
        f"newest {PART} operations": load(plane, top, [f"/v1/operations?limit={PART}&order=desc"], args),
        "failed operations (none)": load(plane, top, ["/v1/operations?state=FAILED&kind=CMEK_ENABLE"], args),
        "POST cmek (enable)": enable(plane, plain),
    }


def measure_growth(top, args):
    plane = ControlPlane(top)
    plane.start()
    try:
        Nodes(plane, top, len(REGIONS), 1)
        first, plain = (plane.call("POST", "/v1/clusters", {"name": name, "regions": [{"name": r, **keys} for r in REGIONS]})["id"]
                        for name, keys in (("first", {"keys": [KEY]}), ("plain", {})))
        ids, base = [first], {}
        print(f"load average at the start: {os.getloadavg()[0]:.1f}\n\n| clusters | request | per s | p50 | p99 | CPU of the server for each | beside the first |\n|---:|---|---:|---:|---:|---:|---:|")
        for count in args.clusters:
            plane.stop()
            settle(plane)
            begun = time.monotonic()
            fresh = grow(plane, plain, "plain", ENABLED)
            ids += grow(plane, first, "copy", count - len(ids) - 1) + fresh
            print(f"{count:,} clusters are there after {time.monotonic() - begun:.0f} s", file=sys.stderr)
            plane.start()
            for name, (rate, p50, p99, cpu) in measure_size(plane, top, ids, fresh, args).items():
                print(f"| {count:,} | {name} | {rate:,.0f} | {p50:.2f} ms | {p99:.2f} ms | {cpu:.0f} us "
                      f"| {cpu / base.setdefault(name, cpu):.2f}x |", flush=True)
    finally:
        plane.stop()


def measure_revoke(top, args):
    plane = ControlPlane(top)
    plane.start()
    try:
        nodes = Nodes(plane, top, args.nodes)
        wish = {"name": "wide", "regions": [{"name": r, "node_count": n, "keys": [KEY]} for r, n in nodes.regions.items()]}
        cluster = plane.call("POST", "/v1/clusters", wish)["id"]
        plane.stop()
        settle(plane)
        plane.start()
        store = plane.store()
        since = store.execute("SELECT max(goal) FROM volume").fetchone()[0]
        store.close()
        arrived, answered, each = asyncio.run(revoke(plane, nodes, cluster, since))
        cuts = statistics.quantiles(arrived, n=100)
        print(f"\nREVOKE with {len(arrived)} nodes waiting: answered after {answered:.0f} ms; nodes know after {cuts[49]:.0f} ms (p50), "
              f"{cuts[98]:.0f} ms (p99), {max(arrived):.0f} ms (last); {each:.1f} KiB of memory for each that waits")
    finally:
        plane.stop()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=int, default=5)
    p.add_argument("--clusters", type=lambda text: [int(n) for n in text.split(",")], default=[1000, 10000, 100000])
    p.add_argument("--nodes", type=int, default=1000)
    p.add_argument("--connections", type=int, default=16)
    p.add_argument("--only", choices=("growth", "revoke"))
    args = p.parse_args()
    top = Path(tempfile.mkdtemp(prefix="keystead-bench-api-", dir="/var/tmp"))
    try:
        for part, measure in (("growth", measure_growth), ("revoke", measure_revoke)):
            if args.only in (None, part):
                (top / part).mkdir()
                measure(top / part, args)
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
