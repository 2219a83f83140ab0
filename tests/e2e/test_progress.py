# SPDX-License-Identifier: Apache-2.0
"""Goal: whoever waits for a long command at a terminal sees on one line how much is done, how fast and what time is left; Ctrl-C leaves a clean line and a
command that goes on when it is started again; who asks for the status is told the same; nothing of it gets into a pipe."""
import fcntl
import json
import os
import re
import select
import signal
import time

import pytest

from harness import memory, proc
from harness.terminal import INTERRUPT, Terminal

EXIT_CORRUPT, INTERRUPTED = 6, 130
MB, BLOCK, PIPE_BYTES = 1000 * 1000, 4096, 4096
FILES, FILE_BYTES = 16, 4 * MB
SMALL_FILES, SMALL_BYTES = 1500, 20000
SHOWN_EVERY_S = 0.5
BYTES, RATE, LEFT = r"[\d.]+ [KMG]iB", r"[\d.]+ ([KMG]i)?B/s", r"\d+ (s|min) left"
FIGURES = f"{BYTES} of {BYTES}, {RATE}, {LEFT}"
DRAWN_AGAIN = "\r\x1b[K"


def fill(top, files=FILES, size=FILE_BYTES):
    """{name: contents}"""
    content = {f"file-{n}": os.urandom(size) for n in range(files)}
    for name, data in content.items():
        with open(os.path.join(top, name), "wb") as f:
            f.write(data)
    return content


def check(top, content):
    assert sorted(os.listdir(top)) == sorted(content)
    for name, data in content.items():
        with open(os.path.join(top, name), "rb") as f:
            assert f.read() == data, name


def rows(terminal):
    return [row for row in terminal.rows() if row]


@pytest.fixture
def at_terminal(cli):
    """at_terminal(command, ...): the command on a terminal."""
    begun = []

    def begin(*command, **how):
        begun.append(Terminal([cli.binary, "volume", *command], **{"columns": 120, **how}))
        return begun[-1]
    yield begin
    for terminal in begun:
        if terminal.process.poll() is None:
            terminal.process.kill()


@pytest.fixture
def rotated(mounted):
    """A mounted volume of which all blocks are of an older generation: (volume, contents)."""
    content = fill(mounted.mountpoint)
    mounted.call("rotate", "--level", "data")
    return mounted, content


def interrupt(terminal):
    """Ctrl-C, and what is on the screen at the end."""
    terminal.type(INTERRUPT)
    terminal.process.send_signal(signal.SIGCONT)
    assert terminal.end() == INTERRUPTED, terminal.seen
    return rows(terminal)


def oldest(volume):
    return volume.cli.json("volume", "generations", volume.backing)["generations"][0]


def rekey_to_the_end(volume, at_terminal, where, content):
    done = at_terminal("rekey", where)
    assert done.end() == 0, done.seen
    said = rows(done)
    assert re.fullmatch(f"{BYTES} re-encrypted", said[0]) and said[1:] == ["generation 1: its key is destroyed; no block needs it"]
    if not volume.pid:
        volume.mount()
    check(volume.mountpoint, content)


def test_rekey_of_a_mounted_volume__figures_at_the_terminal_and_in_the_status(rotated, at_terminal):
    volume, content = rotated
    rekey = at_terminal("rekey", volume.mountpoint, "--rate", "5").wait_to_match(f"rewriting: {FIGURES}")
    told = volume.status()["rekey"]
    assert isinstance(told["eta_s"], int) and told["eta_s"] > 0, told
    assert 0 < told["bytes_rewritten"] < told["bytes_total"] and told["rate"] > 0
    assert re.search(f"re-encrypts +{FIGURES}", volume.call("status").stdout)
    assert interrupt(rekey) == ["interrupted: what is re-encrypted stays so; start it again to go on"]
    assert rekey.seen.count(DRAWN_AGAIN) > 1, "it was drawn again and again on one line"
    proc.wait_until(lambda: volume.status()["rekey"] is None, "the sweep ended with its asker")
    assert oldest(volume)["state"] == "OLDER"
    rekey_to_the_end(volume, at_terminal, volume.mountpoint, content)


def test_rekey_of_an_unmounted_volume__figures_at_the_terminal(rotated, at_terminal):
    volume, content = rotated
    volume.unmount()
    rekey = at_terminal("rekey", volume.backing, "--rate", "5").wait_to_match(f"rewriting: {FIGURES}")
    said = interrupt(rekey)
    assert len(said) == 1 and re.fullmatch(f"interrupted: {BYTES} re-encrypted; start it again to go on", said[0]), said
    assert oldest(volume)["state"] == "OLDER"
    rekey_to_the_end(volume, at_terminal, volume.backing, content)


