# SPDX-License-Identifier: Apache-2.0
"""The keystead command, a key store, and a volume, as the tests use them."""
import json
import os
import signal
import subprocess

from . import proc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


class Failed(AssertionError):
    """A command that was to succeed did not."""


class Keystead:
    def __init__(self, binary=None):
        self.binary = binary or self.find()

    @staticmethod
    def find():
        """KEYSTEAD_BIN, else where `make build` puts it."""
        return os.environ.get("KEYSTEAD_BIN") or os.path.join(ROOT, "build/gcc/src/cli/keystead")

    def run(self, *args, check=True, timeout=120, prefix=(), **kwargs):
        """The finished command; output goes through a file, because a daemon may keep it open."""
        argv = [*prefix, self.binary, *map(str, args)]
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        done = proc.run_captured(argv, timeout=timeout, **kwargs)
        if check and done.returncode != 0:
            raise Failed(f"{' '.join(argv)}\nexit code {done.returncode}\n"
                         f"{done.stdout}{done.stderr}")
        return done

    def json(self, *args, **kwargs):
        return json.loads(self.run(*args, "--output", "json", **kwargs).stdout)


class KeyStore:
    """A file key store, opened by a key file unless a passphrase file is given."""

    def __init__(self, cli, path, key_file=None, passphrase_file=None):
        self.cli, self.path = cli, path
        self.key_file = None if passphrase_file else key_file or path + ".key"
        self.passphrase_file = passphrase_file

    def _auth(self):
        if self.passphrase_file:
            return ["--passphrase-file", self.passphrase_file]
        return ["--key-file", self.key_file]

    def init(self):
        self.cli.run("kms", "init", "--store", self.path, *self._auth())
        return self

    def key(self, action, name, *args, **kwargs):
        return self.cli.run("kms", "key", action, name, "--store", self.path, *self._auth(), *args,
                            **kwargs)

    def create(self, name):
        self.key("create", name)

    def disable(self, name):
        self.key("disable", name)

    def enable(self, name):
        self.key("enable", name)

    def rotate(self, name):
        self.key("rotate", name)

    def spec(self, name):
        """The arguments that name this key to `volume create` and its kin."""
        spec = ["--key", f"file:{self.path}#{name}"]
        return spec if self.passphrase_file else [*spec, "--key-file", self.key_file]


class Volume:
    def __init__(self, cli, backing, mountpoint, log):
        self.cli, self.backing, self.mountpoint, self.log = cli, backing, mountpoint, log
        self.mount_args = []
        self.pid = 0

    def create(self, specs, *args):
        self.cli.run("volume", "create", self.backing, *(a for s in specs for a in s), *args)
        return self

    def mount(self, *args, check=True, **kwargs):
        """Mount; arguments are remembered for the next time."""
        if args:
            self.mount_args = list(args)
        try:
            os.mkdir(self.mountpoint)
        except FileExistsError:
            pass  # or the dead mount of a volume process that was killed
        done = self.cli.run("volume", "mount", self.backing, self.mountpoint, "--log", self.log,
                            *self.mount_args, check=check, **kwargs)
        if done.returncode == 0:
            self.pid = self.status()["volume"]["pid"]
        return done

    def unmount(self, check=True):
        """Unmount; the volume process and its helpers must end."""
        helpers = proc.descendants(self.pid) if self.pid else []
        done = self.cli.run("volume", "unmount", self.mountpoint, check=check)
        if done.returncode == 0 and self.pid:
            for pid in [self.pid, *helpers]:
                proc.wait_gone(pid)
            self.pid = 0
        return done

    def kill(self):
        """kill -9 of the volume process alone; its helpers must end by themselves. Whatever is left of
        the mount is for the next mount to deal with, as after a crash."""
        helpers = proc.descendants(self.pid)
        os.kill(self.pid, signal.SIGKILL)
        for pid in [self.pid, *helpers]:
            proc.wait_gone(pid)
        self.pid = 0

    def status(self):
        return self.cli.json("volume", "status", self.mountpoint)

    def state(self):
        return self.status()["state"]

    def wait_state(self, *states, timeout=60):
        return proc.wait_until(lambda: self.state() in states,
                               f"{self.mountpoint} is {' or '.join(states)}", timeout)

    def call(self, command, *args, **kwargs):
        return self.cli.run("volume", command, self.mountpoint, *args, **kwargs)
