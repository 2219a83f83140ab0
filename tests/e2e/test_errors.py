# SPDX-License-Identifier: Apache-2.0
"""Goal: what can be wrong from outside gets an error with its exit code, that names the object and the
way out; and nothing is damaged by it."""
import errno
import hashlib
import os
import shutil

import pytest

from harness import proc
from harness.keystead import KeyStore, Volume

EXIT_USAGE, EXIT_DENIED, EXIT_UNREACHABLE, EXIT_BUSY, EXIT_CORRUPT, EXIT_IO, EXIT_LIMIT = \
    2, 3, 4, 5, 6, 7, 8


def fails(done, code, *words):
    """The command failed with this code, and its message has each of the words."""
    text = done.stderr
    assert done.returncode == code, f"exit code {done.returncode}, not {code}: {text}"
    missing = [w for w in words if w.lower() not in text.lower()]
    assert not missing, f"the message lacks {missing}: {text}"
    assert len(text.strip().splitlines()) <= 6, f"too much: {text}"


@pytest.fixture
def kept(volume):
    """Content that must still be readable after whatever went wrong: check()."""
    volume.mount()
    path = os.path.join(volume.mountpoint, "kept")
    with open(path, "w") as f:
        f.write("kept")
    volume.unmount()

    def check():
        volume.mount()
        with open(path) as f:
            assert f.read() == "kept"
        volume.unmount()
    return check


def test_wrong_key_file__names_the_store(volume, store, kept):
    right = store.key_file + ".right"
    os.rename(store.key_file, right)
    with open(store.key_file, "wb") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write(os.urandom(32))
    fails(volume.mount(check=False), EXIT_CORRUPT, store.path, "key file")
    os.replace(right, store.key_file)
    kept()


def test_missing_key_file__names_it(volume, store, kept):
    os.rename(store.key_file, store.key_file + ".away")
    fails(volume.mount(check=False), EXIT_UNREACHABLE, store.key_file)
    os.rename(store.key_file + ".away", store.key_file)
    kept()


def test_wrong_passphrase__names_the_store(cli, work):
    right, wrong = (os.path.join(work, n) for n in ("right", "wrong"))
    for path in (right, wrong):
        with open(path, "w") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(f"correct horse battery {os.path.basename(path)}\n")
    store = KeyStore(cli, os.path.join(work, "kms"), passphrase_file=right).init()
    store.create("orders")
    volume = Volume(cli, os.path.join(work, "v"), os.path.join(work, "m"), os.path.join(work, "v.log"))
    volume.create([store.spec("orders")], "--passphrase-file", right)
    fails(volume.mount("--passphrase-file", wrong, check=False), EXIT_CORRUPT, store.path, "passphrase")
    done = cli.run("kms", "key", "list", "--store", store.path, "--passphrase-file", wrong, check=False)
    fails(done, EXIT_CORRUPT, store.path, "passphrase")
    volume.mount("--passphrase-file", right)
    assert volume.state() == "OPEN"


def test_keyring_of_another_volume__is_told_as_foreign(volume, new_volume, store, kept):
    other = new_volume([store.spec("orders")], name="other")
    other.mount()
    path = os.path.join(other.mountpoint, "theirs")
    with open(path, "wb") as f:
        f.write(os.urandom(10000))
    other.unmount()
    saved = os.path.join(os.path.dirname(volume.backing), "saved")
    os.mkdir(saved)
    for name in ("keyring.0", "keyring.1"):
        shutil.move(os.path.join(other.backing, name), saved)
        shutil.copy(os.path.join(volume.backing, name), other.backing)
    # The keyring itself opens; nothing in this tree belongs to it, and all of it says so.
    done = other.mount(check=False)
    if done.returncode == 0:
        assert "theirs" not in os.listdir(other.mountpoint)
        verify = other.call("verify", check=False)
        assert verify.returncode == EXIT_CORRUPT
        other.unmount()
    for name in ("keyring.0", "keyring.1"):
        shutil.copy(os.path.join(saved, name), other.backing)
    other.mount()
    assert os.listdir(other.mountpoint) == ["theirs"]
    kept()


def test_wrap_of_another_volume__does_not_open(volume, new_volume, store, cli, work):
    """One copy of a foreign keyring beside our own: the newest whole copy wins or is refused, but the
    data is never opened under a wrong key."""
    other = new_volume([store.spec("orders")], name="other")
    for level in ("store", "store"):  # a higher sequence than ours
        cli.run("volume", "rotate", other.backing, "--level", level)
    shutil.copy(os.path.join(other.backing, "keyring.0"), os.path.join(volume.backing, "keyring.0"))
    done = volume.mount(check=False)
    if done.returncode == 0:
        assert volume.status()["state"] == "OPEN"
    else:
        fails(done, EXIT_CORRUPT, volume.backing)


