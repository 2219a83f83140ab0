# SPDX-License-Identifier: Apache-2.0
"""Goal: the benchmark says what its figures mean, misses no bar that is missed, and loses no round when it is interrupted."""
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading

import pytest

from harness import proc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(ROOT, "bench")
sys.path.append(BENCH)

import report  # noqa: E402
import results  # noqa: E402
import rows  # noqa: E402
import run  # noqa: E402
import scale  # noqa: E402
import targets  # noqa: E402
from rounds import Rounds  # noqa: E402

FAST = {"name": "fast", "unit": "per s", "is_time": False, "bar": 0.50, "stretch": 0.65}
TIME = {"name": "time", "unit": "s", "is_time": True, "bar": 1.10, "stretch": 1.00}
FREE = {"name": "free", "unit": "per s", "is_time": False, "bar": None, "stretch": None}


def test_ratio__is_made_within_a_round():
    figures = {"fast": {"ext4": [10, 100, 20], "keystead": [5, 10, 20]}}
    assert report.ratio(figures, FAST, "keystead") == 0.5


def test_ratio__rounds_without_a_figure__are_left_out():
    figures = {"fast": {"ext4": [10, None, 10], "keystead": [5, 9, None]}}
    assert report.ratio(figures, FAST, "keystead") == 0.5
    assert report.ratio({"fast": {"ext4": [10], "keystead": [None]}}, FAST, "keystead") is None
    assert report.ratio({}, FAST, "keystead") is None


@pytest.mark.parametrize("row, figure, is_missed", [
    (FAST, 49.9, True), (FAST, 50, False), (FAST, 80, False),
    (TIME, 110.1, True), (TIME, 110, False), (TIME, 90, False),
    (FREE, 1, False),
])
def test_misses__figure_beside_the_bar(row, figure, is_missed):
    figures = {row["name"]: {"ext4": [100], "keystead": [figure]}}
    assert bool(report.misses([row], figures, "keystead")) == is_missed


def test_misses__row_that_could_not_be_measured__is_no_success():
    assert report.misses([FAST], {"fast": {"ext4": [1], "keystead": [None]}}, "keystead") == ["fast (not measured)"]


def test_behind__names_the_faster_peers__best_first():
    figures = {"fast": {"keystead": [10], "a": [11], "b": [20], "c": [None]},
               "time": {"keystead": [10], "a": [5], "b": [20], "c": [9]}}
    assert report.behind([FAST, TIME], figures, "keystead", ["a", "b", "c"]) == ["fast (0.500 of b, 0.909 of a)", "time (2.000x of a, 1.111x of c)"]


def test_behind__level_with_or_ahead_of_all_peers__nothing():
    figures = {"fast": {"keystead": [10], "a": [10], "b": [9]}, "time": {"keystead": [10], "a": [10], "b": [11]}}
    assert report.behind([FAST, TIME], figures, "keystead", ["a", "b"]) == []


def test_verdict__says_what_was_compared():
    figures = {"fast": {"ext4": [10], "keystead": [9], "a": [5]}}
    assert report.verdict([FAST], figures, "keystead", ["a"]) == [
        "Misses its bar: in no row.", "", "Slower than the best encrypted peer: in no row (measured: a)."]
    assert report.verdict([FAST], figures, "keystead", [])[-1] == "Slower than the best encrypted peer: none was measured."


def test_table__has_bars_and_says_who_was_too_slow():
    figures = {"fast": {"ext4": [200], "a": [None], "keystead": [100]}, "time": {"ext4": [2], "a": [None], "keystead": [3]}}
    assert report.table([FAST, TIME], ["ext4", "a", "keystead"], figures, {("fast", "a")})[2:] == [
        "| fast | 200 per s | too slow | 0.50 | 0.50 / 0.65 |", "| time | 2.00 s | n/a | 1.50x | 1.10x / 1.00x |"]


def test_bars__are_there_and_not_behind_their_stretch():
    with_bar = [r for r in rows.ROWS.values() if r["bar"] is not None]
    assert len(with_bar) == 26
    assert {r["name"] for r in rows.ROWS.values()} - {r["name"] for r in with_bar} == {"stat of files not seen before"}
    assert not [r["name"] for r in with_bar if report.is_worse(r, r["stretch"], r["bar"])]


