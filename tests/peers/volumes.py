# SPDX-License-Identifier: Apache-2.0
"""A volume of a test, driven with the program."""
import json
import os
import subprocess
import time

import pytest


class Volume:
    """Made with the options of `volume create`; env is what its commands and its process see of the environment."""

    def __init__(self, keystead, work, options, env=None):
        if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
            pytest.skip("mounting needs root and /dev/fuse")
        self.run, self.backing, self.at, self.log = keystead, work / "backing", work / "mnt", work / "log"
        self.env = {**(env or {}), "KEYSTEAD_RUN_DIR": str(work / "run")}
        (work / "run").mkdir(mode=0o700)
        self.at.mkdir()
        self("create", self.backing, *options, "--probe", "200ms", "--lease", "2s")

    def __call__(self, command, *args, check=True):
        return self.run("volume", command, *args, check=check, env=self.env)

    def mount(self, *args, check=True):
        return self("mount", self.backing, self.at, "--log", self.log, *args, check=check)

    def status(self):
        return json.loads(self("status", self.at, "--output", "json").stdout)

    def wait_state(self, state, seconds=60):
        """Until it is in this state; how long that took."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            now = self.status()["state"]
            if now == state:
                return time.monotonic() - begin
            time.sleep(0.05)
        pytest.fail(f"the volume is {now} and not {state}: {self.log.read_text()[-2000:]}")

    def end(self):
        subprocess.run(["fusermount3", "-u", "-z", str(self.at)], check=False, stderr=subprocess.DEVNULL)
