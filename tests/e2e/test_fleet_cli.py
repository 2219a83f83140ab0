# SPDX-License-Identifier: Apache-2.0
"""Goal: "serve --dev" is a fleet in one command and leaves nothing behind; on it the commands of the fleet take a cluster through its
whole life, take nothing away unless its name is given, print JSON that parses, and end with exit codes that say what happened."""
import json
import os
import re
import signal
import subprocess

import pytest

from harness import proc

REGIONS = ("eu-west-1", "us-east-1")
OK, USAGE, DENIED, BUSY, INTERRUPTED = 0, 2, 3, 5, 130
QUICK = ("--lease", "10s", "--probe", "200ms", "--grace", "1h")


class DevFleet:
    def __init__(self, cli, work):
        self.cli, self.work = cli, work
        self.dir, self.log = os.path.join(work, "dev"), os.path.join(work, "dev.log")
        self.listen = [f"127.0.0.1:{proc.free_port()}" for _ in range(2)]
        self.env = {**os.environ, "HOME": work, "XDG_CONFIG_HOME": "", "KEYSTEAD_PROFILE": ""}
        self.process = None

    def start(self):
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                [self.cli.binary, "serve", "--dev", "--dir", self.dir, "--regions", ",".join(REGIONS), "--engine", "none",
                 "--listen", self.listen[0], "--listen-nodes", self.listen[1]],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        proc.wait_until(lambda: "Ctrl-C ends it" in self.said() or self.process.poll() is not None, "the fleet is up", 90)
        assert self.process.poll() is None, self.said()
        return self

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        assert self.process.wait(120) == 0, self.said()

    def run(self, *args, code=OK, **kwargs):
        done = self.cli.run(*args, check=False, env=self.env, **kwargs)
        assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *args, code=OK):
        return json.loads(self.run(*args, "-o", "json", code=code).stdout)

    def kms(self, *args):
        return self.run("kms", *args, "--dir", os.path.join(self.dir, "kms"))

    def status(self):
        """Of each region: (status, access, cause)."""
        return {r["region"]: (r["status"], r["access"], r["cause"]) for r in self.json("cmek", "status", "orders")["regions"]}

    def wait_status(self, region, *wanted):
        proc.wait_until(lambda: self.status()[region][:len(wanted)] == wanted, f"{region} is {wanted}", 60, 0.1)

    def node_pid(self, region):
        """The process of the node, without its volumes."""
        for pid in proc.descendants(self.process.pid):
            if re.search(rf"node run --dir \S*node-{region}\b", proc.command_line(pid)):
                return pid
        raise AssertionError(f"no node of {region}")


@pytest.fixture
def fleet(cli, work):
    made = DevFleet(cli, work).start()
    made.run("profile", "set", "dev", "--server", f"http://{made.listen[0]}", "--key-file", os.path.join(made.dir, "control", "admin.key"))
    yield made
    if made.process.poll() is None:
        made.stop()


@pytest.fixture
def orders(fleet):
    """A cluster under the customer's keys in every region."""
    fleet.run("cluster", "create", "orders", "--regions", ",".join(REGIONS), *QUICK, "--wait")
    fleet.run("cmek", "enable", "orders", "-f", os.path.join(fleet.dir, "cmek_config.yml"), "--wait")
    return fleet


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)
    return path


def manifest(fleet, region, key):
    """A file in the JSON form of the guides, with a key of the customer that the provider may use."""
    organisation = fleet.json("apikey", "list")["api_keys"][0]["organisation"]
    fleet.kms("key", "create", key, "--region", region)
    made = json.loads(fleet.run("kms", "role", "create", key, "--of-key", key, "--region", region, "--trust", "444455556666",
                                "--external-id", organisation, "--dir", os.path.join(fleet.dir, "kms"), "-o", "json").stdout)
    return write_json(os.path.join(fleet.work, f"{key}.json"), {"region_specs": [{"region": region, "key_spec": {
        "type": "AWS_KMS", "uri": made["key"], "auth_principal": made["role"]}}]})


