# SPDX-License-Identifier: Apache-2.0
"""Goal of this test: the peers that others build on answer, and the contract suite can be driven from here."""
import json
import subprocess
import urllib.request

from conftest import BUILD, peer_dir


def get(url, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=20) as reply:
        return json.load(reply)


def test_moto__key_created_by_the_stock_client__is_there(moto, tmp_path):
    aws = peer_dir("python") / "bin/aws"
    env = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "eu-west-1",
           "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    out = subprocess.check_output([aws, "--endpoint-url", moto, "kms", "create-key"], env=env, text=True)
    assert json.loads(out)["KeyMetadata"]["KeyState"] == "Enabled"


def test_openbao__health__is_unsealed(openbao):
    url, token = openbao
    assert get(url + "/v1/sys/health")["sealed"] is False
    assert "transit/" not in get(url + "/v1/sys/mounts", {"X-Vault-Token": token})


def test_local_kms__answers(local_kms):
    assert local_kms


def test_contract__file_store__is_kept(contract, keystead, tmp_path):
    store, key = tmp_path / "store", tmp_path / "key"
    hook = contract.hook(f"""
import shutil, subprocess
store, key = {str(store)!r}, {str(key)!r}
def kms(*args):
    subprocess.run([{str(BUILD / "src/cli/keystead")!r}, "kms", *args, "--store", store, "--key-file", key],
                   check=True, stdout=subprocess.DEVNULL)
if word == "setup":
    shutil.rmtree(store, ignore_errors=True)
    kms("init"), kms("key", "create", "one"), kms("key", "create", "two")
elif word == "disable":
    kms("key", "disable", "one")
elif word != "teardown":
    cannot()
""")
    passed, skipped = contract.run("FILE", f"{store}#one", f"{store}#two", f"{store}#missing", key, hook)
    assert "use__disabled__denied" in passed
    assert "use__destroyed__denied" in skipped


def test_localemu__answers(localemu):
    assert get(localemu + "/_localemu/health")["services"]["kms"]
