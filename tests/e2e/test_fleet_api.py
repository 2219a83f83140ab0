# SPDX-License-Identifier: Apache-2.0
"""The API of the control plane over the wire: who may do what, for every route there is; what bad requests get; and what it costs
to have a thousand nodes waiting.

The routes come from the program itself (tests/e2e/api_routes.c), so a new one is tested before anybody thinks of it.
"""
import asyncio
import base64
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from harness import proc
from harness.keystead import Keystead
from harness.serve import ControlPlane, Joined

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
ROLES = ["VIEWER", "OPERATOR", "ADMIN"]
NOBODY = "00000000-0000-4000-8000-000000000000"
IDLE_KIB_MAX = 64
KEY = {"type": "AWS_KMS", "uri": "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
       "auth_principal": "arn:aws:iam::111122223333:role/keystead"}
SPECS = {"region_specs": [{"region": "us-west-2", "key_spec": KEY}]}
# What can be asked for, so that nothing but the permission stands in its way; others take {}.
BODIES = {
    "addRegion": {"name": "us-west-2"}, "scaleRegion": {"node_count": 2}, "askCmek": {"action": "REVOKE"},
    "putCmek": {"regions": [{"region": "us-west-2", "keys": [KEY]}]}, "EnableCMEKSpec": SPECS, "UpdateCMEKSpec": SPECS,
    "UpdateCMEKStatus": {"action": "REVOKE"}, "UpdateCluster": {"delete_protection": "ENABLED"},
    "UpdateBackupConfiguration": {"enabled": True}, "changePlatform": {"azure_application": "nodes"}, "acceptRollback": {"sequence": 7},
}


def routes():
    """Of the dialects that answer keys."""
    build = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(Keystead.find()))))
    program = os.path.join(build, "tests/e2e/api_routes")
    assert os.access(program, os.X_OK), f"{program} is not there: run `make build`"
    return json.loads(subprocess.check_output([program]))


