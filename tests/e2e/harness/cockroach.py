# SPDX-License-Identifier: Apache-2.0
"""A client of the CockroachDB Cloud dialect that does, call by call, what the Terraform provider for CockroachDB Cloud does.

The provider itself cannot be built here (docs/COCKROACH.md), so its order of calls, its waiting, its retries, the types that its
decoder insists on and the comparisons that make a plan empty are written down here, from its documentation and behaviour. Where
the real one would panic, or report an "inconsistent result after apply", this one fails.
"""
import json
import re
import time
import urllib.error
import urllib.request

from . import proc

VERSION = "2024-09-16"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
JSON_TYPE = re.compile(r"(?i)(application|text)/(vnd\.[^;]+\+)?json")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
STATUSES = {s + e for s in ("DISABL", "ENABL", "REVOK", "ROTAT") for e in ("ING",)} | {
    "DISABLED", "ENABLED", "REVOKED", "DISABLE_FAILED", "ENABLE_FAILED", "REVOKE_FAILED", "ROTATE_FAILED"}
SETTLED = {"ENABLED", "DISABLED", "REVOKED"}


class Time(str):
    """A text that must be a time."""


# What the decoders insist on: a type, a list of one, a dictionary. "?" at the end of a name: may be absent.
REGION = {"name": str, "sql_dns": str, "ui_dns": str, "internal_dns": str, "private_endpoint_dns": str, "node_count": int,
          "primary?": bool}
HARDWARE = {"machine_type": str, "num_virtual_cpus": int, "storage_gib": int, "memory_gib": float, "disk_iops": int}
CLUSTER = {"id": str, "name": str, "cockroach_version": str, "upgrade_status": str, "plan": str, "cloud_provider": str, "state": str,
           "creator_id": str, "operation_status": str, "config": {"dedicated": HARDWARE}, "regions": [REGION], "cidr_range": str,
           "labels": dict, "account_id?": str, "created_at?": Time, "updated_at?": Time, "deleted_at?": Time,
           "delete_protection?": str, "network_visibility?": str, "parent_id?": str, "sql_dns?": str, "egress_traffic_policy?": str}
KEY = {"status": str, "user_message": str, "spec": {"type": str, "uri": str, "auth_principal": str}, "created_at": Time,
       "updated_at": Time}
CMEK = {"status": str, "region_infos": [{"region": str, "status": str, "key_infos": [KEY]}]}
BACKUPS = {"enabled": bool, "retention_days": int, "frequency_minutes": int}


