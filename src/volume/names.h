/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/names.h - file names, symlink targets and attribute names in cipher.
 *
 * Deterministic (AES-256-SIV under the volume's name key), so no directory needs a file of its own
 * that a crash could lose, and the same everywhere in a volume, so renames and hard links never
 * rewrite anything. Written as base64url. A cipher text that does not fit in place is kept
 * in the folder long/ under its own SHA-256, and "~" + that digest stands in its place; the record is
 * durable before anything refers to it, is never changed, and is shared by all who need the same text.
 */
#pragma once

#include "base/buf.h"
#include "base/rc.h"
#include "base/view.h"
#include "io/io.h"

enum {
    NAME_PLAIN_MAX = 255,    /* POSIX NAME_MAX */
    NAME_CIPHER_BYTES = 256, /* with terminator */
    TARGET_PLAIN_MAX = 4095,
    NAME_LONG_MAX = TARGET_PLAIN_MAX + 16,
};

/* What a text is; a text of one kind does not open as another. */
enum name_kind { NAME_ENTRY, NAME_TARGET, NAME_ATTRIBUTE };

struct names;

/* names_new(key, io, long_dir, ret): key is the 64-byte name key; long_dir is borrowed. Thread-safe. */
ks_rc names_new(struct view key, struct io *io, struct io_node *long_dir,
                struct names **ret) KS_MUST;
void names_free(struct names *n); /* wipes the key */

/*
 * names_seal(n, kind, plain, max, is_storing, ret): the cipher text of plain as text of at most max bytes. With
 * is_storing a long one's record is made durable first; without (look-ups) it is only computed. Class CORRUPT, and nothing is
 * changed, when something else stands in the place of the record.
 * ENAMETOOLONG as POSIX wants it.
 */
ks_rc names_seal(struct names *n, enum name_kind kind, const char *plain, size_t max,
                 bool is_storing, struct buf *ret) KS_MUST;
/* names_open(n, kind, text, ret): the plain text. Class CORRUPT for what is damaged, also for a long record that is lost. */
ks_rc names_open(struct names *n, enum name_kind kind, const char *text, struct buf *ret) KS_MUST;

/* names_is_record(name): whether something of that name in long/ is a record. names_check_record(n, name): whether it is as it was
 * written; class CORRUPT as above. */
bool names_is_record(const char *name);
ks_rc names_check_record(struct names *n, const char *name) KS_MUST;
