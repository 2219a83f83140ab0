# SPDX-License-Identifier: Apache-2.0
WHY = "a file that long owns more than one thing: split it along what it owns"

HARD_LINES = 700

GOOD = {"src/base/a.c": "int a;\n" * 700, "tests/unit/a_test.c": "int a;\n" * 900}
BAD = {"src/base/a.c": "int a;\n" * 701}


def check(source):
    length = len(source.lines) - 1
    if source.folder and length > HARD_LINES:
        yield length, f"{length} lines, {HARD_LINES} are allowed"
