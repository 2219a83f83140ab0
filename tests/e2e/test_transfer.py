# SPDX-License-Identifier: Apache-2.0
"""Goal: a database's directory is encrypted in place and decrypted again, through kill -9 at many moments, and the
database finds everything that it had."""
import fcntl
import os
import signal
import subprocess

import pytest

from conftest import make_engine
from engines import Postgres
from harness import proc

EXIT_BUSY = 5


def tree(top):
    """{path: what it is}, without times of directories."""
    found = {}
    for path, _, files in os.walk(top):
        for name in files:
            full = os.path.join(path, name)
            st = os.lstat(full)
            with open(full, "rb") as f:
                found[os.path.relpath(full, top)] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, f.read())
    return found


def start(volume, command, *args):
    return subprocess.Popen([volume.cli.binary, "volume", command, *args], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def kill_when(process, condition, text):
    """kill -9 as soon as condition() holds; False when the process had ended before."""
    proc.wait_until(lambda: condition() or process.poll() is not None, text)
    ended = process.poll() is not None
    process.kill()
    process.wait()
    process.stdout.close()
    return not ended


def count(top):
    return sum(len(files) for _, _, files in os.walk(top))


def test_adopt_and_release__killed_again_and_again__lose_nothing(volume, work):
    plain = os.path.join(work, "plain")
    os.mkdir(plain)
    for n in range(3000):
        directory = os.path.join(plain, f"d{n % 7}")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, f"f{n}"), "wb") as f:
            f.write(os.urandom(n * 13 % 20000))
    before, kills = tree(plain), 0
    for left in (2900, 2000, 1000):
        adopt = start(volume, "adopt", plain, volume.backing)
        kills += kill_when(adopt, lambda n=left: count(plain) <= n, f"{left} files are left")
    assert kills > 0
    assert 0 < count(plain) < 3000
    volume.cli.json("volume", "adopt", plain, volume.backing)
    assert os.listdir(plain) == []
    kills = 0
    for moved in (100, 1000, 2000):
        release = start(volume, "release", volume.backing, plain)
        kills += kill_when(release, lambda n=moved: count(plain) >= n, f"{moved} files are back")
    assert kills > 0
    volume.cli.json("volume", "release", volume.backing, plain)
    assert tree(plain) == before
    assert os.listdir(volume.backing) == []


def test_transfer__holds_its_directory_against_a_second_one(volume, work):
    plain = os.path.join(work, "plain")
    os.mkdir(plain)
    for n in range(600):
        with open(os.path.join(plain, f"f{n}"), "wb") as f:
            f.write(os.urandom(5000))
    adopt = start(volume, "adopt", plain, volume.backing)
    try:
        proc.wait_until(lambda: count(plain) < 600, "the transfer is under way")
        os.kill(adopt.pid, signal.SIGSTOP)
        assert count(plain) > 0
        fd = os.open(plain, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(fd)
    finally:
        os.kill(adopt.pid, signal.SIGCONT)
        adopt.communicate()
    assert adopt.returncode == 0 and count(plain) == 0


def test_adopt__postgres__runs_on_the_volume_and_afterwards_without(volume, work):
    plain = volume.mountpoint
    engine = make_engine(Postgres, volume, work)
    engine.init()
    engine.start()
    loaded = engine.load(1000)
    busy = volume.cli.run("volume", "adopt", plain, volume.backing, check=False)
    assert busy.returncode == EXIT_BUSY and "postgres" in busy.stderr + busy.stdout
    engine.stop()
    volume.cli.json("volume", "adopt", plain, volume.backing)
    volume.mount()
    engine.start()
    engine.verify(loaded)
    engine.stop()
    volume.unmount()
    volume.cli.json("volume", "release", volume.backing, plain)
    engine.start()
    engine.verify(loaded)
    engine.stop()
