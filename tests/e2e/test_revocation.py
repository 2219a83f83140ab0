# SPDX-License-Identifier: Apache-2.0
"""Goal: when the customer takes the key away nothing can be read, and no key is left in memory; when
it is given back everything goes on without a human step. While real databases run."""
import errno
import os
import resource
import signal
import subprocess
import sys

import pytest

from conftest import make_engine
from engines import Postgres, Redis
from harness import memory, proc
from harness.witness import Witness

BOUND_MS = 60_000  # from the first refusal of the key service; docs/REVOCATION.md
REFUSED = {"EKEYREVOKED", "EIO", "SIGBUS"}


@pytest.fixture(params=[Postgres, Redis], ids=lambda cls: cls.name)
def engine(request, volume, work):
    """An engine that runs on a volume whose hooks stop and start it."""
    made = make_engine(request.param, volume, work)
    os.makedirs(made.aux)
    on_lock, on_unlock = made.hooks(work)
    volume.mount("--on-lock", on_lock, "--on-unlock", on_unlock)
    made.init()
    made.start()
    made.load(2000)
    return made


@pytest.fixture
def witness(engine, volume):
    path = os.path.join(engine.root, "report")
    with open(path, "wb") as f:
        f.write(os.urandom(256 * 4096))
        f.flush()
        os.fsync(f.fileno())
    made = Witness(volume.mountpoint, path)
    yield made
    made.close()


def test_key_disabled__every_way_to_read_is_cut_and_the_engine_stops(engine, volume, store, witness):
    assert len(witness.still_readable()) == 7, witness.errors
    pid = engine.pid()
    store.disable("orders")
    volume.wait_state("LOCKED")
    witness.wait_cut_off(timeout=5)
    assert set(witness.errors.values()) <= REFUSED, witness.errors
    assert witness.errors["memory map"] == "SIGBUS"
    assert witness.errors["new open"] == "EKEYREVOKED"
    proc.wait_gone(pid)
    receipt = volume.status()["receipt"]
    assert receipt["duration_ms"] <= BOUND_MS
    assert receipt["handles_cut"] >= 1


def test_key_disabled__memory_holds_no_key(engine, volume, store, witness):
    witness.read_past_the_cache()
    keys = memory.keys_of(volume, memory.backing_file_of(volume, witness.path),
                          *memory.backing_files(volume))
    found, _ = memory.scan(volume.pid, keys)
    kinds = {name.split()[0] for name in found}
    assert {"store", "data", "name", "file"} <= kinds, \
        f"the search must find the keys while they are in use; it found {sorted(found)}"
    store.disable("orders")
    volume.wait_state("LOCKED")
    found, searched = memory.scan(volume.pid, keys)
    assert searched > 1 << 20
    assert not found, f"still in memory: {sorted(found)}"


