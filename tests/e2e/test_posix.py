# SPDX-License-Identifier: Apache-2.0
"""Goal: the mount behaves as a disk's file system does, in what databases use and at its edges."""
import ctypes
import errno
import fcntl
import mmap
import os
import stat
import subprocess
import sys

import pytest

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_NOREPLACE, RENAME_EXCHANGE = -100, 1, 2
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16


@pytest.fixture
def m(mounted):
    return mounted.mountpoint


@pytest.fixture
def again(mounted):
    """again(): remounted, so that nothing comes from a cache."""
    def remount():
        mounted.unmount()
        mounted.mount()
    return remount


def put(path, data, mode="wb"):
    with open(path, mode) as f:
        f.write(data)


def get(path):
    with open(path, "rb") as f:
        return f.read()


def renameat2(a, b, flags):
    if LIBC.renameat2(AT_FDCWD, a.encode(), AT_FDCWD, b.encode(), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def fallocate(fd, mode, at, length):
    if LIBC.fallocate(fd, mode, ctypes.c_long(at), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


def fails_with(number, function, *args):
    with pytest.raises(OSError) as error:
        function(*args)
    assert error.value.errno == number, errno.errorcode[error.value.errno]


def test_rename_flags(m):
    a, b = os.path.join(m, "a"), os.path.join(m, "b")
    put(a, b"a")
    put(b, b"b")
    fails_with(errno.EEXIST, renameat2, a, b, RENAME_NOREPLACE)
    renameat2(a, b, RENAME_EXCHANGE)
    assert (get(a), get(b)) == (b"b", b"a")
    os.rename(a, b)
    assert os.listdir(m) == ["b"] and get(b) == b"b"
    renameat2(b, a, RENAME_NOREPLACE)
    assert os.listdir(m) == ["a"]


def test_rename_directory_over_full_one__is_refused(m):
    os.makedirs(os.path.join(m, "x"))
    os.makedirs(os.path.join(m, "y", "full"))
    fails_with(errno.ENOTEMPTY, os.rename, os.path.join(m, "x"), os.path.join(m, "y"))
    fails_with(errno.EINVAL, os.rename, os.path.join(m, "y"), os.path.join(m, "y", "full", "z"))


def test_rename_over_an_open_file__old_one_stays_readable(m):
    a, b = os.path.join(m, "a"), os.path.join(m, "b")
    put(a, b"new")
    put(b, b"old")
    with open(b, "rb") as f:
        os.rename(a, b)
        assert f.read() == b"old"
    assert get(b) == b"new"


def test_hard_links(m, again):
    a, b = os.path.join(m, "a"), os.path.join(m, "b")
    put(a, b"one")
    os.link(a, b)
    assert os.stat(a).st_nlink == 2 and os.stat(a).st_ino == os.stat(b).st_ino
    put(b, b"two", "ab")
    assert get(a) == b"onetwo"
    again()
    os.unlink(a)
    assert get(b) == b"onetwo" and os.stat(b).st_nlink == 1


@pytest.mark.parametrize("length", [1, 100, 255, 1000, 4000, 4095])
def test_symlinks(m, again, length):
    link, target = os.path.join(m, "link"), "t" * length
    os.symlink(target, link)
    again()
    assert os.readlink(link) == target
    assert stat.S_ISLNK(os.lstat(link).st_mode) and os.lstat(link).st_size == length
    os.unlink(link)
    assert os.listdir(m) == []


@pytest.mark.parametrize("length", [1, 100, 150, 175, 176, 190, 200, 254, 255])
def test_names_up_to_255_bytes(m, again, length):
    names = ["n" * length, ("ü" * length)[:length // 2] + "y" * (length % 2)]
    for name in names:
        put(os.path.join(m, name), name.encode())
        os.rename(os.path.join(m, name), os.path.join(m, "between"))
        os.rename(os.path.join(m, "between"), os.path.join(m, name))
    again()
    assert sorted(os.listdir(m)) == sorted(names)
    for name in names:
        assert get(os.path.join(m, name)) == name.encode()
        os.unlink(os.path.join(m, name))
    assert os.listdir(m) == []


def test_name_of_256_bytes__is_too_long(m):
    fails_with(errno.ENAMETOOLONG, put, os.path.join(m, "n" * 256), b"")
    fails_with(errno.ENAMETOOLONG, os.stat, os.path.join(m, "n" * 256))


def test_append__two_writers_lose_nothing(m):
    path = os.path.join(m, "log")
    put(path, b"")
    code = ("import os, sys\nfd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)\n"
            "for n in range(500): os.write(fd, (sys.argv[2] * 99 + '\\n').encode())")
    both = [subprocess.Popen([sys.executable, "-c", code, path, who]) for who in "ab"]
    assert [p.wait(60) for p in both] == [0, 0]
    lines = get(path).split(b"\n")[:-1]
    assert sorted(lines) == [b"a" * 99] * 500 + [b"b" * 99] * 500


def aligned(size):
    return mmap.mmap(-1, size)


@pytest.mark.parametrize("at", [0, 4096, 8192, 3 * 4096, 100 * 4096])
def test_o_direct__reads_what_was_written(m, at):
    path = os.path.join(m, "direct")
    data = os.urandom(8192)
    page = aligned(8192)
    page.write(data)
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_DIRECT)
    try:
        assert os.pwrite(fd, page, at) == 8192
        back = aligned(8192)
        assert os.preadv(fd, [back], at) == 8192
        assert back[:] == data
    finally:
        os.close(fd)
    assert get(path) == bytes(at) + data


def test_o_dsync_and_o_trunc(m, again):
    path = os.path.join(m, "f")
    put(path, os.urandom(100000))
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_DSYNC)
    os.write(fd, b"short")
    os.close(fd)
    again()
    assert get(path) == b"short"


def test_fallocate_modes(m, again):
    path = os.path.join(m, "f")
    with open(path, "w+b") as f:
        fallocate(f.fileno(), 0, 0, 100000)
        assert os.fstat(f.fileno()).st_size == 100000
        assert f.read() == bytes(100000)
        fallocate(f.fileno(), KEEP_SIZE, 0, 300000)
        assert os.fstat(f.fileno()).st_size == 100000
        data = os.urandom(100000)
        os.pwrite(f.fileno(), data, 0)
        fallocate(f.fileno(), PUNCH_HOLE | KEEP_SIZE, 1000, 50000)
        expected = data[:1000] + bytes(50000) + data[51000:]
        assert os.pread(f.fileno(), 100000, 0) == expected
        fallocate(f.fileno(), ZERO_RANGE, 90000, 20000)
        expected = expected[:90000] + bytes(20000)
        assert os.pread(f.fileno(), 200000, 0) == expected
        os.fsync(f.fileno())
    again()
    assert get(path) == expected


@pytest.mark.parametrize("size", [0, 1, 3583, 3584, 3585, 4095, 4096, 7168, 100001])
def test_truncate_and_extend(m, again, size):
    path = os.path.join(m, "f")
    data = os.urandom(50000)
    put(path, data)
    os.truncate(path, size)
    expected = data[:size] + bytes(max(0, size - len(data)))
    assert get(path) == expected
    os.truncate(path, 120000)
    again()
    assert get(path) == expected + bytes(120000 - size)


def test_sparse_file(m, again):
    path = os.path.join(m, "sparse")
    with open(path, "wb") as f:
        f.seek(10 << 20)
        f.write(b"end")
    again()
    assert os.stat(path).st_size == (10 << 20) + 3
    assert os.stat(path).st_blocks * 512 < 1 << 20
    with open(path, "rb") as f:
        # a file system may call holes data, never data a hole
        assert os.lseek(f.fileno(), 0, os.SEEK_DATA) <= 10 << 20
        assert os.lseek(f.fileno(), 10 << 20, os.SEEK_HOLE) == (10 << 20) + 3
        f.seek(5 << 20)
        assert f.read(100) == bytes(100)
        f.seek(10 << 20)
        assert f.read() == b"end"


def test_file_beyond_4_gib(m, again):
    path = os.path.join(m, "big")
    places = [0, (1 << 31) - 2, (1 << 32) - 2, (1 << 32) + 12345, 5 << 32]
    with open(path, "wb") as f:
        for at in places:
            f.seek(at)
            f.write(b"here")
    again()
    with open(path, "rb") as f:
        for at in places:
            f.seek(at)
            assert f.read(4) == b"here", hex(at)
    assert os.stat(path).st_size == places[-1] + 4


def test_extended_attributes(m, again):
    path = os.path.join(m, "f")
    put(path, b"")
    os.setxattr(path, "user.one", b"1")
    os.setxattr(path, "user." + "n" * 100, b"v" * 1000)
    os.setxattr(path, "user.empty", b"")
    again()
    assert sorted(os.listxattr(path)) == sorted(["user.one", "user." + "n" * 100, "user.empty"])
    assert os.getxattr(path, "user." + "n" * 100) == b"v" * 1000
    assert os.getxattr(path, "user.empty") == b""
    fails_with(errno.EEXIST, os.setxattr, path, "user.one", b"2", os.XATTR_CREATE)
    fails_with(errno.ENODATA, os.setxattr, path, "user.two", b"2", os.XATTR_REPLACE)
    os.removexattr(path, "user.one")
    fails_with(errno.ENODATA, os.getxattr, path, "user.one")


def test_mmap_shared_writable(m, again):
    path = os.path.join(m, "map")
    put(path, bytes(10 * 4096))
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), 0) as area:
        area[5000:5005] = b"hello"
        area[-3:] = b"end"
        area.flush()
        assert os.pread(f.fileno(), 5, 5000) == b"hello"
    again()
    data = get(path)
    assert data[5000:5005] == b"hello" and data[-3:] == b"end" and len(data) == 40960


