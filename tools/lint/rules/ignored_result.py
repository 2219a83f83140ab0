# SPDX-License-Identifier: Apache-2.0
import re

WHY = "a result that is dropped needs IGNORE(...) and a line above it that says why that is right"

GOOD = {
    "src/base/a.c": "    /* the file is gone anyway */\n    IGNORE(io_unlink(x));\n",
    "src/base/b.c": "    x(); /* best effort: the next one repairs it */\n    IGNORE(y());\n    IGNORE(z());\n",
}
BAD = {"src/base/a.c": "    x();\n    IGNORE(io_unlink(x));\n"}

_IGNORE = re.compile(r"^\s*IGNORE\(")


def check(source):
    if not source.folder or source.path == "src/base/rc.h":
        return
    for number, line in enumerate(source.code_lines, 1):
        if not _IGNORE.match(line):
            continue
        above = number - 1
        while above and _IGNORE.match(source.code_lines[above - 1]):
            above -= 1
        near = source.lines[above - 1] + source.lines[number - 1] if above else ""
        if "*/" not in near:
            yield number, "IGNORE without a reason on the line above"
