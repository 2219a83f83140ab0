#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what a test run really ran: prints "PASSED FAILED SKIPPED".

tally.py meson build/X/meson-logs/testlog.json   one line of JSON per executable; the test functions of a
                                                 cmocka executable are counted one by one
tally.py junit FILE.xml                          pytest
tally.py fuzz build/fuzz/results.tsv             one line per target: name, ok|failed, detail

A result file that is missing, empty or not understood, and an executable that ran no test, count
as failed: nothing is taken for granted.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree

CMOCKA_RAN = re.compile(r"^\[=+\] (?:tests: )?(\d+) test\(s\) run\.", re.M)
CMOCKA_STARTED = re.compile(r"^\[=+\] (?:\S+: )?Running (\d+) test\(s\)\.", re.M)
CMOCKA_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test\(s\)\.", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (?:\S+: )?(\d+) test\(s\), listed below", re.M)
CMOCKA_SKIPPED = re.compile(r"^\[  SKIPPED \] (?:\S+: )?(\d+) test\(s\), listed below", re.M)


def total(pattern, text):
    return sum(int(n) for n in pattern.findall(text))


def tally_executable(entry):
    """One line of Meson's log. A pass needs both a clean exit and, with cmocka, tests that ran."""
    text = entry.get("stdout", "") + "\n" + entry.get("stderr", "")
    result = entry.get("result")
    if result == "SKIP":
        return 0, 0, 1
    is_cmocka = CMOCKA_STARTED.search(text) is not None
    if not is_cmocka:
        return (1, 0, 0) if result in ("OK", "EXPECTEDFAIL") else (0, 1, 0)
    passed, failed, skipped = (
        total(p, text) for p in (CMOCKA_PASSED, CMOCKA_FAILED, CMOCKA_SKIPPED)
    )
    if result != "OK" or passed + skipped == 0:
        failed = max(failed, 1)
    return passed, failed, skipped


def tally_meson(path):
    with open(path, encoding="utf-8") as log:
        counts = [tally_executable(json.loads(line)) for line in log if line.strip()]
    return tuple(map(sum, zip(*counts))) if counts else (0, 1, 0)


def tally_junit(path):
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        tags = {child.tag for child in case}
        if tags & {"failure", "error"}:
            failed += 1
        elif "skipped" in tags:
            skipped += 1
        else:
            passed += 1
    return (passed, failed, skipped) if passed + failed else (0, 1, skipped)


def tally_fuzz(path):
    with open(path, encoding="utf-8") as results:
        verdicts = [line.split("\t")[1] for line in results if line.strip()]
    passed = sum(v == "ok" for v in verdicts)
    return (passed, len(verdicts) - passed, 0) if verdicts else (0, 1, 0)


KINDS = {"meson": tally_meson, "junit": tally_junit, "fuzz": tally_fuzz}


def main():
    kind, path = sys.argv[1:]
    try:
        counts = KINDS[kind](path)
    except (OSError, ValueError, IndexError, ElementTree.ParseError) as error:
        print(f"tally: {path}: {error}", file=sys.stderr)
        counts = (0, 1, 0)
    if counts[0] == 0 and counts[1] == 0:
        print(f"tally: {path}: no test ran", file=sys.stderr)
        counts = (0, 1, counts[2])
    print(*counts)


if __name__ == "__main__":
    main()
