# SPDX-License-Identifier: Apache-2.0
"""The embedded key service as the tests use it: set up, started, killed, asked with the stock clients."""
import json
import os
import signal
import subprocess
import time
import urllib.request

import boto3
import botocore.config
import pytest

from conftest import BUILD

ACCOUNT = "111122223333"
REGION = "eu-west-1"


class KmsService:
    """A state directory and, between start and stop, the process that serves it."""

    def __init__(self, top):
        self.top, self.dir, self.key_file = top, top / "state", top / "root.key"
        self.process = None
        self.program = str(BUILD / "src/cli/keystead")
        self.run("kms", "setup", "--key-file", self.key_file)

    def run(self, *args, check=True):
        done = subprocess.run([self.program, *map(str, args), "--dir", self.dir], capture_output=True, text=True,
                              timeout=120, stdin=subprocess.DEVNULL, check=False)
        if check and done.returncode != 0:
            pytest.fail(f"keystead {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, *options):
        endpoint = self.dir / "endpoint"
        endpoint.unlink(missing_ok=True)
        with open(self.top / "serve.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "kms", "serve", "--dir", self.dir, "--key-file", self.key_file, "--listen",
                 "127.0.0.1:0", *map(str, options)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while not endpoint.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"the key service does not start:\n{(self.top / 'serve.log').read_text()}")
            time.sleep(0.02)
        self.url = endpoint.read_text().strip()
        return self

    def stop(self):
        """Ends it as a service manager does; it must end well."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) == 0, (self.top / "serve.log").read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def client(self, service="kms", account=ACCOUNT, credentials=None, **config):
        """A boto3 client of an account's root user, or with other credentials."""
        if credentials is None:
            credentials = self.credentials(account)
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        config = {"retries": {"total_max_attempts": 1}, "read_timeout": 60, **config}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION,
                            config=botocore.config.Config(**config), **dict(zip(names, credentials)))

    def credentials(self, account=ACCOUNT):
        lines = (self.dir / f"{account}.credentials").read_text().split("\n")
        return [line.partition(" = ")[2] for line in lines[1:3]]

    def admin(self, method, path, body=None):
        token = (self.dir / "admin.token").read_text()
        request = urllib.request.Request(
            f"{self.url}/keystead/v1/{path}", method=method, data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def audit(self):
        """The lines of the log of uses."""
        return [json.loads(line) for line in (self.dir / "audit.log").read_text().split("\n") if line.strip("\0")]

    def resident_kib(self):
        text = open(f"/proc/{self.process.pid}/status", encoding="ascii").read()
        return int(text.split("VmRSS:")[1].split()[0])


def code_of(call, *args, **kwargs):
    """The error code that a call ends with."""
    try:
        call(*args, **kwargs)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return pytest.fail(f"{call} {kwargs} succeeded")


def message_of(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Message"]
    return pytest.fail(f"{call} {kwargs} succeeded")


def environment(service, account=ACCOUNT):
    """For AWS's own command line."""
    key_id, secret = service.credentials(account)
    return {"AWS_ENDPOINT_URL": service.url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": secret, "HOME": str(service.top), "PATH": os.environ["PATH"],
            "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1"}
