# SPDX-License-Identifier: Apache-2.0
"""Goal: the driver of Vault transit keeps the contract at a real OpenBao, with tokens, AppRole and namespaces, and a volume
locks when the policy is taken away and opens again when it is back."""
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from conftest import free_port, peer_dir

ROOT_TOKEN = "root-of-the-test"
POLICY = "\n".join(f'path "transit/{verb}/{key}" {{ capabilities = ["{right}"] }}'
                   for key in ("one", "two", "missing", "orders")
                   for verb, right in (("keys", "read"), ("encrypt", "update"), ("decrypt", "update")))

# The hook of the contract: python source, run with the constants in front of it.
HOOK = '''
import json, urllib.request, urllib.error
def ask(method, path, body=None, token=None):
    headers = {"X-Vault-Token": token or ROOT_TOKEN}
    if NAMESPACE:
        headers["X-Vault-Namespace"] = NAMESPACE
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + "/v1/" + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as reply:
        text = reply.read()
    return json.loads(text) if text else None
def drop(name):
    try:
        ask("POST", f"transit/keys/{name}/config", {"deletion_allowed": True})
        ask("DELETE", f"transit/keys/{name}")
    except urllib.error.HTTPError:
        pass
if word == "setup":
    if json.load(urllib.request.urlopen(URL + "/v1/sys/seal-status"))["sealed"]:
        ask("PUT", "sys/unseal", {"key": UNSEAL})
        import time
        for _ in range(100):
            try:
                ask("GET", "sys/mounts")
                break
            except urllib.error.HTTPError:
                time.sleep(0.05)
    ask("PUT", "sys/policies/acl/driver", {"policy": POLICY})
    made = ask("POST", "auth/token/create", {"policies": ["driver"], "ttl": "10m"})
    open(TOKEN_FILE, "w").write(made["auth"]["client_token"] + "\\n")
    for name in ("one", "two"):
        drop(name)
        ask("POST", f"transit/keys/{name}", KEY)
    for name in ("one", "two", "missing"):
        ns = f"?namespace={NAMESPACE}" if NAMESPACE else ""
        print(f"{name} {URL}/v1/transit/keys/{name}{ns}")
elif word == "disable":
    ask("DELETE", "transit/keys/one/soft-delete")
elif word == "destroy":
    drop("one")
elif word == "rotate":
    ask("POST", "transit/keys/one/rotate", {})
elif word == "unreachable" and not NAMESPACE:
    ask("PUT", "sys/seal", {})
elif word == "no-credential":
    ask("POST", "auth/token/revoke", {"token": open(TOKEN_FILE).read().strip()})
elif word != "teardown":
    cannot()
'''


