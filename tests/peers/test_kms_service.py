# SPDX-License-Identifier: Apache-2.0
"""Goal of this test: stock clients use the embedded key service as they use AWS KMS; it keeps what it promised when it is
killed; and what goes wrong on purpose goes wrong as dialled."""
import base64
import concurrent.futures
import datetime
import os
import socket
import subprocess
import time
import urllib.error

import botocore.exceptions
import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from conftest import peer_dir
from kms_service import ACCOUNT, REGION, KmsService, code_of, environment, message_of

NEVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


@pytest.fixture(scope="module", autouse=True)
def clients():
    peer_dir("python")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    made = KmsService(tmp_path_factory.mktemp("kms")).start("--dial")
    yield made
    made.stop()


@pytest.fixture(name="own")
def own_service(tmp_path):
    """A service of the test's own, not started."""
    made = KmsService(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def kms(service):
    return service.client()


@pytest.fixture
def key(kms):
    return kms.create_key(Description="of a test")["KeyMetadata"]["KeyId"]


@pytest.fixture
def dialled(service):
    yield lambda **rule: service.admin("POST", "dial", rule)
    service.admin("DELETE", "dial")


# ---- uses ----

def test_encrypt__context__bound_in_any_order(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"hello", EncryptionContext={"a": "1", "b": "2"})["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"b": "2", "a": "1"})["Plaintext"] == b"hello"
    for wrong in ({}, {"a": "1"}, {"a": "1", "b": "3"}, {"a": "1", "b": "2", "c": ""}):
        assert code_of(kms.decrypt, CiphertextBlob=blob, EncryptionContext=wrong) == "InvalidCiphertextException"


def test_decrypt__other_key_or_garbage__told_apart(kms, key):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert code_of(kms.decrypt, CiphertextBlob=blob, KeyId=other) == "IncorrectKeyException"
    assert code_of(kms.decrypt, CiphertextBlob=b"garbage", KeyId=key) == "InvalidCiphertextException"
    assert code_of(kms.decrypt, CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1])) == "InvalidCiphertextException"


def test_data_keys__specs__right_lengths(kms, key):
    for request, length in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 77}, 77)):
        made = kms.generate_data_key(KeyId=key, **request)
        assert len(made["Plaintext"]) == length
        assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    assert "Plaintext" not in kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")
    assert code_of(kms.generate_data_key, KeyId=key) == "ValidationException"
    assert len(kms.generate_random(NumberOfBytes=32)["Plaintext"]) == 32


def test_re_encrypt__between_keys__opens_with_the_other(kms, key):
    other = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext={"a": "1"}, DestinationKeyId=other,
                           DestinationEncryptionContext={"b": "2"})
    assert moved["KeyId"] == other
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], KeyId=other, EncryptionContext={"b": "2"})
    assert opened["Plaintext"] == b"x"


def test_dry_run__permitted__says_so(kms, key):
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == "DryRunOperationException"


# ---- errors ----

def test_errors__texts__those_of_aws(kms, key):
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"
    nobody = "00000000-0000-0000-0000-000000000000"
    assert message_of(kms.describe_key, KeyId=nobody) == f"Key '{arn.replace(key, nobody)}' does not exist"
    assert message_of(kms.describe_key, KeyId="x") == "Invalid keyId 'x'"
    assert message_of(kms.describe_key, KeyId="alias/none") == \
        f"Alias arn:aws:kms:{REGION}:{ACCOUNT}:alias/none is not found."
    kms.disable_key(KeyId=key)
    assert message_of(kms.encrypt, KeyId=key, Plaintext=b"x") == f"{arn} is disabled."
    kms.schedule_key_deletion(KeyId=key)
    assert message_of(kms.encrypt, KeyId=key, Plaintext=b"x") == f"{arn} is pending deletion."


def test_signature__wrong_or_none__refused(service):
    key_id, secret = service.credentials()
    assert code_of(service.client(credentials=(key_id, secret[:-1] + "!")).list_keys) == "InvalidSignatureException"
    assert code_of(service.client(credentials=("AKIAAAAAAAAAAAAAAAAA", secret)).list_keys) == \
        "UnrecognizedClientException"
    with pytest.raises(urllib.error.HTTPError) as refused:
        service.admin("GET", "nothing")
    assert refused.value.code == 404


# ---- states, aliases, policies, grants, tags ----