@pytest.mark.parametrize("copies", [1, 2])
def test_newer_format_version__is_refused_not_guessed(volume, kept, copies):
    for name in ("keyring.0", "keyring.1")[:copies]:
        path = os.path.join(volume.backing, name)
        shutil.copy(path, path + ".saved")
        with open(path, "r+b") as f:  # magic 8, version 2, ..., SHA-256 over all before; docs/FORMAT.md
            data = f.read()
            assert data[8:10] == b"\x01\x00" and data[-32:] == hashlib.sha256(data[:-32]).digest()
            data = data[:8] + b"\x02\x00" + data[10:-32]
            f.seek(0)
            f.write(data + hashlib.sha256(data).digest())
    done = volume.mount(check=False)
    fails(done, EXIT_USAGE, "newer", volume.backing)
    fails(volume.cli.run("volume", "inspect", volume.backing, check=False), EXIT_USAGE, "newer")
    for name in ("keyring.0", "keyring.1")[:copies]:
        path = os.path.join(volume.backing, name)
        os.replace(path + ".saved", path)
    kept()


def test_both_keyring_copies_damaged__names_the_volume(volume):
    for name in ("keyring.0", "keyring.1"):
        with open(os.path.join(volume.backing, name), "r+b") as f:
            f.seek(100)
            f.write(b"\xff" * 16)
    fails(volume.mount(check=False), EXIT_CORRUPT, volume.backing)


def test_one_keyring_copy_damaged_or_lost__opens_and_is_mended(volume, kept):
    path = os.path.join(volume.backing, "keyring.0")
    with open(path, "r+b") as f:
        f.seek(100)
        f.write(b"\xff" * 16)
    kept()
    os.unlink(path)
    kept()
    volume.cli.run("volume", "rotate", volume.backing, "--level", "data")
    assert os.path.getsize(path) > 0
    kept()


def test_read_only_backing_directory__says_so(volume, kept):
    proc.run(["mount", "--bind", volume.backing, volume.backing])
    proc.run(["mount", "-o", "remount,bind,ro", volume.backing])
    try:
        fails(volume.mount(check=False), EXIT_USAGE, "read-only", volume.backing)
        volume.cli.run("volume", "inspect", volume.backing)
    finally:
        proc.run(["umount", volume.backing])
    kept()


def test_no_volume_there__names_the_directory(cli, work):
    done = cli.run("volume", "mount", work, os.path.join(work, "m"), check=False)
    fails(done, EXIT_USAGE, work)


def test_mountpoint_missing__names_it(volume):
    point = volume.mountpoint + "-not-there"
    done = volume.cli.run("volume", "mount", volume.backing, point, check=False)
    fails(done, EXIT_USAGE, point)


def test_mounted_twice__is_busy(mounted, work):
    second = Volume(mounted.cli, mounted.backing, os.path.join(work, "second"),
                    os.path.join(work, "second.log"))
    fails(second.mount(check=False), EXIT_BUSY, mounted.backing)
    assert mounted.state() == "OPEN"


def test_create_over_a_volume__is_refused(volume, store, kept):
    done = volume.cli.run("volume", "create", volume.backing, *store.spec("orders"), check=False)
    fails(done, EXIT_USAGE, volume.backing)
    kept()


def test_create_under_a_disabled_key__leaves_nothing(store, cli, work):
    store.disable("orders")
    backing = os.path.join(work, "v")
    done = cli.run("volume", "create", backing, *store.spec("orders"), check=False)
    fails(done, EXIT_DENIED, "orders", "disabled")
    assert not os.path.exists(backing) or os.listdir(backing) == []


def test_unmount_while_in_use__is_busy_and_goes_on(mounted):
    path = os.path.join(mounted.mountpoint, "open")
    with open(path, "w") as f:
        done = mounted.unmount(check=False)
        fails(done, EXIT_BUSY, mounted.mountpoint)
        f.write("still here")
    with open(path) as f:
        assert f.read() == "still here"


WITHOUT_RIGHT = ("setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock")


def test_memory_lock_limit_too_low__names_limit_and_ways_out(volume, kept):
    low = ("prlimit", "--memlock=65536:65536", *WITHOUT_RIGHT)
    fails(volume.mount(check=False, prefix=low), EXIT_LIMIT, "lock", "memlock", "--allow-swap")
    kept()