def decode(value, shape, path="reply"):
    """value, when it has the shape."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{path} is no object: {value!r}"
        for name, inner in shape.items():
            if name.endswith("?") and value.get(name[:-1]) is None:
                continue
            name = name.rstrip("?")
            assert name in value, f"{path}.{name} is missing"
            decode(value[name], inner, f"{path}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{path} is no array: {value!r}"
        for i, member in enumerate(value):
            decode(member, shape[0], f"{path}[{i}]")
    elif shape is Time:
        assert isinstance(value, str) and TIME.match(value), f"{path} is no time: {value!r}"
    elif shape is float:
        assert isinstance(value, (int, float)) and not isinstance(value, bool), f"{path} is no number: {value!r}"
    else:
        assert type(value) is shape, f"{path} is no {shape.__name__}: {value!r}"
    return value


class Refused(AssertionError):
    """An answer of 300 and above."""

    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path}: {status} {body}")
        self.status, self.message = status, body.get("message")


class Client:
    """The SDK: headers, types of content, errors."""

    def __init__(self, url, key, version=VERSION):
        self.url, self.key, self.version = url, key, version
        self.calls = []

    def call(self, method, path, body=None, shape=None):
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "application/json", "User-Agent": "keystead-test"}
        if self.version:
            headers["Cc-Version"] = self.version
        data = None
        if body is not None:
            # as Go writes it: compact, a line end, and no < > &
            text = json.dumps(body, separators=(",", ":")) + "\n"
            data = re.sub("[<>&]", lambda m: f"\\u{ord(m[0]):04x}", text).encode()
            headers["Content-Type"] = "application/json"
        self.calls.append((method, path))
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return self._read(reply, shape)
        except urllib.error.HTTPError as error:
            body = self._read(error, {"code": int, "message": str}, False)
            raise Refused(method, path, error.code, body) from None

    def _read(self, reply, shape, has_version=True):
        text = reply.read()
        if not text:
            return None
        assert JSON_TYPE.match(reply.headers["Content-Type"] or ""), f"undefined response type {reply.headers['Content-Type']}"
        assert not self.version or not has_version or reply.headers["Cc-Version"] == self.version
        value = json.loads(text)
        return decode(value, shape) if shape else value


class Provider(Client):
    """The resources cockroach_cluster and cockroach_cmek, with their state."""

    def __init__(self, url, key):
        super().__init__(url, key)
        self.cluster = self.cmek = None
        self.cmek_plan = []

    # -- cockroach_cluster

    def create_cluster(self, name, provider, nodes, labels=None, storage_gib=15):
        spec = {"delete_protection": "DISABLED", "plan": "ADVANCED", "dedicated": {
            "region_nodes": nodes, "hardware": {"storage_gib": storage_gib, "machine_spec": {"num_virtual_cpus": 4}},
            "supports_cluster_virtualization": False}}
        if labels is not None:
            spec["labels"] = labels
        made = self.call("POST", "clusters", {"name": name, "provider": provider, "spec": spec}, CLUSTER)
        self.cluster = self.wait_cluster(made["id"])
        self.call("GET", f"clusters/{self.id}/backups-config", shape=BACKUPS)
        assert UUID.match(self.id) and re.match(r"v\d+\.\d+\.\d+$", self.cluster["cockroach_version"])
        dedicated = self.cluster["config"]["dedicated"]
        # what stands in the configuration must come back
        assert (dedicated["num_virtual_cpus"], dedicated["storage_gib"]) == (4, storage_gib)
        assert self.cluster["labels"] == (labels or {}) and self.cluster["name"] == name
        assert self.cluster["cloud_provider"] == provider and self.cluster["plan"] == "ADVANCED"
        assert {r["name"]: r["node_count"] for r in self.cluster["regions"]} == nodes
        assert not any(r.get("primary") for r in self.cluster["regions"])
        return self.cluster

    @property
    def id(self):
        return self.cluster["id"]

    def get_cluster(self, cluster_id=None):
        return self.call("GET", f"clusters/{cluster_id or self.id}", shape=CLUSTER)

    def wait_cluster(self, cluster_id=None, timeout=120):
        """Until CREATED; CREATION_FAILED, DELETED and answers below 500 are the end."""
        def ready():
            try:
                cluster = self.get_cluster(cluster_id)
            except Refused as refused:
                assert refused.status >= 500, refused
                return None
            assert cluster["state"] not in ("CREATION_FAILED", "DELETED"), cluster
            return cluster if cluster["state"] == "CREATED" else None
        return proc.wait_until(ready, "the cluster is CREATED", timeout, 0.1)

    def destroy(self):
        self.call("DELETE", f"clusters/{self.id}")

    # -- cockroach_cmek

    def get_cmek(self):
        return self.call("GET", f"clusters/{self.id}/cmek", shape=CMEK)

    def enable(self, specs, on_refusal=None, timeout=120):
        """400, 401, 403 are asked again, 503 waits for the cluster, everything else is the end."""
        end = time.monotonic() + timeout
        while True:
            try:
                self.call("POST", f"clusters/{self.id}/cmek", {"region_specs": specs}, CMEK)
                break
            except Refused as refused:
                if refused.status == 503:
                    self.wait_cluster()
                elif refused.status in (400, 401, 403) and time.monotonic() < end:
                    if on_refusal:
                        on_refusal(refused)
                    time.sleep(0.1)
                else:
                    raise
        return self._settle(specs)

    def _settle(self, plan):
        self.cmek = self.wait_cmek()
        self.cmek_plan = plan
        self._load(self.cmek, plan)
        return self.cmek

    def wait_cmek(self, timeout=120):
        def ready():
            info = self.get_cmek()
            for region in info["region_infos"]:
                assert region["status"] in STATUSES, region
                assert not region["status"].endswith("_FAILED"), region
            return info if all(r["status"] in SETTLED for r in info["region_infos"]) else None
        return proc.wait_until(ready, "no region is on its way", timeout, 0.1)

    @staticmethod
    def _load(info, plan):
        """The state of the resource: of each region the first key that has the planned uri. Where the real one panics or finds
        its plan not fulfilled, this fails."""
        order = {spec["region"]: i for i, spec in enumerate(plan)}
        regions = sorted(info["region_infos"], key=lambda r: order.get(r["region"], 0))
        assert regions, "region_infos is empty"
        assert len(regions) <= len(plan), "more regions than the plan has"
        for region, spec in zip(regions, plan):
            assert region["region"] == spec["region"]
            keys = [k for k in region["key_infos"] if k["spec"]["uri"] == spec["key_spec"]["uri"]]
            assert keys, f"no key_info has the planned uri: {region}"
            assert keys[0]["spec"] == spec["key_spec"], "inconsistent result after apply"

    def rotate(self, specs):
        """Only the regions whose keys changed are sent."""
        before = {spec["region"]: spec for spec in self.cmek_plan}
        changed = [spec for spec in specs if before.get(spec["region"]) != spec]
        assert changed, "a configuration without changes sends nothing"
        self.call("PUT", f"clusters/{self.id}/cmek", {"region_specs": changed}, CMEK)
        return self._settle(specs)

    def add_region(self, spec, nodes):
        cluster = self.get_cluster()
        all_nodes = {r["name"]: r["node_count"] for r in cluster["regions"]} | {spec["region"]: nodes}
        self.call("PATCH", f"clusters/{self.id}", {"dedicated": {"region_nodes": all_nodes, "cmek_region_specs": [spec]}}, CLUSTER)
        self.cluster = self.wait_cluster()
        assert {r["name"]: r["node_count"] for r in self.cluster["regions"]} == all_nodes
        return self._settle(self.cmek_plan + [spec])

    def revoke(self):
        self.call("PATCH", f"clusters/{self.id}/cmek", {"action": "REVOKE"}, CMEK)
        self._settle(self.cmek_plan)
        assert self.cmek["status"] == "REVOKED", "inconsistent result after apply"

    # -- plan and import

    STABLE = ("id", "creator_id", "plan", "cidr_range", "cockroach_version", "network_visibility", "labels", "config", "name",
              "cloud_provider", "delete_protection", "parent_id")

    def plan(self, status=None):
        """What a plan would change: nothing, for a configuration as it was applied last."""
        cluster = self.get_cluster()
        self.call("GET", f"clusters/{self.id}/backups-config", shape=BACKUPS)
        info = self.get_cmek()
        self._load(info, self.cmek_plan)
        changes = [name for name in self.STABLE if cluster.get(name) != self.cluster.get(name)]
        old = {r["name"]: r for r in self.cluster["regions"]}
        changes += [r["name"] for r in cluster["regions"] if r["node_count"] != old[r["name"]]["node_count"]]
        if status and info["status"] != status:
            changes.append("status")
        for now, then in zip(info["region_infos"], self.cmek["region_infos"]):
            times = [{k["spec"]["uri"]: k["created_at"] for k in r["key_infos"]} for r in (now, then)]
            if times[0] != times[1]:
                changes.append("created_at")
        return changes

    def import_cmek(self):
        """The key of each region that an import takes: the first one that is ENABLED."""
        info = self.get_cmek()
        return [{"region": r["region"], "key_spec": next(k["spec"] for k in r["key_infos"] if k["status"] == "ENABLED")}
                for r in info["region_infos"]]
