#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a volume costs beside time per request: processor time, memory, cold attributes, and how long a mount takes.

    bench/scale.py                                    about eight minutes; writes its part of bench/RESULTS.md
    bench/scale.py --files 1000,100000,1000000        a million files too: about ten minutes more
    bench/scale.py --quick                            smaller, to the terminal only

CPU seconds of the volume process for each GiB written and read cold; its memory under load, above what it keeps about the
files that the kernel remembers; stat of many files that nobody has looked at since the caches were dropped, beside ext4;
how long the slowest of a hundred synced writes takes while keys are rotated, by processes and by a client that stays, and beside as many
processes that rotate nothing; and the time of a mount, which must not depend on the
number of files.

Works in DIR/keystead-scale and removes it at the end. When it is interrupted, the files that were made stay there; the
same call goes on with them. Needs root.
"""
import argparse
import contextlib
import fcntl
import functools
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests", "e2e")]

import leftovers  # noqa: E402
import results  # noqa: E402
import rows  # noqa: E402
import targets  # noqa: E402
from harness import proc  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
MOUNTS = 7
ANSWER_SECONDS = 60  # of the volume process: more is a hang, and must not be waited for
ROUNDS = 3
MEMORY_BAR_MIB = 64
STAT = rows.ROWS["stat of files not seen before"]
# Many threads with requests of all sizes: as many buffers and threads as the volume process ever has.
PRESS = ("--rw=randrw", "--bsrange=4k-1M", "--numjobs=16", "--fdatasync=64", "--time_based")

SYNCED = ("--rw=randwrite", "--bs=4k", "--sync=dsync", "--time_based")
P99_BAR = 2
RUN_DIR = os.environ.get("KEYSTEAD_RUN_DIR", "/run/keystead")
KEYS = {"store key": "store", "customer key": "cmek"}  # above the data keys: nothing is re-encrypted
REENCRYPTED = "rotations of the data key, all re-encrypted each time"


# --- one process, as the kernel sees it ----------------------------------------------------------

def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid, what):
    """VmRSS: now, VmHWM: at most since peak_reset."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith(what + ":"))


def peak_reset(pid):
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as f:
        f.write("5")


def descriptors(pid):
    """At least as many as objects are known: each takes one."""
    return len(os.listdir(f"/proc/{pid}/fd"))


# --- what is measured; each gives lines of a table -----------------------------------------------

def cpu_per_gib(volume, path, size):
    """[(written, read cold)] of each round, in seconds of the volume process."""
    spent = []
    for _ in range(ROUNDS):
        pair = []
        for measure in (rows.fio_seq_write, read_cold):
            before = cpu_seconds(volume.pid)
            measure(path, size)
            pair.append((cpu_seconds(volume.pid) - before) * 1024 / size.file_mib)
        spent.append(pair)
    written, read = (statistics.median(column) for column in zip(*spent))
    return [f"| CPU of the volume process per GiB written in order | {written:.2f} s | |",
            f"| CPU of the volume process per GiB read cold, in order | {read:.2f} s | |"]


def read_cold(path, size):
    """What was written by the measurement before; rows.fio_seq_read_cold would write its file within the measurement."""
    rows.drop_caches()
    rows.fio(path, size, "written", "--rw=read", "--bs=1M")


def cold_stat(plain, ours, size):
    """Each asks for the attributes of files that it has not seen since the caches were dropped."""
    took = {t.name: [] for t in (plain, ours)}
    for n in range(ROUNDS):
        for t in (plain, ours)[::1 if n % 2 else -1]:
            took[t.name].append(1e6 / STAT["measure"](t.path, size))
    ratio = statistics.median(a / b for a, b in zip(took[ours.name], took[plain.name]))
    cells = ", ".join(f"{name} {statistics.median(values):.1f} us" for name, values in took.items())
    return [f"| stat of {size.stat_files:,} files, cold, each | {cells}: {ratio:.2f}x | |"]


def per_file_mib(ours, size):
    """What the volume process keeps for each file that the kernel remembers; the files are there already."""
    remount(ours.volume)
    before = memory_mib(ours.volume.pid, "VmRSS")
    STAT["measure"](ours.path, size)
    return max(0.0, memory_mib(ours.volume.pid, "VmRSS") - before) / size.stat_files


def memory(ours, size):
    """Each after a fresh mount, so that nothing of an earlier load is left."""
    each = per_file_mib(ours, size)
    remount(ours.volume)
    pid = ours.volume.pid
    idle = memory_mib(pid, "VmRSS")
    peak_reset(pid)
    rows.fio_seq_write(ours.path, size)
    read_cold(ours.path, size)
    rows.fio(ours.path, size, "written", *PRESS, f"--runtime={size.seconds}")
    peak, caches = memory_mib(pid, "VmHWM"), descriptors(pid) * each
    kept = "kept" if peak - caches <= MEMORY_BAR_MIB else "MISSED"
    return [f"| memory of the volume process after the mount | {idle:.0f} MiB | |",
            f"| under load, at most, above what it keeps for known files ({caches:.1f} MiB) | {peak - caches:.0f} MiB | "
            f"{MEMORY_BAR_MIB} MiB: {kept} |",
            f"| for each file that the kernel remembers | {each * 1024:.2f} KiB | |"]


