# SPDX-License-Identifier: Apache-2.0
"""Processes: start them, wait for what they do, and leave none behind.

The test process makes itself a child subreaper, so whatever daemonises below it stays its
descendant. "Nothing is left" can therefore be checked instead of hoped for.
"""
import ctypes
import grp
import os
import pwd
import random
import signal
import socket
import subprocess
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
POLL_SECONDS = 0.02


class Timeout(AssertionError):
    """A condition did not come true before its deadline."""


def adopt_orphans():
    """Daemons started below this process become its children instead of init's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def stat_fields(pid):
    """(state, parent pid) of a process, or None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0].decode(), int(fields[1])


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def descendants(root=None):
    """Pids of all living processes below root (default: this process), parents first."""
    root = root or os.getpid()
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = stat_fields(entry)
            if fields and fields[0] != "Z":
                children.setdefault(fields[1], []).append(int(entry))
    found, queue = [], [root]
    while queue:
        for pid in children.get(queue.pop(0), []):
            found.append(pid)
            queue.append(pid)
    return found


def is_alive(pid):
    """Whether the process runs. An adopted daemon that has ended is reaped, so that an engine that
    looks for its own old pid (all of them do) finds it gone."""
    fields = stat_fields(pid) if pid else None
    if fields is None or fields[0] != "Z":
        return fields is not None
    try:
        # 0: the first thread has ended, others are still at it
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def wait_until(condition, what, timeout=60.0, poll=POLL_SECONDS):
    """Poll until condition() is true and return its value; Timeout names what was waited for."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Timeout(f"not within {timeout:g} s: {what}")
        time.sleep(poll)


def wait_gone(pid, timeout=30.0):
    wait_until(lambda: not is_alive(pid), f"process {pid} ({command_line(pid)}) ends", timeout)


def kill_tree(pid, sig=signal.SIGKILL, timeout=30.0):
    """Send sig to a process and all below it at once, and wait until they are gone."""
    pids = [pid] + descendants(pid)
    for p in pids:
        try:
            os.kill(p, sig)
        except ProcessLookupError:
            pass
    for p in pids:
        wait_gone(p, timeout)


def read_pid(path):
    """The pid in the first line of a pid file; 0 when there is none (yet)."""
    try:
        with open(path) as f:
            return int(f.readline().strip() or 0)
    except (FileNotFoundError, ValueError):
        return 0


def free_port():
    """A loopback TCP port that nobody listens on now, below those the kernel gives to clients: it
    must still be free when an engine is started again."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def has_user(name):
    try:
        return pwd.getpwnam(name) and grp.getgrgid(pwd.getpwnam(name).pw_gid) is not None
    except KeyError:
        return False


def as_user(user, argv):
    """argv, to be run as an unprivileged user without any way back."""
    if pwd.getpwnam(user).pw_uid == os.geteuid():
        return list(argv)
    gid = pwd.getpwnam(user).pw_gid
    return ["setpriv", f"--reuid={user}", f"--regid={gid}", "--init-groups", "--", *argv]


def chown_to(path, user):
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def run(argv, timeout=120, check=True, **kwargs):
    """subprocess.run with text output; a failure shows command, output and exit code."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, **kwargs)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}\nexit code {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done


def run_captured(argv, timeout=120, **kwargs):
    """As run without the check, for a command that may leave a daemon behind: the output is taken
    through files, because a pipe would stay open as long as the daemon does."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run(argv, stdout=out, stderr=err, timeout=timeout, check=False, **kwargs)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(argv, done.returncode, out.read(), err.read())


def run_daemon(argv, log, timeout=120, check=True, **kwargs):
    """Run a command that leaves a daemon behind: its output goes to a file, not to a pipe that the
    daemon would keep open."""
    with open(log, "ab") as out:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                              timeout=timeout, **kwargs)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}\nexit code {done.returncode}\n"
                             f"{tail(log)}")
    return done


def tail(path, size=4000):
    try:
        with open(path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - size))
            return f.read().decode(errors="replace")
    except OSError as e:
        return f"({e})"


def mounts_below(path):
    """Mountpoints below path, deepest first."""
    found = []
    with open("/proc/self/mountinfo") as f:
        for line in f:
            point = line.split()[4].encode().decode("unicode_escape")
            if point.startswith(os.path.join(os.path.realpath(path), "")):
                found.append(point)
    return sorted(found, key=len, reverse=True)


def unmount(path):
    """Unmount whatever is there, also when its process is dead or somebody still uses it."""
    subprocess.run(["umount", "-l", path], capture_output=True, check=False)
