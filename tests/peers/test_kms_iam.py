# SPDX-License-Identifier: Apache-2.0
"""Goal: with stock clients, a customer gives a provider the use of his key as the guides of CockroachDB Cloud and ClickHouse
Cloud lay it out, and takes it back by each way there is; and who is not let in is told what AWS would tell him."""
import datetime
import json
import subprocess
import urllib.error
import urllib.request
from unittest import mock

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from conftest import PEERS, peer_dir
from kms_service import REGION, KmsService, code_of, environment, message_of

CUSTOMER, PROVIDER = "111122223333", "999988887777"
ROLE = f"arn:aws:iam::{CUSTOMER}:role/cmek-role"
USES = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey", "kms:ReEncrypt*"]
NOT_LET_IN = f"User: arn:aws:iam::{PROVIDER}:user/agent is not authorized to perform: sts:AssumeRole on resource: "


@pytest.fixture(scope="module", autouse=True)
def clients():
    peer_dir("python")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    made = KmsService(tmp_path_factory.mktemp("iam")).start("--dial")
    made.run("kms", "account", "create", PROVIDER)
    yield made
    made.stop()


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal, external_id=None):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principal}}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return document(statement)


def key_policy(*more):
    return document({"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
                     "Principal": {"AWS": f"arn:aws:iam::{CUSTOMER}:root"}}, *more)


ROLE_STATEMENT = {"Sid": "Allow use of the key", "Effect": "Allow", "Action": USES, "Resource": "*",
                  "Principal": {"AWS": ROLE}}


def empty(iam):
    """Takes away all roles and users that a test before left."""
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)
    for user in iam.list_users()["Users"]:
        name = user["UserName"]
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName=policy)
        iam.delete_user(UserName=name)