def test_deletion__cancelled__disabled_and_back(kms, key):
    until = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["DeletionDate"]
    days = (until - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86400
    assert 6.9 < days < 7.1
    assert code_of(kms.enable_key, KeyId=key) == "KMSInvalidStateException"
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    assert code_of(kms.cancel_key_deletion, KeyId=key) == "KMSInvalidStateException"
    kms.enable_key(KeyId=key)
    kms.encrypt(KeyId=key, Plaintext=b"x")


def test_alias__life__names_one_key(kms, key):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/life", TargetKeyId=key)
    assert code_of(kms.create_alias, AliasName="alias/life", TargetKeyId=key) == "AlreadyExistsException"
    assert code_of(kms.create_alias, AliasName="alias/aws/x", TargetKeyId=key) == "InvalidAliasNameException"
    kms.update_alias(AliasName="alias/life", TargetKeyId=other)
    assert kms.describe_key(KeyId="alias/life")["KeyMetadata"]["KeyId"] == other
    assert [a["AliasName"] for a in kms.list_aliases(KeyId=other)["Aliases"]] == ["alias/life"]
    kms.delete_alias(AliasName="alias/life")
    assert code_of(kms.delete_alias, AliasName="alias/life") == "NotFoundException"


def test_lists__in_pages__everything_once(kms, key):
    for n in range(7):
        kms.create_alias(AliasName=f"alias/page/{n}", TargetKeyId=key)
    for kind, member in (("list_keys", "Keys"), ("list_aliases", "Aliases")):
        pages = kms.get_paginator(kind).paginate(PaginationConfig={"PageSize": 2})
        names = [str(one) for page in pages for one in page[member]]
        assert len(names) == len(set(names)) >= (7 if kind == "list_aliases" else 1)


def test_policy__malformed_or_locking_out__refused(kms, key):
    assert code_of(kms.put_key_policy, KeyId=key, Policy="{}") == "MalformedPolicyDocumentException"
    lockout = ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"%s"},'
               '"Action":"kms:Decrypt","Resource":"*"}]}' % ACCOUNT)
    assert code_of(kms.put_key_policy, KeyId=key, Policy=lockout) == "MalformedPolicyDocumentException"
    kms.put_key_policy(KeyId=key, Policy=lockout, BypassPolicyLockoutSafetyCheck=True)
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"


def test_tags__life(kms, key):
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}])
    kms.untag_resource(KeyId=key, TagKeys=["a"])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "b", "TagValue": "2"}]
    assert code_of(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "aws:x", "TagValue": ""}]) == "TagException"


def test_grant__across_accounts__until_it_is_revoked(service, kms, key):
    if not (service.dir / "999988887777.credentials").exists():
        service.run("kms", "account", "create", "999988887777")
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    foreign = service.client(account="999988887777")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"t": "7"})["CiphertextBlob"]
    assert code_of(foreign.decrypt, CiphertextBlob=blob, KeyId=arn, EncryptionContext={"t": "7"}) == \
        "AccessDeniedException"
    grant = kms.create_grant(KeyId=key, GranteePrincipal="arn:aws:iam::999988887777:root", Operations=["Decrypt"],
                             Constraints={"EncryptionContextSubset": {"t": "7"}})
    assert foreign.decrypt(CiphertextBlob=blob, KeyId=arn, EncryptionContext={"t": "7"})["Plaintext"] == b"x"
    assert code_of(foreign.encrypt, KeyId=arn, Plaintext=b"x") == "AccessDeniedException"
    assert [g["GrantId"] for g in kms.list_grants(KeyId=key)["Grants"]] == [grant["GrantId"]]
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    assert code_of(foreign.decrypt, CiphertextBlob=blob, KeyId=arn, EncryptionContext={"t": "7"}) == \
        "AccessDeniedException"


# ---- material ----

def wrap(material, public_key, algorithm):
    digest = hashes.SHA1 if algorithm.endswith("_1") else hashes.SHA256
    oaep = padding.OAEP(padding.MGF1(digest()), digest(), None)
    public = serialization.load_der_public_key(public_key)
    if not algorithm.startswith("RSA_AES"):
        return public.encrypt(material, oaep)
    aes = os.urandom(32)
    return public.encrypt(aes, oaep) + keywrap.aes_key_wrap_with_padding(aes, material)


def bring(kms, key, material, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048", **more):
    to = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    return kms.import_key_material(KeyId=key, ImportToken=to["ImportToken"],
                                   EncryptedKeyMaterial=wrap(material, to["PublicKey"], algorithm), **(more or NEVER))


@pytest.fixture
def external(kms):
    return kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]


def state_of(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]


@pytest.mark.parametrize("algorithm, spec", [
    ("RSAES_OAEP_SHA_1", "RSA_2048"), ("RSAES_OAEP_SHA_256", "RSA_3072"), ("RSA_AES_KEY_WRAP_SHA_1", "RSA_2048"),
    ("RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")])
def test_import__each_wrapping__key_is_enabled(kms, external, algorithm, spec):
    assert state_of(kms, external) == "PendingImport"
    bring(kms, external, os.urandom(32), algorithm, spec)
    assert state_of(kms, external) == "Enabled"
    kms.encrypt(KeyId=external, Plaintext=b"x")


