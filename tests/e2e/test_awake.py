# SPDX-License-Identifier: Apache-2.0
"""Goal: while requests are frequent the volume process keeps processors from sleeping, lets go soon after, and never when told not to."""
import contextlib
import os
import threading

import pytest

from harness import proc

DEVICE = "/dev/cpu_dma_latency"


@pytest.fixture(autouse=True)
def device():
    if not os.access(DEVICE, os.W_OK):
        pytest.skip(f"{DEVICE} is not there or not ours: this kernel keeps no processor awake for anybody")


def is_holding(volume):
    with os.scandir(f"/proc/{volume.pid}/fd") as fds:
        for fd in fds:
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(fd.path) == DEVICE:
                    return True
    return False


@contextlib.contextmanager
def load(volume):
    """One request after the other."""
    end = threading.Event()

    def ask():
        k = 0
        while not end.is_set():
            k += 1
            with contextlib.suppress(OSError):  # there is no such name, or the volume is locked
                os.stat(os.path.join(volume.mountpoint, f"nobody-{k}"))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield
    finally:
        end.set()
        asker.join()


def test_requests__come_and_end__processors_are_held_and_let_go(volume):
    volume.mount("--keep-awake", "on")
    assert not is_holding(volume)
    for _ in range(2):
        with load(volume):
            proc.wait_until(lambda: is_holding(volume), "processors kept awake under load", poll=0.001)
        proc.wait_until(lambda: not is_holding(volume), "processors that may sleep again")
    assert volume.status()["counters"]["awake_ms"] > 0


def test_requests__when_told_not_to__hold_nothing(volume):
    volume.mount("--keep-awake", "off")
    for k in range(5000):
        assert not os.path.exists(os.path.join(volume.mountpoint, f"nobody-{k}"))
    assert not is_holding(volume)
    assert volume.status()["counters"]["awake_ms"] == 0


def test_a_locked_volume__that_nobody_asks__holds_nothing(volume):
    volume.mount("--keep-awake", "on")
    with load(volume):
        proc.wait_until(lambda: is_holding(volume), "processors kept awake under load", poll=0.001)
        volume.call("lock", "--yes")
    proc.wait_until(lambda: not is_holding(volume), "processors that may sleep again")
    assert volume.state() == "LOCKED"
