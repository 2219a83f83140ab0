# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever is done to a file in whatever order, it holds what a plain one would."""
import filecmp
import os
import subprocess

import pytest

from harness import proc
from harness.native import native

OPERATIONS = 200_000  # of both together; any number by hand: docs/POSIX.md
CASES = {"default": ([], OPERATIONS * 3 // 4), "dense": (["--dense"], OPERATIONS // 4)}


@pytest.mark.parametrize("layout", CASES)
def test_random_operations__a_file_equals_its_model_also_after_a_remount(store, new_volume, work, layout):
    options, operations = CASES[layout]
    volume = new_volume([store.spec("orders")], *options)
    volume.mount()
    path, model = os.path.join(volume.mountpoint, "f"), os.path.join(work, "model")
    proc.run([native("fsx"), "-s", "20261122", "-n", str(operations), "-m", model, path], timeout=500)
    volume.unmount()
    volume.mount()
    assert filecmp.cmp(path, model, shallow=False)
    volume.unmount()
    volume.cli.run("volume", "verify", volume.backing)


def test_random_operations__a_change_behind_their_back_is_found(work):
    """The tester itself: it must be able to fail, and say how to repeat it."""
    path = os.path.join(work, "f")
    done = subprocess.Popen([native("fsx"), "-n", "100000000", path], stderr=subprocess.PIPE, text=True)
    proc.wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 4096, "the file is there")
    fd = os.open(path, os.O_WRONLY)
    try:
        while done.poll() is None:
            os.pwrite(fd, b"?" * 64, 100)
    finally:
        os.close(fd)
        done.kill()
        said = done.communicate()[1]
    assert done.returncode == 1, said
    assert "again with -s 1 -n" in said and "size" in said, said