class Journey:
    """Both sides, set up as the guides say: the provider's user may assume roles; the customer's role trusts the provider
    under an ExternalId and may use the customer's key, whose policy names the role."""

    def __init__(self, service):
        self.service = service
        self.customer, self.kms = service.client("iam", CUSTOMER), service.client("kms", CUSTOMER)
        self.provider = service.client("iam", PROVIDER)
        empty(self.customer), empty(self.provider)
        self.provider.create_user(UserName="agent")
        self.provider.put_user_policy(UserName="agent", PolicyName="assume", PolicyDocument=document(
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::*:role/*"}))
        made = self.provider.create_access_key(UserName="agent")["AccessKey"]
        self.agent = made["AccessKeyId"], made["SecretAccessKey"]
        self.customer.create_role(RoleName="cmek-role", AssumeRolePolicyDocument=trust(PROVIDER, "org-1234"))
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.kms.put_key_policy(KeyId=self.key, PolicyName="default", Policy=key_policy(ROLE_STATEMENT))

    def sts(self, credentials=None):
        return self.service.client("sts", PROVIDER, credentials or self.agent)

    def session(self, **kwargs):
        made = self.sts().assume_role(**{"RoleArn": ROLE, "RoleSessionName": "cmek-agent", "ExternalId": "org-1234",
                                         **kwargs})["Credentials"]
        return made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]

    def use(self, credentials=None, service="kms"):
        return self.service.client(service, CUSTOMER, credentials or self.session())


@pytest.fixture
def journey(service):
    return Journey(service)


def test_the_guides_journey(journey):
    use = journey.use()
    data = use.generate_data_key(KeyId=journey.key, KeySpec="AES_256", EncryptionContext={"cluster": "c1"})
    plain = use.decrypt(CiphertextBlob=data["CiphertextBlob"], KeyId=journey.key, EncryptionContext={"cluster": "c1"})
    assert plain["Plaintext"] == data["Plaintext"]
    assert use.describe_key(KeyId=journey.key)["KeyMetadata"]["AWSAccountId"] == CUSTOMER
    assert code_of(use.disable_key, KeyId=journey.key) == "AccessDeniedException"
    assert journey.use(service="sts").get_caller_identity()["Arn"] == \
        f"arn:aws:sts::{CUSTOMER}:assumed-role/cmek-role/cmek-agent"


def test_each_way_to_revoke_and_back(journey):
    use = journey.use()
    blob = use.encrypt(KeyId=journey.key, Plaintext=b"secret")["CiphertextBlob"]

    def decrypt(client=use):
        return client.decrypt(CiphertextBlob=blob, KeyId=journey.key)

    for revoke, restore, code in [
            (lambda: journey.kms.disable_key(KeyId=journey.key),
             lambda: journey.kms.enable_key(KeyId=journey.key), "DisabledException"),
            (lambda: journey.kms.put_key_policy(KeyId=journey.key, PolicyName="default", Policy=key_policy()),
             lambda: journey.kms.put_key_policy(KeyId=journey.key, PolicyName="default",
                                                Policy=key_policy(ROLE_STATEMENT)), "AccessDeniedException"),
            (lambda: journey.customer.put_role_policy(RoleName="cmek-role", PolicyName="no", PolicyDocument=document(
                {"Effect": "Deny", "Action": "kms:*", "Resource": "*"})),
             lambda: journey.customer.delete_role_policy(RoleName="cmek-role", PolicyName="no"),
             "AccessDeniedException"),
            (lambda: journey.kms.schedule_key_deletion(KeyId=journey.key, PendingWindowInDays=7),
             lambda: (journey.kms.cancel_key_deletion(KeyId=journey.key), journey.kms.enable_key(KeyId=journey.key)),
             "KMSInvalidStateException")]:
        assert decrypt()["Plaintext"] == b"secret"
        revoke()
        assert code_of(decrypt) == code
        restore()
    # the trust: sessions that are open go on, no new one is made
    journey.customer.update_assume_role_policy(RoleName="cmek-role", PolicyDocument=trust(CUSTOMER))
    assert decrypt()["Plaintext"] == b"secret"
    assert code_of(journey.session) == "AccessDenied"
    journey.customer.update_assume_role_policy(RoleName="cmek-role", PolicyDocument=trust(PROVIDER, "org-1234"))
    assert decrypt(journey.use())["Plaintext"] == b"secret"
    # the role itself
    journey.customer.delete_role(RoleName="cmek-role")
    assert code_of(decrypt) == "UnrecognizedClientException"


def test_wrong_external_id_reads_like_no_trust(journey):
    assert message_of(journey.session, ExternalId="org-1235") == NOT_LET_IN + ROLE
    assert message_of(journey.session, RoleArn=ROLE + "-2") == NOT_LET_IN + ROLE + "-2"
    journey.customer.update_assume_role_policy(RoleName="cmek-role", PolicyDocument=trust(CUSTOMER))
    assert message_of(journey.session) == NOT_LET_IN + ROLE


def test_key_of_another_account(journey):
    """The other kind of guide: the key policy names the provider's role, nothing is assumed in the customer's account."""
    journey.provider.create_role(RoleName="service", AssumeRolePolicyDocument=trust(PROVIDER))
    role = f"arn:aws:iam::{PROVIDER}:role/service"
    use = journey.use(journey.session(RoleArn=role))
    journey.kms.put_key_policy(KeyId=journey.key, PolicyName="default", Policy=key_policy(
        {**ROLE_STATEMENT, "Principal": {"AWS": role}}))
    assert "no identity-based policy allows" in message_of(use.encrypt, KeyId=journey.key, Plaintext=b"x")
    journey.provider.put_role_policy(RoleName="service", PolicyName="keys", PolicyDocument=document(
        {"Effect": "Allow", "Action": USES, "Resource": journey.key}))
    blob = use.encrypt(KeyId=journey.key, Plaintext=b"x")["CiphertextBlob"]
    journey.kms.put_key_policy(KeyId=journey.key, PolicyName="default", Policy=key_policy())
    assert code_of(use.decrypt, CiphertextBlob=blob, KeyId=journey.key) == "AccessDeniedException"


def test_encryption_context_in_the_key_policy(journey):
    journey.kms.put_key_policy(KeyId=journey.key, PolicyName="default", Policy=key_policy(
        {**ROLE_STATEMENT, "Condition": {"StringEquals": {"kms:EncryptionContext:cluster": "c1"}}}))
    use = journey.use()
    use.encrypt(KeyId=journey.key, Plaintext=b"x", EncryptionContext={"cluster": "c1", "more": "y"})
    assert code_of(use.encrypt, KeyId=journey.key, Plaintext=b"x",
                   EncryptionContext={"cluster": "c2"}) == "AccessDeniedException"
    assert code_of(use.encrypt, KeyId=journey.key, Plaintext=b"x") == "AccessDeniedException"


def test_session_policy(journey):
    use = journey.use(journey.session(Policy=document(
        {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"})))
    blob = use.encrypt(KeyId=journey.key, Plaintext=b"x")["CiphertextBlob"]
    assert "no session policy allows" in message_of(use.decrypt, CiphertextBlob=blob, KeyId=journey.key)


def test_credentials_that_are_not_good(journey, service):
    key_id, secret, token = journey.session()
    for credentials, code in [((key_id, secret + "x", token), "InvalidSignatureException"),
                              ((key_id, secret, token[:-8] + "AAAAAAA="), "UnrecognizedClientException"),
                              ((key_id, secret), "UnrecognizedClientException"),
                              (("AKIAIOSFODNN7EXAMPLE", secret), "UnrecognizedClientException")]:
        assert code_of(journey.use(credentials).describe_key, KeyId=journey.key) == code
    user = journey.agent[0]
    journey.provider.update_access_key(UserName="agent", AccessKeyId=user, Status="Inactive")
    assert code_of(journey.sts().get_caller_identity) == "InvalidClientTokenId"


def raw(service, journey, when, change=lambda headers: None):
    """A signed ListKeys sent by hand: status and body of the answer."""
    host = service.url.removeprefix("http://")
    request = botocore.awsrequest.AWSRequest("POST", f"http://{host}/", data=b"{}", headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.ListKeys"})
    credentials = botocore.credentials.Credentials(*service.credentials(CUSTOMER))
    with mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: when):
        botocore.auth.SigV4Auth(credentials, "kms", REGION).add_auth(request)
    headers = dict(request.headers.items())
    change(headers)
    sent = urllib.request.Request(request.url, b"{}", headers, method="POST")
    try:
        with urllib.request.urlopen(sent, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_requests_replayed_or_malformed(journey, service):
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert raw(service, journey, now)[0] == 200
    for when, text in [(now - datetime.timedelta(minutes=6), "Signature expired: "),
                       (now + datetime.timedelta(minutes=6), "Signature not yet current: ")]:
        status, body = raw(service, journey, when)
        assert (status, body["__type"]) == (400, "InvalidSignatureException") and body["message"].startswith(text)
    for change, code in [
            (lambda headers: headers.pop("Authorization"), "MissingAuthenticationTokenException"),
            (lambda headers: headers.update(Authorization="AWS4-HMAC-SHA256 x"), "IncompleteSignatureException"),
            (lambda headers: headers.update({"X-Amz-Target": "TrentService.ListAliases"}),
             "InvalidSignatureException"),
            (lambda headers: headers.update({"X-Amz-Security-Token": "x"}), "InvalidSignatureException")]:
        status, body = raw(service, journey, now, change)
        assert (status, body["__type"]) == (400, code)


def test_the_command_line_of_aws(journey, service, tmp_path):
    (tmp_path / "trust.json").write_text(trust(PROVIDER, "from-file"))

    def aws(*args):
        done = subprocess.run([PEERS / "python/bin/aws", *args, "--output", "json"], capture_output=True, text=True,
                              env=environment(service, CUSTOMER), timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    made = aws("iam", "create-role", "--role-name", "by-hand", "--assume-role-policy-document",
               f"file://{tmp_path}/trust.json", "--description", "made by hand", "--tags", "Key=team,Value=db")
    assert made["Role"]["Arn"] == f"arn:aws:iam::{CUSTOMER}:role/by-hand"
    aws("iam", "put-role-policy", "--role-name", "by-hand", "--policy-name", "p", "--policy-document",
        document({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}))
    got = aws("iam", "get-role-policy", "--role-name", "by-hand", "--policy-name", "p")
    assert got["PolicyDocument"]["Statement"][0]["Action"] == "kms:*"
    got = aws("iam", "get-role", "--role-name", "by-hand")["Role"]
    assert got["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] == "from-file"
    assert got["Tags"] == [{"Key": "team", "Value": "db"}]
    assert aws("sts", "get-caller-identity")["Arn"] == f"arn:aws:iam::{CUSTOMER}:root"


def test_a_presigned_identity(journey, service):
    """What Vault and EKS do: somebody else sends what I presigned, and learns who I am."""
    url = journey.sts().generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    with urllib.request.urlopen(url, timeout=30) as reply:
        assert f"<Arn>arn:aws:iam::{PROVIDER}:user/agent</Arn>" in reply.read().decode()
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(url.replace("GetCallerIdentity", "GetSessionToken"), timeout=30)
    assert error.value.code == 403 and "SignatureDoesNotMatch" in error.value.read().decode()


def test_all_is_there_after_a_kill(journey, service):
    credentials = journey.session()
    use = journey.use(credentials)
    blob = use.encrypt(KeyId=journey.key, Plaintext=b"x")["CiphertextBlob"]
    service.kill()
    service.start("--dial")
    journey.service = service
    assert journey.use(credentials).decrypt(CiphertextBlob=blob, KeyId=journey.key)["Plaintext"] == b"x"
    assert journey.use().decrypt(CiphertextBlob=blob, KeyId=journey.key)["Plaintext"] == b"x"
