# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever many threads do to a tree at once, each finds what it made, before and after a remount."""
import os
import subprocess

import pytest

from harness import proc
from harness.native import native

SEED = "20261122"
CASES = {"few_threads_for_long": ("4", "6000"), "64_threads": ("64", "500")}


def tree(volume):
    path = os.path.join(volume.mountpoint, "stress")
    os.makedirs(path, exist_ok=True)
    return path


def verify_offline(volume):
    volume.unmount()
    volume.cli.run("volume", "verify", volume.backing)
    volume.mount()


@pytest.mark.parametrize("case", CASES)
def test_parallel_stress__the_tree_equals_every_model_also_after_a_remount(mounted, case):
    threads, operations = CASES[case]
    command = [native("fsstress"), "-s", SEED, "-t", threads, "-n", operations]
    proc.run([*command, tree(mounted)], timeout=500)
    verify_offline(mounted)
    proc.run([*command, "-v", tree(mounted)])


def test_parallel_stress_while_keys_rotate__the_tree_equals_every_model(mounted):
    command = [native("fsstress"), "-s", SEED, "-t", "8", "-n", "1500"]
    stress = subprocess.Popen([*command, tree(mounted)], stderr=subprocess.PIPE, text=True)
    rotations = 0
    try:
        while stress.poll() is None and rotations < 20:
            mounted.call("rotate", "--level", "data")
            rotations += 1
        said = stress.communicate(timeout=500)[1]
    finally:
        stress.kill()
        stress.wait()
    assert stress.returncode == 0 and rotations > 0, said
    verify_offline(mounted)
    proc.run([*command, "-v", tree(mounted)])


def test_parallel_stress__a_change_behind_its_back_is_found(work):
    """The tester itself: it must be able to fail, and say where."""
    command = [native("fsstress"), "-s", SEED, "-t", "2", "-n", "300"]
    proc.run([*command, work])
    proc.run([*command, "-v", work])
    files = [os.path.join(d, n) for d, _, names in os.walk(work) for n in names]
    victim = next(f for f in sorted(files) if not os.path.islink(f) and os.path.getsize(f) > 1000)
    with open(victim, "r+b") as f:
        f.seek(500)
        byte = f.read(1)
        f.seek(500)
        f.write(bytes([byte[0] ^ 1]))
    done = proc.run([*command, "-v", work], check=False)
    assert done.returncode == 1 and "byte 500 of chunk 0" in done.stderr, done.stderr
    os.unlink(victim)
    assert proc.run([*command, "-v", work], check=False).returncode == 1