@contextlib.contextmanager
def again_and_again(work, period=0):
    """work is done, and begun anew as soon as it is done and period seconds have passed since it began; gives the list of how long each took.
    What fails in it fails here, at the end: what was measured beside nothing is no measurement."""
    end, taken, failed = threading.Event(), [], []

    def turns():
        try:
            while not end.is_set():
                started = time.monotonic()
                work()
                taken.append(time.monotonic() - started)
                end.wait(max(0, period - taken[-1]))
        except BaseException as e:  # also sys.exit: in a thread it ends nothing else
            failed.append(e)

    worker = threading.Thread(target=turns)
    worker.start()
    try:
        yield taken
    finally:
        end.set()
        worker.join()
    if failed:
        raise failed[0]


@contextlib.contextmanager
def conversation(volume):
    """Asks the volume process for one thing after the other, without a process for each (docs/CONTROL.md)."""
    name = volume.status()["volume"]["id"].replace("-", "") + ".sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(ANSWER_SECONDS)
        s.connect(os.path.join(RUN_DIR, name))
        lines = s.makefile("r", encoding="utf-8")

        def ask(**request):
            s.sendall(json.dumps(request).encode() + b"\n")
            line = lines.readline()
            if not line:
                raise RuntimeError(f"{request}: the volume process ended the connection")
            reply = json.loads(line)
            if not reply.get("ok"):
                raise RuntimeError(f"{request}: {reply}")
        yield ask


def p99_ms(ours, size):
    job = rows.fio(ours.path, size, rows.laid_out(ours.path, size), *SYNCED, f"--runtime={size.seconds}")
    return job["write"]["clat_ns"]["percentile"]["99.000000"] / 1e6


class Beside:
    """What was measured beside what went on meanwhile, by round."""

    def __init__(self, bar):
        self.bar, self.ms, self.runs = bar, [], 0

    def add(self, ours, size, work, period=0):
        with again_and_again(work, period) as taken:
            self.ms.append(p99_ms(ours, size))
        self.runs += len(taken)
        return statistics.median(taken)


def beside_rotations_of(what, level, ours, size, found):
    """By processes; then as often: processes that change nothing, and rotations without a process for each; then those without a pause."""
    def measure(name, bar, *how):
        return found.setdefault(name, Beside(bar)).add(ours, size, *how)

    period = measure(f"rotations of the {what}, each by a process that starts for it", P99_BAR,
                     lambda: ours.volume.call("rotate", "--level", level))
    measure(f"as many processes that only ask for the status, instead of rotations of the {what}", None,
            lambda: ours.volume.call("status"), period)
    with conversation(ours.volume) as ask:
        rotate = functools.partial(ask, op="rotate", level=level)
        measure(f"as many rotations of the {what} by one client that stays", P99_BAR, rotate, period)
        measure(f"rotations of the {what} by one client that stays, without a pause", P99_BAR, rotate)


def rotate_and_reencrypt(volume):
    volume.call("rotate", "--level", "data")
    volume.call("rekey")


def beside_rotations(ours, size):
    """Each round: alone, then beside each of them."""
    alone, found = [], {}
    for _ in range(ROUNDS):
        alone.append(p99_ms(ours, size))
        for what, level in KEYS.items():
            beside_rotations_of(what, level, ours, size, found)
        found.setdefault(REENCRYPTED, Beside(None)).add(ours, size, lambda: rotate_and_reencrypt(ours.volume))
    return rotation_lines(alone, found)


def rotation_lines(alone, found):
    """Times by round, in milliseconds. Pure."""
    lines = [f"| p99 of a synced write of 4 KiB | {statistics.median(alone):.2f} ms | |"]
    for what, beside in found.items():
        ratio = statistics.median(b / a for b, a in zip(beside.ms, alone))
        verdict = "" if beside.bar is None else f"{beside.bar}x: " + ("kept" if ratio <= beside.bar else "MISSED")
        lines.append(f"| beside {what} ({beside.runs} of them) | {statistics.median(beside.ms):.2f} ms: {ratio:.2f}x | {verdict} |")
    return lines


def remount(volume):
    volume.unmount()
    volume.mount()


def mount_times(volume):
    """In milliseconds, caches cold, until the root can be listed."""
    taken = []
    for _ in range(MOUNTS):
        volume.unmount()
        rows.drop_caches()
        started = time.monotonic()
        volume.mount()
        os.listdir(volume.mountpoint)
        taken.append((time.monotonic() - started) * 1000)
    return taken


