# SPDX-License-Identifier: Apache-2.0
"""Goal: Google's own clients, google-cloud-kms with google-auth and the gcloud command, take the embedded key service for
Cloud KMS; our driver keeps its contract there; and a volume locks when the customer says no, and opens again."""
import base64
import json
import os
import shutil
import site
import subprocess
import sys
import time
import urllib.request

import pytest

from conftest import BUILD, free_port, peer_dir

LOCATION = "projects/customer/locations/europe-west1"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@pytest.fixture(scope="module")
def google():
    """Google's libraries, from an environment of their own."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site.addsitedir(str(peer_dir("google") / "lib" / version / "site-packages"))
    from google.api_core import exceptions
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud import kms
    from google.cloud.kms_v1.services.key_management_service.transports.rest import KeyManagementServiceRestTransport
    from google.oauth2 import service_account

    class Google:
        pass

    made = Google()
    made.kms, made.errors, made.transport = kms, exceptions, KeyManagementServiceRestTransport
    made.session, made.account = AuthorizedSession, service_account.Credentials
    return made


class Service:
    """The embedded key service with a project of a customer."""

    def __init__(self, url, state):
        self.url, self.state = url, state
        self.host = url.removeprefix("http://")
        self.owner = state.parent / "owner.json"
        self.owner.write_text(json.dumps(self.admin("projects", {"project": "customer"})))
        self.env = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": url + "/",
                    "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS": url + "/"}

    def admin(self, path, body=None, method="POST"):
        token = (self.state / "admin.token").read_text().strip()
        request = urllib.request.Request(
            f"{self.url}/keystead/v1/{path}", None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}"}, method=method)
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)


@pytest.fixture(scope="module")
def service(serve, tmp_path_factory):
    program, work = BUILD / "src/cli/keystead", tmp_path_factory.mktemp("google")
    state, root, port = work / "state", work / "root.key", free_port()
    subprocess.run([program, "kms", "setup", "--dir", state, "--key-file", root], check=True, capture_output=True)
    serve("keystead", [program, "kms", "serve", "--dir", state, "--key-file", root, "--listen", f"127.0.0.1:{port}",
                       "--dial"], f"http://127.0.0.1:{port}/keystead/v1/health")
    return Service(f"http://127.0.0.1:{port}", state)


class Customer:
    """Somebody who is logged in with google-auth, and his stock client."""

    def __init__(self, google, service, info):
        self.google, self.service, self.info = google, service, info
        self.credentials = google.account.from_service_account_info(info, scopes=[SCOPE])
        self.kms = google.kms.KeyManagementServiceClient(transport=google.transport(
            credentials=self.credentials, host=service.host, url_scheme="http"))
        self.web = google.session(self.credentials)

    def post(self, path, body):
        reply = self.web.post(f"{self.service.url}/v1/{path}", json=body, timeout=20)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def colleague(self, name):
        """A new service account, logged in with a new key."""
        email = self.post("projects/customer/serviceAccounts", {"accountId": name})["email"]
        key = self.post(f"projects/-/serviceAccounts/{email}/keys", {})
        return Customer(self.google, self.service, json.loads(base64.b64decode(key["privateKeyData"])))

    @property
    def email(self):
        return self.info["client_email"]

    def ring(self, name):
        return self.kms.create_key_ring(parent=LOCATION, key_ring_id=name, key_ring={}).name

    def key(self, ring, name):
        return self.kms.create_crypto_key(parent=ring, crypto_key_id=name, crypto_key={"purpose": "ENCRYPT_DECRYPT"})

    def state(self, version, state):
        return self.kms.update_crypto_key_version(request={
            "crypto_key_version": {"name": version, "state": state}, "update_mask": "state"})

    def bind(self, resource, role, members):
        policy = self.kms.get_iam_policy(request={"resource": resource})
        del policy.bindings[:]
        if members:
            policy.bindings.add(role=role, members=[f"serviceAccount:{m}" for m in members])
        return self.kms.set_iam_policy(request={"resource": resource, "policy": policy})


@pytest.fixture(scope="module")
def owner(google, service):
    return Customer(google, service, json.loads(service.owner.read_text()))


# --- the stock library ---

def test_client__key_disabled_and_enabled__denied_in_between(google, owner):
    key = owner.key(owner.ring("states"), "k")
    assert key.primary.state.name == "ENABLED"
    sealed = owner.kms.encrypt(request={"name": key.name, "plaintext": b"hello", "plaintext_crc32c": 2591144780,
                                        "additional_authenticated_data": b"aad"})
    assert sealed.verified_plaintext_crc32c and sealed.name == key.primary.name
    opening = {"name": key.name, "ciphertext": sealed.ciphertext, "additional_authenticated_data": b"aad"}
    opened = owner.kms.decrypt(request=opening)
    assert opened.plaintext == b"hello" and opened.plaintext_crc32c == 2591144780 and opened.used_primary
    owner.state(sealed.name, "DISABLED")
    with pytest.raises(google.errors.BadRequest, match="current state is: DISABLED"):
        owner.kms.decrypt(request=opening)
    owner.state(sealed.name, "ENABLED")
    assert owner.kms.decrypt(request=opening).plaintext == b"hello"
    with pytest.raises(google.errors.BadRequest, match="additional_authenticated_data"):
        owner.kms.decrypt(request={**opening, "additional_authenticated_data": b"other"})
    assert owner.kms.destroy_crypto_key_version(name=sealed.name).state.name == "DESTROY_SCHEDULED"
    assert owner.kms.restore_crypto_key_version(name=sealed.name).state.name == "DISABLED"


def test_client__rotation__both_versions_listed_and_used(owner):
    key = owner.key(owner.ring("rotation"), "k")
    old = owner.kms.encrypt(name=key.name, plaintext=b"old")
    second = owner.kms.create_crypto_key_version(parent=key.name, crypto_key_version={})
    owner.kms.update_crypto_key_primary_version(name=key.name, crypto_key_version_id="2")
    assert owner.kms.encrypt(name=key.name, plaintext=b"new").name == second.name
    assert not owner.kms.decrypt(name=key.name, ciphertext=old.ciphertext).used_primary
    names = [v.name for v in owner.kms.list_crypto_key_versions(request={"parent": key.name, "page_size": 1})]
    assert names == [key.primary.name, second.name]


def test_client__policy_set_and_taken_back__counts_at_once(google, owner):
    key = owner.key(owner.ring("policies"), "k").name
    app = owner.colleague("app-account")
    with pytest.raises(google.errors.Forbidden, match="useToEncrypt"):
        app.kms.encrypt(name=key, plaintext=b"x")
    outdated = owner.bind(key, "roles/cloudkms.cryptoKeyEncrypterDecrypter", [app.email])
    sealed = app.kms.encrypt(name=key, plaintext=b"x").ciphertext
    mine = app.kms.test_iam_permissions(request={"resource": key, "permissions": [
        "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeys.get"]})
    assert list(mine.permissions) == ["cloudkms.cryptoKeyVersions.useToDecrypt"]
    owner.bind(key, "", [])
    with pytest.raises(google.errors.Forbidden):
        app.kms.decrypt(name=key, ciphertext=sealed)
    with pytest.raises(google.errors.Conflict):
        owner.kms.set_iam_policy(request={"resource": key, "policy": outdated})


@pytest.mark.parametrize("method,digest", [("RSA_OAEP_3072_SHA256_AES_256", "sha256"),
                                           ("RSA_OAEP_4096_SHA1_AES_256", "sha1")])
def test_client__key_imported__is_used(google, owner, method, digest):
    from cryptography.hazmat.primitives import hashes, keywrap, serialization
    from cryptography.hazmat.primitives.asymmetric import padding
    kms, ring = owner.kms, owner.ring(f"import-{digest}")
    key = kms.create_crypto_key(request={
        "parent": ring, "crypto_key_id": "k", "skip_initial_version_creation": True,
        "crypto_key": {"purpose": "ENCRYPT_DECRYPT", "import_only": True, "version_template": {
            "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protection_level": "HSM"}}}).name
    job = kms.create_import_job(parent=ring, import_job_id="j",
                                import_job={"import_method": method, "protection_level": "HSM"})
    public = serialization.load_pem_public_key(kms.get_import_job(name=job.name).public_key.pem.encode())
    hash_of = hashes.SHA256() if digest == "sha256" else hashes.SHA1()
    kek, material = os.urandom(32), os.urandom(32)
    wrapped = public.encrypt(kek, padding.OAEP(padding.MGF1(hash_of), hash_of, None))
    wrapped += keywrap.aes_key_wrap_with_padding(kek, material)
    version = kms.import_crypto_key_version(request={"parent": key, "import_job": job.name, "wrapped_key": wrapped,
                                                     "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"})
    assert version.state.name == "PENDING_IMPORT"
    assert kms.get_crypto_key_version(name=version.name).state.name == "ENABLED"
    with pytest.raises(google.errors.BadRequest):  # an import never becomes primary by itself
        kms.encrypt(name=key, plaintext=b"x")
    kms.update_crypto_key_primary_version(name=key, crypto_key_version_id="1")
    assert kms.decrypt(name=key, ciphertext=kms.encrypt(name=key, plaintext=b"x").ciphertext).plaintext == b"x"


def test_client__self_signed_token__taken(google, owner, service):
    own = google.account.from_service_account_info(owner.info).with_always_use_jwt_access(True)
    client = google.kms.KeyManagementServiceClient(
        transport=google.transport(credentials=own, host=service.host, url_scheme="http"))
    assert list(client.list_key_rings(parent=LOCATION)) is not None


# --- gcloud ---

def test_gcloud__ring_key_encrypt_disable__as_at_google(owner, service, tmp_path):
    gcloud = shutil.which("gcloud")
    if not gcloud:
        pytest.skip("gcloud is not installed")
    env = {**os.environ, **service.env, "CLOUDSDK_CONFIG": str(tmp_path / "config"), "CLOUDSDK_CORE_PROJECT": "customer",
           "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(service.owner), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
           "CLOUDSDK_AUTH_TOKEN_HOST": service.url + "/token",
           "CLOUDSDK_CORE_CHECK_GCE_METADATA": "0", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1"}

    def run(*args, fails=False):
        done = subprocess.run([gcloud, "kms", *args, "--location", "europe-west1"], env=env, capture_output=True,
                              text=True, timeout=120, stdin=subprocess.DEVNULL, check=False)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    names = ["--keyring", "gcloud", "--key", "k"]
    plain, sealed, opened = tmp_path / "plain", tmp_path / "sealed", tmp_path / "opened"
    plain.write_bytes(b"from gcloud")
    run("keyrings", "create", "gcloud")
    run("keys", "create", "k", "--keyring", "gcloud", "--purpose", "encryption")
    run("encrypt", *names, "--plaintext-file", str(plain), "--ciphertext-file", str(sealed))
    run("decrypt", *names, "--ciphertext-file", str(sealed), "--plaintext-file", str(opened))
    assert opened.read_bytes() == b"from gcloud"
    run("keys", "versions", "disable", "1", *names)
    assert "DISABLED" in run("decrypt", *names, "--ciphertext-file", str(sealed), "--plaintext-file", str(opened),
                             fails=True)
    run("keys", "versions", "enable", "1", *names)
    run("keys", "add-iam-policy-binding", "k", "--keyring", "gcloud", "--member", f"serviceAccount:{owner.email}",
        "--role", "roles/cloudkms.cryptoKeyDecrypter")
    assert "cryptoKeyDecrypter" in run("keys", "get-iam-policy", "k", "--keyring", "gcloud")


# --- our driver ---

HOOK = '''
import json, time, urllib.request
def ask(method, path, body=None, token=TOKEN, prefix="/v1/"):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + prefix + path, data, {"Authorization": "Bearer " + token}, method=method)
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.load(reply)
def dial(method, body=None):
    ask(method, "dial", body, ADMIN, "/keystead/v1/")
note = open(NOTE).read() if word != "setup" else ""
one = f"{RING}/cryptoKeys/one{note}"
if word == "setup":
    note = str(time.time_ns())
    open(NOTE, "w").write(note)
    for name in ("one", "two"):
        ask("POST", f"{RING}/cryptoKeys?cryptoKeyId={name}{note}", {"purpose": "ENCRYPT_DECRYPT"})
    for name in ("one", "two", "missing"):
        print(f"{name} {RING}/cryptoKeys/{name}{note}")
elif word == "disable":
    ask("PATCH", one + "/cryptoKeyVersions/1?updateMask=state", {"state": "DISABLED"})
elif word == "pending":
    ask("POST", one + "/cryptoKeyVersions/1:destroy", {})
elif word == "rotate":
    made = ask("POST", one + "/cryptoKeyVersions", {})["name"]
    ask("POST", one + ":updatePrimaryVersion", {"cryptoKeyVersionId": made.rsplit("/", 1)[1]})
elif word == "unreachable":
    dial("POST", {"effect": "reset", "account": "customer"})
elif word == "teardown":
    dial("DELETE")
else:
    cannot()
'''


def hook(contract, owner, service, tmp_path, ring):
    owner.web.get(service.url + "/v1/" + LOCATION + "/keyRings")  # fetches a token
    constants = {"TOKEN": owner.credentials.token, "URL": service.url, "RING": ring, "NOTE": str(tmp_path / "note"),
                 "ADMIN": (service.state / "admin.token").read_text().strip()}
    return contract.hook("".join(f"{k} = {v!r}\n" for k, v in constants.items()) + HOOK)


def test_contract__service_account_key(owner, service, contract, tmp_path):
    program = hook(contract, owner, service, tmp_path, owner.ring("contract"))
    passed, _ = contract.run("GCP_CLOUD_KMS", hook=program, env={
        **service.env, "GOOGLE_APPLICATION_CREDENTIALS": str(service.owner)})
    assert len(passed) >= 14


def test_contract__as_the_customers_account(owner, service, contract, tmp_path):
    ring, cross = owner.ring("contract-cross"), owner.colleague("cross-tenant")
    ours = owner.colleague("keystead-account")
    owner.bind(ring, "roles/owner", [cross.email])
    owner.post(f"projects/-/serviceAccounts/{cross.email}:setIamPolicy", {"policy": {"bindings": [
        {"role": "roles/iam.serviceAccountTokenCreator", "members": [f"serviceAccount:{ours.email}"]}]}})
    file = tmp_path / "ours.json"
    file.write_text(json.dumps(ours.info))
    passed, _ = contract.run("GCP_CLOUD_KMS", principal=cross.email, hook=hook(contract, owner, service, tmp_path, ring),
                             env={**service.env, "GOOGLE_APPLICATION_CREDENTIALS": str(file)})
    assert len(passed) >= 14


# --- a volume ---

class Volume:
    def __init__(self, keystead, work, env, key):
        self.run, self.backing, self.at, self.log = keystead, work / "backing", work / "mnt", work / "log"
        self.env = {**env, "KEYSTEAD_RUN_DIR": str(work / "run")}
        (work / "run").mkdir(mode=0o700)
        self.at.mkdir()
        self("create", self.backing, "--key", f"gcp_cloud_kms:{key}", "--probe", "200ms", "--lease", "2s")
        self("mount", self.backing, self.at, "--log", self.log)
        (self.at / "file").write_text("kept")

    def __call__(self, command, *args):
        return self.run("volume", command, *args, env=self.env)

    def wait_state(self, state):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            now = json.loads(self("status", self.at, "--output", "json").stdout)["state"]
            if now == state:
                return
            time.sleep(0.05)
        pytest.fail(f"the volume is {now} and not {state}: {self.log.read_text()[-2000:]}")

    def check_locked(self):
        self.wait_state("LOCKED")
        with pytest.raises(OSError):
            (self.at / "file").read_text()

    def check_open(self):
        self.wait_state("OPEN")
        assert (self.at / "file").read_text() == "kept"


def test_volume__version_disabled_or_binding_removed__locks_and_opens(owner, service, keystead, tmp_path):
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("mounting needs root and /dev/fuse")
    key, app = owner.key(owner.ring("volumes"), "orders"), owner.colleague("volume-account")
    file = tmp_path / "app.json"
    file.write_text(json.dumps(app.info))
    owner.bind(key.name, "roles/cloudkms.cryptoKeyEncrypterDecrypter", [app.email])
    volume = Volume(keystead, tmp_path, {**service.env, "GOOGLE_APPLICATION_CREDENTIALS": str(file)}, key.name)
    try:
        owner.state(key.primary.name, "DISABLED")
        volume.check_locked()
        owner.state(key.primary.name, "ENABLED")
        volume.check_open()
        owner.bind(key.name, "", [])
        volume.check_locked()
        owner.bind(key.name, "roles/cloudkms.cryptoKeyEncrypterDecrypter", [app.email])
        volume.check_open()
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(volume.at)], check=False, stderr=subprocess.DEVNULL)
