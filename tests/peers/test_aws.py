# SPDX-License-Identifier: Apache-2.0
"""Goal of this test: the AWS driver works with services and against a signer that are not ours.

moto does not enforce key states, local-kms knows no STS, localemu is in between: what each cannot show is skipped by
name and shown by another one.
"""
import base64
import json
import random
import subprocess
import time

import pytest

from conftest import BUILD, peer_dir
from volumes import Volume

REGION = "eu-west-1"
ENV = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_REGION": REGION,
       "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}


def client(url, service="kms", region=REGION):
    boto3 = pytest.importorskip("boto3", reason="run `make peers`")
    return boto3.client(service, endpoint_url=url, region_name=region, aws_access_key_id=ENV["AWS_ACCESS_KEY_ID"],
                        aws_secret_access_key=ENV["AWS_SECRET_ACCESS_KEY"])


def new_key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


def env(url):
    return {**ENV, "AWS_ENDPOINT_URL": url}


# --- signatures ---

SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def word(rng, low, high, more=""):
    return "".join(rng.choice(SAFE + more) for _ in range(rng.randint(low, high)))


def random_request(rng):
    """What a client of AWS may send; headers in any case, with blanks inside, some paths and queries."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{word(rng, 3, 20)}"}
    for i in range(rng.randint(0, 6)):
        name = rng.choice(["x-amz-", "X-Custom-", "a-", "Z"]) + word(rng, 1, 12, "-") + str(i)
        headers[name] = word(rng, 1, 30, "  .;=,/:_+") + word(rng, 1, 1)
    path = "/" + "/".join(word(rng, 1, 10, "-._~") + word(rng, 1, 1) for _ in range(rng.randint(0, 3)))
    query = "&".join(f"{word(rng, 1, 8)}{i}={word(rng, 0, 8, '-._~')}" for i in range(rng.choice([0, 0, 1, 4])))
    port = rng.choice(["", ":8443", ":4566"])
    return {
        "service": rng.choice(["kms", "sts", "iam", word(rng, 2, 10).lower()]),
        "region": rng.choice(["us-east-1", "eu-west-1", "cn-north-1", word(rng, 3, 20, "-").lower()]),
        "method": rng.choice(["POST", "POST", "GET", "PUT"]),
        "host": word(rng, 1, 30, "-.").lower().strip("-.") + "x.example.com" + port,
        "path": path + ("?" + query if query else ""),
        "headers": headers,
        "body": base64.b64encode(rng.randbytes(rng.choice([0, 1, 100, 5000]))).decode(),
        "now": rng.randint(0, 4102444800),
        "access_key": "AKIA" + word(rng, 12, 12).upper(),
        "secret_key": word(rng, 1, 60, "+/="),
        "token": rng.choice(["", word(rng, 1, 1000, "+/=")]),
    }


def botocore_signature(request, monkeypatch):
    import datetime

    from botocore import auth, awsrequest, credentials

    moment = datetime.datetime.fromtimestamp(request["now"], datetime.timezone.utc)
    for name in ("get_current_datetime",):
        if hasattr(auth, name):
            monkeypatch.setattr(auth, name, lambda *a, **k: moment.replace(tzinfo=None))
    signer = auth.SigV4Auth(credentials.Credentials(request["access_key"], request["secret_key"],
                                                    request["token"] or None), request["service"], request["region"])
    sent = awsrequest.AWSRequest(method=request["method"], url=f"https://{request['host']}{request['path']}",
                                 headers=request["headers"], data=base64.b64decode(request["body"]))
    signer.add_auth(sent)
    assert sent.headers["X-Amz-Date"] == moment.strftime("%Y%m%dT%H%M%SZ")
    return sent.headers["Authorization"]


def test_sign__a_thousand_random_requests__as_botocore(monkeypatch):
    pytest.importorskip("botocore", reason="run `make peers`")
    rng = random.Random(20261122)
    requests = [random_request(rng) for _ in range(1000)]
    ours = subprocess.run([BUILD / "tests/support/aws_sign"], input="".join(json.dumps(r) + "\n" for r in requests),
                          capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    assert len(ours) == len(requests)
    for request, got in zip(requests, ours):
        assert got == botocore_signature(request, monkeypatch), json.dumps(request)


# --- the contract ---

HOOK = """
import os
sys.path[:0] = {path!r}
import boto3
kms = boto3.client("kms", endpoint_url={url!r}, region_name={region!r}, aws_access_key_id="a",
                   aws_secret_access_key="b")
state = {state!r}
if word == "setup":
    one, two = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    open(state, "w").write(one)
    print("one", one)
    print("two", two)
    print("missing", one[:-4] + "0000")
elif word == "disable":
    kms.disable_key(KeyId=open(state).read())
elif word == "pending":
    kms.schedule_key_deletion(KeyId=open(state).read(), PendingWindowInDays=7)
elif word == "rotate" and {rotates!r}:
    kms.rotate_key_on_demand(KeyId=open(state).read())
