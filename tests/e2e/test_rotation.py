# SPDX-License-Identifier: Apache-2.0
"""Goal: each level of the key hierarchy is rotated while a database writes, nothing is lost, and the old
keys are really no longer needed."""
import os

import pytest

from conftest import make_engine
from engines import Postgres
from harness import proc
from harness.keystead import KeyStore


@pytest.fixture
def postgres(mounted, work):
    engine = make_engine(Postgres, mounted, work)
    engine.init()
    engine.start()
    engine.load(1000)
    return engine


def generations(volume):
    return volume.status()["generations"]


def active_wraps(volume):
    return [w for w in volume.status()["wraps"] if w["state"] == "ACTIVE"]


@pytest.mark.parametrize("level", ["cmek", "store", "data"])
def test_rotate_under_load__every_write_is_there(level, postgres, mounted, store):
    writer = postgres.writer()
    writer.wait_for(10)
    for _ in range(3):
        if level == "cmek":
            store.rotate("orders")
        mounted.call("rotate", "--level", level)
        writer.wait_for(10)
    acknowledged = writer.finish()
    postgres.verify(acknowledged)
    before = postgres.fingerprint()
    postgres.stop()
    mounted.unmount()
    mounted.mount()
    postgres.start()
    assert postgres.fingerprint() == before
    mounted.call("verify")


def test_rotate_data__new_writes_are_under_the_new_generation(mounted):
    path = os.path.join(mounted.mountpoint, "file")

    def write(at):
        with open(path, "ab" if at else "wb") as f:
            f.write(os.urandom(100 * 3584))
            f.flush()
            os.fsync(f.fileno())

    write(0)
    mounted.call("rotate", "--level", "data")
    write(1)
    shown = generations(mounted)
    assert [(g["generation"], g["state"]) for g in shown] == [(1, "OLDER"), (2, "NEWEST")]

    def counted():
        return [g["bytes"] for g in mounted.cli.json(
            "volume", "inspect", mounted.backing, "--survey")["generations"]]
    old, new = counted()
    assert old >= 99 * 4096 and new >= 100 * 4096
    with open(path, "r+b") as f:  # an overwrite moves a block to the newest generation
        f.write(os.urandom(50 * 3584))
        f.flush()
        os.fsync(f.fileno())
    # the kernel writes whole pages of its own, so one block more may have moved
    assert old - counted()[0] in (50 * 4096, 51 * 4096)


def test_status_of_a_mounted_volume__counts_bytes_of_each_generation(mounted):
    with open(os.path.join(mounted.mountpoint, "file"), "wb") as f:
        f.write(os.urandom(100 * 3584))
        f.flush()
        os.fsync(f.fileno())
    mounted.call("rotate", "--level", "data")

    def counted():
        status = mounted.status()
        return status["generations_as_of"] and (status["generations"][0]["bytes"] or 0) >= 100 * 4096
    proc.wait_until(counted, "status counts the bytes of generation 1")
    assert mounted.status()["next_data_rotation"]


def bytes_read(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("rchar:"))


@pytest.mark.parametrize("level", ["cmek", "store"])
def test_rotate_of_a_key_above_the_data_keys__reads_no_data(level, mounted):
    size = 32 << 20
    with open(os.path.join(mounted.mountpoint, "file"), "wb") as f:
        f.write(os.urandom(size))
        f.flush()
        os.fsync(f.fileno())
    mounted.call("status", "--survey")  # whatever was asked for before has been counted
    before = bytes_read(mounted.pid)
    for _ in range(3):
        mounted.call("rotate", "--level", level)
    mounted.call("status", "--survey")  # one count, and the last of those that a rotation may have begun
    assert size <= bytes_read(mounted.pid) - before < 2 * size


def test_rotate_cmek__same_key_at_its_new_version(mounted, store):
    before = active_wraps(mounted)
    store.rotate("orders")
    mounted.call("rotate", "--level", "cmek")
    after = active_wraps(mounted)
    assert len(before) == len(after) == 1
    assert before[0]["id"] != after[0]["id"]
    assert before[0]["key_version"] != after[0]["key_version"]
    retired = [w for w in mounted.status()["wraps"] if w["state"] == "RETIRED"]
    assert [w["id"] for w in retired] == [before[0]["id"]]


def test_rotate_cmek_to_another_key__old_key_can_be_destroyed(postgres, mounted, store, cli, work):
    new = KeyStore(cli, os.path.join(work, "new-kms")).init()
    new.create("orders-2027")
    wrap = active_wraps(mounted)[0]["id"]
    mounted.call("rotate", "--level", "cmek", "--wrap", str(wrap), *new.spec("orders-2027"))
    before = postgres.fingerprint()
    store.key("schedule-deletion", "orders", "--days", "0", "--yes")
    postgres.stop()
    mounted.unmount()
    mounted.mount()
    assert mounted.state() == "OPEN"
    postgres.start()
    assert postgres.fingerprint() == before
    new.disable("orders-2027")  # and the new key is the one that counts now
    mounted.wait_state("LOCKED")
    postgres.kill_whatever_is_left()


def test_rotate_offline__opens_afterwards(volume, store):
    volume.mount()
    with open(os.path.join(volume.mountpoint, "file"), "w") as f:
        f.write("kept")
    volume.unmount()
    for level in ("cmek", "store", "data"):
        volume.cli.run("volume", "rotate", volume.backing, "--level", level)
    volume.mount()
    with open(os.path.join(volume.mountpoint, "file")) as f:
        assert f.read() == "kept"


def test_rotate_data_when_it_is_due__happens_by_itself(new_volume, store):
    volume = new_volume([store.spec("orders")], "--probe", "200ms", "--lease", "2s",
                        "--rotate-data", "1s")
    volume.mount()
    proc.wait_until(lambda: len(generations(volume)) >= 2, "the data key is rotated by itself")


def test_rotate_with_the_key_disabled__changes_nothing(volume, store):
    store.disable("orders")
    before = volume.cli.json("volume", "inspect", volume.backing)
    for level in ("cmek", "store", "data"):
        done = volume.cli.run("volume", "rotate", volume.backing, "--level", level, check=False)
        assert done.returncode == 3
        assert "orders" in done.stderr
    assert volume.cli.json("volume", "inspect", volume.backing) == before
