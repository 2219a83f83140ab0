# SPDX-License-Identifier: Apache-2.0
"""A file system that fails as it is told, below the program: tests/e2e/faulty.c.

What is armed counts down in a file that the program and the test both lock.
"""
import contextlib
import errno
import fcntl
import json
import os

from . import proc
from .keystead import Keystead

HOLD = 0  # in place of an errno


def missing():
    """What is not built; empty when all is there."""
    path = faulty_program().binary
    return "" if os.access(path, os.X_OK) else f"{path} is not there"


def faulty_program():
    build = os.path.dirname(os.path.dirname(os.path.dirname(Keystead.find())))
    return Keystead(os.path.join(build, "tests/e2e/keystead_faulty"))


class Faults:
    def __init__(self, work):
        self.path = os.path.join(work, "faults")
        self._fifo, self._released = self.path + ".hold", None
        os.mkfifo(self._fifo)
        with self._locked() as rules:
            rules.clear()

    def environment(self):
        return {**os.environ, "KEYSTEAD_TEST_FAULTS": self.path}

    @contextlib.contextmanager
    def _locked(self):
        """The rules, to be changed."""
        with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            rules = json.loads(f.read() or "[]")
            yield rules
            f.seek(0)
            f.truncate()
            json.dump(rules, f)

    def arm(self, call, err, path=None, times=1):
        """The next calls (sync, pwrite, sync_dir) on the backing object of a path fail with err."""
        ino = os.stat(path).st_ino if path else 0
        with self._locked() as rules:
            rules.append({"call": call, "ino": ino, "errno": err, "times": times})

    def hold(self, call, path):
        """The next call stands still until release()."""
        self.arm(call, HOLD, path)

    def left(self):
        """How many of the armed calls have not come yet."""
        with self._locked() as rules:
            return sum(rule["times"] for rule in rules)

    def disarm(self):
        with self._locked() as rules:
            rules.clear()

    def wait_held(self):
        """Until a call stands still."""
        proc.wait_until(self._is_held, "a call is held")

    def _is_held(self):
        try:
            self._released = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as e:
            assert e.errno == errno.ENXIO, e  # nobody waits at the other end yet
            return False
        return True

    def release(self):
        os.close(self._released)
        self._released = None

    def end(self):
        """Nothing fails or stands still any more, whatever state a test left behind."""
        self.disarm()
        if self._released is not None or self._is_held():
            self.release()
