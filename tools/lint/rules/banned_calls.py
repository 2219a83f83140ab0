# SPDX-License-Identifier: Apache-2.0
WHY = (
    "these cannot be used safely: unbounded copies, silent truncation or wrong numbers, hidden state, the "
    "stack as a heap. Use buf, codec, mem_format, strtoull with its checks"
)

BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "strncpy", "strncat", "strtok", "atoi", "atol", "atoll", "atof",
          "gets", "alloca", "system", "popen", "mktemp", "tmpnam", "rand", "srand", "random_r", "setjmp", "longjmp",
          "readdir_r", "asctime", "ctime", "gmtime", "localtime"]

GOOD = {"src/base/a.c": "snprintf(out, n, f);\nks_rc r = x->gets(x);\n/* never strcpy() */\n"}
BAD = {
    "src/base/a.c": "strcpy(a, b);\n",
    "tests/unit/a_test.c": "int n = atoi(text);\n",
}


def check(source):
    for number, name in source.calls(BANNED):
        yield number, f"{name} is banned"
