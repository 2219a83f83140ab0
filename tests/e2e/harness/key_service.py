# SPDX-License-Identifier: Apache-2.0
"""The embedded key service, with a customer's account and a provider's, driven by `keystead kms`."""
import json
import os
import signal
import subprocess

from . import proc

CUSTOMER, PROVIDER, ORGANISATION, ROLE = "111122223333", "444455556666", "org-1", "database"


class KeyService:
    """The provider's credentials go where AWS's tools look for them: into the environment of this process."""

    ENVIRONMENT = ("AWS_ENDPOINT_URL", "AWS_SHARED_CREDENTIALS_FILE")

    def __init__(self, cli, work, root_key=None):
        """root_key: the key that its root key is wrapped under, instead of a key file."""
        self.cli = cli
        self.dir, self.key_file = os.path.join(work, "service"), os.path.join(work, "service.key")
        self.log = os.path.join(work, "service.log")
        self.root = [] if root_key else ["--key-file", self.key_file]
        self.run("setup", *(["--root-key", root_key] if root_key else self.root))
        self.process = None
        self.port = 0
        self.start()
        self.run("account", "create", PROVIDER)
        self.run("user", "create", "keystead", "--account", PROVIDER)
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.path.join(self.dir, f"{PROVIDER}.keystead.credentials")

    def run(self, *args, **kwargs):
        return self.cli.run("kms", *args, "--dir", self.dir, **kwargs)

    def start(self):
        """On the same port every time."""
        endpoint = os.path.join(self.dir, "endpoint")
        if os.path.exists(endpoint):
            os.unlink(endpoint)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                [self.cli.binary, "kms", "serve", "--dir", self.dir, *self.root, "--listen", f"127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        proc.wait_until(lambda: os.path.exists(endpoint) or self.process.poll() is not None, "the key service answers")
        assert self.process.poll() is None, proc.tail(self.log)
        with open(endpoint) as f:
            url = f.read().strip()
        self.port = int(url.rpartition(":")[2])
        os.environ["AWS_ENDPOINT_URL"] = url

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, proc.tail(self.log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.stop()
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