def test_targets__groups_and_names__each_once():
    assert targets.named("usual") == targets.USUAL
    assert [c.name for c in targets.named("cryfs,ext4,cryfs,usual")] == ["ext4", "ext4-awake", "passthrough", "gocryptfs", "cryfs", "keystead"]
    assert {c.name for c in targets.named("peers") if c.is_peer} == {"gocryptfs", "securefs", "encfs", "cryfs"}
    with pytest.raises(KeyError, match="nobody"):
        targets.named("ext4,nobody")


def test_ext4_awake__asks_for_no_sleep__while_it_is_measured_only(tmp_path, monkeypatch):
    device = tmp_path / "device"
    device.write_bytes(b"")
    monkeypatch.setattr(targets, "LATENCY_DEVICE", str(device))
    target, seen = targets.PlainAwake(str(tmp_path), str(tmp_path)), []
    assert target.missing() == ""

    def look(_path, _size):
        seen.append((is_open(device), device.read_bytes()))
        return 1.0

    assert run.measure({"name": "row", "measure": look}, target, None, 0) == 1.0
    assert run.measure({"name": "row", "measure": look}, targets.Plain(str(tmp_path), str(tmp_path)), None, 0) == 1.0
    assert seen[0] == (True, struct.pack("i", 0)) and not seen[1][0]


def is_open(path):
    """Whether this process has the file open."""
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/self/fd/{fd}") == str(path):
                return True
    return False


def test_results__replaces_its_part_only():
    text = results.replaced("# Title\n\nby hand\n", "one", "first")
    text = results.replaced(text, "two", "second")
    changed = results.replaced(text, "one", "new\n")
    assert changed == text.replace("first", "new") != text
    assert changed.startswith("# Title\n\nby hand\n")
    with pytest.raises(ValueError):
        results.replaced(changed.replace("<!-- end one -->\n", ""), "one", "lost")


def test_rounds__kept_and_read_again(work):
    kept = Rounds(f"{work}/new/r.json", {"rounds": 2})
    kept.too_slow.add(("fast", "b"))
    kept.add("fast", {"a": 1.5, "b": None})
    again = Rounds.load(kept.path)
    assert (again.figures, again.too_slow, again.options) == (kept.figures, kept.too_slow, kept.options)
    assert again.is_done(0, "fast")
    assert not again.is_done(1, "fast")
    assert not again.is_done(0, "time")


def test_rounds__clear_up__takes_what_a_killed_run_left_and_nothing_else(work):
    kept = Rounds(f"{work}/r.json", {})
    for name, is_taken in (("bench-1", True), ("other", False)):
        kept.top = os.path.join(work, name)
        os.mkdir(kept.top)
        open(f"{kept.top}/log", "wb").close()
        left = subprocess.Popen(["tail", "-f", f"{kept.top}/log"])
        kept.clear_up("bench-")
        assert os.path.exists(kept.top) is not is_taken
        assert proc.is_alive(left.pid) is not is_taken
        left.kill()
        left.wait()


def test_mounts__slower_with_more_files__is_missed():
    few, many = [10, 11, 12], [12, 13, 14]
    assert "kept" in scale.independence({1000: few, 100000: many})[0]
    assert "MISSED" in scale.independence({1000: few, 10000: few, 100000: [12.1, 13, 14]})[0]
    assert scale.independence({1000: few}) == []


def test_mounts__measured_before_an_interruption__are_not_measured_with_more_files(work, monkeypatch):
    made = []
    monkeypatch.setattr(rows, "fsops", lambda tree, what, count, timeout: made.append(count))
    monkeypatch.setattr(scale, "mount_times", lambda volume: [5, 6, 7])
    ours = type("Target", (), {"path": work, "volume": None})
    with open(f"{work}/kept", "w", encoding="ascii") as f:
        json.dump({"1000": [1, 2, 3]}, f)
    lines = scale.mounts(ours, [5000, 1000], f"{work}/kept")
    assert made == [5000]
    assert [line.split("|")[2] for line in lines[:2]] == [" 2 ms (1 to 3) ", " 6 ms (5 to 7) "]
    assert scale.read_json(f"{work}/kept") == {"1000": [1, 2, 3], "5000": [5, 6, 7]}


