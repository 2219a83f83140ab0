#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures a Keystead volume against plain ext4, a FUSE passthrough and other encrypting file systems.

    bench/run.py                     everything: 5 rounds of 3 s beside every peer
    bench/run.py --size long         5 rounds of 9 s on larger data: three hours and more
    bench/run.py --quick             3 rounds of 3 s on small data, to the terminal: the same as --size quick
    bench/run.py --resume            goes on with a run that was interrupted, at the row where it was
    bench/run.py --targets usual     without securefs, EncFS and CryFS; "all": also Keystead's other settings
    bench/run.py --quick --rows 'random|pgbench' --targets ext4,keystead
    bench/run.py --list

Rounds are interleaved: each row visits every target before the next row, in an order that turns with the
round, so that a slow minute of the machine hits all alike. A ratio is made within a round; the table
has the median of the rounds' ratios. Needs root (mounts, cold caches).

An ext4 without a journal does not use an inode again for one to five minutes after its file was removed, and searches for
another: rows that make files are slower so soon after anything removed many, such as the end of a run like this.

The rounds that are done are kept beside the table (RESULTS.rounds.json; build/bench.rounds.json when the table goes to the
terminal only). --resume takes all options from there; with --rounds it adds rounds to a run that is complete.
"""
import argparse
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests", "e2e")]

import report  # noqa: E402
import results  # noqa: E402
import rows as rows_module  # noqa: E402
import targets as targets_module  # noqa: E402
from harness import proc  # noqa: E402
from rounds import Rounds  # noqa: E402

PREFIX = "keystead-bench-"
OPTIONS = ("size", "rows", "targets", "dir", "seconds", "rounds", "limit", "out")  # of a run, kept with its rounds
TERMINAL_ROUNDS = os.path.join(os.path.dirname(HERE), os.environ.get("BUILD", "build"), "bench.rounds.json")


class TooSlow(Exception):
    """A measurement took longer than its target may."""


def parse():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--size", choices=rows_module.SIZES, default="usual", help="how much work a row does (default usual)")
    p.add_argument("--quick", dest="size", action="store_const", const="quick", help="the same as --size quick")
    p.add_argument("--rounds", type=int, help="how many rounds (default 5, quick 3)")
    p.add_argument("--seconds", type=int, help="seconds per timed row (default 3, long 9)")
    p.add_argument("--rows", default="", help="only rows whose name matches this expression")
    p.add_argument("--targets", default="peers", help="comma-separated names (--list) or groups: usual: "
                   + ",".join(c.name for c in targets_module.USUAL) + "; peers (the default): every encrypted peer too; all")
    p.add_argument("--limit", type=int, help="seconds that a peer may take for one measurement (default 60, long 300); "
                   "it is not tried again in the rounds after")
    p.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"),
                   help="where to work: a directory on a real disk")
    p.add_argument("--out", help="where the table goes (default bench/RESULTS.md; with --quick, "
                   "--rows or fewer than the usual targets: only the terminal)")
    p.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    p.add_argument("--list", action="store_true", help="list rows and targets")
    return p.parse_args()


# --- options, and where the rounds are kept ------------------------------------------------------

def rounds_file(out):
    return os.path.splitext(out)[0] + ".rounds.json" if out else TERMINAL_ROUNDS


def is_whole(args):
    """Whether this is a table for RESULTS.md."""
    return args.size != "quick" and not args.rows and set(targets_module.USUAL) <= set(chosen_classes(args.targets))


def new_rounds(args):
    out = args.out or (results.PATH if is_whole(args) else None)
    size = rows_module.Size(args.size)
    options = {"size": size.name, "rows": args.rows, "targets": args.targets, "dir": args.dir,
               "seconds": args.seconds or size.seconds, "rounds": args.rounds or size.rounds,
               "limit": args.limit or size.limit, "out": out and os.path.abspath(out)}
    return Rounds(rounds_file(options["out"]), options)


def check_options(kept):
    """An older bench/run.py kept other options; its rounds may be of other work."""
    missing = [name for name in OPTIONS if name not in kept.options]
    if missing:
        sys.exit(f"{kept.path} is of another bench/run.py: it does not say {', '.join(missing)}. "
                 "Begin anew, without --resume")


def kept_rounds(args):
    """The newest interrupted run, or that of --out."""
    places = [rounds_file(args.out)] if args.out else [rounds_file(results.PATH), TERMINAL_ROUNDS]
    found = [path for path in places if os.path.exists(path)]
    if not found:
        sys.exit(f"there is nothing to go on with: no {' or '.join(places)}")
    kept = Rounds.load(max(found, key=os.path.getmtime))
    kept.clear_up(PREFIX)
    check_options(kept)
    kept.options["rounds"] = args.rounds or kept.options["rounds"]
    print(f"going on with {kept.path}", flush=True)
    return kept


def chosen_classes(names):
    try:
        return targets_module.named(names)
    except KeyError as e:
        sys.exit(f"unknown target {e.args[0]}; known: "
                 + ", ".join([c.name for c in targets_module.ALL] + list(targets_module.GROUPS)))


def bring_up(target):
    """Why it cannot be measured here; empty when it is mounted. What is not a peer must be mountable."""
    why = target.missing()
    if why:
        return why
    try:
        target.up()
    except (AssertionError, OSError) as e:
        target.down()
        if not target.is_peer:
            raise
        return str(e).strip().splitlines()[-1]
    return ""


def bring_up_all(classes, top, tools, ret_targets):
    for target in (c(top, tools) for c in classes):
        why = bring_up(target)
        if why:
            print(f"*** SKIPPED: {target.name}: {why}", file=sys.stderr)
        else:
            ret_targets.append(target)


def check_same(kept, targets):
    """What is measured must be what was measured in the rounds that are done."""
    now = {t.name: t.version() for t in targets}
    before = kept.options.setdefault("versions", now)
    if before != now:
        sys.exit(f"{kept.path} is of other programs: {before}; now: {now}. Begin anew, without --resume")


# --- measuring -----------------------------------------------------------------------------------

@contextlib.contextmanager
def time_limit(seconds):
    def stop(*_):
        raise TooSlow(f"took more than {seconds} s")
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds or 0)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def children():
    return {pid for pid in proc.descendants() if (proc.stat_fields(pid) or ("", 0))[1] == os.getpid()}


def measure(row, target, size, limit):
    """The figure, or None with the reason on the terminal: a row that fails fails alone. Raises TooSlow."""
    there = children()
    try:
        with target.measured(), time_limit(limit if target.is_peer else 0):
            return row["measure"](target.path, size)
    except Exception as e:  # noqa: BLE001 - the table says n/a, the terminal says why
        for pid in children() - there:  # the jobs of a load generator outlive it
            proc.kill_tree(pid)
        lines = str(e).strip().splitlines() or [repr(e)]
        print(f"*** FAILED: {row['name']} on {target.name}: {lines[0]}\n    " +
              "\n    ".join(lines[-4:]), file=sys.stderr)
        if isinstance(e, TooSlow):
            raise
        return None


def measure_all(kept, number, row, targets, size):
    """One round of a row: {target: figure}."""
    turn = number % len(targets)
    values = {}
    for target in targets[turn:] + targets[:turn]:
        values[target.name] = None
        if (row["name"], target.name) not in kept.too_slow:
            try:
                values[target.name] = measure(row, target, size, kept.options["limit"])
            except TooSlow:
                kept.too_slow.add((row["name"], target.name))
    return values


def run_rounds(kept, rows, targets, size):
    started = time.monotonic()
    for number in range(kept.options["rounds"]):
        for row in rows:
            if kept.is_done(number, row["name"]):
                continue
            values = measure_all(kept, number, row, targets, size)
            kept.add(row["name"], values)
            line = "  ".join(f"{t.name} {report.show(values[t.name])}" for t in targets)
            print(f"[{time.monotonic() - started:5.0f} s] round {number + 1}: {row['name']}: {line} "
                  f"{row['unit']}", flush=True)


# --- telling -------------------------------------------------------------------------------------

def command(options):
    """The command line that makes such a table, without what is the default."""
    words = ["bench/run.py"]
    words += [f"--size {options['size']}"] if options["size"] != "usual" else []
    words += [f"--{name} '{options[name]}'" for name in ("rows",) if options[name]]
    words += [f"--targets {options['targets']}"] if options["targets"] != "peers" else []
    return " ".join([*words, f"--rounds {options['rounds']}", f"--seconds {options['seconds']}"])


def described(kept, size):
    o = kept.options
    versions = "; ".join(f"{name} {version}" for name, version in o["versions"].items() if version)
    return ["## The volume", "",
            f"Machine: {rows_module.machine()}, {rows_module.disk(o['dir'])}. {versions}".rstrip(". ") + ".", "",
            f"Made by `{command(o)}` on {time.strftime('%Y-%m-%d')}: {o['rounds']} interleaved rounds, {size.seconds} s per "
            f"timed row, files of {size.file_mib} MiB, pgbench scale {size.scale}" +
            (f", interrupted {len(kept.loads) - 1} times" if len(kept.loads) > 1 else "") +
            ". Load average of other work at the start: " + ", ".join(f"{load:.1f}" for load in kept.loads) +
            " (the figures are good for little above 0.5).", ""] + \
        ([f"Too slow: a measurement took more than {o['limit']} s.", ""] if kept.too_slow else [])


def told(kept, rows, targets, size):
    names = [t.name for t in targets]
    peers = [t.name for t in targets if t.is_peer]
    lines = described(kept, size) + report.table(rows, names, kept.figures, kept.too_slow)
    if report.BASE in names:
        for ours in (t.name for t in targets if t.is_ours):
            lines += [""] + ([f"{ours}:", ""] if ours != targets_module.Ours.name else [])
            lines += report.verdict(rows, kept.figures, ours, peers)
    lines += [line for t in targets if t.caveat for line in ("", f"{t.name}: {t.caveat}.")]
    return "\n".join(lines) + "\n"


def prepare(kept):
    top = tempfile.mkdtemp(prefix=PREFIX, dir=kept.options["dir"])
    kept.top = top
    kept.save()
    os.chmod(top, 0o755)
    tools = os.path.join(top, "tools")
    os.mkdir(tools)
    rows_module.build_tools(tools)
    return top, tools


def run(kept, rows, classes):
    size = rows_module.Size(kept.options["size"])
    size.seconds = kept.options["seconds"]
    kept.loads.append(os.getloadavg()[0])
    top, tools = prepare(kept)
    targets = []
    try:
        bring_up_all(classes, top, tools, targets)
        check_same(kept, targets)
        run_rounds(kept, rows, targets, size)
        return told(kept, rows, targets, size)
    finally:
        rows_module.Fresh.stop_all()
        for target in targets:
            target.down()
        for pid in proc.descendants():
            proc.kill_tree(pid)
        shutil.rmtree(top, ignore_errors=True)


def check_able():
    if os.geteuid() != 0:
        sys.exit("bench/run.py needs root: it mounts file systems and drops the page cache")
    for tool in ("fio", "redis-benchmark", "cc"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not there (make deps)")


def main():
    args = parse()
    if args.list:
        print("\n".join(["rows:", *rows_module.ROWS, "", "targets:", *(c.name for c in targets_module.ALL), "",
                         "groups:", *targets_module.GROUPS]))
        return
    check_able()
    proc.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kept = kept_rounds(args) if args.resume else new_rounds(args)
    rows = [r for r in rows_module.ROWS.values() if re.search(kept.options["rows"], r["name"])]
    if not rows:
        sys.exit(f"no row matches {kept.options['rows']}; see --list")
    try:
        text = run(kept, rows, chosen_classes(kept.options["targets"]))
    except (KeyboardInterrupt, SystemExit) as e:
        if kept.figures:
            print(f"\nthe rounds that are done are in {kept.path}; to go on: bench/run.py --resume", file=sys.stderr)
        sys.exit(130 if isinstance(e, KeyboardInterrupt) else e.code)
    print("\n" + text)
    if kept.options["out"]:
        results.write(kept.options["out"], "volume", text)


if __name__ == "__main__":
    main()
