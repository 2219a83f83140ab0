# SPDX-License-Identifier: Apache-2.0
"""Goal of this test: a customer gives a provider the use of a key as the guides of database services tell him, with the
stock clients and nothing changed but the endpoint; each way of taking it back takes it back at once, and each can be
undone."""
import json
import os
import subprocess
import time

import pytest

from conftest import peer_dir
from kms_service import ACCOUNT, REGION, KmsService, code_of, environment

CUSTOMER = "222233334444"
EXTERNAL_ID = "org-6f1c9a1e"
ROLE = f"arn:aws:iam::{CUSTOMER}:role/cmek"
PROVIDER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/provider"
CONTEXT = {"tenant": "orders"}


def trust(principal, external_id=None):
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def key_policy(*roles):
    statements = [{"Sid": "Enable IAM User Permissions", "Effect": "Allow",
                   "Principal": {"AWS": f"arn:aws:iam::{CUSTOMER}:root"}, "Action": "kms:*", "Resource": "*"}]
    for role in roles:
        statements.append({"Sid": "Allow use of the key for CMEK", "Effect": "Allow", "Principal": {"AWS": role},
                           "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey",
                                      "kms:ReEncrypt*"],
                           "Resource": "*"})
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def use_policy(key_arn):
    return json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"],
        "Resource": key_arn}]})


