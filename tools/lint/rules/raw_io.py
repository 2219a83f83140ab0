# SPDX-License-Identifier: Apache-2.0
WHY = (
    "what must survive a crash goes through io/io.h, else the crash and the fault back end cannot see it. "
    "fuse/ and cli/ may use descriptors for plumbing (sockets, pipes, terminals), base/log.c for its line"
)

# Durable effects: nobody but io/.
DURABLE = ["fsync", "fdatasync", "sync_file_range", "pwrite", "pwritev", "pwritev2", "pread", "preadv", "rename",
           "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "ftruncate", "truncate", "fallocate",
           "posix_fallocate", "mknod", "mknodat", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "unlinkat",
           "mkdirat", "fchmodat", "fchownat", "utimensat", "flock"]
# Descriptors and paths: fuse/ and cli/ too.
PLUMBING = ["open", "openat", "openat2", "creat", "fopen", "fdopen", "freopen", "read", "write", "writev", "readv", "unlink",
            "mkdir", "rmdir", "remove", "opendir", "readdir", "stat", "lstat", "fstat", "fstatat", "statx", "mmap",
            "syncfs"]

GOOD = {
    "src/io/posix.c": "fsync(fd);\n",
    "src/fuse/control.c": "int fd = open(path, O_RDONLY);\n",
    "src/volume/a.c": "TRY(io->ops->pwrite(io, f, p, n, at));\nvolume_rename(v);\n",
    "src/base/log.c": "write(2, line, n);\n",
    "tests/unit/a_test.c": "fsync(fd);\n",
}
BAD = {
    "src/key/a.c": "int fd = open(path, O_RDONLY);\n",
    "src/fuse/a.c": "fsync(fd);\n",
    "src/base/log.c": "fsync(2);\n",
}


def _is_declaration(source, number, name):
    """A member or prototype such as "ks_rc (*open)(" has no match; "ks_rc open(" does."""
    line = source.code_lines[number - 1]
    return line.lstrip().startswith(("ks_rc ", "static ks_rc ", "void ", "static void "))


def check(source):
    if source.folder in ("", "io"):
        return
    names = list(DURABLE)
    if source.folder not in ("fuse", "cli") and source.path != "src/base/log.c":
        names += PLUMBING
    for number, name in source.calls(names):
        if not _is_declaration(source, number, name):
            yield number, f"{name} outside io/"
