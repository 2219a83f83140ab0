# SPDX-License-Identifier: Apache-2.0
"""Goal: what an application was told to be durable survives a power loss right afterwards; and of the one call that the
kernel answers itself, without telling us, it is known that it does not make anything durable (docs/POSIX.md).

The volume process writes down what it does to the backing directory. What is rebuilt from that is the worst that a power
loss could leave: only what was synced by then."""
import ctypes
import mmap
import os

import pytest

from harness import powerloss, proc
from harness.keystead import Volume

DATA = b"precious" * 5000
LIBC = ctypes.CDLL(None, use_errno=True)


def write_out(fd):
    assert os.write(fd, DATA) == len(DATA)


def by_fsync(fd):
    write_out(fd)
    os.fsync(fd)


def by_fdatasync(fd):
    write_out(fd)
    os.fdatasync(fd)


def by_msync(fd):
    os.truncate(fd, len(DATA))
    with mmap.mmap(fd, len(DATA)) as memory:
        memory[:] = DATA
        memory.flush()


def by_syncfs(fd):
    write_out(fd)
    assert LIBC.syncfs(fd) == 0


def by_each_write(fd):
    write_out(fd)


SURE = {"fsync": (by_fsync, 0), "fdatasync": (by_fdatasync, 0), "msync": (by_msync, 0),
        "O_SYNC": (by_each_write, os.O_SYNC), "O_DSYNC": (by_each_write, os.O_DSYNC)}


class Recorded:
    """A volume whose process writes down what it does."""

    def __init__(self, volume, work):
        self.volume, self.work = volume, work
        self.record = os.path.join(work, "record")
        self.loss = powerloss.PowerLoss(volume.backing)
        ordinary, volume.cli = volume.cli, powerloss.recorded_program()
        volume.mount(env={**os.environ, "KEYSTEAD_TEST_RECORD": self.record})
        volume.cli = ordinary

    def size(self):
        return os.stat(self.record).st_size

    def make(self, name, how, flags):
        """A file that was made durable in some way."""
        fd = os.open(os.path.join(self.volume.mountpoint, name), os.O_RDWR | os.O_CREAT | flags, 0o600)
        how(fd)
        return fd

    def load(self):
        self.volume.unmount()
        self.loss.load(self.record)

    def syncs(self, begin, end):
        """How many syncs of the backing directory ended between two sizes of the record."""
        begin, end = self.loss.time(begin), self.loss.time(end)
        return sum(begin < time <= end for time in self.loss.times()[1])

    def worst(self, size):
        """What is left when the power is lost at a size of the record: name to contents."""
        backing = os.path.join(self.work, "rebuilt")
        os.mkdir(backing)
        self.loss.rebuild(powerloss.State(self.loss.time(size), 0, 0, 0, 0), backing)
        volume = Volume(self.volume.cli, backing, os.path.join(self.work, "rebuilt-mnt"),
                        os.path.join(self.work, "rebuilt.log"))
        volume.mount()
        found = {}
        for name in os.listdir(volume.mountpoint):
            with open(os.path.join(volume.mountpoint, name), "rb") as f:
                found[name] = f.read()
        volume.unmount()
        return found


@pytest.fixture
def recorded(mounted, work):
    assert not powerloss.missing(), powerloss.missing()
    mounted.unmount()
    made = Recorded(mounted, work)
    yield made
    made.loss.close()


@pytest.mark.parametrize("way", SURE)
def test_told_to_be_durable__survives_the_worst_power_loss(recorded, way):
    how, flags = SURE[way]
    begin = recorded.size()
    fd = recorded.make("file", how, flags)
    end = recorded.size()
    os.close(fd)
    recorded.load()
    assert recorded.syncs(begin, end) > 0
    assert recorded.worst(end) == {"file": DATA}


def test_sync_of_the_whole_file_system__writes_out_but_makes_nothing_durable(recorded):
    """The kernel has no request for it that it would send to us. When it gets one, this fails, and it is to be served."""
    begin = recorded.size()
    fd = recorded.make("file", by_syncfs, 0)
    # the kernel has sent the pages on, or is about to
    proc.wait_until(lambda: recorded.size() - begin > len(DATA), "the file is written out")
    end = recorded.size()
    os.close(fd)
    recorded.load()
    assert recorded.syncs(begin, end) == 0
    assert recorded.worst(end) == {}


def test_sync_of_the_whole_file_system__returns_when_all_is_written_out(recorded):
    """So a sync of the backing directory's file system after it makes all durable."""
    os.close(recorded.make("file", by_syncfs, 0))
    assert recorded.volume.status()["counters"]["bytes_written"] == len(DATA)