def test_import__wrong_token_material_or_length__refused(kms, external):
    other = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    to = kms.get_parameters_for_import(KeyId=other, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    good = wrap(os.urandom(32), to["PublicKey"], "RSAES_OAEP_SHA_256")
    short = wrap(os.urandom(31), to["PublicKey"], "RSAES_OAEP_SHA_256")
    assert code_of(kms.import_key_material, KeyId=external, ImportToken=to["ImportToken"], EncryptedKeyMaterial=good,
                   **NEVER) == "InvalidImportTokenException"
    for bad in (short, b"garbage", good[:-1]):
        assert code_of(kms.import_key_material, KeyId=other, ImportToken=to["ImportToken"], EncryptedKeyMaterial=bad,
                       **NEVER) == "InvalidCiphertextException"
    assert code_of(kms.import_key_material, KeyId=other, ImportToken=to["ImportToken"],
                   EncryptedKeyMaterial=good) == "ValidationException"
    bring(kms, external, b"1" * 32)
    assert code_of(bring, kms, external, b"2" * 32) == "IncorrectKeyMaterialException"


def test_import__of_a_key_with_own_material__unsupported(kms, key):
    assert code_of(kms.get_parameters_for_import, KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256",
                   WrappingKeySpec="RSA_2048") == "UnsupportedOperationException"


def test_material__deleted_and_brought_back__opens_again(kms, external):
    first, second = os.urandom(32), os.urandom(32)
    bring(kms, external, first)
    blob = kms.encrypt(KeyId=external, Plaintext=b"x")["CiphertextBlob"]
    bring(kms, external, second, ImportType="NEW_KEY_MATERIAL", **NEVER)
    assert code_of(kms.rotate_key_on_demand, KeyId=kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]) == \
        "KMSInvalidStateException"
    kms.rotate_key_on_demand(KeyId=external)
    listed = kms.list_key_rotations(KeyId=external, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [r["KeyMaterialState"] for r in listed] == ["NON_CURRENT", "CURRENT"]
    kms.delete_imported_key_material(KeyId=external, KeyMaterialId=listed[0]["KeyMaterialId"])
    assert state_of(kms, external) == "PendingImport"
    assert code_of(kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
    bring(kms, external, first)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_material__expired__pending_import_and_gone(kms, external):
    bring(kms, external, b"7" * 32, ValidTo=time.time() + 2)
    blob = kms.encrypt(KeyId=external, Plaintext=b"x")["CiphertextBlob"]
    end = time.monotonic() + 30
    while state_of(kms, external) != "PendingImport":
        assert time.monotonic() < end
    assert code_of(kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
    bring(kms, external, b"7" * 32)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_rotation__on_demand__old_ciphertexts_open_and_26th_is_refused(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for _ in range(25):
        kms.rotate_key_on_demand(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert code_of(kms.rotate_key_on_demand, KeyId=key) == "LimitExceededException"


# ---- audit, kill -9, the dial ----

def test_audit__use_and_refusal__in_the_log_with_context(service, kms, key):
    reply = kms.encrypt(KeyId=key, Plaintext=b"secret of the test", EncryptionContext={"tenant": "7"})
    kms.disable_key(KeyId=key)
    code_of(kms.encrypt, KeyId=key, Plaintext=b"secret of the test")
    lines = [line for line in service.audit() if line.get("resource", "").endswith(key)]
    uses = [line for line in lines if line["operation"] == "kms:Encrypt"]
    assert [line["outcome"] for line in uses] == ["ok", "DisabledException"]
    assert uses[0]["context"] == {"tenant": "7"}
    assert uses[0]["request_id"] == reply["ResponseMetadata"]["RequestId"]
    assert uses[0]["principal"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert b"secret of the test" not in (service.dir / "audit.log").read_bytes()
    changes = [e["event"] for e in service.admin("GET", "audit?limit=1000")["events"]]
    assert any(e["operation"] == "kms:DisableKey" and e["resource"].endswith(key) for e in changes)


def test_kill__in_the_middle_of_changes__nothing_answered_is_lost(own):
    promised, doubtful, blob = {}, {}, None
    for round_number in range(8):
        own.start()
        kms = own.client()
        for key, state in promised.items():
            now = state_of(kms, key)
            assert now == state or now == doubtful.get(key), f"{key}: {now}, promised {state}"
            promised[key] = now
        doubtful.clear()
        if blob:
            kms.enable_key(KeyId=blob[0])
            assert kms.decrypt(CiphertextBlob=blob[1])["Plaintext"] == b"first"
            promised[blob[0]] = "Enabled"
        with concurrent.futures.ThreadPoolExecutor() as pool:
            victim = pool.submit(lambda n=round_number: (time.sleep(0.15 + 0.07 * n), own.kill()))
            try:
                while True:
                    key = kms.create_key()["KeyMetadata"]["KeyId"]
                    promised[key] = "Enabled"
                    if not blob:
                        blob = key, kms.encrypt(KeyId=key, Plaintext=b"first")["CiphertextBlob"]
                    for call, state in ((kms.disable_key, "Disabled"), (kms.enable_key, "Enabled")):
                        doubtful = {key: state}
                        call(KeyId=key)
                        promised[key] = state
                        doubtful.clear()
            except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError):
                pass
            victim.result()
    assert len(promised) > 8
    own.start()


def test_setup__files__for_their_owner_only(own):
    own.start()
    for path in [own.dir, *(p for p in own.dir.iterdir() if p.name != "endpoint")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_serve__second_process__busy(own):
    own.start()
    done = own.run("kms", "serve", "--key-file", own.key_file, "--listen", "127.0.0.1:0", check=False)
    assert done.returncode == 5 and "in use by another process" in done.stderr


def test_dial__throttle_error_deny__as_aws_says_it(kms, key, dialled):
    for effect, code in (("throttle", "ThrottlingException"), ("error", "KMSInternalException"),
                         ("deny", "AccessDeniedException")):
        dialled(effect=effect, key=key, operation="kms:Encrypt", count=1)
        assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x") == code
        kms.encrypt(KeyId=key, Plaintext=b"x")


def test_dial__reset_garbage_hang__clients_see_no_answer(service, key, dialled):
    kms = service.client(read_timeout=1)
    for effect in ("reset", "garbage", "hang"):
        dialled(effect=effect, key=key, count=1)
        with pytest.raises((botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError,
                            botocore.exceptions.ClientError, botocore.parsers.ResponseParserError, ValueError)):
            kms.encrypt(KeyId=key, Plaintext=b"x")
    kms.encrypt(KeyId=key, Plaintext=b"x")


def test_dial__latency__answers_late(kms, key, dialled):
    dialled(effect="latency", ms=300, key=key)
    begin = time.monotonic()
    kms.encrypt(KeyId=key, Plaintext=b"x")
    assert time.monotonic() - begin >= 0.3


def test_dial__lag__disable_takes_effect_late(kms, key, dialled):
    dialled(effect="lag", ms=1500, key=key)
    kms.disable_key(KeyId=key)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    end = time.monotonic() + 30
    while state_of(kms, key) == "Enabled":
        assert time.monotonic() < end
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x") == "DisabledException"


def test_dial__skew__signatures_look_old(kms, dialled):
    dialled(effect="skew", ms=3600 * 1000)
    assert code_of(kms.list_keys) == "InvalidSignatureException"


def test_dial__not_allowed__refused(own):
    own.start()
    done = own.run("kms", "dial", "set", "throttle", check=False)
    assert done.returncode == 2 and "--dial" in done.stderr


def test_dial__commands__set_list_clear(service):
    service.run("kms", "dial", "set", "latency", "--time", "1s", "--operation", "kms:Nothing")
    assert "kms:Nothing" in service.run("kms", "dial", "list").stdout
    service.run("kms", "dial", "clear")
    assert service.admin("GET", "dial") == {"rules": []}


# ---- other clients, TLS ----

def test_awscli__life_of_a_key(service):
    aws = peer_dir("python") / "bin/aws"

    def run(*args):
        return subprocess.check_output([aws, "kms", *args, "--output", "text"], env=environment(service),
                                       text=True).strip()

    key = run("create-key", "--query", "KeyMetadata.KeyId")
    path = service.top / "bytes"
    path.write_bytes(b"hello")
    blob = run("encrypt", "--key-id", key, "--plaintext", f"fileb://{path}", "--query", "CiphertextBlob")
    path.write_bytes(base64.b64decode(blob))
    assert base64.b64decode(run("decrypt", "--ciphertext-blob", f"fileb://{path}", "--query", "Plaintext")) == b"hello"


def test_tls__certificate_of_a_test_authority__verified(own):
    certificate, tls_key = own.top / "tls.pem", own.top / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tls_key, "-out", certificate,
                    "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    own.start("--tls-cert", certificate, "--tls-key", tls_key)
    assert own.url.startswith("https://")
    os.environ["AWS_CA_BUNDLE"] = str(certificate)
    try:
        kms = own.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    finally:
        del os.environ["AWS_CA_BUNDLE"]
    assert ACCOUNT in own.run("kms", "account", "list", "--ca-file", certificate).stdout
    assert own.run("kms", "account", "list", check=False).returncode == 4


def test_body__too_long__413(service):
    host, port = service.url.rpartition("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: TrentService.ListKeys\r\n"
                  b"Content-Length: 99999999\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 413")
