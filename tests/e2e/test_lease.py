# SPDX-License-Identifier: Apache-2.0
"""Goal: no answer is not a "no". An unreachable key store never locks a volume before its grace ends,
a denial always does at once, and a lock through our own interface stays until it is lifted."""
import json
import os
import socket
import time

import pytest

from conftest import FAST, make_engine
from engines import Redis
from harness import proc
from harness.keystead import KeyStore, Volume

GRACE_SECONDS = 3


def probes(volume, result, count=3):
    """Until count different probes gave this result."""
    seen = set()

    def enough():
        probe = volume.status()["last_probe"]
        if probe and probe["result"] == result:
            seen.add(volume.status()["lease"]["left_ms"])
        return len(seen) >= count
    proc.wait_until(enough, f"{count} probes say {result}")


@pytest.fixture
def redis(new_volume, store, work):
    """Redis on a volume with a grace of the test's choice: redis(options...)."""
    def start(*options):
        volume = new_volume([store.spec("orders")], *options)
        volume.mount()
        engine = make_engine(Redis, volume, work)
        engine.init()
        engine.start()
        engine.load(1000)
        return volume, engine
    return start


def hide(store):
    os.rename(store.path, store.path + ".away")


def show(store):
    os.rename(store.path + ".away", store.path)


class Watch:
    """The operation `watch` of a volume's control socket."""

    def __init__(self, volume):
        path = os.path.join(os.environ["KEYSTEAD_RUN_DIR"],
                            volume.status()["volume"]["id"].replace("-", "") + ".sock")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(path)
        self._socket.sendall(b'{"op": "watch"}\n')
        self._in = self._socket.makefile()

    def next(self):
        line = self._in.readline()
        return json.loads(line) if line else None

    def until(self, **wanted):
        """The first line with these members; every line before it must have a lower number."""
        number = 0
        while True:
            line = self.next()
            assert line, f"the volume process ended before {wanted}"
            assert line["sequence"] > number
            number = line["sequence"]
            if all(line[name] == value for name, value in wanted.items()):
                return line

    def close(self):
        self._in.close()
        self._socket.close()


def test_watched__each_state_and_its_cause_is_told_with_the_receipt(mounted, store):
    watch = Watch(mounted)
    first = watch.until(state="OPEN", cause="NONE")
    assert first["sequence"] == 1 and first["message"] == "" and first["receipt"] is None
    store.disable("orders")
    line = watch.until(state="LOCKED", cause="DENIED")
    assert line["receipt"]["cause"] == "DENIED" and "disabled" in line["message"]
    store.enable("orders")
    watch.until(state="OPEN", cause="NONE")
    mounted.call("lock", "--yes")
    line = watch.until(state="LOCKED", cause="REVOKED", revoked=True)
    assert line["receipt"]["cause"] == "REVOKED"
    mounted.call("unlock")
    line = watch.until(state="OPEN", revoked=False)
    mounted.call("rotate", "--level", "store")
    assert watch.next()["keyring"] > line["keyring"]
    hide(store)
    assert watch.until(state="GRACE", cause="UNREACHABLE")["message"]
    assert mounted.status()["cause"] == "UNREACHABLE"
    show(store)
    watch.until(state="OPEN", cause="NONE")
    mounted.unmount()
    while watch.next():
        pass
    watch.close()


def test_unreachable_within_grace__database_goes_on(redis, store):
    volume, engine = redis(*FAST, "--grace", "60m")
    hide(store)
    volume.wait_state("GRACE")
    writer = engine.writer()
    writer.wait_for(50)
    probes(volume, "UNREACH")
    assert volume.state() == "GRACE"
    acknowledged = writer.finish()
    show(store)
    volume.wait_state("OPEN")
    engine.verify(acknowledged)


def test_unreachable_beyond_grace__locks_not_before_it_and_opens_again(redis, store):
    volume, engine = redis(*FAST, "--grace", f"{GRACE_SECONDS}s")
    before, pid = engine.fingerprint(), engine.pid()
    hide(store)
    hidden = time.monotonic()
    volume.wait_state("LOCKED")
    # the last grant may be one probe older than the moment the store went away
    assert time.monotonic() - hidden >= GRACE_SECONDS - 0.5
    proc.kill_tree(pid)
    show(store)
    volume.wait_state("OPEN")
    engine.start()
    assert engine.fingerprint() == before


def test_denied__locks_at_once_whatever_the_grace(redis, store):
    volume, engine = redis(*FAST, "--grace", "24h")
    store.disable("orders")
    volume.wait_state("LOCKED", timeout=10)
    with pytest.raises(OSError):
        os.listdir(volume.mountpoint)
    assert volume.status()["last_probe"]["result"] == "DENY"
    engine.kill_whatever_is_left()


