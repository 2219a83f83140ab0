# SPDX-License-Identifier: Apache-2.0
WHY = (
    "time comes from base/clock.h and randomness from base/random.h, so that every decision can be replayed; "
    "the environment is read at the edge only; threads that need a stack of their own size come from base/thread.h"
)

OWNERS = {
    ("time", "clock_gettime", "gettimeofday", "nanosleep", "usleep", "sleep", "clock_nanosleep"): {"src/base/clock.c"},
    ("getrandom", "getentropy", "randombytes_buf", "arc4random", "arc4random_buf", "RAND_bytes"): {"src/base/random.c"},
    ("getenv", "secure_getenv", "setenv", "unsetenv", "putenv"): {
        "src/base/environment.c", "src/base/log.c", "src/fuse/mount", "src/cli/"
    },
    ("pthread_attr_init",): {"src/base/thread.c"},
}

GOOD = {
    "src/base/clock.c": "clock_gettime(CLOCK_BOOTTIME, &t);\n",
    "src/cli/a.c": 'getenv("HOME");\n',
    "src/fuse/mount_ready.c": 'getenv("NOTIFY_SOCKET");\n',
    "src/base/thread.c": "pthread_attr_init(&attr);\n",
    "src/key/a.c": "uint64_t now = clock_boot_ms(c);\n",
}
BAD = {
    "src/key/a.c": "time_t t = time(NULL);\n",
    "src/crypto/a.c": "RAND_bytes(p, n);\n",
    "src/fuse/a.c": "pthread_attr_init(&attr);\n",
    "src/kms/a.c": 'getenv("HOME");\n',
}


def check(source):
    if not source.folder:
        return
    for names, owners in OWNERS.items():
        if any(source.path.startswith(owner) for owner in owners):
            continue
        for number, name in source.calls(names):
            yield number, f"{name} belongs to {', '.join(sorted(owners))}"
