# SPDX-License-Identifier: Apache-2.0
"""Goal: OpenTofu finds its plans fulfilled by the dialect of CockroachDB Cloud, against real volumes with a real engine: a cluster, keys in two
regions, one rotated, a region added, revoked, imported, destroyed; a grant that arrives while the provider waits for it.

The provider is the one in tests/peers/terraform, or the real one where KEYSTEAD_COCKROACH_PROVIDER names a directory that has it."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

from conftest import BUILD, ROOT, peer_dir

sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness import proc  # noqa: E402
from harness.clients import Redis  # noqa: E402
from harness.fleet import Fleet  # noqa: E402
from harness.keystead import Keystead  # noqa: E402

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
EMPTY, CHANGES = 0, 2  # of plan -detailed-exitcode

CONFIGURATION = """
terraform {
  required_providers {
    cockroach = { source = "cockroachdb/cockroach" }
  }
}
resource "cockroach_cluster" "orders" {
  name           = "%(name)s"
  cloud_provider = "AWS"
  plan           = "ADVANCED"
  dedicated      = { storage_gib = 15, num_virtual_cpus = 4 }
  regions        = [{ name = "us-west-2", node_count = 1 }, { name = "us-east-1", node_count = 1 }]
  labels         = { keystead-engine = "%(engine)s" }
}
resource "cockroach_cmek" "orders" {
  id = cockroach_cluster.orders.id
  %(more)s
  regions = [%(regions)s]
}
"""


class Tofu:
    """One configuration and its state."""

    def __init__(self, fleet, directory, name, engine="none"):
        self.fleet, self.dir, self.name, self.engine = fleet, directory, name, engine
        provider = os.environ.get("KEYSTEAD_COCKROACH_PROVIDER") or peer_dir("terraform") / "bin"
        rc = directory / "tofu.rc"
        rc.write_text(f'provider_installation {{\n  dev_overrides {{ "cockroachdb/cockroach" = "{provider}" }}\n  direct {{}}\n}}\n')
        self.environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(rc), "COCKROACH_SERVER": fleet.url, "COCKROACH_API_KEY": fleet.key,
                            "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}

    def write(self, keys, more=""):
        """keys: names of keys by region, in the order in which the configuration has them."""
        regions = ", ".join(
            '{ region = "%s", key = { type = "AWS_KMS", uri = "%s", auth_principal = "%s" } }'
            % (region, spec["uri"], spec["auth_principal"])
            for region, spec in ((region, self.fleet.kms.key_spec(name)) for region, name in keys.items()))
        text = CONFIGURATION % {"name": self.name, "engine": self.engine, "more": more, "regions": regions}
        (self.dir / "main.tf").write_text(text)

    def start(self, *args):
        return subprocess.Popen([peer_dir("terraform") / "bin/tofu", *args, "-no-color"], cwd=self.dir, env=self.environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, *args, status=0):
        process = self.start(*args)
        text, _ = process.communicate(timeout=300)
        assert process.returncode == status, f"tofu {' '.join(args)}: {process.returncode}\n{text}"
        return text

    def apply(self):
        return self.run("apply", "-auto-approve", "-input=false")

    def plan(self, status=EMPTY):
        return self.run("plan", "-detailed-exitcode", "-input=false", status=status)

    def state(self, resource):
        resources = json.loads(self.run("show", "-json"))["values"]["root_module"]["resources"]
        return next(r["values"] for r in resources if r["type"] == resource)


    def was_refused(self, name):
        """Whether the check of the keys of this cluster has come to its end."""
        clusters = self.fleet.call("GET", "/v1/clusters")["items"]
        ids = [c["id"] for c in clusters if c["name"] == name]
        operations = self.fleet.call("GET", f"/v1/operations?cluster={ids[0]}")["items"] if ids else []
        return any(o["kind"] == "CMEK_CHECK" and o["state"] == "FAILED" for o in operations)


@pytest.fixture(scope="module")
def fleet():
    peer_dir("terraform")
    if os.geteuid() != 0:
        pytest.skip("nodes mount volumes: needs root")
    proc.adopt_orphans()
    work = tempfile.mkdtemp(prefix="keystead-peers-", dir="/var/tmp")
    os.chmod(work, 0o755)  # engines run as other users
    made = Fleet(Keystead(str(BUILD / "src/cli/keystead")), work, (EAST, WEST, EUROPE))
    try:
        yield made
        made.close()
    finally:
        made.wreck()
        shutil.rmtree(work, ignore_errors=True)


def make_keys(fleet, *names):
    for name in names:
        fleet.kms.make(name)
        fleet.kms.grant(name, fleet.organisation)


def test_a_life__from_the_first_apply_to_destroy__every_plan_is_empty_afterwards(fleet, tmp_path):
    make_keys(fleet, "west", "west2", "east", "europe")
    tofu = Tofu(fleet, tmp_path, "terraformed", engine="redis")
    tofu.write({WEST: "west", EAST: "east"})
    tofu.apply()
    tofu.plan()
    fleet.hurry(tofu.state("cockroach_cluster")["id"])
    data = Redis(fleet, tofu.state("cockroach_cluster")["id"])
    data.write("kept")

    tofu.write({WEST: "west2", EAST: "east"})
    tofu.plan(CHANGES)
    tofu.apply()
    tofu.plan()

    added = f'additional_regions = [{{ name = "{EUROPE}", node_count = 1 }}]'
    tofu.write({WEST: "west2", EAST: "east", EUROPE: "europe"}, added)
    tofu.apply()
    tofu.plan()
    assert data.read() == ["kept"] * 2

    tofu.write({WEST: "west2", EAST: "east", EUROPE: "europe"}, added + '\n  status = "REVOKED"')
    tofu.apply()
    tofu.plan()
    assert data.is_gone()
    cluster = tofu.state("cockroach_cluster")["id"]
    fleet.act(cluster, "RESTORE")
    fleet.wait_cmek(cluster, "ENABLED")
    assert data.read() == ["kept"] * 2

    # what was made without it can be taken over
    tofu.run("state", "rm", "cockroach_cmek.orders", "cockroach_cluster.orders")
    tofu.run("import", "cockroach_cluster.orders", cluster)
    tofu.run("import", "cockroach_cmek.orders", cluster)
    assert sorted(r["key"]["uri"] for r in tofu.state("cockroach_cmek")["regions"]) == sorted(
        fleet.kms.arn(name) for name in ("west2", "east", "europe"))

    tofu.run("destroy", "-auto-approve", "-input=false")
    proc.wait_until(lambda: fleet.call("GET", f"/api/v1/clusters/{cluster}")["state"] == "DELETED", "the cluster is DELETED", 120)


def test_grant_that_arrives_late__apply_waits_for_it(fleet, tmp_path):
    fleet.kms.make("late")
    tofu = Tofu(fleet, tmp_path, "late-grant")
    tofu.write({WEST: "late", EAST: "late"})
    process = tofu.start("apply", "-auto-approve", "-input=false")
    try:
        proc.wait_until(lambda: tofu.was_refused("late-grant"), "the provider was told that the grant is missing", 60, 0.2)
        assert process.poll() is None
        fleet.kms.grant("late", fleet.organisation)
        text, _ = process.communicate(timeout=120)
        assert process.returncode == 0, text
    finally:
        process.kill()
        process.wait()
    tofu.plan()
    tofu.run("destroy", "-auto-approve", "-input=false")
