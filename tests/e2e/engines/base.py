# SPDX-License-Identifier: Apache-2.0
"""What every engine can do, whatever it is.

An engine keeps its data in `data` (a directory on the volume) and everything else, pid file,
configuration, log, socket, in `aux` (a directory outside of it), so that it can be found and stopped
when the volume is locked.
"""
import os
import shlex
import signal

from harness import proc


class Engine:
    name = "?"
    user = "nobody"
    programs = ()          # absolute paths that must exist
    packages = ""          # what to install when they do not
    # Whether a write it acknowledged is durable by then: handed to the kernel, written to the disk.
    survives_engine_kill = True
    survives_volume_kill = True

    def __init__(self, root, aux):
        self.root = os.path.join(root, self.name)
        self.data = os.path.join(self.root, "data")
        self.aux = aux
        self.log = os.path.join(aux, f"{self.name}.log")
        self.pid_file = os.path.join(aux, f"{self.name}.pid")
        self.last_pid = 0  # of the last start; some take their pid file away a moment before they end

    @classmethod
    def missing(cls):
        """Why it cannot run here; empty when it can."""
        absent = [p for p in cls.programs if not os.access(p, os.X_OK)]
        if absent:
            return f"{cls.name}: {absent[0]} is not there (apt-get install {cls.packages})"
        return "" if proc.has_user(cls.user) else f"{cls.name}: no user {cls.user}"

    # Each engine says how it is made and started; the command returns when it runs as a daemon.
    def init(self):
        """Make an empty database."""
        self.make_directories()

    def start_command(self):
        raise NotImplementedError

    def stop_signal(self):
        """What ends it at once, without writing anything more."""
        return signal.SIGKILL

    def is_ready(self):
        raise NotImplementedError

    def settle(self):
        """Make what it needs outside of its data; enough for data that is there already."""
        os.makedirs(self.aux, exist_ok=True)
        proc.chown_to(self.aux, self.user)
        with open(self.log, "a"):
            proc.chown_to(self.log, self.user)

    def make_directories(self):
        self.settle()
        os.makedirs(self.data)
        # the root of a volume belongs to whoever made it, and is closed to others until told
        os.chmod(os.path.dirname(self.root), 0o755)
        for path in (self.root, self.data):
            proc.chown_to(path, self.user)
            os.chmod(path, 0o700)

    def pid(self):
        pid = proc.read_pid(self.pid_file)
        return pid if proc.is_alive(pid) else 0

    def start(self, timeout=60):
        proc.run_daemon(proc.as_user(self.user, self.start_command()), self.log)
        self.wait_ready(timeout)
        self.last_pid = self.pid()

    def wait_ready(self, timeout=60):
        try:
            proc.wait_until(self.is_ready, f"{self.name} answers", timeout)
        except proc.Timeout as e:
            raise proc.Timeout(f"{e}\n{proc.tail(self.log)}") from None

    def kill(self):
        """kill -9 of the engine and all its processes."""
        pid = self.pid()
        assert pid, f"{self.name} is not running\n{proc.tail(self.log)}"
        proc.kill_tree(pid)

    def kill_whatever_is_left(self):
        """After its volume died: an engine may have ended by itself, or hang on to a dead mount."""
        for pid in {self.pid(), self.last_pid}:
            if proc.is_alive(pid):
                proc.kill_tree(pid)

    def stop(self):
        """An orderly end."""
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
            proc.wait_gone(pid, 60)

    def discard(self):
        """An end of which nothing is expected: its data is thrown away."""
        self.stop()

    def hooks(self, directory):
        """Write the two programs a volume runs when it locks and unlocks; their paths.

        They use nothing but what is outside of the volume."""
        start = shlex.join(proc.as_user(self.user, self.start_command()))
        number = int(self.stop_signal())
        pid_file = shlex.quote(self.pid_file)
        log = shlex.quote(self.log)
        stop = (f"pid=$(head -n 1 {pid_file}) || exit 0\n"
                f"kill -{number} \"$pid\" 2>/dev/null || exit 0\n"
                "i=0\n"
                "while kill -0 \"$pid\" 2>/dev/null; do\n"
                "    i=$((i + 1)); [ $i -lt 60 ] || kill -9 \"$pid\"\n"
                "    [ $i -lt 100 ] || exit 1\n"
                "    grep -q '^State:.Z' \"/proc/$pid/status\" 2>/dev/null &&\n"
                "        [ \"$(ls \"/proc/$pid/task\" | wc -l)\" -le 1 ] && exit 0\n"
                "    sleep 0.05\n"
                "done\n")
        paths = []
        for what, text in (("on-lock", stop), ("on-unlock", f"exec {start}\n")):
            path = os.path.join(directory, f"{self.name}-{what}")
            with open(path, "w") as f:
                f.write(f"#!/bin/sh\n# Written by a test: {what} of {self.name}.\n"
                        f"exec >>{log} 2>&1\n{text}")
            os.chmod(path, 0o755)
            paths.append(path)
        return tuple(paths)

    # Data. load gives what verify wants to see again.
    def writer(self):
        """A Writer that records every acknowledged write (see writer.py)."""
        raise NotImplementedError

    def load(self, count):
        """Write count records and wait for their acknowledgement."""
        raise NotImplementedError

    def verify(self, acknowledged):
        """The engine's own integrity check, and every acknowledged write is there."""
        raise NotImplementedError

    def fingerprint(self):
        """A text that is equal exactly when all tables and keys are equal."""
        raise NotImplementedError