class Paced:
    """A verify that finds damage in every block and waits for whoever reads its answer: it is as fast as that is read."""

    def __init__(self, at_terminal, where):
        self.answer, self._read_end = b"", None
        self._read_end, theirs = os.pipe()
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self._read_end, False)
        with os.fdopen(theirs, "wb") as output:
            self.terminal = at_terminal("verify", where, output=output)

    def read(self):
        """What is there; whether it was anything."""
        part = os.read(self._read_end, PIPE_BYTES) if select.select([self._read_end], [], [], 0)[0] else b""
        self.answer += part
        return part != b""

    def figures(self):
        """Until they have been shown. They come twice a second at most, so it is held at the first line until those are due."""
        self.terminal.wait_for("verifying, 0 damaged")
        due = time.monotonic() + SHOWN_EVERY_S
        proc.wait_until(lambda: time.monotonic() > due, "the line may be drawn again")
        self.terminal.wait_to_match(rf"verifying, \d+ damaged: {FIGURES}", self.read)
        assert self.terminal.process.poll() is None, "it waits to be read"
        return self

    def end(self):
        """Its exit code, and the lines of its answer."""
        def read_all():
            while self.read():
                pass
            return self.terminal.process.poll() is not None
        proc.wait_until(read_all, "it ends when it is read")
        read_all()
        os.close(self._read_end)
        return self.terminal.end(), self.answer.decode().splitlines()


@pytest.fixture
def damaged(mounted):
    """A volume, not mounted, of which every block is damaged."""
    fill(mounted.mountpoint)
    mounted.unmount()
    for path in memory.backing_files(mounted, FILE_BYTES):
        with open(path, "r+b") as f:
            for at in range(BLOCK, os.path.getsize(path), BLOCK):
                f.seek(at + 100)
                f.write(b"damage")
    return mounted


def check_ends_damaged(verify):
    code, answer = verify.end()
    assert code == EXIT_CORRUPT and answer[-1].endswith(": DAMAGED"), answer[-5:]
    assert len([line for line in answer if line.startswith("damaged: /file-")]) >= FILES * FILE_BYTES // BLOCK
    screen = rows(verify.terminal)
    assert len(screen) > 0 and screen[0].startswith("keystead: volume ") and "verifying" not in "".join(screen), screen


def test_verify_of_an_unmounted_volume__figures_at_the_terminal(damaged, at_terminal):
    verify = Paced(at_terminal, damaged.backing).figures()
    verify.terminal.type(INTERRUPT)
    code, answer = verify.end()
    assert code == INTERRUPTED and rows(verify.terminal) == []
    assert re.fullmatch(r"interrupted: \d+ damaged places were found so far", answer[-1])
    assert len(answer) - 1 == int(answer[-1].split()[1]), "no line of the answer is lost"
    check_ends_damaged(Paced(at_terminal, damaged.backing).figures())


def test_verify_of_a_mounted_volume__figures_at_the_terminal(damaged, at_terminal):
    damaged.mount()
    damaged.call("status", "--survey")  # so that it is known how much there is
    verify = Paced(at_terminal, damaged.mountpoint).figures()
    verify.terminal.type(INTERRUPT)
    assert verify.end()[0] == INTERRUPTED and rows(verify.terminal) == ["interrupted"]
    check_ends_damaged(Paced(at_terminal, damaged.mountpoint).figures())


def test_adopt_and_release__figures_at_the_terminal(volume, work, at_terminal):
    plain = os.path.join(work, "plain")
    os.mkdir(plain)
    content = fill(plain, SMALL_FILES, SMALL_BYTES)
    for command, places, doing, now in (("adopt", (plain, volume.backing), "encrypting", "encrypted"),
                                        ("release", (volume.backing, plain), "decrypting", "plain")):
        moving = at_terminal(command, *places)
        moving.wait_for(doing).wait_to_match(rf"{doing}, \d+ of {SMALL_FILES} files: {FIGURES}", moving.a_crumb)
        said = interrupt(moving)
        assert re.fullmatch(rf"interrupted: \d+ files, {BYTES}, are {now} now", said[0]), said
        assert said[1:] == ["start it again to go on; until then the rest is where it was"]
        rest = at_terminal(command, *places)
        assert rest.end() == 0, rest.seen
        assert re.fullmatch(rf"\d+ files, {BYTES}, are {now} now", rows(rest)[0]), rows(rest)
        assert rows(rest)[1].startswith("next: ") and doing not in "".join(rows(rest)), rows(rest)
        assert sorted(os.listdir(plain)) == ([] if command == "adopt" else sorted(content))
    check(plain, content)


def test_progress__narrow_terminal__is_one_line(rotated, at_terminal):
    volume, _ = rotated
    rekey = at_terminal("rekey", volume.mountpoint, "--rate", "5", columns=20)
    rekey.wait_to_match(r"rewriting: [\d.]+ Mi?")
    assert len(rekey.rows()) == 1 and len(rekey.rows()[0]) < 20, rekey.rows()
    interrupt(rekey)


def test_progress__pipe_or_file__nothing_of_it(rotated, at_terminal, work):
    volume, content = rotated
    piped = volume.call("rekey", "--rate", "30")
    assert piped.stderr == "" and "\x1b" not in piped.stdout and "rewriting" not in piped.stdout, piped
    with open(os.path.join(work, "out"), "w+b") as out:  # the answer into a file, the line on the terminal
        verify = at_terminal("verify", volume.mountpoint, "-o", "json", output=out)
        assert verify.end() == 0
        assert "verifying" in verify.seen and rows(verify) == [], "nothing is left of it on the terminal"
        out.seek(0)
        assert json.load(out)["files"] == len(content)
