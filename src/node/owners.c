/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/owners.c - user ids for organisations.
 *
 * The search begins where the organisation's own id points to: nodes that know nothing of each other mostly give it the same
 * number, and two nodes of one host seldom give one number to two organisations.
 */
#include "node/owners.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "io/atomic_file.h"

enum { ETC_BYTES_MAX = 4 * 1024 * 1024 };

static const char NAME[] = "owners.json", MEMBER[] = "engine_uids";

struct owners {
    struct owners_conf conf;
    char *etc;
    pthread_mutex_t mutex; /* for ids, also while they are written: who asks gets what is durable */
    json_t *ids;           /* organisation to number */
};

/* --- what the host has --- */

/* Numbers of this host that are somebody's. Fields count from 0. */
struct source {
    const char *file;
    int first, count; /* fields; count -1: one number */
};

static const struct source sources[] = {
    {"passwd", 2, -1}, {"passwd", 3, -1}, {"group", 2, -1}, {"subuid", 1, 2}, {"subgid", 1, 2}};

/* A field of a line as a number; false for what is none. */
static bool field_number(const char *line, size_t len, int field, uint64_t *ret)
{
    const char *at = line, *end = line + len;

    for (; field > 0; field--) {
        at = memchr(at, ':', (size_t)(end - at));
        if (!at)
            return false;
        at++;
    }
    uint64_t n = 0;
    bool is_number = at < end && *at >= '0' && *at <= '9';
    for (; at < end && *at >= '0' && *at <= '9' && n <= UINT32_MAX; at++)
        n = n * 10 + (uint64_t)(*at - '0');
    *ret = n;
    return is_number;
}

static bool has_number(const struct source *s, const char *line, size_t len, uid_t id)
{
    uint64_t first, count = 1;

    if (!field_number(line, len, s->first, &first))
        return false;
    if (s->count >= 0 && !field_number(line, len, s->count, &count))
        return false;
    return id >= first && id - first < count;
}

/* What of the host's files has been read; a file that is not there names nobody. */
struct etc {
    struct buf texts[sizeof sources / sizeof *sources];
};

static void etc_done(struct etc *e)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        buf_done(&e->texts[i]);
}

static ks_rc etc_read(const struct owners *o, struct etc *e)
{
    struct io *io = io_posix();
    struct io_node *dir = NULL;

    TRY(ks_wrap(io->ops->open_root(io, o->etc, &dir), "%s", o->etc));
    ks_rc rc = KS_SUCCESS;
    for (size_t i = 0; ks_ok(rc) && i < sizeof sources / sizeof *sources; i++) {
        rc = atomic_file_read(io, dir, sources[i].file, ETC_BYTES_MAX, &e->texts[i]);
        if (ks_is_os(rc, ENOENT))
            rc = KS_SUCCESS;
        else
            rc = ks_wrap(rc, "%s/%s", o->etc, sources[i].file);
    }
    io->ops->node_close(io, dir);
    return rc;
}

/* The file that has it; NULL: it is nobody's. */
static const char *etc_find(const struct etc *e, uid_t id)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        const char *at = (const char *)e->texts[i].bytes, *end = at ? at + e->texts[i].len : NULL;
        while (at && at < end) {
            const char *next = memchr(at, '\n', (size_t)(end - at));
            if (has_number(&sources[i], at, (size_t)((next ? next : end) - at), id))
                return sources[i].file;
            at = next ? next + 1 : NULL;
        }
    }
    return NULL;
}

/* --- giving --- */

static bool is_given(const struct owners *o, uid_t id)
{
    const char *name;
    json_t *value;

    json_object_foreach(o->ids, name, value)
    {
        if (json_integer_value(value) == (json_int_t)id)
            return true;
    }
    return false;
}

static ks_rc place_of(const struct owners *o, const char *organisation, uint64_t *ret)
{
    uint8_t hash[HASH_BYTES];
    uint64_t n = 0;

    TRY(hash_sha256(view_text(organisation), hash));
    for (int i = 0; i < 8; i++)
        n = n << 8 | hash[i];
    *ret = n % ((uint64_t)o->conf.last - o->conf.first + 1);
    return KS_SUCCESS;
}

static ks_rc choose(const struct owners *o, const struct etc *e, const char *organisation,
                    uid_t *ret)
{
    uint64_t place, count = (uint64_t)o->conf.last - o->conf.first + 1;

    TRY(place_of(o, organisation, &place));
    for (uint64_t i = 0; i < count; i++) {
        uid_t id = o->conf.first + (uid_t)((place + i) % count);
        if (!is_given(o, id) && !etc_find(e, id)) {
            *ret = id;
            return KS_SUCCESS;
        }
    }
    return ks_fail(KS_E_LIMIT,
                   "no user id between %u and %u is left for the engines of another organisation; "
                   "widen --engine-uids",
                   o->conf.first, o->conf.last);
}

