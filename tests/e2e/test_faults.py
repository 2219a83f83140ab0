# SPDX-License-Identifier: Apache-2.0
"""Goal: an application on a mount sees the failures of the storage below as POSIX has them, no later success hides one,
nobody else is troubled, and the operator gets one line and a number.

Calls fail, and stand still, below the volume as a test tells them to (harness/faults.py); and there is a real file system
that turns read-only, and a process that gets too little memory."""
import contextlib
import errno
import filecmp
import os
import signal
import subprocess
import tempfile

import pytest

from harness import faults, proc
from harness.keystead import Volume
from harness.native import native

OLD, NEW = b"old" * 3000, b"new" * 3000
SEED = "20261122"
MEMORY_MAX = 24 << 20
THREADS, SYNCS_HELD = 8, 20  # of a volume process at first; more than that
LARGE = 96 << 20


@pytest.fixture
def failing(volume, work):
    """A mounted volume, and what fails below it."""
    assert not faults.missing(), faults.missing()
    made = faults.Faults(work)
    ordinary, volume.cli = volume.cli, faults.faulty_program()
    volume.mount(env=made.environment())
    volume.cli = ordinary
    yield volume, made
    made.end()


def lines(volume, text):
    with open(volume.log) as f:
        return [line for line in f if text in line]


def counters(volume):
    return volume.status()["counters"]


def generations(volume):
    """The state of each data key."""
    return [g["state"] for g in volume.cli.json("volume", "generations", volume.backing)["generations"]]


def descriptors(volume):
    return len(os.listdir(f"/proc/{volume.pid}/fd"))


def new_file(volume, name):
    """Its path; OLD is durable in it."""
    path = os.path.join(volume.mountpoint, name)
    with open(path, "wb") as f:
        f.write(OLD)
        f.flush()
        os.fsync(f.fileno())
    return path


def content(path):
    with open(path, "rb") as f:
        return f.read()


def failure(call, *args):
    """The errno of a call that must fail."""
    with pytest.raises(OSError) as error:
        call(*args)
    return error.value.errno


def rewrite(path, data, flags=0):
    """Write and sync as a careful program does."""
    fd = os.open(path, os.O_WRONLY | flags)
    try:
        assert os.pwrite(fd, data, 0) == len(data)
        os.fsync(fd)
    finally:
        os.close(fd)


def remounted(volume):
    volume.unmount()
    volume.mount()
    assert volume.call("verify").returncode == 0
    assert counters(volume)["files_poisoned"] == 0


# --- a sync that fails ---

def use_as_log(fd):
    """Writes that are each synced, until syncs are begun ahead of being asked for."""
    for n in range(16):
        os.pwrite(fd, OLD[:300], n * 300)
        os.fdatasync(fd)


@pytest.mark.parametrize("is_log", [False, True], ids=["any_file", "log"])
def test_sync_fails_once__the_file_is_never_durable_again_and_others_are_not_concerned(failing, is_log):
    volume, fault = failing
    path, other = new_file(volume, "file"), new_file(volume, "other")
    fd = os.open(path, os.O_RDWR)
    if is_log:
        use_as_log(fd)
    fault.arm("sync", errno.EIO, path)
    os.pwrite(fd, NEW, 0)
    assert failure(os.fdatasync if is_log else os.fsync, fd) == errno.EIO
    assert fault.left() == 0
    assert failure(os.fsync, fd) == errno.EIO
    assert failure(os.fdatasync, fd) == errno.EIO
    os.close(fd)
    assert failure(rewrite, path, NEW) == errno.EIO
    assert failure(rewrite, path, NEW, os.O_DSYNC) == errno.EIO
    assert failure(os.truncate, path, 10) == errno.EIO
    rewrite(other, NEW)
    assert content(other) == NEW
    assert content(new_file(volume, "after")) == OLD
    assert counters(volume)["files_poisoned"] == 1
    assert len(lines(volume, "sync of inode")) == 1
    remounted(volume)
    assert content(path) in (OLD, NEW)
    rewrite(path, NEW)
    assert content(path) == NEW and content(other) == NEW


