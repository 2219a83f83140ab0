# SPDX-License-Identifier: Apache-2.0
"""A thread that writes to an engine without pause and remembers what was acknowledged."""
import threading

from harness import proc


class Writer:
    """write(n) writes record n and returns when the engine said it is durable; any exception ends
    the writer (the engine or the volume was killed, which is what the tests do).

    With `mark` set, `marks` keeps what it returned right after each acknowledgement: [(n, mark)]."""

    mark = None

    def __init__(self, write, first=1):
        self._write = write
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.first = first
        self.acknowledged = first - 1  # the highest one
        self.attempted = first - 1
        self.marks = []
        self.error = None
        self._thread.start()

    def _run(self):
        try:
            while not self._stop.is_set():
                self.attempted += 1
                self._write(self.attempted)
                if self.mark:
                    self.marks.append((self.attempted, self.mark()))
                self.acknowledged = self.attempted
        except Exception as e:  # noqa: BLE001 - whatever the client library raises
            self.error = e

    def wait_for(self, count, timeout=60):
        """Until count more records are acknowledged."""
        goal = self.acknowledged + count
        proc.wait_until(lambda: self.acknowledged >= goal or self.error,
                        f"{count} more acknowledged writes", timeout)
        assert self.acknowledged >= goal, f"the writer failed: {self.error!r}"

    def finish(self, timeout=60):
        """Stop writing, or wait for the error that ends it; the number of the last acknowledged."""
        self._stop.set()
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "the writer hangs in a request"
        return self.acknowledged