static ks_rc write_ids(struct owners *o, json_t *ids)
{
    CLEANUP(buf_done) struct buf text = buf_init(NODE_JSON_MAX);
    json_t *document = json_pack("{s:O}", MEMBER, ids);

    ENSURE(document, KS_E_NO_MEMORY, "no memory for %s", NAME);
    ks_rc rc = json_write(document, false, &text);
    json_decref(document);
    TRY(rc);
    return node_dir_write(o->conf.dir, NAME, buf_view(&text));
}

static ks_rc give(struct owners *o, const char *organisation, uid_t id)
{
    json_t *ids = json_copy(o->ids);

    if (!ids || json_object_set_new(ids, organisation, json_integer((json_int_t)id)) != 0) {
        json_decref(ids);
        return ks_fail(KS_E_NO_MEMORY, "no memory for %s", NAME);
    }
    ks_rc rc = write_ids(o, ids);
    json_t *old = ids;
    if (ks_ok(rc)) {
        old = o->ids;
        o->ids = ids;
    }
    json_decref(old);
    return rc;
}

/* With the mutex. */
static ks_rc find(struct owners *o, const char *organisation, uid_t *ret)
{
    CLEANUP(etc_done) struct etc e;
    const json_t *known = json_object_get(o->ids, organisation);
    uid_t id = (uid_t)json_integer_value(known);

    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        e.texts[i] = buf_init(ETC_BYTES_MAX);
    TRY(etc_read(o, &e));
    const char *file = known ? etc_find(&e, id) : NULL;
    ENSURE(!file, KS_E_STATE,
           "the user id %u of an organisation's engines has become somebody else's: see %s/%s; "
           "give that one another",
           id, o->etc, file);
    if (!known) {
        TRY(choose(o, &e, organisation, &id));
        TRY(give(o, organisation, id));
    }
    *ret = id;
    return KS_SUCCESS;
}

ks_rc owners_find(struct owners *o, const char *organisation, uid_t *ret)
{
    ENSURE(organisation[0], KS_E_USAGE, "an engine of no organisation has no user");
    pthread_mutex_lock(&o->mutex);
    ks_rc rc = find(o, organisation, ret);
    pthread_mutex_unlock(&o->mutex);
    return rc;
}

/* --- opening --- */

static ks_rc check_ids(json_t *ids)
{
    const char *name;
    json_t *value;

    json_object_foreach(ids, name, value)
    {
        json_int_t n = json_integer_value(value);
        ENSURE(json_is_integer(value) && n > 0 && n < UINT32_MAX, KS_E_CORRUPT,
               "%s is damaged: the user id of organisation %.64s", NAME, name);
    }
    return KS_SUCCESS;
}

static ks_rc read_ids(struct owners *o)
{
    CLEANUP(buf_done) struct buf text = buf_init(NODE_JSON_MAX);
    CLEANUP(json_decrefp) json_t *document = NULL;
    json_t *ids = NULL;
    ks_rc rc = node_dir_read(o->conf.dir, NAME, &text);

    if (ks_is(rc, KS_E_NOT_FOUND)) {
        o->ids = json_object();
        ENSURE(o->ids, KS_E_NO_MEMORY, "no memory for %s", NAME);
        return KS_SUCCESS;
    }
    TRY(rc);
    rc = json_read(buf_view(&text), (struct json_limits){NODE_JSON_MAX, 4}, NAME, &document);
    if (ks_ok(rc))
        rc = json_get_object(document, MEMBER, &ids);
    ENSURE(ks_ok(rc), KS_E_CORRUPT, "%s is damaged: %s", NAME, ks_text(rc));
    TRY(check_ids(ids));
    o->ids = json_incref(ids);
    return KS_SUCCESS;
}

ks_rc owners_open(const struct owners_conf *conf, struct owners **ret)
{
    struct owners *o = NULL;

    ENSURE(conf->first > 0 && conf->first <= conf->last && conf->last < UINT32_MAX - 1, KS_E_USAGE,
           "user ids for engines are a range of 1 to 4294967293");
    TRY(mem_new(1, sizeof *o, &o));
    pthread_mutex_init(&o->mutex, NULL);
    o->conf = *conf;
    ks_rc rc = mem_text(conf->etc, &o->etc);
    if (ks_ok(rc))
        rc = read_ids(o);
    if (ks_ok(rc))
        *ret = o;
    else
        owners_free(o);
    return rc;
}

void owners_free(struct owners *o)
{
    if (!o)
        return;
    pthread_mutex_destroy(&o->mutex);
    json_decref(o->ids);
    mem_free(o->etc);
    mem_free(o);
}
