# SPDX-License-Identifier: Apache-2.0
"""A person at a terminal: runs a command on a terminal of a size, reads what it shows, and types."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

from . import proc

INTERRUPT, END_OF_FILE = "\x03", "\x04"


class Terminal:
    """A command at work. What goes to `output` (a file) is not seen here."""

    def __init__(self, argv, columns=80, output=None, **how):
        self._fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.columns, self.seen = columns, ""

        def take_terminal():
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)  # Ctrl-C reaches who has it as controlling terminal
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell has its background jobs ignore it

        self.process = subprocess.Popen(argv, stdin=theirs, stdout=output or theirs, stderr=theirs, start_new_session=True,
                                        preexec_fn=take_terminal, **how)
        self._theirs = theirs  # stays open: what was written is there to be read after the end

    def _read(self):
        while select.select([self._fd], [], [], 0)[0]:
            self.seen += os.read(self._fd, 65536).decode(errors="replace")

    def wait_for(self, text):
        """Until it has shown this."""
        def shown():
            self._read()
            return text in self.seen or self.process.poll() is not None
        proc.wait_until(shown, f"the terminal shows {text!r}")
        self._read()
        assert text in self.seen, self.seen
        return self

    def wait_to_match(self, pattern, meanwhile=lambda: None):
        """Until it has shown this."""
        def shown():
            meanwhile()
            self._read()
            return re.search(pattern, self.seen) or self.process.poll() is not None
        proc.wait_until(shown, f"the terminal shows {pattern!r}")
        assert re.search(pattern, self.seen), self.seen
        return self

    def a_crumb(self):
        """Lets the command run for a moment and stops it: what would be over soon can be looked at on its way."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGSTOP)

    def type(self, text):
        os.write(self._fd, text.encode())
        return self

    def end(self):
        """Its exit code, when it has ended by itself."""
        def ended():
            self._read()
            return self.process.poll() is not None
        proc.wait_until(ended, "the command ends")
        self._read()
        os.close(self._fd)
        os.close(self._theirs)
        return self.process.returncode

    def rows(self):
        """What stands on the screen: lines as they wrap, with what was drawn over and cleared gone."""
        rows, at = [""], 0
        for part in re.findall(r"\x1b\[K|.|\n", self.seen, re.S):
            if part == "\x1b[K":
                rows[-1] = rows[-1][:at]
            elif part == "\r":
                at = 0
            elif part == "\n":
                rows.append("")
            else:
                if at == self.columns:
                    rows.append("")
                    at = 0
                rows[-1] = rows[-1][:at].ljust(at) + part + rows[-1][at + 1:]
                at += 1
        return rows
