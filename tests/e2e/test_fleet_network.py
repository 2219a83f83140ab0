# SPDX-License-Identifier: Apache-2.0
"""Goal: when the network between the hosts of a fleet falls silent, nothing that is to be locked is told to be locked before it is, nothing that the
key service refuses stays open, and everything ends in its state by itself when the network is back. Hosts are network namespaces."""
import os

import pytest

from harness import network, proc
from harness.data import check_receipts, readable, write
from harness.fleet import SHORT_GRACE, Fleet

EAST, WEST = "us-east-1", "us-west-2"
CUT, NODE = "n1", "n0"  # the node that the trouble is about, of WEST, and the other one
POLL_SECONDS_LESS = 50


@pytest.fixture
def net():
    why = network.missing()
    if why:
        pytest.skip(why)
    with network.Network(("serve", "kms", NODE, CUT)) as made:
        yield made


@pytest.fixture
def fleet(cli, work, net):
    made = Fleet(cli, work, (EAST, WEST), net=net)
    yield made
    made.close()


@pytest.fixture
def cluster(fleet):
    made = fleet.create("orders", {EAST: 1, WEST: 1}, lease=SHORT_GRACE)
    fleet.enable(made, {EAST: "one", WEST: "one"})
    return made


def region(fleet, cluster, name):
    return next(r for r in fleet.call("GET", f"/v1/clusters/{cluster}/cmek")["regions"] if r["region"] == name)


def message(fleet, cluster):
    """What the status says of the key of the node in trouble."""
    info = next(r for r in fleet.cmek(cluster)["region_infos"] if r["region"] == WEST)
    return info["key_infos"][0]["user_message"]


def wait_names_the_node(fleet, cluster):
    """Everything but the node in trouble has locked, and it is told what is waited for."""
    proc.wait_until(lambda: fleet.regions(cluster) == {EAST: "REVOKED", WEST: "REVOKING"}, "the other region is REVOKED")
    proc.wait_until(lambda: CUT in message(fleet, cluster), "the status names the node")


def test_silence_before_the_control_plane__revoke__not_claimed_until_the_node_has_locked(fleet, cluster, net):
    places = write(fleet, cluster, "kept")
    net.cut("serve", CUT)
    fleet.act(cluster, "REVOKE")
    wait_names_the_node(fleet, cluster)
    assert readable(places[EAST]) == [None]
    assert readable(places[WEST]) == ["kept"], "its key service allows it, and it has not heard of the revoke"
    net.mend("serve", CUT)
    fleet.wait_cmek(cluster, "REVOKED")
    assert readable(places[WEST]) == [None]
    check_receipts(fleet, cluster, 2)
    fleet.act(cluster, "RESTORE")
    fleet.wait_cmek(cluster, "ENABLED")
    assert readable(fleet.mounts(cluster)[WEST]) == ["kept"]


def test_host_unplugged__revoke__locks_by_itself_and_proves_it_when_it_is_back(fleet, cluster, net):
    places = write(fleet, cluster, "kept")
    net.unplug(CUT)
    fleet.act(cluster, "REVOKE")
    wait_names_the_node(fleet, cluster)
    proc.wait_until(lambda: readable(places[WEST]) == [None], "the grace is over")
    assert fleet.regions(cluster)[WEST] == "REVOKING", "nobody can know that"
    net.plug(CUT)
    fleet.wait_cmek(cluster, "REVOKED")
    check_receipts(fleet, cluster, 2)
    fleet.act(cluster, "RESTORE")
    fleet.wait_cmek(cluster, "ENABLED")
    assert readable(fleet.mounts(cluster)[WEST]) == ["kept"]


def test_silence_before_the_key_service__grace_then_locked__and_open_again_by_itself(fleet, cluster, net):
    places = write(fleet, cluster, "kept")
    net.cut("kms", CUT)
    proc.wait_until(lambda: region(fleet, cluster, WEST)["access"] == "GRACE", "the region is on its grace")
    proc.wait_until(lambda: region(fleet, cluster, WEST)["access"] == "LOCKED", "the grace is over")
    assert region(fleet, cluster, WEST)["cause"] == "UNREACHABLE"
    assert fleet.regions(cluster) == {EAST: "ENABLED", WEST: "ENABLED"}, "silence is no denial"
    assert CUT in message(fleet, cluster)
    assert readable(places[WEST]) == [None]
    assert readable(places[EAST]) == ["kept"]
    net.mend("kms", CUT)
    proc.wait_until(lambda: region(fleet, cluster, WEST)["access"] == "OPEN", "the region is open again")
    assert region(fleet, cluster, WEST)["cause"] == "NONE"
    assert readable(fleet.mounts(cluster)[WEST]) == ["kept"]


def test_silence_before_the_control_plane__key_disabled__locks_without_it(fleet, cluster, net):
    places = write(fleet, cluster, "kept")
    net.cut("serve", CUT)
    fleet.kms.act("disable", "one")
    proc.wait_until(lambda: readable(places[WEST]) == [None], "the volume is locked")
    proc.wait_until(lambda: fleet.regions(cluster)[EAST] == "REVOKED", "the other region is REVOKED")
    net.mend("serve", CUT)
    proc.wait_until(lambda: fleet.regions(cluster)[WEST] == "REVOKED", "its node has told")
    assert region(fleet, cluster, WEST)["cause"] == "DENIED"
    fleet.kms.act("enable", "one")
    fleet.wait_cmek(cluster, "ENABLED")
    assert readable(fleet.mounts(cluster)[WEST]) == ["kept"]


def test_connections_forgotten_on_the_way__revoke__is_heard_long_before_the_poll_would_end(fleet, cluster, net):
    """The answer to the long poll goes nowhere. The poll itself ends after 55 s, and its client gives up 20 s later."""
    places = write(fleet, cluster, "kept")
    assert net.forget_connections(CUT, fleet.node_port) > 0
    fleet.act(cluster, "REVOKE")
    proc.wait_until(lambda: readable(places[WEST]) == [None], "the node has heard of the revoke", POLL_SECONDS_LESS)
    fleet.wait_cmek(cluster, "REVOKED")
    assert readable(places[EAST]) == [None]
    check_receipts(fleet, cluster, 2)