def test_serve_dev__ctrl_c_and_again__nothing_left_and_all_still_there(cli, work):
    fleet = DevFleet(cli, work).start()
    said = fleet.said()
    for line in ("keystead profile set dev", "keystead cmek enable orders", "curl -H @"):
        assert line in said
    header = re.search(r"curl -H @(\S+) (http://[^/]+/v1/clusters)", said)
    done = proc.run(["curl", "-sS", "-H", f"@{header[1]}", header[2]])
    assert json.loads(done.stdout)["items"] == []
    for name in ("control/admin.key", "control/platform.key", "curl-header"):
        assert os.stat(os.path.join(fleet.dir, name)).st_mode & 0o077 == 0
    key = os.path.join(fleet.dir, "control", "admin.key")
    direct = ("--server", f"http://{fleet.listen[0]}", "--key-file", key)
    fleet.run("cluster", "create", "orders", "--regions", REGIONS[0], *QUICK, "--wait", *direct)
    assert proc.mounts_below(work)
    fleet.stop()
    assert not proc.mounts_below(work) and not proc.descendants()
    fleet.start()
    clusters = json.loads(fleet.run("cluster", "list", *direct, "-o", "json").stdout)["clusters"]
    assert [c["name"] for c in clusters] == ["orders"]
    fleet.stop(signal.SIGTERM)
    assert not proc.mounts_below(work) and not proc.descendants()


def test_a_process_of_the_fleet_ends__the_others_are_ended_and_it_is_named(cli, work):
    fleet = DevFleet(cli, work).start()
    os.kill(fleet.node_pid(REGIONS[1]), signal.SIGKILL)
    assert fleet.process.wait(120) == USAGE
    assert f"node {REGIONS[1]} ended" in fleet.said()
    assert not proc.descendants() and not proc.mounts_below(work)


def test_a_cluster__its_whole_life__by_commands(orders):
    fleet = orders
    assert fleet.status() == {r: ("ENABLED", "OPEN", "NONE") for r in REGIONS}
    text = fleet.run("cmek", "status", "orders").stdout
    assert "CMEK ENABLED" in text and "arn:aws:kms:" in text
    assert "orders" in fleet.run("cluster", "list").stdout
    volumes = fleet.json("cluster", "show", "orders")["volumes"]
    assert [v["region"] for v in volumes] == list(REGIONS) and {v["access"] for v in volumes} == {"OPEN"}
    assert {r["name"] for r in fleet.json("region", "list")["regions"]} == set(REGIONS)

    # keys
    fleet.run("cmek", "rotate", "orders", "--wait")
    fleet.run("cmek", "rotate", "orders", "--level", "data", "--region", REGIONS[0], "--wait")
    fleet.run("cmek", "rotate", "orders", "--level", "reencrypt", "--wait")
    other = manifest(fleet, REGIONS[0], "other")
    fleet.run("cmek", "check", "orders", "-f", other)
    fleet.run("cmek", "rotate", "orders", "-f", other, "--wait")
    history = fleet.json("cmek", "history", "orders")["keys"]
    assert len([k for k in history if k["region"] == REGIONS[0]]) == 2
    fleet.run("cmek", "disable", "orders", "--yes", "orders", "--wait")
    assert {s[0] for s in fleet.status().values()} == {"DISABLED"}

    # terms, regions, protection
    fleet.run("cluster", "set", "orders", "--rotate-data", "30d", "--protected", "yes")
    shown = fleet.json("cluster", "show", "orders")
    assert shown["rotation"]["data_s"] == 30 * 86400 and shown["is_delete_protected"]
    fleet.run("region", "scale", "orders", REGIONS[0], "--nodes", "2", "--wait")
    assert len(fleet.json("cluster", "show", "orders")["volumes"]) == 3
    fleet.run("region", "remove", "orders", REGIONS[1], "--yes", REGIONS[1], "--wait")
    assert [r["name"] for r in fleet.json("cluster", "show", "orders")["regions"]] == [REGIONS[0]]
    fleet.run("cluster", "delete", "orders", "--yes", "orders", code=USAGE)
    fleet.run("cluster", "set", "orders", "--protected", "no")
    fleet.run("cluster", "delete", "orders", "--yes", "orders", "--wait")
    assert fleet.json("cluster", "list")["clusters"] == []
    kinds = {o["kind"] for o in fleet.json("operation", "list", shown["id"])["operations"]}
    assert {"CLUSTER_CREATE", "CMEK_ENABLE", "CMEK_ROTATE", "ROTATE_DATA", "REENCRYPT", "CMEK_DISABLE", "CLUSTER_DELETE"} <= kinds
    assert "cluster.create" in {e["action"] for e in fleet.json("audit", "list")["events"]}


def test_revoke__wrong_name_or_none__refused_and_nothing_changed(orders):
    done = orders.run("cmek", "revoke", "orders", code=USAGE)
    assert "2 of the volumes of cluster orders lock" in done.stderr
    orders.run("cmek", "revoke", "orders", "--yes", "order", code=USAGE)
    orders.run("cmek", "revoke", "orders", "--yes", REGIONS[0], code=USAGE)
    assert {s[0] for s in orders.status().values()} == {"ENABLED"}


