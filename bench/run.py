#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures a Keystead volume against plain ext4, a FUSE passthrough and gocryptfs.

    bench/run.py                     everything: 5 rounds, about an hour and a half
    bench/run.py --quick             3 rounds of 3 s
    bench/run.py --quick --rows 'random|pgbench' --targets ext4,keystead
    bench/run.py --list

Rounds are interleaved: each row visits every target before the next row, in an order that turns with the
round, so that a slow minute of the machine hits all alike. A ratio is made within a round; the table
has the median of the rounds' ratios. Needs root (mounts, cold caches).
"""
import argparse
import os
import re
import shutil
import signal
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests", "e2e")]

import rows as rows_module  # noqa: E402
import targets as targets_module  # noqa: E402
from harness import proc  # noqa: E402

BASE = targets_module.Plain.name


def parse():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="3 rounds of 3 s on small data")
    p.add_argument("--rounds", type=int, help="how many rounds (default 5, quick 3)")
    p.add_argument("--seconds", type=int, help="seconds per timed row (default 9, quick 3)")
    p.add_argument("--rows", default="", help="only rows whose name matches this expression")
    p.add_argument("--targets", help="comma-separated; default: all but keystead-dense")
    p.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"),
                   help="where to work: a directory on a real disk")
    p.add_argument("--out", help="where the table goes (default bench/RESULTS.md; with --quick, "
                   "--rows or --targets: only the terminal)")
    p.add_argument("--list", action="store_true", help="list rows and targets")
    return p.parse_args()


def chosen_targets(args, top, tools):
    classes = targets_module.ALL + targets_module.EXTRA
    names = args.targets.split(",") if args.targets else [c.name for c in targets_module.ALL]
    unknown = set(names) - {c.name for c in classes}
    if unknown:
        sys.exit(f"unknown target {sorted(unknown)[0]}; known: "
                 + ", ".join(c.name for c in classes))
    found = []
    for target in (c(top, tools) for c in classes if c.name in names):
        why = target.missing()
        if why:
            print(f"*** SKIPPED: {target.name}: {why}", file=sys.stderr)
        else:
            found.append(target)
    return found


def measure(row, target, size):
    """The figure, or None with the reason on the terminal: a row that fails fails alone."""
    try:
        return row["measure"](target.path, size)
    except Exception as e:  # noqa: BLE001 - the table says n/a, the terminal says why
        lines = str(e).strip().splitlines() or [repr(e)]
        print(f"*** FAILED: {row['name']} on {target.name}: {lines[0]}\n    " +
              "\n    ".join(lines[-4:]), file=sys.stderr)
        return None


def run_rounds(rows, targets, rounds, size):
    figures = {}  # (row, target) -> [figure per round]
    started = time.monotonic()
    for n in range(rounds):
        for row in rows:
            turned = targets[n % len(targets):] + targets[:n % len(targets)]
            for target in turned:
                value = measure(row, target, size)
                figures.setdefault((row["name"], target.name), []).append(value)
            line = "  ".join(f"{t.name} {show(figures[row['name'], t.name][-1])}" for t in targets)
            print(f"[{time.monotonic() - started:5.0f} s] round {n + 1}: {row['name']}: {line} "
                  f"{row['unit']}", flush=True)
    return figures


def show(value):
    if value is None:
        return "n/a"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def ratio(figures, row, target, base):
    """Median over the rounds of target to base, both of the same round."""
    pairs = zip(figures.get((row["name"], target), []), figures.get((row["name"], base), []))
    ratios = [a / b for a, b in pairs if a is not None and b]
    return statistics.median(ratios) if ratios else None


def table(rows, targets, figures):
    names = [t.name for t in targets]
    others = [n for n in names if n != BASE]
    lines = ["| row | " + BASE + " | " + " | ".join(others) + " |",
             "|---|" + "---|" * (1 + len(others))]
    for row in rows:
        values = [v for v in figures.get((row["name"], BASE), []) if v is not None]
        cells = [f"{show(statistics.median(values))} {row['unit']}" if values else "n/a"]
        for name in others:
            r = ratio(figures, row, name, BASE)
            cells.append("n/a" if r is None else f"{r:.2f}" + ("x" if row["is_time"] else ""))
        lines.append(f"| {row['name']} | " + " | ".join(cells) + " |")
    return lines


def behind_peer(rows, figures):
    """Rows where we are slower than gocryptfs in the same rounds."""
    found = []
    for row in rows:
        r = ratio(figures, row, targets_module.Ours.name, targets_module.Gocryptfs.name)
        if r is not None and (r > 1 if row["is_time"] else r < 1):
            found.append(f"{row['name']} ({r:.2f}{'x' if row['is_time'] else ''} of gocryptfs)")
    return found


def report(args, rows, targets, figures, rounds, size):
    behind = behind_peer(rows, figures)
    names = {t.name for t in targets}
    versions = "; ".join(f"{t.name}: {t.version()}" for t in targets if t.version())
    lines = ["# Measured speed", "",
             f"Machine: {rows_module.machine()}. {versions}".rstrip(". ") + ".", "",
             f"Made by `bench/run.py {' '.join(sys.argv[1:])}`".rstrip() +
             f" on {time.strftime('%Y-%m-%d')}: {rounds} interleaved rounds, {size.seconds} s per "
             f"timed row, files of {size.file_mib} MiB, pgbench scale {size.scale}. The commands of "
             "each row stand in bench/rows.py. Load average of other work at the start: "
             f"{args.load:.1f} (the figures are good for little above 0.5).", "",
             f"The column {BASE} has the median of its figures; the others have the median of the "
             f"rounds' ratios to {BASE}, higher is better; rows marked x are times, lower is better. "
             "Differences below 25 % are noise on a small virtual machine.", ""]
    lines += table(rows, targets, figures)
    if {targets_module.Ours.name, targets_module.Gocryptfs.name} <= names:
        lines += ["", "Slower than gocryptfs in: " + ("; ".join(behind) if behind else "no row") +
                  "."]
    text = "\n".join(lines) + "\n"
    print("\n" + text)
    out = args.out
    if not out and not (args.quick or args.rows or args.targets):
        out = os.path.join(HERE, "RESULTS.md")
    if out:
        with open(out, "w") as f:
            f.write(text)
        print(f"written to {out}")


def prepare(args):
    if os.geteuid() != 0:
        sys.exit("bench/run.py needs root: it mounts file systems and drops the page cache")
    for tool in ("fio", "redis-benchmark", "cc"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not there (make deps)")
    top = tempfile.mkdtemp(prefix="keystead-bench-", dir=args.dir)
    os.chmod(top, 0o755)
    tools = os.path.join(top, "tools")
    os.mkdir(tools)
    os.environ["KEYSTEAD_BENCH_TOOLS"] = tools
    proc.run(["cc", "-O2", "-o", os.path.join(tools, "fsops"), os.path.join(HERE, "fsops.c")])
    return top, tools


def main():
    args = parse()
    args.load = os.getloadavg()[0]
    rows = [r for r in rows_module.ROWS.values() if re.search(args.rows, r["name"])]
    if args.list:
        print("\n".join(r["name"] for r in rows_module.ROWS.values()))
        return
    if not rows:
        sys.exit(f"no row matches {args.rows}; see --list")
    size = rows_module.Size(args.quick)
    size.seconds = args.seconds or size.seconds
    rounds = args.rounds or (3 if args.quick else 5)
    proc.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    top, tools = prepare(args)
    targets = []
    try:
        targets = chosen_targets(args, top, tools)
        for target in targets:
            target.up()
        figures = run_rounds(rows, targets, rounds, size)
        report(args, rows, targets, figures, rounds, size)
    finally:
        rows_module.Fresh.stop_all()
        for target in targets:
            target.down()
        for pid in proc.descendants():
            proc.kill_tree(pid)
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
