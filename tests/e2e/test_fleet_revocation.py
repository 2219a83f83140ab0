# SPDX-License-Identifier: Apache-2.0
"""Goal: on a fleet, a customer's no locks what it is about and nothing else, wherever processes die and networks break meanwhile; a yes brings
everything back without a human step; receipts prove it."""
import datetime
import json
import os
import shutil

import pytest

from harness import proc
from harness.clients import Postgresql, Redis
from harness.data import check_readable, check_receipts, readable, write
from harness.fleet import OTHER_CUSTOMER, Fleet

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
MANY = 20  # volumes of a node
LOCK_MS = 5000  # docs/REVOCATION.md: from REVOKE until a volume is locked, by its own clock
HEAR_SECONDS = 20  # docs/NODES.md: until a node hears of it, where its poll would end after 55
RECEIPT_WAIT_SECONDS = 60  # REC_RECEIPT_WAIT_S: what it would take if receipts were missing


@pytest.fixture
def fleet(cli, work):
    made = Fleet(cli, work, (EAST, WEST, EUROPE))
    yield made
    made.close()


def check_bound(fleet, cluster, receipts):
    """What the product says of itself: when it was asked, when each node heard of it, how long each lock took, when all were proved."""
    revoke = next(o for o in fleet.call("GET", f"/v1/operations?cluster={cluster}")["items"] if o["kind"] == "CMEK_REVOKE")
    asked, ended = seconds(revoke["created_at"]), seconds(revoke["finished_at"])
    heard = max(seconds(r["asked_at"]) for r in receipts) - asked
    locked = max(seconds(r["locked_at"]) for r in receipts) - asked
    slowest = max(r["duration_ms"] for r in receipts)
    print(f"revoke of {len(receipts)} volumes, from the call on: heard of after {heard} s, locked after {locked} s, REVOKED after {ended - asked} s; "
          f"the longest lock took {slowest} ms")
    assert heard <= HEAR_SECONDS
    assert slowest <= LOCK_MS
    assert locked <= HEAR_SECONDS + LOCK_MS / 1000 + 1, "told in whole seconds"
    assert ended - asked < RECEIPT_WAIT_SECONDS


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_one_key_of_three_disabled__only_its_region_locks__and_comes_back_by_itself(fleet):
    cluster = fleet.create("three-keys", {EAST: 1, WEST: 1, EUROPE: 1})
    fleet.kms.make("west", OTHER_CUSTOMER)
    fleet.kms.grant("west", fleet.organisation)
    fleet.enable(cluster, {EAST: "east", WEST: "west", EUROPE: "europe"})
    places = write(fleet, cluster, "kept")

    fleet.kms.act("disable", "west")
    fleet.wait_cmek(cluster, "REVOKED")
    assert fleet.regions(cluster) == {EAST: "ENABLED", WEST: "REVOKED", EUROPE: "ENABLED"}
    message = next(r for r in fleet.cmek(cluster)["region_infos"] if r["region"] == WEST)["key_infos"][0]["user_message"]
    assert "disabled" in message.lower(), message
    assert readable(places[WEST]) == [None]
    assert readable(places[EAST]) == readable(places[EUROPE]) == ["kept"]

    fleet.kms.act("enable", "west")
    fleet.wait_cmek(cluster, "ENABLED")
    assert readable(fleet.mounts(cluster)[WEST]) == ["kept"]


def test_revoke__three_nodes_with_twenty_volumes__all_locked_with_receipts(fleet):
    cluster = fleet.create("many", {EAST: MANY, WEST: MANY, EUROPE: MANY})
    fleet.enable(cluster, {EAST: "one", WEST: "one", EUROPE: "one"})
    places = write(fleet, cluster, "kept")
    assert sum(map(len, places.values())) == 3 * MANY
    fleet.act(cluster, "REVOKE")
    info = fleet.wait_cmek(cluster, "REVOKED")
    for mounts in places.values():
        assert readable(mounts) == [None] * MANY
    assert not any("receipt" in key["user_message"] for region in info["region_infos"] for key in region["key_infos"]), info
    check_bound(fleet, cluster, check_receipts(fleet, cluster, 3 * MANY))
    fleet.act(cluster, "RESTORE")
    fleet.wait_cmek(cluster, "ENABLED")
    check_readable(fleet, cluster, "kept")


def test_node_killed_while_revoking__is_named__and_locks_when_it_is_back(fleet):
    cluster = fleet.create("killed", {EAST: 1, WEST: 1})
    fleet.enable(cluster, {EAST: "one", WEST: "one"})
    places = write(fleet, cluster, "kept")
    node = next(n for n in fleet.nodes.values() if n.region == WEST)
    node.kill()
    fleet.act(cluster, "REVOKE")
    proc.wait_until(lambda: fleet.regions(cluster) == {EAST: "REVOKED", WEST: "REVOKING"}, "the other region is REVOKED")
    message = fleet.cmek(cluster)["region_infos"][1]["key_infos"][0]["user_message"]
    assert node.name in message, message
    node.start()
    fleet.wait_cmek(cluster, "REVOKED")
    assert readable(places[WEST]) == [None]
    check_receipts(fleet, cluster, 2)
    fleet.act(cluster, "RESTORE")
    fleet.wait_cmek(cluster, "ENABLED")
    assert readable(fleet.mounts(cluster)[WEST]) == ["kept"]