def test_revoke_and_restore__receipts_verify(orders):
    orders.run("cmek", "revoke", "orders", "--yes", "orders", "--wait")
    assert {s[:2] for s in orders.status().values()} == {("REVOKED", "LOCKED")}
    assert "keystead cmek restore orders" in orders.run("cmek", "status", "orders").stdout
    receipts = os.path.join(orders.work, "receipts")
    orders.run("receipt", "save", "orders", receipts)
    saved = sorted(os.listdir(receipts))
    volumes = {v["id"] for v in orders.json("cluster", "show", "orders")["volumes"]}
    assert {r["volume"] for r in orders.json("receipt", "list", "orders")["receipts"]} == volumes and len(volumes) == 2
    authority = os.path.join(orders.dir, "control", "authority.pem")
    for name in saved:
        orders.run("receipt", "verify", os.path.join(receipts, name), "--ca-file", authority)
    orders.run("cmek", "restore", "orders", "--wait")
    assert {s[:2] for s in orders.status().values()} == {("ENABLED", "OPEN")}


def test_revoke_one_region__the_other_stays(orders):
    orders.run("cmek", "revoke", "orders", "--region", REGIONS[0], "--yes", "orders", "--wait")
    assert orders.status()[REGIONS[0]][:2] == ("REVOKED", "LOCKED")
    assert orders.status()[REGIONS[1]][:2] == ("ENABLED", "OPEN")
    orders.run("cmek", "restore", "orders", "--region", REGIONS[0], "--wait")


def test_the_key_service_says_no__status_says_why_and_it_comes_back(orders):
    orders.kms("key", "disable", REGIONS[0], "--region", REGIONS[0])
    orders.wait_status(REGIONS[0], "REVOKED", "LOCKED", "DENIED")
    assert orders.status()[REGIONS[1]][:2] == ("ENABLED", "OPEN")
    text = orders.run("cmek", "status", "orders").stdout
    assert "because DENIED" in text and "give the key back there" in text
    orders.kms("key", "enable", REGIONS[0], "--region", REGIONS[0])
    orders.wait_status(REGIONS[0], "ENABLED", "OPEN", "NONE")


def test_a_key_that_may_not_be_used__denied_before_anything_changes(orders):
    other = manifest(orders, REGIONS[0], "shut")
    orders.kms("key", "disable", "shut", "--region", REGIONS[0])
    orders.run("cmek", "check", "orders", "-f", other, code=DENIED)
    orders.run("cmek", "rotate", "orders", "-f", other, code=DENIED)
    assert orders.status()[REGIONS[0]] == ("ENABLED", "OPEN", "NONE")


def test_waiting_interrupted__the_operation_goes_on(orders):
    node = orders.node_pid(REGIONS[0])
    os.kill(node, signal.SIGSTOP)
    try:
        begun = orders.json("cmek", "revoke", "orders", "--yes", "orders")
        waiting = subprocess.Popen([orders.cli.binary, "operation", "wait", begun["id"]], env=orders.env, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        orders.run("operation", "wait", begun["id"], "--timeout", "100ms", code=BUSY)
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=30)
        assert waiting.returncode == INTERRUPTED and f"keystead operation wait {begun['id']}" in said
        assert orders.json("operation", "show", begun["id"])["state"] == "RUNNING"
    finally:
        os.kill(node, signal.SIGCONT)
    assert orders.json("operation", "wait", begun["id"])["state"] == "SUCCEEDED"
    assert {s[0] for s in orders.status().values()} == {"REVOKED"}


def test_api_keys__do_what_their_role_allows(fleet):
    viewer = os.path.join(fleet.work, "viewer.key")
    made = fleet.json("apikey", "create", "looks", "--role", "viewer", "--secret-file", viewer)
    assert os.stat(viewer).st_mode & 0o777 == 0o600 and "secret" not in made
    fleet.run("cluster", "list", "--key-file", viewer)
    fleet.run("cluster", "create", "none", "--regions", REGIONS[0], "--key-file", viewer, code=USAGE)
    fleet.run("apikey", "revoke", made["id"], "--yes", made["id"])
    fleet.run("cluster", "list", "--key-file", viewer, code=4)
    platform = ("--key-file", os.path.join(fleet.dir, "control", "platform.key"))
    assert {n["region"] for n in json.loads(fleet.run("node", "list", *platform, "-o", "json").stdout)["nodes"]} == set(REGIONS)
    fleet.run("organisation", "create", "acme", *platform)
    fleet.run("audit", "verify", *platform)