def test_hooks__neither_they_nor_their_parent_hold_credentials_of_the_key_service(volume, work):
    """Whoever can have a program run by the engine, like a superuser of PostgreSQL, sees what it inherited."""
    credentials = {name: f"credential-{name}" for name in (
        "VAULT_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "CREDENTIALS_DIRECTORY")}
    seen, hook = os.path.join(work, "seen"), os.path.join(work, "hook")
    with open(hook, "w") as f:
        f.write("#!/bin/sh\n"
                f"{{ env; tr '\\0' '\\n' </proc/$PPID/environ; }} >{seen}.new && mv {seen}.new {seen}\n")
    os.chmod(hook, 0o755)
    volume.mount("--on-unlock", hook, env={**os.environ, **credentials})
    proc.wait_until(lambda: os.path.exists(seen), "the program of --on-unlock has run")
    with open(seen) as f:
        found = f.read()
    assert found.splitlines().count(f"PATH={os.environ['PATH']}") == 2, found
    assert "credential-" not in found


def test_key_enabled_again__all_goes_on_without_a_human(engine, volume, store):
    before, pid = engine.fingerprint(), engine.pid()
    for _ in range(2):
        store.disable("orders")
        volume.wait_state("LOCKED")
        proc.wait_gone(pid)
        store.enable("orders")
        volume.wait_state("OPEN")
        engine.wait_ready()
        pid = engine.pid()
        assert engine.fingerprint() == before
    volume.call("verify")


def test_acknowledged_writes_until_the_lock__are_there_after_it(engine, volume, store):
    writer = engine.writer()
    writer.wait_for(20)
    pid = engine.pid()
    store.disable("orders")
    volume.wait_state("LOCKED")
    acknowledged = writer.finish()
    proc.wait_gone(pid)
    store.enable("orders")
    volume.wait_state("OPEN")
    engine.wait_ready()
    engine.verify(acknowledged)


def test_deletion_scheduled__locks_and_cancelling_opens(mounted, store):
    store.key("schedule-deletion", "orders", "--days", "7", "--yes")
    mounted.wait_state("LOCKED")
    store.key("cancel-deletion", "orders")
    if store.cli.json("kms", "key", "show", "orders", "--store", store.path, "--key-file",
                      store.key_file)["state"].upper() == "DISABLED":
        store.enable("orders")
    mounted.wait_state("OPEN")


def test_dirty_pages_when_the_key_goes__are_on_the_disk_when_it_returns(mounted, store):
    """Written, not synced, held by the kernel: the lock lets the kernel write them back first."""
    path = os.path.join(mounted.mountpoint, "dirty")
    data = os.urandom(3 << 20)
    with open(path, "wb", buffering=0) as f:
        f.write(data)
        store.disable("orders")
        mounted.wait_state("LOCKED")
    store.enable("orders")
    mounted.wait_state("OPEN")
    with open(path, "rb") as f:
        assert f.read() == data


def test_revoked_while_it_ends__open_files_are_cut_and_it_is_recorded(mounted):
    """A process that was told to end gives those who have files open some time, in which a revoke counts as ever."""
    path = os.path.join(mounted.mountpoint, "open")
    with open(path, "wb") as f:
        f.write(os.urandom(1 << 20))
    fd = os.open(path, os.O_RDWR)
    os.kill(mounted.pid, signal.SIGTERM)
    proc.wait_until(lambda: "waiting up to" in proc.tail(mounted.log), "it waits for the open file")
    assert os.pread(fd, 4096, 0)
    mounted.cli.run("volume", "lock", "--yes", mounted.backing)
    assert os.path.exists(os.path.join(mounted.backing, "revoked"))
    status = mounted.cli.json("volume", "status", mounted.backing)
    assert status["state"] == "LOCKED" and status["revoked"]
    for call, *args in [(os.pread, 4096, 0), (os.pwrite, b"x", 0), (os.fsync,)]:
        with pytest.raises(OSError) as error:
            call(fd, *args)
        assert errno.errorcode[error.value.errno] in REFUSED
    os.close(fd)
    proc.wait_gone(mounted.pid)
    mounted.pid = 0
    assert mounted.mount(check=False).returncode != 0


def test_argv_environment_and_log__never_had_a_key(mounted, store, work):
    keys = memory.keys_of(mounted)
    store.disable("orders")
    mounted.wait_state("LOCKED")
    store.enable("orders")
    mounted.wait_state("OPEN")
    places = [f"/proc/{mounted.pid}/cmdline", f"/proc/{mounted.pid}/environ", mounted.log]
    for place in places:
        with open(place, "rb") as f:
            text = f.read()
        for name, key in keys.items():
            assert key not in text and key.hex().encode() not in text.lower(), f"{name} in {place}"
    assert not memory.contains(mounted.backing, *keys.values())


def dumps_core(pid):
    """End an adopted process with a signal that dumps core; whether it did."""
    os.kill(pid, signal.SIGSEGV)
    status = proc.wait_until(lambda: os.waitpid(pid, os.WNOHANG)[1], f"{pid} ends by a signal")
    assert os.WIFSIGNALED(status)
    return os.WCOREDUMP(status)


def test_core_dumps__are_impossible(volume, work):
    unlimited = ("prlimit", "--core=unlimited:unlimited")
    volume.mount(prefix=unlimited)
    with open(f"/proc/{volume.pid}/limits") as f:
        assert next(line for line in f if "core file" in line).split()[4:6] == ["0", "0"]
    assert not dumps_core(volume.pid)
    assert not [n for n in os.listdir(work) if n.startswith("core")]


def test_core_dumps__would_be_seen_here(work):
    """The test above can only fail where a process without protection does dump core."""
    def allow():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.chdir(work)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                          preexec_fn=allow) as child:
        assert dumps_core(child.pid)
        child.stdin.close()