def test_control_plane_killed_in_each_operation__each_ends_as_if_nothing_had_been(fleet):
    def kill():
        fleet.serve.kill()
        fleet.serve.start()

    cluster = fleet.call("POST", "/api/v1/clusters", {
        "name": "shaken", "provider": "AWS", "spec": {"dedicated": {"region_nodes": {EAST: 2, WEST: 1}}}})["id"]
    kill()
    fleet.wait_cluster(cluster)
    fleet.hurry(cluster)
    for name in ("one", "two"):
        fleet.kms.make(name)
        fleet.kms.grant(name, fleet.organisation)
    cmek = f"/api/v1/clusters/{cluster}/cmek"
    fleet.call("POST", cmek, {"region_specs": [fleet.kms.region_spec(EAST, "one"), fleet.kms.region_spec(WEST, "one")]})
    kill()
    fleet.wait_cmek(cluster, "ENABLED")
    places = write(fleet, cluster, "kept")
    fleet.call("PUT", cmek, {"region_specs": [fleet.kms.region_spec(EAST, "two")]})
    kill()
    fleet.wait_cmek(cluster, "ENABLED")
    assert [k["status"] for k in fleet.cmek(cluster)["region_infos"][0]["key_infos"]] == ["ENABLED", "DISABLED"]
    fleet.act(cluster, "REVOKE")
    kill()
    fleet.wait_cmek(cluster, "REVOKED")
    assert readable(places[EAST] + places[WEST]) == [None] * 3
    check_receipts(fleet, cluster, 3)
    fleet.act(cluster, "RESTORE")
    kill()
    fleet.wait_cmek(cluster, "ENABLED")
    places = fleet.mounts(cluster)
    assert readable(places[EAST] + places[WEST]) == ["kept"] * 3
    fleet.call("POST", "/v1/audit/verify", key=fleet.platform_key)
    fleet.call("DELETE", f"/api/v1/clusters/{cluster}")
    kill()
    proc.wait_until(lambda: fleet.call("GET", f"/api/v1/clusters/{cluster}")["state"] == "DELETED", "the cluster is DELETED", 120)
    assert fleet.mounts(cluster) == {}


def starts(kind, mounts):
    """How often the log of the engine on a volume says that it started."""
    where = os.path.join(mounts[0], "engine", "log")
    texts = [whole(os.path.join(where, name)) for name in sorted(os.listdir(where))]
    return "".join(texts).count(kind.START)


def whole(path):
    with open(path, errors="replace") as f:
        return f.read()


@pytest.mark.parametrize("kind", [Redis, Postgresql], ids=lambda kind: kind.engine)
def test_host_loses_power_while_its_key_service_is_away__stays_locked_says_why_and_recovers(fleet, kind):
    if not shutil.which(kind.program):
        pytest.skip(f"{kind.program} is not installed here")
    cluster = fleet.create("unplugged", {EAST: 1}, engine=kind.engine)
    fleet.enable(cluster, {EAST: "one"})
    client = kind(fleet, cluster)
    client.write("kept")
    places = fleet.mounts(cluster)[EAST]
    assert starts(kind, places) == 1
    node = next(n for n in fleet.nodes.values() if n.region == EAST)
    fleet.kms.kill()

    def told():
        """What is known of it now; its engine is never tried while it is shut."""
        volume, = fleet.volumes(cluster)
        assert volume["engine"]["state"] in ("RUNNING", "STOPPED"), volume
        return volume

    def is_locked():
        done = fleet.cli.run("volume", "status", places[0], "-o", "json", check=False)
        return done.returncode == 0 and json.loads(done.stdout)["state"] == "LOCKED"

    def message():
        return fleet.cmek(cluster)["region_infos"][0]["key_infos"][0]["user_message"]

    for _ in range(2):  # the second time nothing was open before
        node.lose_power()
        node.start()
        proc.wait_until(is_locked, "there is a volume process again, and it is shut")
        proc.wait_until(lambda: (told()["access"], told()["engine"]["state"]) == ("LOCKED", "STOPPED"), "the node tells that it is shut")
        assert told()["cause"] == "UNREACHABLE"
        proc.wait_until(lambda: "reach" in message() and node.name in message(), "the customer is told why")
        assert fleet.regions(cluster) == {EAST: "ENABLED"}, "silence is no denial"
        assert readable(places) == [None] and client.is_gone()
    fleet.kms.start()
    assert client.read() == ["kept"]
    assert fleet.volumes(cluster)[0]["access"] == "OPEN"
    assert starts(kind, fleet.mounts(cluster)[EAST]) == 2, "it was started without its data"


def test_control_plane_out_of_reach__data_stays__and_a_no_of_the_key_service_locks_all_the_same(fleet):
    cluster = fleet.create("cut-off", {EAST: 1})
    fleet.enable(cluster, {EAST: "one"})
    places = write(fleet, cluster, "kept")
    fleet.serve.kill()
    assert readable(places[EAST]) == ["kept"]
    fleet.kms.act("disable", "one")
    proc.wait_until(lambda: readable(places[EAST]) == [None], "the volume is locked")
    fleet.serve.start()
    fleet.wait_cmek(cluster, "REVOKED")
    fleet.kms.act("enable", "one")
    fleet.wait_cmek(cluster, "ENABLED")
