# SPDX-License-Identifier: Apache-2.0
import re

WHY = "more than three levels of if, for, while and switch do not fit into a reader's head: make a function of the inside"

LEVELS = 3

GOOD = {"src/base/a.c": "int f(void)\n{\n    for (;;)\n        if (a)\n            while (b)\n                c();\n}\n"}
BAD = {
    "src/base/a.c": "int f(void)\n{\n    for (;;)\n        if (a)\n            while (b)\n                if (c)\n"
    "                    d();\n}\n"
}

# clang-format puts a statement of level n behind 4 n blanks; labels of a switch are not indented.
_STATEMENT = re.compile(r"^( *)(?:\} else )?(if|for|while|switch|do)\b")


def check(source):
    for number, line in enumerate(source.code_lines, 1):
        match = _STATEMENT.match(line)
        if match and len(match.group(1)) % 4 == 0 and len(match.group(1)) > 4 * LEVELS:
            yield number, f"nested deeper than {LEVELS} levels"