elif word != "teardown":
    cannot()
"""


def run_contract(contract, url, leave_out=(), rotates=False):
    import sys

    peer_dir("python")
    hook = contract.hook(HOOK.format(path=[p for p in sys.path if p], url=url, region=REGION, rotates=rotates,
                                     state=str(contract.tmp_path / "state")))
    return contract.run("AWS_KMS", hook=hook, leave_out=leave_out, env=env(url))


ALWAYS = {"wrap__own_key_and_context__opens", "wrap__every_allowed_length__opens", "unwrap__other_context__corrupt",
          "unwrap__truncated__corrupt", "use__no_such_key__denied"}


def test_contract__moto__kept(contract, moto):
    # It decrypts under keys that are disabled or about to be deleted; a ciphertext of another key is an
    # AccessDenied, where AWS says IncorrectKey or InvalidCiphertext because a key was named.
    passed, _ = run_contract(contract, moto, [
        "use__disabled__denied", "use__pending_deletion__denied", "unwrap__other_key__corrupt",
        "unwrap__any_bit_flipped__refused_and_no_denial"])
    assert ALWAYS <= set(passed)


def test_contract__local_kms__kept(contract, local_kms):
    passed, _ = run_contract(contract, local_kms)
    assert ALWAYS | {"use__disabled__denied", "use__pending_deletion__denied"} <= set(passed)


def test_contract__localemu__kept(contract, localemu):
    from botocore.exceptions import ClientError

    try:
        new_key(client(localemu))
    except ClientError as e:
        if e.response["Error"]["Code"] != "InternalError":
            raise
        pytest.skip(f"localemu's key service does not run on this Python: {e}")
    passed, _ = run_contract(contract, localemu)
    assert ALWAYS | {"use__disabled__denied", "use__pending_deletion__denied"} <= set(passed)


# --- volumes ---

@pytest.fixture
def volume(moto, keystead, tmp_path):
    made = Volume(keystead, tmp_path, ["--key", f"aws_kms:{new_key(client(moto))}", "--organisation", "org-1"],
                  env(moto))
    yield made
    made.end()


def wraps(volume):
    return json.loads(volume("inspect", volume.backing, "--output", "json").stdout)["wraps"]


def test_volume__moto__mounted_rotated_to_another_key_and_mounted_again(moto, volume):
    volume.mount()
    (volume.at / "file").write_text("kept")
    other = new_key(client(moto, region="us-east-1"))
    volume("rotate", volume.at, "--level", "cmek", "--key", f"aws_kms:{other}")
    assert (volume.at / "file").read_text() == "kept"
    volume("unmount", volume.at)
    now = [w for w in wraps(volume) if w["state"] == "ACTIVE"]
    assert [(w["type"], w["uri"]) for w in now] == [("AWS_KMS", other)]
    volume.mount()
    assert (volume.at / "file").read_text() == "kept"


def test_volume__moto__all_keys_gone__locks(moto, volume):
    import urllib.request

    volume.mount()
    (volume.at / "file").write_text("kept")
    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST"), timeout=20).close()
    volume.wait_state("LOCKED")
    with pytest.raises(OSError):
        (volume.at / "file").read_text()


def test_volume__role_of_the_customer__assumed(moto, keystead, tmp_path):
    """moto gives a session to whoever asks, but the access key of the session is another one than ours."""
    role = client(moto, "iam").create_role(RoleName="cmek", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    made = Volume(keystead, tmp_path, ["--key", f"aws_kms:{new_key(client(moto))}", "--auth-principal", role,
                                       "--organisation", "org-1"], env(moto))
    try:
        made.mount()
        (made.at / "file").write_text("kept")
        assert wraps(made)[0]["auth_principal"] == role
    finally:
        made.end()


def test_volume__credentials_of_a_program__renewed_in_the_volume_process(moto, keystead, tmp_path):
    """The program is started anew for each fetch, from a process that is hardened and holds keys."""
    count, program = tmp_path / "count", tmp_path / "program"
    program.write_text(f"""#!/bin/sh
echo "$1" >>'{count}'
until=$(date -u -d '+3 seconds' +%Y-%m-%dT%H:%M:%SZ)
echo '{{"Version":1,"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"s","Expiration":"'$until'"}}'
""")
    program.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {program} 'two words'\n")
    without = {k: v for k, v in env(moto).items() if k not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    made = Volume(keystead, tmp_path, ["--key", f"aws_kms:{new_key(client(moto))}"],
                  {**without, "AWS_CONFIG_FILE": str(config)})
    try:
        made.mount()
        end = time.monotonic() + 60
        while len(count.read_text().splitlines()) < 6:
            assert time.monotonic() < end, made.log.read_text()
            time.sleep(0.05)
        assert set(count.read_text().splitlines()) == {"two words"}
        assert made.status()["state"] == "OPEN"
    finally:
        made.end()
