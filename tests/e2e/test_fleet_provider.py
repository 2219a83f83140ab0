# SPDX-License-Identifier: Apache-2.0
"""Goal: whoever does what the Terraform provider does finds its plans fulfilled, call by call, against real nodes: create, enable two regions,
rotate one, add one, revoke, import, destroy, and a grant that arrives late."""
import os
import shutil
import tempfile

import pytest

from harness.cockroach import Client, Provider, Refused
from harness.fleet import Fleet
from harness.keystead import Keystead

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"


@pytest.fixture(scope="module")
def fleet(top):
    work = tempfile.mkdtemp(prefix="fleet-", dir=top)
    os.chmod(work, 0o755)
    made = Fleet(Keystead(), work, (EAST, WEST, EUROPE))
    try:
        yield made
        made.close()
    finally:
        made.wreck()
        shutil.rmtree(work, ignore_errors=True)


@pytest.fixture
def provider(fleet):
    return Provider(fleet.url, fleet.key)


def make_keys(fleet, *names, granted=True):
    for name in names:
        fleet.kms.make(name)
        if granted:
            fleet.kms.grant(name, fleet.organisation)


def test_a_life__as_the_provider_goes_through_it__every_plan_is_empty_afterwards(fleet, provider):
    kms = fleet.kms
    make_keys(fleet, "p-east", "p-west", "p-west2", "p-europe")
    provider.create_cluster("provider", "AWS", {EAST: 1, WEST: 1}, {"keystead-engine": "none", "team": "<a&b>"})
    fleet.hurry(provider.id)
    specs = [kms.region_spec(WEST, "p-west"), kms.region_spec(EAST, "p-east")]  # not in the order of the reply
    provider.enable(specs)
    assert provider.plan() == []
    assert sorted(r["region"] for r in provider.import_cmek()) == [EAST, WEST]

    provider.rotate([kms.region_spec(WEST, "p-west2"), specs[1]])
    assert provider.plan() == []
    assert kms.region_spec(WEST, "p-west2") in provider.import_cmek()

    provider.add_region(kms.region_spec(EUROPE, "p-europe"), 1)
    assert provider.plan() == []

    provider.revoke()
    assert provider.plan(status="REVOKED") == []
    provider.revoke()  # with each later apply
    provider.destroy()
    provider.destroy()


def test_grant_on_its_way__enable__is_asked_again_until_it_is_there(fleet, provider):
    make_keys(fleet, "late", granted=False)
    provider.create_cluster("late-grant", "AWS", {EAST: 1})
    refusals = []

    def on_refusal(refused):
        refusals.append(refused)
        if len(refusals) == 2:
            fleet.kms.grant("late", fleet.organisation)

    provider.enable([fleet.kms.region_spec(EAST, "late")], on_refusal)
    assert {r.status for r in refusals} == {400}
    assert "sts:AssumeRole" in refusals[0].message
    assert provider.plan() == []
    provider.destroy()


def test_requests_that_arrive_twice__are_one(fleet, provider):
    make_keys(fleet, "twice")
    body = {"name": "sent-twice", "provider": "AWS", "spec": {"dedicated": {"region_nodes": {EAST: 1}}}}
    first, second = (provider.call("POST", "clusters", body) for _ in range(2))
    assert first["id"] == second["id"]
    provider.cluster = provider.wait_cluster(first["id"])
    specs = {"region_specs": [fleet.kms.region_spec(EAST, "twice")]}
    replies = [provider.call("POST", f"clusters/{first['id']}/cmek", specs) for _ in range(3)]
    assert all(r["status"] in ("ENABLING", "ENABLED") for r in replies)
    provider.wait_cmek()
    assert len(provider.get_cmek()["region_infos"][0]["key_infos"]) == 1
    assert provider.call("POST", f"clusters/{first['id']}/cmek", specs)["status"] == "ENABLED"
    provider.destroy()