def test_unlinked_open_file__lives_until_closed(m):
    path = os.path.join(m, "gone")
    data = os.urandom(20000)
    with open(path, "w+b") as f:
        f.write(data)
        f.flush()
        os.unlink(path)
        assert os.listdir(m) == []
        f.seek(0)
        assert f.read() == data
        os.ftruncate(f.fileno(), 100)
        assert os.fstat(f.fileno()).st_size == 100
        assert os.fstat(f.fileno()).st_nlink == 0


def test_fsync_of_files_and_directories(m, mounted):
    os.mkdir(os.path.join(m, "d"))
    path = os.path.join(m, "d", "f")
    with open(path, "wb") as f:
        f.write(b"durable")
        f.flush()
        os.fsync(f.fileno())
        os.fdatasync(f.fileno())
    fd = os.open(os.path.join(m, "d"), os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    mounted.kill()
    mounted.mount()
    assert get(path) == b"durable"


def test_five_thousand_files(m, again):
    directory = os.path.join(m, "many")
    os.mkdir(directory)
    for n in range(5000):
        put(os.path.join(directory, f"file-{n}"), str(n).encode())
    assert len(os.listdir(directory)) == 5000
    again()
    names = os.listdir(directory)
    assert sorted(names) == sorted(f"file-{n}" for n in range(5000))
    assert all(get(os.path.join(directory, n)) == n[5:].encode() for n in names[::50])
    for name in names:
        os.unlink(os.path.join(directory, name))
    os.rmdir(directory)
    assert os.listdir(m) == []


def test_reading_a_directory_while_it_changes(m):
    for n in range(300):
        put(os.path.join(m, f"keep-{n}"), b"")
        put(os.path.join(m, f"drop-{n}"), b"")
    seen = set()
    with os.scandir(m) as entries:
        for entry in entries:
            seen.add(entry.name)
            if entry.name.startswith("drop-"):
                os.unlink(entry.path)
    assert {f"keep-{n}" for n in range(300)} <= seen


def test_owner_mode_and_times(m, again):
    path = os.path.join(m, "f")
    put(path, b"x")
    os.chmod(path, 0o640)
    os.chown(path, 1234, 4321)
    os.utime(path, ns=(1_000_000_000_123_456_789, 1_500_000_000_987_654_321))
    assert os.stat(path).st_atime_ns == 1_000_000_000_123_456_789
    again()
    info = os.stat(path)
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o640, 1234, 4321)
    assert info.st_mtime_ns == 1_500_000_000_987_654_321


