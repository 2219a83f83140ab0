# SPDX-License-Identifier: Apache-2.0
WHY = "a function is an orchestrator or a leaf, not both; what does not fit on a screen cannot be reviewed"

HARD_LINES = 70

GOOD = {"src/base/a.c": "int f(void)\n{\n" + "    x();\n" * 68 + "}\n"}
BAD = {
    "src/base/a.c": "int f(void)\n{\n" + "    x();\n" * 69 + "}\n",
    "tests/unit/a_test.c": "static void\nlong_test(void **state)\n{\n" + "    x();\n" * 80 + "}\n",
}


def check(source):
    if not source.path.endswith((".c", ".h")):
        return
    for number, name, length in source.functions():
        if length > HARD_LINES:
            yield number, f"{name} has {length} lines, {HARD_LINES} are allowed"