def test_faults_that_waiting_does_not_mend__enable__are_told_at_once(fleet, provider):
    make_keys(fleet, "fault")
    provider.create_cluster("faulty", "AWS", {EAST: 1})
    path, spec = f"clusters/{provider.id}/cmek", fleet.kms.region_spec(EAST, "fault")
    faults = {
        "an unknown region": ([{**spec, "region": "mars-north-1"}], "mars-north-1"),
        "no region": ([], "region_specs"),
        "a region twice": ([spec, spec], EAST),
        "a key of another cloud": ([{"region": EAST, "key_spec": {
            "type": "GCP_CLOUD_KMS", "uri": "projects/p/locations/l/keyRings/r/cryptoKeys/k", "auth_principal": ""}}], "GCP"),
        "a malformed key": ([{"region": EAST, "key_spec": {**spec["key_spec"], "uri": "arn:of:nothing"}}], "arn:of:nothing"),
        "a type that is none": ([{"region": EAST, "key_spec": {**spec["key_spec"], "type": "FAX"}}], "FAX"),
    }
    for name, (specs, part) in faults.items():
        with pytest.raises(Refused) as refused:
            provider.call("POST", path, {"region_specs": specs})
        assert refused.value.status in (404, 409, 422), name
        assert part in refused.value.message, name
    with pytest.raises(Refused) as refused:
        provider.call("PATCH", path, {"action": "REVOKE"})
    assert refused.value.status == 409
    provider.destroy()


def test_lists__in_parts__every_cluster_once(fleet, provider):
    names = [f"listed-{i}" for i in range(5)]
    ids = [provider.create_cluster(name, "AWS", {EAST: 1})["id"] for name in names]
    for order, wanted in (("ASC", names), ("DESC", names[::-1])):
        seen, page = [], ""
        while True:
            query = f"clusters?pagination.limit=2&pagination.sort_by=NAME&pagination.sort_order={order}"
            part = provider.call("GET", query + (f"&pagination.page={page}" if page else ""))
            seen += [c["name"] for c in part["clusters"]]
            page = part["pagination"]["next_page"]
            if not page:
                break
        assert [name for name in seen if name in names] == wanted
    nodes = provider.call("GET", f"clusters/{ids[0]}/nodes")["nodes"]
    assert [(n["region_name"], n["status"]) for n in nodes] == [(EAST, "LIVE")]
    for cluster in ids:
        provider.call("DELETE", f"clusters/{cluster}")


def test_an_old_version__has_its_words__and_one_that_is_none_is_refused(fleet):
    made = Client(fleet.url, fleet.key).call("POST", "clusters", {
        "name": "old-words", "provider": "AWS", "spec": {"dedicated": {"region_nodes": {EAST: 1}}}})
    old = Client(fleet.url, fleet.key, "2023-04-10")
    assert old.call("GET", f"clusters/{made['id']}")["plan"] == "DEDICATED"
    with pytest.raises(Refused) as refused:
        Client(fleet.url, fleet.key, "2020-01-01").call("GET", f"clusters/{made['id']}")
    assert (refused.value.status, refused.value.message) == (400, "invalid Cc-Version")
    old.call("DELETE", f"clusters/{made['id']}")


def test_another_organisation__sees_nothing(fleet):
    made = Client(fleet.url, fleet.key).call("POST", "clusters", {
        "name": "not-yours", "provider": "AWS", "spec": {"dedicated": {"region_nodes": {EAST: 1}}}})
    other = Client(fleet.url, fleet.new_organisation("other")[1])
    assert other.call("GET", "clusters")["clusters"] == []
    for method, path, body in (("GET", "", None), ("GET", "/cmek", None), ("PATCH", "/cmek", {"action": "REVOKE"}), ("DELETE", "", None),
                               ("PATCH", "", {"labels": {}}), ("GET", "/backups-config", None), ("GET", "/nodes", None)):
        with pytest.raises(Refused) as refused:
            other.call(method, f"clusters/{made['id']}{path}", body)
        assert refused.value.status == 404
    Client(fleet.url, fleet.key).call("DELETE", f"clusters/{made['id']}")
