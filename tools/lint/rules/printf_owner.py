# SPDX-License-Identifier: Apache-2.0
import re

WHY = (
    "library code returns classed errors with a text; only cli/ and base/log.c speak. fuse/ may fill files of the "
    "system (fprintf to a stream of its own)"
)

CALLS = ["printf", "fprintf", "vprintf", "vfprintf", "dprintf", "vdprintf", "puts", "fputs", "putchar", "putc", "fputc",
         "perror", "syslog", "err", "errx", "warn", "warnx"]

FILES = {"fprintf", "fputs"}

GOOD = {
    "src/fuse/a.c": 'fprintf(readahead, "%d", kb);\n',
    "src/cli/a.c": 'printf("x");\n',
    "src/key/a.c": 'snprintf(out, n, "x");\nTRY(buf_printf(b, "x"));\n',
}
BAD = {"src/key/a.c": 'fprintf(stderr, "x");\n', "src/fuse/a.c": 'fputs("x", stderr);\n'}


def check(source):
    if source.folder in ("", "cli") or source.path == "src/base/log.c":
        return
    for number, name in source.calls(CALLS):
        if source.folder == "fuse" and name in FILES:
            continue
        yield number, f"{name} outside cli/ and base/log.c"
    for number, line in enumerate(source.code_lines, 1):
        if re.search(r"\b(stdout|stderr)\b", line):
            yield number, "stdout or stderr outside cli/ and base/log.c"