def test_mtime_and_size_follow_writes(m):
    path = os.path.join(m, "f")
    put(path, b"x")
    os.utime(path, (1, 1))
    put(path, b"yy", "ab")
    info = os.stat(path)
    assert info.st_size == 3 and info.st_mtime > 1_000_000


def test_unprivileged_user__is_held_to_permissions(m):
    put(os.path.join(m, "private"), b"x")
    os.chmod(os.path.join(m, "private"), 0o600)
    os.chmod(m, 0o755)
    os.mkdir(os.path.join(m, "theirs"))
    os.chown(os.path.join(m, "theirs"), 65534, 65534)
    code = ("import os, sys\nos.chdir(sys.argv[1])\n"
            "open('theirs/new', 'w').write('mine')\n"
            "s = os.stat('theirs/new')\nassert s.st_uid == 65534, s\n"
            "for f in (lambda: open('private'), lambda: open('new', 'w')):\n"
            "    try:\n        f()\n    except PermissionError:\n        continue\n"
            "    sys.exit('allowed')\n")
    from harness import proc
    proc.run(proc.as_user("nobody", ["/usr/bin/python3", "-I", "-c", code, m]))


def test_locks(m):
    path = os.path.join(m, "f")
    put(path, b"x")
    code = ("import fcntl, sys\nf = open(sys.argv[1], 'r+')\n"
            "getattr(fcntl, sys.argv[2])(f, fcntl.LOCK_EX | fcntl.LOCK_NB)")

    def other(kind):
        return subprocess.run([sys.executable, "-c", code, path, kind], check=False,
                              stderr=subprocess.DEVNULL).returncode
    for kind in ("lockf", "flock"):
        with open(path, "r+") as f:
            getattr(fcntl, kind)(f, fcntl.LOCK_EX)
            assert other(kind) != 0
        assert other(kind) == 0


