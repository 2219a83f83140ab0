# SPDX-License-Identifier: Apache-2.0
"""Looking for keys in the memory of a running process.

A search that finds nothing proves something only if the same search found the keys while they had to be
there: callers scan before the lock and after it.
"""
import os
import shutil
import tempfile

from . import proc
from .keystead import Keystead

CHUNK = 16 << 20


def keydump():
    """The helper that prints a volume's keys, from the same build as the program."""
    build = os.path.dirname(os.path.dirname(os.path.dirname(Keystead.find())))
    return os.environ.get("KEYSTEAD_KEYDUMP") or os.path.join(build, "tests/e2e/keydump")


def keys_of(volume, *backing_files):
    """{"data 1": bytes, "file NAME 0": bytes, ...} of a volume whose key service still says yes.

    Works on a copy of the keyring, so it takes no lock and changes nothing."""
    with tempfile.TemporaryDirectory(prefix="keydump-") as copy:
        for name in os.listdir(volume.backing):
            path = os.path.join(volume.backing, name)
            if os.path.isdir(path):
                os.mkdir(os.path.join(copy, name))
            else:
                shutil.copy2(path, copy)
        lines = proc.run([keydump(), copy, *backing_files]).stdout.splitlines()
    found = {}
    for number, line in enumerate(lines):
        kind, what, text = line.split()
        name = f"file {number} {what[:12]}" if kind == "file" else f"{kind} {what}"
        found[name] = bytes.fromhex(text)
    return found


def backing_files(volume, count=3):
    """Some backing files that hold data: the largest."""
    sized = []
    for directory, _, names in os.walk(os.path.join(volume.backing, "tree")):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path) and os.path.isfile(path):
                sized.append((os.path.getsize(path), path))
    return [path for size, path in sorted(sized, reverse=True)[:count] if size > 4096]


def backing_file_of(volume, path):
    """The backing file of a file on the mount: they have the same inode number."""
    inode = os.stat(path).st_ino
    for directory, _, names in os.walk(os.path.join(volume.backing, "tree")):
        for name in names:
            if os.lstat(os.path.join(directory, name)).st_ino == inode:
                return os.path.join(directory, name)
    raise AssertionError(f"no backing file has the inode number of {path}")


def readable_regions(pid):
    with open(f"/proc/{pid}/maps") as f:
        for line in f:
            fields = line.split()
            if "[vvar" in line or "[vsyscall]" in line:
                continue
            start, end = (int(x, 16) for x in fields[0].split("-"))
            yield start, end


def scan(pid, patterns):
    """Names of the patterns found anywhere in the memory of pid; also bytes searched.

    Pages without access (libsodium's guard pages) are read too: /proc/PID/mem does not mind."""
    overlap = max(map(len, patterns.values())) - 1
    found, searched = set(), 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end in readable_regions(pid):
            rest, at = b"", start
            while at < end:
                try:
                    memory.seek(at)
                    chunk = memory.read(min(CHUNK, end - at))
                except (OSError, ValueError, OverflowError):
                    chunk = b""
                if not chunk:  # a page that is not there: go on behind it
                    rest, at = b"", at + 4096
                    continue
                text = rest + chunk
                found.update(n for n, p in patterns.items() if p in text)
                rest, at = text[-overlap:], at + len(chunk)
                searched += len(chunk)
    return found, searched


def contains(directory, *needles):
    """Paths below directory whose name or contents (or symlink target) contain one of the byte strings."""
    hits = []
    for parent, directories, names in os.walk(directory):
        for name in directories + names:
            path = os.path.join(parent, name)
            if any(n in name.encode() for n in needles):
                hits.append(path)
            if os.path.islink(path):
                data = os.readlink(path).encode()
            elif os.path.isfile(path):
                with open(path, "rb") as f:
                    data = f.read()
            else:
                continue
            if any(n in data for n in needles):
                hits.append(path)
    return hits
