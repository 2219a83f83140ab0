/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/key_file.h - the file whose random bytes open a file key store (private to kms/).
 */
#pragma once

#include "base/random.h"
#include "base/secret.h"
#include "io/io.h"

enum { KEY_FILE_BYTES_MIN = 32, KEY_FILE_BYTES_MAX = 4096 };

/* key_file_read(io, path, ret): its bytes. A path that ends in symlinks is followed (mounted secrets
 * are symlinks). CREDENTIAL with a way out when it is missing, unreadable, too short or too long. */
ks_rc key_file_read(struct io *io, const char *path, struct secret **ret) KS_MUST;
/* key_file_make(io, path, random): a new one, mode 0600, 32 random bytes, durable. Success when
 * there is one already. */
ks_rc key_file_make(struct io *io, const char *path, struct random *random) KS_MUST;

/* path_open_parent(io, path, ret, name): the directory that path's last part stands in. name gets that
 * last part. For objects that may not exist yet. */
ks_rc path_open_parent(struct io *io, const char *path, struct io_node **ret,
                       char name[IO_NAME_BYTES + 1]) KS_MUST;
