# SPDX-License-Identifier: Apache-2.0
"""Goal of this test: a volume under a customer's key in AWS, used in the customer's role as the vendors' guides have it, locks
within the time that is promised by each way of taking the key away, and opens again when it is given back.

The key service is ours; what judges it are the stock clients (test_kms_journey.py), and here it judges the driver.
"""
import json
import sys
import time

import pytest

from conftest import peer_dir
from volumes import Volume

pytest.importorskip("boto3", reason="run `make peers`")
pytest.importorskip("kms_service", reason="there is no embedded key service to test with")

from kms_service import ACCOUNT, REGION, environment  # noqa: E402
from test_kms_journey import EXTERNAL_ID, PROVIDER_ROLE, ROLE, Journey, key_policy, trust  # noqa: E402

REVOKED_SECONDS_MAX = 60  # docs/REVOCATION.md


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    peer_dir("python")
    made = Journey(tmp_path_factory.mktemp("kms"))
    yield made
    made.service.stop()


def provider_env(journey, home):
    """The node's keys, and a profile in which it becomes the provider; as files, as they are in production."""
    config = home / "config"
    config.write_text(f"""[profile node]
aws_access_key_id = {journey.node[0]}
aws_secret_access_key = {journey.node[1]}

[profile provider]
role_arn = {PROVIDER_ROLE}
source_profile = node
region = {REGION}
services = local

[services local]
kms =
  endpoint_url = {journey.service.url}
sts =
  endpoint_url = {journey.service.url}
""")
    return {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_PROFILE": "provider",
            "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def volume(journey, keystead, tmp_path):
    made = Volume(keystead, tmp_path, ["--key", f"aws_kms:{journey.key}", "--auth-principal", ROLE, "--organisation",
                                       EXTERNAL_ID], provider_env(journey, tmp_path))
    made.mount()
    (made.at / "file").write_text("kept")
    yield made
    made.end()


def wait_probed(volume):
    """Until the volume's process has used the key by itself: it has a session of its own by then."""
    end = time.monotonic() + 30
    while (volume.status()["last_probe"] or {}).get("result") != "GRANT":
        assert time.monotonic() < end, volume.log.read_text()
        time.sleep(0.05)


def check_revoked_and_back(volume, take, give):
    wait_probed(volume)
    take()
    seconds = volume.wait_state("LOCKED", REVOKED_SECONDS_MAX)
    with pytest.raises(OSError):
        (volume.at / "file").read_text()
    give()
    back = volume.wait_state("OPEN", REVOKED_SECONDS_MAX)
    assert (volume.at / "file").read_text() == "kept"
    print(f"locked after {seconds:.1f} s, open after {back:.1f} s")


def test_key_disabled__locks_and_opens(journey, volume):
    kms = journey.customer_kms
    check_revoked_and_back(volume, lambda: kms.disable_key(KeyId=journey.key), lambda: kms.enable_key(KeyId=journey.key))


def test_deletion_scheduled__locks_and_opens(journey, volume):
    kms = journey.customer_kms

    def give():
        kms.cancel_key_deletion(KeyId=journey.key)
        kms.enable_key(KeyId=journey.key)

    check_revoked_and_back(volume, lambda: kms.schedule_key_deletion(KeyId=journey.key, PendingWindowInDays=7), give)


def test_key_policy_edited__locks_and_opens(journey, volume):
    policy = json.loads(key_policy(ROLE))
    policy["Statement"].append({"Sid": "No", "Effect": "Deny", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt",
                                "Resource": "*"})

    def put(text):
        journey.customer_kms.put_key_policy(KeyId=journey.key, PolicyName="default", Policy=text)

    check_revoked_and_back(volume, lambda: put(json.dumps(policy)), lambda: put(key_policy(ROLE)))


def test_trust_policy_edited__locks_and_opens(journey, volume):
    """Sessions that were given live on for an hour; the driver asks for a new one every half minute."""

    def put(external_id):
        journey.customer_iam.update_assume_role_policy(RoleName="cmek",
                                                       PolicyDocument=trust(PROVIDER_ROLE, external_id))

    check_revoked_and_back(volume, lambda: put("org-other"), lambda: put(EXTERNAL_ID))


def test_create__for_another_organisation__denied(journey, keystead, tmp_path):
    done = keystead("volume", "create", tmp_path / "b", "--key", f"aws_kms:{journey.key}", "--auth-principal", ROLE,
                    "--organisation", "org-other", check=False, env=provider_env(journey, tmp_path))
    assert done.returncode == 3
    assert "trust policy" in done.stderr and "ExternalId org-other" in done.stderr


def test_mount__provider_without_credentials__not_a_denial(journey, keystead, volume, tmp_path):
    volume("unmount", volume.at)
    volume.env["AWS_PROFILE"] = "nobody"
    done = volume.mount(check=False)
    assert done.returncode == 4
    assert "no profile nobody" in done.stderr


HOOK = '''
import os
sys.path[:0] = PATH
import boto3
def client(**more):
    return boto3.client("kms", endpoint_url=URL, region_name=REGION, aws_access_key_id=KEYS[0],
                        aws_secret_access_key=KEYS[1])
if word == "setup":
    arns = [client().create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    open(STATE, "w").write(arns[0])
    print("one", arns[0])
    print("two", arns[1])
    print("missing", arns[0][:-12] + "000000000000")
elif word == "disable":
    client().disable_key(KeyId=open(STATE).read())
elif word == "pending":
    client().schedule_key_deletion(KeyId=open(STATE).read(), PendingWindowInDays=7)
elif word == "rotate":
    client().rotate_key_on_demand(KeyId=open(STATE).read())
elif word != "teardown":
    cannot()
'''


def test_contract__kept(journey, contract, tmp_path):
    keys = journey.service.credentials(ACCOUNT)
    constants = {"PATH": [p for p in sys.path if p], "URL": journey.service.url, "REGION": REGION, "KEYS": list(keys),
                 "STATE": str(tmp_path / "state")}
    hook = contract.hook("".join(f"{k} = {v!r}\n" for k, v in constants.items()) + HOOK)
    passed, skipped = contract.run("AWS_KMS", hook=hook, env=environment(journey.service))
    assert skipped == ["open__out_of_reach__opens_and_calls_fail", "use__destroyed__denied",
                       "use__no_credential__unreachable_and_no_denial",
                       "use__out_of_reach__unreachable_and_no_denial"]
    assert len(passed) == 14
