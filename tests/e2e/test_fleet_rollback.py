# SPDX-License-Identifier: Apache-2.0
"""Goal: in a fleet a keyring that somebody puts back is not opened, also when the node's own notes are gone; who writes these notes can have it
opened, and that is in the audit; nothing is lost; an administrator who restored a backup can say so, and that is in the audit. Each with a real
control plane, node and volume."""
import json
import os
import shutil

import pytest

from harness import proc
from harness.data import readable, write
from harness.fleet import Fleet, Refused
from harness.keyring import claiming

EAST = "us-east-1"


@pytest.fixture
def fleet(cli, work):
    made = Fleet(cli, work, (EAST,))
    yield made
    made.close()


def directory(fleet, volume):
    return os.path.join(fleet.nodes["n0"].dir, "volumes", volume["id"])


def keyrings(fleet, volume):
    return [os.path.join(directory(fleet, volume), "backing", f"keyring.{n}") for n in range(2)]


def put_back(fleet, volume, kept):
    for path, data in zip(keyrings(fleet, volume), kept):
        with open(path, "wb") as f:
            f.write(data)


def only(fleet, cluster):
    volume, = fleet.volumes(cluster)
    return volume


def wait_sequence(fleet, cluster, least):
    return proc.wait_until(lambda: (only(fleet, cluster)["keyring"]["sequence"] or 0) >= least and only(fleet, cluster),
                           f"a keyring of sequence {least} is known", 60, 0.05)


def wait_volume(fleet, cluster, access, cause):
    def so():
        volume = only(fleet, cluster)
        return volume if (volume["access"], volume["cause"]) == (access, cause) else None
    return proc.wait_until(so, f"the volume is {access}, {cause}", 90, 0.05)


def events(fleet, cluster, action):
    return fleet.call("GET", f"/v1/audit?cluster={cluster}&action={action}")["items"]


@pytest.fixture
def rolled_back(fleet):
    """A cluster whose node stands still, its keyring from before a rotation in place of today's; also today's."""
    cluster = fleet.create("orders", {EAST: 1})
    write(fleet, cluster, "kept")
    volume = wait_sequence(fleet, cluster, 1)
    kept = [open(path, "rb").read() for path in keyrings(fleet, volume)]
    operation = fleet.call("POST", f"/v1/clusters/{cluster}/cmek", {"action": "ROTATE", "level": "store"})
    assert fleet.call("GET", f"/v1/operations/{operation['id']}?wait=50")["state"] == "SUCCEEDED"
    wait_sequence(fleet, cluster, volume["keyring"]["sequence"] + 1)
    fleet.nodes["n0"].stop()
    today = [open(path, "rb").read() for path in keyrings(fleet, volume)]
    put_back(fleet, volume, kept)
    return cluster, today


def test_keyring_put_back__is_refused_told_and_opens_when_its_own_is_back(fleet, rolled_back):
    cluster, today = rolled_back
    fleet.nodes["n0"].start()
    volume = wait_volume(fleet, cluster, "FAILED", "ROLLED_BACK")
    assert volume["keyring"]["found"] < volume["keyring"]["sequence"]
    assert f"keystead cluster accept-rollback orders {EAST}/0" in volume["message"]
    assert readable(fleet.mounts(cluster)[EAST]) == [None]
    region, = fleet.call("GET", f"/v1/clusters/{cluster}/regions")["items"]
    assert (region["access"], region["cause"]) == ("FAILED", "ROLLED_BACK")
    event, = events(fleet, cluster, "volume.rolled_back")
    assert event["object"] == f"volume/{volume['id']}"
    put_back(fleet, volume, today)
    volume = wait_volume(fleet, cluster, "OPEN", "NONE")
    assert volume["keyring"]["found"] is None
    assert readable(fleet.mounts(cluster)[EAST]) == ["kept"]
    assert events(fleet, cluster, "volume.rolled_back") == [event]


