#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A control plane that only plays one: the same answers to the same requests, for golden tests of the command line.

    fleet_server.py DIR       writes DIR/url when it listens, each request to DIR/requests; serves until it is killed
"""
import http.server
import json
import os
import re
import sys
import threading

ORDERS, LEDGER = "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11", "2f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"
NODES = {"eu": "3a000000-0000-4000-8000-000000000001", "us": "3a000000-0000-4000-8000-000000000002"}
WORK = "4b000000-0000-4000-8000-00000000000"
AT = "2026-11-22T05:20:00Z"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1"


def region(name, status="ENABLED", access="OPEN", cause="NONE", message=""):
    return {"name": name, "node_count": 1, "state": "READY", "cmek_status": status, "is_revoked": cause == "REVOKED",
            "access": access, "cause": cause, "message": message, "created_at": AT, "updated_at": AT}


def cluster(ident, name, regions, status, operation=None):
    return {"id": ident, "number": 1, "name": name, "state": "CREATED", "provider": None, "engine": "postgresql",
            "dialect": "native", "creator": None, "is_delete_protected": name == "ledger",
            "lease": {"lease_ms": 60000, "probe_ms": 15000, "grace_ms": 3600000},
            "rotation": {"cmek_s": 0, "store_s": 0, "data_s": 2592000, "reencrypt_s": 0, "is_rewrap_automatic": True},
            "message": "", "created_at": AT, "updated_at": AT, "deleted_at": None, "revision": 7, "cmek_status": status,
            "operation": operation, "regions": regions}


REGIONS = [region("eu"), region("us", "REVOKED", "LOCKED", "DENIED", "the key is disabled: enable it in account 111122223333")]
CLUSTERS = [cluster(ORDERS, "orders", REGIONS, "REVOKED"), cluster(LEDGER, "ledger", [region("eu", "DISABLED")], "DISABLED")]


def key(status, uri, retired=None):
    return {"id": NODES["eu"], "type": "AWS_KMS", "uri": uri, "auth_principal": "arn:aws:iam::111122223333:role/db",
            "status": status, "version": "v3", "message": "", "created_at": AT, "updated_at": AT, "retired_at": retired}


CMEK = {"cluster": ORDERS, "status": "REVOKED", "revision": 7, "regions": [
    {"region": r["name"], "status": r["cmek_status"], "access": r["access"], "cause": r["cause"], "is_revoked": False,
     "message": r["message"], "updated_at": AT, "keys": [key(r["cmek_status"], KEY), key("DISABLED", KEY + "0", AT)]}
    for r in REGIONS]}


CAUSES = {"OPEN": "NONE", "LOCKED": "DENIED", "FAILED": "ROLLED_BACK"}


def volume(where, access, found=None, sequence=9):
    return {"id": NODES[where], "region": where, "node": NODES[where], "ordinal": 0, "is_wanted": True, "goal": 3,
            "reached": 3, "access": access, "cause": CAUSES[access], "message": "",
            "is_platform": False, "progress": None, "reported_at": AT, "keyring": {"sequence": sequence, "found": found},
            "requests_failed": {"io": 2, "no_space": 1, "quota": 0} if access == "OPEN" else None,
            "engine": {"state": "RUNNING" if access == "OPEN" else "STOPPED", "message": "", "host": "db", "port": 26000,
                       "connection": "postgresql://keystead@db:26000/postgres"}}


def operation(number, kind, state, message="", error=None):
    return {"id": WORK + str(number), "cluster": ORDERS, "kind": kind, "state": state, "by": None, "error": error,
            "message": message, "bytes_done": 3 << 20, "bytes_total": 4 << 20, "eta_s": 7, "volumes_done": 1,
            "volumes_total": 2, "created_at": AT, "updated_at": AT, "finished_at": None if state == "RUNNING" else AT,
            "steps": [{"region": "eu", "state": state, "message": message}]}


DENIED = {"class": "DENIED", "code": "KEY_DISABLED"}
OPERATIONS = [operation(1, "REENCRYPT", "RUNNING"), operation(2, "CMEK_ENABLE", "SUCCEEDED"),
              operation(3, "CMEK_CHECK", "FAILED", "the key is disabled", DENIED),
              operation(4, "CMEK_ROTATE", "CANCELLED")]
NODE_LIST = [{"id": NODES[r], "name": f"db-{r}", "region": r, "state": "JOINED", "address": f"db-{r}.example.com",
              "certificate": "ab", "version": "1.0", "joined_at": AT, "seen_at": AT} for r in NODES]
ORGANISATION = {"id": "5c000000-0000-4000-8000-000000000001", "name": "acme", "label": "acme", "created_at": AT}
API_KEY = {"id": "6d000000-0000-4000-8000-000000000001", "organisation": ORGANISATION["id"], "cluster": None, "name": "ci",
           "role": "OPERATOR", "created_at": AT, "expires_at": None, "last_used_at": AT, "is_revoked": False}
EVENT = {"number": 9, "at": AT, "organisation": ORGANISATION["id"], "cluster": ORDERS, "actor": "ci", "key": API_KEY["id"],
         "peer": "127.0.0.1", "request": None, "action": "cmek.revoke", "object": f"cluster/{ORDERS}", "detail": {}, "chain": "ab"}
RECEIPT = {"id": "7e000000-0000-4000-8000-000000000001", "cluster": ORDERS, "region": "us", "volume": NODES["us"],
           "node": NODES["us"], "operation": None, "at": AT, "text": "{}", "signature": "AA==", "certificate": "PEM"}


def page(items, following=None):
    return 200, {"items": items, "next_page": following}


def problem(status, code, detail):
    return status, {"type": f"urn:keystead:error:{code}", "title": code, "status": status, "detail": detail, "code": code}


def begun(body):
    if body.get("action") == "CHECK":
        return 202, OPERATIONS[2]
    if body.get("level") == "data":
        return problem(409, "BUSY", "an operation of this cluster is at work: REENCRYPT")
    return 202, OPERATIONS[1]


PLATFORM = {"aws_account": "444455556666", "aws_principal": "arn:aws:iam::444455556666:role/nodes", "gcp_project": None,
            "gcp_service_account": None, "azure_client_id": None, "azure_application": None, "updated_at": AT}
CLUSTER = r"/v1/clusters/" + ORDERS
ROUTES = [
    ("GET", r"/v1/clusters\?limit=\d+", lambda b: page(CLUSTERS[:1], "behind")),
    ("GET", r"/v1/clusters\?limit=\d+&after=behind", lambda b: page(CLUSTERS[1:])),
    ("POST", r"/v1/clusters", lambda b: (201, dict(CLUSTERS[0], name=b["name"], operation=WORK + "2"))),
    ("GET", CLUSTER, lambda b: (200, CLUSTERS[0])),
    ("PATCH", CLUSTER, lambda b: (200, CLUSTERS[0])),
    ("DELETE", CLUSTER, lambda b: (202, dict(CLUSTERS[0], operation=WORK + "2"))),
    ("DELETE", r"/v1/clusters/" + LEDGER, lambda b: problem(409, "STATE", "the cluster is protected")),
    ("GET", r"/v1/clusters/" + LEDGER + "/volumes", lambda b: (200, {"items": [volume("eu", "FAILED", found=4)]})),
    ("POST", r"/v1/clusters/" + LEDGER + "/volumes/" + NODES["eu"] + "/accept-rollback",
     lambda b: (200, volume("eu", "FAILED", sequence=b["sequence"]))),
    ("GET", r"/v1/clusters/[^/]*/volumes", lambda b: (200, {"items": [volume("eu", "OPEN"), volume("us", "LOCKED")]})),
    ("GET", CLUSTER + "/connection", lambda b: (200, {"items": [
        {"region": "eu", "ordinal": 0, "host": "db", "port": 26000, "uri": "postgresql://keystead@db:26000/postgres",
         "password": "not to be shown"}]})),
    ("POST", CLUSTER + "/regions", lambda b: (202, dict(CLUSTERS[0], operation=WORK + "2"))),
    ("PATCH", CLUSTER + "/regions/eu", lambda b: (202, CLUSTERS[0])),
    ("DELETE", CLUSTER + "/regions/eu", lambda b: (202, dict(CLUSTERS[0], operation=WORK + "2"))),
    ("GET", CLUSTER + "/cmek", lambda b: (200, CMEK)),
    ("POST", CLUSTER + "/cmek", begun),
    ("PUT", CLUSTER + "/cmek", lambda b: (202, OPERATIONS[3])),
    ("GET", CLUSTER + "/cmek/keys", lambda b: (200, {"items": [
        {"region": "eu", "key": {"type": "AWS_KMS", "uri": KEY, "auth_principal": ""}, "status": "DISABLED", "created_at": AT,
         "retired_at": AT, "volumes_active": 0, "volumes_unknown": 0, "is_safe_to_delete": True,
         "because": "no volume has a wrap under it"}]})),
    ("GET", CLUSTER + r"/receipts\?limit=\d+", lambda b: page([RECEIPT])),
    ("GET", r"/v1/operations\?order=desc&cluster=.*", lambda b: page(OPERATIONS)),
    ("GET", r"/v1/operations\?order=desc&limit=.*", lambda b: page(OPERATIONS)),
    ("GET", r"/v1/operations\?order=desc&state=FAILED&kind=CMEK_REVOKE&.*", lambda b: page([])),
    ("GET", r"/v1/platform", lambda b: (200, PLATFORM)),
    ("PATCH", r"/v1/platform", lambda b: (200, dict(PLATFORM, **b))),
    ("GET", r"/v1/operations/(.*?)(\?wait=1)?", None),
    ("POST", r"/v1/operations/.*/cancel", lambda b: (200, OPERATIONS[3])),
    ("GET", r"/v1/nodes\?limit=\d+", lambda b: page(NODE_LIST)),
    ("DELETE", r"/v1/nodes/.*", lambda b: (204, None)),
    ("POST", r"/v1/join-tokens", lambda b: (201, {"token": "ksj_1_secret_ab", "region": b["region"], "expires_at": AT})),
    ("GET", r"/v1/regions", lambda b: (200, {"items": [{"name": "eu"}, {"name": "us"}]})),
    ("GET", r"/v1/organisations\?limit=\d+", lambda b: page([ORGANISATION])),
    ("POST", r"/v1/organisations", lambda b: (201, dict(ORGANISATION, name=b["name"]))),
    ("GET", r"/v1/api-keys\?limit=\d+", lambda b: page([API_KEY])),
    ("POST", r"/v1/api-keys", lambda b: (201, dict(API_KEY, name=b["name"], role=b["role"], secret="ksk_1_secret"))),
    ("DELETE", r"/v1/api-keys/.*", lambda b: (204, None)),
    ("GET", r"/v1/audit\?order=desc.*", lambda b: page([EVENT])),
    ("GET", r"/v1/audit\?limit=500&after=m.*", lambda b: page([EVENT])),
    ("GET", r"/v1/audit\?limit=500.*", lambda b: (200, {"items": [], "next_page": "m"})),
    ("POST", r"/v1/audit/verify", lambda b: (200, {"is_sound": True, "events": 9, "message": ""})),
]


def answer(method, target, body):
    for verb, pattern, make in ROUTES:
        match = re.fullmatch(pattern, target)
        if verb != method or not match:
            continue
        if make:
            return make(body)
        found = [o for o in OPERATIONS if o["id"] == match.group(1)]
        return (200, found[0]) if found else problem(404, "NOT_FOUND", f"there is no operation {match.group(1)}")
    return problem(404, "NOT_FOUND", f"nothing is there for {method} {target}")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self):
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        with self.server.lock, open(os.path.join(self.server.dir, "requests"), "a", encoding="utf-8") as f:
            f.write(f"{self.command} {self.path} {text}".rstrip() + "\n")
        if self.headers["Authorization"] != "Bearer ksk_1_good":
            status, value = problem(401, "UNAUTHENTICATED", "no valid key")
        else:
            status, value = answer(self.command, self.path, json.loads(text) if text else {})
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = reply

    def log_message(self, *args):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.dir, server.lock = sys.argv[1], threading.Lock()
    path = os.path.join(server.dir, "url")
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(f"http://127.0.0.1:{server.server_port}")
    os.rename(path + ".new", path)
    server.serve_forever()


if __name__ == "__main__":
    main()
