# SPDX-License-Identifier: Apache-2.0
"""Goal: when the storage below a volume fails, the application gets the errno that says why, the operator one line
that says what to do and a number in the status, nothing that was there is lost, and all goes on when the storage does.

Which call fails how is gone through one by one, with EIO, ENOSPC and EDQUOT, in tests/fault; there too a disk that
stands still."""
import errno
import os
import shutil
import subprocess

import pytest

from harness import proc
from harness.keystead import Volume

BLOCK = b"x" * 65536


@pytest.fixture
def small_disk(work):
    """A file system of 24 MiB; the reason when this machine cannot mount one."""
    path = os.path.join(work, "disk")
    os.mkdir(path)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", path],
                          capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no small file system: {made.stderr}")
    yield path
    proc.unmount(path)


def volume_on(disk, cli, store, work):
    volume = Volume(cli, os.path.join(disk, "volume"), os.path.join(work, "mnt"),
                    os.path.join(work, "volume.log"))
    volume.create([store.spec("orders")], "--probe", "200ms", "--lease", "30s")
    volume.mount()
    return volume


def lines(volume, text):
    with open(volume.log) as f:
        return [line for line in f if text in line]


def failed(volume, kind):
    return volume.status()["counters"]["failed"][kind]


def metric(volume, name):
    """The value that monitoring is given."""
    line, = (line for line in volume.call("status", "-o", "prometheus").stdout.splitlines() if line.startswith(f"keystead_volume_{name} "))
    return int(line.rpartition(" ")[2])


def fill(path):
    """Write until it fails; how many blocks were written durably, and the errno."""
    blocks = 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, BLOCK)
            os.fsync(fd)
            blocks += 1
    except OSError as e:
        return blocks, e.errno
    finally:
        try:
            os.close(fd)
        except OSError:
            pass  # what could not be written back is told once more


def test_disk_full__application_gets_enospc_and_the_operator_one_line(small_disk, cli, store, work):
    volume = volume_on(small_disk, cli, store, work)
    kept = os.path.join(volume.mountpoint, "kept")
    with open(kept, "wb") as f:
        f.write(b"kept" * 5000)
        os.fsync(f.fileno())
    big = os.path.join(volume.mountpoint, "big")
    blocks, why = fill(big)
    assert (why, blocks > 100) == (errno.ENOSPC, True)
    for n in range(20):
        assert fill(os.path.join(volume.mountpoint, f"more-{n}"))[1] == errno.ENOSPC
    assert failed(volume, "no_space") >= 20
    assert metric(volume, 'requests_failed_total{volume="%s",kind="no_space"}' % volume.status()["volume"]["id"]) >= 20
    assert len(lines(volume, "the backing file system is full: make room on it")) == 1
    assert "no_space" in volume.call("status").stdout
    with open(kept, "rb") as f:
        assert f.read() == b"kept" * 5000
    with open(big, "rb") as f:
        for _ in range(blocks):
            assert f.read(len(BLOCK)) == BLOCK
    os.unlink(big)
    assert volume.call("verify").returncode == 0
    with open(os.path.join(volume.mountpoint, "after"), "wb") as f:
        f.write(BLOCK)
        os.fsync(f.fileno())
    volume.unmount()


def test_backing_directory_removed__told_once_and_unmounted_as_usual(small_disk, cli, store, work):
    volume = volume_on(small_disk, cli, store, work)
    with open(os.path.join(volume.mountpoint, "file"), "wb") as f:
        f.write(BLOCK)
        os.fsync(f.fileno())
    with open(os.path.join(volume.mountpoint, "file"), "rb") as open_file:
        shutil.rmtree(volume.backing)
        assert open_file.read() == BLOCK
        with pytest.raises(OSError) as error:
            open(os.path.join(volume.mountpoint, "new"), "wb")
        assert error.value.errno in (errno.ENOENT, errno.EIO)
        proc.wait_until(lambda: lines(volume, "the backing directory is gone"), "the operator is told", 60)
    pid, volume.pid = volume.pid, 0
    assert "there is no such directory" in volume.call("unmount").stderr
    proc.wait_gone(pid)
    assert len(lines(volume, "the backing directory is gone")) == 1


FILE_LIMIT = 7 * 4096 + 1024  # within a page
LIMITED = ("prlimit", f"--fsize={FILE_LIMIT}:{FILE_LIMIT}")


def meet_the_limit(fd):
    with pytest.raises(OSError) as error:
        os.write(fd, b"b" * 40000)
        os.fsync(fd)
    assert error.value.errno == errno.EFBIG


def test_limit_on_the_size_of_files__write_fails_and_what_was_synced_stays(volume):
    """A process that is killed by the limit leaves half a page, and the whole file for damaged."""
    path = os.path.join(volume.mountpoint, "file")
    volume.mount(prefix=LIMITED)
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.write(fd, b"a" * 10000)
        os.fsync(fd)
        meet_the_limit(fd)
    finally:
        os.close(fd)
    volume.unmount()
    volume.mount()
    with open(path, "rb") as f:
        assert f.read() == b"a" * 10000
    volume.call("verify")


def test_limit_within_a_file_that_is_longer__no_block_is_written_by_half(volume):
    path = os.path.join(volume.mountpoint, "file")
    volume.mount()
    with open(path, "wb") as f:
        f.write(b"a" * 40000)
    volume.unmount()
    volume.mount(prefix=LIMITED)
    fd = os.open(path, os.O_RDWR)
    try:
        meet_the_limit(fd)
    finally:
        os.close(fd)
    volume.unmount()
    volume.mount()
    volume.call("verify")
    with open(path, "rb") as f:
        data = f.read()
    kept = data.count(b"a")
    assert kept > 0 and data == b"b" * (40000 - kept) + b"a" * kept
