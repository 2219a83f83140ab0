/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/record_int.h - one entry of a record (private to record*.c).
 */
#pragma once

#include <stdint.h>

enum record_kind {
    RECORD_MAKE = 1,     /* ino, dir, name, mode, rdev, value = target of a symlink */
    RECORD_LINK,         /* ino, dir, name */
    RECORD_UNLINK,       /* dir, name */
    RECORD_RMDIR,        /* dir, name */
    RECORD_RENAME,       /* dir, name, to_dir, to_name, flags */
    RECORD_SETATTR,      /* ino, flags = mode, uid, gid of enum io_attr, mode, uid, gid */
    RECORD_WRITE,        /* ino, at, value */
    RECORD_TRUNCATE,     /* ino, at = size */
    RECORD_FALLOCATE,    /* ino, flags = mode, at, len */
    RECORD_SYNC,         /* ino, flags = 1: data only */
    RECORD_SYNC_DIR,     /* ino */
    RECORD_SYNC_ALL,     /* ino: any directory */
    RECORD_XATTR_SET,    /* ino, name, value, flags */
    RECORD_XATTR_REMOVE, /* ino, name */
};

/* Followed by name, to_name and value; the names with their terminating zero when they are there. */
struct record_entry {
    uint32_t kind, flags;
    uint64_t ino, dir, to_dir, at, len, rdev;
    uint32_t mode, uid, gid;
    uint32_t name_bytes, to_name_bytes, value_bytes;
};
