# SPDX-License-Identifier: Apache-2.0
import re

WHY = "scope cleanup (CLEANUP, TAKE) frees on every path; jumps hide which paths there are"

GOOD = {"src/base/a.c": "CLEANUP(mem_freep) char *t = NULL; /* no goto */\n"}
BAD = {"src/base/a.c": "    goto out;\n"}


def check(source):
    for number, line in enumerate(source.code_lines, 1):
        if re.search(r"\bgoto\b", line):
            yield number, "goto"