class Bao:
    """An OpenBao server with a transit engine, and its root token."""

    def __init__(self, url, server):
        self.url, self.server = url, server
        self.unseal = self.unseal_key()

    def unseal_key(self):
        """It is printed once everything else is done."""
        for _ in range(400):
            found = re.search(r"Unseal Key: (\S+)", Path(self.server.log).read_text())
            if found:
                return found.group(1)
            time.sleep(0.05)
        pytest.fail("OpenBao does not say its unseal key")

    def ask(self, method, path, body=None, namespace=""):
        headers = {"X-Vault-Token": ROOT_TOKEN, **({"X-Vault-Namespace": namespace} if namespace else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/v1/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def token(self, policy="driver", ttl="10m"):
        return self.ask("POST", "auth/token/create", {"policies": [policy], "ttl": ttl})["auth"]["client_token"]

    def hook(self, contract, token_file, namespace="", key=None):
        constants = {"ROOT_TOKEN": ROOT_TOKEN, "URL": self.url, "UNSEAL": self.unseal, "POLICY": POLICY,
                     "TOKEN_FILE": str(token_file), "NAMESPACE": namespace, "KEY": key or {}}
        return contract.hook("".join(f"{k} = {v!r}\n" for k, v in constants.items()) + HOOK)


@pytest.fixture(scope="module")
def bao(serve):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = serve("openbao", [peer_dir("python") / "bin/bao", "server", "-dev",
                               f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={ROOT_TOKEN}",
                               "-dev-no-store-token"], url + "/v1/sys/health")
    made = Bao(url, server)
    made.ask("POST", "sys/mounts/transit", {"type": "transit"})
    made.ask("PUT", "sys/policies/acl/driver", {"policy": POLICY})
    return made


@pytest.mark.parametrize("key", [{"type": "aes256-gcm96"}, {"type": "aes256-gcm96", "derived": True},
                                 {"type": "chacha20-poly1305"}], ids=["gcm", "derived", "chacha20"])
def test_contract__token_in_a_file(bao, contract, tmp_path, key):
    token = tmp_path / "token"
    passed, skipped = contract.run("VAULT_TRANSIT", principal=token, hook=bao.hook(contract, token, key=key))
    assert skipped == ["use__pending_deletion__denied"]
    assert len(passed) == 17


def test_contract__in_a_namespace(bao, contract, tmp_path):
    bao.ask("POST", "sys/namespaces/team", {})
    bao.ask("POST", "sys/mounts/transit", {"type": "transit"}, "team")
    token = tmp_path / "token"
    passed, _ = contract.run("VAULT_TRANSIT", principal=token, hook=bao.hook(contract, token, "team"))
    assert len(passed) >= 15


def test_contract__approle(bao, contract, tmp_path):
    bao.ask("POST", "sys/auth/approle", {"type": "approle"})
    bao.ask("POST", "auth/approle/role/db", {"token_policies": ["driver"], "token_ttl": "5m"})
    role = bao.ask("GET", "auth/approle/role/db/role-id")["data"]["role_id"]
    secret = tmp_path / "secret-id"
    secret.write_text(bao.ask("POST", "auth/approle/role/db/secret-id", {})["data"]["secret_id"] + "\n")
    hook = bao.hook(contract, tmp_path / "token")
    passed, _ = contract.run("VAULT_TRANSIT", principal=f"approle:{role}@{secret}", hook=hook, leave_out=[
        "use__no_credential__unreachable_and_no_denial"])  # it just logs in again
    assert len(passed) >= 16


# --- a volume ---

class Volume:
    def __init__(self, keystead, work, spec):
        self.run, self.backing, self.at = keystead, work / "backing", work / "mnt"
        self.env = {"KEYSTEAD_RUN_DIR": str(work / "run")}
        (work / "run").mkdir(mode=0o700)
        self.at.mkdir()
        self.log = work / "log"
        self("create", self.backing, *spec, "--probe", "200ms", "--lease", "2s")

    def __call__(self, command, *args, check=True):
        return self.run("volume", command, *args, check=check, env=self.env)

    def mount(self, check=True):
        return self("mount", self.backing, self.at, "--log", self.log, check=check)

    def wait_state(self, state):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            now = json.loads(self("status", self.at, "--output", "json").stdout)["state"]
            if now == state:
                return
            time.sleep(0.05)
        pytest.fail(f"the volume is {now} and not {state}: {self.log.read_text()[-2000:]}")


@pytest.fixture
def volume(bao, keystead, tmp_path):
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("mounting needs root and /dev/fuse")
    bao.ask("PUT", "sys/policies/acl/driver", {"policy": POLICY})
    bao.ask("POST", "transit/keys/orders", {})
    token = tmp_path / "token"
    token.write_text(bao.token() + "\n")
    made = Volume(keystead, tmp_path, ["--key", f"vault_transit:{bao.url}/v1/transit/keys/orders",
                                       "--key-file", token])
    made.token = token
    yield made
    subprocess.run(["fusermount3", "-u", "-z", str(made.at)], check=False, stderr=subprocess.DEVNULL)


def test_volume__policy_removed_and_given_back__locks_and_opens(bao, volume):
    volume.mount()
    (volume.at / "file").write_text("kept")
    bao.ask("PUT", "sys/policies/acl/driver", {"policy": 'path "x" { capabilities = ["read"] }'})
    volume.wait_state("LOCKED")
    with pytest.raises(OSError):
        (volume.at / "file").read_text()
    bao.ask("PUT", "sys/policies/acl/driver", {"policy": POLICY})
    volume.wait_state("OPEN")
    assert (volume.at / "file").read_text() == "kept"
    volume("unmount", volume.at)


def test_volume__new_version_then_old_one_disallowed__opens_only_when_rotated(bao, volume):
    volume.mount()
    (volume.at / "file").write_text("kept")
    bao.ask("POST", "transit/keys/orders/rotate", {})
    latest = bao.ask("GET", "transit/keys/orders")["data"]["latest_version"]
    volume("rotate", volume.at, "--level", "cmek")
    bao.ask("POST", "transit/keys/orders/config", {"min_decryption_version": latest})
    volume("unmount", volume.at)
    volume.mount()
    assert (volume.at / "file").read_text() == "kept"
    bao.ask("POST", "transit/keys/orders/rotate", {})
    bao.ask("POST", "transit/keys/orders/config", {"min_decryption_version": latest + 1})
    volume.wait_state("LOCKED")
    bao.ask("POST", "transit/keys/orders/config", {"min_decryption_version": latest})
    volume.wait_state("OPEN")
    volume("unmount", volume.at)


def test_volume__token_revoked__grace_until_another_is_in_the_file(bao, volume):
    volume.mount()
    (volume.at / "file").write_text("kept")
    bao.ask("POST", "auth/token/revoke", {"token": volume.token.read_text().strip()})
    volume.wait_state("GRACE")
    assert (volume.at / "file").read_text() == "kept"
    volume.token.write_text(bao.token() + "\n")
    volume.wait_state("OPEN")
    volume("unmount", volume.at)


def test_create__key_that_does_not_exist__denied_and_not_made(bao, keystead, tmp_path):
    token = tmp_path / "token"
    token.write_text(ROOT_TOKEN + "\n")  # which may create
    done = keystead("volume", "create", tmp_path / "v", "--key", f"vault_transit:{bao.url}/v1/transit/keys/absent",
                    "--key-file", token, check=False)
    assert done.returncode == 3, done.stderr
    with pytest.raises(urllib.error.HTTPError):
        bao.ask("GET", "transit/keys/absent")