def test_denied_during_grace__locks_at_once(redis, store):
    volume, engine = redis(*FAST, "--grace", "24h")
    hide(store)
    volume.wait_state("GRACE")
    moved = KeyStore(store.cli, store.path + ".away", key_file=store.key_file)
    moved.disable("orders")
    show(store)
    volume.wait_state("LOCKED", timeout=10)
    engine.kill_whatever_is_left()


def test_rotation_and_new_wraps_in_grace__are_refused(mounted, store):
    hide(store)
    mounted.wait_state("GRACE")
    for level in ("cmek", "store"):
        done = mounted.call("rotate", "--level", level, check=False)
        assert done.returncode != 0, f"{level} was rotated without the key service"
    show(store)
    mounted.wait_state("OPEN")
    mounted.call("rotate", "--level", "store")


def test_locked_by_us__stays_locked_though_the_key_is_enabled(mounted):
    mounted.call("lock", "--yes")
    mounted.wait_state("LOCKED")
    probes(mounted, "GRANT", 1)
    assert mounted.status()["revoked"] is True
    assert mounted.state() == "LOCKED"
    mounted.call("unlock")
    mounted.wait_state("OPEN")
    assert mounted.status()["revoked"] is False


def test_locked_by_us__stays_locked_over_a_restart(mounted):
    path = os.path.join(mounted.mountpoint, "file")
    with open(path, "w") as f:
        f.write("kept")
    mounted.call("lock", "--yes")
    mounted.wait_state("LOCKED")
    mounted.kill()
    mounted.mount("--start-locked")
    assert mounted.state() == "LOCKED"
    probes(mounted, "GRANT", 1)
    assert mounted.state() == "LOCKED"
    with pytest.raises(OSError):
        os.stat(path)
    mounted.call("unlock")
    mounted.wait_state("OPEN")
    with open(path) as f:
        assert f.read() == "kept"


def test_locked_by_us__is_there_within_five_seconds(mounted):
    mounted.call("lock", "--yes")
    mounted.wait_state("LOCKED", timeout=5)
    assert mounted.status()["receipt"]["duration_ms"] <= 5000


@pytest.fixture
def two_stores(cli, work):
    made = []
    for name in ("north", "south"):
        store = KeyStore(cli, os.path.join(work, name)).init()
        store.create("orders")
        made.append(store)
    return made


def test_two_wraps__either_opens_and_only_both_denied_locks(two_stores, new_volume):
    volume = new_volume([s.spec("orders") for s in two_stores])
    north, south = two_stores
    volume.mount()
    for denied in (north, south):
        denied.disable("orders")
        probes(volume, "GRANT", 3)
        assert volume.state() == "OPEN"
        volume.unmount()
        volume.mount()
        denied.enable("orders")
    north.disable("orders")
    south.disable("orders")
    volume.wait_state("LOCKED")
    south.enable("orders")
    volume.wait_state("OPEN")


def test_one_wrap_denied_and_one_unreachable__is_no_denial(two_stores, new_volume):
    volume = new_volume([s.spec("orders") for s in two_stores])
    north, south = two_stores
    volume.mount()
    north.disable("orders")
    hide(south)
    volume.wait_state("GRACE")
    probes(volume, "UNREACH")
    assert volume.state() == "GRACE"
    show(south)
    volume.wait_state("OPEN")


def test_wrap_added_and_removed__while_mounted(mounted, two_stores, store):
    north, south = two_stores
    for other in (north, south):
        mounted.call("add-wrap", *other.spec("orders"))
    active = [w for w in mounted.status()["wraps"] if w["state"] == "ACTIVE"]
    assert len(active) == 3
    mounted.call("remove-wrap", "--wrap", str(active[0]["id"]), "--yes")
    store.disable("orders")
    probes(mounted, "GRANT", 3)
    mounted.unmount()
    mounted.mount()
    assert mounted.state() == "OPEN"


def test_mount_while_denied__is_refused_or_waits_locked(volume, store):
    store.disable("orders")
    done = volume.mount(check=False)
    assert done.returncode == 3
    assert "orders" in done.stderr
    volume.mount("--start-locked")
    assert volume.state() == "LOCKED"
    store.enable("orders")
    volume.wait_state("OPEN")


def test_key_store_under_a_passphrase__opens_again_without_a_human(cli, work):
    """The passphrase was given once, at the mount; nobody is there to give it again."""
    secret = os.path.join(work, "passphrase")
    with open(secret, "w") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write("correct horse battery staple\n")
    store = KeyStore(cli, os.path.join(work, "kms"), passphrase_file=secret).init()
    store.create("orders")
    volume = Volume(cli, os.path.join(work, "v"), os.path.join(work, "m"), os.path.join(work, "v.log"))
    volume.create([store.spec("orders")], "--passphrase-file", secret, "--lease", "8s",
                  "--probe", "1s")
    volume.mount("--passphrase-file", secret)
    store.disable("orders")
    volume.wait_state("LOCKED")
    store.enable("orders")
    volume.wait_state("OPEN")
