/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/file_load.c - reading the record of a key within a session.
 *
 * Nothing of a record gets out of here before its MAC is checked.
 */
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "io/atomic_file.h"
#include "kms/file_session.h"

const char *store_option(const struct file_store *s)
{
    return s->key_file ? " --key-file " : "";
}

const char *store_option_value(const struct file_store *s)
{
    return s->key_file ? s->key_file : "";
}

static ks_rc no_such_key(const struct file_store *s, const char *name)
{
    return ks_fail(KS_E_KEY_NOT_FOUND,
                   "there is no key %s in %.120s; create it with: keystead kms key create %s "
                   "--store %.120s%s%.120s",
                   name, s->path, name, s->path, store_option(s), store_option_value(s));
}

static ks_rc parse_record(struct file_session *f, const char *name, struct view in,
                          struct file_record **ret)
{
    CLEANUP(file_record_freep) struct file_record *r = NULL;

    TRY(file_record_parse(in, &r));
    TRY(file_record_check_mac(in, session_mac_key(f)));
    ENSURE(strcmp(r->name, name) == 0, KS_E_FOREIGN, "is the record of key %s", r->name);
    *ret = TAKE(r);
    return KS_SUCCESS;
}

static ks_rc load_once(struct file_session *f, const char *name, struct file_record **ret)
{
    CLEANUP(buf_done) struct buf bytes = buf_init(FILE_RECORD_MAX);
    char file[FILE_NAME_BYTES];

    snprintf(file, sizeof file, "%s.key", name);
    ks_rc rc = atomic_file_read(f->store->io, f->keys, file, FILE_RECORD_MAX, &bytes);
    if (ks_is_os(rc, ENOENT))
        return no_such_key(f->store, name);
    TRY(store_unreachable(f->store, rc));
    return ks_wrap(parse_record(f, name, buf_view(&bytes), ret), "key record %.200s/keys/%s",
                   f->store->path, file);
}

/* A record that was replaced while it was read is wiped under the reader, so damage is believed
 * only when it is seen twice. */
ks_rc session_load(struct file_session *f, const char *name, struct file_record **ret)
{
    ks_rc rc = load_once(f, name, ret);

    return rc.cls == KS_CLASS_CORRUPT ? load_once(f, name, ret) : rc;
}

bool file_record_is_due(const struct file_record *r, struct clock *clock)
{
    return r->state == FILE_KEY_PENDING_DELETION && clock_wall_s(clock) >= r->deletion_s;
}

enum file_key_state file_record_state(const struct file_record *r, struct clock *clock)
{
    return file_record_is_due(r, clock) ? FILE_KEY_DESTROYED : r->state;
}

struct view material_aad(const struct file_record *r, uint32_t version, struct material_aad *out)
{
    memcpy(out->bytes, r->id, FILE_KEY_ID_BYTES);
    put_u32(out->bytes + FILE_KEY_ID_BYTES, version);
    return view_of(out->bytes, sizeof out->bytes);
}