def test_sync_fails__the_kernel_has_forgotten_the_file__it_is_never_durable_again(failing):
    volume, fault = failing
    path = new_file(volume, "file")
    fault.arm("sync", errno.EIO, path)
    assert failure(rewrite, path, NEW) == errno.EIO
    for n in range(50):
        new_file(volume, f"more-{n}")
    known = descriptors(volume)
    # reconfiguring a mount, without any change, makes the kernel drop what nobody uses
    proc.run(["mount", "-i", "-o", "remount", volume.mountpoint])
    proc.wait_until(lambda: descriptors(volume) < known - 40, "the files are forgotten")
    assert failure(rewrite, path, NEW) == errno.EIO
    assert counters(volume)["files_poisoned"] == 1


def test_sync_of_a_directory_fails_once__it_is_never_durable_again_and_its_files_are_not_concerned(failing):
    volume, fault = failing
    directory = os.path.join(volume.mountpoint, "directory")
    os.mkdir(directory)
    fault.arm("sync_dir", errno.EIO, directory)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    assert failure(os.fsync, fd) == errno.EIO
    assert fault.left() == 0
    assert failure(os.fsync, fd) == errno.EIO
    os.close(fd)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    assert failure(os.fsync, fd) == errno.EIO
    os.close(fd)
    assert content(new_file(volume, "directory/file")) == OLD
    assert counters(volume)["files_poisoned"] == 1
    assert len(lines(volume, "sync of inode")) == 1
    remounted(volume)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


# --- a write that fails ---

KINDS = {errno.EDQUOT: ("quota", "the quota of the backing file system is used up"),
         errno.EIO: ("io", "the backing directory has input/output errors"),
         errno.ENOSPC: ("no_space", "the backing file system is full")}


def refused_at_once(path):
    """Without the kernel's cache in between the write itself fails."""
    fd = os.open(path, os.O_WRONLY | os.O_DSYNC)
    try:
        return failure(os.pwrite, fd, NEW, 0)
    finally:
        os.close(fd)


@pytest.mark.parametrize("err", KINDS, ids=[errno.errorcode[e] for e in KINDS])
def test_write_fails__told_by_the_sync_and_once_to_the_operator_and_can_be_repeated(failing, err):
    volume, fault = failing
    kind, text = KINDS[err]
    path, other = new_file(volume, "file"), new_file(volume, "other")
    fault.arm("pwrite", err, path, times=20)
    for _ in range(10):
        assert failure(rewrite, path, NEW) == err
        assert refused_at_once(path) == err
    assert fault.left() == 0
    rewrite(other, NEW)
    assert counters(volume)["failed"][kind] == 20
    assert counters(volume)["files_poisoned"] == 0
    assert len(lines(volume, text)) == 1
    rewrite(path, NEW)
    remounted(volume)
    assert content(path) == NEW and content(other) == NEW


def test_write_fails_and_is_not_repeated__told_once_to_each_and_what_was_durable_is_still_there(failing):
    volume, fault = failing
    path = new_file(volume, "file")
    fault.arm("pwrite", errno.EIO, path)
    fds = [os.open(path, os.O_RDWR) for _ in range(2)]
    os.pwrite(fds[0], NEW, 0)
    for fd in fds:
        assert failure(os.fsync, fd) == errno.EIO
    os.fsync(fds[0])
    for fd in fds:
        os.close(fd)
    remounted(volume)
    assert content(path) == OLD


# --- a disk that stands still ---

class Writer:
    """A process that writes to a file and syncs it, and ends with the errno."""

    def __init__(self, path, data=NEW):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                rewrite(path, data)
            except OSError as e:
                os._exit(e.errno)
            os._exit(0)

    def end(self):
        """How it ended."""
        proc.wait_until(lambda: proc.stat_fields(self.pid)[0] == "Z", "the writer ends", 60)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def work_on(volume, name):
    """A bit of everything, on other files than those that stand still."""
    path = new_file(volume, name)
    rewrite(path, NEW)
    assert content(path) == NEW
    os.rename(path, path + "-2")
    assert name + "-2" in os.listdir(volume.mountpoint)
    os.unlink(path + "-2")


@pytest.mark.parametrize("call", ["pwrite", "sync"])
def test_disk_stands_still_on_one_file__the_others_go_on(failing, call):
    volume, fault = failing
    path = new_file(volume, "file")
    fault.hold(call, path)
    writer = Writer(path)
    fault.wait_held()
    for n in range(20):
        work_on(volume, f"other-{n}")
    assert os.stat(path).st_size == len(NEW)
    assert volume.state() == "OPEN"
    fault.release()
    assert writer.end() == 0
    assert content(path) == NEW


