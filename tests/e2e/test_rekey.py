# SPDX-License-Identifier: Apache-2.0
"""Goal: a volume in use is re-encrypted to the last block, through kills, locks and renames; an old data key is
destroyed only then, and nothing is lost."""
import json
import os
import subprocess
import threading

import pytest

from conftest import make_engine
from engines import Postgres
from harness import memory, proc

PAYLOAD, BLOCK = 3584, 4096
EXIT_BUSY, EXIT_CORRUPT = 5, 6
MB = 1000 * 1000


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
        os.fsync(f.fileno())


def generations(volume):
    """{generation: its entry}, told without any key."""
    return {g["generation"]: g
            for g in volume.cli.json("volume", "generations", volume.backing)["generations"]}


def rekey_in_background(volume, rate, *more):
    return subprocess.Popen(
        [volume.cli.binary, "volume", "rekey", volume.mountpoint, "--rate", str(rate), *more],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_rewritten(volume, count):
    def is_there():
        rekey = volume.status()["rekey"]
        return rekey and rekey["bytes_rewritten"] >= count and rekey
    return proc.wait_until(is_there, f"{count} bytes are re-encrypted")


def rekey_to_the_end(volume, where=None):
    """The reply; every older generation must be gone after it."""
    reply = volume.cli.json("volume", "rekey", where or volume.mountpoint, timeout=300)
    assert not reply["kept"] and not reply["blocks_damaged"], reply
    return reply


@pytest.fixture
def filled(mounted):
    """A mounted volume with 40 MB under generation 1, and generation 2 the newest: (volume, contents)."""
    content = {f"file-{n}": os.urandom(4 * MB) for n in range(10)}
    for name, data in content.items():
        write(os.path.join(mounted.mountpoint, name), data)
    mounted.call("rotate", "--level", "data")
    return mounted, content


def check_contents(volume, content):
    for name, data in content.items():
        with open(os.path.join(volume.mountpoint, name), "rb") as f:
            assert f.read() == data, name


def copies(volume):
    found = []
    for n in range(2):
        with open(os.path.join(volume.backing, f"keyring.{n}"), "rb") as f:
            found.append(f.read())
    return found


def log_lines(volume, text):
    with open(volume.log) as f:
        return [line for line in f if text in line]


def obstruct_second_copy(volume, sequence):
    """The copy that the change after this sequence writes second cannot be written; the path of what is in the way."""
    path = os.path.join(volume.backing, f"keyring.{sequence % 2}.tmp")
    os.mkdir(path)
    return path


def test_data_rotation__a_copy_of_the_keyring_cannot_be_written__is_done_and_the_copy_is_mended_while_mounted(mounted):
    """A directory lies where the new contents of the second copy are made. To have a new key does not fail for that; the volume process says so
    once and mends the copy as soon as it can, without being asked."""
    told, mended = "the copy keyring.1 of the keyring is old or damaged", "both copies of the keyring are whole again"
    obstacle = obstruct_second_copy(mounted, mounted.status()["keyring"]["sequence"])
    mounted.call("rotate", "--level", "data")
    assert mounted.status()["keyring"] == {"sequence": 2, "sequence_min": 0, "stale": "keyring.1"}
    assert "the copy keyring.1 is old or damaged" in mounted.call("status").stdout
    proc.wait_until(lambda: log_lines(mounted, told), "the log says it")
    os.rmdir(obstacle)
    proc.wait_until(lambda: mounted.status()["keyring"]["stale"] is None, "the copy is mended")
    assert copies(mounted)[0] == copies(mounted)[1]
    proc.wait_until(lambda: log_lines(mounted, mended), "the log says that, too")
    assert len(log_lines(mounted, told)) == len(log_lines(mounted, mended)) == 1


def test_rekey__a_copy_of_the_keyring_cannot_be_written__the_key_is_not_told_destroyed_until_it_is(filled):
    """The change stands in the other copy, and the volume process mends this one by itself."""
    volume, content = filled
    before = copies(volume)
    obstacle = obstruct_second_copy(volume, volume.status()["keyring"]["sequence"])
    for _ in range(2):  # also when there is nothing left to re-encrypt
        done = volume.call("rekey", check=False)
        assert done.returncode != 0 and "destroyed" not in done.stdout, done
        assert "the change stands in keyring.1, but keyring.0 may still hold" in done.stderr, done
    assert copies(volume)[0] == before[0] and copies(volume)[1] != before[1]
    os.rmdir(obstacle)
    proc.wait_until(lambda: volume.status()["keyring"]["stale"] is None, "the copy is mended")
    assert copies(volume)[0] == copies(volume)[1]
    rekey_to_the_end(volume)
    check_contents(volume, content)


def test_rotation__a_copy_of_the_keyring_cannot_be_written__what_takes_away_fails_and_nothing_is_lost(filled):
    """The change stands all the same, and the volume works on with the new keys; another change is not begun on one copy."""
    volume, content = filled
    sequence = volume.status()["keyring"]["sequence"]
    obstacle = obstruct_second_copy(volume, sequence)
    done = volume.call("rotate", "--level", "store", check=False)
    assert done.returncode != 0 and "the change stands in" in done.stderr, done
    assert volume.status()["keyring"]["sequence"] == sequence + 1
    done = volume.call("rotate", "--level", "cmek", check=False)
    assert done.returncode != 0 and "the change stands in" not in done.stderr, done
    assert volume.status()["keyring"]["sequence"] == sequence + 1
    os.rmdir(obstacle)
    volume.call("rotate", "--level", "store")
    sequence = volume.status()["keyring"]["sequence"]
    volume.unmount()
    obstacle = obstruct_second_copy(volume, sequence)
    done = volume.cli.run("volume", "rotate", volume.backing, "--level", "store", check=False)
    assert done.returncode != 0 and "the change stands in" in done.stderr, done
    os.rmdir(obstacle)
    volume.mount()
    assert volume.status()["keyring"] == {"sequence": sequence + 1, "sequence_min": 0, "stale": None}
    assert copies(volume)[0] == copies(volume)[1]
    check_contents(volume, content)


def test_rekey_under_load__killed_in_the_middle__ends_and_loses_nothing(mounted, work):
    engine = make_engine(Postgres, mounted, work)
    engine.init()
    engine.start()
    loaded = engine.load(1000)
    mounted.call("rotate", "--level", "data")
    load = engine.pgbench_background("-n", "-c", "2", "-T", "120")
    try:
        writer = engine.writer()
        rekey = rekey_in_background(mounted, 10)
        shown = wait_rewritten(mounted, 5 * MB)
        assert shown["bytes_total"] > shown["bytes_rewritten"] and shown["rate"] > 0
        writer.wait_for(10)
        mounted.kill()
        acknowledged = writer.finish()
        said = rekey.communicate(timeout=60)[0]
        assert rekey.returncode != 0, said
    finally:
        load.kill()
        load.wait()
    assert acknowledged > loaded
    engine.kill_whatever_is_left()
    before = generations(mounted)
    assert before[1]["state"] == "OLDER" and before[1]["bytes"] > 0 and before[2]["bytes"] >= 4 * MB
    assert before[1]["safe_to_delete"]["answer"] is False

    mounted.mount()
    engine.start()
    engine.verify(acknowledged)
    load = engine.pgbench_background("-n", "-c", "2", "-T", "120")
    try:
        writer = engine.writer()
        writer.wait_for(10)
        reply = rekey_to_the_end(mounted)
        assert reply["destroyed"] == [1] and reply["bytes_rewritten"] > 0
        writer.wait_for(10)
        acknowledged = writer.finish()
    finally:
        load.kill()
        load.wait()
    after = generations(mounted)
    assert after[1]["state"] == "DESTROYED" and after[1]["bytes"] == 0 and after[1]["destroyed"]
    assert after[2]["state"] == "NEWEST"
    engine.verify(acknowledged)
    engine.stop()
    mounted.unmount()
    mounted.mount()
    mounted.call("verify")
    engine.start()
    engine.verify(acknowledged)


def pauses(volume):
    return volume.status()["counters"]["rekey_pauses"]


def test_rekey_with_a_bound_on_latency__rests_for_others_and_for_nobody_else(filled):
    volume, content = filled
    reply = volume.cli.json("volume", "rekey", volume.mountpoint, "--latency", "1ms")
    assert reply["bytes_rewritten"] > 0 and pauses(volume) == 0, "nobody was held up"
    stop = threading.Event()

    def load(n):
        with open(os.path.join(volume.mountpoint, f"busy-{n}"), "wb", buffering=0) as f:
            while not stop.is_set():
                f.write(b"x" * BLOCK)
                os.fsync(f.fileno())

    threads = [threading.Thread(target=load, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    try:
        volume.call("rotate", "--level", "data")
        rekey = rekey_in_background(volume, 1, "--latency", "1ms")
        wait_rewritten(volume, 1)
        proc.wait_until(lambda: pauses(volume) > 0, "it rests for others")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    rekey.terminate()
    rekey.communicate()
    proc.wait_until(lambda: volume.status()["rekey"] is None, "the sweep ended with its asker")
    before = pauses(volume)
    volume.call("rotate", "--level", "data")
    rekey_to_the_end(volume)
    assert pauses(volume) == before, "without a bound it does not rest for others"
    check_contents(volume, content)


def test_rekey_while_files_are_renamed__misses_none(filled):
    volume, content = filled
    places = [os.path.join(volume.mountpoint, name) for name in ("a", "b")]
    for place in places:
        os.mkdir(place)
    for n in range(200):  # many small ones, always on the move from one directory to the other
        write(os.path.join(places[0], str(n)), b"%d" % n * 3000)
    volume.call("rotate", "--level", "data")
    stop = threading.Event()

    def move():
        turn = 0
        while not stop.is_set():
            for n in range(200):
                os.rename(os.path.join(places[turn % 2], str(n)),
                          os.path.join(places[(turn + 1) % 2], str(n)))
            turn += 1

    mover = threading.Thread(target=move)
    mover.start()
    try:
        reply = rekey_to_the_end(volume)
    finally:
        stop.set()
        mover.join()
    assert reply["destroyed"] == [1, 2]
    volume.unmount()  # whatever the kernel kept in its cache is gone with this
    volume.mount()
    volume.call("verify")
    check_contents(volume, content)
    for n in range(200):
        place = next(p for p in places if os.path.exists(os.path.join(p, str(n))))
        with open(os.path.join(place, str(n)), "rb") as f:
            assert f.read() == b"%d" % n * 3000


def test_rekey_of_a_removed_open_file__stays_readable(mounted):
    data = os.urandom(MB)
    path = os.path.join(mounted.mountpoint, "file")
    write(path, data)
    with open(path, "rb") as f:
        os.unlink(path)
        mounted.call("rotate", "--level", "data")
        assert rekey_to_the_end(mounted)["destroyed"] == [1]
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert f.read() == data


def test_rekey_with_a_damaged_block__keeps_its_generation(filled):
    volume, content = filled
    volume.unmount()
    bad = memory.backing_files(volume, 100)[0]
    with open(bad, "r+b") as f:
        f.seek(BLOCK + 7 * BLOCK + 100)
        f.write(b"damage")
    volume.mount()
    for _ in range(2):  # again finds the same
        done = volume.call("rekey", "--output", "json", check=False)
        assert done.returncode == EXIT_CORRUPT
        kept = json.loads(done.stdout)["kept"]
        assert [(k["generation"], k["blocks"], k["reason"]) for k in kept] == [(1, 1, "HAS_BLOCKS")]
    assert generations(volume)[1]["state"] == "OLDER"
    assert generations(volume)[1]["bytes"] == BLOCK
    unreadable = 0
    for name, data in content.items():
        try:
            check_contents(volume, {name: data})
        except OSError:
            unreadable += 1
            os.unlink(os.path.join(volume.mountpoint, name))
    assert unreadable == 1
    volume.unmount()  # with the damaged file gone the key may go as well
    assert rekey_to_the_end(volume, volume.backing)["destroyed"] == [1]


def test_rekey_and_a_lock__stops_and_goes_on(filled, store):
    volume, content = filled
    rekey = rekey_in_background(volume, 5)
    wait_rewritten(volume, 2 * MB)
    store.disable("orders")
    volume.wait_state("LOCKED")
    said = rekey.communicate(timeout=60)[0]
    assert rekey.returncode != 0, said
    assert "locked" in said
    assert volume.status()["rekey"] is None
    refused = volume.call("rekey", check=False)
    assert refused.returncode != 0
    assert generations(volume)[1]["bytes"] > 0  # told without the key
    store.enable("orders")
    volume.wait_state("OPEN")
    reply = rekey_to_the_end(volume)
    assert reply["destroyed"] == [1] and reply["bytes_rewritten"] < 40 * MB * BLOCK // PAYLOAD
    check_contents(volume, content)
    volume.call("verify")


def test_rekey_and_a_second_one_and_an_unmount(filled):
    volume, content = filled
    rekey = rekey_in_background(volume, 5)
    wait_rewritten(volume, 2 * MB)
    assert volume.call("rekey", check=False).returncode == EXIT_BUSY
    volume.unmount()
    rekey.communicate(timeout=60)
    assert rekey.returncode != 0
    assert rekey_to_the_end(volume, volume.backing)["destroyed"] == [1]
    volume.mount()
    check_contents(volume, content)


def test_rekey_and_its_asker_goes_away__stops(filled):
    volume, _ = filled
    rekey = rekey_in_background(volume, 5)
    wait_rewritten(volume, 2 * MB)
    rekey.kill()
    rekey.communicate()
    proc.wait_until(lambda: volume.status()["rekey"] is None, "the sweep ended with its asker")
    assert generations(volume)[1]["state"] == "OLDER"


def test_auto_rekey__after_each_rotation_and_after_a_kill__nothing_older_is_left(store, new_volume):
    volume = new_volume([store.spec("orders")])
    volume.mount("--auto-rekey", "--rate", "5", "--latency", "1s")
    content = {f"file-{n}": os.urandom(4 * MB) for n in range(5)}
    for name, data in content.items():
        write(os.path.join(volume.mountpoint, name), data)
    volume.call("rotate", "--level", "data")
    wait_rewritten(volume, MB)
    volume.kill()
    assert generations(volume)[1]["state"] == "OLDER"
    volume.mount()
    proc.wait_until(lambda: generations(volume)[1]["state"] == "DESTROYED", "generation 1 is destroyed", 120)
    check_contents(volume, content)


def test_rotation_that_is_due__happens_by_itself(store, new_volume):
    volume = new_volume([store.spec("orders")], "--rotate-data", "1s")
    volume.mount()
    assert len(generations(volume)) == 1
    proc.wait_until(lambda: len(generations(volume)) > 1, "there is a new generation", 60)