def mounts(ours, counts, kept):
    """kept: a file with what was measured before an interruption; there are more files now than there were then."""
    tree = os.path.join(ours.path, "tree")
    os.makedirs(tree, exist_ok=True)
    taken = {int(count): times for count, times in read_json(kept).items()}
    for count in sorted(set(counts) - taken.keys()):
        started = time.monotonic()
        rows.fsops(tree, "tree", count, timeout=7200)
        print(f"{count:,} files are there ({time.monotonic() - started:.0f} s)", flush=True)
        taken[count] = mount_times(ours.volume)
        with open(kept, "w", encoding="ascii") as f:
            json.dump(taken, f)
    lines = [f"| mount with {count:,} files, caches cold | {statistics.median(t):.0f} ms ({min(t):.0f} to {max(t):.0f}) | |"
             for count, t in sorted(taken.items())]
    return lines + independence(taken)


def read_json(path):
    """What is in the file; nothing when it is not there, or when its writer was killed."""
    try:
        with open(path, encoding="ascii") as f:
            return json.load(f)
    except (FileNotFoundError, ValueError):
        return {}


def independence(taken):
    """The verdict: with the most files no mount of ours has to be slower than all of those with the fewest."""
    few, many = min(taken), max(taken)
    if few == many:
        return []
    is_level = min(taken[many]) <= max(taken[few])
    return [f"| with {many:,} files to {few:,}, medians | {statistics.median(taken[many]) / statistics.median(taken[few]):.2f}x | "
            "must not depend on the number: " + ("kept, the times overlap |" if is_level else "MISSED |")]


# --- the whole ------------------------------------------------------------------------------------

def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="smaller files and fewer, to the terminal only")
    p.add_argument("--files", help="mount with so many files (default 1000,100000; quick 1000,10000)")
    p.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"), help="where to work: a directory on a real disk")
    p.add_argument("--out", help="which document to write it into (default bench/RESULTS.md; with --quick none)")
    return p.parse_args()


def work_directory(parent):
    """For this process alone; with the files of an earlier one that was interrupted after it had made its volume."""
    top = os.path.join(parent, "keystead-scale")
    os.makedirs(top, exist_ok=True)
    lock = os.open(top, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another bench/scale.py works in {top}")
    leftovers.end(top)
    if read_json(made_mark(top)) != this_run():
        leftovers.remove_contents(top)
    return top, lock


def made_mark(top):
    return os.path.join(top, "volume-is-made")


def this_run():
    """What is gone on with must have been begun by the same program with the same arguments."""
    return {"keystead": targets.Ours("", "").version(), "arguments": sys.argv[1:]}


def measure_all(args, top, size, both):
    tools = os.path.join(top, "tools")
    os.makedirs(tools, exist_ok=True)
    rows.build_tools(tools)
    both += [targets.Plain(top, tools), targets.Ours(top, tools)]
    for target in both:
        target.up()
    with open(made_mark(top), "w", encoding="ascii") as f:
        json.dump(this_run(), f)
    plain, ours = both
    counts = [int(n) for n in (args.files or ("1000,10000" if args.quick else "1000,100000")).split(",")]
    lines = cpu_per_gib(ours.volume, ours.path, size)
    lines += cold_stat(plain, ours, size)
    lines += beside_rotations(ours, size)
    lines += memory(ours, size)
    lines += mounts(ours, counts, os.path.join(top, "mounts.json"))
    head = ["## What a volume costs beside time", "",
            f"Made by `bench/scale.py{' --quick' if args.quick else ''}{' --files ' + args.files if args.files else ''}` on "
            f"{time.strftime('%Y-%m-%d')} with keystead {ours.version()}, medians of {ROUNDS}, of {MOUNTS} mounts, files of "
            f"{size.file_mib} MiB. Machine: {rows.machine()}. Load average of other work at the start: {args.load:.1f}.", "",
            "| what | | bar |", "|---|---|---|"]
    return "\n".join(head + lines) + "\n"


def main():
    args = parse()
    args.load = os.getloadavg()[0]
    if os.geteuid() != 0:
        sys.exit("bench/scale.py needs root: it mounts volumes and drops the page cache")
    if not shutil.which("fio"):
        sys.exit("fio is not there (make deps)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    proc.adopt_orphans()
    top, lock = work_directory(args.dir)
    both, is_interrupted = [], False
    try:
        text = measure_all(args, top, rows.Size("quick" if args.quick else "long"), both)
    except (KeyboardInterrupt, SystemExit):
        is_interrupted = True
        print(f"\ninterrupted; {top} stays, and the same call goes on with its files", file=sys.stderr)
        sys.exit(130)
    finally:
        for target in both:
            target.down()
        if not is_interrupted:
            leftovers.end(top)
            leftovers.remove_contents(top)
            os.rmdir(top)
        os.close(lock)
    print("\n" + text)
    out = args.out or (None if args.quick else results.PATH)
    if out:
        results.write(out, "scale", text)


if __name__ == "__main__":
    try:
        main()
    except (subprocess.SubprocessError, RuntimeError) as e:
        sys.exit(str(e))