def test_memory_lock_limit_too_low_but_swap_allowed__goes_on(volume):
    low = ("prlimit", "--memlock=65536:65536", *WITHOUT_RIGHT)
    volume.mount("--allow-swap", prefix=low)
    assert volume.state() == "OPEN"


def make_disk(work, block_bytes):
    """A real ext4 file system of 48 MiB; where it is mounted."""
    image, point = os.path.join(work, "disk.img"), os.path.join(work, "disk")
    with open(image, "wb") as f:
        f.truncate(48 << 20)
    proc.run(["mkfs.ext4", "-q", "-F", "-b", str(block_bytes), "-m", "0", image])
    os.mkdir(point)
    proc.run(["mount", "-o", "loop", image, point])
    return point


@pytest.fixture
def small_disk(work):
    point = make_disk(work, 4096)
    yield point
    proc.unmount(point)


@pytest.fixture
def disk_of_small_blocks(work):
    point = make_disk(work, 1024)
    yield point
    for mount in [*proc.mounts_below(point), point]:
        proc.unmount(mount)


def test_create_or_adopt_on_blocks_of_1024__is_refused_with_the_way_out(disk_of_small_blocks, store, cli, work):
    backing, plain = os.path.join(disk_of_small_blocks, "v"), os.path.join(work, "plain")
    os.mkdir(plain)
    for command in (["create", backing], ["adopt", plain, backing]):
        fails(cli.run("volume", *command, *store.spec("orders"), check=False),
              EXIT_USAGE, backing, "1024", "mkfs.ext4 -b 4096")
        assert not os.path.exists(backing)


def test_volume_copied_to_blocks_of_1024__is_mounted_with_a_warning(disk_of_small_blocks, kept, volume, work):
    kept()
    with open(volume.log) as f:
        assert "mkfs.ext4" not in f.read()
    backing, plain = os.path.join(disk_of_small_blocks, "v"), os.path.join(work, "plain")
    os.mkdir(plain)
    shutil.copytree(volume.backing, backing)
    fails(volume.cli.run("volume", "adopt", plain, backing, check=False), EXIT_USAGE, backing, "1024")
    volume.backing = backing
    kept()
    with open(volume.log) as f:
        warnings = [line for line in f if "mkfs.ext4 -b 4096" in line]
    assert len(warnings) == 1 and backing in warnings[0]


def test_disk_full__application_gets_enospc_and_can_make_room(small_disk, store, cli, work):
    volume = Volume(cli, os.path.join(small_disk, "v"), os.path.join(work, "m"),
                    os.path.join(work, "v.log"))
    volume.create([store.spec("orders")])
    volume.mount()
    kept, big = (os.path.join(volume.mountpoint, n) for n in ("kept", "big"))
    with open(kept, "wb") as f:
        data = os.urandom(1 << 20)
        f.write(data)
        os.fsync(f.fileno())

    def fill():
        fd = os.open(big, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            for _ in range(100):
                os.write(fd, os.urandom(1 << 20))
                os.fsync(fd)
        finally:
            os.close(fd)
    with pytest.raises(OSError) as full:
        fill()
    assert full.value.errno == errno.ENOSPC
    with open(kept, "rb") as f:
        assert f.read() == data
    assert volume.state() == "OPEN"
    os.unlink(big)
    # the kernel tells a FUSE file system a little later that nobody needs the file any more
    proc.wait_until(lambda: os.statvfs(small_disk).f_bavail * 4096 > 20 << 20,
                    "the room is free", 10)
    with open(os.path.join(volume.mountpoint, "again"), "wb") as f:
        f.write(data)
        os.fsync(f.fileno())
    volume.unmount()
    volume.mount()
    with open(kept, "rb") as f:
        assert f.read() == data
    assert volume.call("verify", check=False).returncode == 0


def fill(path):
    """Until there is no room after all has reached the disk either: ext4 sets more aside for what is to be written than it needs."""
    with open(path, "wb", buffering=0) as f:
        written = -1
        while f.tell() != written:
            written = f.tell()
            with pytest.raises(OSError) as full:
                while True:
                    f.write(bytes(4096))
            assert full.value.errno == errno.ENOSPC
            os.fsync(f.fileno())


def test_disk_full__volume_still_mounts_and_rotation_fails_cleanly(small_disk, store, cli, work):
    volume = Volume(cli, os.path.join(small_disk, "v"), os.path.join(work, "m"),
                    os.path.join(work, "v.log"))
    volume.create([store.spec("orders")])
    fill(os.path.join(small_disk, "filler"))
    done = cli.run("volume", "rotate", volume.backing, "--level", "data", check=False)
    fails(done, EXIT_LIMIT, "space")
    volume.mount()
    assert volume.state() == "OPEN"