def test_keyring_put_back__on_a_node_that_forgot__is_refused_until_an_administrator_accepts_it(fleet, rolled_back, cli, work):
    cluster, _ = rolled_back
    volume = only(fleet, cluster)
    for name in ("deed.json", "wish.json"):
        os.unlink(os.path.join(directory(fleet, volume), name))
    fleet.nodes["n0"].start()
    volume = wait_volume(fleet, cluster, "FAILED", "ROLLED_BACK")
    found, path = volume["keyring"]["found"], f"/v1/clusters/{cluster}/volumes/{volume['id']}/accept-rollback"

    operator = fleet.call("POST", "/v1/api-keys", {"name": "op", "role": "OPERATOR", "organisation": fleet.organisation})
    for body, key, status in (({"sequence": found}, operator["secret"], 403), ({"sequence": found + 1}, None, 409),
                              ({}, None, 400), ({"sequence": found, "more": 1}, None, 400)):
        with pytest.raises(Refused) as refused:
            fleet.call("POST", path, body, key)
        assert refused.value.status == status, refused.value
    assert events(fleet, cluster, "volume.accept_rollback") == []

    key_file = os.path.join(work, "admin.key")
    shutil.copy(os.path.join(fleet.dir, "admin.key"), key_file)
    at = ("--server", fleet.url, "--key-file", key_file)
    done = cli.run("cluster", "accept-rollback", "orders", f"{EAST}/0", *at, "--yes", "other", check=False)
    assert done.returncode == 2 and "nothing changed" in done.stderr
    done = cli.run("cluster", "accept-rollback", "orders", f"{EAST}/0", *at, "--yes", "orders", "-o", "json")
    assert json.loads(done.stdout)["keyring"] == {"sequence": found, "found": None}
    wait_volume(fleet, cluster, "OPEN", "NONE")
    assert readable(fleet.mounts(cluster)[EAST]) == ["kept"]
    event, = events(fleet, cluster, "volume.accept_rollback")
    assert event["detail"]["to"] == found and event["detail"]["from"] > found
    with pytest.raises(Refused) as refused:
        fleet.call("POST", path, {"sequence": found})
    assert refused.value.status == 409


def test_keyring_put_back__with_notes_that_claim_an_acceptance__opens_and_is_in_the_audit(fleet, rolled_back):
    """Not prevented: a restored control plane must believe a node that knows of more. But told."""
    cluster, _ = rolled_back
    volume = only(fleet, cluster)
    noted = volume["keyring"]["sequence"]
    path = os.path.join(directory(fleet, volume), "deed.json")
    with open(path) as f:
        deed = json.load(f)
    assert deed["keyring"]["sequence"] == noted and deed["keyring"]["accepted"] == 0
    deed["keyring"].update(sequence=noted - 1, accepted=1)
    with open(path, "w") as f:
        json.dump(deed, f)
    fleet.nodes["n0"].start()
    event = proc.wait_until(lambda: events(fleet, cluster, "volume.keyring_lowered"), "it is in the audit", 60, 0.05)[0]
    assert event["object"] == f"volume/{volume['id']}"
    assert (event["detail"]["from"], event["detail"]["to"], event["detail"]["other_keyring"]) == (noted, noted - 1, False)
    wait_volume(fleet, cluster, "OPEN", "NONE")
    assert events(fleet, cluster, "volume.accept_rollback") == []


def test_keyring_put_back__beside_a_forged_copy_with_a_higher_number__cannot_be_accepted_until_that_is_away(fleet, rolled_back):
    """Accepting the number of the forged copy would have every true keyring refused."""
    cluster, _ = rolled_back
    volume = only(fleet, cluster)
    forged = keyrings(fleet, volume)[1]
    with open(forged, "rb") as f:
        copy = f.read()
    with open(forged, "wb") as f:
        f.write(claiming(copy, 1 << 40))
    fleet.nodes["n0"].start()
    volume = wait_volume(fleet, cluster, "FAILED", "ROLLED_BACK")
    assert volume["keyring"]["found"] is None
    assert "move the forged keyring.1 away" in volume["message"], volume["message"]
    path = f"/v1/clusters/{cluster}/volumes/{volume['id']}/accept-rollback"
    with pytest.raises(Refused) as refused:
        fleet.call("POST", path, {"sequence": 1 << 40})
    assert refused.value.status == 409
    os.unlink(forged)
    found = proc.wait_until(lambda: only(fleet, cluster)["keyring"]["found"], "the other copy is found", 60, 0.05)
    assert found < volume["keyring"]["sequence"]
    fleet.call("POST", path, {"sequence": found})
    wait_volume(fleet, cluster, "OPEN", "NONE")
    assert readable(fleet.mounts(cluster)[EAST]) == ["kept"]
