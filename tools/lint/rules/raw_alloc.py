# SPDX-License-Identifier: Apache-2.0
WHY = (
    "base/mem.c is the only door to the heap: it zeroes, checks products and can be made to fail in tests. "
    "fuse/ frees what libfuse allocated for it, cli/ what libc did"
)

CALLS = ["malloc", "calloc", "realloc", "reallocarray", "free", "strdup", "strndup", "asprintf", "vasprintf",
         "aligned_alloc", "posix_memalign", "memalign", "valloc"]
FORMATTING = {"vasprintf", "asprintf", "free"}

GOOD = {
    "src/base/mem.c": "void *p = calloc(1, n);\n",
    "src/base/buf.c": "int n = vasprintf(&text, fmt, args);\n",
    "src/io/a.c": "mem_free(p);\nops->free(p);\n",
    "tests/unit/a_test.c": "char *p = malloc(4);\n",
}
BAD = {"src/key/a.c": "char *p = strdup(s);\n", "src/base/buf.c": "p = malloc(3);\n"}


def check(source):
    if not source.folder or source.path == "src/base/mem.c":
        return
    for number, name in source.calls(CALLS):
        if source.path == "src/base/buf.c" and name in FORMATTING:
            continue
        if source.folder in ("fuse", "cli") and name == "free":
            continue
        yield number, f"{name} outside base/mem.c"
