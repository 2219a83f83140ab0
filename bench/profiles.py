#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows where the time of a row goes: requests, processor time and context switches per operation, and who uses the processors.

    bench/profiles.py [--quick] [--rows 'rename|every 32'] [--out FILE]

Each load runs three times: on plain ext4; on a volume, undisturbed, for times; and on it once more under perf, for the
FUSE requests (the kernel's tracepoint fuse:fuse_request_send) and the symbols. Without perf (Debian: linux-perf) the
requests are those that the volume counts itself, and there are no symbols. Writes its part of bench/RESULTS.md; with --quick
or --rows only to the terminal. Needs root.
"""
import argparse
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests", "e2e")]

import results  # noqa: E402
import rows  # noqa: E402
import targets  # noqa: E402
from harness import proc  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
SENT = "fuse:fuse_request_send"
FORMAT = "/sys/kernel/tracing/events/fuse/fuse_request_send/format"
KINDS = ("LOOKUP", "GETATTR", "SETATTR", "MKNOD", "OPEN", "CREATE", "READ", "WRITE", "FLUSH", "RELEASE", "FSYNC", "RENAME", "RENAME2",
         "UNLINK", "GETXATTR", "GETLK", "SETLK", "SETLKW", "FALLOCATE", "READDIR", "READDIRPLUS", "COPY_FILE_RANGE", "INTERRUPT")
TOP = 15


# --- the loads: each prepares, and then gives the operations that it did -------------------------

def timed_fio(*options):
    def run(directory, size):
        done = rows.fio(directory, size, "data", *options, *rows.timed(size))
        return done["read"]["total_ios"] + done["write"]["total_ios"]
    return rows.laid_out, run


def cold_read(directory, size):
    return rows.fio(directory, size, "data", "--rw=read", "--bs=1M")["read"]["total_ios"]


def cold(directory, size):
    rows.laid_out(directory, size)
    rows.drop_caches()


def create(directory, size):
    rows.fsops(rows.new_directory(directory), "create", size.files)
    return size.files


def with_files(directory, size):
    work = rows.new_directory(directory)
    rows.fsops(work, "create", size.files)
    newest[directory] = work


def rename(directory, size):
    rows.fsops(newest[directory], "rename", size.files)
    return 2 * size.files


def sqlite(directory, size):
    return rows.sqlite(directory, size, "normal", size.seconds) * size.seconds


def nothing(_directory, _size):
    pass


newest = {}  # directory of the target: where with_files made files
LOADS = {
    "rename": (with_files, rename),
    "random write 4k, fsync every 32": timed_fio(*rows.WRITE_32),
    "mixed 8k 70/30, fsync every 32": timed_fio(*rows.MIXED),
    "sequential read 1M, cold": (cold, cold_read),
    "SQLite WAL, synchronous NORMAL": (nothing, sqlite),
    "create 4k files": (nothing, create),
}


# --- counters ------------------------------------------------------------------------------------

def process_seconds(pid):
    """(user, system) of all its threads, those that have ended too."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def switches(pid):
    """Context switches of its threads, (voluntary, involuntary)."""
    total = {"voluntary_ctxt_switches": 0, "nonvoluntary_ctxt_switches": 0}
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
            for name, _, value in (line.partition(":") for line in f):
                if name in total:
                    total[name] += int(value)
    return tuple(total.values())


def load_seconds():
    """Of the loads that have ended: they are children of this process."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def idle_seconds():
    """Of all processors together, waiting for the disk included."""
    with open("/proc/stat", encoding="ascii") as f:
        fields = f.readline().split()
    return (int(fields[4]) + int(fields[5])) / TICKS


def snapshot(pid):
    return {"wall": time.monotonic(), "load": load_seconds(), "idle": idle_seconds(),
            **(dict(zip(("user", "system", "voluntary", "involuntary"), process_seconds(pid) + switches(pid))) if pid else {})}


def per_operation(load, directory, size, pid=None):
    """Of one run of a load, each counter per operation."""
    prepare, run = load
    prepare(directory, size)
    before = snapshot(pid)
    operations = run(directory, size)
    after = snapshot(pid)
    return {name: (after[name] - before[name]) / operations for name in after}


# --- perf ----------------------------------------------------------------------------------------

class Perf:
    """A perf that counts or samples only while the load runs: it starts disabled and is told through a pipe."""

    def __init__(self, top, *argv):
        self.control, self.answer = os.path.join(top, "control"), os.path.join(top, "answer")
        for path in (self.control, self.answer):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.mkfifo(path)
        self.process = subprocess.Popen(["perf", *argv, "--delay=-1", f"--control=fifo:{self.control},{self.answer}"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._control = open(self.control, "w", encoding="ascii")
        self._answer = open(self.answer, encoding="ascii")

    def _say(self, word):
        self._control.write(word + "\n")
        self._control.flush()
        self._answer.readline()

    def __enter__(self):
        self._say("enable")
        return self

    def __exit__(self, *_):
        self._say("disable")
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=120)
        self._control.close()
        self._answer.close()


def opcodes():
    """{kind of request: its number}, from the kernel."""
    with open(FORMAT, encoding="ascii") as f:
        return {name: int(number) for number, name in re.findall(r'\{(\d+), "FUSE_(\w+)"\}', f.read())}


def has_perf():
    return bool(shutil.which("perf")) and os.path.exists(FORMAT)


def counting(top, mountpoint):
    """The arguments of a perf that counts the requests of one mount, all and by kind."""
    connection = os.minor(os.stat(mountpoint).st_dev)
    argv = ["stat", "-a", "-x,", "-o", os.path.join(top, "counted"), "-e", SENT, "--filter", f"connection == {connection}"]
    numbers = opcodes()
    for kind in (k for k in KINDS if k in numbers):
        argv += ["-e", SENT, "--filter", f"connection == {connection} && opcode == {numbers[kind]}"]
    return argv


def counted(top):
    """{kind: requests}, the most frequent first; what has no kind of its own is "others"."""
    with open(os.path.join(top, "counted"), encoding="ascii") as f:
        values = [int(line.split(",")[0]) for line in f if SENT in line]
    numbers = opcodes()
    kinds = dict(zip([k for k in KINDS if k in numbers], values[1:]))
    kinds["others"] = values[0] - sum(kinds.values())
    return dict(sorted(kinds.items(), key=lambda pair: -pair[1]))


def samples(top):
    """[(how many, thread, its command, symbol)]. Not with filters of perf's: it merges what several threads have in common first, and
    then shows it for one of them or for none."""
    out = proc.run(["perf", "report", "-i", os.path.join(top, "samples"), "--stdio", "-q", "-t", "\t", "--no-children",
                    "-F", "sample,pid,sym"], timeout=120).stdout
    found = []
    for line in out.splitlines():
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) == 3 and fields[0].isdigit():
            thread, _, command = fields[1].partition(":")
            found.append((int(fields[0]), int(thread), command, re.sub(r"^\[.\] ", "", fields[2])))
    if not found:
        raise AssertionError(f"perf report gave no samples:\n{out[:500]}")
    return found


def shares(pairs):
    """[(share in %, who)] of [(how many, who)], added up for each, the greatest first."""
    total = sum(many for many, _ in pairs)
    added = {}
    for many, who in pairs:
        added[who] = added.get(who, 0) + many
    return sorted(((100 * many / total, who) for who, many in added.items()), reverse=True)[:TOP]


def profiled(load, top, ours, size):
    """({kind: requests per operation}, symbols of the volume process, of the whole system)."""
    prepare, run = load
    prepare(ours.path, size)
    stat_top, record_top = os.path.join(top, "s"), os.path.join(top, "r")
    for path in (stat_top, record_top):
        os.makedirs(path, exist_ok=True)
    with Perf(stat_top, *counting(top, ours.path)), \
            Perf(record_top, "record", "-a", "-F", "999", "-e", "cpu-clock", "-o", os.path.join(top, "samples")):
        operations = run(ours.path, size)
    requests = {kind: n / operations for kind, n in counted(top).items()}
    busy = [sample for sample in samples(top) if sample[2] != "swapper"]
    threads = set(map(int, os.listdir(f"/proc/{ours.volume.pid}/task")))
    return (requests, shares([(many, symbol) for many, thread, _, symbol in busy if thread in threads]),
            shares([(many, f"{command} {symbol}") for many, _, command, symbol in busy]))


def from_status(load, ours, size):
    """As profiled, without perf: what the volume counts itself."""
    prepare, run = load
    prepare(ours.path, size)
    before = ours.volume.status()["counters"]
    operations = run(ours.path, size)
    after = ours.volume.status()["counters"]
    return {kind: (after[name] - before[name]) / operations
            for kind, name in (("READ", "reads"), ("WRITE", "writes"), ("FSYNC", "syncs"))}, [], []


# --- telling -------------------------------------------------------------------------------------

def summary(name, plain, ours):
    us = {k: v * 1e6 for k, v in ours.items()}
    cpus = os.cpu_count()
    others = max(0.0, cpus * us["wall"] - us["idle"] - us["user"] - us["system"] - us["load"])
    return (f"| {name} | {plain['wall'] * 1e6:,.1f} | {us['wall']:,.1f} | {us['user']:,.1f} / {us['system']:,.1f} | "
            f"{us['load']:,.1f} | {others:,.1f} | {100 * us['idle'] / (cpus * us['wall']):.0f} % | "
            f"{ours['voluntary']:.2f} / {ours['involuntary']:.2f} |")


def details(name, requests, process, system):
    shown = [f"{kind} {n:.2f}" for kind, n in requests.items() if n >= 0.005]
    lines = ["", f"### {name}", "", f"FUSE requests per operation, {sum(requests.values()):.2f}: {', '.join(shown) or 'none'}."]
    if process or system:
        lines += ["", "| volume process | % | whole system | % |", "|---|---|---|---|"]
        empty = [(None, "")] * TOP
        for (a, left), (b, right), _ in zip(process + empty, system + empty, range(max(len(process), len(system)))):
            cells = [(f"`{who}`" if who else "", f"{share:.1f}" if who else "") for share, who in ((a, left), (b, right))]
            lines.append(f"| {cells[0][0]} | {cells[0][1]} | {cells[1][0]} | {cells[1][1]} |")
    return lines


HEAD = """## Where the time goes

Made by `bench/profiles.py{options}` on {date} with keystead {version}; {source}. Times are microseconds per operation. The
processors' time beside the volume process and the load is the kernel's: writing back, interrupts. Shares leave out idle processors.

| row | ext4 | keystead | volume process, user / system | load | other processes | idle | context switches of the volume process, voluntary / not |
|---|---|---|---|---|---|---|---|"""


def measure_all(args, top, loads):
    size = rows.Size("quick" if args.quick else "usual")
    size.seconds = 2 if args.quick else 5
    size.files = 2000 if args.quick else 20000
    rows.build_tools(top)
    plain, ours = targets.Plain(top, top), targets.Ours(top, top)
    table, rest = [], []
    try:
        for target in (plain, ours):
            target.up()
        for name, load in loads.items():
            print(f"{name} ...", flush=True)
            base = per_operation(load, plain.path, size)
            undisturbed = per_operation(load, ours.path, size, ours.volume.pid)
            table.append(summary(name, base, undisturbed))
            rest += details(name, *(profiled(load, top, ours, size) if has_perf() else from_status(load, ours, size)))
    finally:
        ours.down()
    source = "requests and symbols by perf" if has_perf() else "no perf here: requests as the volume counts them, no symbols"
    head = HEAD.format(options=" --quick" if args.quick else "", date=time.strftime("%Y-%m-%d"), version=ours.version(),
                       source=source)
    return "\n".join([head, *table, *rest]) + "\n"


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="2 s for each load, to the terminal only")
    p.add_argument("--rows", default="", help="only rows whose name matches this expression: " + "; ".join(LOADS))
    p.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"), help="where to work: a directory on a real disk")
    p.add_argument("--out", help="which document to write it into (default bench/RESULTS.md)")
    return p.parse_args()


def main():
    args = parse()
    loads = {name: load for name, load in LOADS.items() if re.search(args.rows, name)}
    if not loads:
        sys.exit(f"no row matches {args.rows}; known: {'; '.join(LOADS)}")
    if os.geteuid() != 0:
        sys.exit("bench/profiles.py needs root: it mounts volumes and reads the kernel's counters")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    proc.adopt_orphans()
    top = tempfile.mkdtemp(prefix="keystead-profile-", dir=args.dir)
    os.chmod(top, 0o755)
    try:
        text = measure_all(args, top, loads)
    finally:
        for pid in proc.descendants():
            proc.kill_tree(pid)
        shutil.rmtree(top, ignore_errors=True)
    print("\n" + text)
    out = args.out or (None if args.quick or args.rows else results.PATH)
    if out:
        results.write(out, "profile", text)


if __name__ == "__main__":
    main()