def threads(volume):
    return len(os.listdir(f"/proc/{volume.pid}/task"))


def test_disk_stands_still_under_every_thread__the_others_go_on(failing):
    """More syncs than the process has threads to begin with: it starts others, as they are needed."""
    volume, fault = failing
    paths = [new_file(volume, f"file-{n}") for n in range(SYNCS_HELD)]
    before = threads(volume)
    for path in paths:
        fault.hold("sync", path)
    writers = [Writer(path) for path in paths]
    fault.wait_held()
    proc.wait_until(lambda: threads(volume) - before >= SYNCS_HELD - THREADS, "a thread for each sync")
    for n in range(20):
        work_on(volume, f"other-{n}")
    assert volume.state() == "OPEN"
    fault.release()
    assert [w.end() for w in writers] == [0] * SYNCS_HELD
    assert [content(path) for path in paths] == [NEW] * SYNCS_HELD


def test_disk_stands_still_under_one_large_file__names_go_on(failing):
    """Its pages are written back by as many requests as the kernel makes at once, and all of them wait for the first."""
    volume, fault = failing
    path, other = new_file(volume, "large"), new_file(volume, "other")
    os.mkdir(os.path.join(volume.mountpoint, "dir"))
    fault.hold("pwrite", path)
    data = os.urandom(1 << 20) * (LARGE >> 20)
    writer = Writer(path, data)
    fault.wait_held()
    assert content(other) == OLD
    for n in range(20):
        name = os.path.join(volume.mountpoint, "dir", str(n))
        os.mknod(name)
        os.rename(name, name + "-2")
        assert os.listdir(os.path.dirname(name)) == [f"{n}-2"]
        os.unlink(name + "-2")
    fault.release()
    assert writer.end() == 0
    assert content(path) == data


