# SPDX-License-Identifier: Apache-2.0
"""Goal: the commands of the guides for customer-managed keys of CockroachDB Cloud, as they stand there but for host, key and names, take a
cluster of real volumes with a real engine through its life: create, enable everywhere, look, rotate one region, take up a new version,
add a region, revoke, give back, delete."""
import json
import os
import subprocess

import pytest

from harness import proc
from harness.clients import Redis
from harness.fleet import Fleet

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")

CREATE = """
curl --silent --show-error --request POST \\
  --url ${URL}/api/v1/clusters \\
  --header "Authorization: Bearer ${API_KEY}" \\
  --header 'content-type: application/json' \\
  --data '{"name":"guide-cluster","provider":"AWS","plan":"ADVANCED","spec":{"dedicated":{"region_nodes":{"us-east-1":1,"us-west-2":1},
           "hardware":{"storage_gib":15,"machine_spec":{"num_virtual_cpus":4}},"cockroach_version":"v25.2"},
           "labels":{"keystead-engine":"redis"}}}'
"""
SHOW = """
curl --silent --show-error --request GET \\
  --url ${URL}/api/v1/clusters/${CLUSTER_ID} \\
  --header "Authorization: Bearer ${API_KEY}"
"""
STATUS = """
curl --silent --show-error --request GET \\
  --url ${URL}/api/v1/clusters/${CLUSTER_ID}/cmek \\
  --header "Authorization: Bearer ${API_KEY}"
"""
ORGANIZATION = """
curl --silent --show-error --request GET \\
  --url ${URL}/api/v1/organization \\
  --header "Authorization: Bearer ${API_KEY}"
"""
SEND = """
curl --silent --show-error --request %s \\
  --url ${URL}/api/v1/clusters/${CLUSTER_ID}%s \\
  --header "Authorization: Bearer ${API_KEY}" \\
  --header 'content-type: application/json' \\
  --data "@cmek_config.json"
"""
ACT = """
curl --silent --show-error --request PATCH \\
  --url ${URL}/api/v1/clusters/${CLUSTER_ID}/cmek \\
  --header "Authorization: Bearer ${API_KEY}" \\
  --header 'content-type: application/json' \\
  --data '{"action":"%s"}'
"""
DELETE = """
curl --silent --show-error --request DELETE \\
  --url ${URL}/api/v1/clusters/${CLUSTER_ID} \\
  --header "Authorization: Bearer ${API_KEY}"
"""


class Shell:
    """bash with the variables of the guides, in a directory of its own."""

    def __init__(self, fleet):
        self.dir = os.path.join(fleet.work, "guide")
        os.mkdir(self.dir)
        self.variables = {"URL": fleet.url, "API_KEY": fleet.key, "CLUSTER_ID": ""}

    def run(self, script, pick=None):
        """The text that jq picks out of the reply; the reply without pick."""
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script.rstrip() + (f" | jq -r '{pick}'" if pick else "")], cwd=self.dir,
                              capture_output=True, text=True, timeout=90, env={**os.environ, **self.variables}, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip() if pick else json.loads(done.stdout)

    def config(self, specs):
        with open(os.path.join(self.dir, "cmek_config.json"), "w") as f:
            json.dump({"region_specs": specs}, f, indent=2)

    def wait(self, script, pick, wanted, timeout=120):
        return proc.wait_until(lambda: self.run(script, pick) == wanted, f"{pick} is {wanted}", timeout, 0.2)


@pytest.fixture
def fleet(cli, work):
    made = Fleet(cli, work, REGIONS)
    yield made
    made.close()


def test_the_guides__region_by_region__each_command_does_what_it_says(fleet):
    shell, kms = Shell(fleet), fleet.kms
    shell.variables["CLUSTER_ID"] = shell.run(CREATE, ".id")
    shell.wait(SHOW, ".state", "CREATED")
    fleet.hurry(shell.variables["CLUSTER_ID"])
    assert shell.run(STATUS, ".status") == "DISABLED"
    data = Redis(fleet, shell.variables["CLUSTER_ID"])
    data.write("kept")

    # enable, one key for each region; the trust of the roles is what the guide reads
    account = shell.run(SHOW, ".account_id")
    organisation = shell.run(ORGANIZATION, ".id")
    for name in ("east", "west", "west2", "europe"):
        kms.make(name)
        kms.grant(name, organisation, account)
    shell.config([kms.region_spec("us-east-1", "east")])
    assert "us-west-2" in shell.run(SEND % ("POST", "/cmek"), ".message")
    shell.config([kms.region_spec("us-east-1", "east"), kms.region_spec("us-west-2", "west")])
    assert shell.run(SEND % ("POST", "/cmek"), ".status") == "ENABLING"
    assert shell.run(SHOW, ".state") in ("LOCKED", "CREATED")
    shell.wait(STATUS, ".status", "ENABLED")
    shell.wait(SHOW, ".state", "CREATED")
    assert shell.run(STATUS, ".region_infos[1].key_infos[0].spec.uri") == kms.arn("west")

    # another key for one region
    shell.config([kms.region_spec("us-west-2", "west2")])
    assert shell.run(SEND % ("PUT", "/cmek"), ".region_infos[1].status") == "ROTATING"
    shell.wait(STATUS, ".status", "ENABLED")
    assert shell.run(STATUS, "[.region_infos[1].key_infos[].status] | join(\",\")") == "ENABLED,DISABLED"

    # a new version of the same key
    kms.act("rotate", "west2")
    shell.run(SEND % ("PUT", "/cmek"), ".status")
    shell.wait(STATUS, ".status", "ENABLED")

    # a region more, with its key: first as the specification has it, ...
    assert "eu-west-1" in shell.run(SHOW.replace("/${CLUSTER_ID}", "/available-regions"), "[.regions[].name] | join(\",\")")
    shell.config([kms.region_spec("eu-west-1", "europe")])
    assert shell.run(SEND % ("PATCH", ""), ".state") == "LOCKED"
    shell.wait(SHOW, ".state", "CREATED")
    shell.wait(STATUS, ".status", "ENABLED")
    assert shell.run(SHOW, "[.regions[].name] | join(\",\")") == "eu-west-1,us-east-1,us-west-2"
    assert data.read() == ["kept"] * 2
    data = Redis(fleet, shell.variables["CLUSTER_ID"])
    data.write("kept, too")

    # revoke: at the key service, then here
    for name in ("east", "west2", "europe"):
        kms.take_back(name)
    shell.run(ACT % "REVOKE", ".status")
    shell.wait(STATUS, ".status", "REVOKED")
    assert data.is_gone()

    # what support does elsewhere
    for name in ("east", "west2", "europe"):
        kms.grant(name, fleet.organisation)
    assert shell.run(ACT % "RESTORE", ".status") in ("ENABLING", "ENABLED")
    shell.wait(STATUS, ".status", "ENABLED")
    assert data.read() == ["kept, too"] * 3

    assert shell.run(DELETE, ".id") == shell.variables["CLUSTER_ID"]
    shell.wait(SHOW, ".state", "DELETED")
    assert data.is_gone()


def test_errors__as_clients_read_them__code_and_message(fleet):
    shell = Shell(fleet)
    shell.variables["CLUSTER_ID"] = "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11"
    assert shell.run(SHOW, "(.code|tostring) + \" \" + (.message|type)") == "5 string"
    assert shell.run(SHOW.replace("--header", "--header 'Cc-Version: 2021-01-01' --header"), ".message") == "invalid Cc-Version"
    shell.variables["API_KEY"] = "ksk_no_key"
    assert shell.run(SHOW, "(.code|tostring) + \" \" + (.message|type)") == "16 string"
