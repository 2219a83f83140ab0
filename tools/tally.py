#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what a test run really ran: prints "PASSED FAILED SKIPPED".

tally.py meson build/X/meson-logs/testlog.json   one line of JSON per executable; the test functions of a
                                                 cmocka executable are counted one by one
tally.py junit FILE.xml                          pytest
tally.py fuzz build/fuzz/results.tsv             one line per target: name, ok|failed, detail
tally.py selftest                                known executables against their known counts

A result file that is missing, empty or not understood, and an executable that ran no test, count
as failed: nothing is taken for granted.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree

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


def selftest():
    head = "[==========] Running 3 test(s).\n"
    cases = [
        ({"result": "OK", "stdout": head + "[  PASSED  ] 3 test(s).\n"}, (3, 0, 0)),
        ({"result": "OK", "stdout": head + "[  PASSED  ] 2 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n"}, (2, 0, 1)),
        ({"result": "FAIL", "stdout": head + "[  PASSED  ] 1 test(s).\n",
          "stderr": "[  FAILED  ] 2 test(s), listed below:\n"}, (1, 2, 0)),
        ({"result": "FAIL", "stdout": head + "[  PASSED  ] 3 test(s).\n"}, (3, 1, 0)),  # a leak, say
        ({"result": "OK", "stdout": head}, (0, 1, 0)),  # went away in the middle
        ({"result": "TIMEOUT", "stdout": head}, (0, 1, 0)),
        ({"result": "OK", "stdout": "[==========] Running 0 test(s).\n[  PASSED  ] 0 test(s).\n"}, (0, 1, 0)),
        ({"result": "OK", "stdout": "a script\n"}, (1, 0, 0)),
        ({"result": "ERROR", "stdout": ""}, (0, 1, 0)),
        ({"result": "SKIP", "stdout": ""}, (0, 0, 1)),
    ]
    wrong = [(entry, want, tally_executable(entry)) for entry, want in cases if tally_executable(entry) != want]
    for entry, want, got in wrong:
        print(f"tally selftest: {entry}: wanted {want}, got {got}")
    return 1 if wrong else 0


KINDS = {"meson": tally_meson, "junit": tally_junit, "fuzz": tally_fuzz}


def main():
    if sys.argv[1:] == ["selftest"]:
        sys.exit(selftest())
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