@pytest.mark.parametrize("call", ["pwrite", "sync"])
def test_disk_stands_still_on_one_file__a_rotation_waits_for_nobody_and_a_sweep_for_it(failing, call):
    volume, fault = failing
    path, other = new_file(volume, "file"), new_file(volume, "other")
    fault.hold(call, path)
    writer = Writer(path)
    fault.wait_held()
    volume.call("rotate", "--level", "data")
    work_on(volume, "meanwhile")
    rewrite(other, NEW)
    assert content(other) == NEW
    sweep = subprocess.Popen([volume.cli.binary, "volume", "rekey", volume.mountpoint], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    proc.wait_until(lambda: volume.status()["rekey"] is not None, "the sweep runs")
    work_on(volume, "beside-the-sweep")
    assert sweep.poll() is None and generations(volume) == ["OLDER", "NEWEST"]
    fault.release()
    assert writer.end() == 0
    said = sweep.communicate(timeout=60)[0]
    assert sweep.returncode == 0, said
    assert generations(volume) == ["DESTROYED", "NEWEST"]
    remounted(volume)
    assert content(path) == NEW and content(other) == NEW


@pytest.mark.parametrize("call", ["pwrite", "sync"])
def test_disk_stands_still__a_lock_takes_the_keys_all_the_same(failing, call):
    """The process cannot wipe what a request uses, so it ends, and the keys with it."""
    volume, fault = failing
    path, other = new_file(volume, "file"), new_file(volume, "other")
    fault.hold(call, path)
    writer = Writer(path)
    fault.wait_held()
    pid, volume.pid = volume.pid, 0
    done = volume.call("lock", "--yes", check=False)
    assert "the volume process ended before it answered" in done.stderr
    proc.wait_gone(pid, timeout=5)
    assert writer.end() != 0
    assert len(lines(volume, "the keys cannot be wiped in time")) == 1
    assert failure(os.stat, other) == errno.ENOENT
    volume.mount("--start-locked")
    assert volume.status()["revoked"]
    volume.call("unlock")
    assert content(other) == OLD and content(path) in (OLD, NEW)
    volume.unmount()


@pytest.fixture
def below(volume):
    """A file system that lies where the volume is to be mounted, and a file of it."""
    os.mkdir(volume.mountpoint)
    proc.run(["mount", "-t", "tmpfs", "tmpfs", volume.mountpoint])
    path = os.path.join(volume.mountpoint, "below")
    with open(path, "wb") as f:
        f.write(OLD)
    yield path
    proc.unmount(volume.mountpoint)


@contextlib.contextmanager
def hanging_rotation(volume, fault):
    """One that uses the keys and has no file of the mount open."""
    fault.hold("sync_dir", volume.backing)
    with subprocess.Popen([volume.cli.binary, "volume", "rotate", volume.backing, "--level", "data"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as rotation:
        fault.wait_held()
        yield
        rotation.wait(timeout=60)


def lock_gives_up(volume):
    pid, volume.pid = volume.pid, 0
    done = volume.cli.run("volume", "lock", "--yes", volume.backing, check=False)
    assert "the volume process ended before it answered" in done.stderr
    proc.wait_gone(pid, timeout=5)


def test_lock_gives_up__its_own_mount_goes_and_no_other(below, failing):
    """Nobody has a file open, so that the first attempt takes the mount away."""
    volume, fault = failing
    with hanging_rotation(volume, fault):
        lock_gives_up(volume)
    assert content(below) == OLD


def test_lock_gives_up__what_was_mounted_over_it_stays(failing):
    volume, fault = failing
    with hanging_rotation(volume, fault):
        proc.run(["mount", "-t", "tmpfs", "over", volume.mountpoint])
        try:
            with open(os.path.join(volume.mountpoint, "over"), "wb") as f:
                f.write(OLD)
            lock_gives_up(volume)
            assert os.listdir(volume.mountpoint) == ["over"]
        finally:
            proc.unmount(volume.mountpoint)


def end_while_a_write_hangs(volume, fault):
    """(the process, which has been told to end; who waits for it)"""
    path = new_file(volume, "file")
    fault.hold("pwrite", path)
    writer = Writer(path)
    fault.wait_held()
    pid, volume.pid = volume.pid, 0
    os.kill(pid, signal.SIGTERM)
    return pid, writer


def test_disk_stands_still__a_process_that_is_told_to_end_leaves_nobody_waiting(failing):
    """Also of its own threads one waits in the kernel then, for the write-back that only it could serve."""
    volume, fault = failing
    pid, writer = end_while_a_write_hangs(volume, fault)
    proc.wait_gone(pid, timeout=90)
    assert writer.end() != 0


def lock_by_backing(volume, **kwargs):
    """No path leads to a mount that is ending."""
    return volume.cli.run("volume", "lock", "--yes", volume.backing, **kwargs)


@pytest.fixture
def rotating(failing):
    """A volume whose disk stands still in a rotation."""
    volume, fault = failing
    fault.hold("pwrite", None)
    rotation = subprocess.Popen([volume.cli.binary, "volume", "rotate", "--level", "data", volume.mountpoint],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    fault.wait_held()
    yield volume
    assert rotation.wait(timeout=60) != 0


def test_disk_stands_still_in_a_rotation__a_process_that_is_told_to_end_does(rotating):
    pid, rotating.pid = rotating.pid, 0
    os.kill(pid, signal.SIGTERM)
    proc.wait_gone(pid)
    assert len(lines(rotating, "ending: an operation hangs")) == 1


def test_disk_stands_still_in_a_rotation__a_lock_is_heard_while_the_process_ends(rotating):
    pid, rotating.pid = rotating.pid, 0
    os.kill(pid, signal.SIGTERM)
    proc.wait_until(lambda: lines(rotating, "ending: signal"), "it ends")
    assert "the volume process ended before it answered" in lock_by_backing(rotating, check=False).stderr
    proc.wait_gone(pid)
    assert os.path.exists(os.path.join(rotating.backing, "revoked"))
    assert len(lines(rotating, "the keys cannot be wiped in time")) == 1


def test_disk_stands_still__a_lock_is_carried_out_while_the_process_waits_for_open_files(failing):
    """Nothing finds the mount by a path by then: what hangs in it is failed all the same."""
    volume, fault = failing
    pid, writer = end_while_a_write_hangs(volume, fault)
    proc.wait_until(lambda: lines(volume, "waiting up to"), "it waits for the writer")
    done = lock_by_backing(volume, check=False)
    assert "the volume process ended before it answered" in done.stderr
    proc.wait_gone(pid)
    assert writer.end() != 0
    assert len(lines(volume, "the keys cannot be wiped in time")) == 1
    volume.mount("--start-locked")
    assert volume.status()["revoked"]


# --- a file system that turns read-only ---

@pytest.fixture
def ext4(work):
    """A real ext4 file system that turns read-only at its first error, and a function that gives it one."""
    image, point = os.path.join(work, "disk.img"), os.path.join(work, "disk")
    with open(image, "wb") as f:
        f.truncate(64 << 20)
    proc.run(["mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", image])
    os.mkdir(point)
    proc.run(["mount", "-o", "loop,errors=remount-ro", image, point])
    device = os.stat(point).st_dev
    name = os.path.basename(os.readlink(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"))

    def fail():
        with open(f"/sys/fs/ext4/{name}/trigger_fs_error", "w", encoding="ascii") as f:
            f.write("1")

    def mend():
        proc.run(["umount", point])
        assert subprocess.run(["e2fsck", "-p", "-f", image], capture_output=True, check=False).returncode <= 1
        proc.run(["mount", "-o", "loop", image, point])
    yield point, fail, mend
    proc.unmount(point)


def test_backing_turns_read_only__writers_fail_and_readers_go_on(ext4, store, cli, work):
    disk, fail, mend = ext4
    volume = Volume(cli, os.path.join(disk, "v"), os.path.join(work, "m"), os.path.join(work, "v.log"))
    volume.create([store.spec("orders")])
    volume.mount()
    path = new_file(volume, "file")
    fd = os.open(path, os.O_RDWR)
    fail()
    for n in range(10):
        assert failure(rewrite, path, NEW) == errno.EROFS
        assert failure(os.mkdir, os.path.join(volume.mountpoint, f"new-{n}")) == errno.EROFS
    assert failure(os.unlink, path) == errno.EROFS
    os.close(fd)
    assert os.listdir(volume.mountpoint) == ["file"]
    assert volume.call("verify").returncode == 0
    assert volume.state() == "OPEN"
    assert counters(volume)["failed"]["read_only"] >= 20
    assert len(lines(volume, "the backing file system is read-only")) == 1
    volume.unmount()
    mend()
    volume.mount()
    assert content(path) == OLD
    rewrite(path, NEW)
    assert content(path) == NEW
    volume.unmount()


# --- too little memory ---

class Group:
    """A control group with a limit of memory, of the version that this machine has."""

    def __init__(self, limit):
        v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        top = "/sys/fs/cgroup" if v2 else "/sys/fs/cgroup/memory"
        if not os.path.isdir(top) or (v2 and "memory" not in content(f"{top}/cgroup.subtree_control").decode()):
            pytest.skip(f"no control groups with memory at {top}")
        self.path = tempfile.mkdtemp(prefix="keystead-e2e-", dir=top)
        self._pressure = ("memory.events", "max") if v2 else ("memory.failcnt", "")
        self._set("memory.max" if v2 else "memory.limit_in_bytes", limit)

    def _set(self, name, value):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as f:
            f.write(str(value))

    def prefix(self):
        """Before a command, that it and what it starts are in the group."""
        return ("sh", "-c", f'echo $$ >"{self.path}/cgroup.procs" && exec "$@"', "sh")

    def pressed(self):
        """How often something had to give way to the limit."""
        name, word = self._pressure
        for line in content(os.path.join(self.path, name)).decode().splitlines():
            if line.startswith(word):
                return int(line.split()[-1])
        return 0

    def end(self):
        for pid in content(os.path.join(self.path, "cgroup.procs")).split():
            proc.kill_tree(int(pid))
        os.rmdir(self.path)


@pytest.fixture
def group():
    made = Group(MEMORY_MAX)
    yield made
    made.end()


def test_little_memory__files_equal_their_models_and_nothing_fails(volume, group, work):
    volume.mount(prefix=group.prefix())
    path, model = os.path.join(volume.mountpoint, "f"), os.path.join(work, "model")
    tree = os.path.join(volume.mountpoint, "stress")
    os.mkdir(tree)
    stress = [native("fsstress"), "-s", SEED, "-t", "16", "-n", "800"]
    proc.run([native("fsx"), "-s", SEED, "-n", "20000", "-m", model, path], timeout=200)
    proc.run([*stress, tree], timeout=200)
    pressed = group.pressed()
    assert pressed > 100
    status = volume.status()
    assert status["state"] == "OPEN" and set(status["counters"]["failed"].values()) == {0}
    volume.unmount()
    volume.mount()
    assert filecmp.cmp(path, model, shallow=False)
    proc.run([*stress, "-v", tree])
    assert volume.call("verify").returncode == 0
    volume.unmount()
