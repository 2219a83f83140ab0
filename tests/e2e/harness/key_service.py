# SPDX-License-Identifier: Apache-2.0
"""The embedded key service, with a customer's account and a provider's, driven by `keystead kms`."""
import base64
import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.request

from . import proc

CUSTOMER, PROVIDER, ORGANISATION, ROLE = "111122223333", "444455556666", "org-1", "database"


class Service:
    """A state directory and the process that serves it, on the same port every time."""

    def __init__(self, cli, work, name="service", root_key=None, address="127.0.0.1", place=contextlib.nullcontext):
        """root_key: the key that its root key is wrapped under, instead of a key file. address, place: where it runs; place() is
        entered for everything that has to be there."""
        self.cli, self.address, self.place = cli, address, place
        self.dir, self.log = os.path.join(work, name), os.path.join(work, f"{name}.log")
        self.root = [] if root_key else ["--key-file", os.path.join(work, f"{name}.key")]
        self.run("setup", *(["--root-key", root_key] if root_key else self.root))
        self.process = None
        self.url, self.port = "", 0
        self.start()

    def run(self, *args, **kwargs):
        with self.place():
            return self.cli.run("kms", *args, "--dir", self.dir, **kwargs)

    def start(self):
        endpoint = os.path.join(self.dir, "endpoint")
        if os.path.exists(endpoint):
            os.unlink(endpoint)
        with open(self.log, "ab") as out, self.place():
            self.process = subprocess.Popen(
                [self.cli.binary, "kms", "serve", "--dir", self.dir, *self.root, "--listen", f"{self.address}:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        proc.wait_until(lambda: os.path.exists(endpoint) or self.process.poll() is not None, "the key service answers")
        assert self.process.poll() is None, proc.tail(self.log)
        with open(endpoint) as f:
            self.url = f.read().strip()
        self.port = int(self.url.rpartition(":")[2])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, proc.tail(self.log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.stop()


class KeyService(Service):
    """The provider's credentials go where AWS's tools look for them: into the environment of this process."""

    ENVIRONMENT = ("AWS_ENDPOINT_URL", "AWS_SHARED_CREDENTIALS_FILE")

    def __init__(self, cli, work, **how):
        super().__init__(cli, work, **how)
        self.run("account", "create", PROVIDER)
        self.run("user", "create", "keystead", "--account", PROVIDER)
        os.environ["AWS_ENDPOINT_URL"] = self.url
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.path.join(self.dir, f"{PROVIDER}.keystead.credentials")

    def close(self):
        super().close()
        for name in self.ENVIRONMENT:
            os.environ.pop(name, None)

    # The customer's side.

    def key(self, action, name, *args):
        return self.run("key", action, name, *args)

    def create(self, name):
        self.key("create", name)

    def arn(self, name):
        return json.loads(self.key("show", name, "-o", "json").stdout)["arn"]

    def let_in(self, name):
        """The role that the provider may assume for its organisation, and that may use the key."""
        self.run("role", "create", ROLE, "--of-key", name, "--trust", PROVIDER, "--external-id", ORGANISATION)

    def shut_out(self):
        self.run("role", "delete", ROLE)

    # The provider's side.

    def spec(self, name):
        return ["--key", f"aws_kms:{self.arn(name)}", "--auth-principal", f"arn:aws:iam::{CUSTOMER}:role/{ROLE}"]

    def events(self):
        with open(os.path.join(self.dir, "audit.log")) as f:
            return [json.loads(line) for line in f]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class GoogleService(Service):
    """The same service on Google's wire. We use the key as the owner of the customer's project."""

    ENVIRONMENT = ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", "GOOGLE_APPLICATION_CREDENTIALS")
    RING = "projects/customer/locations/europe-west1/keyRings/ring"

    def __init__(self, cli, work):
        super().__init__(cli, work, name="google")
        with open(os.path.join(self.dir, "admin.token")) as f:
            self.account = self.ask("POST", "keystead/v1/projects", f.read().strip(), {"project": "customer"})
        key_file = os.path.join(work, "owner.json")
        with open(key_file, "w") as f:
            json.dump(self.account, f)
        os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS"] = self.url + "/"
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = key_file
        self.kms("POST", self.RING.replace("/ring", "?keyRingId=ring"), {})

    def ask(self, method, path, bearer, body=None):
        request = urllib.request.Request(
            f"{self.url}/{path}", None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)

    def token(self):
        """A JWT that the account signs for itself; openssl signs."""
        now = int(time.time())
        claims = {"iss": self.account["client_email"], "sub": self.account["client_email"], "iat": now, "exp": now + 600,
                  "scope": "https://www.googleapis.com/auth/cloud-platform"}
        head = {"alg": "RS256", "typ": "JWT", "kid": self.account["private_key_id"]}
        text = b".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        key = os.path.join(self.dir, "owner.pem")
        with open(key, "w") as f:
            f.write(self.account["private_key"])
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text, stdout=subprocess.PIPE,
                                   check=True).stdout
        return b".".join((text, base64url(signature))).decode()

    def kms(self, method, path, body=None):
        return self.ask(method, f"v1/{path}", self.token(), body)

    def create(self, name):
        self.kms("POST", f"{self.RING}/cryptoKeys?cryptoKeyId={name}", {"purpose": "ENCRYPT_DECRYPT"})

    def state(self, name, state):
        self.kms("PATCH", f"{self.RING}/cryptoKeys/{name}/cryptoKeyVersions/1?updateMask=state", {"state": state})

    def destroy(self, name):
        self.kms("POST", f"{self.RING}/cryptoKeys/{name}/cryptoKeyVersions/1:destroy", {})

    def spec(self, name):
        return ["--key", f"gcp_cloud_kms:{self.RING}/cryptoKeys/{name}"]

    def close(self):
        super().close()
        for name in self.ENVIRONMENT:
            os.environ.pop(name, None)
