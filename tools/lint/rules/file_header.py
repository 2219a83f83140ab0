# SPDX-License-Identifier: Apache-2.0
import re

WHY = (
    "each file says its licence, then what it owns and what must hold in it: without that nobody can tell "
    "whether a change belongs there"
)

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */"

GOOD = {
    "src/base/a.c": SPDX + "\n/*\n * base/a.c - what it owns.\n */\nint a;\n",
    "tests/unit/a_test.c": SPDX + "\n/*\n * Goal: show that a holds.\n */\n",
}
BAD = {
    "src/base/a.c": "/* base/a.c - no licence */\nint a;\n",
    "src/base/b.c": SPDX + "\n#include <stdio.h>\n",
    "src/base/c.c": SPDX + "\n/*\n * base/other.c - copied head.\n */\n",
}

_NAMED = re.compile(r"^/\* ?\n? ?\*? ?(\S+) - ", re.M)


def check(source):
    if source.lines[0] != SPDX:
        yield 1, f"the first line is not {SPDX}"
        return
    head = "\n".join(source.lines[1:4])
    if not head.startswith("/*"):
        yield 2, "no comment that says what the file owns"
        return
    named = _NAMED.search(head)
    if source.folder and (not named or not source.path.endswith("/" + named.group(1))):
        yield 2, f"the head does not begin with its own name: {source.path.removeprefix('src/')} - ..."