def beside(bar, ms, runs):
    found = scale.Beside(bar)
    found.ms, found.runs = ms, runs
    return found


def test_rotations__beside_writes__are_held_against_their_bar():
    found = {"one": beside(scale.P99_BAR, [4, 9, 3], 7), "two": beside(scale.P99_BAR, [4.1, 4.2, 4.3], 8),
             "three": beside(None, [20, 20, 20], 1)}
    lines = scale.rotation_lines([2, 2, 2], found)
    assert [line.split("|")[1:4] for line in lines] == [
        [" p99 of a synced write of 4 KiB ", " 2.00 ms ", " "],
        [" beside one (7 of them) ", " 4.00 ms: 2.00x ", " 2x: kept "],
        [" beside two (8 of them) ", " 4.20 ms: 2.10x ", " 2x: MISSED "],
        [" beside three (1 of them) ", " 20.00 ms: 10.00x ", "  "]]


def test_work__again_and_again__ends_with_what_it_is_beside():
    calls, many = [], threading.Event()

    def work():
        calls.append(1)
        if len(calls) >= 6:
            many.set()

    with scale.again_and_again(work) as taken:
        assert many.wait(60)
    assert len(taken) == len(calls) >= 6


@pytest.mark.parametrize("failure", [RuntimeError("refused"), SystemExit("refused")])
def test_work__fails_meanwhile__there_is_no_measurement(failure):
    def work():
        raise failure

    with pytest.raises(type(failure), match="refused"):
        with scale.again_and_again(work):
            pass


def test_tree__interrupted__goes_on(work, monkeypatch):
    monkeypatch.setenv("KEYSTEAD_BENCH_TOOLS", "")
    rows.build_tools(work)
    tree = os.path.join(work, "tree")
    os.mkdir(tree)
    rows.fsops(tree, "tree", 2500)
    for name in ("dir-2/file-2499", "dir-2/file-2000", "dir-0/file-0"):
        os.unlink(os.path.join(tree, name))
    rows.fsops(tree, "tree", 3100)
    made = {name for _, _, names in os.walk(tree) for name in names}
    assert made == {f"file-{n}" for n in range(1, 3100)}  # what is whole is not looked at again


def bench(work, *args, **kwargs):
    return subprocess.Popen([sys.executable, "-B", f"{BENCH}/run.py", *args, "--out", f"{work}/table.md"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)


def test_run__interrupted__goes_on_where_it_was(work):
    options = ("--quick", "--rows", "create|rename", "--targets", "ext4", "--dir", work)
    first = bench(work, *options, "--rounds", "100000")
    while "round 2: rename" not in first.stdout.readline():
        assert first.poll() is None, first.stderr.read()
    first.send_signal(signal.SIGTERM)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 143
    assert "--resume" in said
    assert os.listdir(work) == ["table.rounds.json"]
    with open(f"{work}/table.rounds.json", encoding="utf-8") as f:
        before = json.load(f)["figures"]

    done = len(before["rename"]["ext4"])
    second = bench(work, "--resume", "--rounds", str(done + 2))
    out, said = second.communicate(timeout=60)
    assert second.returncode == 0, said
    with open(f"{work}/table.rounds.json", encoding="utf-8") as f:
        after = json.load(f)["figures"]
    for row, figures in after.items():
        assert len(figures["ext4"]) == done + 2
        assert figures["ext4"][:len(before[row]["ext4"])] == before[row]["ext4"]
    with open(f"{work}/table.md", encoding="utf-8") as f:
        assert "| rename | " in f.read()
    assert f"round {done + 2}: rename" in out


def test_resume__rounds_of_an_older_bench__ends_and_says_so(work):
    older = {"quick": True, "rows": "create", "targets": "ext4", "dir": work, "seconds": 3, "rounds": 3, "limit": 60,
             "out": f"{work}/table.md"}
    kept = Rounds(f"{work}/table.rounds.json", older)
    kept.add("create", {"ext4": 1.5})
    again = bench(work, "--resume")
    _, said = again.communicate(timeout=60)
    assert again.returncode == 1
    assert said == f"{kept.path} is of another bench/run.py: it does not say size. Begin anew, without --resume\n"
    assert Rounds.load(kept.path).figures == kept.figures