class World:
    """Two organisations, a cluster in each, keys of every scope and role."""

    def __init__(self, plane, work):
        self.plane = plane
        self.node = Joined(plane, work, "us-west-2")
        self.other = plane.made("POST", "/v1/organisations", "platform", {"name": "other"})["id"]
        self.other_admin = plane.new_key("platform", "other", "ADMIN", organisation=self.other)["secret"]
        self.cluster = self.make_cluster("admin", "mine")
        self.sibling = self.make_cluster("admin", "sibling")
        self.others_cluster = self.make_cluster(self.other_admin, "theirs")
        self.keys = {("platform", "ADMIN"): plane.keys["platform"], ("organisation", "ADMIN"): plane.keys["admin"]}
        for role in ROLES:
            self.keys.setdefault(("platform", role), plane.new_key("platform", f"p-{role}", role)["secret"])
            self.keys.setdefault(("organisation", role), plane.new_key("admin", f"o-{role}", role)["secret"])
            self.keys["cluster", role] = plane.new_key("admin", f"c-{role}", role, cluster=self.cluster)["secret"]
        self.sibling_key = plane.new_key("admin", "sibling", "ADMIN", cluster=self.sibling)["secret"]
        self.revoked = self.make_revoked()
        self.expired = self.make_expired()
        self.key_id = plane.new_key("admin", "a key to look at", "VIEWER")["id"]
        self.operation = self.plane.get(f"/v1/clusters/{self.cluster}", "admin").json["operation"] or NOBODY

    def make_cluster(self, key, name):
        wish = {"name": name, "regions": [{"name": "us-west-2"}]}
        return self.plane.made("POST", "/v1/clusters", key, wish)["id"]

    def make_revoked(self):
        made = self.plane.new_key("admin", "revoked", "ADMIN")
        self.plane.made("DELETE", f"/v1/api-keys/{made['id']}", "admin")
        return made["secret"]

    def make_expired(self):
        now = self.plane.get("/v1/health").headers["Date"]
        soon = (parsedate_to_datetime(now) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        secret = self.plane.new_key("admin", "expires", "ADMIN", expires_at=soon)["secret"]
        proc.wait_until(lambda: self.plane.get("/v1/caller", secret).status == 401, "the key expires", 30)
        return secret

    def path(self, route):
        """With ids of the first organisation."""
        values = {"cluster": self.cluster, "region": "us-west-2", "organisation": self.plane.organisation, "key": self.key_id,
                  "node": self.node.id, "volume": NOBODY, "operation": self.operation}
        return re.sub(r"\{(\w+)\}", lambda m: values[m[1]], route["path"])

    def try_route(self, route, key, method=None):
        body = BODIES.get(route["operation"], {}) if route["body"] else None
        return self.plane.ask(method or route["method"], self.path(route), key, body)


@pytest.fixture(scope="module")
def world(top):
    work = tempfile.mkdtemp(prefix="t-api-", dir=top)
    plane = ControlPlane(Keystead(), work, "--requests-per-second", "0", "--allow-swap")
    try:
        yield World(plane, work)
    finally:
        if plane.process.poll() is None:
            plane.stop()
        shutil.rmtree(work, ignore_errors=True)


def keyed():
    return [r for r in routes() if r["who"] != ["public"] and r["who"] != ["node"]]


def named(route):
    return f"{route['method']} {route['path']}"


def refuse(world, route, key, status, why, method=None):
    reply = world.try_route(route, key, method)
    assert reply.status == status, f"{named(route)}, {why}: {reply}"
    return reply


def test_routes__each_needs_a_valid_key(world):
    before = world.plane.fingerprint()
    for route in keyed():
        for why, key in [("no key", None), ("nonsense", "x"), ("only the prefix", "ksk_"), ("another secret", "ksk_" + NOBODY + "_" + "0" * 64),
                         ("revoked", world.revoked), ("expired", world.expired), ("a join token", "ksj_" + NOBODY + "_00")]:
            reply = world.try_route(route, key)
            assert reply.status in (401, 429), f"{named(route)}, {why}: {reply}"
    assert world.plane.fingerprint() == before


def test_routes__small_roles_and_other_scopes_are_refused(world):
    before = world.plane.fingerprint()
    for route in keyed():
        for (scope, role), key in world.keys.items():
            if scope not in route["who"]:
                refuse(world, route, key, 403, f"scope {scope}")
            elif ROLES.index(role) < ROLES.index(route["role"]):
                refuse(world, route, key, 403, f"role {role}")
    assert world.plane.fingerprint() == before


def test_routes__what_is_of_another_organisation_does_not_exist(world):
    before = world.plane.fingerprint()
    for route in keyed():
        if "{" not in route["path"] or "organisation" not in route["who"]:
            continue
        foreign = world.try_route(route, world.other_admin)
        nowhere = world.plane.ask(route["method"], re.sub(r"\{\w+\}", NOBODY, route["path"]), world.other_admin,
                                  BODIES.get(route["operation"], {}) if route["body"] else None)
        assert foreign.status == 404, f"{named(route)}: {foreign}"
        assert nowhere.status == foreign.status, f"{named(route)}: {nowhere} is not {foreign}"
    assert world.plane.fingerprint() == before


def test_routes__keys_of_another_cluster_see_nothing(world):
    before = world.plane.fingerprint()
    for route in keyed():
        if "{cluster}" in route["path"] and "cluster" in route["who"]:
            refuse(world, route, world.sibling_key, 404, "another cluster")
    assert world.plane.fingerprint() == before


def test_routes__other_verbs_are_405(world):
    verbs = {}
    for route in routes():
        if route["who"] != ["node"]:
            verbs.setdefault(route["path"], (route, set()))[1].add(route["method"])
    before = world.plane.fingerprint()
    for route, there in verbs.values():
        for method in METHODS + ["OPTIONS", "TRACE", "PROPFIND"]:
            if method in there:
                continue
            reply = refuse(world, route, world.plane.keys["admin"], 405, method, method)
            allowed = set(reply.headers["Allow"].split(", "))
            assert allowed == there | ({"HEAD"} if "GET" in there else set())
            assert "Access-Control-Allow-Origin" not in reply.headers
    assert world.plane.fingerprint() == before


def test_lists__show_only_what_is_in_scope(world):
    mine = {c["id"] for c in world.plane.get("/v1/clusters", "admin").json["items"]}
    assert mine == {world.cluster, world.sibling}
    assert {c["id"] for c in world.plane.get("/v1/clusters", world.other_admin).json["items"]} == {world.others_cluster}
    assert {c["id"] for c in world.plane.get("/v1/clusters", world.sibling_key).json["items"]} == {world.sibling}
    for path in ("/v1/audit?limit=500", "/v1/api-keys", "/api/v1/clusters"):
        text = world.plane.get(path, world.other_admin).body.decode()
        assert world.cluster not in text and world.plane.organisation not in text, path
        assert world.sibling not in world.plane.get(path, world.keys["cluster", "ADMIN"]).body.decode(), path
    assert world.plane.get(f"/v1/operations?cluster={world.cluster}", world.other_admin).status == 404
    everything = world.plane.get("/v1/operations", world.other_admin).json["items"]
    assert {o["cluster"] for o in everything} <= {world.others_cluster}
    mine = world.plane.get("/v1/operations?limit=500", "admin").json["items"]
    assert {world.cluster, world.sibling} <= {o["cluster"] for o in mine} and world.others_cluster not in {o["cluster"] for o in mine}
    running = world.plane.get("/v1/operations?state=RUNNING&kind=CLUSTER_CREATE&limit=500", "admin").json["items"]
    assert running == [o for o in mine if (o["state"], o["kind"]) == ("RUNNING", "CLUSTER_CREATE")]
    assert world.plane.get("/v1/operations?state=running", "admin").status == 400
    shown = world.plane.get("/v1/operations", world.keys["cluster", "ADMIN"]).json["items"]
    assert shown and {o["cluster"] for o in shown} == {world.cluster}


def test_keys__none_wider_than_its_maker(world):
    ask = world.plane.ask
    operator = world.keys["organisation", "OPERATOR"]
    assert ask("POST", "/v1/api-keys", operator, {"name": "x", "role": "ADMIN"}).status == 403
    key = world.keys["cluster", "ADMIN"]
    for wish in ({"cluster": world.sibling}, {"organisation": world.other}):
        assert ask("POST", "/v1/api-keys", key, {"name": "x", "role": "VIEWER", **wish}).status in (400, 403, 404)
    made = world.plane.new_key(key, "narrow", "ADMIN")
    assert made["cluster"] == world.cluster
    assert ask("POST", "/v1/api-keys", "admin", {"name": "x", "role": "VIEWER", "organisation": world.other}).status in (403, 404)


def test_organisations__platform_sees_no_cluster(world):
    assert world.plane.get("/v1/clusters", "platform").status == 403
    assert world.plane.get(f"/v1/clusters/{world.cluster}/cmek", "platform").status == 403
    assert {o["name"] for o in world.plane.get("/v1/organisations", "platform").json["items"]} == {"acme", "other"}


# ---- what is said twice, and what has changed meanwhile


def test_platform__told_by_its_administrator__shown_to_customers(world):
    told = {"aws_account": "444455556666", "aws_principal": "arn:aws:iam::444455556666:role/nodes"}
    refused = world.plane.ask("PATCH", "/v1/platform", "platform", {**told, "aws_account": "111122223333"})
    assert refused.status == 400 and "aws_account" in refused.json["detail"]
    changed = world.plane.made("PATCH", "/v1/platform", "platform", told)
    assert changed["gcp_project"] is None and world.plane.get("/v1/platform", world.keys["cluster", "VIEWER"]).json == changed
    principals = world.plane.get("/api/v1/organization", "admin").json["cockroach_cloud_service_principals"]
    assert principals == {"aws": {"user_arn": told["aws_principal"]}}
    event = world.plane.get("/v1/audit?order=desc&limit=1&action=platform.change", "platform").json["items"][0]
    assert event["detail"]["aws_principal"] == told["aws_principal"]
    world.plane.made("PATCH", "/v1/platform", "platform", dict.fromkeys(told))
    assert "cockroach_cloud_service_principals" not in world.plane.get("/api/v1/organization", "admin").json


def test_idempotency__one_cluster_for_two_requests(world):
    wish = {"name": "once", "regions": [{"name": "us-west-2"}]}
    head = {"Idempotency-Key": "make-once"}
    first = world.plane.ask("POST", "/v1/clusters", "admin", wish, head)
    second = world.plane.ask("POST", "/v1/clusters", "admin", wish, head)
    assert first.status == 201 and second.json["id"] == first.json["id"], (first, second)
    assert world.plane.ask("POST", "/v1/clusters", "admin", {**wish, "name": "other"}, head).status == 422
    assert world.plane.ask("POST", "/v1/api-keys", "admin", {"name": "x", "role": "VIEWER"}, head).status == 400
    world.plane.made("DELETE", f"/v1/clusters/{first.json['id']}", "admin")


def test_if_match__only_at_the_revision_that_was_read(world):
    path = f"/v1/clusters/{world.sibling}"
    tag = world.plane.get(path, "admin").headers["ETag"]
    changed = world.plane.ask("PATCH", path, "admin", {"is_delete_protected": True}, {"If-Match": tag})
    assert changed.status == 200 and changed.headers["ETag"] != tag
    assert world.plane.ask("PATCH", path, "admin", {"is_delete_protected": False}, {"If-Match": tag}).status == 412
    assert world.plane.ask("PATCH", path, "admin", {"is_delete_protected": False}, {"If-Match": "*"}).status == 200
    assert world.plane.ask("PATCH", path, "admin", {}, {"If-Match": "W/\"1\""}).status == 400


def test_pages__all_of_them_and_none_twice(world):
    seen, path = [], "/v1/audit?limit=3&order=asc"
    while path:
        reply = world.plane.get(path, "admin")
        assert reply.status == 200 and len(reply.json["items"]) <= 3
        seen += [e["number"] for e in reply.json["items"]]
        link = re.match(r'<(.*)>; rel="next"', reply.headers["Link"] or "")
        assert bool(link) == bool(reply.json["next_page"])
        path = link and link[1]
    assert seen == sorted(set(seen)) and len(seen) > 10
    assert world.plane.get("/v1/audit?limit=0", "admin").status == 400
    assert world.plane.get("/v1/audit?limit=501", "admin").status == 400
    assert world.plane.get("/v1/audit?after=nonsense", "admin").status == 400


def test_pages_of_the_dialect__there_and_back(world):
    def walk(page, way):
        seen = []
        while page is not None:
            reply = world.plane.get(f"/api/v1/clusters?pagination.limit=1&pagination.page={page}", "admin").json
            seen.append(reply["clusters"][0]["id"])
            last, page = reply["pagination"], reply["pagination"][way] or None
        return seen, last
    there, last = walk("", "next_page")
    assert len(there) > 1 and {world.cluster, world.sibling} <= set(there)
    back, first = walk(last["previous_page"], "previous_page")
    assert back == there[-2::-1]
    assert walk(first["next_page"], "next_page")[0] == there[1:]


def test_audit__chain_is_whole(world):
    verdict = world.plane.made("POST", "/v1/audit/verify", "platform")
    assert verdict["is_sound"] and verdict["events"] > 10


def test_backup__a_copy_that_opens(world):
    made = world.plane.made("POST", "/v1/backups", "platform", {"name": "copy.db"})
    store = sqlite3.connect(made["path"])
    assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()
    assert world.plane.ask("POST", "/v1/backups", "platform", {"name": "copy.db"}).status == 409
    for bad in ("../x", ".hidden", "a/b", ""):
        assert world.plane.ask("POST", "/v1/backups", "platform", {"name": bad}).status == 400


# ---- bad requests


def raw(plane, data, want=None):
    """What comes back for these bytes, until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", plane.port), 30) as s:
        got = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while part := s.recv(65536):
                got += part
        except OSError:
            pass  # it has had enough
    if want is not None:
        assert got.startswith(b"HTTP/1.1 %d " % want), got[:300]
    return got


def test_bad_bodies__refused_and_nothing_changed(world):
    path, ask = f"/v1/clusters/{world.cluster}/cmek", world.plane.ask
    before = world.plane.fingerprint()
    head = {"Content-Type": "application/json"}
    for body, status in [("{", 400), ("[]", 400), ("{}", 400), ("", 400), ('{"regions": 7}', 400), ('{"regions": [], "x": 1}', 400),
                         ('{"regions":[{"region":"us-west-2","keys":[{"type":"AWS_KMS"}]}]}', 400), ("[" * 10000, 400),
                         (" " * 70000, 413), ('{"regions":\u00ff}'.encode("latin-1"), 400)]:
        reply = ask("PUT", path, "admin", body, head)
        assert reply.status == status, f"{body[:60]}: {reply}"
    assert ask("PUT", path, "admin", "{}", {"Content-Type": "text/plain"}).status == 415
    assert world.plane.fingerprint() == before


def test_duplicate_headers__400(world):
    line = b"GET /v1/caller HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    key = b"Authorization: Bearer %s\r\n" % world.plane.keys["admin"].encode()
    raw(world.plane, line + key + b"\r\n", 200)
    raw(world.plane, line + key + key + b"\r\n", 400)


def test_pipelining__each_answered_in_order(world):
    one = b"GET /v1/health HTTP/1.1\r\nHost: h\r\n\r\n"
    last = b"GET /v1/none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    got = raw(world.plane, one * 20 + last, 200)
    assert re.findall(rb"HTTP/1.1 (\d+)", got) == [b"200"] * 20 + [b"404"]


def test_smuggling__two_lengths_are_no_two_requests(world):
    hidden = b"GET /v1/none HTTP/1.1\r\nHost: h\r\n\r\n"
    head = b"POST /v1/health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    for lengths in (b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(hidden),
                    b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"):
        got = raw(world.plane, head + lengths + b"\r\n" + hidden)
        assert got.count(b"HTTP/1.1 ") <= 1, got[:400]


def test_heads_that_are_too_long__refused(world):
    got = raw(world.plane, b"GET /v1/health HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")
    assert not got or got.split(b" ")[1] in (b"413", b"431"), got[:100]


def test_slow_clients__hold_nobody_up(world):
    slow = []
    try:
        for _ in range(500):
            s = socket.create_connection(("127.0.0.1", world.plane.port), 30)
            s.sendall(b"GET /v1/health HTTP/1.1\r\nHost: h\r\nX-")
            slow.append(s)
        for _ in range(20):
            for s in slow[::50]:
                s.sendall(b"a")
            assert world.plane.get("/v1/health").status == 200
    finally:
        for s in slow:
            s.close()


# ---- nodes


def test_node__join_token_is_good_once(world, tmp_path):
    token = world.plane.made("POST", "/v1/join-tokens", "platform", {"region": "us-west-2"})["token"]
    for bad in ("ksj_x_y", token.rpartition("_")[0][:-1] + "0", "", world.plane.keys["platform"]):
        reply = world.plane.ask("POST", "/node/v1/join", None, {"token": bad, "request": "x", "name": "n", "address": "a"})
        assert reply.status in (400, 403, 429), reply
    node = Joined(world.plane, str(tmp_path), "us-west-2", "n1")
    assert node.nodes_url == f"https://127.0.0.1:{world.plane.node_port}"
    assert node.ask("GET", "/node/v1/desired?since=0").status in (200, 204)
    world.plane.made("DELETE", f"/v1/nodes/{node.id}", "platform")
    assert node.ask("GET", "/node/v1/desired?since=0").status == 403


def test_node__joins_again_with_the_key_that_it_had__stays_the_node(world, tmp_path):
    node, other = (Joined(world.plane, str(tmp_path), "us-west-2", name) for name in ("again", "other"))
    request = os.path.join(tmp_path, "request.pem")
    subprocess.run(["openssl", "req", "-new", "-key", node.key, "-subj", "/CN=x", "-out", request], check=True)

    def ask(key, **changes):
        proof = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key, request], check=True, stdout=subprocess.PIPE).stdout
        token = world.plane.made("POST", "/v1/join-tokens", "platform", {"region": "us-west-2"})["token"]
        with open(request) as new, open(node.cert) as last:
            body = {"token": token, "request": new.read(), "certificate": last.read(), "proof": base64.b64encode(proof).decode()}

        def joined():  # tests before may have used up what an address has for joins that fail
            reply = world.plane.ask("POST", "/node/v1/join", None, {**body, **changes})
            return reply if reply.status != 429 else None
        return proc.wait_until(joined, "the limit lets a join through", 60, 0.5)
    assert ask(other.key).status == 403
    assert ask(node.key, proof="?").status == 403
    assert ask(node.key, name="n").status == 400
    reply = ask(node.key)
    assert reply.status == 200 and reply.json["node"] == node.id and reply.json["nodes_url"] == node.nodes_url, reply
    assert node.ask("GET", "/node/v1/desired?since=0").status in (200, 204)
    with open(node.cert, "w") as f:
        f.write(reply.json["certificate"])
    assert node.ask("GET", "/node/v1/desired?since=0").status in (200, 204)


def test_node__listener_takes_only_certificates_of_the_authority(world):
    assert world.node.ask("GET", "/node/v1/desired?since=0", with_certificate=False).status == 403
    assert world.node.ask("POST", "/node/v1/report", {}, with_certificate=False).status == 403
    assert world.node.ask("GET", "/v1/health").status == 404  # the API is not here
    assert world.plane.get("/node/v1/desired?since=0", "platform").status == 404  # and nodes are not there
    assert world.node.ask("GET", "/node/v1/desired?since=-1").status == 400
    assert world.node.ask("GET", "/node/v1/desired?since=0&wait=56").status == 400


def test_node__waits_until_there_is_something_to_do(world, tmp_path):
    node = Joined(world.plane, str(tmp_path), "eu-west-1", "n2")
    wish = {"name": "far", "regions": [{"name": "eu-west-1"}]}

    async def story():
        waiting = asyncio.create_task(asyncio.to_thread(node.ask, "GET", "/node/v1/desired?since=0&wait=50"))
        await asyncio.sleep(0)
        made = await asyncio.to_thread(world.plane.made, "POST", "/v1/clusters", "admin", wish)
        return made, await waiting

    made, reply = asyncio.run(story())
    assert reply.status == 200 and reply.json["volumes"][0]["cluster"] == made["id"], reply
    since = reply.json["revision"]
    assert node.ask("GET", f"/node/v1/desired?since={since}&wait=0").status == 204


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def test_node__a_thousand_waiting_cost_little(world):
    count = 1000

    async def connect(context):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.plane.node_port, ssl=context)
        writer.write(b"GET /node/v1/desired?since=999999999&wait=55 HTTP/1.1\r\nHost: h\r\n\r\n")
        await writer.drain()
        return reader, writer

    async def story():
        context = world.node.context()
        warm = [await connect(context) for _ in range(50)]
        before = resident_kib(world.plane.process.pid)
        more = []
        for _ in range(0, count, 50):
            more += await asyncio.gather(*(connect(context) for _ in range(50)))
        # as soon as another one is answered, all before it have been taken
        await asyncio.to_thread(world.plane.get, "/v1/health")
        each = (resident_kib(world.plane.process.pid) - before) / count
        for _, writer in warm + more:
            writer.transport.abort()
        return each

    each = asyncio.run(story())
    print(f"{each:.1f} KiB for each waiting node")
    assert each <= IDLE_KIB_MAX


# ---- the process


def test_rate__429_with_retry_after(work):
    plane = ControlPlane(Keystead(), work, "--requests-per-second", "2", "--allow-swap")
    statuses = [plane.get("/v1/caller", "admin") for _ in range(8)]
    assert statuses[0].status == 200 and statuses[-1].status == 429, statuses
    assert int(statuses[-1].headers["Retry-After"]) >= 1
    assert plane.get("/v1/caller", "platform").status == 200  # another key has a rate of its own
    plane.stop()


def test_node__asks_too_often__429_with_retry_after(work):
    plane = ControlPlane(Keystead(), work, "--allow-swap")
    node, count, heard = Joined(plane, work, "somewhere"), 400, b""
    with socket.create_connection(("127.0.0.1", plane.node_port), 30) as plain:
        with node.context().wrap_socket(plain, server_hostname="127.0.0.1") as line:
            line.sendall(b"GET /node/v1/desired?since=0 HTTP/1.1\r\nHost: x\r\n\r\n" * count)
            while heard.count(b"HTTP/1.1 ") < count and b"HTTP/1.1 429" not in heard:
                heard += line.recv(65536)
    assert heard.startswith(b"HTTP/1.1 204") and b"HTTP/1.1 429" in heard, heard[:200]
    assert b"Retry-After: 1" in heard
    plane.stop()


def test_tls__by_the_authority_and_plain_only_on_the_loopback(work):
    cli = Keystead()
    plane = ControlPlane(cli, work, "--names", "control.example", "--allow-swap", plain=False)
    reply = plane.get("/v1/caller", "admin")
    assert reply.status == 200 and reply.headers["Strict-Transport-Security"]
    where = ["--server", f"https://127.0.0.1:{plane.port}", "--key-file", os.path.join(plane.dir, "platform.key")]
    unknown = cli.run("node", "list", *where, check=False)
    assert unknown.returncode == 4 and "--ca-file (authority.pem" in unknown.stderr, unknown.stderr
    cli.run("node", "list", *where, "--ca-file", os.path.join(plane.dir, "authority.pem"))
    second = cli.run("serve", "--dir", plane.dir, "--plain", "--listen", "127.0.0.1:0", "--listen-nodes", "127.0.0.1:0",
                     "--allow-swap", check=False)
    assert second.returncode == 5, second.stderr  # busy
    plane.stop()
    refused = cli.run("serve", "--dir", plane.dir, "--plain", "--listen", "0.0.0.0:0", "--listen-nodes", "127.0.0.1:0",
                      "--allow-swap", check=False)
    assert refused.returncode == 2 and "in clear" in refused.stderr
    assert cli.run("serve", "setup", "--dir", plane.dir, check=False).returncode == 2


def test_process__hardened_and_silent_about_secrets(work):
    plane = ControlPlane(Keystead(), work, "--allow-swap")
    made = plane.new_key("admin", "quiet", "VIEWER")
    plane.get("/v1/caller", made["secret"])
    pid = plane.process.pid
    with open(f"/proc/{pid}/limits") as f:
        assert re.search(r"Max core file size\s+0\s+0", f.read())
    with open(f"/proc/{pid}/status") as f:
        assert re.search(r"NoNewPrivs:\s+1", f.read())
    with open(plane.log) as f:
        log = f.read()
    assert log.count("/v1/api-keys: 201, by administrator") == 1
    assert "/v1/caller" not in log  # what changes nothing is not in the log
    for secret in (made["secret"], plane.keys["admin"], plane.keys["platform"]):
        assert secret not in log and secret.split("_", 2)[2] not in log
    with open(f"{plane.dir}/control.db", "rb") as f:
        assert made["secret"].split("_", 2)[2].encode() not in f.read()
    plane.stop()


def test_process__ends_those_that_wait_and_comes_back(work):
    plane = ControlPlane(Keystead(), work, "--allow-swap")
    node = Joined(plane, work, "us-west-2")

    async def story():
        waiting = asyncio.create_task(asyncio.to_thread(node.ask, "GET", "/node/v1/desired?since=999&wait=55"))
        await asyncio.to_thread(proc.wait_until, lambda: established(plane.node_port), "the node has connected", 30)
        await asyncio.to_thread(plane.stop)
        return await waiting

    reply = asyncio.run(story())
    assert reply.status == 204
    assert not os.path.exists(f"{plane.dir}/endpoint")
    plane.start()
    assert plane.get("/v1/caller", "admin").status == 200
    plane.stop(signal.SIGKILL)
    plane.start()
    assert plane.get("/v1/caller", "admin").status == 200
    plane.stop()


def established(port):
    with open("/proc/net/tcp") as f:
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01" for line in f.readlines()[1:])
