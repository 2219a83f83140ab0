# SPDX-License-Identifier: Apache-2.0
"""Goal: the kernel opens and closes files of a volume without asking, and nothing is lost by that: files without a name,
many files at once, truncation by opening, and what a lock says it has cut."""
import errno
import json
import os
import signal
import subprocess
import sys

import pytest

from harness import proc

DESCRIPTORS = 1024
FILES = 800

READER = "import os,sys; fd = os.open(sys.argv[1], os.O_RDONLY); print(os.read(fd, 9).decode()); os.close(fd)"
HOLDER = ("import os,sys; fds = [os.open(p, os.O_RDONLY) for p in sys.argv[1:]]; "
          "print('open', flush=True); sys.stdin.read()")


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def read_once(path):
    return proc.run([sys.executable, "-I", "-c", READER, path], timeout=30).stdout.strip()


def test_open_read_close__of_a_cached_file__asks_nobody(mounted):
    """While the volume process stands still, whatever needed an answer of it would hang."""
    path = os.path.join(mounted.mountpoint, "file")
    write(path, b"something")
    assert read_once(path) == "something"
    os.kill(mounted.pid, signal.SIGSTOP)
    try:
        assert read_once(path) == "something"
    finally:
        os.kill(mounted.pid, signal.SIGCONT)
    mounted.call("verify")


def test_many_files_open_at_once__take_one_descriptor_each_and_few_more(volume):
    volume.mount(prefix=("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"))
    paths = [os.path.join(volume.mountpoint, f"file-{n}") for n in range(FILES)]
    fds = [os.open(p, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600) for p in paths]
    try:
        for n, fd in enumerate(fds):
            os.write(fd, b"%d" % n)
            os.fsync(fd)
        for n in range(0, FILES, 2):
            os.unlink(paths[n])
        mounted = len(os.listdir(f"/proc/{volume.pid}/fd"))
        assert FILES < mounted < DESCRIPTORS
        for n, fd in enumerate(fds):
            os.pwrite(fd, b"x", 10)
            os.fsync(fd)
            assert os.pread(fd, 100, 0) == b"%d" % n + bytes(10 - len(str(n))) + b"x"
    finally:
        for fd in fds:
            os.close(fd)
    volume.unmount()
    volume.mount()
    assert len(os.listdir(volume.mountpoint)) == FILES // 2


def test_file_without_a_name__lives_as_long_as_it_is_open(mounted):
    path = os.path.join(mounted.mountpoint, "file")
    before = len(os.listdir(f"/proc/{mounted.pid}/fd"))
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"x" * 10_000)
    os.unlink(path)
    write(path, b"another")
    os.fsync(fd)
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
        f.write("3\n")
    assert os.pread(fd, 20_000, 0) == b"x" * 10_000
    os.ftruncate(fd, 5000)
    os.pwrite(fd, b"end", 6000)
    os.fsync(fd)
    assert os.pread(fd, 20_000, 4990) == b"x" * 10 + bytes(1000) + b"end"
    assert os.fstat(fd).st_nlink == 0
    os.close(fd)
    os.unlink(path)
    proc.wait_until(lambda: len(os.listdir(f"/proc/{mounted.pid}/fd")) <= before,
                    "the volume process has nothing of it open any more")


def test_truncation_by_opening__cuts_what_others_have_written_and_not_written_yet(mounted):
    path = os.path.join(mounted.mountpoint, "file")
    other = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.write(other, b"y" * 100_000)
    fd = os.open(path, os.O_RDWR | os.O_TRUNC)
    assert os.fstat(other).st_size == 0 and os.pread(other, 10, 0) == b""
    os.write(fd, b"new")
    os.pwrite(other, b"tail", 50_000)
    for each in (fd, other):
        os.fsync(each)
        os.close(each)
    os.close(os.open(os.path.join(mounted.mountpoint, "empty"), os.O_RDWR | os.O_CREAT | os.O_TRUNC))
    mounted.unmount()
    mounted.mount()
    with open(path, "rb") as f:
        assert f.read() == b"new" + bytes(49_997) + b"tail"
    assert os.stat(os.path.join(mounted.mountpoint, "empty")).st_size == 0


def errno_of(call, *args):
    with pytest.raises(OSError) as error:
        call(*args)
    return error.value.errno


def test_lock__files_are_open__they_are_cut_and_go_on_after_the_unlock(mounted):
    path, gone = (os.path.join(mounted.mountpoint, name) for name in ("file", "gone"))
    write(path, b"kept")
    fds = [os.open(p, os.O_RDWR | os.O_CREAT, 0o600) for p in (path, gone)]
    os.write(fds[1], b"nameless")
    os.unlink(gone)
    mounted.call("lock", "--yes")
    for fd in fds:
        assert errno_of(os.pread, fd, 10, 0) == errno.EKEYREVOKED
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_CREAT):
        assert errno_of(os.open, path, flags) == errno.EKEYREVOKED
    mounted.call("unlock")
    mounted.wait_state("OPEN")
    assert os.pread(fds[0], 10, 0) == b"kept"
    assert os.pread(fds[1], 10, 0) == b"nameless"
    for fd in fds:
        os.pwrite(fd, b"more", 8)
        os.fsync(fd)
        os.close(fd)
    assert read_once(path) == "kept\0\0\0\0m"


def hold(paths, *prefix):
    """A process that has these files open."""
    child = subprocess.Popen([*prefix, sys.executable, "-I", "-c", HOLDER, *paths],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"open\n"
    return child


def test_lock__says_how_many_descriptors_it_cut_and_whose(mounted):
    paths = [os.path.join(mounted.mountpoint, f"file-{n}") for n in range(5)]
    for path in paths:
        write(path, b"x")
    children = [hold(paths), hold(paths[:2], "unshare", "--mount", "--propagation", "private")]
    try:
        mounted.status()  # whoever asks meanwhile does not disturb the count of the lock
        receipt = json.loads(mounted.call("lock", "--yes", "--output", "json").stdout)["receipt"]
        assert receipt["handles_cut"] == 7
        with open(mounted.log, encoding="utf-8") as f:
            line = next(line for line in f if "open handles cut" in line)
        assert "7 open handles cut of " in line and "at least" not in line
        for child in children:
            assert f"[{child.pid}]" in line
    finally:
        for child in children:
            child.communicate()
