# SPDX-License-Identifier: Apache-2.0
WHY = "spaces at the end of lines, tabs and odd line ends make noise in every diff"

GOOD = {"src/base/a.c": "int a;\n"}
BAD = {
    "src/base/a.c": "int a; \n",
    "src/base/b.c": "\tint a;\n",
    "src/base/c.c": "int a;",
    "src/base/d.c": "int a;\n\n",
    "src/base/e.c": "int a;\r\n",
}


def check(source):
    for number, line in enumerate(source.lines, 1):
        if line != line.rstrip():
            yield number, "space at the end of the line"
        if "\t" in line:
            yield number, "tab"
    if not source.text.endswith("\n") or source.text.endswith("\n\n"):
        yield len(source.lines), "the file must end with exactly one newline"
