# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests against key services and clients that are not ours.

tools/peers.sh installs them; one that could not be installed makes its tests skip with the reason. Each server runs
on the loopback, on a port of its own, for one test module, and is ended with it.
"""
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(subprocess.check_output([ROOT / "tools/peers.sh", "--dir"], text=True).strip())
BUILD = Path(os.environ.get("KEYSTEAD_BUILD", ROOT / "build/gcc"))


def peer_dir(name):
    """Where a peer is installed; skips with the reason when it is not."""
    missing = PEERS / f"{name}.missing"
    if (PEERS / name / "keystead-stamp").exists():
        return PEERS / name
    reason = missing.read_text().strip() if missing.exists() else "run `make peers`"
    pytest.skip(f"{name} is not installed: {reason}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server process; its output is kept for the report of a failed test."""

    def __init__(self, name, argv, log, env=None):
        self.name, self.log = name, log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, "HOME": os.path.dirname(log), **(env or {})},
                cwd=os.path.dirname(log), start_new_session=True)

    def wait(self, url, seconds=60):
        """Until it answers on url, whatever the status."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                pytest.fail(f"{self.name} ended with {self.process.returncode}:\n{self.text()}")
            try:
                urllib.request.urlopen(url, timeout=5).close()
                return self
            except urllib.error.HTTPError:
                return self
            except OSError:
                time.sleep(0.05)
        pytest.fail(f"{self.name} does not answer on {url}:\n{self.text()}")

    def text(self):
        return Path(self.log).read_text(errors="replace")[-4000:]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """serve(name, argv, url, env): a running server that answers on url."""
    servers = []

    def start(name, argv, url, env=None):
        log = tmp_path_factory.mktemp(name) / "log"
        servers.append(Server(name, argv, str(log), env))
        return servers[-1].wait(url)

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def moto(serve):
    """URL of a moto server: most of AWS, without key policies, states or trust."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    serve("moto", [peer_dir("python") / "bin/moto_server", "-H", "127.0.0.1", "-p", port], url + "/moto-api/")
    return url


@pytest.fixture(scope="module")
def localemu(serve):
    """URL of a localemu server: key states, imports, ExternalId."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    home = peer_dir("localemu")
    serve("localemu", [home / "bin/localemu", "start", "--host", "127.0.0.1", "--port", port], url, {
        "IAM_ENFORCEMENT": "1", "PATH": f"{home}/bin:{os.environ['PATH']}"})
    return url


@pytest.fixture(scope="module")
def local_kms(serve):
    """URL of local-kms: key states, imports."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    serve("local_kms", [peer_dir("local_kms") / "bin/local-kms"], url, {"PORT": str(port)})
    return url


@pytest.fixture(scope="module")
def openbao(serve):
    """(URL, root token) of an OpenBao server with nothing in it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    token = "root-of-the-test"
    serve("openbao", [peer_dir("python") / "bin/bao", "server", "-dev", f"-dev-listen-address=127.0.0.1:{port}",
                      f"-dev-root-token-id={token}", "-dev-no-store-token"], url + "/v1/sys/health")
    return url, token


@pytest.fixture
def keystead():
    """keystead(*args, check=True, env=None): runs the program."""
    program = BUILD / "src/cli/keystead"

    def run(*args, check=True, env=None):
        done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}, check=False)
        if check and done.returncode != 0:
            pytest.fail(f"keystead {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    return run


class Contract:
    """The driver contract (tests/contract) against a service: see tests/contract/external.h."""

    def __init__(self, tmp_path):
        self.program = BUILD / "tests/contract/kms_contract_test"
        self.tmp_path = tmp_path

    def hook(self, source):
        """A hook program from Python source, in which `word` is what to do and `cannot()` says that it cannot."""
        path = self.tmp_path / "hook"
        path.write_text(f"#!{sys.executable}\nimport sys\nword = sys.argv[1]\n"
                        f"def cannot():\n    sys.exit(77)\n{source}")
        path.chmod(0o755)
        return path

    def run(self, key_type, one="", two="", missing="", principal="", hook="", leave_out=(), env=None):
        """Runs the suite; the names of tests that passed and of those that were skipped. Fails when one failed."""
        settings = {"TYPE": key_type, "ONE": one, "TWO": two, "MISSING": missing, "PRINCIPAL": principal,
                    "HOOK": hook, "LEAVE_OUT": " ".join(leave_out)}
        done = subprocess.run(
            [self.program], capture_output=True, text=True, timeout=500, stdin=subprocess.DEVNULL, check=False,
            env={**os.environ, **(env or {}), **{f"KEYSTEAD_CONTRACT_{k}": str(v) for k, v in settings.items()}})
        text = done.stdout + done.stderr
        passed = re.findall(r"^\[       OK \] (\S+)", text, re.M)
        skipped = sorted(set(re.findall(r"^\[  SKIPPED \] (\S+)$", text, re.M)))
        if done.returncode != 0 or not passed:
            pytest.fail(f"the contract is not kept: exit {done.returncode}\n{text}")
        print(f"contract {key_type}: {len(passed)} passed; cannot be tested here: {', '.join(skipped) or 'nothing'}")
        return passed, skipped


@pytest.fixture
def contract(tmp_path):
    return Contract(tmp_path)
