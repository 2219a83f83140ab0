/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/secret_file.h - small files that hold a secret: key files, PINs, tokens, passwords of programs.
 *
 * The bytes go from the file into guarded memory and nowhere else. Symlinks are followed, because mounted
 * secrets are symlinks. Thread-safe.
 */
#pragma once

#include "base/secret.h"
#include "io/io.h"

enum { SECRET_FILE_PATH_BYTES = 4096, SECRET_LINE_MAX = 16 * 1024 };

struct secret_file_bounds {
    size_t bytes_min, bytes_max;
    const char *kind; /* "a key file"; for the text about another length */
};

/* secret_file_read(io, path, bounds, ret): all its bytes. Errors of the operating system, and CREDENTIAL for
 * another length; callers name the path. */
ks_rc secret_file_read(struct io *io, const char *path, struct secret_file_bounds bounds,
                       struct secret **ret) KS_MUST;

/* secret_line_read(io, path, ret): its first line, without the line end; at least one byte. CREDENTIAL for
 * everything that is wrong with the file; the text names path and reason. */
ks_rc secret_line_read(struct io *io, const char *path, struct secret **ret) KS_MUST;

/* secret_file_in(directory, name, ret): "directory/name", where a service manager puts the credential name
 * ($CREDENTIALS_DIRECTORY). CREDENTIAL when directory is NULL; USAGE for a name with a slash. */
ks_rc secret_file_in(const char *directory, const char *name,
                     char ret[SECRET_FILE_PATH_BYTES]) KS_MUST;
