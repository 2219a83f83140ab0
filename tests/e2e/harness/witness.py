# SPDX-License-Identifier: Apache-2.0
"""Every way an application can still be looking at a volume when its key goes away.

Made while the volume is open; `still_readable` then tells which ways still give data.
"""
import errno
import mmap
import os
import signal
import subprocess
import sys

from . import proc

MAPPED = """
import mmap, sys, time
with open(sys.argv[1], "rb") as f:
    m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
pages = range(0, len(m), 4096)
print(sum(m[p] for p in pages), flush=True)
while True:
    sum(m[p] for p in pages)
    time.sleep(0.01)
"""
PAGE = 4096


class Witness:
    def __init__(self, mountpoint, path):
        """path is a file of some pages below mountpoint that stays as it is."""
        self.mountpoint, self.path = mountpoint, path
        self._fd = os.open(path, os.O_RDONLY)
        self._size = os.fstat(self._fd).st_size
        self._directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        os.pread(self._fd, PAGE, 0)  # the first page is in the kernel's cache now ...
        # ... and the last one is not
        os.posix_fadvise(self._fd, self._size // 2, self._size, os.POSIX_FADV_DONTNEED)
        self._mapped = subprocess.Popen([sys.executable, "-c", MAPPED, path],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._mapped.stdout.readline()
        self.errors = {}

    def _ways(self):
        last = max(0, self._size - PAGE)
        return {
            "open descriptor, cached page": lambda: os.pread(self._fd, PAGE, 0),
            "open descriptor, uncached page": lambda: os.pread(self._fd, PAGE, last),
            "new open": lambda: os.close(os.open(self.path, os.O_RDONLY)),
            "stat": lambda: os.stat(self.path),
            "directory listing": lambda: os.listdir(self.mountpoint),
            "open directory": lambda: os.stat(os.path.basename(self.path), dir_fd=self._directory),
        }

    def read_past_the_cache(self):
        """One page that the volume process itself must decrypt: it has the file's key from then on, as long
        as the file is open here."""
        page = mmap.mmap(-1, PAGE)
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECT)
        try:
            assert os.preadv(fd, [page], 0) == PAGE
        finally:
            os.close(fd)

    def still_readable(self):
        """Names of the ways that still give data; `errors` keeps what the others said."""
        alive = []
        for name, way in self._ways().items():
            try:
                way()
                alive.append(name)
            except OSError as e:
                self.errors[name] = errno.errorcode.get(e.errno, str(e.errno))
        if self._mapped.poll() is None:
            alive.append("memory map")
        else:
            self.errors["memory map"] = signal.Signals(-self._mapped.returncode).name
        return alive

    def wait_cut_off(self, timeout=60):
        proc.wait_until(lambda: not self.still_readable(), "no read succeeds any more", timeout)

    def close(self):
        self._mapped.kill()
        self._mapped.wait()
        os.close(self._fd)
        os.close(self._directory)
