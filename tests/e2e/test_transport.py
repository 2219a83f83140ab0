# SPDX-License-Identifier: Apache-2.0
"""Goal: a mount that takes its requests over io_uring keeps every promise of one that reads the device."""
import filecmp
import os
import signal
import sqlite3
import threading

import pytest

from test_conformance import documented, ext4, suite  # noqa: F401 (ext4 is a fixture)

from harness import memory, proc
from harness.native import native
from harness.witness import Witness

SWITCH = "/sys/module/fuse/parameters/enable_uring"
SEED = "20261122"


def switch(value):
    with open(SWITCH, "w", encoding="ascii") as f:
        f.write(value)


@pytest.fixture
def offered():
    """The kernel offers the transport for this test; its switch is put back behind it."""
    if not os.path.exists(SWITCH):
        pytest.skip("this kernel has no FUSE over io_uring (Linux 6.14 and later have)")
    with open(SWITCH, encoding="ascii") as f:
        before = f.read().strip()
    try:
        switch("Y")
    except OSError as e:
        pytest.skip(f"FUSE over io_uring cannot be switched on here: {e}")
    yield
    switch(before)


@pytest.fixture
def ring(offered, volume):
    volume.mount("--io-uring")
    if volume.status()["transport"] != "IO_URING":
        pytest.skip("io_uring is forbidden here, the mount went on with the device")
    return volume


@pytest.fixture(params=["io_uring", "device"])
def either(request):
    """A volume mounted over each transport in turn."""
    if request.param == "io_uring":
        return request.getfixturevalue("ring")
    volume = request.getfixturevalue("volume")
    volume.mount()
    return volume


def test_random_operations__a_file_equals_its_model_also_after_a_remount(ring, work):
    path, model = os.path.join(ring.mountpoint, "f"), os.path.join(work, "model")
    proc.run([native("fsx"), "-s", SEED, "-n", "50000", "-m", model, path], timeout=500)
    ring.unmount()
    ring.mount()
    assert filecmp.cmp(path, model, shallow=False)
    ring.unmount()
    ring.cli.run("volume", "verify", ring.backing)


def test_parallel_stress__the_tree_equals_every_model(ring):
    tree = os.path.join(ring.mountpoint, "stress")
    os.mkdir(tree)
    command = [native("fsstress"), "-s", SEED, "-t", "32", "-n", "500"]
    proc.run([*command, tree], timeout=500)
    ring.unmount()
    ring.mount()
    proc.run([*command, "-v", tree], timeout=500)


def test_conformance__the_differences_from_ext4_are_the_documented_ones(offered, ext4, new_volume, store):
    """With the device another test holds the volume to them."""
    volume = new_volume([store.spec("orders")], name="ext4/volume")
    volume.mount("--io-uring")
    assert volume.status()["transport"] == "IO_URING"
    found = suite(volume.mountpoint)
    volume.unmount()
    written = {case: on_volume for case, (_, on_volume) in documented().items()}
    assert len(found) > 1000
    assert {case: said for case, said in found.items() if case in written} == written
    assert {case for case, said in found.items() if said.startswith("fails")} <= set(written)


def test_lock_under_load__everything_is_cut_and_neither_key_nor_plaintext_is_left(either):
    path, secret = os.path.join(either.mountpoint, "report"), os.urandom(64)
    with open(path, "wb") as f:
        f.write(secret * 256 * 64)
        f.flush()
        os.fsync(f.fileno())
    patterns = memory.keys_of(either, memory.backing_file_of(either, path)) | {"plaintext": secret}
    found, _ = memory.scan(either.pid, patterns)
    assert "plaintext" in found and len(found) > 2, found
    witness, busy = Witness(either.mountpoint, path), threading.Event()

    def keep_writing():
        try:
            with open(os.path.join(either.mountpoint, "load"), "wb", buffering=0) as f:
                while not busy.is_set():
                    f.write(os.urandom(65536))
                    os.fsync(f.fileno())
        except OSError:
            pass  # the lock

    load = threading.Thread(target=keep_writing)
    load.start()
    try:
        either.call("lock", "--yes")
        witness.wait_cut_off(timeout=10)
    finally:
        busy.set()
        load.join()
        witness.close()
    assert either.state() == "LOCKED"
    found, searched = memory.scan(either.pid, patterns)
    assert not found and searched > 1 << 20, found
    either.call("unlock")
    either.wait_state("OPEN")
    assert os.path.getsize(path) == 256 * 4096


def test_process_killed_under_a_database__every_commit_is_there(ring):
    path = os.path.join(ring.mountpoint, "t.db")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=full")
    db.execute("create table t(k integer primary key)")
    for k in range(300):
        db.execute("insert into t values(?)", (k,))
    ring.kill()
    db.close()
    ring.mount()
    again = sqlite3.connect(path)
    assert again.execute("select count(*) from t").fetchone() == (300,)
    again.close()


def test_unmount_and_signals__the_mount_ends_as_with_the_device(ring):
    pid = ring.pid
    os.kill(pid, signal.SIGTERM)
    proc.wait_gone(pid)
    ring.mount()
    assert ring.status()["transport"] == "IO_URING"
    ring.unmount()


def test_kernel_does_not_offer_it__the_device_is_used(offered, volume):
    switch("N")
    volume.mount("--io-uring")
    assert volume.status()["transport"] == "DEVICE"
    with open(os.path.join(volume.mountpoint, "f"), "w", encoding="ascii") as f:
        f.write("there")
    volume.unmount()
