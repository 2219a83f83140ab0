# SPDX-License-Identifier: Apache-2.0
"""Goal of this test: the JavaScript clients of AWS and Google, unchanged, take the embedded key service for theirs. The
journeys are in aws_client.mjs and google_client.mjs; with a service that does not keep its word they must fail."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import peer_dir
from kms_service import REGION, KmsService, environment

HERE = Path(__file__).parent
PROVIDER = "444455556666"
EXTERNAL_ID = "org-6f1c9a1e"
HOUR_MS = 3600 * 1000


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The journeys, in a folder where node finds the clients."""
    peer, folder = peer_dir("npm"), tmp_path_factory.mktemp("npm")
    (folder / "node_modules").symlink_to(peer / "node_modules")
    for name in ("aws_client.mjs", "google_client.mjs"):
        shutil.copy(HERE / name, folder)
    return folder


@pytest.fixture(scope="module")
def service(programs, tmp_path_factory):
    made = KmsService(tmp_path_factory.mktemp("kms")).start("--dial")
    yield made
    made.stop()


@pytest.fixture
def dialled(service):
    yield lambda **rule: service.admin("POST", "dial", rule)
    service.admin("DELETE", "dial")


@pytest.fixture(scope="module")
def aws(service):
    """The environment of AWS's client: a customer's key and role, and the profiles of a provider's user."""
    service.run("kms", "account", "create", PROVIDER)
    service.run("kms", "key", "create", "orders", "--region", REGION)
    made = json.loads(service.run("kms", "role", "create", "database", "--of-key", "orders", "--trust", PROVIDER,
                                  "--external-id", EXTERNAL_ID, "--region", REGION, "-o", "json").stdout)
    service.run("kms", "user", "create", "node", "--account", PROVIDER)
    secrets = (service.dir / f"{PROVIDER}.node.credentials").read_text()
    credentials, config = service.top / "credentials", service.top / "config"
    credentials.write_text(secrets.replace("[default]", "[provider]"))
    config.write_text("".join(
        f"[profile {name}]\nrole_arn = {made['role']}\nexternal_id = {external_id}\nsource_profile = provider\n"
        for name, external_id in (("customer", EXTERNAL_ID), ("other-organisation", "org-other"))))
    return {**environment(service), "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
            "AWS_CONFIG_FILE": str(config), "ROLE": made["role"], "EXTERNAL_ID": EXTERNAL_ID, "KEY": made["key"]}


@pytest.fixture(scope="module")
def google(service):
    """The environment of Google's client: the owner of a project."""
    owner = service.top / "owner.json"
    owner.write_text(json.dumps(service.admin("POST", "projects", {"project": "customer"})))
    return {"ENDPOINT": service.url, "GOOGLE_APPLICATION_CREDENTIALS": str(owner), "HOME": str(service.top),
            "PATH": os.environ["PATH"]}


def journey(programs, program, name, env):
    """Whether one journey went well, and what node says about it."""
    done = subprocess.run(["node", "--test", "--test-reporter=tap", f"--test-name-pattern=^{name}$", program],
                          cwd=programs, env=env, capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, check=False)
    text = done.stdout + done.stderr
    ended = re.search(rf"^ *(ok|not ok) \d+ - {name}$", text, re.M)
    assert ended, f"{name} did not run:\n{text}"
    assert (ended[1] == "ok") == (done.returncode == 0), text
    return done.returncode == 0, text


@pytest.mark.parametrize("name", ["context", "states", "pages", "role", "profile"])
def test_aws_client__journey__as_with_aws(programs, aws, name):
    well, text = journey(programs, "aws_client.mjs", name, aws)
    assert well, text


@pytest.mark.parametrize("name", ["checksums", "states", "lists"])
def test_google_client__journey__as_with_google(programs, google, name):
    well, text = journey(programs, "google_client.mjs", name, google)
    assert well, text


@pytest.mark.parametrize("vendor", ["aws", "google"])
def test_client__disable_that_does_not_count__is_noticed(programs, request, dialled, vendor):
    dialled(effect="lag", ms=HOUR_MS)
    well, text = journey(programs, f"{vendor}_client.mjs", "states", request.getfixturevalue(vendor))
    assert not well and "Missing expected rejection" in text, text
