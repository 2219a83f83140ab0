# SPDX-License-Identifier: Apache-2.0
"""Goal: what is large in some way works as what is small: long names, deep trees, full directories, huge files, many threads."""
import errno
import os
import threading

import pytest

FILES = int(os.environ.get("KEYSTEAD_SCALE_FILES", 100_000))
DESCRIPTORS = 8192
LEVELS = 200
HUGE = 8 << 40


def remount(volume):
    volume.unmount()
    volume.mount()


def test_names_of_255_bytes__at_every_level(mounted):
    names = [letter * 255 for letter in "abcdefghijkl"]
    fd = os.open(mounted.mountpoint, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.symlink(name, "s" * 255, dir_fd=inner)
        os.close(fd)
        fd = inner
    os.close(fd)
    remount(mounted)
    path = os.path.join(mounted.mountpoint, *names)
    assert os.readlink(os.path.join(path, "s" * 255)) == names[-1]
    assert sum(len(found) for _, found, _ in os.walk(mounted.mountpoint)) == len(names)
    mounted.call("verify")


def descend(volume, name, levels):
    """A descriptor of the directory that many levels down; no path is ever long."""
    fd = os.open(volume.mountpoint, os.O_RDONLY)
    for _ in range(levels):
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = inner
    return fd


def remove_chain(volume, name):
    fds = [os.open(volume.mountpoint, os.O_RDONLY)]
    for _ in range(LEVELS):
        fds.append(os.open(name, os.O_RDONLY, dir_fd=fds[-1]))
    os.close(fds.pop())
    while fds:
        os.rmdir(name, dir_fd=fds[-1])
        os.close(fds.pop())


def test_tree_of_200_levels__with_paths_longer_than_any_call_takes(mounted):
    name = "level" * 20
    assert LEVELS * len(name) > 4 * 4096
    fd = os.open(mounted.mountpoint, os.O_RDONLY)
    for _ in range(LEVELS):
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    bottom = os.open("bottom", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=fd)
    os.write(bottom, b"deep")
    os.close(bottom)
    os.close(fd)
    remount(mounted)
    mounted.call("verify")
    with pytest.raises(OSError) as error:
        os.stat(os.path.join(mounted.mountpoint, *[name] * LEVELS))
    assert error.value.errno == errno.ENAMETOOLONG

    fd = descend(mounted, name, LEVELS)
    assert os.stat("bottom", dir_fd=fd).st_size == 4
    os.unlink("bottom", dir_fd=fd)
    os.close(fd)
    remove_chain(mounted, name)
    assert os.listdir(mounted.mountpoint) == []


def few_descriptors():
    """Prefix of a command that may have far fewer files open than there are."""
    return ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")


def test_many_files_in_a_directory__listed_looked_at_and_removed(volume):
    """The kernel remembers more files than the volume process may hold descriptors for: it is made to forget."""
    volume.mount(prefix=few_descriptors())
    directory = os.path.join(volume.mountpoint, "many")
    os.mkdir(directory)
    fd = os.open(directory, os.O_RDONLY)
    for n in range(FILES):
        os.close(os.open(f"file-{n}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=fd))
    assert len(os.listdir(directory)) == FILES
    os.close(fd)
    volume.unmount()
    volume.mount(prefix=few_descriptors())
    with os.scandir(directory) as entries:
        inodes = {entry.name: entry.inode() for entry in entries}
    assert len(inodes) == FILES
    assert len(set(inodes.values())) == FILES
    fd = os.open(directory, os.O_RDONLY)
    for n in range(FILES):
        info = os.stat(f"file-{n}", dir_fd=fd)
        assert info.st_ino == inodes[f"file-{n}"] and info.st_size == 0
    with pytest.raises(FileNotFoundError):
        os.stat(f"file-{FILES}", dir_fd=fd)
    for name in inodes:
        os.unlink(name, dir_fd=fd)
    os.close(fd)
    assert os.listdir(directory) == []
    os.rmdir(directory)


def test_sparse_file_of_8_tib__takes_no_room_and_keeps_both_ends(mounted):
    path = os.path.join(mounted.mountpoint, "huge")
    places = {0: b"first", HUGE // 2 - 3: b"middle", HUGE - 4: b"last"}
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, HUGE)
    for at, text in places.items():
        os.pwrite(fd, text, at)
    os.fsync(fd)
    os.close(fd)
    for _ in range(2):
        fd = os.open(path, os.O_RDWR)
        info = os.fstat(fd)
        assert info.st_size == HUGE and 0 < info.st_blocks * 512 < 1 << 20
        for at, text in places.items():
            assert os.pread(fd, len(text), at) == text
        assert os.pread(fd, 4096, HUGE // 4) == bytes(4096)
        assert os.pread(fd, 100, HUGE - 2) == b"st"
        # all of it counts as data, up to the one hole at the end: see docs/POSIX.md
        assert os.lseek(fd, HUGE // 4, os.SEEK_DATA) == HUGE // 4
        assert os.lseek(fd, 0, os.SEEK_HOLE) == HUGE
        with pytest.raises(OSError) as error:
            os.lseek(fd, HUGE, os.SEEK_DATA)
        assert error.value.errno == errno.ENXIO
        os.close(fd)
        remount(mounted)
    os.truncate(path, HUGE // 2)
    assert os.stat(path).st_size == HUGE // 2
    with open(path, "rb") as f:
        f.seek(HUGE // 2 - 3)
        assert f.read() == b"mid"
    os.unlink(path)


def test_64_threads_on_one_file__every_stripe_is_whole(mounted):
    threads, rounds, stripe = 64, 40, 5000
    path = os.path.join(mounted.mountpoint, "striped")
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    wrong = []

    def stripes(worker):
        for n in range(rounds):
            at, data = (n * threads + worker) * stripe, bytes([1 + (worker + n) % 255]) * stripe
            os.pwrite(fd, data, at)
            if n % 8 == worker % 8:
                os.fdatasync(fd)
            if os.pread(fd, stripe, at) != data:
                wrong.append((worker, n))

    workers = [threading.Thread(target=stripes, args=(worker,)) for worker in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    os.close(fd)
    assert not wrong
    remount(mounted)
    with open(path, "rb") as f:
        for n in range(rounds):
            for worker in range(threads):
                assert f.read(stripe) == bytes([1 + (worker + n) % 255]) * stripe
        assert f.read() == b""