def test_special_files(m, again):
    fifo = os.path.join(m, "fifo")
    os.mkfifo(fifo)
    socket_path = os.path.join(m, "s")
    os.mknod(socket_path, stat.S_IFSOCK | 0o600)
    again()
    assert stat.S_ISFIFO(os.stat(fifo).st_mode)
    assert stat.S_ISSOCK(os.stat(socket_path).st_mode)


def test_statfs(m, mounted):
    ours, theirs = os.statvfs(m), os.statvfs(mounted.backing)
    assert ours.f_namemax == 255
    assert 0 < ours.f_bavail * ours.f_frsize <= theirs.f_blocks * theirs.f_frsize


def test_random_operations__match_a_plain_file(m, again, work):
    """Reads, writes and truncations at random places, beside a plain file that must stay equal."""
    import random
    rng = random.Random(20261121)
    a, b = os.path.join(m, "f"), os.path.join(work, "model")
    fds = [os.open(p, os.O_CREAT | os.O_RDWR, 0o600) for p in (a, b)]
    for _ in range(1500):
        at, length = rng.randrange(60000), rng.randrange(1, 9000)
        kind = rng.random()
        if kind < 0.5:
            data = rng.randbytes(length)
            assert [os.pwrite(fd, data, at) for fd in fds] == [length] * 2
        elif kind < 0.6:
            for fd in fds:
                os.ftruncate(fd, at)
        else:
            got = [os.pread(fd, length, at) for fd in fds]
            assert got[0] == got[1], (at, length)
    for fd in fds:
        os.close(fd)
    assert get(a) == get(b)
    again()
    assert get(a) == get(b)