class Journey:
    """The customer's side, and the provider's."""

    def __init__(self, top):
        self.service = KmsService(top).start()
        self.service.run("kms", "account", "create", CUSTOMER)
        self.customer_iam = self.service.client("iam", CUSTOMER)
        self.customer_kms = self.service.client("kms", CUSTOMER)
        self.set_up_provider()
        self.set_up_customer()

    def set_up_provider(self):
        iam = self.service.client("iam")
        iam.create_user(UserName="node")
        iam.put_user_policy(UserName="node", PolicyName="assume", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": [PROVIDER_ROLE]}]}))
        iam.create_role(RoleName="provider", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:user/node"))
        iam.put_role_policy(RoleName="provider", PolicyName="cmek", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::*:role/*"}]}))
        made = iam.create_access_key(UserName="node")["AccessKey"]
        self.node = (made["AccessKeyId"], made["SecretAccessKey"])

    def set_up_customer(self):
        self.customer_iam.create_role(RoleName="cmek", AssumeRolePolicyDocument=trust(PROVIDER_ROLE, EXTERNAL_ID))
        self.key = self.customer_kms.create_key(Policy=key_policy(ROLE), Description="CMEK")["KeyMetadata"]["Arn"]
        self.customer_iam.put_role_policy(RoleName="cmek", PolicyName="use", PolicyDocument=use_policy(self.key))

    def assume(self, role, credentials, **more):
        made = self.service.client("sts", credentials=credentials).assume_role(
            RoleArn=role, RoleSessionName="keystead", **more)["Credentials"]
        return made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]

    def become_customer(self, external_id=EXTERNAL_ID):
        """Credentials of the customer's role, as the provider gets them."""
        provider = self.assume(PROVIDER_ROLE, self.node)
        return self.assume(ROLE, provider, ExternalId=external_id)

    def kms(self):
        return self.service.client(credentials=self.become_customer())


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    peer_dir("python")
    made = Journey(tmp_path_factory.mktemp("kms"))
    yield made
    made.service.stop()


@pytest.fixture
def blob(journey):
    made = journey.kms().encrypt(KeyId=journey.key, Plaintext=b"store key", EncryptionContext=CONTEXT)
    return made["CiphertextBlob"]


def opens(kms, journey, blob):
    done = kms.decrypt(KeyId=journey.key, CiphertextBlob=blob, EncryptionContext=CONTEXT)
    return done["Plaintext"] == b"store key"


def test_use__through_both_roles__as_permitted_and_no_more(journey, blob):
    kms = journey.kms()
    assert opens(kms, journey, blob)
    assert kms.describe_key(KeyId=journey.key)["KeyMetadata"]["AWSAccountId"] == CUSTOMER
    assert len(kms.generate_data_key(KeyId=journey.key, KeySpec="AES_256")["Plaintext"]) == 32
    assert code_of(kms.disable_key, KeyId=journey.key) == "AccessDeniedException"
    assert code_of(kms.create_key) == "AccessDeniedException"
    who = journey.service.client("sts", credentials=journey.become_customer()).get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::{CUSTOMER}:assumed-role/cmek/keystead"


def test_assume__wrong_or_no_external_id_or_principal__denied(journey):
    provider = journey.assume(PROVIDER_ROLE, journey.node)
    assert code_of(journey.assume, ROLE, provider) == "AccessDenied"
    assert code_of(journey.assume, ROLE, provider, ExternalId="org-other") == "AccessDenied"
    assert code_of(journey.assume, ROLE, journey.node, ExternalId=EXTERNAL_ID) == "AccessDenied"


def test_use__by_the_provider_without_the_role__denied(journey, blob):
    provider = journey.service.client(credentials=journey.assume(PROVIDER_ROLE, journey.node))
    assert code_of(provider.decrypt, KeyId=journey.key, CiphertextBlob=blob,
                   EncryptionContext=CONTEXT) == "AccessDeniedException"


def test_revoke__by_disabling_the_key__and_back(journey, blob):
    kms = journey.kms()
    journey.customer_kms.disable_key(KeyId=journey.key)
    assert code_of(opens, kms, journey, blob) == "DisabledException"
    journey.customer_kms.enable_key(KeyId=journey.key)
    assert opens(kms, journey, blob)


def test_revoke__by_the_key_policy__role_policy_still_counts(journey, blob):
    """Within one account the key policy hands over to IAM: to revoke, an edit must deny or touch both."""
    kms = journey.kms()
    denied = json.loads(key_policy(ROLE))
    denied["Statement"].append({"Effect": "Deny", "Principal": {"AWS": ROLE}, "Action": "kms:*", "Resource": "*"})
    journey.customer_kms.put_key_policy(KeyId=journey.key, Policy=json.dumps(denied))
    assert code_of(opens, kms, journey, blob) == "AccessDeniedException"
    journey.customer_kms.put_key_policy(KeyId=journey.key, Policy=key_policy(ROLE))
    assert opens(kms, journey, blob)


def test_revoke__by_both_policies__denied_and_back(journey, blob):
    kms = journey.kms()
    journey.customer_kms.put_key_policy(KeyId=journey.key, Policy=key_policy())
    assert opens(kms, journey, blob)
    journey.customer_iam.delete_role_policy(RoleName="cmek", PolicyName="use")
    assert code_of(opens, kms, journey, blob) == "AccessDeniedException"
    journey.customer_iam.put_role_policy(RoleName="cmek", PolicyName="use", PolicyDocument=use_policy(journey.key))
    assert opens(kms, journey, blob)
    journey.customer_kms.put_key_policy(KeyId=journey.key, Policy=key_policy(ROLE))


def test_revoke__by_the_trust_policy__no_new_sessions(journey, blob):
    journey.customer_iam.update_assume_role_policy(RoleName="cmek", PolicyDocument=trust(PROVIDER_ROLE, "org-other"))
    assert code_of(journey.become_customer) == "AccessDenied"
    journey.customer_iam.update_assume_role_policy(RoleName="cmek", PolicyDocument=trust(PROVIDER_ROLE, EXTERNAL_ID))
    assert opens(journey.kms(), journey, blob)


def test_restart__roles_and_sessions__still_count(journey, blob):
    credentials = journey.become_customer()
    journey.service.kill()
    journey.service.start()
    assert opens(journey.service.client(credentials=credentials), journey, blob)
    journey.customer_iam = journey.service.client("iam", CUSTOMER)
    journey.customer_kms = journey.service.client("kms", CUSTOMER)


def profiles(journey):
    """The environment of a provider's node whose shared files have all three parties as profiles."""
    config = journey.service.top / "config"
    config.write_text(f"[profile node]\nregion = {REGION}\n[profile provider]\nrole_arn = {PROVIDER_ROLE}\n"
                      f"source_profile = node\n[profile cmek]\nrole_arn = {ROLE}\nsource_profile = provider\n"
                      f"external_id = {EXTERNAL_ID}\n")
    credentials = journey.service.top / "credentials"
    credentials.write_text(f"[node]\naws_access_key_id = {journey.node[0]}\n"
                           f"aws_secret_access_key = {journey.node[1]}\n")
    env = environment(journey.service)
    del env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    env |= {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    return env


def test_awscli__profile_with_role_and_external_id__uses_the_key(journey):
    out = subprocess.check_output(
        [peer_dir("python") / "bin/aws", "--profile", "cmek", "kms", "generate-data-key", "--key-id", journey.key,
         "--key-spec", "AES_256", "--encryption-context", "tenant=orders"], env=profiles(journey), text=True)
    assert json.loads(out)["KeyId"] == journey.key


# ---- a volume under the customer's key ----

class Volume:
    """A volume of the provider, wrapped by the customer's key in his role."""

    def __init__(self, journey, top):
        self.env = {**profiles(journey), "AWS_PROFILE": "provider", "KEYSTEAD_RUN_DIR": str(top / "run")}
        self.program, self.backing, self.mountpoint = journey.service.program, top / "backing", top / "mnt"
        self.mountpoint.mkdir()
        (top / "run").mkdir()
        self.run("create", self.backing, "--key", f"aws_kms:{journey.key}", "--auth-principal", ROLE, "--organisation",
                 EXTERNAL_ID, "--probe", "500ms", "--lease", "3s")
        self.run("mount", self.backing, self.mountpoint, "--log", top / "volume.log")
        (self.mountpoint / "file").write_text("rows")

    def run(self, *args):
        # a file and no pipe: the volume process goes on in the background
        with open(self.backing.parent / "out", "w+", encoding="utf-8") as out:
            done = subprocess.run([self.program, "volume", *map(str, args)], env=self.env, stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=subprocess.STDOUT, timeout=120, check=False)
            out.seek(0)
            text = out.read()
        assert done.returncode == 0, text
        return text

    def wait(self, state, seconds=60):
        end = time.monotonic() + seconds
        while (now := json.loads(self.run("status", self.mountpoint, "-o", "json"))["state"]) != state:
            assert time.monotonic() < end, f"{now}, not {state}"
            time.sleep(0.1)


@pytest.fixture(name="volume")
def mounted_volume(journey, tmp_path):
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("a volume is mounted here: needs root and /dev/fuse")
    made = Volume(journey, tmp_path)
    yield made
    made.run("unmount", made.mountpoint)


def revoke_by_key(journey):
    journey.customer_kms.disable_key(KeyId=journey.key)


def restore_key(journey):
    journey.customer_kms.enable_key(KeyId=journey.key)


def revoke_by_policy(journey):
    denied = json.loads(key_policy(ROLE))
    denied["Statement"].append({"Effect": "Deny", "Principal": {"AWS": ROLE}, "Action": "kms:*", "Resource": "*"})
    journey.customer_kms.put_key_policy(KeyId=journey.key, Policy=json.dumps(denied))


def restore_policy(journey):
    journey.customer_kms.put_key_policy(KeyId=journey.key, Policy=key_policy(ROLE))


def revoke_by_trust(journey):
    journey.customer_iam.update_assume_role_policy(RoleName="cmek", PolicyDocument=trust(PROVIDER_ROLE, "org-other"))


def restore_trust(journey):
    journey.customer_iam.update_assume_role_policy(RoleName="cmek", PolicyDocument=trust(PROVIDER_ROLE, EXTERNAL_ID))


@pytest.mark.parametrize("revoke, restore", [(revoke_by_key, restore_key), (revoke_by_policy, restore_policy),
                                             (revoke_by_trust, restore_trust)])
def test_volume__customer_revokes_and_restores__locks_within_60_s_and_opens_by_itself(journey, volume, revoke, restore):
    revoke(journey)
    try:
        volume.wait("LOCKED")
        with pytest.raises(OSError):
            (volume.mountpoint / "file").read_text()
    finally:
        restore(journey)
    volume.wait("OPEN")
    assert (volume.mountpoint / "file").read_text() == "rows"
